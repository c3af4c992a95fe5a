import type { NorthflankConnection } from "../../src/api/connection.ts";
import type { NorthflankDeployment } from "../../src/api/deployment.ts";
import type { NorthflankJob } from "../../src/api/job.ts";
import type { Observation as DeploymentObservation } from "../../src/controllers/deployment/observation.ts";
import type { Observation as JobObservation } from "../../src/controllers/job/observation.ts";
import { connection, deployment, jobObject } from "./builders.ts";
import { ConnectionLife, type ConnectionSight } from "./connection-life.ts";
import { DeploymentLife, JobLife } from "./lives.ts";
import { serviceSeen, settingsSeen } from "./sights.ts";

/*
 * Objects with the status that the operator writes: made by what is seen of them, one after the other, so that no test types
 * a status. Without sights the object is settled. Runs are in runs-in-states.ts.
 */

/** The service has the declared image, and its rollout is complete. */
export function asDeclared(life: DeploymentLife): DeploymentObservation {
  const imagePath = life.object.spec.deployment.external?.imagePath;
  return serviceSeen(life, imagePath === undefined ? {} : { imagePath });
}

/** `parts` as in {@link deployment}. */
export function madeDeployment(
  parts?: Parameters<typeof deployment>[0],
  sights: readonly ((life: DeploymentLife) => DeploymentObservation)[] = [asDeclared],
): NorthflankDeployment {
  const life = new DeploymentLife(deployment(parts));
  for (const see of sights) life.sees(see(life));
  return life.object;
}

/** `parts` as in {@link jobObject}. */
export function madeJob(
  parts?: Parameters<typeof jobObject>[0],
  sights: readonly ((life: JobLife) => JobObservation)[] = [
    (life) => settingsSeen(life, { ...life.object.spec.settings }),
  ],
): NorthflankJob {
  const life = new JobLife(jobObject(parts));
  for (const see of sights) life.sees(see(life));
  return life.object;
}

/** The token of this version of the Secret was accepted. */
export function tokenAccepted(secretResourceVersion = "1"): ConnectionSight {
  return { kind: "checked", check: { kind: "accepted", token: undefined }, secretResourceVersion };
}

/** `parts` as in {@link connection}. */
export function madeConnection(
  parts?: Parameters<typeof connection>[0],
  sights: readonly ConnectionSight[] = [tokenAccepted()],
): NorthflankConnection {
  const life = new ConnectionLife(connection(parts));
  for (const sight of sights) life.sees(sight);
  return life.object;
}

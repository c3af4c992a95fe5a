import { readdirSync } from "node:fs";
import { join } from "node:path";
import { root, type Sandbox } from "../../sandbox/start.ts";
import { northflankDeployments } from "../../src/api/names.ts";
import type { KubeObject } from "../../src/kube/types.ts";
import { readManifests, resourceTypeOf } from "../../test/support/manifests.ts";

const apiVersion = "northflank-operator.io/v1alpha1";
const namespace = "default";
const services = 30;

/** Starts of this job get no response. */
const lostJob = "lost";

/** What `npm run observe` shows: ordinary work, and one of each fault that an alert about objects or accounts is about. */
export async function beginScenario(sandbox: Sandbox): Promise<void> {
  const { northflank } = sandbox;
  const apply = (object: KubeObject) =>
    sandbox.client.apply(resourceTypeOf(object), object, { fieldManager: "kubectl" });
  for (const object of examples()) await apply({ ...object, metadata: { namespace, ...object.metadata } });
  for (let n = 0; n < services; n += 1) {
    northflank.addService("shop", { id: `svc-${n}`, image: "ghcr.io/acme/svc:1" });
    await apply(deployment(`svc-${n}`, { namespace, image: "ghcr.io/acme/svc:1" }));
  }
  await apply(deployment("not-there", { namespace, image: "ghcr.io/acme/svc:1" }));

  // A token that is rejected, one that expires in ten days, an account with hardly any quota, and one that will be down.
  northflank.addToken("expiring-token", { expiresAtMs: Date.now() + 10 * 86_400_000 });
  for (const name of ["small", "down"]) {
    const account = northflank.addAccount({ name, tokens: [`${name}-token`], limitPerHour: 200 });
    account.addProject("shop");
    for (let n = 0; n < 4; n += 1) account.addService("shop", { id: `api-${n}`, image: "ghcr.io/acme/api:1" });
    if (name === "small") account.spendQuota(182);
  }
  for (const [team, token] of [
    ["dead", "no-such-token"],
    ["expiring", "expiring-token"],
    ["small", "small-token"],
    ["down", "down-token"],
  ] as const) {
    for (const object of connection(team, token)) await apply(object);
    if (team !== "expiring") await apply(deployment("api-0", { namespace: team, image: "ghcr.io/acme/api:2" }));
  }

  northflank.failNextRun("shop", "migrate");
  await apply(jobRun("fails", "migrate"));
  northflank.addJob("shop", { id: lostJob, image: "ghcr.io/acme/lost:1" });
  setFaults(sandbox, false);
  await apply(jobRun("unknown", lostJob));
}

/** One round of ordinary work: an image changes, a run starts. `isDown`: one of the accounts answers 503 to everything. */
export async function continueScenario(sandbox: Sandbox, round: number, isDown: boolean): Promise<void> {
  const { client } = sandbox;
  const name = `svc-${round % services}`;
  const body = { spec: { deployment: { external: { imagePath: `ghcr.io/acme/svc:${round + 2}` } } } };
  await client.patch(northflankDeployments, { namespace, name }, { kind: "merge", body });
  const run = jobRun(`run-${round}`, "migrate");
  await client.apply(resourceTypeOf(run), run, { fieldManager: "kubectl" });
  setFaults(sandbox, isDown);
  if (!isDown) return;
  for (let n = 0; n < 4; n += 1) {
    const object = deployment(`api-${n}`, { namespace: "down", image: `ghcr.io/acme/api:${round}` });
    await client.apply(resourceTypeOf(object), object, { fieldManager: "kubectl" });
  }
}

function examples(): readonly KubeObject[] {
  const folder = join(root, "examples");
  const files = readdirSync(folder).filter((file) => file.endsWith(".yaml"));
  return files.sort().flatMap((file) => readManifests(join(folder, file)));
}

function setFaults({ northflank }: Sandbox, isDown: boolean): void {
  northflank.fault = ({ method, path, headers }) => {
    // The request does not arrive, and no list has the run: only a user can decide.
    if (method === "POST" && path.endsWith(`/jobs/${lostJob}/runs`)) return { kind: "reset-before" };
    return isDown && headers.authorization === "Bearer down-token" ? { kind: "answer", status: 503 } : undefined;
  };
}

function connection(team: string, token: string): readonly KubeObject[] {
  const metadata = { name: "default", namespace: team };
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: team } },
    { apiVersion: "v1", kind: "Secret", metadata: { name: "nf-token", namespace: team }, stringData: { token } },
    { apiVersion, kind: "NorthflankConnection", metadata, spec: { tokenSecretRef: { name: "nf-token" } } },
  ] as readonly object[] as readonly KubeObject[];
}

function deployment(serviceId: string, to: { readonly namespace: string; readonly image: string }): KubeObject {
  const spec = { projectId: "shop", serviceId, deployment: { external: { imagePath: to.image } } };
  const metadata = { name: serviceId, namespace: to.namespace };
  return { apiVersion, kind: "NorthflankDeployment", metadata, spec } as KubeObject;
}

function jobRun(name: string, jobId: string): KubeObject {
  const metadata = { name, namespace };
  const spec = { projectId: "shop", jobId };
  return { apiVersion, kind: "NorthflankJobRun", metadata, spec } as KubeObject;
}

import { expect, test } from "vitest";
import type { NorthflankDeployment } from "../../../src/api/deployment.ts";
import type { SeenBuild } from "../../../src/controllers/build/build-query.ts";
import type { Observation } from "../../../src/controllers/deployment/observation.ts";
import { build, deployment } from "../../support/builders.ts";
import { northflankError } from "../../support/fake-northflank.ts";
import { type Answer, DeploymentLife } from "../../support/lives.ts";
import { jobTargetSeen, serviceSeen } from "../../support/sights.ts";
import { type Sight, stateTable } from "../../support/state-table.ts";

/*
 * Every state of a NorthflankDeployment by everything that may be seen of it, in `table.expected.txt` (how to read it:
 * test/support/state-table.ts). A change of src that changes a line has to say why. To write it anew:
 *
 *     npx vitest run --project unit test/controllers/deployment/table.test.ts -u
 */

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const sha = "b".repeat(40);

type Spec = Partial<NorthflankDeployment["spec"]>;
type View = NonNullable<Parameters<typeof serviceSeen>[1]>;
type Step = (life: DeploymentLife) => void;

function image(imagePath: string): View {
  return { image: imagePath, external: { imagePath, credentials: undefined, registryProvider: undefined } };
}

/** What a service shows that has what is declared. */
function declared({ object }: DeploymentLife): View {
  const { external, internal, docker } = object.spec.deployment;
  const runtime = docker === undefined ? {} : { docker };
  if (internal === undefined) return { ...image(external?.imagePath ?? ""), ...runtime };
  const source = { id: undefined, branch: undefined, buildSHA: undefined, buildId: undefined, deployedSHA: undefined };
  return { image: undefined, external: undefined, internal: { ...source, ...internal }, ...runtime };
}

const former: View = { ...image("ghcr.io/acme/api:1"), internal: undefined, docker: { configType: "default" } };
const foreign: View = { ...former, ...image("ghcr.io/acme/api:9") };

/** The rollout of what is declared has come so far, this very moment. */
function rollout(life: DeploymentLife, rolloutStatus: string | undefined, more: View = {}): Observation {
  const rolloutTransitionTime = new Date(life.now).toISOString();
  return serviceSeen(life, { ...declared(life), rolloutStatus, rolloutTransitionTime, ...more });
}

/** What a service shows of which nothing has been rolled out since. */
function unmoved(life: DeploymentLife, more: View = {}): Observation {
  return serviceSeen(life, { ...declared(life), ...more });
}

function built(life: DeploymentLife, outcome: "active" | "succeeded" | "failed" | undefined): SeenBuild {
  const isLatest = life.object.spec.deployment.internal?.buildSHA === "latest";
  const by = isLatest ? ({ kind: "latest" } as const) : ({ kind: "commit", sha } as const);
  const query = { builder: { projectId: "shop", serviceId: "builder" }, by, branch: "main" };
  if (outcome === undefined) return { query, sight: { kind: "none" } };
  return { query, sight: { kind: "found", build: build({ sha, outcome, status: outcome.toUpperCase() }) } };
}

const lost = northflankError("timeout");
const refused = northflankError("forbidden", { httpStatus: 403 });
const unavailable = northflankError("server_error", { httpStatus: 503 });

// ---- what happens, one after the other, until an object is in a state ----

/** So long after the last step, this is seen. */
function step(afterMs: number, see: (life: DeploymentLife) => Observation, answer?: Answer): Step {
  return (made) => {
    made.passes(afterMs);
    made.sees(see(made), 0, answer);
  };
}

const sent = step(0, (made) => serviceSeen(made, former));
const complete = step(30 * second, (made) => rollout(made, "COMPLETED"));
const failed = step(30 * second, (made) => rollout(made, "FAILED"));
const late = step(15 * minute, (made) => rollout(made, "IN_PROGRESS"));
const undone = step(hour, (made) => serviceSeen(made, foreign));
const edited =
  (spec: Spec): Step =>
  (made) =>
    made.edit(spec);
const away = (error = unavailable) => step(minute, ({ desire }) => ({ kind: "failed", desire, error }));

function life(spec: Spec, ...steps: readonly Step[]): () => DeploymentLife {
  return () => {
    const made = new DeploymentLife(deployment({ spec }));
    for (const step of steps) step(made);
    return made;
  };
}

const restore: Spec = { rollout: { wait: true, timeoutSeconds: 900, onFailure: "Restore" } };
const other: Spec = { deployment: { external: { imagePath: "ghcr.io/acme/api:3" } } };
const latest: Spec = { deployment: { internal: { id: "builder", branch: "main", buildSHA: "latest" } } };
const ofCommit: Spec = { deployment: { internal: { id: "builder", branch: "main", buildSHA: sha } } };
const credentials: Spec = { deployment: { external: { imagePath: "ghcr.io/acme/api:2", credentials: "ghcr" } } };
const whole: Spec = {
  deployment: {
    external: { imagePath: "ghcr.io/acme/api:2" },
    docker: { configType: "customCommand", customCommand: "run" },
  },
};
const keptInPart = (made: DeploymentLife) => rollout(made, "COMPLETED", { docker: { configType: "default" } });
const partKept = step(second, keptInPart);
const restoring: readonly Step[] = [sent, complete, edited(other), sent, failed];
const restored = step(second, (made) => rollout(made, "FAILED"));
const putBack = (rolloutStatus: string) =>
  step(minute, (made) => rollout(made, rolloutStatus, image("ghcr.io/acme/api:2")));
const redeployed: Step = edited({ redeployToken: "two" });
const corrected = (times: number): readonly Step[] => Array.from({ length: times }, () => [undone, complete]).flat();

const states: Readonly<Record<string, () => DeploymentLife>> = {
  unknown: life({}),
  "in sync without a change of ours": life({}, complete),
  "rolled out by somebody": life(
    {},
    complete,
    step(hour, (made) => rollout(made, "IN_PROGRESS")),
  ),
  "rolled out by somebody, late": life(
    {},
    complete,
    step(hour, (made) => rollout(made, "IN_PROGRESS")),
    step(15 * minute, (made) => rollout(made, "IN_PROGRESS")),
  ),
  sent: life({}, sent),
  refused: life(
    {},
    step(0, (made) => serviceSeen(made, former), refused),
  ),
  "answer lost": life({}, complete, edited(credentials), step(minute, unmoved, lost)),
  "ended before the call": life({}, complete, edited(credentials), step(minute, unmoved, "not sent")),
  complete: life({}, sent, complete),
  "rollout failed": life({}, sent, failed),
  "rollout late": life({}, sent, late),
  "edited since it was complete": life({}, sent, complete, edited(other)),
  "not waited for": life({ rollout: { wait: false, timeoutSeconds: 900, onFailure: "Report" } }, sent),
  "corrected once": life({}, sent, complete, undone),
  "corrected three times": life({}, sent, complete, ...corrected(3)),
  fight: life({}, sent, complete, ...corrected(3), undone),
  "EnforceOnChange, complete": life({ managementPolicy: "EnforceOnChange" }, sent, complete),
  "EnforceOnChange, drifted": life({ managementPolicy: "EnforceOnChange" }, sent, complete, undone),
  "Observe, in sync": life({ managementPolicy: "Observe" }, complete),
  "Observe, drifted": life({ managementPolicy: "Observe" }, undone),
  paused: life(
    {},
    sent,
    complete,
    step(minute, (made) => unmoved(made, { servicePaused: true })),
  ),
  "sent while paused": life(
    {},
    step(0, (made) => serviceSeen(made, { ...former, servicePaused: true })),
  ),
  "awaits promotion": life(
    {},
    sent,
    step(second, (made) => rollout(made, "IN_PROGRESS", { gradualRolloutStrategyId: "canary" })),
  ),
  "waits for a run": life(
    {},
    step(0, (made) => serviceSeen(made, former, { dependencies: [{ name: "migrate", state: "active" }] })),
  ),
  "waits for a build": life(
    ofCommit,
    step(0, (made) => serviceSeen(made, former, { build: built(made, "active") })),
  ),
  "build failed": life(
    ofCommit,
    step(0, (made) => serviceSeen(made, former, { build: built(made, "failed") })),
  ),
  "build deployed": life(
    ofCommit,
    step(0, (made) => serviceSeen(made, former, { build: built(made, "succeeded") })),
  ),
  "follows the latest build": life(latest, sent, complete),
  "latest build awaited": life(
    latest,
    sent,
    step(minute, (made) => serviceSeen(made, declared(made), { build: built(made, "active") })),
  ),
  "source and command complete": life(whole, sent, complete),
  "part not kept": life(whole, sent, partKept),
  "part not kept twice": life(whole, sent, partKept, step(minute, keptInPart)),
  "Restore, complete": life(restore, sent, complete),
  "Restore, failed without a good source": life(
    restore,
    step(0, (made) => serviceSeen(made, { ...former, rolloutStatus: "FAILED" })),
    failed,
  ),
  "Restore, found after a lost answer": life(
    restore,
    sent,
    complete,
    edited(other),
    step(second, (made) => serviceSeen(made, former), lost),
    step(second, (made) => rollout(made, "COMPLETED")),
  ),
  "Restore, recorded": life(restore, ...restoring),
  "Restore, put back": life(restore, ...restoring, restored),
  "Restore, put back and complete": life(restore, ...restoring, restored, putBack("COMPLETED")),
  "Restore, put back and failed": life(restore, ...restoring, restored, putBack("FAILED")),
  "redeploy recorded": life(
    { redeployToken: "one" },
    sent,
    complete,
    redeployed,
    step(minute, (made) => rollout(made, "COMPLETED"), "not sent"),
  ),
  "redeploy sent": life({ redeployToken: "one" }, sent, complete, redeployed, complete),
  "redeploy wanted under Observe": life({ managementPolicy: "Observe" }, complete, redeployed),
  unavailable: life({}, sent, complete, away()),
  "target not found": life({}, sent, complete, away(northflankError("not_found", { httpStatus: 404 }))),
  suspended: life(
    {},
    sent,
    complete,
    step(minute, ({ desire }) => ({ kind: "suspended", desire })),
  ),
  conflict: life(
    {},
    sent,
    complete,
    step(minute, ({ desire }) => ({ kind: "conflict", desire, owner: "shop/older" })),
  ),
  invalid: life(
    {},
    step(0, () => ({ kind: "invalid", problems: [{ field: "spec.x", message: "is wrong", remedy: "" }] })),
  ),
  unsupported: life(
    {},
    step(0, (made) => unmoved(made, { serviceType: "build" })),
  ),
  "another service of the same name": life(
    {},
    step(0, (made) => rollout(made, "COMPLETED", { uid: "uid-1" })),
    step(minute, (made) => rollout(made, "COMPLETED", { uid: "uid-2" })),
  ),
};

type Row = Sight<DeploymentLife, Observation>;

const failing = (...facts: Parameters<typeof northflankError>): Row => ({
  see: ({ desire }) => ({ kind: "failed", desire, error: northflankError(...facts) }),
});
const differing = (answer: NonNullable<Row["answer"]>): Row => ({ see: (made) => serviceSeen(made, foreign), answer });
const asked = (see: Row["see"]): Row => ({
  see: (made) => {
    made.request("now");
    return see(made);
  },
});

const sights: Readonly<Record<string, Row>> = {
  "nothing is due": { see: () => ({ kind: "rest", dueInMs: 42_000 }) },
  invalid: { see: () => ({ kind: "invalid", problems: [{ field: "spec.x", message: "is wrong", remedy: "" }] }) },
  suspended: { see: ({ desire }) => ({ kind: "suspended", desire }) },
  conflict: { see: ({ desire }) => ({ kind: "conflict", desire, owner: "shop/older" }) },
  "no Secret": {
    see: ({ desire }) => ({
      kind: "blocked",
      desire,
      readyState: { kind: "stalled", reason: "SecretNotFound", message: "None." },
      recheckAfterMs: 50_000,
    }),
  },
  unauthorized: failing("unauthorized", { httpStatus: 401 }),
  "not found": failing("not_found", { httpStatus: 404 }),
  "no quota": failing("quota_closed", { retryAfterMs: 30_000, sent: false }),
  unavailable: failing("server_error", { httpStatus: 503 }),
  "no handshake": failing("tls"),
  "the source before": { see: (made) => serviceSeen(made, former) },
  "as declared, nothing rolled out": { see: (made) => unmoved(made) },
  "as declared, under way": { see: (made) => rollout(made, "IN_PROGRESS") },
  "as declared, complete": { see: (made) => rollout(made, "COMPLETED") },
  "as declared, failed": { see: (made) => rollout(made, "FAILED") },
  "as declared, no state": { see: (made) => rollout(made, undefined) },
  "as declared, scaling": { see: (made) => rollout(made, "IN_PROGRESS", { rolloutReason: "SCALING" }) },
  "as declared, gradual": { see: (made) => rollout(made, "IN_PROGRESS", { gradualRolloutStrategyId: "canary" }) },
  "as declared, paused": { see: (made) => unmoved(made, { servicePaused: true }) },
  "as declared, another service": { see: (made) => rollout(made, "COMPLETED", { uid: "uid-9" }) },
  "as declared, requested": asked((made) => rollout(made, "COMPLETED")),
  "a build service": { see: (made) => unmoved(made, { serviceType: "build" }) },
  "a foreign source": { see: (made) => serviceSeen(made, foreign) },
  "a foreign image, all else as declared": {
    see: (made) => serviceSeen(made, { ...declared(made), ...image("ghcr.io/acme/api:9"), internal: undefined }),
  },
  "a foreign source, requested": asked((made) => serviceSeen(made, foreign)),
  "a foreign source, paused": { see: (made) => serviceSeen(made, { ...foreign, servicePaused: true }) },
  "a foreign source, refused": differing(refused),
  "a foreign source, answer lost": differing(lost),
  "a foreign source, no route": differing("no route"),
  "a foreign source, by the fallback": differing("by the fallback"),
  "a foreign source, not sent": differing("not sent"),
  "a foreign source, a run is missing": {
    see: (made) => serviceSeen(made, foreign, { dependencies: [{ name: "migrate", state: "missing" }] }),
  },
};

const ofBuilds: Readonly<Record<string, Row>> = {
  "looked at alone, under way": {
    see: (made) => ({ kind: "building", desire: made.desire, build: built(made, "active") }),
  },
  ...Object.fromEntries(
    (["active", "succeeded", "failed", undefined] as const).flatMap((outcome): [string, Row][] => [
      [
        `another source, build ${outcome ?? "missing"}`,
        { see: (made) => serviceSeen(made, foreign, { build: built(made, outcome) }) },
      ],
      [
        `as declared, build ${outcome ?? "missing"}`,
        { see: (made) => serviceSeen(made, declared(made), { build: built(made, outcome) }) },
      ],
    ]),
  ),
};

const job: Spec = { jobId: "etl", deployment: { external: { imagePath: "ghcr.io/acme/etl:2" } } };
const ofJob = (view: Parameters<typeof jobTargetSeen>[1] = {}, afterMs = 0) =>
  step(afterMs, (made) => jobTargetSeen(made, view));
const etl = { imagePath: "ghcr.io/acme/etl:2" };

function jobLife(...steps: readonly Step[]): () => DeploymentLife {
  return () => {
    const { serviceId: _service, ...spec } = deployment({ spec: job }).spec;
    const made = new DeploymentLife({ ...deployment(), spec } as NorthflankDeployment);
    for (const step of steps) step(made);
    return made;
  };
}

const jobStates = {
  unknown: jobLife(),
  sent: jobLife(ofJob()),
  "in sync": jobLife(ofJob(), ofJob(etl, second)),
  "undone and corrected": jobLife(ofJob(), ofJob(etl, second), ofJob({ imagePath: "ghcr.io/acme/etl:9" }, hour)),
};

const jobSights: Readonly<Record<string, Row>> = {
  "the route is gone": { see: ({ desire }) => ({ kind: "route-gone", desire, error: northflankError("gone") }) },
  "as declared": { see: (made) => jobTargetSeen(made, etl) },
  "as declared, runs by itself": { see: (made) => jobTargetSeen(made, { ...etl, runOnSourceChange: "always" }) },
  "the source before": { see: (made) => jobTargetSeen(made) },
  "a foreign source": { see: (made) => jobTargetSeen(made, { imagePath: "ghcr.io/acme/etl:9" }) },
  "a foreign source, no route": {
    see: (made) => jobTargetSeen(made, { imagePath: "ghcr.io/acme/etl:9" }),
    answer: "no route",
  },
};

const good = (status: string, more: View = {}): Row => ({
  see: (made) => rollout(made, status, { ...image("ghcr.io/acme/api:2"), ...more }),
});
const ofRestore: Readonly<Record<string, Row>> = {
  "the good source, under way": good("IN_PROGRESS"),
  "the good source, complete": good("COMPLETED"),
  "the good source, failed": good("FAILED"),
  "the good source, paused": good("COMPLETED", { servicePaused: true }),
  "the good source, requested": asked(good("COMPLETED").see),
  "as declared, failed, answer lost": { see: (made) => rollout(made, "FAILED"), answer: lost },
  "as declared, failed, refused": { see: (made) => rollout(made, "FAILED"), answer: refused },
  "as declared, failed, not sent": { see: (made) => rollout(made, "FAILED"), answer: "not sent" },
  "as declared, failed, requested": asked((made) => rollout(made, "FAILED")),
};

/** The row of each kind of observation: a new kind does not compile until it has one. */
const kinds: Readonly<Record<Observation["kind"], Row | undefined>> = {
  rest: sights["nothing is due"],
  invalid: sights.invalid,
  suspended: sights.suspended,
  conflict: sights.conflict,
  blocked: sights["no Secret"],
  failed: sights["not found"],
  seen: sights["as declared, complete"],
  building: ofBuilds["looked at alone, under way"],
  "route-gone": jobSights["the route is gone"],
};

test.each(Object.entries(kinds))("there is a row of kind %s", (kind, row) => {
  expect(row?.see(life({})()).kind).toBe(kind);
});

test("a service, state by observation", async () => {
  await expect(stateTable(states, sights)).toMatchFileSnapshot("./table.expected.txt");
}, 60_000);

test("a service that runs builds, state by observation", async () => {
  await expect(stateTable(statesOf(/build/), ofBuilds)).toMatchFileSnapshot("./builds-table.expected.txt");
});

test("a service whose last good source is put back, state by observation", async () => {
  const table = stateTable(statesOf(/^Restore|^edited since/), ofRestore);
  await expect(table).toMatchFileSnapshot("./restore-table.expected.txt");
});

test("a job as the target, state by observation", async () => {
  await expect(stateTable(jobStates, jobSights)).toMatchFileSnapshot("./job-target-table.expected.txt");
});

function statesOf(names: RegExp): typeof states {
  const those = Object.entries(states).filter(([name]) => names.test(name));
  expect(those.length).toBeGreaterThan(4);
  return Object.fromEntries(those);
}

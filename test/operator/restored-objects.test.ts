import { describe, expect, test } from "vitest";
import { northflankJobRuns, startedRun } from "../../src/api/names.ts";
import type { StoredObject } from "../support/object-history.ts";
import { conditionOf, type Scenario, scenarios } from "../support/operator-scenario.ts";

const startScenario = scenarios();

/** What a backup tool, or `kubectl create` of what `kubectl get` has told, sends: no status, no uid. */
async function restore(scenario: Scenario, copy: StoredObject, name = copy.metadata.name): Promise<void> {
  const { namespace, cluster } = scenario;
  const { apiVersion, kind, spec, metadata } = copy as StoredObject & { readonly spec: object };
  const { labels, annotations, finalizers } = metadata as {
    labels?: object;
    annotations?: object;
    finalizers?: object;
  };
  const kept = { name, namespace, labels, annotations, finalizers };
  await cluster.client.create(northflankJobRuns, { apiVersion, kind, metadata: kept, spec } as never);
}

async function settles(scenario: Scenario, name: string, reason: string): Promise<StoredObject> {
  const { cluster, namespace } = scenario;
  let seen: StoredObject | undefined;
  await scenario.until(`${name} to be ${reason}`, async () => {
    seen = await cluster.client.get<StoredObject>(northflankJobRuns, { namespace, name });
    return conditionOf(seen, "Ready")?.reason === reason;
  });
  return seen as StoredObject;
}

describe("a run that comes back without its status", { concurrent: true, timeout: 200_000 }, () => {
  test("gets its result back, is not run again, and costs one request", async () => {
    await using scenario = await startScenario();
    const { northflank } = scenario;
    const run = await scenario.jobRun("migrate-1");
    const before = await run.reaches("Succeeded");
    const copy = await run.get();
    expect(JSON.parse(copy.metadata.annotations?.[startedRun] ?? "{}")).toMatchObject({
      object: `${scenario.namespace}/migrate-1`,
      runId: before.status?.runId,
    });
    await run.delete();
    await run.isGone();
    await scenario.restart();
    const calls = northflank.calls.length;
    await restore(scenario, copy);
    const after = await settles(scenario, "migrate-1", "RunSucceeded");
    expect(after.status).toMatchObject({ runId: before.status?.runId, attempts: [{ origin: "Adopted" }] });
    expect(northflank.runs("shop", "migrate")).toHaveLength(1);
    const about = northflank.calls.slice(calls).filter(({ path }) => path.includes("/runs"));
    expect(about.map(({ method }) => method)).toEqual(["GET"]);
    await scenario.quiet(1_000);
  });

  test("under another name neither runs nor succeeds until the annotation is taken away", async () => {
    await using scenario = await startScenario();
    const { northflank, cluster, namespace } = scenario;
    const run = await scenario.jobRun("migrate-1", { deletionPolicy: "Abort" });
    await run.reaches("Succeeded");
    await restore(scenario, await run.get(), "migrate-2");
    const held = await settles(scenario, "migrate-2", "CopyOfStartedRun");
    expect(conditionOf(held, "Succeeded")?.status).toBe("Unknown");
    expect(northflank.runs("shop", "migrate")).toHaveLength(1);
    const body = { metadata: { annotations: { [startedRun]: null } } };
    await cluster.client.patch(northflankJobRuns, { namespace, name: "migrate-2" }, { kind: "merge", body });
    await settles(scenario, "migrate-2", "RunSucceeded");
    expect(northflank.runs("shop", "migrate")).toHaveLength(2);
  });
});

test("a run of a build that is under way is started once the build has succeeded", { timeout: 200_000 }, async () => {
  await using scenario = await startScenario();
  const { northflank } = scenario;
  const sha = "b".repeat(40);
  const build = northflank.startBuild("shop", "builder", { sha, outcome: "never" });
  const internal = { id: "builder", branch: "main", buildSHA: sha };
  const run = await scenario.jobRun("migrate-1", { deployment: { internal } });
  await run.becomes("waits for the build", (object) => conditionOf(object, "Ready")?.reason === "WaitingForBuild");
  const reads = () => northflank.calls.filter(({ path }) => path.includes("/build")).length;
  await scenario.until("a few reads", () => reads() >= 3);
  expect(northflank.runs("shop", "migrate")).toEqual([]);
  northflank.finishBuild("shop", "builder", build.id, "SUCCESS");
  await run.reaches("Succeeded");
  expect(northflank.runs("shop", "migrate")).toHaveLength(1);
});

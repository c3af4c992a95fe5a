import { describe, expect, test } from "vitest";
import { northflankJobRuns } from "../../src/api/names.ts";
import type { StoredObject } from "../support/object-history.ts";
import { conditionOf, type Scenario, scenarios } from "../support/operator-scenario.ts";

const startScenario = scenarios();
// Restoring a real etcd means stopping it: the sandbox goes back without that.
const isReal = process.env.TEST_CLUSTER === "real";

const flags = ["--start-gate=1s", "--request-timeout=1s", "--start-settle=300ms", "--run-poll-interval=100ms"];

// Asked for, and not watched: the watch of a test would end with the restore as well.
async function settles(scenario: Scenario, name: string, isWanted: (object: StoredObject) => boolean) {
  const { cluster, namespace } = scenario;
  let seen: StoredObject | undefined;
  await scenario.until(`${name} to settle`, async () => {
    seen = await cluster.client.get<StoredObject>(northflankJobRuns, { namespace, name });
    return isWanted(seen);
  });
  return seen as StoredObject;
}

const succeeded = (object: StoredObject) => conditionOf(object, "Succeeded")?.status === "True";

describe.skipIf(isReal)("a cluster that is restored from a backup", { timeout: 120_000 }, () => {
  test("gets back the run that it has forgotten, and no second one", async () => {
    await using scenario = await startScenario({ flags });
    const { cluster, namespace, northflank } = scenario;
    const { sandbox } = cluster;
    if (sandbox === undefined) throw new Error("only a sandbox can be restored");
    const object = await scenario.jobRun("nightly", { suspend: true });
    await object.reaches("Suspended");
    const backup = sandbox.revision;

    await object.patch({ suspend: false });
    const before = await settles(scenario, "nightly", succeeded);
    sandbox.restore(backup);
    // As whoever keeps the manifests would do.
    const at = { namespace, name: "nightly" };
    await cluster.client.patch(northflankJobRuns, at, { kind: "merge", body: { spec: { suspend: false } } });

    const held = await settles(scenario, "nightly", (seen) => conditionOf(seen, "Ready")?.reason === "ClusterRestored");
    expect(held.status).not.toHaveProperty("runId");
    const after = await settles(scenario, "nightly", succeeded);
    expect(after.status).toMatchObject({ runId: before.status?.runId, start: { outcome: "Recovered" } });
    expect(northflank.runs("shop", "migrate")).toHaveLength(1);
  });
});

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Cluster, startSharedCluster } from "../support/cluster.ts";
import type { ControlPlane } from "../support/control-plane.ts";
import { scenarios } from "../support/operator-scenario.ts";

// Needs a control plane of its own, because nobody else likes it when the API server goes away.
const isReal = process.env.TEST_CLUSTER === "real";
const image = (tag: string) => ({ deployment: { external: { imagePath: `ghcr.io/acme/api:${tag}` } } });

describe.runIf(isReal)("an API server that goes away and comes back", () => {
  let own: { readonly cluster: Cluster; readonly plane: ControlPlane } | undefined;
  beforeAll(async () => {
    own = await startSharedCluster({ env: process.env, say: () => undefined });
  }, 300_000);
  afterAll(async () => {
    await own?.cluster.stop();
  });
  const startScenario = scenarios();

  test("does not make the operator start a run twice, nor lose its answer, nor miss what comes later", async () => {
    if (own === undefined) throw new Error("there is no control plane");
    const { cluster, plane } = own;
    // Longer than a restart takes on a busy machine: who cannot renew for that long ends, which is another story.
    const flags = [
      "--leader-elect-lease-duration=180s",
      "--leader-elect-renew-deadline=150s",
      "--start-gate=30s",
      "--request-timeout=30s",
      "--log-level=debug",
    ];
    await using scenario = await startScenario({ cluster, flags });
    const { northflank } = scenario;
    const deployment = await scenario.deployment("api", { projectId: "shop", serviceId: "api", ...image("1.4.2") });
    await deployment.reaches("Ready");
    northflank.fault = ({ method, path }) =>
      method === "POST" && path.endsWith("/runs")
        ? { kind: "none", before: () => plane.stopApiServer("SIGKILL") }
        : undefined;
    const run = await scenario.jobRun("once");
    await scenario.until("the run was started", () => northflank.runs("shop", "migrate").length === 1);
    // Long enough for some tries to write down that it was started.
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    await plane.startApiServer();
    const over = await run.reaches("Finished", { reason: "RunSucceeded" });
    expect(over.status?.attempts).toMatchObject([{ number: 1, origin: "Started" }]);
    expect(northflank.runs("shop", "migrate")).toHaveLength(1);

    await deployment.patch(image("1.5.0"));
    await deployment.reaches("Ready", { reason: "RolloutComplete" });
    expect(northflank.service("shop", "api").image).toBe("ghcr.io/acme/api:1.5.0");
    expect(scenario.changes()).toHaveLength(3);
    // The same process all the time.
    expect(await Promise.race([scenario.operator.exited, Promise.resolve("running")])).toBe("running");
  }, 300_000);
});

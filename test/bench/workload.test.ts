import { expect, test } from "vitest";
import { inTurn } from "../../bench/peers.ts";
import { countWrites, deployment } from "../../bench/workload.ts";
import { northflankDeployments } from "../../src/api/names.ts";
import { clusterUnderTest } from "../support/cluster.ts";

test("each of two begins every second round", () => {
  const rounds = [1, 2, 3].map((round) => inTurn(["operator", "against"], round).join(" "));
  expect(rounds).toEqual(["operator against", "against operator", "operator against"]);
});

test("on the sandbox, too, writes to objects of ours are counted, and nothing else", async () => {
  const cluster = await clusterUnderTest({ ...process.env, TEST_CLUSTER: "sandbox" });
  try {
    const { client } = cluster;
    const namespace = await cluster.freshNamespace();
    const before = await countWrites(cluster);
    await client.create(northflankDeployments, deployment(namespace, "api"));
    await client.get(northflankDeployments, { namespace, name: "api" });
    const body = { metadata: { labels: { a: "b" } } };
    await client.patch(northflankDeployments, { namespace, name: "api" }, { kind: "merge", body });
    await cluster.freshNamespace();
    expect((await countWrites(cluster)) - before).toBe(2);
  } finally {
    await cluster.stop();
  }
});

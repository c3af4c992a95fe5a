import { expect, test } from "vitest";
import type { ApiBinding } from "../../src/controllers/account/api-factory.ts";
import { createOfflineCluster } from "../../src/plan/offline-cluster.ts";
import { parseToken } from "../../src/util/secret-value.ts";
import { FakeClock } from "../support/fake-clock.ts";

const origin = "https://api.northflank.com";

/** What is opened for connections with these specs, and for one that is not in the files. */
async function bindings(specs: readonly object[]): Promise<readonly ApiBinding[]> {
  const parsed = parseToken("canary-4711-token", { trimNewline: true });
  if (parsed.kind !== "token") throw new Error("the token of the test is none");
  const opened: ApiBinding[] = [];
  const connections = specs.map((spec, index) => ({
    apiVersion: "northflank-operator.io/v1alpha1",
    kind: "NorthflankConnection",
    metadata: { name: `c${index}`, namespace: "shop", uid: `${index}`, generation: 1 },
    spec: { apiUrl: origin, tokenSecretRef: { name: "x", key: "k" }, ...spec },
  }));
  const cluster = createOfflineCluster(
    {
      connections: connections as never,
      deployments: [],
      jobs: [],
      jobRuns: [],
      secrets: [],
      configMaps: [],
      refused: [],
    },
    {
      token: parsed.token,
      teamId: undefined,
      defaultApiUrl: origin,
      maxRequestsPerHour: 100,
      allowedApiHosts: ["api.northflank.com"],
      openApi: (binding) => {
        opened.push(binding);
        return {} as never;
      },
      clock: new FakeClock(),
      random: () => 0.5,
    },
  );
  for (const connectionName of [...connections.map(({ metadata }) => metadata.name), "unknown"]) {
    const request = { namespace: "shop", connectionName, projectId: "shop" };
    await cluster.accounts.resolve(request, new AbortController().signal);
  }
  return opened;
}

test("a budget of a connection makes that of the command smaller, never larger", async () => {
  const budgets = [{ maxRequestsPerHour: 99 }, { maxRequestsPerHour: 101 }, undefined];
  const opened = await bindings(budgets.map((budget) => ({ ...(budget && { budget }) })));
  expect(opened.map(({ maxRequestsPerHour }) => maxRequestsPerHour)).toEqual([99, 100, 100, 100]);
});

test("connections share the one quota of the token, whatever their teams and pools", async () => {
  const opened = await bindings([{ budget: { poolName: "a" } }, { budget: { poolName: "b" } }, { teamId: "acme" }]);
  expect([opened.length, new Set(opened.map(({ pool }) => pool)).size]).toEqual([4, 1]);
});

import { expect, test } from "vitest";
import { scenarios } from "../support/operator-scenario.ts";

// An installation for some namespaces has Roles in these and no ClusterRole: deploy/overlays/namespaced grants there what
// the ClusterRole grants everywhere. So it must never ask about a cluster as a whole, nor about another namespace.

const startScenario = scenarios();

test("with --watch-namespaces the operator asks Kubernetes about these namespaces only", async () => {
  await using scenario = await startScenario();
  const { cluster, namespace } = scenario;
  const image = { external: { imagePath: "ghcr.io/acme/api:1.4.2" } };
  const deployment = await scenario.deployment("api", { projectId: "shop", serviceId: "api", deployment: image });
  const job = await scenario.job("migrate", { settings: { description: "Migrations" } });
  const run = await scenario.jobRun("once", { ttlSecondsAfterFinished: 0 });
  await deployment.reaches("Ready");
  await job.reaches("Ready");
  await run.isGone();
  await scenario.operator.stop();

  const calls = await cluster.operatorCalls();
  const group = "/apis/northflank-operator.io/v1alpha1";
  const kindsOf = new Set(calls.map(({ path }) => path.split(`/namespaces/${namespace}/`)[1]?.split("/")[0]));
  for (const kind of ["northflankdeployments", "northflankjobs", "northflankjobruns", "secrets", "events", "leases"]) {
    expect(kindsOf).toContain(kind);
  }
  const inside = ["/api/v1", group, "/apis/events.k8s.io/v1", "/apis/coordination.k8s.io/v1"].map(
    (api) => `${api}/namespaces/${namespace}/`,
  );
  // Every account may read what the server serves: system:discovery.
  const outside = calls.filter(({ path }) => ![...inside, "/openapi/v3/"].some((start) => path.startsWith(start)));
  expect([...new Set(outside.map(({ verb, path }) => `${verb} ${path}`))]).toEqual([]);
});

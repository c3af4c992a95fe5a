import { test } from "vitest";
import type { KubeObject } from "../../src/kube/types.ts";
import { exampleEnds, exampleManifests, expectExamplesAt } from "../support/examples.ts";
import { resourceTypeOf } from "../support/manifests.ts";
import { conditionOf, scenarios } from "../support/operator-scenario.ts";

const startScenario = scenarios();

test(`all ${exampleManifests.length} documents of examples/ are taken as they are and come to their end`, async () => {
  // The token of the examples is the sandbox's own, and their connection names no address: --api-url says where.
  await using scenario = await startScenario({ connection: "none" });
  const { northflank, namespace } = scenario;
  for (const manifest of exampleManifests) {
    const object = { ...manifest, metadata: { ...manifest.metadata, namespace } };
    await scenario.cluster.client.apply(resourceTypeOf(manifest), object, { fieldManager: "kubectl" });
  }
  for (const manifest of exampleManifests) {
    const condition = exampleEnds[manifest.kind];
    if (condition === undefined) continue;
    await scenario.until(`${manifest.kind} ${manifest.metadata.name} is ${condition}`, async () => {
      const type = resourceTypeOf(manifest);
      const found = await scenario.cluster.client.get<KubeObject & { readonly status?: object }>(type, {
        namespace,
        name: manifest.metadata.name,
      });
      return conditionOf(found as never, condition)?.status === "True";
    });
  }
  expectExamplesAt(northflank);
});

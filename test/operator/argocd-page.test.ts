import { expect, test } from "vitest";
import { findKind } from "../../src/api/kinds.ts";
import type { KubeObject } from "../../src/kube/types.ts";
import { argocdPage, isOurs, manifestsOf } from "../support/argocd-page.ts";
import { type SyncStep, syncStepsOf } from "../support/argocd-sync.ts";
import { type Handle, scenarios } from "../support/operator-scenario.ts";

const startScenario = scenarios();

test("the manifests of docs/argocd.md are taken in their waves, and each comes to what the page says of it", async () => {
  await using scenario = await startScenario({ connection: "none" });
  const { northflank, namespace, token } = scenario;
  northflank.addJob("shop", { id: "seed", image: "ghcr.io/acme/seed:1" });
  await scenario.secret("nf-token", { token });
  const manifests = manifestsOf(argocdPage).filter(isOurs);
  const ends: Record<string, readonly SyncStep[]> = {};
  for (const wave of [...new Set(manifests.map(waveOf))].sort((a, b) => a - b)) {
    const handles: Handle[] = [];
    for (const { metadata, ...manifest } of manifests.filter((one) => waveOf(one) === wave)) {
      // Argo CD makes the name of what has none.
      const name = metadata.name ?? `${metadata.generateName}3f2c1ab-presync-1767225600`;
      const object = { ...manifest, metadata: { name, namespace, annotations: metadata.annotations ?? {} } };
      const type = findKind(manifest.kind)?.type;
      if (type === undefined) throw new Error(`no kind ${manifest.kind}`);
      await scenario.cluster.client.apply(type, object, { fieldManager: "argocd-controller" });
      handles.push(await scenario.apply(type, name, manifest.spec));
    }
    for (const handle of handles) {
      await handle.becomes("came to rest", ({ status, metadata }) => {
        const isSeen = status?.observedGeneration === metadata.generation;
        return isSeen && status?.conditions?.some(({ type }) => type === "Reconciling") === false;
      });
      ends[handle.name.replace(/-3f2c.*/, "-*")] = syncStepsOf(handle.versions());
    }
  }
  expect(ends).toEqual({
    default: ["holds", "continues"],
    "migrate-*": ["holds", "continues"],
    "seed-*": ["holds", "continues"],
    "migrate-1-4-2": ["holds", "continues"],
    api: ["holds", "continues"],
    // Suspended from the start, in the last wave.
    web: ["holds"],
  });
  expect(northflank.service("shop", "api").image).toBe("ghcr.io/acme/api:1.4.2");
  expect(scenario.changes().filter(({ path }) => path.includes("/services/web"))).toEqual([]);
});

/** A PreSync hook comes before the waves of the sync itself; the connection of the page is an earlier one. */
function waveOf({ metadata }: KubeObject): number {
  return Number(metadata.annotations?.["argocd.argoproj.io/sync-wave"] ?? -1);
}

import { expect, test } from "vitest";
import { KubeError } from "../../src/kube/errors.ts";
import { secrets } from "../../src/kube/types.ts";
import { watchKind } from "../../src/runtime/watched-kind.ts";
import { FakeClock, settle } from "../support/fake-clock.ts";
import { fakeLog } from "../support/fake-log.ts";
import { ScriptedKube } from "../support/scripted-kube.ts";

function watched(namespaces: readonly string[]) {
  const kube = new ScriptedKube();
  const kind = watchKind({
    namespaces,
    resource: secrets,
    kube,
    project: (raw) => raw,
    indexes: { byName: ({ metadata }) => [metadata.name] },
    clock: new FakeClock(),
    random: () => 0.5,
    log: fakeLog().log,
  });
  return { kind, kube };
}

function secret(namespace: string) {
  const metadata = { name: "token", namespace, uid: `uid-${namespace}`, resourceVersion: "5" };
  return { apiVersion: "v1", kind: "Secret", metadata };
}

test("without namespaces, one watch covers them all", async () => {
  const { kind, kube } = watched([]);
  kind.start();
  await settle();
  expect(kube.nextWatch().options.namespace).toBeUndefined();
  kube.expectNoMore();
  expect(kind.hasSynced()).toBe(false);
  await kind.stop();
});

test("with namespaces, each is watched by itself, and they are read as one store", async () => {
  const { kind, kube } = watched(["a", "b", "a"]);
  const seen: string[] = [];
  kind.store.listen((change) => seen.push(`${change.kind} ${change.key}`));
  kind.start();
  await settle();
  const watches = [kube.nextWatch(), kube.nextWatch()];
  expect(watches.map(({ options }) => options.namespace)).toEqual(["a", "b"]);
  // A server that has no streaming lists: pages are read instead.
  for (const watch of watches)
    watch.fail(new KubeError({ code: "invalid", step: "watch", detail: "sendInitialEvents" }));
  await settle();
  const lists = [kube.nextList(), kube.nextList()];
  lists[0]?.answer({ metadata: { resourceVersion: "7" }, items: [secret("a")] });
  await settle();
  expect(kind.hasSynced()).toBe(false);
  lists[1]?.answer({ metadata: { resourceVersion: "7" }, items: [secret("b")] });
  await kind.whenSynced(AbortSignal.timeout(1_000));
  expect(kind.store.size).toBe(2);
  expect(kind.store.get("b/token")?.metadata.namespace).toBe("b");
  expect(kind.store.byIndex("byName", "token").map(({ metadata }) => metadata.namespace)).toEqual(["a", "b"]);
  expect(seen).toEqual(["added a/token", "added b/token"]);
  expect(kind.check()).toEqual({ ok: true });
  await kind.stop();
});

test("the answer to an own write goes into the store of its namespace", async () => {
  const { kind, kube } = watched(["a"]);
  kind.start();
  await settle();
  kube.nextWatch().fail(new KubeError({ code: "invalid", step: "watch", detail: "sendInitialEvents" }));
  await settle();
  kube.nextList().answer({ metadata: { resourceVersion: "7" }, items: [secret("a")] });
  await kind.whenSynced(AbortSignal.timeout(1_000));
  const answer = { ...secret("a"), metadata: { ...secret("a").metadata, resourceVersion: "9" } };
  kind.overlay(answer);
  expect(kind.store.get("a/token")?.metadata.resourceVersion).toBe("9");
  kind.overlay({ ...answer, metadata: { ...answer.metadata, namespace: "elsewhere" } });
  expect(kind.store.size).toBe(1);
  await kind.stop();
});

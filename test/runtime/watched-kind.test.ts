import { describe, expect, test } from "vitest";
import { KubeError } from "../../src/kube/errors.ts";
import { secrets } from "../../src/kube/types.ts";
import { watchKind } from "../../src/runtime/watched-kind.ts";
import { FakeClock, settle } from "../support/fake-clock.ts";
import { fakeLog } from "../support/fake-log.ts";
import { ScriptedKube } from "../support/scripted-kube.ts";

function watched(namespaces: readonly string[]) {
  const kube = new ScriptedKube();
  const clock = new FakeClock();
  const kind = watchKind({
    namespaces,
    resource: secrets,
    kube,
    project: (raw) => raw,
    indexes: { byName: ({ metadata }) => [metadata.name] },
    clock,
    random: () => 0.5,
    log: fakeLog().log,
  });
  return { kind, kube, clock };
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

test("the silence of a kind is the longest of its namespaces", async () => {
  const { kind, kube, clock } = watched(["a", "b"]);
  kind.start();
  await settle();
  const [a, b] = [kube.nextWatch(), kube.nextWatch()];
  await clock.advance(10_000);
  a.bytes();
  b.bytes();
  await clock.advance(7_000);
  a.bytes();
  expect(kind.silentMs()).toBe(7_000);
  b.bytes();
  expect(kind.silentMs()).toBe(0);
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

const forbidden = () =>
  new KubeError({ code: "forbidden", step: "watch secrets", detail: "no right", httpStatus: 403 });

/** Namespace `a` is listed, `b` has been refused so often. */
async function refused(times: number, namespaces: readonly string[] = ["a", "b"]) {
  const setup = watched(namespaces);
  const { kind, kube, clock } = setup;
  const synced = { is: false };
  void kind.whenSynced(new AbortController().signal).then(() => {
    synced.is = true;
  });
  kind.start();
  await settle();
  const first = namespaces.map(() => kube.nextWatch());
  for (const watch of first) {
    if (watch.options.namespace !== "a") continue;
    watch.fail(new KubeError({ code: "invalid", step: "watch", detail: "sendInitialEvents" }));
    await settle();
    kube.nextList().answer({ metadata: { resourceVersion: "7" }, items: [secret("a")] });
    await settle();
    kube.nextWatch().bytes();
  }
  for (const watch of first) if (watch.options.namespace !== "a") watch.fail(forbidden());
  await settle();
  for (let n = 1; n < times; n += 1) {
    const before = kube.calls.length;
    while (kube.calls.length === before) await clock.advance(500);
    const call = kube.calls.at(-1);
    call?.fail(forbidden());
    await settle();
  }
  return { ...setup, synced };
}

describe("a namespace that must not be read", () => {
  test("is waited for while it may be an API server that has just come up", async () => {
    const { kind, synced } = await refused(4);
    expect([kind.hasSynced(), synced.is, kind.covers("a")]).toEqual([false, false, true]);
    await kind.stop();
  });

  test("holds up itself alone, and is named without making anything unready", async () => {
    const { kind, synced } = await refused(5);
    expect([kind.hasSynced(), synced.is]).toEqual([true, true]);
    expect([kind.covers("a"), kind.covers("b"), kind.covers("elsewhere")]).toEqual([true, false, false]);
    expect(kind.check()).toEqual({
      ok: true,
      note: 'namespace "b": cannot list: [forbidden] watch secrets: no right',
    });
    await kind.stop();
  });

  test("is asked for once a minute, and is served as soon as it can be read", async () => {
    const { kind, kube, clock } = await refused(5);
    const before = kube.calls.length;
    await clock.advance(59_999);
    expect(kube.calls.length).toBe(before);
    await clock.advance(1);
    const call = kube.calls.at(-1);
    if (call?.verb !== "list") throw new Error("expected a list");
    const heard: string[] = [];
    kind.store.listen((change) => heard.push(`${change.kind} ${change.key}`));
    call.answer({ metadata: { resourceVersion: "9" }, items: [secret("b")] });
    await settle();
    expect([heard, kind.covers("b"), kind.check()]).toEqual([["added b/token"], true, { ok: true }]);
    await kind.stop();
  });

  test("is everything there is to serve: then nothing is ready", async () => {
    const { kind, synced } = await refused(5, ["b"]);
    expect([kind.isSettled(), kind.hasSynced(), synced.is]).toEqual([true, false, false]);
    expect(kind.silentMs()).toBeGreaterThan(0);
    expect(kind.check()).toMatchObject({ ok: false, reason: expect.stringContaining('namespace "b"') });
    await kind.stop();
  });

  test("loses nothing that was read before", async () => {
    const { kind, kube, clock } = watched(["a", "b"]);
    const heard: string[] = [];
    kind.store.listen((change) => heard.push(`${change.kind} ${change.key}`));
    kind.start();
    await settle();
    for (const watch of [kube.nextWatch(), kube.nextWatch()]) {
      const { namespace = "" } = watch.options;
      watch.event({ type: "ADDED", object: secret(namespace) });
      const metadata = { resourceVersion: "7", annotations: { "k8s.io/initial-events-end": "true" } };
      watch.event({ type: "BOOKMARK", object: { metadata } });
      if (namespace === "b") watch.fail(forbidden());
    }
    for (let n = 0; n < 8; n += 1) {
      await clock.advance(60_000);
      for (const call of kube.calls.filter(({ signal }) => !signal.aborted)) {
        if (call.verb === "watch" && call.options.namespace === "a") call.bytes();
        else call.fail(forbidden());
      }
    }
    expect(heard).toEqual(["added a/token", "added b/token"]);
    expect([kind.store.size, kind.covers("b")]).toEqual([2, true]);
    // Of b, which has been silent for eight minutes, check() has the word.
    expect(kind.silentMs()).toBe(0);
    expect(kind.check()).toMatchObject({ ok: true, note: expect.stringContaining('namespace "b": watch silent') });
    await kind.stop();
  });
});

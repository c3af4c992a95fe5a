import { describe, expect, test, vi } from "vitest";
import { KubeError, type KubeErrorFacts } from "../../src/kube/errors.ts";
import type { KubeList, KubeObject, ResourceType, WatchEvent } from "../../src/kube/types.ts";
import { defaultReflectorTiming, Reflector, type ReflectorOptions } from "../../src/runtime/reflector.ts";
import { FakeClock, settle } from "../support/fake-clock.ts";
import { fakeLog } from "../support/fake-log.ts";
import { ScriptedKube } from "../support/scripted-kube.ts";

const pets: ResourceType = { group: "example.io", version: "v1", plural: "pets", kind: "Pet", namespaced: true };

interface Pet {
  readonly metadata: { readonly name: string; readonly namespace: string; uid: string; resourceVersion: string };
}

function pet(name: string, resourceVersion: number | string, uid = `uid-${name}`): KubeObject {
  const metadata = { name, namespace: "farm", uid, resourceVersion: String(resourceVersion), managedFields: [{}] };
  return { apiVersion: "example.io/v1", kind: "Pet", metadata };
}

function project({ metadata }: KubeObject): Pet | undefined {
  const { name, namespace = "", uid = "", resourceVersion = "" } = metadata;
  if (name === "poison") throw new Error("cannot project");
  return name === "hidden" ? undefined : { metadata: { name, namespace, uid, resourceVersion } };
}

function added(object: KubeObject): WatchEvent {
  return { type: "ADDED", object };
}

function modified(object: KubeObject): WatchEvent {
  return { type: "MODIFIED", object };
}

function deleted(object: KubeObject): WatchEvent {
  return { type: "DELETED", object };
}

function bookmark(resourceVersion: number, annotations?: Record<string, string>): WatchEvent {
  return { type: "BOOKMARK", object: { metadata: { resourceVersion: String(resourceVersion), annotations } } };
}

function endOfList(resourceVersion: number): WatchEvent {
  return bookmark(resourceVersion, { "k8s.io/initial-events-end": "true" });
}

function listOf(resourceVersion: number, items: readonly KubeObject[], next?: string): KubeList<KubeObject> {
  return { metadata: { resourceVersion: String(resourceVersion), ...(next ? { continue: next } : {}) }, items };
}

function refusal(code: KubeErrorFacts["code"], extra: Partial<KubeErrorFacts> = {}): KubeError {
  return new KubeError({ code, step: "watch pets", detail: "scripted", ...extra });
}

function setUp(changes: Partial<ReflectorOptions<Pet, never>> = {}) {
  const clock = new FakeClock();
  const kube = new ScriptedKube();
  const { log, lines } = fakeLog();
  const heard: string[] = [];
  const observed: string[] = [];
  const reflector = new Reflector<Pet>({
    kube,
    resource: pets,
    project,
    clock,
    random: () => 0.5,
    log,
    onRegression: () => observed.push("told of regression"),
    observer: {
      listed: ({ objects, mode }) => observed.push(`listed ${objects} by ${mode}`),
      received: () => undefined,
      failed: (cause) => observed.push(cause),
      regressed: () => observed.push("regressed"),
      handlerFailed: () => observed.push("handler failed"),
    },
    ...changes,
    timing: { backoff: { baseMs: 800, factor: 2, capMs: 30_000, jitter: 0 }, ...changes.timing },
  });
  reflector.store.listen((change) => heard.push(`${change.kind} ${change.key}`));
  const content = () => reflector.store.list().map(({ metadata }) => `${metadata.name}@${metadata.resourceVersion}`);
  return { clock, kube, reflector, heard, observed, lines, content };
}

/** A reflector that has taken in `objects` at resourceVersion 10 and watches; `watch` is its open stream. */
async function watching(objects: readonly KubeObject[] = [], changes: Partial<ReflectorOptions<Pet, never>> = {}) {
  const setup = setUp(changes);
  setup.reflector.start();
  await settle();
  const watch = setup.kube.nextWatch();
  for (const object of objects) watch.event(added(object));
  watch.event(endOfList(10));
  setup.heard.length = 0;
  setup.observed.length = 0;
  return { ...setup, watch };
}

describe("the first list", () => {
  test("is streamed: nothing is visible before its end, and the same stream goes on as the watch", async () => {
    const { kube, reflector, heard, content, observed } = setUp({ namespace: "farm", labelSelector: "a=b" });
    reflector.start();
    await settle();
    const watch = kube.nextWatch();
    expect(watch.options).toEqual({
      namespace: "farm",
      labelSelector: "a=b",
      sendInitialEvents: true,
      resourceVersionMatch: "NotOlderThan",
      allowWatchBookmarks: true,
      timeoutSeconds: 275,
    });
    watch.event(added(pet("rex", 3)));
    watch.event(added(pet("tom", 4)));
    watch.event(modified(pet("rex", 8)));
    watch.event(deleted(pet("tom", 9)));
    expect([content(), reflector.hasSynced()]).toEqual([[], false]);
    watch.event(endOfList(9));
    expect([content(), reflector.hasSynced()]).toEqual([["rex@8"], true]);
    watch.event(modified(pet("rex", 12)));
    expect(heard).toEqual(["added farm/rex", "updated farm/rex"]);
    expect(observed).toEqual(["listed 1 by stream"]);
    kube.expectNoMore();
  });

  test.each(["bad_request", "invalid"] as const)(
    "is paged when the server refuses to stream it (%s), and later ones are too",
    async (code) => {
      const { kube, reflector, content, observed, heard } = setUp();
      reflector.start();
      await settle();
      kube.nextWatch().fail(refusal(code));
      await settle();
      const first = kube.nextList();
      expect(first.options).toEqual({ limit: 500 });
      first.answer(listOf(7, [pet("rex", 3)], "more"));
      await settle();
      expect(content()).toEqual([]);
      const second = kube.nextList();
      expect(second.options).toEqual({ limit: 500, continue: "more" });
      second.answer(listOf(7, [pet("tom", 4)]));
      await settle();
      expect(content()).toEqual(["rex@3", "tom@4"]);
      const watch = kube.nextWatch();
      expect(watch.options).toMatchObject({ resourceVersion: "7", allowWatchBookmarks: true });
      watch.fail(refusal("expired"));
      await settle();
      kube.nextList().answer(listOf(20, [pet("rex", 3)]));
      await settle();
      expect(heard).toEqual(["added farm/rex", "added farm/tom", "deleted farm/tom"]);
      expect(observed).toEqual(["refused", "listed 2 by pages", "expired", "listed 1 by pages"]);
    },
  );

  test.each([
    ["sends an ordinary bookmark before the end", async (_clock: FakeClock) => bookmark(5)],
    [
      "sends objects and then nothing",
      async (clock: FakeClock) => {
        await clock.advance(20_000);
        return undefined;
      },
    ],
  ])("is paged when a server that does not know streaming %s", async (_, provoke) => {
    const { clock, kube, reflector } = setUp();
    reflector.start();
    await settle();
    const watch = kube.nextWatch();
    watch.event(added(pet("rex", 3)));
    const event = await provoke(clock);
    if (event !== undefined) watch.event(event);
    await settle();
    expect(watch.signal.aborted).toBe(true);
    kube.nextList().answer(listOf(7, []));
    await settle();
    kube.nextWatch().fail(refusal("expired"));
    await settle();
    kube.nextList();
  });

  test("asks for smaller pages after an answer that was too large, until one object fits", async () => {
    const { clock, kube, reflector, content } = setUp();
    reflector.start();
    await settle();
    kube.nextWatch().fail(refusal("invalid"));
    const limits: (number | undefined)[] = [];
    for (let n = 0; n < 6; n += 1) {
      await clock.advance(30_000);
      const list = kube.nextList();
      limits.push(list.options.limit);
      if (n < 5) list.fail(refusal("protocol"));
      else list.answer(listOf(7, [pet("rex", 3)]));
    }
    await settle();
    expect(limits).toEqual([500, 125, 31, 7, 1, 1]);
    expect(content()).toEqual(["rex@3"]);
  });

  test("starts over when its continue token has expired, without what it had collected", async () => {
    const { kube, reflector, content } = setUp();
    reflector.start();
    await settle();
    kube.nextWatch().fail(refusal("invalid"));
    await settle();
    kube.nextList().answer(listOf(7, [pet("gone", 3)], "more"));
    await settle();
    kube.nextList().fail(refusal("expired"));
    await settle();
    kube.nextList().answer(listOf(9, [pet("rex", 8)]));
    await settle();
    expect(content()).toEqual(["rex@8"]);
  });

  test("is tried for ever while the server is away, and readiness says why", async () => {
    const { clock, kube, reflector } = setUp();
    reflector.start();
    const waits: number[] = [];
    let lastMs = 0;
    await settle();
    for (let n = 0; n < 8; n++) {
      const call = n < 2 ? kube.nextWatch() : kube.nextList();
      call.fail(refusal("unavailable"));
      await settle();
      while (kube.calls.length === n + 1) await clock.advance(100);
      waits.push(clock.monotonic() - lastMs);
      lastMs = clock.monotonic();
    }
    expect(waits).toEqual([800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]);
    expect(reflector.check()).toEqual({ ok: false, reason: "cannot list: [unavailable] watch pets: scripted" });
  });

  test("of a kind whose watch cache is being filled is asked for again soon, and then when the server says", async () => {
    const { clock, kube, reflector, content } = setUp({ timing: { backoff: defaultReflectorTiming.backoff } });
    reflector.start();
    const waits: number[] = [];
    for (let n = 0; n < 4; n++) {
      await settle();
      (n < 2 ? kube.nextWatch() : kube.nextList()).fail(refusal("throttled", { retryAfterMs: 1_000 }));
      await settle();
      const startedMs = clock.monotonic();
      while (kube.calls.length === n + 1) await clock.advance(25);
      waits.push(clock.monotonic() - startedMs);
    }
    expect(waits).toEqual([75, 225, 1_000, 2_025]);
    kube.nextList().answer(listOf(9, [pet("rex", 8)]));
    await settle();
    expect(content()).toEqual(["rex@8"]);
  });

  test.each([
    ["a busy server that says for how long", refusal("throttled", { retryAfterMs: 2_000 }), 2_000],
    ["a server that is away", refusal("unavailable"), 75],
    ["a server that is away and says when to come back", refusal("unavailable", { retryAfterMs: 1_000 }), 1_000],
    ["a missing right, which an installation may be about to give", refusal("forbidden"), 600],
  ])("has its first retry after a pause that suits %s", async (_, error, waitMs) => {
    const { clock, kube, reflector } = setUp({ timing: { backoff: defaultReflectorTiming.backoff } });
    reflector.start();
    await settle();
    kube.nextWatch().fail(error);
    await clock.advance(waitMs - 1);
    kube.expectNoMore();
    await clock.advance(1);
    kube.nextWatch();
  });

  test("whoever waits for it is told once it is there, or when its own signal is aborted", async () => {
    const { kube, reflector } = setUp();
    reflector.start();
    await settle();
    const abort = new AbortController();
    const impatient = reflector.whenSynced(abort.signal);
    const patient = reflector.whenSynced(new AbortController().signal);
    abort.abort(new Error("enough"));
    await expect(impatient).rejects.toThrow("enough");
    kube.nextWatch().event(endOfList(1));
    await patient;
    await reflector.whenSynced(new AbortController().signal);
  });
});

describe("a watch", () => {
  test("keeps the store like the server, and hides what the projection leaves out", async () => {
    const { watch, heard, content } = await watching([pet("rex", 3)]);
    watch.event(added(pet("tom", 11)));
    watch.event(added(pet("hidden", 12)));
    watch.event(modified(pet("rex", 13)));
    watch.event(deleted(pet("tom", 14)));
    expect(heard).toEqual(["added farm/tom", "updated farm/rex", "deleted farm/tom"]);
    expect(content()).toEqual(["rex@13"]);
  });

  test("keeps of an object what the projection makes, and no more", async () => {
    const { reflector } = await watching([pet("rex", 3)]);
    expect(reflector.store.get("farm/rex")).toEqual({
      metadata: { name: "rex", namespace: "farm", uid: "uid-rex", resourceVersion: "3" },
    });
  });

  test.each([
    ["an event", modified(pet("rex", 12)), "12"],
    ["a bookmark", bookmark(17), "17"],
  ])("that the server ends resumes at once from %s, without a list", async (_, event, resourceVersion) => {
    const { kube, watch, observed } = await watching([pet("rex", 3)]);
    watch.event(event);
    watch.end();
    await settle();
    const next = kube.nextWatch();
    expect(next.options).toEqual({ resourceVersion, allowWatchBookmarks: true, timeoutSeconds: 275 });
    expect(observed).toEqual([]);
  });

  test("that is ended at once every time is not reopened in a hot loop", async () => {
    const { clock, kube, watch } = await watching();
    watch.end();
    await clock.advance(10_000);
    for (let n = 0; n < 4; n++) {
      kube.nextWatch().end();
      await clock.advance(13_000);
    }
    kube.nextWatch();
    kube.expectNoMore();
  });

  test("that is throttled for the least that a server can say waits for it: the content is there", async () => {
    const { clock, kube, watch } = await watching([], { timing: { backoff: defaultReflectorTiming.backoff } });
    watch.fail(refusal("throttled", { retryAfterMs: 1_000 }));
    await clock.advance(999);
    kube.expectNoMore();
    await clock.advance(1);
    kube.nextWatch();
  });

  test.each([
    ["is reset", refusal("unavailable"), 800],
    ["is cut in the middle of a line", refusal("protocol"), 800],
    ["is forbidden", refusal("forbidden"), 800],
    ["is throttled, when the server said for how long", refusal("throttled", { retryAfterMs: 7_000 }), 7_000],
    ["is throttled for an absurd time", refusal("throttled", { retryAfterMs: 7_200_000 }), 300_000],
    ["breaks in a way nobody has thought of", new TypeError("odd"), 800],
  ])("that %s resumes from its resourceVersion after a wait", async (_, error, waitMs) => {
    const { clock, kube, watch, content } = await watching([pet("rex", 3)]);
    watch.event(modified(pet("rex", 12)));
    watch.fail(error);
    await clock.advance(waitMs - 1);
    kube.expectNoMore();
    await clock.advance(1);
    expect(kube.nextWatch().options.resourceVersion).toBe("12");
    expect(content()).toEqual(["rex@12"]);
  });

  test.each([
    ["as an ERROR event", { type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired" } } as WatchEvent],
    ["as an HTTP status", undefined],
  ])("whose resourceVersion is too old (%s) lists at once, and keeps the content until then", async (_, event) => {
    const { kube, watch, heard, content } = await watching([pet("rex", 3), pet("tom", 4), pet("again", 5)]);
    if (event === undefined) watch.fail(refusal("expired"));
    else watch.event(event);
    await settle();
    expect(content()).toEqual(["rex@3", "tom@4", "again@5"]);
    const list = kube.nextWatch();
    expect(list.options.sendInitialEvents).toBe(true);
    list.event(added(pet("again", 30, "other")));
    list.event(added(pet("rex", 3)));
    list.event(endOfList(40));
    expect(heard).toEqual(["deleted farm/tom", "deleted farm/again", "added farm/again"]);
  });

  test("refused again and again with 410 does not become a hot loop", async () => {
    const { clock, kube, watch } = await watching();
    watch.fail(refusal("expired"));
    await settle();
    kube.nextWatch().event(endOfList(20));
    kube.calls.at(-1)?.fail(refusal("expired"));
    await settle();
    kube.expectNoMore();
    await clock.advance(1_600);
    kube.nextList();
  });

  test("from a resourceVersion that the server has not reached lists without it, after the server's hint", async () => {
    const { clock, kube, watch } = await watching();
    watch.fail(refusal("ahead", { retryAfterMs: 1_000 }));
    await clock.advance(999);
    kube.expectNoMore();
    await clock.advance(1);
    expect(kube.nextWatch().options).not.toHaveProperty("resourceVersion");
  });

  test.each([
    ["an ERROR event that is no 410", { type: "ERROR", object: { kind: "Status", code: 500 } } as WatchEvent],
    ["an event without metadata", { type: "ADDED", object: {} } as WatchEvent],
  ])("drops a stream that brings %s and tells the observer", async (_, event) => {
    const { clock, kube, watch, observed } = await watching();
    watch.event(event);
    expect(watch.signal.aborted).toBe(true);
    watch.event(added(pet("late", 99)));
    await clock.advance(800);
    expect(kube.nextWatch().options.resourceVersion).toBe("10");
    expect(observed).toEqual(["broken"]);
  });
});

describe("silence", () => {
  test("of 75 s opens the watch anew where it was; bytes alone are enough to go on", async () => {
    const { clock, kube, watch } = await watching();
    await clock.advance(74_000);
    watch.bytes();
    await clock.advance(74_999);
    kube.expectNoMore();
    await clock.advance(1);
    expect(watch.signal.aborted).toBe(true);
    expect(kube.nextWatch().options.resourceVersion).toBe("10");
  });

  test("of a kind in which nothing happens is no failure: one request in 75 s, no list, nothing in the log", async () => {
    const { clock, kube, observed, lines, reflector } = await watching();
    const logged = lines.length;
    let lists = 0;
    for (let quiet = 1; quiet <= 48; quiet += 1) {
      await clock.advance(75_000);
      if (quiet % 4 === 2) {
        const compared = kube.nextList();
        expect(compared.options).toEqual({ limit: 1 });
        compared.answer(listOf(500, []));
        lists += 1;
        await settle();
      }
      const reopened = kube.nextWatch();
      expect(reopened.options).toMatchObject({ resourceVersion: "10" });
      expect(reopened.options).not.toHaveProperty("sendInitialEvents");
      reopened.bytes();
      kube.expectNoMore();
      expect(reflector.check()).toEqual({ ok: true });
    }
    expect(lists).toBe(12);
    expect(observed).toEqual([]);
    expect(lines.slice(logged).filter(({ level }) => level !== "debug")).toEqual([]);
  });

  test("of a restored server, which sends nothing after our resourceVersion, is found by asking how far it is", async () => {
    const { clock, kube, observed, content } = await watching([pet("rex", 9)]);
    await clock.advance(75_000);
    kube.nextWatch().bytes();
    await clock.advance(75_000);
    kube.nextList().answer(listOf(4, [pet("rex", 2)]));
    kube.nextWatch().bytes();
    await settle();
    const again = kube.nextWatch();
    again.event(added(pet("rex", 2)));
    again.event(endOfList(4));
    expect(observed).toEqual(["regressed", "told of regression", "listed 1 by stream"]);
    expect(content()).toEqual(["rex@2"]);
  });

  test("of a server that cannot even say how far it is changes nothing: the watch beside it decides", async () => {
    const { clock, kube, observed, reflector } = await watching([pet("rex", 9)]);
    await clock.advance(75_000);
    kube.nextWatch().bytes();
    await clock.advance(75_000);
    kube.nextList().fail(refusal("throttled"));
    const watch = kube.nextWatch();
    watch.bytes();
    await settle();
    watch.event(modified(pet("rex", 11)));
    expect([observed, reflector.check()]).toEqual([[], { ok: true }]);
    kube.expectNoMore();
  });

  test("of a connection that died half-open is noticed within 90 s, and the second time lists", async () => {
    const { clock, kube, observed } = await watching([pet("rex", 9)]);
    await clock.advance(75_000);
    const unanswered = kube.nextWatch();
    await clock.advance(14_999);
    expect(observed).toEqual([]);
    await clock.advance(1);
    expect([unanswered.signal.aborted, observed]).toEqual([true, ["silent"]]);
    kube.nextWatch();
    await clock.advance(15_000);
    kube.nextList().answer(listOf(10, [pet("rex", 9)]));
    await settle();
    expect(observed).toEqual(["silent", "silent", "listed 1 by pages"]);
    expect(kube.nextWatch().options.resourceVersion).toBe("10");
  });

  test("of a server that never answers the first request ends in pages", async () => {
    const { clock, kube, reflector } = setUp();
    reflector.start();
    await clock.advance(20_000);
    kube.nextWatch();
    kube.nextList();
  });

  test("of three minutes makes the cache unready, bytes make it ready again", async () => {
    const { clock, kube, reflector } = await watching();
    await clock.advance(179_999);
    expect(reflector.check()).toEqual({ ok: true });
    await clock.advance(1);
    expect(reflector.check()).toMatchObject({ ok: false, reason: expect.stringContaining("watch silent for 180 s") });
    expect(reflector.silentMs()).toBe(180_000);
    kube.nextWatch();
    kube.nextWatch();
    kube.nextList().answer(listOf(10, []));
    await settle();
    expect(reflector.check()).toEqual({ ok: true });
  });
});

describe("doubts", () => {
  test("a list is taken every few hours although nothing is wrong", async () => {
    const { clock, kube, watch, heard } = await watching([pet("lost", 3)], { timing: { relistMs: 600_000 } });
    for (let n = 0; n < 9; n++) {
      await clock.advance(60_000);
      watch.event(bookmark(11 + n));
    }
    kube.expectNoMore();
    await clock.advance(60_000);
    expect(watch.signal.aborted).toBe(true);
    kube.nextWatch().event(endOfList(30));
    expect(heard).toEqual(["deleted farm/lost"]);
  });

  test("resourceVersions that go back are told, and the list that follows is believed", async () => {
    const { kube, watch, heard, observed, content } = await watching([pet("rex", 9)]);
    watch.event(modified(pet("rex", 5)));
    await settle();
    expect(content()).toEqual(["rex@9"]);
    const list = kube.nextWatch();
    list.event(added(pet("rex", 5)));
    list.event(endOfList(6));
    expect(content()).toEqual(["rex@5"]);
    expect(heard).toEqual(["updated farm/rex"]);
    expect(observed).toEqual(["regressed", "told of regression", "listed 1 by stream"]);
    list.event(modified(pet("rex", 7)));
    expect(content()).toEqual(["rex@7"]);
  });
});

describe("a kind that vanishes", () => {
  test("empties the store without deletions, is waited for, and comes back as additions", async () => {
    const { clock, kube, reflector, watch, heard, content } = await watching([pet("rex", 3)]);
    watch.fail(refusal("not_found"));
    await settle();
    expect([content(), heard, reflector.hasSynced()]).toEqual([[], [], false]);
    expect(reflector.check()).toMatchObject({ ok: false });
    await clock.advance(800);
    kube.nextWatch().fail(refusal("not_found"));
    await clock.advance(1_600);
    kube.nextList().answer(listOf(4, [pet("rex", 3)]));
    await settle();
    expect([content(), heard, reflector.hasSynced()]).toEqual([["rex@3"], ["added farm/rex"], true]);
  });

  test("that does not exist at the start is waited for", async () => {
    const { clock, kube, reflector } = setUp();
    reflector.start();
    await settle();
    kube.nextWatch().fail(refusal("not_found"));
    await clock.advance(800);
    kube.nextWatch().event(endOfList(1));
    expect(reflector.hasSynced()).toBe(true);
  });
});

describe("handlers", () => {
  test("a listener that throws is reported and changes nothing", async () => {
    const { reflector, watch, observed, content, kube } = await watching();
    reflector.store.listen(() => {
      throw new Error("boom");
    });
    watch.event(added(pet("rex", 11)));
    watch.event(added(pet("tom", 12)));
    expect(observed).toEqual(["handler failed", "handler failed"]);
    expect(content()).toEqual(["rex@11", "tom@12"]);
    kube.expectNoMore();
  });

  test("a projection that throws keeps what was known of the object", async () => {
    let isBroken = false;
    const { watch, kube, observed, content } = await watching([pet("rex", 3)], {
      project: (raw) => {
        if (isBroken) throw new Error("boom");
        return project(raw);
      },
    });
    isBroken = true;
    watch.event(modified(pet("rex", 11)));
    watch.event({ type: "ERROR", object: { kind: "Status", code: 410 } });
    await settle();
    const list = kube.nextWatch();
    list.event(added(pet("rex", 11)));
    list.event(endOfList(12));
    expect(content()).toEqual(["rex@3"]);
    expect(observed).toEqual(["handler failed", "expired", "handler failed", "listed 1 by stream"]);
  });

  test("the answer to our own write is seen at once", async () => {
    const { reflector, watch, heard, content } = await watching([pet("rex", 3)]);
    reflector.overlay(pet("rex", 12));
    expect(content()).toEqual(["rex@12"]);
    watch.event(modified(pet("rex", 12)));
    expect(heard).toEqual(["updated farm/rex"]);
  });
});

describe("a list with an object that nobody expected", () => {
  test.each(["stream", "pages"])("fills the cache, by %s, and tells who waits for it", async (mode) => {
    const clock = new FakeClock();
    const kube = new ScriptedKube();
    const reflector = new Reflector<Pet, "name">({
      kube,
      resource: pets,
      project,
      indexes: {
        name: ({ metadata }) => {
          if (metadata.name === "odd") throw new TypeError("not a pet");
          return [metadata.name];
        },
      },
      clock,
      random: () => 0.5,
      log: fakeLog().log,
    });
    const heard: string[] = [];
    reflector.store.listen(({ key }) => heard.push(key));
    const synced = reflector.whenSynced(new AbortController().signal);
    const objects = [pet("rex", 3), pet("odd", 4), pet("poison", 5), {} as KubeObject, pet("tom", 6)];
    reflector.start();
    await settle();
    const watch = kube.nextWatch();
    if (mode === "stream") {
      for (const object of objects.filter(({ metadata }) => metadata !== undefined)) watch.event(added(object));
      watch.event(endOfList(10));
    } else {
      watch.fail(refusal("invalid"));
      await settle();
      kube.nextList().answer(listOf(10, objects));
    }
    await synced;
    expect(reflector.hasSynced()).toBe(true);
    expect(heard).toEqual(["farm/rex", "farm/odd", "farm/tom"]);
    expect(reflector.store.byIndex("name", "tom")).toHaveLength(1);
    expect(reflector.store.get("farm/odd")).toBeDefined();
    await reflector.stop();
  });

  test("that even the store could not take fills nothing, and is read again within minutes", async () => {
    const { clock, kube, reflector, content } = setUp();
    vi.spyOn(reflector.store, "replace").mockImplementationOnce(() => {
      throw new Error("a bug");
    });
    const synced = reflector.whenSynced(new AbortController().signal);
    reflector.start();
    await settle();
    const watch = kube.nextWatch();
    watch.event(added(pet("rex", 3)));
    watch.event(endOfList(10));
    expect([reflector.hasSynced(), reflector.check()]).toEqual([false, { ok: false, reason: "cannot list: a bug" }]);
    for (let seconds = 0; seconds < 180; seconds += 60) {
      watch.bytes();
      await clock.advance(60_000);
    }
    const again = kube.nextWatch();
    expect(again.options.sendInitialEvents).toBe(true);
    again.event(added(pet("rex", 3)));
    again.event(endOfList(10));
    await synced;
    expect(content()).toEqual(["rex@3"]);
    await reflector.stop();
  });
});

describe("noise in the log", () => {
  test.each([
    ["a refusal by RBAC is a warning", [refusal("forbidden")], "warn"],
    ["a lost connection is a warning", [refusal("unavailable")], "warn"],
    ["a 403 within a minute of a lost connection is not", [refusal("unavailable"), refusal("forbidden")], "debug"],
    ["a 429 is not", [refusal("throttled")], "debug"],
    ["an expired resourceVersion is not", [refusal("expired")], "debug"],
  ])("%s", async (_, errors, level) => {
    const { clock, kube, watch, lines } = await watching();
    let open: { readonly fail: (error: Error) => void } = watch;
    for (const error of errors) {
      open.fail(error);
      await clock.advance(2_000);
      open = kube.nextWatch();
    }
    const told = lines.filter(({ message }) => message === "watch interrupted");
    expect(told.at(-1)?.level).toBe(level);
  });

  test.each([
    ["does not exist", "not_found", 1],
    ["must not be read", "forbidden", 5],
  ] as const)("a kind that %s is a warning once, and not each time it is asked for", async (_, code, until) => {
    const { clock, kube, reflector, lines } = setUp();
    reflector.start();
    for (let n = 0; n < 12; n += 1) {
      await settle();
      const { length } = kube.calls;
      kube.calls.at(-1)?.fail(refusal(code));
      while (kube.calls.length === length) await clock.advance(500);
    }
    const warnings = lines.filter(({ level }) => level === "warn").map(({ message }) => message);
    expect(warnings).toEqual([...Array<string>(until).fill("watch interrupted"), "kind cannot be watched"]);
    await reflector.stop();
  });

  test.each([
    ["what somebody else has logged is not logged again", true, []],
    ["what somebody else could log is, when that one has not after eight failures", false, [9, 10, 11, 12]],
  ])("%s, and readiness has its words", async (_, isLogged, expected) => {
    const explain = (error: Error, namespace: string | undefined) =>
      error.message.startsWith("[timeout]") ? { text: `no pets in ${namespace}`, isLogged } : undefined;
    const { clock, kube, reflector, lines } = setUp({ explain, namespace: "farm" });
    reflector.start();
    for (let n = 0; n < 12; n += 1) {
      await settle();
      const { length } = kube.calls;
      kube.calls.at(-1)?.fail(refusal("timeout"));
      while (kube.calls.length === length) await clock.advance(500);
    }
    const loud = lines.filter(({ level, message }) => level === "warn" && message === "watch interrupted");
    expect(loud.map(({ fields }) => fields.failures)).toEqual(expected);
    expect(reflector.check()).toEqual({ ok: false, reason: "cannot list: no pets in farm" });
    kube.calls.at(-1)?.fail(refusal("protocol"));
    await settle();
    expect(lines.at(-1)).toMatchObject({ level: "warn", message: "watch interrupted" });
    await reflector.stop();
  });

  test("a 403 more than a minute after a lost connection is a warning again", async () => {
    const { clock, kube, watch, lines } = await watching();
    watch.fail(refusal("unavailable"));
    await clock.advance(800);
    const next = kube.nextWatch();
    next.bytes();
    await clock.advance(59_200);
    next.fail(refusal("forbidden"));
    await settle();
    expect(lines.at(-1)).toMatchObject({ level: "warn", fields: { resource: "pets", cause: "broken" } });
  });
});

describe("stopping", () => {
  test.each([
    ["while the first list is read", async () => undefined],
    ["during a wait", async (kube: ScriptedKube) => kube.nextWatch().fail(refusal("unavailable"))],
    ["while it watches", async (kube: ScriptedKube) => kube.nextWatch().event(endOfList(1))],
    ["while a page is read", async (kube: ScriptedKube) => kube.nextWatch().fail(refusal("invalid"))],
  ])("%s aborts the request, leaves no timer and asks for nothing more", async (_, provoke) => {
    const { clock, kube, reflector } = setUp();
    reflector.start();
    await settle();
    await provoke(kube);
    await settle();
    await reflector.stop();
    const count = kube.calls.length;
    expect(kube.calls.every(({ signal }) => signal.aborted)).toBe(true);
    expect(clock.pendingTimers).toBe(0);
    await clock.advance(10_000_000);
    expect(kube.calls.length).toBe(count);
  });

  test("at once after starting sends nothing", async () => {
    const { kube, reflector } = setUp();
    reflector.start();
    await reflector.stop();
    await settle();
    kube.expectNoMore();
  });
});

describe("a nudge", () => {
  test("ends the wait after a broken connection, because somebody else has reached the server", async () => {
    const { kube, reflector, watch } = await watching();
    watch.fail(refusal("unavailable"));
    await settle();
    reflector.nudge();
    await settle();
    expect(kube.nextWatch().options.resourceVersion).toBe("10");
  });

  test("does not end a wait that the server asked for, and does not disturb a watch", async () => {
    const { kube, reflector, watch } = await watching();
    reflector.nudge();
    watch.fail(refusal("throttled", { retryAfterMs: 5_000 }));
    await settle();
    reflector.nudge();
    await settle();
    kube.expectNoMore();
  });
});

import { describe, expect, test } from "vitest";
import type { KubeClient } from "../../src/kube/client.ts";
import { KubeError, type KubeErrorFacts } from "../../src/kube/errors.ts";
import { type EventDraft, Events, type EventsOptions } from "../../src/runtime/events.ts";
import { FakeClock, settle } from "../support/fake-clock.ts";
import { fakeLog } from "../support/fake-log.ts";

interface Sent {
  readonly verb: "create" | "patch";
  readonly name: string;
  readonly namespace: string | undefined;
  readonly body: Readonly<Record<string, unknown>>;
}

function draft(changes: Partial<EventDraft> = {}): EventDraft {
  return {
    regarding: {
      apiVersion: "example.io/v1",
      kind: "Pet",
      metadata: { name: "rex", namespace: "farm", uid: "u1" },
    },
    type: "Normal",
    reason: "Fed",
    action: "Feed",
    note: "rex was fed",
    ...changes,
  };
}

function refusal(code: KubeErrorFacts["code"], extra: Partial<KubeErrorFacts> = {}): KubeError {
  return new KubeError({ code, step: "create events", detail: "scripted", ...extra });
}

function setUp(changes: Partial<EventsOptions> = {}) {
  const clock = new FakeClock();
  const sent: Sent[] = [];
  const heard: string[] = [];
  const { log, lines } = fakeLog();
  const faults: (KubeError | "hang")[] = [];
  const answer = async <T>(one: Sent, object: unknown, signal: AbortSignal | undefined): Promise<T> => {
    sent.push(one);
    const fault = faults.shift();
    if (fault === "hang") {
      return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
    }
    if (fault !== undefined) throw fault;
    return object as T;
  };
  const kube: Pick<KubeClient, "create" | "patch"> = {
    create: (_type, object, _options, signal) => {
      const { name, namespace } = object.metadata;
      return answer({ verb: "create", name, namespace, body: object as never }, object, signal);
    },
    patch: (_type, name, patch, _options, signal) =>
      answer({ verb: "patch", ...name, namespace: name.namespace, body: patch.body as never }, {}, signal),
  };
  const events = new Events({
    kube,
    reportingController: "example.io/operator",
    reportingInstance: "operator-0",
    clock,
    random: () => 0.5,
    log,
    observer: { written: (how) => heard.push(how), dropped: (why) => heard.push(`dropped: ${why}`) },
    ...changes,
  });
  return { clock, events, sent, heard, faults, lines };
}

function never(): AbortSignal {
  return new AbortController().signal;
}

describe("one event", () => {
  test("is sent whole, in the namespace of its object", async () => {
    const { events, sent, heard } = setUp();
    const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "bowl", namespace: "farm" } };
    events.record(draft({ related: secret }));
    await settle();
    expect(sent).toHaveLength(1);
    expect(sent[0]?.body).toEqual({
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      metadata: { name: sent[0]?.name, namespace: "farm" },
      eventTime: "2026-01-01T00:00:00.000000Z",
      reportingController: "example.io/operator",
      reportingInstance: "operator-0",
      type: "Normal",
      reason: "Fed",
      action: "Feed",
      note: "rex was fed",
      regarding: { apiVersion: "example.io/v1", kind: "Pet", name: "rex", namespace: "farm", uid: "u1" },
      related: { apiVersion: "v1", kind: "Secret", name: "bowl", namespace: "farm" },
    });
    expect(heard).toEqual(["created"]);
  });

  test("keeps nothing of its object but what names it, however large that is", async () => {
    const { events, sent, clock, faults } = setUp();
    const pet = draft().regarding as { readonly metadata: { name: string } } & EventDraft["regarding"];
    faults.push(refusal("unavailable"));
    events.record(draft({ regarding: pet }));
    // Whoever holds the object may do with it what they like: the recorder has its own copy of what it needs.
    pet.metadata.name = "somebody else";
    await clock.advance(60_000);
    expect(sent.at(-1)?.body).toMatchObject({ regarding: { kind: "Pet", name: "rex", uid: "u1" } });
  });

  test("about an object without a namespace goes to default", async () => {
    const { events, sent } = setUp();
    events.record(draft({ regarding: { apiVersion: "v1", kind: "Node", metadata: { name: "n1" } } }));
    await settle();
    expect(sent[0]?.namespace).toBe("default");
  });

  test.each([
    ["an ordinary name", "rex", "rex"],
    ["the longest name there is", "a".repeat(253), "a".repeat(235)],
    ["a name that would be cut at a dot", `${"a".repeat(234)}.${"b".repeat(18)}`, "a".repeat(234)],
  ])("has a valid name for %s", async (_, name, prefix) => {
    const { events, sent } = setUp();
    const { regarding } = draft();
    events.record(draft({ regarding: { ...regarding, metadata: { ...regarding.metadata, name } } }));
    await settle();
    expect(sent[0]?.name).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/);
    expect(sent[0]?.name.length).toBeLessThanOrEqual(253);
    expect(sent[0]?.name.split(/\.(?=[^.]*$)/)[0]).toBe(prefix);
  });

  test.each([
    ["1,024 bytes stay", "x".repeat(1_024), "x".repeat(1_024)],
    ["1,025 are cut", "x".repeat(1_025), `${"x".repeat(1_021)}…`],
    ["characters of several bytes stay whole", "😀".repeat(300), `${"😀".repeat(255)}…`],
  ])("note: %s", async (_, note, expected) => {
    const { events, sent } = setUp();
    events.record(draft({ note }));
    await settle();
    expect(sent[0]?.body.note).toBe(expected);
  });
});

describe("repeats", () => {
  test("are counted on the same event, at most once a minute", async () => {
    const { clock, events, sent, heard } = setUp();
    for (let n = 0; n < 5; n++) {
      events.record(draft());
      await clock.advance(10_000);
    }
    await clock.advance(60_000);
    expect(sent.map(({ verb }) => verb)).toEqual(["create", "patch"]);
    expect(sent[1]).toMatchObject({
      name: sent[0]?.name,
      namespace: "farm",
      body: { series: { count: 5, lastObservedTime: "2026-01-01T00:00:40.000000Z" } },
    });
    expect(heard).toEqual(["created", "counted"]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("that come before the first was sent go out with it as a series", async () => {
    const { clock, events, sent, faults } = setUp();
    faults.push(refusal("unavailable"));
    events.record(draft());
    await settle();
    events.record(draft());
    events.record(draft());
    await clock.advance(1_000);
    expect(sent.map(({ verb }) => verb)).toEqual(["create", "create"]);
    expect(sent[1]?.body.series).toEqual({ count: 3, lastObservedTime: "2026-01-01T00:00:00.000000Z" });
  });

  test.each([
    ["within six minutes", 359_999, ["create", "patch"]],
    ["later", 360_000, ["create", "create"]],
  ])("%s", async (_, waitMs, verbs) => {
    const { clock, events, sent } = setUp();
    events.record(draft());
    await clock.advance(waitMs);
    events.record(draft());
    await clock.advance(60_000);
    expect(sent.map(({ verb }) => verb)).toEqual(verbs);
  });

  test.each([
    ["another note", { note: "rex was fed twice" }],
    ["another reason", { reason: "Walked" }],
    ["another type", { type: "Warning" }],
    ["another action", { action: "Walk" }],
    ["another object of the same name", { regarding: { ...draft().regarding, metadata: { name: "rex", uid: "u2" } } }],
  ] as const)("%s is no repeat", async (_, change) => {
    const { events, sent } = setUp();
    events.record(draft());
    events.record(draft(change as Partial<EventDraft>));
    await settle();
    expect(sent.map(({ verb }) => verb)).toEqual(["create", "create"]);
  });

  test("of an event that has gone from the server make it anew", async () => {
    const { clock, events, sent, faults } = setUp();
    events.record(draft());
    await settle();
    faults.push(refusal("not_found"));
    events.record(draft());
    await clock.advance(60_000);
    expect(sent.map(({ verb }) => verb)).toEqual(["create", "patch", "create"]);
    expect(sent[2]?.body).toMatchObject({ series: { count: 2 } });
  });
});

describe("limits", () => {
  test("a burst goes out at once, the rest at the given rate", async () => {
    const { clock, events, sent } = setUp({ burst: 3, perSecond: 2 });
    for (let n = 0; n < 6; n++) events.record(draft({ note: `note ${n}` }));
    await clock.advance(0);
    expect(sent).toHaveLength(3);
    await clock.advance(499);
    expect(sent).toHaveLength(3);
    await clock.advance(1);
    expect(sent).toHaveLength(4);
    await clock.advance(1_000);
    expect(sent).toHaveLength(6);
  });

  test("what comes on top of what may wait is dropped and counted; repeats of what waits are not", async () => {
    const { events, heard, faults } = setUp({ maxPending: 2 });
    faults.push("hang");
    for (const note of ["a", "b", "c", "a"]) events.record(draft({ note }));
    await settle();
    expect(heard).toEqual(["dropped: full"]);
    expect(events.pending).toBe(2);
  });

  test("memory of past series is bounded", async () => {
    const { clock, events, sent } = setUp({ maxPending: 2, burst: 100 });
    for (const note of ["a", "b", "c", "d", "e"]) {
      events.record(draft({ note }));
      await clock.advance(1);
    }
    events.record(draft({ note: "a" }));
    await clock.advance(1);
    expect(sent.map(({ verb }) => verb)).toEqual(Array(6).fill("create"));
  });
});

test("what somebody else has logged is not logged again", async () => {
  const { log, lines } = fakeLog();
  const explain = (error: Error) => ({ text: "no permission", isLogged: error.message.startsWith("[forbidden]") });
  const { clock, events, faults } = setUp({ log, explain });
  for (const code of ["forbidden", "invalid"] as const) {
    faults.push(refusal(code));
    events.record(draft({ note: code }));
    await clock.advance(60_000);
  }
  expect(lines.map(({ level, message }) => `${level} ${message}`)).toEqual([
    "debug event dropped",
    "warn event dropped",
  ]);
});

describe("refusals", () => {
  test.each([
    ["a terminating namespace or missing permission", "forbidden", "dropped: refused", 1],
    ["a namespace that is gone", "not_found", "dropped: refused", 1],
    ["an event the server finds invalid", "invalid", "dropped: failed", 1],
    ["a server that stays away", "unavailable", "dropped: failed", 3],
  ] as const)("%s: given up quietly", async (_, code, outcome, tries) => {
    const { clock, events, sent, heard, faults } = setUp();
    for (let n = 0; n < tries; n++) faults.push(refusal(code));
    events.record(draft());
    await clock.advance(60_000);
    expect(sent).toHaveLength(tries);
    expect(heard).toEqual([outcome]);
    expect([events.pending, clock.pendingTimers]).toEqual([0, 0]);
  });

  test("the first is a warning, the others are not", async () => {
    const { events, faults, lines } = setUp();
    faults.push(refusal("forbidden"), refusal("forbidden"));
    events.record(draft({ note: "a" }));
    events.record(draft({ note: "b" }));
    await settle();
    expect(lines.map(({ level }) => level)).toEqual(["warn", "debug"]);
  });

  test("Retry-After is honoured", async () => {
    const { clock, events, sent, faults } = setUp();
    faults.push(refusal("throttled", { retryAfterMs: 20_000 }));
    events.record(draft());
    await clock.advance(19_999);
    expect(sent).toHaveLength(1);
    await clock.advance(1);
    expect(sent).toHaveLength(2);
  });

  test("a name that is taken is chosen anew", async () => {
    const { clock, events, heard, faults } = setUp();
    faults.push(refusal("already_exists"));
    events.record(draft());
    await clock.advance(1_000);
    expect(heard).toEqual(["created"]);
  });
});

describe("draining", () => {
  test("sends what waits without holding back, then takes and times nothing more", async () => {
    const { clock, events, sent, heard } = setUp({ burst: 1, perSecond: 1 });
    for (const note of ["a", "b", "c", "a"]) events.record(draft({ note }));
    await events.drain(never());
    expect(sent.map(({ verb, body }) => `${verb} ${body.note ?? "count"}`)).toEqual([
      "create a",
      "patch count",
      "create b",
      "create c",
    ]);
    events.record(draft({ note: "late" }));
    await settle();
    expect(heard.at(-1)).toBe("dropped: late");
    expect([sent.length, clock.pendingTimers]).toEqual([4, 0]);
  });

  test("ends at its deadline, and counts what was not sent", async () => {
    const { events, heard, faults } = setUp({ burst: 0 });
    faults.push("hang");
    events.record(draft({ note: "a" }));
    events.record(draft({ note: "b" }));
    const deadline = new AbortController();
    const drained = events.drain(deadline.signal);
    await settle();
    deadline.abort(new Error("grace period over"));
    await drained;
    expect(heard).toEqual(["dropped: late", "dropped: late"]);
  });
});

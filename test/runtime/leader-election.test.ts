import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { KubeClient } from "../../src/kube/client.ts";
import { KubeError, type KubeErrorCode } from "../../src/kube/errors.ts";
import type { KubeObject, Lease } from "../../src/kube/types.ts";
import { LeaderElection, type LeaderElectionOptions, soleLeadership } from "../../src/runtime/leader-election.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { fakeLog, type LogLine } from "../support/fake-log.ts";

/** What happens to one request: it is refused before or after it was carried out, or never answered. */
type Fault = KubeErrorCode | "hang" | "lose answer";

/** One Lease with optimistic locking, and a way to break requests. */
class LeaseServer {
  lease: Lease | undefined;
  readonly requests: string[] = [];
  /** What goes wrong for everybody. */
  fault: ((verb: string, holder: string | undefined) => Fault | undefined) | undefined;
  #version = 0;

  /** The API as one replica sees it; `broken` is what goes wrong for it alone. */
  client(broken: () => Fault | undefined = () => undefined): Pick<KubeClient, "get" | "create" | "replace"> {
    return {
      get: async (_type, _name, signal) => this.#answer("get", broken, signal, () => this.#require() as never),
      create: async (_type, object, _options, signal) =>
        this.#answer("create", broken, signal, () => this.#create(object), object),
      replace: async (_type, object, _options, signal) =>
        this.#answer("replace", broken, signal, () => this.#replace(object), object),
    };
  }

  async #answer<T>(
    verb: string,
    broken: () => Fault | undefined,
    signal: AbortSignal | undefined,
    act: () => T,
    object?: KubeObject,
  ): Promise<T> {
    const holder = (object as Lease | undefined)?.spec?.holderIdentity;
    this.requests.push(holder === undefined ? verb : `${verb} ${holder || "nobody"}`);
    const fault = broken() ?? this.fault?.(verb, holder);
    if (fault === "hang") return hang(signal);
    if (fault !== undefined && fault !== "lose answer") throw refusal(fault);
    const done = act();
    if (fault === "lose answer") throw refusal("unavailable");
    return done;
  }

  #require(): Lease {
    if (this.lease === undefined) throw refusal("not_found");
    return this.lease;
  }

  #create<T extends KubeObject>(object: T): T {
    if (this.lease !== undefined) throw refusal("already_exists");
    return this.#store(object);
  }

  #replace<T extends KubeObject>(object: T): T {
    if (this.#require().metadata.resourceVersion !== object.metadata.resourceVersion) throw refusal("conflict");
    return this.#store(object);
  }

  #store<T extends KubeObject>(object: T): T {
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#version) } };
    this.lease = stored as Lease;
    return stored;
  }
}

function refusal(code: KubeErrorCode): KubeError {
  return new KubeError({ code, step: "lease", detail: "scripted" });
}

function hang(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason), { once: true }));
}

function never(): AbortSignal {
  return new AbortController().signal;
}

function contender(
  server: LeaseServer,
  clock: FakeClock,
  identity: string,
  changes: Partial<LeaderElectionOptions> = {},
) {
  const heard: string[] = [];
  const { log, lines } = fakeLog();
  const election = new LeaderElection({
    kube: server.client(),
    namespace: "ops",
    name: "operator",
    identity,
    clock,
    random: () => 0.5,
    log,
    observer: {
      leading: (isLeading) => heard.push(isLeading ? "leading" : "not leading"),
      failed: () => heard.push("failed"),
    },
    onReachable: () => heard.push("reachable"),
    ...changes,
  });
  return { election, heard, lines };
}

async function leader(changes: Parameters<typeof contender>[3] = {}) {
  const server = new LeaseServer();
  const clock = new FakeClock();
  const one = contender(server, clock, "a", changes);
  one.election.start();
  const signal = await one.election.whenLeading(never());
  one.heard.length = 0;
  return { server, clock, signal, ...one };
}

describe("becoming leader", () => {
  test("takes a lease that does not exist with one read and one create", async () => {
    const { server, election } = await leader();
    expect(server.requests).toEqual(["get", "create a"]);
    expect(election.isLeaderFor(12_000)).toBe(true);
  });

  test("renews with one write every two seconds and keeps when it was acquired", async () => {
    const { server, clock } = await leader();
    const acquireTime = server.lease?.spec?.acquireTime;
    server.requests.length = 0;
    await clock.advance(6_000);
    expect(server.requests).toEqual(["replace a", "replace a", "replace a"]);
    expect(server.lease?.spec).toMatchObject({ acquireTime, renewTime: "2026-01-01T00:00:06.000000Z" });
  });

  test("waits until another's lease has stood still for its whole duration", async () => {
    const { server, clock, election } = await leader();
    const other = contender(server, clock, "b");
    other.election.start();
    await clock.advance(60_000);
    expect(other.election.isLeaderFor(1)).toBe(false);
    server.fault = (_, holder) => (holder === "a" ? "unavailable" : undefined);
    await clock.advance(12_000);
    expect([election.isLeaderFor(1), other.election.isLeaderFor(1)]).toEqual([false, false]);
    await clock.advance(6_000);
    expect(other.election.isLeaderFor(1)).toBe(true);
    expect(server.lease?.spec?.leaseTransitions).toBe(1);
  });

  test("says once whom it waits for", async () => {
    const { server, clock } = await leader();
    const other = contender(server, clock, "b");
    other.election.start();
    await clock.advance(20_000);
    const told = other.lines.filter(({ message }) => message === "lease is held by another replica");
    expect(told.map(({ fields }) => fields.holder)).toEqual(["a"]);
  });

  test("of two who create at once one leads", async () => {
    const server = new LeaseServer();
    const clock = new FakeClock();
    const both = [contender(server, clock, "a"), contender(server, clock, "b")];
    for (const { election } of both) election.start();
    await clock.advance(30_000);
    expect(both.map(({ election }) => election.isLeaderFor(1))).toEqual([true, false]);
    expect(both[1]?.heard).toEqual(["not leading"]);
  });

  test("is tried for ever while the server is away, and others are told when it answers again", async () => {
    const server = new LeaseServer();
    const clock = new FakeClock();
    server.fault = () => "unavailable";
    const { election, heard } = contender(server, clock, "a");
    election.start();
    await clock.advance(3_600_000);
    server.fault = undefined;
    await clock.advance(2_500);
    expect(election.isLeaderFor(1)).toBe(true);
    expect(heard.slice(-3)).toEqual(["failed", "leading", "reachable"]);
  });

  test("gives up waiting when its caller does", async () => {
    const { server, clock } = await leader();
    const other = contender(server, clock, "b");
    other.election.start();
    const abort = new AbortController();
    const waiting = other.election.whenLeading(abort.signal);
    abort.abort(new Error("stop"));
    await expect(waiting).rejects.toThrow("stop");
    await expect(other.election.whenLeading(abort.signal)).rejects.toThrow("stop");
  });
});

describe("staying leader", () => {
  test.each([
    ["is refused for a while", "unavailable" as const],
    ["is not answered for a while", "hang" as const],
    ["loses its answers for a while", "lose answer" as const],
    ["meets conflicts for a while", "conflict" as const],
  ])("a renewal that %s", async (_, fault) => {
    const { server, clock, election, signal } = await leader();
    const startMs = clock.monotonic();
    server.fault = () => (clock.monotonic() - startMs < 6_500 ? fault : undefined);
    await clock.advance(60_000);
    expect([signal.aborted, election.isLeaderFor(10_000)]).toEqual([false, true]);
  });

  test("the lease was deleted: it is made again", async () => {
    const { server, clock, election } = await leader();
    server.lease = undefined;
    await clock.advance(5_000);
    expect(server.lease).toMatchObject({ spec: { holderIdentity: "a" } });
    expect(election.isLeaderFor(1)).toBe(true);
  });

  test("the wall clock jumps by an hour: nothing happens", async () => {
    const { clock, signal } = await leader();
    clock.jump(3_600_000);
    await clock.advance(30_000);
    clock.jump(-7_200_000);
    await clock.advance(30_000);
    expect(signal.aborted).toBe(false);
  });
});

test("time in fractions of a millisecond does not keep the deadline from being reached", async () => {
  const { server, clock, signal } = await leader({ random: () => 1 / 3 });
  await clock.advance(0.1);
  await clock.advance(7_000.7);
  server.fault = () => "unavailable";
  await clock.advance(20_000);
  expect(signal.aborted).toBe(true);
});

describe("losing leadership", () => {
  test.each([["unavailable" as const], ["hang" as const], ["forbidden" as const]])(
    "without a renewal (%s) it ends 10 s after the last accepted one was sent",
    async (fault) => {
      const { server, clock, election, signal, heard } = await leader();
      server.fault = () => fault;
      await clock.advance(9_999);
      expect([signal.aborted, election.isLeaderFor(5_001), election.isLeaderFor(5_002)]).toEqual([false, true, false]);
      await clock.advance(1);
      expect([signal.aborted, election.isLeaderFor(1)]).toEqual([true, false]);
      expect(signal.reason).toEqual(new Error("leadership lost"));
      expect(heard.filter((word) => word === "not leading")).toEqual(["not leading"]);
      server.fault = undefined;
      await clock.advance(60_000);
      expect(election.isLeaderFor(1)).toBe(false);
      expect(clock.pendingTimers).toBe(0);
    },
  );

  test("a renewal that is not answered does not keep the loser from ending", async () => {
    const { server, clock, election, signal } = await leader();
    server.fault = () => "hang";
    await clock.advance(10_000);
    expect(signal.aborted).toBe(true);
    await election.release();
    expect(clock.pendingTimers).toBe(0);
  });

  test("another has taken the lease: it ends as soon as that is seen", async () => {
    const { server, clock, signal } = await leader();
    const lease = server.lease!;
    server.lease = {
      ...lease,
      metadata: { ...lease.metadata, resourceVersion: "99" },
      spec: { ...lease.spec, holderIdentity: "b" },
    };
    await clock.advance(4_500);
    expect(signal.aborted).toBe(true);
    expect(server.lease?.spec?.holderIdentity).toBe("b");
  });

  test("a process that was frozen past the deadline is no leader even before its timers have run", async () => {
    const server = new LeaseServer();
    const clock = new FakeClock();
    let frozenMs = 0;
    const { election } = contender(server, clock, "a", {
      clock: { ...clock, monotonic: () => clock.monotonic() + frozenMs, now: clock.now, setTimer: clock.setTimer },
    });
    election.start();
    await election.whenLeading(never());
    frozenMs = 60_000;
    expect(election.isLeaderFor(1)).toBe(false);
    await clock.advance(2_500);
    expect(server.requests).toEqual(["get", "create a"]);
    await expect(election.whenLeading(never())).rejects.toThrow("leadership lost");
  });

  test("whoever still waits for leadership when it ends is told", async () => {
    const { server, clock } = await leader();
    const other = contender(server, clock, "b");
    other.election.start();
    const waiting = expect(other.election.whenLeading(never())).rejects.toThrow("leadership released");
    await other.election.release();
    await waiting;
  });
});

describe("releasing", () => {
  test("gives the lease away, so that a standby leads within one retry", async () => {
    const { server, clock, election, signal } = await leader();
    const other = contender(server, clock, "b");
    other.election.start();
    await clock.advance(10_000);
    await election.release();
    expect(signal.reason).toEqual(new Error("leadership released"));
    expect(election.isLeaderFor(1)).toBe(false);
    expect(server.lease?.spec).toMatchObject({ holderIdentity: "", leaseDurationSeconds: 1 });
    await clock.advance(2_500);
    expect(other.election.isLeaderFor(1)).toBe(true);
    await other.election.release();
    expect(clock.pendingTimers).toBe(0);
  });

  test("waits for an attempt under way, so that the last write is the release", async () => {
    const { server, clock, election } = await leader();
    server.fault = (_, holder) => (holder === "a" ? "hang" : undefined);
    await clock.advance(2_000);
    const released = election.release();
    await clock.advance(5_000);
    await released;
    expect(server.lease?.spec?.holderIdentity).toBe("");
  });

  test.each([
    ["a standby writes nothing", "b"],
    ["who has lost writes nothing", "a"],
  ])("%s", async (_, identity) => {
    const { server, clock, election } = await leader();
    const other = contender(server, clock, "b");
    other.election.start();
    server.fault = (verb) => (verb === "replace" ? "unavailable" : undefined);
    await clock.advance(11_000);
    server.requests.length = 0;
    await (identity === "a" ? election : other.election).release();
    expect(server.requests).toEqual([]);
  });

  test("a lease that cannot be given away runs out; release does not fail and does not wait for ever", async () => {
    const { server, clock, election, lines } = await leader();
    server.fault = () => "hang";
    const released = election.release();
    await clock.advance(5_000);
    await released;
    expect(lines.at(-1)).toMatchObject({ level: "info" });
    expect(clock.pendingTimers).toBe(0);
  });
});

test.each([
  ["lease duration not above the renew deadline", { leaseDurationMs: 10_000, renewDeadlineMs: 10_000 }],
  ["renew deadline not above the retry period", { renewDeadlineMs: 2_000, retryPeriodMs: 2_000 }],
  ["no retry period", { retryPeriodMs: 0 }],
])("refuses times that do not fit together: %s", (_, changes) => {
  expect(() => contender(new LeaseServer(), new FakeClock(), "a", changes)).toThrow(RangeError);
});

test("without an election leadership is had at once, until it is released", async () => {
  const sole = soleLeadership();
  sole.start();
  const signal = await sole.whenLeading(never());
  expect([sole.isLeaderFor(3_600_000), signal.aborted]).toEqual([true, false]);
  await sole.release();
  expect([sole.isLeaderFor(1), signal.aborted]).toEqual([false, true]);
  await expect(sole.whenLeading(AbortSignal.abort(new Error("stop")))).rejects.toThrow("stop");
});

test("whatever the network does, never do two lead at once, and once it is well somebody leads", async () => {
  const faults: readonly (Fault | undefined)[] = [
    undefined,
    undefined,
    "unavailable",
    "hang",
    "lose answer",
    "conflict",
  ];
  const fault = fc.constantFrom(...faults);
  const step = fc.record({ seconds: fc.integer({ min: 1, max: 9 }), faults: fc.tuple(fault, fault, fault) });
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 10 }),
      fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
      async (steps, draws) => {
        const server = new LeaseServer();
        const clock = new FakeClock();
        const names = ["a", "b", "c"];
        let broken: readonly (Fault | undefined)[] = [];
        const random = () => draws.next().value;
        const all = names.map((name, n) => {
          const kube = server.client(() => broken[n]);
          return contender(server, clock, name, { kube, random });
        });
        const leaders = () => all.filter(({ election }) => election.isLeaderFor(1)).length;
        for (const { election } of all) election.start();
        for (const one of steps) {
          broken = one.faults;
          for (let second = 0; second < one.seconds; second++) {
            await clock.advance(1_000);
            expect(leaders()).toBeLessThanOrEqual(1);
          }
        }
        broken = [];
        await clock.advance(40_000);
        // Who has led and lost does not come back: its process has ended.
        const isAnyLeft = all.some(({ heard }) => heard.filter((word) => word === "not leading").length === 1);
        expect(leaders()).toBe(isAnyLeft ? 1 : 0);
        await Promise.all(all.map(({ election }) => election.release()));
        expect(clock.pendingTimers).toBe(0);
      },
    ),
    { numRuns: 20 },
  );
});

describe("noise in the log", () => {
  const loud = (lines: readonly LogLine[]) => lines.filter(({ level }) => level === "warn" || level === "error");

  test("of attempts that fail in a row the first one is a warning", async () => {
    const clock = new FakeClock();
    const server = new LeaseServer();
    server.fault = () => "protocol";
    const { log, lines } = fakeLog();
    const { election } = contender(server, clock, "a", { log });
    election.start();
    await clock.advance(60_000);
    expect(server.requests.length).toBeGreaterThan(20);
    expect(loud(lines)).toHaveLength(1);
    await election.release();
  });

  test("what somebody else explains is for that one to log; readiness and the end of a leadership have its words", async () => {
    const clock = new FakeClock();
    const server = new LeaseServer();
    const { log, lines } = fakeLog();
    const explain = () => ({ text: "the Lease is out of reach", isLogged: true });
    const { election } = contender(server, clock, "a", { log, explain });
    election.start();
    await clock.advance(0);
    server.fault = () => "forbidden";
    await clock.advance(60_000);
    expect(loud(lines).map(({ message, fields }) => [message, fields.cause])).toEqual([
      ["leadership lost", "the Lease is out of reach"],
    ]);
    expect(election.check()).toMatchObject({ reason: expect.stringMatching(/acquired: the Lease is out of reach$/) });
  });
});

describe("readiness", () => {
  test("names what is missing when nobody can lead for two lease durations, on every replica", async () => {
    const clock = new FakeClock();
    const server = new LeaseServer();
    server.fault = () => "forbidden";
    const replicas = ["a", "b"].map((identity) => contender(server, clock, identity).election);
    for (const replica of replicas) {
      expect(replica.check()).toEqual({ ok: true });
      replica.start();
    }
    await clock.advance(1_000);
    for (const replica of replicas) {
      const note = expect.stringMatching(
        /^no leader for 1 s; lease .* cannot be acquired: \[forbidden\] lease: scripted$/,
      );
      expect(replica.check()).toEqual({ ok: true, note });
    }
    await clock.advance(28_999);
    expect(replicas.map((replica) => replica.check().ok)).toEqual([true, true]);
    await clock.advance(1);
    for (const replica of replicas) {
      expect(replica.check()).toEqual({
        ok: false,
        reason: expect.stringMatching(
          /^no leader for 30 s; lease .* cannot be acquired: \[forbidden\] lease: scripted$/,
        ),
      });
    }
    server.fault = undefined;
    await clock.advance(20_000);
    expect(replicas.map((replica) => replica.check().ok)).toEqual([true, true]);
    for (const replica of replicas) await replica.release();
  });

  test("of a standby is good while another one leads, and of both while the leader is replaced", async () => {
    const clock = new FakeClock();
    const server = new LeaseServer();
    let isLeaderAway = false;
    const leader = contender(server, clock, "a", {
      kube: server.client(() => (isLeaderAway ? "hang" : undefined)),
    }).election;
    const standby = contender(server, clock, "b").election;
    leader.start();
    await clock.advance(1_000);
    standby.start();
    await clock.advance(3_600_000);
    expect([leader.check(), standby.check()]).toEqual([{ ok: true }, { ok: true }]);
    isLeaderAway = true;
    for (let seconds = 0; seconds < 60; seconds += 1) {
      await clock.advance(1_000);
      expect(standby.check()).toEqual({ ok: true });
    }
    expect(standby.isLeaderFor(1)).toBe(true);
    await leader.release();
    await standby.release();
  });

  test("is not good where the lease may be read but its namespace does not exist", async () => {
    const clock = new FakeClock();
    const server = new LeaseServer();
    server.fault = () => "not_found";
    const { election } = contender(server, clock, "a");
    election.start();
    await clock.advance(30_000);
    expect(election.check()).toMatchObject({ ok: false, reason: expect.stringContaining("[not_found]") });
    await election.release();
  });
});

describe("annotations of the Lease", () => {
  test("are those of the replica that leads, and seen by the others alone", async () => {
    const clock = new FakeClock();
    const server = new LeaseServer();
    const replica = (identity: string, annotations?: () => Readonly<Record<string, string>>) =>
      new LeaderElection({
        ...{ kube: server.client(), namespace: "n", name: "l", identity, clock, random: () => 0.5, log: fakeLog().log },
        ...(annotations && { annotations }),
      });
    const address: Record<string, string> = {};
    const first = replica("a", () => address);
    const second = replica("b", () => ({ at: "b" }));
    first.start();
    await clock.advance(1_000);
    second.start();
    await clock.advance(3_000);
    expect([first.annotationsOfLeader(), second.annotationsOfLeader()]).toEqual([undefined, {}]);
    address.at = "a";
    await clock.advance(5_000);
    expect([first.annotationsOfLeader(), second.annotationsOfLeader()]).toEqual([undefined, { at: "a" }]);
    await first.release();
    await clock.advance(10_000);
    expect([first.annotationsOfLeader(), second.annotationsOfLeader()]).toEqual([undefined, undefined]);
    expect(server.lease?.metadata.annotations).toEqual({ at: "b" });
    await second.release();
  });
});

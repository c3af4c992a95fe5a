import { describe, expect, expectTypeOf, test, vi } from "vitest";
import type { KubeObject } from "../../src/kube/types.ts";
import { createController, type Reconcile } from "../../src/runtime/controller.ts";
import { type Leadership, soleLeadership } from "../../src/runtime/leader-election.ts";
import { type Cache, createManager, type ManagerOptions, whenAllSynced } from "../../src/runtime/manager.ts";
import type { Reflector } from "../../src/runtime/reflector.ts";
import type { WatchedKind } from "../../src/runtime/watched-kind.ts";
import { WorkQueue } from "../../src/runtime/work-queue.ts";
import { FakeClock, settle } from "../support/fake-clock.ts";
import { fakeLog } from "../support/fake-log.ts";

/** A cache that is filled when the test says so. */
class FakeCache implements Cache {
  readonly resource: { readonly plural: string };
  readonly #heard: string[];
  readonly #waiters = new Set<() => void>();
  #isFilled = false;
  nudges = 0;

  constructor(plural: string, heard: string[]) {
    this.resource = { plural };
    this.#heard = heard;
  }

  start(): void {
    this.#heard.push(`${this.resource.plural} started`);
  }
  async stop(): Promise<void> {
    this.#heard.push(`${this.resource.plural} stopped`);
  }
  hasSynced(): boolean {
    return this.#isFilled;
  }
  whenSynced(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.add(resolve);
      signal.addEventListener("abort", () => reject(signal.reason));
      if (this.#isFilled) resolve();
    });
  }
  check(): ReturnType<Cache["check"]> {
    return this.#isFilled ? { ok: true } : { ok: false, reason: "not listed yet" };
  }
  nudge(): void {
    this.nudges += 1;
  }
  fill(isFilled = true): void {
    this.#isFilled = isFilled;
    if (isFilled) for (const resolve of this.#waiters) resolve();
  }
}

/** Leadership that the test grants and takes away. */
function fakeLeadership(heard: string[]) {
  const lead = new AbortController();
  let grant: () => void = () => undefined;
  let isGranted = false;
  const granted = new Promise<void>((resolve) => {
    grant = () => {
      isGranted = true;
      resolve();
    };
  });
  const leadership: Leadership = {
    start: () => void heard.push("competing"),
    whenLeading: async (signal) => {
      const stopped = new Promise<never>((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
      });
      await Promise.race([granted, stopped]);
      return lead.signal;
    },
    isLeaderFor: () => isGranted && !lead.signal.aborted,
    check: () => ({ ok: true }),
    release: async () => void heard.push("released"),
  };
  return { leadership, grant, lose: () => lead.abort(new Error("leadership lost")) };
}

function setUp(changes: Partial<ManagerOptions> & { reconcile?: Reconcile } = {}) {
  const clock = new FakeClock();
  const { log, lines } = fakeLog();
  const heard: string[] = [];
  const pets = new FakeCache("pets", heard);
  const owners = new FakeCache("owners", heard);
  const { leadership, grant, lose } = fakeLeadership(heard);
  const note: Reconcile = async (key) => {
    heard.push(`pass ${key}`);
    return { kind: "settled" };
  };
  const reconcile = changes.reconcile ?? note;
  const controllerOf = (name: string) =>
    createController({
      name,
      queue: new WorkQueue({ clock, random: () => 0.5 }),
      workers: 1,
      reconcile,
      clock,
      random: () => 0.5,
      log,
    });
  const petController = controllerOf("pet");
  const ownerController = controllerOf("owner");
  const manager = createManager({
    caches: [pets, owners],
    controllers: [
      { controller: petController, reads: [pets, owners] },
      { controller: ownerController, reads: [owners] },
    ],
    leadership,
    drainEvents: async () => void heard.push("events drained"),
    flush: async () => void heard.push("flushed"),
    clock,
    log,
    ...changes,
  });
  petController.queue.add("rex");
  ownerController.queue.add("ann");
  const stop = new AbortController();
  const notReady = () => manager.checks().flatMap(({ name, ok, reason }) => (ok ? [] : [`${name}: ${reason}`]));
  const run = () => manager.run(stop.signal);
  return { clock, heard, lines, pets, owners, grant, lose, manager, petController, stop, notReady, run };
}

describe("starting", () => {
  test("caches first, then the competition for leadership, then controllers", async () => {
    const { heard, pets, owners, grant, stop, run } = setUp();
    const ended = run();
    await settle();
    expect(heard).toEqual(["pets started", "owners started"]);
    pets.fill();
    owners.fill();
    await settle();
    expect(heard.slice(2)).toEqual(["competing"]);
    grant();
    await settle();
    expect(heard.slice(3)).toEqual(["pass rex", "pass ann"]);
    stop.abort();
    expect(await ended).toBe("stopped");
  });

  test("a kind that is missing keeps its own controller waiting and no other", async () => {
    const { heard, pets, owners, grant, stop, run, notReady } = setUp();
    const ended = run();
    owners.fill();
    grant();
    await settle();
    expect(heard.slice(3)).toEqual(["pass ann"]);
    expect(notReady()).toEqual(["cache/pets: not listed yet", "controller/pet: waiting for pets"]);
    pets.fill();
    await settle();
    expect(heard.slice(4)).toEqual(["pass rex"]);
    expect(notReady()).toEqual([]);
    stop.abort();
    await ended;
  });

  test("a standby is ready once its caches are filled, however long its queues have been full", async () => {
    const { clock, heard, pets, owners, stop, run, notReady } = setUp();
    const ended = run();
    await settle();
    expect(notReady()).toEqual([
      "cache/pets: not listed yet",
      "cache/owners: not listed yet",
      "controller/pet: waiting for pets, owners",
      "controller/owner: waiting for owners",
    ]);
    pets.fill();
    owners.fill();
    await clock.advance(3_600_000);
    expect(notReady()).toEqual([]);
    expect(heard).not.toContain("pass rex");
    stop.abort();
    expect(await ended).toBe("stopped");
  });

  test("without controllers it still competes and stops", async () => {
    const { heard, run, stop } = setUp({ controllers: [], caches: [] });
    const ended = run();
    await settle();
    expect(heard).toEqual(["competing"]);
    stop.abort();
    expect(await ended).toBe("stopped");
  });
});

describe("stopping", () => {
  test("in reverse order, leadership last", async () => {
    const { clock, heard, pets, owners, grant, stop, run, notReady } = setUp();
    const ended = run();
    pets.fill();
    owners.fill();
    grant();
    await settle();
    heard.length = 0;
    stop.abort(new Error("SIGTERM"));
    expect(notReady()).toEqual(["running: stopping"]);
    expect(await ended).toBe("stopped");
    expect(heard).toEqual(["flushed", "events drained", "pets stopped", "owners stopped", "released"]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("before anything was filled", async () => {
    const { heard, stop, run } = setUp();
    const ended = run();
    await settle();
    stop.abort();
    expect(await ended).toBe("stopped");
    expect(heard.slice(2)).toEqual(["flushed", "events drained", "pets stopped", "owners stopped", "released"]);
  });

  test("lets passes finish, and aborts them when five sixths of the grace period are over", async () => {
    const signals: AbortSignal[] = [];
    const { clock, heard, pets, owners, grant, stop, run } = setUp({
      graceMs: 30_000,
      reconcile: (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signals.push(signal);
          signal.addEventListener("abort", () => reject(signal.reason));
        }),
    });
    const ended = run();
    pets.fill();
    owners.fill();
    grant();
    await settle();
    stop.abort();
    await clock.advance(24_999);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false]);
    expect(heard).not.toContain("flushed");
    await clock.advance(1);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
    expect(await ended).toBe("stopped");
    expect(heard.at(-1)).toBe("released");
  });

  test("a step that fails or hangs does not keep the others from their turn", async () => {
    const { clock, heard, lines, stop, run } = setUp({
      flush: async () => {
        throw new Error("boom");
      },
      drainEvents: () => new Promise(() => undefined),
      graceMs: 30_000,
    });
    const ended = run();
    await settle();
    stop.abort();
    await clock.advance(29_999);
    expect(heard).not.toContain("pets stopped");
    await clock.advance(1);
    expect(await ended).toBe("stopped");
    expect(heard.slice(-3)).toEqual(["pets stopped", "owners stopped", "released"]);
    expect(lines.find(({ level }) => level === "error")?.fields).toMatchObject({ step: "flush" });
  });

  test("when leadership is lost: passes are aborted at once, and the end is near and says so", async () => {
    const signals: AbortSignal[] = [];
    const { clock, heard, pets, owners, grant, lose, run } = setUp({
      reconcile: (_, { signal }) => {
        signals.push(signal);
        return new Promise(() => undefined);
      },
    });
    const ended = run();
    pets.fill();
    owners.fill();
    grant();
    await settle();
    lose();
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
    await clock.advance(2_000);
    expect(await ended).toBe("lost");
    expect(heard.at(-1)).toBe("released");
  });

  test("by disposing of it", async () => {
    const { heard, manager, run } = setUp();
    const ended = run();
    await manager[Symbol.asyncDispose]();
    expect(await ended).toBe("stopped");
    expect(heard.at(-1)).toBe("released");
  });
});

describe("readiness", () => {
  async function leading(changes: Parameters<typeof setUp>[0] = {}) {
    const setup = setUp({ leadership: soleLeadership(), ...changes });
    void setup.run();
    setup.pets.fill();
    setup.owners.fill();
    await settle();
    return setup;
  }

  test.each([
    ["at the bound", 300_000, []],
    [
      "beyond it",
      300_001,
      ["controller/pet: oldest due object has waited for 300 s", "controller/owner: a reconcile has run for 300 s"],
    ],
  ])("fails when the oldest due key is overdue or a pass hangs: %s", async (_, afterMs, expected) => {
    const { clock, petController, notReady } = await leading({ reconcile: () => new Promise(() => undefined) });
    petController.queue.add("rex");
    await clock.advance(afterMs);
    expect(notReady()).toEqual(expected);
  });

  test("fails when the caches are filled and the election does not begin", async () => {
    const { clock, pets, owners, run, stop, notReady } = setUp();
    for (const cache of [pets, owners]) {
      vi.spyOn(cache, "whenSynced").mockImplementation(() => new Promise(() => undefined));
    }
    const ended = run();
    await settle();
    for (const cache of [pets, owners]) vi.spyOn(cache, "hasSynced").mockReturnValue(true);
    for (const cache of [pets, owners]) vi.spyOn(cache, "check").mockReturnValue({ ok: true });
    expect(notReady()).toEqual([]);
    await clock.advance(29_999);
    expect(notReady()).toEqual([]);
    await clock.advance(1);
    const stuck = "not started 30 s after its caches were synced (leader election has not started)";
    expect(notReady()).toEqual([`controller/pet: ${stuck}`, `controller/owner: ${stuck}`]);
    stop.abort();
    void ended;
  });

  test("fails when the lease is held and a controller does not start, and not for a standby", async () => {
    const { clock, pets, owners, grant, run, stop, notReady } = setUp();
    const ended = run();
    owners.fill();
    await settle();
    await clock.advance(600_000);
    expect(notReady()).toEqual(["cache/pets: not listed yet", "controller/pet: waiting for pets"]);
    grant();
    await settle();
    const wait = pets.whenSynced.bind(pets);
    vi.spyOn(pets, "hasSynced").mockReturnValue(true);
    vi.spyOn(pets, "check").mockReturnValue({ ok: true });
    expect(notReady()).toEqual([]);
    await clock.advance(30_000);
    expect(notReady()).toEqual(["controller/pet: not started 30 s after its caches were synced (the lease is held)"]);
    pets.fill();
    await wait(stop.signal);
    await settle();
    expect(notReady()).toEqual([]);
    stop.abort();
    await ended;
  });

  test("notes an election that has not begun, and one that finds no leader, beside the controllers that wait", async () => {
    const { leadership } = fakeLeadership([]);
    const { manager, pets, owners, stop, run } = setUp({ leadership });
    const noted = () =>
      manager.checks().flatMap(({ name, ok, reason }) => (ok && reason !== "" ? [`${name}: ${reason}`] : []));
    const ended = run();
    expect(noted()).toEqual(["election: not started, no controller has its caches synced"]);
    for (const cache of [pets, owners]) cache.fill();
    await settle();
    expect(noted()).toEqual([]);
    vi.spyOn(leadership, "check").mockReturnValue({ ok: true, note: "no leader for 4 s" });
    expect(noted()).toEqual([
      "election: no leader for 4 s",
      "controller/pet: waiting for leader election",
      "controller/owner: waiting for leader election",
    ]);
    expect(manager.checks().filter(({ ok }) => !ok)).toEqual([]);
    stop.abort();
    await ended;
  });

  test("names what is missing and does no harm beside a check that is good", async () => {
    const { manager, pets } = await leading();
    vi.spyOn(pets, "check").mockReturnValue({ ok: true, note: 'namespace "b": not listed yet' });
    expect(manager.checks().find(({ name }) => name === "cache/pets")).toEqual({
      name: "cache/pets",
      ok: true,
      reason: 'namespace "b": not listed yet',
    });
  });

  test("names every check, also those that are well", async () => {
    const { manager } = await leading();
    expect(manager.checks()).toEqual([
      { name: "running", ok: true, reason: "" },
      { name: "cache/pets", ok: true, reason: "" },
      { name: "cache/owners", ok: true, reason: "" },
      { name: "election", ok: true, reason: "" },
      { name: "controller/pet", ok: true, reason: "" },
      { name: "controller/owner", ok: true, reason: "" },
    ]);
  });

  test("a nudge reaches every cache", async () => {
    const { manager, pets, owners } = await leading();
    manager.nudge();
    expect([pets.nudges, owners.nudges]).toEqual([1, 1]);
  });
});

test("one reflector and a kind in several namespaces are both caches for the manager", () => {
  expectTypeOf<Reflector<KubeObject>>().toExtend<Cache>();
  expectTypeOf<WatchedKind<KubeObject>>().toExtend<Cache>();
});

test("waiting for several caches ends when all are filled at the same time", async () => {
  const [a, b] = [new FakeCache("a", []), new FakeCache("b", [])];
  let isDone = false;
  const signal = new AbortController().signal;
  const done = whenAllSynced([a, b])(signal).then(() => {
    isDone = true;
  });
  a.fill();
  await settle();
  a.fill(false);
  b.fill();
  await settle();
  expect(isDone).toBe(false);
  a.fill();
  await done;
  await whenAllSynced([a, b])(signal);
});

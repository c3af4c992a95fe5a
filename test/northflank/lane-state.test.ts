import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  arrive,
  dueAtMs,
  emptyLane,
  type LaneCall,
  type LaneState,
  type LaneStep,
  lateMs,
  leave,
  placesFor,
  settle,
  writePatienceMs,
} from "../../src/northflank/lane-state.ts";

/** A request of a test: how long it takes once it has a place, and how long its caller waits in all. */
interface Planned extends LaneCall {
  readonly id: number;
  readonly arrivesAtMs: number;
  readonly takesMs: number;
  readonly givesUpAfterMs: number;
}

/** What became of a request. */
interface Fate {
  readonly call: Planned;
  readonly startedAtMs: number | undefined;
  readonly endedAtMs: number;
  readonly how: "answered" | "given up" | "evicted";
}

/** Plays requests against a lane, and checks after each step what holds at all times. */
class Play {
  readonly #fates: Fate[] = [];
  readonly #startedAtMs = new Map<Planned, number>();
  #arrived = 0;
  #state: LaneState<Planned>;
  #nowMs = 0;

  constructor(places = 8) {
    this.#state = emptyLane(places);
  }

  get state(): LaneState<Planned> {
    return this.#state;
  }

  run(calls: readonly Planned[]): readonly Fate[] {
    const arrivals = [...calls].sort((left, right) => left.arrivesAtMs - right.arrivesAtMs);
    for (;;) {
      const next = this.#nextEvent(arrivals[0]);
      if (next === undefined) return this.#fates;
      this.#nowMs = next.atMs;
      if (next.kind === "arrival") {
        arrivals.shift();
        this.#arrived += 1;
        this.#apply(arrive(this.#state, next.call, this.#nowMs));
      } else if (next.kind === "time") {
        this.#apply(settle(this.#state, this.#nowMs));
      } else {
        this.#end(next.call, next.kind);
        const isAnswered = next.kind === "answered";
        this.#apply(leave(this.#state, next.call, { nowMs: this.#nowMs, isAnswered }));
      }
    }
  }

  #nextEvent(arrival: Planned | undefined) {
    const ends = [...this.#state.waiting, ...this.#state.running.map(({ call }) => call)].flatMap((call) => {
      const startedAtMs = this.#startedAtMs.get(call);
      const givenUp = { kind: "given up" as const, call, atMs: call.arrivesAtMs + call.givesUpAfterMs };
      if (startedAtMs === undefined) return givenUp;
      return [givenUp, { kind: "answered" as const, call, atMs: startedAtMs + call.takesMs }];
    });
    const dueMs = dueAtMs(this.#state, this.#nowMs);
    const events = [
      ...(dueMs === undefined ? [] : [{ kind: "time" as const, atMs: dueMs }]),
      ...ends.filter(({ atMs }) => Number.isFinite(atMs)),
      ...(arrival === undefined ? [] : [{ kind: "arrival" as const, call: arrival, atMs: arrival.arrivesAtMs }]),
    ];
    const [first] = events.sort((left, right) => left.atMs - right.atMs);
    return first === undefined ? undefined : { ...first, atMs: Math.max(first.atMs, this.#nowMs) };
  }

  #end(call: Planned, how: Fate["how"]): void {
    this.#fates.push({ call, startedAtMs: this.#startedAtMs.get(call), endedAtMs: this.#nowMs, how });
  }

  #apply({ state, started, evicted }: LaneStep<Planned>): void {
    this.#state = state;
    for (const call of started) {
      expect(this.#startedAtMs.has(call)).toBe(false);
      this.#startedAtMs.set(call, this.#nowMs);
    }
    for (const call of evicted) {
      const heldMs = this.#nowMs - (this.#startedAtMs.get(call) ?? Number.NaN);
      expect(heldMs).toBeGreaterThanOrEqual(call.isRead ? lateMs : writePatienceMs);
      this.#end(call, "evicted");
    }
    this.#check();
  }

  #check(): void {
    const { places, running, waiting } = this.#state;
    expect(running.length).toBeLessThanOrEqual(places);
    expect(new Set([...running.map(({ call }) => call), ...waiting]).size).toBe(running.length + waiting.length);
    // None is lost: each is waiting, running or over.
    expect(running.length + waiting.length + this.#fates.length).toBe(this.#arrived);
    if (waiting.length > 0) expect(running.length).toBeGreaterThan(0);
    // A project never has more than its part; one that was found slow with more than that gets nothing new.
    const most = placesFor(places);
    for (const project of new Set(running.map(({ call }) => call.project))) {
      expect(running.filter(({ call }) => call.project === project).length).toBeLessThanOrEqual(most.each);
    }
    // Nothing is left to do at this moment.
    const { started, evicted } = settle(this.#state, this.#nowMs);
    expect({ started, evicted }).toEqual({ started: [], evicted: [] });
  }
}

const hangs = Number.POSITIVE_INFINITY;

function request(more: Partial<Planned> = {}): Planned {
  return { id: 0, project: "shop", isRead: true, arrivesAtMs: 0, takesMs: 100, givesUpAfterMs: 30_000, ...more };
}

/** So many requests of projects of their own, none of which is ever answered. */
function hanging(count: number, more: Partial<Planned> = {}): readonly Planned[] {
  return Array.from({ length: count }, (_, id) => request({ id, project: `hangs-${id}`, takesMs: hangs, ...more }));
}

function waitOf(fates: readonly Fate[], call: Planned): number {
  const fate = fates.find((one) => one.call === call);
  return (fate?.startedAtMs ?? Number.POSITIVE_INFINITY) - call.arrivesAtMs;
}

test("the places of eight, and of one", () => {
  expect(placesFor(8)).toEqual({ slow: 4, eachSlow: 2, each: 6 });
  expect(placesFor(1)).toEqual({ slow: 1, eachSlow: 1, each: 1 });
});

test("whatever comes: no request is lost or started twice, no place is left over, and none waits without need", () => {
  const ms = (most: number) => fc.integer({ min: 0, max: most });
  const planned = fc.record({
    id: fc.nat(),
    project: fc.constantFrom("a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"),
    isRead: fc.boolean(),
    arrivesAtMs: ms(40_000),
    takesMs: fc.oneof(ms(300), ms(5_000), fc.constant(hangs)),
    givesUpAfterMs: fc.oneof(fc.constant(30_000), ms(4_000)),
  });
  const plans = fc.array(planned, { maxLength: 80 });
  fc.assert(
    fc.property(plans, fc.integer({ min: 1, max: 9 }), (calls, places) => {
      const play = new Play(places);
      const fates = play.run(calls);
      expect(new Set(fates.map(({ call }) => call)).size).toBe(calls.length);
      expect(play.state).toMatchObject({ running: [], waiting: [] });
    }),
    { numRuns: 300 },
  );
});

describe("projects that hang", () => {
  test("hold up another one for no more than the documented bound when they begin at the same moment", () => {
    const counts = fc.integer({ min: 1, max: 60 });
    fc.assert(
      fc.property(counts, fc.boolean(), fc.integer({ min: 0, max: 2_000 }), (count, isRead, arrivesAtMs) => {
        const good = request({ arrivesAtMs, givesUpAfterMs: hangs });
        const fates = new Play().run([...hanging(count, { isRead, givesUpAfterMs: 600_000 }), good]);
        expect(waitOf(fates, good)).toBeLessThanOrEqual(((isRead ? lateMs : writePatienceMs) * count) / 4);
      }),
    );
  });

  test("hold up another one for nothing once they are known, however many requests they have", () => {
    const first = hanging(19);
    const later = Array.from({ length: 10 }, (_, round) => hanging(19, { arrivesAtMs: 35_000 + round * 900 })).flat();
    const good = Array.from({ length: 100 }, (_, id) => request({ id, arrivesAtMs: 35_000 + id * 200 }));
    const fates = new Play().run([...first, ...later, ...good]);
    expect(Math.max(...good.map((one) => waitOf(fates, one)))).toBe(0);
    expect(fates.filter(({ call, how }) => call.project === "shop" && how !== "answered")).toEqual([]);
  });

  test("one of them leaves two places to the others from the first moment", () => {
    const first = Array.from({ length: 20 }, (_, id) => request({ id, project: "hangs", takesMs: hangs }));
    const good = [request({ id: 1, project: "a" }), request({ id: 2, project: "b" })];
    const fates = new Play().run([...first, ...good]);
    expect(good.map((one) => waitOf(fates, one))).toEqual([0, 0]);
    expect(fates.filter(({ how }) => how === "evicted")).toEqual([]);
  });

  test("lose requests only for those of projects that are not slow, and keep the places that slow ones have", () => {
    const evictions = (calls: readonly Planned[]) =>
      new Play()
        .run(calls)
        .filter(({ how }) => how === "evicted")
        .map(({ call, endedAtMs }) => [call.id, endedAtMs]);
    const first = hanging(8, { givesUpAfterMs: 9_000 });
    // All of them are known by then, so those that come wait for their own kind.
    const same = hanging(8, { arrivesAtMs: 3_000 });
    expect(evictions([...first, ...same])).toEqual([]);
    const others = Array.from({ length: 10 }, (_, id) => request({ id, project: `p${id}`, arrivesAtMs: 3_000 }));
    expect(evictions([...first, ...others])).toEqual([0, 1, 2, 3].map((id) => [id, 3_000]));
  });

  test("are served again like any other once a request of theirs is answered in time, or after five minutes", () => {
    const wasSlow = request({ takesMs: lateMs });
    const many = (arrivesAtMs: number) => Array.from({ length: 6 }, (_, id) => request({ id, arrivesAtMs }));
    const startsOf = (calls: readonly Planned[], before: readonly Planned[]) => {
      const fates = new Play().run([...before, ...calls]);
      return calls.map((one) => waitOf(fates, one));
    };
    // Two at a time while it is slow; the first answers show that it is not.
    expect(startsOf(many(5_000), [wasSlow])).toEqual([0, 0, 100, 100, 100, 100]);
    expect(startsOf(many(5_000), [wasSlow, request({ arrivesAtMs: 4_000 })])).toEqual([0, 0, 0, 0, 0, 0]);
    expect(startsOf(many(lateMs + 299_999), [wasSlow])).toEqual([0, 0, 100, 100, 100, 100]);
    expect(startsOf(many(lateMs + 300_000), [wasSlow])).toEqual([0, 0, 0, 0, 0, 0]);
  });
});

test.each([
  ["a read is late after two seconds", true, lateMs],
  ["a write is left alone for ten", false, writePatienceMs],
])("%s, not before", (_, isRead, patienceMs) => {
  const calls = hanging(8, { isRead, givesUpAfterMs: hangs });
  let state: LaneState<Planned> = emptyLane(8);
  for (const call of calls) state = arrive(state, call, 0).state;
  const good = request();
  state = arrive(state, good, 1).state;
  expect(settle(state, patienceMs - 1)).toMatchObject({ started: [], evicted: [] });
  expect(settle(state, patienceMs)).toMatchObject({ started: [good], evicted: [calls[0]] });
});

test("an API that is slow for all breaks off one request of a project at most, and then serves them all", () => {
  const calls = Array.from({ length: 200 }, (_, id) =>
    request({ id, project: `p${id % 20}`, takesMs: 3_000, arrivesAtMs: id * 200, givesUpAfterMs: 600_000 }),
  );
  const fates = new Play().run(calls);
  const evicted = fates.filter(({ how }) => how === "evicted").map(({ call }) => call.project);
  expect(evicted.length).toBeGreaterThan(0);
  expect(new Set(evicted).size).toBe(evicted.length);
  expect(fates.filter(({ how }) => how === "answered").length).toBe(calls.length - evicted.length);
});

test("time matters only while a request waits", () => {
  const [call] = hanging(1);
  if (call === undefined) throw new Error("there is one");
  const one = arrive(emptyLane<Planned>(1), call, 0).state;
  expect(dueAtMs(one, 0)).toBeUndefined();
  const two = arrive(one, request(), 500).state;
  expect(dueAtMs(two, 500)).toBe(lateMs);
  expect(dueAtMs(two, lateMs)).toBeUndefined();
});

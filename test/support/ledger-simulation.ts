import { createLedger, type Ledger, type Ticket } from "../../src/northflank/ledger.ts";
import type { RequestClass } from "../../src/northflank/types.ts";
import type { Clock } from "../../src/util/clock.ts";
import { EventQueue } from "./event-queue.ts";
import { type ModelAnswer, QuotaModel } from "./quota-model.ts";
import { seeded } from "./seeded.ts";

/** One object that makes requests: the first at `startMs`, and others `everyMs` after each response. */
export interface SimulatedObject {
  readonly who: string;
  readonly class: RequestClass;
  readonly startMs: number;
  /** Missing: one request is all. */
  readonly everyMs?: number;
  /** It asks less often while the ledger stretches. Default: false. */
  readonly isStretched?: boolean;
}

interface SimulationOptions {
  readonly seed: number;
  readonly objects: readonly SimulatedObject[];
  readonly untilMs: number;
  readonly limit?: number;
  readonly ceiling?: number;
  /** How fast the clock of the API is, beside ours. Default 1. */
  readonly pace?: number;
  /** Requests in flight at most. Default 8. */
  readonly workers?: number;
  /** The part of responses that never come. Default 0. */
  readonly lost?: number;
  /** Requests of people and CI per hour; default 0. */
  readonly elsewherePerHour?: number;
  /** What they spend before the first request. */
  readonly spentAtStart?: number;
  /** Called after each response when nothing else is in flight. */
  readonly onQuiet?: (seen: QuietMoment) => void;
  /** How often the API begins a new window before its time. */
  readonly resetsEveryMs?: number;
}

/** A moment at which the ledger knows all that it can know. */
export interface QuietMoment {
  readonly ledger: Ledger;
  readonly model: QuotaModel;
  readonly nowMs: number;
  readonly answer: ModelAnswer;
}

type Event =
  | { readonly kind: "asks"; readonly object: SimulatedObject }
  | {
      readonly kind: "lands";
      readonly object: SimulatedObject;
      readonly ticket: Ticket;
      readonly answer: ModelAnswer | undefined;
    }
  | { readonly kind: "elsewhere" }
  | { readonly kind: "resets" };

/** A request that the API counted or refused. */
export interface Sent {
  readonly atMs: number;
  readonly object: SimulatedObject;
  readonly status: number;
  readonly window: number;
}

/** What happened in a simulation. */
export interface Simulated {
  readonly sent: readonly Sent[];
  /** When an object got its first response, in ms. */
  readonly doneMs: ReadonlyMap<SimulatedObject, number>;
  /** Refusals by the ledger. */
  readonly deferred: number;
  /** Each of them. */
  readonly refused: readonly Pick<Sent, "atMs" | "object">[];
  readonly ledger: Ledger;
  readonly model: QuotaModel;
}

/** Runs the real ledger against the counter of the API, on a clock that costs nothing. */
export function simulate(options: SimulationOptions): Simulated {
  const {
    seed,
    objects,
    untilMs,
    limit = 1_000,
    ceiling = limit,
    workers = 8,
    lost = 0,
    elsewherePerHour = 0,
  } = options;
  const random = seeded(seed);
  const time = { ms: 0 };
  const clock: Clock = {
    now: () => Date.parse("2026-01-01T00:00:00Z") + time.ms,
    monotonic: () => time.ms,
    setTimer: () => {
      throw new Error("a ledger sets no timer");
    },
  };
  const ledger = createLedger({ clock, random, maxRequestsPerHour: ceiling });
  const model = new QuotaModel(limit, options.pace);
  const events = new EventQueue<Event>();
  const sent: Sent[] = [];
  const doneMs = new Map<SimulatedObject, number>();
  let inFlight = 0;
  const refused: Pick<Sent, "atMs" | "object">[] = [];
  model.spendElsewhere(0, options.spentAtStart ?? 0);
  for (const object of objects) events.add(object.startMs, { kind: "asks", object });
  const elsewhereMs = () => (elsewherePerHour === 0 ? untilMs : (2 * random() * 3_600_000) / elsewherePerHour);
  events.add(elsewhereMs(), { kind: "elsewhere" });
  if (options.resetsEveryMs !== undefined) events.add(options.resetsEveryMs, { kind: "resets" });

  const ask = (object: SimulatedObject): void => {
    if (inFlight >= workers) {
      events.add(time.ms + 20, { kind: "asks", object });
      return;
    }
    const admission = ledger.admit({ class: object.class, who: object.who });
    if (admission.kind === "refused") {
      refused.push({ atMs: time.ms, object });
      events.add(time.ms + admission.retryAfterMs, { kind: "asks", object });
      return;
    }
    inFlight += 1;
    const answer = model.request(time.ms);
    sent.push({ atMs: time.ms, object, status: answer.status, window: answer.window });
    const isLost = random() < lost;
    const latencyMs = isLost ? 30_000 : 50 + 350 * random();
    const { ticket } = admission;
    events.add(time.ms + latencyMs, { kind: "lands", object, ticket, answer: isLost ? undefined : answer });
  };

  const land = ({ object, ticket, answer }: Event & { readonly kind: "lands" }): void => {
    inFlight -= 1;
    if (answer === undefined) ticket.settle({ kind: "lost", outage: "timeout" });
    else ticket.settle({ kind: "answered", status: answer.status, rateLimit: answer.reading });
    if (inFlight === 0 && answer !== undefined) options.onQuiet?.({ ledger, model, nowMs: time.ms, answer });
    if (answer === undefined || answer.status === 429) {
      // As the objects do: the ledger says when.
      events.add(time.ms + 1_000 + 4_000 * random(), { kind: "asks", object });
      return;
    }
    if (!doneMs.has(object)) doneMs.set(object, time.ms);
    if (object.everyMs === undefined) return;
    const stretch = object.isStretched === true ? ledger.pace().stretch : 1;
    events.add(time.ms + stretch * object.everyMs, { kind: "asks", object });
  };

  for (let next = events.next(); next !== undefined && next.atMs < untilMs; next = events.next()) {
    time.ms = next.atMs;
    const { event } = next;
    if (event.kind === "asks") ask(event.object);
    else if (event.kind === "lands") land(event);
    else if (event.kind === "elsewhere") {
      model.spendElsewhere(time.ms, 1);
      events.add(time.ms + elsewhereMs(), event);
    } else {
      model.reset();
      events.add(time.ms + (options.resetsEveryMs ?? untilMs), event);
    }
  }
  time.ms = untilMs;
  return { sent, doneMs, deferred: refused.length, refused, ledger, model };
}

/** Counts by a key. */
export function countBy<T, K>(items: readonly T[], keyOf: (item: T) => K): ReadonlyMap<K, number> {
  const counts = new Map<K, number>();
  for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1);
  return counts;
}

// pure
import { type Outcome, type Priority, ReconcileError } from "../../runtime/outcome.ts";
import { assertNever } from "../../util/assert-never.ts";
import { jittered } from "../../util/backoff.ts";
import type { Random } from "../../util/random.ts";

/**
 * A pause as messages show it. Never the measured one with its jitter: the same state must have the same message, or
 * each check would cost a status write.
 */
export type Pause =
  | { readonly inMs: number }
  | { readonly withinMs: number }
  /** The pauses rise from the first to the longest. */
  | { readonly everyMs: readonly [firstMs: number, longestMs: number] };

/**
 * When an object is reconciled again if nothing happens to it before.
 *
 * - `never`: only when something changes.
 * - `again`: at once. Something was recorded that the next reconcile acts on.
 * - `recheck`: in `afterMs`, known beforehand. `asks`: it will cost a request, so nothing but a change may bring it
 *   forward. `spreadMs`: so much later it may be, drawn anew each time; missing: as the kind spreads its checks.
 *   `unhintedMs`: so soon instead, once Northflank is no longer trusted to report what is waited for.
 * - `backoff`: the reconcile failed. Retried with back-off, and not before `notBeforeMs`.
 */
export type Requeue =
  | { readonly kind: "never" }
  | { readonly kind: "again" }
  | {
      readonly kind: "recheck";
      readonly afterMs: number;
      readonly asks?: boolean;
      readonly spreadMs?: number;
      readonly unhintedMs?: number | undefined;
      readonly pause?: Pause;
    }
  | { readonly kind: "backoff"; readonly notBeforeMs: number | undefined };

/** Milliseconds until the next reconcile: `Infinity` for never, `undefined` where back-off decides. */
export function delayOf(next: Requeue): number | undefined {
  switch (next.kind) {
    case "never":
      return Number.POSITIVE_INFINITY;
    case "again":
      return 0;
    case "recheck":
      return next.afterMs;
    case "backoff":
      return undefined;
    default:
      return assertNever(next, "requeue");
  }
}

/** The next check of an object that is at rest; `Infinity`: never by itself. */
export function requeueAfter(afterMs: number): Requeue {
  return Number.isFinite(afterMs) ? { kind: "recheck", afterMs } : { kind: "never" };
}

/** A check after a fixed pause, which the message names. */
export function probeAfter(afterMs: number): Requeue & { readonly kind: "recheck" } {
  return { kind: "recheck", afterMs, pause: { inMs: afterMs } };
}

/** The same with a jitter of ±20 %, of which the message says nothing. */
export function probeAround(pauseMs: number, random: Random): Requeue & { readonly kind: "recheck" } {
  return { kind: "recheck", afterMs: Math.round(jittered(pauseMs, 0.2, random)), pause: { inMs: pauseMs } };
}

/**
 * A check after a quarter of the time that has passed, between the first and the longest pause, with the same jitter:
 * it becomes rarer although nothing is counted and written.
 */
export function probeMoreRarely(
  elapsedMs: number,
  [firstMs, longestMs]: readonly [firstMs: number, longestMs: number],
  random: Random,
): Requeue & { readonly kind: "recheck" } {
  const pauseMs = Math.min(Math.max(firstMs, elapsedMs / 4), longestMs);
  return { ...probeAround(pauseMs, random), pause: { everyMs: [firstMs, longestMs] } };
}

/** A requeue as the outcome that a controller returns. `message` says why it failed, where back-off decides. */
export function outcomeOf(next: Requeue, facts: { readonly priority: Priority; readonly message: string }): Outcome {
  switch (next.kind) {
    case "never":
      return { kind: "settled" };
    case "again":
      return { kind: "recheck", afterMs: 0, priority: "change" };
    case "recheck":
      return { kind: "recheck", afterMs: next.afterMs, priority: facts.priority };
    case "backoff": {
      const error = new ReconcileError(facts.message);
      const { notBeforeMs } = next;
      return notBeforeMs === undefined ? { kind: "retry", error } : { kind: "retry", error, notBeforeMs };
    }
    default:
      return assertNever(next, "requeue");
  }
}

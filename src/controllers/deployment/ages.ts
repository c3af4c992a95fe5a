// pure
import type { NorthflankDeploymentStatus } from "../../api/deployment.ts";
import type { Age } from "../reconcile/stopwatch.ts";
import type { DecideInput } from "./decision.ts";

/** The times in a status that something is decided by. */
export function timesOf(status: NorthflankDeploymentStatus | undefined): readonly (string | undefined)[] {
  const { changes = [], build, phase, notKept, redeploy } = status ?? {};
  return [
    ...changes.flatMap(({ time, since }) => [time, since]),
    build?.time,
    phase?.since,
    notKept?.time,
    redeploy?.time,
  ];
}

/** How long ago a time is; one of this very pass, or without a process that measures, by the wall clock. */
export function ageOf({ ages, now }: Pick<DecideInput, "ages" | "now">, time: string | undefined): Age {
  const elapsedMs = Math.max(0, now - Date.parse(time ?? "")) || 0;
  return (time === undefined ? undefined : ages?.get(time)) ?? { elapsedMs, seenMs: elapsedMs };
}

/**
 * A limit is over only when this process has itself seen a quarter of it pass: what follows may be a rollback, and a clock
 * that is wrong must not be enough for one.
 */
export function isOver(age: Age, limitMs: number): boolean {
  return age.elapsedMs >= limitMs && seenLeftMs(age, limitMs) === 0;
}

/** How long until {@link isOver}, in milliseconds. */
export function leftMs(age: Age, limitMs: number): number {
  return Math.max(limitMs - age.elapsedMs, seenLeftMs(age, limitMs));
}

/** How much of it this process has still to see, in milliseconds. */
export function seenLeftMs({ seenMs }: Age, limitMs: number): number {
  return Math.max(0, Math.ceil(limitMs / 4 - seenMs));
}

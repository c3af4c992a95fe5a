// pure
import { mostChanges } from "../../api/changes.ts";
import type { NorthflankJob, NorthflankJobStatus } from "../../api/job.ts";
import { formatTime } from "../../runtime/conditions.ts";
import { isReconcileRequested } from "../reconcile/reconcile-request.ts";
import { correctionsOf, endsRow, withConfirmed, withFight } from "../target/drift.ts";
import { isAcknowledged } from "../target/object.ts";
import { specHashOf } from "./desired.ts";
import type { Change } from "./observation.ts";

/*
 * `status.changes`, newest first: one record of each change, and the one place where a job remembers what was sent. What is
 * owned, and the hashes of its values, is in `status.applied`.
 *
 *              recorded, where it has to be               accepted
 *    None --------------------------------> Sending -------------------------> ReadingBack ---- shown ----> InForce
 *      ^                                     |    \ answer lost: stays           |    ^   \                   |
 *      '--- refused for sure: removed -------'      as it is                     |    |    \ not shown        | undone by
 *                                                                                |    |     v for 60 s        | another client
 *                    accepted, and Northflank returns nothing of it: InForce <---'    '-- PartResent          v
 *                                                                                          |             DriftCorrected: Sending
 *                                                         not shown either: NotKept <------'             or ReadingBack; after
 *                                                                                                        three: Superseded
 *
 * Promises:
 *  1. Sending confirms nothing: hashes that Northflank does not return are out of `status.applied` before the call. It may
 *     have arrived, so it is read back; the next change takes its place.
 *  2. Only the newest record moves, and `since` moves with its phase.
 *  3. What is declared anew is sent from every state; a difference alone is sent, read back or held as `steps` says.
 */

/** An entry of `status.changes`. */
export type ChangeRecord = NonNullable<NorthflankJobStatus["changes"]>[number];

type Phase = ChangeRecord["phase"];

/** What the newest change to what is declared now has come to; `None`: there is no such change. */
export type State = Phase | "None";

/** What a read may find: all as declared, something newly declared, or a difference in what was declared before. */
export type Finding = "same" | "changed" | "different";

/**
 * `own`: nothing was sent, and what was found is owned. `confirm`: it is in force. `send`: everything. `read-back`: what
 * was sent is read again for a minute; what is not shown then is sent alone. `correct`: everything, unless it is a fight.
 * `hold`: nothing before a reconcile is requested, as far as only that differs.
 */
export type Step = "own" | "confirm" | "send" | "read-back" | "correct" | "hold";

/** Every state under everything that a read may find: a new one of either does not compile until it is decided on. */
export const steps: Readonly<Record<State, Readonly<Record<Finding, Step>>>> = {
  None: { same: "own", changed: "send", different: "correct" },
  Sending: { same: "confirm", changed: "send", different: "read-back" },
  ReadingBack: { same: "confirm", changed: "send", different: "read-back" },
  InForce: { same: "confirm", changed: "send", different: "correct" },
  NotKept: { same: "confirm", changed: "send", different: "hold" },
  Superseded: { same: "confirm", changed: "send", different: "hold" },
};

/** What the record says of what is declared now. */
export function stateOf({ spec, status }: NorthflankJob): State {
  const [head] = status?.changes ?? [];
  return head === undefined || head.specHash !== specHashOf(spec) ? "None" : head.phase;
}

// ---- what is remembered ----

/** When the newest change was sent; its age is measured by a stopwatch. */
export function changeTime(status: NorthflankJobStatus | undefined): string | undefined {
  return status?.changes?.find(({ phase }) => phase !== "Sending")?.time;
}

// A difference that is still there by then is no longer waited for.
const showsWithinMs = 60_000;

/**
 * How long a change that is read back may still take to be shown, and how long ago it was, in milliseconds; `undefined`
 * when it has had its time, or a user requests a reconcile. `elapsedMs`: since the newest change.
 */
export function readingBack(
  object: NorthflankJob,
  elapsedMs: number | undefined,
): { readonly leftMs: number; readonly elapsedMs: number } | undefined {
  if (isReconcileRequested(object) || elapsedMs === undefined || elapsedMs >= showsWithinMs) return undefined;
  return { leftMs: showsWithinMs - elapsedMs, elapsedMs };
}

/** The last read found no difference from what is declared now: a difference is news. */
export function wasInSync(object: NorthflankJob): boolean {
  const { status } = object;
  const wasRead = (status?.applied ?? status?.jobType ?? status?.targetUid) !== undefined;
  const phase = status?.changes?.[0]?.phase;
  const isUnderWay = phase === "Sending" || phase === "ReadingBack";
  return wasRead && isAcknowledged(object) && status?.pendingChanges === undefined && !isUnderWay;
}

/** Whether the spec declares what was last applied; `undefined` when nothing was. */
export function isSameDesire(object: NorthflankJob): boolean | undefined {
  const applied = object.status?.applied?.specHash;
  return applied === undefined ? undefined : applied === specHashOf(object.spec);
}

// ---- what is recorded ----

/** One more change, in the place of one whose sending was only recorded. */
export function withChange(
  { metadata, status }: NorthflankJob,
  { cause, seen, differences }: Pick<Change, "cause" | "seen" | "differences">,
  sent: { readonly phase: Phase; readonly call?: string; readonly now: number },
): readonly ChangeRecord[] {
  const { call, phase, now } = sent;
  const time = formatTime(now);
  const entry: ChangeRecord = {
    specHash: seen.desire.specHash,
    generation: metadata.generation ?? 0,
    cause,
    phase,
    time,
    since: time,
    settings: differences.slice(0, mostSettings).map(({ path }) => path),
    ...(call === undefined ? {} : { call }),
  };
  const [head, ...older] = (status?.changes ?? []).filter((known) => known.phase !== "Sending");
  if (head === undefined) return [entry];
  // What was not shown until now is not waited for any more.
  const fate = cause === "PartResent" ? "NotKept" : "Superseded";
  const before = head.phase === "ReadingBack" ? ({ ...head, phase: fate, since: time } as const) : head;
  return [entry, before, ...older].slice(0, mostChanges);
}

// As many as the schema of the status takes.
const mostSettings = 32;

/** The job was found as declared: the newest change is in force, and a row of corrections may be over. */
export function withConfirmation(object: NorthflankJob, now: number): Changes {
  const { changes } = object.status ?? {};
  if (changes === undefined || steps[stateOf(object)].same === "own") return changes;
  const confirmed = withPhase(object, "InForce", now);
  const isOver = endsRow(correctionsOf(object), { wasSettled: wasInSync(object), now });
  return isOver && confirmed !== undefined ? withConfirmed(confirmed, formatTime(now)) : confirmed;
}

/** The newest correction was undone once more, and is not repeated. */
export function withFightFound(object: NorthflankJob, now: number): Changes {
  const changes = withPhase(object, "Superseded", now);
  return changes && withFight(changes);
}

type Changes = readonly ChangeRecord[] | undefined;

/** The newest change in this phase; `since` stays where it is in it already. */
export function withPhase({ status }: NorthflankJob, phase: Phase, now: number): Changes {
  const [head, ...rest] = status?.changes ?? [];
  if (head === undefined || head.phase === phase) return status?.changes;
  return [{ ...head, phase, since: formatTime(now) }, ...rest];
}

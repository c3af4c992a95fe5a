// pure
import { formatTime } from "../../runtime/conditions.ts";
import { isReconcileRequested } from "../reconcile/reconcile-request.ts";
import type { TargetObject } from "./object.ts";

/*
 * Northflank accepts a body and keeps only a part of it, such as an image without the command that came with it:
 *
 *     change sent --- all of it shown --------------------------------------------------------> nothing
 *          \--- a part not shown --- recorded, then that part sent alone --- shown -----------> the record is removed
 *                                                       \--- not shown either --> ChangeNotKept
 *
 * Promises:
 *  1. The part is sent alone once per declaration, and once more for each reconcile request after `ChangeNotKept`. The
 *     record is in status before the call: neither a restart nor a lost answer leads to another one.
 *  2. What was in force after it was sent, and is not any more, is for `drift.ts`.
 *  3. What else differs is corrected as ever; it causes no further attempt of the part.
 */

/** What to do about parts that Northflank did not keep; `undefined`: nothing of that kind has happened. */
export function decideNotKept(
  object: TargetObject,
  facts: {
    /** Of what is declared. */
    readonly specHash: string;
    /** The parts of the body that differ. */
    readonly parts: readonly string[];
    /** Of the newest change to what is declared. */
    readonly phase: string | undefined;
    /** That change was accepted, has had its time to be shown, and may have been kept in part. */
    readonly mayBePart: boolean;
  },
): "send" | "stop" | undefined {
  const record = object.status?.notKept;
  if (record?.specHash !== facts.specHash) return facts.mayBePart ? "send" : undefined;
  if (!facts.parts.every((part) => record.parts?.includes(part))) return undefined;
  return facts.phase === "NotKept" && isReconcileRequested(object) ? "send" : "stop";
}

/** The record of parts that are about to be sent alone. */
export function notKeptRecord(specHash: string, parts: readonly string[], now: number) {
  return { specHash, parts: parts.slice(0, mostParts), time: formatTime(now) };
}

// As many as the schema of the status takes.
const mostParts = 32;

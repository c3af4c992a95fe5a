// pure
import { capped } from "../../runtime/conditions.ts";
import { readyReason } from "../reconcile/ready-state.ts";
import { slowProbeMs } from "../reconcile/remote-error.ts";
import type { TargetObject } from "./object.ts";

// Northflank's uids have 36 characters; status keeps no more than this of what it is sent.
const longestUid = 128;

/**
 * Whether a service or job that was read is the one that status remembers by its uid. Where either of the two is not
 * known (an older status, or an answer that has no uid), it is taken to be the same.
 */
export function sameTarget(recorded: string | undefined, read: string | undefined): boolean {
  return recorded === undefined || read === undefined || recorded === uidText(read);
}

/** The last look found another target than the one before, and the status has started anew. */
export function wasJustRecreated(object: Pick<TargetObject, "status">): boolean {
  return readyReason(object) === "TargetRecreated";
}

/** A uid as status keeps it. */
export function uidText(uid: string): string {
  return capped(uid, longestUid);
}

/** What status says of the target that was read; nothing where the answer has no uid, so that the recorded one stays. */
export function targetUidFields(uid: string | undefined): { readonly targetUid?: string } {
  return uid === undefined ? {} : { targetUid: uidText(uid) };
}

/** What a conclusion about a target that was recreated has in common: what status says of the one before is removed. */
export function recreated<S extends object>(
  target: {
    /** `service "api"` */
    readonly name: string;
    readonly recordedUid: string | undefined;
    readonly uid: string | undefined;
    /** The last look found another one as well: whatever takes turns there is not read without end. */
    readonly isAgain: boolean;
    readonly nextResyncMs: number;
  },
  forgotten: S,
) {
  const { name, recordedUid = "", uid = "", isAgain, nextResyncMs } = target;
  const found = `The ${name} was deleted and created again in Northflank: its uid is ${uidText(uid)}, and was ${recordedUid}.`;
  const message = `${found} It is read as a target that is new.`;
  const claim = {
    status: "Unknown",
    reason: "TargetRecreated",
    message: "Not known of the target that is new.",
  } as const;
  const note = `${found} What the status said of the one before was removed.`;
  return {
    verdict: { kind: "progressing", reason: "TargetRecreated", message },
    inSync: claim,
    rolloutComplete: claim,
    stated: { ...forgotten, ...targetUidFields(uid) },
    failure: undefined,
    next: { kind: "recheck", afterMs: isAgain ? Math.min(nextResyncMs, slowProbeMs) : 0 },
    events: [{ type: "Normal", reason: "TargetRecreated", action: "Observe", note }],
    sameDesire: false,
  } as const;
}

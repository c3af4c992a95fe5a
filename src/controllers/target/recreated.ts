// pure
import { capped } from "../../runtime/conditions.ts";
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

/** A uid as status keeps it. */
export function uidText(uid: string): string {
  return capped(uid, longestUid);
}

/** What status says of the target that was read; nothing where the answer has no uid: the recorded one stays. */
export function targetUidFields(uid: string | undefined): { readonly targetUid?: string } {
  return uid === undefined ? {} : { targetUid: uidText(uid) };
}

/**
 * The target has another uid than the one that status knows: what status says is about a target that is gone. The
 * status starts anew, and the target is read once more, in full, before anything is decided about it. That is in status
 * first: a process that ends now leaves nothing of the old target to the next one. `undefined`: it is the same target.
 */
export function checkRecreated<K extends string>(
  { status = {} }: Pick<TargetObject, "status">,
  target: {
    /** `service "api"` */
    readonly name: string;
    readonly uid: string | undefined;
  },
  /** All that the kind says of its target in status. */
  fields: readonly K[],
) {
  if (sameTarget(status.targetUid, target.uid)) return undefined;
  const { name, uid = "" } = target;
  const found = `The ${name} was deleted and created again in Northflank: its uid is ${uidText(uid)}, and was ${status.targetUid ?? ""}.`;
  const forgotten = Object.fromEntries(fields.map((field) => [field, undefined])) as { readonly [F in K]: undefined };
  return {
    readyState: {
      kind: "progressing",
      reason: "TargetRecreated",
      message: `${found} It is read as a target that is new.`,
    },
    inSync: { status: "Unknown", reason: "TargetRecreated", message: "Not known of the target that is new." },
    stated: { ...forgotten, ...targetUidFields(uid) },
    failure: undefined,
    next: { kind: "again" },
    events: [
      {
        type: "Normal",
        reason: "TargetRecreated",
        action: "Observe",
        note: `${found} What the status said of the one before was removed.`,
      },
    ],
    sameDesire: false,
  } as const;
}

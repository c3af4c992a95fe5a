// pure
import { capped } from "../../runtime/conditions.ts";

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

/** What status says of the target that was read; nothing where the answer has no uid, so that the recorded one stays. */
export function targetUidFields(uid: string | undefined): { readonly targetUid?: string } {
  return uid === undefined ? {} : { targetUid: uidText(uid) };
}

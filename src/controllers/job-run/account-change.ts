// pure
import type { NorthflankJobRun } from "../../api/job-run.ts";
import { type AccountIdentity, compareIdentities } from "../account/accounts.ts";
import type { ReadyState } from "../reconcile/ready-state.ts";
import { isUnresolved, latestAttempt, stateOf } from "./machine.ts";
import { isGivenUp, type StartRecord } from "./start-record.ts";

/**
 * Why the account that the connection leads to now has nothing to say about the run: what was started, or may have been,
 * is in another one. That the run is not known there says nothing about it, and a run that looks like ours is none.
 *
 * `undefined` where the account is the right one, where nothing was started that could still be there, and where the
 * record does not say in which account it was started. Accounts that differ only in the token are the same here.
 */
export function judgeAccountChange(
  object: NorthflankJobRun,
  account: { readonly address: string },
): ReadyState | undefined {
  const start = object.status?.start;
  if (start?.account === undefined || start.account === account.address) return undefined;
  if (!isStillThere(object, start)) return undefined;
  const runId = latestAttempt(object)?.runId;
  const what = isKnown(object) ? `Run ${runId} was started` : "A run was started, or may have been,";
  const message =
    `${what} in ${start.account}, and the connection leads to ${account.address} now, which does not know it: nothing is ` +
    "started or aborted there. Point the connection to the former account to follow the run to its end; " +
    `${answerOf(object)}or delete this object to leave the run to itself.`;
  return { kind: "stalled", reason: "AccountChanged", message };
}

function isKnown(object: NorthflankJobRun): boolean {
  const state = stateOf(object);
  return state === "active" || state === "adopted";
}

/** While the run is not known, a user may name it: also where the account is the same under another address. */
function answerOf(object: NorthflankJobRun): string {
  if (!isUnresolved(object)) return "";
  return "set the annotation northflank-operator.io/resolve-start to the id of the run, or to fail; ";
}

/** A run is active, or the outcome of a start is open, also of one that is to be repeated. */
function isStillThere(object: NorthflankJobRun, start: StartRecord): boolean {
  switch (stateOf(object)) {
    case "unresolved":
    case "unknown":
    case "active":
    case "adopted":
      return true;
    case "finished":
      return false;
    default:
      return isGivenUp(start);
  }
}

/** A run object, and the account that it was last found to belong to; `undefined` while that is not known. */
interface Side {
  readonly object: NorthflankJobRun;
  readonly account: (AccountIdentity & { readonly address?: string }) | undefined;
}

/**
 * Whether another object for a job of the same name is about the same job: `other` when it is in another account, or in
 * one that it only names. `unsure`: no answer of Northflank to this process has shown which account it belongs to, and
 * its status, which another client may have written, does not rule out ours.
 */
export function compareJobs(other: Side, own: Side): "same" | "unsure" | "other" {
  if (other.account === undefined || own.account === undefined) {
    // What was started before, or may have been, says where.
    const recorded = other.object.status?.start?.account;
    const address = own.account?.address ?? own.object.status?.start?.account;
    return recorded !== undefined && address !== undefined && recorded !== address ? "other" : "unsure";
  }
  // Of thousands of objects behind one connection each compares itself with all others.
  if (own.account === other.account) return "same";
  const comparison = compareIdentities(own.account, other.account);
  if (comparison !== "unproven") return comparison;
  // A run that was started, or may have been, was started with an accepted token.
  const { metadata, status } = other.object;
  const isBareName = metadata.namespace !== own.object.metadata.namespace && !status?.start && !status?.runId;
  return isBareName ? "other" : "unsure";
}

// pure
import type { NorthflankJobRun } from "../../api/job-run.ts";
import type { Verdict } from "../shared/verdict.ts";
import { isUnresolved, latestAttempt, type StartRecord, stateOf } from "./machine.ts";

/**
 * Why the account that the connection leads to now has nothing to say about the run: what was started, or may have been,
 * is in another one. That the run is not known there says nothing about it, and a run that looks like ours is none.
 *
 * `undefined` where the account is the right one, where nothing was started that could still be there, and where the
 * record does not say in which account it was started. Accounts that differ in nothing but the token look alike here.
 */
export function judgeAccountChange(
  object: NorthflankJobRun,
  account: { readonly address: string },
): Verdict | undefined {
  const start = object.status?.start;
  if (start?.account === undefined || start.account === account.address) return undefined;
  if (!isStillThere(object, start)) return undefined;
  const runId = latestAttempt(object)?.runId;
  const what = stateOf(object) === "active" ? `Run ${runId} was started` : "A run was started, or may have been,";
  const message =
    `${what} in ${start.account}, and the connection leads to ${account.address} now, which does not know it: nothing is ` +
    `started or aborted there. Lead the connection back, and the run is followed to its end; ${answerOf(object)}or ` +
    "delete this object, and the run goes on by itself.";
  return { kind: "stalled", reason: "AccountChanged", message };
}

/** While nobody knows which run it is, a person may say so: also where the account is the same under another address. */
function answerOf(object: NorthflankJobRun): string {
  if (!isUnresolved(object)) return "";
  return "set the annotation northflank-operator.io/resolve-start to the id of the run, or to fail; ";
}

/** A run is active, or the outcome of a start is open, also of one that is to be repeated. */
function isStillThere(object: NorthflankJobRun, { outcome, reason }: StartRecord): boolean {
  switch (stateOf(object)) {
    case "unresolved":
    case "unknown":
    case "active":
      return true;
    case "finished":
      return false;
    default:
      return outcome === "NotStarted" && (reason === "StartOutcomeUnknown" || reason === "RetryingRun");
  }
}

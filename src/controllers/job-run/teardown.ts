// pure

import type { NorthflankJobRun } from "../../api/job-run.ts";
import type { Reason } from "../../api/reasons.ts";
import type { Account, AccountResolution } from "../account/accounts.ts";
import { latestAttempt, type RunIntent } from "./machine.ts";
import type { Known } from "./memory.ts";
import { type RunResult, stalled, warning } from "./result.ts";

/*
 * A namespace is deleted in no particular order, so the connection, its Secret or both may be gone before the run is
 * aborted. Then the deletion continues with the account that this process remembers of the run. A process that
 * remembers none, because it was started since, waits for a moment and releases the object.
 */

/** How long a deletion waits for a connection that is gone: one that is being replaced is back by then. */
export const goneConnectionMs = 30_000;

const goneReasons: ReadonlySet<Reason> = new Set(["ConnectionNotFound", "SecretNotFound"]);

/**
 * The account to continue with in place of what `resolved` says; `undefined` where that counts. Without its connection
 * an object may come to the operator-wide token, which says nothing about a run of another one.
 */
export function rememberedAccount(
  intent: RunIntent,
  { account }: Known,
  resolved: AccountResolution,
): Account | undefined {
  if (intent !== "cleanup" || account === undefined) return undefined;
  const isGone =
    resolved.kind === "blocked"
      ? goneReasons.has(resolved.readyState.reason)
      : resolved.account.isOperatorWide === true && account.isOperatorWide !== true;
  return isGone ? account : undefined;
}

/** True where no way to Northflank is left, and none comes back by itself. */
export function isUnreachable({ readyState }: RunResult, { isConnectionGone }: Known): boolean {
  if (readyState.reason === "ConnectionNotFound") return true;
  const isDenied = readyState.reason === "AuthenticationFailed" || readyState.reason === "PermissionDenied";
  return isDenied && isConnectionGone === true;
}

/** The object is released without an abort. */
export function decideUnreachable(object: NorthflankJobRun): RunResult {
  const { projectId, jobId } = object.spec;
  const runId = latestAttempt(object)?.runId;
  const what =
    runId === undefined
      ? `A start of job "${jobId}" of project "${projectId}" may have started a run`
      : `Run ${runId} of job "${jobId}" of project "${projectId}" may still be active`;
  const message =
    `${what}, and the connection of the object is gone, so the operator cannot abort the run; the object is released. Check ` +
    "the job in Northflank, and abort the run there.";
  return stalled("Abandoned", message, {
    next: { kind: "never" },
    isReleased: true,
    events: [warning("Abandoned", "AbortRun", message)],
  });
}

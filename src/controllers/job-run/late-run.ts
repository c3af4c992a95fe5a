import type { NorthflankJobRun } from "../../api/job-run.ts";
import type { RunList } from "../../northflank/types.ts";
import { claimsOf, type Sibling } from "./concurrency.ts";
import type { StartReport } from "./decide.ts";
import { isBeforeStart, stateOf } from "./machine.ts";
import { judgeCandidates } from "./read-back.ts";
import { forgottenStart } from "./restored.ts";
import { settleWaitMs } from "./result.ts";
import type { StartContext, StartDeps } from "./start-context.ts";
import { isGivenUp, type StartRecord } from "./start-record.ts";

export type LateRun = Extract<StartReport, { kind: "lateRun" }>;

/** A start that was given up without an answer may show its run only now: then nothing is sent. */
export function lateRunOf(
  { settings }: StartDeps,
  object: NorthflankJobRun,
  list: RunList,
  siblings: readonly Sibling[],
): LateRun | undefined {
  const start = object.status?.start;
  if (start === undefined || !isGivenUp(start)) return undefined;
  const late = runSince(start, { list, ...claimsOf(object, siblings) }, settleWaitMs(settings));
  // A person has seen them all and wants another one.
  return late !== undefined && late.readBack.kind !== "one" && start.reason === "RetryingRun" ? undefined : late;
}

/** After a restore of the cluster: a run that this object may have started before, and does not know of any more. */
export function forgottenRunOf(
  { restored, newId, clock, settings }: StartDeps,
  { object, account }: StartContext,
  list: RunList,
  siblings: readonly Sibling[],
): LateRun | undefined {
  const aheadMs = list.serverTimeMs === undefined ? 0 : list.serverTimeMs - clock.now();
  const untilMs = settleWaitMs(settings);
  const common = { restored: restored(), account: account.address, newId, aheadMs, settleWaitMs: untilMs };
  const start = forgottenStart({ object, ...common });
  if (start === undefined) return undefined;
  // Others of the job may have forgotten one as well, and the run may be theirs.
  const alike = siblings.filter((sibling) => isBeforeStart(stateOf(sibling.object)));
  const theirs = alike.flatMap((sibling) => forgottenStart({ object: sibling.object, ...common }) ?? []);
  const claims = claimsOf(object, siblings);
  const found = runSince(start, { list, ...claims, openStarts: [...claims.openStarts, ...theirs] }, untilMs);
  // That a run is not in a list that is cut proves nothing.
  const isUnknown = found === undefined && list.truncated && object.spec.startGuarantee === "AtMostOnce";
  return isUnknown ? { kind: "lateRun", start, readBack: { kind: "incomplete" } } : found;
}

/** A run within the reach of the start. One of which it is not known when it began is not taken so late. */
function runSince(
  start: StartRecord,
  runs: { readonly list: RunList } & ReturnType<typeof claimsOf>,
  untilMs: number,
): LateRun | undefined {
  const readBack = judgeCandidates({ start, ...runs, reach: { untilMs, countsTimeless: false } });
  return readBack.kind === "none" ? undefined : { kind: "lateRun", start, readBack };
}

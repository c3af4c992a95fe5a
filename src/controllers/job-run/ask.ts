import { northflankJobRuns, resolveStart } from "../../api/names.ts";
import type { NorthflankError } from "../../northflank/errors.ts";
import type { RunList } from "../../northflank/types.ts";
import type { Account, AccountResolution } from "../account/accounts.ts";
import { reconcileRequest } from "../reconcile/reconcile-request.ts";
import { spenderOf } from "../reconcile/spender.ts";
import { judgeAccountChange } from "./account-change.ts";
import { obstaclesAmong, type Siblings } from "./concurrency.ts";
import { decideBlocked, decideFailed } from "./decide.ts";
import { isUnresolved, latestAttempt } from "./machine.ts";
import type { Pause } from "./memory.ts";
import { observeJob, observeRuns, type Read, withFreshToken } from "./observe.ts";
import { createdAfterStart } from "./read-back.ts";
import { parseResolveStart } from "./resolve.ts";
import { type RunResult, recheck, type Situation, unchanged } from "./result.ts";
import { learnServerTime, type RunReconcile, requestOf, situationNow } from "./run-reconcile.ts";
import { rememberedAccount } from "./teardown.ts";

/*
 * Every call to Northflank for a run, but for the start itself, is made here: with the account of the object, and not
 * before the pause after the last one is over.
 */

/** What came of a call. */
export type Asked<T> =
  | { readonly kind: "value"; readonly value: T }
  /** `error`: what Northflank, or the way there, had against it; missing where nothing was sent. */
  | { readonly kind: "result"; readonly result: RunResult; readonly error?: NorthflankError };

/** `isPauseOver`: what was planned is overtaken by what this reconcile has sent. */
export async function ask<T>(
  reconcile: RunReconcile,
  read: (account: Account) => Promise<Read<T>>,
  isPauseOver = false,
): Promise<Asked<T>> {
  const { situation, deps } = reconcile;
  const resolved = await accountOf(reconcile);
  if (resolved.kind === "blocked") return { kind: "result", result: decideBlocked(situation, resolved) };
  const paused = isPauseOver ? undefined : pausedFor(reconcile, resolved.account);
  if (paused !== undefined) return { kind: "result", result: paused };
  const again = { accounts: deps.accounts, account: resolved.account, resolve: () => accountOf(reconcile) };
  const done = await withFreshToken(again, read);
  if (done.kind === "read") return { kind: "value", value: done.value };
  return { kind: "result", result: decideFailed(situation, done.error), error: done.error };
}

/** The runs of the job, with what was set aside for reading back a start. */
export async function askForRuns(reconcile: RunReconcile): Promise<Asked<RunList>> {
  const { memory, deps, situation, context } = reconcile;
  const reservation = memory.known.readBack;
  const { signal } = context;
  const spender = spenderOf(northflankJobRuns, situation.object);
  const call = { class: "change", spender, signal, ...(reservation && { reservation }) } as const;
  const read = await ask(reconcile, (account) => observeRuns(situation.object, account, call));
  if (read.kind === "value") learnServerTime(memory, read.value.serverTimeMs, deps.clock.monotonic());
  return read;
}

/** When the job was created, where that was after the present start: what it lacks says nothing then. */
export async function askForRemadeJob(reconcile: RunReconcile): Promise<Asked<string | undefined>> {
  const { situation, context } = reconcile;
  const { object } = situation;
  const read = await ask(reconcile, (account) => observeJob(object, account, context.signal), true);
  if (read.kind === "result") return read;
  return { kind: "value", value: read.value && createdAfterStart(object, read.value) };
}

// A connection is watched: what waits for it is enqueued when it changes. This is the net below that.
export const recheckAccountMs = 600_000;

/** The account of the object, and what is remembered of it. */
export async function accountOf({ deps, situation, plan, memory, context }: RunReconcile): Promise<AccountResolution> {
  const { object, state } = situation;
  const resolved = await deps.accounts.resolve(requestOf(object), context.signal);
  const remembered = rememberedAccount(plan.intent, memory.known, resolved);
  const isSecretGone = resolved.kind === "blocked" && resolved.readyState.reason === "SecretNotFound";
  memory.remember({ isConnectionGone: remembered !== undefined && !isSecretGone });
  if (remembered !== undefined) return { kind: "usable", account: remembered };
  if (resolved.kind === "blocked") return resolved;
  // A run that is known by its id is asked for all the same: where it is found, it is the same account after all.
  const isFollowed = state === "active" || state === "adopted";
  const isNamed = isFollowed || (isUnresolved(object) && parseResolveStart(object)?.kind === "run");
  const moved = isNamed ? undefined : judgeAccountChange(object, resolved.account);
  if (moved !== undefined) return { kind: "blocked", readyState: moved, recheckAfterMs: recheckAccountMs };
  memory.remember({ account: resolved.account });
  return resolved;
}

/**
 * No call to Northflank for `afterMs`, unless something that matters changes; for `unhintedMs` only, once Northflank is
 * no longer trusted to report the end of the run.
 */
export function pauseFor(reconcile: RunReconcile, afterMs: number, unhintedMs?: number): void {
  const { deps, memory, siblings, plan } = reconcile;
  const situation = situationNow(reconcile);
  const sinceMs = deps.clock.monotonic();
  const pause: Pause = {
    sinceMs,
    // The queue may come back in the very millisecond that was asked for.
    untilMs: sinceMs + afterMs - 1,
    unhintedUntilMs: unhintedMs && sinceMs + unhintedMs - 1,
    fingerprint: fingerprintOf(situation, plan.intent, siblings),
    request: reconcileRequest(situation.object.metadata),
    account: memory.known.account,
  };
  memory.remember({ pause });
}

/**
 * A reconcile before its time (after its own status write, say) makes no call unless something that matters has
 * changed: the status and the planned time stay.
 */
export function pausedFor(reconcile: RunReconcile, account: Account): RunResult | undefined {
  const { memory, deps, situation, siblings, plan } = reconcile;
  const { object } = situation;
  const { pause, said } = memory.known;
  if (pause === undefined || pause.account !== account) return undefined;
  if (pause.fingerprint !== fingerprintOf(situation, plan.intent, siblings)) return undefined;
  const isRequested = pause.request !== reconcileRequest(object.metadata);
  const untilMs = isRequested ? pause.sinceMs + betweenRequestsMs : plannedUntilMs(pause, situation);
  // Whole milliseconds: no timer waits for less, and less would be a loop without progress.
  const leftMs = Math.ceil(untilMs - deps.clock.monotonic());
  if (leftMs <= 0) return undefined;
  return { ...unchanged(object, said), next: recheck(situation, leftMs), isTooSoon: isRequested };
}

function plannedUntilMs({ untilMs, unhintedUntilMs = untilMs }: Pause, { pace }: Situation): number {
  return pace?.isHinted === true ? untilMs : Math.min(untilMs, unhintedUntilMs);
}

// A client that writes the annotation in a loop gets a poll every few seconds, not one per write.
const betweenRequestsMs = 2_000;

/**
 * What a pause must not outlast: a change of the object or of what is wanted (a deadline that is over, a younger object
 * that takes its place), a request of a person. Our own writes change none of it.
 */
function fingerprintOf(
  { object, state }: Pick<Situation, "object" | "state">,
  intent: string,
  siblings: Siblings,
): string {
  const { metadata, status } = object;
  // Nothing is in the way of a run that was started: other starts of the job bring no poll of it forward.
  const isStarted = state === "active" || state === "adopted";
  const obstacles = isStarted ? [] : obstaclesAmong(object, siblings.open());
  const attempt = latestAttempt(object);
  return JSON.stringify([
    state,
    intent,
    metadata.generation,
    metadata.deletionTimestamp,
    metadata.annotations?.[resolveStart],
    status?.start?.id,
    status?.abortRequestedTime,
    attempt?.runId,
    attempt?.completionTime,
    obstacles.map(({ name }) => name),
  ]);
}

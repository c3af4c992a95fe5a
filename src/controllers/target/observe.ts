import type { CallOptions } from "../../northflank/client.ts";
import { isNorthflankError, type NorthflankError } from "../../northflank/errors.ts";
import type { SharedLists } from "../../northflank/shared-lists.ts";
import type { RequestClass } from "../../northflank/types.ts";
import { objectKey } from "../../runtime/outcome.ts";
import type { Account, Accounts } from "../account/accounts.ts";
import type { PollSchedule } from "../reconcile/poll-schedule.ts";
import type { Blocked } from "../reconcile/ready-state.ts";
import { prunedProblems, type SpecProblem } from "../reconcile/spec-validation.ts";
import { type Access, isAlone, openAccess } from "./conflicts.ts";
import { checkByList, checkShare, type ListedTarget } from "./list-check.ts";
import { accountRequest, type ByTarget, isAccepted, isAtRest, type TargetObject, targetOf } from "./object.ts";
import { policyOf } from "./policy.ts";
import { comparePeriodMs, type Due, type DueFacts, type DueOrList, dueRead, resyncPeriodMs } from "./poll-due.ts";
import type { NotDue, Unmet } from "./preconditions.ts";
import type { Sequence } from "./set-aside.ts";

/** What was observed, and the account that may be used to act on it. N: what a decision may need besides. */
export interface Observed<O, N = never> {
  readonly observation: O;
  readonly account: Account | undefined;
  /** Observes with what a decision on this observation needs. Missing: nothing more can be read. */
  readonly more?: (need: N) => Promise<Observed<O, N>>;
}

/** What every kind needs to observe. */
export interface ObserveDeps<T> {
  readonly store: ByTarget<T>;
  readonly accounts: Accounts;
  /** Validates a spec that the API server accepted; fields that it dropped are added here. */
  readonly validate: (object: T) => readonly SpecProblem[];
  readonly schedule: PollSchedule;
  /** Lists that all objects of an account share. Default: none, every check is a read. */
  readonly lists?: Pick<SharedLists, "items">;
  /** Period for objects that name none, in milliseconds; 0 = never. */
  readonly settings: { readonly resyncPeriodMs: number };
}

/** What a kind reads of its target. O: its observations; D: what its valid spec declares; N: see {@link Observed}. */
export interface TargetReads<T extends TargetObject, D extends object, O, N = never> extends ObserveDeps<T> {
  /** What the spec declares, or what is wrong with it besides. */
  readonly declared: (object: T) => { readonly declared: D } | { readonly problem: SpecProblem };
  /** What only the kind knows of whether a read is due. */
  readonly due: (object: T) => DueFacts;
  /** The list of services shows when its targets were changed. Default: no list does. */
  readonly listed?: ListedTarget<T>;
  /**
   * What a Ready object refers to in the cluster is not watched: how often it is compared although no read is due, in
   * milliseconds. Default: nothing has to be.
   */
  readonly comparePeriodMs?: (object: T) => number | undefined;
  /** There is no usable account: what can be observed without one. Default: nothing. */
  readonly blocked?: (object: T, unmet: D & Blocked, signal: AbortSignal) => Promise<O>;
  /** All preconditions hold. The answer is an observation without a request, or the request. */
  readonly open: (ready: Ready<T, D>) => Promise<O | TargetRead<O, N>>;
}

/** An object whose preconditions hold. */
export interface Ready<T, D> {
  readonly object: T;
  readonly declared: D;
  readonly account: Account;
  readonly due: Due;
  /** Draws milliseconds until the next check of an object at rest, spread; `Infinity`: never. */
  readonly nextResyncMs: () => number;
  readonly signal: AbortSignal;
}

/** Requests to Northflank that are to be sent now. */
export interface TargetRead<O, N = never> {
  readonly class: RequestClass;
  /** Most requests of one read. Default 1. */
  readonly requests?: number;
  readonly read: (call: CallOptions) => Promise<O>;
  /** Adds to what was read what a decision needs. */
  readonly more?: (before: O, need: N, call: CallOptions) => Promise<O>;
  readonly failed: (error: NorthflankError) => O;
}

/** The steps of a reconcile that observe. */
export interface ObserveSteps<T, O, N = never> {
  /**
   * How long there is nothing to do for an object, in milliseconds, where that is known without any wait; `undefined`
   * where it has to be observed. After a start nearly all objects rest, and there may be ten thousand.
   */
  readonly restsFor: (object: T) => number | undefined;
  readonly observe: (object: T, signal: AbortSignal, aside: Sequence) => Promise<Observed<O, N>>;
  /** Within how many milliseconds an object is reconciled although no read is due; `undefined`: it need not be. */
  readonly comparePeriodMs: (object: T) => number | undefined;
}

export function observeSteps<T extends TargetObject, D extends object, O, N = never>(
  reads: TargetReads<T, D, O, N>,
): ObserveSteps<T, O | Unmet<D> | NotDue, N> {
  return {
    restsFor: (object) => restsFor(reads, object),
    observe: (object, signal, aside) => observeTarget(reads, object, { signal, aside }),
    comparePeriodMs: (object) => comparePeriodMs(object, reads),
  };
}

function restsFor<T extends TargetObject, D extends object, O, N>(
  reads: TargetReads<T, D, O, N>,
  object: T,
): number | undefined {
  if (!isAtRest(object) || comparePeriodMs(object, reads) !== undefined || !isAlone(object, sameTarget(reads, object)))
    return undefined;
  const account = reads.accounts.peek?.(accountRequest(object));
  const due = account && dueFor(reads, object, account);
  return due?.kind === "rest" ? due.dueInMs : undefined;
}

function sameTarget<T extends TargetObject>({ store }: ObserveDeps<T>, object: T): readonly T[] {
  return store.byIndex("target", targetOf(object));
}

function dueFor<T extends TargetObject, D extends object, O, N>(
  reads: TargetReads<T, D, O, N>,
  object: T,
  account: Account,
): DueOrList {
  const scheduled = scheduledAs(reads, object, account);
  return dueRead({ schedule: reads.schedule, account, scheduled, ...reads.due(object) }, object);
}

/** What the schedule of its checks needs of an object. */
function scheduledAs<T extends TargetObject, D extends object, O, N>(
  { lists, listed, settings }: TargetReads<T, D, O, N>,
  object: T,
  account: Account,
) {
  const { metadata } = object;
  const isListed = lists !== undefined && listed?.idOf(object) !== undefined;
  const periodMs = resyncPeriodMs(object, settings.resyncPeriodMs);
  return { key: objectKey(metadata), uid: metadata.uid, periodMs, share: checkShare(object, account, isListed) };
}

/** Whether the target has to be read now, once a list has been compared where that may do. */
async function dueAfterList<T extends TargetObject, D extends object, O, N>(
  reads: TargetReads<T, D, O, N>,
  object: T,
  account: Account,
  signal: AbortSignal,
): Promise<Due> {
  const due = dueFor(reads, object, account);
  if (due.kind !== "list") return due;
  const { lists, listed, schedule } = reads;
  const target = listed && { ...listed, object, account, scheduled: scheduledAs(reads, object, account) };
  if (lists === undefined || target === undefined) return { kind: "read", class: "observe" };
  return await checkByList({ lists, schedule }, target, { ...due, signal });
}

/**
 * Checks the preconditions, cheapest first: the spec, the account, older objects for the target; and only when a read
 * is due sends requests to Northflank. A token that is rejected is read again once.
 *
 * `aside`: holds the requests of a change; the caller releases it.
 *
 * *Errors*: whatever is no refusal of Northflank, such as `KubeError` when a Secret could not be read.
 */
export async function observeTarget<T extends TargetObject, D extends object, O, N = never>(
  reads: TargetReads<T, D, O, N>,
  object: T,
  { signal, aside }: { readonly signal: AbortSignal; readonly aside: Sequence },
): Promise<Observed<O | Unmet<D> | NotDue, N>> {
  // Resolved once: a second call would use up the one probe that a rejected token has.
  const access = isAccepted(object) ? await accessOf(reads, object, signal) : undefined;
  const due = access?.kind === "open" ? await dueAfterList(reads, object, access.account, signal) : undefined;
  if (due?.kind === "rest" && comparePeriodMs(object, reads) === undefined) return without(due);
  const problems = [...prunedProblems(object.prunedFields), ...reads.validate(object)];
  // A spec that does not fit its type cannot be used.
  if ((object.misfits?.spec.length ?? 0) > 0) return without({ kind: "invalid", problems });
  const result = reads.declared(object);
  if ("problem" in result) return without({ kind: "invalid", problems: [...problems, result.problem] });
  if (problems.length > 0) return without({ kind: "invalid", problems });
  const { declared } = result;
  if (object.spec.suspend === true) return without({ ...declared, kind: "suspended" });
  const observe = { reads, object, declared, signal, aside };
  return await observeOpen(observe, access ?? (await accessOf(reads, object, signal)), { due, isRetry: false });
}

async function accessOf<T extends TargetObject>(
  reads: ObserveDeps<T>,
  object: T,
  signal: AbortSignal,
): Promise<Access> {
  return await openAccess({ accounts: reads.accounts, sameTarget: sameTarget(reads, object) }, object, signal);
}

async function observeOpen<T extends TargetObject, D extends object, O, N>(
  options: {
    readonly reads: TargetReads<T, D, O, N>;
    readonly object: T;
    readonly declared: D;
    readonly signal: AbortSignal;
    readonly aside: Sequence;
  },
  access: Access,
  { due: known, isRetry }: { readonly due?: Due | undefined; readonly isRetry: boolean },
): Promise<Observed<O | Unmet<D> | NotDue, N>> {
  const { reads, object, declared, signal, aside } = options;
  if (access.kind === "blocked") {
    const unmet = { ...declared, ...access };
    return without((await reads.blocked?.(object, unmet, signal)) ?? unmet);
  }
  if (access.kind === "conflict") return without({ ...declared, ...access });
  const { account } = access;
  const due = known ?? (await dueAfterList(reads, object, account, signal));
  if (due.kind === "rest" && comparePeriodMs(object, reads) === undefined) return without(due);
  const nextResyncMs = () => reads.schedule.nextCheckMs(scheduledAs(reads, object, account));
  const opened = await reads.open({ object, declared, account, due, nextResyncMs, signal });
  if (!isRead(opened)) return without(opened);
  const { failed, more, class: requestClass, requests = 1 } = opened;
  const reading = { api: account.api, class: requestClass, requests, mayWrite: policyOf(object).sends, signal };
  return await observed(opened.read);

  async function observed(read: TargetRead<O, N>["read"]): Promise<Observed<O | Unmet<D> | NotDue, N>> {
    try {
      const observation = await read(aside.reading(reading));
      reads.schedule.read({ key: objectKey(object.metadata) });
      const readMore = more && ((need: N) => observed((call) => more(observation, need, call)));
      return { observation, account, ...(readMore && { more: readMore }) };
    } catch (error) {
      if (!isNorthflankError(error)) throw error;
      if (error.code !== "unauthorized" || isRetry) return { observation: failed(error), account };
      // The Secret is read again at once: with a rotated token the read succeeds, with the same one nothing is sent.
      reads.accounts.tokenRejected(account);
      return await observeOpen(options, await accessOf(reads, object, signal), { isRetry: true });
    }
  }
}

function isRead<O, N>(opened: O | TargetRead<O, N>): opened is TargetRead<O, N> {
  return typeof opened === "object" && opened !== null && "read" in opened;
}

function without<O>(observation: O): { readonly observation: O; readonly account: undefined } {
  return { observation, account: undefined };
}

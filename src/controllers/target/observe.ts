import { isNorthflankError, type NorthflankError } from "../../northflank/errors.ts";
import type { Account, Accounts } from "../account/accounts.ts";
import { prunedProblems, type SpecProblem } from "../reconcile/spec-validation.ts";
import { type Access, openAccess, restsFor } from "./conflicts.ts";
import { isAccepted, type TargetObject } from "./object.ts";
import type { Due } from "./poll-due.ts";
import type { NotDue, Unmet } from "./preconditions.ts";

/** What was observed, and the account that may be used to act on it. N: what a decision may need besides. */
export interface Observed<O, N = never> {
  readonly observation: O;
  readonly account: Account | undefined;
  /** Observes with what a decision on this observation needs. Missing: nothing more can be read. */
  readonly more?: (need: N) => Promise<Observed<O, N>>;
}

/** What a kind reads of its target. O: its observations; D: what its valid spec declares; N: see {@link Observed}. */
export interface TargetReads<T extends TargetObject, D extends object, O, N = never> {
  readonly accounts: Accounts;
  /** Objects of the kind that name the same target. */
  readonly sameTarget: (object: T) => readonly T[];
  /** Validates a spec that the API server accepted; fields that it dropped are added here. */
  readonly validate: (object: T) => readonly SpecProblem[];
  /** What the spec declares, or what is wrong with it besides. */
  readonly declared: (object: T) => { readonly declared: D } | { readonly problem: SpecProblem };
  /** Whether the target has to be read now, and how urgent that is. */
  readonly dueFor: (object: T, account: Account) => Due;
  /** What the object refers to in the cluster has to be compared although no read is due. */
  readonly watches: (object: T) => boolean;
  /** There is no usable account: what can be observed without one. */
  readonly blocked: (object: T, unmet: D & BlockedAccess, signal: AbortSignal) => Promise<O> | O;
  /** All preconditions hold. The answer is an observation without a request, or the request. */
  readonly open: (ready: Ready<T, D>) => Promise<O | TargetRead<O, N>>;
}

type BlockedAccess = Access & { readonly kind: "blocked" };

/** An object whose preconditions hold. */
export interface Ready<T, D> {
  readonly object: T;
  readonly declared: D;
  readonly account: Account;
  readonly due: Due;
  readonly signal: AbortSignal;
}

/** A request to Northflank that is to be sent now. */
export interface TargetRead<O, N = never> {
  readonly read: () => Promise<O>;
  /** Adds to what was read what a decision needs. */
  readonly more?: (before: O, need: N) => Promise<O>;
  readonly failed: (error: NorthflankError) => O;
}

/** How long a settled object has nothing to do, as far as that is known without any wait. */
export function restOf<T extends TargetObject, D extends object, O, N>(
  reads: Pick<TargetReads<T, D, O, N>, "accounts" | "sameTarget" | "dueFor" | "watches">,
  object: T,
): number | undefined {
  if (reads.watches(object)) return undefined;
  const { accounts } = reads;
  const sameTarget = reads.sameTarget(object);
  return restsFor({ accounts, sameTarget, dueFor: (account) => reads.dueFor(object, account) }, object);
}

/**
 * Checks the preconditions, cheapest first: the spec, the account, older objects for the target; and only when a read
 * is due sends requests to Northflank. A token that is rejected is read again once.
 *
 * *Errors*: whatever is no refusal of Northflank, such as `KubeError` when a Secret could not be read.
 */
export async function observeTarget<T extends TargetObject, D extends object, O, N = never>(
  reads: TargetReads<T, D, O, N>,
  object: T,
  signal: AbortSignal,
): Promise<Observed<O | Unmet<D> | NotDue, N>> {
  // Resolved once: a second call would use up the one probe that a rejected token has.
  const access = isAccepted(object) ? await accessOf(reads, object, signal) : undefined;
  const due = access?.kind === "open" ? reads.dueFor(object, access.account) : undefined;
  if (due?.kind === "rest" && !reads.watches(object)) return without(due);
  const problems = [...prunedProblems(object.prunedFields), ...reads.validate(object)];
  // A spec that does not fit its type cannot be used.
  if ((object.misfits?.spec.length ?? 0) > 0) return without({ kind: "invalid", problems });
  const result = reads.declared(object);
  if ("problem" in result) return without({ kind: "invalid", problems: [...problems, result.problem] });
  if (problems.length > 0) return without({ kind: "invalid", problems });
  const { declared } = result;
  if (object.spec.suspend === true) return without({ ...declared, kind: "suspended" });
  const observe = { reads, object, declared, signal };
  return await observeOpen(observe, access ?? (await accessOf(reads, object, signal)), false);
}

/** The account of an object, if there is one and no older object manages the same target in it. */
async function accessOf<T extends TargetObject, D extends object, O, N>(
  { accounts, sameTarget }: TargetReads<T, D, O, N>,
  object: T,
  signal: AbortSignal,
): Promise<Access> {
  return await openAccess({ accounts, sameTarget: sameTarget(object) }, object, signal);
}

async function observeOpen<T extends TargetObject, D extends object, O, N>(
  options: {
    readonly reads: TargetReads<T, D, O, N>;
    readonly object: T;
    readonly declared: D;
    readonly signal: AbortSignal;
  },
  access: Access,
  isRetry: boolean,
): Promise<Observed<O | Unmet<D> | NotDue, N>> {
  const { reads, object, declared, signal } = options;
  if (access.kind === "blocked") return without(await reads.blocked(object, { ...declared, ...access }, signal));
  if (access.kind === "conflict") return without({ ...declared, ...access });
  const { account } = access;
  const due = reads.dueFor(object, account);
  if (due.kind === "rest" && !reads.watches(object)) return without(due);
  const opened = await reads.open({ object, declared, account, due, signal });
  if (!isRead(opened)) return without(opened);
  const { failed, more } = opened;
  return await observed(opened.read);

  async function observed(read: () => Promise<O>): Promise<Observed<O | Unmet<D> | NotDue, N>> {
    try {
      const observation = await read();
      return { observation, account, ...(more && { more: (need) => observed(() => more(observation, need)) }) };
    } catch (error) {
      if (!isNorthflankError(error)) throw error;
      if (error.code !== "unauthorized" || isRetry) return { observation: failed(error), account };
      // The Secret is read again at once: with a rotated token the read succeeds, with the same one nothing is sent.
      reads.accounts.tokenRejected(account);
      return await observeOpen(options, await accessOf(reads, object, signal), true);
    }
  }
}

function isRead<O, N>(opened: O | TargetRead<O, N>): opened is TargetRead<O, N> {
  return typeof opened === "object" && opened !== null && "read" in opened;
}

function without<O>(observation: O): { readonly observation: O; readonly account: undefined } {
  return { observation, account: undefined };
}

// pure
import { backoffDelayMs } from "../util/backoff.ts";
import type { Random } from "../util/random.ts";
import type { NorthflankErrorCode } from "./errors.ts";

/**
 * What may be done twice. `read`: anything without effect. `idempotent`: a write that leads to the same state however
 * often it arrives. `once`: starting a run, which is never retried here.
 */
export type Repeatability = "read" | "idempotent" | "once";

interface RetryRule {
  /** How many times the call is tried in all. 1: the first failure is final. */
  readonly tries: Readonly<Record<Repeatability, number>>;
  /** Least delay before the next try, in milliseconds. */
  readonly floorMs: number;
  /** Upper bound of the delay; a longer `Retry-After` is left to the caller's queue. */
  readonly capMs: number;
}

const never: RetryRule = { tries: { read: 1, idempotent: 1, once: 1 }, floorMs: 0, capMs: 0 };

/**
 * The whole policy. A worker is held for a few seconds at most; everything longer goes back to the queue with
 * `retryAfterMs`. Quota answers are the ledger's business, and a timeout has held the worker long enough already.
 */
const rules: Readonly<Record<NorthflankErrorCode, RetryRule>> = {
  quota_closed: never,
  rate_limited: never,
  unauthorized: never,
  forbidden: never,
  not_found: never,
  gone: never,
  wrong_method: never,
  rejected: never,
  server_error: { tries: { read: 3, idempotent: 3, once: 1 }, floorMs: 200, capMs: 3_000 },
  unreachable: { tries: { read: 3, idempotent: 3, once: 1 }, floorMs: 100, capMs: 2_000 },
  // The far end may have done it: sending the same target state once more is harmless, three times is pressing.
  interrupted: { tries: { read: 3, idempotent: 2, once: 1 }, floorMs: 100, capMs: 2_000 },
  timeout: never,
  tls: never,
  redirect: never,
  protocol: never,
};

/** The most tries that any rule allows: the bound for whatever drives the retries. */
export const maxTries = 3;

const baseMs = 400;

/** A try that failed, as far as the policy asks. */
export interface FailedTry {
  readonly code: NorthflankErrorCode;
  readonly repeatability: Repeatability;
  /** Number of the try that failed, from 1. */
  readonly attempt: number;
  /** What the far end asked for, if it did. */
  readonly retryAfterMs: number | undefined;
}

export type RetryDecision = { readonly kind: "stop" } | { readonly kind: "retry"; readonly delayMs: number };

/**
 * Whether a failed call is retried within the same call, and after how long. Full jitter above the floor; a time
 * that the far end names is kept as it is, without jitter below it.
 */
export function decideRetry(failed: FailedTry, random: Random): RetryDecision {
  const rule = rules[failed.code];
  if (failed.attempt >= rule.tries[failed.repeatability]) return { kind: "stop" };
  if (failed.retryAfterMs !== undefined && failed.retryAfterMs > rule.capMs) return { kind: "stop" };
  const policy = { baseMs, factor: 2, capMs: rule.capMs, jitter: 1 };
  const delayMs = Math.max(backoffDelayMs(policy, failed.attempt, random), rule.floorMs, failed.retryAfterMs ?? 0);
  return { kind: "retry", delayMs };
}

/**
 * What is left for retries, in tenths of a retry (whole numbers, so that sums are exact): each first try earns one tenth,
 * each retry spends ten. When everything fails, retries stay at a tenth of the traffic instead of tripling it.
 */
export interface RetryBudget {
  readonly tenths: number;
}

const budgetCapTenths = 100;
/** What an account begins with: ten retries. */
export const fullRetryBudget: RetryBudget = { tenths: budgetCapTenths };

/** The budget after a first try. */
export function earnRetry(budget: RetryBudget): RetryBudget {
  return { tenths: Math.min(budget.tenths + 1, budgetCapTenths) };
}

/** The budget after one retry; `undefined` when there is nothing left to spend. */
export function spendRetry(budget: RetryBudget): RetryBudget | undefined {
  return budget.tenths >= 10 ? { tenths: budget.tenths - 10 } : undefined;
}

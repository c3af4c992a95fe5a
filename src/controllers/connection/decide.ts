// pure
import type { NorthflankConnection, NorthflankConnectionStatus } from "../../api/connection.ts";
import type { TokenNeed } from "../../api/northflank-calls.ts";
import type { NorthflankError } from "../../northflank/errors.ts";
import type { LedgerSnapshot } from "../../northflank/ledger.ts";
import type { TokenView } from "../../northflank/types.ts";
import { formatTime } from "../../runtime/conditions.ts";
import { assertNever } from "../../util/assert-never.ts";
import { jittered, notAtOnce } from "../../util/backoff.ts";
import { present } from "../../util/present.ts";
import type { Random } from "../../util/random.ts";
import type { FailureRecord } from "../reconcile/failure.ts";
import type { ConditionUpdate, ReadyState } from "../reconcile/ready-state.ts";
import { slowProbeMs } from "../reconcile/remote-error.ts";
import { judgeRemoteFailure } from "../reconcile/remote-failure.ts";
import type { Requeue } from "../reconcile/requeue.ts";
import { invalidSpecMessage } from "../reconcile/spec-validation.ts";
import { recheckSecretMs } from "../secrets/secret-tokens.ts";
import { budgetStatus } from "./budget-status.ts";
import type { NotificationsResult } from "./notifications-result.ts";
import type { Observation, TokenCheck } from "./observation.ts";
import { type TokenStatus, tokenStatusOf } from "./token-status.ts";

/** The result of an observation. There is nothing to execute: a connection changes nothing in Northflank. */
export interface Decision {
  /** `as-before`: Ready stays as it is, only the counters may move. */
  readonly readyState: ReadyState | "as-before";
  readonly credentialsValid: ConditionUpdate;
  readonly quotaAvailable: ConditionUpdate;
  readonly rateLimit: NorthflankConnectionStatus["rateLimit"];
  /** What is shown of it where the status is written anyway, or the token was checked. */
  readonly budget?: NorthflankConnectionStatus["budget"];
  /** Condition `NotificationsReady`; `undefined`, or not known yet: there is none. */
  readonly notificationsReady?: ConditionUpdate | undefined;
  /** Notifications that were received, and what is registered; `undefined` where there is neither. */
  readonly notifications?: NorthflankConnectionStatus["notifications"];
  readonly dependents: number;
  /** Address and team that Northflank has answered for; `undefined`: as before. */
  readonly acceptedFor?: string | undefined;
  /** The version of the Secret that was accepted; `as-before` when none was. */
  readonly acceptedSecret: string | undefined | "as-before";
  /**
   * What Northflank returned for the token; `as-before` when it was not called, or returned nothing for the same one.
   */
  readonly token: TokenStatus | "as-before";
  /** What the objects that use the connection need of the token. */
  readonly needs: readonly TokenNeed[];
  readonly failure: FailureRecord | undefined | "as-before";
  /** When the token is to be checked again, in milliseconds; `undefined` when no check was made. */
  readonly checkAgainMs: number | undefined;
  /** When the Secret and the counters are read again. */
  readonly next: Requeue;
}

interface DecideInput {
  readonly object: NorthflankConnection;
  readonly observation: Observation;
  readonly now: number;
  readonly random: Random;
  /** How often an accepted token is checked again. */
  readonly validationPeriodMs: number;
  /** What became of the notification integration; missing: nothing was seen. */
  readonly notifications?: NotificationsResult | undefined;
}

/** The result of an observation, without what every one says of the account and of the objects that use it. */
type Result = Pick<Decision, "readyState" | "credentialsValid" | "next"> & Partial<Decision>;

/** Decides on one observation of a connection. */
export function decide(input: DecideInput): Decision {
  const { object, observation, now } = input;
  const { dependents, needs = [], quota, acceptedFor } = observation;
  return {
    ...{ dependents, needs, acceptedFor },
    quotaAvailable: quotaCondition(quota, now),
    rateLimit: rateLimitOf(quota, object.status?.rateLimit, now),
    budget: budgetStatus(quota, observation.pace, object.status?.budget),
    notificationsReady: notificationsReadyOf(input),
    notifications: notificationsOf(input),
    ...{ token: "as-before", acceptedSecret: "as-before", failure: undefined, checkAgainMs: undefined },
    ...resultOf(input),
  };
}

function resultOf(input: DecideInput): Result {
  const { object, observation, now, random } = input;
  const readSecretMs = Math.round(jittered(recheckSecretMs * 0.9, 0.1, random));
  const next = { kind: "recheck", afterMs: readSecretMs } as const;
  switch (observation.kind) {
    case "invalid": {
      const message = invalidSpecMessage(observation.problems);
      const readyState = { kind: "stalled", reason: "InvalidSpec", message } as const;
      return { readyState, credentialsValid: unknownBecause(readyState), next: { kind: "never" } };
    }
    case "suspended": {
      const message =
        "Reconciliation is suspended: the token is not checked, and nothing is sent for the objects that use this " +
        "connection. Set spec.suspend to false to resume.";
      const readyState = { kind: "suspended", reason: "Suspended", message } as const;
      return { readyState, credentialsValid: "as-before", next: { kind: "never" } };
    }
    case "rest":
      return { readyState: "as-before", credentialsValid: "as-before", failure: "as-before", next };
    case "blocked": {
      const { recheckAfterMs, pause } = observation;
      const readyState = withExpiry(observation.readyState, object, now);
      const afterMs = notAtOnce(Math.min(recheckAfterMs, readSecretMs));
      return {
        readyState,
        credentialsValid: credentialsAfter(readyState),
        next: { ...next, afterMs, ...(pause && { pause }) },
      };
    }
    case "checked": {
      const { check, secretResourceVersion } = observation;
      if (check.kind === "failed") return failedCheck(input, check.error, readSecretMs);
      const token = check.kind === "accepted" ? check.token : undefined;
      return {
        ...acceptance(check, now),
        acceptedSecret: secretResourceVersion,
        token: tokenStatusNow(object, token, secretResourceVersion),
        checkAgainMs: Math.round(jittered(input.validationPeriodMs, 0.2, random)),
        next,
      };
    }
    default:
      return assertNever(observation, "observation");
  }
}

function acceptance(check: Exclude<TokenCheck, { kind: "failed" }>, now: number) {
  if (check.kind === "unsupported" && !check.isAccepted) {
    const message =
      "The API has no call that checks a token; the first ordinary call of an object that uses this connection shows " +
      "whether it is accepted.";
    const readyState = { kind: "ready", reason: "Progressing", message } as const;
    return { readyState, credentialsValid: unknownBecause(readyState) };
  }
  const expiry = check.kind === "accepted" ? expiryText(check.token?.expiresAt, now) : "";
  const valid = { reason: "Valid", message: `Northflank accepted the token${expiry}.` } as const;
  return { readyState: { kind: "ready", ...valid }, credentialsValid: { status: "True", ...valid } } as const;
}

function expiryText(expiresAt: string | undefined, now: number): string {
  const timeMs = expiresAt === undefined ? Number.NaN : Date.parse(expiresAt);
  if (Number.isNaN(timeMs)) return "";
  return timeMs > now
    ? `, which expires at ${formatTime(timeMs)}`
    : `, and reports that it expired at ${formatTime(timeMs)}`;
}

/** Where nothing is returned, what was returned for the same token before stays. */
function tokenStatusNow(
  { status }: NorthflankConnection,
  token: TokenView | undefined,
  secretResourceVersion: string | undefined,
): TokenStatus | "as-before" {
  if (token !== undefined) return tokenStatusOf(token);
  const isSame = secretResourceVersion !== undefined && status?.tokenSecretResourceVersion === secretResourceVersion;
  return isSame ? "as-before" : {};
}

function failedCheck({ object, now, random }: DecideInput, error: NorthflankError, readSecretMs: number): Result {
  const judged = judgeRemoteFailure({ error, previous: object.status?.failure, now, random });
  const { failure, next } = judged;
  const readyState = withExpiry(judged.readyState, object, now);
  const result = { readyState, credentialsValid: credentialsAfter(readyState), failure };
  if (next.kind === "backoff") return { ...result, checkAgainMs: 0, next };
  // The same token is not sent again soon, however often the Secret is read for another one.
  const probeMs = error.code === "unauthorized" ? Math.round(jittered(slowProbeMs, 0.2, random)) : next.afterMs;
  return {
    ...result,
    failure: failure && { ...failure, nextTryTime: formatTime(now + probeMs) },
    checkAgainMs: probeMs,
    next: { ...next, afterMs: notAtOnce(Math.min(next.afterMs, readSecretMs)) },
  };
}

/** Says why a token was rejected, where that is known. */
function withExpiry(readyState: ReadyState, { status }: NorthflankConnection, now: number): ReadyState {
  const time = status?.tokenExpirationTime;
  if (readyState.reason !== "AuthenticationFailed" || time === undefined || Date.parse(time) > now) return readyState;
  const message =
    `Northflank rejects the token (401); the one that was accepted last expired at ${time}. Put a valid token into the ` +
    "Secret: it is used within a minute.";
  return { ...readyState, message };
}

/** Only a 401 says that the token is bad; everything else says nothing about it, and what was known stays. */
function credentialsAfter(readyState: ReadyState): ConditionUpdate {
  const { kind, reason, message } = readyState;
  if (reason === "AuthenticationFailed") return { status: "False", reason, message };
  return kind === "stalled" ? unknownBecause(readyState) : "as-before";
}

function unknownBecause({ reason, message }: ReadyState) {
  return { status: "Unknown", reason, message } as const;
}

/** Condition `QuotaAvailable`. */
function quotaCondition(quota: LedgerSnapshot | undefined, now: number): ConditionUpdate {
  if (quota === undefined) return "as-before";
  if (quota.closedUntilMs === undefined || quota.closedUntilMs <= now) {
    return { status: "True", reason: "QuotaAvailable", message: "The account has requests left." };
  }
  const message =
    `The hourly quota of the account is spent or kept for people and CI; requests go out again at ` +
    `${formatTime(coarseTime(quota.closedUntilMs))}. Objects wait and stay as they are.`;
  return { status: "False", reason: "WaitingForQuota", message };
}

// `remaining` is shown in tenths of the limit: ten writes an hour at most, however many requests go out.
const quotaSteps = 10;

/** The figures as status shows them: coarse, and with the time of the last change of what is shown. */
function rateLimitOf(
  quota: LedgerSnapshot | undefined,
  before: NorthflankConnectionStatus["rateLimit"],
  now: number,
): NorthflankConnectionStatus["rateLimit"] {
  if (quota?.limit === undefined || quota.remaining === undefined) return before;
  const step = Math.max(1, Math.floor(quota.limit / quotaSteps));
  const remaining = Math.max(0, Math.floor(quota.remaining / step) * step);
  const limit = Math.floor(quota.limit);
  const resetTime = quota.resetAtMs === undefined ? undefined : formatTime(coarseTime(quota.resetAtMs));
  const isSame = before?.limit === limit && before.remaining === remaining && isNear(before.resetTime, quota.resetAtMs);
  return isSame ? before : present({ limit, remaining, resetTime, observedTime: formatTime(now) });
}

// They may come many times a minute.
const hintStepMs = 600_000;

function notificationsOf({
  object,
  observation,
  notifications,
}: DecideInput): NorthflankConnectionStatus["notifications"] {
  const before = object.status?.notifications;
  const seen = notifications?.integration ?? (notifications === undefined ? "as-before" : undefined);
  const integration = seen === "as-before" ? before?.integration : seen;
  const lastHintTime = lastHintTimeOf(observation.lastHintMs, before?.lastHintTime);
  return lastHintTime === undefined && integration === undefined ? undefined : present({ lastHintTime, integration });
}

function lastHintTimeOf(lastHintMs: number | undefined, before: string | undefined): string | undefined {
  if (lastHintMs === undefined) return before;
  return Math.abs(lastHintMs - Date.parse(before ?? "")) < hintStepMs ? before : formatTime(lastHintMs);
}

/** Stays while nothing is seen of it. */
function notificationsReadyOf({ object, notifications }: DecideInput): ConditionUpdate | undefined {
  if (notifications !== undefined) return notifications.condition;
  return object.spec.notifications === undefined ? undefined : "as-before";
}

/** Northflank's times vary by a second or two from answer to answer. */
function isNear(shown: string | undefined, timeMs: number | undefined): boolean {
  if (shown === undefined || timeMs === undefined) return shown === undefined && timeMs === undefined;
  return Math.abs(Date.parse(shown) - timeMs) < 120_000;
}

function coarseTime(timeMs: number): number {
  return Math.ceil(timeMs / 60_000) * 60_000;
}

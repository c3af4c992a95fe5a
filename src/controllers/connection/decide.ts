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
import type { ConditionUpdate, Verdict } from "../reconcile/ready-state.ts";
import { slowProbeMs } from "../reconcile/remote-error.ts";
import { judgeRemoteFailure } from "../reconcile/remote-failure.ts";
import type { Requeue } from "../reconcile/requeue.ts";
import { invalidSpecMessage } from "../reconcile/spec-validation.ts";
import { recheckSecretMs } from "../secrets/secret-tokens.ts";
import type { Observation, TokenCheck } from "./observation.ts";
import { type TokenStatus, tokenStatusOf } from "./token-status.ts";

/** What a pass has come to. There is nothing to execute: a connection changes nothing in Northflank. */
export interface Decision {
  /** `as-before`: Ready stays as it is, only the counters may move. */
  readonly verdict: Verdict | "as-before";
  readonly credentialsValid: ConditionUpdate;
  readonly quotaAvailable: ConditionUpdate;
  readonly rateLimit: NorthflankConnectionStatus["rateLimit"];
  readonly dependents: number;
  /** Address and team that Northflank has answered for; `undefined`: as before. */
  readonly acceptedFor?: string | undefined;
  /** The version of the Secret that was accepted; `as-before` when none was in this pass. */
  readonly acceptedSecret: string | undefined | "as-before";
  /** What Northflank tells of the token; `as-before` when it was not asked, or told nothing of the same token. */
  readonly token: TokenStatus | "as-before";
  /** What the objects that use the connection need of the token. */
  readonly needs: readonly TokenNeed[];
  readonly failure: FailureRecord | undefined | "as-before";
  /** When the token is to be checked again, in milliseconds; `undefined` when no check was made in this pass. */
  readonly checkAgainMs: number | undefined;
  /** When the next pass is to look at the Secret and the counters. */
  readonly next: Requeue;
}

/** What one observation of a connection means. */
export function decide(options: {
  readonly object: NorthflankConnection;
  readonly observation: Observation;
  readonly now: number;
  readonly random: Random;
  /** How often an accepted token is checked again. */
  readonly validationPeriodMs: number;
}): Decision {
  const { object, observation, now, random } = options;
  const { dependents, quota, acceptedFor } = observation;
  const soon = { kind: "recheck", afterMs: Math.round(jittered(recheckSecretMs * 0.9, 0.1, random)) } as const;
  const common = {
    dependents,
    needs: observation.needs ?? [],
    token: "as-before",
    ...(acceptedFor === undefined ? {} : { acceptedFor }),
    quotaAvailable: quotaClaim(quota, now),
    rateLimit: rateLimitOf(quota, object.status?.rateLimit, now),
    acceptedSecret: "as-before",
    checkAgainMs: undefined,
  } as const;
  switch (observation.kind) {
    case "invalid": {
      const message = invalidSpecMessage(observation.problems);
      const verdict = { kind: "stalled", reason: "InvalidSpec", message } as const;
      return {
        ...common,
        verdict,
        credentialsValid: unknownBecause(verdict),
        failure: undefined,
        next: { kind: "never" },
      };
    }
    case "suspended":
      return { ...common, ...suspended };
    case "rest":
      return { ...common, verdict: "as-before", credentialsValid: "as-before", failure: "as-before", next: soon };
    case "blocked": {
      const verdict = withExpiry(observation.verdict, object, now);
      const { recheckAfterMs, pause } = observation;
      const afterMs = notAtOnce(Math.min(recheckAfterMs, soon.afterMs));
      const next = { kind: "recheck", afterMs, ...(pause && { pause }) } as const;
      return { ...common, verdict, credentialsValid: claimWhenBlocked(verdict), failure: undefined, next };
    }
    case "checked":
      return { ...common, ...checked(options, observation, soon.afterMs) };
    default:
      return assertNever(observation, "observation");
  }
}

const suspended = {
  verdict: {
    kind: "suspended",
    reason: "Suspended",
    message:
      "Reconciliation is suspended: the token is not checked, and nothing is sent for the objects that use this connection. " +
      "Set spec.suspend to false to resume.",
  },
  credentialsValid: "as-before",
  failure: undefined,
  next: { kind: "never" },
} as const;

type Checked = Observation & { readonly kind: "checked" };
type Judged = Pick<Decision, "verdict" | "credentialsValid" | "failure">;

function checked(
  options: Parameters<typeof decide>[0],
  { check, secretResourceVersion }: Checked,
  soonMs: number,
): Judged & Pick<Decision, "checkAgainMs" | "next"> & Partial<Decision> {
  const { object, validationPeriodMs, random, now } = options;
  const good = {
    acceptedSecret: secretResourceVersion,
    checkAgainMs: Math.round(jittered(validationPeriodMs, 0.2, random)),
    next: { kind: "recheck", afterMs: soonMs },
  } as const;
  switch (check.kind) {
    case "accepted":
      return {
        ...accepted(check.token, now),
        ...good,
        token: tokenStatusNow(object, check.token, secretResourceVersion),
      };
    case "unsupported":
      return { ...unsupported(check, now), ...good, token: tokenStatusNow(object, undefined, secretResourceVersion) };
    case "failed":
      return refused(options, check.error, soonMs);
    default:
      return assertNever(check, "check of a token");
  }
}

/** Where nothing is told, what was told of the same token before stays. */
function tokenStatusNow(
  { status }: NorthflankConnection,
  token: TokenView | undefined,
  secretResourceVersion: string | undefined,
): TokenStatus | "as-before" {
  if (token !== undefined) return tokenStatusOf(token);
  const isSame = secretResourceVersion !== undefined && status?.tokenSecretResourceVersion === secretResourceVersion;
  return isSame ? "as-before" : {};
}

function accepted(token: TokenView | undefined, now: number): Judged {
  const message = `Northflank accepted the token${expiryText(token?.expiresAt, now)}.`;
  return {
    verdict: { kind: "ready", reason: "Valid", message },
    credentialsValid: { status: "True", reason: "Valid", message },
    failure: undefined,
  };
}

function expiryText(expiresAt: string | undefined, now: number): string {
  const timeMs = expiresAt === undefined ? Number.NaN : Date.parse(expiresAt);
  if (Number.isNaN(timeMs)) return "";
  return timeMs > now
    ? `, which expires at ${formatTime(timeMs)}`
    : `, and reports that it expired at ${formatTime(timeMs)}`;
}

/** Says why a token was rejected, where that is known. */
function withExpiry(verdict: Verdict, { status }: NorthflankConnection, now: number): Verdict {
  const time = status?.tokenExpirationTime;
  if (verdict.reason !== "AuthenticationFailed" || time === undefined || Date.parse(time) > now) return verdict;
  const message =
    `Northflank rejects the token (401); the one that was accepted last expired at ${time}. Put a valid token into the ` +
    "Secret: it is used within a minute.";
  return { ...verdict, message };
}

function unsupported({ isAccepted }: TokenCheck & { kind: "unsupported" }, now: number): Judged {
  if (isAccepted) return accepted(undefined, now);
  const message =
    "The API has no call that checks a token; the first ordinary call of an object that uses this connection shows whether " +
    "it is accepted.";
  return {
    verdict: { kind: "ready", reason: "Progressing", message },
    credentialsValid: { status: "Unknown", reason: "Progressing", message },
    failure: undefined,
  };
}

function refused(
  { object, now, random }: Parameters<typeof decide>[0],
  error: NorthflankError,
  soonMs: number,
): Judged & Pick<Decision, "checkAgainMs" | "next"> {
  const judged = judgeRemoteFailure({ error, previous: object.status?.failure, now, random });
  const { failure, next } = judged;
  const verdict = withExpiry(judged.verdict, object, now);
  const credentialsValid = claimWhenBlocked(verdict);
  if (next.kind === "backoff") return { verdict, credentialsValid, failure, checkAgainMs: 0, next };
  const wake = { ...next, afterMs: notAtOnce(Math.min(next.afterMs, soonMs)) };
  // The same token is not sent again soon, however often the Secret is looked at for another one.
  const probeMs = error.code === "unauthorized" ? Math.round(jittered(slowProbeMs, 0.2, random)) : next.afterMs;
  return { verdict, credentialsValid, failure, checkAgainMs: probeMs, next: wake };
}

/** Only a 401 says that the token is bad; everything else says nothing about it, and the last word stays. */
function claimWhenBlocked(verdict: Verdict): ConditionUpdate {
  if (verdict.reason === "AuthenticationFailed") {
    return { status: "False", reason: verdict.reason, message: verdict.message };
  }
  return verdict.kind === "stalled" ? unknownBecause(verdict) : "as-before";
}

function unknownBecause({ reason, message }: Verdict): ConditionUpdate {
  return { status: "Unknown", reason, message };
}

function quotaClaim(quota: LedgerSnapshot | undefined, now: number): ConditionUpdate {
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

/** Times of the far end wobble by a second or two from answer to answer. */
function isNear(shown: string | undefined, timeMs: number | undefined): boolean {
  if (shown === undefined || timeMs === undefined) return shown === undefined && timeMs === undefined;
  return Math.abs(Date.parse(shown) - timeMs) < 120_000;
}

function coarseTime(timeMs: number): number {
  return Math.ceil(timeMs / 60_000) * 60_000;
}

// pure
import type { Reason } from "../../api/reasons.ts";
import type { Denial, NorthflankError, NorthflankErrorCode } from "../../northflank/errors.ts";
import { notAtOnce } from "../../util/backoff.ts";
import type { Random } from "../../util/random.ts";
import type { FailureClass } from "./failure.ts";
import type { ReadyState } from "./ready-state.ts";
import { probeAround, type Requeue } from "./requeue.ts";

/** What a refused or lost call means for the object that it was sent for. */
export interface RemoteFailureState {
  readonly readyState: ReadyState;
  /** `undefined` for waiting, which is not a failure and leaves no record in `status.failure`. */
  readonly failureClass: FailureClass | undefined;
  readonly httpStatus: number | undefined;
  readonly next: Extract<Requeue, { readonly kind: "recheck" | "backoff" }>;
}

/** Pause between the slow probes of a stalled object, before jitter of ±20 %. */
export const slowProbeMs = 3_600_000;

interface Treatment {
  readonly kind: "waiting" | "retrying" | "stalled";
  readonly reason: Reason;
  /** The second sentence of the message: why, or what to do. `undefined` where the retry is all there is to do. */
  readonly remedy?: string;
  /** First and longest pause between the probes of a stalled object. */
  readonly probeMs: readonly [firstMs: number, longestMs: number];
}

const hourly = [slowProbeMs, slowProbeMs] as const;

// What may be there a moment later (created by the same commit, a proxy that failed for a minute) is probed soon at
// first.
const soonThenMinutes = [15_000, 300_000] as const;
const soonThenMinute = [1_000, 60_000] as const;
const soonThenHourly = [60_000, slowProbeMs] as const;

const transient = { kind: "retrying", probeMs: hourly } as const;
const stalled = { kind: "stalled", probeMs: hourly } as const;
const noQuota = {
  kind: "waiting",
  reason: "WaitingForQuota",
  remedy: "The request quota allows no such request now.",
  probeMs: hourly,
} as const;
const wrongFarEnd = {
  ...stalled,
  reason: "RemoteMisconfigured",
  probeMs: soonThenHourly,
  remedy: "Check spec.apiURL of the connection and any proxy in between.",
} as const;

/** The whole table: one row per code, so that a new code does not compile until it has one. */
const treatments: Readonly<Record<NorthflankErrorCode, Treatment>> = {
  quota_closed: noQuota,
  rate_limited: noQuota,
  unauthorized: {
    ...stalled,
    reason: "AuthenticationFailed",
    // Cheap: the account decides by the Secret whether anything is sent.
    probeMs: soonThenMinute,
    remedy: "Put a valid token into the Secret of the connection; it is used within a minute.",
  },
  forbidden: {
    ...stalled,
    reason: "PermissionDenied",
    remedy: "Grant the token's role the permission for this call.",
  },
  not_found: {
    ...stalled,
    reason: "TargetNotFound",
    probeMs: soonThenMinutes,
    remedy: "Check the ids and the team of the connection, or create the target.",
  },
  gone: { ...stalled, reason: "TargetNotFound", remedy: "The target was removed; point the object at another one." },
  rejected: {
    ...stalled,
    reason: "RequestRejected",
    remedy: "Change the spec; the same request would be refused again.",
  },
  wrong_method: wrongFarEnd,
  redirect: wrongFarEnd,
  protocol: wrongFarEnd,
  tls: { ...wrongFarEnd, remedy: "Check the certificate of the API host and the CA bundle of the operator." },
  server_error: { ...transient, reason: "RemoteUnavailable" },
  unreachable: {
    ...transient,
    reason: "RemoteUnavailable",
    remedy: "If it lasts, check DNS, network policies and firewalls.",
  },
  interrupted: { ...transient, reason: "RemoteUnavailable" },
  timeout: { ...transient, reason: "RequestTimeout" },
};

/**
 * What a failed call means. `failures` is how many attempts failed alike before this one (0 for the first): it makes
 * the probes of a missing target rise from seconds to minutes.
 *
 * *Guarantees*: total over the codes; waiting only for quota; every pause is jittered and finite; the message carries
 * the step and what the API said, never a body or a value.
 */
export function judgeRemoteError(options: {
  readonly error: NorthflankError;
  readonly failures: number;
  readonly random: Random;
  /** What to do about it, where that is not what the table says: an object whose spec cannot be changed. */
  readonly remedy?: string | undefined;
}): RemoteFailureState {
  const { error, random } = options;
  const { kind, reason, probeMs, ...treatment } = treatmentOf(error);
  const remedy = options.remedy ?? treatment.remedy;
  const message = remedy === undefined ? saidOf(error) : `${saidOf(error)} ${remedy}`;
  const common = { readyState: { kind, reason, message }, httpStatus: error.httpStatus };
  switch (kind) {
    case "waiting": {
      const pauseMs = notAtOnce(error.retryAfterMs ?? unknownResetMs);
      return {
        ...common,
        failureClass: undefined,
        // The ledger has spread its own answers already.
        next: {
          kind: "recheck",
          afterMs: error.code === "quota_closed" ? pauseMs : spread(pauseMs, random),
          pause: { inMs: coarse(pauseMs) },
        },
      };
    }
    case "retrying":
      return {
        ...common,
        failureClass: "Transient",
        next: { kind: "backoff", notBeforeMs: error.retryAfterMs },
      };
    case "stalled": {
      const [firstMs, longestMs] = probeMs;
      const pauseMs = Math.min(firstMs * 2 ** Math.min(options.failures, 16), longestMs);
      return {
        ...common,
        failureClass: "Terminal",
        next: probeAround(pauseMs, random),
      };
    }
  }
}

/** A refusal with a known cause. One without a cause may be transient. */
const denials: Readonly<Record<Denial, Partial<Treatment>>> = {
  permission: { remedy: "Grant it to the token's role." },
  feature: { remedy: "Ask Northflank to enable the feature for the account." },
  unexplained: { remedy: "Check the role of the token, and spec.teamId of the connection.", probeMs: soonThenHourly },
};

/** 409 often is the other half of an ordering problem: what is there is read again soon, and may be right by then. */
function treatmentOf(error: NorthflankError): Treatment {
  const treatment = { ...treatments[error.code], ...(error.denial === undefined ? {} : denials[error.denial]) };
  return error.code === "rejected" && error.httpStatus === 409 ? { ...treatment, probeMs: soonThenHourly } : treatment;
}

// A refusal for quota that does not say until when.
const unknownResetMs = 60_000;

// One spent window holds back many objects; they must not all come back in the second it opens.
const longestSpreadMs = 60_000;

/** Whole minutes, from one minute on. */
function coarse(pauseMs: number): number {
  const unitMs = pauseMs < 60_000 ? 1_000 : 60_000;
  return Math.ceil(pauseMs / unitMs) * unitMs;
}

function spread(pauseMs: number, random: Random): number {
  return pauseMs + Math.min(longestSpreadMs, Math.max(pauseMs, 1_000)) * random();
}

function saidOf(error: NorthflankError): string {
  const fields = error.fields.length === 0 ? "" : ` (fields: ${error.fields.join(", ")})`;
  const text = `${error.statement}${fields}`;
  const sentence = `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
  return /[.!?…]$/.test(sentence) ? sentence : `${sentence}.`;
}

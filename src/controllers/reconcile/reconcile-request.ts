// pure
import { fluxRequestedAt, reconcileRequestedAt } from "../../api/names.ts";
import type { Reason } from "../../api/reasons.ts";
import { capped } from "../../runtime/conditions.ts";
import type { Planned } from "./poll-schedule.ts";

// A time has about 30 characters. A longer value still works as a token: it is compared and echoed cut.
const maxTokenLength = 128;

/**
 * The request that an object carries now, or `undefined`. With both annotations set, the later time counts; when one of
 * them is not a time, our own counts, so that two tokens can never take turns for ever.
 */
export function reconcileRequest(metadata: {
  readonly annotations?: Readonly<Record<string, string>>;
}): string | undefined {
  const own = tokenOf(metadata.annotations?.[reconcileRequestedAt]);
  const flux = tokenOf(metadata.annotations?.[fluxRequestedAt]);
  if (own === undefined || flux === undefined) return own ?? flux;
  return Date.parse(flux) > Date.parse(own) ? flux : own;
}

/** True when the object carries a request that no reconcile has answered yet. */
export function isReconcileRequested(object: {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly status?: { readonly lastHandledReconcileAt?: string };
}): boolean {
  const request = reconcileRequest(object.metadata);
  return request !== undefined && request !== object.status?.lastHandledReconcileAt;
}

// A request that is changed many times a second costs one poll in this time.
const betweenRequestsMs = 5_000;

/**
 * How long a request that this process has not attempted yet has to wait, in milliseconds, because the last poll is too
 * short ago; `undefined` where there is none. One that was attempted and is still open waits for its next attempt like
 * anything else: an API that is down is not called every few seconds.
 */
export function newRequestWaitMs(
  object: Parameters<typeof isReconcileRequested>[0],
  planned: Pick<Planned, "request" | "sincePollMs">,
): number | undefined {
  if (!isReconcileRequested(object) || planned.request === reconcileRequest(object.metadata)) return undefined;
  return Math.max(0, betweenRequestsMs - (planned.sincePollMs ?? betweenRequestsMs));
}

/** Northflank could not be called, or has not answered; the call is retried without a change of the object. */
const unanswered: ReadonlySet<Reason> = new Set(["WaitingForQuota", "RemoteUnavailable", "RequestTimeout"]);

/** Whether a reconcile with this reason leaves a request open: what it requests is still to come. */
export function leavesRequestOpen(reason: Reason): boolean {
  return unanswered.has(reason);
}

/**
 * `status.lastHandledReconcileAt` after a reconcile with this reason. A request is acknowledged when Northflank was
 * asked and has answered, be it with a refusal, and where nothing can be asked until something changes.
 */
export function handledRequest(
  { metadata, status }: Parameters<typeof isReconcileRequested>[0],
  reason: Reason | undefined,
): string | undefined {
  const before = status?.lastHandledReconcileAt;
  return reason !== undefined && leavesRequestOpen(reason) ? before : (reconcileRequest(metadata) ?? before);
}

function tokenOf(value: string | undefined): string | undefined {
  return value === undefined || value === "" ? undefined : capped(value, maxTokenLength);
}

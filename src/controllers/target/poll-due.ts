import type { Reason } from "../../api/reasons.ts";
import type { RequestClass } from "../../northflank/client.ts";
import type { Account } from "../account/accounts.ts";
import type { Check, Planned, PollSchedule, Scheduled } from "../reconcile/poll-schedule.ts";
import { isSettled, readyReason } from "../reconcile/ready-state.ts";
import { isReconcileRequested, newRequestWaitMs } from "../reconcile/reconcile-request.ts";
import { isAcknowledged, type TargetObject } from "./object.ts";

/** Whether the target has to be read in this reconcile, and how urgent that is. */
export type Due =
  | { readonly kind: "rest"; readonly dueInMs: number }
  /** `isHinted`: something may have changed a moment ago, so that no answer from before will do. */
  | { readonly kind: "read"; readonly class: RequestClass; readonly isHinted?: true };

/** The same, where a list may do: it shows whether the target was changed. */
export type DueOrList = Due | Extract<Check, { readonly kind: "list" }>;

/** What only a kind knows of whether a read is due. */
export interface DueFacts {
  /** For reasons that only one kind has: whether what it held back may continue; `undefined` for any other reason. */
  readonly isOver?: (reason: string) => boolean | undefined;
  /** Something is under way at Northflank, and followed to its end. */
  readonly isFollowed?: boolean;
  /** Northflank is trusted to report the end of that. Default: it is not. */
  readonly isEndReported?: (account: Account) => boolean;
  /** Something is recorded, and is to be sent now. */
  readonly isPending?: boolean;
  /**
   * Asked of an object that is settled by its conditions: whether its status holds the record that goes with them. One
   * of an older version, or that was edited or copied, confirms nothing. Default: it does.
   */
  readonly isRecorded?: () => boolean;
}

interface DueDeps extends DueFacts {
  readonly schedule: PollSchedule;
  readonly account: Account;
  readonly scheduled: Pick<Scheduled, "key" | "uid" | "periodMs" | "share">;
}

/** Judges whether a read is due. */
export function dueRead(deps: DueDeps, object: TargetObject): DueOrList {
  const isDone = isSettled(object);
  const scheduled = {
    ...deps.scheduled,
    isSettled: isDone,
    isFollowed: deps.isFollowed === true || deps.isPending === true,
    isEndReported: deps.isEndReported?.(deps.account) === true,
    plannedTime: object.status?.nextReconcileTime,
  };
  const planned = deps.schedule.planned(scheduled);
  const urgent = { kind: "read", class: "change" } as const;
  // Without Ready the status was wiped or edited: it is written anew.
  if (!isAcknowledged(object) || readyReason(object) === undefined) return urgent;
  const isRequested = isReconcileRequested(object);
  const requestWaitMs = newRequestWaitMs(object, planned);
  if (requestWaitMs !== undefined) return requestWaitMs > 0 ? { kind: "rest", dueInMs: requestWaitMs } : urgent;
  // Once per process: where the record cannot be stored, the target is read like any other from then on.
  if (isDone && planned.sincePollMs === undefined && deps.isRecorded?.() === false) return urgent;
  if (!isDone && hasOpened(deps, object, planned)) return urgent;
  if (planned.dueInMs > 0) return { kind: "rest", dueInMs: planned.dueInMs };
  const observed = { kind: "read", class: "observe" } as const;
  if (isDone && isRequested) return urgent;
  // Of what was heard no list says more than the target itself.
  if (isDone) return planned.isHinted ? observed : checkAsDue(deps.schedule.checkOf(scheduled));
  if (deps.isFollowed === true) return { kind: "read", class: "run", ...(planned.isHinted && { isHinted: true }) };
  return planned.isHinted ? observed : urgent;
}

function checkAsDue(check: Check): DueOrList {
  return check.kind === "read" ? { kind: "read", class: "observe" } : check;
}

/** How often a Ready object is compared with what it refers to in the cluster; `undefined` for all others. */
export function comparePeriodMs<T extends TargetObject>(
  object: T,
  reads: { readonly comparePeriodMs?: ((object: T) => number | undefined) | undefined },
): number | undefined {
  return isSettled(object) ? reads.comparePeriodMs?.(object) : undefined;
}

/** The time between two checks of a settled target, in milliseconds, where requests suffice; 0 = never. */
export function resyncPeriodMs({ spec }: TargetObject, defaultMs: number): number {
  return spec.resyncPeriodSeconds === undefined ? defaultMs : spec.resyncPeriodSeconds * 1_000;
}

/** Reasons that are found without asking Northflank: what they held back is due as soon as they no longer hold. */
const foundWithoutRead: ReadonlySet<string> = new Set<Reason>([
  "InvalidSpec",
  "Suspended",
  "TargetConflict",
  "ConnectionNotFound",
  "ConnectionSuspended",
  "WaitingForConnection",
  "ProjectNotAllowed",
  "SecretNotFound",
  "SecretKeyMissing",
  "SecretInvalid",
  "AuthenticationFailed",
]);

/** What kept the object from being settled may be over: it is no longer held back, or its account has changed. */
function hasOpened({ account, isOver }: DueDeps, object: TargetObject, { accountVersion }: Planned): boolean {
  if (accountVersion !== undefined && accountVersion !== account.version) return true;
  const reason = readyReason(object) ?? "";
  const own = isOver?.(reason);
  if (own !== undefined) return own;
  // Said of a Secret that the operator may not read, it is found without a read; of a call, it leaves a failure behind.
  if (reason === "PermissionDenied") return object.status?.failure === undefined;
  return foundWithoutRead.has(reason);
}

import type { NorthflankConnection } from "../../api/connection.ts";
import { northflankConnections } from "../../api/names.ts";
import type { TokenNeed } from "../../api/northflank-calls.ts";
import type { CallOptions } from "../../northflank/client.ts";
import { isNorthflankError } from "../../northflank/errors.ts";
import type { LedgerSnapshot } from "../../northflank/ledger.ts";
import { type ObjectKey, objectKey } from "../../runtime/outcome.ts";
import type { Account } from "../account/accounts.ts";
import type { ConnectionAccounts, OpenedAccount } from "../account/connection-accounts.ts";
import type { Planned, PollSchedule } from "../reconcile/poll-schedule.ts";
import { readyReason } from "../reconcile/ready-state.ts";
import { newRequestWaitMs } from "../reconcile/reconcile-request.ts";
import { prunedProblems, type SpecProblem } from "../reconcile/spec-validation.ts";
import { spenderOf } from "../reconcile/spender.ts";
import type { AccountPace } from "./budget-status.ts";
import type { Observation, Surroundings, TokenCheck } from "./observation.ts";
import { isAccepted } from "./status.ts";

export interface ObserveDeps {
  readonly accounts: ConnectionAccounts;
  /** Validates a spec that the API server accepted; fields that it dropped are added here. */
  readonly validate: (object: NorthflankConnection) => readonly SpecProblem[];
  /** How many objects use the connection. */
  readonly dependents: (key: ObjectKey) => number;
  /** What the objects that use the connection need of its token. Default: nothing. */
  readonly needs?: (key: ObjectKey) => readonly TokenNeed[];
  /** The ledger of a pool; `undefined` before its first call. */
  readonly quota: (pool: string) => LedgerSnapshot | undefined;
  /** How much less often than usual an account is asked. Default: not known. */
  readonly pace?: (account: Account) => AccountPace;
  readonly schedule: PollSchedule;
  /** When a notification was received last, in ms since the epoch; `undefined` if this process had none. */
  readonly lastHintMs?: (key: ObjectKey) => number | undefined;
  /** How often an accepted token is checked again where `spec.validationPeriodSeconds` is missing, in milliseconds. */
  readonly validationPeriodMs: number;
}

export interface Observed {
  readonly observation: Observation;
  /** What the token was checked with, for the schedule; `undefined` when it was not checked. */
  readonly checkedVersion: string | undefined;
}

type Usable = OpenedAccount & { readonly kind: "usable" };

/**
 * Gathers what a reconcile of a connection decides on. The Secret is read (from a cache of a minute, but at once on
 * request); the token is checked with one request when the spec, the Secret or the account has changed, on request, or
 * when the period is over.
 *
 * *Errors*: whatever is no refusal of Northflank, such as `KubeError` when the Secret could not be read.
 */
export async function observe(deps: ObserveDeps, object: NorthflankConnection, signal: AbortSignal): Promise<Observed> {
  const problems = [...prunedProblems(object.prunedFields), ...deps.validate(object)];
  const alone = surroundings(deps, object);
  if (problems.length > 0) return unchecked({ kind: "invalid", problems, ...alone });
  if (object.spec.suspend === true) return unchecked({ kind: "suspended", ...alone });
  const planned = plannedCheck(deps, object);
  const isRequested = newRequestWaitMs(object, planned) !== undefined;
  const opened = await deps.accounts.open(object, { probe: false, fresh: isRequested }, signal);
  if (opened.kind === "usable") {
    if (isRequested || isCheckDue(object, opened, planned)) return await checkToken(deps, object, opened, signal);
    return unchecked({ kind: "rest", ...surroundings(deps, object, opened.account) });
  }
  // A token that was refused before is checked again by the slow probe, and on request.
  const isProbe = opened.readyState.reason === "AuthenticationFailed" && (isRequested || planned.dueInMs === 0);
  const probed = isProbe ? await deps.accounts.open(object, { probe: true }, signal) : opened;
  if (probed.kind === "blocked") return unchecked({ ...probed, ...alone });
  return await checkToken(deps, object, probed, signal);
}

async function checkToken(
  deps: ObserveDeps,
  object: NorthflankConnection,
  first: Usable,
  signal: AbortSignal,
): Promise<Observed> {
  // Only the check of a connection that is Ready can wait for quota.
  const spender = spenderOf(northflankConnections, object);
  const call = { class: isAccepted(object) ? "observe" : "change", spender, signal } as const;
  let opened = first;
  let check = await whoAmI(deps, opened.account, call);
  if (check.kind === "failed" && check.error.code === "unauthorized") {
    // The Secret is read again at once: a token that was rotated a moment ago is checked in this very reconcile.
    const again = await deps.accounts.open(object, { probe: false }, signal);
    if (again.kind === "usable") {
      opened = again;
      check = await whoAmI(deps, opened.account, call);
    }
  }
  const { account, secretResourceVersion } = opened;
  return {
    observation: { kind: "checked", check, secretResourceVersion, ...surroundings(deps, object, account, check) },
    checkedVersion: versionOf(opened),
  };
}

async function whoAmI({ accounts }: ObserveDeps, account: Account, call: CallOptions): Promise<TokenCheck> {
  try {
    const token = await account.api.whoAmI(call);
    if (token === undefined) return { kind: "unsupported", isAccepted: accounts.isAccepted(account) };
    return { kind: "accepted", token };
  } catch (error) {
    if (!isNorthflankError(error)) throw error;
    // Permissions are checked after the token.
    if (error.code === "forbidden") return { kind: "accepted", token: undefined };
    return { kind: "failed", error };
  }
}

/** Whether an account that can be used has to be checked now, without a request for it. */
function isCheckDue(object: NorthflankConnection, opened: Usable, planned: Planned): boolean {
  const { metadata, status } = object;
  if (status?.observedGeneration !== metadata.generation || planned.dueInMs === 0) return true;
  // The status was wiped or edited: only a check can say again what Ready is.
  if (readyReason(object) === undefined) return true;
  // What was in the way of a check, or of the same token, no longer is.
  if (status?.tokenCheck === "NotChecked" || status?.tokenCheck === "Refused") return true;
  if (planned.accountVersion !== undefined) return planned.accountVersion !== versionOf(opened);
  // The first reconcile of this process: the Secret may have changed since the last one of another.
  return status?.tokenSecretResourceVersion !== opened.secretResourceVersion;
}

type ScheduleDeps = Pick<ObserveDeps, "schedule" | "validationPeriodMs">;

function plannedCheck(deps: ScheduleDeps, object: NorthflankConnection): Planned {
  return deps.schedule.planned({
    key: objectKey(object.metadata),
    uid: object.metadata.uid,
    isSettled: isAccepted(object),
    plannedTime: object.status?.nextReconcileTime,
    periodMs: validationPeriodMs(deps, object),
  });
}

/** How often the accepted token of this connection is checked again, in milliseconds. */
export function validationPeriodMs(deps: ScheduleDeps, { spec }: Pick<NorthflankConnection, "spec">): number {
  return spec.validationPeriodSeconds === undefined ? deps.validationPeriodMs : spec.validationPeriodSeconds * 1_000;
}

/** How long a request must wait because the last check is too short ago, in milliseconds; 0 when it need not. */
export function requestWaitMs(deps: ScheduleDeps, object: NorthflankConnection): number {
  if (object.status?.observedGeneration !== object.metadata.generation) return 0;
  return newRequestWaitMs(object, plannedCheck(deps, object)) ?? 0;
}

function versionOf({ account, secretResourceVersion }: Usable): string {
  return `${account.version} ${secretResourceVersion ?? ""}`;
}

function surroundings(
  deps: ObserveDeps,
  { metadata, status }: NorthflankConnection,
  account?: Account,
  check?: TokenCheck,
): Surroundings {
  const key = objectKey(metadata);
  const isReturned = check?.kind === "accepted" && check.token?.permissions !== undefined;
  // Going through the objects of a connection is worth its time only where something is known to compare them with.
  const needs = isReturned || status?.grantedPermissions !== undefined ? (deps.needs?.(key) ?? []) : [];
  return {
    dependents: deps.dependents(key),
    needs,
    lastHintMs: deps.lastHintMs?.(key),
    quota: account && deps.quota(account.pool),
    pace: account && deps.pace?.(account),
    // Without a team the token itself says whose account it is.
    ...(account?.team !== undefined && account.isProven === true ? { acceptedFor: account.address } : {}),
  };
}

function unchecked(observation: Observation): Observed {
  return { observation, checkedVersion: undefined };
}

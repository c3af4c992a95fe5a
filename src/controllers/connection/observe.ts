import type { NorthflankConnection } from "../../api/connection.ts";
import type { TokenNeed } from "../../api/northflank-calls.ts";
import type { CallOptions } from "../../northflank/client.ts";
import { isNorthflankError } from "../../northflank/errors.ts";
import type { LedgerSnapshot } from "../../northflank/ledger.ts";
import { type ObjectKey, objectKey } from "../../runtime/outcome.ts";
import type { Account } from "../account/accounts.ts";
import type { ConnectionAccounts } from "../account/connection-accounts.ts";
import type { LookSchedule } from "../reconcile/poll-schedule.ts";
import { isReconcileRequested, reconcileRequest } from "../reconcile/reconcile-request.ts";
import { prunedProblems, type SpecProblem } from "../reconcile/spec-validation.ts";
import type { Observation, Surroundings, TokenCheck } from "./observation.ts";
import { isAccepted } from "./status.ts";

export interface ObserveDeps {
  readonly accounts: ConnectionAccounts;
  /** Judges a spec that the API server let in; fields that it dropped are added here. */
  readonly validate: (object: NorthflankConnection) => readonly SpecProblem[];
  /** How many objects use the connection. */
  readonly dependents: (key: ObjectKey) => number;
  /** What the objects that use the connection need of its token. Default: nothing. */
  readonly needs?: (key: ObjectKey) => readonly TokenNeed[];
  /** The ledger of a pool; `undefined` before its first call. */
  readonly quota: (pool: string) => LedgerSnapshot | undefined;
  readonly schedule: LookSchedule;
  /** How often an accepted token is checked again where `spec.validationPeriodSeconds` is missing, in milliseconds. */
  readonly validationPeriodMs: number;
}

export interface Observed {
  readonly observation: Observation;
  /** What the token was checked with, for the schedule; `undefined` when it was not checked. */
  readonly checkedVersion: string | undefined;
}

type Opened = Awaited<ReturnType<ConnectionAccounts["open"]>>;
type Usable = Opened & { readonly kind: "usable" };

/**
 * Gathers what a pass over a connection decides on. The Secret is read (from a cache of a minute, but at once when
 * somebody asks); the token is checked with one request when the spec, the Secret or the account has changed, somebody
 * asks for it, or the period is over.
 *
 * *Errors*: whatever is no refusal of Northflank, such as `KubeError` when the Secret could not be asked for.
 */
export async function observe(deps: ObserveDeps, object: NorthflankConnection, signal: AbortSignal): Promise<Observed> {
  const problems = [...prunedProblems(object.prunedFields), ...deps.validate(object)];
  const alone = { ...users(deps, object), quota: undefined };
  if (problems.length > 0) return unchecked({ kind: "invalid", problems, ...alone });
  if (object.spec.suspend === true) return unchecked({ kind: "suspended", ...alone });
  const opened = await deps.accounts.open(object, { probe: false, fresh: isNewRequest(deps, object) }, signal);
  if (opened.kind === "usable") return await observeUsable(deps, object, opened, signal);
  if (opened.verdict.reason !== "AuthenticationFailed" || !isProbeDue(deps, object)) {
    return unchecked({ ...opened, ...alone });
  }
  // The token was refused before. This is the slow probe, or somebody asked for it.
  const probing = await deps.accounts.open(object, { probe: true }, signal);
  if (probing.kind === "blocked") return unchecked({ ...probing, ...alone });
  return await checkToken(deps, object, probing, signal);
}

async function observeUsable(
  deps: ObserveDeps,
  object: NorthflankConnection,
  opened: Usable,
  signal: AbortSignal,
): Promise<Observed> {
  if (isCheckDue(deps, object, opened)) return await checkToken(deps, object, opened, signal);
  return unchecked({ kind: "rest", ...surroundings(deps, object, opened.account) });
}

async function checkToken(
  deps: ObserveDeps,
  object: NorthflankConnection,
  opened: Usable,
  signal: AbortSignal,
): Promise<Observed> {
  // Only the check of a connection that is well can wait: of the others somebody waits to hear.
  const requestClass = isAccepted(object) ? "observe" : "change";
  const check = await whoAmI(deps, opened.account, { class: requestClass, signal });
  if (check.kind === "failed" && check.error.code === "unauthorized") {
    // The Secret is read again at once: a token that was rotated a moment ago is checked in this very pass.
    const again = await deps.accounts.open(object, { probe: false }, signal);
    if (again.kind === "usable")
      return judged(deps, object, again, await whoAmI(deps, again.account, { class: requestClass, signal }));
  }
  return judged(deps, object, opened, check);
}

function judged(deps: ObserveDeps, object: NorthflankConnection, opened: Usable, check: TokenCheck): Observed {
  const { account, secretResourceVersion } = opened;
  return {
    observation: {
      kind: "checked",
      check,
      secretResourceVersion,
      ...surroundings(deps, object, account),
      ...users(deps, object, check),
    },
    checkedVersion: versionOf(opened),
  };
}

async function whoAmI({ accounts }: ObserveDeps, account: Account, call: CallOptions): Promise<TokenCheck> {
  try {
    const identity = await account.api.whoAmI(call);
    if (identity === undefined) return { kind: "unsupported", isAccepted: accounts.isAccepted(account) };
    return { kind: "accepted", token: identity };
  } catch (error) {
    if (!isNorthflankError(error)) throw error;
    // Permissions are judged after the token.
    if (error.code === "forbidden") return { kind: "accepted", token: undefined };
    return { kind: "failed", error };
  }
}

/** Whether an account that looks usable has to be checked now. */
function isCheckDue(deps: ObserveDeps, object: NorthflankConnection, opened: Usable): boolean {
  const { metadata, status } = object;
  if (status?.observedGeneration !== metadata.generation || isNewRequest(deps, object)) return true;
  // What was in the way of a check, or of the same token, no longer is.
  if (status?.tokenCheck === "NotChecked" || status?.tokenCheck === "Refused") return true;
  const { dueInMs, accountVersion } = planned(deps, object);
  if (dueInMs === 0) return true;
  if (accountVersion !== undefined) return accountVersion !== versionOf(opened);
  // The first pass of this process: the Secret may have changed while nobody looked.
  return status?.tokenSecretResourceVersion !== opened.secretResourceVersion;
}

function isProbeDue(deps: ObserveDeps, object: NorthflankConnection): boolean {
  return isNewRequest(deps, object) || planned(deps, object).dueInMs === 0;
}

/** Somebody asks, and this process has not tried yet: after a try that failed, the next one waits its time. */
function isNewRequest(
  deps: Pick<ObserveDeps, "schedule" | "validationPeriodMs">,
  object: NorthflankConnection,
): boolean {
  return isReconcileRequested(object) && planned(deps, object).request !== reconcileRequest(object.metadata);
}

function planned(deps: Pick<ObserveDeps, "schedule" | "validationPeriodMs">, object: NorthflankConnection) {
  return deps.schedule.planned({
    key: objectKey(object.metadata),
    uid: object.metadata.uid,
    isSettled: isAccepted(object),
    plannedTime: object.status?.nextReconcileTime,
    periodMs: validationPeriodMs(deps, object),
  });
}

/** How often the accepted token of this connection is checked again, in milliseconds. */
export function validationPeriodMs(
  deps: Pick<ObserveDeps, "validationPeriodMs">,
  { spec }: Pick<NorthflankConnection, "spec">,
): number {
  return spec.validationPeriodSeconds === undefined ? deps.validationPeriodMs : spec.validationPeriodSeconds * 1_000;
}

// A request that is changed many times a second costs one check in this time.
const requestedCheckMs = 5_000;

/** How long a request must wait because the last check is too short ago, in milliseconds; 0 when it need not. */
export function requestWaitMs(
  deps: Pick<ObserveDeps, "schedule" | "validationPeriodMs">,
  object: NorthflankConnection,
): number {
  if (object.status?.observedGeneration !== object.metadata.generation || !isNewRequest(deps, object)) return 0;
  const { sinceLookMs } = planned(deps, object);
  return sinceLookMs === undefined ? 0 : Math.max(0, requestedCheckMs - sinceLookMs);
}

function versionOf({ account, secretResourceVersion }: Usable): string {
  return `${account.version} ${secretResourceVersion ?? ""}`;
}

/** Going through the objects of a connection is worth its time only where something is known to compare them with. */
function users(
  deps: ObserveDeps,
  { metadata, status }: NorthflankConnection,
  check?: TokenCheck,
): Pick<Surroundings, "dependents" | "needs"> {
  const key = objectKey(metadata);
  const isTold = check?.kind === "accepted" && check.token?.permissions !== undefined;
  const needs = isTold || status?.grantedPermissions !== undefined ? (deps.needs?.(key) ?? []) : [];
  return { dependents: deps.dependents(key), needs };
}

function surroundings(deps: ObserveDeps, object: NorthflankConnection, account: Account): Surroundings {
  const { pool, team, isProven, address } = account;
  return {
    ...users(deps, object),
    quota: deps.quota(pool),
    // Without a team the token itself says whose account it is.
    ...(team !== undefined && isProven === true ? { acceptedFor: address } : {}),
  };
}

function unchecked(observation: Observation): Observed {
  return { observation, checkedVersion: undefined };
}

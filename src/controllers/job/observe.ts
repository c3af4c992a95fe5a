import type { NorthflankJob } from "../../api/job.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { JobName, RequestClass } from "../../northflank/client.ts";
import { isNorthflankError } from "../../northflank/errors.ts";
import { findCondition } from "../../runtime/conditions.ts";
import { type ObjectKey, objectKey } from "../../runtime/outcome.ts";
import type { Account, AccountRequest, AccountResolution, Accounts } from "../shared/accounts.ts";
import type { LookSchedule, Planned } from "../shared/look-schedule.ts";
import { isReconcileRequested } from "../shared/reconcile-request.ts";
import { recheckSecretMs } from "../shared/secret-tokens.ts";
import { prunedProblems, type SpecProblem } from "../shared/spec-problem.ts";
import { isAsApplied } from "./compare.ts";
import type { Settings } from "./decision.ts";
import { type Desire, desireOf, hasReferences } from "./desire.ts";
import type { Observation } from "./observation.ts";
import { readyReason } from "./remembered.ts";
import { olderRivals, targetOf } from "./target.ts";
import { resolveValues } from "./values.ts";

export interface ObserveDeps {
  readonly store: { byIndex(name: "target", value: string): readonly NorthflankJob[] };
  /** For the Secrets and ConfigMaps that the spec refers to: by name, without a cache. */
  readonly kube: Pick<KubeClient, "get">;
  readonly accounts: Accounts;
  /** Judges a spec that the API server let in; fields that it dropped are added here. */
  readonly validate: (object: NorthflankJob) => readonly SpecProblem[];
  readonly schedule: LookSchedule;
  readonly settings: Settings;
}

/** What a pass saw, and the account it may act with. */
export interface Observed {
  readonly observation: Observation;
  readonly account: Account | undefined;
}

/**
 * Gathers what a pass decides on, cheapest first: the spec, the account, rivals for the job, the values of references; and
 * only when a look is due, or one of these values has changed, one request to Northflank.
 *
 * *Errors*: whatever is no refusal of Northflank, such as `KubeError` when a Secret could not be asked for.
 */
export async function observe(deps: ObserveDeps, object: NorthflankJob, signal: AbortSignal): Promise<Observed> {
  const access = isAccepted(object) ? await openAccess(deps, object, signal) : undefined;
  const due = access?.kind === "open" ? dueLook(deps, object, access.account) : undefined;
  if (due?.kind === "rest" && !watchesValues(object)) return without(due);
  const problems = [...prunedProblems(object.prunedFields), ...deps.validate(object)];
  if (problems.length > 0) return without({ kind: "invalid", problems });
  if (object.spec.suspend === true) return without({ kind: "suspended" });
  return await look({ deps, object, access, signal });
}

/** A pass has accepted the spec as it is now: it need not be judged again while no look is due. */
function isAccepted({ metadata, spec, status, prunedFields }: NorthflankJob): boolean {
  if (prunedFields !== undefined || spec.suspend === true) return false;
  const accepted = findCondition(status?.conditions, "Accepted");
  return accepted?.status === "True" && accepted.observedGeneration === metadata.generation;
}

/** Secrets and ConfigMaps are not watched: an object that has settled with their values reads them now and then. */
export function watchesValues(object: NorthflankJob): boolean {
  if (!hasReferences(object.spec) || object.status?.applied === undefined) return false;
  return object.spec.managementPolicy !== "Observe" && isSettled(object);
}

type Access =
  | { readonly kind: "open"; readonly account: Account }
  | (AccountResolution & { readonly kind: "blocked" })
  | { readonly kind: "conflict"; readonly winner: ObjectKey };

/** The account of an object, if there is one and no older object manages the same job in it. */
async function openAccess(deps: ObserveDeps, object: NorthflankJob, signal: AbortSignal): Promise<Access> {
  const resolution = await deps.accounts.resolve(accountRequest(object), signal);
  if (resolution.kind === "blocked") return resolution;
  const { account } = resolution;
  const winner = await findWinner({ deps, object, pool: account.pool, signal });
  if (winner !== undefined) return { kind: "conflict", winner: objectKey(winner.metadata) };
  return { kind: "open", account };
}

interface LookOptions {
  readonly deps: ObserveDeps;
  readonly object: NorthflankJob;
  /** Known already: asking twice would use up the one try that a rejected token has. */
  readonly access: Access | undefined;
  readonly signal: AbortSignal;
}

async function look(options: LookOptions, isRetry = false): Promise<Observed> {
  const { deps, object, signal } = options;
  const access = options.access ?? (await openAccess(deps, object, signal));
  if (access.kind !== "open") return without(access);
  const { account } = access;
  const due = dueLook(deps, object, account);
  if (due.kind === "rest" && !watchesValues(object)) return without(due);
  const namespace = object.metadata.namespace ?? "";
  const resolution = await resolveValues({ kube: deps.kube, namespace, spec: object.spec, signal });
  if (resolution.kind === "blocked") return without(resolution);
  const { values } = resolution;
  const keyedHash = (text: string) => account.api.keyedHash(text);
  const desire = desireOf({ spec: object.spec, values, uid: object.metadata.uid, keyedHash });
  if (due.kind === "rest" && isAsApplied(desire, object.status?.applied)) {
    return without({ kind: "rest", dueInMs: Math.min(due.dueInMs, recheckSecretMs) });
  }
  const requestClass = due.kind === "rest" ? "change" : due.class;
  try {
    const observation = await readJob({ ...options, account, desire, requestClass });
    return { observation, account };
  } catch (error) {
    if (!isNorthflankError(error)) throw error;
    if (error.code !== "unauthorized" || isRetry) return { observation: { kind: "failed", error }, account };
    // The Secret is read again at once: with a rotated token the look succeeds, with the same one nothing is sent.
    deps.accounts.tokenRejected(account);
    return await look({ ...options, access: undefined }, true);
  }
}

async function readJob(
  options: LookOptions & {
    readonly account: Account;
    readonly desire: Desire;
    readonly requestClass: RequestClass;
  },
): Promise<Observation> {
  const { deps, object, account, desire, requestClass, signal } = options;
  const view = await account.api.getJobSettings(jobName(object), { class: requestClass, signal });
  return {
    kind: "seen",
    desire,
    view,
    nextResyncMs: deps.schedule.nextResyncMs(resyncPeriodMs(object, deps.settings)),
  };
}

/** The job of an object, by its ids. */
export function jobName({ spec }: NorthflankJob): JobName {
  return { projectId: spec.projectId, jobId: spec.jobId };
}

function without(observation: Observation): Observed {
  return { observation, account: undefined };
}

function accountRequest({ metadata, spec }: NorthflankJob): AccountRequest {
  return {
    namespace: metadata.namespace ?? "",
    connectionName: spec.connectionRef?.name,
    projectId: spec.projectId,
  };
}

/** The oldest rival that manages the same job in the same account. */
async function findWinner(options: {
  readonly deps: ObserveDeps;
  readonly object: NorthflankJob;
  readonly pool: string;
  readonly signal: AbortSignal;
}): Promise<NorthflankJob | undefined> {
  const { deps, object, pool, signal } = options;
  const own = accountRequest(object);
  for (const rival of olderRivals(object, deps.store.byIndex("target", targetOf(object)))) {
    const other = accountRequest(rival);
    if (own.namespace === other.namespace && own.connectionName === other.connectionName) return rival;
    const resolution = await deps.accounts.resolve(other, signal);
    // A rival without a usable account sends nothing, so it is in nobody's way.
    if (resolution.kind === "usable" && resolution.account.pool === pool) return rival;
  }
  return undefined;
}

type Due =
  | { readonly kind: "rest"; readonly dueInMs: number }
  | { readonly kind: "look"; readonly class: RequestClass };

// A request that is changed many times a second costs one look in this time.
const requestedLookMs = 5_000;

/** Whether the job has to be looked at in this pass, and how urgent that is. */
function dueLook(deps: ObserveDeps, object: NorthflankJob, account: Account): Due {
  const { metadata, status } = object;
  const planned = deps.schedule.planned({
    key: objectKey(metadata),
    uid: metadata.uid,
    isSettled: isSettled(object),
    plannedTime: status?.nextReconcileTime,
    periodMs: resyncPeriodMs(object, deps.settings),
  });
  const urgent = { kind: "look", class: "change" } as const;
  if (status?.observedGeneration !== metadata.generation || readyReason(object) === undefined) return urgent;
  if (isReconcileRequested(object)) return requestedLook(planned);
  if (!isSettled(object) && hasOpened(object, planned, account)) return urgent;
  if (planned.dueInMs > 0) return { kind: "rest", dueInMs: planned.dueInMs };
  return isSettled(object) ? { kind: "look", class: "observe" } : urgent;
}

/** Ready for what is declared now. */
function isSettled({ metadata, status }: NorthflankJob): boolean {
  const ready = findCondition(status?.conditions, "Ready");
  return ready?.status === "True" && status?.observedGeneration === metadata.generation;
}

function requestedLook({ sinceLookMs }: Planned): Due {
  const leftMs = requestedLookMs - (sinceLookMs ?? requestedLookMs);
  return leftMs > 0 ? { kind: "rest", dueInMs: leftMs } : { kind: "look", class: "change" };
}

/** Reasons that are found without asking Northflank: what they held back is due as soon as they no longer hold. */
const foundBeforeLooking: ReadonlySet<string> = new Set([
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
function hasOpened(object: NorthflankJob, { accountVersion }: Planned, account: Account): boolean {
  if (accountVersion !== undefined && accountVersion !== account.version) return true;
  const reason = readyReason(object) ?? "";
  // Said of a Secret that the operator may not read, it is found before looking; of a call, it leaves a failure behind.
  if (reason === "PermissionDenied") return object.status?.failure === undefined;
  return foundBeforeLooking.has(reason);
}

function resyncPeriodMs({ spec }: NorthflankJob, settings: Settings): number {
  return spec.resyncPeriodSeconds === undefined ? settings.resyncPeriodMs : spec.resyncPeriodSeconds * 1_000;
}

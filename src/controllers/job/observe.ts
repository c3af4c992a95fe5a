import type { NorthflankJob } from "../../api/job.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { JobName, RequestClass } from "../../northflank/client.ts";
import { isNorthflankError } from "../../northflank/errors.ts";
import type { Account, Accounts } from "../account/accounts.ts";
import type { LookSchedule } from "../reconcile/poll-schedule.ts";
import { prunedProblems, type SpecProblem } from "../reconcile/spec-problem.ts";
import { recheckSecretMs } from "../secrets/secret-tokens.ts";
import { type Access, openAccess, restsFor } from "../target/conflicts.ts";
import { isAccepted, isSettled } from "../target/object.ts";
import { type Due, dueLook, resyncPeriodMs } from "../target/poll-due.ts";
import type { Settings } from "./decision.ts";
import { type Desire, desireOf, hasReferences, isSameSources } from "./desired.ts";
import { isAsApplied } from "./diff.ts";
import type { Observation } from "./observation.ts";
import { isSameSpec } from "./remembered.ts";
import { targetOf } from "./target.ts";
import { resolveValues } from "./values.ts";

export interface ObserveDeps {
  readonly store: { byIndex(name: "target", value: string): readonly NorthflankJob[] };
  /** For the Secrets and ConfigMaps that the spec refers to: by name, as they are now. */
  readonly kube: Pick<KubeClient, "get">;
  /** The same for what is only compared again: an answer of a moment ago will do. Missing: `kube`. */
  readonly sharedKube?: Pick<KubeClient, "get">;
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

/** How long a settled object has nothing to do, as far as that is known without any wait. */
export function restOf(deps: ObserveDeps, object: NorthflankJob): number | undefined {
  if (watchesValues(object)) return undefined;
  const sameTarget = deps.store.byIndex("target", targetOf(object));
  const { accounts } = deps;
  return restsFor({ accounts, sameTarget, dueFor: (account) => dueFor(deps, object, account) }, object);
}

/**
 * Gathers what a pass decides on, cheapest first: the spec, the account, rivals for the job, the values of references; and
 * only when a look is due, or one of these values has changed, one request to Northflank.
 *
 * *Errors*: whatever is no refusal of Northflank, such as `KubeError` when a Secret could not be asked for.
 */
export async function observe(deps: ObserveDeps, object: NorthflankJob, signal: AbortSignal): Promise<Observed> {
  const access = isAccepted(object) ? await accessOf(deps, object, signal) : undefined;
  const due = access?.kind === "open" ? dueFor(deps, object, access.account) : undefined;
  if (due?.kind === "rest" && !watchesValues(object)) return without(due);
  const problems = [...prunedProblems(object.prunedFields), ...deps.validate(object)];
  if (problems.length > 0) return without({ kind: "invalid", problems });
  if (object.spec.suspend === true) return without({ kind: "suspended" });
  return await look({ deps, object, access, signal });
}

/** Secrets and ConfigMaps are not watched: an object that has settled with their values reads them now and then. */
export function watchesValues(object: NorthflankJob): boolean {
  if (!hasReferences(object.spec) || object.status?.applied === undefined) return false;
  return object.spec.managementPolicy !== "Observe" && isSettled(object);
}

/** The account of an object, if there is one and no older object manages the same job in it. */
async function accessOf(deps: ObserveDeps, object: NorthflankJob, signal: AbortSignal): Promise<Access> {
  const sameTarget = deps.store.byIndex("target", targetOf(object));
  return await openAccess({ accounts: deps.accounts, sameTarget }, object, signal);
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
  const access = options.access ?? (await accessOf(deps, object, signal));
  if (access.kind === "blocked") {
    return without({ ...access, hasChangedSource: await hasChangedSource(deps, object, signal) });
  }
  if (access.kind === "conflict") return without(access);
  const { account } = access;
  const due = dueFor(deps, object, account);
  if (due.kind === "rest" && !watchesValues(object)) return without(due);
  const isUrgent = due.kind === "look" && due.class === "change";
  const kube = isUrgent ? deps.kube : (deps.sharedKube ?? deps.kube);
  const namespace = object.metadata.namespace ?? "";
  const resolution = await resolveValues({ kube, namespace, spec: object.spec, signal });
  if (resolution.kind === "blocked") return without(resolution);
  const { values } = resolution;
  const { applied } = object.status ?? {};
  const keyedHash = (text: string) => account.api.keyedHash(text);
  const { address } = account;
  const desire = desireOf({ spec: object.spec, values, uid: object.metadata.uid, address, keyedHash });
  if (due.kind === "rest" && isAsApplied(desire, applied)) {
    return without({ kind: "rest", dueInMs: Math.min(due.dueInMs, recheckSecretMs) });
  }
  const requestClass = due.kind === "rest" ? "change" : due.class;
  try {
    const observation = await readJob({ ...options, account, desire, requestClass });
    return { observation, account };
  } catch (error) {
    if (!isNorthflankError(error)) throw error;
    if (error.code !== "unauthorized" || isRetry) {
      const isUnsent = hasReferences(object.spec) && applied !== undefined && !isAsApplied(desire, applied);
      return { observation: { kind: "failed", error, hasChangedSource: isUnsent }, account };
    }
    // The Secret is read again at once: with a rotated token the look succeeds, with the same one nothing is sent.
    deps.accounts.tokenRejected(account);
    return await look({ ...options, access: undefined }, true);
  }
}

/**
 * Whether something that is referred to is another version than the one that was applied, which can be told without an
 * account. What cannot be read has changed too.
 */
async function hasChangedSource(deps: ObserveDeps, object: NorthflankJob, signal: AbortSignal): Promise<boolean> {
  const { spec, metadata, status } = object;
  if (!hasReferences(spec) || status?.applied?.sourcesId === undefined) return false;
  const kube = deps.sharedKube ?? deps.kube;
  const resolution = await resolveValues({ kube, namespace: metadata.namespace ?? "", spec, signal });
  if (resolution.kind === "blocked") return true;
  return !isSameSources(status.applied, { uid: metadata.uid, versions: resolution.values.versions });
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
  const periodMs = resyncPeriodMs(object, deps.settings.resyncPeriodMs);
  return { kind: "seen", desire, view, nextResyncMs: deps.schedule.nextResyncMs(periodMs) };
}

/** The job of an object, by its ids. */
export function jobName({ spec }: NorthflankJob): JobName {
  return { projectId: spec.projectId, jobId: spec.jobId };
}

function without(observation: Observation): Observed {
  return { observation, account: undefined };
}

/** Whether the job has to be looked at in this pass, and how urgent that is. */
function dueFor({ schedule, settings }: ObserveDeps, object: NorthflankJob, account: Account): Due {
  const isRecorded = () => object.spec.managementPolicy === "Observe" || isSameSpec(object) === true;
  return dueLook({ schedule, account, resyncPeriodMs: settings.resyncPeriodMs, isRecorded }, object);
}

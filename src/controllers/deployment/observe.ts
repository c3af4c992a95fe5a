import type { NorthflankDeployment } from "../../api/deployment.ts";
import type { CallOptions, JobName, NorthflankApi, ServiceName } from "../../northflank/client.ts";
import { isNorthflankError, type NorthflankError } from "../../northflank/errors.ts";
import type { JobSource, ProjectItem } from "../../northflank/types.ts";
import type { BuildQuery, SeenBuild } from "../build/build-query.ts";
import { readBuild } from "../build/read-build.ts";
import type { PaceOf } from "../reconcile/poll-plan.ts";
import type { Blocked } from "../reconcile/ready-state.ts";
import { accountRequest } from "../target/object.ts";
import type { Ready, ObserveDeps as TargetObserveDeps, TargetReads } from "../target/observe.ts";
import { policyOf } from "../target/policy.ts";
import type { DueFacts } from "../target/poll-due.ts";
import { awaitedBuild } from "./build.ts";
import { knownHash } from "./changes.ts";
import { dependenciesOf, isDependencyOver, type Runs } from "./dependencies.ts";
import { type Desire, desireOf } from "./desired.ts";
import { compare } from "./diff.ts";
import type { FollowedRollouts } from "./followed-rollouts.ts";
import { isUnderWay } from "./machine.ts";
import type { Need, Observation, Seen } from "./observation.ts";
import { changedInList, jobTarget, serviceTarget, type TargetView, targetName } from "./target.ts";
import { isReplacedByCD } from "./warnings.ts";

export interface ObserveDeps extends TargetObserveDeps<NorthflankDeployment> {
  readonly runs: Runs;
  /** The rollouts that are polled together. Missing: nothing is followed. */
  readonly rollouts?: FollowedRollouts;
  /** How the polls of an account are paced. Default: {@link steadyPace}. */
  readonly paceOf?: PaceOf;
}

interface Declared {
  readonly desire: Desire;
}

/** What a deployment reads, once its preconditions hold: the awaited build, else the target. */
export function deploymentReads(deps: ObserveDeps): TargetReads<NorthflankDeployment, Declared, Observation, Need> {
  return {
    ...deps,
    declared: ({ spec }) => {
      const result = desireOf(spec);
      return result.kind === "problem" ? result : { declared: { desire: result.desire } };
    },
    due: (object) => dueFacts(deps, object),
    listed: {
      idOf: ({ spec }) => spec.serviceId,
      changed: (item, { status }) => changedInList(item, status),
    },
    open: async (ready) => {
      const { object, declared, signal } = ready;
      const foreign = await foreignProject(deps, object, declared.desire, signal);
      if (foreign !== undefined) return { ...foreign, ...declared };
      return {
        class: ready.due.kind === "rest" ? "observe" : ready.due.class,
        // The source of a job and its settings have a request each.
        requests: object.spec.jobId === undefined ? 1 : 2,
        read: (call) => read(deps, { ...ready, call }),
        more: (before, need, call) => readMore(deps, { ...ready, call }, { before, need }),
        failed: (error) => ({ ...declared, kind: "failed", error }),
      };
    },
  };
}

/** Reads the build that the object waits for, else the target. */
async function read(deps: ObserveDeps, ready: ReadyToRead): Promise<Observation> {
  const { desire } = ready.declared;
  const query = awaitedBuild(ready.object, desire);
  if (query === undefined) return (await readByList(deps, ready)) ?? (await readTarget(deps, ready));
  return { kind: "building", desire, build: await buildOf(ready, query) };
}

/** Adds to an observation what a decision on it needs. */
async function readMore(
  deps: ObserveDeps,
  ready: ReadyToRead,
  { before, need }: { readonly before: Observation; readonly need: Need },
): Promise<Observation> {
  if (need.kind === "target") return await readTarget(deps, ready, "build" in before ? before.build : undefined);
  const build = await buildOf(ready, need.query);
  return before.kind === "seen" ? { ...before, build } : before;
}

interface ReadyToRead extends Ready<NorthflankDeployment, Declared> {
  readonly call: CallOptions;
}

async function buildOf(ready: ReadyToRead, query: BuildQuery): Promise<SeenBuild> {
  const { account, object, call } = ready;
  return await readBuild({ account, projectId: object.spec.projectId, query, call });
}

/**
 * Reads the target: a service with one request, and another where whether continuous deployment is on matters to a
 * change and the answer does not show it; a job with one for its source, and another for its settings where they matter
 * now.
 *
 * *Errors*: `NorthflankError`; `not_found` only when the target itself is missing.
 */
async function readTarget(deps: ObserveDeps, ready: ReadyToRead, build?: SeenBuild): Promise<Observation> {
  const { object, declared } = ready;
  const name = targetName(object);
  const service = "jobId" in name ? await readJob(ready, name) : await readService(deps.rollouts, ready, name);
  if ("error" in service) return { ...declared, kind: "route-gone", error: service.error };
  const seen = seenOf(deps, ready, service);
  return build === undefined ? seen : { ...seen, build };
}

function seenOf(deps: ObserveDeps, ready: ReadyToRead, service: TargetView): Seen {
  const { object, declared, account } = ready;
  const dependencies = dependenciesOf(deps.runs, object);
  const [nextResyncMs, pace] = [ready.nextResyncMs(), deps.paceOf?.(account, endsOf(object))];
  return { ...declared, kind: "seen", service, dependencies, nextResyncMs, pace };
}

/** The service as it was last read, where the list of its project shows that its rollout is still the same. */
async function readByList(deps: ObserveDeps, ready: ReadyToRead): Promise<Observation | undefined> {
  const { object, account, due, signal } = ready;
  const name = targetName(object);
  if (deps.rollouts === undefined || "jobId" in name) return undefined;
  if (due.kind !== "read" || due.class !== "run" || due.isHinted === true) return undefined;
  const service = await deps.rollouts.unmoved({ object, account, name }, signal);
  if (service === undefined) return undefined;
  return { ...seenOf(deps, ready, serviceTarget(service, object.status?.observed)), isListed: true };
}

async function readService(
  rollouts: FollowedRollouts | undefined,
  ready: ReadyToRead,
  name: ServiceName,
): Promise<TargetView> {
  const { object, account, call } = ready;
  const { spec, status } = object;
  const get = () => account.api.getService(name, call);
  const service = rollouts === undefined ? await get() : await rollouts.read({ object, account, name }, get);
  const dependsOnCD = isReplacedByCD(spec) && spec.continuousDeployment !== "Ignore";
  const isMissing = service.disabledCD === undefined && dependsOnCD && call.class === "change";
  const disabledCD = isMissing ? await listedCD(account.api, name, call) : service.disabledCD;
  return serviceTarget({ ...service, disabledCD }, status?.observed);
}

async function listedCD(api: NorthflankApi, name: ServiceName, call: CallOptions): Promise<boolean | undefined> {
  const find = (items: readonly ProjectItem[]) => items.find(({ id }) => id === name.serviceId);
  const { items } = await api.listServices(name, { ...call, isEnough: (items) => find(items) !== undefined });
  return find(items)?.disabledCD;
}

/** The error: the job is there, but the deprecated route that returns its source is not. */
async function readJob(ready: ReadyToRead, name: JobName): Promise<TargetView | { readonly error: NorthflankError }> {
  const { object, declared, account, call } = ready;
  const remembered = object.status?.observed;
  let source: JobSource;
  try {
    source = await account.api.getJobDeployment(name, call);
  } catch (error) {
    if (!isNorthflankError(error, "not_found", "wrong_method", "gone")) throw error;
    // A missing route and a missing job have the same answer: the job is read by a route that is not deprecated.
    await account.api.getJob(name, call);
    return { error };
  }
  const bare = jobTarget(name.jobId, { source, job: undefined }, remembered);
  // The settings of a job say what is started in the container, and what Northflank does when the source changes: they
  // matter where that is declared, and before a write.
  const { docker, buildpack } = declared.desire.body;
  const isDeclared = docker !== undefined || buildpack !== undefined;
  const isNeeded = call.class === "change" || isDeclared || compare(declared.desire, bare).differences.length > 0;
  if (!isNeeded) return bare;
  const job = await account.api.getJob(name, call);
  return jobTarget(name.jobId, { source, job }, remembered);
}

/** The connection must allow the project of the build as well; `undefined` when nothing is in the way. */
async function foreignProject(
  deps: ObserveDeps,
  object: NorthflankDeployment,
  { body }: Desire,
  signal: AbortSignal,
): Promise<Blocked | undefined> {
  const [projectId, serviceId] = body.internal?.id?.split("/") ?? [];
  if (projectId === undefined || serviceId === undefined || projectId === object.spec.projectId) return undefined;
  const resolution = await deps.accounts.resolve({ ...accountRequest(object), projectId, isBuilder: true }, signal);
  return resolution.kind === "blocked" ? resolution : undefined;
}

/** What notifications about the ends of its rollouts are trusted by. */
export function endsOf({ spec: { projectId } }: NorthflankDeployment) {
  return { kind: "rollout", projectId } as const;
}

function dueFacts({ runs, paceOf }: ObserveDeps, object: NorthflankDeployment): DueFacts {
  const [head] = object.status?.changes ?? [];
  return {
    isOver: (reason) => isDependencyOver(runs, object, reason),
    isPending: head?.cause === "RolledBack" && head.phase === "Sending",
    isFollowed: isUnderWay(object),
    isEndReported: (account) => paceOf?.(account, endsOf(object)).isHinted === true,
    isRecorded: () => hasRecord(object),
  };
}

/** The status has what was sent for the declaration or found in force; under Observe, what was seen. */
function hasRecord({ spec, status }: NorthflankDeployment): boolean {
  if (!policyOf({ spec }).records) return status?.observed !== undefined;
  const read = desireOf(spec);
  return read.kind === "desire" && knownHash(status) === read.desire.hash;
}

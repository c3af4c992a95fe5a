import type { NorthflankDeployment } from "../../api/deployment.ts";
import type { Account, AccountResolution, Accounts } from "../account/accounts.ts";
import type { BuildQuery, SeenBuild } from "../build/build-query.ts";
import { readBuild } from "../build/read-build.ts";
import type { PollSchedule } from "../reconcile/poll-schedule.ts";
import type { SpecProblem } from "../reconcile/spec-validation.ts";
import { accountRequest } from "../target/object.ts";
import {
  type Observed,
  observeTarget,
  type Ready,
  restOf as restOfTarget,
  type TargetReads,
} from "../target/observe.ts";
import { type Due, dueLook, resyncPeriodMs } from "../target/poll-due.ts";
import { awaitedBuild } from "./build.ts";
import type { Need, Settings } from "./decision.ts";
import { dependenciesOf, isDependencyOver, type Runs } from "./dependencies.ts";
import { type Desire, desireOf } from "./desired.ts";
import { isUnderWay, knownHash } from "./machine.ts";
import type { Observation } from "./observation.ts";
import { readTarget, type TargetName } from "./read-target.ts";
import { targetOf } from "./target.ts";
import { isReplacedByCD } from "./warnings.ts";

export interface ObserveDeps {
  readonly store: { byIndex(name: "target", value: string): readonly NorthflankDeployment[] };
  readonly runs: Runs;
  readonly accounts: Accounts;
  /** Judges a spec that the API server let in; fields that it dropped are added here. */
  readonly validate: (object: NorthflankDeployment) => readonly SpecProblem[];
  readonly schedule: PollSchedule;
  readonly settings: Settings;
}

/** How long a settled object has nothing to do, as far as that is known without any wait. */
export function restOf(deps: ObserveDeps, object: NorthflankDeployment): number | undefined {
  return restOfTarget(readsOf(deps), object);
}

/**
 * Gathers what a reconcile decides on, cheapest first: the preconditions; and only when a read is due one request to
 * Northflank.
 *
 * *Errors*: whatever is no refusal of Northflank, such as `KubeError` when a Secret could not be asked for.
 */
export async function observe(
  deps: ObserveDeps,
  object: NorthflankDeployment,
  signal: AbortSignal,
): Promise<Observed<Observation, Need>> {
  return await observeTarget(readsOf(deps), object, signal);
}

interface Declared {
  readonly desire: Desire;
}

function readsOf(deps: ObserveDeps): TargetReads<NorthflankDeployment, Declared, Observation, Need> {
  return {
    accounts: deps.accounts,
    sameTarget: (object) => deps.store.byIndex("target", targetOf(object)),
    validate: deps.validate,
    declared: ({ spec }) => {
      const result = desireOf(spec);
      return result.kind === "problem" ? result : { declared: { desire: result.desire } };
    },
    dueFor: (object, account) => dueFor(deps, object, account),
    watches: () => false,
    blocked: (_object, unmet) => unmet,
    open: async (ready) => {
      const { object, declared, signal } = ready;
      const foreign = await foreignProject(deps, object, declared.desire, signal);
      if (foreign !== undefined) return { ...foreign, ...declared };
      return {
        read: () => read(deps, ready),
        more: (before, need) => readMore(deps, ready, { before, need }),
        failed: (error) => ({ ...declared, kind: "failed", error }),
      };
    },
  };
}

/** Reads the build that the object waits for, else the target. */
async function read(deps: ObserveDeps, ready: ReadyToRead): Promise<Observation> {
  const { desire } = ready.declared;
  const query = awaitedBuild(ready.object, desire);
  if (query === undefined) return await readTargetOf(deps, ready);
  return { kind: "building", desire, build: await buildOf(ready, query) };
}

/** Adds to an observation what a decision on it needs. */
async function readMore(
  deps: ObserveDeps,
  ready: ReadyToRead,
  { before, need }: { readonly before: Observation; readonly need: Need },
): Promise<Observation> {
  if (need.kind === "target") return await readTargetOf(deps, ready, "build" in before ? before.build : undefined);
  const build = await buildOf(ready, need.query);
  return before.kind === "seen" ? { ...before, build } : before;
}

type ReadyToRead = Ready<NorthflankDeployment, Declared>;

function requestClass({ due }: ReadyToRead) {
  return due.kind === "rest" ? "observe" : due.class;
}

async function buildOf(ready: ReadyToRead, query: BuildQuery): Promise<SeenBuild> {
  const { account, object, signal } = ready;
  return await readBuild({ account, projectId: object.spec.projectId, query, class: requestClass(ready), signal });
}

async function readTargetOf(deps: ObserveDeps, ready: ReadyToRead, build?: SeenBuild): Promise<Observation> {
  const { object, account, signal } = ready;
  const { desire } = ready.declared;
  const reading = await readTarget({
    api: account.api,
    name: targetName(object),
    desire,
    dependsOnCD: isReplacedByCD(object.spec) && object.spec.continuousDeployment !== "Ignore",
    remembered: object.status?.observed,
    class: requestClass(ready),
    signal,
  });
  if (reading.kind === "route-gone") return { ...reading, desire };
  const nextResyncMs = deps.schedule.nextResyncMs(resyncPeriodMs(object, deps.settings.resyncPeriodMs));
  const dependencies = dependenciesOf(deps.runs, object);
  const seen = { kind: "seen", desire, service: reading.target, dependencies, nextResyncMs } as const;
  return build === undefined ? seen : { ...seen, build };
}

/** The target of an object, by its ids. */
export function targetName({ spec }: NorthflankDeployment): TargetName {
  const { projectId, serviceId, jobId } = spec;
  return serviceId === undefined ? { projectId, jobId: jobId ?? "" } : { projectId, serviceId };
}

/** What a connection allows holds for the project that a build comes from as well; `undefined` when nothing is in the way. */
async function foreignProject(
  deps: ObserveDeps,
  object: NorthflankDeployment,
  { body }: Desire,
  signal: AbortSignal,
): Promise<(AccountResolution & { readonly kind: "blocked" }) | undefined> {
  const [projectId, serviceId] = body.internal?.id?.split("/") ?? [];
  if (projectId === undefined || serviceId === undefined || projectId === object.spec.projectId) return undefined;
  const resolution = await deps.accounts.resolve({ ...accountRequest(object), projectId, isBuilder: true }, signal);
  return resolution.kind === "blocked" ? resolution : undefined;
}

/** Whether the target has to be looked at in this pass, and how urgent that is. */
function dueFor(deps: ObserveDeps, object: NorthflankDeployment, account: Account): Due {
  const { schedule, settings } = deps;
  const isOver = (reason: string) => isDependencyOver(deps.runs, object, reason);
  const { resyncPeriodMs: periodMs } = settings;
  const [head] = object.status?.changes ?? [];
  const isPending = head?.cause === "RolledBack" && head.phase === "Sending";
  const isFollowed = isUnderWay(object);
  const isRecorded = () => hasRecord(object);
  return dueLook({ schedule, account, resyncPeriodMs: periodMs, isOver, isFollowed, isPending, isRecorded }, object);
}

/** The status tells what was sent for the declaration or found in force; under Observe, what was seen. */
function hasRecord({ spec, status }: NorthflankDeployment): boolean {
  if (spec.managementPolicy === "Observe") return status?.observed !== undefined;
  const read = desireOf(spec);
  return read.kind === "desire" && knownHash(status) === read.desire.hash;
}

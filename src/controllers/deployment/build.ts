// pure
import type { NorthflankDeployment } from "../../api/deployment.ts";
import type { BuilderName } from "../../northflank/client.ts";
import type { InternalSource } from "../../northflank/types.ts";
import { capped, formatTime } from "../../runtime/conditions.ts";
import { assertNever } from "../../util/assert-never.ts";
import { present } from "../../util/present.ts";
import { isSameJson } from "../../util/same-json.ts";
import {
  type BuildQuery,
  builderNoun,
  builderSubject,
  builderText,
  buildText,
  judgeBuild,
  namedBuilder,
  noBuilderText,
  type SeenBuild,
  shownBuild,
  versionOf,
} from "../build/build-query.ts";
import { slowProbeMs } from "../reconcile/remote-error.ts";
import { probeMoreRarely } from "../reconcile/requeue.ts";
import { conclude } from "../target/decision.ts";
import { knownHash, lastDeclared, wasSent } from "./changes.ts";
import { differentBase, needBuild } from "./decisions.ts";
import type { Desire } from "./desired.ts";
import { ageOf, sinceOf } from "./machine.ts";
import type {
  BuildRecord,
  Conclusion,
  DecideInput,
  Decision,
  Facts,
  Observation,
  Settings,
  WaitingName,
} from "./observation.ts";
import type { TargetView } from "./target.ts";

/**
 * Which build is declared; `undefined` for other sources, and when the builder is not known. Without an id a combined
 * service and a job build for themselves, unless Northflank returns another builder. Without `target`, which is what
 * was read of it, such a builder is not known.
 */
export function buildQuery(
  { spec }: Pick<NorthflankDeployment, "spec">,
  { body }: Desire,
  target: TargetView | undefined,
): BuildQuery | undefined {
  const { internal } = body;
  if (internal === undefined) return undefined;
  const builder = builderOf(spec, internal, target);
  if (builder === undefined) return undefined;
  return { builder, by: versionOf(internal), branch: internal.branch };
}

function builderOf(
  { projectId, jobId }: NorthflankDeployment["spec"],
  internal: InternalSource,
  target: TargetView | undefined,
): BuilderName | undefined {
  const id = internal.id ?? (target && presentBuilder(target));
  return id === undefined ? undefined : namedBuilder(id, { projectId, jobId });
}

function presentBuilder({ id, kind, serviceType, internal }: TargetView): string | undefined {
  if (serviceType === "combined") return id;
  return internal?.id ?? (kind === "job" ? id : undefined);
}

/**
 * The build that this object is known to wait for: as long as it is not over, the service need not be read.
 * `undefined` when the object waits for none, or only a read of the service can show it.
 */
export function awaitedBuild(object: NorthflankDeployment, desire: Desire): BuildQuery | undefined {
  if (sinceOf(object, desire, "WaitingForBuild") === undefined) return undefined;
  const query = buildQuery(object, desire, undefined);
  const { build } = object.status ?? {};
  if (query?.by.kind !== "commit" || build?.id === undefined) return query;
  if (build.builder !== builderText(query.builder) || build.sha !== query.by.sha) return query;
  // One build of a commit is a small answer, all builds of a service are a large one.
  return { ...query, by: { kind: "id", buildId: build.id, sha: query.by.sha } };
}

/** True for a declaration that follows Northflank's own deployment of new builds instead of naming one. */
export function followsLatest({ body }: Desire): boolean {
  return body.internal !== undefined && versionOf(body.internal).kind === "latest";
}

/** What status keeps of a build: nothing that moves while it is under way, so that reading it writes nothing. */
export function buildRecord(
  before: BuildRecord | undefined,
  { query, sight }: SeenBuild,
  now: number,
): BuildRecord | undefined {
  if (sight.kind !== "found") return undefined;
  const { id, branch, sha, outcome } = sight.build;
  const builder = builderText(query.builder);
  const isSame = before?.builder === builder && before.id === id && before.outcome === outcomeWords[outcome];
  return present({
    builder,
    id,
    branch: branch === undefined ? undefined : capped(branch, 256),
    sha: sha === undefined ? undefined : capped(sha, 64),
    outcome: outcomeWords[outcome],
    time: isSame ? before.time : formatTime(now),
  });
}

const outcomeWords = { active: "Active", succeeded: "Succeeded", failed: "Failed" } as const;

// ---- waiting for it ----

/** The build that the object waits for was read alone: while it is not over, nothing else has to be. */
export function decideBuilding(
  input: DecideInput,
  { desire, build }: Observation & { readonly kind: "building" },
): Decision {
  if (judgeBuild(build) !== "awaited") return { kind: "need", need: { kind: "target" } };
  const { object, now, settings } = input;
  const since = sinceOf(object, desire, "WaitingForBuild");
  return conclude({
    ...waitFor(build, since === undefined ? 0 : ageOf(input, since).elapsedMs, settings),
    inSync: "as-before",
    rolloutComplete: "as-before",
    failure: undefined,
    events: [],
    stated: { build: buildRecord(object.status?.build, build, now) },
    sameDesire: undefined,
  });
}

/**
 * The declared build before it is sent: it has to be read, or is not there, not over, or failed; `undefined` when it
 * can be deployed. The setting to follow the latest build is sent also when there is none yet.
 */
export function checkBuild(facts: Facts): Decision | undefined {
  if (followsLatest(facts.desire)) return undefined;
  const query = unreadBuild(facts);
  if (query !== undefined) return needBuild(query);
  const hold = buildHold(facts);
  if (hold === undefined) return undefined;
  const { readyState, next, build } = hold;
  const base = differentBase(facts, readyState.reason, readyState.message);
  return conclude({ ...base, readyState, next, stated: { ...base.stated, build } });
}

/** The build of a source that the target has. */
export interface BuildInSync {
  /** To be read first: the builds of a branch, when the setting to follow it was sent and nothing has come of it. */
  readonly query: BuildQuery | undefined;
  /** What status keeps of it. A settled object costs no request for its build. */
  readonly kept: BuildRecord | undefined;
  /** Why there is nothing built that could be rolled out; `undefined` where there is. */
  readonly hold: () => Wait | undefined;
}

export function buildInSync(facts: Facts): BuildInSync {
  const isLatest = followsLatest(facts.desire);
  return {
    query: isLatest && isWithoutEffect(facts) ? unreadBuild(facts) : undefined,
    kept: keptBuild(facts),
    hold: () => (isLatest ? buildHold(facts) : undefined),
  };
}

/** The declared build, unless it was read. One that is over was read by its id: its commit may have another one. */
function unreadBuild({ object, desire, service, build }: Facts): BuildQuery | undefined {
  const query = buildQuery(object, desire, service);
  const isRead = build !== undefined && (judgeBuild(build) === "usable" || isSameJson(build.query, query));
  return isRead ? undefined : query;
}

/** We have sent the setting, and no rollout has begun since, or ever. */
function isWithoutEffect({ object: { status, spec }, desire, service }: Facts): boolean {
  const change = lastDeclared(status);
  if (service.stop !== undefined || service.kind === "job" || spec.rollout?.wait === false) return false;
  if (change?.specHash !== desire.hash || !wasSent(change)) return false;
  if (service.rolloutStatus === undefined) return true;
  const [now, before] = [service.rolloutTransitionTime, change.previousTransitionTime].map((time) =>
    Date.parse(time ?? ""),
  );
  return now !== undefined && before !== undefined && now <= before;
}

function keptBuild({ object, now, desire, build, since }: Facts): BuildRecord | undefined {
  if (build !== undefined) return buildRecord(object.status?.build, build, now);
  if (desire.body.internal === undefined || knownHash(object.status) !== desire.hash) return undefined;
  const before = object.status?.build;
  const isOver = followsLatest(desire) && since("WaitingForBuild", "BuildFailed") !== undefined;
  // The rollout of a build that was waited for has its own time: it began when the wait for the build ended.
  return isOver ? { ...before, outcome: "Succeeded", time: formatTime(now) } : before;
}

type Wait = Pick<Conclusion, "readyState" | "next">;

/** What blocks the declared build; `undefined` when it can be deployed, or was not read. */
function buildHold(facts: Facts): (Wait & { readonly build: BuildRecord | undefined }) | undefined {
  const { build: read, object, now, settings } = facts;
  if (read === undefined) return undefined;
  const build = buildRecord(object.status?.build, read, now);
  const state = judgeBuild(read);
  switch (state) {
    case "usable":
      return undefined;
    case "awaited":
      return { ...waitFor(read, phaseMs(facts, "WaitingForBuild"), settings), build };
    case "failed":
      return { ...stalledBy(facts, "BuildFailed", failedText(read)), build };
    case "not-found":
      return { ...stalledBy(facts, "BuildNotFound", notFoundText(read)), build };
    default:
      return assertNever(state, "state of a build");
  }
}

// A build that is missing may be queued any moment, by the same commit; one that failed is repeated by a person.
const firstProbeMs = { BuildNotFound: 15_000, BuildFailed: 60_000 } as const;

// The end of a build that takes half an hour need not be seen to the second.
const longestBuildPollMs = 300_000;

function waitFor(build: SeenBuild, elapsedMs: number, { rolloutPollIntervalMs: firstMs }: Settings): Wait {
  const longestMs = Math.max(longestBuildPollMs, firstMs);
  const afterMs = Math.round(Math.min(Math.max(firstMs, elapsedMs / 8), longestMs));
  return {
    readyState: { kind: "progressing", reason: "WaitingForBuild", message: awaitedText(build) },
    next: { kind: "recheck", afterMs, pause: { everyMs: [firstMs, longestMs] } },
  };
}

function stalledBy(facts: Facts, reason: keyof typeof firstProbeMs, message: string): Wait {
  const next = probeMoreRarely(phaseMs(facts, reason), [firstProbeMs[reason], slowProbeMs], facts.random);
  return { readyState: { kind: "stalled", reason, message }, next };
}

/** How long the declaration has been in this phase. */
function phaseMs({ age, since }: Facts, name: WaitingName): number {
  return age(since(name)).elapsedMs;
}

function awaitedText({ query, sight }: SeenBuild): string {
  const { by, branch, builder } = query;
  if (sight.kind !== "found") {
    return (
      `${builderSubject(builder)} has no build${branch === undefined ? "" : ` of branch ${shownBuild(branch)}`} yet; ` +
      "Northflank deploys the first one that succeeds. Push a commit, or start a build in Northflank."
    );
  }
  const goesOn = by.kind === "latest" ? "Northflank deploys it" : "It is deployed";
  return `${buildText(query, sight.build.id)} is not over. ${goesOn} as soon as it has succeeded.`;
}

function failedText({ query, sight }: SeenBuild): string {
  const { id = "", status = "" } = sight.kind === "found" ? sight.build : {};
  const remedy =
    query.by.kind === "id"
      ? "declare another build: one that failed never succeeds under its id."
      : "fix the cause and start the build again, or declare another source.";
  return `${buildText(query, id)} failed (${shownBuild(status)}); nothing was deployed. See its log in Northflank, then ${remedy}`;
}

function notFoundText({ query, sight }: SeenBuild): string {
  const { by, builder } = query;
  const name = builderSubject(builder);
  if (sight.kind === "no-builder") {
    const remedy =
      "serviceId" in builder
        ? "Check deployment.internal.id, the project, and the permissions of the token."
        : "Set deployment.internal.id to the service that builds, or check the permissions of the token.";
    return `${noBuilderText(builder)} ${remedy}`;
  }
  if (by.kind === "id") {
    if (sight.kind === "found") {
      return (
        `Build ${shownBuild(by.buildId)} of ${builderNoun(builder)} is one of commit ${shownBuild(sight.build.sha ?? "")}, not of the declared ` +
        `${by.sha}. Declare one of the two, deployment.internal.buildId or buildSHA.`
      );
    }
    return `${name} has no build ${shownBuild(by.buildId)}. Check deployment.internal.id and buildId.`;
  }
  const commit = by.kind === "commit" ? by.sha : "";
  return (
    `${name} has no build of commit ${commit}. Check deployment.internal.id and buildSHA, or start a build of the ` +
    "commit in Northflank."
  );
}

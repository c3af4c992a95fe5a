// pure
import type { NorthflankDeployment } from "../../api/deployment.ts";
import { formatTime } from "../../runtime/conditions.ts";
import { assertNever } from "../../util/assert-never.ts";
import { isSameJson } from "../../util/same-json.ts";
import {
  type BuildQuery,
  builderNoun,
  builderSubject,
  buildText,
  judgeBuild,
  noBuilderText,
  type SeenBuild,
  shownBuild,
} from "../build/build-query.ts";
import type { Verdict } from "../reconcile/ready-state.ts";
import { slowProbeMs } from "../reconcile/remote-error.ts";
import { probeMoreRarely, type Requeue } from "../reconcile/requeue.ts";
import { ageOf } from "./ages.ts";
import { buildQuery, buildRecord, followsLatest } from "./build.ts";
import type { Conclusion } from "./conclusion.ts";
import type { BuildRecord, DecideInput, Seen } from "./decision.ts";
import { knownHash, lastDeclared, sinceOf, wasSent } from "./machine.ts";
import type { Observation } from "./observation.ts";

/**
 * The build that has to be read before a target is judged that has something else than what is declared; `undefined`: it was
 * read, or there is none.
 */
export function neededToDeploy(object: NorthflankDeployment, seen: Seen): BuildQuery | undefined {
  return followsLatest(seen.desire) ? undefined : needed(object, seen);
}

/**
 * The same of a target that has what is declared: the builds of a branch, when the setting to follow it was sent and nothing
 * has come of it. A settled object costs no request for its build.
 */
export function neededToRollOut(object: NorthflankDeployment, seen: Seen): BuildQuery | undefined {
  return followsLatest(seen.desire) && isWithoutEffect(object, seen) ? needed(object, seen) : undefined;
}

/** One that is over was asked for by its id: of its commit there may be another one. */
function needed(object: NorthflankDeployment, { desire, service, build }: Seen): BuildQuery | undefined {
  const query = buildQuery(object, desire, service);
  const isRead = build !== undefined && (judgeBuild(build) === "usable" || isSameJson(build.query, query));
  return isRead ? undefined : query;
}

/** We have sent the setting, and no rollout has begun since, or ever. */
function isWithoutEffect({ status, spec }: NorthflankDeployment, { desire, service }: Seen): boolean {
  const change = lastDeclared(status);
  if (service.servicePaused) return false;
  if (spec.rollout?.wait === false || change?.specHash !== desire.hash || !wasSent(change)) return false;
  if (service.kind === "job") return false;
  if (service.rolloutStatus === undefined) return true;
  const [now, before] = [service.rolloutTransitionTime, change.previousTransitionTime].map((time) =>
    Date.parse(time ?? ""),
  );
  return now !== undefined && before !== undefined && now <= before;
}

/** What status keeps of the build of a source that the target has. */
export function buildWhenSame({ object, now }: DecideInput, { desire, build }: Seen): BuildRecord | undefined {
  if (build !== undefined) return buildRecord(object.status?.build, build, now);
  if (desire.body.internal === undefined || knownHash(object.status) !== desire.hash) return undefined;
  const before = object.status?.build;
  const isOver = followsLatest(desire) && sinceOf(object, desire, "WaitingForBuild", "BuildFailed") !== undefined;
  // The rollout of a build that was waited for has its own time: it began when nobody needed to wait any more.
  return isOver ? { ...before, outcome: "Succeeded", time: formatTime(now) } : before;
}

/** The awaited build was looked at alone, and is not over. */
export function buildingConclusion(
  input: DecideInput,
  { desire, build }: Observation & { kind: "building" },
): Conclusion {
  return {
    ...awaited(input, desire, build),
    inSync: "as-before",
    rolloutComplete: "as-before",
    failure: undefined,
    events: [],
    stated: { build: buildRecord(input.object.status?.build, build, input.now) },
    sameDesire: undefined,
  };
}

/** What stands in the way of the declared build; `undefined` when it can be deployed, or nobody looked. */
export function buildHold(
  input: DecideInput,
  seen: Seen,
): (Pick<Conclusion, "verdict" | "next"> & { readonly build: ReturnType<typeof buildRecord> }) | undefined {
  const { build, desire } = seen;
  if (build === undefined) return undefined;
  const record = buildRecord(input.object.status?.build, build, input.now);
  const state = judgeBuild(build);
  switch (state) {
    case "usable":
      return undefined;
    case "awaited":
      return { ...awaited(input, desire, build), build: record };
    case "failed":
      return {
        ...stalledBy(input, desire, { reason: "BuildFailed", text: failedText(build), firstMs: firstFailedProbeMs }),
        build: record,
      };
    case "not-found":
      return {
        ...stalledBy(input, desire, {
          reason: "BuildNotFound",
          text: notFoundText(build),
          firstMs: firstMissingProbeMs,
        }),
        build: record,
      };
    default:
      return assertNever(state, "state of a build");
  }
}

// A build that is missing may be queued any moment, by the same commit; one that failed is repeated by a person.
const firstMissingProbeMs = 15_000;
const firstFailedProbeMs = 60_000;

// Nobody waits for the second in which a build that takes half an hour ends.
const longestBuildPollMs = 300_000;

function awaited(input: DecideInput, desire: Seen["desire"], build: SeenBuild): Pick<Conclusion, "verdict" | "next"> {
  const { rolloutPollIntervalMs } = input.settings;
  const elapsedMs = phaseMs(input, desire, "WaitingForBuild");
  const longestMs = Math.max(longestBuildPollMs, rolloutPollIntervalMs);
  const afterMs = Math.round(Math.min(Math.max(rolloutPollIntervalMs, elapsedMs / 8), longestMs));
  const pause = { everyMs: [rolloutPollIntervalMs, longestMs] } as const;
  return {
    verdict: { kind: "progressing", reason: "WaitingForBuild", message: awaitedText(build) },
    next: { kind: "recheck", afterMs, pause },
  };
}

function stalledBy(
  input: DecideInput,
  desire: Seen["desire"],
  facts: { readonly reason: "BuildFailed" | "BuildNotFound"; readonly text: string; readonly firstMs: number },
): { readonly verdict: Verdict; readonly next: Requeue } {
  const { reason, text, firstMs } = facts;
  const elapsedMs = phaseMs(input, desire, reason);
  const next = probeMoreRarely(elapsedMs, [firstMs, slowProbeMs], input.random);
  return { verdict: { kind: "stalled", reason, message: text }, next };
}

/** How long the declaration has been in this phase. */
function phaseMs(
  input: DecideInput,
  desire: Seen["desire"],
  name: "WaitingForBuild" | "BuildFailed" | "BuildNotFound",
) {
  const since = sinceOf(input.object, desire, name);
  return since === undefined ? 0 : ageOf(input, since).elapsedMs;
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
      ? "Declare another build: one that failed never succeeds under its id."
      : "Start the build again once its cause is mended, or declare another source.";
  return `${buildText(query, id)} failed (${shownBuild(status)}); nothing was deployed. See its log in Northflank. ${remedy}`;
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

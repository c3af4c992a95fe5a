// pure

import type { NorthflankJobRun } from "../../api/job-run.ts";
import { formatTime } from "../../runtime/conditions.ts";
import { assertNever } from "../../util/assert-never.ts";
import {
  type BuildQuery,
  type BuildState,
  builderNoun,
  builderSubject,
  buildText,
  judgeBuild,
  namedBuilder,
  noBuilderText,
  type SeenBuild,
  shownBuild,
  versionOf,
} from "../build/build-query.ts";
import { slowProbeMs } from "../reconcile/remote-error.ts";
import { finish } from "./ends.ts";
import { progressing, type RunResult, recheckAsking, type Situation, stalled } from "./result.ts";

/*
 * Northflank refuses a run of a build that is not over (400), and so the run would stand rejected for good. A run that
 * names a build is held until the build is there: checked before each start, with one request as a rule, and not again
 * once it was found to be usable.
 */

/** The build that a run names, or means; `undefined` for other sources. */
export function runBuildQuery({ spec }: Pick<NorthflankJobRun, "spec">): BuildQuery | undefined {
  const { projectId, jobId, deployment } = spec;
  const internal = deployment?.internal;
  if (internal === undefined) return undefined;
  const { id, branch, buildSHA, buildId } = internal;
  if (id === undefined && branch === undefined && buildSHA === undefined && buildId === undefined) return undefined;
  const builder = id === undefined ? { projectId, jobId } : namedBuilder(id, { projectId, jobId });
  return builder && { builder, by: versionOf(internal), branch };
}

/**
 * How the build stands in the way of the start. Where the spec does not say who builds, it may be another one than the
 * job: then what is not found there proves nothing, and Northflank judges.
 */
export function runBuildState({ spec }: Pick<NorthflankJobRun, "spec">, seen: SeenBuild): BuildState {
  const isGuess = spec.deployment?.internal?.id === undefined;
  return isGuess && seen.sight.kind !== "found" ? "usable" : judgeBuild(seen);
}

// A build may take half an hour: its end need not be noticed to the second.
const longestBuildPollMs = 300_000;

// What is missing may be queued any moment, by the same commit.
const firstMissingProbeMs = 15_000;

/** The run cannot be started from what was seen of its build. `elapsedMs`: since this process first saw that. */
export function decideBuild(situation: Situation, seen: SeenBuild, elapsedMs: number): RunResult {
  const { object, settings, now } = situation;
  const state = runBuildState(object, seen);
  switch (state) {
    case "awaited": {
      const longestMs = Math.max(longestBuildPollMs, settings.runPollIntervalMs);
      const afterMs = Math.min(Math.max(settings.runPollIntervalMs, elapsedMs / 8), longestMs);
      const pause = { everyMs: [settings.runPollIntervalMs, longestMs] } as const;
      const message = awaitedText(seen);
      return progressing("WaitingForBuild", message, { next: recheckAsking(situation, afterMs, pause) });
    }
    case "not-found": {
      const afterMs = Math.min(Math.max(firstMissingProbeMs, elapsedMs / 4), slowProbeMs);
      const pause = { everyMs: [firstMissingProbeMs, slowProbeMs] } as const;
      return stalled("BuildNotFound", notFoundText(seen), { next: recheckAsking(situation, afterMs, pause) });
    }
    case "failed":
      return finish(object, { reason: "BuildFailed", message: failedText(seen), time: formatTime(now) });
    case "usable":
      throw new TypeError(`${object.metadata.name} does not start, and its build can be used`);
    default:
      return assertNever(state, "state of a build");
  }
}

function awaitedText({ query, sight }: SeenBuild): string {
  if (sight.kind === "found") {
    return `${buildText(query, sight.build.id)} is not over. The run is started as soon as the build has succeeded.`;
  }
  const of = query.branch === undefined ? "" : ` of branch ${shownBuild(query.branch)}`;
  return (
    `${builderSubject(query.builder)} has no build${of} yet; the run is started as soon as one has succeeded. Push a ` +
    "commit, or start a build in Northflank."
  );
}

function failedText({ query, sight }: SeenBuild): string {
  const { id = "", status = "" } = sight.kind === "found" ? sight.build : {};
  return (
    `${buildText(query, id)} failed (${shownBuild(status)}), so no run was started. See the log of the build in Northflank, ` +
    "and create a run of a build that succeeds."
  );
}

function notFoundText({ query, sight }: SeenBuild): string {
  const { by, builder } = query;
  if (sight.kind === "no-builder") {
    const remedy =
      "serviceId" in builder
        ? "Create it, grant the token's role the permission to read it, or create a run with another deployment.internal.id."
        : "Grant the token's role the permission to read it, or create a run whose deployment.internal.id names the service that builds.";
    return `${noBuilderText(builder)} ${remedy}`;
  }
  if (by.kind === "id" && sight.kind === "found") {
    return (
      `Build ${shownBuild(by.buildId)} of ${builderNoun(builder)} is one of commit ${shownBuild(sight.build.sha ?? "")}, not of ` +
      `${by.sha}. Create a run with one of the two, deployment.internal.buildId or buildSHA.`
    );
  }
  const what =
    by.kind === "id" ? `build ${shownBuild(by.buildId)}` : `build of commit ${by.kind === "commit" ? by.sha : ""}`;
  return `${builderSubject(builder)} has no ${what}. Start the build in Northflank, or create a run of another build.`;
}

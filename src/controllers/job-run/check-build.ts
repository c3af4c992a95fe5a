import type { NorthflankJobRun } from "../../api/job-run.ts";
import { northflankJobRuns } from "../../api/names.ts";
import { isNorthflankError } from "../../northflank/errors.ts";
import type { Account } from "../account/accounts.ts";
import { readBuild } from "../build/read-build.ts";
import { spenderOf } from "../reconcile/spender.ts";
import { runBuildQuery, runBuildState } from "./build-wait.ts";
import type { StartReport } from "./decide.ts";
import { type RunReconcile, requestOf } from "./run-reconcile.ts";

/**
 * Reads the build that the spec names, as long as it is not known to be usable: one request, or none. `undefined`: no
 * build keeps the run from being started.
 */
export async function buildInTheWay(
  given: Pick<RunReconcile, "memory" | "deps" | "context"> & {
    readonly object: NorthflankJobRun;
    readonly account: Account;
  },
): Promise<StartReport | undefined> {
  const { object, account, memory, deps, context } = given;
  const { build } = memory.known;
  const query = runBuildQuery(object);
  if (query === undefined || build?.isUsable) return undefined;
  const { projectId } = query.builder;
  if (projectId !== object.spec.projectId) {
    // What a connection allows holds for the project that a build comes from as well.
    const allowed = await deps.accounts.resolve({ ...requestOf(object), projectId, isBuilder: true }, context.signal);
    if (allowed.kind === "blocked") return allowed;
  }
  const { buildId, sinceMs = deps.clock.monotonic() } = build ?? {};
  const sha = query.by.kind === "commit" ? query.by.sha : undefined;
  // One build is a small answer, all builds of a service are a large one.
  const asked =
    sha === undefined || buildId === undefined ? query : { ...query, by: { kind: "id", buildId, sha } as const };
  const requestClass = build === undefined ? "change" : "run";
  try {
    const call = {
      class: requestClass,
      spender: spenderOf(northflankJobRuns, object),
      signal: context.signal,
    } as const;
    const seen = await readBuild({ account, projectId: object.spec.projectId, query: asked, call });
    const state = runBuildState(object, seen);
    const awaitedId = state === "awaited" && seen.sight.kind === "found" ? seen.sight.build.id : undefined;
    memory.remember({ build: { sinceMs, buildId: awaitedId, isUsable: state === "usable" } });
    if (state === "usable") return undefined;
    // The one that was awaited is over, or gone: of its commit there may be another one by now.
    if (asked !== query && state !== "awaited") return await buildInTheWay(given);
    return { kind: "buildNotUsable", seen, elapsedMs: deps.clock.monotonic() - sinceMs };
  } catch (error) {
    if (isNorthflankError(error)) return { kind: "readFailed", error };
    throw error;
  }
}

// pure
import type { NorthflankDeployment } from "../../api/deployment.ts";
import type { BuilderName } from "../../northflank/client.ts";
import type { InternalSource } from "../../northflank/types.ts";
import { capped, formatTime } from "../../runtime/conditions.ts";
import { present } from "../../util/present.ts";
import { type BuildQuery, builderText, namedBuilder, type SeenBuild, versionOf } from "../build/build-query.ts";
import type { Desire } from "./desired.ts";
import { sinceOf } from "./machine.ts";
import type { BuildRecord } from "./observation.ts";
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

// pure
import type { NorthflankDeployment, NorthflankDeploymentStatus } from "../../api/deployment.ts";
import type { BuilderName } from "../../northflank/client.ts";
import type { BuildList, BuildView, InternalSource } from "../../northflank/types.ts";
import { capped, formatTime } from "../../runtime/conditions.ts";
import { present } from "../shared/present.ts";
import type { Desire } from "./desire.ts";
import type { TargetView } from "./target-view.ts";

/** Which build a declaration comes to: the one with this id, the one of this commit, or the newest of the branch. */
export interface BuildQuery {
  readonly builder: BuilderName;
  readonly by:
    | { readonly kind: "id"; readonly buildId: string; readonly sha: string | undefined }
    | { readonly kind: "commit"; readonly sha: string }
    | { readonly kind: "latest" };
  readonly branch: string | undefined;
}

/** What a look for a build came to. */
export type BuildSight =
  | { readonly kind: "found"; readonly build: BuildView }
  /** The builder is there, such a build is not. */
  | { readonly kind: "none" }
  | { readonly kind: "no-builder" }
  /** Nobody can tell: the token may not look, or there are too many builds. Northflank itself judges then. */
  | { readonly kind: "unseen" };

/** A build that was asked for, and what was seen. */
export interface SeenBuild {
  readonly query: BuildQuery;
  readonly sight: BuildSight;
}

/** `status.build` */
export type BuildRecord = NonNullable<NorthflankDeploymentStatus["build"]>;

/**
 * Which build is declared; `undefined` for other sources, and when nobody can tell who builds. Without an id a combined
 * service and a job build for themselves, unless Northflank tells another builder. Without `target`, which is what was
 * read of it, such a builder is not known.
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
  if (id === undefined || isDatabaseId(id)) return undefined;
  if (id === jobId) return { projectId, jobId };
  const [first = "", second] = id.split("/");
  return second === undefined ? { projectId, serviceId: first } : { projectId: first, serviceId: second };
}

function presentBuilder({ id, kind, serviceType, internal }: TargetView): string | undefined {
  if (serviceType === "combined") return id;
  return internal?.id ?? (kind === "job" ? id : undefined);
}

/** The documentation calls the id that is read a database id; where it is one, it is of no use in a path or a comparison. */
export function isDatabaseId(id: string): boolean {
  return /^[0-9a-f]{24}$/.test(id);
}

function versionOf({ buildId, buildSHA }: InternalSource): BuildQuery["by"] {
  const sha = buildSHA === undefined || buildSHA === "latest" ? undefined : buildSHA.toLowerCase();
  if (buildId !== undefined) return { kind: "id", buildId, sha };
  return sha === undefined ? { kind: "latest" } : { kind: "commit", sha };
}

/** True for a declaration that follows Northflank's own deployment of new builds instead of naming one. */
export function followsLatest({ body }: Desire): boolean {
  return body.internal !== undefined && versionOf(body.internal).kind === "latest";
}

/** The build of a list that a query means: of several one that succeeded, else one under way, else the newest. */
export function pickBuild({ by, branch }: BuildQuery, builds: readonly BuildView[]): BuildView | undefined {
  const isMeant = (build: BuildView): boolean => {
    if (by.kind === "id") return build.id === by.buildId;
    return by.kind === "commit" ? build.sha === by.sha : branch === undefined || build.branch === branch;
  };
  const ranked = builds.filter(isMeant).map((build) => ({ build, rank: rankOf(build, branch) }));
  return ranked.reduce<(typeof ranked)[number] | undefined>(better, undefined)?.build;
}

const outcomeRanks: Readonly<Record<BuildView["outcome"], number>> = { succeeded: 4, active: 2, failed: 0 };

/** One commit may have builds on several branches: the declared one comes first. */
function rankOf({ outcome, branch: of }: BuildView, branch: string | undefined): number {
  return outcomeRanks[outcome] + (branch === undefined || of === branch ? 1 : 0);
}

/** The list is newest first, so that of two alike the first one stays. */
function better<T extends { readonly rank: number }>(best: T | undefined, one: T): T {
  return best === undefined || one.rank > best.rank ? one : best;
}

/** What a list of builds, or that there is none, says about a query. */
export function sightOf(query: BuildQuery, list: BuildList | undefined): BuildSight {
  if (list === undefined) return { kind: "no-builder" };
  const build = pickBuild(query, list.builds);
  if (build !== undefined) return { kind: "found", build };
  return { kind: list.truncated === true ? "unseen" : "none" };
}

/** How a build stands in the way of what is declared. */
export type BuildState = "usable" | "awaited" | "failed" | "not-found";

/** Judges what was seen. What nobody can see is usable: Northflank refuses a build that it does not have. */
export function judgeBuild({ query, sight }: SeenBuild): BuildState {
  switch (sight.kind) {
    case "unseen":
      return "usable";
    case "no-builder":
      return "not-found";
    case "none":
      return query.by.kind === "latest" ? "awaited" : "not-found";
    case "found": {
      const { outcome, sha } = sight.build;
      if (query.by.kind === "id" && isOtherCommit(query.by.sha, sha)) return "not-found";
      if (outcome === "active") return "awaited";
      return outcome === "succeeded" ? "usable" : "failed";
    }
  }
}

/** Both commits are known, and they differ. */
export function isOtherCommit(declared: string | undefined, found: string | undefined): boolean {
  return declared !== undefined && found !== undefined && declared !== found;
}

/** What status keeps of a build: nothing that moves while it is under way, so that a look at it writes nothing. */
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

/** `shop/builder` */
export function builderText(builder: BuilderName): string {
  return `${builder.projectId}/${"serviceId" in builder ? builder.serviceId : builder.jobId}`;
}

/** The commit of the build that was last applied for this very declaration; `undefined` when it is not known. */
export function resolvedCommit({ status }: NorthflankDeployment, { hash }: Desire): string | undefined {
  const build = status?.applied?.specHash === hash ? status.build : undefined;
  return build?.outcome === "Succeeded" ? build.sha : undefined;
}

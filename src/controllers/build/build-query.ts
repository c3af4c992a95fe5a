// pure
import type { BuilderName } from "../../northflank/client.ts";
import type { BuildList, BuildView, InternalSource } from "../../northflank/types.ts";

/** Which build a declaration resolves to: the one with this id, the one of this commit, or the newest of the branch. */
export interface BuildQuery {
  readonly builder: BuilderName;
  readonly by:
    | { readonly kind: "id"; readonly buildId: string; readonly sha: string | undefined }
    | { readonly kind: "commit"; readonly sha: string }
    | { readonly kind: "latest" };
  readonly branch: string | undefined;
}

/** What a search for a build found. */
export type BuildSight =
  | { readonly kind: "found"; readonly build: BuildView }
  /** The builder is there, such a build is not. */
  | { readonly kind: "none" }
  | { readonly kind: "no-builder" }
  /** Not known: the token may not read it, or there are too many builds. Northflank itself decides then. */
  | { readonly kind: "unseen" };

/** The query for a build, and its result. */
export interface SeenBuild {
  readonly query: BuildQuery;
  readonly sight: BuildSight;
}

/**
 * Who builds: the service of this id, in this project or in the one before the slash, or the job itself. `undefined`
 * for an id that names none.
 */
export function namedBuilder(
  id: string,
  { projectId, jobId }: { readonly projectId: string; readonly jobId?: string | undefined },
): BuilderName | undefined {
  if (isDatabaseId(id)) return undefined;
  if (jobId !== undefined && id === jobId) return { projectId, jobId };
  const [first = "", second] = id.split("/");
  return second === undefined ? { projectId, serviceId: first } : { projectId: first, serviceId: second };
}

/** The documentation calls the id that is read a database id: such an id is of no use in a path or a comparison. */
export function isDatabaseId(id: string): boolean {
  return /^[0-9a-f]{24}$/.test(id);
}

/** Which of its builds a source means. */
export function versionOf({ buildId, buildSHA }: InternalSource): BuildQuery["by"] {
  const sha = buildSHA === undefined || buildSHA === "latest" ? undefined : buildSHA.toLowerCase();
  if (buildId !== undefined) return { kind: "id", buildId, sha };
  return sha === undefined ? { kind: "latest" } : { kind: "commit", sha };
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

/** How a build blocks what is declared. */
export type BuildState = "usable" | "awaited" | "failed" | "not-found";

/** The state of a build. One that cannot be seen is usable: Northflank refuses a build that it does not have. */
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

/** `shop/builder` */
export function builderText(builder: BuilderName): string {
  return `${builder.projectId}/${"serviceId" in builder ? builder.serviceId : builder.jobId}`;
}

/** `service shop/builder`, `job shop/etl` */
export function builderNoun(builder: BuilderName): string {
  return `${"serviceId" in builder ? "service" : "job"} ${builderText(builder)}`;
}

/** The same at the beginning of a sentence. */
export function builderSubject(builder: BuilderName): string {
  const noun = builderNoun(builder);
  return `${noun.charAt(0).toUpperCase()}${noun.slice(1)}`;
}

/** `Build joyous-view-6290 of commit 0a1b2c3d4e5f of service shop/builder` */
export function buildText({ by, builder, branch }: BuildQuery, id: string): string {
  const of = by.kind !== "latest" && by.sha !== undefined ? ` of commit ${by.sha.slice(0, 12)}` : "";
  const on = by.kind === "latest" && branch !== undefined ? `, the newest of branch ${shownBuild(branch)},` : "";
  return `Build ${shownBuild(id)}${of} of ${builderNoun(builder)}${on}`;
}

/** Nothing of this name builds, as far as the token can see. */
export function noBuilderText(builder: BuilderName): string {
  return "serviceId" in builder
    ? `There is no service ${builderText(builder)} that builds, or the token cannot see it.`
    : `Job ${builderText(builder)} builds nothing itself, or the token cannot see it.`;
}

/** A name that Northflank or a user gave, short enough for a message. */
export function shownBuild(text: string): string {
  return text.length > 64 ? `${text.slice(0, 63)}…` : text;
}

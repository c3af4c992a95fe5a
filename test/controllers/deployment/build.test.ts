import { describe, expect, test } from "vitest";
import {
  type BuildQuery,
  type BuildState,
  judgeBuild,
  pickBuild,
  type SeenBuild,
  sightOf,
} from "../../../src/controllers/build/build-query.ts";
import { buildQuery, buildRecord } from "../../../src/controllers/deployment/build.ts";
import { desireOf } from "../../../src/controllers/deployment/desired.ts";
import { jobTarget, serviceTarget } from "../../../src/controllers/deployment/target.ts";
import type { BuildView, InternalSource } from "../../../src/northflank/types.ts";
import { build, deployment, service } from "../../support/builders.ts";

const sha = "a".repeat(40);
const builder = { projectId: "shop", serviceId: "builder" };
const internalOf = (id: string | undefined) => ({
  id,
  branch: undefined,
  buildSHA: undefined,
  buildId: undefined,
  deployedSHA: undefined,
});

describe("which build is declared", () => {
  const query = (internal: InternalSource, target = serviceTarget(service(), undefined), jobId?: string) => {
    const service = deployment({ spec: { deployment: { internal } } });
    const { serviceId: _, ...spec } = service.spec;
    const object = jobId === undefined ? service : { ...service, spec: { ...spec, jobId } };
    const read = desireOf(object.spec);
    if (read.kind === "problem") throw new Error(read.problem.message);
    return buildQuery(object, read.desire, target);
  };

  test.each<[string, InternalSource, BuildQuery["by"]]>([
    ["the one with its id", { buildId: "b-1" }, { kind: "id", buildId: "b-1", sha: undefined }],
    [
      "the one with its id, of a commit",
      { buildId: "b-1", buildSHA: sha.toUpperCase() },
      { kind: "id", buildId: "b-1", sha },
    ],
    [
      "the one with its id, whatever else is newest",
      { buildId: "b-1", buildSHA: "latest" },
      { kind: "id", buildId: "b-1", sha: undefined },
    ],
    ["the one of a commit", { buildSHA: sha.toUpperCase() }, { kind: "commit", sha }],
    ["the latest", { buildSHA: "latest" }, { kind: "latest" }],
    ["the latest where nothing is said", {}, { kind: "latest" }],
  ])("%s", (_sentence, internal, by) => {
    expect(query({ id: "builder", branch: "main", ...internal })).toEqual({ builder, by, branch: "main" });
  });

  const combined = serviceTarget(service({ serviceType: "combined" }), undefined);
  const following = serviceTarget(service({ internal: internalOf("tools/other") }), undefined);
  const unreadable = serviceTarget(service({ internal: internalOf("5f6e7a8b9c0d1e2f3a4b5c6d") }), undefined);
  const source = { image: undefined, external: undefined, internal: undefined };
  const job = jobTarget("etl", { source, job: undefined }, undefined);
  test.each<[string, BuildQuery["builder"] | undefined, ReturnType<typeof query>]>([
    ["another project's service", { projectId: "tools", serviceId: "ci" }, query({ id: "tools/ci" })],
    ["a combined service itself", { projectId: "shop", serviceId: "api" }, query({}, combined)],
    ["the builder that the service has", { projectId: "tools", serviceId: "other" }, query({}, following)],
    ["a job itself", { projectId: "shop", jobId: "etl" }, query({}, job, "etl")],
    ["a job itself, named", { projectId: "shop", jobId: "etl" }, query({ id: "etl" }, job, "etl")],
    ["nobody knows whom, of a service that runs an image", undefined, query({})],
    ["nobody knows whom, where a database id is told", undefined, query({}, unreadable)],
  ])("of %s", (_sentence, expected, actual) => {
    expect(actual?.builder).toEqual(expected);
  });

  test("is none for an image", () => {
    const object = deployment();
    const read = desireOf(object.spec);
    expect(read.kind === "desire" && buildQuery(object, read.desire, undefined)).toBeUndefined();
  });
});

describe("of several builds", () => {
  const failed = build({ id: "failed", status: "FAILURE", outcome: "failed" });
  const active = build({ id: "active", status: "BUILDING", outcome: "active" });
  const good = build({ id: "good" });
  const elsewhere = build({ id: "elsewhere", branch: "dev" });
  const other = build({ id: "other", sha: "b".repeat(40) });
  const commit: BuildQuery["by"] = { kind: "commit", sha };
  test.each<[string, BuildQuery["by"], string | undefined, readonly BuildView[], string | undefined]>([
    ["one that succeeded comes before one under way", commit, undefined, [active, good, failed], "good"],
    ["one under way comes before one that failed", commit, undefined, [failed, active], "active"],
    [
      "one that succeeded elsewhere comes before one that failed here",
      commit,
      "main",
      [failed, elsewhere],
      "elsewhere",
    ],
    ["one of the declared branch comes first", commit, "main", [elsewhere, good], "good"],
    ["the newest of two alike", commit, undefined, [build({ id: "new" }), good], "new"],
    ["none, where the commit is another", commit, undefined, [other], undefined],
    ["none, where there are none", commit, undefined, [], undefined],
    ["the latest is of the declared branch", { kind: "latest" }, "dev", [good, elsewhere], "elsewhere"],
    ["the latest is of any branch where none is declared", { kind: "latest" }, undefined, [other, good], "other"],
    ["the one with its id", { kind: "id", buildId: "other", sha: undefined }, undefined, [good, other], "other"],
  ])("%s", (_sentence, by, branch, builds, expected) => {
    expect(pickBuild({ builder, by, branch }, builds)?.id).toBe(expected);
  });
});

describe("what was seen of a build", () => {
  const by = (by: BuildQuery["by"]): BuildQuery => ({ builder, by, branch: "main" });
  const commit = by({ kind: "commit", sha });
  const latest = by({ kind: "latest" });
  const id = by({ kind: "id", buildId: "b", sha: undefined });
  const found = (parts: Partial<BuildView>): SeenBuild["sight"] => ({ kind: "found", build: build(parts) });
  test.each<[string, BuildQuery, SeenBuild["sight"], BuildState]>([
    ["is usable after success", id, found({}), "usable"],
    ["is awaited while it is under way", id, found({ outcome: "active" }), "awaited"],
    ["has failed", id, found({ outcome: "failed" }), "failed"],
    ["is not there", id, { kind: "none" }, "not-found"],
    ["is not there for a commit", commit, { kind: "none" }, "not-found"],
    ["is awaited when it is the first of a branch", latest, { kind: "none" }, "awaited"],
    ["has nobody to make it", latest, { kind: "no-builder" }, "not-found"],
    ["is Northflank's to judge where nobody can see it", commit, { kind: "unseen" }, "usable"],
    ["is another one's", by({ kind: "id", buildId: "b", sha }), found({ sha: "b".repeat(40) }), "not-found"],
    ["is of the commit that is declared too", by({ kind: "id", buildId: "b", sha }), found({}), "usable"],
    ["is of a commit that nobody tells", by({ kind: "id", buildId: "b", sha }), found({ sha: undefined }), "usable"],
  ])("%s", (_sentence, query, sight, expected) => {
    expect(judgeBuild({ query, sight })).toBe(expected);
  });

  test("proves nothing when not all builds were read", () => {
    expect(sightOf(commit, { builds: [], truncated: true })).toEqual({ kind: "unseen" });
    expect(sightOf(commit, { builds: [] })).toEqual({ kind: "none" });
    expect(sightOf(commit, undefined)).toEqual({ kind: "no-builder" });
    expect(sightOf(commit, { builds: [build()], truncated: true })).toMatchObject({ kind: "found" });
  });

  test("is kept in status as it was first seen, and anew when its outcome changes", () => {
    const now = Date.parse("2026-01-01T00:00:00Z");
    const seen = (parts: Partial<BuildView>): SeenBuild => ({ query: commit, sight: found(parts) });
    const first = buildRecord(undefined, seen({ outcome: "active", status: "QUEUED" }), now);
    expect(first).toEqual({
      builder: "shop/builder",
      id: "joyous-view-6290",
      branch: "main",
      sha,
      outcome: "Active",
      time: "2026-01-01T00:00:00Z",
    });
    expect(buildRecord(first, seen({ outcome: "active", status: "UPLOADING" }), now + 60_000)).toEqual(first);
    expect(buildRecord(first, seen({}), now + 60_000)).toMatchObject({
      outcome: "Succeeded",
      time: "2026-01-01T00:01:00Z",
    });
    expect(buildRecord(first, { query: commit, sight: { kind: "none" } }, now)).toBeUndefined();
  });
});

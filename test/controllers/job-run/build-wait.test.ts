import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { NorthflankJobRun } from "../../../src/api/job-run.ts";
import { reconcileRequestedAt } from "../../../src/api/names.ts";
import type { AccountResolution } from "../../../src/controllers/account/accounts.ts";
import { runBuildQuery, runBuildState } from "../../../src/controllers/job-run/build-wait.ts";
import type { BuildView } from "../../../src/northflank/types.ts";
import { build } from "../../support/builders.ts";
import { RunStory } from "../../support/run-story.ts";

/* A run of a build that is under way waits for it, as a deployment does. */

const minute = 60_000;
const sha = "b".repeat(40);
const building = build({ id: "b-1", sha, status: "BUILDING", outcome: "active" });
const over = (status: string, outcome: BuildView["outcome"]) => build({ id: "b-1", sha, status, outcome });

type Internal = NonNullable<NonNullable<NorthflankJobRun["spec"]["deployment"]>["internal"]>;
const ofCommit: Internal = { id: "builder", branch: "main", buildSHA: sha };

let story: RunStory;
let blockedProject: string | undefined;
beforeEach(() => {
  blockedProject = undefined;
  story = new RunStory({
    account: ({ projectId }): AccountResolution | undefined =>
      projectId !== blockedProject
        ? undefined
        : {
            kind: "blocked",
            readyState: { kind: "stalled", reason: "ProjectNotAllowed", message: "not allowed" },
            recheckAfterMs: 10 * minute,
          },
  });
});
afterEach(() => expect(story.end()).toEqual([]));

const setBuilds = (...builds: BuildView[]) => story.northflank.hasBuilds("builder", builds);
const message = () => story.status().conditions?.find(({ type }) => type === "Ready")?.message ?? "";
const count = (call: string) => story.remote.calls.filter((one) => one === call).length;

describe("a build that is under way", () => {
  test("is waited for, and the run is started once, soon after it has succeeded", async () => {
    setBuilds(building);
    await story.run({ deployment: { internal: ofCommit } }, 5 * minute);
    expect(story.summary()).toMatchObject({
      phase: "Pending",
      kstatus: "InProgress",
      Ready: "Unknown/WaitingForBuild",
    });
    expect(message()).toBe(
      `Build b-1 of commit ${"b".repeat(12)} of service shop/builder is not over. The run is started as soon as the build has ` +
        "succeeded. Polled every 10s to 5m.",
    );
    expect(story.remote.posts).toHaveLength(0);
    setBuilds(over("SUCCESS", "succeeded"));
    await story.clock.advance(2 * minute);
    expect(story.status().phase).toBe("Succeeded");
    expect(story.remote.posts).toHaveLength(1);
  });

  test("costs one request per look, ever more rarely, and none that a status write calls for", async () => {
    setBuilds(building);
    await story.run({ deployment: { internal: ofCommit } }, 30 * minute);
    // One list, and then the one build by its id.
    expect(count("listBuilds")).toBe(1);
    expect(count("getBuild")).toBeGreaterThan(8);
    expect(count("getBuild")).toBeLessThan(40);
    const before = count("getBuild");
    await story.clock.advance(120 * minute);
    expect(count("getBuild") - before).toBeLessThanOrEqual(26);
    expect(story.writes()).toEqual(["status"]);
    expect(count("list")).toBe(0);
  });

  test("holds as long as startDeadlineSeconds allows", async () => {
    setBuilds(building);
    await story.run({ deployment: { internal: ofCommit }, startDeadlineSeconds: 600 }, 11 * minute);
    expect(story.condition("Finished")).toBe("True/StartDeadlineExceeded");
    setBuilds(over("SUCCESS", "succeeded"));
    await story.clock.advance(30 * minute);
    expect(story.remote.posts).toHaveLength(0);
  });

  test("is looked at at once when a reconcile is requested", async () => {
    setBuilds(building);
    await story.run({ deployment: { internal: ofCommit } }, 60 * minute);
    setBuilds(over("SUCCESS", "succeeded"));
    story.cluster.edit("once", { annotations: { [reconcileRequestedAt]: "1" } });
    await story.clock.advance(3_000);
    expect(story.remote.posts).toHaveLength(1);
  });

  test("is waited for by a process that comes after this one, too", async () => {
    setBuilds(building);
    await story.run(
      { deployment: { internal: { ...ofCommit, buildSHA: undefined, buildId: "b-1" } as never } },
      minute,
    );
    story.restart();
    await story.clock.advance(10 * minute);
    expect(story.condition("Ready")).toBe("Unknown/WaitingForBuild");
    expect(count("listBuilds")).toBe(0);
    setBuilds(over("SUCCESS", "succeeded"));
    await story.clock.advance(5 * minute);
    expect(story.status().phase).toBe("Succeeded");
  });

  test("aborts nobody under Replace before it is over", async () => {
    story.remote.runMs = 600 * minute;
    await story.run({}, minute);
    setBuilds(building);
    story.cluster.create("next", {
      deployment: { internal: ofCommit },
      concurrencyPolicy: "Replace",
      startDeadlineSeconds: 36_000,
    });
    await story.clock.advance(20 * minute);
    expect(count("abort")).toBe(0);
    setBuilds(over("SUCCESS", "succeeded"));
    await story.clock.advance(20 * minute);
    expect(count("abort")).toBe(1);
    expect(story.status("next").phase).toBe("Running");
    // It was known to be usable: nobody looked again.
    const looks = count("getBuild") + count("listBuilds");
    await story.clock.advance(20 * minute);
    expect(count("getBuild") + count("listBuilds")).toBe(looks);
  });

  test("that fails ends the run, which is never started", async () => {
    setBuilds(building);
    await story.run({ deployment: { internal: ofCommit } }, minute);
    setBuilds(over("FAILURE", "failed"));
    await story.clock.advance(10 * minute);
    expect(story.summary()).toMatchObject({
      phase: "Failed",
      Stalled: "True/BuildFailed",
      Finished: "True/BuildFailed",
    });
    expect(message()).toContain("failed (FAILURE), so no run was started.");
    expect(story.events()).toEqual(["Warning BuildFailed"]);
    const calls = story.remote.calls.length;
    setBuilds(over("SUCCESS", "succeeded"));
    await story.clock.advance(120 * minute);
    expect(story.remote.calls).toHaveLength(calls);
  });

  test("that fails is nothing where another build of the commit is under way", async () => {
    setBuilds(building);
    await story.run({ deployment: { internal: ofCommit } }, minute);
    setBuilds(build({ id: "b-2", sha, status: "BUILDING", outcome: "active" }), over("ABORTED", "failed"));
    await story.clock.advance(10 * minute);
    expect(story.condition("Ready")).toBe("Unknown/WaitingForBuild");
    setBuilds(build({ id: "b-2", sha }), over("ABORTED", "failed"));
    await story.clock.advance(10 * minute);
    expect(story.status().phase).toBe("Succeeded");
  });
});

describe("a build that is not there", () => {
  test("is looked for ever more rarely, and the run is started when it comes", async () => {
    setBuilds(build({ id: "b-0" }));
    await story.run({ deployment: { internal: ofCommit } }, minute);
    expect(story.summary()).toMatchObject({ Stalled: "True/BuildNotFound", Accepted: "False/BuildNotFound" });
    expect(message()).toContain(`Service shop/builder has no build of commit ${sha}.`);
    await story.clock.advance(60 * minute);
    expect(count("listBuilds")).toBeLessThan(25);
    setBuilds(over("SUCCESS", "succeeded"));
    await story.clock.advance(30 * minute);
    expect(story.status().phase).toBe("Succeeded");
  });

  test.each<readonly [string, Internal, string, string]>([
    [
      "no service that builds",
      { id: "nobody", buildSHA: sha },
      "False/BuildNotFound",
      "There is no service shop/nobody",
    ],
    ["a job that builds nothing", { id: "migrate", buildSHA: sha }, "False/BuildNotFound", "Job shop/migrate builds"],
    ["no build of that id", { id: "builder", buildId: "b-7" }, "False/BuildNotFound", "has no build b-7"],
    [
      "a build of another commit",
      { id: "builder", buildId: "b-0", buildSHA: sha },
      "False/BuildNotFound",
      "is one of commit",
    ],
    ["no build of the branch yet", { id: "builder", branch: "next" }, "Unknown/WaitingForBuild", "of branch next yet"],
  ])("%s", async (_, internal, ready, said) => {
    setBuilds(build({ id: "b-0" }));
    await story.run({ deployment: { internal } }, minute);
    expect(story.condition("Ready")).toBe(ready);
    expect(message()).toContain(said);
    expect(story.remote.posts).toHaveLength(0);
  });
});

test("a build of the job itself is one of the job, not of a service", async () => {
  story.northflank.hasBuilds("migrate", [building]);
  await story.run({ deployment: { internal: { id: "migrate", buildSHA: sha } } }, minute);
  expect(message()).toMatch(/^Build b-1 of commit b{12} of job shop\/migrate is not over\./);
  story.northflank.hasBuilds("migrate", [build({ id: "b-2", sha: "c".repeat(40) })]);
  await story.clock.advance(5 * minute);
  expect(message()).toContain(`Job shop/migrate has no build of commit ${sha}.`);
});

describe("what needs no look", () => {
  test.each<readonly [string, Partial<NorthflankJobRun["spec"]>]>([
    ["no deployment of its own", {}],
    ["an image", { deployment: { external: { imagePath: "nginx:1.27" } } }],
    ["another command", { deployment: { docker: { configType: "customCommand", customCommand: "x" } } as never }],
  ])("%s", async (_, spec) => {
    await story.run(spec, 2 * minute);
    expect([count("getBuild"), count("listBuilds")]).toEqual([0, 0]);
    expect(story.remote.posts).toHaveLength(1);
  });

  test("a build that is there costs one request", async () => {
    setBuilds(over("SUCCESS", "succeeded"));
    await story.run({ deployment: { internal: ofCommit } }, 1_000);
    expect(story.remote.calls).toEqual(["listBuilds", "list", "post"]);
  });

  test("a job that may build its own source: what is not found there is left to Northflank", async () => {
    await story.run({ deployment: { internal: { buildSHA: sha } } }, 1_000);
    expect(story.remote.calls).toEqual(["listBuilds", "list", "post"]);
  });

  test("nor does one that waits for another run of its job", async () => {
    story.remote.runMs = 60 * minute;
    await story.run({}, minute);
    setBuilds(building);
    story.cluster.create("next", {
      deployment: { internal: ofCommit },
      concurrencyPolicy: "Forbid",
      startDeadlineSeconds: 36_000,
    });
    await story.clock.advance(20 * minute);
    expect(story.condition("Ready", "next")).toBe("Unknown/WaitingForConcurrency");
    expect(count("listBuilds")).toBe(0);
  });
});

test("a build of a project that the connection does not allow is not looked at", async () => {
  blockedProject = "secret-project";
  story.northflank.hasBuilds("builder", [over("SUCCESS", "succeeded")], "secret-project");
  await story.run({ deployment: { internal: { ...ofCommit, id: "secret-project/builder" } } }, minute);
  expect(story.condition("Ready")).toBe("False/ProjectNotAllowed");
  expect(story.remote.calls).toEqual([]);
});

test("the job that builds is looked at as a job, and who builds is a guess where the spec does not say so", () => {
  const spec = (internal: Internal) =>
    ({ spec: { projectId: "shop", jobId: "migrate", deployment: { internal } } }) as never;
  const own = { builder: { projectId: "shop", jobId: "migrate" }, by: { kind: "commit", sha }, branch: undefined };
  expect(runBuildQuery(spec({ id: "migrate", buildSHA: sha }))).toEqual(own);
  expect(runBuildQuery(spec({ buildSHA: sha.toUpperCase() }))).toEqual(own);
  expect(runBuildQuery(spec({}))).toBeUndefined();
  const missing = { query: own, sight: { kind: "none" } } as never;
  expect(runBuildState(spec({ id: "migrate", buildSHA: sha }), missing)).toBe("not-found");
  expect(runBuildState(spec({ buildSHA: sha }), missing)).toBe("usable");
});

import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { northflankJobRuns } from "../../../src/api/names.ts";
import { jobObject } from "../../support/builders.ts";
import { fasterClock, startVerbScene, type VerbScene } from "../../support/verb-scene.ts";

let scene: VerbScene;
beforeAll(async () => {
  scene = await startVerbScene();
});
afterEach(() => scene.clear());
afterAll(() => scene[Symbol.asyncDispose]());

const fast = fasterClock(50);
const runs = async () => (await scene.client.list(northflankJobRuns, { namespace: "shop" })).items;
const start = (...args: readonly string[]) => scene.run(["start", ...args], { clock: fast });

describe("start", () => {
  test("takes project, job and connection from the NorthflankJob", async () => {
    await scene.store(jobObject({ spec: { connectionRef: { name: "own" } } }));
    expect(await start("migrate", "--no-wait")).toMatchObject({ code: 0, err: "" });
    expect(await runs()).toMatchObject([
      {
        metadata: { generateName: "migrate-" },
        spec: { projectId: "shop", jobId: "migrate", connectionRef: { name: "own" } },
      },
    ]);
    expect(await start("migrate", "--connection", "other", "--no-wait")).toMatchObject({ code: 0 });
    expect((await runs()).map((run) => Reflect.get(Reflect.get(run, "spec"), "connectionRef").name).sort()).toEqual([
      "other",
      "own",
    ]);
  });

  test.each([
    ["before it arrived", { kind: "reset-before" }],
    ["after it was carried out", { kind: "reset-after" }],
  ] as const)("a create that breaks %s is repeated, and makes one run", async (_, fault) => {
    let faults = 2;
    scene.sandbox.fault = ({ method }) => (method === "POST" && faults-- > 0 ? fault : undefined);
    expect(await start("etl", "--project", "shop", "--no-wait")).toMatchObject({ code: 0, err: "" });
    expect(faults).toBeLessThan(2);
    expect(await runs()).toHaveLength(1);
  });

  test("a create that never gets a response ends with 1, after five", async () => {
    const before = scene.sandbox.calls.length;
    scene.sandbox.fault = ({ method }) => (method === "POST" ? { kind: "reset-before" } : undefined);
    const { code, out, err } = await start("etl", "--project", "shop");
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(/^northflank-operator start: \[unavailable\] create northflankjobruns[^\n]*\n$/);
    expect(scene.sandbox.calls.slice(before).filter(({ method }) => method === "POST")).toHaveLength(5);
  });

  test("the run continues when the time is over", async () => {
    const { code, out, err } = await scene.run(["start", "etl", "--project", "shop", "--timeout", "200ms"]);
    expect(code).toBe(1);
    expect(out).toMatch(/^northflankjobrun\/etl-\w{5} created\n$/);
    expect(err).toContain("timed out after");
    expect(await runs()).toHaveLength(1);
  });
});

describe("wrong usage is 2, with all problems, and nothing is created", () => {
  test.each<[readonly string[], readonly string[]]>([
    [[], ["name one job, or use --from"]],
    [["a", "b"], ["name one job, or use --from"]],
    [["a", "--from", "-"], ["--from names the job"]],
    [["a", "--no-wait", "--timeout", "5s"], ["--timeout cannot be used with --no-wait"]],
    [["x", "--project", "shop"], ['"x" is not the ID of a Northflank job']],
    [["etl", "--project", "-"], ["the ID of a Northflank project is expected"]],
    [["nfrun/a"], ['"nfrun" cannot be used here']],
    [["etl", "--concurrency-policy", "Forbid"], ["startDeadlineSeconds"]],
    [
      ["etl", "--backoff-limit", "x", "--active-deadline", "1"],
      ["--backoff-limit", "--active-deadline"],
    ],
    [["etl", "--image", "UPPER CASE"], ["spec.deployment.external.imagePath"]],
    [["etl", "--env", "1 2=x"], ["spec.runtimeEnvironment"]],
    [["--from", "missing.yaml"], ["there is no such file or directory"]],
  ])("%j", async (args, problems) => {
    const { code, out, err } = await start(...args);
    expect([code, out]).toEqual([2, ""]);
    for (const problem of problems) expect(err).toContain(problem);
    expect(await runs()).toEqual([]);
  });

  test("the value of a variable is never printed", async () => {
    for (const args of [
      ["--env", "hunter2"],
      // biome-ignore lint/suspicious/noTemplateCurlyInString: Northflank would expand it.
      ["--env", "A=${hunter2}"],
      ["--env", "=hunter2"],
      ["--env", "a b=hunter2"],
    ]) {
      const { code, err } = await start("etl", ...args);
      expect([args, code]).toEqual([args, 2]);
      expect(err).not.toContain("hunter2");
    }
  });
});

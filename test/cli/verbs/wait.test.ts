import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { apiVersion, northflankJobRuns } from "../../../src/api/names.ts";
import { createProgress } from "../../../src/cli/progress.ts";
import type { ReadObject } from "../../../src/cli/verbs/fields.ts";
import { kindNamed } from "../../../src/cli/verbs/objects.ts";
import { waitFor } from "../../../src/cli/verbs/wait-for.ts";
import type { KubeClient } from "../../../src/kube/client.ts";
import type { KubeObject } from "../../../src/kube/types.ts";
import { systemClock } from "../../../src/util/clock.ts";
import { runDefaults } from "../../support/builders.ts";
import { capturedIo } from "../../support/captured-io.ts";
import { strictFake } from "../../support/strict-fake.ts";
import { fasterClock, startVerbScene, type VerbOptions, type VerbScene } from "../../support/verb-scene.ts";

let scene: VerbScene;
let count = 0;

beforeAll(async () => {
  scene = await startVerbScene();
});
afterAll(() => scene[Symbol.asyncDispose]());

function condition(type: string, status: string, reason: string, message = "It is so.") {
  return { type, status, reason, message, observedGeneration: 1, lastTransitionTime: "2026-06-01T11:00:00Z" };
}

const running = {
  phase: "Running",
  conditions: [condition("Ready", "False", "RunActive"), condition("Reconciling", "True", "RunActive")],
};
const succeeded = {
  phase: "Succeeded",
  conditions: [condition("Ready", "True", "RunSucceeded"), condition("Succeeded", "True", "RunSucceeded", "It ran.")],
};
const failed = {
  phase: "Failed",
  conditions: [
    condition("Ready", "False", "RunFailed"),
    condition("Stalled", "True", "RunFailed"),
    condition("Succeeded", "False", "RunFailed", "It broke."),
  ],
};

async function storeRun(status: object | undefined, more: object = {}): Promise<KubeObject> {
  const name = `run-${++count}`;
  const object = {
    apiVersion,
    kind: "NorthflankJobRun",
    metadata: { name, ...more },
    spec: { ...runDefaults(), projectId: "shop", jobId: "etl" },
  };
  return scene.store({
    ...object,
    ...(status === undefined ? {} : { status: { observedGeneration: 1, ...status } }),
  } as never);
}

/** A wait that is under way, with the end of its text. */
function waiting(args: readonly string[], options: Partial<VerbOptions> = {}) {
  const result = scene.run(["wait", ...args], options);
  const open = scene.sandbox.openWatches;
  return {
    result,
    /** Resolves when the watch is open. */
    isWatching: async () => {
      const deadlineMs = performance.now() + 5_000;
      while (scene.sandbox.openWatches <= open) {
        if (performance.now() > deadlineMs) throw new Error("no watch was opened");
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
  };
}

const nameOf = ({ metadata }: KubeObject) => metadata.name;

describe("wait", () => {
  test("ends at once where everything is decided, with one line", async () => {
    const done = await storeRun(succeeded);
    const { code, out, err } = await scene.run(["wait", `nfrun/${nameOf(done)}`]);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(/^northflankjobrun\/run-\d+ succeeded after \d+ms; RunSucceeded: It ran\.\n$/);

    const broken = await storeRun(failed);
    const bad = await scene.run(["wait", `nfrun/${nameOf(broken)}`]);
    expect([bad.code, bad.out]).toEqual([1, ""]);
    expect(bad.err).toMatch(
      /^northflank-operator wait: northflankjobrun\/run-\d+ failed after \d+ms; RunFailed: It broke\.\n$/,
    );
  });

  test.each([
    ["succeeds", succeeded, 0],
    ["fails", failed, 1],
  ])("ends as soon as a run %s", async (_, end, code) => {
    const run = await storeRun(running);
    const { result, isWatching } = waiting([`nfrun/${nameOf(run)}`]);
    await isWatching();
    await scene.setStatus(run, end);
    expect((await result).code).toBe(code);
  });

  test("a status of an older generation does not count", async () => {
    const run = await storeRun(succeeded);
    await scene.client.patch(
      northflankJobRuns,
      { namespace: "shop", name: nameOf(run) },
      { kind: "merge", body: { spec: { suspend: true } } },
    );
    const { code, err } = await scene.run(["wait", `nfrun/${nameOf(run)}`, "--timeout", "0"]);
    expect(code).toBe(1);
    expect(err).toContain("is not ready; the operator has not observed the present generation yet");
  });

  test("an object that is deleted meanwhile is 1, and says so", async () => {
    const run = await storeRun(running);
    const { result, isWatching } = waiting([`nfrun/${nameOf(run)}`]);
    await isWatching();
    await scene.client.delete(northflankJobRuns, { namespace: "shop", name: nameOf(run) });
    const { code, err } = await result;
    expect(code).toBe(1);
    expect(err).toContain(`northflankjobrun/${nameOf(run)} deleted after`);
    expect(err).toContain("before that: RunActive");
  });

  test("several objects: ends when all are ready, or with the first that fails", async () => {
    const [one, two] = [await storeRun(running), await storeRun(running)];
    const both = [`nfrun/${nameOf(one)}`, `nfrun/${nameOf(two)}`];
    const first = waiting(both);
    await first.isWatching();
    await scene.setStatus(one, succeeded);
    await scene.setStatus(two, succeeded);
    const good = await first.result;
    expect([good.code, good.out.trim().split("\n").length]).toEqual([0, 2]);

    const [three, four] = [
      await storeRun(running, { labels: { app: "x" } }),
      await storeRun(running, { labels: { app: "x" } }),
    ];
    const second = waiting(["nfrun", "-l", "app=x"]);
    await second.isWatching();
    await scene.setStatus(four, failed);
    const bad = await second.result;
    expect(bad.code).toBe(1);
    expect(bad.err).toContain(`1 more not waited for: northflankjobrun/${nameOf(three)}`);
  });

  test("-f takes the objects of manifests, also from standard input", async () => {
    const run = await storeRun(succeeded);
    const stdin = JSON.stringify({
      apiVersion,
      kind: "NorthflankJobRun",
      metadata: { name: nameOf(run), namespace: "shop" },
      spec: { projectId: "shop", jobId: "etl" },
    });
    expect(await scene.run(["wait", "-f", "-"], { stdin })).toMatchObject({ code: 0 });
    const other = await scene.run(["wait", "-f", "-", "-n", "other"], { stdin });
    expect(other.code).toBe(2);
    expect(other.err).toContain('is in the namespace "shop", and --namespace names "other"');
  });

  test("ends with 1 when the time is over, and with what it saw last", async () => {
    const run = await storeRun(running);
    const { code, out, err } = await scene.run(["wait", `nfrun/${nameOf(run)}`, "--timeout", "300ms"]);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(
      /^northflank-operator wait: timed out after \d+ms: northflankjobrun\/run-\d+ is not ready; RunActive: It is so\.\n$/,
    );
  });

  test("shows on a terminal where the object stands, and erases that before the last line", async () => {
    const run = await storeRun(running);
    const clock = fasterClock(20);
    const printed: string[] = [];
    const { result } = waiting([`nfrun/${nameOf(run)}`], {
      isTerminal: true,
      clock,
      onPrint: (text) => printed.push(text),
    });
    await expect.poll(() => printed.filter((text) => text.includes("RunActive")).length).toBeGreaterThan(2);
    await scene.setStatus(run, succeeded);
    expect(await result).toMatchObject({ code: 0 });
    expect(printed.at(-2)).toBe("\r\u001b[2K");
  });

  test("says once when the operator does not observe the object", async () => {
    const run = await storeRun(undefined);
    const clock = fasterClock(200);
    const { code, err } = await scene.run(["wait", `nfrun/${nameOf(run)}`, "--timeout", "90s"], { clock });
    expect(code).toBe(1);
    expect(err.split("\n").filter((line) => line.includes("is the operator running"))).toHaveLength(1);
  });
});

describe("a watch that", () => {
  test.each<[string, () => void]>([
    ["ends properly", () => scene.sandbox.endWatches()],
    ["is cut", () => scene.sandbox.cutWatches()],
    [
      "is too old (410)",
      () => {
        scene.sandbox.compactHistory();
        scene.sandbox.failWatches();
      },
    ],
  ])("%s does not end the wait", async (_, disturb) => {
    const run = await storeRun(running);
    const { result, isWatching } = waiting([`nfrun/${nameOf(run)}`]);
    await isWatching();
    disturb();
    await scene.setStatus(run, succeeded);
    expect(await result).toMatchObject({ code: 0 });
  });

  test("goes silent is replaced, and what happened meanwhile is seen", async () => {
    const run = await storeRun(running);
    // A hundred times faster: silence is noticed after 75 s.
    const clock = {
      ...systemClock,
      monotonic: () => systemClock.monotonic() * 100,
      setTimer: (callback: () => void, ms: number) => systemClock.setTimer(callback, ms / 100),
    };
    const { result, isWatching } = waiting([`nfrun/${nameOf(run)}`], { clock });
    await isWatching();
    scene.sandbox.silenceWatches();
    await scene.setStatus(run, succeeded);
    expect(await result).toMatchObject({ code: 0 });
  });
});

describe("an API server that restarts, and so", () => {
  const status = (code: number, reason?: string) => ({
    kind: "answer" as const,
    answer: { status: code, body: { kind: "Status", code, ...(reason === undefined ? {} : { reason }) } },
  });

  test.each([
    ["breaks connections", { kind: "reset-before" as const }],
    ["is unavailable", status(503)],
    ["serves no such kind for a moment", status(404, "NotFound")],
    ["refuses for a moment what it will grant", status(403, "Forbidden")],
    ["is busy", status(429, "TooManyRequests")],
  ])("%s, does not end the wait", async (_, fault) => {
    const run = await storeRun(running);
    // Five times faster: back-off and all.
    const clock = fasterClock(5);
    const { result, isWatching } = waiting([`nfrun/${nameOf(run)}`], { clock });
    await isWatching();
    let refused = 0;
    scene.sandbox.fault = ({ method }) => {
      if (method !== "GET" || ++refused > 3) return undefined;
      return fault;
    };
    scene.sandbox.cutWatches();
    await scene.setStatus(run, succeeded);
    expect(await result).toMatchObject({ code: 0 });
    expect(refused).toBeGreaterThan(3);
    scene.sandbox.fault = undefined;
  });

  test("lost the object meanwhile, is found to have done so", async () => {
    const run = await storeRun(running);
    const clock = fasterClock(5);
    const { result, isWatching } = waiting([`nfrun/${nameOf(run)}`], { clock });
    await isWatching();
    let refused = 0;
    scene.sandbox.fault = ({ method }) => (method === "GET" && ++refused <= 3 ? status(404, "NotFound") : undefined);
    scene.sandbox.cutWatches();
    await scene.client.delete(northflankJobRuns, { namespace: "shop", name: nameOf(run) });
    expect(await result).toMatchObject({ code: 1, err: expect.stringContaining("deleted after") });
    scene.sandbox.fault = undefined;
  });

  test("a missing permission to watch ends it, in one sentence", async () => {
    const run = await storeRun(running);
    const clock = fasterClock(50);
    const { metadata } = run;
    scene.sandbox.fault = ({ method, path }) =>
      method === "GET" && !path.endsWith(`/${metadata.name}`) ? status(403, "Forbidden") : undefined;
    const { code, err } = await scene.run(["wait", `nfrun/${metadata.name}`], { clock });
    scene.sandbox.fault = undefined;
    expect(code).toBe(1);
    expect(err).toMatch(
      /^northflank-operator wait: northflankjobruns cannot be watched: cannot list: \[forbidden\][^\n]*\n$/,
    );
  });
});

test("ten thousand objects are waited for in a few seconds", async () => {
  const { judgedMs, code } = await waitForMany(10_000);
  expect(code).toBe(0);
  // Work that grows with the square would take minutes.
  expect(judgedMs).toBeLessThan(8_000);
}, 30_000);

/** How long the wait itself takes for so many objects that become ready one by one. */
async function waitForMany(count: number): Promise<{ readonly judgedMs: number; readonly code: number }> {
  const kind = kindNamed("NorthflankJobRun");
  const made = (index: number, status: object) =>
    ({
      apiVersion,
      kind: kind.type.kind,
      metadata: {
        name: `r${index}`,
        namespace: "shop",
        uid: `u${index}`,
        generation: 1,
        resourceVersion: `${index + 1}`,
      },
      status: { observedGeneration: 1, ...status },
    }) as ReadObject;
  const objects = Array.from({ length: count }, (_, index) => made(index, running));
  const changes = objects.map((object, index) => ({
    type: "MODIFIED" as const,
    object: {
      ...object,
      metadata: { ...object.metadata, resourceVersion: `${count + index + 1}` },
      status: { observedGeneration: 1, ...succeeded },
    },
  }));
  const { io } = capturedIo();
  const startedMs = performance.now();
  const code = await waitFor(
    {
      namespace: "shop",
      io,
      clock: systemClock,
      random: Math.random,
      isColored: false,
      progress: createProgress(io),
      say: () => {},
      complain: () => {},
      client: strictFake<KubeClient>("client", {
        watch: async (_type, options, sink, signal) => {
          if (options.sendInitialEvents === true) {
            for (const object of objects) sink.onEvent({ type: "ADDED", object });
            const metadata = { resourceVersion: `${count}`, annotations: { "k8s.io/initial-events-end": "true" } };
            sink.onEvent({ type: "BOOKMARK", object: { metadata } });
          }
          for (const change of changes) sink.onEvent(change);
          await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        },
      }),
      [Symbol.asyncDispose]: async () => {},
    },
    objects.map((object) => ({ kind, namespace: "shop", name: object.metadata.name, object, goal: {} })),
    undefined,
  );
  return { judgedMs: performance.now() - startedMs, code };
}

describe("what does not exist or cannot be used", () => {
  test("a name that does not exist is one sentence and 1", async () => {
    expect(await scene.run(["wait", "nfrun/none"])).toEqual({
      code: 1,
      out: "",
      err: 'northflank-operator wait: there is no NorthflankJobRun "none" in the namespace "shop"\n',
    });
    expect(await scene.run(["wait", "nfrun", "-l", "app=none"])).toMatchObject({ code: 1, out: "" });
  });

  test.each([
    [[], "name the objects as KIND/NAME"],
    [["nfrun"], "name the objects as KIND/NAME"],
    [["nfrun/a", "--timeout", "5"], '--timeout="5": a duration such as 90s'],
    [["nfrun/a", "--all"], "names cannot be used with --selector or --all"],
    [["-l", "a=b", "--all"], "--selector and --all cannot be used together"],
  ])("%j is 2", async (args, problem) => {
    const { code, err } = await scene.run(["wait", ...args]);
    expect(code).toBe(2);
    expect(err).toContain(problem);
  });
});

import { afterEach, describe, expect, test } from "vitest";
import type { NorthflankJobRun } from "../../../src/api/job-run.ts";
import { reconcileRequestedAt } from "../../../src/api/names.ts";
import type { AccountResolution } from "../../../src/controllers/account/accounts.ts";
import { type RunState, stateOf } from "../../../src/controllers/job-run/machine.ts";
import { NorthflankError } from "../../../src/northflank/errors.ts";
import { RunStory } from "../../support/run-story.ts";

/*
 * What a person asks for is seen in every state and outlives whatever stands in its way: an abort, and the request to try
 * a rejected run again.
 */

let story: RunStory;
afterEach(() => expect(story.end()).toEqual([]));

const minute = 60_000;
const suspended: AccountResolution = {
  kind: "blocked",
  readyState: { kind: "waiting", reason: "ConnectionSuspended", message: "paused" },
  recheckAfterMs: minute,
};
const refusal = new NorthflankError({
  code: "rejected",
  step: "start",
  detail: "no plan",
  httpStatus: 422,
  sent: true,
});

describe("abort: true that is taken back half a minute later", () => {
  /** How a story comes into each state; the compiler asks for one when a state is added. */
  const ways: Readonly<Record<RunState, () => Promise<void>>> = {
    idle: () => story.run({ suspend: true }, minute),
    rejected: async () => {
      story.remote.refusals.push(refusal);
      await story.run({}, minute);
    },
    unresolved: async () => {
      story.remote.nextMode = "answerLost";
      await story.run({}, 10_000);
    },
    unknown: async () => {
      story.remote.nextMode = "notApplied";
      await story.run({}, 5 * minute);
    },
    active: () => story.run({}, minute),
    marked: async () => {
      await story.run({}, 10_000);
      story.cluster.recreate({ ...story.object(), spec: { ...story.object().spec, suspend: true } });
      await story.clock.advance(minute);
    },
    adopted: async () => {
      await story.run({}, 10_000);
      story.cluster.recreate(story.object());
      await story.clock.advance(minute);
    },
    between: async () => {
      story.remote.results.push("FAILED");
      story.remote.runMs = 5_000;
      await story.run({ backoffLimit: 1 }, 15_000);
    },
    finished: async () => {
      story.remote.runMs = 1_000;
      await story.run({}, minute);
    },
  };
  const cases = (Object.keys(ways) as RunState[]).flatMap((state) => [
    { state, where: "as usual", closes: false },
    { state, where: "while the connection is suspended", closes: true },
  ]);

  test.each(cases)("$state, $where: is recorded at first sight and carried out", async ({ state, closes }) => {
    let isClosed = false;
    story = new RunStory({ account: () => (isClosed ? suspended : undefined) });
    story.remote.runMs = 600 * minute;
    await ways[state]();
    expect(stateOf(story.object())).toBe(state);
    isClosed = closes;
    story.cluster.edit("once", { spec: { abort: true } });
    await story.clock.advance(100);
    expect(story.status().abortRequestedTime).toBeDefined();
    const { abortRequestedTime } = story.status();
    await story.clock.advance(30_000);
    story.cluster.edit("once", { spec: { abort: false, suspend: false } });
    await story.clock.advance(minute);
    isClosed = false;
    story.restart();
    await story.clock.advance(5 * minute);
    expect(story.status().abortRequestedTime).toBe(abortRequestedTime);
    // A run that only an annotation stands for is not aborted.
    const phases: Partial<Record<RunState, string>> = { finished: "Succeeded", adopted: "Running" };
    expect(story.status().phase).toBe(phases[state] ?? "Aborted");
    expect(story.remote.posts.length).toBeLessThanOrEqual(1);
    if (state === "marked" || state === "adopted") expect(story.remote.calls).not.toContain("abort");
    if (state === "active" || state === "unresolved") expect(story.remote.calls).toContain("abort");
  });
});

describe("a reconcile request for a rejected run", () => {
  interface Way {
    /** Puts something in the way of the next try. */
    readonly block: () => void;
    readonly unblock: () => void;
    readonly spec?: Partial<NorthflankJobRun["spec"]>;
  }
  let isClosed = false;
  const secret = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "db", namespace: "default" },
    data: {},
  } as const;
  const ways: Readonly<Record<string, Way>> = {
    "nothing is in its way": { block: () => undefined, unblock: () => undefined },
    "the connection is suspended": {
      block: () => {
        isClosed = true;
      },
      unblock: () => {
        isClosed = false;
      },
    },
    "a foreign run is active": {
      spec: { concurrencyPolicy: "Forbid", startDeadlineSeconds: 86_400 },
      block: () => {
        story.remote.runMs = 10 * minute;
        story.remote.startForeign();
      },
      unblock: () => undefined,
    },
    "another object's run is active": {
      spec: { concurrencyPolicy: "Forbid", startDeadlineSeconds: 86_400 },
      block: () => {
        story.cluster.create("other", { activeDeadlineSeconds: 600 });
      },
      unblock: () => undefined,
    },
    "the object is suspended": {
      block: () => story.cluster.edit("once", { spec: { suspend: true } }),
      unblock: () => story.cluster.edit("once", { spec: { suspend: false } }),
    },
    "a Secret is gone": {
      spec: { runtimeEnvironmentFrom: [{ secretRef: { name: "db" } }] },
      block: () => story.cluster.drop("Secret", "db"),
      unblock: () => story.cluster.put(secret),
    },
    "the cluster was restored": {
      block: () => story.restore(story.cluster.list()),
      unblock: () => undefined,
    },
  };

  test.each(Object.entries(ways))("%s: is acknowledged at once, and tried once, when it can be", async (_, way) => {
    isClosed = false;
    story = new RunStory({ account: () => (isClosed ? suspended : undefined) });
    story.cluster.put(secret);
    story.remote.refusals.push(refusal);
    await story.run(way.spec ?? {}, minute);
    expect(story.condition("Ready")).toBe("False/RequestRejected");
    way.block();
    await story.clock.advance(5_000);
    story.cluster.edit("once", { annotations: { [reconcileRequestedAt]: "again" } });
    await story.clock.advance(1_000);
    expect(story.status().lastHandledReconcileAt).toBe("again");
    await story.clock.advance(2 * minute);
    story.restart();
    await story.clock.advance(minute);
    way.unblock();
    await story.clock.advance(25 * minute);
    expect(story.condition("Ready")).toBe("True/RunSucceeded");
    expect(story.status().runId).not.toContain("foreign");
    const others = story.cluster.read("other") === undefined ? 0 : 1;
    expect(story.remote.posts).toHaveLength(2 + others);
  });

  test("is one try: refused again it rests, and the same request is no other one", async () => {
    story = new RunStory();
    story.remote.refusals.push(refusal, refusal);
    await story.run({}, minute);
    story.cluster.edit("once", { annotations: { [reconcileRequestedAt]: "again" } });
    await story.clock.advance(minute);
    story.restart();
    await story.clock.advance(120 * minute);
    expect(story.condition("Ready")).toBe("False/RequestRejected");
    expect(story.remote.posts).toHaveLength(2);
  });

  test("of a run that ends meanwhile is acknowledged, and nothing is sent", async () => {
    isClosed = true;
    story = new RunStory({ account: () => (isClosed ? suspended : undefined) });
    isClosed = false;
    story.remote.refusals.push(refusal);
    await story.run({}, minute);
    isClosed = true;
    story.cluster.edit("once", { annotations: { [reconcileRequestedAt]: "again" }, spec: { abort: true } });
    await story.clock.advance(minute);
    isClosed = false;
    await story.clock.advance(minute);
    expect(story.summary()).toMatchObject({ phase: "Aborted" });
    expect(story.status().lastHandledReconcileAt).toBe("again");
    expect(story.remote.posts).toHaveLength(1);
  });
});

describe("a hint about a run", () => {
  test("polls an active one once, before its time", async () => {
    story = new RunStory();
    story.remote.runMs = 10 * minute;
    await story.run({}, 2 * minute);
    const before = story.remote.calls.length;
    story.process.wake("default/once");
    await story.clock.advance(500);
    expect(story.remote.calls.length - before).toBe(0);
    story.process.hint("default/once");
    await story.clock.advance(500);
    expect(story.remote.calls.length - before).toBe(1);
    expect(story.condition("Ready")).toBe("Unknown/RunActive");
    await story.clock.advance(10_000);
    expect(story.remote.calls.length - before).toBe(1);
  });

  test("that has not started, or is over, costs nothing", async () => {
    story = new RunStory();
    await story.run({ suspend: true }, minute);
    story.remote.runMs = 1_000;
    await story.run({}, minute, "over");
    const before = story.remote.calls.length;
    for (const name of ["once", "over"]) story.process.hint(`default/${name}`);
    await story.clock.advance(1_000);
    expect(story.remote.calls.length - before).toBe(0);
  });
});

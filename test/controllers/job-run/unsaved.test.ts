import { describe, expect, test } from "vitest";
import type { NorthflankJobRun } from "../../../src/api/job-run.ts";
import { reconcileRequestedAt, resolveStart } from "../../../src/api/names.ts";
import type { AccountResolution } from "../../../src/controllers/account/accounts.ts";
import { RunMemories, rememberEnd, withUnsaved } from "../../../src/controllers/job-run/memory.ts";
import { KubeError } from "../../../src/kube/errors.ts";
import { NorthflankError } from "../../../src/northflank/errors.ts";
import type { RunProcess } from "../../support/run-process.ts";
import { RunStory } from "../../support/run-story.ts";

/*
 * Each single write of a status in the life of a run fails once: what it should have said is said later, all of it.
 */

const [second, minute] = [1_000, 60_000];

const closed: AccountResolution = {
  kind: "blocked",
  readyState: { kind: "waiting", reason: "ConnectionSuspended", message: "paused" },
  recheckAfterMs: 30_000,
};

interface Life {
  readonly name: string;
  readonly spec: Partial<NorthflankJobRun["spec"]>;
  readonly given?: (story: RunStory) => void;
  /** What a person does, and when. */
  readonly later?: readonly (readonly [atMs: number, act: (story: RunStory) => void])[];
  readonly ready: string;
  /** False where a kill may end otherwise. */
  readonly isKillable?: false;
}

const abort = (story: RunStory) => story.cluster.edit("once", { spec: { abort: true } });
const answer = (value: string) => (story: RunStory) =>
  story.cluster.edit("once", { annotations: { [resolveStart]: value } });
const lost = (story: RunStory) => {
  story.remote.mode = "notApplied";
};

const lives: readonly Life[] = [
  { name: "a success", spec: {}, ready: "True/RunSucceeded" },
  {
    name: "a failure, and a further run",
    spec: { backoffLimit: 1 },
    given: (story) => story.remote.results.push("FAILED"),
    ready: "True/RunSucceeded",
  },
  {
    name: "failures up to the limit",
    spec: { backoffLimit: 1 },
    given: (story) => story.remote.results.push("FAILED", "FAILED"),
    ready: "False/BackoffLimitExceeded",
  },
  {
    name: "a deadline",
    spec: { activeDeadlineSeconds: 90 },
    given: (story) => {
      story.remote.runMs = 600 * minute;
    },
    ready: "False/DeadlineExceeded",
  },
  {
    name: "an abort",
    spec: {},
    given: (story) => {
      story.remote.runMs = 600 * minute;
    },
    later: [[minute, abort]],
    ready: "False/RunAborted",
  },
  { name: "an abort before the start", spec: { suspend: true }, later: [[minute, abort]], ready: "False/RunAborted" },
  {
    name: "a start that came too late",
    spec: { suspend: true, startDeadlineSeconds: 60 },
    ready: "False/StartDeadlineExceeded",
  },
  {
    name: "a refusal for good",
    spec: {},
    given: (story) => {
      const fields = { code: "rejected", step: "start", detail: "no", httpStatus: 422, sent: true } as const;
      story.remote.refusals.push(new NorthflankError(fields));
    },
    ready: "False/RequestRejected",
  },
  {
    name: "a run that was found after its answer was lost",
    spec: {},
    given: (story) => {
      story.remote.mode = "answerLost";
    },
    ready: "True/RunSucceeded",
  },
  { name: "a start that nobody can tell about", spec: {}, given: lost, ready: "False/StartOutcomeUnknown" },
  {
    name: "a start that a person has given up",
    spec: {},
    given: lost,
    later: [[5 * minute, answer("fail")]],
    ready: "False/StartOutcomeUnknown",
  },
  {
    name: "a start that a person has repeated, once",
    spec: {},
    given: lost,
    later: [[5 * minute, answer("retry")]],
    // Acknowledged, and killed before the record was opened again: then a person answers anew, and nothing is sent twice.
    isKillable: false,
    ready: "True/RunSucceeded",
  },
  {
    name: "a duplicate of a repeated start",
    spec: { startGuarantee: "AtLeastOnce" },
    given: (story) => {
      story.remote.mode = "appliedLate";
      story.remote.lateMs = 3 * minute;
      story.remote.runMs = 4 * minute;
    },
    ready: "True/RunSucceeded",
  },
  {
    name: "a run that is gone",
    spec: {},
    given: (story) => {
      story.remote.runMs = 600 * minute;
    },
    later: [[3 * minute, (story) => story.remote.forgetRuns()]],
    ready: "False/RunDisappeared",
  },
];

type Failure = "the write is lost" | "its answer is lost";
type After = "the process goes on" | "the process is killed";

interface Played {
  readonly story: RunStory;
  readonly writes: number;
  readonly patches: number;
  readonly hasFailed: boolean;
}

async function play(life: Life, fault?: { readonly nth: number; readonly what: Failure; readonly after: After }) {
  const story = new RunStory();
  let writes = 0;
  let hasFailed = false;
  const isKill = fault?.after === "the process is killed";
  const failing =
    <A extends unknown[], R>(write: (...given: A) => R) =>
    (...given: A): R => {
      writes += 1;
      if (fault === undefined || writes !== fault.nth) return write(...given);
      hasFailed = true;
      if (fault.what === "its answer is lost") write(...given);
      if (isKill) {
        story.process.kill();
        story.clock.setTimer(() => story.restart(), 15 * second);
      }
      throw new KubeError({ code: "unavailable", step: "write the status", detail: "the API server is away" });
    };
  story.cluster.patchStatus = failing(story.cluster.patchStatus.bind(story.cluster));
  // A kill around the start record leaves what nobody can tell, as it should: see crash-matrix.test.ts.
  if (!isKill) story.cluster.replaceStatus = failing(story.cluster.replaceStatus.bind(story.cluster));
  life.given?.(story);
  story.cluster.create("once", life.spec);
  for (const [atMs, act] of life.later ?? []) story.clock.setTimer(() => act(story), atMs);
  await story.clock.advance(25 * minute);
  story.process.failures.splice(0, 1);
  const patches = story.writes().filter((verb) => verb === "status").length;
  return { story, writes, patches, hasFailed } satisfies Played;
}

/** What a reader of the status learns in the end; times aside, which a failure may put off. */
function endOf({ story }: Played, after: After) {
  const { conditions = [], attempts = [], start, ...rest } = story.status();
  // Whoever comes after a kill finds the run instead of being told of it.
  const isKilled = after === "the process is killed";
  const told = conditions.map(({ type, status, reason, message }) =>
    isKilled && type === "Started" ? { type, status } : { type, status, reason, message },
  );
  return {
    ...rest,
    startTime: rest.startTime !== undefined,
    completionTime: rest.completionTime !== undefined,
    abortRequestedTime: rest.abortRequestedTime !== undefined,
    failure: rest.failure && { class: rest.failure.class, reason: rest.failure.reason },
    attempts: attempts.map(({ startTime, completionTime, origin, ...attempt }) => ({
      ...attempt,
      ...(isKilled ? {} : { origin }),
      hasStart: startTime !== undefined,
      hasEnd: completionTime !== undefined,
    })),
    unknownStartId: rest.unknownStartId !== undefined,
    start: start && { attempt: start.attempt, ...(isKilled ? {} : { outcome: start.outcome, reason: start.reason }) },
    conditions: told,
    posts: story.remote.posts.length,
    finished: story.process.counts.finished.length,
  };
}

describe("one write that fails in the life of a run", () => {
  const faults = (["the write is lost", "its answer is lost"] as const).flatMap((what) =>
    (["the process goes on", "the process is killed"] as const).map((after) => ({ what, after })),
  );
  const rows = lives.flatMap((life) => faults.map((fault) => ({ life, ...fault })));
  test.each(rows.filter(({ life, after }) => after === "the process goes on" || life.isKillable !== false))(
    "$life.name, $what, $after: the end is the same",
    async ({ life, what, after }) => {
      const calm = await play(life);
      expect(calm.story.condition("Ready")).toBe(life.ready);
      expect(calm.story.end()).toEqual([]);
      const isTold = after === "the process goes on";
      const writes = isTold ? calm.writes : calm.patches;
      expect(writes).toBeGreaterThan(0);
      for (let nth = 1; nth <= writes; nth += 1) {
        const hurt = await play(life, { nth, what, after });
        const where = `write ${nth} of ${writes}`;
        expect(hurt.hasFailed, where).toBe(true);
        const expected = endOf(calm, after);
        expect(endOf(hurt, after), where).toEqual(isTold ? expected : { ...expected, finished: expect.any(Number) });
        if (isTold) expect(new Set(hurt.story.events()), where).toEqual(new Set(calm.story.events()));
        expect(hurt.story.end(), where).toEqual([]);
      }
    },
  );
});

describe("what is not written down yet", () => {
  test("keeps a start from being sent: the answer of a person is acknowledged before", async () => {
    const story = new RunStory();
    lost(story);
    story.cluster.create("once");
    await story.clock.advance(5 * minute);
    let failures = 3;
    const write = story.cluster.patchStatus.bind(story.cluster);
    story.cluster.patchStatus = (key, patch) => {
      if (failures-- > 0) throw new KubeError({ code: "unavailable", step: "write the status", detail: "away" });
      return write(key, patch);
    };
    const handled: unknown[] = [];
    const post = story.remote.post.bind(story.remote);
    story.remote.post = (jobId, body) => {
      handled.push(story.status().lastHandledResolveStart);
      return post(jobId, body);
    };
    answer("retry")(story);
    await story.clock.advance(minute);
    expect(handled).toEqual(["retry"]);
    expect(story.process.failures.splice(0)).toHaveLength(3);
    expect(story.end()).toEqual([]);
  });

  test("does not undo what another leader has started: the one before was paused in a write", async () => {
    const story = new RunStory();
    lost(story);
    story.cluster.create("once");
    await story.clock.advance(5 * minute);
    story.remote.runMs = 60 * minute;
    const write = story.cluster.patchStatus.bind(story.cluster);
    let paused: RunProcess | undefined;
    story.cluster.patchStatus = (key, patch) => {
      if (paused !== undefined || !("lastHandledResolveStart" in patch.status)) return write(key, patch);
      paused = story.takeOver();
      throw new KubeError({ code: "conflict", step: "write the status", detail: "late" });
    };
    answer("retry")(story);
    await story.clock.advance(5 * minute);
    expect(story.status()).toMatchObject({ phase: "Running", runId: "run-1" });
    paused?.thaw();
    await story.clock.advance(second);
    expect(paused?.failures).toHaveLength(1);
    paused?.kill();
    await story.clock.advance(5 * minute);
    expect(story.status()).toMatchObject({ phase: "Running", runId: "run-1", start: { outcome: "Accepted" } });
    expect(story.remote.posts).toHaveLength(2);
    expect(story.end()).toEqual([]);
  });

  test("does not hide a start of somebody else, and outlives that somebody removes the record of its own", () => {
    const story = new RunStory();
    const created = story.cluster.create("once");
    const memory = new RunMemories().of("default/once", created);
    const running = { observedGeneration: 1, phase: "Running" } as const;
    memory.remember({ unsaved: { status: running, startId: "ours", events: [], before: undefined } });
    const start = { id: "theirs", attempt: 1, recordedTime: "2026-01-01T00:00:00Z", outcome: "Accepted" } as const;
    const started = { ...created, status: { observedGeneration: 1, start } };
    expect(withUnsaved(started, memory.known)).toBe(started);
    expect(withUnsaved(created, memory.known).status).toEqual(running);
    story.end();
  });

  test("does not hide an end that somebody else wrote", () => {
    const story = new RunStory();
    const created = story.cluster.create("once");
    const memory = new RunMemories().of("default/once", created);
    const unsaved = { status: { observedGeneration: 1, phase: "Running" }, events: [], before: undefined } as const;
    memory.remember({ unsaved });
    expect(withUnsaved(created, memory.known).status?.phase).toBe("Running");
    const ended = { observedGeneration: 1, phase: "Failed", completionTime: "2026-01-01T00:00:00Z" } as const;
    expect(withUnsaved({ ...created, status: ended }, memory.known).status).toEqual(ended);
    story.end();
  });
});

test.each([true, false])(
  "a status that lacks the start and the name of its run is mended (restarted: %s)",
  async (again) => {
    const story = new RunStory();
    story.remote.runMs = 600 * minute;
    story.cluster.create("once", { activeDeadlineSeconds: 600 });
    await story.clock.advance(minute);
    const { resourceVersion = "" } = story.object().metadata;
    story.cluster.patchStatus("default/once", {
      metadata: { resourceVersion },
      status: { startTime: null, runName: null },
    });
    if (again) story.restart();
    await story.clock.advance(minute);
    expect(story.status()).toMatchObject({ startTime: "2026-01-01T00:00:00Z", runName: "migrate-run-1" });
    await story.clock.advance(10 * minute);
    expect(story.condition("Ready")).toBe("False/DeadlineExceeded");
    expect(story.end()).toEqual([]);
  },
);

test.each(["AtMostOnce", "AtLeastOnce"] as const)(
  "a status that lacks its attempts and names its run all the same: that run is found again (%s)",
  async (startGuarantee) => {
    const story = new RunStory();
    story.remote.runMs = 10 * minute;
    story.cluster.create("once", { startGuarantee });
    await story.clock.advance(minute);
    const { resourceVersion = "" } = story.object().metadata;
    story.cluster.patchStatus("default/once", { metadata: { resourceVersion }, status: { attempts: null } });
    await story.clock.advance(20 * minute);
    expect(story.status()).toMatchObject({ runId: "run-1", attempts: [{ number: 1, runId: "run-1" }] });
    expect(story.condition("Ready")).toBe("True/RunSucceeded");
    expect(story.remote.posts).toHaveLength(1);
    expect(story.end()).toEqual([]);
  },
);

describe("a watch that is late for two minutes, and a write whose answer is lost", () => {
  /** The answer to the first write for which this holds is lost, and from then on the watch is late. */
  function late(isMeant: (object: NorthflankJobRun) => boolean): RunStory {
    let lateMs = 0;
    const story = new RunStory({ watchLateMs: () => lateMs });
    const replace = story.cluster.replaceStatus.bind(story.cluster);
    story.cluster.replaceStatus = (object) => {
      const isLost = lateMs === 0 && isMeant(object);
      if (isLost) lateMs = 2 * minute;
      const written = replace(object);
      if (isLost) throw new KubeError({ code: "timeout", step: "replace", detail: "no answer" });
      return written;
    };
    return story;
  }

  function refusedWritesOf(story: RunStory): { count: number } {
    const refused = { count: 0 };
    const replace = story.cluster.replaceStatus.bind(story.cluster);
    story.cluster.replaceStatus = (object) => {
      try {
        return replace(object);
      } catch (error) {
        refused.count += 1;
        throw error;
      }
    };
    return refused;
  }

  test("the record of a run that was found is written ever more slowly", async () => {
    const story = late(({ status }) => status?.start?.outcome === "Recovered");
    const refused = refusedWritesOf(story);
    story.remote.mode = "answerLost";
    story.remote.runMs = 600 * minute;
    story.cluster.create("once");
    await story.clock.advance(3 * minute);
    expect(refused.count).toBeLessThanOrEqual(12);
    await story.clock.advance(5 * minute);
    expect(story.status()).toMatchObject({ phase: "Running", start: { outcome: "Recovered" } });
    story.process.failures.splice(0);
    expect(story.end()).toEqual([]);
  });

  test("a rejected run that is asked for again is opened ever more slowly", async () => {
    const story = late(({ status }) => status?.start?.reason === "StartingRun");
    const refused = refusedWritesOf(story);
    const fields = { code: "rejected", step: "start", detail: "no", httpStatus: 422, sent: true } as const;
    story.remote.refusals.push(new NorthflankError(fields));
    story.cluster.create("once");
    await story.clock.advance(minute);
    story.cluster.edit("once", { annotations: { [reconcileRequestedAt]: "again" } });
    await story.clock.advance(3 * minute);
    expect(refused.count).toBeLessThanOrEqual(12);
    expect(story.remote.posts).toHaveLength(2);
    expect(story.condition("Ready")).toBe("True/RunSucceeded");
    story.process.failures.splice(0);
    expect(story.end()).toEqual([]);
  });
});

test("an intent that came through though it was refused holds up nothing: nothing was sent for it", async () => {
  const story = new RunStory();
  let isFirst = true;
  const replace = story.cluster.replaceStatus.bind(story.cluster);
  story.cluster.replaceStatus = (object) => {
    const written = replace(object);
    // As a proxy answers that has sent a request twice.
    if (isFirst) throw new KubeError({ code: "conflict", step: "replace", detail: "the object has been modified" });
    return written;
  };
  story.cluster.create("once");
  await story.clock.advance(100);
  isFirst = false;
  await story.clock.advance(minute);
  expect(story.condition("Ready")).toBe("True/RunSucceeded");
  expect(story.remote.posts).toHaveLength(1);
  expect(story.end()).toEqual([]);
});

test("what is known of starts that could not be recorded stays small", () => {
  const story = new RunStory();
  const memory = new RunMemories().of("default/once", story.cluster.create("once"));
  const start = { attempt: 1, recordedTime: "2026-01-01T00:00:00Z", outcome: "NotStarted" } as const;
  for (let nth = 1; nth <= 100; nth += 1) rememberEnd(memory, { ...start, id: `start-${nth}` });
  rememberEnd(memory, { ...start, id: "start-99", reason: "StartingRun" });
  expect(memory.known.endedStarts.length).toBe(8);
  expect(memory.known.endedStarts.slice(-2).map(({ id }) => id)).toEqual(["start-100", "start-99"]);
  story.end();
});

test("a start that another process has opened again is not repeated by one that has not seen it", async () => {
  let isOpen = true;
  let lateMs = 0;
  const story = new RunStory({
    account: () => (isOpen ? undefined : closed),
    watchLateMs: () => lateMs,
  });
  lost(story);
  story.cluster.create("once");
  await story.clock.advance(5 * minute);
  isOpen = false;
  answer("retry")(story);
  await story.clock.advance(minute);
  const { start, ...status } = story.status();
  expect(start).toMatchObject({ outcome: "NotStarted", reason: "RetryingRun" });
  lateMs = 3 * minute;
  const { reason: _reason, message: _message, ...opened } = start ?? { id: "", attempt: 1, recordedTime: "" };
  story.cluster.replaceStatus({ ...story.object(), status: { ...status, start: { ...opened, outcome: "Pending" } } });
  isOpen = true;
  await story.clock.advance(2 * minute);
  expect(story.remote.posts).toHaveLength(1);
  expect(story.end()).toEqual([]);
});

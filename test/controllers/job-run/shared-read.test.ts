import { afterEach, describe, expect, test } from "vitest";
import { northflankError } from "../../support/fake-northflank.ts";
import { RunStory } from "../../support/run-story.ts";

/*
 * Two or more runs of one job are polled by one list of its runs. FakeRuns notes each request: `list`, `get`, `abort`.
 */

const minute = 60_000;

let story: RunStory;
afterEach(() => expect(story.end()).toEqual([]));

const names = (count: number) => Array.from({ length: count }, (_, n) => `run-${n}`);

/** Starts so many runs of one job, each of which takes half an hour, and lets `afterMs` pass since the last start. */
async function started(count: number, afterMs: number, spec: Parameters<RunStory["run"]>[0] = {}): Promise<void> {
  story = new RunStory();
  story.remote.runMs = 30 * minute;
  for (const name of names(count)) await story.run(spec, 300, name);
  expect(story.remote.posts).toHaveLength(count);
  await story.clock.advance(afterMs);
}

/** The requests within so much time from now on. */
async function callsWithin(ms: number): Promise<readonly string[]> {
  const before = story.remote.calls.length;
  await story.clock.advance(ms);
  return story.remote.calls.slice(before);
}

const phases = (count: number) => new Set(names(count).map((name) => story.status(name).phase));

// Fifty reconcilers take their time on a busy machine.
describe("fifty runs of one job", { timeout: 60_000 }, () => {
  test("are polled at the request rate of one, from the first poll on", async () => {
    await started(1, 0);
    const young = (await callsWithin(2 * minute)).length;
    const old = (await callsWithin(4 * minute)).length;
    story.end();
    await started(50, 0);
    const together = await callsWithin(2 * minute);
    expect(new Set(together)).toEqual(new Set(["list"]));
    // They were started within fifteen seconds, and the youngest of them sets the pace.
    expect(together.length).toBeLessThanOrEqual(young + 1);
    const later = await callsWithin(4 * minute);
    expect(new Set(later)).toEqual(new Set(["list"]));
    expect(later.length).toBeLessThanOrEqual(old + 1);
    expect(phases(50)).toEqual(new Set(["Running"]));
  });

  test("are seen to be over within one poll interval, each with its own result", async () => {
    story = new RunStory();
    story.remote.runMs = 5 * minute;
    story.remote.results.push("FAILED");
    for (const name of names(50)) await story.run({}, 300, name);
    // A fifth of five minutes, and the spread.
    await story.clock.advance(5 * minute + 67_000);
    const ends = names(50).map((name) => story.status(name).phase);
    expect([
      ends.filter((phase) => phase === "Succeeded").length,
      ends.filter((phase) => phase === "Failed").length,
    ]).toEqual([49, 1]);
  });

  test("cost one list when a new process takes them over", async () => {
    await started(50, minute);
    story.restart();
    expect(await callsWithin(1_000)).toEqual(["list"]);
  });
});

test("a single run is read alone, and so is the last one that is left", async () => {
  await started(1, 0);
  expect(new Set(await callsWithin(5 * minute))).toEqual(new Set(["get"]));
  story.end();
  await started(2, 2 * minute);
  expect(new Set(await callsWithin(5 * minute))).toEqual(new Set(["list"]));
  story.cluster.edit("run-0", { spec: { suspend: true } });
  await story.clock.advance(1_000);
  expect(new Set(await callsWithin(5 * minute))).toEqual(new Set(["get"]));
});

test("a start of the same job that is open brings no poll of a run forward", async () => {
  await started(1, 3_000);
  story.remote.nextMode = "answerLost";
  await story.run({}, 1_000, "open");
  const before = story.remote.calls.length;
  story.process.wake("default/run-0");
  await story.clock.advance(1_000);
  expect(story.remote.calls.slice(before)).toEqual([]);
});

test("a young run beside an old one is polled at its own interval, and the old one costs nothing", async () => {
  await started(1, 20 * minute);
  await story.run({}, 11_000, "young");
  const calls = await callsWithin(minute);
  expect(calls.filter((call) => call === "get")).toEqual([]);
  expect(calls.length).toBeGreaterThanOrEqual(4);
  expect(calls.length).toBeLessThanOrEqual(6);
});

describe("a list that does not serve a run", () => {
  /** The list lacks this run from now on. */
  const hide = (runId: string | undefined, more: { readonly truncated?: true } = {}) => {
    const list = story.remote.list.bind(story.remote);
    story.remote.list = (jobId) => {
      const { runs, ...rest } = list(jobId);
      return { ...rest, ...more, runs: runs.filter(({ id }) => id !== runId) };
    };
  };

  test("because it is cut before it: the run is read alone, and soon no list is read for two of them", async () => {
    await started(2, 5 * minute);
    hide(story.status("run-0").runId, { truncated: true });
    const calls = await callsWithin(9 * minute);
    // One list to find out; then the other one is a single run as well.
    expect(calls.filter((call) => call === "list")).toHaveLength(1);
    expect(calls.filter((call) => call === "get").length).toBeGreaterThan(14);
    expect(phases(2)).toEqual(new Set(["Running"]));
  });

  test("because they are far down: as many pages are read as cost less than a read of each", async () => {
    await started(3, 5 * minute);
    for (let older = 1; older <= 150; older++) story.remote.startForeign("migrate", older * minute);
    expect(await callsWithin(61_000)).toEqual(["list", "list"]);
    for (let older = 1; older <= 150; older++) story.remote.startForeign("migrate", older * minute);
    const calls = await callsWithin(9 * minute);
    // Once they are out of reach, nothing but the runs themselves is read.
    expect(calls.slice(0, 2)).toEqual(["list", "list"]);
    expect(new Set(calls.slice(2))).toEqual(new Set(["get"]));
  });

  test("because it lags: the run is read alone, and never taken for gone", async () => {
    await started(3, 5 * minute);
    hide(story.status("run-0").runId);
    const calls = await callsWithin(15 * minute);
    const [lists, gets] = ["list", "get"].map((kind) => calls.filter((call) => call === kind).length);
    expect(lists).toBeLessThanOrEqual(17);
    expect(gets).toBeLessThanOrEqual(17);
    expect(phases(3)).toEqual(new Set(["Running"]));
  });

  test("because the token may not list the runs: each is read alone at once, and none is held up", async () => {
    await started(3, 5 * minute);
    story.remote.list = () => {
      throw northflankError("forbidden", { httpStatus: 403 });
    };
    const calls = await callsWithin(4 * minute);
    expect(calls.filter((call) => call === "list")).toHaveLength(1);
    expect(calls.filter((call) => call === "get").length).toBeGreaterThanOrEqual(9);
    expect(names(3).map((name) => story.condition("Ready", name))).toEqual(Array(3).fill("Unknown/RunActive"));
  });

  test("because it fails: the next try reads each run alone, and the list is retried after a minute", async () => {
    await started(3, 5 * minute);
    story.remote.list = () => {
      throw northflankError("server_error", { httpStatus: 500 });
    };
    const calls = await callsWithin(3 * minute);
    expect(calls.filter((call) => call === "list").length).toBeLessThanOrEqual(3);
    expect(calls.filter((call) => call === "get").length).toBeGreaterThanOrEqual(6);
    expect(names(3).map((name) => story.condition("Ready", name))).toEqual(Array(3).fill("Unknown/RunActive"));
  });
});

describe("a deadline", () => {
  test("aborts a run only after a read of it alone that was sent after the deadline", async () => {
    await started(2, 0, { activeDeadlineSeconds: 600 });
    const calls = await callsWithin(12 * minute);
    expect(calls.filter((call) => call === "abort")).toHaveLength(2);
    const first = calls.indexOf("abort");
    expect(calls.slice(0, first).filter((call) => call === "get").length).toBeGreaterThanOrEqual(1);
    expect(calls[first - 1]).toBe("get");
    expect(names(2).map((name) => story.condition("Ready", name))).toEqual(Array(2).fill("False/DeadlineExceeded"));
  });

  test("is not acted upon where the run ended before it, after the list was read", async () => {
    story = new RunStory();
    story.remote.runMs = 595_000;
    for (const name of names(2)) await story.run({ activeDeadlineSeconds: 600 }, 300, name);
    await story.clock.advance(12 * minute);
    expect(story.remote.calls).not.toContain("abort");
    expect(phases(2)).toEqual(new Set(["Succeeded"]));
  });
});

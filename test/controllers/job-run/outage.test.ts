import { expect, test } from "vitest";
import { northflankError } from "../../support/fake-northflank.ts";
import { RunStory } from "../../support/run-story.ts";

const second = 1_000;

/** Reads of a run within five seconds of an outage of Northflank, while the object is woken by each of its own writes. */
async function readsInAnOutage(isDeleted: boolean): Promise<number> {
  const story = new RunStory();
  story.remote.runMs = 3_600_000;
  await story.run({ deletionPolicy: "Abort" }, 10 * second);
  let reads = 0;
  story.remote.read = () => {
    reads += 1;
    throw northflankError("server_error", { httpStatus: 503 });
  };
  if (isDeleted) story.cluster.delete("default/once");
  await story.clock.advance(5 * second);
  story.process.kill();
  return reads;
}

test("an outage is asked about with growing pauses, whatever wakes the object", async () => {
  expect(await readsInAnOutage(false)).toBeLessThanOrEqual(4);
});

test("the same while the object is deleted with deletionPolicy Abort", async () => {
  expect(await readsInAnOutage(true)).toBeLessThanOrEqual(4);
});

/** Whether a run is aborted for its deadline, with this many reads that miss it when the deadline is over. */
async function isAborted(missedReads: number, suspend: boolean): Promise<boolean> {
  const story = new RunStory();
  story.remote.runMs = 24 * 3_600_000;
  await story.run({ activeDeadlineSeconds: 60, suspend: false }, 10 * second);
  if (suspend) story.cluster.edit("once", { spec: { suspend } });
  await story.clock.advance(second);
  const read = story.remote.read.bind(story.remote);
  let left = missedReads;
  story.remote.read = (runId) => (left-- > 0 ? undefined : read(runId));
  await story.clock.advance(3_600_000);
  story.process.kill();
  return story.remote.calls.includes("abort");
}

test.each([
  ["", 0, false],
  [", suspended", 0, true],
  [", though a read has missed the run", 1, false],
  [", suspended, though a read has missed the run", 1, true],
])("a run is aborted for activeDeadlineSeconds%s", async (_name, missedReads, suspend) => {
  expect(await isAborted(missedReads, suspend)).toBe(true);
});

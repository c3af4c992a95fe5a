import { describe, expect, test } from "vitest";
import { neededForBaseline, neededForReadBack, neededForWatch } from "../../../src/controllers/job-run/runs-needed.ts";
import type { StartRecord } from "../../../src/controllers/job-run/start-record.ts";
import type { JobRunView } from "../../../src/northflank/types.ts";

const t0 = Date.parse("2026-01-01T12:00:00Z");

function at(seconds: number): string {
  return new Date(t0 + seconds * 1_000).toISOString();
}

function run(seconds: number | undefined, concluded = true): JobRunView {
  const startedAt = seconds === undefined ? undefined : at(seconds);
  return { id: `r${seconds}`, runName: undefined, status: "SUCCESS", concluded, startedAt, concludedAt: undefined };
}

const start: StartRecord = { id: "s", attempt: 1, recordedTime: at(0), outcome: "Pending" };
// The two minutes that a baseline covers, and two for runs that are listed out of order.
const [reached, short] = [-241, -239];

describe("for a read-back", () => {
  test.each<readonly [string, StartRecord, number, boolean]>([
    ["the runs before the record", start, reached, true],
    ["not fewer", start, short, false],
    ["those before the newest one of the baseline", { ...start, baseline: { newestStartTime: at(-60) } }, -300, false],
    ["those before the start that is repeated", { ...start, firstRecordedTime: at(-600) }, -800, false],
    ["those before the start that is repeated, and enough", { ...start, firstRecordedTime: at(-600) }, -841, true],
    ["all, where the time is not known", { ...start, recordedTime: "1970-01-01T00:00:00Z" }, -9_999_999, false],
  ])("%s", (_, of, oldest, isEnough) => {
    const runs = [run(10), run(undefined), run(oldest)];
    expect(neededForReadBack(of).isEnough(runs)).toBe(isEnough);
    expect(neededForWatch(of).isEnough(runs)).toBe(isEnough);
  });

  test("a look that is repeated with each poll makes few requests in any order", () => {
    expect(neededForReadBack(start).maxPages).toBeUndefined();
    expect(neededForWatch(start).maxPages).toBe(3);
  });
});

describe("for a baseline", () => {
  const plain = { repeated: undefined, excludesOthers: false };

  test("the runs near the newest one", () => {
    const { isEnough, maxPages } = neededForBaseline(plain);
    expect([isEnough([run(0), run(short)]), isEnough([run(0), run(reached)]), isEnough([])]).toEqual([
      false,
      true,
      false,
    ]);
    expect(maxPages).toBe(3);
  });

  test("and those since the start that it repeats, in as many requests as it takes", () => {
    const { isEnough, maxPages } = neededForBaseline({ ...plain, repeated: { ...start, recordedTime: at(-3_600) } });
    expect([isEnough([run(0), run(-3_800)]), isEnough([run(0), run(-3_841)])]).toEqual([false, true]);
    expect(maxPages).toBeUndefined();
  });

  test("and, where others are waited for, all that may be active", () => {
    const { isEnough, maxPages } = neededForBaseline({ ...plain, excludesOthers: true });
    const old = Array.from({ length: 60 }, (_, n) => run(-1_000 - n));
    expect(isEnough([run(0, false), ...old])).toBe(true);
    expect(isEnough([run(0), ...old.slice(0, 40), run(-2_000, false), ...old.slice(0, 20)])).toBe(false);
    expect(maxPages).toBeUndefined();
  });
});

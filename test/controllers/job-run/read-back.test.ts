import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { candidatesOf, claimOn, judgeCandidates, judgeReadBack } from "../../../src/controllers/job-run/read-back.ts";
import { baselineOf, isServerTime, type StartRecord } from "../../../src/controllers/job-run/start-record.ts";
import type { JobRunView, RunList } from "../../../src/northflank/types.ts";

const t0 = Date.parse("2026-01-01T12:00:00Z");

function iso(offsetSeconds: number): string {
  return `${new Date(t0 + offsetSeconds * 1_000).toISOString().slice(0, 19)}Z`;
}

function run(id: string, startedSeconds: number | undefined): JobRunView {
  const startedAt = startedSeconds === undefined ? undefined : iso(startedSeconds);
  return { id, runName: undefined, status: "RUNNING", concluded: false, startedAt, concludedAt: undefined };
}

function list(runs: readonly JobRunView[], serverSeconds: number | "untold" = 0): RunList {
  return { runs, serverTimeMs: serverSeconds === "untold" ? undefined : t0 + serverSeconds * 1_000 };
}

function record(baseline: RunList, firstRecordedTime?: string): StartRecord {
  const first = firstRecordedTime === undefined ? {} : { firstRecordedTime };
  return { id: "s", attempt: 1, outcome: "Pending", ...baselineOf(baseline, firstRecordedTime), ...first };
}

const nobody: ReadonlySet<string> = new Set();
const reach = { untilMs: 65_000, countsTimeless: true };

describe("the baseline", () => {
  test("keeps the ids within two minutes of the newest run, and Northflank's time", () => {
    const { recordedTime, baseline } = baselineOf(
      list([run("new", -10), run("edge", -130), run("old", -131), run("timeless", undefined)]),
      undefined,
    );
    expect(recordedTime).toBe(iso(0));
    expect(baseline).toEqual({ newestStartTime: iso(-10), runIds: ["new", "edge", "timeless"] });
  });

  test("of a job that never ran is empty", () => {
    expect(baselineOf(list([]), undefined)).toEqual({ recordedTime: iso(0), baseline: { runIds: [] } });
  });

  test("has a time of its own, which every API server takes, also in the last second that can be written", () => {
    const last = "9999-12-31T23:59:59Z";
    const runs = [{ id: "new", runName: "new", status: "RUNNING", concluded: false, startedAt: last }];
    const made = baselineOf({ runs: runs as never, serverTimeMs: Date.parse(last) }, undefined);
    expect(made.recordedTime).toBe("9999-12-31T23:59:58Z");
    expect(made.baseline?.newestStartTime).toBe(last);
  });

  test("of a repeated start reaches back to the first one", () => {
    const runs = [run("new", -10), run("middle", -300), run("old", -600)];
    expect(baselineOf(list(runs), iso(-400)).baseline?.runIds).toEqual(["new", "middle"]);
  });

  test("without a Date header takes the newest start, or the epoch, and says that it is no server time", () => {
    const withRuns = record(list([run("new", -10)], "untold"));
    const without = record({ runs: [], serverTimeMs: undefined });
    const known = record(list([run("new", -10)]));
    expect([withRuns, without, known].map(isServerTime)).toEqual([false, false, true]);
  });

  test("has at most a thousand ids", () => {
    const many = Array.from({ length: 1_500 }, (_, index) => run(`r${index}`, -1));
    expect(baselineOf(list(many), undefined).baseline?.runIds).toHaveLength(1_000);
  });
});

describe("the read-back", () => {
  const start = record(list([run("known", -5)]));
  const judge = (runs: RunList, claimed = nobody, waitedMs = 0) =>
    judgeReadBack({ start, list: runs, claimed, waitMs: 65_000, waitedMs }).kind;

  test.each<readonly [string, string, RunList]>([
    ["64 s after the record", "tooEarly", list([run("new", 1)], 64)],
    ["65 s after the record", "one", list([run("new", 1)], 65)],
    ["a run of the baseline", "none", list([run("known", -5)], 65)],
    ["a run from 2 s before the record", "one", list([run("new", -2)], 65)],
    ["a run from 3 s before the record", "none", list([run("new", -3)], 65)],
    ["a run without a start", "one", list([run("new", undefined)], 65)],
    ["a run without a start, hours later", "unsure", list([run("new", undefined)], 30_000)],
    ["a run from back then, hours later", "one", list([run("new", 30)], 30_000)],
    ["a run from hours later", "none", list([run("new", 29_000)], 30_000)],
    ["two new runs", "several", list([run("a", 1), run("b", 2)], 65)],
    ["nothing, but pages are missing", "incomplete", { ...list([], 65), truncated: true }],
    ["one new run, and pages are missing", "one", { ...list([run("new", 1)], 65), truncated: true }],
  ])("%s: %s", (_, kind, runs) => expect(judge(runs)).toBe(kind));

  test("a run that another object has is none of ours", () => {
    expect(judge(list([run("new", 1)], 65), new Set(["new"]))).toBe("none");
  });

  test("of a record whose clock was a day ahead does not take a day", () => {
    const ahead = list([], -86_400);
    expect(judge(ahead, nobody, 64_999)).toBe("tooEarly");
    expect(judge(ahead, nobody, 65_000)).toBe("none");
    const left = judgeReadBack({ start, list: ahead, claimed: nobody, waitMs: 65_000, waitedMs: 60_000 });
    expect(left).toEqual({ kind: "tooEarly", waitMs: 5_000 });
  });

  test("of a record whose clock was a day ahead goes by the ids alone", () => {
    const old = list([run("older", -90_000), run("known", -86_700)], -86_590);
    const ahead = record({ ...old, serverTimeMs: t0 });
    const found = (runs: RunList) =>
      candidatesOf({ start: ahead, list: runs, claimed: nobody, reach }).map(({ id }) => id);
    expect(found({ ...old, runs: [...old.runs, run("ours", -86_600)] })).toEqual(["ours"]);
    expect(found(old)).toEqual([]);
  });

  test("without a server time our own wait counts", () => {
    expect(judge(list([run("new", 1)], "untold"), nobody, 64_999)).toBe("tooEarly");
    expect(judge(list([run("new", 1)], "untold"), nobody, 65_000)).toBe("one");
    const blind = { ...start, recordedTime: iso(-5) };
    const at = (waitedMs: number) =>
      judgeReadBack({ start: blind, list: list([run("new", 1)], 900), claimed: nobody, waitMs: 65_000, waitedMs }).kind;
    expect([at(64_999), at(65_000)]).toEqual(["tooEarly", "one"]);
  });
});

describe("the reach of a start", () => {
  const start = record(list([run("known", -5)]));
  const nowMs = t0 + 90_000_000;
  const claimOf = (of: JobRunView, given = start) => claimOn(of, { start: given, untilMs: 65_000, nowMs });

  test.each<readonly [string, number, string]>([
    ["3 s before the record", -3, "notOurs"],
    ["2 s before the record", -2, "ours"],
    ["as late as it can be sent, answered and listed, and 2 s", 67, "ours"],
    ["a second later", 68, "notOurs"],
    ["hours later", 30_000, "notOurs"],
  ])("a run from %s", (_, seconds, claim) => expect(claimOf(run("new", seconds))).toBe(claim));

  test("a run that tells no start, and any where the record has no time of Northflank's, is for a person", () => {
    expect(claimOf(run("new", undefined))).toBe("timeless");
    expect(claimOf(run("new", 30_000), record(list([run("known", -5)], "untold")))).toBe("timeless");
    expect(claimOf(run("known", 1))).toBe("notOurs");
  });

  test("of a repeated start goes from the first one to the last", () => {
    const repeated = record(list([], 600), iso(0));
    expect([-3, -2, 300, 667, 668].map((seconds) => claimOf(run("new", seconds), repeated))).toEqual([
      "notOurs",
      "ours",
      "ours",
      "ours",
      "notOurs",
    ]);
  });

  test("of one that a restore may have forgotten goes to the restore, however long ago the object was made", () => {
    const forgotten = { ...start, untilTime: iso(50_000) };
    expect([49_000, 50_002, 50_003].map((s) => claimOf(run("new", s), forgotten))).toEqual(["ours", "ours", "notOurs"]);
  });

  test("a server time that is the start of the newest run stays one", () => {
    expect(isServerTime(record(list([run("same", 0)], 0)))).toBe(true);
  });
});

describe("two open starts of one job", () => {
  const record1 = { ...record(list([])), id: "one" };
  const at = (seconds: number): StartRecord => ({ ...record(list([], seconds)), id: "two" });
  const judge = (start: StartRecord, openStart: StartRecord, runs: readonly JobRunView[]) =>
    judgeReadBack({
      start,
      list: list(runs, 900),
      claimed: nobody,
      openStarts: [openStart],
      waitMs: 65_000,
      waitedMs: 0,
    });

  test("a run that both may have started is taken by neither", () => {
    const both = run("both", 40);
    for (const [mine, theirs] of [[record1, at(30)] as const, [at(30), record1] as const]) {
      expect(judge(mine, theirs, [both])).toEqual({ kind: "unsure", why: "contested", runIds: ["both"] });
    }
  });

  test("whatever runs there are: no run is taken for both", () => {
    const seconds = fc.integer({ min: -10, max: 300 });
    fc.assert(
      fc.property(seconds, fc.array(seconds, { maxLength: 4 }), fc.boolean(), (later, starts, hasDate) => {
        const runs = starts.map((began, index) => run(`r${index}`, began));
        const second = hasDate ? at(later) : { ...record(list([], "untold")), id: "two" };
        const [a, b] = [judge(record1, second, runs), judge(second, record1, runs)];
        const ids = [a, b].flatMap((found) => (found.kind === "one" ? [found.run.id] : []));
        expect(new Set(ids).size).toBe(ids.length);
      }),
    );
  });

  test("a start that is repeated by itself takes none that another open start may have", () => {
    const given = { start: record1, list: list([run("x", 40)], 900), claimed: nobody, openStarts: [at(30)] };
    expect(judgeCandidates({ ...given, reach }).kind).toBe("unsure");
    expect(judgeCandidates({ ...given, openStarts: [at(120)], reach }).kind).toBe("one");
  });
});

describe("for any history of a job", () => {
  const history = fc.array(fc.integer({ min: -4_000, max: -3 }), { maxLength: 40 });

  test("runs from before the record are never candidates, and a run from after it always is", () => {
    fc.assert(
      fc.property(history, fc.integer({ min: 0, max: 60 }), fc.boolean(), (starts, ours, hasDate) => {
        const before = starts.map((seconds, index) => run(`old${index}`, seconds));
        const start = record({ runs: before, serverTimeMs: hasDate ? t0 : undefined });
        const after = list([...before, run("ours", ours)], 200);
        expect(candidatesOf({ start, list: after, claimed: nobody, reach }).map(({ id }) => id)).toEqual(["ours"]);
      }),
    );
  });

  test("a run from after its reach is never a candidate, nor one whose time nobody knows long after the start", () => {
    const late = fc.integer({ min: 68, max: 1_000_000 });
    fc.assert(
      fc.property(history, late, fc.boolean(), fc.boolean(), (starts, seconds, isTimeless, hasDate) => {
        const before = starts.map((began, index) => run(`old${index}`, began));
        const start = record({ runs: before, serverTimeMs: hasDate ? t0 : undefined });
        const foreign = run("foreign", isTimeless ? undefined : seconds);
        const given = { start, list: list([...before, foreign], 2_000_000), claimed: nobody };
        expect(candidatesOf({ ...given, reach: { ...reach, countsTimeless: false } })).toEqual([]);
      }),
    );
  });

  test("a repeated start sees the late run of the first one, and nothing older", () => {
    fc.assert(
      fc.property(history, fc.integer({ min: -60, max: 60 }), (starts, late) => {
        const first = iso(-100);
        const before = starts.filter((s) => s < -103).map((seconds, index) => run(`old${index}`, seconds));
        const start = record(list(before), first);
        const after = list([...before, run("late", late)], 300);
        expect(candidatesOf({ start, list: after, claimed: nobody, reach }).map(({ id }) => id)).toEqual(["late"]);
      }),
    );
  });
});

import { describe, expect, test } from "vitest";
import type { NorthflankJobRun } from "../../../src/api/job-run.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { type FakeRuns, type StartMode, startModes } from "../../support/fake-runs.ts";
import { brokenPromises } from "../../support/kstatus.ts";
import { RunCluster } from "../../support/run-cluster.ts";
import { type Boundary, boundaries, RunProcess, type RunWorld, type Side } from "../../support/run-process.ts";
import { accountWithJob } from "../../support/run-story.ts";

/*
 * Every place where the start of a run can be cut off, times every way to be cut off, times every way in which the API
 * may treat the POST: the real reconciler, an in-memory Kubernetes and Northflank, a fake clock. Each case runs on both
 * sides of the boundary and under both guarantees.
 *
 *   restart: SIGKILL, a new process one second later
 *   freeze: stopped for 60 s, another process takes over when the lease is out, then the first one wakes up
 *   leaseLoss: everything in flight is aborted, the process ends, another one takes over
 */
const faults = ["restart", "freeze", "leaseLoss"] as const;
type Fault = (typeof faults)[number];
const sides: readonly Side[] = ["before", "after"];
const guarantees = ["AtMostOnce", "AtLeastOnce"] as const;

interface Case {
  readonly boundary: Boundary;
  readonly fault: Fault;
  readonly mode: StartMode;
}

const cases: readonly Case[] = boundaries.flatMap((boundary) =>
  faults.flatMap((fault) => startModes.map((mode) => ({ boundary, fault, mode }))),
);

describe(`crash matrix: ${cases.length} cases, each on ${sides.length} sides under ${guarantees.length} guarantees`, () => {
  const title = "$fault at $boundary, API: $mode";
  test.each(cases)(title, async (one) => {
    for (const guarantee of guarantees) {
      for (const side of sides) await survives(one, side, guarantee);
    }
  });

  test("the faults do strike: all of them but where the API never lets the start come that far", () => {
    expect(struck.get("struck")).toBeGreaterThan(0.9 * cases.length * sides.length * guarantees.length);
    expect([...missed].sort()).toEqual(["postApplied, notApplied, AtMostOnce", "runIdWrite, notApplied, AtMostOnce"]);
  });
});

/** Filled by the cases above. */
const struck = new Map<"struck" | "missed", number>();
const missed = new Set<string>();

async function survives(one: Case, side: Side, guarantee: (typeof guarantees)[number]): Promise<void> {
  const story = await play(one, side, guarantee);
  const { object, remote, posts } = story;
  const count = story.hasStruck ? "struck" : "missed";
  struck.set(count, (struck.get(count) ?? 0) + 1);
  if (!story.hasStruck) missed.add(`${one.boundary}, ${one.mode}, ${guarantee}`);
  const where = `${one.fault} ${side} ${one.boundary}, ${one.mode}, ${guarantee}`;

  // No POST without a durable intent of its own.
  expect(
    posts.every(({ outcome }) => outcome === "Pending"),
    `${where}: intent before POST`,
  ).toBe(true);
  expect(new Set(posts.map(({ id }) => id)).size, `${where}: one POST per intent`).toBe(posts.length);

  // At most one run; more only under AtLeastOnce, and then it is told.
  const started = object.status?.conditions?.find(({ type }) => type === "Started");
  if (guarantee === "AtMostOnce") expect(remote.ours.length, `${where}: at most one run`).toBeLessThanOrEqual(1);
  else if (remote.ours.length > 1) expect(started?.reason, `${where}: a duplicate is told`).toBe("DuplicateRun");

  // A terminal or a named waiting condition, and quiet.
  const stalled = object.status?.conditions?.find(({ type }) => type === "Stalled");
  const isNamed = object.status?.completionTime !== undefined || stalled?.reason === "StartOutcomeUnknown";
  expect(isNamed, `${where}: ends or says what it waits for: ${JSON.stringify(object.status)}`).toBe(true);
  expect(story.lateWrites, `${where}: quiet at the end`).toBe(0);
  expect(story.broken, `${where}: every status keeps the promises of kstatus`).toEqual([]);
  expect(story.failures, `${where}: no pass throws`).toEqual([]);
}

interface Story {
  readonly object: NorthflankJobRun;
  readonly remote: FakeRuns;
  /** The start record as it was in Kubernetes when each POST arrived. */
  readonly posts: readonly { readonly id: string | undefined; readonly outcome: string | undefined }[];
  readonly lateWrites: number;
  readonly broken: readonly string[];
  /** All faults of the case happened. */
  readonly hasStruck: boolean;
  readonly failures: readonly unknown[];
}

async function play(one: Case, side: Side, guarantee: (typeof guarantees)[number]): Promise<Story> {
  const clock = new FakeClock();
  const cluster = new RunCluster(clock);
  const northflank = accountWithJob(clock);
  const remote = northflank.runs;
  remote.mode = one.mode;
  const processes: RunProcess[] = [];
  const posts: { id: string | undefined; outcome: string | undefined }[] = [];
  const broken: string[] = [];
  // A read-back only happens after a start was cut off: then that is done first.
  let armed: { boundary: Boundary; side: Side; fault: Fault }[] = [{ boundary: one.boundary, side, fault: one.fault }];
  if (one.boundary === "resolveRead") armed = [{ boundary: "answerRead", side: "before", fault: "restart" }, ...armed];

  const start = () => processes.push(new RunProcess(`p${processes.length + 1}`, world));
  const strike = (process: RunProcess, fault: Fault) => {
    switch (fault) {
      case "restart":
        process.kill();
        clock.setTimer(start, 1_000);
        return;
      case "freeze":
        process.freeze(10_000);
        clock.setTimer(start, 15_000);
        clock.setTimer(() => process.thaw(), 60_000);
        clock.setTimer(() => process.kill(), 61_000);
        return;
      case "leaseLoss":
        process.loseLease();
        clock.setTimer(() => process.kill(), 1_000);
        clock.setTimer(start, 15_000);
    }
  };
  const onBoundary = (process: RunProcess, boundary: Boundary, at: Side) => {
    if (boundary === "postSent" && at === "before") {
      const record = cluster.read("once")?.status?.start;
      posts.push({ id: record?.id, outcome: record?.outcome });
    }
    const [next] = armed;
    if (next?.boundary !== boundary || next.side !== at) return;
    armed = armed.slice(1);
    strike(process, next.fault);
  };
  remote.onApply = (at) => {
    const alive = processes.findLast(({ isAlive }) => isAlive);
    if (alive !== undefined) onBoundary(alive, "postApplied", at);
  };
  const world: RunWorld = { clock, cluster, northflank, onBoundary };
  cluster.watch((_, object) => {
    if (object?.status?.conditions !== undefined) broken.push(...brokenPromises(object));
  });
  // A run that was there before, in the same second as ours at the earliest.
  remote.startForeign();
  cluster.create("once", { startGuarantee: guarantee });
  start();
  await clock.advance(13 * 60_000);
  const writes = cluster.writes.length;
  await clock.advance(5 * 60_000);
  const lateWrites = cluster.writes.length - writes;
  for (const process of processes) process.kill();
  const failures = processes.flatMap((process) => process.failures);
  const object = cluster.read("once");
  if (object === undefined) throw new Error("the object is gone");
  return { object, remote, posts, lateWrites, broken, hasStruck: armed.length === 0, failures };
}

import fc from "fast-check";
import { expect, test } from "vitest";
import { DriftPlan, nextReadInMs, type PlannedTarget } from "../../../src/controllers/reconcile/drift-plan.ts";

const hour = 3_600_000;
const quarter = 15 * 60_000;
const share = 200;

function planOf(targets: readonly PlannedTarget[]): DriftPlan {
  const plan = new DriftPlan({ listPeriodMs: quarter });
  for (const [index, target] of targets.entries()) plan.set(keyOf(index), target);
  return plan;
}

function keyOf(index: number) {
  return `uid-${index}`;
}

function targetsIn(count: number, projects: number): readonly PlannedTarget[] {
  return Array.from({ length: count }, (_, index) => ({
    pool: "account",
    projectId: `project-${index % projects}`,
    isListed: true,
    periodMs: quarter,
  }));
}

/** What all checks of an account cost in an hour. */
function costOf(plan: DriftPlan, targets: readonly PlannedTarget[], sharePerHour: number): number {
  const periods = targets.map((target) => ({ target, ...plan.periods(target, sharePerHour) }));
  const reads = periods.reduce((sum, { readMs }) => sum + hour / readMs, 0);
  const listed = new Map<string, number>();
  for (const { target, listMs } of periods) if (listMs !== undefined) listed.set(target.projectId, listMs);
  const pages = (id: string) => Math.ceil(targets.filter(({ projectId }) => projectId === id).length / 100);
  return reads + [...listed].reduce((sum, [id, listMs]) => sum + (pages(id) * hour) / listMs, 0);
}

test.each([1, 10, 50])("%d targets fit into the share: each is read once per period, and no list is read", (count) => {
  const targets = targetsIn(count, 5);
  const plan = planOf(targets);
  for (const target of targets) expect(plan.periods(target, share)).toEqual({ readMs: quarter, listMs: undefined });
});

test.each([51, 200, 1_500, 5_000])("%d targets in 5 projects cost the share, no more and hardly less", (count) => {
  const targets = targetsIn(count, 5);
  const cost = costOf(planOf(targets), targets, share);
  expect(cost).toBeLessThanOrEqual(share * 1.000001);
  expect(cost).toBeGreaterThan(share * 0.95);
});

test.each([1, 50, 51, 200, 1_500, 5_000])("the stretch of %d targets is that of their periods", (count) => {
  const targets = targetsIn(count, 5);
  const plan = planOf(targets);
  const [target] = targets as [PlannedTarget];
  expect(plan.stretch("account", share)).toBeCloseTo(plan.periods(target, share).readMs / quarter, 9);
  expect(plan.stretch("another", share)).toBe(1);
});

test("200 targets in 5 projects: listed every 15 min, read every 67 min", () => {
  const targets = targetsIn(200, 5);
  const { readMs, listMs } = planOf(targets).periods(targets[0] as PlannedTarget, share);
  expect(listMs).toBe(quarter);
  expect(Math.round(readMs / 60_000)).toBe(67);
});

test("5,000 targets in 5 projects: lists cost a quarter of the share, so they are read once an hour", () => {
  const targets = targetsIn(5_000, 5);
  const { readMs, listMs } = planOf(targets).periods(targets[0] as PlannedTarget, share);
  expect(listMs).toBe(hour);
  expect(Math.round(readMs / hour)).toBe(33);
});

test("a list that is longer than our part of it costs its pages", () => {
  const targets = targetsIn(200, 1);
  const plan = planOf(targets);
  const before = plan.periods(targets[0] as PlannedTarget, share);
  plan.listed({ pool: "account", projectId: "project-0" }, 5_000);
  const after = plan.periods(targets[0] as PlannedTarget, share);
  expect(after.readMs).toBeGreaterThan(before.readMs);
  expect(after.listMs).toBe(hour);
});

test("a project with one target is not listed: a read of its target costs no more", () => {
  const targets = targetsIn(300, 300);
  const plan = planOf(targets);
  expect(plan.periods(targets[0] as PlannedTarget, share).listMs).toBeUndefined();
});

test("a target that no list shows is read, and never waits for a list", () => {
  const targets = targetsIn(300, 1).map((target, index) => ({ ...target, isListed: index > 0 }));
  const plan = planOf(targets);
  expect(plan.periods(targets[0] as PlannedTarget, share).listMs).toBeUndefined();
  expect(plan.periods(targets[1] as PlannedTarget, share).listMs).toBe(quarter);
});

test("a target without checks costs nothing and gets none", () => {
  const never: PlannedTarget = { pool: "account", projectId: "p", isListed: true, periodMs: Number.POSITIVE_INFINITY };
  const targets = [...targetsIn(50, 5), never];
  const plan = planOf(targets);
  expect(plan.periods(never, share)).toEqual({ readMs: Number.POSITIVE_INFINITY, listMs: undefined });
  expect(plan.periods(targets[0] as PlannedTarget, share).readMs).toBe(quarter);
});

test("what is forgotten costs nothing, and what is entered twice counts once", () => {
  const targets = targetsIn(400, 4);
  const plan = planOf(targets);
  for (const [index, target] of targets.entries()) plan.set(keyOf(index), { ...target });
  for (const index of targets.keys()) if (index >= 50) plan.forget(keyOf(index));
  expect(plan.size).toBe(50);
  expect(plan.periods(targets[0] as PlannedTarget, share)).toEqual({ readMs: quarter, listMs: undefined });
});

test("accounts do not share", () => {
  const other: PlannedTarget = { pool: "other", projectId: "p", isListed: true, periodMs: quarter };
  const plan = planOf([...targetsIn(5_000, 5), other]);
  expect(plan.periods(other, share)).toEqual({ readMs: quarter, listMs: undefined });
});

test("a target that is to be read every second has no other one read less often", () => {
  const usual = targetsIn(40, 5);
  const hurried = usual.map((target) => ({ ...target, periodMs: 1_000 }));
  const plan = planOf([...usual, hurried[0] as PlannedTarget]);
  for (const target of usual) expect(plan.periods(target, share)).toEqual({ readMs: quarter, listMs: undefined });
  // What the others leave: 200 - 40 * 4.
  expect(hour / plan.periods(hurried[0] as PlannedTarget, share).readMs).toBeCloseTo(40, 6);
  expect(plan.stretch("account", share)).toBe(1);
  const crowd = targetsIn(200, 5);
  const both = planOf([...crowd, ...hurried]);
  const asUsual = planOf([...crowd, ...usual]);
  const [one] = crowd as [PlannedTarget];
  expect(both.periods(one, share)).toEqual(asUsual.periods(one, share));
  expect(both.periods(hurried[0] as PlannedTarget, share)).toEqual(both.periods(one, share));
});

test("short periods share what others leave, in proportion to what more they ask for", () => {
  const usual = targetsIn(40, 5);
  const [minute, second] = [60_000, 1_000].map((periodMs) => ({ ...usual[0], periodMs })) as [
    PlannedTarget,
    PlannedTarget,
  ];
  const targets = [...usual, minute, second];
  const plan = planOf(targets);
  const perHour = (target: PlannedTarget) => hour / plan.periods(target, share).readMs;
  expect(perHour(minute)).toBeGreaterThan(4);
  expect(perHour(minute) + perHour(second)).toBeCloseTo(40, 6);
});

test("where no list is read, all periods are multiplied by one factor", () => {
  const plan = new DriftPlan({ listPeriodMs: Number.POSITIVE_INFINITY });
  const target: PlannedTarget = { pool: "account", projectId: "p", isListed: true, periodMs: 60_000 };
  for (const index of [0, 1, 2, 3, 4]) plan.set(keyOf(index), target);
  expect(plan.stretch("account", share)).toBe(1.5);
  expect(plan.periods(target, share)).toEqual({ readMs: 90_000, listMs: undefined });
});

const anyTarget = fc.record({
  pool: fc.constantFrom("a", "b"),
  projectId: fc.constantFrom("one", "two", "three"),
  isListed: fc.boolean(),
  periodMs: fc.oneof(fc.integer({ min: 1_000, max: hour }), fc.constant(Number.POSITIVE_INFINITY)),
});

test("whatever is entered, changed and forgotten: an account never costs more than its share", () => {
  const edit = fc.tuple(fc.nat(30), fc.option(anyTarget, { nil: undefined }));
  fc.assert(
    fc.property(fc.array(edit, { maxLength: 120 }), fc.integer({ min: 1, max: 300 }), (edits, sharePerHour) => {
      const plan = new DriftPlan({ listPeriodMs: quarter });
      const there = new Map<number, PlannedTarget>();
      for (const [index, target] of edits) {
        if (target === undefined) plan.forget(keyOf(index));
        else plan.set(keyOf(index), target);
        if (target === undefined) there.delete(index);
        else there.set(index, target);
      }
      for (const pool of ["a", "b"]) {
        const targets = [...there.values()].filter((target) => target.pool === pool);
        expect(costOf(plan, targets, sharePerHour)).toBeLessThanOrEqual(sharePerHour * 1.000001);
      }
    }),
  );
});

const period = 24 * hour;
const start = 1_790_000_000_000;
const never = { sinceMs: undefined, knownForMs: 0 };

test("reads are spread evenly over the period, also of targets that were all read together", () => {
  const uids = Array.from({ length: 5_000 }, (_, index) => `uid-${index}`);
  for (const known of [never, { sinceMs: 0, knownForMs: 0 }]) {
    const perHour = new Map<number, number>();
    for (const uid of uids) {
      const inMs = nextReadInMs({ uid, readMs: period, nowMs: start, ...known });
      expect(inMs).toBeGreaterThan(0);
      const at = Math.floor(inMs / hour);
      perHour.set(at, (perHour.get(at) ?? 0) + 1);
    }
    expect(Math.max(...perHour.values())).toBeLessThan(280);
  }
});

test("a program that starts an hour later, with a target more, comes to the same times", () => {
  for (const uid of ["a", "b", "c", "d"]) {
    const inMs = nextReadInMs({ uid, readMs: period, nowMs: start, ...never });
    const laterInMs = nextReadInMs({ uid, readMs: period * 1.0002, nowMs: start + hour, ...never });
    if (inMs > hour) expect(laterInMs).toBeCloseTo(inMs - hour, 3);
  }
});

test("a target that is read when it is due is read once per period, whatever the program's age", () => {
  fc.assert(
    fc.property(fc.uuid(), fc.integer({ min: 60_000, max: 100 * hour }), fc.nat(start), (uid, readMs, startMs) => {
      const reads: number[] = [];
      let nowMs = startMs;
      for (let count = 0; count < 20; count++) {
        const sinceMs = reads.length === 0 ? undefined : nowMs - (reads.at(-1) ?? 0);
        nowMs += Math.max(0, nextReadInMs({ uid, readMs, nowMs, sinceMs, knownForMs: nowMs - startMs }));
        reads.push(nowMs);
      }
      const spanMs = (reads.at(-1) ?? 0) - (reads[0] ?? 0);
      expect(spanMs / 19 / readMs).toBeGreaterThan(0.95);
      expect(spanMs / 19 / readMs).toBeLessThan(1.05);
    }),
  );
});

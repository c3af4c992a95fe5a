import { expect, test, vi } from "vitest";
import { leastAfterSpentMs, leastOf } from "../../bench/quota/least.ts";
import { heads, renderTable, renderVerdict, rowOf } from "../../bench/quota/report.ts";
import { type Scenario, scenarios, usualNames } from "../../bench/quota/scenarios.ts";
import { simulate } from "../../bench/quota/simulate.ts";

const runs = { atOnce: 2, jobs: 1, runSeconds: 1_800 };

const tiny: Scenario = {
  name: "tiny",
  objects: 6,
  projects: 2,
  changesPerHour: 4,
  driftsPerHour: 2,
  runs,
  hours: 1,
};

// A simulation is a second of CPU, and many seconds on a busy machine.
vi.setConfig({ testTimeout: 30_000 });

test("an hour of a tiny scenario: every change, drift and run arrives, and the same seed plays the same", async () => {
  const measured = await simulate(tiny, { seed: 7 });
  expect(measured.errors).toEqual([]);
  expect(measured.changesMs).toHaveLength(4);
  for (const ms of measured.changesMs) expect(ms).toBeLessThan(1_000);
  expect([...measured.drifts.moving, ...measured.openDriftsMs.moving]).toHaveLength(1);
  expect([...measured.drifts.still, ...measured.openDriftsMs.still]).toHaveLength(1);
  expect(measured.runs.started).toBe(4);
  const corrected = measured.drifts.moving.length + measured.drifts.still.length;
  expect(measured.writes).toBe(4 + corrected + 4);
  expect(measured.refused).toEqual([]);
  expect({ ...(await simulate(tiny, { seed: 7 })), realMs: 0 }).toEqual({ ...measured, realMs: 0 });
});

test("a spent quota and a neighbor are answered with 429, by window", async () => {
  const spent: Scenario = {
    ...tiny,
    driftsPerHour: 0,
    isSpentAtStart: true,
    neighbor: { perHour: 4_000, burst: 20 },
    hours: 2,
  };
  const { refused, neighbor } = await simulate(spent, { seed: 1 });
  expect(refused.length).toBeGreaterThan(0);
  // Of the first hour nothing was left, and of the second what the operator has not taken.
  expect(neighbor.granted).toBeLessThanOrEqual(1_000);
  expect(neighbor.granted + neighbor.refused).toBe(8_000);
});

test("with hints, rollouts and runs are notified when they begin and end, and nothing is missed", async () => {
  const short = { ...tiny, runs: { ...runs, runSeconds: 600 } };
  const measured = await simulate({ ...short, hasHints: true }, { seed: 7 });
  expect(measured.errors).toEqual([]);
  expect(measured.changesMs).toHaveLength(4);
  // The last runs and the last rollout may end after the hour.
  const begun = measured.writes;
  expect(measured.notified).toBeGreaterThanOrEqual(2 * begun - 3);
  expect(measured.notified).toBeLessThanOrEqual(2 * begun);
  expect((await simulate(short, { seed: 7 })).notified).toBe(0);
});

test("the least is within the share for observing, also where a day is too short for all objects", () => {
  const few = leastOf({ name: "", objects: 200, projects: 5, changesPerHour: 0 }, 120);
  // Five pages every quarter of an hour, each service once a day, and the token.
  expect(few.observe).toBeCloseTo(20 + 200 / 24 + 1);
  expect(few.movingHours).toBe(0.25);
  const many = leastOf({ name: "", objects: 5_000, projects: 5, changesPerHour: 0 }, 120);
  expect(many.observe).toBeCloseTo(200 + 1);
  expect(many.movingHours).toBe(0.5);
  expect(many.stillHours).toBe(50);
});

test.each([
  [200, 1, 1],
  [500, 2, 1],
  [501, 2, 2],
  [1_500, 2, 3],
])("%d changes of %d requests each are done in window %d after the quota was spent", (waiting, each, windows) => {
  expect(leastAfterSpentMs(waiting, each, 1_000)).toBe(windows * 3_600_000);
});

test("scenarios have names of their own, and those of the usual run exist", () => {
  const names = scenarios.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(names).toEqual(expect.arrayContaining([...usualNames]));
});

test("a row has a cell for each head, and a target says whether it is met", async () => {
  const row = rowOf(await simulate({ ...tiny, driftsPerHour: 0, changesPerHour: 0 }, { seed: 1 }));
  expect(row).toHaveLength(heads.length);
  expect(renderTable([row]).split("\n")).toHaveLength(2);
  expect(renderVerdict({ name: "writes", value: 1, unit: "", most: 1 })).toBe("met    writes: 1 (at most 1)");
  expect(renderVerdict({ name: "time", value: 1.06, unit: "x", most: 1.05 })).toBe(
    "MISSED time: 1.06x (at most 1.05x)",
  );
  expect(renderVerdict({ name: "never", value: Number.NaN, unit: "ms", most: 1 })).toContain("MISSED");
});

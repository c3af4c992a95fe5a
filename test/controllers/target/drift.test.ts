import { describe, expect, it } from "vitest";
import { reconcileRequestedAt } from "../../../src/api/names.ts";
import {
  type ChangeEntry,
  correctionsInRow,
  endsRow,
  isFight,
  withConfirmed,
  withFight,
} from "../../../src/controllers/target/drift.ts";
import { formatTime } from "../../../src/runtime/conditions.ts";

const now = Date.parse("2026-03-01T12:00:00Z");
const minute = 60_000;
const day = 24 * 60 * minute;
const generation = 3;

function change(time: number | string, facts: Partial<ChangeEntry> = {}): ChangeEntry {
  const text = typeof time === "string" ? time : formatTime(now - time);
  return { cause: "DriftCorrected", phase: "Complete", generation, time: text, ...facts };
}

/** Corrections so long ago, newest first. */
function ago(...times: readonly (number | string)[]): readonly ChangeEntry[] {
  return times.map((time) => change(time));
}

function row(changes: readonly ChangeEntry[]) {
  return correctionsInRow(changes, generation);
}

describe("a target that differs again", () => {
  const close = ago(minute, 2 * minute, 3 * minute);
  const far = ago(day, 2 * day, 3 * day);
  const tried = ago(minute, 4 * minute, 5 * minute, 6 * minute);
  const triedLongAgo = ago(10 * minute, 14 * minute, 15 * minute, 16 * minute);
  const edited = close.map((entry) => ({ ...entry, generation: 2 }));

  it.each([
    ["never corrected", [], false, false],
    ["corrected twice", ago(minute, 2 * minute), false, false],
    ["corrected twice, and a request", ago(minute, 2 * minute), true, false],
    ["corrected three times within minutes", close, false, true],
    ["corrected three times, a day between them", far, false, true],
    ["a request before the verdict was told", close, true, true],
    ["a request after the verdict", withFight(close), true, false],
    ["no request after the verdict", withFight(close), false, true],
    ["a second request right after the further try", withFight(tried), true, true],
    ["a second request ten minutes after the further try", withFight(triedLongAgo), true, false],
    ["no request, ten minutes after the further try", withFight(triedLongAgo), false, true],
    ["the spec was edited since", withFight(edited), false, false],
    ["a time that is none", ago("soon", "soon", "soon"), false, true],
    ["a time that is none, and a request", withFight(ago("x", "x", "x", "x")), true, false],
  ])("%s", (_name, changes, isRequested, expected) => {
    const annotations = isRequested ? { [reconcileRequestedAt]: "now" } : {};
    expect(isFight({ metadata: { name: "api", annotations } }, row(changes), now)).toBe(expected);
  });
});

describe("a target that is as declared", () => {
  it.each([
    ["a check a quarter of an hour after the correction", ago(15 * minute, 30 * minute), true, true],
    ["a check a day after the correction", ago(day), true, true],
    ["a look at our own rollout", ago(15 * minute), false, false],
    ["a check right after the correction", ago(2 * minute), true, false],
    ["a check of an object whose clock ran ahead by a minute", ago(-minute), true, false],
    ["a check of an object whose clock ran ahead by a day", ago(-day), true, true],
    ["nothing was corrected", [], true, false],
  ])("%s", (_name, changes, wasSettled, isOver) => {
    expect(endsRow(row(changes), { wasSettled, now })).toBe(isOver);
  });
});

describe("the corrections in a row", () => {
  const [newest, older] = [change(minute), change(2 * minute)];

  it.each([
    ["PartResent says nothing", [change(0, { cause: "PartResent" }), newest, older], [newest, older]],
    ["Redeployed says nothing", [newest, change(90_000, { cause: "Redeployed" }), older], [newest, older]],
    ["a new declaration starts anew", [newest, change(90_000, { cause: "SpecChanged" }), older], [newest]],
    ["an edit starts anew", [newest, { ...older, generation: 2 }], [newest]],
    ["one that was confirmed is over", withConfirmed([newest, older], formatTime(now)), []],
    ["those before one that was confirmed are over", [newest, { ...older, confirmedTime: "t" }], [newest]],
    ["one that may not have arrived does not count", [change(0, { phase: "Sending" }), newest, older], [newest, older]],
  ])("%s", (_name, changes, expected) => {
    expect(row(changes)).toEqual(expected);
  });
});

it("says of the newest correction alone that it was confirmed, or replaced", () => {
  const changes = [change(0, { cause: "PartResent" }), change(minute), change(2 * minute)];
  expect(withConfirmed(changes, "then").map(({ confirmedTime }) => confirmedTime)).toEqual([
    undefined,
    "then",
    undefined,
  ]);
  expect(withFight(changes).map(({ phase }) => phase)).toEqual(["Complete", "Superseded", "Complete"]);
});

import { describe, expect, it } from "vitest";
import {
  correctionsInRow,
  correctionsWhenSame,
  isFight,
  withCorrection,
} from "../../../src/controllers/target/drift.ts";
import { formatTime } from "../../../src/runtime/conditions.ts";

const now = Date.parse("2026-03-01T12:00:00Z");
const minute = 60_000;
const day = 24 * 60 * minute;

/** Corrections so long ago, newest first. */
function ago(...times: readonly number[]): readonly string[] {
  return times.map((time) => formatTime(now - time));
}

describe("a target that differs again", () => {
  const close = ago(minute, 2 * minute, 3 * minute);
  const far = ago(day, 2 * day, 3 * day);
  const tried = ago(minute, 4 * minute, 5 * minute, 6 * minute);
  const triedLongAgo = ago(10 * minute, 14 * minute, 15 * minute, 16 * minute);

  it.each([
    ["never corrected", undefined, {}, false],
    ["corrected twice", ago(minute, 2 * minute), {}, false],
    ["corrected twice, and a request", ago(minute, 2 * minute), { isRequested: true }, false],
    ["corrected three times within minutes", close, {}, true],
    ["corrected three times, a day between them", far, {}, true],
    ["a request before the verdict was told", close, { isRequested: true }, true],
    ["a request after the verdict", close, { isRequested: true, isKnown: true }, false],
    ["no request after the verdict", close, { isKnown: true }, true],
    ["a second request right after the further try", tried, { isRequested: true, isKnown: true }, true],
    ["a second request ten minutes after the further try", triedLongAgo, { isRequested: true, isKnown: true }, false],
    ["no request, ten minutes after the further try", triedLongAgo, { isKnown: true }, true],
    ["the spec was edited since", close, { isKnown: true, isAcknowledged: false }, false],
    ["a time that is none", ["soon", "soon", "soon"], {}, true],
    ["a time that is none, and a request", ["x", "x", "x", "x"], { isRequested: true, isKnown: true }, false],
  ])("%s", (_name, corrections, facts, expected) => {
    const usual = { isAcknowledged: true, isKnown: false, isRequested: false, now };
    expect(isFight({ corrections, ...usual, ...facts })).toBe(expected);
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
  ])("%s", (_name, corrections, wasSettled, isOver) => {
    const row = correctionsWhenSame({ corrections, isAcknowledged: true }, { wasSettled, now });
    expect(row).toEqual(isOver ? undefined : corrections);
  });

  it("has nothing to remember where nothing was corrected", () => {
    expect(correctionsWhenSame({ corrections: [], isAcknowledged: true }, { wasSettled: false, now })).toBeUndefined();
  });
});

it("keeps the ten newest corrections, and none from before an edit", () => {
  const corrections = Array.from({ length: 10 }, (_, index) => formatTime(now - index * minute));
  const next = formatTime(now + minute);
  expect(withCorrection({ corrections, isAcknowledged: true }, next)).toEqual([next, ...corrections.slice(0, 9)]);
  expect(withCorrection({ corrections, isAcknowledged: false }, next)).toEqual([next]);
  expect(correctionsInRow({ corrections, isAcknowledged: false })).toEqual([]);
});

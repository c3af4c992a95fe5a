import { beforeEach, describe, expect, test } from "vitest";
import { type Ends, HintTrust } from "../../../src/controllers/reconcile/hint-trust.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const minute = 60_000;
const hour = 60 * minute;
const runs: Ends = { pool: "acme", kind: "run", projectId: "shop" };
const key = "ns/run";

let clock: FakeClock;
let lost: Ends[];
let trust: HintTrust;
beforeEach(() => {
  clock = new FakeClock();
  lost = [];
  trust = new HintTrust({ clock, onLost: (ends) => lost.push(ends) });
});

/** An end, with a notification of it or without one. */
async function end(isAnnounced: boolean, ends = runs): Promise<void> {
  await clock.advance(minute);
  trust.found(ends, key, { isOver: false, sinceMs: clock.monotonic() });
  await clock.advance(minute);
  if (isAnnounced) {
    trust.heard(ends.pool);
    trust.heardOf(ends.kind, key);
  }
  await clock.advance(1_000);
  trust.found(ends, key, { isOver: true, sinceMs: clock.monotonic() });
}

async function trusted(ends = runs): Promise<void> {
  for (let n = 0; n < 3; n++) await end(true, ends);
  expect(trust.isTrusted(ends)).toBe(true);
}

test("nothing is trusted before three ends in a row were announced", async () => {
  for (const isAnnounced of [true, true, false, true, true]) {
    await end(isAnnounced);
    expect(trust.isTrusted(runs)).toBe(false);
  }
  await end(true);
  expect(trust.isTrusted(runs)).toBe(true);
  expect(lost).toEqual([]);
});

test("one end without a notification takes the trust away at once, and says so once", async () => {
  await trusted();
  await end(false);
  expect(trust.isTrusted(runs)).toBe(false);
  await end(false);
  expect(lost).toEqual([runs]);
  await trusted();
});

test("so does an hour in which nothing of the account is heard", async () => {
  await trusted();
  // The last notification was a second ago.
  await clock.advance(hour - 1_001);
  expect(trust.isTrusted(runs)).toBe(true);
  await clock.advance(1);
  expect(trust.isTrusted(runs)).toBe(false);
  expect(lost).toEqual([runs]);
  trust.heard(runs.pool);
  expect(trust.isTrusted(runs)).toBe(false);
});

test("what is heard of anything in the account keeps it", async () => {
  await trusted();
  for (let n = 0; n < 5; n++) {
    await clock.advance(hour - 2_000);
    trust.heard(runs.pool);
    expect(trust.isTrusted(runs)).toBe(true);
  }
});

test("what is heard and not read takes the trust away", async () => {
  await trusted();
  trust.missed(runs);
  expect(trust.isTrusted(runs)).toBe(false);
  expect(lost).toEqual([runs]);
});

test.each<[string, Partial<Ends>]>([
  ["another account", { pool: "other" }],
  ["rollouts", { kind: "rollout" }],
  ["another project", { projectId: "other" }],
])("%s is not trusted with it, and takes nothing away", async (_, other) => {
  await trusted();
  expect(trust.isTrusted({ ...runs, ...other })).toBe(false);
  await end(false, { ...runs, ...other });
  expect(trust.isTrusted(runs)).toBe(true);
  expect(lost).toEqual([]);
});

describe("a notification counts for an end", () => {
  const found = (isOver: boolean, sinceMs = clock.monotonic()) => trust.found(runs, key, { isOver, sinceMs });
  /** Whether an end that is found now is taken for announced: the fourth one takes trust away, or does not. */
  const isAnnounced = () => {
    found(true);
    return trust.isTrusted(runs);
  };

  test("not if the run was read and still active after it", async () => {
    await trusted();
    trust.heardOf("run", key);
    await clock.advance(1_000);
    found(false);
    expect(isAnnounced()).toBe(false);
  });

  test("if it came while that read was under way", async () => {
    await trusted();
    const sinceMs = clock.monotonic();
    await clock.advance(1_000);
    trust.heardOf("run", key);
    found(false, sinceMs);
    expect(isAnnounced()).toBe(true);
  });

  test("once", async () => {
    await trusted();
    trust.heardOf("run", key);
    found(true);
    expect(isAnnounced()).toBe(false);
  });

  test("not if it is about another object", async () => {
    await trusted();
    trust.heardOf("run", "ns/other");
    trust.heardOf("rollout", key);
    expect(isAnnounced()).toBe(false);
  });
});

import { describe, expect, test } from "vitest";
import { createQuotaWait, withQuotaWait } from "../../src/northflank/quota-wait.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { northflankError } from "../support/fake-northflank.ts";

/** A call that fails with each of the errors, then succeeds; and how long it was waited for, in milliseconds. */
async function waited(maxWaitMs: number, errors: readonly Error[]) {
  const clock = new FakeClock();
  const left = [...errors];
  const waits: number[] = [];
  let tries = 0;
  const call = async () => {
    tries += 1;
    const error = left.shift();
    if (error !== undefined) throw error;
    return "done";
  };
  const quotaWait = createQuotaWait({ clock, maxWaitMs, onWait: (waitMs: number) => waits.push(waitMs) });
  const outcome = withQuotaWait(quotaWait, call, new AbortController().signal).catch((error: Error) => error.message);
  for (let step = 0; step < 10; step++) await clock.advance(60_000);
  return { outcome: await outcome, waits, tries };
}

describe("a call that waits for the quota", () => {
  test.each([
    ["waits for a quota that comes back in time", 60_000, 1, { outcome: "done", waits: [60_000], tries: 2 }],
    ["does not wait for one that takes longer", 59_999, 1, { waits: [], tries: 1 }],
    ["waits twice when both waits are within the total", 120_000, 2, { outcome: "done", tries: 3 }],
    ["does not begin a second wait that goes beyond the total", 119_999, 2, { waits: [60_000], tries: 2 }],
    ["succeeds after the fourth wait", 900_000, 4, { outcome: "done", waits: Array(4).fill(60_000), tries: 5 }],
    ["gives up when others are faster once more", 900_000, 5, { waits: Array(4).fill(60_000), tries: 5 }],
  ])("%s", async (_what, maxWaitMs, refusals, expected) => {
    const error = northflankError("quota_closed", { retryAfterMs: 60_000 });
    expect(await waited(maxWaitMs, Array(refusals).fill(error))).toMatchObject(expected);
  });

  test.each([
    ["another error", northflankError("not_found")],
    ["an error that names a time and is none of the quota", northflankError("server_error", { retryAfterMs: 10 })],
    ["a refusal without a time", northflankError("rate_limited")],
    ["a bug", new TypeError("x")],
  ])("passes %s on at once", async (_what, error) => {
    expect(await waited(60_000, [error])).toEqual({ outcome: error.message, waits: [], tries: 1 });
  });

  test("ends with the signal's reason while it waits, and leaves no timer", async () => {
    const stop = new AbortController();
    const clock = new FakeClock();
    const refuse = () => Promise.reject(northflankError("rate_limited", { retryAfterMs: 1_000 }));
    const quotaWait = createQuotaWait({ clock, maxWaitMs: 60_000, onWait: () => stop.abort(new Error("enough")) });
    await expect(withQuotaWait(quotaWait, refuse, stop.signal)).rejects.toThrow("enough");
    expect(clock.pendingTimers).toBe(0);
  });
});

test("calls that wait at the same time share the total, and their common wait counts once", async () => {
  const clock = new FakeClock();
  const { mayWait } = createQuotaWait({ clock, maxWaitMs: 60_000, onWait: () => {} });
  expect([mayWait(40_000), mayWait(40_000), mayWait(60_001), mayWait(50_000)]).toEqual([true, true, false, true]);
  await clock.advance(30_000);
  expect([mayWait(30_001), mayWait(30_000)]).toEqual([false, true]);
  await clock.advance(30_000);
  expect(mayWait(1)).toBe(false);
});

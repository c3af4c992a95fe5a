import { describe, expect, test } from "vitest";
import type { NorthflankErrorCode } from "../../src/northflank/errors.ts";
import {
  decideRetry,
  earnRetry,
  fullRetryBudget,
  maxTries,
  type Repeatability,
  spendRetry,
} from "../../src/northflank/retry.ts";

const half = () => 0.5;

/** How many times a call is made in all when every try ends like this. */
function triesOf(code: NorthflankErrorCode, repeatability: Repeatability): number {
  let attempt = 1;
  while (decideRetry({ code, repeatability, attempt, retryAfterMs: undefined }, half).kind === "retry") attempt++;
  return attempt;
}

const expected: Readonly<Record<NorthflankErrorCode, readonly [read: number, idempotent: number, once: number]>> = {
  quota_closed: [1, 1, 1],
  rate_limited: [1, 1, 1],
  unauthorized: [1, 1, 1],
  forbidden: [1, 1, 1],
  not_found: [1, 1, 1],
  gone: [1, 1, 1],
  wrong_method: [1, 1, 1],
  rejected: [1, 1, 1],
  server_error: [3, 3, 1],
  unreachable: [3, 3, 1],
  interrupted: [3, 2, 1],
  timeout: [1, 1, 1],
  tls: [1, 1, 1],
  redirect: [1, 1, 1],
  protocol: [1, 1, 1],
};

describe("decideRetry", () => {
  test.each(Object.entries(expected) as [NorthflankErrorCode, readonly number[]][])(
    "after %s a read, an idempotent write and a run start are tried %j times",
    (code, tries) => {
      const kinds = ["read", "idempotent", "once"] as const;
      expect(kinds.map((kind) => triesOf(code, kind))).toEqual(tries);
      expect(Math.max(...tries)).toBeLessThanOrEqual(maxTries);
    },
  );

  test.each<[number, number, number]>([
    [1, 0, 200],
    [1, 0.5, 200],
    [1, 1, 400],
    [2, 0, 200],
    [2, 1, 800],
  ])("waits, after try %i with the draw %d, %i ms", (attempt, draw, delayMs) => {
    const failed = { code: "server_error", repeatability: "read", attempt, retryAfterMs: undefined } as const;
    expect(decideRetry(failed, () => draw)).toEqual({ kind: "retry", delayMs });
  });

  test("waits exactly as long as the far end asks, and leaves longer waits to the queue", () => {
    const failed = { code: "server_error", repeatability: "read", attempt: 1 } as const;
    expect(decideRetry({ ...failed, retryAfterMs: 3_000 }, half)).toEqual({ kind: "retry", delayMs: 3_000 });
    expect(decideRetry({ ...failed, retryAfterMs: 3_001 }, half)).toEqual({ kind: "stop" });
  });
});

describe("the retry budget", () => {
  test("allows ten retries in a row, then one for every ten calls", () => {
    let budget = fullRetryBudget;
    for (let spent = 0; spent < 10; spent++) budget = spendRetry(budget) ?? expect.fail(`empty after ${spent}`);
    expect(spendRetry(budget)).toBeUndefined();
    for (let calls = 0; calls < 9; calls++) budget = earnRetry(budget);
    expect(spendRetry(budget)).toBeUndefined();
    expect(spendRetry(earnRetry(budget))).toEqual({ tenths: 0 });
  });

  test("does not grow without bound", () => {
    expect(earnRetry(fullRetryBudget)).toEqual(fullRetryBudget);
  });
});

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { decide } from "../../src/controllers/connection/decide.ts";
import { judgeRemoteError } from "../../src/controllers/reconcile/remote-error.ts";
import { defaultQueueBackoff } from "../../src/runtime/work-queue.ts";
import { backoffDelayMs, notAtOnce } from "../../src/util/backoff.ts";
import { connection, jobObject } from "../support/builders.ts";
import { errorCodes, northflankError } from "../support/fake-northflank.ts";
import { JobScene } from "../support/job-scene.ts";

/*
 * A pass that comes back at once comes back for ever, unless what it waits for has happened by then. Each place that asks
 * for that is here, with the reason why it ends.
 */

const source = join(import.meta.dirname, "../../src/controllers");
const reasons: Readonly<Record<string, string>> = {
  "job/out-of-sync.ts: const { object, now, random, sinceChangeMs: elapsedMs = 0 } = input;": "an age, no wait",
  // Only the status of an intent is made of it, never an outcome.
  'job/result.ts: next: { kind: "again" },': "status only",
  // The token is due for a check; when that is, the back-off of the queue says.
  'connection/decide.ts: if (next.kind === "backoff") return { ...result, checkAgainMs: 0, next };': "back-off",
};

test("no wait of none is written down in the controllers of jobs and connections but these", () => {
  const found = ["job", "connection"].flatMap((folder) =>
    readdirSync(join(source, folder)).flatMap((file) =>
      readFileSync(join(source, folder, file), "utf8")
        .split("\n")
        .filter((line) => /Ms: 0\b|Ms = 0\b|next: \{ kind: "again" \}/.test(line) && !/^\s*(?:\*|\/\/)/.test(line))
        .map((line) => `${folder}/${file}: ${line.trim()}`),
    ),
  );
  expect(found.toSorted()).toEqual(Object.keys(reasons).toSorted());
});

/** Waits that others name: a deadline that is over, a clock that jumped, nonsense. */
const named = [0, -1, -3_600_000, Number.NaN, 1e-11];

describe.each(named)("a wait of %d ms that somebody else names", (waitMs) => {
  test("is a second at least", () => {
    expect(notAtOnce(waitMs)).toBe(1_000);
  });

  test.each(errorCodes)("with %s comes back a second later at the earliest, or by back-off", (code) => {
    const error = northflankError(code, { retryAfterMs: waitMs, sent: false });
    const { next } = judgeRemoteError({ error, failures: 0, random: () => 0 });
    if (next.kind === "recheck") expect(next.afterMs).toBeGreaterThanOrEqual(800);
  });

  test("for an account holds a job and a connection for a second at least", async () => {
    const readyState = { kind: "retrying", reason: "WaitingForConnection", message: "Not yet." } as const;
    const scene = new JobScene();
    scene.northflank.hasSettings("migrate", {}, "manual");
    scene.has(jobObject());
    scene.resolution = () => ({ kind: "blocked", readyState, recheckAfterMs: waitMs });
    expect(await scene.pass()).toMatchObject({ kind: "recheck", afterMs: 1_000 });
    const observation = {
      kind: "blocked",
      readyState,
      recheckAfterMs: waitMs,
      dependents: 0,
      quota: undefined,
    } as const;
    const options = { object: connection(), observation, now: 0, random: () => 0.5, validationPeriodMs: 3_600_000 };
    expect(decide(options).next).toEqual({ kind: "recheck", afterMs: 1_000 });
  });
});

test("a minute of a job in trouble takes no more passes than a minute has seconds, whatever the trouble", async () => {
  for (const code of errorCodes) {
    const scene = new JobScene();
    scene.northflank.hasSettings("migrate", { description: "Old" }, "manual");
    scene.has(jobObject());
    for (let count = 0; count < 100; count += 1) {
      scene.northflank.failNext("getJobSettings", northflankError(code, { retryAfterMs: 0, sent: false }));
    }
    let passes = 0;
    let failures = 0;
    const endMs = scene.clock.monotonic() + 60_000;
    while (scene.clock.monotonic() < endMs && passes < 200) {
      passes += 1;
      const outcome = await scene.pass();
      failures = outcome.kind === "retry" ? failures + 1 : 0;
      const backoffMs = backoffDelayMs(defaultQueueBackoff, failures, () => 0);
      const afterMs = outcome.kind === "recheck" ? outcome.afterMs : backoffMs;
      await scene.clock.advance(afterMs);
    }
    expect(passes, code).toBeLessThanOrEqual(61);
  }
});

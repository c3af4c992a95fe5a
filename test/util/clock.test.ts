import { expect, test } from "vitest";
import { sleep } from "../../src/util/clock.ts";
import { FakeClock } from "../support/fake-clock.ts";

test("sleep ends when its time has passed, and not before", async () => {
  const clock = new FakeClock();
  let ended = false;
  void sleep(clock, 1_000).then(() => {
    ended = true;
  });
  await clock.advance(999);
  expect(ended).toBe(false);
  await clock.advance(1);
  expect(ended).toBe(true);
});

test("sleep rejects with the reason of an abort and leaves no timer", async () => {
  const clock = new FakeClock();
  const abort = new AbortController();
  const slept = sleep(clock, 1_000, abort.signal);
  abort.abort(new Error("stopped"));
  await expect(slept).rejects.toThrow("stopped");
  expect(clock.pendingTimers).toBe(0);
});

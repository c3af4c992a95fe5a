import { expect, test } from "vitest";
import { TokenBucket } from "../../src/util/token-bucket.ts";
import { FakeClock } from "../support/fake-clock.ts";

test("gives a burst at once, then one each time that is over, and never more than the burst", async () => {
  const clock = new FakeClock();
  const bucket = new TokenBucket({ clock, burst: 3, refillMs: 1_000 });
  const taken = () => Array.from({ length: 5 }, () => bucket.take()).filter(Boolean).length;
  expect(taken()).toBe(3);
  await clock.advance(999);
  expect(taken()).toBe(0);
  await clock.advance(1);
  expect(taken()).toBe(1);
  await clock.advance(3_600_000);
  expect(taken()).toBe(3);
});

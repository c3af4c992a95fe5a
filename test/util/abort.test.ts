import { expect, test } from "vitest";
import { follow } from "../../src/util/abort.ts";

test("an abort is passed on with its reason, when it comes and when it has come", () => {
  const source = new AbortController();
  const early = new AbortController();
  follow(source.signal, early);
  expect(early.signal.aborted).toBe(false);
  source.abort("stopped");
  const late = new AbortController();
  follow(source.signal, late);
  expect([early.signal.reason, late.signal.reason]).toEqual(["stopped", "stopped"]);
});

test("aborting the follower leaves the source alone", () => {
  const source = new AbortController();
  const target = new AbortController();
  follow(source.signal, target);
  target.abort();
  expect(source.signal.aborted).toBe(false);
});

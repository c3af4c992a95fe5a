import { expect, test } from "vitest";
import { follow, unlessAborted } from "../../src/util/abort.ts";

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

test("work that is given up rejects with the reason at once, and leaves no listener behind", async () => {
  const source = new AbortController();
  const waiting = unlessAborted(new Promise(() => undefined), source.signal);
  source.abort("stopped");
  await expect(waiting).rejects.toBe("stopped");
  await expect(unlessAborted(Promise.resolve(1), source.signal)).rejects.toBe("stopped");
});

test("work that is not given up comes to what it comes to", async () => {
  const { signal } = new AbortController();
  const failure = new Error("failed");
  expect(await unlessAborted(Promise.resolve(1), signal)).toBe(1);
  await expect(unlessAborted(Promise.reject(failure), signal)).rejects.toBe(failure);
});

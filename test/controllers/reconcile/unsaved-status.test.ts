import { expect, test } from "vitest";
import { Unsaved } from "../../../src/controllers/reconcile/unsaved-status.ts";

const key = "shop/api";

test("what an attempt could not write is what the next one begins with, until it is written", async () => {
  const unsaved = new Unsaved<string>();
  const seen: (string | undefined)[] = [];
  const failing = unsaved.attempt(key, async (left) => {
    left.value = "first";
    throw new Error("away");
  });
  await expect(failing).rejects.toThrow("away");
  await unsaved.attempt(key, async (left) => {
    seen.push(left.value);
    left.value = undefined;
  });
  await unsaved.attempt(key, async (left) => seen.push(left.value));
  expect(seen).toEqual(["first", undefined]);
});

test("an attempt that ends after a younger one has begun leaves nothing", async () => {
  const unsaved = new Unsaved<string>();
  let fail: (error: Error) => void = () => undefined;
  const older = unsaved.attempt(key, async (left) => {
    left.value = "old news";
    await new Promise((_resolve, reject) => {
      fail = reject;
    });
  });
  await unsaved.attempt(key, async () => undefined);
  fail(new Error("given up"));
  await expect(older).rejects.toThrow("given up");
  expect(await unsaved.attempt(key, async (left) => left.value)).toBeUndefined();
});

test("nothing is left of an object that is gone", async () => {
  const unsaved = new Unsaved<string>();
  const failing = unsaved.attempt(key, async (left) => {
    left.value = "first";
    throw new Error("away");
  });
  await expect(failing).rejects.toThrow("away");
  unsaved.forget(key);
  expect(await unsaved.attempt(key, async (left) => left.value)).toBeUndefined();
});

import { expect, test } from "vitest";
import { reasons } from "../../src/api/reasons.ts";

test.each(Object.entries(reasons))("%s is a word that conditions take, with one sentence", (reason, sentence) => {
  expect(reason).toMatch(/^[A-Z][A-Za-z]{3,}$/);
  expect(sentence).toMatch(/^[A-Z].*[^.][.]$/);
});

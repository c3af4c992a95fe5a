import { expect, test } from "vitest";
import { textOf } from "../../src/util/chunks.ts";

test.each([[[]], [["ab"]], [["a", "b", "c"]]])("%j is joined", (pieces) => {
  expect(textOf(pieces.map((piece) => Buffer.from(piece)))).toBe(pieces.join(""));
});

test("a character whose bytes came in two pieces stays whole", () => {
  const bytes = Buffer.from("ä");
  expect(textOf([bytes.subarray(0, 1), bytes.subarray(1)])).toBe("ä");
});

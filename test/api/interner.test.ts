import { expect, test } from "vitest";
import { createInterner } from "../../src/api/interner.ts";

// Which copy of a string one holds cannot be told apart in JavaScript: what can is that the text stays the same.
test("gives back equal strings, short and long, known and forgotten", () => {
  const intern = createInterner(2);
  for (const text of ["a", "b", "c", "d", "a", "x".repeat(257), "__proto__", ""]) expect(intern(text)).toBe(text);
});

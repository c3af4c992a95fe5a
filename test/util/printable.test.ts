import { expect, test } from "vitest";
import { oneLine, printable } from "../../src/util/printable.ts";

const forbidden: readonly (readonly [string, string])[] = [
  ["a line feed", "\n"],
  ["a carriage return", "\r"],
  ["an escape sequence", "\u001b"],
  ["a C1 control character", "\u0085"],
  ["a line separator", "\u2028"],
  ["a paragraph separator", "\u2029"],
  ["a right-to-left override", "\u202e"],
  ["a zero-width space", "\u200b"],
  ["a byte order mark", "\ufeff"],
  ["half of a surrogate pair", "\ud800"],
];

test.each(forbidden)("%s is a space in prose and a question mark in a name", (_, character) => {
  expect([oneLine(`a${character}b`), printable(`a${character}b`)]).toEqual(["a b", "a?b"]);
});

test("of several in a row prose keeps one space, a name its length", () => {
  const all = forbidden.map(([, character]) => character).join("");
  expect([oneLine(`a${all}b`), printable(`a${all}b`)]).toEqual(["a b", `a${"?".repeat(forbidden.length)}b`]);
});

test("what can be printed stays as it is", () => {
  const text = "Größe: 5 µs … 日本語 😀 a  b";
  expect([oneLine(text), printable(text)]).toEqual([text, text]);
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { createLineSplitter } from "../../src/kube/line-splitter.ts";

function split(chunks: readonly Buffer[], maxLineBytes = 1_000) {
  const lines: string[] = [];
  const splitter = createLineSplitter({
    maxLineBytes,
    onLine: (line) => lines.push(line),
    tooLong: () => new Error("too long"),
  });
  for (const chunk of chunks) splitter.push(chunk);
  return { lines, pendingBytes: splitter.pendingBytes() };
}

test("however a text is cut into chunks, the lines are the same", () => {
  const line = fc.string({ unit: "grapheme", minLength: 1 }).map((text) => text.replaceAll("\n", "_"));
  const cuts = fc.array(fc.nat());
  fc.assert(
    fc.property(fc.array(line), line, cuts, (whole, last, at) => {
      const bytes = Buffer.from(`${whole.map((one) => `${one}\n`).join("")}${last}`);
      const places = [0, ...at.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
      const chunks = places.slice(1).map((end, index) => bytes.subarray(places[index], end));
      // Lone surrogates become replacement characters on the way through bytes, in both.
      const expected = whole.map((one) => Buffer.from(one).toString());
      expect(split(chunks, 10_000)).toEqual({ lines: expected, pendingBytes: Buffer.byteLength(last) });
    }),
  );
});

test("empty lines are left out", () => {
  expect(split([Buffer.from("\na\n\n\nb\n")])).toEqual({ lines: ["a", "b"], pendingBytes: 0 });
});

test("a line of exactly the limit passes, one byte more does not, whole or in pieces", () => {
  const limit = 8;
  expect(split([Buffer.from("12345678\n")], limit).lines).toEqual(["12345678"]);
  expect(split([Buffer.from("1234"), Buffer.from("5678\n")], limit).lines).toEqual(["12345678"]);
  expect(() => split([Buffer.from("123456789\n")], limit)).toThrow("too long");
  expect(() => split([Buffer.from("1234"), Buffer.from("56789\n")], limit)).toThrow("too long");
  expect(() => split([Buffer.from("1234"), Buffer.from("56789")], limit)).toThrow("too long");
});

test("what is kept of a chunk does not change when the chunk's memory is used again", () => {
  const chunk = Buffer.from("a\nbc");
  const lines: string[] = [];
  const splitter = createLineSplitter({
    maxLineBytes: 9,
    onLine: (line) => lines.push(line),
    tooLong: () => new Error(),
  });
  splitter.push(chunk);
  chunk.fill("x");
  splitter.push(Buffer.from("d\n"));
  expect(lines).toEqual(["a", "bcd"]);
});

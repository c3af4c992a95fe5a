import fc from "fast-check";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { describe, expect, test } from "vitest";
import { parsePrometheusText } from "../../src/cli/prometheus-text.ts";

/** Name, labels and value of each sample, or the number of the line that is malformed. */
function read(text: string) {
  const result = parsePrometheusText(text);
  if (result.kind === "malformed") return result.line;
  return result.samples.map(({ name, labels, value }) => [name, Object.fromEntries(labels), value]);
}

describe("text in the format", () => {
  test.each<[string, unknown]>([
    ["", []],
    ["\n\n", []],
    ["# HELP a some text\n# TYPE a counter\n# anything {\n", []],
    ["a 1", [["a", {}, 1]]],
    ["a 1\n", [["a", {}, 1]]],
    ["a\t1.5e3 1700000000000\n", [["a", {}, 1_500]]],
    ["a:b_c 1 -5", [["a:b_c", {}, 1]]],
    ["  a {} 2  ", [["a", {}, 2]]],
    ["a{} 2", [["a", {}, 2]]],
    ["a{}2", [["a", {}, 2]]],
    ['a{x="1"}2', [["a", { x: "1" }, 2]]],
    ['a{x="1",y="2",} 3', [["a", { x: "1", y: "2" }, 3]]],
    ['a { x = "1" , y="" } 3', [["a", { x: "1", y: "" }, 3]]],
    [String.raw`a{x="q\" b\\ l\n }, # {"} 3`, [["a", { x: 'q" b\\ l\n }, # {' }, 3]]],
    [
      "a +Inf\nb -Inf\nc NaN",
      [
        ["a", {}, Number.POSITIVE_INFINITY],
        ["b", {}, Number.NEGATIVE_INFINITY],
        ["c", {}, Number.NaN],
      ],
    ],
    ['a{__proto__="x"} 1', [["a", Object.fromEntries([["__proto__", "x"]]), 1]]],
  ])("%j is read", (text, samples) => {
    expect(read(text)).toEqual(samples);
  });

  test("as our own library writes it is read back, whatever the labels are", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string({ unit: "binary" }), { maxLength: 5 }), fc.double(), async (texts, value) => {
        const registers = [new Registry()];
        const gauge = new Gauge({ name: "g", help: "of a\nhelp", labelNames: ["x", "y"], registers });
        for (const x of new Set(texts)) gauge.set({ x, y: "1" }, value);
        const text = (await registers[0]?.metrics()) ?? "";
        expect(read(text)).toEqual([...new Set(texts)].map((x) => ["g", { x, y: "1" }, value === 0 ? 0 : value]));
      }),
    );
  });

  test("of counters and histograms is read, too", async () => {
    const registry = new Registry();
    new Counter({ name: "c", help: "c", registers: [registry] }).inc(2);
    new Histogram({ name: "h", help: "h", buckets: [0.5], registers: [registry] }).observe(0.1);
    expect(read(await registry.metrics())).toEqual([
      ["c", {}, 2],
      ["h_bucket", { le: "0.5" }, 1],
      ["h_bucket", { le: "+Inf" }, 1],
      ["h_sum", {}, 0.1],
      ["h_count", {}, 1],
    ]);
  });

  test("is checked, but not kept, where its name is not wanted", () => {
    const isWanted = (name: string) => name === "b";
    const result = parsePrometheusText("a 1\nb 2\n", isWanted);
    expect(result).toEqual({ kind: "samples", samples: [{ name: "b", labels: new Map(), value: 2 }] });
    expect(parsePrometheusText("a x\nb 2\n", isWanted)).toEqual({ kind: "malformed", line: 1 });
  });
});

describe("text that is not in the format", () => {
  test.each([
    "<!DOCTYPE html>",
    '{"a": 1}',
    "a",
    "a ",
    "a1",
    "1a 1",
    "a 1 2 3",
    "a 1 x",
    "a 0x10",
    "a 1_000",
    "a --1",
    "a Infinity",
    'a{x="1" 1',
    'a{x="1"',
    "a{x=1} 1",
    "a{x='1'} 1",
    'a{"x"="1"} 1',
    'a{x="1",,} 1',
    "a{,} 1",
    'a{x="1" y="2"} 1',
    'a{x="1",x="2"} 1',
    'a{x="\\t"} 1',
    'a{x="1"}',
    'a{x="1"} 1 }',
    "a\u00a01",
    `a{x="${"y".repeat(70_000)}"} 1`,
  ])("%#: the line is named", (line) => {
    expect(read(`ok 1\n${line}\nok 2\n`)).toBe(2);
  });

  test("takes time in proportion to its length, however it is made", () => {
    const texts = [
      'a{x="'.repeat(200_000),
      `${'\\"'.repeat(30_000)}\n`.repeat(20),
      "a{".repeat(400_000),
      " ".repeat(900_000),
    ];
    for (const text of texts) {
      const startedMs = performance.now();
      read(text);
      read(`a{x="${text.slice(0, 60_000)}`);
      expect(performance.now() - startedMs).toBeLessThan(2_000);
    }
  });
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createValidator } from "../../src/api/validate.ts";
import { formatImport } from "../../src/cli/imported-text.ts";
import { type Finding, formatReport } from "../../src/cli/manifest-report.ts";
import { runPlan } from "../../src/cli/plan.ts";
import { formatPlan } from "../../src/cli/plan-report.ts";
import { plainLine, shownFile } from "../../src/cli/printable.ts";
import { runValidate } from "../../src/cli/validate.ts";
import { systemClock } from "../../src/util/clock.ts";

/** What a runner of GitHub Actions takes for a command: both forms that it knows. */
function isCommand(line: string): boolean {
  return line.trimStart().startsWith("::") || line.includes("##[");
}

/** As a terminal, a runner, and readers of other line breaks part a text. */
function linesOf(text: string): readonly string[] {
  return text.split(/\r\n|[\n\r\v\f\u0085\u2028\u2029]/);
}

const pieces = fc.constantFrom(
  "::error::",
  "::",
  ":",
  "##[add-mask]",
  "##",
  "#",
  "[",
  "set-output name=x",
  "\n",
  "\r",
  "\r\n",
  "\u2028",
  "\u0085",
  "\u001b[2K",
  " ",
  "\u00a0",
  "\t",
  "%0A",
  "/a.yaml",
  "x",
);
const hostile = fc.array(pieces, { maxLength: 8 }).map((parts) => parts.join(""));

const findings = fc.record({
  file: hostile,
  line: fc.constant(3),
  column: fc.constant(7),
  kind: hostile,
  name: hostile,
  field: hostile,
  rule: fc.constant("type"),
  message: hostile,
  remedy: hostile,
}) satisfies fc.Arbitrary<Finding>;

const entries = fc
  .record({
    file: hostile,
    kind: hostile,
    namespace: hostile,
    name: hostile,
    target: hostile,
    note: hostile,
    value: hostile,
  })
  .chain(({ note, value, ...entry }) =>
    fc
      .constantFrom(
        { kind: "same", notes: [note] } as const,
        { kind: "change", changes: [{ path: value, from: value, to: note }], notes: [note] } as const,
        { kind: "start", notes: [note] } as const,
        { kind: "held", why: note, changes: [{ path: value, to: note }], notes: [value] } as const,
        { kind: "error", message: note, changes: [{ path: value }] } as const,
      )
      .map((planned) => ({ ...entry, planned, lineOf: () => 1 })),
  );

const summary = { checked: 1, bad: 1, skipped: 0 };

describe("whatever files and objects are called, and whatever is in them", () => {
  test("a report as text or JSON holds no workflow command, and one line for each finding", () => {
    fc.assert(
      fc.property(fc.array(findings, { maxLength: 4 }), (all) => {
        const text = formatReport("text", all, summary);
        expect(linesOf(text).filter(isCommand)).toEqual([]);
        expect(linesOf(text)).toHaveLength(all.length + 2);
        const json = formatReport("json", all, summary);
        expect(json.split("\n").filter(isCommand)).toEqual([]);
        expect((JSON.parse(json) as readonly Finding[]).map(({ file }) => file)).toEqual(all.map(({ file }) => file));
      }),
    );
  });

  test("a report for GitHub holds one command for each finding, and no other", () => {
    fc.assert(
      fc.property(fc.array(findings, { maxLength: 4 }), (all) => {
        const commands = linesOf(formatReport("github", all, summary)).filter(isCommand);
        expect(commands).toHaveLength(all.length);
        for (const command of commands)
          expect(command).toMatch(/^::error (?:file=[^:,]*,)?line=3,col=7,title=[^:,]*::/);
      }),
    );
  });

  test("a plan as text or JSON holds no workflow command, and for GitHub only its own", () => {
    fc.assert(
      fc.property(fc.array(entries, { maxLength: 4 }), (all) => {
        const report = { entries: all, findings: [], requests: 0 };
        expect(linesOf(formatPlan("text", report)).filter(isCommand)).toEqual([]);
        expect(formatPlan("json", report).split("\n").filter(isCommand)).toEqual([]);
        const commands = linesOf(formatPlan("github", report)).filter(isCommand);
        for (const command of commands) {
          expect(command).toMatch(/^::(?:error|warning|notice) (?:file=[^:,]*,line=1,)?title=[^:,]*::/);
        }
        // At most one for the object and one for its change.
        expect(commands.length).toBeLessThanOrEqual(2 * all.length);
      }),
    );
  });

  test("an import holds no workflow command, and means what it meant", () => {
    const validator = createValidator();
    const manifest = (text: string) => ({
      apiVersion: "northflank-operator.io/v1alpha1",
      kind: "NorthflankJob",
      metadata: { name: "etl", annotations: { [`x${text}`]: text } },
      spec: { projectId: "shop", jobId: "etl", settings: { description: text, tags: [text] } },
    });
    fc.assert(
      fc.property(fc.array(hostile, { minLength: 1, maxLength: 3 }), (texts) => {
        const items = texts.flatMap((text) => [
          { title: text, imported: { kind: "manifest", manifest: manifest(text), notes: [text] } as const },
          { title: text, imported: { kind: "draft", manifest: manifest(text), notes: [text], reason: text } as const },
          { title: text, imported: { kind: "left-out", reason: text } as const },
        ]);
        const { text } = formatImport({ head: texts.join(" "), items }, validator);
        expect(linesOf(text).filter(isCommand)).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});

test.each(["validate", "plan"] as const)("%s names an argument that cannot be read in one line", async (command) => {
  let printed = "";
  const io = {
    out: (text: string) => {
      printed += text;
    },
    err: (text: string) => {
      printed += text;
    },
    isTerminal: false,
    readStdin: async () => "",
  };
  const args = ["missing\n::error::x ##[add-mask]y.yaml"];
  const deps = { io, env: { NORTHFLANK_API_TOKEN: "t" }, clock: systemClock, random: () => 0.5 };
  expect(command === "plan" ? await runPlan(args, deps) : await runValidate(args, io)).toBe(2);
  expect(printed).toContain("there is no such file or directory");
  expect(linesOf(printed).filter(isCommand)).toEqual([]);
});

test("a file whose name is a command is shown under a name of the same file that is none", () => {
  expect([shownFile("::error::.yaml"), shownFile("a::b.yaml")]).toEqual(["./::error::.yaml", "a::b.yaml"]);
});

test("text that is no command stays as it is", () => {
  expect(plainLine("a.yaml:1:2: spec::x # [1]")).toBe("a.yaml:1:2: spec::x # [1]");
});

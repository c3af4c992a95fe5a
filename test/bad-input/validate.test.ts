import { describe, expect, test } from "vitest";
import { runValidate } from "../../src/cli/validate.ts";
import { hostile } from "./hostile.ts";

async function validate(text: string): Promise<{ readonly code: number; readonly told: string }> {
  let told = "";
  const tell = (more: string) => {
    told += more;
  };
  const code = await runValidate(["-", "--output", "json"], {
    out: tell,
    err: tell,
    isTerminal: false,
    readStdin: async () => text,
  });
  return { code, told };
}

describe.each(Object.entries(hostile))("validate and %s", (_, table) => {
  test.each(Object.entries(table))("%s", async (_, { text, refused }) => {
    const begin = performance.now();
    const { code, told } = await validate(text);
    expect(performance.now() - begin).toBeLessThan(9_000);
    const problems = JSON.parse(told) as readonly { readonly field: string; readonly rule: string }[];
    expect([code, problems]).toEqual([refused === undefined ? 0 : 1, problems]);
    if (refused !== undefined) expectProblem(problems, refused);
    expect(told.length).toBeLessThan(100_000);
    // Nothing in a message can move the cursor of a terminal or end the line of a log.
    expect(told.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
    expect(Reflect.get({}, "polluted")).toBeUndefined();
    expect(Reflect.get({}, "suspend")).toBeUndefined();
  });
});

/** `wanted` is `field rule`, or a field alone: any rule, there or further inside. */
function expectProblem(problems: readonly { readonly field: string; readonly rule: string }[], wanted: string): void {
  const [field = "", rule] = wanted.split(" ");
  const found = problems.filter((one) => (rule === undefined ? one.field.startsWith(field) : one.field === field));
  expect([wanted, problems, found.some((one) => rule === undefined || one.rule === rule)]).toEqual([
    wanted,
    problems,
    true,
  ]);
}

describe("what no API server could store as it is written", () => {
  test.each([
    ["a lone surrogate in YAML", 'spec: {projectId: shop, jobId: migrate, runtimeEnvironment: {A: "\\ud800"}}'],
    ["a lone surrogate in a key", 'spec: {projectId: shop, jobId: migrate, runtimeEnvironment: {"A\\udfff": x}}'],
    [
      "a control character that is not escaped",
      'spec: {projectId: shop, jobId: migrate, runtimeEnvironment: {A: "\u0007"}}',
    ],
    ["NUL that is not escaped", "spec: {projectId: shop, jobId: migrate, runtimeEnvironment: {A: a\u0000b}}"],
  ])("%s is refused at its place", async (_, spec) => {
    const head = "apiVersion: northflank-operator.io/v1alpha1\nkind: NorthflankJobRun\nmetadata: {name: a}\n";
    const { code, told } = await validate(`${head}${spec}\n`);
    expect([code, JSON.parse(told)]).toEqual([1, expect.arrayContaining([expect.objectContaining({ line: 4 })])]);
    expect(told).toContain("character");
  });

  test("a whole character, escaped in two halves as JSON does it, is good", async () => {
    const text = JSON.stringify({
      apiVersion: "northflank-operator.io/v1alpha1",
      kind: "NorthflankJobRun",
      metadata: { name: "a" },
      spec: { projectId: "shop", jobId: "migrate", runtimeEnvironment: { A: "X" } },
    }).replace("X", "\\ud83d\\ude00");
    expect(await validate(text)).toEqual({ code: 0, told: "[]\n" });
  });
});

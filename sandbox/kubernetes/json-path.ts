import { isObject } from "./types.ts";

type Step =
  | { readonly kind: "field"; readonly name: string }
  | { readonly kind: "index"; readonly index: number }
  | { readonly kind: "all" }
  | { readonly kind: "filter"; readonly path: readonly Step[]; readonly value: unknown };

/** A parsed JSONPath: gives every value it leads to in a document. */
export type JsonPath = (document: unknown) => unknown[];

/**
 * Parses the JSONPath that printer columns and selectable fields use: `.a.b`, `['a']`, `[0]`, `[*]` and filters like
 * `[?(@.type=="Ready")]`.
 *
 * *Errors*: throws on anything else.
 */
export function parseJsonPath(text: string): JsonPath {
  const steps = parseSteps(
    text
      .trim()
      .replace(/^\{(.*)\}$/, "$1")
      .replace(/^\$/, ""),
  );
  return (document) => walk([document], steps);
}

function parseSteps(text: string): readonly Step[] {
  const steps: Step[] = [];
  let rest = text;
  while (rest !== "") {
    const [step, length] = parseStep(rest, text);
    steps.push(step);
    rest = rest.slice(length);
  }
  return steps;
}

function parseStep(rest: string, whole: string): readonly [Step, number] {
  const field = /^\.((?:[\w-]|\\\.|\/)+)/.exec(rest);
  if (field) return [{ kind: "field", name: (field[1] ?? "").replaceAll("\\.", ".") }, field[0].length];
  const all = /^(?:\.\*|\[\*\])/.exec(rest);
  if (all) return [{ kind: "all" }, all[0].length];
  const index = /^\[(-?\d+)\]/.exec(rest);
  if (index) return [{ kind: "index", index: Number(index[1]) }, index[0].length];
  const quoted = /^\[(?:'([^']*)'|"([^"]*)")\]/.exec(rest);
  if (quoted) return [{ kind: "field", name: quoted[1] ?? quoted[2] ?? "" }, quoted[0].length];
  const filter = /^\[\?\(\s*@((?:\.[\w-]+)+)\s*==\s*(?:'([^']*)'|"([^"]*)"|(true|false|-?\d+))\s*\)\]/.exec(rest);
  if (filter === null) throw new Error(`unsupported JSONPath ${JSON.stringify(whole)} at ${JSON.stringify(rest)}`);
  const [all2, path, single, double, literal] = filter;
  const value = single ?? double ?? JSON.parse(literal ?? "null");
  return [{ kind: "filter", path: parseSteps(path ?? ""), value }, all2.length];
}

function walk(values: readonly unknown[], steps: readonly Step[]): unknown[] {
  let found = [...values];
  for (const step of steps) found = found.flatMap((value) => take(value, step));
  return found;
}

function take(value: unknown, step: Step): unknown[] {
  switch (step.kind) {
    case "field":
      return isObject(value) && Object.hasOwn(value, step.name) ? [value[step.name]] : [];
    case "index":
      return Array.isArray(value) && value.at(step.index) !== undefined ? [value.at(step.index)] : [];
    case "all":
      return Array.isArray(value) ? value : isObject(value) ? Object.values(value) : [];
    case "filter":
      return (Array.isArray(value) ? value : []).filter((item) => walk([item], step.path)[0] === step.value);
  }
}

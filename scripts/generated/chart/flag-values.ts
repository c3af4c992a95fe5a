import { flagsOfRun } from "../../../src/config.ts";
import { type Flag, Refusal } from "../../../src/flags.ts";
import {
  boolean,
  integer,
  listOf,
  nullable,
  oneOf,
  type Schema,
  string,
  stringLike,
  type Value,
  value,
} from "./value.ts";

/** A flag of `run` and the value of the chart that sets it. */
export interface FlagValue {
  /** The flag's name in camelCase. */
  readonly name: string;
  readonly flag: Flag<unknown>;
}

/** Every flag of `run`, in the order of its help. */
export function flagValues(): readonly FlagValue[] {
  return flagsOfRun().map((flag) => ({ name: camelCase(flag.name), flag }));
}

/** The values under `flags`, by name. */
export function valuesOfFlags(): Readonly<Record<string, Value>> {
  return Object.fromEntries(flagValues().map(({ name, flag }) => [name, chartValue(flag)]));
}

function chartValue(flag: Flag<unknown>): Value {
  const schema = schemaOf(flag);
  const fallback = flag.fallback ? ` Default: ${flag.fallback}.` : "";
  return value(
    `--${flag.name}: ${flag.meaning}.${fallback}`,
    [schema.type].flat().includes("array") ? [] : null,
    schema,
  );
}

const number = "[0-9]+(\\.[0-9]+)?";
const duration = `(${number}(ms|s|m|h))+`;
const label = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?";
const host = "([A-Za-z0-9.-]{1,253}|\\[[0-9A-Fa-f:.]{2,45}\\])(:[0-9]{1,5})?";

/** What values of a flag look like, by what stands for the value in the help. A new word has to be added here. */
const schemas: Readonly<Record<string, (flag: Flag<unknown>) => Schema>> = {
  PATH: () => string,
  NAME: () => string,
  S: () => string,
  // Without a pattern: a URL may hold a password, and Helm quotes a value that does not match. The templates check it.
  URL: () => string,
  ID: () => stringLike("[A-Za-z0-9]+(-[A-Za-z0-9]+)*"),
  NS: () => stringLike(label),
  "a,b": () => ({ ...listOf({ type: "string", pattern: `^${label}$` }), uniqueItems: true }),
  "a,b|*": () => ({ ...listOf({ type: "string", pattern: `^(\\*|${label})$` }), uniqueItems: true }),
  "h[:port],...": () => ({ ...listOf({ type: "string", pattern: `^${host}$` }), uniqueItems: true }),
  N: ({ parse }) => integer(...rangeOf(parse)),
  BOOL: () => boolean,
  // A flag without a value takes one all the same: --status-page=true.
  "": () => boolean,
  D: (flag) => (isPositive(flag) ? stringLike(duration) : orZero(stringLike(`0|${duration}`))),
  A: (flag) => orZero(stringLike(accepts(flag, ":1") ? "0|([^:\\[\\]]*|\\[[0-9a-fA-F:.]+\\]):[0-9]{1,5}" : "0")),
  L: ({ parse }) => oneOf("", ...wordsOf(parse)),
  F: ({ parse }) => oneOf("", ...wordsOf(parse)),
};

function schemaOf(flag: Flag<unknown>): Schema {
  const schema = Object.hasOwn(schemas, flag.placeholder) ? schemas[flag.placeholder] : undefined;
  if (schema === undefined) {
    throw new Error(
      `scripts/generated/chart/flag-values.ts does not say what ${flag.placeholder} of --${flag.name} is`,
    );
  }
  const values = schema(flag);
  return "anyOf" in values ? values : nullable(values);
}

/** `0` without quotes is a number, and what `--set` makes of it. */
function orZero(schema: Schema): Schema {
  return { anyOf: [nullable(schema), { const: 0 }] };
}

/** True for a duration that must be above zero: the templates refuse it otherwise, because a pattern says that badly. */
export function isPositive(flag: Flag<unknown>): boolean {
  return flag.placeholder === "D" && !accepts(flag, "0");
}

function accepts(flag: Flag<unknown>, text: string): boolean {
  return !(flag.parse(text) instanceof Refusal);
}

function rangeOf({ range }: Flag<unknown>["parse"]): readonly [number, number] {
  if (range === undefined) throw new Error("a flag whose value is a number has no range");
  return range;
}

function wordsOf({ words }: Flag<unknown>["parse"]): readonly string[] {
  if (words === undefined) throw new Error("a flag whose value is a word has no words");
  return words;
}

function camelCase(name: string): string {
  return name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

// pure
import { parseDurationMs } from "../util/duration.ts";
import { isUnreplaced } from "../util/unreplaced.ts";

/** A value that is not of the type that its schema requires. */
export interface WrongType {
  /** The type that is asked for, as a schema names it. */
  readonly wanted: string;
  readonly data: unknown;
  /** The name of the field. */
  readonly name: string;
  /** What the schema says about the field. */
  readonly description: string;
}

/** What is wrong with it: the unit, where a number was written with one, else the two types. Never the value. */
export function wrongTypeMessage(wrong: WrongType): string {
  return unitMessage(wrong) ?? `must be ${typeInWords(wrong.wanted)}, not ${typeInWords(typeName(wrong.data))}`;
}

/** What to do about it. Empty where the message says it; undefined where only the meaning of the field helps. */
export function wrongTypeRemedy(wrong: WrongType): string | undefined {
  const { wanted, data } = wrong;
  if (wanted === "string")
    return typeof data === "boolean" || typeof data === "number" ? "put it in quotes" : undefined;
  if (typeof data === "string" && isUnreplaced(data)) {
    return "a template engine or CI left it unreplaced: render the file before it is applied";
  }
  if (unitMessage(wrong) !== undefined) return "";
  if (wanted === "integer") return isQuotedInteger(data) ? "write it without quotes" : undefined;
  return wanted === "boolean" ? booleanRemedy(data) : undefined;
}

function isQuotedInteger(data: unknown): boolean {
  return typeof data === "string" && /^[-+]?[0-9]+$/.test(data);
}

/** `yes` and `on` without quotes are true for kubectl, but in YAML 1.2 and in JSON they are not. */
function booleanRemedy(data: unknown): string | undefined {
  const word = String(data).toLowerCase();
  if (typeof data === "string" && (word === "true" || word === "false")) return "write it without quotes";
  if (typeof data !== "string" && typeof data !== "number") return undefined;
  if (["yes", "y", "on", "1"].includes(word)) return "write true";
  return ["no", "n", "off", "0"].includes(word) ? "write false" : undefined;
}

/** `15m` where seconds are counted, `512Mi` where MiB are: the number that was meant, in the unit of the field. */
function unitMessage({ wanted, data, name, description }: WrongType): string | undefined {
  if (wanted !== "integer" || typeof data !== "string") return undefined;
  const text = data.trim();
  if (!/^[0-9]/.test(text) || isQuotedInteger(text)) return undefined;
  if (/Seconds/.test(name)) return `must be a number of seconds, such as ${secondsOf(text) ?? 900}`;
  return /\bMiB\b/.test(description) ? `must be a number of MiB, such as ${mebibytesOf(text) ?? 1024}` : undefined;
}

function secondsOf(text: string): number | undefined {
  const durationMs = parseDurationMs(text);
  return durationMs === undefined ? undefined : Math.ceil(durationMs / 1_000);
}

const bytesOf: Readonly<Record<string, number>> = {
  K: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  KI: 2 ** 10,
  MI: 2 ** 20,
  GI: 2 ** 30,
  TI: 2 ** 40,
};

function mebibytesOf(text: string): number | undefined {
  const [, amount, unit] = /^([0-9]{1,9}(?:\.[0-9]{1,9})?) ?([KMGT]i?)B?$/i.exec(text) ?? [];
  const bytes = bytesOf[unit?.toUpperCase() ?? ""];
  return amount === undefined || bytes === undefined ? undefined : Math.ceil((Number(amount) * bytes) / 2 ** 20);
}

function typeName(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}

const plainTypeNames: Readonly<Record<string, string>> = {
  string: "a string",
  integer: "a whole number",
  number: "a number with a fraction",
  boolean: "true or false",
  object: "an object",
  array: "a list",
  null: "null",
};

/** The type of a value: `a list`. */
export function typeOf(value: unknown): string {
  return typeInWords(typeName(value));
}

function typeInWords(type: string): string {
  return plainTypeNames[type] ?? type;
}

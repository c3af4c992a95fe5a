// pure

import { isRecord, setOwn } from "../util/records.ts";
import { isList, isMap, isObject } from "./crd.ts";
import { type Problem, problem } from "./problem.ts";
import type { ObjectSchema, Schema } from "./schema.ts";
import { type Path, schemaOf } from "./stored.ts";

/*
 * What an older or looser CRD has let in stays stored when a stricter one follows, and the types of this program promise
 * what the present schema says. So whatever comes from the API server is made to keep the promise once, here, before any
 * other code sees it: what does not fit is left out, as if it had not been written, and is reported as a problem.
 */

/** A value with nothing in it that its schema does not allow, and what had to be left out or is missing. */
export interface Fitted {
  readonly value: unknown;
  readonly problems: readonly Problem[];
}

/** True when a value fits; made once for a schema, because every object that arrives is checked. */
export type FitCheck = (value: unknown) => boolean;

/**
 * Makes the check whether a value has the types that its schema promises: no reader of the inferred type can stumble over
 * it. Bounds, patterns and rules are not checked: breaking them makes a value wrong, but no code fails.
 */
export function fitCheck(schema: Schema): FitCheck {
  const check = checkOf(schema);
  const isNullable = schema.nullable === true;
  return (value) => (value === null ? isNullable : check(value));
}

function checkOf(schema: Schema): FitCheck {
  if (isList(schema)) {
    const item = fitCheck(schema.items);
    return (value) => Array.isArray(value) && value.every((each) => item(each));
  }
  if (isMap(schema)) {
    const item = fitCheck(schema.additionalProperties);
    return (value) => isRecord(value) && Object.keys(value).every((key) => item(value[key]));
  }
  if (!isObject(schema)) return scalarCheck(schema);
  const fields = Object.entries(schema.properties).map(([key, inner]) => ({
    key,
    check: checkOf(inner),
    isNullable: inner.nullable === true,
    isNeeded: "default" in inner || schema.required?.includes(key) === true,
    isInherited: key in Object.prototype,
  }));
  return (value) => {
    if (!isRecord(value)) return false;
    for (const { key, check, isNullable, isNeeded, isInherited } of fields) {
      const item = value[key];
      if (item === undefined || (isInherited && !Object.hasOwn(value, key))) {
        if (isNeeded) return false;
      } else if (item === null ? !isNullable : !check(item)) return false;
    }
    return true;
  };
}

/** {@link fitCheck} for one value. */
export function fits(schema: Schema, value: unknown): boolean {
  return fitCheck(schema)(value);
}

/**
 * The value with what does not fit left out, and with defaults where something is missing. What lacks a required field is
 * left out as a whole, but for the value itself: it keeps what it has, and required parts that are objects are there,
 * empty. A null that is not allowed counts as missing, as for the API server. Fields that the schema does not know
 * stay.
 *
 * *Guarantees*: never throws; the input is not changed.
 */
export function fitTo(schema: ObjectSchema, value: unknown, root: Path): Fitted {
  const problems: Problem[] = [];
  const given = value === null ? undefined : value;
  if (given !== undefined && !isRecord(given)) problems.push(misfit(schema, root));
  const whole = fitObject(schema, isRecord(given) ? given : {}, root, problems);
  // Readers take a required part apart without asking whether it is there.
  for (const key of schema.required ?? []) {
    const inner = schema.properties[key];
    if (inner !== undefined && isObject(inner) && !Object.hasOwn(whole, key)) {
      setOwn(whole, key, fitObject(inner, {}, [...root, key], []));
    }
  }
  return { value: whole, problems };
}

const leftOut = Symbol("left out");

function fitted(schema: Schema, value: unknown, path: Path, problems: Problem[]): unknown {
  if (value === null && schema.nullable === true) return value;
  if (isList(schema) && Array.isArray(value)) {
    return value
      .map((item, index) => fitted(schema.items, item, [...path, index], problems))
      .filter((item) => item !== leftOut);
  }
  if (isMap(schema) && isRecord(value)) return fitMap(schema.additionalProperties, value, path, problems);
  if (isObject(schema) && isRecord(value)) {
    const before = problems.length;
    const object = fitObject(schema, value, path, problems);
    const isWhole = problems
      .slice(before)
      .every((each) => each.rule !== "required" || each.path.length > path.length + 1);
    return isWhole ? object : leftOut;
  }
  if (!isList(schema) && !isMap(schema) && !isObject(schema) && fitsScalar(schema, value)) return value;
  problems.push(misfit(schema, path));
  return leftOut;
}

function fitMap(
  schema: Schema,
  value: Readonly<Record<string, unknown>>,
  path: Path,
  problems: Problem[],
): Record<string, unknown> {
  const map: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    if (value[key] === null && schema.nullable !== true) continue;
    const inner = fitted(schema, value[key], [...path, key], problems);
    if (inner !== leftOut) setOwn(map, key, inner);
  }
  return map;
}

function fitObject(
  schema: ObjectSchema,
  value: Readonly<Record<string, unknown>>,
  path: Path,
  problems: Problem[],
): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    const inner = schemaOf(schema, key);
    if (inner === undefined) {
      setOwn(object, key, value[key]);
      continue;
    }
    if (value[key] === undefined || (value[key] === null && inner.nullable !== true)) continue;
    const item = fitted(inner, value[key], [...path, key], problems);
    if (item !== leftOut) setOwn(object, key, item);
  }
  for (const [key, inner] of Object.entries(schema.properties)) {
    if (Object.hasOwn(object, key)) continue;
    if ("default" in inner) setOwn(object, key, inner.default);
    else if (schema.required?.includes(key)) {
      problems.push(problem({ path: [...path, key], rule: "required", message: "is required", remedy: "add it" }));
    }
  }
  return object;
}

type ScalarSchema = Exclude<Schema, { readonly type: "object" | "array" }>;

function fitsScalar(schema: ScalarSchema, value: unknown): boolean {
  return scalarCheck(schema)(value);
}

function scalarCheck(schema: ScalarSchema): FitCheck {
  switch (schema.type) {
    case "boolean":
      return (value) => typeof value === "boolean";
    case "integer":
      // Of a number that is not exact, or is beyond what a time can be, arithmetic makes nonsense or an exception.
      return schema.format === "int64"
        ? Number.isSafeInteger
        : (value) => Number.isSafeInteger(value) && Math.abs(value as number) <= maxInt32;
    case "string":
      if ("enum" in schema) {
        const { enum: allowed } = schema;
        return (value) => typeof value === "string" && allowed.includes(value);
      }
      if (schema.format !== "date-time") return (value) => typeof value === "string";
      return (value) => typeof value === "string" && (isPlainTime(value) || Number.isFinite(Date.parse(value)));
    default:
      return () => false;
  }
}

const maxInt32 = 2 ** 31;

/** What the API server and this program write, on a day that every month has: most times need not be parsed. */
function isPlainTime(text: string): boolean {
  return plainTime.test(text);
}

const plainTime = /^20\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$/;

function misfit(schema: Schema, path: Path): Problem {
  return problem({ path, rule: "type", message: `must be ${wanted(schema)}`, remedy: "correct the value" });
}

function wanted(schema: Schema): string {
  if (isList(schema)) return "a list";
  if (schema.type === "object") return "an object";
  if (schema.type === "boolean") return "true or false";
  if (schema.type === "integer") return "a whole number in its range";
  if ("enum" in schema) return `one of ${schema.enum.join(", ")}`;
  return schema.format === "date-time" ? "a time such as 2026-01-31T12:00:00Z" : "a string";
}

/** A JSON Schema of draft 7, as far as Helm's validators agree on it. */
export type Schema = Readonly<Record<string, unknown>>;

/** One value of the chart that a user may set. */
export interface Value {
  readonly about: string;
  readonly fallback: unknown;
  readonly schema: Schema;
  /** Shown in values.yaml as a comment: another value that makes sense. */
  readonly example?: unknown;
}

/** Values that belong together under one key. */
export interface Group {
  readonly about?: string;
  readonly values: Values;
}

export type Values = Readonly<Record<string, Value | Group>>;

/** A chapter of values.yaml and of the README. */
export interface Chapter {
  readonly title: string;
  readonly values: Values;
}

export function isGroup(entry: Value | Group): entry is Group {
  return "values" in entry;
}

export const value = (about: string, fallback: unknown, schema: Schema, example?: unknown): Value => ({
  about,
  fallback,
  schema,
  ...(example === undefined ? {} : { example }),
});

export const group = (about: string, values: Values): Group => ({ about, values });

// ---- what a value may be ----

export const boolean: Schema = { type: "boolean" };
export const string: Schema = { type: "string" };

/** Empty, or text of this form. */
export const stringLike = (pattern: string): Schema => ({ type: "string", pattern: `^(${pattern})?$` });

export const oneOf = (...words: readonly string[]): Schema => ({ type: "string", enum: words });

export const integer = (minimum: number, maximum?: number): Schema => ({
  type: "integer",
  minimum,
  ...(maximum === undefined ? {} : { maximum }),
});

/** Null means: not set. */
export const nullable = (schema: Schema): Schema => ({
  ...schema,
  type: [schema.type, "null"].flat(),
  ...(Array.isArray(schema.enum) ? { enum: [...schema.enum, null] } : {}),
});

export const listOf = (items: Schema): Schema => ({ type: "array", items });

/** Labels and annotations: keys are Kubernetes' own business. */
export const stringMap: Schema = { type: "object", additionalProperties: { type: "string" } };

/** An object of Kubernetes' own, which the API server judges. */
export const kubernetesObject: Schema = { type: "object" };

/** Objects of Kubernetes' own with a name. */
export const namedObjects: Schema = listOf({
  type: "object",
  required: ["name"],
  properties: { name: { type: "string", minLength: 1 } },
});

/** A whole number, or a share such as `50%`. */
export const integerOrPercent = (minimum: number): Schema => ({
  type: ["integer", "string", "null"],
  minimum,
  pattern: "^(100|[1-9]?[0-9])%$",
});

/** Quantities by the name of the resource: `128Mi`, `1`, `0.5`. */
export const quantities: Schema = {
  type: "object",
  additionalProperties: { type: ["string", "number"], pattern: "^[0-9.]+([eE]?[0-9]+)?[a-zA-Z]{0,2}$" },
};

/** What the request schemas of `sandbox/northflank/schemas` use of JSON Schema. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema | true>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema | false;
  readonly propertyNames?: { readonly pattern: string };
  readonly items?: JsonSchema;
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly { readonly if: JsonSchema; readonly then: JsonSchema }[];
  readonly enum?: readonly (string | number)[];
  readonly const?: string;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, JsonSchema>>;
}

/** Names of properties, `[]` for the items of a list, `*` for the values of a map. */
export type PropertyPath = readonly string[];

/** One property of a request body, wherever it stands in it. */
export interface Property {
  readonly path: PropertyPath;
  /** `healthChecks[].path`, `runtimeFiles.*.data`. */
  readonly name: string;
  /** Every way in which the schema describes it: alternatives of a union, and of the property itself. */
  readonly schemas: readonly JsonSchema[];
}

/** Every property that a schema knows, at any depth, once each, in the order of the schema. */
export function propertiesOf(root: JsonSchema): readonly Property[] {
  const found = new Map<string, { readonly path: PropertyPath; readonly schemas: JsonSchema[] }>();
  const visit = (schema: JsonSchema, path: PropertyPath): void => {
    for (const one of alternatives(root, schema)) {
      for (const [step, inner] of childrenOf(one)) {
        const here = [...path, step];
        const known = found.get(nameOf(here)) ?? { path: here, schemas: [] };
        found.set(nameOf(here), known);
        known.schemas.push(...alternatives(root, inner));
        visit(inner, here);
      }
    }
  };
  visit(root, []);
  return [...found].map(([name, { path, schemas }]) => ({ name, path, schemas }));
}

/** `healthChecks[].path`. */
export function nameOf(path: PropertyPath): string {
  return path.map((step, index) => (step === "[]" || index === 0 ? step : `.${step}`)).join("");
}

/**
 * The smallest body that holds `value` at `path` and satisfies the schema beside it: what is required next to it is
 * filled in. `undefined` if the schema knows no such place. `sampleOf` makes up values.
 */
export function bodyWith(
  root: JsonSchema,
  path: PropertyPath,
  options: { readonly value: unknown; readonly sampleOf: Samples },
): unknown {
  const build = (schema: JsonSchema, [step, ...rest]: PropertyPath): unknown => {
    if (step === undefined) return options.value;
    for (const one of alternatives(root, schema)) {
      const inner = childrenOf(one).get(step);
      if (inner === undefined) continue;
      const value = build(inner, rest);
      if (value === undefined) continue;
      if (step === "[]") return [value];
      if (step === "*") return { [options.sampleOf.key(path)]: value };
      return completed({ root, schema: one, object: { [step]: value }, sampleOf: options.sampleOf });
    }
    return undefined;
  };
  return build(root, path);
}

/** Makes up values where the schema alone does not say enough: texts with a pattern, keys of maps. */
export interface Samples {
  /** A good text for a property of this name. */
  readonly text: (property: string) => string;
  /** A good key for the map on this path. */
  readonly key: (path: PropertyPath) => string;
  /** Which of its properties an object is shown with. */
  readonly member: (names: readonly string[]) => string | undefined;
  /** What a manifest wants beside a property although the schema does not. */
  readonly beside: (property: string) => readonly string[];
}

/** A small value that satisfies the schema. */
export function sample(root: JsonSchema, given: JsonSchema, property: string, sampleOf: Samples): unknown {
  const schema = alternatives(root, given)[0] ?? given;
  if (schema.const !== undefined) return schema.const;
  if (schema.enum !== undefined) return schema.enum[0];
  switch (typesOf(schema)[0]) {
    case "string":
      return sampleOf.text(property);
    case "integer":
    case "number":
      return schema.minimum ?? 1;
    case "boolean":
      return true;
    case "array":
      return schema.items === undefined ? [] : [sample(root, schema.items, property, sampleOf)];
    default:
      return sampleObject(root, schema, property, sampleOf);
  }
}

function sampleObject(root: JsonSchema, schema: JsonSchema, property: string, sampleOf: Samples): unknown {
  const values = schema.additionalProperties;
  const key = sampleOf.key([property]);
  if (values !== undefined && values !== false) return { [key]: sample(root, values, property, sampleOf) };
  if (schema.properties === undefined) return { [key]: sampleOf.text("value") };
  const name = sampleOf.member(Object.keys(schema.properties));
  const object = name === undefined ? {} : { [name]: sample(root, asSchema(schema.properties[name]), name, sampleOf) };
  return completed({ root, schema, object, sampleOf });
}

/** Adds what the schema requires beside what is there. */
function completed(options: {
  readonly root: JsonSchema;
  readonly schema: JsonSchema;
  readonly object: Readonly<Record<string, unknown>>;
  readonly sampleOf: Samples;
}): Readonly<Record<string, unknown>> {
  const { root, schema, object, sampleOf } = options;
  const wanted = [...requiredBeside(schema, object), ...Object.keys(object).flatMap(sampleOf.beside)];
  const missing = wanted.find((name) => !Object.hasOwn(object, name));
  if (missing === undefined) return object;
  const value = sample(root, asSchema(schema.properties?.[missing]), missing, sampleOf);
  return completed({ ...options, object: { ...object, [missing]: value } });
}

function requiredBeside(schema: JsonSchema, object: Readonly<Record<string, unknown>>): readonly string[] {
  const conditional = (schema.allOf ?? [])
    .filter((rule) => holds(rule.if, object))
    .flatMap(({ then }) => then.required);
  return [...(schema.required ?? []), ...conditional.filter((name) => name !== undefined)];
}

/** The conditions in these schemas compare one property with a constant or a list. */
function holds(condition: JsonSchema, object: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(condition.properties ?? {}).every(([name, wanted]) => {
    const { const: only, enum: several } = asSchema(wanted);
    const value = object[name];
    return only !== undefined ? value === only : (several ?? []).some((one) => one === value);
  });
}

/** The schema itself, or the alternatives it consists of, references followed. */
function alternatives(root: JsonSchema, schema: JsonSchema): readonly JsonSchema[] {
  if (schema.$ref !== undefined) return alternatives(root, definition(root, schema.$ref));
  if (schema.oneOf !== undefined) return schema.oneOf.flatMap((one) => alternatives(root, one));
  return [schema];
}

function definition(root: JsonSchema, ref: string): JsonSchema {
  const found = root.$defs?.[ref.replace("#/$defs/", "")];
  if (found === undefined) throw new Error(`no definition for ${ref}`);
  return found;
}

function childrenOf({ properties, items, additionalProperties }: JsonSchema): ReadonlyMap<string, JsonSchema> {
  return new Map([
    ...Object.entries(properties ?? {}).map(([name, schema]) => [name, asSchema(schema)] as const),
    ...(items === undefined ? [] : [["[]", items] as const]),
    ...(additionalProperties === undefined || additionalProperties === false
      ? []
      : [["*", additionalProperties] as const]),
  ]);
}

function asSchema(schema: JsonSchema | true | undefined): JsonSchema {
  return schema === undefined || schema === true ? {} : schema;
}

/** JSON types that a schema takes; enums and constants are of the type of their values. */
export function typesOf({ type, enum: several, const: only }: JsonSchema): readonly string[] {
  if (typeof type === "string") return [type];
  if (type !== undefined) return type;
  if (several !== undefined) return [typeof several[0] === "number" ? "integer" : "string"];
  return only === undefined ? ["object"] : ["string"];
}

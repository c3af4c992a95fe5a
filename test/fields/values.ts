import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import {
  bodyWith,
  type JsonSchema,
  nameOf,
  type Property,
  type PropertyPath,
  type Samples,
  sample,
  typesOf,
} from "./json-schema.ts";

/** A body with one thing in it that a test is about. */
export interface Body {
  /** What it is, for the name of the test. */
  readonly title: string;
  readonly body: unknown;
}

/** Good texts by the name of the property; any text is good where a name is missing here. */
const texts: Readonly<Record<string, string>> = {
  imagePath: "ghcr.io/acme/api:1.4.2",
  credentials: "example-credentials",
  id: "example-build-service",
  buildSHA: "0123456789abcdef0123456789abcdef01234567",
  branch: "feature/checkout",
  buildId: "premium-guide-6393",
  data: "aGVsbG8=",
  encoding: "utf-8",
  deploymentPlan: "nf-compute-20",
  buildPlan: "nf-compute-200-8",
  gpuType: "a100",
  path: "/health-check",
  schedule: "0 3 * * *",
  tags: "my-tag",
  dockerCredentials: "example-docker-credential",
  dockerFilePath: "/Dockerfile",
  dockerWorkDir: "/app",
  buildContext: "/app",
  stageId: "production",
};

/** Other spellings that are good too, by the name of the property. */
const otherTexts: Readonly<Record<string, readonly string[]>> = {
  imagePath: ["nginx:latest", `ghcr.io/acme/api@sha256:${"0a".repeat(32)}`, "registry.example.com:5000/app:1"],
  id: ["abc", "a".repeat(54)],
  buildSHA: ["latest"],
  encoding: ["base64"],
  data: [""],
  deploymentPlan: ["nf-compute-100-2", "not-invented-yet-9000"],
  buildPlan: ["nf-compute-400-16", "not-invented-yet-9000"],
  schedule: ["*/5 * * * *", "@daily"],
};

const fileMaps = ["runtimeFiles", "buildFiles"];

const sampleOf: Samples = {
  text: (property) => texts[property] ?? "some-text",
  key: (path) => (path.some((step) => fileMaps.includes(step)) ? "/dir/fileName" : "VARIABLE_1"),
  // A source or what is started, where there is a choice: they are what a NorthflankDeployment is about.
  member: (names) => (names.includes("docker") ? "docker" : names[0]),
  beside: (property) => (property === "encoding" ? ["data"] : []),
};

/** Enums that grow with what Northflank sells: values of the list are good, and so are others of that shape. */
const openEnums: Readonly<Record<string, unknown>> = {
  storageSize: 123_456,
  shmSize: 12_345,
  builder: "HEROKU_99",
  buildEngine: "not-invented-yet",
};

/** True for a property whose printed values are not the last word. */
export function isOpenEnum({ path, schemas }: Property): boolean {
  return Object.hasOwn(openEnums, lastName(path)) && schemas.some((schema) => schema.enum !== undefined);
}

/** A body with a value that the pages do not print, and that a later Northflank may take. */
export function bodyOfTomorrow(root: JsonSchema, { path }: Property): unknown {
  return bodyWith(root, path, { value: openEnums[lastName(path)], sampleOf });
}

/** Bodies that the request schema takes, each with another value of the property. */
export function goodBodies(root: JsonSchema, { path, schemas }: Property): readonly Body[] {
  return bodiesWith(
    root,
    path,
    schemas.flatMap((schema) => goodValues(root, schema, lastName(path))),
  );
}

function goodValues(root: JsonSchema, schema: JsonSchema, name: string): readonly unknown[] {
  const values = valuesOf(root, schema, name);
  return typesOf(schema).includes("null") ? [...values, null] : values;
}

function valuesOf(root: JsonSchema, schema: JsonSchema, name: string): readonly unknown[] {
  if (schema.const !== undefined) return [schema.const];
  if (schema.enum !== undefined) return schema.enum;
  switch (typesOf(schema)[0]) {
    case "string":
      return [texts[name] ?? "some-text", ...(otherTexts[name] ?? [])];
    case "integer":
    case "number":
      return [schema.minimum ?? 1, schema.maximum ?? 16];
    case "boolean":
      return [true, false];
    default:
      return [sample(root, schema, name, sampleOf)];
  }
}

/**
 * Bodies in which the property has the wrong shape: all of them are refused by the request schema too. `given` are
 * properties that no manifest has to name.
 */
export function badBodies(root: JsonSchema, property: Property, given: readonly string[]): readonly Body[] {
  const { path, schemas } = property;
  // What an open enum does not list is no wrong shape, as long as it is of the right type.
  const isListed = isOpenEnum(property);
  const values = ofEveryType.filter((value) => !isListed || typeof value !== typeof openEnums[lastName(path)]);
  const others = schemas.flatMap((schema) => [
    ...(isListed ? [] : beyond(schema)),
    ...broken({ root, schema, path, given }),
  ]);
  const candidates = [...values, ...others];
  const isGood = judgeOf(root);
  return bodiesWith(root, path, candidates).filter(({ body }) => !isGood(body));
}

const ofEveryType: readonly unknown[] = ["wrong", 1.5, 7, true, ["wrong"], { wrong: "wrong" }];

/** Values just outside the bounds of a schema. */
function beyond(schema: JsonSchema): readonly unknown[] {
  return [
    ...(schema.minimum === undefined ? [] : [schema.minimum - 1]),
    ...(schema.maximum === undefined ? [] : [schema.maximum + 1]),
    ...(schema.minLength === undefined ? [] : ["a".repeat(schema.minLength - 1)]),
    ...(schema.maxLength === undefined ? [] : ["a".repeat(schema.maxLength + 1)]),
    ...(schema.pattern === undefined ? [] : ["", "no good\u0007"]),
    ...(schema.enum ?? []).filter((value) => typeof value === "string").map(swappedCase),
  ];
}

/** Objects with a field that nobody knows, without one that is required, or with a key that is no key. */
function broken(place: {
  readonly root: JsonSchema;
  readonly schema: JsonSchema;
  readonly path: PropertyPath;
  readonly given: readonly string[];
}): readonly unknown[] {
  const { root, schema, path, given } = place;
  if (typesOf(schema)[0] !== "object") return [];
  const required = (schema.required ?? []).filter((name) => !given.includes(nameOf([...path, name])));
  const good = sample(root, schema, lastName(path), sampleOf) as Readonly<Record<string, unknown>>;
  const [value] = Object.values(good);
  return [
    ...(schema.additionalProperties === false ? [{ ...good, stranger: value }] : []),
    ...required.map((name) => Object.fromEntries(Object.entries(good).filter(([key]) => key !== name))),
    ...(schema.propertyNames === undefined ? [] : [{ "a=b": value }]),
  ];
}

/** The place of a property in a body that was made here, for messages: keys and indexes instead of `*` and `[]`. */
export function placeOf(path: PropertyPath): readonly (string | number)[] {
  return path.map((step) => {
    if (step === "[]") return 0;
    return step === "*" ? sampleOf.key(path) : step;
  });
}

/** Whether a schema takes a body. */
export function judgeOf(root: JsonSchema): (body: unknown) => boolean {
  const known = judges.get(root);
  if (known !== undefined) return known;
  const judge: ValidateFunction = new Ajv2020({ strict: false }).compile(root);
  judges.set(root, judge);
  return judge;
}

const judges = new Map<JsonSchema, ValidateFunction>();

function bodiesWith(root: JsonSchema, path: PropertyPath, values: readonly unknown[]): readonly Body[] {
  return [...new Map(values.map((value) => [JSON.stringify(value), value]))].map(([text, value]) => ({
    title: text.length <= 60 ? text : `${text.slice(0, 50)}… (${text.length} characters)`,
    body: bodyWith(root, path, { value, sampleOf }),
  }));
}

function swappedCase(text: string): string {
  return [...text]
    .map((letter) => (letter === letter.toUpperCase() ? letter.toLowerCase() : letter.toUpperCase()))
    .join("");
}

function lastName(path: PropertyPath): string {
  return path.filter((step) => step !== "[]" && step !== "*").at(-1) ?? "";
}

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";

const folder = resolve(dirname(fileURLToPath(import.meta.url)), "../../crds");
const files = readdirSync(folder).filter((file) => file.startsWith("northflank-operator.io_"));
const crds = files.map((file) => ({ file, crd: parse(readFileSync(join(folder, file), "utf8")) }));

interface Found {
  readonly path: string;
  readonly schema: Readonly<Record<string, unknown>>;
  readonly isRoot: boolean;
}

/** Keywords that CRDs know and that we use. */
const keywords = new Set([
  "type",
  "description",
  "format",
  "nullable",
  "default",
  "enum",
  "minLength",
  "maxLength",
  "pattern",
  "minimum",
  "maximum",
  "minItems",
  "maxItems",
  "maxProperties",
  "required",
  "properties",
  "additionalProperties",
  "items",
  "x-kubernetes-validations",
  "x-kubernetes-list-type",
  "x-kubernetes-list-map-keys",
  "x-kubernetes-map-type",
]);

function schemasIn(path: string, schema: Record<string, unknown>, isRoot = true): readonly Found[] {
  const { properties, additionalProperties, items } = schema as Record<string, Record<string, never>>;
  return [
    { path, schema, isRoot },
    ...Object.entries(properties ?? {}).flatMap(([name, inner]) => schemasIn(`${path}.${name}`, inner, false)),
    ...(additionalProperties ? schemasIn(`${path}[key]`, additionalProperties, false) : []),
    ...(items ? schemasIn(`${path}[]`, items, false) : []),
  ];
}

describe.each(crds)("$file", ({ file, crd }) => {
  const [version] = crd.spec.versions;
  const root = version.schema.openAPIV3Schema;
  const all = schemasIn("", root);
  const ours = all.filter(({ path }) => path.startsWith(".spec") || path.startsWith(".status"));

  test("is one structural version with status", () => {
    expect(crd.metadata.name).toBe(`${crd.spec.names.plural}.northflank-operator.io`);
    expect(file).toBe(`northflank-operator.io_${crd.spec.names.plural}.yaml`);
    expect(crd.spec.versions).toHaveLength(1);
    expect(version).toMatchObject({ name: "v1alpha1", served: true, storage: true, subresources: { status: {} } });
    expect(root.properties.status.default).toEqual({ observedGeneration: -1 });
    expect(root.required).toEqual(["spec"]);
  });

  test("only has keywords that CRDs know", () => {
    const strange = all.flatMap(({ path, schema }) =>
      Object.keys(schema)
        .filter((keyword) => !keywords.has(keyword))
        .map((keyword) => `${path} ${keyword}`),
    );
    expect(strange).toEqual([]);
  });

  test("types, describes and bounds every field", () => {
    const bad = ours.filter(({ schema }) => !isTyped(schema) || !isDescribed(schema) || !isBounded(schema));
    expect(bad.map(({ path }) => path)).toEqual([]);
  });

  test("never has properties beside additionalProperties, and nothing nullable where it is forbidden", () => {
    const both = all.filter(({ schema }) => "properties" in schema && "additionalProperties" in schema);
    expect(both.map(({ path }) => path)).toEqual([]);
    const listed = all.filter(({ schema }) => (schema["x-kubernetes-list-type"] ?? "atomic") !== "atomic");
    expect(listed.filter(({ schema }) => (schema.items as { nullable?: boolean }).nullable)).toEqual([]);
    expect(root.nullable).toBeUndefined();
  });

  test("requires only fields that exist, and none with a default", () => {
    for (const { path, schema } of all) {
      const properties = Object(schema.properties) as Record<string, { default?: unknown }>;
      for (const name of (schema.required as string[] | undefined) ?? []) {
        expect([path, name, Object.keys(properties)]).toEqual([path, name, expect.arrayContaining([name])]);
        expect([path, name, properties[name]?.default]).toEqual([path, name, undefined]);
      }
    }
  });

  test("requires the keys of lists of type map", () => {
    for (const { path, schema } of all.filter(({ schema }) => schema["x-kubernetes-list-type"] === "map")) {
      const items = schema.items as { required?: string[] };
      expect([path, items.required]).toEqual([
        path,
        expect.arrayContaining(schema["x-kubernetes-list-map-keys"] as string[]),
      ]);
    }
  });

  test("has patterns that are anchored and mean the same to RE2 and JavaScript", () => {
    for (const { path, schema } of all.filter(({ schema }) => schema.pattern !== undefined)) {
      const pattern = String(schema.pattern);
      expect([path, pattern]).toEqual([path, expect.stringMatching(/^\^.*\$$/)]);
      expect([path, /\(\?|\\[dwsbDWSBpPkuzAZ1-9]|\\-/.test(pattern)]).toEqual([path, false]);
      expect(() => new RegExp(pattern, "u")).not.toThrow();
    }
  });

  test("has rules with a message that ends without a full stop", () => {
    for (const { schema } of all) {
      for (const rule of (schema["x-kubernetes-validations"] as { rule: string; message: string }[] | undefined) ??
        []) {
        expect(rule.message).toMatch(/^.{10,}[^.\n]$/);
        expect(Object.keys(rule)).not.toContain("check");
      }
    }
  });

  test("has columns and selectable fields that lead to a field", () => {
    const paths = new Set(all.map(({ path }) => path.replace("[]", "")));
    const isThere = (jsonPath: string) => paths.has(jsonPath.replace(/\[\?\(.*\)\]/, ""));
    const lost = [...version.additionalPrinterColumns, ...version.selectableFields]
      .map(({ jsonPath }: { jsonPath: string }) => jsonPath)
      .filter((jsonPath) => jsonPath !== ".metadata.creationTimestamp" && !isThere(jsonPath));
    expect(lost).toEqual([]);
  });
});

function isTyped(schema: Found["schema"]): boolean {
  return ["object", "array", "string", "integer", "boolean"].includes(String(schema.type));
}

function isDescribed(schema: Found["schema"]): boolean {
  return typeof schema.description === "string" && /^[A-Z0-9a-z].{4,}[.]$/s.test(schema.description);
}

function isBounded(schema: Found["schema"]): boolean {
  switch (schema.type) {
    case "string":
      return schema.enum !== undefined || typeof schema.maxLength === "number";
    case "array":
      return typeof schema.maxItems === "number";
    case "object":
      return schema.additionalProperties === undefined || typeof schema.maxProperties === "number";
    case "integer":
      return typeof schema.minimum === "number" && ["int32", "int64"].includes(String(schema.format));
    default:
      return true;
  }
}

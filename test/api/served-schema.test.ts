import { expect, test } from "vitest";
import { customResourceDefinition } from "../../src/api/crd.ts";
import { type KindDefinition, kinds } from "../../src/api/kinds.ts";
import { group, version } from "../../src/api/names.ts";
import { fieldsNotServed, servedSchemas } from "../../src/api/served-schema.ts";

type Json = Record<string, unknown>;

/** What a server serves that has our own CRD, changed by `change`. */
function served(kind: KindDefinition, change: (schema: object) => void = () => undefined): object {
  const crd = structuredClone(customResourceDefinition(kind)) as unknown as {
    readonly spec: { readonly versions: readonly [{ readonly schema: { readonly openAPIV3Schema: object } }] };
  };
  const schema = crd.spec.versions[0].schema.openAPIV3Schema;
  change(schema);
  return schema;
}

/** What stands at a path of names, each of which must be there. */
function at(schema: object, path: string): Json {
  return path.split(".").reduce((value: Json, name) => {
    const next = value[name];
    if (typeof next !== "object" || next === null) throw new Error(`${path} has no ${name}`);
    return next as Json;
  }, schema as Json);
}

function kindNamed(name: string): KindDefinition {
  const kind = kinds.find(({ type }) => type.kind === name);
  if (kind === undefined) throw new Error(`no kind ${name}`);
  return kind;
}

const deployment = kindNamed("NorthflankDeployment");
const run = kindNamed("NorthflankJobRun");

test.each(kinds)("the CRD of $type.kind that the program prints lacks nothing", (kind) => {
  expect(fieldsNotServed(kind, served(kind))).toEqual([]);
});

test.each([
  ["a field of the spec", "properties.spec.properties", "redeployToken", ["spec.redeployToken"]],
  ["an object of the status, by its path alone", "properties.status.properties", "lastGood", ["status.lastGood"]],
  [
    "a field of the objects in a list",
    "properties.status.properties.changes.items.properties",
    "phase",
    ["status.changes[].phase"],
  ],
  ["the whole status", "properties", "status", ["status"]],
])("%s that is not served is named", (_, path, name, expected) => {
  const older = served(deployment, (schema) => delete at(schema, path)[name]);
  expect(fieldsNotServed(deployment, older)).toEqual(expected);
});

const policy = "properties.spec.properties.concurrencyPolicy";

test("a value that an enum of the server does not have is named: the server would refuse it", () => {
  const older = served(run, (schema) => {
    at(schema, policy).enum = ["Allow", "Forbid"];
  });
  expect(fieldsNotServed(run, older)).toEqual(['spec.concurrencyPolicy "Replace"']);
});

test("a newer server lacks nothing: more fields, more values, and what it keeps without knowing it", () => {
  const newer = served(run, (schema) => {
    at(schema, "properties.spec.properties").tomorrow = {};
    at(schema, policy).enum = ["Allow", "Forbid", "Replace", "Queue"];
    at(schema, "properties.status.properties").start = { "x-kubernetes-preserve-unknown-fields": true };
  });
  expect(fieldsNotServed(run, newer)).toEqual([]);
});

test.each([undefined, null, "text", [], {}])("a schema that is none (%j) has no field of ours", (schema) => {
  expect(fieldsNotServed(run, schema)).toEqual(["spec", "status"]);
});

test("schemas are found in an OpenAPI document by group, version and kind", () => {
  const named = (kind: string, of = version) => [{ group, version: of, kind }];
  const ours = { "x-kubernetes-group-version-kind": named("NorthflankJobRun") };
  const document = {
    components: {
      schemas: {
        "io.northflank-operator.v1.NorthflankDeployment": {
          "x-kubernetes-group-version-kind": named("NorthflankDeployment", "v1"),
        },
        "io.northflank-operator.v1alpha1.NorthflankJobRun": ours,
        "io.northflank-operator.v1alpha1.NorthflankJobRunList": {
          "x-kubernetes-group-version-kind": named("NorthflankJobRunList"),
        },
        somethingElse: "text",
      },
    },
  };
  expect([...servedSchemas(document, kinds)]).toEqual([["NorthflankJobRun", ours]]);
});

test.each([undefined, "text", { components: null }])("a document that is none (%j) has no schemas", (document) => {
  expect(servedSchemas(document, kinds).size).toBe(0);
});

// pure

import { isRecord } from "../util/records.ts";
import { isList, isMap, isObject } from "./crd.ts";
import type { KindDefinition } from "./kinds.ts";
import type { Schema } from "./schema.ts";

/**
 * What the schema that an API server serves for a kind lacks of ours, as paths (`spec.redeployToken`): fields, which it
 * would drop without a word, and values of enums (`status.phase "Paused"`), which it would refuse. Of an object that is
 * missing the path alone. What the server has beyond ours is not reported.
 */
export function fieldsNotServed(kind: KindDefinition, served: unknown): readonly string[] {
  const properties = recordOf(recordOf(served).properties);
  return (["spec", "status"] as const).flatMap((part) => notServed(kind[part], properties[part], part));
}

function notServed(ours: Schema, served: unknown, path: string): readonly string[] {
  if (!isRecord(served)) return [path];
  // Whatever is stored below stays as it is.
  if (served["x-kubernetes-preserve-unknown-fields"] === true) return [];
  if (isMap(ours)) return notServed(ours.additionalProperties, served.additionalProperties, `${path}.*`);
  if (isList(ours)) return notServed(ours.items, served.items, `${path}[]`);
  if (isObject(ours)) {
    const properties = recordOf(served.properties);
    return Object.entries(ours.properties).flatMap(([name, property]) =>
      notServed(property, properties[name], `${path}.${name}`),
    );
  }
  if (!("enum" in ours) || !Array.isArray(served.enum)) return [];
  const values: readonly unknown[] = served.enum;
  return ours.enum.filter((value) => !values.includes(value)).map((value) => `${path} "${value}"`);
}

/**
 * The schemas of our kinds in an OpenAPI v3 document of an API server, by the name of the kind. A kind that the document
 * does not have is missing.
 */
export function servedSchemas(document: unknown, kinds: readonly KindDefinition[]): ReadonlyMap<string, unknown> {
  const schemas = Object.values(recordOf(recordOf(recordOf(document).components).schemas));
  const found = kinds.flatMap(({ type }) => {
    const schema = schemas.find((each) => namesKind(each, type));
    return schema === undefined ? [] : [[type.kind, schema] as const];
  });
  return new Map(found);
}

function namesKind(schema: unknown, type: KindDefinition["type"]): boolean {
  const names = recordOf(schema)["x-kubernetes-group-version-kind"];
  if (!Array.isArray(names)) return false;
  return names.some((name) => {
    const { group, version, kind } = recordOf(name);
    return group === type.group && version === type.version && kind === type.kind;
  });
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : {};
}

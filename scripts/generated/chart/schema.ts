import { boolean, type Group, isGroup, kubernetesObject, type Schema, type Value, type Values } from "./value.ts";
import { chapters } from "./values.ts";

/** What Helm itself, or a chart that has this one as a dependency, puts beside the values of values.yaml. */
const fromParents: Readonly<Record<string, Schema>> = {
  global: { ...kubernetesObject, description: "Values of a chart that depends on this one. They are not used." },
  enabled: { ...boolean, description: "For the condition of a chart that depends on this one. It is not used." },
};

/** `values.schema.json`: refuses unknown keys everywhere but in maps that are Kubernetes' own. */
export function schemaText(): string {
  const values: Values = Object.assign({}, ...chapters().map((chapter) => chapter.values));
  const { properties, ...rest } = objectOf(values);
  const schema = {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "Values of the chart northflank-operator",
    ...rest,
    properties: { ...properties, ...fromParents },
  };
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}

function objectOf(values: Values) {
  const required = Object.keys(values).filter((key) => isNeeded(values[key]));
  return {
    type: "object",
    additionalProperties: false,
    ...(required.length > 0 ? { required } : {}),
    properties: Object.fromEntries(Object.entries(values).map(([key, entry]) => [key, schemaOf(entry)])),
  };
}

function schemaOf(entry: Value | Group): Schema {
  const { about } = entry;
  const description = about ? { description: about } : {};
  return { ...description, ...(isGroup(entry) ? objectOf(entry.values) : entry.schema) };
}

/** A user's null takes a value away altogether. These have no meaning for that. */
function isNeeded(entry: Value | Group | undefined): boolean {
  if (entry === undefined || isGroup(entry)) return true;
  const { fallback, schema } = entry;
  if ([schema.type].flat().includes("null")) return false;
  return (
    typeof fallback === "boolean" || typeof fallback === "number" || (typeof fallback === "string" && fallback !== "")
  );
}

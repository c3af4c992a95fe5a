import { isList, isMap } from "../../src/api/crd.ts";
import type { Column, KindDefinition } from "../../src/api/kinds.ts";
import { apiVersion } from "../../src/api/names.ts";
import type { Schema } from "../../src/api/schema.ts";
import { assertNever } from "../../src/util/assert-never.ts";
import { childrenOf, type Field, type Sent, useOf } from "./fields.ts";
import type { GeneratedFile } from "./file.ts";
import { alignedTable, code, list, page, prose, table } from "./markdown.ts";
import { conditionTypes } from "./texts/condition-types.ts";

/** A pattern that is longer than this stands below its table. */
const maxPatternInTable = 80;

/** The page of one kind: every field of spec and status, conditions, columns. */
export function kindPage(kind: KindDefinition): GeneratedFile {
  const { type, shortName, description, spec, status } = kind;
  const text = page(
    `# ${type.kind}`,
    prose(description),
    table(
      ["apiVersion", "kind", "resource", "short name"],
      [[code(apiVersion), code(type.kind), code(type.plural), code(shortName)]],
    ),
    `JSON Schema for editors: [schemas/${kind.singular}_${type.version}.json](../../schemas/${kind.singular}_${type.version}.json). All kinds: [README](README.md).`,
    "## spec",
    "Below each table its fields are explained: the meaning, the bounds, and after an arrow what Northflank receives, which is a property of the body of a [call](calls.md) if there is one. A field in bold is required.",
    ...section({ title: "spec", schema: spec, path: "", becomes: (field) => becomes(kind, field) }),
    "## status",
    "Written by the operator only. Values in a manifest are ignored.",
    ...section({ title: "status", schema: status, path: "" }),
    "## Conditions",
    conditionsTable(type.kind),
    "[Reasons](reasons.md) lists every value of `reason`.",
    "## Columns",
    "Columns of `kubectl get`; those with a star need `-o wide`.",
    alignedTable(["column", "value", "meaning"], kind.columns.map(columnRow)),
    `\`kubectl get --field-selector\` takes ${kind.selectableFields.map((path) => code(path.slice(1))).join(", ")} (from Kubernetes 1.31 on).`,
  );
  return { name: kindPageName(kind), text };
}

export function kindPageName({ singular }: KindDefinition): string {
  return `${singular}.md`;
}

interface Section {
  /** `spec.rollout`: what the heading says. */
  readonly title: string;
  readonly schema: Schema;
  readonly path: string;
  /** What Northflank receives of a field. A field of status has none. */
  readonly becomes?: (field: Field) => string;
}

/** The table and the fields of one object, and after it those of the objects in it. */
function section(here: Section): readonly string[] {
  const { title, schema, path } = here;
  const fields = childrenOf(schema, path);
  const [only] = fields;
  // Of a list or a map, only its items are described.
  if ((isList(schema) || isMap(schema)) && only !== undefined)
    return section({ ...here, ...stepInto(title, path, only) });
  const inner = fields.filter(
    (field) => childrenOf(field.schema, field.path).length > 0 && !isListOfPlain(field.schema),
  );
  return [
    ...(path === "" ? [] : [`### ${title}`, prose(schema.description)]),
    overview(fields),
    list(fields.map((field) => explained(here, field))),
    ...rulesOf(schema),
    ...longPatterns(fields),
    ...inner.flatMap((field) => section({ ...here, ...stepInto(title, path, field) })),
  ];
}

function stepInto(title: string, path: string, field: Field): Pick<Section, "title" | "path" | "schema"> {
  const step = path === "" ? `.${field.path}` : field.path.slice(path.length);
  return { title: `${title}${step}`, path: field.path, schema: field.schema };
}

/** A list or map of texts needs no table of its own: its row says it all. */
function isListOfPlain(schema: Schema): boolean {
  if (isList(schema)) return childrenOf(schema.items, "").length === 0;
  return isMap(schema) && childrenOf(schema.additionalProperties, "").length === 0;
}

/** What fits a terminal: names, types, and defaults if there are any. */
function overview(fields: readonly Field[]): string {
  const rows = fields.map((field) => [nameOf(field), typeOf(field.schema), defaultOf(field.schema)]);
  const columns = rows.every(([, , fallback]) => fallback === "") ? 2 : 3;
  return alignedTable(
    ["field", "type", "default"].slice(0, columns),
    rows.map((row) => row.slice(0, columns)),
  );
}

/** Meaning, bounds, and what Northflank receives. */
function explained({ becomes }: Section, field: Field): string {
  const bounds = boundsOf(field.schema);
  const sent = becomes?.(field);
  return [
    `${nameOf(field)}: ${prose(field.schema.description)}`,
    ...(bounds === "" ? [] : [`Bounds: ${bounds}.`]),
    ...(sent === undefined ? [] : [`→ ${sent}`]),
  ].join(" ");
}

function nameOf({ path, isRequired }: Field): string {
  const last = /(\[\]|\.\*|[^.]+)$/.exec(path)?.[1] ?? path;
  const name = code(last === "[]" ? "[each]" : last.replace(/^\.\*$/, "[name]"));
  return isRequired ? `**${name}**` : name;
}

function typeOf(schema: Schema): string {
  const nullable = schema.nullable === true ? " or null" : "";
  if (isList(schema)) return `list of ${plural(schema.items)}`;
  if (isMap(schema)) return `map of ${plural(schema.additionalProperties)}`;
  switch (schema.type) {
    case "string":
      return "format" in schema && schema.format === "date-time" ? "time" : `text${nullable}`;
    case "integer":
      return `whole number${nullable}`;
    case "boolean":
      return "true or false";
    case "object":
      return "object";
    default:
      return assertNever(schema, "schema");
  }
}

function plural(schema: Schema): string {
  switch (schema.type) {
    case "string":
      return "texts";
    case "integer":
      return "whole numbers";
    case "boolean":
      return "true or false";
    case "object":
      return "objects";
    case "array":
      return "lists";
    default:
      return assertNever(schema, "schema");
  }
}

function defaultOf(schema: Schema): string {
  if (!("default" in schema) || schema.default === undefined) return "";
  return code(typeof schema.default === "string" ? schema.default : JSON.stringify(schema.default));
}

function boundsOf(schema: Schema): string {
  if (isList(schema)) return joined(`at most ${schema.maxItems}`, own(schema), innerBounds(schema.items));
  if (isMap(schema)) {
    const { pattern, maxLength } = schema.propertyNames;
    const names = `names of at most ${maxLength} characters that match ${code(pattern)}`;
    return joined(`at most ${schema.maxProperties}`, names, innerBounds(schema.additionalProperties));
  }
  return own(schema);
}

function innerBounds(schema: Schema): string {
  const bounds = childrenOf(schema, "").length === 0 ? own(schema) : "";
  return bounds === "" ? "" : `each: ${bounds}`;
}

function own(schema: Schema): string {
  switch (schema.type) {
    case "string":
      if ("enum" in schema) return schema.enum.map(code).join(", ");
      if (schema.format === "date-time") return "";
      return joined(range(schema.minLength, schema.maxLength, "characters"), patternOf(schema.pattern));
    case "integer":
      return range(schema.minimum, schema.maximum, "");
    case "array":
      return schema["x-kubernetes-list-type"] === "set" ? "none twice" : "";
    case "boolean":
    case "object":
      return "";
    default:
      return assertNever(schema, "schema");
  }
}

function range(least: number | undefined, most: number | undefined, unit: string): string {
  const text = [least, most].every((bound) => bound !== undefined)
    ? `${least} to ${most}`
    : most !== undefined
      ? `at most ${most}`
      : `at least ${least}`;
  return unit === "" ? text : `${text} ${unit}`;
}

function patternOf(pattern: string | undefined): string {
  if (pattern === undefined) return "";
  return pattern.length > maxPatternInTable ? "form: below" : code(pattern);
}

function longPatterns(fields: readonly Field[]): readonly string[] {
  return fields.flatMap(({ path, schema }) => {
    const pattern = "pattern" in schema ? schema.pattern : undefined;
    if (pattern === undefined || pattern.length <= maxPatternInTable) return [];
    return [`Form of ${code(path.split(".").at(-1) ?? path)}:\n\n\`\`\`\n${pattern}\n\`\`\``];
  });
}

/** Rules across fields; those that only say "immutable" in one line. */
function rulesOf(schema: Schema): readonly string[] {
  const rules = schema["x-kubernetes-validations"] ?? [];
  const fixed = rules.filter(({ name }) => name === "immutable").map(({ fieldPath = "" }) => code(fieldPath.slice(1)));
  const others = rules.filter(({ name }) => name !== "immutable");
  const items = [
    ...others.map(({ name, message }) => `${prose(message)} (${code(name)})`),
    ...(fixed.length === 0 ? [] : [`immutable: ${fixed.join(", ")}`]),
  ];
  return items.length === 0 ? [] : ["Rules:", list(items)];
}

function becomes(kind: KindDefinition, { path }: Field): string {
  const { use, sent } = useOf(kind, path);
  switch (use.kind) {
    case "body":
    case "parts":
      return sentTexts(sent);
    case "source":
      return `values for ${sentTexts(sent)}`;
    case "path":
      return `${code(`{${use.parameter}}`)} in the path`;
    case "request":
      return use.as;
    case "operator":
      return use.call === undefined ? "not sent" : `not sent; may lead to ${callLink(use.call)}`;
    default:
      return assertNever(use, "use of a field");
  }
}

/** `description` of this call and that one; of another call, another property. */
function sentTexts(sent: readonly Sent[]): string {
  const properties = [...new Set(sent.map(({ property }) => property))];
  return properties
    .map((property) => {
      const calls = sent.filter((one) => one.property === property).map(({ call }) => callLink(call));
      return `${property === "" ? "the body" : code(property)} of ${calls.join(", ")}`;
    })
    .join("; ");
}

function callLink(call: string): string {
  return `[${call}](calls.md#${call.replaceAll(" ", "-")})`;
}

function conditionsTable(kind: string): string {
  const types = Object.hasOwn(conditionTypes, kind) ? conditionTypes[kind as keyof typeof conditionTypes] : {};
  return table(
    ["type", "True means"],
    Object.entries<string>(types).map(([name, meaning]) => [code(name), meaning]),
  );
}

function columnRow({ name, jsonPath, description, wide }: Column): readonly string[] {
  return [wide ? `${name} \\*` : name, code(jsonPath), description];
}

function joined(...parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join("; ");
}

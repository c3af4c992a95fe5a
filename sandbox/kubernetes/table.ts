import { type JsonPath, parseJsonPath } from "./json-path.ts";
import type { ApiObject, Column, JsonObject, Resource } from "./types.ts";

/** The columns of a resource as a `Table` announces them. */
export function columnDefinitions(resource: Resource): readonly JsonObject[] {
  return columnsOf(resource).map((column) => ({
    name: column.name,
    type: column.type,
    format: column.format ?? "",
    description:
      column.description ?? `Custom resource definition column (in JSONPath format): ${column.jsonPath ?? ""}`,
    priority: column.priority ?? 0,
  }));
}

/** One row of a `Table`. `include` says how much of the object comes along. */
export function tableRow(object: ApiObject, resource: Resource, include: string, nowMs: number): JsonObject {
  const row = { cells: columnsOf(resource).map((column) => cellOf(column, object, nowMs)) };
  if (include === "None") return row;
  return { ...row, object: include === "Object" ? object : partialMetadata(object) };
}

export function partialMetadata(object: ApiObject): JsonObject {
  return { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata: object.metadata };
}

/** An age as kubectl prints it: `42s`, `3m10s`, `5h`, `2d4h`. */
export function humanDuration(durationMs: number): string {
  const seconds = Math.trunc(durationMs / 1_000);
  if (seconds < -1) return "<invalid>";
  if (seconds < 120) return `${Math.max(0, seconds)}s`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes < 10) return both(minutes, "m", seconds % 60, "s");
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.trunc(minutes / 60);
  if (hours < 8) return both(hours, "h", minutes % 60, "m");
  if (hours < 48) return `${hours}h`;
  const days = Math.trunc(hours / 24);
  if (days < 8) return both(days, "d", hours % 24, "h");
  if (days < 730) return `${days}d`;
  return both(Math.trunc(days / 365), "y", days % 365, "d");
}

/** The age of a date in the past, `<unknown>` without one. */
export function age(timestamp: unknown, nowMs: number): string {
  return typeof timestamp === "string" ? humanDuration(nowMs - Date.parse(timestamp)) : "<unknown>";
}

/** The column that stands first, unless a resource puts it elsewhere. */
export const nameColumn: Column = {
  name: "Name",
  type: "string",
  format: "name",
  description:
    "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a " +
    "client to request the generation of an appropriate name automatically.",
  value: (object) => object.metadata.name,
};

function columnsOf({ columns }: Resource): readonly Column[] {
  return columns.some(({ name }) => name === "Name") ? columns : [nameColumn, ...columns];
}

const paths = new Map<string, JsonPath>();

function cellOf(column: Column, object: ApiObject, nowMs: number): unknown {
  if (column.value !== undefined) return column.value(object, nowMs);
  const text = column.jsonPath ?? "";
  let path = paths.get(text);
  if (path === undefined) {
    path = parseJsonPath(text);
    paths.set(text, path);
  }
  const values = path(object);
  return values.length === 0 ? null : customCell(column, values, nowMs);
}

function customCell(column: Column, values: readonly unknown[], nowMs: number): unknown {
  const value = values[0];
  switch (column.type) {
    case "string":
      return values
        .map((item) => (typeof item === "string" ? item : item === null ? "" : JSON.stringify(item)))
        .join(" ");
    case "integer":
      return typeof value === "number" ? Math.trunc(value) : null;
    case "number":
      return typeof value === "number" ? value : null;
    case "boolean":
      return typeof value === "boolean" ? value : null;
    case "date":
      return typeof value === "string" ? age(value, nowMs) : null;
    default:
      return null;
  }
}

function both(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`;
}

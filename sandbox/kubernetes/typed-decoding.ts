import { isObject, type JsonObject, type Resource, type Schema } from "./types.ts";

/**
 * Why a body cannot be decoded into a built-in type, worded as Go words it; `undefined` when it can. Custom resources
 * report the same faults as findings of validation instead.
 */
export function decodingFault(object: JsonObject, resource: Resource): string | undefined {
  if (resource.origin === "custom") return undefined;
  const { apiVersion: _, kind: __, metadata: ___, ...content } = object;
  return faultIn(content, resource.schema, resource.kind, "");
}

function faultIn(value: unknown, schema: Schema, kind: string, path: string): string | undefined {
  if (value === null) return undefined;
  const wanted = goTypes[schema.type ?? ""];
  if (wanted !== undefined && !wanted.fits(value)) {
    return `json: cannot unmarshal ${jsonType(value)} into Go struct field ${kind}.${path} of type ${wanted.name}`;
  }
  if (typeof value === "string") return formatFault(value, schema.format);
  if (Array.isArray(value)) {
    return firstFault(
      value.map((item) => [item, schema.items ?? {}, path] as const),
      kind,
    );
  }
  if (!isObject(value)) return undefined;
  return firstFault(fieldsOf(value, schema, path), kind);
}

const goTypes: Readonly<Record<string, { readonly name: string; readonly fits: (value: unknown) => boolean }>> = {
  string: { name: "string", fits: (value) => typeof value === "string" },
  integer: { name: "int32", fits: (value) => Number.isInteger(value) },
  number: { name: "float64", fits: (value) => typeof value === "number" },
  boolean: { name: "bool", fits: (value) => typeof value === "boolean" },
  array: { name: "[]string", fits: Array.isArray },
  object: { name: "map[string]string", fits: isObject },
};

function firstFault(parts: readonly (readonly [unknown, Schema, string])[], kind: string): string | undefined {
  for (const [item, schema, path] of parts) {
    const fault = faultIn(item, schema, kind, path);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function fieldsOf(value: JsonObject, schema: Schema, path: string): readonly (readonly [unknown, Schema, string])[] {
  return Object.entries(value).map(([key, item]) => {
    const declared = schema.properties?.[key];
    const extra = typeof schema.additionalProperties === "object" ? schema.additionalProperties : {};
    return [item, declared ?? extra, declared === undefined || path === "" ? path || key : `${path}.${key}`] as const;
  });
}

function formatFault(value: string, format: string | undefined): string | undefined {
  switch (format) {
    case "micro-time":
      return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(?:Z|[+-]\d\d:\d\d)$/.test(value)
        ? undefined
        : timeFault(value, microLayout);
    case "date-time":
      return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/.test(value)
        ? undefined
        : timeFault(value, layout);
    case "byte":
      return base64Fault(value);
    default:
      return undefined;
  }
}

const layout = "2006-01-02T15:04:05Z07:00";
const microLayout = "2006-01-02T15:04:05.000000Z07:00";

function timeFault(value: string, wanted: string): string {
  const seconds = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(.*)$/.exec(value);
  const [rest, part] =
    seconds === null ? [value, "2006"] : [seconds[1] ?? "", wanted === microLayout ? ".000000" : "Z07:00"];
  return `parsing time ${JSON.stringify(value)} as ${JSON.stringify(wanted)}: cannot parse ${JSON.stringify(rest)} as ${JSON.stringify(part)}`;
}

function base64Fault(value: string): string | undefined {
  const text = value.replaceAll(/[\r\n]/g, "");
  const bad = /[^A-Za-z0-9+/=]/.exec(text);
  if (bad !== null) return `illegal base64 data at input byte ${bad.index}`;
  const padded = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text);
  return padded ? undefined : `illegal base64 data at input byte ${Math.floor(text.length / 4) * 4}`;
}

function jsonType(value: unknown): string {
  if (Array.isArray(value)) return "array";
  if (isObject(value)) return "object";
  return typeof value === "boolean" ? "bool" : typeof value;
}

import { cannotBeHandled } from "./status-errors.ts";
import {
  type ApiObject,
  type FieldError,
  isObject,
  type JsonObject,
  type Meta,
  type Resource,
  type Schema,
} from "./types.ts";

const text: Schema = { type: "string" };
const textMap: Schema = { type: "object", additionalProperties: text };

/** The schema of `metadata` of every object. */
export const metadataSchema: Schema = {
  type: "object",
  description: "Standard object's metadata.",
  properties: {
    name: { ...text, description: "Unique within a namespace." },
    generateName: { ...text, description: "Prefix of a name that the server makes up when there is no name." },
    namespace: { ...text, description: "The space within which the name is unique." },
    selfLink: text,
    uid: { ...text, description: "Unique in time and space, set by the server." },
    resourceVersion: { ...text, description: "Changes with every write, set by the server." },
    generation: { type: "integer", format: "int64", description: "Counts the changes of the desired state." },
    creationTimestamp: { ...text, format: "date-time", nullable: true },
    deletionTimestamp: { ...text, format: "date-time", nullable: true },
    deletionGracePeriodSeconds: { type: "integer", format: "int64" },
    labels: { ...textMap, description: "Key and value pairs to select by." },
    annotations: { ...textMap, description: "Key and value pairs that tools and people leave." },
    ownerReferences: {
      type: "array",
      description: "Objects that this one depends on.",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["uid"],
      "x-kubernetes-patch-strategy": "merge",
      "x-kubernetes-patch-merge-key": "uid",
      items: {
        type: "object",
        "x-kubernetes-map-type": "atomic",
        required: ["apiVersion", "kind", "name", "uid"],
        properties: {
          apiVersion: text,
          kind: text,
          name: text,
          uid: text,
          controller: { type: "boolean" },
          blockOwnerDeletion: { type: "boolean" },
        },
      },
    },
    finalizers: {
      type: "array",
      description: "Must be empty before a deleted object goes away.",
      "x-kubernetes-list-type": "set",
      "x-kubernetes-patch-strategy": "merge",
      items: text,
    },
    managedFields: {
      type: "array",
      description: "Who owns which fields.",
      items: {
        type: "object",
        properties: {
          manager: text,
          operation: text,
          apiVersion: text,
          time: { ...text, format: "date-time", nullable: true },
          fieldsType: text,
          fieldsV1: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
          subresource: text,
        },
      },
    },
  },
};

/**
 * Reads `metadata` the way a typed decoder does: returns it without nulls and unknown fields, and the paths of those.
 *
 * *Errors*: 400 for a value of the wrong type.
 */
export function decodeMetadata(
  raw: unknown,
  resource: Resource,
): { readonly metadata: Meta; readonly unknown: string[] } {
  const unknown: string[] = [];
  if (raw === undefined || raw === null) return { metadata: { name: "" }, unknown };
  if (!isObject(raw)) throw cannotBeHandled(resource, mismatch(raw, resource.kind, "metadata", "v1.ObjectMeta"));
  const metadata: JsonObject = {};
  for (const [key, value] of Object.entries(raw)) {
    const schema = propertyOf(metadataSchema, key);
    if (schema === undefined) unknown.push(`metadata.${key}`);
    else if (value !== null) metadata[key] = typed(value, schema, key, resource);
  }
  for (const key of ["labels", "annotations", "finalizers", "ownerReferences"]) {
    if (isEmpty(metadata[key])) delete metadata[key];
  }
  return { metadata: { ...metadata, name: String(metadata.name ?? "") }, unknown };
}

/** Findings in the metadata of an object that is about to be stored. */
export function validateMetadata(object: ApiObject, resource: Resource): FieldError[] {
  const { metadata } = object;
  return [
    ...nameErrors(metadata, resource),
    ...labelErrors(metadata.labels ?? {}),
    ...annotationErrors(metadata.annotations ?? {}),
    ...(metadata.finalizers ?? []).flatMap((name) => qualifiedNameErrors(name, "metadata.finalizers")),
    ...ownerErrors(metadata.ownerReferences ?? []),
    ...ownershipErrors(metadata.ownerReferences ?? []),
  ];
}

/** Findings in how the metadata of an object changed. */
export function validateMetadataUpdate(object: ApiObject, old: ApiObject): FieldError[] {
  const errors: FieldError[] = [];
  const before = old.metadata.finalizers ?? [];
  const added = (object.metadata.finalizers ?? []).filter((finalizer) => !before.includes(finalizer));
  if (old.metadata.deletionTimestamp !== undefined && added.length > 0) {
    const list = added.map((finalizer) => JSON.stringify(finalizer)).join(", ");
    const detail = `no new finalizers can be added if the object is being deleted, found new finalizers []string{${list}}`;
    errors.push({ kind: "forbidden", path: "metadata.finalizers", detail });
  }
  const { uid } = object.metadata;
  if (uid !== old.metadata.uid) {
    errors.push({ kind: "invalid", path: "metadata.uid", value: uid, detail: "field is immutable" });
  }
  return errors;
}

/** Warnings that the real server gives for finalizers without a domain. */
export function finalizerWarnings(object: ApiObject): string[] {
  const bare = (object.metadata.finalizers ?? []).filter(
    (name) => !name.includes("/") && !standardFinalizers.has(name),
  );
  return bare.map(
    (name) =>
      `metadata.finalizers: ${JSON.stringify(name)}: prefer a domain-qualified finalizer name to avoid accidental ` +
      "conflicts with other finalizer writers",
  );
}

const standardFinalizers = new Set(["kubernetes", "orphan", "foregroundDeletion"]);

const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const dnsLabel = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const subdomainHint =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and " +
  "end with an alphanumeric character (e.g. 'example.com', regex used for validation is " +
  "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const labelHint =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with " +
  "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is " +
  "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

function nameErrors(metadata: Meta, resource: Resource): FieldError[] {
  const { name } = metadata;
  const path = "metadata.name";
  if (name === "") return [{ kind: "required", path, detail: "name or generateName is required" }];
  const format = resource.behaviour.nameFormat ?? "subdomain";
  if (format === "path") {
    const bad = /[/%]/.exec(name)?.[0];
    return bad === undefined ? [] : [{ kind: "invalid", path, value: name, detail: `may not contain '${bad}'` }];
  }
  const [pattern, hint, maxLength] =
    format === "label" ? ([dnsLabel, labelHint, 63] as const) : ([subdomain, subdomainHint, 253] as const);
  if (name.length > maxLength) {
    return [{ kind: "invalid", path, value: name, detail: `must be no more than ${maxLength} bytes` }];
  }
  return pattern.test(name) ? [] : [{ kind: "invalid", path, value: name, detail: hint }];
}

const qualifiedName = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const labelValue = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;

/** Findings in a qualified name such as `example.com/part`, as labels and event controllers have them. */
export function qualifiedNameErrors(key: string, path: string): FieldError[] {
  const refuse = (detail: string): FieldError[] => [{ kind: "invalid", path, value: key, detail }];
  const parts = key.split("/");
  const name = parts.at(-1) ?? "";
  const prefix = parts.length > 1 ? parts[0] : undefined;
  if (prefix !== undefined && !subdomain.test(prefix)) return refuse(`prefix part ${subdomainHint}`);
  if (prefix !== undefined && prefix.length > 253) return refuse("prefix part must be no more than 253 bytes");
  if (name === "") return refuse("name part must be non-empty");
  if (name.length > 63) return refuse("name part must be no more than 63 bytes");
  if (qualifiedName.test(name) && parts.length <= 2) return [];
  return refuse(
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric " +
      "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is " +
      "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
  );
}

function labelErrors(labels: { readonly [key: string]: string }): FieldError[] {
  const path = "metadata.labels";
  return Object.entries(labels).flatMap(([key, value]): FieldError[] => {
    const errors = qualifiedNameErrors(key, path);
    if (value.length > 63) errors.push({ kind: "invalid", path, value, detail: "must be no more than 63 bytes" });
    if (labelValue.test(value)) return errors;
    const detail =
      "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start " +
      "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation " +
      "is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
    return [...errors, { kind: "invalid", path, value, detail }];
  });
}

const maxAnnotationBytes = 256 * 1024;

function annotationErrors(annotations: { readonly [key: string]: string }): FieldError[] {
  const path = "metadata.annotations";
  const errors = Object.keys(annotations).flatMap((key) => qualifiedNameErrors(key.toLowerCase(), path));
  const bytes = Object.entries(annotations).reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  if (bytes > maxAnnotationBytes) {
    errors.push({ kind: "too-long", path, detail: `may not be more than ${maxAnnotationBytes} bytes` });
  }
  return errors;
}

function ownerErrors(owners: readonly JsonObject[]): FieldError[] {
  return owners.flatMap((owner, index) =>
    (["apiVersion", "kind", "name", "uid"] as const)
      .filter((field) => typeof owner[field] !== "string" || owner[field] === "")
      .map((field): FieldError => {
        const path = `metadata.ownerReferences[${index}].${field}`;
        return { kind: "invalid", path, value: owner[field] ?? "", detail: "must not be empty" };
      }),
  );
}

function ownershipErrors(owners: readonly JsonObject[]): FieldError[] {
  const path = "metadata.ownerReferences";
  const errors = owners.flatMap((owner): FieldError[] => {
    const [version = "", group = "", more] = String(owner.apiVersion).split("/").reverse();
    if (more !== undefined || version === "") {
      return [
        { kind: "invalid", path: `${path}.apiVersion`, value: owner.apiVersion, detail: "version must not be empty" },
      ];
    }
    if (owner.kind !== "Event" || (group !== "" && group !== "events.k8s.io")) return [];
    const detail = `${group}/${version}, Kind=Event is disallowed from being an owner`;
    return [{ kind: "invalid", path, value: owner, detail }];
  });
  const controlling = owners.filter(({ controller }) => controller === true);
  if (controlling.length < 2) return errors;
  const [first, second] = controlling.map(({ kind, name }) => `${kind}/${name}`);
  const detail = `Only one reference can have Controller set to true. Found "true" in references for ${first} and ${second}`;
  return [...errors, { kind: "invalid", path, value: owners, detail }];
}

function typed(value: unknown, schema: Schema, path: string, resource: Resource): unknown {
  const fail = (goType: string) => cannotBeHandled(resource, mismatch(value, "ObjectMeta", path, goType));
  switch (schema.type) {
    case "string":
      if (typeof value !== "string") throw fail("string");
      if (schema.format === "date-time" && !isTime(value)) throw cannotBeHandled(resource, noTime(value));
      return value;
    case "integer":
      if (typeof value !== "number") throw fail("int64");
      return value;
    case "boolean":
      if (typeof value !== "boolean") throw fail("bool");
      return value;
    case "array":
      if (!Array.isArray(value)) throw fail("[]string");
      return value.map((item) => typed(item, schema.items ?? {}, path, resource));
    default:
      if (!isObject(value)) throw fail("map[string]string");
      return typedObject(value, schema, path, resource);
  }
}

/** A field named `__proto__` is none that every object has. */
function propertyOf({ properties = {} }: Schema, key: string): Schema | undefined {
  return Object.hasOwn(properties, key) ? properties[key] : undefined;
}

function isTime(text: string): boolean {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.,]\d+)?(Z|[-+]\d\d:\d\d)$/.test(text) && !Number.isNaN(Date.parse(text));
}

function noTime(text: string): string {
  const [shown, layout] = [JSON.stringify(text), "2006-01-02T15:04:05Z07:00"];
  return `parsing time ${shown} as "${layout}": cannot parse ${shown} as "2006"`;
}

function typedObject(value: JsonObject, schema: Schema, path: string, resource: Resource): JsonObject {
  if (schema["x-kubernetes-preserve-unknown-fields"]) return value;
  const result: JsonObject = {};
  for (const [key, item] of Object.entries(value)) {
    const extra = schema.additionalProperties;
    const child = propertyOf(schema, key) ?? (typeof extra === "object" ? extra : undefined);
    if (child !== undefined && item !== null) result[key] = typed(item, child, path, resource);
  }
  return result;
}

function mismatch(value: unknown, struct: string, field: string, goType: string): string {
  const actual = Array.isArray(value)
    ? "array"
    : isObject(value)
      ? "object"
      : typeof value === "boolean"
        ? "bool"
        : typeof value;
  return `json: cannot unmarshal ${actual} into Go struct field ${struct}.${field} of type ${goType}`;
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0;
}

import { jsonEqual } from "./equal.ts";
import { FieldSet, printPath } from "./field-set.ts";
import { ApiError } from "./status-errors.ts";
import { compare, fieldsOf, merge, removePaths, typingErrors, withNamedParents } from "./typed-values.ts";
import { type ApiObject, isObject, type JsonObject, type ManagedFieldsEntry, type Schema } from "./types.ts";

/** Who is writing, through which door, and when. */
export interface Writer {
  readonly manager: string;
  readonly apiVersion: string;
  readonly subresource: "status" | undefined;
  /** RFC 3339 in whole seconds. */
  readonly time: string;
}

export interface OwnershipContext {
  /** Schema of the whole object, metadata included. */
  readonly schema: Schema;
  /** Paths that this endpoint does not write, and that no manager can own through it. */
  readonly reset: FieldSet;
}

/**
 * `managedFields` after `updated` replaced `live` by PUT, POST or a patch other than apply. The writer owns what
 * it changed; what it removed has no owner.
 */
export function ownershipAfterUpdate(
  live: ApiObject,
  updated: ApiObject,
  writer: Writer,
  context: OwnershipContext,
): ManagedFieldsEntry[] {
  // None says nothing, an empty list or entry clears.
  const entries = parseEntries(updated.metadata.managedFields ?? live.metadata.managedFields ?? []);
  // An object whose ownership was cleared has no managers until it is applied.
  if (entries.length === 0 && live.metadata.uid !== undefined) return [];
  const change = changeOf(live, updated, context);
  const taken = change.modified.union(change.added);
  const self = identityOf(writer, "Update");
  const next: Owned[] = [];
  for (const entry of entries) {
    const isSelf = entry.identity === self;
    const left = isSelf
      ? entry.fields.difference(change.removed)
      : entry.fields.difference(taken.union(change.removed));
    next.push({ ...entry, fields: left });
  }
  addTaken(next, taken, writer);
  return printEntries(next);
}

/**
 * Server-side apply: what the object becomes, and who owns what then.
 *
 * *Errors*: 409 with one cause per field when others own a field with another value and `force` is not set; 500 when
 * the configuration does not fit the schema.
 */
export function apply(
  live: ApiObject,
  config: ApiObject,
  options: {
    readonly force: boolean;
    readonly writer: Writer;
    /** The configuration as it was sent. */
    readonly sent: JsonObject;
  },
  context: OwnershipContext,
): ApiObject {
  const { writer } = options;
  checkTyping(config, context);
  const entries = firstEntries(live, context, writer);
  const self = identityOf(writer, "Apply");
  const before = entries.find((entry) => entry.identity === self);
  const configured = fieldsOf(bare(config), context.schema).without(context.reset);

  const applying: Owned = {
    identity: self,
    manager: writer.manager,
    operation: "Apply",
    apiVersion: writer.apiVersion,
    subresource: writer.subresource,
    time: before?.time ?? writer.time,
    fields: configured.difference(serverOwned),
  };
  const others = entries.filter((entry) => entry.identity !== self);
  const merged = merge(bare(live), bare(config), context.schema) as ApiObject;
  // The name counts here, though it has no owner afterwards: without it, metadata would be removed with its last label.
  const owners = [...others.map(({ fields }) => fields), configured];
  const pruned = dropAbandoned(merged, before?.fields, owners, context.schema);
  const change = changeOf(live, pruned, context);
  const taken = change.modified.union(change.added);
  if (!options.force) refuseConflicts(others, taken, appliedBefore(live, context, writer));

  const gone = taken.union(change.removed);
  const next = [...others.map((entry) => ({ ...entry, fields: entry.fields.difference(gone) })), applying];
  // Who takes up what the object says already gets no time, as on the real server.
  const time = jsonEqual(bare(live), pruned) ? (before?.time ?? "") : writer.time;
  const stamped = next.map((entry) => (entry === applying ? { ...entry, time } : entry));
  const managedFields = printEntries(stamped);
  return {
    ...pruned,
    metadata: { ...pruned.metadata, ...syncedAnnotation(pruned, options.sent, writer), managedFields },
  };
}

/** Paths without an owner: the server's own part of every object. */
const serverOwned = FieldSet.of(
  ["f:apiVersion"],
  ["f:kind"],
  ["f:metadata"],
  ...[
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "clusterName",
    "generation",
    "managedFields",
    "resourceVersion",
  ].map((name) => ["f:metadata", `f:${name}`]),
);

interface Owned {
  readonly identity: string;
  readonly manager: string;
  readonly operation: "Apply" | "Update";
  readonly apiVersion: string;
  readonly subresource: string | undefined;
  readonly time: string;
  readonly fields: FieldSet;
}

function ownable(set: FieldSet, context: OwnershipContext): FieldSet {
  return set.without(context.reset).difference(serverOwned);
}

function changeOf(live: ApiObject, next: ApiObject, context: OwnershipContext) {
  const change = compare(bare(live), bare(next), context.schema);
  return {
    added: ownable(change.added, context),
    modified: ownable(change.modified, context),
    removed: change.removed.without(context.reset),
  };
}

/** The object without `managedFields`, which never take part in comparisons. */
function bare(object: ApiObject): ApiObject {
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata: metadata as ApiObject["metadata"] };
}

function checkTyping(config: ApiObject, context: OwnershipContext): void {
  const errors = typingErrors(bare(config), context.schema);
  if (errors.length === 0) return;
  const [group, version] = config.apiVersion.includes("/") ? config.apiVersion.split("/") : ["", config.apiVersion];
  const subject = `${config.metadata.namespace ?? ""}/${config.metadata.name}; ${group}/${version}, Kind=${config.kind}`;
  const list = errors.length === 1 ? errors[0] : `errors:\n${errors.map((error) => `  ${error}`).join("\n")}`;
  throw new ApiError({ code: 500, message: `failed to create typed patch object (${subject}): ${list}` });
}

/** Whoever wrote before ownership was recorded is known as `before-first-apply`. */
function firstEntries(live: ApiObject, context: OwnershipContext, writer: Writer): readonly Owned[] {
  const entries = parseEntries(live.metadata.managedFields ?? []);
  if (entries.length > 0 || live.metadata.uid === undefined) return entries;
  const manager = "before-first-apply";
  const fields = ownable(compare({}, bare(live), context.schema).added, context);
  if (fields.isEmpty) return [];
  const base = { ...writer, manager };
  return [{ ...base, identity: identityOf(base, "Update"), operation: "Update", fields }];
}

/** Removes what the applier applied before, does not apply now, and no other manager owns. */
function dropAbandoned(
  merged: ApiObject,
  before: FieldSet | undefined,
  owners: readonly FieldSet[],
  schema: Schema,
): ApiObject {
  if (before === undefined || before.isEmpty) return merged;
  const last = withNamedParents(before, schema);
  const pruned = removePaths(merged, last, schema);
  const owned = owners.reduce((all, fields) => all.union(fields), FieldSet.empty);
  const all = withNamedParents(fieldsOf(merged, schema), schema);
  const kept = withNamedParents(fieldsOf(pruned, schema), schema).union(withNamedParents(owned, schema));
  const withOwned = removePaths(merged, all.difference(kept), schema);
  const dangling = all.difference(withNamedParents(fieldsOf(withOwned, schema), schema)).intersection(last);
  return removePaths(merged, dangling, schema) as ApiObject;
}

const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";

/**
 * `kubectl apply --server-side` after client-side apply: conflicts about fields that were applied according to the
 * annotation, and not changed since, are conflicts with oneself. An annotation that cannot be read excuses nothing.
 */
function appliedBefore(live: ApiObject, context: OwnershipContext, writer: Writer): FieldSet {
  const before = writer.manager === "kubectl" ? lastAppliedOf(live) : undefined;
  if (before === undefined || typingErrors(before, context.schema).length > 0) return FieldSet.empty;
  const { modified, removed } = compare(before, bare(live), context.schema);
  return fieldsOf(before, context.schema).difference(modified).difference(removed);
}

/** `kubectl apply --server-side` keeps the annotation of client-side apply up to date, where there is one. */
function syncedAnnotation({ metadata: { annotations } }: ApiObject, sent: JsonObject, writer: Writer): object {
  if (writer.manager !== "kubectl" || !annotations?.[lastApplied]) return {};
  const config = structuredClone(sent);
  const metadata = isObject(config.metadata) ? config.metadata : {};
  if (isObject(metadata.annotations)) delete metadata.annotations[lastApplied];
  return { annotations: { ...annotations, [lastApplied]: `${goJson(config)}\n` } };
}

/** As Go's encoder writes it: keys in order, and the signs of HTML escaped. */
function goJson(value: unknown): string {
  const sorted = (_key: string, item: unknown) =>
    isObject(item) ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1))) : item;
  return JSON.stringify(value, sorted).replaceAll(
    /[<>&\u2028\u2029]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function lastAppliedOf({ apiVersion, metadata }: ApiObject): JsonObject | undefined {
  try {
    const before: unknown = JSON.parse(metadata.annotations?.[lastApplied] ?? "");
    return isObject(before) && before.apiVersion === apiVersion && before.kind !== undefined ? before : undefined;
  } catch {
    // Clients may write anything into the annotation.
    return undefined;
  }
}

function refuseConflicts(others: readonly Owned[], taken: FieldSet, excused: FieldSet): void {
  const causes = others.flatMap((entry) => {
    const message = `conflict with ${printOwner(entry)}`;
    return entry.fields
      .intersection(taken)
      .difference(excused)
      .paths()
      .map((path) => ({ reason: "FieldManagerConflict", message, field: printPath(path) }));
  });
  if (causes.length === 0) return;
  throw new ApiError({
    code: 409,
    reason: "Conflict",
    message: conflictMessage(causes),
    details: { causes },
  });
}

function printOwner(entry: Owned): string {
  const door = entry.subresource === undefined ? "" : ` with subresource ${JSON.stringify(entry.subresource)}`;
  const version = entry.operation === "Apply" ? "" : ` using ${entry.apiVersion}`;
  return `${JSON.stringify(entry.manager)}${door}${version}`;
}

function conflictMessage(causes: readonly { readonly message: string; readonly field: string }[]): string {
  const [only] = causes;
  if (only !== undefined && causes.length === 1) {
    return `Apply failed with 1 conflict: ${only.message}: ${only.field}`;
  }
  const byOwner = new Map<string, string[]>();
  for (const { message, field } of causes) byOwner.set(message, [...(byOwner.get(message) ?? []), field]);
  const groups = [...byOwner].sort().map(([message, fields]) => {
    const lines = fields.map((field) => `- ${field}`);
    return [`${message.replace("conflict", "conflicts")}:`, ...lines].join("\n");
  });
  return `Apply failed with ${causes.length} conflicts: ${groups.join("\n")}`;
}

function addTaken(entries: Owned[], taken: FieldSet, writer: Writer): void {
  if (taken.isEmpty) return;
  const identity = identityOf(writer, "Update");
  const at = entries.findIndex((entry) => entry.identity === identity);
  const before = entries[at];
  const { manager, apiVersion, subresource, time } = writer;
  const fields = (before?.fields ?? FieldSet.empty).union(taken);
  const entry: Owned = { identity, manager, operation: "Update", apiVersion, subresource, time, fields };
  if (before === undefined) entries.push(entry);
  else entries[at] = entry;
}

function identityOf(
  owner: Pick<Writer, "manager" | "apiVersion" | "subresource">,
  operation: "Apply" | "Update",
): string {
  const version = operation === "Apply" ? "" : owner.apiVersion;
  return JSON.stringify([owner.manager, operation, version, owner.subresource ?? ""]);
}

/** `managedFields: [{}]` is the documented way to clear ownership. */
function parseEntries(entries: readonly ManagedFieldsEntry[]): readonly Owned[] {
  return entries
    .filter((entry) => entry.operation !== undefined)
    .map((entry) => ({
      identity: identityOf({ ...entry, subresource: statusOrNone(entry.subresource) }, entry.operation),
      manager: entry.manager,
      operation: entry.operation,
      apiVersion: entry.apiVersion,
      subresource: entry.subresource,
      time: entry.time ?? "",
      fields: FieldSet.parse(entry.fieldsV1 ?? {}),
    }));
}

function statusOrNone(subresource: string | undefined): "status" | undefined {
  return subresource === "status" ? "status" : undefined;
}

function printEntries(entries: readonly Owned[]): ManagedFieldsEntry[] {
  return entries
    .filter((entry) => !entry.fields.isEmpty)
    .sort(byPlace)
    .map((entry) => ({
      manager: entry.manager,
      operation: entry.operation,
      apiVersion: entry.apiVersion,
      ...(entry.time === "" ? {} : { time: entry.time }),
      fieldsType: "FieldsV1",
      fieldsV1: entry.fields.toFields() as JsonObject,
      ...(entry.subresource === undefined ? {} : { subresource: entry.subresource }),
    }));
}

function byPlace(left: Owned, right: Owned): number {
  const keys = (entry: Owned) => [
    entry.operation,
    entry.time,
    entry.manager,
    entry.apiVersion,
    entry.subresource ?? "",
  ];
  const [a, b] = [keys(left), keys(right)];
  const at = a.findIndex((key, index) => key !== b[index]);
  return at < 0 ? 0 : (a[at] ?? "") < (b[at] ?? "") ? -1 : 1;
}

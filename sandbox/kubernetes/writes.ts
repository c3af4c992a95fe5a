import { applyDefaults } from "./defaults.ts";
import { jsonEqual } from "./equal.ts";
import { FieldSet } from "./field-set.ts";
import { apply, type OwnershipContext, ownershipAfterUpdate, type Writer } from "./managed-fields.ts";
import { decodeMetadata, finalizerWarnings, validateMetadata, validateMetadataUpdate } from "./metadata.ts";
import { jsonPatch, mergePatch, strategicMergePatch } from "./patch.ts";
import { prune } from "./pruning.ts";
import type { Registry } from "./registry.ts";
import { validateListTypes, validateSchema } from "./schema-validation.ts";
import {
  ApiError,
  alreadyExists,
  badRequest,
  cannotBeHandled,
  conflict,
  internal,
  invalid,
  notFound,
} from "./status-errors.ts";
import type { Entry, Store } from "./store.ts";
import { decodingFault } from "./typed-decoding.ts";
import {
  type ApiObject,
  apiVersionOf,
  type FieldError,
  type JsonObject,
  type ManagedFieldsEntry,
  type Meta,
  qualified,
  type Resource,
} from "./types.ts";

/** What all writes need. */
export interface WriteContext {
  readonly store: Store;
  readonly registry: Registry;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly newUid: () => string;
  /** Five characters for `generateName`. */
  readonly newSuffix: () => string;
  /** Findings of the rules of a custom resource. */
  readonly checkRules: (resource: Resource, object: ApiObject, old: ApiObject | undefined) => FieldError[];
  /** Whether the resource has rules at all: only then do blocking findings add the remark about unchecked rules. */
  readonly hasRules: (resource: Resource) => boolean;
  /** Called after something was stored or removed, for what follows from it. */
  readonly written: (resource: Resource, object: ApiObject, change: "stored" | "removed") => void;
}

/** What a write is aimed at. */
export interface Target {
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly subresource: "status" | undefined;
}

export interface WriteOptions {
  readonly manager: string;
  readonly dryRun: boolean;
  readonly fieldValidation: "Strict" | "Warn" | "Ignore";
  readonly force: boolean;
}

export interface Written {
  readonly object: ApiObject;
  readonly created: boolean;
  readonly warnings: readonly string[];
}

export type Patch =
  | { readonly kind: "json" | "merge" | "strategic"; readonly body: unknown; readonly duplicates: readonly string[] }
  | { readonly kind: "apply"; readonly body: JsonObject; readonly duplicates: readonly string[] };

/** POST. `body` is taken over. */
export function createObject(
  context: WriteContext,
  target: Target,
  body: JsonObject,
  duplicates: readonly string[],
  options: WriteOptions,
): Written {
  const { object, warnings } = decode(target, body, duplicates, options);
  if (object.metadata.resourceVersion !== undefined && object.metadata.resourceVersion !== "") {
    throw internal("resourceVersion should not be set on objects to be created");
  }
  const created = insert(context, target, object, options, undefined);
  return { object: created, created: true, warnings: [...warnings, ...finalizerWarnings(created)] };
}

/** PUT. `body` is taken over. */
export function replaceObject(
  context: WriteContext,
  target: Target,
  body: JsonObject,
  duplicates: readonly string[],
  options: WriteOptions,
): Written {
  const { object, warnings } = decode(target, body, duplicates, options);
  checkName(object, target);
  const entry = current(context, target);
  const { resourceVersion } = object.metadata;
  if (resourceVersion === undefined && !target.resource.behaviour.unconditionalUpdate) {
    const path = "metadata.resourceVersion";
    const detail = "must be specified for an update";
    const subject = { kind: target.resource.plural, group: target.resource.group };
    throw invalid(subject, target.name, [{ kind: "invalid", path, value: 0, detail }]);
  }
  checkVersion(target, object, view(target.resource, entry));
  checkIdentity(target, object, view(target.resource, entry));
  const updated = update(context, target, entry, object, options, undefined);
  return { object: updated, created: false, warnings };
}

/** PATCH of any kind; apply creates what is not there. */
export function patchObject(context: WriteContext, target: Target, patch: Patch, options: WriteOptions): Written {
  if (patch.kind === "apply") return applyObject(context, target, patch.body, options);
  const entry = current(context, target);
  const viewed = view(target.resource, entry);
  const patched = runPatch(viewed, patch, context.registry, target.resource) as JsonObject;
  const { object, warnings } = decodePatched(target, structuredClone(patched), patch.duplicates, options);
  checkName(object, target);
  return { object: update(context, target, entry, object, options, undefined), created: false, warnings };
}

export interface DeleteOptions {
  readonly dryRun: boolean;
  readonly preconditions: { readonly uid?: string; readonly resourceVersion?: string };
}

/** DELETE: removes the object, or marks it when finalizers hold it. `removed` says which. */
export function deleteObject(
  context: WriteContext,
  target: Target,
  options: DeleteOptions,
): { readonly object: ApiObject; readonly removed: boolean } {
  const entry = current(context, target);
  const object = view(target.resource, entry);
  checkPreconditions(target.resource, object, options.preconditions);
  if ((object.metadata.finalizers ?? []).length === 0) {
    if (!options.dryRun) removeEntry(context, target.resource, entry);
    return { object, removed: true };
  }
  if (object.metadata.deletionTimestamp !== undefined) return { object, removed: false };
  const { generation } = object.metadata;
  const marked: ApiObject = {
    ...object,
    metadata: {
      ...object.metadata,
      deletionTimestamp: seconds(context.now()),
      deletionGracePeriodSeconds: 0,
      ...(generation === undefined ? {} : { generation: generation + 1 }),
    },
  };
  if (!options.dryRun) save(context, target.resource, entry.key, marked);
  return { object: marked, removed: false };
}

/** Removes an entry whatever holds it: for what goes with its namespace or its definition. */
export function removeEntry(context: WriteContext, resource: Resource, entry: Entry, last?: ApiObject): void {
  const stored = last === undefined ? undefined : (resource.behaviour.toStorage?.(last) ?? last);
  context.store.remove(resource.storage, entry.key, stored);
  context.written(resource, last ?? entry.object, "removed");
}

/** The key of an object in its bucket. */
export function keyOf(namespace: string | undefined, name: string): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** A stored object as this resource shows it. */
export function view(resource: Resource, entry: Entry): ApiObject {
  return resource.behaviour.fromStorage?.(entry.object) ?? entry.object;
}

function current(context: WriteContext, target: Target): Entry {
  const entry = context.store.get(target.resource.storage, keyOf(target.namespace, target.name));
  if (entry === undefined) throw notFound(target.resource, target.name);
  return entry;
}

function decode(
  target: Target,
  body: JsonObject,
  duplicates: readonly string[],
  options: WriteOptions,
): { readonly object: ApiObject; readonly warnings: readonly string[] } {
  checkType(body, target);
  const { object, findings } = clean(target, body, duplicates);
  if (options.fieldValidation === "Strict" && findings.length > 0) {
    throw cannotBeHandled(target.resource, `strict decoding error: ${findings.join(", ")}`);
  }
  return { object, warnings: options.fieldValidation === "Warn" ? findings : [] };
}

function decodePatched(
  target: Target,
  body: JsonObject,
  duplicates: readonly string[],
  options: WriteOptions,
): { readonly object: ApiObject; readonly warnings: readonly string[] } {
  const text = JSON.stringify(body);
  const refuse = (detail: string) =>
    invalid({ kind: "", group: "" }, "", [{ kind: "invalid", path: "patch", value: text, detail }]);
  checkType(body, target);
  const fault = decodingFault(body, target.resource);
  if (fault !== undefined) throw refuse(fault);
  const { object, findings } = clean(target, body, duplicates);
  if (options.fieldValidation === "Strict" && findings.length > 0) {
    throw refuse(`strict decoding error: ${findings.join(", ")}`);
  }
  return { object, warnings: options.fieldValidation === "Warn" ? findings : [] };
}

function clean(target: Target, body: JsonObject, duplicates: readonly string[]) {
  const { resource } = target;
  const { metadata, unknown } = decodeMetadata(body.metadata, resource);
  const object = { ...body, metadata } as ApiObject;
  const findings = [
    ...duplicates.map((path) => `duplicate field ${JSON.stringify(path)}`),
    ...[...prune(object, resource.schema), ...unknown].sort().map((path) => `unknown field ${JSON.stringify(path)}`),
  ];
  placeInNamespace(object, target);
  return { object, findings };
}

function placeInNamespace(object: ApiObject, target: Target): void {
  const { namespace } = object.metadata;
  if (target.namespace === undefined) {
    delete object.metadata.namespace;
    return;
  }
  if (namespace !== undefined && namespace !== "" && namespace !== target.namespace) {
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  }
  object.metadata.namespace = target.namespace;
}

function checkType(body: JsonObject, target: Target): void {
  const { resource } = target;
  const wanted = apiVersionOf(resource);
  const { apiVersion, kind } = body;
  if (apiVersion !== wanted) {
    throw badRequest(
      `the API version in the data (${String(apiVersion)}) does not match the expected API version (${wanted})`,
    );
  }
  if (kind !== resource.kind) {
    const metadata = body.metadata as JsonObject | undefined;
    const subject = { kind: String(kind), group: resource.group };
    const detail = `must be ${resource.kind}`;
    throw invalid(subject, String(metadata?.name ?? ""), [{ kind: "invalid", path: "kind", value: kind, detail }]);
  }
}

function checkName(object: ApiObject, target: Target): void {
  if (object.metadata.name === "") object.metadata.name = target.name;
  if (object.metadata.name === target.name) return;
  throw badRequest(
    `the name of the object (${object.metadata.name}) does not match the name on the URL (${target.name})`,
  );
}

function checkNamespace(context: WriteContext, target: Target): void {
  const { namespace, resource } = target;
  if (namespace === undefined) return;
  const namespaces = { group: "", plural: "namespaces", kind: "Namespace" };
  const entry = context.store.get("namespaces", namespace);
  if (entry === undefined) throw notFound(namespaces, namespace);
  if (entry.object.metadata.deletionTimestamp === undefined) return;
  throw new ApiError({
    code: 403,
    reason: "Forbidden",
    message:
      `${qualified(resource.plural, resource.group)} "${target.name}" is forbidden: unable to create new content in ` +
      `namespace ${namespace} because it is being terminated`,
    details: {
      name: target.name,
      ...(resource.group === "" ? {} : { group: resource.group }),
      kind: resource.plural,
      causes: [
        {
          reason: "NamespaceTerminating",
          message: `namespace ${namespace} is being terminated`,
          field: "metadata.namespace",
        },
      ],
    },
  });
}

function insert(
  context: WriteContext,
  target: Target,
  object: ApiObject,
  options: WriteOptions,
  owners: ManagedFieldsEntry[] | undefined,
): ApiObject {
  const { resource } = target;
  const { metadata } = object;
  if (metadata.name === "" && metadata.generateName) metadata.name = metadata.generateName + context.newSuffix();
  checkNamespace(context, { ...target, name: metadata.name });
  stampNew(context, resource, metadata);
  if (resource.hasStatus) delete object.status;
  resource.behaviour.prepare?.(object, undefined);
  const hadStatus = Object.hasOwn(object, "status");
  applyDefaults(object, resource.schema, { keepsNulls: owners !== undefined && resource.origin === "custom" });
  const key = keyOf(target.namespace, metadata.name);
  // The real server checks the name last: an invalid object is refused as invalid even when the name is taken.
  refuseFindings(context, target, object, undefined);
  if (context.store.get(resource.storage, key) !== undefined) throw alreadyExists(resource, metadata.name);
  const managed =
    owners ??
    ownershipAfterUpdate(blank(resource), object, writerOf(context, target, options), ownership(context, target));
  setManaged(metadata, managed);
  // A status default is filled in on reading: what is stored lacks it until the next write.
  const incomplete = !hadStatus && Object.hasOwn(object, "status");
  if (!options.dryRun) save(context, resource, key, object, incomplete);
  return object;
}

function stampNew(context: WriteContext, resource: Resource, metadata: Meta): void {
  metadata.uid = context.newUid();
  metadata.creationTimestamp = seconds(context.now());
  delete metadata.resourceVersion;
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
  delete metadata.generation;
  delete metadata.selfLink;
  if (resource.counted) metadata.generation = 1;
}

function update(
  context: WriteContext,
  target: Target,
  entry: Entry,
  incoming: ApiObject,
  options: WriteOptions,
  owners: ManagedFieldsEntry[] | undefined,
): ApiObject {
  const { resource } = target;
  const old = view(resource, entry);
  checkVersion(target, incoming, old);
  const object = throughDoor(target, incoming, old);
  keepServerMetadata(object, old);
  resource.behaviour.prepare?.(object, old);
  applyDefaults(object, resource.schema, { keepsNulls: owners !== undefined && resource.origin === "custom" });
  if (resource.counted) object.metadata.generation = generationOf(object, old, resource);
  setManaged(
    object.metadata,
    owners ??
      ownershipAfterUpdate(
        old,
        withManaged(object, statedOwners(resource, incoming)),
        writerOf(context, target, options),
        ownership(context, target),
      ),
  );
  const errors = validateMetadataUpdate(object, old);
  // The real server validates the metadata of custom resources twice, and returns each error twice.
  if (resource.origin === "custom") errors.push(...errors);
  if (errors.length > 0) throw invalid(resource, target.name, errors);
  refuseFindings(context, target, object, old);
  if (isNoop(object, old) && !entry.incomplete) return old;
  if (isReleased(object)) {
    if (!options.dryRun) removeEntry(context, resource, entry, object);
    return object;
  }
  if (!options.dryRun) save(context, resource, entry.key, object);
  return object;
}

function checkVersion(target: Target, incoming: ApiObject, old: ApiObject): void {
  const { resourceVersion } = incoming.metadata;
  if (resourceVersion !== undefined && resourceVersion !== "" && !/^\d+$/.test(resourceVersion)) {
    throw internal(`strconv.ParseUint: parsing ${JSON.stringify(resourceVersion)}: invalid syntax`);
  }
  if (resourceVersion !== undefined && resourceVersion !== "" && resourceVersion !== old.metadata.resourceVersion) {
    throw conflict(target.resource, target.name);
  }
}

/** A PUT names its object by uid as a precondition; in a patch a changed uid is an invalid change. */
function checkIdentity(target: Target, incoming: ApiObject, old: ApiObject): void {
  const { uid } = incoming.metadata;
  if (uid === undefined || uid === "" || uid === old.metadata.uid) return;
  const { resource } = target;
  const group = resource.group === "" ? "" : `${resource.group}/`;
  const key = `/registry/${group}${resource.plural}/${keyOf(target.namespace, target.name)}`;
  throw conflict(
    resource,
    target.name,
    `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: ` +
      `UID in precondition: ${uid}, UID in object meta: ${old.metadata.uid}`,
  );
}

/** The main door writes everything but status, the status door nothing but status. */
function throughDoor(target: Target, incoming: ApiObject, old: ApiObject): ApiObject {
  if (!target.resource.hasStatus) return { ...incoming, metadata: { ...incoming.metadata } };
  const { status: _, ...rest } = incoming;
  const { status: __, ...oldRest } = old;
  const [body, status] = target.subresource === "status" ? [oldRest, incoming.status] : [rest, old.status];
  const object = { ...body, ...(status === undefined ? {} : { status }) } as ApiObject;
  return { ...object, metadata: { ...object.metadata } };
}

function keepServerMetadata(object: ApiObject, old: ApiObject): void {
  const { metadata } = object;
  for (const key of ["creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"] as const) {
    if (old.metadata[key] === undefined) delete metadata[key];
    else Object.assign(metadata, { [key]: old.metadata[key] });
  }
  if (metadata.uid === undefined || metadata.uid === "") metadata.uid = old.metadata.uid ?? "";
  metadata.resourceVersion = old.metadata.resourceVersion ?? "";
}

function generationOf(object: ApiObject, old: ApiObject, resource: Resource): number {
  const before = old.metadata.generation ?? 1;
  const desired = ({ metadata: _, status, ...rest }: ApiObject) => (resource.hasStatus ? rest : { ...rest, status });
  return jsonEqual(desired(object), desired(old)) ? before : before + 1;
}

/** What a write says about ownership: an empty list clears it on built-in resources, and says nothing on custom ones. */
function statedOwners({ origin }: Resource, { metadata }: ApiObject): ManagedFieldsEntry[] | undefined {
  const { managedFields } = metadata;
  return origin === "custom" && managedFields?.length === 0 ? undefined : managedFields;
}

function withManaged(object: ApiObject, managedFields: ManagedFieldsEntry[] | undefined): ApiObject {
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata: { ...metadata, ...(managedFields === undefined ? {} : { managedFields }) } as Meta };
}

function setManaged(metadata: Meta, entries: ManagedFieldsEntry[]): void {
  if (entries.length === 0) delete metadata.managedFields;
  else metadata.managedFields = entries;
}

/** Times in `managedFields` do not count: a write that changes nothing else is none. */
function isNoop(object: ApiObject, old: ApiObject): boolean {
  const timeless = ({ metadata, ...rest }: ApiObject) => {
    const managedFields = metadata.managedFields?.map(({ time: _, ...entry }) => entry);
    return { ...rest, metadata: { ...metadata, managedFields } };
  };
  return jsonEqual(timeless(object), timeless(old));
}

function isReleased({ metadata }: ApiObject): boolean {
  return metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).length === 0;
}

function applyObject(context: WriteContext, target: Target, config: JsonObject, options: WriteOptions): Written {
  const { resource } = target;
  checkApplyType(config, target);
  const { metadata } = decodeMetadata(config.metadata, resource);
  const object = { ...config, metadata: { ...(config.metadata as Meta), name: metadata.name } } as ApiObject;
  checkName(object, target);
  if ((metadata.managedFields ?? []).length > 0) throw badRequest("metadata.managedFields must be nil");
  placeInNamespace(object, target);
  const entry = context.store.get(resource.storage, keyOf(target.namespace, target.name));
  const writer = writerOf(context, target, options);
  if (entry === undefined) return applyNew(context, target, object, options);

  const live = view(resource, entry);
  checkVersion(target, object, live);
  const applied = apply(
    live,
    stripServerFields(object),
    { force: options.force, writer, sent: config },
    ownership(context, target),
  );
  const owners = applied.metadata.managedFields ?? [];
  const result = update(context, target, entry, decodeApplied(applied, resource), options, structuredClone(owners));
  return { object: result, created: false, warnings: [] };
}

function applyNew(context: WriteContext, target: Target, config: ApiObject, options: WriteOptions): Written {
  const { resource } = target;
  if (target.subresource !== undefined) throw notFound(resource, target.name);
  const { uid } = config.metadata;
  if (uid !== undefined) {
    const detail = `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`;
    throw conflict(resource, target.name, detail);
  }
  const writer = writerOf(context, target, options);
  const applied = apply(
    blank(resource),
    config,
    { force: options.force, writer, sent: config },
    ownership(context, target),
  );
  const owners = applied.metadata.managedFields ?? [];
  const object = insert(context, target, decodeApplied(applied, resource), options, structuredClone(owners));
  return { object, created: true, warnings: finalizerWarnings(object) };
}

/** The merged object as a typed decoder reads it: what is null or empty in the metadata is not there. */
function decodeApplied(applied: ApiObject, resource: Resource): ApiObject {
  const { metadata } = decodeMetadata(applied.metadata, resource);
  return structuredClone({ ...applied, metadata });
}

function checkApplyType(config: JsonObject, target: Target): void {
  const { apiVersion, kind } = config;
  if (typeof apiVersion === "string" && typeof kind === "string" && kind !== "") {
    checkType(config, target);
    return;
  }
  throw badRequest(`invalid object type: ${String(apiVersion ?? "/")}, Kind=${String(kind ?? "")}`);
}

function stripServerFields(config: ApiObject): ApiObject {
  const { resourceVersion: _, uid: __, creationTimestamp: ___, generation: ____, ...metadata } = config.metadata;
  return { ...config, metadata: metadata as Meta };
}

function runPatch(
  viewed: ApiObject,
  patch: Exclude<Patch, { readonly kind: "apply" }>,
  registry: Registry,
  resource: Resource,
): unknown {
  switch (patch.kind) {
    case "merge":
      return mergePatch(viewed, patch.body);
    case "json":
      return jsonPatch(viewed, patch.body);
    case "strategic":
      return strategicMergePatch(viewed, patch.body, registry.wholeSchema(resource));
  }
}

function checkPreconditions(resource: Resource, object: ApiObject, wanted: DeleteOptions["preconditions"]): void {
  const { uid, resourceVersion, name } = object.metadata;
  const subject = { ...resource, plural: resource.kind };
  if (wanted.uid !== undefined && wanted.uid !== uid) {
    const detail =
      `the UID in the precondition (${wanted.uid}) does not match the UID in record (${uid}). The object might have ` +
      "been deleted and then recreated";
    throw conflict(subject, name, detail);
  }
  if (wanted.resourceVersion === undefined || wanted.resourceVersion === resourceVersion) return;
  const detail =
    `the ResourceVersion in the precondition (${wanted.resourceVersion}) does not match the ResourceVersion in record ` +
    `(${resourceVersion}). The object might have been modified`;
  throw conflict(subject, name, detail);
}

function refuseFindings(
  context: WriteContext,
  { resource, subresource }: Target,
  object: ApiObject,
  old: ApiObject | undefined,
): void {
  const { apiVersion: _, kind: __, metadata: ___, ...content } = object;
  const errors = [
    ...validateMetadata(object, resource),
    ...(subresource === "status" ? statusErrors(object, resource) : validateSchema(content, resource.schema, "")),
    ...validateListTypes(content, resource.schema, ""),
    ...(resource.behaviour.validate?.(object, old) ?? []),
  ];
  if (context.hasRules(resource)) {
    if (errors.some(({ kind }) => blocking.has(kind))) errors.push(unchecked);
    else errors.push(...context.checkRules(resource, object, old));
  }
  if (errors.length === 0) return;
  const subject = { kind: resource.kind, group: resource.behaviour.reportedGroup ?? resource.group };
  throw invalid(subject, object.metadata.name, errors);
}

/** The status endpoint validates only the status; paths in its messages start there. */
function statusErrors(object: ApiObject, resource: Resource): FieldError[] {
  const schema = resource.schema.properties?.status ?? {};
  return validateSchema(object.status ?? {}, schema, "").map((error) =>
    error.path === "<nil>" ? error : { ...error, path: error.path === "" ? "status" : `status.${error.path}` },
  );
}

const blocking = new Set<FieldError["kind"]>(["unsupported", "required", "too-long", "too-many", "type"]);

const unchecked: FieldError = {
  kind: "invalid",
  path: "<nil>",
  value: null,
  detail:
    "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
};

function writerOf(context: WriteContext, target: Target, options: WriteOptions): Writer {
  return {
    manager: options.manager,
    apiVersion: apiVersionOf(target.resource),
    subresource: target.subresource,
    time: seconds(context.now()),
  };
}

/** An object of this kind before any client wrote to it. */
function blank(resource: Resource): ApiObject {
  const { kind, behaviour } = resource;
  return { apiVersion: apiVersionOf(resource), kind, metadata: { name: "" }, ...structuredClone(behaviour.blank) };
}

const statusOnly = FieldSet.of(["f:status"]);
const allButStatus = FieldSet.of(["f:metadata"], ["f:spec"]);

function ownership(context: WriteContext, target: Target): OwnershipContext {
  const { resource } = target;
  const reset = !resource.hasStatus ? FieldSet.empty : target.subresource === "status" ? allButStatus : statusOnly;
  return { schema: context.registry.wholeSchema(resource), reset };
}

function save(context: WriteContext, resource: Resource, key: string, object: ApiObject, incomplete = false): void {
  const stored = resource.behaviour.toStorage?.(object) ?? object;
  const entry = context.store.put(resource.storage, key, stored, incomplete);
  object.metadata.resourceVersion = entry.object.metadata.resourceVersion ?? "";
  context.written(resource, object, "stored");
}

function seconds(nowMs: number): string {
  return `${new Date(nowMs).toISOString().slice(0, 19)}Z`;
}

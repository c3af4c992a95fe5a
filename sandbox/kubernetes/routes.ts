import type { ServerResponse } from "node:http";
import { stringify } from "yaml";
import type { Answer, Call } from "../http.ts";
import { objectIn, readJson, readYaml } from "./body.ts";
import { aggregatedList, coreVersions, groupInfo, groupList, resourceList, versionInfo } from "./discovery.ts";
import { listPage } from "./lists.ts";
import { negotiate, type Representation } from "./negotiate.ts";
import { openApiDocument, openApiIndex, openApiV2 } from "./openapi.ts";
import { readProtobuf } from "./protobuf.ts";
import {
  ApiError,
  badRequest,
  cannotBeHandled,
  invalid,
  methodNotAllowed,
  noRoute,
  notFound,
  notImplemented,
  unsupportedMediaType,
} from "./status-errors.ts";
import type { Entry } from "./store.ts";
import { columnDefinitions, partialMetadata, tableRow } from "./table.ts";
import { decodingFault } from "./typed-decoding.ts";
import { type ApiObject, apiVersionOf, type FieldError, isObject, type JsonObject, type Resource } from "./types.ts";
import { parseWatch, type RenderEntry, renderAs, type WatchRequest } from "./watch.ts";
import {
  createObject,
  deleteObject,
  keyOf,
  type Patch,
  patchObject,
  replaceObject,
  type Target,
  view,
  type WriteContext,
  type WriteOptions,
  type Written,
} from "./writes.ts";

/** What answering needs beyond writing. */
export interface RouteContext extends WriteContext {
  /** Opens a stream; the answer is then in its hands. */
  readonly openWatch: (request: WatchRequest, response: ServerResponse, render: RenderEntry) => void;
}

/** Answers one request. `undefined`: a stream took over the response. */
export function answer(context: RouteContext, call: Call, response: ServerResponse): Answer | undefined {
  try {
    return route(context, call, response);
  } catch (error) {
    if (error instanceof ApiError) return { status: error.body.code, body: error.body };
    throw error;
  }
}

function route(context: RouteContext, call: Call, response: ServerResponse): Answer | undefined {
  const parts = call.path
    .split("/")
    .filter((part) => part !== "")
    .map(decodeURIComponent);
  const { registry } = context;
  switch (parts[0]) {
    case "healthz":
    case "livez":
    case "readyz":
      return { status: 200, body: "ok" };
    case "version":
      return { status: 200, body: versionInfo };
    case "openapi":
      return answerOpenApi(context, call, parts);
    case "api":
      if (parts.length === 1) return answerDiscovery(call, aggregatedList(registry, "core"), coreVersions);
      if (parts.length === 2) return found(resourceList(registry, "", parts[1] ?? ""), call);
      return answerResource(context, call, response, "", parts[1] ?? "", parts.slice(2));
    case "apis":
      if (parts.length === 1) return answerDiscovery(call, aggregatedList(registry, "groups"), groupList(registry));
      if (parts.length === 2) return found(groupInfo(registry, parts[1] ?? ""), call);
      if (parts.length === 3) return found(resourceList(registry, parts[1] ?? "", parts[2] ?? ""), call);
      return answerResource(context, call, response, parts[1] ?? "", parts[2] ?? "", parts.slice(3));
    default:
      throw noRoute(call.path);
  }
}

function found(body: JsonObject | undefined, call: Call): Answer {
  if (body === undefined) throw noRoute(call.path);
  return { status: 200, body };
}

function answerDiscovery(call: Call, aggregated: JsonObject, plain: JsonObject): Answer {
  const accept = call.headers.accept ?? "";
  if (!/g=apidiscovery\.k8s\.io;v=v2;as=APIGroupDiscoveryList/.test(accept)) return { status: 200, body: plain };
  const type = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
  return { status: 200, headers: { "content-type": type, vary: "Accept" }, body: aggregated };
}

function answerOpenApi(context: RouteContext, call: Call, parts: readonly string[]): Answer {
  const [, version, kind, ...rest] = parts;
  if (version === "v2") {
    const { type, body } = openApiV2(call.headers.accept);
    return { status: 200, headers: { "content-type": type }, body };
  }
  if (version !== "v3") throw noRoute(`/${parts.join("/")}`);
  if (kind === undefined) return { status: 200, body: openApiIndex(context.registry) };
  const [group, groupVersion] = kind === "api" ? ["", rest[0]] : [rest[0] ?? "", rest[1]];
  const document = openApiDocument(context.registry, group, groupVersion ?? "");
  if (document === undefined) throw noRoute(`/${parts.join("/")}`);
  return { status: 200, body: document };
}

/** Groups that a real server has and this one only knows by name, so that the refusal can say so. */
const knownElsewhere: Readonly<Record<string, string>> = {
  "authorization.k8s.io": "authorization (every request is allowed)",
  "authentication.k8s.io": "authentication (every token is accepted)",
  "admissionregistration.k8s.io": "admission webhooks and policies",
};

interface Location {
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
}

function answerResource(
  context: RouteContext,
  call: Call,
  response: ServerResponse,
  group: string,
  version: string,
  rest: readonly string[],
): Answer | undefined {
  const location = locate(context, group, version, rest);
  if (location === undefined) {
    const known = knownElsewhere[group];
    throw known === undefined ? noRoute(call.path) : notImplemented(known);
  }
  const { resource, subresource, name } = location;
  if (subresource !== undefined && !(subresource === "status" && resource.hasStatus)) {
    if (subresource === "token" || subresource === "scale") throw notImplemented(`the subresource ${subresource}`);
    throw noRoute(call.path);
  }
  return name === undefined
    ? answerCollection(context, call, response, location)
    : answerObject(context, call, response, location, name);
}

function locate(context: RouteContext, group: string, version: string, rest: readonly string[]): Location | undefined {
  const { registry } = context;
  if (rest[0] === "namespaces" && rest.length > 2 && rest[2] !== "status" && rest[2] !== "finalize") {
    const [, namespace, plural = "", name, subresource] = rest;
    const resource = registry.find(group, version, plural);
    if (resource === undefined || !resource.namespaced || rest.length > 5) return undefined;
    return { resource, namespace, name, subresource };
  }
  const [plural = "", name, subresource] = rest;
  const resource = registry.find(group, version, plural);
  if (resource === undefined || rest.length > 3) return undefined;
  if (resource.namespaced && name !== undefined) return undefined;
  return { resource, namespace: undefined, name, subresource };
}

function answerCollection(
  context: RouteContext,
  call: Call,
  response: ServerResponse,
  location: Location,
): Answer | undefined {
  switch (call.method) {
    case "GET": {
      const shape = negotiate(call.headers.accept);
      const isWatch = call.query.get("watch");
      if (isWatch === "true" || isWatch === "1") return watch(context, call, response, location, shape);
      return list(context, call, location, shape);
    }
    case "POST":
      return create(context, call, location);
    case "DELETE":
      return deleteCollection(context, call, location);
    case "PUT":
    case "PATCH":
      throw location.resource.origin === "custom" ? badRequest("name must be provided") : methodNotAllowed();
    default:
      throw methodNotAllowed();
  }
}

function answerObject(
  context: RouteContext,
  call: Call,
  response: ServerResponse,
  location: Location,
  name: string,
): Answer | undefined {
  const target: Target = {
    resource: location.resource,
    namespace: location.namespace,
    name,
    subresource: location.subresource === "status" ? "status" : undefined,
  };
  switch (call.method) {
    case "GET": {
      const isWatch = call.query.get("watch");
      if (isWatch === "true" || isWatch === "1") {
        call.query.append("fieldSelector", `metadata.name=${name}`);
        return watch(context, call, response, location, negotiate(call.headers.accept));
      }
      return get(context, call, target);
    }
    case "PUT":
      return put(context, call, target);
    case "PATCH":
      return patch(context, call, target);
    case "DELETE":
      return target.subresource === undefined ? remove(context, call, target) : methodNotAllowedAnswer();
    default:
      throw methodNotAllowed();
  }
}

function methodNotAllowedAnswer(): never {
  throw methodNotAllowed();
}

function get(context: RouteContext, call: Call, target: Target): Answer {
  const entry = context.store.get(target.resource.storage, keyOf(target.namespace, target.name));
  if (entry === undefined) throw notFound(target.resource, target.name);
  return show(context, call, target.resource, view(target.resource, entry), 200, []);
}

function list(context: RouteContext, call: Call, { resource, namespace }: Location, shape: Representation): Answer {
  const page = listPage(context.store, resource, namespace, call.query);
  const metadata: JsonObject = {
    resourceVersion: String(page.revision),
    // Lists of custom resources always name the token, even when there is none.
    ...(page.next === undefined && resource.origin === "builtin" ? {} : { continue: page.next ?? "" }),
    ...(page.remaining === undefined ? {} : { remainingItemCount: page.remaining }),
  };
  if (shape.shape === "table") {
    const rows = page.entries.map((entry) => rowOf(context, call, resource, view(resource, entry)));
    return encode(tableOf(resource, metadata, rows, true), shape.format);
  }
  if (shape.shape === "partial") {
    const items = page.entries.map((entry) => partialMetadata(view(resource, entry)));
    const body = { kind: "PartialObjectMetadataList", apiVersion: "meta.k8s.io/v1", metadata, items };
    return encode(body, shape.format);
  }
  const head = { kind: resource.listKind, apiVersion: apiVersionOf(resource), metadata };
  if (shape.format === "yaml") {
    return encode({ ...head, items: page.entries.map((entry) => view(resource, entry)) }, "yaml");
  }
  const items = page.entries.map(itemRenderer(resource));
  const text = `${JSON.stringify(head).slice(0, -1)},"items":[${items.join(",")}]}`;
  return { status: 200, headers: { "content-type": "application/json" }, body: text };
}

/** Items of built-in lists come without their kind, as the list names it. */
function itemRenderer(resource: Resource): RenderEntry {
  if (resource.origin === "custom") return renderAs(resource);
  const nameless = ({ apiVersion: _, kind: __, ...item }: ApiObject): JsonObject => item;
  const show = resource.behaviour.fromStorage ?? ((object: ApiObject) => object);
  return (entry) => entry.text(`${apiVersionOf(resource)} item`, (object) => nameless(show(object)));
}

function watch(
  context: RouteContext,
  call: Call,
  response: ServerResponse,
  { resource, namespace }: Location,
  shape: Representation,
): undefined {
  const request = parseWatch(resource, namespace, call.query);
  context.openWatch(request, response, renderFor(context, call, resource, shape));
}

function renderFor(context: RouteContext, call: Call, resource: Resource, shape: Representation): RenderEntry {
  switch (shape.shape) {
    case "object":
      return renderAs(resource);
    case "partial":
      return (entry: Entry) => JSON.stringify(partialMetadata(view(resource, entry)));
    case "table": {
      // Only the first event of a stream carries the columns.
      let isFirst = true;
      return (entry: Entry) => {
        const object = view(resource, entry);
        const metadata = { resourceVersion: object.metadata.resourceVersion };
        const table = tableOf(resource, metadata, [rowOf(context, call, resource, object)], isFirst);
        isFirst = false;
        return JSON.stringify(table);
      };
    }
  }
}

function tableOf(
  resource: Resource,
  metadata: JsonObject,
  rows: readonly JsonObject[],
  withColumns: boolean,
): JsonObject {
  const columnDefinitionsOrNull = withColumns ? columnDefinitions(resource) : null;
  return { kind: "Table", apiVersion: "meta.k8s.io/v1", metadata, columnDefinitions: columnDefinitionsOrNull, rows };
}

function rowOf(context: RouteContext, call: Call, resource: Resource, object: ApiObject): JsonObject {
  return tableRow(object, resource, call.query.get("includeObject") ?? "Metadata", context.now());
}

function create(context: RouteContext, call: Call, location: Location): Answer {
  const { resource, namespace } = location;
  const body = readObject(call, resource);
  const metadata = isObject(body.object.metadata) ? body.object.metadata : {};
  if (resource.namespaced && namespace === undefined) throw methodNotAllowed();
  const target: Target = { resource, namespace, name: String(metadata.name ?? ""), subresource: undefined };
  const options = writeOptions(call, "CreateOptions");
  return written(context, call, resource, createObject(context, target, body.object, body.duplicates, options));
}

function put(context: RouteContext, call: Call, target: Target): Answer {
  const body = readObject(call, target.resource);
  const options = writeOptions(call, "UpdateOptions");
  return written(context, call, target.resource, replaceObject(context, target, body.object, body.duplicates, options));
}

function patch(context: RouteContext, call: Call, target: Target): Answer {
  const kind = patchKind(call, target.resource);
  const options = writeOptions(call, "PatchOptions", kind);
  const read = kind === "apply" ? readYaml(call.body, options.fieldValidation === "Strict") : readPatch(call.body);
  const request =
    kind === "apply"
      ? { kind, body: objectIn(read.value, call.body, target.resource.kind), duplicates: read.duplicates }
      : { kind, body: read.value, duplicates: read.duplicates };
  return written(context, call, target.resource, patchObject(context, target, request, options));
}

function readPatch(text: string) {
  try {
    return readJson(text);
  } catch (error) {
    throw badRequest(`error decoding patch: ${error instanceof Error ? error.message : "no JSON"}`);
  }
}

function remove(context: RouteContext, call: Call, target: Target): Answer {
  const { resource } = target;
  const { object, removed } = deleteObject(context, target, deleteOptions(call));
  if (!removed) return show(context, call, resource, object, 200, []);
  if (resource.plural === "namespaces")
    return show(context, call, resource, terminating(object, context.now()), 200, []);
  const details = {
    name: target.name,
    ...(resource.group === "" ? {} : { group: resource.group }),
    kind: resource.plural,
    uid: object.metadata.uid,
  };
  return { status: 200, body: { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", details } };
}

/** A real server removes a namespace a little later, and answers with what it is until then. */
function terminating(namespace: ApiObject, nowMs: number): ApiObject {
  const deletionTimestamp = `${new Date(nowMs).toISOString().slice(0, 19)}Z`;
  return { ...namespace, metadata: { ...namespace.metadata, deletionTimestamp }, status: { phase: "Terminating" } };
}

function deleteCollection(context: RouteContext, call: Call, { resource, namespace }: Location): Answer {
  if (resource.namespaced && namespace === undefined) throw methodNotAllowed();
  const page = listPage(context.store, resource, namespace, call.query);
  const options = deleteOptions(call);
  const items = page.entries.map((entry) => {
    const name = entry.object.metadata.name;
    return deleteObject(context, { resource, namespace, name, subresource: undefined }, options).object;
  });
  const metadata = {
    ...(resource.origin === "custom" ? { continue: "" } : {}),
    resourceVersion: String(page.revision),
  };
  return { status: 200, body: { kind: resource.listKind, apiVersion: apiVersionOf(resource), metadata, items } };
}

function deleteOptions(call: Call) {
  const text = call.body.trim();
  const body = text === "" ? {} : (readPatch(text).value as JsonObject);
  const wanted = isObject(body) && isObject(body.preconditions) ? body.preconditions : {};
  const dryRun = call.query.get("dryRun") ?? (Array.isArray(body.dryRun) ? String(body.dryRun[0] ?? "") : "");
  return {
    dryRun: parseDryRun(dryRun, "DeleteOptions"),
    preconditions: {
      ...(typeof wanted.uid === "string" ? { uid: wanted.uid } : {}),
      ...(typeof wanted.resourceVersion === "string" ? { resourceVersion: wanted.resourceVersion } : {}),
    },
  };
}

const bodyTypes = ["application/json", "application/yaml"];
const protobuf = "application/vnd.kubernetes.protobuf";

function readObject(
  call: Call,
  resource: Resource,
): { readonly object: JsonObject; readonly duplicates: readonly string[] } {
  const type = mediaType(call);
  if (type === protobuf) return { object: readProtobufObject(call, resource), duplicates: [] };
  if (type !== "" && !bodyTypes.includes(type)) throw unsupportedMediaType(bodyTypes);
  const read = type === "application/yaml" ? readYaml(call.body, false) : readJsonObject(call.body, resource);
  const object = withType(objectIn(read.value, call.body, resource.kind), call.body, resource);
  checkDecoding(object, resource);
  return { object, duplicates: read.duplicates };
}

function readProtobufObject(call: Call, resource: Resource): JsonObject {
  const object = readProtobuf(Buffer.from(call.body, "latin1"));
  if (object === undefined) throw unsupportedMediaType(bodyTypes);
  return withType(object, "", resource);
}

function readJsonObject(text: string, resource: Resource) {
  try {
    return readJson(text);
  } catch {
    throw badRequest(
      `the object provided is unrecognized (must be of type ${resource.kind}): couldn't get version/kind; json parse ` +
        `error: unexpected end of JSON input (${text === "" ? "<empty>" : text.slice(0, 100)})`,
    );
  }
}

/** A body of a built-in resource may leave its type out; of a custom resource it must name it. */
function withType(object: JsonObject, text: string, resource: Resource): JsonObject {
  const { kind, apiVersion } = object;
  const isNamed = kind !== undefined && kind !== "";
  if (resource.origin === "builtin") {
    if (!isNamed) return { ...object, apiVersion: apiVersion ?? apiVersionOf(resource), kind: resource.kind };
    if (kind === resource.kind) return object;
    throw badRequest(`${String(kind)} in version "${resource.version}" cannot be handled as a ${resource.kind}`);
  }
  if (isNamed) return object;
  throw badRequest(
    `the object provided is unrecognized (must be of type ${resource.kind}): Object 'Kind' is missing in '${text}' ` +
      `(${text.slice(0, 100)})`,
  );
}

function checkDecoding(object: JsonObject, resource: Resource): void {
  if (resource.origin === "custom") return;
  const fault = decodingFault(object, resource);
  if (fault !== undefined) throw cannotBeHandled(resource, fault);
}

function mediaType(call: Call): string {
  return (call.headers["content-type"] ?? "").split(";")[0]?.trim() ?? "";
}

const patchTypes: Readonly<Record<string, Patch["kind"]>> = {
  "application/json-patch+json": "json",
  "application/merge-patch+json": "merge",
  "application/apply-patch+yaml": "apply",
  "application/strategic-merge-patch+json": "strategic",
};

function patchKind(call: Call, resource: Resource): Patch["kind"] {
  const kind = patchTypes[mediaType(call)];
  if (kind !== undefined && (kind !== "strategic" || resource.origin === "builtin")) return kind;
  const accepted = Object.keys(patchTypes).filter(
    (type) => resource.origin === "builtin" || patchTypes[type] !== "strategic",
  );
  throw unsupportedMediaType(accepted);
}

function writeOptions(
  call: Call,
  kind: "CreateOptions" | "UpdateOptions" | "PatchOptions",
  patch?: Patch["kind"],
): WriteOptions {
  const manager = call.query.get("fieldManager") ?? "";
  const force = call.query.get("force");
  const errors: FieldError[] = [];
  if (patch === "apply" && manager === "") {
    errors.push({ kind: "required", path: "fieldManager", detail: "is required for apply patch" });
  }
  if (patch !== undefined && patch !== "apply" && force !== null) {
    errors.push({ kind: "forbidden", path: "force", detail: "may not be specified for non-apply patch" });
  }
  const fieldValidation = call.query.get("fieldValidation") ?? "";
  if (!["", "Ignore", "Strict", "Warn"].includes(fieldValidation)) {
    const detail = 'supported values: "", "Ignore", "Strict", "Warn"';
    errors.push({ kind: "unsupported", path: "fieldValidation", value: fieldValidation, detail });
  }
  if (errors.length > 0) throw invalid({ kind, group: "meta.k8s.io" }, "", errors);
  return {
    manager: manager === "" ? managerFromAgent(call.headers["user-agent"]) : manager,
    dryRun: parseDryRun(call.query.get("dryRun") ?? "", kind),
    fieldValidation: fieldValidation === "" ? "Warn" : (fieldValidation as WriteOptions["fieldValidation"]),
    force: force === "true" || force === "1",
  };
}

function parseDryRun(text: string, kind: string): boolean {
  if (text === "" || text === "All") return text === "All";
  const error: FieldError = { kind: "unsupported", path: "dryRun", value: [text], detail: 'supported values: "All"' };
  throw invalid({ kind, group: "meta.k8s.io" }, "", [error]);
}

/** Without a field manager the client's name up to the first slash is taken. */
function managerFromAgent(agent: string | undefined): string {
  const name = (agent ?? "").split("/")[0] ?? "";
  return name === "" ? "unknown" : name.slice(0, 128);
}

function written(context: RouteContext, call: Call, resource: Resource, result: Written): Answer {
  return show(context, call, resource, result.object, result.created ? 201 : 200, result.warnings);
}

function show(
  context: RouteContext,
  call: Call,
  resource: Resource,
  object: ApiObject,
  status: number,
  warnings: readonly string[],
): Answer {
  const shape = negotiate(call.headers.accept);
  const headers = warnings.length === 0 ? {} : { warning: warnings.map((text) => `299 - ${JSON.stringify(text)}`) };
  switch (shape.shape) {
    case "object":
      return { ...encode(object, shape.format, headers), status };
    case "partial":
      return { ...encode(partialMetadata(object), shape.format, headers), status };
    case "table": {
      const metadata = { resourceVersion: object.metadata.resourceVersion };
      const table = tableOf(resource, metadata, [rowOf(context, call, resource, object)], true);
      return { ...encode(table, shape.format, headers), status };
    }
  }
}

function encode(body: unknown, format: "json" | "yaml", headers: Record<string, string | string[]> = {}): Answer {
  if (format === "json") return { status: 200, headers, body };
  return { status: 200, headers: { ...headers, "content-type": "application/yaml" }, body: stringify(body) };
}

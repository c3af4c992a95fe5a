import type { Clock } from "../util/clock.ts";
import type { KubeClient, KubeDocuments, KubePodProxy, WriteOptions } from "./client.ts";
import { KubeError } from "./errors.ts";
import type { KubeAccess } from "./kubeconfig.ts";
import { createLineSplitter } from "./line-splitter.ts";
import { withoutManagedFields } from "./managed-fields.ts";
import { describeTarget, queryString, resourcePath } from "./paths.ts";
import { kubeErrorOfRefusal } from "./status-error.ts";
import { createKubeTransport, type KubeCallFacts, type KubeRequest, type KubeResponse } from "./transport.ts";
import {
  type KubeList,
  type KubeObject,
  leases,
  type ObjectName,
  pods,
  type ResourceType,
  type WatchEvent,
} from "./types.ts";

export interface KubeClientOptions {
  readonly access: KubeAccess;
  readonly clock: Clock;
  /** Field manager of every write that names none. Default `northflank-operator`. */
  readonly fieldManager?: string;
  /** Default `northflank-operator`. */
  readonly userAgent?: string;
  /** Time limit of one call, in milliseconds. Default 30,000. */
  readonly requestTimeoutMs?: number;
  /** Connections for everything but watches and Leases. Default 24. */
  readonly maxConnections?: number;
  /** Largest answer in bytes; a larger one is a `protocol` error. Default 64 MiB. */
  readonly maxResponseBytes?: number;
  /** Called once per finished call; a watch is finished when it ends. */
  readonly onCall?: (facts: KubeCallFacts) => void;
  /** Called with the `Date` header of each answer as it begins to arrive. */
  readonly onDate?: (date: unknown) => void;
}

const defaultFieldManager = "northflank-operator";

// Four times what the API server accepts as one object (1 MiB and a little), plus its escaping.
const maxWatchLineBytes = 4 * 1024 * 1024;

/** The {@link KubeClient} of this program: HTTP/1.1 over pooled connections, each call sent once. */
export function createKubeClient(
  options: KubeClientOptions,
): KubeClient & KubeDocuments & KubePodProxy & AsyncDisposable {
  const transport = createKubeTransport({ userAgent: defaultFieldManager, ...options });
  const defaultManager = options.fieldManager ?? defaultFieldManager;

  const send = async (request: KubeRequest, signal: AbortSignal | undefined): Promise<KubeResponse> => {
    const response = await transport.send(request, signal);
    if (response.status >= 200 && response.status < 300) return response;
    throw kubeErrorOfRefusal({ ...response, step: request.step, httpStatus: response.status });
  };
  const sendForObject = async <T extends KubeObject>(request: KubeRequest, signal: AbortSignal | undefined) => {
    const response = await send(request, signal);
    return asObject<T>(parseJson(response, request.step), request.step);
  };
  const write = (
    verb: string,
    method: KubeRequest["method"],
    type: ResourceType,
    at: ObjectName | { readonly namespace?: string | undefined },
    content: { readonly type: string; readonly body: unknown },
    writeOptions: (WriteOptions & { readonly force?: boolean }) | undefined,
  ): KubeRequest => {
    const { subresource, fieldManager, force } = writeOptions ?? {};
    const query = queryString({ fieldManager: fieldManager ?? defaultManager, force });
    return {
      method,
      path: resourcePath(type, { ...at, subresource }) + query,
      step: `${verb} ${describeTarget(type, at)}${subresource === undefined ? "" : ` ${subresource}`}`,
      lane: laneOf(type),
      contentType: content.type,
      body: JSON.stringify(content.body),
    };
  };

  return {
    get: (type, name, signal) =>
      settled(() =>
        sendForObject(
          {
            method: "GET",
            path: resourcePath(type, name),
            step: `get ${describeTarget(type, name)}`,
            lane: laneOf(type),
          },
          signal,
        ),
      ),

    list: async <T extends KubeObject>(...[type, list, signal]: Parameters<KubeClient["list"]>) => {
      const { namespace, ...parameters } = list;
      const step = `list ${describeTarget(type, { namespace })}`;
      const path = resourcePath(type, { namespace }) + queryString(parameters);
      const response = await send({ method: "GET", path, step, lane: laneOf(type) }, signal);
      return asList<T>(type, parseJson(response, step), step);
    },

    watch: async (type, watch, sink, signal) => {
      const { namespace, ...parameters } = watch;
      const step = `watch ${describeTarget(type, { namespace })}`;
      const path = resourcePath(type, { namespace }) + queryString({ watch: true, ...parameters });
      const lines = createLineSplitter({
        maxLineBytes: maxWatchLineBytes,
        onLine: (line) => sink.onEvent(parseEvent(line, step)),
        tooLong: () => protocolError(step, `an event is longer than ${maxWatchLineBytes} bytes`),
      });
      const onChunk = (chunk: Buffer): void => {
        sink.onBytes?.();
        lines.push(chunk);
      };
      const onStart = () => sink.onBytes?.();
      const refusal = await transport.stream(
        { method: "GET", path, step, lane: "reserved" },
        { onStart, onChunk },
        signal,
      );
      if (refusal !== undefined) throw kubeErrorOfRefusal({ ...refusal, step, httpStatus: refusal.status });
      if (lines.pendingBytes() > 0) throw protocolError(step, "the stream ended in the middle of an event");
    },

    create: (type, object, writeOptions, signal) =>
      settled(() => {
        const { namespace } = object.metadata;
        if (type.namespaced && namespace === undefined) throw missingNamespace(`create ${type.plural}`);
        const content = { type: "application/json", body: object };
        return sendForObject(write("create", "POST", type, { namespace }, content, writeOptions), signal);
      }),

    replace: (type, object, writeOptions, signal) =>
      settled(() => {
        const content = { type: "application/json", body: object };
        return sendForObject(write("replace", "PUT", type, nameOf(object), content, writeOptions), signal);
      }),

    apply: (type, object, applyOptions, signal) =>
      settled(() => {
        // JSON is YAML; the server takes this type only.
        const content = { type: "application/apply-patch+yaml", body: object };
        const forced = { force: true, ...applyOptions };
        return sendForObject(write("apply", "PATCH", type, nameOf(object), content, forced), signal);
      }),

    patch: (type, name, patch, writeOptions, signal) =>
      settled(() => {
        const content = { type: patchTypes[patch.kind], body: patch.body };
        return sendForObject(write("patch", "PATCH", type, name, content, writeOptions), signal);
      }),

    delete: async (type, name, preconditions, signal) => {
      const body = JSON.stringify(preconditions === undefined ? {} : { preconditions });
      const step = `delete ${describeTarget(type, name)}`;
      const request = {
        step,
        path: resourcePath(type, name),
        lane: laneOf(type),
        contentType: "application/json",
        body,
      };
      await send({ method: "DELETE", ...request }, signal);
    },

    openApi: async ({ group, version }, signal) => {
      const step = `get the OpenAPI document of ${group}/${version}`;
      const path = `/openapi/v3/apis/${group}/${version}`;
      const response = await send({ method: "GET", path, step, lane: "shared" }, signal);
      return parseJson(response, step);
    },

    podText: async (pod, { port, path }, signal) => {
      const step = `get ${path} of ${describeTarget(pods, pod)}`;
      const place = resourcePath(pods, { ...pod, name: `${pod.name}:${port}` });
      const request = { method: "GET", path: `${place}/proxy${path}`, step, lane: "shared" } as const;
      const response = await transport.send(request, signal);
      // The API server itself refuses with a Status, which is JSON.
      const isOfPod = response.status === 200 || (response.status === 503 && !response.body.startsWith("{"));
      if (isOfPod) return response.body;
      throw kubeErrorOfRefusal({ ...response, step, httpStatus: response.status });
    },

    [Symbol.asyncDispose]: () => transport.close(),
  };
}

const patchTypes = { merge: "application/merge-patch+json", json: "application/json-patch+json" } as const;

/** Turns what is thrown while a request is being built into a rejection, as callers of a promise expect. */
async function settled<T>(run: () => Promise<T>): Promise<T> {
  return run();
}

function laneOf(type: ResourceType): KubeRequest["lane"] {
  return type.group === leases.group && type.plural === leases.plural ? "reserved" : "shared";
}

function nameOf(object: KubeObject): ObjectName {
  const { name, namespace } = object.metadata;
  return namespace === undefined ? { name } : { name, namespace };
}

function parseJson(response: KubeResponse, step: string): unknown {
  try {
    return JSON.parse(withoutManagedFields(response.body));
  } catch {
    // Not kept as cause: the parser quotes what it read.
    const [type] = String(response.headers["content-type"] ?? "none").split(";");
    const known = /^[\w.+/-]{1,80}$/.test(type ?? "") ? type : "unknown";
    throw protocolError(step, `HTTP ${response.status} with a body that is not JSON (content type ${known})`);
  }
}

function asObject<T extends KubeObject>(value: unknown, step: string): T {
  const metadata = isRecord(value) ? value.metadata : undefined;
  if (!isRecord(metadata)) throw protocolError(step, "the response is not a Kubernetes object");
  return value as T;
}

function asList<T extends KubeObject>(type: ResourceType, value: unknown, step: string): KubeList<T> {
  if (!isRecord(value) || !isRecord(value.metadata)) throw protocolError(step, "the response is not a list");
  // A list of nothing may come as null; items of built-in resources come without apiVersion and kind.
  const items = value.items ?? [];
  if (!Array.isArray(items) || !items.every(isRecord)) throw protocolError(step, "the items are not a list of objects");
  const apiVersion = type.group === "" ? type.version : `${type.group}/${type.version}`;
  for (const item of items) {
    item.apiVersion ??= apiVersion;
    item.kind ??= type.kind;
  }
  return { metadata: value.metadata, items: items as unknown as readonly T[] };
}

const eventTypes: ReadonlySet<unknown> = new Set<WatchEvent["type"]>([
  "ADDED",
  "MODIFIED",
  "DELETED",
  "BOOKMARK",
  "ERROR",
]);

function parseEvent(line: string, step: string): WatchEvent {
  let value: unknown;
  try {
    value = JSON.parse(withoutManagedFields(line));
  } catch {
    throw protocolError(step, "an event is not JSON");
  }
  if (!isRecord(value) || !eventTypes.has(value.type) || !isRecord(value.object)) {
    throw protocolError(step, "an event has no known type or no object");
  }
  return value as unknown as WatchEvent;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function protocolError(step: string, detail: string): KubeError {
  return new KubeError({ code: "protocol", step, detail });
}

function missingNamespace(step: string): KubeError {
  return new KubeError({ code: "bad_request", step, detail: "metadata.namespace is needed" });
}

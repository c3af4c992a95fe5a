import { createHash } from "node:crypto";
import { metadataSchema } from "./metadata.ts";
import type { Registry } from "./registry.ts";
import { apiVersionOf, isObject, type JsonObject, type Resource, type Schema } from "./types.ts";

/** `GET /openapi/v3`: where the document of each group and version is. */
export function openApiIndex(registry: Registry): JsonObject {
  const paths: JsonObject = {};
  for (const [group, versions] of registry.groups()) {
    for (const version of versions) {
      const path = group === "" ? `api/${version}` : `apis/${group}/${version}`;
      const text = JSON.stringify(openApiDocument(registry, group, version));
      const hash = createHash("sha256").update(text).digest("hex").toUpperCase();
      paths[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` };
    }
  }
  return { paths };
}

/** `GET /openapi/v3/apis/GROUP/VERSION`: schemas for `kubectl explain`, parameters for `kubectl apply`. */
export function openApiDocument(registry: Registry, group: string, version: string): JsonObject | undefined {
  const resources = registry.of(group, version);
  if (resources.length === 0) return undefined;
  const schemas: JsonObject = { [metaName]: printSchema(metadataSchema) };
  const paths: JsonObject = {};
  for (const resource of resources) {
    schemas[schemaName(resource)] = objectSchema(resource);
    Object.assign(paths, pathsOf(resource));
  }
  return {
    openapi: "3.0.0",
    info: { title: "Kubernetes sandbox", version: "v1.36.3" },
    paths,
    components: { schemas },
  };
}

/**
 * `GET /openapi/v2`: a document without content. kubectl asks for it (in protobuf) where it finds no v3 document for a
 * kind, and takes a kind that v2 does not know either for one that it cannot check.
 */
export function openApiV2(accept: string | undefined): { readonly type: string; readonly body: string } {
  if (!(accept ?? "").includes("protobuf")) {
    const info = { title: "Kubernetes sandbox", version: "v1.36.3" };
    return { type: "application/json", body: JSON.stringify({ swagger: "2.0", info, paths: {}, definitions: {} }) };
  }
  // Field 1 (swagger) and field 2 (info: title, version) of gnostic's Document message; all of it is ASCII.
  const info = `\n\u0007sandbox\u0012\u00011`;
  const body = `\n\u00032.0\u0012${String.fromCharCode(info.length)}${info}`;
  return { type: "application/com.github.proto-openapi.spec.v2.v1.0+protobuf", body };
}

const metaName = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

function schemaName(resource: Resource): string {
  const group = resource.group === "" ? ["core"] : resource.group.split(".").toReversed();
  return [...group, resource.version, resource.kind].join(".");
}

function objectSchema(resource: Resource): JsonObject {
  const properties = {
    apiVersion: { type: "string", description: "Version of the schema of this object." },
    kind: { type: "string", description: "What this object is." },
    metadata: { allOf: [{ $ref: `#/components/schemas/${metaName}` }], description: "Standard object's metadata." },
  };
  const own = printSchema(resource.schema);
  return {
    ...own,
    type: "object",
    properties: { ...properties, ...(own.properties as JsonObject | undefined) },
    "x-kubernetes-group-version-kind": [kindOf(resource)],
  };
}

function kindOf({ group, version, kind }: Resource): JsonObject {
  return { group, version, kind };
}

/** A schema as JSON. What contains itself (the schema of schemas in CRDs) is cut off at its second appearance. */
function printSchema(schema: Schema): JsonObject {
  const copy = (value: unknown, above: readonly unknown[]): unknown => {
    if (Array.isArray(value)) return value.map((item) => copy(item, above));
    if (!isObject(value)) return value;
    if (above.includes(value)) return { type: "object", description: "The same again." };
    const entries = Object.entries(value).map(([key, item]) => [key, copy(item, [...above, value])]);
    const result = Object.fromEntries(entries) as JsonObject;
    if (result["x-kubernetes-int-or-string"] === true)
      return { ...result, anyOf: [{ type: "integer" }, { type: "string" }] };
    return result;
  };
  return copy(schema, []) as JsonObject;
}

function pathsOf(resource: Resource): JsonObject {
  const root = resource.group === "" ? `/api/${resource.version}` : `/apis/${apiVersionOf(resource)}`;
  const all = `${root}${resource.namespaced ? "/namespaces/{namespace}" : ""}/${resource.plural}`;
  const one = `${all}/{name}`;
  return {
    [all]: { get: operation(resource, "list"), post: operation(resource, "post", writeParameters) },
    [one]: {
      get: operation(resource, "get"),
      put: operation(resource, "put", writeParameters),
      patch: { ...operation(resource, "patch", [...writeParameters, "force"]), requestBody: patchBody(resource) },
      delete: operation(resource, "delete", ["dryRun"]),
    },
    ...(resource.hasStatus
      ? {
          [`${one}/status`]: {
            get: operation(resource, "get"),
            put: operation(resource, "put", writeParameters),
            patch: { ...operation(resource, "patch", [...writeParameters, "force"]), requestBody: patchBody(resource) },
          },
        }
      : {}),
  };
}

const writeParameters = ["dryRun", "fieldManager", "fieldValidation"];

function operation(resource: Resource, action: string, parameters: readonly string[] = []): JsonObject {
  return {
    description: `${action} ${resource.kind}`,
    parameters: parameters.map((name) => ({ name, in: "query", schema: { type: "string", uniqueItems: true } })),
    responses: {
      "200": {
        description: "OK",
        content: { "application/json": { schema: { $ref: `#/components/schemas/${schemaName(resource)}` } } },
      },
    },
    "x-kubernetes-action": action,
    "x-kubernetes-group-version-kind": kindOf(resource),
  };
}

function patchBody(resource: Resource): JsonObject {
  const types = ["application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json"];
  if (resource.origin === "builtin") types.push("application/strategic-merge-patch+json");
  return { required: true, content: Object.fromEntries(types.map((type) => [type, { schema: { type: "object" } }])) };
}

import type { Registry } from "./registry.ts";
import { apiVersionOf, type JsonObject, type Resource } from "./types.ts";

/** `GET /version`. The sandbox claims the version whose behavior it is compared with. */
export const versionInfo: JsonObject = {
  major: "1",
  minor: "36",
  gitVersion: "v1.36.3-sandbox",
  gitCommit: "",
  gitTreeState: "",
  buildDate: "1970-01-01T00:00:00Z",
  goVersion: "",
  compiler: "",
  platform: "sandbox",
};

/** `GET /api`. */
export const coreVersions: JsonObject = { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs: [] };

/** `GET /apis`. */
export function groupList(registry: Registry): JsonObject {
  const groups = [...registry.groups()]
    .filter(([name]) => name !== "")
    .map(([name, versions]) => group(name, versions));
  return { kind: "APIGroupList", apiVersion: "v1", groups };
}

/** `GET /apis/GROUP`, or `undefined` when there is no such group. */
export function groupInfo(registry: Registry, name: string): JsonObject | undefined {
  const versions = registry.groups().get(name);
  if (versions === undefined || name === "") return undefined;
  return { kind: "APIGroup", apiVersion: "v1", ...group(name, versions) };
}

/** `GET /api/v1` and `GET /apis/GROUP/VERSION`, or `undefined` when there is no such version. */
export function resourceList(registry: Registry, group: string, version: string): JsonObject | undefined {
  const resources = registry.of(group, version);
  if (resources.length === 0) return undefined;
  return {
    kind: "APIResourceList",
    apiVersion: "v1",
    groupVersion: apiVersionOf({ group, version }),
    resources: resources.flatMap((resource) => [mainEntry(resource), ...statusEntry(resource)]),
  };
}

/** `GET /api` and `GET /apis` in the aggregated form: every group with its resources in one answer. */
export function aggregatedList(registry: Registry, which: "core" | "groups"): JsonObject {
  const groups = [...registry.groups()].filter(([name]) => (which === "core") === (name === ""));
  const items = groups.map(([name, versions]) => ({
    metadata: name === "" ? {} : { name },
    versions: versions.map((version) => ({
      version,
      freshness: "Current",
      resources: registry.of(name, version).map(aggregatedEntry),
    })),
  }));
  return { kind: "APIGroupDiscoveryList", apiVersion: "apidiscovery.k8s.io/v2", metadata: {}, items };
}

const allVerbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const statusVerbs = ["get", "patch", "update"];

function group(name: string, versions: readonly string[]): JsonObject {
  const list = versions.map((version) => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions: list, preferredVersion: list[0] };
}

function names(resource: Resource): JsonObject {
  return {
    ...(resource.shortNames.length === 0 ? {} : { shortNames: resource.shortNames }),
    ...(resource.categories.length === 0 ? {} : { categories: resource.categories }),
  };
}

function mainEntry(resource: Resource): JsonObject {
  const { plural, singular, namespaced, kind } = resource;
  return { name: plural, singularName: singular, namespaced, kind, verbs: allVerbs, ...names(resource) };
}

function statusEntry(resource: Resource): readonly JsonObject[] {
  if (!resource.hasStatus) return [];
  const { plural, namespaced, kind } = resource;
  return [{ name: `${plural}/status`, singularName: "", namespaced, kind, verbs: statusVerbs }];
}

function aggregatedEntry(resource: Resource): JsonObject {
  const { group, version, kind, plural, singular, namespaced } = resource;
  const responseKind = { group, version, kind };
  const status = { subresource: "status", responseKind, verbs: statusVerbs };
  return {
    resource: plural,
    responseKind,
    scope: namespaced ? "Namespaced" : "Cluster",
    singularResource: singular,
    verbs: allVerbs,
    ...names(resource),
    ...(resource.hasStatus ? { subresources: [status] } : {}),
  };
}

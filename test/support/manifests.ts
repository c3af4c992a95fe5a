import { existsSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse, parseAllDocuments } from "yaml";
import type { KubeObject, ResourceType } from "../../src/kube/types.ts";

/**
 * The objects that `kubectl kustomize DIRECTORY` prints, for kustomizations that use `resources` only, as ours do.
 *
 * *Errors*: throws on any other field, because what it does would be missing.
 */
export function renderKustomization(directory: string): readonly KubeObject[] {
  const file = ["kustomization.yaml", "Kustomization"].find((name) => existsSync(join(directory, name)));
  if (file === undefined) throw new Error(`${directory} has no kustomization`);
  const { apiVersion, kind, resources, ...rest } = parse(readFileSync(join(directory, file), "utf8"));
  const unknown = Object.keys(rest);
  if (apiVersion === undefined || kind !== "Kustomization" || unknown.length > 0) {
    throw new Error(`${directory}/${file} uses what this renderer does not know: ${unknown.join(", ")}`);
  }
  return (resources as readonly string[]).flatMap((entry) => {
    const path = resolve(directory, entry);
    return statSync(path).isDirectory() ? renderKustomization(path) : readManifests(path);
  });
}

/** All documents of a YAML file. */
export function readManifests(path: string): readonly KubeObject[] {
  return parseAllDocuments(readFileSync(path, "utf8")).flatMap((document) => {
    const [error] = document.errors ?? [];
    if (error !== undefined) throw error;
    const object: unknown = document.toJS();
    return object === null ? [] : [object as KubeObject];
  });
}

/** Where objects of this kind are found, for the built-in kinds that our tests touch and for our own. */
export function resourceTypeOf(object: Pick<KubeObject, "apiVersion" | "kind">): ResourceType {
  const place = places[object.kind];
  if (place === undefined) throw new Error(`add the kind ${object.kind} to test/support/manifests.ts`);
  const [group, version] = object.apiVersion.includes("/") ? object.apiVersion.split("/") : ["", object.apiVersion];
  if (group === undefined || version === undefined) throw new Error(`not an apiVersion: ${object.apiVersion}`);
  return { group, version, kind: object.kind, ...place };
}

const places: Readonly<Record<string, Pick<ResourceType, "plural" | "namespaced">>> = {
  CustomResourceDefinition: { plural: "customresourcedefinitions", namespaced: false },
  Namespace: { plural: "namespaces", namespaced: false },
  ServiceAccount: { plural: "serviceaccounts", namespaced: true },
  ClusterRole: { plural: "clusterroles", namespaced: false },
  ClusterRoleBinding: { plural: "clusterrolebindings", namespaced: false },
  Role: { plural: "roles", namespaced: true },
  RoleBinding: { plural: "rolebindings", namespaced: true },
  Deployment: { plural: "deployments", namespaced: true },
  Service: { plural: "services", namespaced: true },
  PodDisruptionBudget: { plural: "poddisruptionbudgets", namespaced: true },
  NetworkPolicy: { plural: "networkpolicies", namespaced: true },
  Secret: { plural: "secrets", namespaced: true },
  ConfigMap: { plural: "configmaps", namespaced: true },
  Lease: { plural: "leases", namespaced: true },
  Event: { plural: "events", namespaced: true },
  NorthflankConnection: { plural: "northflankconnections", namespaced: true },
  NorthflankDeployment: { plural: "northflankdeployments", namespaced: true },
  NorthflankJob: { plural: "northflankjobs", namespaced: true },
  NorthflankJobRun: { plural: "northflankjobruns", namespaced: true },
};

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse } from "yaml";

/** In the order in which `kubectl kustomize` prints them, so that what others need comes first. */
const order = [
  "Namespace",
  "CustomResourceDefinition",
  "ServiceAccount",
  "Role",
  "ClusterRole",
  "RoleBinding",
  "ClusterRoleBinding",
  "Service",
  "Deployment",
  "PodDisruptionBudget",
  "NetworkPolicy",
];

/**
 * The documents of a kustomization as they are written, comments included, in the order in which they can be applied. It needs
 * no kubectl, and knows `resources` alone: that is all that `deploy/` uses.
 *
 * *Errors*: on a kustomization that says more, and on a kind whose place in the order is not known.
 */
export function installManifest(directory: string, heading: string): string {
  const documents = documentsOf(directory).map((text) => ({ text, ...placeOf(text) }));
  const inOrder = documents.toSorted((a, b) => a.rank - b.rank || (a.name < b.name ? -1 : 1));
  return joined(
    inOrder.map(({ text }) => text),
    heading,
  );
}

/** All files of a folder of manifests as one text, in the order of their names. */
export function joinedManifests(directory: string, heading: string): string {
  const files = readdirSync(directory).filter((name) => name.endsWith(".yaml"));
  return joined(
    files.toSorted().flatMap((name) => documentsIn(join(directory, name))),
    heading,
  );
}

function joined(documents: readonly string[], heading: string): string {
  return [`# ${heading}\n`, ...documents].join("---\n");
}

function documentsOf(directory: string): readonly string[] {
  const name = ["kustomization.yaml", "Kustomization"].find((each) => readdirSync(directory).includes(each));
  if (name === undefined) throw new Error(`${directory} has no kustomization`);
  const { apiVersion, kind, resources, ...more } = parse(readFileSync(join(directory, name), "utf8"));
  if (apiVersion === undefined || kind !== "Kustomization" || Object.keys(more).length > 0) {
    throw new Error(`${directory}/${name} uses what scripts/release does not render: ${Object.keys(more).join(", ")}`);
  }
  return (resources as readonly string[]).flatMap((entry) => {
    const path = resolve(directory, entry);
    return statSync(path).isDirectory() ? documentsOf(path) : documentsIn(path);
  });
}

function documentsIn(path: string): readonly string[] {
  const documents = readFileSync(path, "utf8").split(/^---\n/m);
  return documents.filter((text) => parse(text) !== null).map((text) => `${text.trimEnd()}\n`);
}

function placeOf(document: string): { readonly rank: number; readonly name: string } {
  const { kind, metadata } = parse(document) as { readonly kind: string; readonly metadata: { readonly name: string } };
  const rank = order.indexOf(kind);
  if (rank < 0) throw new Error(`scripts/release/install-manifest.ts does not say where a ${kind} is applied`);
  return { rank, name: metadata.name };
}

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";
import { findKind } from "../../src/api/kinds.ts";
import { apiVersion } from "../../src/api/names.ts";
import type { KubeObject } from "../../src/kube/types.ts";

export const argocdPath = resolve(fileURLToPath(import.meta.url), "../../../docs/argocd.md");
export const argocdPage = readFileSync(argocdPath, "utf8");

/** A manifest of a page. One with `generateName` has no name. */
export type PageManifest = KubeObject & { readonly spec: object };

/** Every document of every YAML block of a page, in order. */
export function manifestsOf(page: string): readonly PageManifest[] {
  const blocks = [...page.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = ""]) => text);
  return blocks.flatMap((text) =>
    parseAllDocuments(text).map((document) => {
      const [error] = document.errors;
      if (error !== undefined) throw error;
      return document.toJS() as PageManifest;
    }),
  );
}

export function isOurs(object: KubeObject): boolean {
  return object.apiVersion === apiVersion && findKind(object.kind) !== undefined;
}

/** The Application of that page which installs the operator. */
export interface OperatorApplication extends KubeObject {
  readonly spec: {
    readonly source: {
      readonly repoURL: string;
      readonly chart: string;
      readonly helm: { readonly valuesObject: object };
    };
  };
}

/** Finds it. *Errors*: when the page has none. */
export function operatorApplication(): OperatorApplication {
  const found = manifestsOf(argocdPage).find(
    ({ kind, metadata }) => kind === "Application" && metadata.name === "northflank-operator",
  );
  if (found === undefined) throw new Error("docs/argocd.md does not install the operator");
  return found as OperatorApplication;
}

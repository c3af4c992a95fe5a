import { spawnSync } from "node:child_process";
import { parseAllDocuments } from "yaml";
import type { KubeObject } from "../../src/kube/types.ts";
import { goTool } from "./go-tools.ts";

/**
 * The objects that the real `kubectl kustomize DIRECTORY` prints.
 *
 * *Errors*: throws what it printed when it fails, and also when it warns.
 */
export function kustomize(directory: string): readonly KubeObject[] {
  // Folders outside of the directory may be used as they are, files too: the checkout holds both.
  const args = ["kustomize", "--load-restrictor=LoadRestrictionsNone", directory];
  const { status, stdout, stderr } = spawnSync(goTool("kubectl"), args, { encoding: "utf8" });
  if (status !== 0 || stderr !== "") throw new Error(`kubectl kustomize ${directory}: ${stderr}`);
  return parseAllDocuments(stdout).map((document) => document.toJS() as KubeObject);
}

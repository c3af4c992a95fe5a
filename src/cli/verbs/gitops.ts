// pure
import { type ReadObject, textAt } from "./fields.ts";

/**
 * What has to be said about a change of `spec` of an object that a GitOps tool manages; `undefined` where there is none.
 *
 * Flux applies what Git has with force, and keeps fields of the manager of this command line that Git does not have. Argo CD
 * compares only the fields that Git has. So both revert a field exactly where Git sets it too, and never an annotation of ours.
 */
export function gitopsNote(object: ReadObject, body: Readonly<Record<string, object>>): string | undefined {
  const fields = Object.keys(body.spec ?? {}).map((field) => `spec.${field}`);
  const tool = toolOf(object);
  if (tool === undefined || fields.length === 0) return undefined;
  return `is managed by ${tool}: if Git sets ${fields.join(" or ")}, this change will be reverted at its next reconcile; change it there too`;
}

function toolOf({ metadata }: ReadObject): string | undefined {
  const label = (key: string) => textAt(metadata.labels, key);
  const kustomization = label("kustomize.toolkit.fluxcd.io/name");
  if (kustomization !== undefined) {
    return `Flux (Kustomization ${label("kustomize.toolkit.fluxcd.io/namespace") ?? "?"}/${kustomization})`;
  }
  const release = label("helm.toolkit.fluxcd.io/name");
  if (release !== undefined) {
    return `Flux (HelmRelease ${label("helm.toolkit.fluxcd.io/namespace") ?? "?"}/${release})`;
  }
  const tracking = textAt(metadata.annotations, "argocd.argoproj.io/tracking-id");
  const application = tracking?.split(":")[0] ?? label("argocd.argoproj.io/instance");
  return application === undefined ? undefined : `Argo CD (Application ${application})`;
}

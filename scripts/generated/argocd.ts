import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { kinds } from "../../src/api/kinds.ts";
import { group } from "../../src/api/names.ts";
import type { GeneratedFile } from "./file.ts";

const customizations = resolve(fileURLToPath(import.meta.url), "../../../deploy/argocd", group);

/** Fields of a status that change while nothing else does: they are no reason for Argo CD to refresh an application. */
const countersAndTimes = ["budget", "dependents", "nextReconcileTime", "rateLimit"];

/**
 * The scripts of `deploy/argocd/northflank-operator.io/`, which are in the layout of Argo CD's own repository, as its users
 * need them: keys of the ConfigMap `argocd-cm`, and the same as values of the chart `argo-cd`.
 */
export function argocdFiles(): readonly GeneratedFile[] {
  const data = Object.assign(
    {},
    ...kinds.map(({ type, status }) => settingsOf(type.kind, Object.keys(status.properties))),
  );
  const metadata = { name: "argocd-cm", namespace: "argocd" };
  return [
    {
      name: "argocd-cm.yaml",
      text: `# Generated from ${group}/ by "npm run generate". See docs/argocd.md. Merge it into the ConfigMap of Argo CD: kubectl
# apply would take away the keys that are not in it.
#   kubectl --namespace argocd patch configmap argocd-cm --type merge --patch-file argocd-cm.yaml
${yaml({ apiVersion: "v1", kind: "ConfigMap", metadata, data })}`,
    },
    {
      name: "helm-values.yaml",
      text: `# Generated from ${group}/ by "npm run generate". See docs/argocd.md. Values of the Helm chart argo-cd:
#   helm upgrade argocd argo/argo-cd --namespace argocd --reuse-values --values helm-values.yaml
${yaml({ configs: { cm: data } })}`,
    },
  ];
}

function settingsOf(kind: string, statusFields: readonly string[]): Readonly<Record<string, string>> {
  const key = (setting: string) => `resource.customizations.${setting}.${group}_${kind}`;
  const ignored = countersAndTimes.filter((field) => statusFields.includes(field)).map((field) => `/status/${field}`);
  return {
    [key("health")]: script(kind, "health.lua"),
    [key("actions")]: yaml({ "discovery.lua": script(kind, "actions", "discovery.lua"), definitions: actionsOf(kind) }),
    ...(ignored.length === 0 ? {} : { [key("ignoreResourceUpdates")]: yaml({ jsonPointers: ignored }) }),
  };
}

function actionsOf(kind: string): readonly object[] {
  const folders = readdirSync(join(customizations, kind, "actions"), { withFileTypes: true });
  const names = folders.filter((entry) => entry.isDirectory() && entry.name !== "testdata").map(({ name }) => name);
  return names.sort().map((name) => ({ name, "action.lua": script(kind, "actions", name, "action.lua") }));
}

function script(...path: readonly string[]): string {
  return readFileSync(join(customizations, ...path), "utf8");
}

function yaml(value: object): string {
  return stringify(value, { lineWidth: 0 });
}

import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parse, parseAllDocuments, stringify } from "yaml";
import type { KubeObject } from "../../src/kube/types.ts";
import type { Cluster } from "./cluster.ts";
import { resourceTypeOf } from "./manifests.ts";

/** The Roles and ClusterRoles of a page of docs/. */
export function rolesIn(page: string): readonly KubeObject[] {
  const text = readFileSync(resolve(import.meta.dirname, "../../docs", page), "utf8");
  return [...text.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)]
    .flatMap(([, yaml = ""]) => parseAllDocuments(yaml).map((document) => document.toJS() as KubeObject))
    .filter(({ kind }) => kind === "Role" || kind === "ClusterRole");
}

/** The Roles of docs/verbs.md, by name. */
export const rolesOfPage: ReadonlyMap<string, KubeObject> = new Map(
  rolesIn("verbs.md").map((role) => [role.metadata.name, role]),
);

/** The path of a kubeconfig for somebody who has exactly these Roles of docs/verbs.md in the namespace. */
export async function kubeconfigWithRoles(
  cluster: Cluster,
  namespace: string,
  names: readonly string[],
): Promise<string> {
  const roles = names.map((name) => {
    const role = rolesOfPage.get(name);
    if (role === undefined) throw new Error(`docs/verbs.md has no Role ${name}`);
    return role;
  });
  return await kubeconfigWith(cluster, namespace, { account: names.join("-"), roles });
}

/**
 * The path of a kubeconfig for somebody who has exactly these Roles in the namespace, and these ClusterRoles. The sandbox
 * takes every token for an administrator's: only a real server refuses what they lack.
 */
export async function kubeconfigWith(
  cluster: Cluster,
  namespace: string,
  { account, roles }: { readonly account: string; readonly roles: readonly KubeObject[] },
): Promise<string> {
  if (cluster.kind === "sandbox") return cluster.kubeconfigPath;
  const create = (object: KubeObject) => cluster.client.create(resourceTypeOf(object), object);
  await create({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: account, namespace } });
  for (const role of roles) {
    const { kind, metadata } = role;
    const place = kind === "Role" ? { namespace } : {};
    const own = kind === "Role" ? { ...metadata, namespace } : metadata;
    await cluster.client.apply(resourceTypeOf(role), { ...role, metadata: own }, {});
    await create({
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: `${kind}Binding`,
      metadata: { name: kind === "Role" ? `${account}-${metadata.name}` : `${namespace}-${account}`, ...place },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind, name: metadata.name },
      subjects: [{ kind: "ServiceAccount", name: account, namespace }],
    } as KubeObject);
  }
  const body = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { expirationSeconds: 3_600 } };
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`;
  const answer = await cluster.request("POST", path, { body });
  const token = (answer.body as { readonly status?: { readonly token?: string } }).status?.token;
  if (token === undefined) throw new Error(`no token for ${account}: HTTP ${answer.status}`);
  const config = parse(readFileSync(cluster.kubeconfigPath, "utf8"));
  config.users = [{ name: config.users[0].name, user: { token } }];
  // Beside that of the administrator, and removed with it.
  const file = join(dirname(cluster.kubeconfigPath), `${namespace}-${account}.kubeconfig`);
  writeFileSync(file, stringify(config), { mode: 0o600 });
  return file;
}

import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parse, stringify } from "yaml";
import type { KubeObject } from "../../src/kube/types.ts";
import type { Cluster } from "./cluster.ts";
import { resourceTypeOf } from "./manifests.ts";

const page = resolve(import.meta.dirname, "../../docs/verbs.md");

/** The Roles of docs/verbs.md, by name. */
export const rolesOfPage: ReadonlyMap<string, KubeObject> = new Map(
  [...readFileSync(page, "utf8").matchAll(/^```yaml\n([\s\S]*?)^```$/gm)]
    .map(([, yaml = ""]) => parse(yaml) as KubeObject)
    .filter(({ kind }) => kind === "Role")
    .map((role) => [role.metadata.name, role]),
);

/**
 * The path of a kubeconfig for somebody who has exactly these Roles of docs/verbs.md in the namespace. The sandbox takes
 * every token for an administrator's: only a real server refuses what a Role lacks.
 */
export async function kubeconfigWithRoles(
  cluster: Cluster,
  namespace: string,
  names: readonly string[],
): Promise<string> {
  if (cluster.kind === "sandbox") return cluster.kubeconfigPath;
  const account = names.join("-");
  const create = (object: KubeObject) => cluster.client.create(resourceTypeOf(object), object);
  await create({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: account, namespace } });
  for (const name of names) {
    const role = rolesOfPage.get(name);
    if (role === undefined) throw new Error(`docs/verbs.md has no Role ${name}`);
    await cluster.client.apply(resourceTypeOf(role), { ...role, metadata: { ...role.metadata, namespace } }, {});
    await create({
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "RoleBinding",
      metadata: { name: `${account}-${name}`, namespace },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name },
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

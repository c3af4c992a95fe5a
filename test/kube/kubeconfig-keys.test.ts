import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { stanzaKeys } from "../../src/kube/kubeconfig-stanzas.ts";

// The JSON names of tools/clientcmd/api/v1/types.go in client-go v0.36.3. A field that Kubernetes adds must be handled here,
// or be refused by name: what the table lacks is refused as unknown.
const typesOfKubernetes: Readonly<Record<keyof typeof stanzaKeys, readonly string[]>> = {
  cluster: [
    "server",
    "tls-server-name",
    "insecure-skip-tls-verify",
    "certificate-authority",
    "certificate-authority-data",
    "proxy-url",
    "disable-compression",
    "extensions",
  ],
  user: [
    "client-certificate",
    "client-certificate-data",
    "client-key",
    "client-key-data",
    "token",
    "tokenFile",
    "as",
    "as-uid",
    "as-groups",
    "as-user-extra",
    "username",
    "password",
    "auth-provider",
    "exec",
    "extensions",
  ],
  context: ["cluster", "user", "namespace", "extensions"],
  exec: ["command", "args", "env", "apiVersion", "installHint", "provideClusterInfo", "interactiveMode"],
  "auth-provider": ["name", "config"],
};
const goTypes: Readonly<Record<keyof typeof stanzaKeys, string>> = {
  cluster: "Cluster",
  user: "AuthInfo",
  context: "Context",
  exec: "ExecConfig",
  "auth-provider": "AuthProviderConfig",
};
const kinds = Object.keys(stanzaKeys) as (keyof typeof stanzaKeys)[];

describe("the keys of a kubeconfig", () => {
  test.each(kinds)("%s: every key of Kubernetes is in our table, and no other", (kind) => {
    expect(Object.keys(stanzaKeys[kind]).sort()).toEqual(typesOfKubernetes[kind].toSorted());
  });
});

// `npm run test:cluster` builds the API server from its Go modules, and then the types themselves are on this machine.
const source = sourceOfTypes();
if (source === undefined) process.stderr.write("client-go is in no Go module cache: its types are not compared\n");

describe.skipIf(source === undefined)("the types of client-go", () => {
  test.each(kinds)("%s: what is written down here is what they say", (kind) => {
    expect(jsonNames(source ?? "", goTypes[kind])).toEqual(typesOfKubernetes[kind]);
  });
});

function sourceOfTypes(): string | undefined {
  const { stdout, status } = spawnSync("go", ["env", "GOMODCACHE"], { encoding: "utf8" });
  const folder = status === 0 ? join(stdout.trim(), "k8s.io") : "";
  if (!existsSync(folder)) return undefined;
  const newest = readdirSync(folder)
    .filter((name) => name.startsWith("client-go@v"))
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }))
    .at(-1);
  const path = join(folder, newest ?? "", "tools/clientcmd/api/v1/types.go");
  return newest !== undefined && existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

function jsonNames(go: string, type: string): readonly string[] {
  const [, body = ""] = new RegExp(`^type ${type} struct \\{\\n([\\s\\S]*?)^\\}`, "m").exec(go) ?? [];
  return [...body.matchAll(/`json:"([^",]+)/g)].map(([, name = ""]) => name);
}

import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { published } from "../../scripts/published.ts";
import { parseConfig } from "../../src/config.ts";
import type { KubeObject } from "../../src/kube/types.ts";
import { kustomize } from "../support/kustomize.ts";
import { renderKustomization, resourceTypeOf } from "../support/manifests.ts";

// What a real kustomize makes of deploy/ and its overlays.

const root = resolve(fileURLToPath(import.meta.url), "../../..");

// biome-ignore lint/suspicious/noExplicitAny: manifests of many kinds, read by path; a wrong path fails the assertion.
type Manifest = KubeObject & Record<string, any>;

let base: readonly KubeObject[];
/** A copy of what kustomize reads, with a folder `mine` for what a user writes. */
let checkout: string;

beforeAll(() => {
  base = kustomize(join(root, "deploy"));
  checkout = mkdtempSync(join(tmpdir(), "overlays-"));
  for (const folder of ["deploy", "crds"]) cpSync(join(root, folder), join(checkout, folder), { recursive: true });
});
afterAll(() => rmSync(checkout, { recursive: true, force: true }));

test("the base is what the other tests look at", () => {
  expect(byName(base)).toEqual(byName(renderKustomization(join(root, "deploy"))));
});

const role = "Role shop/northflank-operator";
const namespaced = [
  "- ClusterRole northflank-operator",
  "- ClusterRoleBinding northflank-operator",
  `+ ${role}`,
  "+ RoleBinding shop/northflank-operator",
  'Deployment northflank-operator/northflank-operator spec.template.spec.containers.0.args.1: undefined -> "--watch-namespaces=shop"',
];
const differences: Readonly<Record<string, readonly string[]>> = {
  cluster: [],
  namespaced,
  "single-replica": [
    "- PodDisruptionBudget northflank-operator/northflank-operator",
    "Deployment northflank-operator/northflank-operator spec.replicas: 2 -> 1",
    'Deployment northflank-operator/northflank-operator spec.strategy.rollingUpdate: {"maxSurge":1,"maxUnavailable":0} -> undefined',
    'Deployment northflank-operator/northflank-operator spec.strategy.type: "RollingUpdate" -> "Recreate"',
    'Deployment northflank-operator/northflank-operator spec.template.spec.topologySpreadConstraints: [{"labelSelector":{"matchLabels":{"app.kubernetes.io/name":"northflank-operator"}},"maxSkew":1,"topologyKey":"kubernetes.io/hostname","whenUnsatisfiable":"ScheduleAnyway"}] -> undefined',
  ],
};

test.each(Object.entries(differences))("the overlay %s differs from the base in this", (name, expected) => {
  const rendered = kustomize(join(root, "deploy/overlays", name));
  expect(differencesOf(base, rendered)).toEqual(sorted(expected));
});

test("the component webhook adds the listener, its Service and the way in, and nothing else does", () => {
  const rendered = kustomize(join(root, "test/packaging/webhook"));
  const operator = "northflank-operator/northflank-operator";
  expect(differencesOf(base, rendered)).toEqual(
    sorted([
      "+ Service northflank-operator/northflank-operator-webhook",
      `Deployment ${operator} spec.template.spec.containers.0.args.1: undefined -> "--webhook-bind-address=:8082"`,
      `Deployment ${operator} spec.template.spec.containers.0.ports.2: undefined -> {"containerPort":8082,"name":"webhook"}`,
      `Deployment ${operator} spec.template.spec.containers.0.env.1: undefined -> {"name":"POD_IP","valueFrom":{"fieldRef":{"fieldPath":"status.podIP"}}}`,
      `NetworkPolicy ${operator} spec.ingress.0.ports.2: undefined -> {"port":"webhook","protocol":"TCP"}`,
      `NetworkPolicy ${operator} spec.egress.2: undefined -> {"ports":[{"port":"webhook","protocol":"TCP"}],"to":[{"podSelector":{"matchLabels":{"app.kubernetes.io/name":"northflank-operator"}}}]}`,
    ]),
  );
  const operatorOf = rendered.map((one) => one as Manifest).find(({ kind }) => kind === "Deployment");
  const args: readonly string[] | undefined = operatorOf?.spec.template.spec.containers[0].args;
  expect(parseConfig({ args: args?.slice(1) ?? [], env: {} })).toMatchObject({
    kind: "config",
    config: { webhookBindAddress: { port: 8_082 } },
  });
});

describe("the namespaced overlay", () => {
  test("grants in the watched namespace what the base grants everywhere, and nothing beyond it", () => {
    const rendered = kustomize(join(root, "deploy/overlays/namespaced"));
    expect(find(rendered, role).rules).toEqual(find(base, "ClusterRole northflank-operator").rules);
    expect(rightsOf(rendered)).toEqual({
      "RoleBinding northflank-operator/northflank-operator-leader-election":
        "Role northflank-operator-leader-election to northflank-operator/northflank-operator",
      "RoleBinding shop/northflank-operator": "Role northflank-operator to northflank-operator/northflank-operator",
    });
    expect(rendered.filter(({ kind }) => kind.startsWith("Cluster"))).toEqual([]);
  });

  test("needs nothing but rights in namespaces without the objects of the cluster", () => {
    const rendered = mine({
      "kustomization.yaml": `
        resources: [../deploy/overlays/namespaced]
        components: [../deploy/components/without-cluster-objects]`,
    });
    expect(rendered.filter((object) => !resourceTypeOf(object).namespaced)).toEqual([]);
    const left = base.filter(({ kind }) => kind === "Namespace" || kind === "CustomResourceDefinition");
    expect(left).toHaveLength(5);
    expect(differencesOf(base, rendered)).toEqual(
      sorted([...namespaced, ...left.map((object) => `- ${nameOf(object)}`)]),
    );
  });

  test("is for two namespaces after the three steps that it names", () => {
    const files = overlayFiles();
    const rendered = mine({
      "shop/kustomization.yaml": files.shop,
      "billing/kustomization.yaml": files.shop.replaceAll("shop", "billing"),
      "kustomization.yaml": files.overlay
        .replace("  - shop\n", "  - shop\n  - billing\n")
        .replace("--watch-namespaces=shop", "--watch-namespaces=shop,billing"),
    });
    expect(watchedNamespaces(rendered)).toEqual(["shop", "billing"]);
    for (const namespace of ["shop", "billing"]) {
      const granted = find(rendered, `Role ${namespace}/northflank-operator`);
      expect(granted.rules).toEqual(find(base, "ClusterRole northflank-operator").rules);
      expect(find(rendered, `RoleBinding ${namespace}/northflank-operator`).subjects).toEqual([
        { kind: "ServiceAccount", name: "northflank-operator", namespace: "northflank-operator" },
      ]);
    }
  });

  test("watches the namespaces that it has rights in", () => {
    const rendered = kustomize(join(root, "deploy/overlays/namespaced"));
    const granted = rendered
      .filter(({ kind, metadata }) => kind === "Role" && metadata.name === "northflank-operator")
      .map(({ metadata }) => metadata.namespace);
    expect(watchedNamespaces(rendered)).toEqual(granted);
  });
});

test("another registry, another namespace and one replica go together", () => {
  const rendered = mine({
    "kustomization.yaml": `
      namespace: ops
      resources: [../deploy/base]
      components: [../deploy/components/single-replica]
      images:
        - name: ${published().image}
          newName: registry.example.com/northflank-operator`,
  });
  const deployment = find(rendered, "Deployment ops/northflank-operator");
  expect(deployment.spec.replicas).toBe(1);
  expect(deployment.spec.template.spec.containers[0].image).toBe(
    `registry.example.com/northflank-operator:${published().version}`,
  );
  expect(rendered.filter(({ kind }) => kind === "Namespace").map(({ metadata }) => metadata.name)).toEqual(["ops"]);
  expect(new Set(Object.values(rightsOf(rendered)).map((line) => line.split(" to ")[1]))).toEqual(
    new Set(["ops/northflank-operator"]),
  );
});

describe("docs/kustomize.md", () => {
  const page = readFileSync(join(root, "docs/kustomize.md"), "utf8");
  const blocks = [...page.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, text = ""]) => text);

  /** The only block with this text. */
  function block(text: string): string {
    const found = blocks.filter((one) => one.includes(text));
    if (found.length !== 1) throw new Error(`docs/kustomize.md has ${found.length} blocks with ${text}`);
    return found[0] as string;
  }

  test("shows how to take the image from a private registry", () => {
    const { repository, version, image } = published();
    const text = block("//deploy?ref=").replace(`${repository}//deploy?ref=v${version}`, "../deploy");
    const rendered = mine({ "kustomization.yaml": text });
    expect(differencesOf(base, rendered)).toEqual([
      `Deployment northflank-operator/northflank-operator spec.template.spec.containers.0.image: "${image}:${version}" -> "registry.example.com/northflank-operator:${version}"`,
    ]);
  });

  test("shows how to leave out the objects of the cluster", () => {
    const text = block("without-cluster-objects").replaceAll("../../components", "../deploy/components");
    const rendered = mine({ "kustomization.yaml": text.replace("../namespaced", "../deploy/overlays/namespaced") });
    expect(rendered.filter((object) => !resourceTypeOf(object).namespaced)).toEqual([]);
    expect(find(rendered, role).rules).toEqual(find(base, "ClusterRole northflank-operator").rules);
  });

  test("shows how the operator is in another namespace than northflank-operator", () => {
    const rendered = mine({
      "operator/kustomization.yaml": "namespace: ops\nresources: [../../deploy/base]\n",
      "shop/kustomization.yaml": block("/subjects/0/namespace").replace("../../../watched", "../../deploy/watched"),
      "kustomization.yaml": "resources: [operator, shop]\n",
    });
    const subjects = Object.values(rightsOf(rendered)).map((line) => line.split(" to ")[1]);
    expect(subjects).toEqual(Array(3).fill("ops/northflank-operator"));
    expect(find(rendered, "ServiceAccount ops/northflank-operator")).toBeDefined();
  });
});

/** Renders a folder of a user's, beside a checkout of the operator: file name to text. */
function mine(files: Readonly<Record<string, string>>): readonly Manifest[] {
  const folder = mkdtempSync(join(checkout, "mine-"));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return kustomize(folder);
}

/** The overlay's two files, with paths as they are after a copy to {@link mine}. */
function overlayFiles(): { readonly overlay: string; readonly shop: string } {
  const read = (name: string) => readFileSync(join(root, "deploy/overlays/namespaced", name), "utf8");
  return {
    overlay: read("kustomization.yaml").replace("../../base", "../deploy/base"),
    shop: read("shop/kustomization.yaml").replace("../../../watched-namespace", "../../deploy/watched-namespace"),
  };
}

/** What the operator makes of the arguments of its Deployment. */
function watchedNamespaces(objects: readonly KubeObject[]): readonly string[] {
  const [container] = find(objects, "Deployment northflank-operator/northflank-operator").spec.template.spec.containers;
  const [command, ...args] = container.args;
  expect(command).toBe("run");
  const read = parseConfig({ args, env: {} });
  if (read.kind !== "config") throw new Error(JSON.stringify(read));
  return read.config.watchNamespaces;
}

/** Each binding, with its role and its only subject. */
function rightsOf(objects: readonly KubeObject[]): Readonly<Record<string, string>> {
  const bindings = objects.filter(({ kind }) => kind.endsWith("Binding")) as readonly Manifest[];
  return Object.fromEntries(
    bindings.map((binding) => {
      const [subject, ...others] = binding.subjects;
      expect(others).toEqual([]);
      const { kind, name } = binding.roleRef;
      return [nameOf(binding), `${kind} ${name} to ${subject.namespace}/${subject.name}`];
    }),
  );
}

/** What is missing (-), added (+) or another value in `after`. Lists of the same length are compared item by item. */
function differencesOf(before: readonly KubeObject[], after: readonly KubeObject[]): readonly string[] {
  const [old, now] = [byName(before), byName(after)];
  const missing = Object.keys(old).filter((name) => !(name in now));
  const added = Object.keys(now).filter((name) => !(name in old));
  const changed = Object.keys(old)
    .filter((name) => name in now)
    .flatMap((name) => valueDifferences(old[name], now[name], "").map((line) => `${name} ${line}`));
  return sorted([...missing.map((name) => `- ${name}`), ...added.map((name) => `+ ${name}`), ...changed]);
}

function valueDifferences(before: unknown, after: unknown, path: string): readonly string[] {
  if (typeof before !== "object" || typeof after !== "object" || before === null || after === null) {
    return Object.is(before, after) ? [] : [`${path}: ${JSON.stringify(before)} -> ${JSON.stringify(after)}`];
  }
  return sorted([...new Set([...Object.keys(before), ...Object.keys(after)])]).flatMap((key) => {
    const at = path === "" ? key : `${path}.${key}`;
    return valueDifferences((before as Manifest)[key], (after as Manifest)[key], at);
  });
}

function find(objects: readonly KubeObject[], name: string): Manifest {
  const found = byName(objects)[name];
  if (found === undefined) throw new Error(`there is no ${name}`);
  return found as Manifest;
}

function byName(objects: readonly KubeObject[]): Readonly<Record<string, KubeObject>> {
  return Object.fromEntries(objects.map((object) => [nameOf(object), object]));
}

function nameOf({ kind, metadata }: KubeObject): string {
  return metadata.namespace === undefined
    ? `${kind} ${metadata.name}`
    : `${kind} ${metadata.namespace}/${metadata.name}`;
}

function sorted(lines: readonly string[]): readonly string[] {
  return lines.toSorted();
}

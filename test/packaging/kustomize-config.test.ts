import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { stringify } from "yaml";
import type { KubeObject } from "../../src/kube/types.ts";
import { kustomize } from "../support/kustomize.ts";
import { isImage, type Leaf, leaves, references, referent } from "../support/spec-texts.ts";

// deploy/kustomize-config with a real kustomize, on objects that have every image and every reference.

const root = resolve(fileURLToPath(import.meta.url), "../../..");
const component = join(root, "deploy/kustomize-config");
const group = "northflank-operator.io";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "kustomize-"));
  cpSync(component, join(folder, "component"), { recursive: true });
  mkdirSync(join(folder, "app"));
  const objects = ["NorthflankConnection", "NorthflankDeployment", "NorthflankJob", "NorthflankJobRun"].map(
    objectWithAll,
  );
  writeFileSync(join(folder, "app/app.yaml"), objects.map((object) => stringify(object)).join("---\n"));
  const kustomization = {
    namePrefix: "staging-",
    resources: ["app.yaml"],
    components: ["../component"],
    images: [{ name: "ghcr.io/acme/api", newTag: "1.5.0" }],
    secretGenerator: [{ name: "generated", literals: ["a=b"] }],
    configMapGenerator: [{ name: "generated", literals: ["a=b"] }],
  };
  writeFileSync(join(folder, "app/kustomization.yaml"), stringify(kustomization));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("it reaches every image and every reference of every kind", () => {
  const rendered = kustomize(join(folder, "app"));
  const secret = rendered.find(({ kind }) => kind === "Secret")?.metadata.name;
  const configMap = rendered.find(({ kind }) => kind === "ConfigMap")?.metadata.name;
  expect([secret, configMap]).toEqual([
    expect.stringMatching(/^staging-generated-./),
    expect.stringMatching(/^staging-generated-./),
  ]);
  const names: Readonly<Record<string, unknown>> = {
    Secret: secret,
    ConfigMap: configMap,
    NorthflankConnection: "staging-main",
    NorthflankJobRun: "staging-main",
  };
  const wrong = references
    .filter((leaf) => valueAt(rendered, leaf) !== names[referent(leaf) ?? ""])
    .map((leaf) => [leaf.kind, leaf.path.join("."), valueAt(rendered, leaf)]);
  expect(wrong).toEqual([]);
  for (const leaf of leaves.filter(isImage)) expect(valueAt(rendered, leaf)).toBe("ghcr.io/acme/api:1.5.0");
});

test("it renders the example as docs/kustomize.md tells", () => {
  const rendered = kustomize(join(root, "examples/kustomize"));
  const [connection, api, migrate] = ["NorthflankConnection", "NorthflankDeployment", "NorthflankJobRun"].map(
    (wanted) => rendered.find(({ kind }) => kind === wanted) as Rendered | undefined,
  );
  expect(connection?.metadata.name).toBe("staging-default");
  expect(api?.spec).toMatchObject({
    connectionRef: { name: "staging-default" },
    deployment: { external: { imagePath: "ghcr.io/acme/api:1.5.0" } },
    waitFor: [{ jobRunRef: { name: "staging-migrate" } }],
  });
  expect(JSON.stringify(migrate?.spec)).toMatch(
    /"ghcr.io\/acme\/migrate:1.5.0@sha256:[0-9a-f]{64}".*"staging-database-[a-z0-9]+".*"staging-settings-[a-z0-9]+"/,
  );
});

type Rendered = KubeObject & { readonly spec?: unknown };

/** An object with each image and each reference of its kind. */
function objectWithAll(kind: string): object {
  const object = { apiVersion: `${group}/v1alpha1`, kind, metadata: { name: "main" } };
  for (const leaf of leaves.filter((each) => each.kind === kind)) {
    const named = referent(leaf);
    const value = isImage(leaf)
      ? "ghcr.io/acme/api:0.0.0"
      : named?.startsWith("Northflank")
        ? "main"
        : named && "generated";
    if (value !== undefined) put(object, leaf.path, value);
  }
  return object;
}

function put(target: object, [part = "", ...rest]: readonly string[], value: string): void {
  const record = target as Record<string, unknown>;
  const key = part === "[]" ? "0" : part;
  if (rest.length === 0) {
    record[key] = value;
    return;
  }
  record[key] ??= rest[0] === "[]" ? [] : {};
  put(record[key] as object, rest, value);
}

function valueAt(rendered: readonly KubeObject[], { kind, path }: Leaf): unknown {
  const found: unknown = rendered.find((each) => each.kind === kind);
  return path.reduce<unknown>(
    (value, part) => (value as Record<string, unknown> | undefined)?.[part === "[]" ? "0" : part],
    found,
  );
}

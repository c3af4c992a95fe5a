import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, parseAllDocuments, stringify } from "yaml";
import { kustomizeFiles } from "../scripts/generated/kustomize.ts";
import { crdFiles } from "../src/cli/crds.ts";

// deploy/kustomize-config makes kustomize know our kinds. What it has to name is read from the CRDs here, by other code than that
// which generates it, and then kustomize itself is run on objects that have every such field.

const root = resolve(fileURLToPath(import.meta.url), "../..");
const component = join(root, "deploy/kustomize-config");
const group = "northflank-operator.io";

interface FieldSpec {
  readonly path: string;
  readonly kind: string;
  readonly group: string;
}

const config: {
  readonly images: readonly FieldSpec[];
  readonly nameReference: readonly {
    readonly kind: string;
    readonly group?: string;
    readonly fieldSpecs: readonly FieldSpec[];
  }[];
  readonly varReference: readonly FieldSpec[];
} = parse(readFileSync(join(component, "northflank.yaml"), "utf8"));

test.each(kustomizeFiles())(
  "deploy/kustomize-config/$name is what the schemas say now (else: npm run generate)",
  ({ name, text }) => {
    expect(readFileSync(join(component, name), "utf8")).toBe(text);
  },
);

interface Json {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Json>>;
  readonly items?: Json;
  readonly additionalProperties?: Json;
}

interface Leaf {
  readonly kind: string;
  /** From `spec` on, with `[]` for the items of lists and `*` for the values of maps. */
  readonly path: readonly string[];
}

/** Every text of every spec, as the CRDs have them. */
const leaves = crdFiles().flatMap(({ text }): readonly Leaf[] => {
  const crd = parse(text);
  return leavesOf(crd.spec.versions[0].schema.openAPIV3Schema.properties.spec, {
    kind: crd.spec.names.kind,
    path: ["spec"],
  });
});

function leavesOf(schema: Json, at: Leaf): readonly Leaf[] {
  const into = (part: string, inner: Json) => leavesOf(inner, { ...at, path: [...at.path, part] });
  if (schema.items) return into("[]", schema.items);
  if (schema.additionalProperties) return into("*", schema.additionalProperties);
  if (schema.properties) return Object.entries(schema.properties).flatMap(([name, inner]) => into(name, inner));
  return schema.type === "string" && schema.enum === undefined ? [at] : [];
}

/** What a field names: by the end of its path. */
function referent({ path }: Leaf): string | undefined {
  const [field = "", name] = path.slice(-2);
  if (name !== "name" || !field.endsWith("Ref")) return undefined;
  if (/secret/i.test(field)) return "Secret";
  if (/configMap/i.test(field)) return "ConfigMap";
  return { connectionRef: "NorthflankConnection", jobRunRef: "NorthflankJobRun" }[field] ?? `what ${field} names`;
}

const isImage = ({ path }: Leaf) => path.at(-1) === "imagePath";
const references = leaves.filter((leaf) => referent(leaf) !== undefined);
/** A map of objects has no place where kustomize could look: contents of files, in base64. */
const texts = leaves.filter((leaf) => referent(leaf) === undefined && !leaf.path.slice(0, -1).includes("*"));

function fieldSpec({ kind, path }: Leaf): FieldSpec {
  return { path: path.filter((part) => part !== "[]" && part !== "*").join("/"), kind, group };
}

describe("the configuration names", () => {
  test("every image", () => {
    const images = leaves.filter(isImage).map(fieldSpec);
    expect(images.length).toBeGreaterThan(1);
    expect(config.images).toEqual(expect.arrayContaining(images));
    expect(config.images).toHaveLength(images.length);
  });

  test("every reference, under what it names", () => {
    const wanted = references.map((leaf) => ({ referent: referent(leaf), ...fieldSpec(leaf) }));
    const named = config.nameReference.flatMap(({ kind, fieldSpecs }) =>
      fieldSpecs.map((field) => ({ referent: kind, ...field })),
    );
    expect(wanted.length).toBeGreaterThan(15);
    expect(sorted(named)).toEqual(sorted(wanted));
  });

  test("every text in which a variable may stand", () => {
    expect(sorted(config.varReference)).toEqual(sorted(texts.map(fieldSpec)));
  });
});

function sorted(values: readonly object[]): readonly string[] {
  return values.map((value) => JSON.stringify(value)).toSorted();
}

const version = spawnSync("kubectl", ["kustomize", "--help"], { encoding: "utf8" });
const hasKustomize = version.status === 0;

test.skipIf(hasKustomize)("kustomize is not run: there is no kubectl in the path of this machine", () => undefined);

describe.runIf(hasKustomize)("kubectl kustomize", () => {
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

  test("reaches every image and every reference of every kind", () => {
    const rendered = render(join(folder, "app"));
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

  test("renders the example as docs/kustomize.md tells", () => {
    const rendered = render(join(root, "examples/kustomize"));
    const [connection, api, migrate] = ["NorthflankConnection", "NorthflankDeployment", "NorthflankJobRun"].map(
      (wanted) => rendered.find(({ kind }) => kind === wanted),
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
});

interface Rendered {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec?: unknown;
}

function render(directory: string): readonly Rendered[] {
  const { status, stdout, stderr } = spawnSync(
    "kubectl",
    ["kustomize", "--load-restrictor=LoadRestrictionsNone", directory],
    {
      encoding: "utf8",
    },
  );
  expect([status, stderr]).toEqual([0, ""]);
  return parseAllDocuments(stdout).map((document) => document.toJS());
}

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

function valueAt(rendered: readonly Rendered[], { kind, path }: Leaf): unknown {
  const found: unknown = rendered.find((each) => each.kind === kind);
  return path.reduce<unknown>(
    (value, part) => (value as Record<string, unknown> | undefined)?.[part === "[]" ? "0" : part],
    found,
  );
}

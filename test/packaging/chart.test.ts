import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { published } from "../../scripts/published.ts";
import { parseConfig } from "../../src/config.ts";
import type { KubeObject } from "../../src/kube/types.ts";
import { operatorApplication } from "../support/argocd-page.ts";
import { chartFolder, containerOf, type Manifest, renderChart, templateChart, valuesFile } from "../support/chart.ts";
import { goTool } from "../support/go-tools.ts";
import { renderKustomization } from "../support/manifests.ts";

// The Helm chart as Helm renders it. After a change on purpose: UPDATE_GOLDEN=1 npm run test:packaging

const root = resolve(fileURLToPath(import.meta.url), "../../..");
const { version } = published();

function keyOf({ kind, metadata }: KubeObject): string {
  return [kind, metadata.namespace, metadata.name].filter((part) => part !== undefined).join("/");
}

describe("for default values the chart renders", () => {
  const base = renderKustomization(join(root, "deploy")) as readonly Manifest[];
  const objects = renderChart();

  test("the objects of the kustomize base, but for the Namespace, which Helm makes or finds", () => {
    const expected = base.filter(({ kind }) => kind !== "Namespace").map(keyOf);
    expect(objects.map(keyOf).toSorted()).toEqual(expected.toSorted());
    expect(expected.length).toBe(base.length - 1);
  });

  test.each(base.filter(({ kind }) => kind !== "Namespace").map((object) => [keyOf(object), object] as const))(
    "%s as in the base, field by field",
    (key, expected) => {
      const found = objects.find((object) => keyOf(object) === key);
      expect(found).toEqual(withWhatHelmAdds(expected));
    },
  );

  /** The only differences: these labels, the instance in every selector, and what keeps CRDs. */
  function withWhatHelmAdds(object: Manifest): Manifest {
    const { kind, spec, metadata } = structuredClone(object);
    const instance = { "app.kubernetes.io/instance": "northflank-operator" };
    if (kind === "CustomResourceDefinition") {
      return { ...object, metadata: { ...metadata, annotations: { "helm.sh/resource-policy": "keep" } } };
    }
    const labels = {
      ...metadata.labels,
      ...instance,
      "app.kubernetes.io/version": version,
      "app.kubernetes.io/managed-by": "Helm",
      "helm.sh/chart": `northflank-operator-${version}`,
    };
    const selectors = [
      spec?.selector?.matchLabels ?? (kind === "Service" ? spec.selector : undefined),
      spec?.podSelector?.matchLabels,
      spec?.template?.metadata.labels,
      ...(spec?.template?.spec.topologySpreadConstraints ?? []).map((one: Manifest) => one.labelSelector.matchLabels),
    ];
    for (const selector of selectors) if (selector !== undefined) Object.assign(selector, instance);
    return { ...object, ...(spec === undefined ? {} : { spec }), metadata: { ...metadata, labels } };
  }
});

describe("golden files", () => {
  test.each([
    ["default", {}],
    ["namespaced", { files: [valuesFile("namespaced")] }],
    ["full", { files: [valuesFile("full")] }],
  ] as const)("%s (else: UPDATE_GOLDEN=1 npm run test:packaging)", (name, options) => {
    const path = join(root, "test/packaging/golden", `${name}.yaml`);
    const found = goldenOf(templateChart(options));
    if (process.env.UPDATE_GOLDEN) writeFileSync(path, found);
    expect(found).toBe(readFileSync(path, "utf8"));
  });

  /** Without the CRDs, which are compared with those of the base, and for any version. */
  function goldenOf(text: string): string {
    return text
      .split(/^(?=---\n)/m)
      .filter((document) => !document.includes("/templates/crds/"))
      .join("")
      .replaceAll(
        new RegExp(`(?<=northflank-operator[-:]|/version: |/blob/v)${version.replaceAll(".", "\\.")}`, "g"),
        "VERSION",
      );
  }
});

describe.each(["default", "namespaced", "full"] as const)("the arguments of %s", (name) => {
  test("are a configuration that the program takes", () => {
    const objects = renderChart({ files: name === "default" ? [] : [valuesFile(name)] });
    const [command, ...args] = containerOf(objects).args;
    expect(command).toBe("run");
    expect(parseConfig({ args, env: {} })).toMatchObject({ kind: "config" });
  });
});

describe("test/packaging/values/full.yaml", () => {
  const text = readFileSync(valuesFile("full"), "utf8");
  const full = leavesOf(parse(text));
  const defaults = leavesOf(parse(readFileSync(join(chartFolder, "values.yaml"), "utf8")));
  /** What the comment at its head names, with the reason. */
  const leftOut = text
    .split("\n#\n")[0]
    ?.replaceAll(/\n# {3}/g, " ")
    .split("\n")
    .flatMap((line) => /^# - ([^:]+): ./.exec(line)?.[1]?.split(", ") ?? []);

  test("sets every value to something that is not its default, but for those that it says it leaves out", () => {
    const same = Object.keys(defaults).filter((path) => isSame(full[path], defaults[path]));
    expect(same.toSorted()).toEqual(leftOut?.toSorted());
    expect(Object.keys(full).length).toBeGreaterThan(80);
  });

  function isSame(value: unknown, fallback: unknown): boolean {
    return value === undefined || JSON.stringify(value) === JSON.stringify(fallback);
  }
});

/** Values by path. What is Kubernetes' own (labels, resources, ...) is one value, by the first key that is not the chart's. */
function leavesOf(values: object): Readonly<Record<string, unknown>> {
  const schema = JSON.parse(readFileSync(join(chartFolder, "values.schema.json"), "utf8"));
  return Object.fromEntries(walk(values, schema, []));
}

function walk(value: unknown, schema: Manifest, path: readonly string[]): readonly (readonly [string, unknown])[] {
  if (schema.properties === undefined) return [[path.join("."), value]];
  return Object.entries(value as object).flatMap(([key, inner]) => walk(inner, schema.properties[key], [...path, key]));
}

test("helm lint finds nothing", () => {
  const { status, stdout } = spawnSync(goTool("helm"), ["lint", "--strict", chartFolder], { encoding: "utf8" });
  expect([status, stdout.match(/\[(WARNING|ERROR)\].*/g)]).toEqual([0, null]);
});

test("a release fits into the Secret that Helm keeps it in, which holds 1 MiB", () => {
  const files = readdirSync(chartFolder, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  const chart = files.map(({ parentPath, name }) => ({ name, data: readFileSync(join(parentPath, name), "base64") }));
  const release = JSON.stringify({ chart, manifest: templateChart({ files: [valuesFile("full")] }) });
  // Helm compresses it and writes it as base64. A third is left to the values of users, and to the next versions.
  expect(gzipSync(release, { level: 9 }).toString("base64").length).toBeLessThan(2 ** 19);
});

test("the two ways from kubectl to Helm name each other by headings that are there", () => {
  const { repository } = published();
  const uninstall = readFileSync(join(root, "docs/uninstall.md"), "utf8");
  const page = readFileSync(join(chartFolder, "README.md"), "utf8");
  expect(uninstall).toContain("(../deploy/chart/README.md#from-kubectl-or-kustomize-to-helm)");
  expect(page).toContain("\n## From kubectl or kustomize to Helm\n");
  const link = `${repository}/blob/v${version}/docs/uninstall.md#remove-the-operator-and-keep-the-objects`;
  expect(page).toContain(`(${link})`);
  expect(uninstall).toContain("\n## Remove the operator and keep the objects\n");
});

test("the values of the Application in docs/argocd.md are taken, and no sync prunes a CRD", () => {
  const objects = renderChart({ values: operatorApplication().spec.source.helm.valuesObject });
  const crds = objects.filter(({ kind }) => kind === "CustomResourceDefinition");
  expect(crds).toHaveLength(4);
  for (const { metadata } of crds) {
    expect(metadata.annotations).toMatchObject({ "argocd.argoproj.io/sync-options": "Prune=false" });
  }
});

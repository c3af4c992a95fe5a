import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { published } from "../../scripts/published.ts";
import type { KubeObject } from "../../src/kube/types.ts";
import { type ChartOptions, renderChart, templateChart } from "../support/chart.ts";
import { renderKustomization } from "../support/manifests.ts";

// The Helm chart as Helm renders it. After a change on purpose: UPDATE_GOLDEN=1 npm run test:packaging

const root = resolve(fileURLToPath(import.meta.url), "../../..");
const { version, image } = published();

// biome-ignore lint/suspicious/noExplicitAny: manifests of many kinds, read by path; a wrong path fails the assertion.
type Manifest = KubeObject & Record<string, any>;

const values = (name: string) => join(root, "test/packaging/values", `${name}.yaml`);

function render(options: ChartOptions = {}): readonly Manifest[] {
  return renderChart(options) as readonly Manifest[];
}

function keyOf({ kind, metadata }: KubeObject): string {
  return [kind, metadata.namespace, metadata.name].filter((part) => part !== undefined).join("/");
}

describe("for default values the chart renders", () => {
  const base = renderKustomization(join(root, "deploy")) as readonly Manifest[];
  const objects = render();

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
    for (const container of spec?.template?.spec.containers ?? []) container.image = `${image}:${version}`;
    return { ...object, ...(spec === undefined ? {} : { spec }), metadata: { ...metadata, labels } };
  }
});

describe("golden files", () => {
  test.each([
    ["default", {}],
    ["namespaced", { files: [values("namespaced")] }],
    ["full", { files: [values("full")] }],
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
        new RegExp(`(?<=northflank-operator[-:]|/version: )${version.replaceAll(".", "\\.")}`, "g"),
        "VERSION",
      );
  }
});

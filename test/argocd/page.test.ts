import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { published } from "../../scripts/published.ts";
import { kinds } from "../../src/api/kinds.ts";
import { createValidator } from "../../src/api/validate.ts";
import { actionNames } from "../support/argocd-actions.ts";
import { argocdPage, argocdPath, isOurs, manifestsOf, operatorApplication } from "../support/argocd-page.ts";

// What docs/argocd.md shows is what is shipped, and is valid. That its manifests come to their ends is tested with the
// whole operator: test/operator/argocd-page.test.ts.

const manifests = manifestsOf(argocdPage);
const applications = manifests.filter(({ kind }) => kind === "Application");

test("the page shows objects of the operator, an Application and a kustomization, and nothing that is not looked at", () => {
  const others = manifests.filter((object) => !isOurs(object)).map(({ kind }) => kind);
  expect(new Set(others)).toEqual(new Set(["Kustomization", "Application"]));
  expect(manifests.filter(isOurs).length).toBeGreaterThan(5);
});

test.each(manifests.filter(isOurs).map((object) => ({ object, name: `${object.kind} ${nameOf(object)}` })))(
  "$name is valid",
  ({ object }) => {
    expect(createValidator().validateManifest(object)).toEqual([]);
  },
);

test("every run that a sync waits for has an end", () => {
  for (const { spec } of manifests.filter(({ kind }) => kind === "NorthflankJobRun")) {
    expect(spec).toMatchObject({ startDeadlineSeconds: expect.any(Number), activeDeadlineSeconds: expect.any(Number) });
    expect(spec).not.toHaveProperty("ttlSecondsAfterFinished");
  }
});

test("hooks with a generated name are cleaned up after success, because none takes the place of the one before", () => {
  const hooks = manifests
    .filter(isOurs)
    .filter(({ metadata }) => metadata.annotations?.["argocd.argoproj.io/hook"] !== undefined);
  expect(hooks.length).toBeGreaterThan(1);
  for (const { metadata, spec } of hooks) {
    expect(metadata).toMatchObject({
      generateName: expect.any(String),
      annotations: { "argocd.argoproj.io/hook-delete-policy": "HookSucceeded" },
    });
    expect(spec).toMatchObject({ deletionPolicy: "Abort" });
  }
});

test("every Application applies on the server side, and respects what it ignores", () => {
  expect(applications.length).toBe(3);
  for (const { spec } of applications) {
    const { syncPolicy, ignoreDifferences = [] } = spec as {
      readonly syncPolicy: { readonly syncOptions: readonly string[] };
      readonly ignoreDifferences?: readonly { readonly group: string; readonly kind: string }[];
    };
    expect(syncPolicy.syncOptions).toContain("ServerSideApply=true");
    expect(syncPolicy.syncOptions.includes("RespectIgnoreDifferences=true")).toBe(ignoreDifferences.length > 0);
    for (const { group, kind } of ignoreDifferences) {
      expect(kinds.some(({ type }) => type.group === group && type.kind === kind)).toBe(true);
    }
  }
});

test("the Application of the operator installs the chart of this version under the names of every other way", () => {
  const operator = operatorApplication();
  const { chart, version } = published();
  expect(operator).toMatchObject({
    metadata: { annotations: { "argocd.argoproj.io/sync-wave": expect.stringMatching(/^-\d+$/) } },
    spec: {
      source: { targetRevision: version, helm: { releaseName: "northflank-operator" } },
      destination: { namespace: "northflank-operator" },
      syncPolicy: { syncOptions: expect.arrayContaining(["CreateNamespace=true"]) },
    },
  });
  const { source } = operator.spec;
  expect(`oci://${source.repoURL}/${source.chart}`).toBe(chart);
});

describe("the page names", () => {
  const links = [...argocdPage.matchAll(/\]\(([^)#:]+)\)/g)].map(([, path = ""]) => path);
  const files = [...argocdPage.matchAll(/deploy\/argocd\/[a-z.-]+/g)].map(([path]) => join("..", path));

  test.each([...new Set([...links, ...files])])("%s, which is there", (path) => {
    expect(existsSync(join(dirname(argocdPath), path))).toBe(true);
  });

  test("every action in its table, and no other", () => {
    const table = argocdPage.slice(argocdPage.indexOf("| action |"));
    const named = [...table.matchAll(/^\| `([a-z]+)` \|/gm)].map(([, name]) => name);
    const all = new Set(kinds.flatMap(({ type }) => actionNames(type.kind)));
    expect(named.sort()).toEqual([...all].sort());
  });

  test("the fragment by the name and the namespace that it has", () => {
    const { metadata } = parse(readFileSync(join(dirname(argocdPath), "../deploy/argocd/argocd-cm.yaml"), "utf8"));
    expect(argocdPage).toContain(
      `kubectl --namespace ${metadata.namespace} patch configmap ${metadata.name} --type merge`,
    );
  });
});

function nameOf({ metadata }: (typeof manifests)[number]): string {
  return metadata.name ?? `${metadata.generateName}*`;
}

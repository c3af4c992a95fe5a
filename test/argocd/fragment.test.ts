import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { argocdFiles } from "../../scripts/generated/argocd.ts";
import { kinds } from "../../src/api/kinds.ts";
import { customizations } from "../support/argocd.ts";
import { actionNames } from "../support/argocd-actions.ts";

// The fragment of argocd-cm, read back as Argo CD reads it: a key for each setting and kind, whose value is a script, or
// YAML with scripts in it.

const folder = resolve(customizations, "..");
const fragment = parse(readFileSync(join(folder, "argocd-cm.yaml"), "utf8"));
const names = kinds.map(({ type }) => type.kind);

test.each(argocdFiles())(
  "deploy/argocd/$name is what the scripts are now (else: npm run generate)",
  ({ name, text }) => {
    expect(readFileSync(join(folder, name), "utf8")).toBe(text);
  },
);

test("it goes into the ConfigMap of Argo CD, and has room there", () => {
  expect(fragment).toMatchObject({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "argocd-cm" } });
  // A ConfigMap holds 1 MiB, and others have their scripts there too.
  expect(JSON.stringify(fragment).length).toBeLessThan(32 * 1024);
});

test("the values of the chart hold the same, and nothing that Helm would take for a template", () => {
  const text = readFileSync(join(folder, "helm-values.yaml"), "utf8");
  expect(parse(text)).toEqual({ configs: { cm: fragment.data } });
  expect(text).not.toContain("{{");
});

test("there is no key but those that are looked at here", () => {
  const ignoring = names.filter((kind) => setting("ignoreResourceUpdates", kind) !== undefined);
  const expected = [
    ...names.flatMap((kind) => [key("health", kind), key("actions", kind)]),
    ...ignoring.map((kind) => key("ignoreResourceUpdates", kind)),
  ];
  expect(Object.keys(fragment.data).sort()).toEqual(expected.sort());
});

describe.each(names)("of %s it has", (kind) => {
  test("the health script", () => {
    expect(setting("health", kind)).toBe(scriptOf(kind, "health.lua"));
  });

  test("the actions, each with its script", () => {
    expect(parse(setting("actions", kind) ?? "")).toEqual({
      "discovery.lua": scriptOf(kind, "actions", "discovery.lua"),
      definitions: [...actionNames(kind)]
        .sort()
        .map((name) => ({ name, "action.lua": scriptOf(kind, "actions", name, "action.lua") })),
    });
  });

  test("only fields of its status that say nothing about its health as no reason for a refresh", () => {
    const ignored: readonly string[] = parse(setting("ignoreResourceUpdates", kind) ?? "{}").jsonPointers ?? [];
    const fields = Object.keys(kinds.find(({ type }) => type.kind === kind)?.status.properties ?? {});
    for (const pointer of ignored) expect(fields.map((field) => `/status/${field}`)).toContain(pointer);
    expect(ignored).not.toContain("/status/conditions");
    expect(ignored).not.toContain("/status/observedGeneration");
  });
});

test("what is the same for several kinds is the same file, because each has to stand alone upstream", () => {
  const [first = "", ...others] = names.filter((kind) => kind !== "NorthflankJobRun");
  for (const kind of others) {
    for (const file of ["health.lua", "actions/discovery.lua"])
      expect(scriptOf(kind, file)).toBe(scriptOf(first, file));
  }
  for (const kind of names) {
    for (const file of ["reconcile", "suspend", "resume"].map((action) => `actions/${action}/action.lua`)) {
      expect(scriptOf(kind, file)).toBe(scriptOf(first, file));
    }
  }
});

test("there are no folders of actions but those of the design", () => {
  const expected = ["reconcile", "resume", "suspend"];
  const found = names.map((kind) => [kind, [...actionNames(kind)].sort()]);
  const wanted = names.map((kind) => [kind, kind === "NorthflankJobRun" ? ["abort", ...expected] : expected]);
  expect(found).toEqual(wanted);
  expect(readdirSync(folder).sort()).toEqual(["argocd-cm.yaml", "helm-values.yaml", "northflank-operator.io"]);
});

function key(name: string, kind: string): string {
  return `resource.customizations.${name}.northflank-operator.io_${kind}`;
}

function setting(name: string, kind: string): string | undefined {
  return fragment.data[key(name, kind)];
}

function scriptOf(kind: string, ...path: readonly string[]): string {
  return readFileSync(join(customizations, kind, ...path), "utf8");
}

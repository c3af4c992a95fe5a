import { expect, test } from "vitest";
import { findKind, type KindDefinition } from "../../src/api/kinds.ts";
import { createProjection } from "../../src/api/project-object.ts";
import type { KubeObject } from "../../src/kube/types.ts";

const kind = findKind("NorthflankJobRun") as KindDefinition;
const project = createProjection<KubeObject>(kind);
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";

function raw(parts: { readonly metadata?: object; readonly spec?: object; readonly status?: object }): KubeObject {
  return {
    apiVersion: "northflank-operator.io/v1alpha1",
    kind: "NorthflankJobRun",
    ...parts,
    metadata: { name: "migrate", namespace: "shop", uid: "u1", ...parts.metadata },
  };
}

function applied(spec: unknown, stored: object = {}, rest: object = {}): readonly string[] | undefined {
  const annotations = { [lastApplied]: JSON.stringify({ apiVersion: "x", kind: "y", metadata: {}, spec, ...rest }) };
  return (project(raw({ metadata: { annotations }, spec: stored })) as { prunedFields?: readonly string[] })
    .prunedFields;
}

test("keeps what reconcilers read and drops the rest", () => {
  const object = project(
    raw({
      metadata: {
        resourceVersion: "7",
        generation: 2,
        creationTimestamp: "2026-01-01T00:00:00Z",
        deletionTimestamp: "2026-01-02T00:00:00Z",
        finalizers: ["northflank-operator.io/run-finalizer"],
        labels: { team: "a" },
        managedFields: [{ manager: "kubectl" }],
        ownerReferences: [{ apiVersion: "v1", kind: "ConfigMap", name: "x", uid: "y" }],
        annotations: {
          "northflank-operator.io/reconcile-requested-at": "1",
          "reconcile.fluxcd.io/requestedAt": "2",
          "northflank-operator.iox/no": "3",
          "argocd.argoproj.io/hook": "PreSync",
        },
      },
      spec: { projectId: "shop", jobId: "migrate" },
      status: { observedGeneration: 2 },
    }),
  );
  expect(object).toEqual({
    apiVersion: "northflank-operator.io/v1alpha1",
    kind: "NorthflankJobRun",
    metadata: {
      name: "migrate",
      namespace: "shop",
      uid: "u1",
      resourceVersion: "7",
      generation: 2,
      creationTimestamp: "2026-01-01T00:00:00Z",
      deletionTimestamp: "2026-01-02T00:00:00Z",
      finalizers: ["northflank-operator.io/run-finalizer"],
      annotations: { "northflank-operator.io/reconcile-requested-at": "1", "reconcile.fluxcd.io/requestedAt": "2" },
    },
    spec: { projectId: "shop", jobId: "migrate" },
    status: { observedGeneration: 2 },
  });
});

test.each<[string, unknown, object, object, readonly string[] | undefined]>([
  ["a misspelt field", { sespend: true }, {}, {}, ['spec.sespend: did you mean "suspend"?']],
  ["one beside spec", {}, {}, { suspend: true }, ["suspend: it belongs in spec"]],
  ["one deep inside", { deployment: { extern: {} } }, {}, {}, ['spec.deployment.extern: did you mean "external"?']],
  [
    "one in a list",
    { runtimeFilesFrom: [{ pth: "/a" }] },
    {},
    {},
    ['spec.runtimeFilesFrom[0].pth: did you mean "path"?'],
  ],
  ["nothing, when all fields are known", { suspend: true }, {}, {}, undefined],
  ["nothing, when a newer schema of the server knows the field", { fancy: 1 }, { fancy: 1 }, {}, undefined],
  ["nothing, for the keys of maps", { runtimeEnvironment: { sespend: "x" } }, {}, {}, undefined],
  ["nothing, when there is no spec", undefined, {}, {}, undefined],
  ["nothing, when the spec is text", "x", {}, {}, undefined],
])("reports as pruned: %s", (_, spec, stored, rest, expected) => {
  expect(applied(spec, stored, rest)).toEqual(expected);
});

test("reports a field that was applied as __proto__, and pollutes nothing", () => {
  expect(applied(JSON.parse('{"__proto__": {"suspend": true}}'))?.[0]).toContain("spec.__proto__: ");
  expect(Object.hasOwn(Object.prototype, "suspend")).toBe(false);
});

test("reports at most ten fields, without their values", () => {
  const spec = Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`stray${n}`, "secret"]));
  expect(applied(spec)).toHaveLength(10);
  expect(JSON.stringify(applied(spec))).not.toContain("secret");
});

test.each(["", "{", "[]", "null", '"x"'])("an annotation that says %j says nothing about pruned fields", (text) => {
  expect(project(raw({ metadata: { annotations: { [lastApplied]: text } } }))).not.toHaveProperty("prunedFields");
});

test("variables named like parts of a JavaScript object survive", () => {
  const text = '{"runtimeEnvironment": {"__proto__": "x", "constructor": "y"}}';
  const object = project(raw({ spec: JSON.parse(text) })) as KubeObject & { readonly spec: object };
  expect(JSON.stringify(object.spec)).toBe(JSON.stringify(JSON.parse(text)));
});

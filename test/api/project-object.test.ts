import { expect, test } from "vitest";
import { jobRunSpec } from "../../src/api/job-run.ts";
import { findKind, type KindDefinition } from "../../src/api/kinds.ts";
import { startedRun } from "../../src/api/names.ts";
import { type CachedObject, createProjection } from "../../src/api/project-object.ts";
import type { KubeObject } from "../../src/kube/types.ts";
import { runDefaults } from "../support/builders.ts";

const kind = findKind("NorthflankJobRun") as KindDefinition;
const project = createProjection<KubeObject>(kind);
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";

const runSpec = { projectId: "shop", jobId: "migrate", ...runDefaults() };

function raw(parts: { readonly metadata?: object; readonly spec?: unknown; readonly status?: unknown }): KubeObject {
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
          "northflank-operator.io/note": "4",
          "argocd.argoproj.io/hook": "PreSync",
        },
      },
      spec: runSpec,
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
    spec: runSpec,
    status: { observedGeneration: 2 },
  });
});

test("the annotation of a start is kept until the run has ended: of those there are ever more", () => {
  const annotations = { [startedRun]: "x", "northflank-operator.io/resolve-start": "fail" };
  const kept = (status: object) => project(raw({ metadata: { annotations }, status })).metadata.annotations;
  expect(kept({ observedGeneration: 1, runId: "r1" })).toEqual(annotations);
  expect(kept({ observedGeneration: 1, completionTime: "2026-01-01T00:00:00Z" })).toEqual({
    "northflank-operator.io/resolve-start": "fail",
  });
});

test("of a long annotation as much is kept as anybody could mean", () => {
  const kept = (value: string) =>
    project(raw({ metadata: { annotations: { "northflank-operator.io/resolve-start": value } } })).metadata
      .annotations?.["northflank-operator.io/resolve-start"];
  const text = "é".repeat(1_024);
  expect(kept(text)).toBe(text);
  expect(kept(`${text}${"x".repeat(200_000)}`)).toBe(text);
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
  const object = project(raw({ spec: JSON.parse(text) })) as KubeObject & { readonly spec: Record<string, unknown> };
  expect(JSON.stringify({ runtimeEnvironment: object.spec.runtimeEnvironment })).toBe(JSON.stringify(JSON.parse(text)));
});

const misfitsOf = (object: KubeObject) => (object as CachedObject).misfits;
const fieldsOf = (problems: readonly { readonly field: string; readonly rule: string }[] = []) =>
  problems.map(({ field, rule }) => `${field} ${rule}`);

test.each<[string, unknown, Readonly<Record<string, unknown>>, readonly string[]]>([
  ["no spec", undefined, {}, ["spec.jobId required", "spec.projectId required"]],
  ["null", null, {}, ["spec.jobId required", "spec.projectId required"]],
  ["text", "x", {}, ["spec type"]],
  ["a list", [], {}, ["spec type"]],
  ["a number as id", { projectId: 7, jobId: "migrate" }, { jobId: "migrate" }, ["spec.projectId type"]],
  ["a wrong word", { ...runSpec, startGuarantee: "Never" }, runSpec, ["spec.startGuarantee enum"]],
  ["a huge number", { ...runSpec, activeDeadlineSeconds: 1e300 }, runSpec, ["spec.activeDeadlineSeconds maximum"]],
  [
    "an entry without its required part",
    { ...runSpec, runtimeFilesFrom: [{ path: "/a" }, null, { path: 7, secretKeyRef: { name: "a", key: "b" } }] },
    { ...runSpec, runtimeFilesFrom: [{ path: "/a" }] },
    ["spec.runtimeFilesFrom[1] type", "spec.runtimeFilesFrom[2].path type"],
  ],
  ["null where the field may be missing", { ...runSpec, deployment: null }, runSpec, []],
])("a spec with %s keeps what fits, and tells the rest", (_, spec, kept, expected) => {
  const object = project(raw({ spec })) as CachedObject;
  expect(object.spec).toEqual({ ...runDefaults(), ...kept });
  expect(fieldsOf(misfitsOf(object)?.spec)).toEqual(expected);
});

test("a status keeps what fits, and tells the rest", () => {
  const good = { type: "Ready", status: "True", reason: "A", message: "", lastTransitionTime: "2026-01-01T00:00:00Z" };
  const status = { conditions: [null, "x", good], attempts: "none", completionTime: "yesterday", phase: "Pending" };
  const object = project(raw({ spec: { ...runSpec }, status })) as CachedObject;
  expect(object.status).toEqual({ observedGeneration: -1, conditions: [good], phase: "Pending" });
  expect(fieldsOf(misfitsOf(object)?.status)).toEqual([
    "status.conditions[0] type",
    "status.conditions[1] type",
    "status.attempts type",
    "status.completionTime type",
  ]);
  expect(fieldsOf(misfitsOf(object)?.spec)).toEqual([]);
});

test("a field that somebody named misfits says nothing", () => {
  const object = project({ ...raw({ spec: { ...runSpec } }), misfits: "x" } as KubeObject);
  expect(misfitsOf(object)).toBeUndefined();
});

test("metadata of the wrong types is left out", () => {
  const metadata = { finalizers: "x", annotations: { "northflank-operator.io/resolve-start": 7 } };
  expect(project(raw({ metadata, spec: { ...runSpec } })).metadata).toEqual({
    name: "migrate",
    namespace: "shop",
    uid: "u1",
    finalizers: [],
  });
});

test("an object of ten thousand levels costs itself, not the cache", () => {
  const deep = JSON.parse(`${'{"a":'.repeat(9_000)}1${"}".repeat(9_000)}`);
  expect(() => project(raw({ spec: { ...runSpec, deep }, status: { deep } }))).not.toThrow();
});

test("what tests take for the defaults of a run are those of the schema", () => {
  const defaults = Object.entries(jobRunSpec.properties).flatMap(([field, schema]) =>
    "default" in schema ? [[field, schema.default]] : [],
  );
  expect(runDefaults()).toEqual(Object.fromEntries(defaults));
});

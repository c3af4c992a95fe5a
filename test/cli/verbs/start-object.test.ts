import { describe, expect, test } from "vitest";
import { createValidator } from "../../../src/api/validate.ts";
import {
  draftOfJob,
  draftOfManifest,
  runObject,
  type StartOverrides,
  withOverrides,
} from "../../../src/cli/verbs/start-object.ts";

const job = draftOfJob({ projectId: "shop", jobId: "etl" }, "etl");

describe("the name", () => {
  test.each([
    ["etl", "etl-bbbbb"],
    ["Nightly-ETL", "nightly-etl-bbbbb"],
    ["x".repeat(70), `${"x".repeat(58)}bbbbb`],
    [`${"x".repeat(57)}-y`, `${"x".repeat(57)}-bbbbb`],
  ])("of %s is %s", (name, expected) => {
    const { metadata } = runObject(draftOfJob({ projectId: "shop", jobId: "etl" }, name), "shop", () => 0);
    expect(metadata.name).toBe(expected);
    expect(metadata.name.length).toBeLessThanOrEqual(63);
  });

  test("ends with signs of the API server, drawn at random", () => {
    const draws = [0, 0.2, 0.5, 0.8, 0.999999];
    expect(runObject(job, "shop", () => draws.shift() ?? 0).metadata.name).toBe("etl-bhr49");
  });
});

describe("a manifest", () => {
  const manifest = {
    apiVersion: "northflank-operator.io/v1alpha1",
    kind: "NorthflankJobRun",
    metadata: {
      name: "migrate-1",
      namespace: "shop",
      uid: "u",
      resourceVersion: "7",
      labels: { app: "shop" },
      annotations: {
        "northflank-operator.io/started-run": "{}",
        "northflank-operator.io/resolve-start": "retry",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "northflank-operator.io/revision": "1",
      },
      finalizers: ["x/y"],
    },
    spec: { projectId: "shop", jobId: "migrate", abort: false },
    status: { phase: "Succeeded" },
  };

  test("gives its spec, labels and annotations, and nothing that belongs to the run that it was", () => {
    const draft = draftOfManifest(manifest);
    expect(draft && runObject(draft, "shop", () => 0)).toEqual({
      apiVersion: "northflank-operator.io/v1alpha1",
      kind: "NorthflankJobRun",
      metadata: {
        generateName: "migrate-1-",
        name: "migrate-1-bbbbb",
        namespace: "shop",
        labels: { app: "shop" },
        annotations: { "northflank-operator.io/revision": "1" },
      },
      spec: manifest.spec,
    });
  });

  test("with generateName keeps it", () => {
    expect(draftOfManifest({ ...manifest, metadata: { generateName: "nightly-" } })?.generateName).toBe("nightly-");
  });

  test.each([
    ["another kind", { ...manifest, kind: "NorthflankJob" }],
    ["no name", { ...manifest, metadata: {} }],
    ["no spec", { ...manifest, spec: undefined }],
    ["nothing", undefined],
  ])("with %s is none", (_, value) => {
    expect(draftOfManifest(value)).toBeUndefined();
  });
});

describe("flags", () => {
  const { spec } = { spec: { ...job.spec, deployment: { internal: { buildId: "b" }, storage: { shmSize: 64 } } } };
  const based = { ...job, spec };

  test.each<[StartOverrides, object]>([
    [{}, {}],
    [{ environment: { A: "1" } }, { runtimeEnvironment: { A: "1" } }],
    [{ image: "x:1" }, { deployment: { external: { imagePath: "x:1" }, storage: { shmSize: 64 } } }],
    [
      { command: "run.sh" },
      {
        deployment: {
          internal: { buildId: "b" },
          storage: { shmSize: 64 },
          docker: { configType: "customCommand", customCommand: "run.sh" },
        },
      },
    ],
    [{ plan: "nf-compute-20" }, { billing: { deploymentPlan: "nf-compute-20" } }],
    [
      { backoffLimit: 2, concurrencyPolicy: "Forbid", startDeadlineMs: 600_000 },
      { backoffLimit: 2, concurrencyPolicy: "Forbid", startDeadlineSeconds: 600 },
    ],
    [
      { activeDeadlineMs: 1_500, ttlMs: 0 },
      { activeDeadlineSeconds: 2, ttlSecondsAfterFinished: 0 },
    ],
  ])("%j", (overrides, expected) => {
    const made = withOverrides(based, overrides);
    expect(made.spec).toEqual({ ...spec, ...expected });
    expect(createValidator().validateManifest(runObject(made, "shop", () => 0))).toEqual([]);
  });

  test("a variable replaces that of the manifest, and keeps the others", () => {
    const before = { ...job, spec: { ...job.spec, runtimeEnvironment: { A: "1", B: "2" } } };
    const after = withOverrides(before, { environment: { A: "3" } });
    expect(after.spec.runtimeEnvironment).toEqual({ A: "3", B: "2" });
  });
});

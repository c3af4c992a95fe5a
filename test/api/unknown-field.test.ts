import { expect, test } from "vitest";
import { createValidator } from "../../src/api/validate.ts";
import { connection, deployment, jobRun } from "./documents.ts";

const validator = createValidator();

const job = (settings: object) => ({
  apiVersion: "northflank-operator.io/v1alpha1",
  kind: "NorthflankJob",
  metadata: { name: "migrate" },
  spec: { projectId: "shop", jobId: "db-migrate", settings },
});

test.each<[string, object, string]>([
  ["a misspelt field", jobRun({ sespend: true }), 'did you mean "suspend"?'],
  ["a field in the wrong case", deployment({ serviceID: "api" }), 'did you mean "serviceId"?'],
  ["a field beside spec", jobRun({}, { suspend: true }), "it belongs in spec"],
  ["a misspelt field beside spec", jobRun({}, { sespend: true }), "did you mean spec.suspend?"],
  ["a misspelt spec", jobRun({}, { spce: {} }), 'did you mean "spec"?'],
  ["a field in metadata", jobRun({}, { metadata: { name: "a", projectId: "shop" } }), "it belongs in spec"],
  ["a field one level too high", deployment({ external: {} }), "it belongs in spec.deployment"],
  ["a field two levels too high", deployment({ imagePath: "nginx:1" }), "it belongs in spec.deployment.external"],
  [
    "a field one level too deep",
    deployment({ deployment: { docker: { configType: "default" }, suspend: true } }),
    "it belongs in spec",
  ],
  [
    "a field that two objects have",
    deployment({ customCommand: "x" }),
    "it belongs in spec.deployment.docker or spec.deployment.buildpack",
  ],
  [
    "a field of the items of a list",
    jobRun({ secretKeyRef: {} }),
    "it belongs in spec.runtimeEnvironmentFrom[] or spec.runtimeFilesFrom[]",
  ],
  [
    "what nobody knows",
    jobRun({ deployment: { zzzzzz: 1, docker: { configType: "default" } } }),
    "remove it; known here: external, ",
  ],
  [
    "the name of a job, pasted",
    job({ name: "DB Migrate", backoffLimit: 1 }),
    "leave it out: the name is that of the target",
  ],
  ["the name of a Secret", connection({ name: "nf-token" }), "it belongs in spec.tokenSecretRef"],
  ["the name of a service", deployment({ name: "api" }), "leave it out: the name is that of the target"],
  ["the name in a pasted deployment", deployment({ deployment: { name: "api" } }), "leave it out: the name is that"],
  ["the source of a job, pasted", job({ deployment: {} }), "leave it out: the source of a job is declared in a"],
  ["the repository of a job, pasted", job({ vcsData: {} }), "leave it out: the repository stays"],
  [
    "instances, pasted",
    deployment({ deployment: { instances: 1, docker: { configType: "default" } } }),
    "leave it out: the number of instances",
  ],
  [
    "a name in the place of a path",
    jobRun({ runtimeFilesFrom: [{ path: "/a", name: "x", secretKeyRef: { name: "a", key: "b" } }] }),
    "remove it; known here: path, ",
  ],
  ["a name of every object of JavaScript", jobRun({ constructor: 1 }), "remove it; known here: "],
])("%s", (_, object, remedy) => {
  const unknown = validator.validateManifest(object).filter(({ rule }) => rule === "unknown-field");
  expect(unknown.map((problem) => problem.remedy.startsWith(remedy) || problem.remedy)).toEqual([true]);
});

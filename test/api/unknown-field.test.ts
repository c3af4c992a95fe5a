import { expect, test } from "vitest";
import { createValidator } from "../../src/api/validate.ts";
import { deployment, jobRun } from "./documents.ts";

const validator = createValidator();

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
  ["a name of every object of JavaScript", jobRun({ constructor: 1 }), "remove it; known here: "],
])("%s", (_, object, remedy) => {
  const unknown = validator.validateManifest(object).filter(({ rule }) => rule === "unknown-field");
  expect(unknown.map((problem) => problem.remedy.startsWith(remedy) || problem.remedy)).toEqual([true]);
});

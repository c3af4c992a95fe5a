import { expect, test } from "vitest";
import { isList, isObject } from "../../src/api/crd.ts";
import { kinds } from "../../src/api/kinds.ts";
import { otherNames } from "../../src/api/other-names.ts";
import type { Schema } from "../../src/api/schema.ts";
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
  ["an image", deployment({ deployment: { external: { image: "nginx:1" } } }), 'did you mean "imagePath"?'],
  ["a tag, too high", deployment({ tag: "1" }), "did you mean spec.deployment.external.imagePath?"],
  ["a commit", deployment({ deployment: { internal: { sha: "1" } } }), 'did you mean "buildSHA"?'],
  ["a commit, too high", jobRun({ commit: "1" }), "did you mean spec.deployment.internal.buildSHA?"],
  ["variables", jobRun({ env: [] }), 'did you mean "runtimeEnvironment"?'],
  ["variables of a job", job({ environment: {} }), 'did you mean "runtimeEnvironment"?'],
  ["variables beside spec", jobRun({}, { env: {} }), "did you mean spec.runtimeEnvironment?"],
  ["the Secret of a connection", connection({ secretName: "a" }), 'did you mean "tokenSecretRef.name"?'],
  ["a Secret", jobRun({ runtimeEnvironmentFrom: [{ secretName: "a" }] }), 'did you mean "secretRef.name"?'],
  [
    "a Secret of files",
    jobRun({ runtimeFilesFrom: [{ path: "/a", secretName: "a" }] }),
    'did you mean "secretKeyRef.name"?',
  ],
  ["a schedule, too high", job({ schedule: "* * * * *" }), "it belongs in spec.settings.cron"],
  ["a project", jobRun({ project: "shop" }), 'did you mean "projectId"?'],
  ["a service", deployment({ service: "api" }), 'did you mean "serviceId"?'],
  ["a job", jobRun({ job: "migrate" }), 'did you mean "jobId"?'],
  ["a time limit of a rollout", deployment({ timeout: "5m" }), "did you mean spec.rollout.timeoutSeconds?"],
  ["a time limit of a run", jobRun({ timeout: "5m" }), 'did you mean "activeDeadlineSeconds"?'],
  ["replicas", deployment({ replicas: 2 }), "leave it out: the number of instances"],
  ["a name of every object of JavaScript", jobRun({ constructor: 1 }), "remove it; known here: "],
])("%s", (_, object, remedy) => {
  const unknown = validator.validateManifest(object).filter(({ rule }) => rule === "unknown-field");
  expect(unknown.map((problem) => problem.remedy.startsWith(remedy) || problem.remedy)).toEqual([true]);
});

/** Every object of a schema. */
function objectsOf(schema: Schema): readonly Schema[] {
  if (isList(schema)) return objectsOf(schema.items);
  return isObject(schema) ? [schema, ...Object.values(schema.properties).flatMap(objectsOf)] : [];
}

function has(schema: Schema | undefined, [head, ...rest]: readonly string[]): boolean {
  if (head === undefined) return true;
  return schema !== undefined && isObject(schema) && Object.hasOwn(schema.properties, head)
    ? has(schema.properties[head], rest)
    : false;
}

const objects = kinds.flatMap(({ spec }) => objectsOf(spec));

test.each(Object.entries(otherNames))(
  "what is called %s elsewhere is a field here, wherever it is suggested",
  (name, fields) => {
    for (const field of fields) {
      const parts = field.split(".");
      const suggestedIn = objects.filter((schema) => has(schema, parts.slice(0, 1)));
      expect(suggestedIn.length).toBeGreaterThan(0);
      expect(suggestedIn.filter((schema) => !has(schema, parts))).toEqual([]);
      // What has both names needs no suggestion.
      expect(suggestedIn.filter((schema) => has(schema, [name]))).toEqual([]);
    }
  },
);

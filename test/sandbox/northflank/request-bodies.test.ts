import { describe, expect, test } from "vitest";
import { type BodySchema, bodyProblems } from "../../../sandbox/northflank/request-bodies.ts";
import type { DeploymentUpdate, RunRequest } from "../../../src/northflank/types.ts";

// The request examples of the public API documentation, typed as what our client sends: a field that our types do not
// know would not compile here, and one that the API does not know would not pass.
const external: DeploymentUpdate = {
  external: { imagePath: "nginx:latest", credentials: "example-credentials" },
  docker: { configType: "default" },
};
const internal: DeploymentUpdate = {
  internal: { id: "example-build-service", branch: "master", buildId: "premium-guide-6393" },
  docker: { configType: "default" },
};
const newestInternal: DeploymentUpdate = {
  internal: { id: "example-build-service", branch: "master", buildSHA: "latest", buildId: "premium-guide-6393" },
  docker: { configType: "default" },
};
const sourceUntouched: DeploymentUpdate = { docker: { configType: "default" } };

const file = {
  data: "VGhpcyBpcyBhbiBleGFtcGxlIHdpdGggYSB0ZW1wbGF0ZWQgJHtOT0RFX0VOVn0gdmFyaWFibGU=",
  encoding: "utf-8",
};
const run: RunRequest = {
  runtimeEnvironment: { VARIABLE_1: "abcdef", VARIABLE_2: "12345" },
  runtimeFiles: { "/dir/fileName": file },
  dockerSecretMounts: { "example-secret-mount_1": file },
  billing: { deploymentPlan: "nf-compute-20" },
  deployment: { ...internal, storage: { ephemeralStorage: { storageSize: 1024 } } },
};
const runOfAnImage: RunRequest = { deployment: external };

const patchManual = {
  description: "A job description",
  tags: ["my-tag"],
  billing: { buildPlan: "nf-compute-200-8", deploymentPlan: "nf-compute-20" },
  backoffLimit: 0,
  runOnSourceChange: "never",
  activeDeadlineSeconds: 600,
  buildConfiguration: {
    pathIgnoreRules: ["README.md"],
    isAllowList: false,
    ciIgnoreFlags: ["[skip ci]"],
    dockerCredentials: ["example-docker-credential"],
    storage: { ephemeralStorage: { storageSize: 16384 } },
  },
  runtimeEnvironment: { variable1: "abcdef", variable2: "12345" },
  runtimeFiles: { "/dir/fileName": file },
  buildArguments: { variable1: "abcdef", variable2: "12345" },
  buildFiles: { "/dir/fileName": file },
  healthChecks: [
    {
      protocol: "HTTP",
      type: "readinessProbe",
      path: "/health-check",
      port: 8080,
      initialDelaySeconds: 10,
      periodSeconds: 60,
      timeoutSeconds: 1,
      failureThreshold: 3,
      successThreshold: 1,
    },
  ],
};
const { backoffLimit, runOnSourceChange, activeDeadlineSeconds, ...patchRest } = patchManual;
const patchJob = { ...patchRest, settings: { backoffLimit, runOnSourceChange, activeDeadlineSeconds } };

describe("a body passes that is", () => {
  test.each<[string, BodySchema, unknown]>([
    ["an external image for a service", "service-deployment-update", external],
    ["a build for a service", "service-deployment-update", internal],
    ["a build by commit and id for a service", "service-deployment-update", newestInternal],
    ["a service's runtime alone", "service-deployment-update", sourceUntouched],
    ["an external image for a job", "job-deployment-update", external],
    ["a build for a job", "job-deployment-update", internal],
    ["a job's runtime alone", "job-deployment-update", sourceUntouched],
    ["a run with everything", "run-job", run],
    ["a run of another image", "run-job", runOfAnImage],
    ["a run as it is", "run-job", {} satisfies RunRequest],
    ["a manual job", "patch-manual-job", patchManual],
    ["a job", "patch-job", patchJob],
    ["a service with its instances", "patch-deployment-service", { deployment: { instances: 1, ...external } }],
    ["a service's build with its instances", "patch-deployment-service", { deployment: { instances: 1, ...internal } }],
  ])("%s", (_what, schema, body) => {
    expect(bodyProblems(schema, body)).toBeUndefined();
  });
});

describe("a body is refused that has", () => {
  test.each<[string, BodySchema, unknown, string]>([
    ["both sources", "service-deployment-update", { ...external, ...internal }, "body"],
    ["no tag", "service-deployment-update", { external: { imagePath: "nginx" } }, "external.imagePath"],
    [
      "tag and digest",
      "run-job",
      { deployment: { external: { imagePath: `a:1@sha256:${"0".repeat(64)}` } } },
      "deployment.external.imagePath",
    ],
    ["a short commit", "job-deployment-update", { internal: { id: "abc", buildSHA: "abc" } }, "internal.buildSHA"],
    ["a deployment where none is taken", "patch-job", { deployment: external }, "body"],
    ["run policy in the wrong place", "patch-manual-job", { settings: { backoffLimit: 1 } }, "body"],
    ["run policy in the wrong place", "patch-job", { backoffLimit: 1 }, "body"],
    [
      "a cron policy in capitals",
      "patch-job",
      { settings: { cron: { concurrencyPolicy: "Forbid" } } },
      "settings.cron.concurrencyPolicy",
    ],
    ["no instances", "patch-deployment-service", { deployment: external }, "deployment"],
    ["nothing of an object", "run-job", [], "body"],
  ])("%s (%s)", (_what, schema, body, field) => {
    expect(Object.keys(bodyProblems(schema, body) ?? {})).toContain(field);
  });
});

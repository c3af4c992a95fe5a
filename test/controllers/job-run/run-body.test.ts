import { expect, test } from "vitest";
import { runBodyOf } from "../../../src/controllers/job-run/run-request.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { RunCluster } from "../../support/run-cluster.ts";

const nothing = { environment: {}, files: {} };

function specOf(spec: Parameters<RunCluster["create"]>[1]) {
  return new RunCluster(new FakeClock()).create("once", spec).spec;
}

test("a run without overrides sends an empty body", () => {
  expect(runBodyOf(specOf({}), nothing)).toEqual({});
});

test("every override is passed on under the API's own name, and nothing of the operator's", () => {
  const file = { data: "aGk=", encoding: "utf-8" };
  const overrides = {
    dockerSecretMounts: { token: file },
    billing: { deploymentPlan: "nf-compute-20" },
    deployment: { external: { imagePath: "ghcr.io/acme/api:1" }, storage: { shmSize: 64 } },
  };
  const spec = specOf({ ...overrides, runtimeEnvironment: { A: "literal" }, suspend: true, backoffLimit: 3 });
  const values = { environment: { A: "resolved" }, files: { "/a": file } };
  expect(runBodyOf(spec, values)).toEqual({
    ...overrides,
    runtimeEnvironment: { A: "resolved" },
    runtimeFiles: { "/a": file },
  });
});

import { expect, test } from "vitest";
import { tokenNeeds } from "../../../src/controllers/connection/token-status.ts";

const service = { spec: { serviceId: "api" } };
const ofJob = { spec: { jobId: "migrate" } };
const observed = { managementPolicy: "Observe" };

test.each([
  ["nothing", {}, []],
  ["a service, once, however many", { deployments: [service, service] }, ["NorthflankDeployment of a service true"]],
  [
    "both ways of use",
    { deployments: [service, { spec: { ...service.spec, ...observed } }] },
    ["NorthflankDeployment of a service true", "NorthflankDeployment of a service false"],
  ],
  ["the image of a job", { deployments: [ofJob] }, ["NorthflankDeployment of a job true"]],
  ["a job that is only read", { jobs: [{ spec: { ...ofJob.spec, ...observed } }] }, ["NorthflankJob false"]],
  ["runs", { runs: 3 }, ["NorthflankJobRun true"]],
])("what %s needs of a token", (_what, given, expected) => {
  const needs = tokenNeeds({ deployments: [], jobs: [], runs: 0, ...given });
  expect(needs.map(({ use, writes }) => `${use} ${writes}`)).toEqual(expected);
});

import { expect, test } from "vitest";
import { createValidator } from "../../src/api/validate.ts";
import { collectObjects } from "../../src/cli/plan-objects.ts";
import { judgeFile } from "../../src/cli/validate.ts";

test("a namespace that is empty is the default one, as for kubectl", () => {
  const text = `apiVersion: northflank-operator.io/v1alpha1
kind: NorthflankDeployment
metadata: {name: api, namespace: ""}
spec: {projectId: shop, serviceId: api, deployment: {docker: {configType: default}}}
`;
  const judged = judgeFile({ name: "a.yaml", isNamed: true, text }, createValidator());
  const { deployments } = collectObjects([{ name: "a.yaml", judged }]);
  expect(deployments.map(({ metadata }) => [metadata.namespace, metadata.name])).toEqual([["default", "api"]]);
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { deploymentSpec } from "../../src/api/deployment.ts";
import { jobRunSpec } from "../../src/api/job-run.ts";
import { asStored, unknownFields } from "../../src/api/stored.ts";

test("fills in defaults, also inside", () => {
  expect(asStored(deploymentSpec, { projectId: "shop", rollout: { timeoutSeconds: 5 } })).toEqual({
    projectId: "shop",
    managementPolicy: "Enforce",
    continuousDeployment: "Warn",
    rollout: { wait: true, timeoutSeconds: 5, onFailure: "Report" },
    suspend: false,
  });
});

test("drops nulls, but where null is a value", () => {
  const stored = asStored(jobRunSpec, {
    abort: null,
    ttlSecondsAfterFinished: null,
    runtimeEnvironment: { A: null, B: "" },
  });
  expect(stored).toMatchObject({ abort: false, ttlSecondsAfterFinished: null, runtimeEnvironment: { B: "" } });
  expect(stored).not.toHaveProperty("runtimeEnvironment.A");
});

test("drops unknown fields and names them with what is known there", () => {
  const spec = { projectId: "shop", sespend: true, deployment: { docker: { configType: "default", entrypoint: "x" } } };
  expect(asStored(deploymentSpec, spec)).not.toHaveProperty("sespend");
  expect(unknownFields(deploymentSpec, spec).map(({ path }) => path)).toEqual([
    ["sespend"],
    ["deployment", "docker", "entrypoint"],
  ]);
  expect(unknownFields(deploymentSpec, spec)[1]?.known).toEqual(["configType", "customEntrypoint", "customCommand"]);
});

test("leaves values of the wrong type for validation to report", () => {
  const spec = { deployment: ["x"], waitFor: { a: 1 }, projectId: 5 };
  expect(asStored(deploymentSpec, spec)).toMatchObject(spec);
  expect(asStored(deploymentSpec, "x")).toBe("x");
});

test("takes any JSON, changes no input, and is done when it was done once", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom("deployment", "runtimeEnvironment", "__proto__", "x"), (value, key) => {
      const spec: unknown = JSON.parse(JSON.stringify({ [key]: value }));
      const before = JSON.stringify(spec);
      const once = asStored(jobRunSpec, spec);
      expect(JSON.stringify(spec)).toBe(before);
      expect(unknownFields(jobRunSpec, once)).toEqual([]);
      expect(asStored(jobRunSpec, once)).toEqual(once);
    }),
  );
});

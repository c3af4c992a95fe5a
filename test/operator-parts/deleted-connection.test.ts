import { afterEach, expect, test } from "vitest";
import { connection, deployment } from "../support/builders.ts";
import type { ScriptedAnswer, SentRequest } from "../support/recording-transport.ts";
import { WholeOperator } from "../support/whole-operator.ts";

// A connection is deleted under its objects. Found on the sandbox: the handler of the deletion had lost its `this`, threw,
// and the objects kept what their last check had said until the next one.

let operator: WholeOperator;
afterEach(() => operator.stop());

function answer({ path }: SentRequest): ScriptedAnswer {
  if (path === "/v1/auth") return { status: 200, body: { data: {} } };
  const deploymentStatus = { status: "COMPLETED", reason: "DEPLOYING", lastTransitionTime: "2025-12-31T12:00:00Z" };
  const source = { deployment: { external: { imagePath: "ghcr.io/acme/api:2.0.0" }, instances: 1 } };
  const service = { id: "api", uid: "service-api", name: "api", serviceType: "deployment", disabledCD: false };
  const status = { deployment: deploymentStatus };
  return { status: 200, body: { data: { ...service, ...source, servicePaused: false, status } } };
}

test("an object whose connection is deleted says so within seconds, and nothing panics", async () => {
  operator = new WholeOperator({ answer });
  operator.store(connection());
  operator.store(
    deployment({
      metadata: { name: "api", uid: "uid-api" },
      spec: {
        projectId: "shop",
        serviceId: "api",
        deployment: { external: { imagePath: "ghcr.io/acme/api:2.0.0" } },
      },
    }),
  );
  operator.start();
  await operator.clock.advance(60_000);
  expect(operator.condition("NorthflankDeployment", "shop/api")).toBe("True/RolloutComplete");

  operator.remove("NorthflankConnection", "shop/default");
  await operator.clock.advance(5_000);
  expect(operator.log.lines.filter(({ message }) => message.includes("panicked"))).toEqual([]);
  expect(operator.condition("NorthflankDeployment", "shop/api")).toBe("False/ConnectionNotFound");
});

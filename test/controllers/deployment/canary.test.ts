import { inspect } from "node:util";
import { expect, test } from "vitest";
import { ConnectionAccounts } from "../../../src/controllers/account/connection-accounts.ts";
import type { KubeClient } from "../../../src/kube/client.ts";
import type { NorthflankErrorCode } from "../../../src/northflank/errors.ts";
import { connection, deployment, service } from "../../support/builders.ts";
import { DeploymentScene } from "../../support/deployment-scene.ts";
import { northflankError } from "../../support/fake-northflank.ts";
import { always, neverAborted, strictFake } from "../../support/strict-fake.ts";

const canary = "canary-4f1c9a";
const encoded = Buffer.from(canary).toString("base64");

/** A scene whose account comes from a real Secret: everything that handles the token is the real thing. */
function sceneWith(secretText: string): DeploymentScene {
  const scene = new DeploymentScene();
  const data = { token: Buffer.from(secretText).toString("base64"), other: encoded };
  const accounts = new ConnectionAccounts({
    kube: strictFake<KubeClient>("kube", {
      get: async <T>() => ({ metadata: { name: "nf-token", resourceVersion: "1" }, data }) as T,
    }),
    connections: { get: () => connection() },
    openApi: () => scene.northflank.api,
    operatorToken: undefined,
    defaultApiUrl: "https://api.northflank.com",
    defaultMaxRequestsPerHour: 900,
    allowedApiHosts: ["api.northflank.com"],
    clock: scene.clock,
    random: always(0.5),
  });
  const request = { namespace: "shop", connectionName: undefined, projectId: "shop" };
  scene.resolution = () => accounts.resolve(request, neverAborted());
  scene.northflank.has(service());
  scene.has(deployment());
  return scene;
}

/** Everything that leaves the operator in words, and what its log was handed, down to the causes of errors. */
function said(scene: DeploymentScene, outcome: unknown): string {
  return inspect([scene.object().status, scene.events, scene.logged.lines, outcome], { depth: 20, showHidden: true });
}

const answers: readonly (NorthflankErrorCode | undefined)[] = [
  undefined,
  "unauthorized",
  "forbidden",
  "not_found",
  "rejected",
  "server_error",
  "protocol",
  "redirect",
  "quota_closed",
];

test.each(answers)("a token is in no status, Event or log line when Northflank answers %s", async (code) => {
  for (const method of ["getService", "updateServiceDeployment"] as const) {
    const scene = sceneWith(canary);
    if (code !== undefined) scene.northflank.failNext(method, northflankError(code));
    for (let n = 0; n < 3; n++) {
      const outcome = await scene.pass();
      expect(scene.object().status?.conditions?.length).toBeGreaterThan(0);
      expect(said(scene, outcome)).not.toContain(canary);
      expect(said(scene, outcome)).not.toContain(encoded);
      await scene.clock.advance(10_000);
    }
  }
});

test.each([`${canary}\n${canary}`, `${canary} x`, `${canary}\0`, `${canary}é`])(
  "a Secret that cannot be a token (%j) is told by rule, not by value",
  async (text) => {
    const scene = sceneWith(text);
    const outcome = await scene.pass();
    expect(scene.state()).toContain("Stalled=True/SecretInvalid");
    expect(said(scene, outcome)).not.toContain(canary);
  },
);

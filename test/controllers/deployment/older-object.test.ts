import { beforeEach, describe, expect, test } from "vitest";
import type { AccountResolution } from "../../../src/controllers/account/accounts.ts";
import { deployment, service } from "../../support/builders.ts";
import { DeploymentScene } from "../../support/deployment-scene.ts";

let scene: DeploymentScene;

beforeEach(() => {
  scene = new DeploymentScene();
});

describe("an older object whose connection cannot be used", () => {
  const production = "ghcr.io/acme/api:1.4.2";
  const wip = "ghcr.io/acme/api:9-wip";
  let blockedA: AccountResolution | undefined;

  /** `prod` has the target through connection a, `copy` waits for it through connection b of the same account. */
  async function served() {
    blockedA = undefined;
    const usable = scene.resolution;
    scene.northflank.has(service());
    scene.resolution = (name, project) => (name === "a" && blockedA) || usable("one account", project);
    const prod = { connectionRef: { name: "a" }, deployment: { external: { imagePath: production } } };
    const copy = { connectionRef: { name: "b" }, deployment: { external: { imagePath: wip } } };
    scene.has(deployment({ metadata: { name: "prod", creationTimestamp: "2025-12-31T22:00:00Z" }, spec: prod }));
    scene.has(deployment({ metadata: { name: "copy" }, spec: copy }));
    await scene.pass("shop/prod");
    await scene.pass("shop/copy");
    scene.northflank.takeCalls();
  }

  const readyStates = [
    { kind: "waiting", reason: "ConnectionSuspended", message: "paused" },
    { kind: "stalled", reason: "AuthenticationFailed", message: "401" },
    { kind: "stalled", reason: "ConnectionNotFound", message: "gone" },
    { kind: "stalled", reason: "SecretNotFound", message: "gone" },
    { kind: "stalled", reason: "ProjectNotAllowed", message: "guarded" },
  ] as const;

  test.each(readyStates)(
    "($reason) keeps its target for a day, and its heir gets it when it goes",
    async (readyState) => {
      await served();
      blockedA = { kind: "blocked", readyState, recheckAfterMs: 60_000 };
      for (let hour = 0; hour < 24; hour++) {
        await scene.clock.advance(3_600_000);
        await scene.pass("shop/prod");
        await scene.pass("shop/copy");
      }
      expect(scene.northflank.takeCalls()).toEqual([]);
      expect(scene.state("shop/copy")).toContain("TargetConflict");
      scene.remove("shop/prod");
      await scene.pass("shop/copy");
      expect(scene.northflank.takeCalls()).toEqual([
        "get api (change)",
        `post api ${JSON.stringify({ external: { imagePath: wip } })}`,
      ]);
    },
  );

  test.each(readyStates)("($reason) keeps it over a restart, by what its status shows", async (readyState) => {
    await served();
    blockedA = { kind: "blocked", readyState, recheckAfterMs: 60_000 };
    scene.restart();
    for (const key of ["shop/copy", "shop/prod", "shop/copy"]) await scene.pass(key);
    expect(scene.northflank.takeCalls()).toEqual([]);
    scene.remove("shop/prod");
    await scene.pass("shop/copy");
    expect(scene.northflank.takeCalls()).toHaveLength(2);
  });

  test("gives it up by naming another one", async () => {
    await served();
    blockedA = { kind: "blocked", readyState: readyStates[1], recheckAfterMs: 60_000 };
    scene.edit({ serviceId: "web" }, "shop/prod");
    await scene.pass("shop/copy");
    expect(scene.northflank.takeCalls()).toHaveLength(2);
  });
});

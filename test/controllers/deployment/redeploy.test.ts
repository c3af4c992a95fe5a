import { beforeEach, describe, expect, test } from "vitest";
import { reconcileRequestedAt } from "../../../src/api/names.ts";
import { createValidator } from "../../../src/api/validate.ts";
import { KubeError } from "../../../src/kube/errors.ts";
import type { ServiceView } from "../../../src/northflank/types.ts";
import { deployment, service } from "../../support/builders.ts";
import { DeploymentScene } from "../../support/deployment-scene.ts";
import { northflankError } from "../../support/fake-northflank.ts";

/* A tag that was moved: nothing differs, and a new spec.redeployToken asks for one redeploy. */

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const post = 'post api {"external":{"imagePath":"ghcr.io/acme/api:2"}}';
const complete =
  "Ready=True/RolloutComplete Accepted=True/Accepted InSync=True/InSync RolloutComplete=True/RolloutComplete -> Current";

let scene: DeploymentScene;

/** Northflank rolls out what it is sent, in ten seconds. */
const rollsOut = () => scene.clock.setTimer(() => scene.northflank.rollout("api", "COMPLETED"), 10 * second);

beforeEach(() => {
  scene = new DeploymentScene();
  scene.northflank.has(service());
  scene.afterWrite = rollsOut;
});

const writes = () => scene.northflank.takeCalls().filter((call) => !call.startsWith("get"));

async function settled(spec: object = {}): Promise<void> {
  scene.has(deployment({ spec }));
  await scene.work(5 * minute);
  expect(scene.kstatus()).toBe("Current");
  scene.northflank.takeCalls();
  scene.takeEvents();
}

const redeploy = () => scene.object().status?.redeploy;

test("a new value leads to one redeploy, which is followed and told", async () => {
  await settled();
  scene.edit({ redeployToken: "2026-11-29" });
  await scene.pass();
  expect(scene.northflank.takeCalls()).toEqual(["get api (change)", post]);
  expect(scene.state()).toContain("Ready=Unknown/RollingOut");
  expect(scene.state()).toContain("InSync=True/InSync");
  await scene.work(3 * hour);
  expect(writes()).toEqual([]);
  expect(scene.state()).toBe(complete);
  expect(redeploy()).toMatchObject({
    token: "2026-11-29",
    call: "update service deployment",
    outcome: "Sent",
    attempts: 1,
  });
  expect(scene.message()).toContain(`It was redeployed at ${redeploy()?.time} for spec.redeployToken.`);
  expect(scene.object().status?.changes?.[0]).toMatchObject({ cause: "Redeployed", phase: "Complete" });
  expect(scene.takeEvents().join()).toContain(
    "Sent ghcr.io/acme/api:2 again, because spec.redeployToken has a new value.",
  );
});

test("each value leads to one, an equal one to none, and neither does its removal", async () => {
  await settled();
  const posts: number[] = [];
  for (const redeployToken of ["a", "b", "b", undefined, "b", "c"]) {
    scene.edit({ redeployToken } as object);
    await scene.work(hour);
    posts.push(writes().length);
  }
  expect(posts).toEqual([1, 1, 0, 0, 0, 1]);
});

test.each<[string, string]>([
  ["that is sent its first change", "ghcr.io/acme/api:1"],
  ["whose service has what is declared", "ghcr.io/acme/api:2"],
])("the first value of a new object %s leads to no redeploy of its own", async (_what, imagePath) => {
  scene.northflank.has(service({ imagePath }));
  scene.has(deployment({ spec: { redeployToken: "first" } }));
  await scene.work(2 * hour);
  expect(writes()).toEqual(imagePath.endsWith(":2") ? [] : [post]);
  expect(scene.state()).toBe(complete);
  expect(redeploy()).toMatchObject({ token: "first", outcome: "Included" });
});

test.each(["before the call", "in the call"])(
  "a process that dies %s of the first change does not redeploy twice",
  async (when) => {
    scene.has(deployment({ spec: { redeployToken: "first" } }));
    scene.northflank.failNext("updateServiceDeployment", new Error("killed"), { isDone: when === "in the call" });
    await scene.pass();
    scene.northflank.takeCalls();
    scene.restart();
    await scene.work(2 * hour);
    expect(writes()).toEqual(when === "in the call" ? [] : [post]);
    expect(redeploy()).toMatchObject({ token: "first", outcome: "Included" });
  },
);

test("a change of the source carries the new value", async () => {
  await settled();
  scene.edit({ redeployToken: "a", deployment: { external: { imagePath: "ghcr.io/acme/api:3" } } });
  await scene.work(hour);
  expect(writes()).toEqual(['post api {"external":{"imagePath":"ghcr.io/acme/api:3"}}']);
  expect(redeploy()).toMatchObject({ token: "a", outcome: "Included" });
});

test("a correction that is due anyway carries the new value, also under EnforceOnChange", async () => {
  await settled({ managementPolicy: "EnforceOnChange" });
  const theirs = { imagePath: "ghcr.io/acme/api:9" } as ServiceView["external"];
  scene.northflank.change("api", { image: "ghcr.io/acme/api:9", external: theirs });
  scene.edit({ redeployToken: "a" });
  await scene.work(hour);
  expect(writes()).toEqual([post]);
  expect(redeploy()).toMatchObject({ token: "a", outcome: "Included" });
});

describe("a call whose end nobody has heard of", () => {
  const begin = async (isDone: boolean, error: Error) => {
    await settled();
    scene.edit({ redeployToken: "a" });
    scene.northflank.failNext("updateServiceDeployment", error, { isDone });
    await scene.pass();
    expect(redeploy()).toMatchObject({ token: "a", outcome: "Pending", attempts: 1 });
  };
  const interrupted = northflankError("interrupted");
  const killed = new Error("killed");

  test.each([
    ["its answer was lost", interrupted],
    ["the process died", killed],
  ])("is not sent again when a rollout has begun since: %s", async (_what, error) => {
    await begin(true, error);
    if (error === killed) scene.restart();
    scene.northflank.rollout("api", "IN_PROGRESS");
    await scene.work(minute);
    expect(scene.state()).toContain("Ready=Unknown/RollingOut");
    scene.northflank.rollout("api", "COMPLETED");
    await scene.work(hour);
    expect(writes()).toEqual([post]);
    expect(scene.state()).toBe(complete);
    expect(redeploy()).toMatchObject({ token: "a", outcome: "Sent", attempts: 1 });
    expect(scene.object().status?.changes?.[0]).toMatchObject({ cause: "Redeployed", phase: "Complete" });
  });

  test.each([
    ["its answer was lost", interrupted],
    ["the process died", killed],
  ])("is sent once more when none has begun after 30 s, and no sooner: %s", async (_what, error) => {
    await begin(false, error);
    if (error === killed) scene.restart();
    scene.northflank.takeCalls();
    await scene.work(27 * second);
    expect(writes()).toEqual([]);
    await scene.work(hour);
    expect(writes()).toEqual([post]);
    expect(scene.state()).toBe(complete);
    expect(redeploy()).toMatchObject({ token: "a", outcome: "Sent", attempts: 2 });
  });

  test("is never sent a third time", async () => {
    await begin(false, interrupted);
    scene.northflank.failNext("updateServiceDeployment", interrupted);
    scene.northflank.takeCalls();
    await scene.work(24 * hour);
    // Neither has led to a rollout: the service is restarted.
    expect(writes()).toEqual([post, "restart api"]);
    expect(redeploy()).toMatchObject({ token: "a", outcome: "WithoutEffect" });
  });
});

test("a call that was refused is made later, and leaves no record of a redeploy", async () => {
  await settled();
  scene.edit({ redeployToken: "a" });
  scene.northflank.failNext("updateServiceDeployment", northflankError("forbidden", { httpStatus: 403 }));
  await scene.pass();
  expect(scene.state()).toContain("Stalled=True/PermissionDenied");
  expect(scene.state()).toContain("InSync=True/InSync");
  expect(redeploy()).toBeUndefined();
  scene.annotate({ [reconcileRequestedAt]: "now" });
  await scene.work(hour);
  expect(writes()).toEqual([post, post]);
  expect(scene.state()).toBe(complete);
});

test("nothing is sent whose record was not stored, however often", async () => {
  await settled();
  scene.prunes = ["redeploy"];
  scene.edit({ redeployToken: "a" });
  await scene.work(5 * hour);
  expect(writes()).toEqual([]);
  expect(scene.state()).toContain("Stalled=True/StatusNotStored");
});

test("nothing is sent when the record cannot be written", async () => {
  await settled();
  scene.edit({ redeployToken: "a" });
  scene.failStatus = new KubeError({ code: "unavailable", step: "patch", detail: "down" });
  await scene.pass();
  expect(writes()).toEqual([]);
  await scene.work(hour);
  expect(writes()).toEqual([post]);
});

describe("where the update leads to no rollout", () => {
  beforeEach(async () => {
    await settled();
    scene.afterWrite = undefined;
  });

  test("the service is restarted, once, and that is followed", async () => {
    scene.northflank.afterRestart = rollsOut;
    scene.edit({ redeployToken: "a" });
    await scene.work(110 * second);
    expect(writes()).toEqual([post]);
    await scene.work(hour);
    expect(writes()).toEqual(["restart api"]);
    expect(scene.state()).toBe(complete);
    expect(redeploy()).toMatchObject({ token: "a", call: "restart service", outcome: "Sent" });
    expect(scene.takeEvents().join()).toContain("Restarted the service, because spec.redeployToken has a new value.");
  });

  test("nor the restart, that is said, and nothing more is sent", async () => {
    scene.edit({ redeployToken: "a" });
    await scene.work(24 * hour);
    expect(writes()).toEqual([post, "restart api"]);
    expect(scene.state()).toBe(complete);
    expect(scene.message()).toContain("began no rollout for the redeploy");
    expect(scene.message()).not.toContain("It was redeployed");
    expect(redeploy()).toMatchObject({ token: "a", outcome: "WithoutEffect" });
  });

  test.each<[string, string, string]>([
    ["a tag", "ghcr.io/acme/api:2", "deploy a digest or another tag."],
    ["a digest", `ghcr.io/acme/api@sha256:${"a".repeat(64)}`, "restart the service in Northflank if its containers"],
  ])("what to do is right for %s", async (_, imagePath, advice) => {
    scene.northflank.has(service({ imagePath }));
    scene.edit({ deployment: { external: { imagePath } } });
    await scene.work(hour);
    scene.edit({ redeployToken: "a" });
    await scene.work(hour);
    expect(redeploy()).toMatchObject({ outcome: "WithoutEffect" });
    expect(scene.message()).toContain(`began no rollout for the redeploy of ${redeploy()?.time}; ${advice}`);
  });

  const detail = "status 403; the token lacks the permission Project > Services > General > Update";
  const refused = northflankError("forbidden", { httpStatus: 403, denial: "permission", detail });

  test.each(["COMPLETED", "FAILED"] as const)(
    "and the restart is refused, nothing more is sent, and the last rollout counts: %s",
    async (rolloutStatus) => {
      scene.edit({ redeployToken: "a" });
      await scene.pass();
      if (rolloutStatus === "FAILED") scene.northflank.change("api", { rolloutStatus });
      scene.takeEvents();
      for (let count = 0; count < 30; count++) scene.northflank.failNext("restartService", refused);
      await scene.work(24 * hour);
      expect(writes()).toEqual([post, "restart api"]);
      expect(redeploy()).toMatchObject({ token: "a", outcome: "WithoutEffect", refusal: detail });
      if (rolloutStatus === "FAILED") {
        expect(scene.state()).toContain("Stalled=True/RolloutFailed");
        return;
      }
      expect(scene.state()).toBe(complete);
      expect(scene.message()).toContain(
        `Northflank began no rollout for the redeploy of ${redeploy()?.time} and refused the restart (${detail}); set a new`,
      );
      expect(scene.takeEvents().join()).not.toContain("RolloutComplete");
      // The next value is handled like any other.
      scene.afterWrite = rollsOut;
      scene.edit({ redeployToken: "b" });
      await scene.work(hour);
      expect(writes()).toEqual([post]);
      expect(redeploy()).toMatchObject({ token: "b", outcome: "Sent" });
      expect(redeploy()?.refusal).toBeUndefined();
    },
  );

  test("and the answer to the restart is lost and the next one refused, nothing more is sent", async () => {
    scene.edit({ redeployToken: "a" });
    scene.northflank.failNext("restartService", northflankError("interrupted"));
    for (let count = 0; count < 30; count++) scene.northflank.failNext("restartService", refused);
    await scene.work(24 * hour);
    expect(writes()).toEqual([post, "restart api", "restart api"]);
    expect(redeploy()).toMatchObject({ token: "a", outcome: "WithoutEffect", refusal: detail });
    expect(scene.state()).toBe(complete);
  });

  test("a lost answer to the restart leads to one more at most", async () => {
    scene.edit({ redeployToken: "a" });
    scene.northflank.failNext("restartService", northflankError("interrupted"));
    scene.northflank.failNext("restartService", northflankError("interrupted"));
    await scene.work(24 * hour);
    expect(writes()).toEqual([post, "restart api", "restart api"]);
  });

  test("a rollout that has begun is not taken for none", async () => {
    scene.edit({ redeployToken: "a" });
    await scene.pass();
    scene.northflank.rollout("api", "IN_PROGRESS");
    await scene.work(10 * minute);
    scene.northflank.rollout("api", "COMPLETED");
    await scene.work(hour);
    expect(writes()).toEqual([post]);
    expect(scene.state()).toBe(complete);
  });
});

test("a declaration without a source is redeployed by a restart", async () => {
  const docker = { configType: "default" } as const;
  scene.northflank.has(service({ docker }));
  scene.northflank.afterRestart = rollsOut;
  await settled({ deployment: { docker } });
  scene.edit({ redeployToken: "a" });
  await scene.work(hour);
  expect(writes()).toEqual(["restart api"]);
  expect(scene.state()).toBe(complete);
});

test("a build is deployed again by the same call, and no build is started", async () => {
  const internal = { id: "builder", branch: "main", buildSHA: "a".repeat(40) };
  const told = { ...internal, buildId: undefined, deployedSHA: undefined };
  scene.northflank.has(service({ external: undefined, image: undefined, internal: told }));
  await settled({ deployment: { internal } });
  scene.edit({ redeployToken: "a" });
  await scene.work(hour);
  expect(writes()).toEqual([`post api ${JSON.stringify({ internal })}`]);
  expect(scene.state()).toBe(complete);
});

describe("what holds a redeploy", () => {
  test("Observe: nothing is sent, and Ready says so; with Enforce it is sent", async () => {
    await settled();
    scene.edit({ managementPolicy: "Observe", redeployToken: "a" });
    await scene.work(2 * hour);
    expect(writes()).toEqual([]);
    expect(scene.message()).toContain("spec.redeployToken is not handled, because managementPolicy is Observe.");
    scene.edit({ managementPolicy: "Enforce" });
    await scene.work(hour);
    expect(writes()).toEqual([post]);
    expect(scene.message()).toContain("It was redeployed at");
  });

  test.each<[string, readonly (string | undefined)[], number]>([
    ["one that it began with leads to none", ["a"], 0],
    ["a second one is sent", ["a", "b"], 1],
    ["one that was added later is sent", [undefined, "b"], 1],
  ])("Observe from the start: %s with Enforce", async (_, [first, ...later], count) => {
    scene.northflank.has(service({ imagePath: "ghcr.io/acme/api:2" }));
    const begin = first === undefined ? {} : { redeployToken: first };
    scene.has(deployment({ spec: { managementPolicy: "Observe", ...begin } }));
    await scene.work(hour);
    for (const redeployToken of later) {
      scene.edit({ redeployToken } as object);
      await scene.work(hour);
      expect(scene.message()).toContain("spec.redeployToken is not handled");
    }
    expect(writes()).toEqual([]);
    scene.edit({ managementPolicy: "Enforce" });
    await scene.work(hour);
    expect(writes()).toEqual(Array.from({ length: count }, () => post));
    expect(redeploy()).toMatchObject({ token: later[0] ?? first, outcome: count === 0 ? "Included" : "Sent" });
  });

  test("Observe from the start: a value whose call is refused is still sent later", async () => {
    scene.northflank.has(service({ imagePath: "ghcr.io/acme/api:2" }));
    scene.has(deployment({ spec: { managementPolicy: "Observe" } }));
    await scene.work(hour);
    scene.edit({ managementPolicy: "Enforce", redeployToken: "a" });
    scene.northflank.failNext("updateServiceDeployment", northflankError("forbidden", { httpStatus: 403 }));
    await scene.work(5 * hour);
    expect(writes()).toEqual([post, post]);
    expect(redeploy()).toMatchObject({ token: "a", outcome: "Sent" });
  });

  test("EnforceOnChange: a new value is a change", async () => {
    await settled({ managementPolicy: "EnforceOnChange" });
    scene.edit({ redeployToken: "a" });
    await scene.work(hour);
    expect(writes()).toEqual([post]);
  });

  test("suspend: it is sent when the object goes on", async () => {
    await settled();
    scene.edit({ suspend: true, redeployToken: "a" });
    await scene.work(hour);
    expect(scene.northflank.takeCalls()).toEqual([]);
    scene.edit({ suspend: false });
    await scene.work(hour);
    expect(writes()).toEqual([post]);
  });

  test("a run of waitFor that is missing: it is sent when the run has succeeded", async () => {
    await settled();
    scene.edit({ redeployToken: "a", waitFor: [{ jobRunRef: { name: "migrate" } }] });
    await scene.work(hour);
    expect(writes()).toEqual([]);
    expect(scene.state()).toContain("Ready=Unknown/WaitingForDependency");
    const succeeded = {
      type: "Succeeded",
      status: "True",
      reason: "RunSucceeded",
      message: "",
      lastTransitionTime: "",
    };
    scene.runs.set("shop/migrate", { status: { conditions: [succeeded as never] } });
    await scene.work(hour);
    expect(writes()).toEqual([post]);
    expect(scene.state()).toBe(complete);
  });

  test("a pause holds the rollout, not the update: it starts with the resume", async () => {
    await settled();
    scene.afterWrite = undefined;
    scene.northflank.change("api", { servicePaused: true });
    scene.edit({ redeployToken: "a" });
    await scene.work(5 * hour);
    expect(writes()).toEqual([post]);
    expect(scene.state()).toContain("Ready=True/ServicePaused");
    expect(redeploy()).toMatchObject({ token: "a", outcome: "Sent" });
    expect(scene.message()).toContain(
      `The redeploy of ${redeploy()?.time} for spec.redeployToken starts with the resume.`,
    );
    expect(scene.message()).not.toContain("It was redeployed");
  });

  test("a pause after the rollout takes nothing back", async () => {
    await settled();
    scene.edit({ redeployToken: "a" });
    await scene.work(hour);
    scene.northflank.change("api", { servicePaused: true });
    await scene.work(hour);
    expect(scene.state()).toContain("Ready=True/ServicePaused");
    expect(scene.message()).toContain(`It was redeployed at ${redeploy()?.time} for spec.redeployToken.`);
  });

  test("a pause, where a restart would resume the service: nothing is sent", async () => {
    const docker = { configType: "default" } as const;
    scene.northflank.has(service({ docker, servicePaused: true }));
    await settled({ deployment: { docker } });
    scene.edit({ redeployToken: "a" });
    await scene.work(5 * hour);
    expect(writes()).toEqual([]);
    expect(redeploy()).toMatchObject({ token: "a", outcome: "Included" });
  });
});

test("a new value makes another try of a source that failed and was replaced by the last good one", async () => {
  await settled({ rollout: { wait: true, timeoutSeconds: 900, onFailure: "Restore" } });
  scene.afterWrite = undefined;
  scene.edit({ deployment: { external: { imagePath: "ghcr.io/acme/api:3" } } });
  await scene.pass();
  await scene.clock.advance(10_000);
  scene.northflank.rollout("api", "FAILED");
  scene.afterWrite = rollsOut;
  await scene.work(5 * minute);
  expect(scene.state()).toContain("Restored=True/Restored");
  scene.northflank.takeCalls();
  scene.edit({ redeployToken: "a" });
  await scene.work(hour);
  expect(writes()).toEqual(['post api {"external":{"imagePath":"ghcr.io/acme/api:3"}}']);
  expect(scene.state()).toContain("Ready=True/RolloutComplete");
});

test("a redeploy that fails is no reason to put another source back: it is the last good one itself", async () => {
  await settled({ rollout: { wait: true, timeoutSeconds: 900, onFailure: "Restore" } });
  scene.afterWrite = () => scene.clock.setTimer(() => scene.northflank.rollout("api", "FAILED"), 5_000);
  scene.edit({ redeployToken: "a" });
  await scene.work(hour);
  expect(writes()).toEqual([post]);
  expect(scene.state()).toContain("Stalled=True/RolloutFailed");
  expect(scene.state()).toContain("Restored=False/NothingToRestore");
});

test("a job takes no token: the spec is refused", () => {
  const { serviceId: _, ...spec } = deployment({ spec: { redeployToken: "a", jobId: "etl" } }).spec;
  const problems = createValidator().validateSpec("NorthflankDeployment", spec);
  expect(problems.map(({ field, message }) => `${field} ${message}`)).toEqual([
    "spec.redeployToken redeployToken goes with serviceId: a job has no rollout, and its next run pulls the image",
  ]);
});

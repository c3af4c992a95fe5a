import { beforeEach, describe, expect, test } from "vitest";
import { reconcileRequestedAt } from "../../../src/api/names.ts";
import { correctionsOf } from "../../../src/controllers/deployment/machine.ts";
import type { DeploymentUpdate } from "../../../src/northflank/types.ts";
import { deployment, job, service } from "../../support/builders.ts";
import { DeploymentScene } from "../../support/deployment-scene.ts";
import { northflankError } from "../../support/fake-northflank.ts";

/* A Northflank that answers 200 to a body with several parts and keeps only some of them. */

const minute = 60_000;
const hour = 60 * minute;
const external = { imagePath: "ghcr.io/acme/inference:2" };
const docker = { configType: "customEntrypoint", customEntrypoint: "bash -c start" } as const;
const whole = `post api ${JSON.stringify({ external, docker })}`;
const alone = `post api ${JSON.stringify({ docker })}`;

let scene: DeploymentScene;
let isDropped: (body: DeploymentUpdate) => boolean;

beforeEach(() => {
  scene = new DeploymentScene();
  scene.northflank.has(service({ docker: { configType: "default" } }));
  isDropped = ({ external: image }) => image !== undefined;
  scene.northflank.keeps = (body) => {
    if (!isDropped(body)) return body;
    const { docker: _, ...kept } = body;
    return kept;
  };
  scene.afterWrite = () => scene.clock.setTimer(() => scene.northflank.rollout("api", "COMPLETED"), 5_000);
});

function declare(spec: object = {}): void {
  scene.has(deployment({ spec: { deployment: { external, docker }, ...spec } }));
}

const writes = () => scene.northflank.takeCalls().filter((call) => !call.startsWith("get"));

test("a part that is kept when it is sent alone is sent alone once, and all is Ready", async () => {
  declare();
  await scene.work(2 * hour);
  expect(writes()).toEqual([whole, alone]);
  expect(scene.state()).toContain("Ready=True/RolloutComplete");
  expect(scene.northflank.service("api")).toMatchObject({ image: external.imagePath, docker });
  const { status } = scene.object();
  expect([status?.notKept, correctionsOf(scene.object())]).toEqual([undefined, []]);
  expect(status?.changes?.map(({ cause, phase }) => `${cause} ${phase}`)).toEqual([
    "PartResent Complete",
    "SpecChanged Superseded",
  ]);
});

test("the same where the image is there already", async () => {
  scene.northflank.has(service({ docker: { configType: "default" }, imagePath: external.imagePath }));
  declare();
  await scene.work(hour);
  expect(writes()).toEqual([whole, alone]);
  expect(scene.state()).toContain("Ready=True/RolloutComplete");
});

describe("a part that is not kept when it is sent alone either", () => {
  beforeEach(() => {
    isDropped = () => true;
  });

  async function stalled(spec = {}): Promise<void> {
    declare(spec);
    await scene.work(10 * minute);
    expect(writes()).toEqual([whole, alone]);
    expect(scene.state()).toContain("Ready=False/ChangeNotKept Stalled=True/ChangeNotKept");
    expect(scene.state()).toContain("InSync=False/ChangeNotKept");
  }

  test("is named, and not sent again for a week", async () => {
    await stalled();
    expect(scene.message()).toContain("deployment.docker.configType is default, declared is customEntrypoint");
    expect(scene.object().status?.pendingChanges).toEqual([
      { path: "deployment.docker.configType", from: "default", to: "customEntrypoint" },
    ]);
    await scene.work(7 * 24 * hour);
    const calls = scene.northflank.takeCalls();
    expect(new Set(calls)).toEqual(new Set(["get api (change)"]));
    expect(calls.length).toBeLessThanOrEqual(7 * 24 + 20);
    expect(scene.state()).toContain("Stalled=True/ChangeNotKept");
    expect(correctionsOf(scene.object())).toEqual([]);
    expect(scene.object().status?.changes?.[0]).toMatchObject({ cause: "PartResent", phase: "NotKept" });
  });

  test("is sent once more for each reconcile request, alone", async () => {
    await stalled();
    for (const request of ["one", "two"]) {
      scene.annotate({ [reconcileRequestedAt]: request });
      await scene.work(hour);
      expect(writes()).toEqual([alone]);
      expect(scene.state()).toContain("Stalled=True/ChangeNotKept");
      expect(scene.object().status?.lastHandledReconcileAt).toBe(request);
    }
  });

  test("is Ready when a request finds that it is kept now, or somebody has set it", async () => {
    await stalled();
    isDropped = () => false;
    scene.annotate({ [reconcileRequestedAt]: "one" });
    await scene.work(hour);
    expect(writes()).toEqual([alone]);
    expect(scene.state()).toContain("Ready=True/RolloutComplete");
    expect(scene.object().status?.notKept).toBeUndefined();
  });

  test("is sent with everything else, and once alone, after the spec has changed", async () => {
    await stalled();
    const image = { imagePath: "ghcr.io/acme/inference:3" };
    scene.edit({ deployment: { external: image, docker } });
    await scene.work(hour);
    expect(writes()).toEqual([`post api ${JSON.stringify({ external: image, docker })}`, alone]);
    scene.edit({ deployment: { external: image } });
    await scene.work(hour);
    expect(writes()).toEqual([]);
    expect(scene.state()).toContain("Ready=True/");
  });

  test("stands in no way of a correction of the rest", async () => {
    await stalled();
    scene.northflank.change("api", { image: "ghcr.io/acme/x:9", external: { imagePath: "ghcr.io/acme/x:9" } as never });
    await scene.work(2 * hour);
    // Both differ.
    expect(writes()).toEqual([whole]);
    expect(scene.northflank.service("api").image).toBe(external.imagePath);
    expect(scene.state()).toContain("Stalled=True/ChangeNotKept");
  });

  test("is the same under EnforceOnChange, and nobody writes under Observe", async () => {
    await stalled({ managementPolicy: "EnforceOnChange" });
    scene.edit({ managementPolicy: "Observe" });
    await scene.work(hour);
    scene.annotate({ [reconcileRequestedAt]: "one" });
    await scene.work(hour);
    expect(writes()).toEqual([]);
    expect(scene.state()).toContain("Ready=True/DriftObserved");
  });

  test("is sent twice and no more where it is all that is declared", async () => {
    scene.has(deployment({ spec: { deployment: { docker } } }));
    await scene.work(2 * hour);
    expect(writes()).toEqual([alone, alone]);
    expect(scene.state()).toContain("Stalled=True/ChangeNotKept");
  });

  test("is the same of a paused service", async () => {
    scene.afterWrite = undefined;
    scene.northflank.change("api", { servicePaused: true });
    await stalled();
  });

  test.each([1, 2, 3, 4, 5, 6])("is not sent a third time when pass %i is the last of its process", async (passes) => {
    declare();
    for (let count = 0; count < passes; count += 1) {
      await scene.pass();
      await scene.clock.advance(10_000);
    }
    scene.restart();
    await scene.work(hour);
    expect(writes()).toEqual([whole, alone]);
    expect(scene.state()).toContain("Stalled=True/ChangeNotKept");
  });

  test("is not sent a third time when the process dies in the call, or its answer is lost", async () => {
    declare();
    await scene.pass();
    await scene.clock.advance(10_000);
    scene.northflank.failNext("updateServiceDeployment", northflankError("interrupted"), { isDone: true });
    await scene.pass();
    scene.restart();
    await scene.work(hour);
    expect(writes()).toEqual([whole, alone]);
    expect(scene.state()).toContain("Stalled=True/ChangeNotKept");
  });

  test("is not sent before its record is stored", async () => {
    declare();
    await scene.pass();
    await scene.clock.advance(10_000);
    scene.failStatusIn = 0;
    await scene.pass();
    expect(writes()).toEqual([whole]);
    await scene.work(hour);
    expect(writes()).toEqual([alone]);
  });

  test("is not sent where its record is not stored", async () => {
    scene.prunes = ["notKept"];
    declare();
    await scene.work(5 * hour);
    expect(writes()).toEqual([whole]);
    expect(scene.state()).toContain("Stalled=True/StatusNotStored");
  });

  test("is sent again after it was refused: it never arrived", async () => {
    declare();
    await scene.pass();
    await scene.clock.advance(10_000);
    scene.northflank.failNext("updateServiceDeployment", northflankError("rate_limited", { httpStatus: 429 }));
    await scene.work(hour);
    expect(writes()).toEqual([whole, alone, alone]);
    expect(scene.state()).toContain("Stalled=True/ChangeNotKept");
  });
});

describe("a correction", () => {
  const theirs = { image: "ghcr.io/acme/x:9", external: { imagePath: "ghcr.io/acme/x:9" } as never };

  test.each([
    ["of the image", theirs, `post api ${JSON.stringify({ external })}`],
    ["of the command", { docker: { configType: "default" } }, alone],
    ["of both", { ...theirs, docker: { configType: "default" } }, whole],
  ])("%s sends no more than what differs", async (_what, change, expected) => {
    isDropped = () => false;
    declare();
    await scene.work(hour);
    expect(writes()).toEqual([whole]);
    scene.northflank.change("api", change);
    await scene.work(hour);
    expect(writes()).toEqual([expected]);
    expect(scene.object().status?.changes?.[0]).toMatchObject({ cause: "DriftCorrected", phase: "Complete" });
    expect(scene.state()).toContain("Ready=True/RolloutComplete");
  });

  test("of an image that is changed back at once is a fight after three, also where more is declared", async () => {
    isDropped = () => false;
    declare();
    await scene.work(hour);
    writes();
    scene.northflank.change("api", theirs);
    scene.afterWrite = () => scene.northflank.rollout("api", "COMPLETED", theirs);
    await scene.work(3 * hour);
    expect(writes()).toHaveLength(3);
    expect(scene.state()).toContain("Stalled=True/FightDetected");
  });
});

test("a whole body that is changed back is a fight, as before", async () => {
  scene.has(deployment());
  scene.northflank.keeps = (body) => body;
  const theirs = { image: "ghcr.io/acme/api:9", external: { imagePath: "ghcr.io/acme/api:9" } as never };
  scene.afterWrite = () => scene.northflank.rollout("api", "COMPLETED", theirs);
  await scene.work(hour);
  expect(scene.state()).toContain("Stalled=True/FightDetected");
});

test("a job keeps the image alone: the rest is sent once, alone", async () => {
  scene.northflank.hasJob(job({ docker: { configType: "default" } }));
  const { serviceId: _, ...spec } = deployment({ spec: { jobId: "etl", deployment: { external, docker } } }).spec;
  isDropped = () => true;
  scene.has({ ...deployment(), spec });
  await scene.work(hour);
  expect(writes()).toEqual([whole, alone].map((call) => call.replace("post api", "post job etl")));
  expect(scene.state()).toContain("Stalled=True/ChangeNotKept");
});

import { beforeEach, describe, expect, test } from "vitest";
import type { DeploymentUpdate } from "../../../src/northflank/types.ts";
import { deployment, job, service } from "../../support/builders.ts";
import { DeploymentScene } from "../../support/deployment-scene.ts";

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

test("a part is sent alone also where the image is there already", async () => {
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

import { beforeEach, describe, expect, test } from "vitest";
import { reconcileRequestedAt } from "../../../src/api/names.ts";
import { toServiceView } from "../../../src/northflank/service-view.ts";
import type { ServiceView } from "../../../src/northflank/types.ts";
import { deployment, service } from "../../support/builders.ts";
import { DeploymentScene } from "../../support/deployment-scene.ts";
import { northflankError } from "../../support/fake-northflank.ts";

/* Services that are paused, in both forms of the answer: told in words, or by a number of instances alone. */

const minute = 60_000;
const hour = 60 * minute;
const ours = "ghcr.io/acme/api:2";
const post = `post api {"external":{"imagePath":"${ours}"}}`;
const paused =
  "Ready=True/ServicePaused Accepted=True/Accepted InSync=True/InSync RolloutComplete=Unknown/ServicePaused -> Current";
const complete =
  "Ready=True/RolloutComplete Accepted=True/Accepted InSync=True/InSync RolloutComplete=True/RolloutComplete -> Current";

let scene: DeploymentScene;

beforeEach(() => {
  scene = new DeploymentScene();
  scene.northflank.has(service());
});

type Pause = Partial<ServiceView>;

const forms: readonly (readonly [string, Pause, Pause, string])[] = [
  ["that tells servicePaused", { servicePaused: true }, { servicePaused: false }, "servicePaused is true"],
  [
    "that tells the instances alone",
    { servicePaused: true, pausedByInstances: true, instances: 0 },
    { servicePaused: false, instances: 2 },
    "deployment.instances is 0",
  ],
];

const writes = () => scene.northflank.takeCalls().filter((call) => !call.startsWith("get"));

test.each<[string, object, boolean]>([
  ["servicePaused true", { servicePaused: true, deployment: { instances: 2 } }, true],
  [
    "servicePaused false, which counts more than instances",
    { servicePaused: false, deployment: { instances: 0 } },
    false,
  ],
  ["no servicePaused and no instances", { deployment: { instances: 0 } }, true],
  ["no servicePaused and an instance", { deployment: { instances: 1 } }, false],
  ["neither", { deployment: {} }, false],
  ["no number", { deployment: { instances: "0" } }, false],
])("an answer with %s", (_name, data, expected) => {
  expect(toServiceView({ id: "api", ...data })?.servicePaused).toBe(expected);
});

describe.each(forms)("in a form %s, a paused service", (_form, pause, resume, shown) => {
  async function settled(spec = {}): Promise<void> {
    scene.has(deployment({ spec }));
    await scene.pass();
    await scene.clock.advance(10_000);
    scene.northflank.rollout("api", "COMPLETED");
    await scene.settle();
    expect(scene.state()).toBe(complete);
    scene.northflank.takeCalls();
    scene.takeEvents();
  }

  /** Somebody resumes the service, and the next look finds its rollout under way. */
  async function resumed(): Promise<void> {
    scene.northflank.change("api", resume);
    scene.northflank.rollout("api", "IN_PROGRESS");
    do await scene.work(5_000);
    while (scene.object().status?.observed?.servicePaused === true);
  }

  test("that has what is declared is Ready, and polled like any settled service", async () => {
    await settled();
    scene.northflank.change("api", pause);
    await scene.work(24 * hour);
    expect(scene.state()).toBe(paused);
    expect(scene.message()).toContain(shown);
    expect(JSON.stringify(scene.object().status)).not.toContain("rollout is complete");
    const calls = scene.northflank.takeCalls();
    expect(new Set(calls)).toEqual(new Set(["get api (observe)"]));
    expect(calls.length).toBeLessThanOrEqual(97);
    expect(scene.takeEvents()).toEqual([]);
  });

  test("is sent another image once, and is Ready as soon as it shows that", async () => {
    await settled();
    scene.northflank.change("api", pause);
    await scene.work(hour);
    scene.edit({ deployment: { external: { imagePath: "ghcr.io/acme/api:3" } } });
    scene.northflank.takeCalls();
    await scene.pass();
    expect(scene.state()).toContain("Ready=Unknown/ApplyingChange");
    await scene.work(10 * hour);
    expect(writes()).toEqual(['post api {"external":{"imagePath":"ghcr.io/acme/api:3"}}']);
    expect(scene.state()).toBe(paused);
    expect(scene.message()).toContain("ghcr.io/acme/api:3; it starts when");
    expect(scene.message()).toContain("starts when the service is resumed");
    expect(scene.object().status?.changes?.[0]).toMatchObject({ cause: "SpecChanged", phase: "Paused" });
  });

  test("is not taken for rolled out because Northflank said so of the change during the pause", async () => {
    await settled({ rollout: { onFailure: "Restore" } });
    scene.northflank.change("api", pause);
    await scene.work(hour);
    scene.edit({ deployment: { external: { imagePath: "ghcr.io/acme/api:3" } } });
    await scene.work(10_000);
    scene.northflank.rollout("api", "COMPLETED");
    await scene.work(4 * minute);
    scene.northflank.change("api", resume);
    await scene.work(20 * minute);
    // Nothing has moved since the resume.
    expect(scene.object().status?.lastGood).not.toMatchObject({ image: "ghcr.io/acme/api:3" });
    scene.northflank.rollout("api", "FAILED");
    await scene.work(hour);
    expect(writes().at(-1)).toBe(post);
  });

  test("is sent the declared image when it is seen for the first time", async () => {
    scene.northflank.change("api", pause);
    scene.has(deployment());
    await scene.work(hour);
    expect(writes()).toEqual([post]);
    expect(scene.state()).toBe(paused);
  });

  test("is followed from the resume on: the night is no part of its rollout", async () => {
    scene.northflank.change("api", pause);
    scene.has(deployment());
    await scene.work(10 * hour);
    scene.takeEvents();
    await resumed();
    await scene.work(14 * minute);
    expect(scene.state()).toContain("Ready=Unknown/RollingOut");
    expect(scene.takeEvents()).toEqual(["Normal ServiceResumed: The service was resumed. The rollout is followed."]);
    scene.northflank.rollout("api", "COMPLETED");
    await scene.work(10 * minute);
    expect(scene.state()).toBe(complete);
    expect(scene.object().status?.changes?.[0]?.phase).toBe("Complete");
    expect(scene.takeEvents()).toEqual([
      `Normal RolloutComplete: Northflank has ${ours}, and the rollout is complete.`,
    ]);
  });

  test("whose rollout does not end after the resume is late as long after it as any other", async () => {
    scene.northflank.change("api", pause);
    scene.has(deployment());
    await scene.work(10 * hour);
    await resumed();
    await scene.work(14 * minute);
    expect(scene.state()).toContain("Ready=Unknown/RollingOut");
    await scene.work(2 * minute);
    expect(scene.state()).toContain("Ready=False/RolloutTimedOut");
  });

  test("that still shows the end of an older rollout after the resume is not complete by that", async () => {
    scene.northflank.change("api", pause);
    scene.has(deployment());
    await scene.work(minute);
    scene.northflank.rollout("api", "COMPLETED", pause);
    await scene.work(hour);
    scene.northflank.change("api", resume);
    await scene.work(16 * minute);
    expect(scene.state()).toContain("Ready=Unknown/RollingOut");
    scene.northflank.rollout("api", "COMPLETED");
    await scene.work(10 * minute);
    expect(scene.state()).toBe(complete);
  });

  test("that the change itself resumes is followed at once, and said", async () => {
    scene.northflank.change("api", pause);
    scene.afterWrite = () => scene.northflank.rollout("api", "IN_PROGRESS", resume);
    scene.has(deployment());
    await scene.work(minute);
    expect(scene.state()).toContain("Ready=Unknown/RollingOut");
    expect(scene.takeEvents().join()).toContain("not paused any more since the change was sent");
    scene.northflank.rollout("api", "COMPLETED");
    await scene.work(minute);
    expect(scene.state()).toBe(complete);
  });

  test("during a rollout stops its clock, and the resume starts it anew", async () => {
    scene.has(deployment());
    await scene.work(5 * minute);
    expect(scene.state()).toContain("Ready=Unknown/RollingOut");
    scene.northflank.change("api", pause);
    await scene.work(8 * hour);
    expect(scene.state()).toBe(paused);
    await resumed();
    await scene.work(14 * minute);
    expect(scene.state()).toContain("Ready=Unknown/RollingOut");
    scene.northflank.rollout("api", "COMPLETED");
    await scene.work(5 * minute);
    expect(scene.state()).toBe(complete);
  });

  test("after a rollout that failed is Ready, and says that it failed", async () => {
    scene.has(deployment());
    await scene.pass();
    await scene.clock.advance(10_000);
    scene.northflank.rollout("api", "FAILED");
    await scene.pass();
    expect(scene.state()).toContain("Stalled=True/RolloutFailed");
    scene.northflank.change("api", pause);
    await scene.work(2 * hour);
    expect(scene.state()).toBe(paused);
    expect(scene.message()).toContain(", whose last rollout failed;");
  });

  test("is corrected when somebody changes its image, and only observed where the policy says so", async () => {
    await settled();
    const theirs = {
      image: "ghcr.io/acme/api:9",
      external: { imagePath: "ghcr.io/acme/api:9" } as ServiceView["external"],
    };
    scene.northflank.change("api", { ...pause, ...theirs });
    await scene.work(20 * minute);
    expect(writes()).toEqual([post]);
    expect(scene.state()).toBe(paused);
    scene.edit({ managementPolicy: "Observe" });
    scene.northflank.change("api", theirs);
    await scene.work(20 * minute);
    expect(writes()).toEqual([]);
    expect(scene.state()).toContain("Ready=True/DriftObserved");
  });

  test("is read back once where the rollout is not waited for", async () => {
    scene.northflank.change("api", pause);
    scene.has(deployment({ spec: { rollout: { wait: false, timeoutSeconds: 900, onFailure: "Report" } } }));
    await scene.work(hour);
    expect(writes()).toEqual([post]);
    expect(scene.state()).toBe(paused);
  });

  test.each(["a restart of the operator", "a lost answer"])("is sent one image in spite of %s", async (what) => {
    scene.northflank.change("api", pause);
    scene.has(deployment());
    if (what === "a lost answer") {
      scene.northflank.failNext("updateServiceDeployment", northflankError("interrupted"), { isDone: true });
    }
    await scene.pass();
    scene.restart();
    await scene.work(hour);
    expect(writes()).toEqual([post]);
    expect(scene.state()).toBe(paused);
  });

  test("answers a reconcile request by one read", async () => {
    await settled();
    scene.northflank.change("api", pause);
    await scene.work(hour);
    scene.northflank.takeCalls();
    scene.annotate({ [reconcileRequestedAt]: "now" });
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual(["get api (change)"]);
    expect(scene.state()).toBe(paused);
    expect(scene.object().status?.lastHandledReconcileAt).toBe("now");
  });

  describe("under onFailure Restore", () => {
    const rollout = { wait: true, timeoutSeconds: 900, onFailure: "Restore" } as const;

    /** The good source was sent back after a failure, and its rollout is under way. */
    async function restoring(): Promise<void> {
      await settled({ rollout });
      scene.edit({ deployment: { external: { imagePath: "ghcr.io/acme/api:3" } } });
      await scene.pass();
      await scene.clock.advance(10_000);
      scene.northflank.rollout("api", "FAILED");
      await scene.work(5_000);
      expect(scene.northflank.service("api").image).toBe(ours);
      scene.northflank.takeCalls();
    }

    test("is not late with the good source: its limit counts from the resume", async () => {
      await restoring();
      scene.northflank.change("api", pause);
      await scene.work(10 * hour);
      expect(scene.state()).toContain("Restored=Unknown/Restoring");
      expect(scene.message("Restored")).toContain(shown);
      await resumed();
      await scene.work(14 * minute);
      expect(scene.state()).toContain("Restored=Unknown/Restoring");
      scene.northflank.rollout("api", "COMPLETED");
      await scene.work(10 * minute);
      expect(scene.state()).toContain("Restored=True/Restored");
      expect(writes()).toEqual([]);
    });

    test("is not polled faster than hourly for it", async () => {
      await restoring();
      scene.northflank.change("api", pause);
      await scene.work(24 * hour);
      expect(scene.northflank.takeCalls().length).toBeLessThanOrEqual(31);
    });
  });
});

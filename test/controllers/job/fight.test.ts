import { describe, expect, test } from "vitest";
import { correctionsOf } from "../../../src/controllers/job/machine.ts";
import { jobObject } from "../../support/builders.ts";
import { JobScene } from "../../support/job-scene.ts";

const request = "northflank-operator.io/reconcile-requested-at";

async function settled(resyncPeriodSeconds: number): Promise<JobScene> {
  const made = new JobScene();
  made.northflank.hasSettings("migrate", { description: "Old" }, "manual");
  made.has(jobObject({ spec: { settings: { description: "Ours" }, resyncPeriodSeconds } }));
  await made.settle(50_000);
  made.northflank.takeCalls();
  return made;
}

/** Another client changes the job, and the next look is due. */
async function undone(made: JobScene, periodMs: number): Promise<number> {
  made.northflank.patchSettings("migrate", { description: "Theirs" });
  await made.clock.advance(1.2 * periodMs);
  await made.settle(50_000);
  return made.northflank.takeCalls().filter((call) => call.startsWith("patch")).length;
}

async function ask(made: JobScene, value: string): Promise<number> {
  made.annotate({ [request]: value });
  await made.settle(50_000);
  return made.northflank.takeCalls().filter((call) => call.startsWith("patch")).length;
}

describe.each([60, 900, 3_600, 86_400])("another client that undoes each correction (resync %i s)", (seconds) => {
  const periodMs = seconds * 1_000;

  async function fight(): Promise<JobScene> {
    const made = await settled(seconds);
    const sent: number[] = [];
    for (let look = 0; look < 6; look += 1) sent.push(await undone(made, periodMs));
    expect(sent).toEqual([1, 1, 1, 0, 0, 0]);
    expect(made.state()).toContain("Stalled=True/FightDetected");
    return made;
  }

  test("is stopped after three corrections in a row, also across a restart of the operator", async () => {
    const made = await settled(seconds);
    expect(await undone(made, 2 * periodMs)).toBe(1);
    made.restart();
    await made.pass();
    expect(await undone(made, 2 * periodMs)).toBe(1);
    made.restart();
    await made.pass();
    expect(await undone(made, 2 * periodMs)).toBe(1);
    made.restart();
    await made.pass();
    expect(await undone(made, 2 * periodMs)).toBe(0);
    expect(made.state()).toContain("Stalled=True/FightDetected");
  });

  test("gets one more correction for a request, and the row is not forgotten", async () => {
    const made = await fight();
    expect(await ask(made, "one")).toBe(1);
    expect(await undone(made, Math.max(periodMs, 3_600_000))).toBe(0);
    expect(made.state()).toContain("Stalled=True/FightDetected");
    expect(correctionsOf(made.object())).toHaveLength(4);
  });

  test("gets no more corrections than one in ten minutes, however many requests there are", async () => {
    const made = await fight();
    let sent = 0;
    for (let count = 0; count < 30; count += 1) {
      made.northflank.patchSettings("migrate", { description: "Theirs" });
      sent += await ask(made, `${count}`);
      await made.clock.advance(60_000);
    }
    expect(sent).toBeLessThanOrEqual(3);
  });

  test("meets a clean slate when the spec is edited", async () => {
    const made = await fight();
    made.edit({ settings: { description: "Ours again" } });
    await made.settle(50_000);
    expect(correctionsOf(made.object())).toEqual([]);
    made.northflank.takeCalls();
    expect(await undone(made, periodMs)).toBe(1);
  });

  test("and gives up in between is no fight", async () => {
    const made = await settled(seconds);
    for (let round = 0; round < 4; round += 1) {
      expect(await undone(made, periodMs)).toBe(1);
      // Looks find it as declared, the last of them long after the correction.
      for (let look = 0; look < 12; look += 1) {
        await made.clock.advance(1.2 * periodMs);
        await made.settle(50_000);
      }
      expect(correctionsOf(made.object())).toEqual([]);
      made.northflank.takeCalls();
    }
  });
});

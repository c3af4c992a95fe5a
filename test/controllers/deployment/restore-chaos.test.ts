import { expect, test } from "vitest";
import type { NorthflankDeployment } from "../../../src/api/deployment.ts";
import { reconcileRequestedAt } from "../../../src/api/names.ts";
import { KubeError } from "../../../src/kube/errors.ts";
import { deployment, service } from "../../support/builders.ts";
import { DeploymentScene } from "../../support/deployment-scene.ts";
import { northflankError } from "../../support/fake-northflank.ts";
import { seeded } from "../../support/seeded.ts";

/*
 * Random lives of one object under `onFailure: Restore`: edits to images that work and images that do not, requests,
 * lost answers, lost status writes, deaths in the POST, restarts. What must hold all the way: between two interventions
 * of a person (an edit, a request) the declared image is never sent again after the good one was put back. And at the
 * end: what works is in force, or what worked before. The seed is in the name of the test.
 */

const seeds = Array.from({ length: 60 }, (_, index) => index + 1);
const image = (tag: number) => `ghcr.io/acme/api:${tag}`;
/** Even ones work; `service()` begins with 1, which is complete. */
const isBroken = (tag: number) => tag > 1 && tag % 2 === 1;

test.each(seeds)("a failed image is put back once, whatever goes wrong meanwhile (seed %i)", async (seed) => {
  const random = seeded(seed);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const scene = new DeploymentScene();
  scene.northflank.has(service());
  const rollout = { wait: true, timeoutSeconds: 900, onFailure: "Restore" } as const;
  let tag = 2;
  let requests = 0;
  scene.has(deployment({ spec: { rollout } }));

  const remoteTag = () => Number(scene.northflank.service("api").image?.split(":").at(-1));
  let sent: number[] = [];
  let isChanged = false;
  const collect = () => {
    for (const call of scene.northflank.takeCalls()) {
      const [, at] = /^post api .*api:(\d+)"/.exec(call) ?? [];
      if (at === undefined) continue;
      sent.push(Number(at));
      isChanged = true;
    }
  };
  const intervene = (act: () => void) => {
    collect();
    sent = [];
    act();
  };
  const steps: Readonly<Record<string, () => void>> = {
    edit: () =>
      intervene(() => {
        tag += 1 + Math.floor(random() * 2);
        scene.edit({ deployment: { external: { imagePath: image(tag) } } });
      }),
    request: () => intervene(() => scene.annotate({ [reconcileRequestedAt]: `r${++requests}` })),
    "rollout runs": () => scene.northflank.rollout("api", "IN_PROGRESS"),
    "rollout ends": () => end(),
    "ends too": () => end(),
    "look fails": () => scene.northflank.failNext("getService", northflankError("server_error")),
    "change fails": () => scene.northflank.failNext("updateServiceDeployment", northflankError("unreachable")),
    "answer is lost": () =>
      scene.northflank.failNext("updateServiceDeployment", northflankError("interrupted"), { isDone: true }),
    "killed before": () => scene.northflank.failNext("updateServiceDeployment", new Error("SIGKILL")),
    "killed after": () => scene.northflank.failNext("updateServiceDeployment", new Error("SIGKILL"), { isDone: true }),
    "status is lost": () => {
      scene.failStatus = new KubeError({ code: "unavailable", step: "patch", detail: "down" });
    },
    restart: () => scene.restart(),
  };
  function end(): void {
    scene.northflank.rollout("api", isBroken(remoteTag()) ? "FAILED" : "COMPLETED");
  }

  for (let n = 0; n < 60; n++) {
    // Some seconds after a change Northflank shows its rollout; until then, the one before.
    if (isChanged) scene.northflank.rollout("api", "PENDING");
    isChanged = false;
    steps[pick(Object.keys(steps))]?.();
    const outcome = await scene.pass();
    if (outcome.kind === "retry") scene.restart();
    collect();
    expectNoLoop(sent, tag);
    await scene.clock.advance(outcome.kind === "recheck" ? Math.min(outcome.afterMs, 120_000) : 5_000);
  }

  scene.northflank.clearFailures();
  scene.failStatus = undefined;
  for (let n = 0; n < 8; n++) {
    await scene.settle(9_999);
    await scene.clock.advance(60_000);
    end();
    await scene.clock.advance(4_400_000);
  }
  await scene.settle(9_999);
  collect();
  expectNoLoop(sent, tag);
  const { lastGood, changes } = scene.object().status ?? {};
  const good = lastGood?.source;
  // What works may have been late.
  if (!isBroken(tag) && !wasLate(changes)) {
    expect([remoteTag(), scene.state()]).toEqual([tag, expect.stringContaining("Ready=True/RolloutComplete")]);
  } else if (good === undefined) {
    // The first write of all was lost, and with it what had been there before.
    expect(scene.state()).toContain("Restored=False/NothingToRestore -> Failed");
  } else {
    expect([image(remoteTag()), scene.state()]).toEqual([
      good,
      expect.stringContaining("Restored=True/Restored -> Failed"),
    ]);
    expect(isBroken(remoteTag())).toBe(false);
  }

  // At rest: nothing is written anywhere any more.
  scene.statusWrites = 0;
  sent = [];
  for (let minute = 0; minute < 90; minute += 5) {
    await scene.clock.advance(300_000);
    await scene.pass();
  }
  collect();
  expect({ sent, writes: scene.statusWrites }).toEqual({ sent: [], writes: 0 });
});

/** After something else than what is declared was sent, what is declared is not. */
function expectNoLoop(sent: readonly number[], declared: number): void {
  const restored = sent.findIndex((tag) => tag !== declared);
  if (restored < 0) return;
  expect(sent.slice(restored), `sent: ${sent.join(", ")}`).not.toContain(declared);
  expect(new Set(sent.slice(restored)).size).toBe(1);
}

/** What is declared was rolled back because its rollout was late. */
function wasLate(changes: NonNullable<NorthflankDeployment["status"]>["changes"] = []): boolean {
  const [head, failed] = changes;
  return head?.cause === "RolledBack" && failed?.phase === "TimedOut";
}

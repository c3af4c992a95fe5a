import { expect, test } from "vitest";
import { type ProjectObject, projectGroups } from "../../../src/controllers/shared/work-groups.ts";
import { WorkQueue } from "../../../src/runtime/work-queue.ts";
import { FakeClock, settle } from "../../support/fake-clock.ts";
import { hangingPasses } from "../../support/hanging-passes.ts";

/** `dead1.p3/7` is an object of the connection `dead1` and its project `p3`. */
function objectOf(key: string): ProjectObject {
  const [connection = "", projectId = ""] = (key.split("/")[0] ?? "").split(".");
  return { metadata: { namespace: "n" }, spec: { connectionRef: { name: connection }, projectId } };
}

const spread = (count: number, key: (n: number) => string) => Array.from({ length: count }, (_, n) => key(n));

test.each([
  ["one hanging project", spread(40, (n) => `one.dead/${n}`), "one.healthy/1"],
  ["one hanging connection of 12 projects", spread(120, (n) => `dead.p${n % 12}/${n}`), "two.p/1"],
  ["three hanging connections", spread(240, (n) => `dead${n % 3}.p${n % 12}/${n}`), "two.p/1"],
])("%s holds up others for no longer than it takes to set its passes aside", async (_, hanging, healthy) => {
  const clock = new FakeClock();
  const queue = new WorkQueue({ clock, random: () => 0, groups: projectGroups({ get: objectOf }, 8) });
  const { controller, passed } = hangingPasses(queue, clock, (key) => hanging.includes(key));
  for (const key of hanging) queue.add(key);
  controller.start(new AbortController().signal);
  // Long enough for all places that the hanging ones can get, and shorter than their time limit.
  for (let second = 0; second < 20; second++) await clock.advance(1_000);
  queue.add(healthy);
  await settle();
  expect(passed).toEqual([healthy]);
  await controller.drain(AbortSignal.abort());
});

test("an object that is gone is in no group", () => {
  expect(projectGroups({ get: () => undefined }, 8)("n/gone")).toEqual([]);
});

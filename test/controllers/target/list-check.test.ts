import { expect, test } from "vitest";
import type { Account } from "../../../src/controllers/account/accounts.ts";
import { PollSchedule } from "../../../src/controllers/reconcile/poll-schedule.ts";
import { checkByList } from "../../../src/controllers/target/list-check.ts";
import { objectKey } from "../../../src/runtime/outcome.ts";
import { deployment } from "../../support/builders.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { always, strictFake } from "../../support/strict-fake.ts";

type Lists = Parameters<typeof checkByList>[0]["lists"];
type Ask = Parameters<Lists["items"]>[2];

function freshSchedule(clock = new FakeClock()): { readonly clock: FakeClock; readonly schedule: PollSchedule } {
  return { clock, schedule: new PollSchedule({ clock, random: always(0) }) };
}

/** Checks a target that its list shows as `shown`; also what was asked of the list. */
async function check(shown: string | undefined, isReadDue = false, { clock, schedule } = freshSchedule()) {
  const asks: Ask[] = [];
  const lists = strictFake<Lists>("lists", {
    items: async (_reader, _list, ask) => {
      asks.push(ask);
      const get = () => ({ entry: undefined, startedAtMs: clock.monotonic() });
      return { ageMs: 0, isComplete: true, size: 1, serverTimeMs: undefined, get };
    },
  });
  const object = deployment();
  const scheduled = { key: objectKey(object.metadata) };
  const target = { idOf: () => "api", changed: () => shown, object, account: { version: "1" } as Account, scheduled };
  const signal = new AbortController().signal;
  const due = await checkByList({ lists, schedule }, target, { maxAgeMs: 900_000, isReadDue, signal });
  return { due, asks };
}

test("a list that shows a change has the target read before those of which nothing is known", async () => {
  expect((await check("moved")).due).toEqual({ kind: "read", class: "run" });
  expect((await check(undefined, true)).due).toEqual({ kind: "read", class: "observe" });
  expect((await check(undefined)).due).toEqual({ kind: "rest", dueInMs: 900_000 });
});

test("a list does not wait for the share that reads of single targets use up", async () => {
  expect((await check(undefined)).asks).toMatchObject([{ class: "run", maxAgeMs: 900_000 }]);
});

test("a list that shows news of every target leaves the quota to polls: most of the reads are checks", async () => {
  const scene = freshSchedule();
  const classes: string[] = [];
  for (let index = 0; index < 1_000; index++) {
    const { due } = await check("moved", false, scene);
    if (due.kind === "read") classes.push(due.class);
  }
  expect(classes.length).toBe(1_000);
  expect(classes.filter((one) => one === "run").length).toBe(60);
  await scene.clock.advance(3_600_000);
  expect((await check("moved", false, scene)).due).toEqual({ kind: "read", class: "run" });
});

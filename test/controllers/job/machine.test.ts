import { describe, expect, test } from "vitest";
import { type Finding, type State, stateOf, steps } from "../../../src/controllers/job/machine.ts";
import { correctionsOf } from "../../../src/controllers/target/drift.ts";
import type { JobSettingsView } from "../../../src/northflank/types.ts";
import { jobObject } from "../../support/builders.ts";
import { JobLife } from "../../support/lives.ts";
import { settingsSeen } from "../../support/sights.ts";

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const ours = { description: "ours" };
const theirs = { description: "theirs" };

type Step = (life: JobLife) => void;

const sees =
  (afterMs: number, values: JobSettingsView["settings"], answer?: "not sent"): Step =>
  (life) => {
    life.sees(settingsSeen(life, values), afterMs, answer);
  };
const corrected: readonly Step[] = [sees(hour, theirs), sees(2 * second, ours)];

function life(...made: readonly Step[]): JobLife {
  const one = new JobLife(jobObject({ spec: { settings: ours } }));
  for (const step of made) step(one);
  return one;
}

/** How a job comes into each state: one more state does not compile until it is reached here. */
const ways: Readonly<Record<State, readonly Step[]>> = {
  None: [sees(0, ours)],
  // The process ends before the call.
  Sending: [sees(0, theirs), sees(minute, theirs, "not sent"), (one) => one.restart()],
  ReadingBack: [sees(0, theirs)],
  InForce: [sees(0, theirs), sees(2 * second, ours)],
  NotKept: [sees(0, theirs), sees(minute, theirs), sees(minute, theirs)],
  Superseded: [sees(0, theirs), sees(2 * second, ours), ...Array(3).fill(corrected).flat(), sees(hour, theirs)],
};

const newlySent = "sent, progressing/ApplyingChange -> SpecChanged ReadingBack";

/** What each finding comes to in each state, and the newest change after it. */
const table: Readonly<Record<State, Readonly<Record<Finding, string>>>> = {
  None: {
    same: "ready/InSync -> no change",
    changed: newlySent,
    different: "sent, progressing/ApplyingChange -> DriftCorrected ReadingBack",
  },
  Sending: {
    same: "ready/InSync -> PartResent InForce",
    changed: newlySent,
    different: "progressing/ApplyingChange -> PartResent Sending",
  },
  ReadingBack: {
    same: "ready/InSync -> SpecChanged InForce",
    changed: newlySent,
    different: "progressing/ApplyingChange -> SpecChanged ReadingBack",
  },
  InForce: {
    same: "ready/InSync -> SpecChanged InForce",
    changed: newlySent,
    different: "sent, progressing/ApplyingChange -> DriftCorrected ReadingBack",
  },
  NotKept: {
    same: "ready/InSync -> PartResent InForce",
    changed: newlySent,
    different: "stalled/ChangeNotKept -> PartResent NotKept",
  },
  Superseded: {
    same: "ready/InSync -> DriftCorrected InForce",
    changed: newlySent,
    different: "stalled/FightDetected -> DriftCorrected Superseded",
  },
};

const cells = Object.entries(table).flatMap(([state, row]) =>
  Object.entries(row).map(([finding, expected]) => ({ state: state as State, finding: finding as Finding, expected })),
);

test.each(cells)("$state, and what is found is $finding: $expected", ({ state, finding, expected }) => {
  const made = life(...ways[state]);
  if (finding === "changed") made.edit({ settings: { description: "edited" } });
  const [text] = made.sees(settingsSeen(made, finding === "different" ? theirs : ours), second).split(", again ");
  const [head] = made.object.status?.changes ?? [];
  expect(`${text} -> ${head === undefined ? "no change" : `${head.cause} ${head.phase}`}`).toBe(expected);
  if (finding === "changed") expect(correctionsOf(made.object)).toEqual([]);
});

describe.each(Object.entries(ways))("%s", (state, way) => {
  test("is reached, and `since` is when it began", () => {
    const made = life(...way);
    expect(stateOf(made.object)).toBe(state);
    const [head] = made.object.status?.changes ?? [];
    expect(head?.since).toBe(state === "None" ? undefined : new Date(made.now).toISOString().replace(".000Z", "Z"));
  });

  test("stays as it is, with its `since`, while the same is found", () => {
    const made = life(...way);
    const before = made.object.status?.changes;
    const different = steps[state as State].different === "hold";
    made.sees(settingsSeen(made, different ? theirs : ours), second);
    const [head] = made.object.status?.changes ?? [];
    if (state === "Sending" || state === "ReadingBack") expect(head?.phase).toBe("InForce");
    else expect(made.object.status?.changes).toEqual(before);
  });
});

import { describe, expect, test } from "vitest";
import type { NorthflankJobStatus } from "../../../src/api/job.ts";
import { correctionsOf, type State, stateOf, steps } from "../../../src/controllers/job/machine.ts";
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

  test("comes to what the table says where a difference is found", () => {
    const made = life(...way);
    made.passes(second);
    const texts = { "read-back": /ApplyingChange/, correct: /write because DriftCorrected/, hold: /^stalled/ };
    const step = steps[state as State].different;
    expect(made.judges(settingsSeen(made, theirs))).toMatch(texts[step as keyof typeof texts]);
  });

  test("sends what is newly declared", () => {
    const made = life(...way);
    made.edit({ settings: { description: "edited" } });
    expect(made.judges(settingsSeen(made, ours))).toBe("write because SpecChanged");
    expect(correctionsOf(made.object)).toEqual([]);
  });
});

describe("a status of an older version, which has no changes", () => {
  function old(...way: readonly Step[]): JobLife {
    const made = life(...way);
    const { changes: _, ...rest } = made.object.status as NorthflankJobStatus;
    made.object = { ...made.object, status: rest };
    return made;
  }

  test("that was in force stays so, and drift of it is corrected", () => {
    const made = old(...ways.InForce);
    const before = made.object.status;
    expect(made.sees(settingsSeen(made, ours), hour)).toBe("ready/InSync, again in 900 s");
    expect(made.object.status).toBe(before);
    expect(made.judges(settingsSeen(made, theirs))).toBe("write because DriftCorrected");
  });

  test.each(["Superseded", "NotKept"] as const)("of a job in %s sends nothing before somebody asks", (state) => {
    const made = old(...ways[state]);
    for (let count = 0; count < 3; count += 1) {
      expect(made.sees(settingsSeen(made, theirs), hour)).toMatch(/^stalled\/(FightDetected|ChangeNotKept)/);
    }
    made.edit({ settings: { description: "edited" } });
    expect(made.judges(settingsSeen(made, theirs))).toBe("write because SpecChanged");
  });

  test("of a fight sends once more for a reconcile request", () => {
    const made = old(...ways.Superseded);
    made.request("now");
    expect(made.judges(settingsSeen(made, theirs))).toBe("write because DriftCorrected");
  });
});

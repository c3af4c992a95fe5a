import { describe, expect, test } from "vitest";
import type { NorthflankJobSpec } from "../../../src/api/job.ts";
import type { Observation } from "../../../src/controllers/job/observation.ts";
import type { NorthflankErrorCode } from "../../../src/northflank/errors.ts";
import { jobObject } from "../../support/builders.ts";
import { northflankError } from "../../support/fake-northflank.ts";
import { brokenPromises, type KstatusResult, kstatusOf } from "../../support/kstatus.ts";
import { JobLife } from "../../support/lives.ts";
import { settingsSeen } from "../../support/sights.ts";

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;

/** A life that nothing is known of yet; it wants a description. */
function unknown(spec: Partial<NorthflankJobSpec> = {}): JobLife {
  return new JobLife(jobObject({ spec: { settings: { description: "ours" }, ...spec } }));
}

const same = { description: "ours" };
const other = { description: "theirs" };
const failed = (code: NorthflankErrorCode, hasChangedSource = false): Observation => ({
  kind: "failed",
  error: northflankError(code),
  hasChangedSource,
});

/** What is declared was found in force. */
function settled(spec: Partial<NorthflankJobSpec> = {}): JobLife {
  const life = unknown(spec);
  expect(life.sees(settingsSeen(life, same))).toMatch(/^ready/);
  return life;
}

/** What is declared was sent a moment ago, and Northflank tells what it has. */
function sent(spec: Partial<NorthflankJobSpec> = {}): JobLife {
  const life = unknown(spec);
  expect(life.sees(settingsSeen(life, other))).toBe("sent, progressing/ApplyingChange, again in 2 s");
  return life;
}

describe("each kind of observation comes to one decision", () => {
  const cases: Record<Observation["kind"], readonly [Observation, string]> = {
    rest: [{ kind: "rest", dueInMs: 42_000 }, "rest for 42 s"],
    invalid: [
      { kind: "invalid", problems: [{ field: "spec.x", message: "is wrong", remedy: "" }] },
      "stalled/InvalidSpec, again never",
    ],
    suspended: [{ kind: "suspended" }, "suspended/Suspended, again never"],
    conflict: [{ kind: "conflict", owner: "n/a" }, "stalled/TargetConflict, again in 600 s"],
    blocked: [
      {
        kind: "blocked",
        readyState: { kind: "stalled", reason: "SecretNotFound", message: "None." },
        recheckAfterMs: 50_000,
      },
      "stalled/SecretNotFound, again in 50 s",
    ],
    failed: [failed("not_found"), "stalled/TargetNotFound, again in 15 s"],
    seen: [settingsSeen(unknown(), other), "write because SpecChanged"],
  };
  test.each(Object.entries(cases))("%s", (_kind, [observation, expected]) => {
    expect(unknown().judges(observation)).toBe(expected);
  });
});

test("a look that is blocked for no time at all is not repeated at once", () => {
  const readyState = { kind: "retrying", reason: "PermissionDenied", message: "None." } as const;
  const text = unknown().judges({ kind: "blocked", readyState, recheckAfterMs: 0 });
  expect(text).toBe("retrying/PermissionDenied, again in 1 s");
});

describe("a job that has what is declared", () => {
  const secret = { settings: { runtimeEnvironment: { TOKEN: "one" } } };
  const cases: Readonly<Record<string, readonly [() => JobLife, (life: JobLife) => Observation, string]>> = {
    "is in sync when it was so before we came": [
      unknown,
      (life) => settingsSeen(life, same),
      "ready/InSync, again in 900 s",
    ],
    "is in sync when our change is shown": [sent, (life) => settingsSeen(life, same), "ready/InSync, again in 900 s"],
    "is observed under Observe": [
      () => unknown({ managementPolicy: "Observe" }),
      (life) => settingsSeen(life, same),
      "ready/Observed, again in 900 s",
    ],
    "is never looked at again where it is not to be": [
      unknown,
      (life) => ({ ...settingsSeen(life, same), nextResyncMs: Number.POSITIVE_INFINITY }) as Observation,
      "ready/InSync, again never",
    ],
    "is sent what Northflank does not tell and was never sent": [
      () => unknown(secret),
      (life) => settingsSeen(life, {}),
      "write because SpecChanged",
    ],
    "is only observed where Northflank does not tell it and nothing may be written": [
      () => unknown({ ...secret, managementPolicy: "Observe" }),
      (life) => settingsSeen(life, {}),
      "ready/Observed, again in 900 s",
    ],
    "is of another type than the spec says": [
      () => unknown({ jobType: "cron" }),
      (life) => settingsSeen(life, same),
      "stalled/UnsupportedTarget, again in 3600 s",
    ],
    "is of a type that Northflank does not tell": [
      () => unknown({ jobType: "cron" }),
      (life) => settingsSeen(life, same, { jobType: undefined }),
      "ready/InSync, again in 900 s",
    ],
    "is a manual job that is to have a schedule": [
      () => unknown({ settings: { cron: { schedule: "@daily" } } }),
      (life) => settingsSeen(life, same),
      "stalled/UnsupportedTarget, again in 3600 s",
    ],
    "is another job of the same name": [
      () => recorded("uid-1"),
      (life) => settingsSeen(life, same, { uid: "uid-2" }),
      "progressing/TargetRecreated, again in 0 s",
    ],
    "is the same job when Northflank tells no uid": [
      () => recorded("uid-1"),
      (life) => settingsSeen(life, same),
      "ready/InSync, again in 900 s",
    ],
  };
  test.each(Object.entries(cases))("%s", (_sentence, [make, observation, expected]) => {
    const life = make();
    expect(life.judges(observation(life))).toBe(expected);
  });
});

function recorded(uid: string): JobLife {
  const life = unknown();
  life.sees(settingsSeen(life, same, { uid }));
  return life;
}

describe("a job that differs", () => {
  type Policy = NorthflankJobSpec["managementPolicy"];
  const settledUnder = (managementPolicy: Policy) => () => settled({ managementPolicy });
  const edited = (managementPolicy: Policy) => () => {
    const life = settled({ managementPolicy });
    life.edit({ settings: { description: "edited" } });
    return life;
  };
  const cases: Readonly<Record<string, readonly [() => JobLife, string]>> = {
    "is changed under Enforce when the spec is new": [
      () => unknown({ managementPolicy: "Enforce" }),
      "write because SpecChanged",
    ],
    "is changed under Enforce when it drifted": [settledUnder("Enforce"), "write because DriftCorrected"],
    "is changed under Enforce when the spec was edited": [edited("Enforce"), "write because SpecChanged"],
    "is changed under EnforceOnChange when the spec is new": [
      () => unknown({ managementPolicy: "EnforceOnChange" }),
      "write because SpecChanged",
    ],
    "is left alone under EnforceOnChange when it drifted": [
      settledUnder("EnforceOnChange"),
      "ready/DriftObserved, again in 900 s",
    ],
    "is changed under EnforceOnChange when the spec was edited": [
      edited("EnforceOnChange"),
      "write because SpecChanged",
    ],
    "is left alone under Observe": [
      () => unknown({ managementPolicy: "Observe" }),
      "ready/DriftObserved, again in 900 s",
    ],
    "is left alone under Observe when the spec was edited": [edited("Observe"), "ready/DriftObserved, again in 900 s"],
  };
  test.each(Object.entries(cases))("%s", (_sentence, [make, expected]) => {
    const life = make();
    expect(life.judges(settingsSeen(life, other))).toBe(expected);
  });

  test("from a change of ours is read back for a minute, ever more rarely; then what differs is sent alone, once", () => {
    const life = sent();
    const looks = [2, 2, 4, 8, 16, 28].map((seconds) => life.sees(settingsSeen(life, other), seconds * second));
    expect(looks).toEqual([
      "progressing/ApplyingChange, again in 2 s",
      "progressing/ApplyingChange, again in 4 s",
      "progressing/ApplyingChange, again in 8 s",
      "progressing/ApplyingChange, again in 16 s",
      "progressing/ApplyingChange, again in 28 s",
      "sent, progressing/ApplyingChange, again in 2 s",
    ]);
    expect(life.sees(settingsSeen(life, other), minute)).toBe("stalled/ChangeNotKept, again in 60 s");
    expect(life.sees(settingsSeen(life, other), hour)).toBe("stalled/ChangeNotKept, again in 915 s");
    life.request("again");
    expect(life.judges(settingsSeen(life, other))).toBe("write because PartResent");
  });

  test("from a change of ours is sent at once when somebody asks for it", () => {
    const life = sent();
    life.request("now");
    expect(life.judges(settingsSeen(life, other))).toBe("write because PartResent");
  });

  test.each([
    ["corrected a third time after two", [10, 20], "write because DriftCorrected"],
    ["not corrected a fourth time", [10, 20, 599], "stalled/FightDetected, again in 900 s"],
    ["not corrected a fourth time, however long ago", [9e4, 9e4, 9e4], "stalled/FightDetected, again in 900 s"],
  ])("is %s", (_sentence, undoneAfterSeconds, expected) => {
    const life = settled();
    for (const seconds of undoneAfterSeconds) {
      expect(life.judges(settingsSeen(life, other))).toBe("write because DriftCorrected");
      life.sees(settingsSeen(life, other));
      life.sees(settingsSeen(life, same), 2 * second);
      life.passes((seconds - 2) * second);
    }
    expect(life.judges(settingsSeen(life, other))).toBe(expected);
    if (!expected.includes("FightDetected")) return;
    // Once it is said, a person can ask for one more.
    life.sees(settingsSeen(life, other));
    life.request("now");
    expect(life.judges(settingsSeen(life, other))).toBe("write because DriftCorrected");
  });

  test("is a fight no longer after a check that found it as declared", () => {
    const life = settled();
    for (let count = 0; count < 3; count += 1) {
      life.sees(settingsSeen(life, other), hour);
      life.sees(settingsSeen(life, same), 2 * second);
    }
    life.sees(settingsSeen(life, same), hour);
    expect(life.judges(settingsSeen(life, other))).toBe("write because DriftCorrected");
  });
});

describe("values that Northflank does not tell", () => {
  const spec = { settings: { runtimeEnvironmentFrom: [{ name: "URL", secretKeyRef: { name: "db", key: "url" } }] } };
  /** The values of the Secret were sent. */
  const applied = (policy: NorthflankJobSpec["managementPolicy"] = "Enforce") => {
    const life = unknown({ ...spec, managementPolicy: policy });
    rotate(life, "1");
    expect(life.sees(settingsSeen(life, {}))).toBe("sent, ready/InSync, again in 900 s");
    return life;
  };
  const rotate = (life: JobLife, version: string) => {
    life.values = { runtimeEnvironment: { URL: `value ${version}` }, versions: [version] };
  };

  type Case = readonly [NorthflankJobSpec["managementPolicy"], (life: JobLife) => void, string];
  const cases: Readonly<Record<string, Case>> = {
    "are as they were sent": ["Enforce", () => undefined, "ready/InSync, again in 900 s"],
    "are sent when they have changed": ["Enforce", (life) => rotate(life, "2"), "write because SourceChanged"],
    "are sent when they have changed, under EnforceOnChange too": [
      "EnforceOnChange",
      (life) => rotate(life, "2"),
      "write because SourceChanged",
    ],
    "are sent when spec and values have changed": [
      "Enforce",
      (life) => {
        rotate(life, "2");
        life.edit({ settings: { ...spec.settings, description: "ours" } });
      },
      "write because SpecChanged",
    ],
    "are sent once more after a new token, whose hashes say nothing": [
      "Enforce",
      (life) => {
        life.token = "new";
      },
      "write because SourceChanged",
    ],
    "are not sent after a new token under EnforceOnChange, where the versions prove that they are the same": [
      "EnforceOnChange",
      (life) => {
        life.token = "new";
      },
      "ready/InSync, again in 900 s",
    ],
    "are sent after a new token under EnforceOnChange, where a version is another one": [
      "EnforceOnChange",
      (life) => {
        life.token = "new";
        rotate(life, "2");
      },
      "write because SourceChanged",
    ],
  };
  test.each(Object.entries(cases))("%s", (_sentence, [policy, change, expected]) => {
    const life = applied(policy);
    change(life);
    expect(life.judges(settingsSeen(life, {}))).toBe(expected);
  });

  test.each<[string, Observation, string]>([
    ["the account is blocked", blockedWith(true), "Unknown/WaitingForConnection"],
    ["the account is blocked, and nothing changed", blockedWith(false), "True/InSync"],
    ["the look fails", failed("timeout", true), "Unknown/RequestTimeout"],
    ["the look fails, and nothing changed", failed("timeout"), "True/InSync"],
  ])("InSync says that new values are not sent while %s", (_what, observation, expected) => {
    const life = applied();
    life.sees(observation, minute);
    const inSync = life.object.status?.conditions?.find(({ type }) => type === "InSync");
    expect(`${inSync?.status}/${inSync?.reason}`).toBe(expected);
  });
});

function blockedWith(hasChangedSource: boolean): Observation {
  const readyState = { kind: "waiting", reason: "WaitingForConnection", message: "None." } as const;
  return { kind: "blocked", readyState, recheckAfterMs: 50_000, hasChangedSource };
}

describe("every conclusion makes a status that keeps the promises", () => {
  const states: Readonly<Record<string, () => JobLife>> = { unknown: () => unknown(), settled, sent };
  const observations: Readonly<
    Record<Exclude<Observation["kind"], "rest">, (life: JobLife) => readonly Observation[]>
  > = {
    invalid: () => [{ kind: "invalid", problems: [{ field: "spec.x", message: "is wrong", remedy: "" }] }],
    suspended: () => [{ kind: "suspended" }],
    conflict: () => [{ kind: "conflict", owner: "n/a" }],
    blocked: () => [blockedWith(true), blockedWith(false)],
    failed: () => (["rate_limited", "timeout", "tls"] as const).map((code) => failed(code, true)),
    seen: (life) => [
      settingsSeen(life, same),
      settingsSeen(life, other),
      settingsSeen(life, {}),
      settingsSeen(life, same, { uid: "another" }),
    ],
  };
  const all = Object.keys(states).flatMap((state) =>
    Object.keys(observations).flatMap((kind) => [1, 2].map((generation) => ({ state, kind, generation }))),
  );
  test.each(all)("$state, then $kind, generation $generation", ({ state, kind, generation }) => {
    const begin = () => {
      const life = states[state]?.() ?? unknown();
      if (generation === 2) life.edit({});
      return life;
    };
    const list = observations[kind as keyof typeof observations];
    expect(list(begin()).length).toBeGreaterThan(0);
    for (const [index] of list(begin()).entries()) {
      const life = begin();
      const observation = list(life)[index];
      if (observation === undefined) throw new Error("unreachable");
      const text = life.sees(observation);
      expect(brokenPromises(life.object), text).toEqual([]);
      const [, readyState = ""] = /(\w+)\//.exec(text) ?? [];
      const expected: Readonly<Record<string, readonly KstatusResult[]>> = {
        ready: ["Current"],
        progressing: ["InProgress"],
        retrying: ["InProgress"],
        waiting: ["Current", "InProgress"],
        stalled: ["Failed"],
        suspended: ["Current", "InProgress"],
      };
      expect(expected[readyState], text).toContain(kstatusOf(life.object));
    }
  });
});

test("a status in which only the time of the next look would differ is the status before", () => {
  const life = settled();
  const { status } = life.object;
  expect(status?.nextReconcileTime).toBe("2026-01-01T00:15:00Z");
  life.sees(settingsSeen(life, same), 900_000);
  expect(life.object.status).toBe(status);
});

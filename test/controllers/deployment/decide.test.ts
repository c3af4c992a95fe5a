import { describe, expect, test } from "vitest";
import type { NorthflankDeployment } from "../../../src/api/deployment.ts";
import type { SeenBuild } from "../../../src/controllers/build/build-query.ts";
import { decide } from "../../../src/controllers/deployment/decide.ts";
import type { Observation } from "../../../src/controllers/deployment/observation.ts";
import { pollPauseMs } from "../../../src/controllers/deployment/rollout.ts";
import { deployment } from "../../support/builders.ts";
import { errorCodes, northflankError } from "../../support/fake-northflank.ts";
import { brokenPromises, type KstatusResult, kstatusOf } from "../../support/kstatus.ts";
import { DeploymentLife } from "../../support/lives.ts";
import { jobTargetSeen, serviceSeen } from "../../support/sights.ts";
import { always } from "../../support/strict-fake.ts";

const second = 1_000;
const minute = 60 * second;

/** A life that nothing is known of yet. */
function unknown(spec: Partial<NorthflankDeployment["spec"]> = {}): DeploymentLife {
  return new DeploymentLife(deployment({ spec }));
}

const same = { imagePath: "ghcr.io/acme/api:2" };

describe("each kind of observation comes to one decision", () => {
  const { desire } = unknown();
  const cases: Record<Observation["kind"], readonly [Observation, string]> = {
    rest: [{ kind: "rest", dueInMs: 42_000 }, "rest for 42 s"],
    invalid: [
      { kind: "invalid", problems: [{ field: "spec.x", message: "is wrong", remedy: "" }] },
      "stalled/InvalidSpec, again never",
    ],
    "route-gone": [
      { kind: "route-gone", desire, error: northflankError("gone") },
      "stalled/UnsupportedTarget, again in 3600 s",
    ],
    suspended: [{ kind: "suspended", desire }, "suspended/Suspended, again never"],
    conflict: [{ kind: "conflict", desire, owner: "n/a" }, "stalled/TargetConflict, again in 600 s"],
    blocked: [
      {
        kind: "blocked",
        desire,
        readyState: { kind: "stalled", reason: "SecretNotFound", message: "None." },
        recheckAfterMs: 50_000,
      },
      "stalled/SecretNotFound, again in 50 s",
    ],
    failed: [{ kind: "failed", desire, error: northflankError("not_found") }, "stalled/TargetNotFound, again in 15 s"],
    building: [
      {
        kind: "building",
        desire,
        build: {
          query: { builder: { projectId: "shop", serviceId: "builder" }, by: { kind: "latest" }, branch: "main" },
          sight: { kind: "none" },
        },
      },
      "progressing/WaitingForBuild, again in 10 s",
    ],
    seen: [serviceSeen(unknown()), "write because SpecChanged"],
  };
  test.each(Object.entries(cases))("%s", (_kind, [observation, expected]) => {
    expect(unknown().judges(observation)).toBe(expected);
  });
});

const rolledOut = { rolloutTransitionTime: "2026-01-01T00:00:30.000Z" };

type Result = "RollingOut" | "Complete" | "TimedOut";

/** The present spec was applied, and its rollout has come so far; a minute ago. */
function applied(result: Result, spec: Partial<NorthflankDeployment["spec"]> = {}): DeploymentLife {
  const life = unknown(spec);
  expect(life.sees(serviceSeen(life, { imagePath: "ghcr.io/acme/api:1" }))).toContain("sent, ");
  const then: Readonly<Record<Result, () => string>> = {
    RollingOut: () => "RollingOut",
    Complete: () => life.sees(serviceSeen(life, { ...same, ...rolledOut }), 31 * second),
    TimedOut: () => life.sees(serviceSeen(life, { ...same, ...rolledOut, rolloutStatus: "IN_PROGRESS" }), 15 * minute),
  };
  expect(then[result]()).toContain(result);
  life.passes(minute);
  return life;
}

type View = NonNullable<Parameters<typeof serviceSeen>[1]>;

describe("a service that has what is declared", () => {
  const cases: Readonly<Record<string, readonly [Result | undefined, View, string]>> = {
    "is complete when it was so before we came": [undefined, same, "ready/RolloutComplete, again in 900 s"],
    "is rolling out while it shows the state before the change": [
      "RollingOut",
      same,
      "progressing/RollingOut, again in 15 s",
    ],
    "is complete once the state is newer than the change": [
      "RollingOut",
      { ...same, ...rolledOut },
      "ready/RolloutComplete, again in 900 s",
    ],
    "has failed once the state is newer than the change": [
      "RollingOut",
      { ...same, ...rolledOut, rolloutStatus: "FAILED" },
      "stalled/RolloutFailed, again in 3600 s",
    ],
    "has not failed while the failure is an old one": [
      "RollingOut",
      { ...same, rolloutStatus: "FAILED" },
      "progressing/RollingOut, again in 15 s",
    ],
    "is rolling out in a state that nobody knows": [
      "RollingOut",
      { ...same, ...rolledOut, rolloutStatus: "PONDERING" },
      "progressing/RollingOut, again in 15 s",
    ],
    "is rolling out when it tells no state": [
      undefined,
      { ...same, rolloutStatus: undefined },
      "progressing/RollingOut, again in 10 s",
    ],
    "is still late after it was late": [
      "TimedOut",
      { ...same, ...rolledOut, rolloutStatus: "IN_PROGRESS" },
      "stalled/RolloutTimedOut, again in 300 s",
    ],
    "is complete although it was late": [
      "TimedOut",
      { ...same, ...rolledOut },
      "ready/RolloutComplete, again in 900 s",
    ],
    "is paused": ["Complete", { ...same, servicePaused: true }, "ready/ServicePaused, again in 900 s"],
    "is a build service": [undefined, { ...same, serviceType: "build" }, "stalled/UnsupportedTarget, again in 3600 s"],
  };
  test.each(Object.entries(cases))("%s", (_sentence, [result, view, expected]) => {
    const life = result === undefined ? unknown() : applied(result);
    expect(life.judges(serviceSeen(life, view))).toBe(expected);
  });

  test("is complete without any transition time 30 s after the change, not at 29 s", () => {
    const at = (seconds: number) => {
      const life = unknown();
      life.sees(serviceSeen(life));
      life.passes(seconds * second);
      return life.judges(serviceSeen(life, { ...same, rolloutTransitionTime: undefined }));
    };
    expect([at(29), at(30)]).toEqual([
      "progressing/RollingOut, again in 10 s",
      "ready/RolloutComplete, again in 900 s",
    ]);
  });

  test("is building while an internal source is", () => {
    const life = unknown({ deployment: { internal: { id: "api", buildSHA: "latest" } } });
    const internal = { id: "api", branch: undefined, buildSHA: "latest", buildId: undefined, deployedSHA: undefined };
    const view = { image: undefined, external: undefined, internal, buildStatus: "BUILDING", rolloutStatus: "PENDING" };
    expect(life.judges(serviceSeen(life, view))).toBe("progressing/Building, again in 10 s");
  });
});

describe("a service that differs", () => {
  type Policy = NorthflankDeployment["spec"]["managementPolicy"];
  const drifted = { imagePath: "ghcr.io/acme/api:9", ...rolledOut };
  const settled = (managementPolicy: Policy) => applied("Complete", { managementPolicy });
  test.each<[string, DeploymentLife, string]>([
    [
      "is changed under Enforce when the spec is new",
      unknown({ managementPolicy: "Enforce" }),
      "write because SpecChanged",
    ],
    ["is changed under Enforce when it drifted", settled("Enforce"), "write because DriftCorrected"],
    [
      "is changed under EnforceOnChange when the spec is new",
      unknown({ managementPolicy: "EnforceOnChange" }),
      "write because SpecChanged",
    ],
    [
      "is left alone under EnforceOnChange when it drifted",
      settled("EnforceOnChange"),
      "ready/DriftObserved, again in 900 s",
    ],
    ["is left alone under Observe", unknown({ managementPolicy: "Observe" }), "ready/DriftObserved, again in 900 s"],
  ])("%s", (_sentence, life, expected) => {
    expect(life.judges(serviceSeen(life, drifted))).toBe(expected);
  });

  test.each([
    ["corrected a third time after two", [10, 20], "write because DriftCorrected"],
    ["not corrected a fourth time", [10, 20, 599], "stalled/FightDetected, again in 900 s"],
    ["not corrected a fourth time, however long ago", [9e4, 9e4, 9e4], "stalled/FightDetected, again in 900 s"],
  ])("is %s", (_sentence, undoneAfterSeconds, expected) => {
    const life = applied("Complete");
    for (const seconds of undoneAfterSeconds) {
      expect(life.judges(serviceSeen(life, drifted))).toBe("write because DriftCorrected");
      life.sees(serviceSeen(life, drifted));
      life.sees(serviceSeen(life, { ...same, rolloutTransitionTime: new Date(life.now + 1).toISOString() }), 5_000);
      life.passes(seconds * second - 5_000);
    }
    expect(life.judges(serviceSeen(life, drifted))).toBe(expected);
    if (!expected.includes("FightDetected")) return;
    // Once it is said, a person can ask for one more.
    life.sees(serviceSeen(life, drifted));
    life.request("now");
    expect(life.judges(serviceSeen(life, drifted))).toBe("write because DriftCorrected");
  });

  test("by what nobody tells is changed only when the declaration is another one than was applied", () => {
    const external = { imagePath: "ghcr.io/acme/api:2", credentials: "ghcr" };
    const fresh = unknown({ deployment: { external } });
    const changed = applied("Complete");
    changed.edit({ deployment: { external } });
    const unchanged = applied("Complete", { deployment: { external } });
    const view = { ...same, ...rolledOut };
    expect([fresh, changed, unchanged].map((life) => life.judges(serviceSeen(life, view)))).toEqual([
      "ready/RolloutComplete, again in 900 s",
      "write because SpecChanged",
      "ready/RolloutComplete, again in 900 s",
    ]);
  });
});

test("the pause between two looks grows with the time a rollout takes, and never passes its deadline", () => {
  const settings = { resyncPeriodMs: 900_000, rolloutPollIntervalMs: 10_000 };
  const pauses = [0, 40, 80, 240, 10_000].map((seconds) => pollPauseMs(seconds * 1_000, 1e9, settings) / 1_000);
  expect(pauses).toEqual([10, 10, 20, 60, 60]);
  expect(pollPauseMs(240_000, 7_000, settings)).toBe(7_000);
  expect(pollPauseMs(0, 1e9, { ...settings, rolloutPollIntervalMs: 120_000 })).toBe(120_000);
});

describe("every conclusion makes a status that keeps the promises", () => {
  const observations: Readonly<Record<string, (life: DeploymentLife) => Observation>> = {
    ...Object.fromEntries(
      errorCodes.map((code) => [
        code,
        ({ desire }: DeploymentLife): Observation => ({ kind: "failed", desire, error: northflankError(code) }),
      ]),
    ),
    invalid: () => ({ kind: "invalid", problems: [{ field: "spec.x", message: "is wrong", remedy: "" }] }),
    "route gone": ({ desire }) => ({ kind: "route-gone", desire, error: northflankError("gone") }),
    "a job with another source": (life) => jobTargetSeen(life),
    "a job as declared": (life) => jobTargetSeen(life, same),
    suspended: ({ desire }) => ({ kind: "suspended", desire }),
    conflict: ({ desire }) => ({ kind: "conflict", desire, owner: "n/a" }),
    complete: (life) => serviceSeen(life, same),
    failed: (life) => serviceSeen(life, { ...same, rolloutStatus: "FAILED" }),
    "under way": (life) => serviceSeen(life, { ...same, rolloutStatus: "IN_PROGRESS" }),
    paused: (life) => serviceSeen(life, { ...same, servicePaused: true }),
    "paused, with another source": (life) => serviceSeen(life, { servicePaused: true }),
    "a run is missing": (life) => serviceSeen(life, {}, { dependencies: [{ name: "migrate", state: "missing" }] }),
    "a run has failed": (life) => serviceSeen(life, {}, { dependencies: [{ name: "migrate", state: "failed" }] }),
  };
  const before: Readonly<Record<string, () => DeploymentLife>> = {
    nothing: () => unknown(),
    RollingOut: () => applied("RollingOut"),
    Complete: () => applied("Complete"),
    TimedOut: () => applied("TimedOut"),
  };
  const all = Object.keys(observations).flatMap((observation) =>
    Object.keys(before).flatMap((state) => [1, 2].map((generation) => ({ observation, state, generation }))),
  );
  test.each(all)("$state, then $observation, generation $generation", ({ observation, state, generation }) => {
    const life = before[state]?.() ?? unknown();
    if (generation === 2) life.edit({});
    const text = life.sees(observations[observation]?.(life) ?? { kind: "rest", dueInMs: 0 });
    expect(brokenPromises(life.object)).toEqual([]);
    const [, kind = ""] = /(\w+)\//.exec(text) ?? [];
    const expected: Readonly<Record<string, readonly KstatusResult[]>> = {
      ready: ["Current"],
      progressing: ["InProgress"],
      retrying: ["InProgress"],
      waiting: ["Current", "InProgress"],
      stalled: ["Failed"],
      suspended: ["Current", "InProgress"],
    };
    expect(expected[kind]).toContain(kstatusOf(life.object));
  });
});

test("a status in which only the time of the next look would differ is the status before", () => {
  const life = unknown();
  life.sees(serviceSeen(life, same));
  const { status } = life.object;
  expect(status?.nextReconcileTime).toBe("2026-01-01T00:15:00Z");
  life.sees(serviceSeen(life, same), 900_000);
  expect(life.object.status).toBe(status);
});

describe("a decision asks for what it depends on", () => {
  const random = always(0.5);
  const settings = { resyncPeriodMs: 0, rolloutPollIntervalMs: 10_000 };
  const named = { internal: { id: "builder", branch: "main", buildSHA: "b".repeat(40) } };
  const builder = { projectId: "shop", serviceId: "builder" };
  const query = { builder, by: { kind: "commit", sha: "b".repeat(40) }, branch: "main" } as const;
  const succeeded: SeenBuild = { query, sight: { kind: "unseen" } };
  const failed: SeenBuild = { query, sight: { kind: "none" } };

  /** What is asked for, else what is done. */
  function asks(life: DeploymentLife, observation: Observation): unknown {
    const decision = decide({ object: life.object, observation, now: life.now, random, settings });
    return decision.kind === "need" ? decision.need : decision.kind;
  }

  test.each<[string, Partial<NorthflankDeployment["spec"]>, (life: DeploymentLife) => Observation, unknown]>([
    ["the build of a change", { deployment: named }, (life) => serviceSeen(life), { kind: "build", query }],
    [
      "nothing once that was read",
      { deployment: named },
      (life) => serviceSeen(life, {}, { build: succeeded }),
      "write",
    ],
    [
      "nothing more of a build that is not there",
      { deployment: named },
      (life) => serviceSeen(life, {}, { build: failed }),
      "conclude",
    ],
    [
      "the build of the commit, where that with the known id has failed",
      { deployment: named },
      (life) =>
        serviceSeen(
          life,
          {},
          { build: { ...failed, query: { ...query, by: { kind: "id", buildId: "b", sha: undefined } } } },
        ),
      { kind: "build", query },
    ],
    [
      "no build under Observe",
      { deployment: named, managementPolicy: "Observe" },
      (life) => serviceSeen(life),
      "conclude",
    ],
    [
      "no build while a run is waited for",
      { deployment: named },
      (life) => serviceSeen(life, {}, { dependencies: [{ name: "migrate", state: "active" }] }),
      "conclude",
    ],
    [
      "no build for a service that cannot take it",
      { deployment: named },
      (life) => serviceSeen(life, { serviceType: "build" }),
      "conclude",
    ],
    ["no build for an image", {}, (life) => serviceSeen(life), "write"],
    [
      "the target once the build is over that was waited for",
      { deployment: named },
      ({ desire }) => ({ kind: "building", desire, build: succeeded }),
      { kind: "target" },
    ],
  ])("%s", (_sentence, spec, see, expected) => {
    const life = unknown(spec);
    expect(asks(life, see(life))).toEqual(expected);
  });
});

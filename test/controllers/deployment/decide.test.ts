import { describe, expect, test } from "vitest";
import type { NorthflankDeployment, NorthflankDeploymentStatus } from "../../../src/api/deployment.ts";
import { decide } from "../../../src/controllers/deployment/decide.ts";
import type { Decision, Settings } from "../../../src/controllers/deployment/decision.ts";
import { type Desire, desireOf } from "../../../src/controllers/deployment/desire.ts";
import type { Observation } from "../../../src/controllers/deployment/observation.ts";
import { pollPauseMs } from "../../../src/controllers/deployment/rolling.ts";
import { statusOf } from "../../../src/controllers/deployment/status.ts";
import { jobTarget, serviceTarget } from "../../../src/controllers/deployment/target-view.ts";
import type { Condition } from "../../../src/kube/types.ts";
import type { NorthflankErrorCode } from "../../../src/northflank/errors.ts";
import { deployment, job, service } from "../../support/builders.ts";
import { northflankError } from "../../support/fake-northflank.ts";
import { brokenPromises, type KstatusResult, kstatusOf } from "../../support/kstatus.ts";
import { always } from "../../support/strict-fake.ts";

const now = Date.parse("2026-01-01T00:00:00Z");
const settings: Settings = { resyncPeriodMs: 900_000, rolloutPollIntervalMs: 10_000 };

function desire(object = deployment()): Desire {
  const result = desireOf(object.spec);
  if (result.kind === "problem") throw new Error(result.problem.message);
  return result.desire;
}

function seen(
  view: Parameters<typeof service>[0] = {},
  more: Partial<Observation & { kind: "seen" }> = {},
): Observation {
  const target = serviceTarget(service(view), undefined);
  return { kind: "seen", desire: desire(), service: target, dependencies: [], nextResyncMs: 900_000, ...more };
}

function decided(observation: Observation, object = deployment()): Decision {
  return decide({ object, observation, now, random: always(0.5), settings });
}

/** `stalled/InvalidSpec, again never` */
function summary(decision: Decision): string {
  if (decision.kind === "rest") return `rest for ${decision.dueInMs / 1_000} s`;
  if (decision.kind === "write") return `write because ${decision.change.cause}`;
  const { verdict, next } = decision.conclusion;
  const again = next.kind === "recheck" ? `in ${next.afterMs / 1_000} s` : next.kind;
  return `${verdict.kind}/${verdict.reason}, again ${again}`;
}

const same = { imagePath: "ghcr.io/acme/api:2" };

describe("each kind of observation comes to one decision", () => {
  const cases: Record<Observation["kind"], readonly [Observation, string]> = {
    rest: [{ kind: "rest", dueInMs: 42_000 }, "rest for 42 s"],
    invalid: [
      { kind: "invalid", problems: [{ field: "spec.x", message: "is wrong", remedy: "" }] },
      "stalled/InvalidSpec, again never",
    ],
    "route-gone": [
      { kind: "route-gone", desire: desire(), error: northflankError("gone") },
      "stalled/UnsupportedTarget, again in 3600 s",
    ],
    suspended: [{ kind: "suspended", desire: desire() }, "suspended/Suspended, again never"],
    conflict: [{ kind: "conflict", desire: desire(), winner: "n/a" }, "stalled/TargetConflict, again in 600 s"],
    blocked: [
      {
        kind: "blocked",
        desire: desire(),
        verdict: { kind: "stalled", reason: "SecretNotFound", message: "None." },
        recheckAfterMs: 50_000,
      },
      "stalled/SecretNotFound, again in 50 s",
    ],
    failed: [
      { kind: "failed", desire: desire(), error: northflankError("not_found") },
      "stalled/TargetNotFound, again in 15 s",
    ],
    building: [
      {
        kind: "building",
        desire: desire(),
        build: {
          query: { builder: { projectId: "shop", serviceId: "builder" }, by: { kind: "latest" }, branch: "main" },
          sight: { kind: "none" },
        },
      },
      "progressing/WaitingForBuild, again in 10 s",
    ],
    seen: [seen(), "write because SpecChanged"],
  };
  test.each(Object.entries(cases))("%s", (_kind, [observation, expected]) => {
    expect(summary(decided(observation))).toBe(expected);
  });
});

/** A status after the present spec was applied at `appliedAt` and its rollout had `result`. */
function applied(
  result: "RollingOut" | "Complete" | "TimedOut",
  more: Partial<NorthflankDeploymentStatus> = {},
): NorthflankDeploymentStatus {
  const time = "2025-12-31T23:59:00Z";
  const source = "ghcr.io/acme/api:2";
  const ready = {
    RollingOut: condition("Ready", "Unknown", "RollingOut"),
    Complete: condition("Ready", "True", "RolloutComplete"),
    TimedOut: condition("Ready", "False", "RolloutTimedOut"),
  }[result];
  return {
    observedGeneration: 1,
    conditions: [ready, condition("InSync", "True", "InSync")],
    applied: {
      generation: 1,
      specHash: desire().hash,
      time,
      previousTransitionTime: "2025-12-31T23:00:00.000Z",
      source,
    },
    history: [{ time, source, cause: "SpecChanged", result }],
    ...more,
  };
}

function condition(type: string, status: Condition["status"], reason: string): Condition {
  const lastTransitionTime = "2025-12-31T23:59:00Z";
  return { type, status, reason, message: "m", lastTransitionTime, observedGeneration: 1 };
}

const rolledOut = { rolloutTransitionTime: "2025-12-31T23:59:30.000Z" };

describe("a service that has what is declared", () => {
  type View = Parameters<typeof service>[0];
  const cases: Readonly<Record<string, readonly [NorthflankDeploymentStatus | undefined, View, string]>> = {
    "is complete when it was so before we came": [undefined, same, "ready/RolloutComplete, again in 900 s"],
    "is rolling out while it shows the state before the change": [
      applied("RollingOut"),
      same,
      "progressing/RollingOut, again in 15 s",
    ],
    "is complete once the state is newer than the change": [
      applied("RollingOut"),
      { ...same, ...rolledOut },
      "ready/RolloutComplete, again in 900 s",
    ],
    "has failed once the state is newer than the change": [
      applied("RollingOut"),
      { ...same, ...rolledOut, rolloutStatus: "FAILED" },
      "stalled/RolloutFailed, again in 3600 s",
    ],
    "has not failed while the failure is an old one": [
      applied("RollingOut"),
      { ...same, rolloutStatus: "FAILED" },
      "progressing/RollingOut, again in 15 s",
    ],
    "is rolling out in a state that nobody knows": [
      applied("RollingOut"),
      { ...same, ...rolledOut, rolloutStatus: "PONDERING" },
      "progressing/RollingOut, again in 15 s",
    ],
    "is rolling out when it tells no state": [
      undefined,
      { ...same, rolloutStatus: undefined },
      "progressing/RollingOut, again in 10 s",
    ],
    "is still late after it was late": [
      applied("TimedOut", {
        phase: { name: "RolloutTimedOut", since: new Date(now - 60_000).toISOString(), specHash: desire().hash },
      }),
      { ...same, ...rolledOut, rolloutStatus: "IN_PROGRESS" },
      "stalled/RolloutTimedOut, again in 300 s",
    ],
    "is complete although it was late": [
      applied("TimedOut"),
      { ...same, ...rolledOut },
      "ready/RolloutComplete, again in 900 s",
    ],
    "is paused": [applied("Complete"), { ...same, servicePaused: true }, "ready/ServicePaused, again in 900 s"],
    "is a build service": [undefined, { ...same, serviceType: "build" }, "stalled/UnsupportedTarget, again in 3600 s"],
  };
  test.each(Object.entries(cases))("%s", (_sentence, [status, view, expected]) => {
    expect(summary(decided(seen(view), deployment(status === undefined ? {} : { status })))).toBe(expected);
  });

  test("is complete without any transition time 30 s after the change, not at 29 s", () => {
    const view = { ...same, rolloutTransitionTime: undefined };
    const at = (seconds: number) => {
      const time = new Date(now - seconds * 1_000).toISOString();
      const status = applied("RollingOut");
      const object = deployment({ status: { ...status, applied: { ...status.applied, time } } });
      return summary(decided(seen(view), object));
    };
    expect([at(29), at(30)]).toEqual([
      "progressing/RollingOut, again in 15 s",
      "ready/RolloutComplete, again in 900 s",
    ]);
  });

  test("is building while an internal source is", () => {
    const spec = { deployment: { internal: { id: "api", buildSHA: "latest" } } };
    const internal = { id: "api", branch: undefined, buildSHA: "latest", buildId: undefined, deployedSHA: undefined };
    const view = { image: undefined, external: undefined, internal, buildStatus: "BUILDING", rolloutStatus: "PENDING" };
    const object = deployment({ spec });
    expect(summary(decided(seen(view, { desire: desire(object) }), object))).toBe(
      "progressing/Building, again in 10 s",
    );
  });
});

describe("a service that differs", () => {
  type Policy = NorthflankDeployment["spec"]["managementPolicy"];
  const drifted = { imagePath: "ghcr.io/acme/api:9", ...rolledOut };
  test.each<[string, Policy, NorthflankDeploymentStatus | undefined, string]>([
    ["is changed under Enforce when the spec is new", "Enforce", undefined, "write because SpecChanged"],
    ["is changed under Enforce when it drifted", "Enforce", applied("Complete"), "write because DriftCorrected"],
    [
      "is changed under EnforceOnChange when the spec is new",
      "EnforceOnChange",
      undefined,
      "write because SpecChanged",
    ],
    [
      "is left alone under EnforceOnChange when it drifted",
      "EnforceOnChange",
      applied("Complete"),
      "ready/DriftObserved, again in 900 s",
    ],
    ["is left alone under Observe", "Observe", undefined, "ready/DriftObserved, again in 900 s"],
  ])("%s", (_sentence, managementPolicy, status, expected) => {
    const object = deployment({ spec: { managementPolicy }, ...(status === undefined ? {} : { status }) });
    expect(summary(decided(seen(drifted), object))).toBe(expected);
  });

  const corrections = (...secondsAgo: readonly number[]) =>
    secondsAgo.map((seconds) => new Date(now - seconds * 1_000).toISOString());
  test.each([
    ["corrected a third time after two", corrections(10, 20), "write because DriftCorrected"],
    ["not corrected a fourth time", corrections(10, 20, 599), "stalled/FightDetected, again in 900 s"],
    [
      "not corrected a fourth time, however long ago",
      corrections(9e4, 18e4, 27e4),
      "stalled/FightDetected, again in 900 s",
    ],
  ])("is %s", (_sentence, list, expected) => {
    const object = deployment({ status: applied("Complete", { corrections: list }) });
    expect(summary(decided(seen(drifted), object))).toBe(expected);
  });

  test("by what nobody tells is changed only when the declaration is another one than was applied", () => {
    const spec = { deployment: { external: { imagePath: "ghcr.io/acme/api:2", credentials: "ghcr" } } };
    const fresh = deployment({ spec });
    const wanted = { desire: desire(fresh) };
    const changed = deployment({ spec, status: applied("Complete") });
    const unchanged = deployment({
      spec,
      status: applied("Complete", { applied: { specHash: desire(fresh).hash, generation: 1 } }),
    });
    const view = { ...same, ...rolledOut };
    expect([fresh, changed, unchanged].map((object) => summary(decided(seen(view, wanted), object)))).toEqual([
      "ready/RolloutComplete, again in 900 s",
      "write because SpecChanged",
      "ready/RolloutComplete, again in 900 s",
    ]);
  });
});

test("the pause between two looks grows with the time a rollout takes, and never passes its deadline", () => {
  const pauses = [0, 40, 80, 240, 10_000].map((seconds) => pollPauseMs(seconds * 1_000, 1e9, settings) / 1_000);
  expect(pauses).toEqual([10, 10, 20, 60, 60]);
  expect(pollPauseMs(240_000, 7_000, settings)).toBe(7_000);
  expect(pollPauseMs(0, 1e9, { ...settings, rolloutPollIntervalMs: 120_000 })).toBe(120_000);
});

describe("every conclusion makes a status that keeps the promises", () => {
  const codes: readonly NorthflankErrorCode[] = [
    "quota_closed",
    "rate_limited",
    "unauthorized",
    "forbidden",
    "not_found",
    "gone",
    "wrong_method",
    "rejected",
    "server_error",
    "unreachable",
    "interrupted",
    "timeout",
    "tls",
    "redirect",
    "protocol",
  ];
  const observations: readonly Observation[] = [
    ...codes.map((code): Observation => ({ kind: "failed", desire: desire(), error: northflankError(code) })),
    { kind: "invalid", problems: [{ field: "spec.x", message: "is wrong", remedy: "" }] },
    { kind: "route-gone", desire: desire(), error: northflankError("gone") },
    seen({}, { service: jobTarget("etl", { source: job(), job: job() }, undefined) }),
    seen({}, { service: jobTarget("etl", { source: job(same), job: undefined }, undefined) }),
    { kind: "suspended", desire: desire() },
    { kind: "conflict", desire: desire(), winner: "n/a" },
    seen(same),
    seen({ ...same, rolloutStatus: "FAILED" }),
    seen({ ...same, rolloutStatus: "IN_PROGRESS" }),
    seen({ ...same, servicePaused: true }),
    seen({ servicePaused: true }),
    seen({}, { dependencies: [{ name: "migrate", state: "missing" }] }),
    seen({}, { dependencies: [{ name: "migrate", state: "failed" }] }),
  ];
  const before: readonly (NorthflankDeploymentStatus | undefined)[] = [
    undefined,
    applied("RollingOut"),
    applied("Complete"),
    applied("TimedOut"),
  ];
  const all = observations.flatMap((observation) =>
    before.flatMap((status) =>
      [1, 2].map((generation) => ({
        observation,
        status,
        generation,
        text: `${observation.kind} ${status?.history?.[0]?.result}`,
      })),
    ),
  );
  test.each(all)("$text, generation $generation", ({ observation, status, generation }) => {
    const object = deployment({ metadata: { generation }, ...(status === undefined ? {} : { status }) });
    const decision = decided(observation, object);
    if (decision.kind !== "conclude") return;
    const after = { ...object, status: statusOf(object, decision.conclusion, now) } as Parameters<typeof kstatusOf>[0];
    expect(brokenPromises(after)).toEqual([]);
    const { kind } = decision.conclusion.verdict;
    const expected: Readonly<Record<typeof kind, readonly KstatusResult[]>> = {
      ready: ["Current"],
      progressing: ["InProgress"],
      retrying: ["InProgress"],
      waiting: ["Current", "InProgress"],
      stalled: ["Failed"],
      suspended: ["Current", "InProgress"],
    };
    expect(expected[kind]).toContain(kstatusOf(after));
  });
});

test("a status in which only the time of the next look would differ is the status before", () => {
  const object = deployment();
  const first = decided(seen(same), object);
  if (first.kind !== "conclude") throw new Error("expected a conclusion");
  const status = statusOf(object, first.conclusion, now);
  expect(status.nextReconcileTime).toBe("2026-01-01T00:15:00Z");
  const settled = { ...object, status };
  const again = decided(seen(same), settled);
  if (again.kind !== "conclude") throw new Error("expected a conclusion");
  expect(statusOf(settled, again.conclusion, now + 900_000)).toBe(status);
});

import { describe, expect, test } from "vitest";
import { reconcileRequestedAt } from "../../../src/api/names.ts";
import type { Account } from "../../../src/controllers/account/accounts.ts";
import { LookSchedule } from "../../../src/controllers/reconcile/poll-schedule.ts";
import type { TargetObject } from "../../../src/controllers/target/object.ts";
import { dueLook, resyncPeriodMs } from "../../../src/controllers/target/poll-due.ts";
import { objectKey } from "../../../src/runtime/outcome.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { always } from "../../support/strict-fake.ts";

const clock = new FakeClock();
const minute = 60_000;
const account = { version: "1" } as Account;

interface Facts {
  readonly ready?: "True" | "False" | "Unknown";
  readonly reason?: string;
  readonly observedGeneration?: number;
  readonly inMs?: number;
  readonly request?: string;
  readonly failure?: boolean;
}

function object({ ready = "True", reason = "InSync", observedGeneration = 2, inMs = minute, ...facts }: Facts) {
  const failure = { class: "Terminal", count: 1, firstTime: "", lastTime: "", message: "" } as const;
  return {
    apiVersion: "v1",
    kind: "Thing",
    metadata: {
      name: "a",
      namespace: "shop",
      uid: "u",
      generation: 2,
      ...(facts.request !== undefined && { annotations: { [reconcileRequestedAt]: facts.request } }),
    },
    spec: { projectId: "shop" },
    status: {
      observedGeneration,
      nextReconcileTime: new Date(clock.now() + inMs).toISOString(),
      conditions: [{ type: "Ready", status: ready, reason, message: "", lastTransitionTime: "", observedGeneration }],
      ...(facts.failure === true && { failure }),
    },
  } satisfies TargetObject;
}

function due(
  facts: Facts,
  more: Pick<Parameters<typeof dueLook>[0], "isOver" | "isFollowed" | "isPending" | "isRecorded"> = {},
) {
  const schedule = new LookSchedule({ clock, random: always(0.5) });
  return dueLook({ schedule, account, resyncPeriodMs: 15 * minute, ...more }, object(facts));
}

describe("a look is", () => {
  test.each<[string, Facts, object]>([
    ["not due before the time that was planned", {}, { kind: "rest" }],
    ["spread over the period when the time is past and nobody knows of a look", { inMs: -1 }, { kind: "rest" }],
    ["urgent for a new generation", { observedGeneration: 1 }, { kind: "look", class: "change" }],
    ["urgent when it was asked for", { request: "now" }, { kind: "look", class: "change" }],
    ["not due while something is failing", { ready: "False", reason: "TargetNotFound" }, { kind: "rest" }],
    [
      "urgent when the failing is to be tried again",
      { ready: "False", reason: "X", inMs: -1 },
      { kind: "look", class: "change" },
    ],
    [
      "urgent as soon as what was found before looking is over",
      { ready: "Unknown", reason: "SecretNotFound" },
      { kind: "look", class: "change" },
    ],
    [
      "urgent where a Secret may be read now",
      { ready: "False", reason: "PermissionDenied" },
      { kind: "look", class: "change" },
    ],
    [
      "not due where Northflank denied it",
      { ready: "False", reason: "PermissionDenied", failure: true },
      { kind: "rest" },
    ],
  ])("%s", (_, facts, expected) => {
    expect(due(facts)).toMatchObject(expected);
  });

  test("due for the resync at the time that the last look named", () => {
    const schedule = new LookSchedule({ clock, random: always(0.5) });
    schedule.looked({ key: objectKey({ namespace: "shop", name: "a" }), uid: "u" }, { nextMs: 0, accountVersion: "1" });
    const due = dueLook({ schedule, account, resyncPeriodMs: 15 * minute }, object({}));
    expect(due).toEqual({ kind: "look", class: "observe" });
  });

  test("of the class of runs while something is followed", () => {
    expect(due({ ready: "Unknown", reason: "RollingOut", inMs: -1 }, { isFollowed: true })).toEqual({
      kind: "look",
      class: "run",
    });
  });

  test.each([
    [true, { kind: "look", class: "change" }],
    [false, { kind: "rest" }],
  ])("judged by the kind for reasons of its own (over: %s)", (isOver, expected) => {
    const own = (reason: string) => (reason === "WaitingForDependency" ? isOver : undefined);
    expect(due({ ready: "Unknown", reason: "WaitingForDependency" }, { isOver: own })).toMatchObject(expected);
  });
});

test("the period between two looks is the object's own, else the operator's", () => {
  const { spec, ...rest } = object({});
  expect(resyncPeriodMs({ ...rest, spec }, 7)).toBe(7);
  expect(resyncPeriodMs({ ...rest, spec: { ...spec, resyncPeriodSeconds: 90 } }, 7)).toBe(90_000);
});

describe("an object that is settled by its conditions, and whose status lacks the record", () => {
  test("is looked at at once, whatever time is planned", () => {
    const isRecorded = () => false;
    expect(due({}, { isRecorded })).toEqual({ kind: "look", class: "change" });
    expect(due({ inMs: 365 * 24 * 60 * minute }, { isRecorded })).toEqual({ kind: "look", class: "change" });
    expect(due({}, { isRecorded: () => true })).toMatchObject({ kind: "rest" });
  });

  test("is looked at like any other once this process has looked", () => {
    const schedule = new LookSchedule({ clock, random: always(0.5) });
    const thing = object({});
    schedule.looked({ key: objectKey(thing.metadata), uid: "u" }, { nextMs: minute, accountVersion: "1" });
    const isRecorded = () => false;
    expect(dueLook({ schedule, account, resyncPeriodMs: 15 * minute, isRecorded }, thing)).toMatchObject({
      kind: "rest",
    });
  });
});

test("what is followed, or recorded to be sent, is not put off by a clock that planned it far ahead", () => {
  const far = { ready: "Unknown", reason: "RollingOut", inMs: 60 * minute } as const;
  expect(due(far)).toEqual({ kind: "rest", dueInMs: 60 * minute });
  expect(due(far, { isFollowed: true })).toEqual({ kind: "rest", dueInMs: 5 * minute });
  expect(due(far, { isPending: true })).toEqual({ kind: "rest", dueInMs: 5 * minute });
});

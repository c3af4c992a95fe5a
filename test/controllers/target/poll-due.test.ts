import { describe, expect, test } from "vitest";
import { reconcileRequestedAt } from "../../../src/api/names.ts";
import type { Account } from "../../../src/controllers/account/accounts.ts";
import { PollSchedule } from "../../../src/controllers/reconcile/poll-schedule.ts";
import type { ReadyState } from "../../../src/controllers/reconcile/ready-state.ts";
import { dueRead, resyncPeriodMs } from "../../../src/controllers/target/poll-due.ts";
import { objectKey } from "../../../src/runtime/outcome.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { northflankError } from "../../support/fake-northflank.ts";
import { madeDeployment } from "../../support/made-objects.ts";
import { serviceSeen } from "../../support/sights.ts";
import { always } from "../../support/strict-fake.ts";

const clock = new FakeClock();
const minute = 60_000;
const account = { version: "1" } as Account;

type Sight = Parameters<typeof madeDeployment>[1];

interface Facts {
  /** What the operator has seen of it, of which it was settled at last. */
  readonly sights?: Sight;
  /** So long from now the next reconcile is planned. */
  readonly inMs?: number;
  readonly request?: string;
  readonly isEdited?: boolean;
  /** Another client has removed the condition Ready. */
  readonly isWithoutReady?: boolean;
}

function object({ sights, inMs = minute, request, isEdited = false, isWithoutReady = false }: Facts) {
  const { metadata, status, ...rest } = madeDeployment({}, sights);
  if (status === undefined) throw new Error("the operator has written no status");
  return {
    ...rest,
    metadata: {
      ...metadata,
      generation: isEdited ? 2 : 1,
      ...(request !== undefined && { annotations: { [reconcileRequestedAt]: request } }),
    },
    status: {
      ...status,
      ...(isWithoutReady && { conditions: status.conditions?.filter(({ type }) => type !== "Ready") ?? [] }),
      nextReconcileTime: new Date(clock.now() + inMs).toISOString(),
    },
  };
}

function failing(code: "not_found" | "forbidden" | "server_error"): Sight {
  return [({ desire }) => ({ kind: "failed", desire, error: northflankError(code) })];
}

function blocked(reason: ReadyState["reason"]): Sight {
  const readyState = { kind: "stalled", reason, message: "None." } as const;
  return [({ desire }) => ({ kind: "blocked", desire, readyState, recheckAfterMs: minute })];
}

const rollingOut: Sight = [(life) => serviceSeen(life)];
const dependent: Sight = [(life) => serviceSeen(life, {}, { dependencies: [{ name: "migrate", state: "active" }] })];

function scheduled({ metadata }: ReturnType<typeof object>) {
  return { key: objectKey(metadata), uid: metadata.uid, periodMs: 15 * minute };
}

function due(
  facts: Facts,
  more: Pick<Parameters<typeof dueRead>[0], "isOver" | "isFollowed" | "isPending" | "isRecorded"> = {},
) {
  const schedule = new PollSchedule({ clock, random: always(0.5) });
  const thing = object(facts);
  return dueRead({ schedule, account, scheduled: scheduled(thing), ...more }, thing);
}

describe("a read is", () => {
  test.each<[string, Facts, object]>([
    ["not due before the time that was planned", {}, { kind: "rest" }],
    ["spread over the period when the time is past and nobody knows of a read", { inMs: -1 }, { kind: "rest" }],
    ["urgent for a new generation", { isEdited: true }, { kind: "read", class: "change" }],
    ["urgent when the condition Ready was removed", { isWithoutReady: true }, { kind: "read", class: "change" }],
    ["urgent when it was asked for", { request: "now" }, { kind: "read", class: "change" }],
    ["not due while something is failing", { sights: failing("not_found") }, { kind: "rest" }],
    [
      "urgent when the failing is to be tried again",
      { sights: failing("server_error"), inMs: -1 },
      { kind: "read", class: "change" },
    ],
    [
      "urgent as soon as what was found without a read is over",
      { sights: blocked("SecretNotFound") },
      { kind: "read", class: "change" },
    ],
    [
      "urgent where a Secret may be read now",
      { sights: blocked("PermissionDenied") },
      { kind: "read", class: "change" },
    ],
    ["not due where Northflank denied it", { sights: failing("forbidden") }, { kind: "rest" }],
  ])("%s", (_, facts, expected) => {
    expect(due(facts)).toMatchObject(expected);
  });

  test("due for the resync at the time that the last read named", () => {
    const schedule = new PollSchedule({ clock, random: always(0.5) });
    const thing = object({});
    schedule.polled({ key: objectKey(thing.metadata), uid: thing.metadata.uid }, { nextMs: 0, accountVersion: "1" });
    const due = dueRead({ schedule, account, scheduled: scheduled(thing) }, thing);
    expect(due).toEqual({ kind: "read", class: "observe" });
  });

  test("of the class of runs while something is followed", () => {
    expect(due({ sights: rollingOut, inMs: -1 }, { isFollowed: true })).toEqual({
      kind: "read",
      class: "run",
    });
  });

  test.each<[string, Facts, object, string]>([
    ["settled", {}, {}, "observe"],
    ["followed", { sights: rollingOut }, { isFollowed: true }, "run"],
    ["failing", { sights: failing("not_found") }, {}, "observe"],
  ])("due at a hint, and never as urgent as a change, while the object is %s", (_, facts, more, expected) => {
    const schedule = new PollSchedule({ clock, random: always(0.5) });
    const thing = object(facts);
    const judged = () => dueRead({ schedule, account, scheduled: scheduled(thing), ...more }, thing);
    expect(judged()).toMatchObject({ kind: "rest" });
    schedule.hinted(objectKey(thing.metadata), 0);
    // What was read before the hint will not do.
    expect(judged()).toEqual({ kind: "read", class: expected, ...(expected === "run" && { isHinted: true }) });
  });

  test.each([
    [true, { kind: "read", class: "change" }],
    [false, { kind: "rest" }],
  ])("judged by the kind for reasons of its own (over: %s)", (isOver, expected) => {
    const own = (reason: string) => (reason === "WaitingForDependency" ? isOver : undefined);
    expect(due({ sights: dependent }, { isOver: own })).toMatchObject(expected);
  });
});

test("the period between two reads is the object's own, else the operator's", () => {
  const { spec, ...rest } = object({});
  expect(resyncPeriodMs({ ...rest, spec }, 7)).toBe(7);
  expect(resyncPeriodMs({ ...rest, spec: { ...spec, resyncPeriodSeconds: 90 } }, 7)).toBe(90_000);
});

describe("an object that is settled by its conditions, and whose status lacks the record", () => {
  test("is read at once, whatever time is planned", () => {
    const isRecorded = () => false;
    expect(due({}, { isRecorded })).toEqual({ kind: "read", class: "change" });
    expect(due({ inMs: 365 * 24 * 60 * minute }, { isRecorded })).toEqual({ kind: "read", class: "change" });
    expect(due({}, { isRecorded: () => true })).toMatchObject({ kind: "rest" });
  });

  test("is read like any other once this process has read it", () => {
    const schedule = new PollSchedule({ clock, random: always(0.5) });
    const thing = object({});
    schedule.polled(
      { key: objectKey(thing.metadata), uid: thing.metadata.uid },
      { nextMs: minute, accountVersion: "1" },
    );
    const isRecorded = () => false;
    expect(dueRead({ schedule, account, scheduled: scheduled(thing), isRecorded }, thing)).toMatchObject({
      kind: "rest",
    });
  });
});

test("what is followed, or recorded to be sent, is not put off by a clock that planned it far ahead", () => {
  const far = { sights: rollingOut, inMs: 60 * minute };
  expect(due(far)).toEqual({ kind: "rest", dueInMs: 60 * minute });
  expect(due(far, { isFollowed: true })).toEqual({ kind: "rest", dueInMs: 5 * minute });
  expect(due(far, { isPending: true })).toEqual({ kind: "rest", dueInMs: 5 * minute });
});

import { describe, expect, test } from "vitest";
import type { ReadObject } from "../../../src/cli/verbs/fields.ts";
import { judge, judgeDeleted } from "../../../src/cli/verbs/verdict.ts";
import { everyStatus, freshObjects } from "../../support/every-status.ts";
import { kstatusOf } from "../../support/kstatus.ts";

const kinds = Object.keys(everyStatus);
type Judged = ReadObject & Parameters<typeof kstatusOf>[0];
const made = new Map<string, readonly Judged[]>();

/** Made once: there are thousands. */
function of(kind: string): readonly Judged[] {
  const objects = made.get(kind) ?? ((everyStatus[kind]?.() ?? []) as readonly Judged[]);
  made.set(kind, objects);
  return objects;
}

describe.each(kinds)("every status that the operator can write of a %s", (kind) => {
  test("is judged as kstatus does; of a run only its end counts", () => {
    const words = { Current: "reached", Failed: "failed", InProgress: "open", Terminating: "open" } as const;
    const objects = of(kind);
    expect(objects.length).toBeGreaterThan(5);
    const different = objects.filter((object) => {
      const wanted = words[kstatusOf(object)];
      const succeeded = object.kind === "NorthflankJobRun" && conditionOf(object, "Succeeded");
      if (succeeded === "True") return judge(object).kind !== "reached";
      if (succeeded === "False") return judge(object).kind !== "failed";
      // Ready and not succeeded: no reconcile writes that of a run.
      if (succeeded !== false && wanted === "reached") return judge(object).kind !== "open";
      return judge(object).kind !== wanted;
    });
    expect(different.map((object) => JSON.stringify(object.status))).toEqual([]);
    // Thousands of statuses are made first.
  }, 60_000);

  test("of an older generation says nothing", () => {
    const newer = of(kind).map((object) => ({ ...object, metadata: { ...object.metadata, generation: 99 } }));
    expect(new Set(newer.map((object) => judge(object).kind))).toEqual(new Set(["open"]));
  });
});

function conditionOf(object: ReadObject, type: string): string | undefined {
  const { conditions } = object.status as { conditions?: readonly { type: string; status: string }[] };
  return conditions?.find((condition) => condition.type === type)?.status;
}

test.each(freshObjects)("a fresh $kind is open", (object) => {
  expect(judge(object)).toMatchObject({
    kind: "open",
    detail: "the operator has not observed the present generation yet",
  });
});

const succeeded = { type: "Succeeded", status: "True", reason: "RunSucceeded", message: "Done." };
const ready = { type: "Ready", status: "True", reason: "UpToDate", message: "Done." };

function object(kind: string, status: object, metadata: object = {}): ReadObject {
  return {
    apiVersion: "northflank-operator.io/v1alpha1",
    kind,
    metadata: { name: "x", generation: 2, ...metadata },
    status: { observedGeneration: 2, ...status },
  };
}

describe("a reconcile request", () => {
  const goal = { handledRequest: "2026-06-01T12:00:00.000Z" };

  test("that is not handled keeps an object open, also one that is ready or stalled", () => {
    const stalled = [
      { ...ready, status: "False" },
      { ...ready, type: "Stalled" },
    ];
    for (const conditions of [[ready], stalled]) {
      const one = object("NorthflankDeployment", { conditions, lastHandledReconcileAt: "another" });
      expect(judge(one, goal)).toMatchObject({ kind: "open" });
    }
  });

  test("that is handled lets the status count", () => {
    const one = object("NorthflankDeployment", { conditions: [ready], lastHandledReconcileAt: goal.handledRequest });
    expect(judge(one, goal)).toMatchObject({ kind: "reached", word: "ready", detail: "UpToDate: Done." });
  });

  test("does not keep a run open that has ended meanwhile", () => {
    expect(judge(object("NorthflankJobRun", { conditions: [succeeded] }), goal)).toMatchObject({ kind: "reached" });
  });
});

test("the end of a run is what abort --wait wants, whatever it is", () => {
  const aborted = { ...succeeded, status: "False", reason: "RunAborted" };
  const one = object("NorthflankJobRun", { phase: "Aborted", conditions: [aborted] });
  expect(judge(one)).toMatchObject({ kind: "failed", word: "aborted" });
  expect(judge(one, { isAnyEnd: true })).toMatchObject({ kind: "reached", word: "aborted" });
});

test("a run that is ready has not succeeded", () => {
  expect(judge(object("NorthflankJobRun", { conditions: [ready] }))).toMatchObject({ kind: "open" });
});

test("an object that is being deleted is never ready, but a run that has succeeded has", () => {
  const deleting = { deletionTimestamp: "2026-06-01T12:00:00Z" };
  expect(judge(object("NorthflankDeployment", { conditions: [ready] }, deleting))).toMatchObject({ kind: "open" });
  expect(judge(object("NorthflankJobRun", { conditions: [succeeded] }, deleting))).toMatchObject({ kind: "reached" });
});

test("an object that was deleted has failed, unless its last status was an end", () => {
  const open = object("NorthflankDeployment", { conditions: [{ ...ready, status: "False", reason: "RollingOut" }] });
  expect(judgeDeleted(open)).toEqual({ kind: "failed", word: "deleted", detail: "before that: RollingOut: Done." });
  expect(judgeDeleted(object("NorthflankJobRun", { conditions: [succeeded] }))).toMatchObject({ word: "succeeded" });
});

test.each<[string, unknown]>([
  ["none", undefined],
  ["null", null],
  ["a text", "x"],
  ["conditions that are no list", { observedGeneration: 2, conditions: {} }],
  ["conditions of other types", { observedGeneration: 2, conditions: [null, 7, { type: "Ready", status: true }] }],
])("a status that is %s is open", (_, status) => {
  expect(judge({ ...object("NorthflankJob", {}), status })).toMatchObject({ kind: "open" });
});

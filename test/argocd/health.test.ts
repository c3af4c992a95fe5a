import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { kinds } from "../../src/api/kinds.ts";
import { argoHealthOf, customizations, type Health, hookFinalizer, type Judged, readingOf } from "../support/argocd.ts";
import { everyStatus, freshObjects, type WithStatus } from "../support/every-status.ts";
import { kstatusOf } from "../support/kstatus.ts";

// The health scripts of deploy/argocd, run as Argo CD runs them, over every status that the operator can write.

const names = kinds.map(({ type }) => type.kind);

test("every kind has a health script, and nothing else has", () => {
  expect(readdirSync(customizations).sort()).toEqual([...names].sort());
  expect(Object.keys(everyStatus).sort()).toEqual([...names].sort());
});

describe.each(names)("the health of a %s", (kind) => {
  const states = everyStatus[kind]?.() ?? [];

  test("is what the table says beside kstatus, with the message of a condition, in every state", () => {
    expect(states.length).toBeGreaterThan(100);
    for (const object of states) {
      const { message } = expectReading(object);
      const said = object.status.conditions?.map((condition) => condition.message) ?? [];
      expect(said.some((one) => message.endsWith(one))).toBe(true);
    }
  });

  test("is so too while the state is older than the spec, while it is deleted, and while it is a deleted hook", () => {
    const shapes = new Map(states.map((object) => [shapeOf(object), object]));
    for (const object of shapes.values()) {
      for (const variant of variantsOf(object)) expectReading(variant);
    }
  });

  test("is so too where another version of the operator wrote what this one never writes, such as Ready while Reconciling", () => {
    const values = ["True", "False", "Unknown"] as const;
    for (const ready of values) {
      for (const abnormal of [undefined, "Reconciling", "Stalled", "Suspended"]) {
        for (const started of kind === "NorthflankJobRun" ? [undefined, ...values] : [undefined]) {
          const stated = {
            Ready: ready,
            [abnormal ?? "Ready"]: abnormal === undefined ? ready : "True",
            Started: started,
          };
          const conditions = Object.entries(stated).flatMap(([type, status]) =>
            status === undefined ? [] : [{ type, status, reason: "Any", message: type, lastTransitionTime: "" }],
          );
          expectReading({ kind, metadata: { generation: 1 }, status: { observedGeneration: 1, conditions } });
        }
      }
    }
  });

  test("is Progressing from the creation on: without a status, with the default one, with one that says nothing", () => {
    const [fresh] = freshObjects.filter((object) => object.kind === kind);
    if (fresh === undefined) throw new Error(`no fresh ${kind}`);
    const { status: _, ...bare } = fresh;
    const unseen: readonly Judged[] = [
      bare,
      fresh,
      { ...bare, status: {} },
      { ...bare, status: { observedGeneration: 1 } },
      { ...bare, status: { observedGeneration: 1, conditions: [] } },
    ];
    expect(unseen.map((object) => argoHealthOf(object).status)).toEqual(unseen.map(() => "Progressing"));
  });
});

function expectReading(object: Judged): Health {
  const kstatus = kstatusOf(object as Parameters<typeof kstatusOf>[0]);
  const health = argoHealthOf(object);
  const expected = readingOf(object, kstatus);
  // The object is in the message of a failure only: thousands are judged.
  if (health.status !== expected) expect({ argo: health.status, kstatus, object }).toEqual({ argo: expected });
  return health;
}

function shapeOf({ metadata, status }: WithStatus): string {
  const started = status.conditions?.find(({ type }) => type === "Started")?.reason;
  const spelt = status.conditions?.map(({ type, status: value }) => `${type}=${value}`);
  return `${metadata.generation === status.observedGeneration} ${spelt?.join(" ")} ${started}`;
}

function variantsOf(object: Judged): readonly Judged[] {
  const { metadata } = object;
  const deletionTimestamp = "2026-01-01T00:00:00Z";
  const generation = (metadata.generation ?? 0) + 1;
  const finalizers = [hookFinalizer];
  return [{}, { deletionTimestamp }, { deletionTimestamp, finalizers }, { finalizers }].flatMap((more) => [
    { ...object, metadata: { ...metadata, ...more } },
    { ...object, metadata: { ...metadata, ...more, generation } },
  ]);
}

import { expect, test } from "vitest";
import type { EventDraft } from "../../src/controllers/reconcile/events.ts";
import { KubeError, type KubeErrorCode } from "../../src/kube/errors.ts";
import { containFailures, type StoredObject } from "../../src/operator/reconcile-failures.ts";
import type { ReconcileContext } from "../../src/runtime/controller.ts";
import type { Outcome } from "../../src/runtime/outcome.ts";
import { deployment } from "../support/builders.ts";
import { northflankError } from "../support/fake-northflank.ts";

function setUp(
  reconcile: () => Promise<Outcome>,
  given: { readonly isCovered?: boolean; readonly problems?: readonly string[] } = {},
) {
  const events: EventDraft[] = [];
  const object: StoredObject = deployment();
  const run = containFailures(reconcile, {
    store: { get: () => object },
    needs: [{ covers: (namespace) => namespace === "shop" && given.isCovered !== false }],
    validate: () => (given.problems ?? []).map((field) => ({ field, message: "is wrong", remedy: "" })),
    events: { record: (_, event) => void events.push(event) },
    random: () => 0.5,
  });
  const { signal } = new AbortController();
  const context = (failures: number) => ({ signal, statusSignal: signal, failures }) as unknown as ReconcileContext;
  return { run: (failures = 0) => run("shop/api", context(failures)), events };
}

const kube = (code: KubeErrorCode) => new KubeError({ code, step: "patch", detail: "spec.password: Invalid: s3cret" });
const fails = (error: unknown) => async (): Promise<Outcome> => {
  throw error;
};

test("what a reconcile concludes is passed on", async () => {
  const { run, events } = setUp(async () => ({ kind: "settled" }));
  expect([await run(), events]).toEqual([{ kind: "settled" }, []]);
});

test("an exception that nobody expected is told in an Event, without its text, and is left to the controller", async () => {
  const error = new TypeError("cannot read s3cret");
  const { run, events } = setUp(fails(error));
  await expect(run()).rejects.toBe(error);
  expect(events.map(({ type, reason }) => `${type} ${reason}`)).toEqual(["Warning ReconcileFailed"]);
  expect(events[0]?.note).toContain("TypeError");
  expect(events[0]?.note).not.toContain("s3cret");
});

test.each([
  ["Kubernetes", kube("unavailable")],
  ["Kubernetes, which forbids it", kube("forbidden")],
  ["Northflank", northflankError("rejected")],
])("a failure of %s has words of its own, and no Event", async (_, error) => {
  const { run, events } = setUp(fails(error));
  await expect(run()).rejects.toBe(error);
  expect(events).toEqual([]);
});

test("a refused status names what is stored wrongly, not what Kubernetes quotes, and is tried ever more rarely", async () => {
  const { run, events } = setUp(fails(kube("invalid")), { problems: ["spec.projectId"] });
  const waits: (number | undefined)[] = [];
  for (const failures of [0, 1, 2, 10]) {
    const outcome = await run(failures);
    if (outcome.kind !== "retry") throw new Error(outcome.kind);
    expect(outcome.error.message).not.toContain("s3cret");
    waits.push(outcome.notBeforeMs);
  }
  expect(waits).toEqual([...waits].sort((left = 0, right = 0) => left - right));
  expect(waits[0]).toBeGreaterThanOrEqual(24_000);
  expect(waits[3]).toBeLessThanOrEqual(900_000);
  expect(new Set(events.map(({ reason, note }) => `${reason} ${note}`)).size).toBe(1);
  expect(events[0]).toMatchObject({ type: "Warning", reason: "InvalidSpec" });
  expect(events[0]?.note).toContain("spec.projectId: is wrong");
});

test("a status that is refused though nothing is wrong with what is stored says what to do", async () => {
  const { run, events } = setUp(fails(kube("invalid")));
  expect(await run()).toMatchObject({ kind: "retry" });
  expect(events.map(({ reason }) => reason)).toEqual(["ReconcileFailed"]);
  expect(events[0]?.note).toContain("Apply the CRDs of this release");
  expect(events[0]?.note).not.toContain("s3cret");
});

test("an object whose namespace could not be read is left alone", async () => {
  const { run, events } = setUp(fails(new Error("reconciled all the same")), { isCovered: false });
  expect([await run(), events]).toEqual([{ kind: "recheck", afterMs: 60_000, priority: "resync" }, []]);
});

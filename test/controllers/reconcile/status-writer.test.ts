import { describe, expect, test } from "vitest";
import { createStatusWriter, type ObjectWithStatus } from "../../../src/controllers/reconcile/status-writer.ts";
import type { KubeClient } from "../../../src/kube/client.ts";
import { KubeError, type KubeErrorCode } from "../../../src/kube/errors.ts";
import { type KubeObject, leases } from "../../../src/kube/types.ts";
import { fakeLog } from "../../support/fake-log.ts";
import { neverAborted, strictFake } from "../../support/strict-fake.ts";

const object = {
  apiVersion: "v1",
  kind: "Thing",
  metadata: { name: "a", namespace: "n", uid: "u1", resourceVersion: "5", generation: 2, labels: { x: "y" } },
  status: { observedGeneration: 1, conditions: [], start: { id: "s" } },
};

/** `live`: what the server has by then, `outrun`: how often somebody else writes between our read and our write. */
function setUp(
  error?: KubeErrorCode,
  server: { readonly live?: ObjectWithStatus; readonly outrun?: number } = {},
  loggedConditions: readonly string[] = [],
) {
  const sent: unknown[] = [];
  let reads = 0;
  const overlaid: unknown[] = [];
  const kube = strictFake<KubeClient>("kube", {
    patch: async <T extends KubeObject>(...[_type, name, { body }, options]: Parameters<KubeClient["patch"]>) => {
      sent.push({ name, body, options });
      if (error !== undefined && reads <= (server.outrun ?? 0)) {
        throw new KubeError({ code: error, step: "patch", detail: "scripted" });
      }
      const { status } = body as { readonly status: object };
      const answer = { ...object, metadata: { ...object.metadata, resourceVersion: "6" } };
      return { ...answer, status: { ...object.status, ...status } } as unknown as T;
    },
    get: async <T extends KubeObject>(): Promise<T> => {
      reads += 1;
      if (server.live === undefined) throw new KubeError({ code: "not_found", step: "get", detail: "scripted" });
      return { ...server.live, metadata: { ...server.live.metadata, resourceVersion: `9${reads}` } } as unknown as T;
    },
  });
  const overlay = (answer: ObjectWithStatus) => overlaid.push(answer.metadata.resourceVersion);
  const { log, lines } = fakeLog();
  let stalled = 0;
  const onStalled = () => {
    stalled += 1;
  };
  const deps = { kube, type: leases, overlay, onStalled, log };
  return {
    ...{ sent, overlaid, lines, stalled: () => stalled },
    writer: createStatusWriter<ObjectWithStatus>({ ...deps, loggedConditions, separateRecord: "start" }),
    plain: createStatusWriter<ObjectWithStatus>(deps),
  };
}

describe("a status", () => {
  test("is sent as the difference to what was read, for that version alone; the store shows the answer", async () => {
    const { sent, overlaid, writer } = setUp();
    const result = await writer.write(object, { observedGeneration: 2, phase: "Running" }, neverAborted());
    expect(result).toMatchObject({ kind: "written", object: { metadata: { resourceVersion: "6" } } });
    expect(sent).toEqual([
      {
        name: { name: "a", namespace: "n" },
        body: {
          metadata: { resourceVersion: "5" },
          status: { observedGeneration: 2, phase: "Running", conditions: null },
        },
        options: { subresource: "status", fieldManager: "northflank-operator" },
      },
    ]);
    expect(overlaid).toEqual(["6"]);
  });

  test("that says the same is not sent, in whatever order its keys are", async () => {
    const { sent, writer } = setUp();
    expect(await writer.write(object, { conditions: [], observedGeneration: 1 }, neverAborted())).toEqual({
      kind: "unchanged",
    });
    expect(sent).toEqual([]);
  });

  test("never carries a record that is written by itself, not even when asked to", async () => {
    const { sent, writer, plain } = setUp();
    await writer.write(object, { observedGeneration: 2, start: { id: "t" } }, neverAborted());
    expect(sent).toMatchObject([{ body: { status: { observedGeneration: 2 } } }]);
    expect(JSON.stringify(sent)).not.toContain("start");
    await plain.write(object, { observedGeneration: 2, start: { id: "t" } }, neverAborted());
    expect(sent[1]).toMatchObject({ body: { status: { start: { id: "t" } } } });
  });

  test("that is Stalled is counted each time, also where nothing has to be written", async () => {
    const { sent, writer, stalled } = setUp();
    const condition = { type: "Stalled", status: "True", reason: "x", message: "", lastTransitionTime: "" };
    const status = { observedGeneration: 1, conditions: [condition] };
    await writer.write({ ...object, status }, status, neverAborted());
    await writer.write(object, { observedGeneration: 2, conditions: [] }, neverAborted());
    expect([stalled(), sent.length]).toEqual([1, 1]);
  });

  test.each(["not_found", "conflict"] as const)("of an object that is gone (%s) is dropped quietly", async (code) => {
    const { overlaid, writer } = setUp(code);
    expect(await writer.write(object, { observedGeneration: 2 }, neverAborted())).toEqual({ kind: "gone" });
    expect(overlaid).toEqual([]);
  });

  test("is compared and sent again when somebody else has written to the object since it was read", async () => {
    const live = { ...object, status: { ...object.status, theirs: "x" } };
    const { sent, writer } = setUp("conflict", { live });
    expect(await writer.write(object, { observedGeneration: 2 }, neverAborted())).toMatchObject({ kind: "written" });
    expect(sent).toMatchObject([
      { body: { metadata: { resourceVersion: "5" }, status: { observedGeneration: 2, conditions: null } } },
      {
        body: {
          metadata: { resourceVersion: "91" },
          status: { observedGeneration: 2, conditions: null, theirs: null },
        },
      },
    ]);
  });

  test("is not sent again when somebody else wrote the same: it is shown by the store", async () => {
    const { sent, overlaid, writer } = setUp("conflict", { live: { ...object, status: { observedGeneration: 2 } } });
    expect(await writer.write(object, { observedGeneration: 2 }, neverAborted())).toMatchObject({ kind: "written" });
    expect(sent).toHaveLength(1);
    expect(overlaid).toEqual(["91"]);
  });

  test("is not written beside a start that the pass did not know of", async () => {
    const live = { ...object, status: { ...object.status, start: { id: "theirs" } } };
    const { sent, writer } = setUp("conflict", { live });
    await expect(writer.write(object, { observedGeneration: 2 }, neverAborted())).rejects.toThrow(
      "another process has written status.start",
    );
    expect(sent).toHaveLength(1);
    const known = setUp("conflict", { live, outrun: 1 });
    const own = { ...object, status: { ...object.status, start: { id: "theirs" } } };
    expect(await known.writer.write(own, { observedGeneration: 2 }, neverAborted())).toMatchObject({ kind: "written" });
  });

  test("is not written to another object that was made under the same name", async () => {
    const live = { ...object, metadata: { ...object.metadata, uid: "u2" } };
    const { sent, overlaid, writer } = setUp("conflict", { live });
    expect(await writer.write(object, { observedGeneration: 2 }, neverAborted())).toEqual({ kind: "gone" });
    expect(sent).toHaveLength(1);
    expect(overlaid).toEqual([]);
  });

  test.each([
    [4, "written"],
    [5, "not written"],
  ])("is tried six times: overtaken %i times after the first, it is %s", async (outrun, end) => {
    const { sent, writer } = setUp("conflict", { live: object, outrun });
    const result = writer.write(object, { observedGeneration: 2 }, neverAborted());
    if (end === "written") expect(await result).toMatchObject({ kind: "written" });
    else await expect(result).rejects.toThrow("[conflict] write the status of leases n/a: others wrote first 6 times");
    expect(sent).toHaveLength(6);
  });

  test("that cannot be written fails the pass", async () => {
    const { writer } = setUp("unavailable");
    await expect(writer.write(object, { observedGeneration: 2 }, neverAborted())).rejects.toThrow("[unavailable]");
  });
});

describe("the log", () => {
  type Summary = readonly [status: string, reason: string, stalled?: "Stalled", generation?: number];
  const statusOf = ([status, reason, stalled, observedGeneration = 2]: Summary, count = 0) => ({
    count,
    conditions: [
      { type: "Ready", status, reason, message: `about ${reason}`, observedGeneration },
      ...(stalled === undefined ? [] : [{ type: stalled, status: "True", reason, message: "", observedGeneration }]),
    ],
  });

  async function linesOf(before: Summary | undefined, after: Summary, error?: KubeErrorCode) {
    const { lines, writer } = setUp(error);
    const known = before === undefined ? object : { ...object, status: statusOf(before) };
    await writer.write(known, statusOf(after, 1), neverAborted()).catch(() => undefined);
    return lines;
  }

  test.each<readonly [string, Summary | undefined, Summary, "info" | "warn"]>([
    ["a first state", undefined, ["Unknown", "RollingOut"], "info"],
    ["another status", ["Unknown", "RollingOut"], ["True", "InSync"], "info"],
    ["another reason", ["False", "RemoteUnavailable"], ["False", "RequestTimeout"], "info"],
    ["Stalled, which needs a person", ["True", "InSync"], ["False", "AuthenticationFailed", "Stalled"], "warn"],
    ["Stalled for another spec", ["False", "InvalidSpec", "Stalled", 1], ["False", "InvalidSpec", "Stalled"], "warn"],
    ["a start that a person has to resolve", ["Unknown", "RecoveringRun"], ["Unknown", "StartOutcomeUnknown"], "warn"],
  ])("has one line with the message for %s", async (_, before, after, level) => {
    const [ready, reason] = after;
    const fields = { kind: "Lease", object: "n/a", ready, reason, message: `about ${reason}` };
    expect(await linesOf(before, after)).toEqual([{ level, message: "object changed state", fields }]);
  });

  test.each<readonly [string, Summary]>([
    ["a ready object", ["True", "InSync"]],
    ["a stalled object", ["False", "PermissionDenied", "Stalled"]],
    ["an object that is retried", ["False", "RemoteUnavailable"]],
  ])("has no line for %s whose status is written and whose state stays", async (_, summary) => {
    expect(await linesOf(summary, summary)).toEqual([]);
  });

  test("has one line for each other condition that is to be logged and has changed", async () => {
    const conditions = (status: string) =>
      ["Ready", "QuotaAvailable", "Other"].map((type) => {
        const isReady = type === "Ready";
        return { type, status: isReady ? "True" : status, reason: isReady ? "Valid" : status, message: `is ${status}` };
      });
    const { lines, writer } = setUp(undefined, {}, ["QuotaAvailable", "NotificationsReady"]);
    const before = { ...object, status: { ...object.status, conditions: conditions("True") } };
    await writer.write(before, { count: 1, conditions: conditions("True") }, neverAborted());
    await writer.write(before, { count: 1, conditions: conditions("False") }, neverAborted());
    const fields = { kind: "Lease", object: "n/a", condition: "QuotaAvailable", status: "False", reason: "False" };
    expect(lines).toEqual([
      { level: "info", message: "condition changed", fields: { ...fields, message: "is False" } },
    ]);
  });

  test("has no line for what was not written", async () => {
    expect(await linesOf(["Unknown", "RollingOut"], ["True", "InSync"], "unavailable")).toEqual([]);
  });
});

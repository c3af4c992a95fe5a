import { describe, expect, test } from "vitest";
import { createStatusWriter, type ObjectWithStatus } from "../../../src/controllers/shared/status-writer.ts";
import type { KubeClient } from "../../../src/kube/client.ts";
import { KubeError, type KubeErrorCode } from "../../../src/kube/errors.ts";
import { type KubeObject, leases } from "../../../src/kube/types.ts";
import { neverAborted, strictFake } from "../../support/strict-fake.ts";

const object = {
  apiVersion: "v1",
  kind: "Thing",
  metadata: { name: "a", namespace: "n", uid: "u1", resourceVersion: "5", generation: 2, labels: { x: "y" } },
  status: { observedGeneration: 1, conditions: [], start: { id: "s" } },
};

function setUp(error?: KubeErrorCode) {
  const sent: unknown[] = [];
  const overlaid: unknown[] = [];
  const kube = strictFake<KubeClient>("kube", {
    apply: async <T extends KubeObject>(_type: unknown, body: KubeObject, options: unknown): Promise<T> => {
      sent.push({ body, options });
      if (error !== undefined) throw new KubeError({ code: error, step: "apply", detail: "scripted" });
      return { ...body, metadata: { ...body.metadata, resourceVersion: "6" } } as unknown as T;
    },
  });
  const overlay = (answer: ObjectWithStatus) => overlaid.push(answer.metadata.resourceVersion);
  return { sent, overlaid, writer: createStatusWriter<ObjectWithStatus>({ kube, type: leases, overlay }) };
}

describe("a status", () => {
  test("is applied with nothing but name, uid and status, and the answer is shown by the store", async () => {
    const { sent, overlaid, writer } = setUp();
    const result = await writer.write(object, { observedGeneration: 2, conditions: [] }, neverAborted());
    expect(result).toMatchObject({ kind: "written", object: { metadata: { resourceVersion: "6" } } });
    expect(sent).toEqual([
      {
        body: {
          apiVersion: "v1",
          kind: "Thing",
          metadata: { name: "a", namespace: "n", uid: "u1" },
          status: { observedGeneration: 2, conditions: [] },
        },
        options: { subresource: "status", fieldManager: "northflank-operator", force: true },
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

  test("never carries the start record, not even when asked to", async () => {
    const { sent, writer } = setUp();
    await writer.write(object, { observedGeneration: 2, start: { id: "s" } }, neverAborted());
    expect(sent).toMatchObject([{ body: { status: { observedGeneration: 2 } } }]);
    expect(JSON.stringify(sent)).not.toContain("start");
  });

  test.each(["not_found", "conflict"] as const)("of an object that is gone (%s) is dropped quietly", async (code) => {
    const { overlaid, writer } = setUp(code);
    expect(await writer.write(object, { observedGeneration: 2 }, neverAborted())).toEqual({ kind: "gone" });
    expect(overlaid).toEqual([]);
  });

  test("that cannot be written fails the pass", async () => {
    const { writer } = setUp("unavailable");
    await expect(writer.write(object, { observedGeneration: 2 }, neverAborted())).rejects.toThrow("[unavailable]");
  });
});

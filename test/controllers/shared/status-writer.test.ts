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

/** `live`: what the server has by then, `outrun`: how often somebody else writes between our read and our write. */
function setUp(error?: KubeErrorCode, server: { readonly live?: KubeObject; readonly outrun?: number } = {}) {
  const sent: unknown[] = [];
  let reads = 0;
  const overlaid: unknown[] = [];
  const kube = strictFake<KubeClient>("kube", {
    apply: async <T extends KubeObject>(_type: unknown, body: KubeObject, options: unknown): Promise<T> => {
      sent.push({ body, options });
      if (error !== undefined && reads <= (server.outrun ?? 0)) {
        throw new KubeError({ code: error, step: "apply", detail: "scripted" });
      }
      return { ...body, metadata: { ...body.metadata, resourceVersion: "6" } } as unknown as T;
    },
    get: async <T extends KubeObject>(): Promise<T> => {
      reads += 1;
      if (server.live === undefined) throw new KubeError({ code: "not_found", step: "get", detail: "scripted" });
      return { ...server.live, metadata: { ...server.live.metadata, resourceVersion: `9${reads}` } } as unknown as T;
    },
  });
  const overlay = (answer: ObjectWithStatus) => overlaid.push(answer.metadata.resourceVersion);
  return { sent, overlaid, writer: createStatusWriter<ObjectWithStatus>({ kube, type: leases, overlay }) };
}

describe("a status", () => {
  test("is applied with nothing but name, resourceVersion and status, and the answer is shown by the store", async () => {
    const { sent, overlaid, writer } = setUp();
    const result = await writer.write(object, { observedGeneration: 2, conditions: [] }, neverAborted());
    expect(result).toMatchObject({ kind: "written", object: { metadata: { resourceVersion: "6" } } });
    expect(sent).toEqual([
      {
        body: {
          apiVersion: "v1",
          kind: "Thing",
          metadata: { name: "a", namespace: "n", resourceVersion: "5" },
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

  test("is applied again when somebody else has written to the object since it was read", async () => {
    const { sent, writer } = setUp("conflict", { live: object });
    expect(await writer.write(object, { observedGeneration: 2 }, neverAborted())).toMatchObject({ kind: "written" });
    expect(sent).toMatchObject(["5", "91"].map((resourceVersion) => ({ body: { metadata: { resourceVersion } } })));
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

import { expect, test } from "vitest";
import type { KubeClient } from "../../src/kube/client.ts";
import { KubeError } from "../../src/kube/errors.ts";
import type { KubeObject } from "../../src/kube/types.ts";
import type { Access } from "../../src/runtime/installation-fault.ts";
import { observedKube } from "../../src/runtime/observed-kube.ts";
import { neverAborted } from "../support/strict-fake.ts";

const type = { group: "example.com", version: "v1", plural: "pets", kind: "Pet", namespaced: true };
const metadata = { namespace: "a", name: "rex" };
const pet: KubeObject = { apiVersion: "example.com/v1", kind: "Pet", metadata };
const status = { subresource: "status" } as const;
const sink = { onEvent: () => undefined };
const never = neverAborted();

const calls: Readonly<Record<keyof KubeClient, readonly [Partial<Access>, (kube: KubeClient) => Promise<unknown>]>> = {
  get: [{ verb: "get", name: "rex" }, (kube) => kube.get(type, metadata)],
  list: [{ verb: "list" }, (kube) => kube.list(type, { namespace: "a" })],
  watch: [{ verb: "watch" }, (kube) => kube.watch(type, { namespace: "a" }, sink, never)],
  create: [{ verb: "create" }, (kube) => kube.create(type, pet)],
  replace: [{ verb: "update", ...status, name: "rex" }, (kube) => kube.replace(type, pet, status)],
  apply: [{ verb: "patch", ...status, name: "rex" }, (kube) => kube.apply(type, pet, status)],
  patch: [
    { verb: "patch", ...status, name: "rex" },
    (kube) => kube.patch(type, metadata, { kind: "merge", body: {} }, status),
  ],
  delete: [{ verb: "delete", name: "rex" }, (kube) => kube.delete(type, metadata)],
};

/** A client of which every call comes to `answer`, and what was heard of it. */
function setUp(answer: () => Promise<unknown>) {
  const heard: (readonly [Access, unknown?])[] = [];
  const inner = Object.fromEntries(
    Object.keys(calls).map((name) => [
      name,
      (...args: readonly unknown[]) => {
        const given = args[2] as Parameters<KubeClient["watch"]>[2] | undefined;
        given?.onBytes?.();
        given?.onBytes?.();
        return answer();
      },
    ]),
  ) as unknown as KubeClient;
  const kube = observedKube(inner, {
    worked: (access) => heard.push([access]),
    failed: (access, error) => heard.push([access, error]),
  });
  return { kube, heard };
}

test.each(Object.entries(calls))(
  "%s that goes well is told once, with its answer unchanged",
  async (name, [access, call]) => {
    const { kube, heard } = setUp(async () => pet);
    const answer = await call(kube);
    expect(answer).toBe(name === "watch" ? undefined : pet);
    expect(heard).toEqual([[{ type, namespace: "a", ...access }]]);
  },
);

test.each(Object.entries(calls))("%s that fails is told, and fails", async (name, [access, call]) => {
  const error = new KubeError({ code: "forbidden", step: "try it", detail: "no" });
  const { kube, heard } = setUp(() => Promise.reject(error));
  await expect(call(kube)).rejects.toBe(error);
  // A watch was answered first here.
  expect(heard.slice(name === "watch" ? 1 : 0)).toEqual([[{ type, namespace: "a", ...access }, error]]);
});

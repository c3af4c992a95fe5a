import { describe, expect, test } from "vitest";
import { SecretTokens } from "../../../src/controllers/secrets/secret-tokens.ts";
import type { KubeClient } from "../../../src/kube/client.ts";
import { KubeError, type KubeErrorCode } from "../../../src/kube/errors.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { neverAborted, strictFake } from "../../support/strict-fake.ts";

const name = { namespace: "shop", name: "nf-token", key: "token" };

function setUp(initial = "one") {
  const clock = new FakeClock();
  const state: { text: string; error: KubeErrorCode | undefined } = { text: initial, error: undefined };
  const asked: string[] = [];
  const kube = strictFake<KubeClient>("kube", {
    get: async <T>(type: { plural: string }, object: { namespace?: string; name: string }) => {
      asked.push(`get ${type.plural} ${object.namespace}/${object.name}`);
      if (state.error !== undefined) throw new KubeError({ code: state.error, step: "get", detail: "scripted" });
      const data = { token: Buffer.from(state.text).toString("base64") };
      return { apiVersion: "v1", kind: "Secret", metadata: { name: object.name }, data } as T;
    },
  });
  return { clock, state, asked, tokens: new SecretTokens({ kube, clock }) };
}

function tokenOf(read: Awaited<ReturnType<SecretTokens["read"]>>): string {
  return read.kind === "token" ? read.token.reveal() : read.reason;
}

describe("a token Secret", () => {
  test("is read once for many who ask at the same time", async () => {
    const { asked, tokens } = setUp();
    const reads = await Promise.all([1, 2, 3].map(() => tokens.read(name, neverAborted())));
    expect(reads.map(tokenOf)).toEqual(["one", "one", "one"]);
    expect(asked).toEqual(["get secrets shop/nf-token"]);
  });

  test("is used for 44 s and read again at 45 s", async () => {
    const { clock, state, asked, tokens } = setUp();
    await tokens.read(name, neverAborted());
    state.text = "two";
    await clock.advance(44_999);
    expect(tokenOf(await tokens.read(name, neverAborted()))).toBe("one");
    await clock.advance(1);
    expect(tokenOf(await tokens.read(name, neverAborted()))).toBe("two");
    expect(asked).toHaveLength(2);
  });

  test("is read again at once when it was declared invalid", async () => {
    const { state, tokens } = setUp();
    await tokens.read(name, neverAborted());
    state.text = "two";
    tokens.invalidate(name);
    expect(tokenOf(await tokens.read(name, neverAborted()))).toBe("two");
  });

  test("that does not exist is a finding that names it, and is looked for again within a minute", async () => {
    const { clock, state, asked, tokens } = setUp();
    state.error = "not_found";
    const read = await tokens.read(name, neverAborted());
    expect(read).toMatchObject({ kind: "unusable", reason: "SecretNotFound" });
    expect(read).toMatchObject({ problem: expect.stringContaining('Secret "nf-token" in namespace "shop"') });
    state.error = undefined;
    expect(tokenOf(await tokens.read(name, neverAborted()))).toBe("SecretNotFound");
    await clock.advance(45_000);
    expect(tokenOf(await tokens.read(name, neverAborted()))).toBe("one");
    expect(asked).toHaveLength(2);
  });

  test("that may not be read names the missing right", async () => {
    const { state, tokens } = setUp();
    state.error = "forbidden";
    const problem = expect.stringContaining('grant its service account "get" on secrets');
    expect(await tokens.read(name, neverAborted())).toMatchObject({ reason: "PermissionDenied", problem });
  });

  test("is asked for again at once after Kubernetes could not be asked", async () => {
    const { state, tokens } = setUp();
    state.error = "unavailable";
    await expect(tokens.read(name, neverAborted())).rejects.toThrow("[unavailable]");
    state.error = undefined;
    expect(tokenOf(await tokens.read(name, neverAborted()))).toBe("one");
  });

  test("is not read for a pass that was stopped", async () => {
    const { asked, tokens } = setUp();
    await expect(tokens.read(name, AbortSignal.abort(new Error("stopped")))).rejects.toThrow("stopped");
    expect(asked).toEqual([]);
  });
});

describe("a namespace with ten thousand token Secrets", () => {
  const manyMs = 600_000;

  test("costs ten reads a second, not one per Secret and minute", async () => {
    const { clock, asked, tokens } = setUp();
    const readAll = () =>
      Promise.all(Array.from({ length: 10_000 }, (_, n) => tokens.read({ ...name, name: `t-${n}` }, neverAborted())));
    await readAll();
    for (let passedMs = 0; passedMs < manyMs; passedMs += 60_000) {
      await clock.advance(60_000);
      await readAll();
    }
    // The first time, and then every 1,000 s.
    expect(asked).toHaveLength(10_000);
    await clock.advance(400_000);
    await readAll();
    expect(asked).toHaveLength(20_000);
  });

  test("changes nothing for the others", async () => {
    const { clock, asked, tokens } = setUp();
    for (let n = 0; n < 1_000; n++) await tokens.read({ ...name, namespace: "crowd", name: `t-${n}` }, neverAborted());
    await tokens.read(name, neverAborted());
    await clock.advance(45_000);
    await tokens.read(name, neverAborted());
    expect(asked.filter((one) => one.endsWith("shop/nf-token"))).toHaveLength(2);
  });

  test("keeps nothing once nobody asks", async () => {
    const { clock, tokens } = setUp();
    for (let n = 0; n < 100; n++) await tokens.read({ ...name, namespace: `ns-${n}` }, neverAborted());
    await clock.advance(45_000);
    await tokens.read(name, neverAborted());
    expect(tokens.size).toBe(1);
  });
});

import { describe, expect, test } from "vitest";
import { type AcceptedFor, withAuthTracking } from "../../../src/controllers/account/auth-tracking-api.ts";
import type { TokenValidity } from "../../../src/controllers/account/token-check.ts";
import type { CallOptions, NorthflankApi } from "../../../src/northflank/client.ts";
import type { NorthflankErrorCode } from "../../../src/northflank/errors.ts";
import { northflankError } from "../../support/fake-northflank.ts";
import { neverAborted } from "../../support/strict-fake.ts";

/** What sends nothing. */
const silent: readonly string[] = ["reserve", "keyedHash"];

type Call = Exclude<keyof NorthflankApi, "reserve" | "keyedHash">;

const reservation = { left: 1, release: () => undefined };

/**
 * Every method does the next of `makes`, and the last one again and again; `heard` is what the ear was told and asked. The
 * options are the last argument of each call.
 */
function setUp(makes: readonly (() => unknown)[], judgment?: TokenValidity, signal = neverAborted()) {
  const heard: string[] = [];
  const sent: (readonly unknown[])[] = [];
  let next = 0;
  const api = new Proxy({} as NorthflankApi, {
    get:
      () =>
      async (...args: unknown[]) => {
        sent.push(args);
        const make = makes[Math.min(next, makes.length - 1)];
        next += 1;
        return make?.();
      },
  });
  const ear = {
    accepted: (what: AcceptedFor) => heard.push(`accepted for the ${what}`),
    rejected: () => heard.push("rejected"),
    check: async ({ isFresh }: { readonly isFresh: boolean }) => {
      heard.push(isFresh ? "check anew" : "check");
      if (judgment === undefined) throw new Error("unexpected check");
      return judgment;
    },
  };
  const options: CallOptions = { class: "change", signal, reservation };
  const all = withAuthTracking(api, ear);
  const under = Object.fromEntries(
    Object.entries(all).map(([name, method]) => [
      name,
      async () => await (method as (...args: unknown[]) => unknown)(...argumentsOf(name as Call, options)),
    ]),
  ) as Record<string, () => Promise<unknown>>;
  return { under, heard, sent };
}

function argumentsOf(name: Call, options: CallOptions): readonly unknown[] {
  if (name === "whoAmI" || name === "listIntegrations") return [options];
  if (name === "patchJob") return ["name", "job", {}, options];
  return withBody.includes(name) ? ["name", {}, options] : ["name", options];
}

const withBody: readonly string[] = [
  "updateServiceDeployment",
  "patchDeploymentService",
  "patchCombinedService",
  "updateJobDeployment",
  "startRun",
  "updateIntegration",
];

function failing(error: unknown): () => never {
  return () => {
    throw error;
  };
}

/** What is asked without the team, or answered though there is nothing: it says nothing about whose account it is. */
const ofToken: readonly string[] = ["whoAmI", "abortRun", "deleteIntegration"];

const calls = Object.keys(setUp([]).under).filter((name) => !silent.includes(name)) as Call[];
const outcomeCalls: readonly Call[] = ["startRun"];
const neverTwice: readonly Call[] = ["startRun", "updateJobDeployment", "restartService", "createIntegration"];
const throwing = calls.filter((name) => !outcomeCalls.includes(name));
const ordinary = throwing.filter((name) => name !== "whoAmI");
const repeatable = ordinary.filter((name) => !neverTwice.includes(name));

const bare = northflankError("unauthorized", { httpStatus: 401, detail: 'status 401, "Unauthorized"' });
const valid: TokenValidity = { kind: "valid", token: { expiresAt: undefined } };

describe.each(throwing)("%s", (name) => {
  test.each<readonly [NorthflankErrorCode, readonly string[]]>([
    ["forbidden", ["accepted for the token"]],
    ["not_found", []],
    ["rate_limited", []],
    ["server_error", []],
    ["quota_closed", []],
  ])("that fails with %s tells %j", async (code, expected) => {
    const error = northflankError(code);
    const { under, heard, sent } = setUp([failing(error)]);
    await expect(under[name]?.()).rejects.toBe(error);
    expect(heard).toEqual(expected);
    expect(sent).toHaveLength(1);
  });

  test("that is answered proves the token", async () => {
    const { under, heard } = setUp([() => ({ id: "x" })]);
    expect(await under[name]?.()).toEqual({ id: "x" });
    expect(heard).toEqual([`accepted for the ${ofToken.includes(name) ? "token" : "account"}`]);
  });
});

describe.each(ordinary)("%s that gets a bare 401", (name) => {
  test("says that the token is dead where the check says so, and is not sent again", async () => {
    const { under, heard, sent } = setUp([failing(bare)], { kind: "invalid" });
    await expect(under[name]?.()).rejects.toBe(bare);
    expect(heard).toEqual(["check", "rejected"]);
    expect(sent).toHaveLength(1);
  });

  test.each<readonly [NorthflankErrorCode, number | undefined]>([
    ["rate_limited", 42_000],
    ["server_error", undefined],
    ["timeout", undefined],
    ["quota_closed", 7_000],
  ])("says nothing of the token where the check fails with %s, and is not sent again", async (code, retryAfterMs) => {
    const error = northflankError(code, retryAfterMs === undefined ? {} : { retryAfterMs });
    const { under, heard, sent } = setUp([failing(bare)], { kind: "unknown", error });
    const expected = { code, httpStatus: 401, retryAfterMs, step: bare.step, sent: true };
    await expect(under[name]?.()).rejects.toMatchObject(expected);
    expect(heard).toEqual(["check"]);
    expect(sent).toHaveLength(1);
  });
});

describe.each(repeatable)("%s that gets a bare 401 with a token that lives", (name) => {
  test("is sent once more, without what was set aside for others", async () => {
    const { under, heard, sent } = setUp([failing(bare), () => ({ id: "x" })], valid);
    expect(await under[name]?.()).toEqual({ id: "x" });
    expect(heard.slice(0, 2)).toEqual(["check", "accepted for the token"]);
    expect(sent.map((args) => (args.at(-1) as CallOptions).reservation)).toEqual([reservation, undefined]);
    expect(sent.map((args) => args.slice(0, -1))).toEqual([sent[0]?.slice(0, -1), sent[0]?.slice(0, -1)]);
  });

  test("and another one is denied, and the token goes on", async () => {
    const { under, heard, sent } = setUp([failing(bare)], valid);
    await expect(under[name]?.()).rejects.toMatchObject({
      code: "forbidden",
      denial: "unexplained",
      httpStatus: 401,
      detail: 'status 401, "Unauthorized"; GET /v1/auth accepts the token, so Northflank denied this call only',
    });
    expect(heard).not.toContain("rejected");
    expect(sent).toHaveLength(2);
  });

  test("and then something else fails with that", async () => {
    const error = northflankError("server_error");
    const { under } = setUp([failing(bare), failing(error)], valid);
    await expect(under[name]?.()).rejects.toBe(error);
  });
});

describe("a call that is never sent twice", () => {
  test("is denied when it gets a bare 401 with a token that lives", async () => {
    const { under, heard, sent } = setUp([failing(bare)], valid);
    await expect(under.updateJobDeployment?.()).rejects.toMatchObject({ code: "forbidden", denial: "unexplained" });
    expect(heard).toEqual(["check", "accepted for the token"]);
    expect(sent).toHaveLength(1);
  });

  test.each<readonly [string, TokenValidity, object]>([
    ["invalid", { kind: "invalid" }, { code: "unauthorized" }],
    ["valid", valid, { code: "forbidden", denial: "unexplained" }],
    ["unknown", { kind: "unknown", error: northflankError("timeout") }, { code: "timeout", httpStatus: 401 }],
  ])("nor is a start, which stays refused whatever the check says: %s", async (_what, judgment, expected) => {
    const { under, heard, sent } = setUp([() => ({ kind: "refused", error: bare })], judgment);
    expect(await under.startRun?.()).toMatchObject({ kind: "refused", error: expected });
    expect(sent).toHaveLength(1);
    expect(heard.includes("rejected")).toBe(judgment.kind === "invalid");
  });

  test("nor is a start whose check is given up: the 401 proves that nothing was started", async () => {
    const { under, heard } = setUp([() => ({ kind: "refused", error: bare })], valid, AbortSignal.abort());
    expect(await under.startRun?.()).toMatchObject({ kind: "refused", error: { code: "interrupted" } });
    expect(heard).not.toContain("rejected");
  });
});

test("a call that is given up during the check rejects with the reason", async () => {
  const reason = new Error("given up");
  const { under } = setUp([failing(bare)], valid, AbortSignal.abort(reason));
  await expect(under.getService?.()).rejects.toBe(reason);
});

describe("whoAmI that gets a bare 401 is asked once more", () => {
  test("and what that says of the token is the answer", async () => {
    const token = { expiresAt: "2026-02-01T00:00:00Z" };
    const { under, heard } = setUp([failing(bare)], { kind: "valid", token });
    expect(await under.whoAmI?.()).toEqual(token);
    expect(heard).toEqual(["check anew", "accepted for the token"]);
  });

  test("and a second 401 says that the token is dead", async () => {
    const { under, heard } = setUp([failing(bare)], { kind: "invalid" });
    await expect(under.whoAmI?.()).rejects.toBe(bare);
    expect(heard).toEqual(["check anew", "rejected"]);
  });

  test("and a second answer about a permission shows that the token lives", async () => {
    const { under, heard } = setUp([failing(bare)], { kind: "valid", token: undefined });
    await expect(under.whoAmI?.()).rejects.toMatchObject({ code: "forbidden" });
    expect(heard).toEqual(["check anew", "accepted for the token"]);
  });

  test("and no second answer decides nothing", async () => {
    const error = northflankError("timeout");
    const { under, heard } = setUp([failing(bare)], { kind: "unknown", error });
    await expect(under.whoAmI?.()).rejects.toBe(error);
    expect(heard).toEqual(["check anew"]);
  });
});

test.each<Call>(["getRun", "whoAmI", "getBuild", "listBuilds"])(
  "%s that finds nothing proves nothing: a route is judged before the token",
  async (name) => {
    const { under, heard } = setUp([() => undefined]);
    await under[name]?.();
    expect(heard).toEqual([]);
  },
);

test.each([
  [{ kind: "accepted", runId: "r" }, ["accepted for the account"]],
  [{ kind: "refused", error: northflankError("forbidden") }, ["accepted for the token"]],
  [{ kind: "refused", error: northflankError("rejected") }, []],
  [{ kind: "unknown", error: northflankError("timeout") }, []],
])("startRun that comes to %o tells %j", async (result, expected) => {
  const { under, heard } = setUp([() => result]);
  expect(await under.startRun?.()).toBe(result);
  expect(heard).toEqual(expected);
});

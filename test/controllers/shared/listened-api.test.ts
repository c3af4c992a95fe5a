import { describe, expect, test } from "vitest";
import { type AcceptedFor, listened } from "../../../src/controllers/shared/listened-api.ts";
import type { NorthflankApi } from "../../../src/northflank/client.ts";
import type { NorthflankErrorCode } from "../../../src/northflank/errors.ts";
import { northflankError } from "../../support/fake-northflank.ts";

/** What sends nothing. */
const silent: readonly string[] = ["reserve", "keyedHash"];

type Call = Exclude<keyof NorthflankApi, "reserve" | "keyedHash">;

/** Every method does `make`; `heard` is what the ear was told. */
function setUp(make: () => unknown) {
  const heard: string[] = [];
  const api = new Proxy({} as NorthflankApi, { get: () => async () => make() });
  const ear = {
    accepted: (what: AcceptedFor) => heard.push(`accepted for the ${what}`),
    rejected: () => heard.push("rejected"),
  };
  const under = listened(api, ear) as unknown as Record<string, () => Promise<unknown>>;
  return { under, heard };
}

/** What is asked without the team, or answered though there is nothing: it says nothing about whose account it is. */
const ofToken: readonly string[] = ["whoAmI", "abortRun"];

const calls = Object.keys(setUp(() => undefined).under).filter((name) => !silent.includes(name)) as Call[];
const outcomeCalls: readonly Call[] = ["startRun"];

describe.each(calls.filter((name) => !outcomeCalls.includes(name)))("%s", (name) => {
  test.each<readonly [NorthflankErrorCode, readonly string[]]>([
    ["unauthorized", ["rejected"]],
    ["forbidden", ["accepted for the token"]],
    ["not_found", []],
    ["rate_limited", []],
    ["server_error", []],
    ["quota_closed", []],
  ])("that fails with %s tells %j", async (code, expected) => {
    const error = northflankError(code);
    const { under, heard } = setUp(() => {
      throw error;
    });
    await expect(under[name]?.()).rejects.toBe(error);
    expect(heard).toEqual(expected);
  });

  test("that is answered proves the token", async () => {
    const { under, heard } = setUp(() => ({ id: "x" }));
    expect(await under[name]?.()).toEqual({ id: "x" });
    expect(heard).toEqual([`accepted for the ${ofToken.includes(name) ? "token" : "account"}`]);
  });
});

test.each<Call>(["getRun", "whoAmI", "getBuild", "listBuilds"])(
  "%s that finds nothing proves nothing: a route is judged before the token",
  async (name) => {
    const { under, heard } = setUp(() => undefined);
    await under[name]?.();
    expect(heard).toEqual([]);
  },
);

test.each([
  [{ kind: "accepted", runId: "r" }, ["accepted for the account"]],
  [{ kind: "refused", error: northflankError("unauthorized") }, ["rejected"]],
  [{ kind: "refused", error: northflankError("rejected") }, []],
  [{ kind: "unknown", error: northflankError("timeout") }, []],
])("startRun that comes to %o tells %j", async (result, expected) => {
  const { under, heard } = setUp(() => result);
  expect(await under.startRun?.()).toBe(result);
  expect(heard).toEqual(expected);
});

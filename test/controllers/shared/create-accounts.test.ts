import { describe, expect, test } from "vitest";
import type { Account, AccountResolution } from "../../../src/controllers/shared/accounts.ts";
import {
  type AccountsDeps,
  type ApiBinding,
  type ConnectionObject,
  createAccounts,
} from "../../../src/controllers/shared/create-accounts.ts";
import type { KubeClient } from "../../../src/kube/client.ts";
import { KubeError } from "../../../src/kube/errors.ts";
import type { NorthflankApi } from "../../../src/northflank/client.ts";
import { NorthflankError, type NorthflankErrorCode } from "../../../src/northflank/errors.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { always, neverAborted, strictFake } from "../../support/strict-fake.ts";

const hourMs = 3_600_000;

function connection(name: string, spec: Partial<ConnectionObject["spec"]> = {}): ConnectionObject {
  return { metadata: { namespace: "shop", name }, spec: { tokenSecretRef: { name: `${name}-token` }, ...spec } };
}

function setUp(connections: readonly ConnectionObject[] = [], more: Partial<AccountsDeps> = {}) {
  const clock = new FakeClock();
  const store = new Map(connections.map((object) => [`${object.metadata.namespace}/${object.metadata.name}`, object]));
  const tokens = new Map(
    connections.map(({ spec }) => [spec.tokenSecretRef.name, `canary-${spec.tokenSecretRef.name}`]),
  );
  const state: { answer: NorthflankErrorCode | undefined } = { answer: undefined };
  const opened: (Omit<ApiBinding, "token"> & { readonly token: string })[] = [];
  const sent: string[] = [];
  const reads: string[] = [];
  const kube = strictFake<KubeClient>("kube", {
    get: async <T>(_type: unknown, { name }: { name: string }) => {
      reads.push(name);
      const token = tokens.get(name);
      if (token === undefined) throw new KubeError({ code: "not_found", step: "get", detail: "none" });
      return { metadata: { name, resourceVersion: "1" }, data: { token: Buffer.from(token).toString("base64") } } as T;
    },
  });
  const openApi = (binding: ApiBinding): NorthflankApi => {
    opened.push({ ...binding, token: binding.token.reveal() });
    return strictFake<NorthflankApi>("northflank", {
      whoAmI: async () => {
        sent.push(binding.token.reveal());
        if (state.answer === undefined) return { expiresAt: undefined };
        throw new NorthflankError({ code: state.answer, step: "who am I", detail: "scripted", sent: true });
      },
    });
  };
  const accounts = createAccounts({
    kube,
    connections: store,
    openApi,
    operatorToken: undefined,
    defaultApiUrl: "https://api.northflank.com",
    defaultMaxRequestsPerHour: 900,
    allowedApiHosts: ["api.northflank.com", "other.example"],
    clock,
    random: always(0.5),
    ...more,
  });
  const resolve = (connectionName?: string, projectId = "shop") =>
    accounts.resolve({ namespace: "shop", connectionName, projectId }, neverAborted());
  const call = async (account: Account) => {
    await account.api.whoAmI({ class: "observe", signal: neverAborted() }).catch(() => undefined);
  };
  return { clock, store, tokens, state, opened, sent, reads, accounts, resolve, call };
}

function usable(resolution: AccountResolution): Account {
  if (resolution.kind !== "usable") throw new Error(`blocked: ${resolution.verdict.reason}`);
  return resolution.account;
}

function summaryOf(resolution: AccountResolution): string {
  if (resolution.kind === "usable") return "usable";
  return `${resolution.verdict.kind}/${resolution.verdict.reason} in ${resolution.recheckAfterMs / 1_000} s`;
}

const operatorToken: NonNullable<AccountsDeps["operatorToken"]> = {
  read: async () => "operator-token",
  namespaces: ["shop"],
  teamId: "acme",
};

describe("the account of an object", () => {
  test("is that of the connection it names", async () => {
    const { resolve, opened } = setUp([connection("main", { teamId: "acme" }), connection("default")]);
    expect(usable(await resolve("main")).pool).toBe("team acme at https://api.northflank.com");
    expect(opened).toEqual([
      {
        baseUrl: "https://api.northflank.com",
        teamId: "acme",
        token: "canary-main-token",
        pool: "team acme at https://api.northflank.com",
        maxRequestsPerHour: 900,
      },
    ]);
  });

  test("is that of the connection `default` when it names none, also where the operator-wide token serves", async () => {
    const { resolve, opened } = setUp([connection("default")], { operatorToken });
    usable(await resolve());
    expect(opened).toMatchObject([{ token: "canary-default-token" }]);
  });

  test("is the operator-wide one without a `default`, with its team", async () => {
    const { resolve, opened } = setUp([], { operatorToken });
    usable(await resolve());
    expect(opened).toMatchObject([{ token: "operator-token", teamId: "acme" }]);
  });

  test.each([
    ["its namespace is not served", undefined, { ...operatorToken, namespaces: ["other"] }],
    ["nobody set one", undefined, undefined],
    ["it names a connection that is missing", "main", operatorToken],
  ])("is not the operator-wide one when %s", async (_sentence, name, token) => {
    const { resolve, opened } = setUp([], { operatorToken: token });
    expect(summaryOf(await resolve(name))).toBe("stalled/ConnectionNotFound in 600 s");
    expect(opened).toEqual([]);
  });

  test("is the operator-wide one everywhere when it serves `*`", async () => {
    const { resolve } = setUp([], { operatorToken: { ...operatorToken, namespaces: "*" } });
    usable(await resolve());
  });

  test("is the same client as long as nothing behind it changes", async () => {
    const { resolve, opened } = setUp([connection("main")]);
    expect(usable(await resolve("main"))).toBe(usable(await resolve("main")));
    expect(opened).toHaveLength(1);
  });

  test("has another version once the connection points elsewhere", async () => {
    const { resolve, store } = setUp([connection("main")]);
    const before = usable(await resolve("main"));
    store.set("shop/main", connection("main", { teamId: "other" }));
    expect(usable(await resolve("main")).version).not.toBe(before.version);
  });
});

describe("an object is held back", () => {
  test.each([
    ["while the connection is suspended", { suspend: true }, "waiting/ConnectionSuspended in 600 s"],
    ["when the project is not allowed", { allowedProjects: ["staging-*"] }, "stalled/ProjectNotAllowed in 600 s"],
    ["when the host is not on the list", { apiURL: "https://evil.example" }, "waiting/WaitingForConnection in 600 s"],
    ["when the scheme is plain", { apiURL: "http://api.northflank.com" }, "waiting/WaitingForConnection in 600 s"],
  ])("%s, without reading the Secret", async (_sentence, spec, expected) => {
    const { resolve, reads, opened } = setUp([connection("main", spec)]);
    expect(summaryOf(await resolve("main"))).toBe(expected);
    expect({ reads, opened }).toEqual({ reads: [], opened: [] });
  });

  test.each([
    ["is missing", undefined, "stalled/SecretNotFound in 54 s"],
    ["is empty", "", "stalled/SecretInvalid in 54 s"],
    ["holds a line break", "canary\ncanary", "stalled/SecretInvalid in 54 s"],
  ])("while the Secret %s, and goes on within a minute after that is mended", async (_sentence, text, expected) => {
    const { resolve, tokens, clock } = setUp([connection("main")]);
    if (text === undefined) tokens.delete("main-token");
    else tokens.set("main-token", text);
    expect(summaryOf(await resolve("main"))).toBe(expected);
    tokens.set("main-token", "good");
    await clock.advance(60_000);
    expect(summaryOf(await resolve("main"))).toBe("usable");
  });
});

describe("a token that the API refused", () => {
  async function refused() {
    const scene = setUp([connection("main"), connection("twin", { tokenSecretRef: { name: "main-token" } })]);
    scene.state.answer = "unauthorized";
    await scene.call(usable(await scene.resolve("main")));
    expect(scene.sent).toHaveLength(1);
    return scene;
  }

  test("is read again at once, and a new one is used in the same pass", async () => {
    const { resolve, tokens, call, sent } = await refused();
    tokens.set("main-token", "rotated");
    await call(usable(await resolve("main")));
    expect(sent).toEqual(["canary-main-token", "rotated"]);
  });

  test("is not sent again while it is the same, for nobody who uses it", async () => {
    const { resolve } = await refused();
    expect(summaryOf(await resolve("main"))).toBe("stalled/AuthenticationFailed in 54 s");
    expect(summaryOf(await resolve("twin"))).toBe("stalled/AuthenticationFailed in 54 s");
  });

  test("is told of in the same words at every look, so that nothing is written while nothing changes", async () => {
    const { resolve, clock } = await refused();
    const first = await resolve("main");
    await clock.advance(600_000);
    expect(await resolve("main")).toEqual(first);
  });

  test("gives way to a new one within a minute", async () => {
    const { resolve, tokens, clock } = await refused();
    await resolve("main");
    tokens.set("main-token", "rotated");
    await clock.advance(60_000);
    usable(await resolve("main"));
  });

  test("is probed by one single caller an hour later, and not by the next one", async () => {
    const { resolve, clock } = await refused();
    await clock.advance(hourMs - 1);
    expect(summaryOf(await resolve("main"))).toMatch(/AuthenticationFailed/);
    await clock.advance(1);
    expect(summaryOf(await resolve("main"))).toBe("usable");
    expect(summaryOf(await resolve("main"))).toMatch(/AuthenticationFailed/);
  });

  test("is used by all again as soon as one probe is accepted", async () => {
    const { resolve, call, clock, state } = await refused();
    await clock.advance(hourMs);
    const probe = usable(await resolve("main"));
    state.answer = undefined;
    await call(probe);
    expect(summaryOf(await resolve("main"))).toBe("usable");
  });

  test("counts as accepted when only a permission is missing", async () => {
    const { resolve, call, clock, state } = await refused();
    await clock.advance(hourMs);
    const probe = usable(await resolve("main"));
    state.answer = "forbidden";
    await call(probe);
    expect(summaryOf(await resolve("main"))).toBe("usable");
  });

  test.each(["server_error", "timeout", "quota_closed", "not_found"] as const)(
    "stays refused when the probe ends with %s, which proves nothing",
    async (answer) => {
      const { resolve, call, clock, state } = await refused();
      await clock.advance(hourMs);
      const probe = usable(await resolve("main"));
      state.answer = answer;
      await call(probe);
      expect(summaryOf(await resolve("main"))).toMatch(/AuthenticationFailed/);
    },
  );

  test("is reported by callers too, with the same effect", async () => {
    const { resolve, accounts } = setUp([connection("main")]);
    accounts.tokenRejected(usable(await resolve("main")));
    expect(summaryOf(await resolve("main"))).toMatch(/AuthenticationFailed/);
  });

  test("may be used by the connection's own check, which is the probe", async () => {
    const { accounts } = await refused();
    const opened = await accounts.open(connection("main"), { probe: true }, neverAborted());
    expect(summaryOf(opened)).toBe("usable");
  });
});

describe("the pool of an account", () => {
  const poolsOf = async (connections: readonly ConnectionObject[]) => {
    const scene = setUp(connections);
    scene.tokens.set("same-token", "canary-same");
    const pools: string[] = [];
    for (const { metadata } of connections) pools.push(usable(await scene.resolve(metadata.name)).pool);
    return pools;
  };
  const sameToken = { tokenSecretRef: { name: "same-token" } };

  test("is shared by connections of one team, whatever their tokens", async () => {
    const [first, second] = await poolsOf([connection("a", { teamId: "t" }), connection("b", { teamId: "t" })]);
    expect(first).toBe(second);
  });

  test("is shared by connections with the same token, without a word of it in the name", async () => {
    const [first, second] = await poolsOf([connection("a", sameToken), connection("b", sameToken)]);
    expect(first).toBe(second);
    expect(first).not.toContain("canary");
  });

  test("is shared by connections that name the same pool", async () => {
    const budget = { poolName: "p" };
    const [first, second] = await poolsOf([connection("a", { budget, teamId: "t" }), connection("b", { budget })]);
    expect(first).toBe(second);
  });

  test("differs between teams, between tokens, and between hosts", async () => {
    const pools = await poolsOf([
      connection("a", { teamId: "t" }),
      connection("b", { teamId: "u" }),
      connection("c"),
      connection("d"),
      connection("e", { teamId: "t", apiURL: "https://other.example" }),
    ]);
    expect(new Set(pools).size).toBe(5);
  });

  test("stays when the token of a connection is rotated", async () => {
    const { resolve, tokens, clock } = setUp([connection("main")]);
    const before = usable(await resolve("main"));
    tokens.set("main-token", "rotated");
    await clock.advance(60_000);
    const after = usable(await resolve("main"));
    expect(after.pool).toBe(before.pool);
    expect(after.version).not.toBe(before.version);
  });

  test("is named by the operator's team where the operator-wide token serves", async () => {
    const { resolve } = setUp([], { operatorToken });
    expect(usable(await resolve()).pool).toBe("team acme at https://api.northflank.com");
  });
});

test("no resolution ever shows a token", async () => {
  const scene = setUp([connection("main"), connection("bad", { allowedProjects: ["x"] })], { operatorToken });
  scene.tokens.set("main-token", "canary main");
  const shown = JSON.stringify([await scene.resolve("main"), await scene.resolve("bad")]);
  expect(shown).not.toContain("canary");
});

test("an operator-wide token that cannot be read for a moment is asked for again at once", async () => {
  let failing = true;
  const read = async () => {
    if (failing) throw new Error("disk");
    return "operator-token";
  };
  const { resolve } = setUp([], { operatorToken: { ...operatorToken, read } });
  await expect(resolve()).rejects.toThrow("disk");
  failing = false;
  usable(await resolve());
});

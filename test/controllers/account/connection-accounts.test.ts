import { describe, expect, test } from "vitest";
import type { Account, AccountResolution } from "../../../src/controllers/account/accounts.ts";
import type { ApiBinding } from "../../../src/controllers/account/api-factory.ts";
import {
  ConnectionAccounts,
  type ConnectionAccountsDeps,
} from "../../../src/controllers/account/connection-accounts.ts";
import type { ConnectionObject } from "../../../src/controllers/account/token-source.ts";
import type { KubeClient } from "../../../src/kube/client.ts";
import { KubeError } from "../../../src/kube/errors.ts";
import type { NorthflankApi } from "../../../src/northflank/client.ts";
import { NorthflankError, type NorthflankErrorCode } from "../../../src/northflank/errors.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { always, neverAborted, strictFake } from "../../support/strict-fake.ts";

const hourMs = 3_600_000;

type Spec = Partial<ConnectionObject["spec"]>;

function connection(name: string, spec: Partial<ConnectionObject["spec"]> = {}): ConnectionObject {
  return { metadata: { namespace: "shop", name }, spec: { tokenSecretRef: { name: `${name}-token` }, ...spec } };
}

function setUp(connections: readonly ConnectionObject[] = [], more: Partial<ConnectionAccountsDeps> = {}) {
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
    const { connection: _connection, poolLabel: _label, ...rest } = binding;
    opened.push({ ...rest, token: binding.token.reveal() });
    const client = strictFake<NorthflankApi>("northflank", {
      whoAmI: async () => {
        sent.push(binding.token.reveal());
        if (state.answer === undefined) return { expiresAt: undefined };
        throw new NorthflankError({ code: state.answer, step: "who am I", detail: "scripted", sent: true });
      },
      listServices: async () => {
        sent.push(binding.token.reveal());
        if (state.answer === undefined) return { items: [] };
        throw new NorthflankError({ code: state.answer, step: "list", detail: "scripted", sent: true });
      },
    });
    clients.push(client);
    return client;
  };
  const closed: number[] = [];
  const clients: NorthflankApi[] = [];
  const accounts = new ConnectionAccounts({
    kube,
    connections: store,
    openApi,
    closeApi: (api) => closed.push(clients.indexOf(api)),
    operatorToken: undefined,
    defaultApiUrl: "https://api.northflank.com",
    defaultMaxRequestsPerHour: 900,
    allowedApiHosts: ["api.northflank.com", "other.example"],
    clock,
    random: always(0.5),
    ...more,
  });
  /** In every test: what can be had without a wait is what is found by asking. */
  const resolve = async (connectionName?: string, projectId = "shop") => {
    const request = { namespace: "shop", connectionName, projectId };
    const known = accounts.peek?.(request);
    const resolution = await accounts.resolve(request, neverAborted());
    if (known !== undefined) expect(usable(resolution)).toBe(known);
    const after = accounts.peek?.(request);
    if (after !== undefined) expect(usable(resolution)).toBe(after);
    return resolution;
  };
  const call = async (account: Account) => {
    await account.api.whoAmI({ class: "observe", signal: neverAborted() }).catch(() => undefined);
  };
  /** A call about the team, if there is one. */
  const look = async (account: Account) => {
    await account.api.listServices({ projectId: "shop" }, { class: "observe", signal: neverAborted() }).catch(() => []);
  };
  const identity = (connectionName: string, namespace = "shop") =>
    accounts.identity({ namespace, connectionName, projectId: "shop" }, neverAborted());
  return { clock, store, tokens, state, opened, closed, sent, reads, accounts, resolve, call, look, identity };
}

function usable(resolution: AccountResolution): Account {
  if (resolution.kind !== "usable") throw new Error(`blocked: ${resolution.readyState.reason}`);
  return resolution.account;
}

function summaryOf(resolution: AccountResolution): string {
  if (resolution.kind === "usable") return "usable";
  return `${resolution.readyState.kind}/${resolution.readyState.reason} in ${resolution.recheckAfterMs / 1_000} s`;
}

const operatorToken: NonNullable<ConnectionAccountsDeps["operatorToken"]> = {
  read: async () => "operator-token",
  namespaces: ["shop"],
  teamId: "acme",
};

describe("the account of an object", () => {
  test("is that of the connection it names", async () => {
    const { resolve, opened } = setUp([connection("main", { teamId: "acme" }), connection("default")]);
    expect(usable(await resolve("main")).team).toBe("team acme at https://api.northflank.com");
    expect(opened).toEqual([
      {
        baseUrl: "https://api.northflank.com",
        teamId: "acme",
        token: "canary-main-token",
        pool: "team acme at https://api.northflank.com, not accepted yet for shop/main",
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

  test.each([
    ["a connection", setUp([connection("main")]), "main"],
    ["the operator-wide token", setUp([], { operatorToken }), undefined],
  ])(
    "can be had of %s without a wait, from the first time it was asked for until the token is old",
    async (_, scene, name) => {
      const { accounts, resolve, clock } = scene;
      const peek = () => accounts.peek?.({ namespace: "shop", connectionName: name, projectId: "shop" });
      expect(peek()).toBeUndefined();
      const account = usable(await resolve(name));
      await clock.advance(44_999);
      expect(peek()).toBe(account);
      await clock.advance(1);
      expect(peek()).toBeUndefined();
    },
  );

  test.each<[string, (scene: ReturnType<typeof setUp>) => unknown, projectId?: string]>([
    ["the connection is gone", ({ store }) => store.delete("shop/main")],
    ["the connection is suspended", ({ store }) => store.set("shop/main", connection("main", { suspend: true }))],
    [
      "the project is not allowed",
      ({ store }) => store.set("shop/main", connection("main", { allowedProjects: ["b"] })),
    ],
    [
      "the host is not allowed",
      ({ store }) => store.set("shop/main", connection("main", { apiURL: "https://x.example" })),
    ],
    ["another team is named", ({ store }) => store.set("shop/main", connection("main", { teamId: "beta" }))],
    [
      "another Secret is named",
      ({ store }) => store.set("shop/main", connection("main", { tokenSecretRef: { name: "b" } })),
    ],
  ])("cannot be had without a wait when %s", async (_, change) => {
    const scene = setUp([connection("main")]);
    await scene.resolve("main");
    change(scene);
    expect(scene.accounts.peek?.({ namespace: "shop", connectionName: "main", projectId: "shop" })).toBeUndefined();
  });

  test("cannot be had without a wait once Northflank refused its token", async () => {
    const { accounts, resolve, call, state, clock } = setUp([connection("main")]);
    const account = usable(await resolve("main"));
    state.answer = "unauthorized";
    await call(account);
    const peek = () => accounts.peek?.({ namespace: "shop", connectionName: "main", projectId: "shop" });
    expect(peek()).toBeUndefined();
    await resolve("main");
    expect(peek()).toBeUndefined();
    await clock.advance(hourMs);
    await resolve("main");
    expect(peek()).toBeUndefined();
  });

  test("has another version once the connection points elsewhere", async () => {
    const { resolve, store } = setUp([connection("main")]);
    const before = usable(await resolve("main"));
    store.set("shop/main", connection("main", { teamId: "other" }));
    expect(usable(await resolve("main")).version).not.toBe(before.version);
  });
});

describe("an object is held back", () => {
  test("where the token does not reach its project, and not where only a build comes from there", async () => {
    const status = { projectRestrictions: { mode: "In" as const, projects: ["shop"] } };
    const { accounts, store } = setUp([{ ...connection("main"), status }]);
    const from = async (isBuilder: boolean) => {
      const request = { namespace: "shop", connectionName: "main", projectId: "builders", isBuilder };
      return summaryOf(await accounts.resolve(request, neverAborted()));
    };
    expect([await from(false), await from(true)]).toEqual(["stalled/ProjectNotAllowed in 600 s", "usable"]);
    // What the connection allows holds for both.
    store.set("shop/main", { ...connection("main", { allowedProjects: ["shop"] }), status });
    expect(await from(true)).toBe("stalled/ProjectNotAllowed in 600 s");
  });

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

  test("where the stored spec of the connection does not fit its schema, whatever was left out of it", async () => {
    const { accounts, store, resolve, reads } = setUp([connection("main")]);
    const { tokenSecretRef: _left, ...spec } = connection("main").spec;
    const misfits = { spec: [{}] };
    for (const stored of [connection("main").spec, spec as ConnectionObject["spec"]]) {
      store.set("shop/main", { ...connection("main"), spec: stored, misfits });
      expect(summaryOf(await resolve("main"))).toBe("waiting/WaitingForConnection in 600 s");
      expect(reads).toEqual([]);
    }
    expect(
      await accounts.identity({ namespace: "shop", connectionName: "main", projectId: "shop" }, neverAborted()),
    ).toEqual({});
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

  test("is shared by connections of one team, whatever their tokens, once each was answered for it", async () => {
    const { resolve, look } = setUp([connection("a", { teamId: "t" }), connection("b", { teamId: "t" })]);
    const [first, second] = [usable(await resolve("a")), usable(await resolve("b"))];
    expect(first.pool).not.toBe(second.pool);
    await look(first);
    expect([first.pool, first.isProven]).toEqual(["team t at https://api.northflank.com", true]);
    expect([second.pool, second.isProven]).not.toContain(first.pool);
    await look(second);
    expect(second.pool).toBe(first.pool);
  });

  test.each<[string, NorthflankErrorCode | undefined, "call" | "look"]>([
    ["a token that is good, but asked without the team", undefined, "call"],
    ["a permission that is missing", "forbidden", "look"],
    ["a refused token", "unauthorized", "look"],
    ["a route or a thing that is not there", "not_found", "look"],
    ["a failure of the API", "server_error", "look"],
  ])("is not joined by %s", async (_what, answer, which) => {
    const scene = setUp([connection("a", { teamId: "t" })]);
    const account = usable(await scene.resolve("a"));
    scene.state.answer = answer;
    await scene[which](account);
    expect([account.pool, account.isProven]).toEqual([
      "team t at https://api.northflank.com, not accepted yet for shop/a",
      false,
    ]);
  });

  test("is joined without another client or version: nothing that is under way is asked again", async () => {
    const { resolve, look, opened } = setUp([connection("a", { teamId: "t" })]);
    const before = usable(await resolve("a"));
    const { version } = before;
    await look(before);
    expect(usable(await resolve("a"))).toBe(before);
    expect([before.version, opened.length]).toEqual([version, 1]);
  });

  test("is left when another team is named, whatever the token was accepted for", async () => {
    const { resolve, look, store } = setUp([connection("a", { teamId: "t" })]);
    await look(usable(await resolve("a")));
    store.set("shop/a", connection("a", { teamId: "victim" }));
    expect(usable(await resolve("a"))).toMatchObject({
      pool: "team victim at https://api.northflank.com, not accepted yet for shop/a",
      isProven: false,
    });
  });

  test("is another one behind another base path: who answers there need not be the same", async () => {
    const { resolve, look } = setUp([
      connection("a", { teamId: "t" }),
      connection("b", { teamId: "t", apiURL: "https://api.northflank.com/elsewhere" }),
    ]);
    const both = [usable(await resolve("a")), usable(await resolve("b"))];
    for (const account of both) await look(account);
    expect(new Set(both.map(({ pool }) => pool)).size).toBe(2);
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

  test("is not shared by connections of different namespaces that name the same pool", async () => {
    const budget = { poolName: "p" };
    const far = { ...connection("a", { budget }), metadata: { namespace: "mallory", name: "a" } };
    const { accounts, resolve } = setUp([connection("a", { budget }), far]);
    const request = { namespace: "mallory", connectionName: "a", projectId: "shop" };
    const theirs = usable(await accounts.resolve(request, neverAborted()));
    expect(theirs.pool).not.toBe(usable(await resolve("a")).pool);
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

  test("is another one with another token, and the former one is known as such for an hour", async () => {
    const { resolve, tokens, clock } = setUp([connection("main")]);
    const before = usable(await resolve("main"));
    tokens.set("main-token", "rotated");
    await clock.advance(60_000);
    const after = usable(await resolve("main"));
    expect(after.pool).not.toBe(before.pool);
    expect(after.version).not.toBe(before.version);
    await clock.advance(hourMs - 1);
    expect(after.formerPools).toEqual([before.pool]);
    await clock.advance(1);
    expect(after.formerPools).toEqual([]);
  });

  test("is left by the one of two connections whose token is replaced by that of another account", async () => {
    const twin = { tokenSecretRef: { name: "shared" } };
    const scene = setUp([connection("x"), connection("y", twin)]);
    scene.tokens.set("x-token", "one");
    scene.tokens.set("shared", "one");
    const before = [await scene.resolve("x"), await scene.resolve("y")].map((one) => usable(one).pool);
    expect(before[0]).toBe(before[1]);
    scene.tokens.set("x-token", "another");
    await scene.clock.advance(60_000);
    const after = [await scene.resolve("x"), await scene.resolve("y")].map((one) => usable(one).pool);
    expect([after[0] === after[1], after[1]]).toEqual([false, before[1]]);
  });

  test("does not decide who may use what another connection read: that is the token, with its team", async () => {
    const { resolve, look, tokens, clock } = setUp([
      connection("a", { ...sameToken, teamId: "t" }),
      connection("b", { ...sameToken, teamId: "t" }),
      connection("c", { ...sameToken }),
      connection("d", { teamId: "t" }),
    ]);
    const names = ["a", "b", "c", "d"];
    const accounts = await Promise.all(names.map(async (name) => usable(await resolve(name))));
    for (const account of accounts) await look(account);
    const [a, b, c, d] = accounts.map(({ readScope, pool }) => ({ readScope, pool }));
    expect([a!.pool, a!.readScope]).toEqual([b!.pool, b!.readScope]);
    expect(c!.readScope).not.toBe(a!.readScope);
    // Of one team, and so of one quota; but the token of each may be limited to other projects.
    expect([d!.pool === a!.pool, d!.readScope === a!.readScope]).toEqual([true, false]);
    expect(a!.readScope).not.toContain("canary");
    tokens.set("d-token", "rotated");
    await clock.advance(60_000);
    expect(usable(await resolve("d")).readScope).not.toBe(d!.readScope);
  });

  test("is found again by a connection that is made again with the same token", async () => {
    const { resolve, look, accounts, store } = setUp([connection("a"), connection("b", { teamId: "t" })]);
    for (const name of ["a", "b"]) {
      const account = usable(await resolve(name));
      await look(account);
      const { pool } = account;
      accounts.forget(`shop/${name}`);
      store.delete(`shop/${name}`);
      store.set(`shop/${name}`, connection(name, name === "b" ? { teamId: "t" } : {}));
      expect(usable(await resolve(name)).pool).toBe(pool);
    }
  });

  test("is named by the operator's team where the operator-wide token serves", async () => {
    const { resolve } = setUp([], { operatorToken });
    expect(usable(await resolve()).pool).toBe("team acme at https://api.northflank.com");
  });
});

describe("the identity of an account", () => {
  const team = "team t at https://api.northflank.com";

  async function known(more: Partial<ConnectionAccountsDeps> = {}) {
    const scene = setUp([connection("a", { teamId: "t" })], more);
    await scene.look(usable(await scene.resolve("a")));
    expect(await scene.identity("a")).toMatchObject({ pool: team, team, isProven: true });
    return scene;
  }

  test.each<[string, (scene: Awaited<ReturnType<typeof known>>) => unknown]>([
    ["is suspended", ({ store }) => store.set("shop/a", connection("a", { teamId: "t", suspend: true }))],
    [
      "does not allow the project any more",
      ({ store }) => store.set("shop/a", connection("a", { teamId: "t", allowedProjects: ["x"] })),
    ],
    ["has no Secret any more", ({ tokens }) => tokens.delete("a-token")],
    ["has no token any more", ({ tokens }) => tokens.set("a-token", "")],
    ["has another token, that nobody has accepted yet", ({ tokens }) => tokens.set("a-token", "rotated")],
    [
      "is refused",
      async (scene) => {
        scene.state.answer = "unauthorized";
        await scene.look(usable(await scene.resolve("a")));
      },
    ],
  ])("stays known when its connection %s", async (_what, change) => {
    const scene = await known();
    await change(scene);
    await scene.clock.advance(60_000);
    expect(await scene.identity("a")).toMatchObject({ team, isProven: true });
  });

  test("stays known when its connection is gone, as long as objects name it", async () => {
    let isInUse = true;
    const scene = await known({ isInUse: () => isInUse });
    scene.store.delete("shop/a");
    scene.accounts.forget("shop/a");
    scene.accounts.forget("shop/a");
    expect(await scene.identity("a")).toMatchObject({ pool: team, team, isProven: true });
    isInUse = false;
    const other = await known({ isInUse: () => isInUse });
    other.store.delete("shop/a");
    other.accounts.forget("shop/a");
    expect(await other.identity("a")).toEqual({});
  });

  test("of a connection that nobody has used is what it names, and proves nothing", async () => {
    const { identity } = setUp([connection("a", { teamId: "t", suspend: true })]);
    expect(await identity("a")).toMatchObject({ team, isProven: false });
    expect(await identity("missing")).toEqual({});
  });

  test("does not follow a connection to the team that it names now", async () => {
    const scene = await known();
    scene.store.set("shop/a", connection("a", { teamId: "victim" }));
    scene.tokens.delete("a-token");
    await scene.clock.advance(60_000);
    expect(await scene.identity("a")).toEqual({ team: "team victim at https://api.northflank.com", isProven: false });
  });

  test.each<[string, object, Spec, boolean]>([
    ["stays known over a restart by what the status of its connection says", {}, { suspend: true }, true],
    ["is not that of another team, whatever the status says", {}, { teamId: "victim" }, false],
    ["is not that at another address, whatever the status says", {}, { apiURL: "https://other.example" }, false],
    ["is not known where the status says nothing", { acceptedFor: undefined }, {}, false],
  ])("%s", async (_sentence, status, spec, isProven) => {
    const acceptedFor = "https://api.northflank.com, team t";
    for (const hasSecret of [true, false]) {
      const object = { ...connection("a", { teamId: "t", ...spec }), status: { acceptedFor, ...status } };
      const scene = setUp([object]);
      if (!hasSecret) scene.tokens.delete("a-token");
      expect(await scene.identity("a")).toMatchObject({ isProven });
      // It says whose a target is, not whose quota: that takes an answer.
      expect((await scene.identity("a")).pool ?? "not accepted yet").toContain("not accepted yet");
      expect(scene.sent).toEqual([]);
    }
  });

  test("is told without a request, and takes nothing from the probe of a refused token", async () => {
    const { resolve, clock, state, call, identity, sent } = setUp([connection("a")]);
    state.answer = "unauthorized";
    await call(usable(await resolve("a")));
    await clock.advance(hourMs);
    await identity("a");
    expect(sent).toHaveLength(1);
    expect(summaryOf(await resolve("a"))).toBe("usable");
  });
});

describe("a namespace full of tokens that nobody accepts", () => {
  const count = 500;

  function crowd() {
    const many = Array.from({ length: count }, (_, n) => connection(`bad-${n}`));
    const good = connection("good");
    const scene = setUp([...many, good]);
    const other = { ...connection("x"), metadata: { namespace: "acme", name: "x" } };
    scene.store.set("acme/x", other);
    scene.tokens.set("x-token", "canary-x");
    return scene;
  }

  /** Every connection tries, as its controller and its objects do, once a minute for so many hours. */
  async function tryAll(scene: ReturnType<typeof crowd>, hours: number) {
    for (let minute = 0; minute < hours * 60; minute++) {
      for (let n = 0; n < count; n++) {
        const resolution = await scene.resolve(`bad-${n}`);
        if (resolution.kind === "usable") await scene.call(resolution.account);
        // The hourly check of the connection itself, which may use a refused token.
        if (minute % 60 !== 59) continue;
        const opened = await scene.accounts.open(connection(`bad-${n}`), { probe: true }, neverAborted());
        if (opened.kind === "usable") await scene.call(opened.account);
      }
      await scene.clock.advance(60_000);
    }
  }

  test("costs sixty requests an hour at most, hour after hour", async () => {
    const scene = crowd();
    scene.state.answer = "unauthorized";
    await tryAll(scene, 1);
    expect(scene.sent.length).toBeLessThanOrEqual(61);
    await tryAll(scene, 2);
    expect(scene.sent.length).toBeLessThanOrEqual(3 * 61);
  });

  test("holds up neither other namespaces nor tokens that were accepted before", async () => {
    const scene = crowd();
    await scene.call(usable(await scene.resolve("good")));
    scene.state.answer = "unauthorized";
    for (let n = 0; n < count; n++) {
      const resolution = await scene.resolve(`bad-${n}`);
      if (resolution.kind === "usable") await scene.call(resolution.account);
    }
    expect(scene.sent).toHaveLength(61);
    // One for each that was tried: those that are held back leave nothing behind.
    expect(scene.opened).toHaveLength(61);
    expect(summaryOf(await scene.resolve("bad-400"))).toBe("waiting/WaitingForConnection in 54 s");
    usable(await scene.resolve("good"));
    const request = { namespace: "acme", connectionName: "x", projectId: "shop" };
    usable(await scene.accounts.resolve(request, neverAborted()));
  });

  test("is not held against an API that is down: only refusals count", async () => {
    const scene = crowd();
    scene.state.answer = "timeout";
    for (let n = 0; n < count; n++) await scene.call(usable(await scene.resolve(`bad-${n}`)));
    scene.state.answer = undefined;
    usable(await scene.resolve("bad-0"));
  });
});

test("every client of a connection that changed or went is closed, and no other", async () => {
  const { resolve, accounts, store, closed } = setUp([connection("a"), connection("b")]);
  await resolve("a");
  await resolve("b");
  store.set("shop/a", connection("a", { budget: { maxRequestsPerHour: 100 } }));
  await resolve("a");
  expect(closed).toEqual([0]);
  accounts.forget("shop/a");
  accounts.forget("shop/a");
  expect(closed).toEqual([0, 2]);
});

test("a ceiling below what a start takes is raised to that: else no start would ever be granted", async () => {
  const { resolve, opened } = setUp([connection("a", { budget: { maxRequestsPerHour: 1 } })]);
  await resolve("a");
  expect(opened).toMatchObject([{ maxRequestsPerHour: 3 }]);
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

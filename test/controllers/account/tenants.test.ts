import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Account, AccountResolution } from "../../../src/controllers/account/accounts.ts";
import { createApiFactory } from "../../../src/controllers/account/api-factory.ts";
import {
  ConnectionAccounts,
  type ConnectionAccountsDeps,
} from "../../../src/controllers/account/connection-accounts.ts";
import type { ConnectionObject } from "../../../src/controllers/account/token-source.ts";
import { openAccess } from "../../../src/controllers/target/conflicts.ts";
import type { KubeClient } from "../../../src/kube/client.ts";
import type { Transport } from "../../../src/northflank/transport.ts";
import { deployment } from "../../support/builders.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { always, neverAborted, strictFake } from "../../support/strict-fake.ts";

/*
 * What one tenant of a cluster can do to another through accounts, ledgers and conflicts: accounts, the factory of clients
 * and the client itself, on a wire that answers as Northflank does.
 */

type Spec = Partial<ConnectionObject["spec"]>;

/** Who may do what in the team `acme`: everybody else is refused. Mallory has an account of her own as well. */
const members = new Set(["acme-token", "acme-second-token"]);
const living = new Set([...members, "mallory-token"]);

function cluster(
  specs: Readonly<Record<string, Spec>>,
  tokenOf: Readonly<Record<string, string>>,
  more: Partial<ConnectionAccountsDeps> = {},
) {
  const clock = new FakeClock();
  const sent: string[] = [];
  let used = 10;
  const store = new Map(
    Object.entries(specs).map(([key, spec]): readonly [string, ConnectionObject] => {
      const [namespace = "", name = ""] = key.split("/");
      return [key, { metadata: { namespace, name }, spec: { tokenSecretRef: { name }, ...spec } }];
    }),
  );
  const tokens = new Map(Object.entries(tokenOf));
  const transport = strictFake<Transport>("transport", {
    send: async ({ token, method, path, onSend }) => {
      onSend?.();
      const text = token.reveal();
      sent.push(`${text} ${method} ${path}`);
      const isKnown = path.includes("/teams/acme/") ? members.has(text) : living.has(text);
      // What the far end says to a stranger is the worst that it can say.
      const remaining = isKnown ? 1_000 - ++used : 0;
      const headers = {
        "x-ratelimit-limit": isKnown ? "1000" : "1",
        "x-ratelimit-remaining": String(remaining),
        "x-ratelimit-reset": "3600",
      };
      const value = isKnown ? { data: { services: [] } } : { error: { status: 401, message: "Unauthorized" } };
      return { status: isKnown ? 200 : 401, headers, body: { kind: "json", value } };
    },
  });
  const kube = strictFake<KubeClient>("kube", {
    get: async <T>(_type: unknown, { namespace, name }: { namespace?: string; name: string }) => {
      const token = tokens.get(`${namespace}/${name}`) ?? "";
      return { metadata: { name, resourceVersion: "1" }, data: { token: Buffer.from(token).toString("base64") } } as T;
    },
  });
  const random = always(0.5);
  const apis = createApiFactory({ transport, clock, random });
  const accounts = new ConnectionAccounts({
    kube,
    connections: store,
    openApi: apis.open,
    poolChanged: apis.moved,
    closeApi: apis.close,
    operatorToken: undefined,
    defaultApiUrl: "https://api.northflank.com",
    defaultMaxRequestsPerHour: 900,
    allowedApiHosts: ["api.northflank.com"],
    clock,
    random,
    ...more,
  });
  const resolve = (namespace: string) =>
    accounts.resolve({ namespace, connectionName: undefined, projectId: "shop" }, neverAborted());
  return { clock, sent, store, tokens, apis, accounts, resolve, rotatedAtMs: Number.NEGATIVE_INFINITY };
}

function usable(resolution: AccountResolution): Account {
  if (resolution.kind !== "usable") throw new Error(`blocked: ${resolution.readyState.reason}`);
  return resolution.account;
}

/** A call about the team; says what became of it. */
async function look(account: Account): Promise<string> {
  const call = { class: "change", signal: neverAborted() } as const;
  return await account.api.listServices({ projectId: "shop" }, call).then(
    () => "answered",
    (error: { readonly code: string }) => error.code,
  );
}

async function check(account: Account): Promise<void> {
  await account.api.whoAmI({ class: "observe", signal: neverAborted() }).catch(() => undefined);
}

/** An object of each namespace for one target, that of mallory the older one. */
const mine = deployment({
  metadata: { name: "api", namespace: "acme", uid: "acme-api", creationTimestamp: "2026-01-01T00:00:00Z" },
});
const theirs = deployment({
  metadata: { name: "squat", namespace: "mallory", uid: "squat", creationTimestamp: "2025-12-01T00:00:00Z" },
});

const acme = { teamId: "acme" };

describe.each([
  ["a made-up token", "any-text"],
  ["a token of her own account", "mallory-token"],
])("a tenant who names the team of another one, with %s,", (_what, token) => {
  const scene = (spec: Spec = {}) =>
    cluster(
      { "acme/default": acme, "mallory/default": { teamId: "acme", ...spec } },
      { "acme/default": "acme-token", "mallory/default": token },
    );

  test.each<[string, Spec]>([
    ["a ceiling of 3", { budget: { maxRequestsPerHour: 3 } }],
    ["a pool name", { budget: { poolName: "p" } }],
    ["nothing else", {}],
  ])("and %s holds up no request of the other, and adds nothing to its count", async (_also, spec) => {
    const { resolve, apis } = scene(spec);
    const other = usable(await resolve("acme"));
    await look(other);
    const her = usable(await resolve("mallory"));
    await check(her);
    await look(her);
    for (let count = 0; count < 20; count++) expect(await look(other)).toBe("answered");
    expect([her.pool === other.pool, apis.quota(other.pool)?.used]).toEqual([false, 21]);
  });

  test("takes no target from it with an older object", async () => {
    const { accounts, resolve } = scene();
    const her = usable(await resolve("mallory"));
    await check(her);
    await look(her);
    const access = await openAccess({ accounts, sameTarget: [mine, theirs] }, mine, neverAborted());
    expect(access.kind).toBe("open");
  });

  test("makes no series of her own in the metrics", async () => {
    const { resolve, apis } = scene();
    await look(usable(await resolve("acme")));
    await look(usable(await resolve("mallory")));
    expect(apis.pools().map(([pool]) => pool)).toEqual(["team acme at https://api.northflank.com"]);
  });
});

describe("two tenants of one team, each with a token of it,", () => {
  const scene = () =>
    cluster(
      { "acme/default": acme, "mallory/default": { teamId: "acme", budget: { maxRequestsPerHour: 3 } } },
      { "acme/default": "acme-token", "mallory/default": "acme-second-token" },
    );

  test("share one ledger, and what each sent before it was known whose it is counts in it", async () => {
    const { resolve, apis } = scene();
    const both = [usable(await resolve("acme")), usable(await resolve("mallory"))];
    for (const account of both) await check(account);
    for (const account of both) await look(account);
    await look(usable(await resolve("acme")));
    const [pool = ""] = new Set(both.map((account) => account.pool));
    expect([pool, apis.quota(pool)?.used]).toEqual(["team acme at https://api.northflank.com", 5]);
  });

  test("have a ceiling each", async () => {
    const { resolve } = scene();
    const [one, two] = [usable(await resolve("acme")), usable(await resolve("mallory"))];
    const answers: string[] = [];
    for (let count = 0; count < 4; count++) answers.push(await look(two));
    expect(answers).toEqual(["answered", "answered", "answered", "quota_closed"]);
    expect(await look(one)).toBe("answered");
  });

  test("have one target once: the older object has it, from the first answer on, whatever becomes of its connection", async () => {
    const { accounts, resolve, store, tokens, clock } = scene();
    const access = async () => (await openAccess({ accounts, sameTarget: [mine, theirs] }, mine, neverAborted())).kind;
    await look(usable(await resolve("acme")));
    expect(await access()).toBe("open");
    await look(usable(await resolve("mallory")));
    expect(await access()).toBe("conflict");
    tokens.set("mallory/default", "revoked");
    await clock.advance(60_000);
    await look(usable(await resolve("mallory")));
    expect((await resolve("mallory")).kind).toBe("blocked");
    expect(await access()).toBe("conflict");
    store.set("mallory/default", {
      metadata: { namespace: "mallory", name: "default" },
      spec: { tokenSecretRef: { name: "default" }, teamId: "acme", suspend: true },
    });
    expect(await access()).toBe("conflict");
  });
});

test("over a restart an older object of another namespace keeps its target, though its token is refused meanwhile", async () => {
  const scene = cluster(
    { "acme/default": acme, "mallory/default": acme },
    { "acme/default": "acme-token", "mallory/default": "revoked" },
  );
  const access = async () =>
    (await openAccess({ accounts: scene.accounts, sameTarget: [mine, theirs] }, mine, neverAborted())).kind;
  expect(await access()).toBe("open");
  const restarted = cluster({ "acme/default": acme }, { "acme/default": "acme-token", "mallory/default": "revoked" });
  const [object] = restarted.store.values();
  if (object === undefined) throw new Error("no connection");
  // As the process before has left it.
  const status = { acceptedFor: "https://api.northflank.com, team acme" };
  const metadata = { namespace: "mallory", name: "default" };
  restarted.store.set("mallory/default", { ...object, metadata, status });
  const sides = { accounts: restarted.accounts, sameTarget: [mine, theirs] };
  expect((await openAccess(sides, mine, neverAborted())).kind).toBe("conflict");
  expect(restarted.sent).toEqual([]);
});

test("a connection that is made again and again gets no fresh hour", async () => {
  const { resolve, accounts, store, sent } = cluster(
    { "acme/default": { ...acme, budget: { maxRequestsPerHour: 10 } } },
    { "acme/default": "acme-token" },
  );
  const [object] = store.values();
  for (let count = 0; count < 30; count++) {
    await look(usable(await resolve("acme")));
    store.delete("acme/default");
    accounts.forget("acme/default");
    if (object !== undefined) store.set("acme/default", object);
  }
  expect(sent).toHaveLength(10);
});

test("of a thousand preview namespaces, one after the other, no ledger is left when their hour is over", async () => {
  const { resolve, accounts, store, tokens, apis, clock, sent } = cluster({}, {});
  const calls: Promise<string>[] = [];
  for (let count = 0; count < 1_000; count++) {
    const key = `preview-${count}/default`;
    const spec = { tokenSecretRef: { name: "default" }, ...(count % 2 === 0 && acme) };
    store.set(key, { metadata: { namespace: `preview-${count}`, name: "default" }, spec });
    tokens.set(key, count % 3 === 0 ? "acme-token" : `token-${count}`);
    const account = usable(await resolve(`preview-${count}`));
    // The namespace goes while its request is under way.
    calls.push(look(account));
    store.delete(key);
    accounts.forget(key);
    await clock.advance(10_000);
  }
  expect(await Promise.all(calls)).toHaveLength(1_000);
  // Each call, and one check of each token that was refused.
  expect(sent).toHaveLength(1_000 + 666);
  await clock.advance(3_600_000);
  expect(apis.pools()).toEqual([]);
  for (let count = 0; count < 1_000; count++) {
    for (const pool of [`token ${count} at https://api.northflank.com`, "team acme at https://api.northflank.com"]) {
      expect(apis.quota(pool)).toBeUndefined();
    }
  }
});

describe("whatever happens to connections, within an hour,", () => {
  const namespaces = ["acme", "mallory"] as const;
  const names = ["default", "second"] as const;
  const key = fc.record({ namespace: fc.constantFrom(...namespaces), name: fc.constantFrom(...names) });
  const spec = fc.record(
    {
      teamId: fc.constantFrom("acme", "other"),
      budget: fc.record(
        { poolName: fc.constantFrom("p", "q"), maxRequestsPerHour: fc.constantFrom(3, 8, 20) },
        { requiredKeys: [] },
      ),
      suspend: fc.boolean(),
    },
    { requiredKeys: [] },
  );
  const token = fc.constantFrom("acme-token", "acme-second-token", "mallory-token", "made-up", "");
  const step = fc.oneof(
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("edit" as const), key, spec }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("delete" as const), key }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("rotate" as const), key, token }) },
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constant("look" as const), key, times: fc.integer({ min: 1, max: 4 }) }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("check" as const), key }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.constantFrom(1_000, 60_000) }) },
  );

  test("only those share a pool across namespaces who have one token, or a token each of the team", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 50 }), async (steps) => {
        const scene = cluster({}, {});
        for (const one of steps) {
          await play(scene, one);
          const held = [...scene.store.values()].map(async ({ metadata }) => {
            const request = { namespace: metadata.namespace ?? "", connectionName: metadata.name, projectId: "shop" };
            const { pool } = await scene.accounts.identity(request, neverAborted());
            return { ...request, pool, token: scene.tokens.get(`${metadata.namespace}/${metadata.name}`) ?? "" };
          });
          const standings = await Promise.all(held);
          for (const left of standings) {
            for (const right of standings) {
              if (left.namespace === right.namespace || left.pool === undefined || left.pool !== right.pool) continue;
              // A Secret may have been changed since it was read: then it is another token within a minute.
              const team = left.pool.startsWith("team acme") ? members : living;
              const isOneTeam = left.pool.startsWith("team ") && [left, right].every(({ token: own }) => team.has(own));
              const isFresh = scene.clock.monotonic() - scene.rotatedAtMs >= 60_000;
              if (isFresh) expect(isOneTeam || left.token === right.token).toBe(true);
            }
          }
        }
      }),
      { numRuns: 100 },
    );
  });

  test("none sends more than the highest ceiling that it had", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 55 }), async (steps) => {
        const scene = cluster({}, {});
        const sent = new Map<string, number>();
        for (const one of steps) {
          const before = scene.sent.length;
          await play(scene, one);
          if (!("key" in one)) continue;
          const id = `${one.key.namespace}/${one.key.name}`;
          sent.set(id, (sent.get(id) ?? 0) + scene.sent.length - before);
        }
        const highest = new Map<string, number>();
        for (const one of steps) {
          if (one.kind !== "edit") continue;
          const id = `${one.key.namespace}/${one.key.name}`;
          highest.set(id, Math.max(highest.get(id) ?? 0, one.spec.budget?.maxRequestsPerHour ?? 900));
        }
        for (const [id, count] of sent) expect(count).toBeLessThanOrEqual(highest.get(id) ?? 0);
      }),
      { numRuns: 100 },
    );
  });

  async function play(
    scene: ReturnType<typeof cluster>,
    one: typeof step extends fc.Arbitrary<infer T> ? T : never,
  ): Promise<void> {
    if (one.kind === "wait") return await scene.clock.advance(one.ms);
    const { namespace, name } = one.key;
    const id = `${namespace}/${name}`;
    if (one.kind === "edit")
      scene.store.set(id, { metadata: one.key, spec: { tokenSecretRef: { name }, ...one.spec } });
    if (one.kind === "rotate") {
      scene.tokens.set(id, one.token);
      scene.rotatedAtMs = scene.clock.monotonic();
    }
    if (one.kind === "delete" && scene.store.delete(id)) scene.accounts.forget(id);
    if (one.kind !== "look" && one.kind !== "check") return;
    const request = { namespace, connectionName: name, projectId: "shop" };
    const resolution = await scene.accounts.resolve(request, neverAborted());
    if (resolution.kind === "blocked") return;
    if (one.kind === "check") return await check(resolution.account);
    for (let count = 0; count < one.times; count++) await look(resolution.account);
  }
});

test("an account that an open run remembers goes on when its connection and Secret are gone, within its quota", async () => {
  const { resolve, accounts, store, tokens, apis, sent } = cluster(
    { "acme/default": acme },
    { "acme/default": "acme-token" },
  );
  const account = usable(await resolve("acme"));
  expect(await look(account)).toBe("answered");
  store.delete("acme/default");
  tokens.delete("acme/default");
  accounts.forget("acme/default");
  expect(await resolve("acme")).toMatchObject({ kind: "blocked", readyState: { reason: "ConnectionNotFound" } });
  expect(await look(account)).toBe("answered");
  expect(sent).toHaveLength(2);
  expect(apis.quota("team acme at https://api.northflank.com")?.used).toBe(2);
});

describe("a namespace that spends all of the operator-wide token", () => {
  const operatorToken = { read: async () => "acme-token", namespaces: "*", teamId: "acme" } as const;
  const codes = async (account: Account, count: number) => {
    const found = new Map<string, number>();
    for (let n = 0; n < count; n++) {
      const code = await look(account);
      found.set(code, (found.get(code) ?? 0) + 1);
    }
    return Object.fromEntries(found);
  };

  test("leaves the next request to the namespace that had none, before 1,000 of its own", async () => {
    const { clock, resolve } = cluster({}, {}, { operatorToken, defaultMaxRequestsPerHour: 100 });
    const greedy = usable(await resolve("greedy"));
    const modest = usable(await resolve("modest"));
    expect(await codes(greedy, 1_100)).toEqual({ answered: 100, quota_closed: 1_000 });
    expect(await look(modest)).toBe("quota_closed");
    // All that were refused are due, and the greedy ones come first.
    await clock.advance(3_600_000 + 55_000);
    expect(await codes(greedy, 1_000)).toEqual({ answered: 99, quota_closed: 901 });
    expect(await look(modest)).toBe("answered");
  });

  test("spends from the same account, with the same lists, as all of them", async () => {
    const { resolve, apis, accounts } = cluster({}, {}, { operatorToken });
    const [one, other] = [usable(await resolve("a")), usable(await resolve("b"))];
    await look(one);
    await look(other);
    expect([one.pool, one.readScope, one.version]).toEqual([other.pool, other.readScope, other.version]);
    expect(apis.quota(one.pool)?.used).toBe(2);
    expect(usable(await resolve("a"))).toBe(one);
    expect(accounts.peek({ namespace: "b", connectionName: undefined, projectId: "shop" })).toBe(other);
    expect([accounts.isAccepted(one), accounts.isAccepted(other)]).toEqual([true, true]);
  });
});

import { describe, expect, test } from "vitest";
import { type ApiBinding, createApiFactory } from "../../../src/controllers/account/api-factory.ts";
import type { NorthflankApi } from "../../../src/northflank/client.ts";
import type { Transport } from "../../../src/northflank/transport.ts";
import { SecretValue } from "../../../src/util/secret-value.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { always, neverAborted, strictFake } from "../../support/strict-fake.ts";

function setUp(
  left = 0,
  more: { readonly observeShare?: number; readonly status?: () => number; readonly others?: number } = {},
) {
  const sent: string[] = [];
  const gone: string[] = [];
  const clock = new FakeClock();
  let remaining = left;
  const transport = strictFake<Transport>("transport", {
    send: async ({ token, path, onSend }) => {
      onSend?.();
      sent.push(`${token.reveal()} ${path}`);
      const headers = {
        "x-ratelimit-limit": "1000",
        "x-ratelimit-remaining": String(Math.max(0, remaining)),
        "x-ratelimit-reset": "600",
      };
      remaining -= 1 + (more.others ?? 0);
      return { status: more.status?.() ?? 200, headers, body: { kind: "json", value: { data: {} } } };
    },
  });
  const observer = { onPoolGone: (pool: string) => gone.push(pool) };
  const factory = createApiFactory({ transport, clock, random: always(0), observer, ...more });
  const ask = (api: NorthflankApi) => api.whoAmI({ class: "change", signal: neverAborted() });
  const call = (made: ApiBinding) => ask(factory.open(made));
  return { sent, gone, clock, factory, ask, call };
}

function binding(token: string, pool: string): ApiBinding {
  return {
    baseUrl: "https://api.northflank.com",
    teamId: undefined,
    token: new SecretValue(token),
    pool,
    maxRequestsPerHour: 900,
  };
}

test("who shares a pool shares its quota: what one spends, the other does not ask for", async () => {
  const { sent, call } = setUp();
  await call(binding("a", "shared"));
  await expect(call(binding("b", "shared"))).rejects.toMatchObject({ code: "quota_closed" });
  expect(sent).toEqual(["a /v1/auth"]);
});

test("who does not share a pool is not held up", async () => {
  const { sent, call } = setUp();
  await call(binding("a", "one"));
  await call(binding("b", "two"));
  expect(sent).toEqual(["a /v1/auth", "b /v1/auth"]);
});

test("the figures of a pool are told, for status and metrics, and none before its first client", async () => {
  const { factory, call } = setUp();
  expect(factory.quota("one")).toBeUndefined();
  await call(binding("a", "one"));
  expect(factory.quota("one")).toMatchObject({ limit: 1_000, remaining: 0 });
  expect(factory.pools().map(([pool]) => pool)).toEqual(["one"]);
});

const closed = { code: "quota_closed" };

test("a ceiling limits the connection that set it, and nobody else who shares its pool", async () => {
  const { factory, ask } = setUp(900);
  const low = factory.open({ ...binding("a", "p"), connection: "mallory/low", maxRequestsPerHour: 3 });
  const high = factory.open({ ...binding("b", "p"), connection: "acme/high" });
  for (let count = 0; count < 3; count++) await ask(low);
  await expect(ask(low)).rejects.toMatchObject({ ...closed, ceiling: 3 });
  await expect(ask(low)).rejects.toThrow("the connection's limit of 3 requests per hour is spent");
  expect(low.reserve(1, "change")).toMatchObject({ kind: "refused", ceiling: 3 });
  for (let count = 0; count < 20; count++) await ask(high);
  expect(factory.quota("p")?.used).toBe(23);
});

test("a pool sends no more than the highest of its ceilings, however many connections share it", async () => {
  const { factory, ask, sent } = setUp(900);
  const both = ["x/one", "x/two"].map((connection) =>
    factory.open({ ...binding("a", "p"), connection, maxRequestsPerHour: 10 }),
  );
  // Until the first answer, two are sent at most.
  for (const api of both) await ask(api);
  const calls = both.flatMap((api) => Array.from({ length: 10 }, () => ask(api).catch(() => undefined)));
  await Promise.all(calls);
  expect(sent).toHaveLength(10);
});

test("a ceiling outlives the client: the connection that is made again, or gets another token, has spent what it has", async () => {
  const { factory, ask } = setUp(900);
  const made = { ...binding("a", "p"), connection: "shop/main", maxRequestsPerHour: 3 };
  const first = factory.open(made);
  for (let count = 0; count < 3; count++) await ask(first);
  factory.close(first);
  const again = factory.open({ ...made, token: new SecretValue("b"), pool: "q" });
  await expect(ask(again)).rejects.toMatchObject(closed);
});

test("a pool outlives its last client until its window is over, and is dropped then with its metrics", async () => {
  const { factory, ask, call, clock, gone } = setUp(0);
  const first = factory.open(binding("a", "p"));
  await ask(first);
  factory.close(first);
  await clock.advance(599_999);
  factory.pools();
  const again = factory.open(binding("a", "p"));
  await expect(ask(again)).rejects.toMatchObject(closed);
  factory.close(again);
  expect(gone).toEqual([]);
  await clock.advance(1);
  expect([factory.pools(), gone, factory.quota("p")]).toEqual([[], ["p"], undefined]);
  await call(binding("a", "p"));
});

describe("a binding whose pool changes", () => {
  function moving(factory: ReturnType<typeof setUp>["factory"]) {
    const place = { pool: "alone" };
    const api = factory.open({
      ...binding("a", ""),
      connection: "shop/main",
      get pool() {
        return place.pool;
      },
    });
    return { place, api };
  }

  test("takes along what it has spent, once", async () => {
    const { factory, ask, call } = setUp(900);
    await call(binding("b", "joint"));
    const { place, api } = moving(factory);
    for (let count = 0; count < 5; count++) await ask(api);
    place.pool = "joint";
    for (let count = 0; count < 2; count++) await ask(api);
    expect([factory.quota("joint")?.used, factory.quota("alone")]).toEqual([8, undefined]);
  });

  test("spends from the new one at once: its gate counts, and a reservation made before counts no more", async () => {
    const { factory, ask, call, sent } = setUp(1);
    const { place, api } = moving(factory);
    const reserved = api.reserve(3, "change");
    if (reserved.kind === "refused") throw new Error("refused");
    await call(binding("b", "joint"));
    await call(binding("b", "joint")).catch(() => undefined);
    place.pool = "joint";
    await expect(ask(api)).rejects.toMatchObject(closed);
    expect(sent).toHaveLength(2);
    reserved.reservation.release();
    expect(factory.quota("joint")?.used).toBe(2);
  });

  test("settles in the one it has left what was in flight there", async () => {
    const { factory, ask } = setUp(900);
    const { place, api } = moving(factory);
    const answer = ask(api);
    place.pool = "joint";
    await ask(api);
    await answer;
    expect(factory.quota("joint")?.used).toBe(2);
  });
});

test("of a thousand preview namespaces, one after the other, nothing is left but the live one", async () => {
  const { factory, ask, clock } = setUp(900);
  for (let count = 0; count < 1_000; count++) {
    const api = factory.open({ ...binding(`token-${count}`, `pool ${count}`), connection: `preview-${count}/default` });
    const answer = ask(api);
    factory.close(api);
    await answer;
    await clock.advance(60_000);
  }
  const live = factory.open({ ...binding("live", "pool live"), connection: "live/default" });
  await clock.advance(600_000);
  expect(factory.pools().map(([pool]) => pool)).toEqual(["pool live"]);
  await ask(live);
});

test("figures are told of named pools only, so that what nobody has accepted makes no series", async () => {
  const { factory, ask } = setUp(900);
  const state = { isAccepted: false };
  const api = factory.open({
    ...binding("a", "p"),
    get poolLabel() {
      return state.isAccepted ? "p" : "not accepted yet";
    },
  });
  await ask(api);
  expect(factory.pools()).toEqual([]);
  state.isAccepted = true;
  expect(factory.pools().map(([pool]) => pool)).toEqual(["p"]);
});

describe("the share of checks for drift", () => {
  test.each([
    ["a fifth by default", {}, 180],
    ["as it is set", { observeShare: 0.5 }, 450],
  ])("is %s, and the same for what is planned and what is granted", async (_how, more, share) => {
    const { factory, clock } = setUp(1_000, more);
    const api = factory.open(binding("a", "one"));
    const call = { class: "observe", signal: neverAborted() } as const;
    expect(factory.checksPerHour("one")).toBe(share);
    let granted = 0;
    // What is lent in the last minute of a window is not meant.
    for (let second = 0; second < 540; second++) {
      await api.whoAmI(call).then(
        () => (granted += 1),
        () => undefined,
      );
      await clock.advance(1_000);
    }
    expect(Math.abs(granted - (share * 540) / 3_600)).toBeLessThanOrEqual(1);
  });
});

describe("retries of an account, all its clients together,", () => {
  /** Twenty clients, each of which makes fifty calls, one after the other, as a queue with back-off would. */
  async function calls(statusOf: (nth: number) => number) {
    let answered = 0;
    const { sent, clock, factory, ask } = setUp(1_000_000, { status: () => statusOf(answered++) });
    const open = (_: unknown, n: number) =>
      factory.open({ ...binding(`t${n}`, "one"), connection: `ns/c${n}`, maxRequestsPerHour: 1_000_000 });
    const apis = Array.from({ length: 20 }, open);
    let first = 0;
    for (let round = 0; round < 50; round++) {
      for (const api of apis) {
        const before = sent.length;
        const call = ask(api).catch(() => undefined);
        await clock.advance(10_000);
        await call;
        if (sent.length > before) first += 1;
      }
    }
    return { first, retries: sent.length - first };
  }

  test("are at most a tenth of 1,000 calls of which every other fails", async () => {
    // The API is up: each answer but an error says so.
    const { first, retries } = await calls((nth) => (nth % 2 === 0 ? 200 : 503));
    expect(first).toBe(1_000);
    expect(retries).toBeGreaterThan(0);
    expect(retries).toBeLessThanOrEqual(10 + first / 10);
  });

  test("are at most a tenth of what goes out while all calls fail", async () => {
    const { first, retries } = await calls(() => 503);
    expect(first).toBeLessThan(1_000);
    expect(retries).toBeLessThanOrEqual(10 + first / 10);
  });
});

describe("polls", () => {
  const poll = { class: "run", signal: neverAborted() } as const;

  test("are as frequent as usual while nothing is known", () => {
    const { factory } = setUp();
    expect([factory.stretch("none"), factory.stretch("none", "ns/none"), factory.othersPerHour("none")]).toEqual([
      1, 1, 0,
    ]);
    factory.open({ ...binding("a", "one"), connection: "ns/one" });
    expect(factory.stretch("one", "ns/one")).toBe(1);
  });

  /** Fourteen polls in 70 seconds of a connection that may send 20 in an hour, beside another one of the account. */
  async function polled(others: number) {
    const { factory, clock } = setUp(1_000, { others });
    const open = (name: string, maxRequestsPerHour: number) =>
      factory.open({ ...binding(name, "one"), connection: `ns/${name}`, maxRequestsPerHour });
    const small = open("small", 20);
    open("large", 900);
    for (let n = 0; n < 14; n++) {
      await small.whoAmI(poll);
      await clock.advance(5_000);
    }
    return {
      small: factory.stretch("one", "ns/small"),
      large: factory.stretch("one", "ns/large"),
      elsewhere: factory.stretch("two", "ns/other"),
      others: factory.othersPerHour("one"),
      checks: factory.checksPerHour("one"),
    };
  }

  test("are stretched for a connection that nears its own ceiling, and for no other one", async () => {
    // 79 an hour are 12 in the rest of the window, and 2 are left for them.
    const { small, ...rest } = await polled(0);
    expect(small).toBeGreaterThan(5);
    expect(rest).toEqual({ large: 1, elsewhere: 1, others: 0, checks: 180 });
  });

  test("are stretched for all connections of an account that others spend", async () => {
    // 65 between two of ours: 845 in 70 seconds.
    const { others, ...rest } = await polled(65);
    expect(rest).toEqual({ small: 10, large: 10, elsewhere: 1, checks: 18 });
    expect(others).toBe(1_000);
  });
});

import { expect, test } from "vitest";
import { createApiFactory } from "../../../src/controllers/shared/api-factory.ts";
import type { ApiBinding } from "../../../src/controllers/shared/create-accounts.ts";
import type { Transport } from "../../../src/northflank/transport.ts";
import { SecretValue } from "../../../src/util/secret-value.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { always, neverAborted, strictFake } from "../../support/strict-fake.ts";

function setUp() {
  const sent: string[] = [];
  const transport = strictFake<Transport>("transport", {
    send: async ({ token, path }) => {
      sent.push(`${token.reveal()} ${path}`);
      const headers = {
        "x-ratelimit-limit": "1000",
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": "600",
      };
      return { status: 200, headers, body: { kind: "json", value: { data: {} } } };
    },
  });
  const factory = createApiFactory({ transport, clock: new FakeClock(), random: always(0) });
  const call = (binding: ApiBinding) => factory.open(binding).whoAmI({ class: "observe", signal: neverAborted() });
  return { sent, factory, call };
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

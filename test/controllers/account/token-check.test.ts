import { describe, expect, test } from "vitest";
import type { Account } from "../../../src/controllers/account/accounts.ts";
import { ConnectionAccounts } from "../../../src/controllers/account/connection-accounts.ts";
import type { KubeClient } from "../../../src/kube/client.ts";
import type { NorthflankApi } from "../../../src/northflank/client.ts";
import { isNorthflankError, type NorthflankErrorCode } from "../../../src/northflank/errors.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { northflankError } from "../../support/fake-northflank.ts";
import { always, neverAborted, strictFake } from "../../support/strict-fake.ts";

type Answer = NorthflankErrorCode | "ok" | "no route";

/** A connection whose objects list services; `auth` and `list` are what Northflank answers, the last one for good. */
function setUp(status?: { readonly tokenSecretResourceVersion?: string }) {
  const clock = new FakeClock();
  const sent: string[] = [];
  const answers: { auth: Answer[]; list: Answer[]; retryAfterMs?: number } = { auth: ["ok"], list: ["ok"] };
  const answer = (call: "auth" | "list") => {
    sent.push(call);
    const code = (answers[call].length > 1 ? answers[call].shift() : answers[call][0]) ?? "ok";
    if (code === "ok" || code === "no route") return code;
    const { retryAfterMs } = answers;
    throw northflankError(code, { step: call, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
  };
  const api = strictFake<NorthflankApi>("northflank", {
    whoAmI: async () => (answer("auth") === "ok" ? { expiresAt: undefined } : undefined),
    listServices: async () => {
      answer("list");
      return { items: [] };
    },
  });
  const spec = { tokenSecretRef: { name: "token" } };
  const accounts = new ConnectionAccounts({
    kube: strictFake<KubeClient>("kube", {
      get: async <T>() =>
        ({ metadata: { name: "token", resourceVersion: "7" }, data: { token: btoa("canary-token") } }) as T,
    }),
    connections: {
      get: () => ({ metadata: { namespace: "shop", name: "default" }, spec, ...(status && { status }) }),
    },
    openApi: () => api,
    operatorToken: undefined,
    defaultApiUrl: "https://api.northflank.com",
    defaultMaxRequestsPerHour: 900,
    allowedApiHosts: ["api.northflank.com"],
    clock,
    random: always(0.5),
  });
  const request = { namespace: "shop", connectionName: undefined, projectId: "shop" };
  const account = async (): Promise<Account | string> => {
    const resolved = await accounts.resolve(request, neverAborted());
    return resolved.kind === "usable" ? resolved.account : resolved.readyState.reason;
  };
  /** What an object gets that wants its services: `ok`, a code, or why it has no account. */
  const look = async (call: "listServices" | "whoAmI" = "listServices"): Promise<string> => {
    const found = await account();
    if (typeof found === "string") return found;
    const options = { class: "observe", signal: neverAborted() } as const;
    const asked =
      call === "whoAmI" ? found.api.whoAmI(options) : found.api.listServices({ projectId: "shop" }, options);
    return await asked.then(
      () => "ok",
      (error: unknown) => {
        if (!isNorthflankError(error)) throw error;
        return error.code;
      },
    );
  };
  const takeSent = () => sent.splice(0).join(" ");
  return { clock, answers, account, look, takeSent };
}

describe("a bare 401", () => {
  test("that strays costs one check and one more try, and touches nobody else", async () => {
    const { answers, look, takeSent } = setUp();
    answers.list = ["unauthorized", "ok"];
    expect(await look()).toBe("ok");
    expect(takeSent()).toBe("list auth list");
    expect(await look()).toBe("ok");
    expect(takeSent()).toBe("list");
  });

  test("of a token that is dead is confirmed once, and stops everything that uses the token", async () => {
    const { answers, look, takeSent } = setUp();
    answers.list = ["unauthorized"];
    answers.auth = ["unauthorized"];
    expect(await look()).toBe("unauthorized");
    expect(takeSent()).toBe("list auth");
    expect(await look()).toBe("AuthenticationFailed");
    expect(takeSent()).toBe("");
  });

  test("of a dead token is not confirmed again at each probe", async () => {
    const { answers, look, takeSent, clock } = setUp();
    answers.list = ["unauthorized"];
    answers.auth = ["unauthorized"];
    await look();
    takeSent();
    await clock.advance(5_000_000);
    expect(await look()).toBe("unauthorized");
    expect(takeSent()).toBe("list");
  });

  test("speaks of the token where there is no call that would say", async () => {
    const { answers, look, takeSent } = setUp();
    answers.list = ["unauthorized"];
    answers.auth = ["no route"];
    expect(await look()).toBe("unauthorized");
    expect(takeSent()).toBe("list auth");
    expect(await look()).toBe("AuthenticationFailed");
  });

  test("that repeats for one object is denied to it, while the account goes on", async () => {
    const { answers, look, takeSent } = setUp();
    answers.list = ["unauthorized"];
    expect(await look()).toBe("forbidden");
    expect(takeSent()).toBe("list auth list");
    answers.list = ["ok"];
    expect(await look()).toBe("ok");
  });

  test.each<NorthflankErrorCode>(["rate_limited", "server_error", "timeout", "quota_closed", "redirect"])(
    "decides nothing where the check fails with %s",
    async (code) => {
      const { answers, look, takeSent, clock } = setUp();
      answers.list = ["unauthorized"];
      answers.auth = [code];
      expect(await look()).toBe(code);
      expect(await look()).toBe(code);
      // The check that failed is not repeated at once.
      expect(takeSent()).toBe("list auth list");
      await clock.advance(30_001);
      expect(await look()).toBe(code);
      expect(takeSent()).toBe("list auth");
    },
  );

  test.each([
    [90_000, 89_999, ""],
    [90_000, 90_001, " auth"],
    [9_000_000, 300_001, " auth"],
  ])("waits with the next check when that asks for %i ms: after %i ms it is list%s", async (retryAfterMs, ms, more) => {
    const { answers, look, takeSent, clock } = setUp();
    answers.list = ["unauthorized"];
    answers.auth = ["rate_limited"];
    answers.retryAfterMs = retryAfterMs;
    await look();
    takeSent();
    await clock.advance(ms);
    await look();
    expect(takeSent()).toBe(`list${more}`);
  });
});

test("a thousand objects that get a bare 401 at once ask once", async () => {
  const { answers, look, takeSent } = setUp();
  answers.list = ["unauthorized"];
  answers.auth = ["unauthorized"];
  const looked = await Promise.all(Array.from({ length: 1_000 }, () => look()));
  expect(new Set(looked)).toEqual(new Set(["unauthorized"]));
  expect(
    takeSent()
      .split(" ")
      .filter((call) => call === "auth"),
  ).toHaveLength(1);
});

test("an object that gets a bare 401 each second for an hour costs twelve checks", async () => {
  const { answers, look, takeSent, clock } = setUp();
  answers.list = ["unauthorized"];
  for (let second = 0; second < 3_600; second++) {
    expect(await look()).toBe("forbidden");
    await clock.advance(1_000);
  }
  expect(
    takeSent()
      .split(" ")
      .filter((call) => call === "auth"),
  ).toHaveLength(12);
});

test("a token that dies after a 401 that strayed is found dead within five minutes", async () => {
  const { answers, look, clock } = setUp();
  answers.list = ["unauthorized", "ok"];
  expect(await look()).toBe("ok");
  answers.list = ["unauthorized"];
  answers.auth = ["unauthorized"];
  expect(await look()).toBe("forbidden");
  await clock.advance(300_000);
  expect(await look()).toBe("unauthorized");
  expect(await look()).toBe("AuthenticationFailed");
});

describe("a 401 of GET /v1/auth itself", () => {
  test("that strays is asked about once more, for a token that was accepted", async () => {
    const { answers, look, takeSent } = setUp();
    await look();
    takeSent();
    answers.auth = ["unauthorized", "ok"];
    expect(await look("whoAmI")).toBe("ok");
    expect(takeSent()).toBe("auth auth");
    expect(await look()).toBe("ok");
  });

  test("is asked about even when an ordinary call was a moment ago", async () => {
    const { answers, look, takeSent } = setUp();
    answers.list = ["unauthorized", "ok"];
    await look();
    takeSent();
    answers.auth = ["unauthorized"];
    expect(await look("whoAmI")).toBe("unauthorized");
    expect(takeSent()).toBe("auth auth");
    expect(await look()).toBe("AuthenticationFailed");
  });

  test.each([
    ["is enough for a token that was never accepted", undefined, "auth", "unauthorized"],
    ["is enough where the Secret is another one than was accepted", "6", "auth", "unauthorized"],
    ["is confirmed where a process before accepted the same Secret", "7", "auth auth", "ok"],
  ])("%s", async (_what, version, requests, expected) => {
    const { answers, look, takeSent } = setUp(version === undefined ? {} : { tokenSecretResourceVersion: version });
    answers.auth = ["unauthorized", "ok"];
    expect(await look("whoAmI")).toBe(expected);
    expect(takeSent()).toBe(requests);
  });
});

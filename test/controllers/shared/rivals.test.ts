import { describe, expect, test } from "vitest";
import type { AccountResolution, Accounts } from "../../../src/controllers/shared/accounts.ts";
import { olderRivals, openAccess, rivalKeys } from "../../../src/controllers/shared/rivals.ts";
import type { TargetObject } from "../../../src/controllers/shared/target-object.ts";
import { neverAborted } from "../../support/strict-fake.ts";

function object(
  name: string,
  facts: { readonly second?: number; readonly gone?: boolean; readonly via?: string } = {},
) {
  const { second = 0, gone = false, via } = facts;
  return {
    apiVersion: "v1",
    kind: "Thing",
    metadata: {
      name,
      namespace: "shop",
      uid: `uid-${name}`,
      creationTimestamp: `2026-01-01T00:00:0${second}Z`,
      ...(gone && { deletionTimestamp: "2026-01-02T00:00:00Z" }),
    },
    spec: { projectId: "shop", ...(via !== undefined && { connectionRef: { name: via } }) },
  } satisfies TargetObject;
}

/** Accounts by the name of the connection: its pool, or none. */
function accounts(pools: Readonly<Record<string, string>>): Accounts {
  const resolve = async ({ connectionName = "default" }: { readonly connectionName: string | undefined }) => {
    const pool = pools[connectionName];
    if (pool !== undefined) return { kind: "usable", account: { pool } } as unknown as AccountResolution;
    const verdict = { kind: "waiting", reason: "ConnectionNotFound", message: "none" };
    return { kind: "blocked", verdict, recheckAfterMs: 60_000 } as unknown as AccountResolution;
  };
  return { resolve, tokenRejected: () => undefined };
}

describe("rivals for a target", () => {
  test.each([
    ["the older ones, the oldest first", [object("b", { second: 2 }), object("a", { second: 1 })], ["a", "b"]],
    ["of the same age, by name", [object("d", { second: 3 }), object("m", { second: 3 })], ["d"]],
    ["not the object itself, nor younger ones", [object("i", { second: 3 }), object("z", { second: 4 })], []],
    ["not those on their way out", [object("a", { gone: true })], []],
  ])("are %s", (_, others, expected) => {
    const found = olderRivals(object("i", { second: 3 }), others);
    expect(found.map(({ metadata }) => metadata.name)).toEqual(expected);
  });

  test("are told of one that comes or goes, but for itself", () => {
    expect(rivalKeys([object("a"), object("b")], object("a"))).toEqual(["shop/b"]);
  });
});

describe("an object", () => {
  const own = object("i", { second: 3 });
  const open = (sameTarget: readonly TargetObject[], pools: Readonly<Record<string, string>>) =>
    openAccess({ accounts: accounts(pools), sameTarget }, own, neverAborted());

  test.each([
    ["through the same connection", object("a"), {}, "conflict"],
    ["through another connection of the same account", object("a", { via: "other" }), { other: "p" }, "conflict"],
    ["in another account", object("a", { via: "other" }), { other: "q" }, "open"],
    ["without a usable account", object("a", { via: "other" }), {}, "open"],
  ])("and an older one %s: %s", async (_, rival, pools, kind) => {
    expect(await open([rival, own], { default: "p", ...pools })).toMatchObject(
      kind === "open" ? { kind, account: { pool: "p" } } : { kind, winner: "shop/a" },
    );
  });

  test("without an account waits for it, whoever else is there", async () => {
    expect(await open([object("a")], {})).toMatchObject({ kind: "blocked", verdict: { reason: "ConnectionNotFound" } });
  });
});

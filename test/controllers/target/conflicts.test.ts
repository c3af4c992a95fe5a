import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AccountResolution, Accounts } from "../../../src/controllers/account/accounts.ts";
import { type AccountIdentity, compareIdentities } from "../../../src/controllers/account/accounts.ts";
import {
  conflictsMayChange,
  conflictsOf,
  olderConflicts,
  openAccess,
} from "../../../src/controllers/target/conflicts.ts";
import type { TargetObject } from "../../../src/controllers/target/object.ts";
import type { DeploymentLife } from "../../support/lives.ts";
import { asDeclared, madeDeployment, madeJob } from "../../support/made-objects.ts";
import { neverAborted } from "../../support/strict-fake.ts";

/** The keys to enqueue when `changed` changes, among all that name its target. */
function conflictingKeys(all: readonly TargetObject[], changed: TargetObject) {
  return conflictsOf({ byIndex: () => all }, changed);
}

function object(
  name: string,
  facts: {
    readonly second?: number;
    readonly gone?: boolean;
    readonly via?: string;
    readonly namespace?: string;
    readonly status?: TargetObject["status"];
    readonly policy?: string;
  } = {},
) {
  const { second = 0, gone = false, via, namespace = "shop", status, policy } = facts;
  return {
    apiVersion: "v1",
    kind: "Thing",
    metadata: {
      name,
      namespace,
      uid: `uid-${name}`,
      creationTimestamp: `2026-01-01T00:00:0${second}Z`,
      ...(gone && { deletionTimestamp: "2026-01-02T00:00:00Z" }),
    },
    spec: {
      projectId: "shop",
      ...(via !== undefined && { connectionRef: { name: via } }),
      ...(policy !== undefined && { managementPolicy: policy }),
    },
    ...(status && { status }),
  } satisfies TargetObject;
}

/** Accounts by the name of the connection: its pool, or none. */
function accounts(pools: Readonly<Record<string, string>>): Accounts {
  const resolve = async ({ connectionName = "default" }: { readonly connectionName: string | undefined }) => {
    const pool = pools[connectionName];
    if (pool !== undefined) return { kind: "usable", account: { pool } } as unknown as AccountResolution;
    const readyState = { kind: "waiting", reason: "ConnectionNotFound", message: "none" };
    return { kind: "blocked", readyState, recheckAfterMs: 60_000 } as unknown as AccountResolution;
  };
  const standing = async ({ connectionName = "default" }: { readonly connectionName: string | undefined }) => {
    const pool = pools[connectionName];
    return pool === undefined ? {} : { pool };
  };
  return { resolve, tokenRejected: () => undefined, identity: standing };
}

describe("rivals for a target", () => {
  test.each([
    ["the older ones, the oldest first", [object("b", { second: 2 }), object("a", { second: 1 })], ["a", "b"]],
    ["of the same age, by name", [object("d", { second: 3 }), object("m", { second: 3 })], ["d"]],
    ["not the object itself, nor younger ones", [object("i", { second: 3 }), object("z", { second: 4 })], []],
    ["not those on their way out", [object("a", { gone: true })], []],
    ["not those that only observe", [object("a", { policy: "Observe" }), object("b", { second: 1 })], ["b"]],
    ["those that write now and then", [object("a", { policy: "EnforceOnChange" })], ["a"]],
  ])("are %s", (_, others, expected) => {
    const found = [...olderConflicts(object("i", { second: 3 }), others)];
    expect(found.map(({ metadata }) => metadata.name)).toEqual(expected);
  });

  test("are told of one that comes or goes, but for itself", () => {
    expect(conflictingKeys([object("a"), object("b")], object("a"))).toEqual(["shop/b"]);
  });

  test("are not told of one that comes after them", () => {
    const all = [object("a", { second: 1 }), object("b", { second: 2 }), object("c", { second: 3 })];
    expect(conflictingKeys(all, object("b", { second: 2 }))).toEqual(["shop/c"]);
    expect(conflictingKeys(all, object("c", { second: 3 }))).toEqual([]);
  });

  test.each([
    ["it is on its way out", {}, { gone: true }, true],
    ["it asks for another account", {}, { via: "other" }, true],
    ["it lost the record of having been served", { status: madeJob().status }, {}, true],
    ["it was served", {}, { status: madeJob().status }, false],
    ["it begins to write", { policy: "Observe" }, { policy: "Enforce" }, true],
    ["it observes from now on", { policy: "EnforceOnChange" }, { policy: "Observe" }, true],
    ["it writes less", { policy: "Enforce" }, { policy: "EnforceOnChange" }, false],
    ["nothing of that changed", { via: "other" }, { via: "other" }, false],
  ])("are told when %s: %o, %o, %s", (_, before, after, expected) => {
    expect(conflictsMayChange(object("a", before), object("a", after))).toBe(expected);
  });

  test("are told of one that only observes now, and not those that observe themselves", () => {
    const all = [object("b", { second: 1, policy: "Observe" }), object("c", { second: 2 })];
    expect(conflictingKeys(all, object("a", { policy: "Observe" }))).toEqual(["shop/c"]);
  });

  test("are asked for their connection once, however many there are", async () => {
    const asked: (string | undefined)[] = [];
    const known = accounts({ default: "p", other: "q" });
    const counting: Accounts = {
      ...known,
      identity: async (request, signal) => {
        asked.push(request.connectionName);
        return await known.identity(request, signal);
      },
    };
    const crowd = Array.from({ length: 100 }, (_, n) => object(`crowd-${n}`, { via: "other" }));
    const own = object("i", { second: 3 });
    expect(await openAccess({ accounts: counting, sameTarget: [...crowd, own] }, own, neverAborted())).toMatchObject({
      kind: "open",
    });
    expect(asked).toEqual(["other"]);
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
    ["without an account that anybody knows", object("a", { via: "other" }), {}, "open"],
  ])("and an older one %s: %s", async (_, rival, pools, kind) => {
    expect(await open([rival, own], { default: "p", ...pools })).toMatchObject(
      kind === "open" ? { kind, account: { pool: "p" } } : { kind, owner: "shop/a" },
    );
  });

  test("that only observes is in conflict with no older one", async () => {
    const observer = object("i", { second: 3, policy: "Observe" });
    const sameTarget = [object("a"), observer];
    const access = await openAccess({ accounts: accounts({ default: "p" }), sameTarget }, observer, neverAborted());
    expect(access.kind).toBe("open");
  });

  test("without an account waits for it, whoever else is there", async () => {
    expect(await open([object("a")], {})).toMatchObject({
      kind: "blocked",
      readyState: { reason: "ConnectionNotFound" },
    });
  });
});

describe("an older object, whose account cannot be used now,", () => {
  const team = "team t";
  const conflict = ({ desire }: DeploymentLife) => ({ kind: "conflict", desire, owner: "shop/older" }) as const;
  const { status: served } = madeDeployment();
  const { status: inConflict } = madeDeployment({}, [conflict]);
  const { status: servedThenInConflict } = madeDeployment({}, [asDeclared, conflict]);

  /** What is known of the account of the older one, what its status shows, and what that of the younger one shows. */
  const cases: Readonly<
    Record<
      string,
      {
        readonly rival: AccountIdentity;
        readonly namespace?: string;
        readonly seen?: TargetObject["status"];
        readonly own?: TargetObject["status"];
        readonly kind: "conflict" | "open";
      }
    >
  > = {
    "keeps its target when it was once answered for the same team": {
      rival: { pool: "other", team, isProven: true },
      kind: "conflict",
    },
    "keeps it when it spent from the same pool until its token was replaced": {
      rival: { pool: "new", formerPools: ["p"] },
      kind: "conflict",
    },
    "in the same namespace keeps it by naming the same team": {
      rival: { pool: "alone", team, isProven: false },
      kind: "conflict",
    },
    "gets nothing by naming the team in another namespace": {
      rival: { pool: "alone", team, isProven: false },
      namespace: "mallory",
      kind: "open",
    },
    "gets nothing in another namespace by naming the team and having been served, which may have been in its own account":
      {
        rival: { pool: "alone", team, isProven: false },
        namespace: "mallory",
        seen: served,
        kind: "open",
      },
    "gets nothing so from one that was in conflict before, with somebody else": {
      rival: { team, isProven: false },
      namespace: "mallory",
      seen: served,
      own: inConflict,
      kind: "open",
    },
    "keeps it after a restart from one that was in conflict before, in the same namespace": {
      rival: {},
      seen: served,
      own: servedThenInConflict,
      kind: "conflict",
    },
    "takes nothing after a restart from one that was served before": {
      rival: {},
      seen: served,
      own: served,
      kind: "open",
    },
    "keeps it when its connection is gone and it was served before": {
      rival: {},
      seen: madeJob().status,
      kind: "conflict",
    },
    "whose connection is gone, and which was never served, is in nobody's way": { rival: {}, kind: "open" },
    "of another team is in nobody's way, whatever it was served": {
      rival: { pool: "q", team: "team u", isProven: true },
      seen: served,
      kind: "open",
    },
    "with another token, where no team is named, is in nobody's way": {
      rival: { pool: "q" },
      seen: served,
      kind: "open",
    },
  };

  test.each(Object.entries(cases))(
    "%s",
    async (_sentence, { rival, namespace = "shop", seen, own: ownStatus, kind }) => {
      const own = object("i", { second: 3, ...(ownStatus && { status: ownStatus }) });
      const older = object("a", { via: "other", namespace, ...(seen && { status: seen }) });
      const accounts: Accounts = {
        resolve: async () =>
          ({ kind: "usable", account: { pool: "p", team, isProven: true } }) as unknown as AccountResolution,
        tokenRejected: () => undefined,
        identity: async () => rival,
      };
      expect(await openAccess({ accounts, sameTarget: [older, own] }, own, neverAborted())).toMatchObject({ kind });
    },
  );
});

test("two connections that lead to one account are the same seen from both sides, once both were answered", () => {
  const standing = fc.record({
    pool: fc.constantFrom("p", "q", undefined),
    team: fc.constantFrom("t", "u", undefined),
    formerPools: fc.subarray(["p", "q"]),
    isProven: fc.constant(true),
  });
  fc.assert(
    fc.property(standing, standing, (left, right) => {
      const known = [left, right].every(({ pool, team }) => pool !== undefined || team !== undefined);
      if (known) expect(compareIdentities(left, right)).toBe(compareIdentities(right, left));
      expect(compareIdentities(left, left)).toBe(
        left.pool === undefined && left.team === undefined ? "unproven" : "same",
      );
    }),
  );
});

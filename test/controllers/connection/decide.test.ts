import { describe, expect, test } from "vitest";
import type { NorthflankConnection } from "../../../src/api/connection.ts";
import type { AccountPace } from "../../../src/controllers/connection/budget-status.ts";
import type { Observation, TokenCheck } from "../../../src/controllers/connection/observation.ts";
import { isAccepted } from "../../../src/controllers/connection/status.ts";
import type { ReadyState } from "../../../src/controllers/reconcile/ready-state.ts";
import type { NorthflankErrorCode } from "../../../src/northflank/errors.ts";
import type { LedgerSnapshot } from "../../../src/northflank/ledger.ts";
import { connection } from "../../support/builders.ts";
import { ConnectionLife, type ConnectionSight } from "../../support/connection-life.ts";
import { northflankError } from "../../support/fake-northflank.ts";
import { brokenPromises, type KstatusResult, kstatusOf } from "../../support/kstatus.ts";

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

function unknown(spec: Partial<NorthflankConnection["spec"]> = {}): ConnectionLife {
  return new ConnectionLife(connection({ spec }));
}

/** A token was accepted, from this version of the Secret. */
function valid(version = "1", token?: Extract<TokenCheck, { kind: "accepted" }>["token"]): ConnectionLife {
  const life = unknown();
  expect(life.sees(checked({ kind: "accepted", token }, version))).toContain("ready/Valid");
  return life;
}

function checked(check: TokenCheck, secretResourceVersion: string | undefined = "1"): ConnectionSight {
  return { kind: "checked", check, secretResourceVersion };
}

function failed(code: NorthflankErrorCode, httpStatus?: number): ConnectionSight {
  return checked({ kind: "failed", error: northflankError(code, httpStatus === undefined ? {} : { httpStatus }) });
}

function blocked(kind: ReadyState["kind"], reason: ReadyState["reason"], recheckAfterMs = 50_000): ConnectionSight {
  return { kind: "blocked", readyState: { kind, reason, message: "None." }, recheckAfterMs };
}

/** What an observation comes to, and what is said of the token. */
function summary(life: ConnectionLife, sight: ConnectionSight, afterMs = minute): string {
  return `${life.sees(sight, afterMs)}; ${life.condition("CredentialsValid")}`;
}

type Row = readonly [sight: ConnectionSight, first: string, afterValid: string];

describe("each kind of observation comes to one decision: of a new connection, and of one whose token was accepted", () => {
  const invalid = { field: "spec.x", message: "is wrong", remedy: "" };
  const again = "again in 54 s";
  const cases: Record<Observation["kind"], readonly Row[]> = {
    invalid: [
      [
        { kind: "invalid", problems: [invalid] },
        "stalled/InvalidSpec, again never; Unknown/InvalidSpec",
        "stalled/InvalidSpec, again never; Unknown/InvalidSpec",
      ],
    ],
    suspended: [
      [
        { kind: "suspended" },
        "suspended/Suspended, again never; Unknown/Progressing",
        "suspended/Suspended, again never; True/Valid",
      ],
    ],
    rest: [[{ kind: "rest" }, `as-before, ${again}; Unknown/Progressing`, `as-before, ${again}; True/Valid`]],
    blocked: [
      [
        blocked("stalled", "SecretNotFound"),
        "stalled/SecretNotFound, again in 50 s; Unknown/SecretNotFound",
        "stalled/SecretNotFound, again in 50 s; Unknown/SecretNotFound",
      ],
      [
        blocked("retrying", "PermissionDenied"),
        "retrying/PermissionDenied, again in 50 s; Unknown/Progressing",
        "retrying/PermissionDenied, again in 50 s; True/Valid",
      ],
      [
        blocked("stalled", "AuthenticationFailed"),
        "stalled/AuthenticationFailed, again in 50 s; False/AuthenticationFailed",
        "stalled/AuthenticationFailed, again in 50 s; False/AuthenticationFailed",
      ],
      // The Secret is read at least once a minute, and never at once.
      [
        blocked("stalled", "SecretNotFound", 0),
        "stalled/SecretNotFound, again in 1 s; Unknown/SecretNotFound",
        "stalled/SecretNotFound, again in 1 s; Unknown/SecretNotFound",
      ],
      [
        blocked("stalled", "SecretNotFound", hour),
        "stalled/SecretNotFound, again in 54 s; Unknown/SecretNotFound",
        "stalled/SecretNotFound, again in 54 s; Unknown/SecretNotFound",
      ],
    ],
    checked: [
      [
        checked({ kind: "accepted", token: undefined }),
        `ready/Valid, ${again}, token again in 3600 s; True/Valid`,
        `ready/Valid, ${again}, token again in 3600 s; True/Valid`,
      ],
      [
        checked({ kind: "unsupported", isAccepted: true }),
        `ready/Valid, ${again}, token again in 3600 s; True/Valid`,
        `ready/Valid, ${again}, token again in 3600 s; True/Valid`,
      ],
      [
        checked({ kind: "unsupported", isAccepted: false }),
        `ready/Progressing, ${again}, token again in 3600 s; Unknown/Progressing`,
        `ready/Progressing, ${again}, token again in 3600 s; Unknown/Progressing`,
      ],
      [
        failed("timeout"),
        "retrying/RequestTimeout, again backoff, token again in 0 s; Unknown/Progressing",
        "retrying/RequestTimeout, again backoff, token again in 0 s; True/Valid",
      ],
    ],
  };
  const all = Object.entries(cases).flatMap(([kind, rows]) => rows.map((row) => [kind, ...row] as const));
  test.each(all)("%s %j: %s", (_kind, sight, first, afterValid) => {
    expect(summary(unknown(), sight)).toBe(first);
    expect(summary(valid(), sight)).toBe(afterValid);
  });
});

describe("each error of a check, the first time and the second, and what it says of the token", () => {
  /** What is said of a token that was accepted before. */
  const cases: Record<NorthflankErrorCode, readonly [first: string, second: string, credentials: string]> = {
    quota_closed: both("waiting/WaitingForQuota, again in 54 s, token again in 60 s", "True/Valid"),
    rate_limited: both("waiting/WaitingForQuota, again in 54 s, token again in 90 s", "True/Valid"),
    // Looked for another Secret soon; the same token is not sent again soon.
    unauthorized: [
      "stalled/AuthenticationFailed, again in 1 s, token again in 3600 s",
      "stalled/AuthenticationFailed, again in 2 s, token again in 3600 s",
      "False/AuthenticationFailed",
    ],
    forbidden: both("stalled/PermissionDenied, again in 54 s, token again in 3600 s", "Unknown/PermissionDenied"),
    not_found: [
      "stalled/TargetNotFound, again in 15 s, token again in 15 s",
      "stalled/TargetNotFound, again in 30 s, token again in 30 s",
      "Unknown/TargetNotFound",
    ],
    gone: both("stalled/TargetNotFound, again in 54 s, token again in 3600 s", "Unknown/TargetNotFound"),
    rejected: both("stalled/RequestRejected, again in 54 s, token again in 3600 s", "Unknown/RequestRejected"),
    wrong_method: misconfigured(),
    redirect: misconfigured(),
    protocol: misconfigured(),
    tls: misconfigured(),
    server_error: both("retrying/RemoteUnavailable, again backoff, token again in 0 s", "True/Valid"),
    unreachable: both("retrying/RemoteUnavailable, again backoff, token again in 0 s", "True/Valid"),
    interrupted: both("retrying/RemoteUnavailable, again backoff, token again in 0 s", "True/Valid"),
    timeout: both("retrying/RequestTimeout, again backoff, token again in 0 s", "True/Valid"),
  };
  test.each(Object.entries(cases))("%s", (code, [first, then, credentials]) => {
    const life = valid();
    const sight = failed(code as NorthflankErrorCode);
    expect([life.sees(sight, minute), life.sees(sight, minute)]).toEqual([first, then]);
    expect(life.condition("CredentialsValid")).toBe(credentials);
    expect(life.object.status?.failure?.count).toBe(first.startsWith("waiting") ? undefined : 2);
    // The version that was accepted stays: another one is another token.
    expect(life.object.status?.tokenSecretResourceVersion).toBe("1");
  });

  test("the record says when the token is sent again, and not when the Secret is read", () => {
    const life = valid();
    life.sees(failed("unauthorized", 401), minute);
    const { lastTime, nextTryTime } = life.object.status?.failure ?? {};
    expect(Date.parse(nextTryTime ?? "") - Date.parse(lastTime ?? "")).toBe(hour);
  });

  test("after eight lost answers the first failed handshake is probed within minutes, as any first one is", () => {
    const life = valid();
    for (let count = 0; count < 8; count += 1) life.sees(failed("timeout"), minute);
    const probes = [0, 1, 2].map(() => /token again in (\d+) s/.exec(life.sees(failed("tls"), hour))?.[1]);
    expect(probes).toEqual(["60", "120", "240"]);
  });

  test("a failure is over with the next check that succeeds, and not with a look that checks nothing", () => {
    const life = valid();
    life.sees(failed("timeout"), minute);
    life.sees({ kind: "rest" }, minute);
    expect([life.object.status?.failure?.count, life.condition("Ready")]).toEqual([1, "False/RequestTimeout"]);
    life.sees(checked({ kind: "accepted", token: undefined }), minute);
    expect([life.object.status?.failure, life.condition("Ready")]).toEqual([undefined, "True/Valid"]);
  });
});

function both(text: string, credentials: string): readonly [string, string, string] {
  return [text, text, credentials];
}

function misconfigured(): readonly [string, string, string] {
  const state = "stalled/RemoteMisconfigured, again in 54 s, token again in";
  return [`${state} 60 s`, `${state} 120 s`, "Unknown/RemoteMisconfigured"];
}

describe("what status says of the token", () => {
  const token = { expiresAt: "2026-02-01T00:00:00Z", permissions: new Set(["ps_jobs_general_read", "of_no_use"]) };
  type Case = readonly [TokenCheck, secret: string | undefined, expires: string | undefined, secretAfter: string];
  const cases: Readonly<Record<string, Case>> = {
    "is what Northflank tells now": [
      { kind: "accepted", token: { expiresAt: "2026-03-01T00:00:00Z" } },
      "1",
      "2026-03-01T00:00:00Z",
      "1",
    ],
    "stays where nothing is told of the same token": [
      { kind: "accepted", token: undefined },
      "1",
      "2026-02-01T00:00:00Z",
      "1",
    ],
    "goes where nothing is told of another token": [{ kind: "accepted", token: undefined }, "2", undefined, "2"],
    "stays where the check is not there any more": [
      { kind: "unsupported", isAccepted: true },
      "1",
      "2026-02-01T00:00:00Z",
      "1",
    ],
    "goes where the check is not there and the token is another one": [
      { kind: "unsupported", isAccepted: true },
      "2",
      undefined,
      "2",
    ],
    "stays where the check of another token fails": [
      { kind: "failed", error: northflankError("timeout") },
      "2",
      "2026-02-01T00:00:00Z",
      "1",
    ],
  };
  test.each(Object.entries(cases))("%s", (_sentence, [check, secret, expires, secretAfter]) => {
    const life = valid("1", token);
    expect(life.object.status?.grantedPermissions).toEqual(["ps_jobs_general_read"]);
    life.sees(checked(check, secret), hour);
    const { status } = life.object;
    expect([status?.tokenExpirationTime, status?.tokenSecretResourceVersion]).toEqual([expires, secretAfter]);
  });

  const left = (ms: number) => new Date(Date.parse("2026-01-01T00:00:00Z") + ms).toISOString().replace(".000", "");
  test.each<readonly [string, number, string | undefined]>([
    ["nothing, more than two weeks before its end", 14 * day + second, undefined],
    ["that it expires soon, from two weeks before its end", 14 * day, "True/TokenExpiresSoon"],
    ["that it expires soon, a second before its end", second, "True/TokenExpiresSoon"],
    ["that it expired, at its end", 0, "True/TokenExpired"],
  ])("warns of %s", (_what, leftMs, expected) => {
    expect(valid("1", { expiresAt: left(leftMs) }).condition("TokenExpiring")).toBe(expected);
  });

  test("a warning stays when the clock goes back by less than an hour", () => {
    const life = valid("1", { expiresAt: left(0) });
    const at = (ms: number) => {
      life.sees({ kind: "rest" }, ms);
      return life.condition("TokenExpiring");
    };
    expect([at(-hour + second), at(-2 * second)]).toEqual(["True/TokenExpired", "True/TokenExpiresSoon"]);
  });

  test("names the permissions that its users need and it lacks, and nothing while none are known", () => {
    const needs = [{ use: "NorthflankJob", writes: true }] as const;
    const life = valid("1", token);
    life.sees({ kind: "rest", needs }, minute);
    expect(life.condition("PermissionsGranted")).toBe("False/PermissionDenied");
    expect(life.object.status?.missingPermissions).toEqual(["ps_jobs_general_update"]);
    life.sees({ kind: "rest", needs: [{ use: "NorthflankJob", writes: false }] }, minute);
    expect([life.condition("PermissionsGranted"), life.object.status?.missingPermissions]).toEqual([
      "True/Valid",
      undefined,
    ]);
    const untold = valid();
    untold.sees({ kind: "rest", needs }, minute);
    expect(untold.condition("PermissionsGranted")).toBeUndefined();
  });
});

describe("the quota of the account", () => {
  const open: LedgerSnapshot = {
    limit: 1_000,
    remaining: 654,
    resetAtMs: Date.parse("2026-01-01T00:59:30Z"),
    usedBy: { change: 0, run: 0, observe: 0 },
    deferredBy: { change: 0, run: 0, observe: 0 },
    waiting: 0,
    closedBy: undefined,
    closedUntilMs: undefined,
    used: 0,
  };
  const rest = (quota: LedgerSnapshot | undefined): ConnectionSight => ({ kind: "rest", quota });
  const closed = { ...open, closedUntilMs: Date.parse("2026-01-01T00:10:00Z") };

  test.each<readonly [string, LedgerSnapshot | undefined, number, string]>([
    ["is not known", undefined, 0, "Unknown/Progressing"],
    ["is open", open, 0, "True/QuotaAvailable"],
    ["is closed until later", closed, 0, "False/WaitingForQuota"],
    ["is closed until a moment from now", closed, 10 * minute - 1, "False/WaitingForQuota"],
    ["was closed until now", closed, 10 * minute, "True/QuotaAvailable"],
  ])("%s", (_what, quota, afterMs, expected) => {
    const life = unknown();
    life.sees(rest(quota), afterMs);
    expect(life.condition("QuotaAvailable")).toBe(expected);
  });

  test("stays as it was said while there is no ledger", () => {
    const life = unknown();
    life.sees(rest(closed));
    life.sees(rest(undefined), hour);
    expect(life.condition("QuotaAvailable")).toBe("False/WaitingForQuota");
    expect(life.object.status?.rateLimit?.remaining).toBe(600);
  });

  describe("and what the operator spends of it", () => {
    const pace: AccountPace = { polls: 1, checks: 1, checksPerHour: 180, othersPerHour: 40 };
    const spending = (more: Partial<AccountPace> = {}, quota: Partial<LedgerSnapshot> = {}) => ({
      quota: { ...open, usedBy: { change: 5, run: 60, observe: 150 }, ...quota },
      pace: { ...pace, ...more },
    });
    const accepted = checked({ kind: "accepted", token: undefined });

    test("is shown with a check of the token", () => {
      const life = unknown();
      life.sees({ ...accepted, ...spending({}, { deferredBy: { change: 1, run: 20, observe: 300 } }) });
      expect(life.object.status?.budget).toEqual({
        spent: { change: 5, run: 60, observe: 150 },
        deferred: 321,
        spentByOthers: 40,
        pollStretch: "1",
        checkStretch: "1",
      });
    });

    test.each<[string, Partial<AccountPace>, object]>([
      [
        "people and CI, for polls",
        { polls: 4.44, othersPerHour: 700 },
        {
          pollStretch: "4.4",
          message:
            "Rollouts and runs are polled 4.4 times less often, because people and CI send about 700 of 1000 requests an hour.",
        },
      ],
      [
        "this hour, for polls",
        { polls: 10, othersPerHour: 99 },
        {
          pollStretch: "10",
          message:
            "Rollouts and runs are polled 10 times less often, because what is left of this hour does not suffice for all " +
            "of them.",
        },
      ],
      [
        "the number of objects, for checks",
        { checks: 133.3 },
        {
          checkStretch: "130",
          message: "Drift is checked 130 times less often, because 180 requests an hour are available for checks.",
        },
      ],
      [
        "both",
        { polls: 1.06, checks: 2, checksPerHour: 60.4, othersPerHour: 700 },
        {
          message:
            "Rollouts and runs are polled 1.1 times less often, because people and CI send about 700 of 1000 requests an " +
            "hour. Drift is checked 2 times less often, because 60 requests an hour are available for checks, and people " +
            "and CI send about 700 of 1000 requests an hour.",
        },
      ],
      ["nothing that is seen", { polls: 1.04, checks: 1.049 }, { pollStretch: "1", checkStretch: "1" }],
    ])("says what is stretched because of %s", (_why, more, expected) => {
      const life = unknown();
      life.sees({ ...accepted, ...spending(more) });
      expect(life.object.status?.budget).toMatchObject(expected);
      expect(life.object.status?.budget?.message).toBe((expected as { message?: string }).message);
    });

    /** Whether the status is written for it. */
    const isWritten = (life: ConnectionLife, sight: ConnectionSight): boolean => {
      const before = life.object.status;
      life.sees(sight, minute);
      return life.object.status !== before;
    };

    test("is no reason for a write by itself, but is part of one, and of a check that is due", () => {
      const life = unknown();
      life.sees({ ...accepted, ...spending() });
      const later = spending({ polls: 3, othersPerHour: 800 });
      expect(isWritten(life, { kind: "rest", ...later })).toBe(false);
      expect(isWritten(life, { kind: "rest", dependents: 1, ...later })).toBe(true);
      expect(life.object.status?.budget?.pollStretch).toBe("3");
      expect(isWritten(life, { kind: "rest", dependents: 1, ...spending() })).toBe(false);
      expect(isWritten(life, { ...accepted, dependents: 1, ...spending() })).toBe(true);
      expect(life.object.status?.budget?.pollStretch).toBe("1");
    });

    test.each<[string, Partial<AccountPace>, Partial<LedgerSnapshot>, boolean]>([
      ["nothing", {}, {}, false],
      ["counts by ten", { othersPerHour: 50 }, { usedBy: { change: 15, run: 50, observe: 160 } }, false],
      ["a large count by a tenth", {}, { usedBy: { change: 5, run: 60, observe: 165 } }, false],
      ["a large count by more", {}, { usedBy: { change: 5, run: 60, observe: 166 } }, true],
      ["a small count by eleven", {}, { usedBy: { change: 16, run: 60, observe: 150 } }, true],
      ["a factor by a fifth", { checks: 2.4 }, {}, false],
      ["a factor by a third", { checks: 2.7 }, {}, true],
      ["a factor that begins", { checks: 2, polls: 1.1 }, {}, true],
      ["an hour without requests", { polls: 3 }, { resetAtMs: undefined }, false],
    ])("changes, or not, for %s", (_what, more, quota, expected) => {
      const life = unknown();
      life.sees({ ...accepted, ...spending({ checks: 2 }) });
      const before = life.object.status?.budget;
      life.sees({ ...accepted, ...spending({ checks: 2, ...more }, quota) }, minute);
      expect(life.object.status?.budget !== before).toBe(expected);
    });
  });

  test("the last notification is shown in steps of ten minutes, and stays when this process has had none", () => {
    const life = unknown();
    const shown = (lastHintMs: number | undefined) => {
      life.sees({ ...rest(open), lastHintMs }, second);
      return life.object.status?.notifications?.lastHintTime?.slice(11, 19);
    };
    const at = (minutes: number) => Date.parse("2026-01-01T00:00:00Z") + minutes * minute;
    expect([shown(undefined), shown(at(1)), shown(at(10)), shown(at(11)), shown(undefined)]).toEqual([
      undefined,
      "00:01:00",
      "00:01:00",
      "00:11:00",
      "00:11:00",
    ]);
  });

  test("is shown in tenths, and written again only when these move", () => {
    const life = unknown();
    const shown = (quota: Partial<LedgerSnapshot>) => {
      const before = life.object.status;
      life.sees(rest({ ...open, ...quota }), second);
      const { remaining, resetTime } = life.object.status?.rateLimit ?? {};
      return `${remaining} of ${life.object.status?.rateLimit?.limit} until ${resetTime?.slice(11, 16)}${life.object.status === before ? ", not written" : ""}`;
    };
    const reset = (seconds: number) => ({ resetAtMs: Date.parse("2026-01-01T01:00:00Z") + seconds * second });
    expect([
      shown({}),
      shown({ remaining: 600 }),
      shown({ remaining: 599 }),
      shown({ remaining: -3 }),
      shown({ remaining: -3, ...reset(119) }),
      shown({ remaining: -3, ...reset(120) }),
      shown({ remaining: undefined }),
      shown({ limit: 5, remaining: 5 }),
    ]).toEqual([
      "600 of 1000 until 01:00",
      "600 of 1000 until 01:00, not written",
      "500 of 1000 until 01:00",
      "0 of 1000 until 01:00",
      "0 of 1000 until 01:00, not written",
      "0 of 1000 until 01:02",
      "0 of 1000 until 01:02, not written",
      "5 of 5 until 01:00",
    ]);
  });
});

/** Ready has a reason that is found without a check, or makes the next one due as soon as the token may be used. */
function foundWithoutCheck(life: ConnectionLife): boolean {
  const reason = life.condition("Ready")?.split("/")[1] ?? "";
  return [
    "InvalidSpec",
    "Suspended",
    "SecretNotFound",
    "PermissionDenied",
    "AuthenticationFailed",
    "WaitingForConnection",
  ].includes(reason);
}

describe("every decision makes a status that keeps the promises", () => {
  const sights: Readonly<Record<string, ConnectionSight>> = {
    suspended: { kind: "suspended" },
    invalid: { kind: "invalid", problems: [{ field: "spec.x", message: "is wrong", remedy: "" }] },
    "blocked, stalled": blocked("stalled", "SecretNotFound"),
    "blocked, retrying": blocked("retrying", "PermissionDenied"),
    "blocked, waiting": blocked("waiting", "WaitingForConnection"),
    "blocked, refused before": blocked("stalled", "AuthenticationFailed"),
    accepted: checked({ kind: "accepted", token: undefined }),
    unsupported: checked({ kind: "unsupported", isAccepted: false }),
    refused: failed("unauthorized", 401),
    "no quota": failed("quota_closed"),
    "lost answer": failed("timeout"),
  };
  const expected: Readonly<Record<ReadyState["kind"], readonly KstatusResult[]>> = {
    ready: ["Current"],
    progressing: ["InProgress"],
    retrying: ["InProgress"],
    waiting: ["Current", "InProgress"],
    stalled: ["Failed"],
    suspended: ["Current", "InProgress"],
  };
  const all = Object.keys(sights).flatMap((before) => Object.keys(sights).map((sight) => ({ before, sight })));
  test.each(all)("$before, then $sight", ({ before, sight }) => {
    for (const generation of [1, 2]) {
      const life = unknown();
      life.sees(sights[before] ?? { kind: "rest" });
      if (generation === 2) life.edit({});
      const text = life.sees(sights[sight] ?? { kind: "rest" }, minute);
      expect(brokenPromises(life.object)).toEqual([]);
      expect(isAccepted(life.object)).toBe(life.condition("Ready")?.startsWith("True/") === true);
      expect(life.object.status?.tokenCheck).toMatch(
        foundWithoutCheck(life) ? /^(?:NotChecked|Refused)$/ : /^(?:Accepted|Failed)$/,
      );
      expect(expected[text.split("/")[0] as ReadyState["kind"]]).toContain(kstatusOf(life.object));
    }
  });

  test("a look that finds nothing new writes nothing", () => {
    const life = valid();
    const { status } = life.object;
    life.sees({ kind: "rest" }, minute);
    life.sees(checked({ kind: "accepted", token: undefined }), hour);
    expect(life.object.status).toBe(status);
  });

  test("a suspension is a new generation, and says nothing else of the token", () => {
    const life = valid();
    life.edit({ suspend: true });
    expect(life.sees({ kind: "suspended" }, minute)).toBe("suspended/Suspended, again never");
    expect([life.condition("Ready"), life.condition("Suspended")]).toEqual(["True/Valid", "True/Suspended"]);
    // Any other edit has to be judged anew.
    life.edit({ suspend: false });
    life.sees(failed("quota_closed"), minute);
    expect(life.condition("Ready")).toBe("Unknown/WaitingForQuota");
  });

  test("only a token of the present spec counts as accepted", () => {
    const life = valid();
    const before = isAccepted(life.object);
    life.edit({ suspend: false });
    expect([isAccepted(unknown().object), before, isAccepted(life.object)]).toEqual([false, true, false]);
  });
});

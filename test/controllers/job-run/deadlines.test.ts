import { afterEach, describe, expect, test } from "vitest";
import type { NorthflankJobRun } from "../../../src/api/job-run.ts";
import { resolveStart } from "../../../src/api/names.ts";
import type { AccountResolution } from "../../../src/controllers/account/accounts.ts";
import { NorthflankError, type NorthflankErrorCode } from "../../../src/northflank/errors.ts";
import { nameProblem } from "../../../src/northflank/names.ts";
import { northflankError } from "../../support/fake-northflank.ts";
import { RunStory } from "../../support/run-story.ts";

const minute = 60_000;
const foreignFinalizer = "argocd.argoproj.io/hook-finalizer";

/** A story whose connection, quota and permissions can be taken away. */
class Trouble extends RunStory {
  blocked: AccountResolution | undefined;

  constructor() {
    super({ account: () => this?.blocked });
  }

  /** Each later call of this kind fails. */
  refuse(
    call: "abort" | "list" | "read",
    error: { readonly code: NorthflankErrorCode; readonly httpStatus?: number; readonly retryAfterMs?: number },
  ): void {
    const method = ({ abort: "abortRun", list: "listRuns", read: "getRun" } as const)[call];
    this.northflank.failAll(method, northflankError(error.code, error));
  }

  block(readyState: Extract<AccountResolution, { kind: "blocked" }>["readyState"]): void {
    this.blocked = { kind: "blocked", readyState, recheckAfterMs: 10 * minute };
  }

  /** What `doing` costs. A hot loop is broken off: the clock does not get on in one. */
  async cost(doing: () => Promise<void>): Promise<{ passes: number; requests: number; writes: number }> {
    const { clock, process, remote, cluster } = this;
    const before = { passes: process.passes, requests: remote.calls.length, writes: cluster.writes.length };
    const { monotonic } = clock;
    Object.assign(clock, {
      monotonic: () => {
        if (process.isAlive && process.passes - before.passes > 1_000) process.kill();
        return monotonic();
      },
    });
    await doing();
    return {
      passes: process.passes - before.passes,
      requests: remote.calls.length - before.requests,
      writes: cluster.writes.length - before.writes,
    };
  }
}

let story = new Trouble();
afterEach(() => expect(story.end()).toEqual([]));

const suspended = { kind: "waiting", reason: "ConnectionSuspended", message: "paused" } as const;
const gone = { kind: "stalled", reason: "ConnectionNotFound", message: "gone" } as const;

interface Case {
  readonly name: string;
  readonly spec: Partial<NorthflankJobRun["spec"]>;
  readonly metadata?: object;
  /** Before the start. */
  readonly given?: (story: Trouble) => void;
  /** The trouble starts after so long, and lasts for `forMs`; the deadline is over in it. */
  readonly afterMs: number;
  readonly trouble: (story: Trouble) => void;
  readonly forMs: number;
  /** At most. */
  readonly costs: { readonly passes: number; readonly requests: number; readonly writes: number };
}

const lost = (given: Trouble) => {
  given.remote.mode = "notApplied";
};
const long = (given: Trouble) => {
  given.remote.runMs = 600 * minute;
};
const waiting = { concurrencyPolicy: "Forbid", startDeadlineSeconds: 600 } as const;
const active = { activeDeadlineSeconds: 90 };

const cases: readonly Case[] = [
  ...([403, 400, 422, 409, 503] as const).map(
    (httpStatus): Case => ({
      name: `the abort is refused with ${httpStatus}`,
      spec: active,
      given: long,
      afterMs: minute,
      trouble: (given) => {
        const code = httpStatus === 403 ? "forbidden" : httpStatus === 503 ? "server_error" : "rejected";
        given.refuse("abort", { code, httpStatus });
      },
      forMs: 60 * minute,
      costs: { passes: 90, requests: 90, writes: 12 },
    }),
  ),
  {
    name: "the quota is spent for the abort",
    spec: active,
    given: long,
    afterMs: minute,
    trouble: (given) => given.refuse("abort", { code: "quota_closed", retryAfterMs: 40 * minute }),
    forMs: 30 * minute,
    costs: { passes: 45, requests: 45, writes: 3 },
  },
  {
    name: "the quota is spent for everything",
    spec: active,
    given: long,
    afterMs: minute,
    trouble: (given) => {
      given.refuse("abort", { code: "quota_closed", retryAfterMs: 40 * minute });
      given.refuse("read", { code: "quota_closed", retryAfterMs: 40 * minute });
    },
    forMs: 30 * minute,
    costs: { passes: 8, requests: 6, writes: 3 },
  },
  {
    name: "the connection is suspended",
    spec: active,
    given: long,
    afterMs: minute,
    trouble: (given) => given.block(suspended),
    forMs: 30 * minute,
    costs: { passes: 8, requests: 0, writes: 2 },
  },
  {
    name: "the outcome of the start is unknown, and the job is gone",
    spec: waiting,
    given: lost,
    afterMs: 5 * minute,
    trouble: (given) => given.refuse("list", { code: "not_found", httpStatus: 404 }),
    forMs: 120 * minute,
    costs: { passes: 50, requests: 50, writes: 50 },
  },
  {
    name: "the outcome of the start is unknown, and the quota is spent",
    spec: waiting,
    given: lost,
    afterMs: 5 * minute,
    trouble: (given) => given.refuse("list", { code: "quota_closed", retryAfterMs: 30 * minute }),
    forMs: 120 * minute,
    costs: { passes: 10, requests: 6, writes: 3 },
  },
  {
    name: "the outcome of the start is unknown, and the connection is suspended",
    spec: waiting,
    given: lost,
    afterMs: 20 * minute,
    trouble: (given) => given.block(suspended),
    forMs: 120 * minute,
    costs: { passes: 12, requests: 0, writes: 2 },
  },
  {
    name: "the answer of a person is no id of a run",
    spec: waiting,
    given: (given) => {
      lost(given);
      given.remote.read = (runId) => {
        // As the client does it, before anything is sent.
        const detail = nameProblem("run", runId) ?? "";
        throw new NorthflankError({ code: "rejected", step: "get run", detail, sent: false });
      };
    },
    afterMs: 20 * minute,
    trouble: (given) => given.cluster.edit("once", { annotations: { [resolveStart]: "run 12" } }),
    forMs: 30 * minute,
    costs: { passes: 6, requests: 0, writes: 3 },
  },
  {
    name: "a foreign finalizer holds the deleted object (Orphan)",
    spec: active,
    metadata: { finalizers: [foreignFinalizer] },
    given: long,
    afterMs: minute,
    trouble: (given) => given.cluster.delete("default/once"),
    forMs: 30 * minute,
    costs: { passes: 45, requests: 40, writes: 3 },
  },
  {
    name: "the object is deleted, and the Secret of its connection holds no token (Abort)",
    spec: { ...active, deletionPolicy: "Abort" },
    given: long,
    afterMs: minute,
    trouble: (given) => {
      given.block({ kind: "stalled", reason: "SecretInvalid", message: "no token" });
      given.cluster.delete("default/once");
    },
    forMs: 9 * minute,
    costs: { passes: 25, requests: 0, writes: 2 },
  },
  {
    name: "the namespace is deleted, and with it the connection (Abort): the run is aborted with what is remembered",
    spec: { ...active, deletionPolicy: "Abort" },
    given: long,
    afterMs: minute,
    trouble: (given) => {
      given.block(gone);
      given.cluster.delete("default/once");
    },
    forMs: 9 * minute,
    costs: { passes: 5, requests: 2, writes: 2 },
  },
];

describe("a deadline that is over makes no pass come sooner, whatever is in the way of acting on it", () => {
  test.each(cases)("$name", async ({ spec, metadata = {}, given, afterMs, trouble, forMs, costs }) => {
    story = new Trouble();
    given?.(story);
    story.cluster.create("once", spec, metadata);
    await story.clock.advance(afterMs);
    trouble(story);
    const cost = await story.cost(() => story.clock.advance(forMs));
    expect(story.process.isAlive).toBe(true);
    expect(cost.passes, "passes").toBeLessThanOrEqual(costs.passes);
    expect(cost.requests, "requests").toBeLessThanOrEqual(costs.requests);
    expect(cost.writes, "writes").toBeLessThanOrEqual(costs.writes);
  });
});

describe("a run whose abort is refused", () => {
  const refused = { code: "forbidden", httpStatus: 403 } as const;

  test.each([
    { httpStatus: 403, code: "forbidden", ready: "False/PermissionDenied" },
    { httpStatus: 400, code: "rejected", ready: "False/RequestRejected" },
    { httpStatus: 404, code: "not_found", ready: "False/TargetNotFound" },
    { httpStatus: 409, code: "rejected", ready: "False/RequestRejected" },
    { httpStatus: 422, code: "rejected", ready: "False/RequestRejected" },
    { httpStatus: 503, code: "server_error", ready: "False/RemoteUnavailable" },
    { httpStatus: 429, code: "rate_limited", ready: "Unknown/WaitingForQuota" },
  ] as const)("$httpStatus: says so, and its end is seen", async ({ httpStatus, code, ready }) => {
    story = new Trouble();
    story.remote.runMs = 8 * minute;
    await story.run({}, minute);
    story.refuse("abort", { code, httpStatus });
    story.cluster.edit("once", { spec: { abort: true } });
    await story.clock.advance(minute);
    expect(story.condition("Ready")).toBe(ready);
    expect(story.status().completionTime).toBeUndefined();
    const message = story.status().conditions?.find(({ type }) => type === "Ready")?.message;
    expect(message).toContain('run "run-1"');
    expect(message).toContain("Polled every 10s to 1m.");
    await story.clock.advance(8 * minute);
    expect(story.condition("Ready")).toBe("True/RunSucceeded");
    expect(story.status().failure).toBeUndefined();
    const aborts = story.remote.calls.filter((call) => call === "abort").length;
    expect(aborts).toBeGreaterThan(1);
    expect(aborts).toBeLessThan(10);
  });

  test("is aborted as soon as that is permitted and a person asks for it", async () => {
    story = new Trouble();
    story.remote.runMs = 600 * minute;
    await story.run({ activeDeadlineSeconds: 90 }, minute);
    story.refuse("abort", refused);
    await story.clock.advance(60 * minute);
    expect(story.condition("Ready")).toBe("False/PermissionDenied");
    story.northflank.clearFailures();
    story.cluster.edit("once", { annotations: { "northflank-operator.io/reconcile-requested-at": "1" } });
    await story.clock.advance(30_000);
    expect(story.condition("Ready")).toBe("False/DeadlineExceeded");
  });

  test("keeps its Forbid sibling waiting until it is over, and then lets it start", async () => {
    story = new Trouble();
    story.remote.runMs = 5 * minute;
    await story.run({}, minute, "first");
    story.refuse("abort", refused);
    story.cluster.edit("first", { spec: { abort: true } });
    await story.run({ concurrencyPolicy: "Forbid", startDeadlineSeconds: 3_600 }, minute, "second");
    expect(story.condition("Ready", "second")).toBe("Unknown/WaitingForConcurrency");
    await story.clock.advance(5 * minute);
    expect(story.condition("Ready", "first")).toBe("True/RunSucceeded");
    expect(story.status("second").runId).toBe("run-2");
  });

  test("is tried again within the ten minutes of a deletion, and then the object goes", async () => {
    story = new Trouble();
    story.remote.runMs = 600 * minute;
    await story.run({ deletionPolicy: "Abort" }, minute);
    story.refuse("abort", refused);
    story.cluster.delete("default/once");
    await story.clock.advance(9 * minute);
    const aborts = story.remote.calls.filter((call) => call === "abort").length;
    expect(aborts).toBeGreaterThanOrEqual(8);
    expect(aborts).toBeLessThanOrEqual(12);
    await story.clock.advance(2 * minute);
    expect(story.cluster.read("once")).toBeUndefined();
    expect(story.events()).toContain("Warning DeleteTimedOut");
  });

  test("because of a spent quota holds its deletion until the quota is back", async () => {
    story = new Trouble();
    story.remote.runMs = 600 * minute;
    await story.run({ deletionPolicy: "Abort" }, minute);
    story.refuse("abort", { code: "quota_closed", retryAfterMs: 15 * minute });
    story.cluster.delete("default/once");
    await story.clock.advance(12 * minute);
    expect(story.cluster.read("once")).toBeDefined();
    story.northflank.clearFailures();
    await story.clock.advance(5 * minute);
    expect(story.cluster.read("once")).toBeUndefined();
    expect(story.events()).not.toContain("Warning DeleteTimedOut");
    expect(story.remote.list("migrate").runs.map(({ concluded }) => concluded)).toEqual([true]);
  });

  test("an abort that is accepted and has no effect is repeated ever more slowly", async () => {
    story = new Trouble();
    story.remote.runMs = 600 * minute;
    await story.run({}, minute);
    story.remote.abort = () => undefined;
    story.cluster.edit("once", { spec: { abort: true } });
    const cost = await story.cost(() => story.clock.advance(60 * minute));
    const aborts = story.remote.calls.filter((call) => call === "abort").length;
    expect(aborts).toBeGreaterThan(4);
    expect(aborts).toBeLessThanOrEqual(10);
    expect(cost.requests).toBeLessThan(100);
  });
});

describe("coming back at once", () => {
  /** The server drops a field of every status: its CRD is older than the operator. */
  function prune(field: "abortRequestedTime" | "conditions"): void {
    const write = story.cluster.patchStatus.bind(story.cluster);
    story.cluster.patchStatus = (key, patch) => {
      const { [field]: _, ...status } = patch.status as Record<string, unknown>;
      // A patch that changes nothing makes no new version, and no event.
      return Object.keys(status).length === 0 ? story.object() : write(key, { ...patch, status });
    };
  }

  test("slows down where what was written does not stay: requests do not run away", async () => {
    story = new Trouble();
    lost(story);
    prune("conditions");
    story.cluster.create("once", {}, { annotations: { [resolveStart]: "fail" } });
    const cost = await story.cost(() => story.clock.advance(60 * minute));
    expect(story.process.isAlive).toBe(true);
    expect(cost.requests).toBeLessThan(90);
    // No status without conditions keeps its promises: they are not what this is about.
    expect(story.end().length).toBeGreaterThan(0);
    story = new Trouble();
  });

  test("an abort whose record does not stay is sent all the same", async () => {
    story = new Trouble();
    story.remote.runMs = 600 * minute;
    prune("abortRequestedTime");
    await story.run({}, minute);
    story.cluster.edit("once", { spec: { abort: true } });
    const cost = await story.cost(() => story.clock.advance(10 * minute));
    expect(story.condition("Ready")).toBe("False/RunAborted");
    expect(cost.passes).toBeLessThan(15);
  });
});

describe("a deadline within a pause", () => {
  test("that is shorter than the poll interval is carried out in time", async () => {
    story = new Trouble();
    long(story);
    await story.run({ activeDeadlineSeconds: 4 }, 4_500);
    expect(story.remote.calls.filter((call) => call === "abort")).toHaveLength(1);
    expect(story.condition("Ready")).toBe("False/DeadlineExceeded");
  });
});

describe("ttlSecondsAfterFinished", () => {
  test("sends one DELETE for an object that others hold, and does nothing more about it", async () => {
    story = new Trouble();
    let deletes = 0;
    const remove = story.cluster.delete.bind(story.cluster);
    story.cluster.delete = (key, uid) => {
      deletes += 1;
      remove(key, uid);
    };
    story.cluster.create("once", { ttlSecondsAfterFinished: 60 }, { finalizers: [foreignFinalizer] });
    await story.clock.advance(minute);
    const cost = await story.cost(() => story.clock.advance(24 * 60 * minute));
    expect(deletes).toBe(1);
    expect(cost).toEqual({ passes: expect.any(Number), requests: 0, writes: 1 });
    expect(cost.passes).toBeLessThan(8);
  });

  test("0 deletes the object as soon as it is over, and not before", async () => {
    story = new Trouble();
    await story.run({ ttlSecondsAfterFinished: 0, deletionPolicy: "Abort" }, 20_000);
    expect(story.status().phase).toBe("Running");
    await story.clock.advance(20_000);
    expect(story.cluster.read("once")).toBeUndefined();
    expect(story.events()).toContain("Normal RunSucceeded");
  });

  test("a DELETE that failed is sent again", async () => {
    story = new Trouble();
    let isDown = true;
    const remove = story.cluster.delete.bind(story.cluster);
    story.cluster.delete = (key, uid) => {
      if (!isDown) return remove(key, uid);
      isDown = false;
      throw new Error("the API server is away");
    };
    await story.run({ ttlSecondsAfterFinished: 60 }, 3 * minute);
    expect(story.cluster.read("once")).toBeUndefined();
    expect(story.process.failures.splice(0)).toHaveLength(1);
  });
});

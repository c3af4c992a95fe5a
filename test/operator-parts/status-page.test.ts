import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { LedgerSnapshot } from "../../src/northflank/ledger.ts";
import { QuotaHistory } from "../../src/operator/quota-history.ts";
import { type StatedObject, shownStates } from "../../src/operator/shown-states.ts";
import { SlowReconciles } from "../../src/operator/slow-reconciles.ts";
import { StatusPage, type StatusSources } from "../../src/operator/status-page.ts";
import { FakeClock } from "../support/fake-clock.ts";

const start = Date.parse("2026-03-01T00:00:00Z");

type State = "ready" | "stalled" | "failed" | "progress" | "suspended" | "new";

function object(name: string, state: State, atMs = start): StatedObject & { readonly spec: unknown } {
  const time = new Date(atMs).toISOString();
  const condition = (type: string, status: "True" | "False" | "Unknown", reason = "RollingOut") => ({
    ...{ type, status, reason, message: `${type} of ${name}.`, lastTransitionTime: time, observedGeneration: 1 },
  });
  const conditions = {
    ready: [condition("Ready", "True", "InSync")],
    stalled: [condition("Ready", "False", "InvalidSpec"), condition("Stalled", "True", "InvalidSpec")],
    failed: [
      condition("Ready", "False", "RunFailed"),
      condition("Stalled", "True", "RunFailed"),
      condition("Finished", "True"),
    ],
    progress: [condition("Ready", "Unknown"), condition("Reconciling", "True", "Progressing")],
    suspended: [condition("Ready", "False", "Suspended"), condition("Suspended", "True", "Suspended")],
    new: [],
  }[state];
  const spec = { runtimeEnvironment: { PASSWORD: "canary-env" } };
  return { metadata: { namespace: "shop", name }, spec, status: { conditions } };
}

describe("states of objects", () => {
  test("are counted and listed, the longest waiting first", () => {
    const objects = [
      object("a", "ready"),
      object("b", "stalled", start + 5),
      object("c", "stalled", start + 1_000),
      object("old", "stalled", start - 60_000),
      object("d", "progress"),
      object("e", "failed", start),
      object("f", "failed", start + 9_000),
      object("g", "suspended"),
      object("h", "new"),
    ];
    const shown = shownStates([{ kind: "NorthflankJobRun", objects, dueInMs: () => 7_000 }]);
    expect(shown.kinds).toEqual([
      { kind: "NorthflankJobRun", total: 9, ready: 1, inProgress: 2, stalled: 5, suspended: 1 },
    ]);
    expect(shown.stalled.items.map(({ name }) => name)).toEqual(["old", "b", "c"]);
    expect(shown.failedRuns.items.map(({ name }) => name)).toEqual(["f", "e"]);
    expect(shown.waiting).toEqual({
      total: 1,
      items: [
        {
          kind: "JobRun",
          namespace: "shop",
          name: "d",
          reason: "RollingOut",
          message: "Ready of d.",
          sinceMs: start,
          dueInMs: 7_000,
        },
      ],
    });
  });

  test("a connection is named before the objects that are Stalled because of it", () => {
    const kind = (name: string, atMs: number) => ({
      kind: name,
      objects: [object("a", "stalled", atMs)],
      dueInMs: () => 1,
    });
    const shown = shownStates([kind("NorthflankDeployment", start), kind("NorthflankConnection", start + 1_000)]);
    expect(shown.stalled.items.map((item) => item.kind)).toEqual(["Connection", "Deployment"]);
  });

  test("of many, fifty are shown, and only these are searched for in the queue", () => {
    let asked = 0;
    const dueInMs = () => {
      asked += 1;
      return undefined;
    };
    const objects = Array.from({ length: 10_000 }, (_, at) => object(`o${at}`, at % 2 === 0 ? "stalled" : "progress"));
    const shown = shownStates([{ kind: "NorthflankDeployment", objects, dueInMs }]);
    expect([shown.stalled.items.length, shown.stalled.total]).toEqual([50, 5_000]);
    expect([shown.waiting.items.length, shown.waiting.total]).toEqual([50, 5_000]);
    expect(asked).toBe(100);
  });
});

test("the quota is sampled once a minute for an hour, and not after the end", async () => {
  const clock = new FakeClock();
  let remaining: number | undefined = 1_000;
  let pools: readonly string[] = ["a", "b"];
  const history = new QuotaHistory(clock, () => pools.map((pool) => [pool, pool === "a" ? remaining : undefined]));
  history.start();
  for (let minute = 0; minute < 90; minute += 1) {
    remaining -= 1;
    await clock.advance(60_000);
  }
  const samples = history.of("a", 5);
  expect(samples.length).toBe(61);
  expect(samples.at(0)).toEqual({ agoMs: 3_540_000, remaining: 969 });
  expect(samples.at(-1)).toEqual({ agoMs: 0, remaining: 5 });
  expect(history.of("b", undefined)).toEqual([]);
  pools = ["b"];
  await clock.advance(60_000);
  expect(history.of("a", undefined)).toEqual([]);
  history.stop();
  expect(clock.pendingTimers).toBe(0);
});

describe("slow reconciles", () => {
  test("are kept for an hour, one per object, the slowest first", async () => {
    const clock = new FakeClock();
    const slow = new SlowReconciles(clock);
    slow.add("deployment", "shop/fast", 999);
    slow.add("deployment", "shop/api", 4_000);
    slow.add("deployment", "shop/api", 2_000);
    slow.add("job", "shop/api", 3_000);
    await clock.advance(60_000);
    slow.add("deployment", "shop/api", 9_000);
    expect(slow.list()).toEqual([
      { controller: "deployment", key: "shop/api", durationMs: 9_000, endedAgoMs: 0 },
      { controller: "job", key: "shop/api", durationMs: 3_000, endedAgoMs: 60_000 },
    ]);
    await clock.advance(3_550_000);
    expect(slow.list().map(({ durationMs }) => durationMs)).toEqual([9_000]);
  });

  test("of many, twenty are kept", () => {
    const slow = new SlowReconciles(new FakeClock());
    for (let at = 0; at < 1_000; at += 1) slow.add("job-run", `shop/r${at}`, 1_000 + at);
    expect(slow.list().length).toBe(20);
    expect(slow.list()[0]).toMatchObject({ key: "shop/r999", durationMs: 1_999 });
  });
});

function sources(objects: readonly StatedObject[]): StatusSources {
  const quota = {
    limit: 1_000,
    remaining: 120,
    resetAtMs: start + 60_000,
    closedUntilMs: undefined,
    used: 30,
    usedBy: { change: 10, run: 10, observe: 10 },
    deferredBy: { change: 0, run: 0, observe: 0 },
    waiting: 0,
    closedBy: "server_error",
  } satisfies LedgerSnapshot;
  const queue = { dueInMs: () => 1_000, running: () => [["shop/slow", 30_000] as const] };
  const controller = { name: "deployment", queue } as unknown as StatusSources["controllers"][number]["controller"];
  return {
    manager: { checks: () => [{ name: "election", ok: true, reason: "" }] },
    controllers: [{ controller }],
    caches: [{ resource: { kind: "NorthflankDeployment" }, store: { list: () => objects } }],
    apis: {
      pools: () => Array.from({ length: 30 }, (_, at) => [`team t${at}`, quota] as const),
      spending: () => ({
        total: 1,
        kinds: [],
        namespaces: [],
        spenders: [[{ kind: "NorthflankDeployment", namespace: "shop", name: "api" }, 9]],
      }),
      stretch: () => 1,
    },
    checkStretch: () => 1,
    leadership: { isLeaderFor: () => true, holder: () => undefined },
  };
}

describe("an answer", () => {
  function page(objects: readonly StatedObject[]) {
    const clock = new FakeClock();
    const made = new StatusPage({ config: { docsUrl: undefined }, identity: "pod-1", clock });
    expect(made.answer().status).toBe(503);
    made.timed("deployment", "shop/late", 5_000);
    made.start(sources(objects));
    const answer = made.answer();
    made[Symbol.dispose]();
    expect(clock.pendingTimers).toBe(0);
    return answer;
  }

  test("is HTML without scripts, whose one style has its hash in the policy", () => {
    const { status, contentType, headers, body } = page([object("api", "stalled")]);
    expect([status, contentType]).toEqual([200, "text/html; charset=utf-8"]);
    const [, style = ""] = /<style>(.*?)<\/style>/s.exec(body) ?? [];
    const hash = createHash("sha256").update(style).digest("base64");
    expect(headers?.["content-security-policy"]).toBe(
      `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    );
    expect(headers?.["cache-control"]).toBe("no-store");
    for (const text of ["Deployment shop/api", "shop/slow", "shop/late", "Northflank answers with server errors"]) {
      expect(body).toContain(text);
    }
    expect(body).toContain("and 20 more accounts");
  });

  test("shows nothing of a spec", () => {
    expect(page([object("api", "stalled")]).body).not.toContain("canary");
  });

  test("is bounded and fast, however many objects there are", () => {
    const objects = Array.from({ length: 10_000 }, (_, at) =>
      object(`o${at}`.padEnd(200, "x"), at % 3 === 0 ? "stalled" : at % 3 === 1 ? "progress" : "failed"),
    );
    const { body } = page(objects);
    expect(body.length).toBeLessThan(150_000);
    expect(body).toContain("and 3284 more");
  });
});

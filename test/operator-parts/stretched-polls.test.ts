import { afterEach, describe, expect, test } from "vitest";
import type { NorthflankConnectionStatus } from "../../src/api/connection.ts";
import { connection } from "../support/builders.ts";
import type { ScriptedAnswer, SentRequest } from "../support/recording-transport.ts";
import { WholeOperator } from "../support/whole-operator.ts";

const hour = 3_600_000;
const minute = 60_000;
const names = Array.from({ length: 6 }, (_, n) => `run-${n}`);

/** Jobs whose runs never end. */
class Jobs {
  readonly runs = new Map<string, object>();
  /** When runs were aborted, by the wall clock. */
  readonly abortedAtMs: number[] = [];

  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  readonly answer = ({ method, path }: SentRequest): ScriptedAnswer => {
    const [, job = "", run] = /\/jobs\/([^/?]+)(?:\/runs\/([^/?]+))?/.exec(path) ?? [];
    if (path === "/v1/auth") return { status: 200, body: { data: {} } };
    if (method === "POST") {
      const startedAt = new Date(this.#now()).toISOString();
      this.runs.set(job, { id: `id-${job}`, runName: job, status: "RUNNING", concluded: false, startedAt });
    }
    if (method === "DELETE") this.abortedAtMs.push(this.#now());
    const found = this.runs.get(job);
    if (method === "POST" || run !== undefined) return { status: 200, body: { data: found } };
    if (path.includes("/runs")) return { status: 200, body: { data: { runs: found === undefined ? [] : [found] } } };
    return { status: 200, body: { data: { id: job, name: job, jobType: "manual" } } };
  };
}

function runOf(name: string, more: object) {
  const defaults = {
    allowReferences: false,
    startGuarantee: "AtMostOnce",
    concurrencyPolicy: "Allow",
    backoffLimit: 0,
  };
  const rest = { suspend: false, abort: false, deletionPolicy: "Orphan", ...more };
  return {
    apiVersion: "northflank-operator.io/v1alpha1",
    kind: "NorthflankJobRun",
    metadata: { name, uid: name, generation: 1 },
    spec: { projectId: "shop", jobId: `job-${name}`, ...defaults, ...rest },
    status: { observedGeneration: -1 },
  };
}

let operator: WholeOperator;
afterEach(() => operator.stop());

/** An operator with six active runs that are half an hour old, and a connection that may send so many requests. */
async function running(maxRequestsPerHour: number, more: object = {}): Promise<Jobs> {
  const jobs = new Jobs(() => operator.clock.now());
  operator = new WholeOperator({ answer: jobs.answer });
  operator.store(connection({ spec: { budget: { maxRequestsPerHour } } }));
  for (const name of names) operator.store(runOf(name, more));
  operator.start();
  await operator.clock.advance(30 * minute);
  return jobs;
}

async function requestsIn(ms: number): Promise<number> {
  const before = operator.sent.length;
  await operator.clock.advance(ms);
  return operator.sent.length - before;
}

function budget(): NorthflankConnectionStatus["budget"] {
  const status = operator.get("NorthflankConnection", "shop/default")?.status as NorthflankConnectionStatus | undefined;
  return status?.budget;
}

describe("six runs that are polled every five minutes", () => {
  test("are polled as usual where there are enough requests", async () => {
    await running(900);
    // 72 polls, and the token.
    const sent = await requestsIn(hour);
    expect([sent >= 70, sent <= 76, budget()?.pollStretch]).toEqual([true, true, "1"]);
  });

  test("are polled less often where there are not, instead of waiting for quota", async () => {
    await running(60);
    let deferred = 0;
    for (let passed = 0; passed < hour; passed += minute) {
      await operator.clock.advance(minute);
      deferred = Math.max(deferred, ...operator.apis.pools().map(([, { deferredBy }]) => deferredBy.run));
    }
    expect(deferred).toBe(0);
    expect(Number(budget()?.pollStretch)).toBeGreaterThan(1);
    expect(budget()?.message).toContain("Rollouts and runs are polled ");
  });

  test("are aborted at their deadline all the same", async () => {
    const { abortedAtMs } = await running(60, { activeDeadlineSeconds: 3_000 });
    const startedAtMs = operator.clock.now() - 30 * minute;
    await operator.clock.advance(hour);
    const first = names.map((_, n) => ((abortedAtMs[n] ?? Number.NaN) - startedAtMs) / 1_000);
    expect(Math.min(...first)).toBeGreaterThanOrEqual(3_000);
    expect(Math.max(...first)).toBeLessThanOrEqual(3_060);
  });
});

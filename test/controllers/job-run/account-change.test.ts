import { expect, test } from "vitest";
import type { NorthflankJobRun } from "../../../src/api/job-run.ts";
import type { AccountIdentity } from "../../../src/controllers/account/accounts.ts";
import { compareJobs, judgeAccountChange } from "../../../src/controllers/job-run/account-change.ts";
import type { StartRecord } from "../../../src/controllers/job-run/start-record.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { RunCluster } from "../../support/run-cluster.ts";

type Status = NonNullable<NorthflankJobRun["status"]>;

const home = "https://api.northflank.com, team home";

function start(outcome: StartRecord["outcome"], more: Partial<StartRecord> = {}): StartRecord {
  return { id: "a", attempt: 1, recordedTime: "2026-01-01T00:00:00Z", account: home, outcome, ...more };
}

const active: NonNullable<Status["attempts"]> = [{ number: 1, runId: "run-1", origin: "Started" }];
const failed: NonNullable<Status["attempts"]> = [
  { number: 1, runId: "run-1", origin: "Started", remoteStatus: "FAILED", completionTime: "2026-01-01T00:01:00Z" },
];

function judged(status: Omit<Status, "observedGeneration">, address: string, spec: object = {}): string | undefined {
  const made = new RunCluster(new FakeClock()).create("once", spec);
  const object = { ...made, status: { observedGeneration: 1, ...status } };
  return judgeAccountChange(object, { address })?.message;
}

test.each<readonly [string, Omit<Status, "observedGeneration">, boolean]>([
  ["nothing was started yet", {}, false],
  ["the outcome of a start is open", { start: start("Pending") }, true],
  ["a run is active", { start: start("Accepted"), attempts: active }, true],
  ["a run was recovered and is active", { start: start("Recovered"), attempts: active }, true],
  ["nothing was sent", { start: start("NotStarted", { reason: "StartingRun" }) }, false],
  ["Northflank refused", { start: start("NotStarted", { reason: "WaitingForQuota" }) }, false],
  ["a start without answer is repeated", { start: start("NotStarted", { reason: "StartOutcomeUnknown" }) }, true],
  ["a person wants another one", { start: start("NotStarted", { reason: "RetryingRun" }) }, true],
  ["it is over", { start: start("Accepted"), attempts: failed, completionTime: "2026-01-01T00:01:00Z" }, false],
  [
    "the record is from before accounts were recorded",
    { start: { id: "a", attempt: 1, recordedTime: "2026-01-01T00:00:00Z", outcome: "Pending" } },
    false,
  ],
])("when %s, another account has a say: %#", (_, status, isHeld) => {
  expect(judged(status, "https://api.northflank.com, team other") !== undefined).toBe(isHeld);
  expect(judged(status, home)).toBeUndefined();
});

test("between two attempts the next one goes where the connection leads", () => {
  const status = { start: start("Accepted"), attempts: failed };
  expect(judged(status, "https://api.northflank.com", { backoffLimit: 1 })).toBeUndefined();
});

test("the message names both accounts and the run, and what can be done", () => {
  const said = judged({ start: start("Accepted"), attempts: active }, "https://api.northflank.com, team other");
  expect(said).toContain(`Run run-1 was started in ${home}`);
  expect(said).toContain("leads to https://api.northflank.com, team other now");
  expect(said).toContain("delete this object");
});

test.each<
  readonly [
    string,
    AccountIdentity | undefined,
    { readonly namespace?: string; readonly status?: Partial<Status> },
    ReturnType<typeof compareJobs>,
  ]
>([
  ["of the same pool", { pool: "p" }, {}, "same"],
  ["of another pool", { pool: "q" }, {}, "other"],
  ["of an account that is not known yet", undefined, { namespace: "mallory" }, "unsure"],
  ["of the same team, answered for it", { pool: "q", team: "t", isProven: true }, { namespace: "other" }, "same"],
  ["of the same namespace, that names the team", { pool: "q", team: "t", isProven: false }, {}, "unsure"],
  [
    "of another namespace, that only names the team",
    { pool: "q", team: "t", isProven: false },
    { namespace: "mallory" },
    "other",
  ],
  [
    "of another namespace, that names the team and may have started something",
    { pool: "q", team: "t", isProven: false },
    { namespace: "other", status: { start: start("Pending") } },
    "unsure",
  ],
  [
    "of another namespace, that names the team and has a run",
    { pool: "q", team: "t", isProven: false },
    { namespace: "other", status: { runId: "run-1" } },
    "unsure",
  ],
])("a run object %s is about another job: %o %o %j", (_what, account, { namespace, status }, expected) => {
  const own = new RunCluster(new FakeClock()).create("own", {});
  const other = {
    ...own,
    metadata: { ...own.metadata, name: "other", ...(namespace && { namespace }) },
    ...(status && { status: { observedGeneration: 1, ...status } }),
  };
  const mine = { object: own, account: { pool: "p", team: "t", isProven: true } };
  expect(compareJobs({ object: other, account }, mine)).toBe(expected);
  expect(compareJobs({ object: other, account }, { ...mine, account: undefined })).toBe("unsure");
});

test("two runs of one and the same account are compared without looking into it", () => {
  const object = new RunCluster(new FakeClock()).create("own", {});
  const account: AccountIdentity = {
    get pool(): string {
      throw new Error("looked");
    },
  };
  expect(compareJobs({ object, account }, { object, account })).toBe("same");
});

import { expect, test } from "vitest";
import type { NorthflankJobRun } from "../../../src/api/job-run.ts";
import type { RunIntent, RunState } from "../../../src/controllers/job-run/machine.ts";
import type { NorthflankErrorCode } from "../../../src/northflank/errors.ts";
import type { Outcome } from "../../../src/runtime/outcome.ts";
import { northflankError } from "../../support/fake-northflank.ts";
import { allRunStates, type RunInState, runIn } from "../../support/runs-in-states.ts";
import { changesOf } from "../../support/state-table.ts";

/*
 * Every state of a run (machine.ts) under every intent by everything that may be seen of it, in `table.expected.txt`: what
 * a process comes to that has just started, within a moment, and one that has seen it all.
 *
 *     # active | Ready=Unknown/RunActive ...                  a state, with what its status says
 *     proceed, run failed: get -> RetryingRun, ...            intent, what is seen: calls of Northflank, reason, when it goes on
 *
 * A reconcile that asks nothing and says the same is left out; another one follows after `then`. Then the conditions that
 * change (without a reason that is said already), the fields of status that change, and the Events. No messages. What is seen
 * stands only where it comes to something else than `as it is`. A change of src that changes a line has to say why. To write
 * it anew:
 *
 *     npx vitest run --project unit test/controllers/job-run/table.test.ts -u
 */

const second = 1_000;
const minute = 60 * second;

const intents: Readonly<Record<RunIntent, (story: RunInState) => void>> = {
  proceed: () => undefined,
  suspended: ({ cluster }) => cluster.edit("once", { spec: { suspend: true } }),
  invalid: ({ faults }) => {
    faults.isInvalid = true;
  },
  // Suspended as well, so that nothing is done before the process has seen enough of the deadline.
  expired: ({ cluster }) =>
    cluster.edit("once", { spec: { startDeadlineSeconds: 1, activeDeadlineSeconds: 1, suspend: true } }),
  aborted: ({ cluster }) => cluster.edit("once", { spec: { abort: true } }),
  deleting: ({ cluster }) => {
    cluster.edit("once", { spec: { deletionPolicy: "Orphan" } });
    cluster.delete("default/once");
  },
  cleanup: ({ cluster }) => cluster.delete("default/once"),
};

/** What Northflank shows of the run from now on. */
function showing(status: string, concluded: boolean): (story: RunInState) => void {
  return ({ remote }) => {
    const read = remote.read.bind(remote);
    remote.read = (runId) => {
      const run = read(runId);
      const concludedAt = concluded ? run?.startedAt : undefined;
      return run && { ...run, status, concluded, concludedAt };
    };
  };
}

/** Every read fails so. */
function failing(code: NorthflankErrorCode, httpStatus?: number): (story: RunInState) => void {
  return ({ northflank }) => {
    const error = northflankError(code, httpStatus === undefined ? { sent: false } : { httpStatus });
    for (const method of ["getRun", "listRuns", "getJob"] as const) northflank.failAll(method, error);
  };
}

function noRuns({ remote }: RunInState): void {
  remote.forgetRuns();
}

function requested({ cluster }: RunInState): void {
  cluster.edit("once", { annotations: { "northflank-operator.io/reconcile-requested-at": "now" } });
}

type Sights = Readonly<Record<string, (story: RunInState) => void>>;

/** Under every intent. */
const general: Sights = {
  "no Secret": ({ faults }) => {
    faults.isBlocked = true;
  },
  "no quota": failing("quota_closed"),
  unavailable: failing("server_error", 503),
  "no runs": noRuns,
};

const ofReads: Sights = {
  unauthorized: failing("unauthorized", 401),
  "not found": failing("not_found", 404),
  "no handshake": failing("tls"),
  "another run": ({ remote }) => void remote.startForeign(),
  "a reconcile is requested": requested,
};

const abortRefused: Sights = {
  "abort refused": ({ northflank }) =>
    northflank.failAll("abortRun", northflankError("forbidden", { httpStatus: 403 })),
};

const ofRun: Sights = {
  "run succeeded": showing("SUCCESS", true),
  "run failed": showing("FAILED", true),
  "run aborted": showing("TERMINATED", true),
  "in a state that nobody knows": showing("PONDERING", false),
};

const ofStart: Sights = {
  "start refused for good": ({ remote }) => void remote.refusals.push(northflankError("rejected", { httpStatus: 422 })),
  "start forbidden": ({ remote }) => void remote.refusals.push(northflankError("forbidden", { httpStatus: 403 })),
  "start rate limited": ({ remote }) => void remote.refusals.push(northflankError("rate_limited", { httpStatus: 429 })),
  "answer to the start lost": ({ remote }) => {
    remote.nextMode = "answerLost";
  },
  "another run, concurrencyPolicy Forbid": ({ remote, cluster }) => {
    remote.startForeign();
    cluster.edit("once", { spec: { concurrencyPolicy: "Forbid" } });
  },
};

const answers: Sights = Object.fromEntries(
  ["retry", "fail", "run-1", "nonsense"].map((value) => [
    `resolve-start: ${value}`,
    ({ cluster, remote }: RunInState) => {
      if (value === "run-1") remote.startForeign();
      const run = remote.list("migrate").runs[0]?.id ?? value;
      const text = value === "run-1" ? run : value;
      cluster.edit("once", { annotations: { "northflank-operator.io/resolve-start": text } });
    },
  ]),
);

/** What may be seen beside that in a state, under `proceed` with all kinds of failed reads. */
const sights: Readonly<Record<RunState, Sights>> = {
  idle: ofStart,
  marked: {},
  rejected: {},
  unresolved: answers,
  unknown: answers,
  active: ofRun,
  adopted: ofRun,
  between: ofStart,
  finished: ofRun,
};

function sightsOf(state: RunState, intent: RunIntent): Sights {
  if (intent === "proceed") return { ...general, ...ofReads, ...sights[state] };
  return state === "active" ? { ...general, ...ofRun, ...abortRefused } : general;
}

/** How long after the state, under `proceed`: a start without an answer is searched for only after a while. */
const waits: Readonly<Record<string, number>> = { "": 0, ", 3 min later": 3 * minute };

/** What a process goes by that it remembers, and for how long it is watched then. */
const remembered: Readonly<Record<string, readonly [forMs: number, change: (story: RunInState) => void]>> = {
  "a reconcile is requested": [5 * second, requested],
  "no runs": [7 * minute, noRuns],
  "no runs, startGuarantee AtLeastOnce": [
    7 * minute,
    (story) => {
      noRuns(story);
      story.cluster.edit("once", { spec: { startGuarantee: "AtLeastOnce" } });
    },
  ],
  unavailable: [3 * minute, failing("server_error", 503)],
};

/** How long a process is watched: a deadline counts when it was seen to pass, and the next run comes after a pause. */
function watchedMs(state: RunState, intent: RunIntent): number {
  if (intent === "expired") return 2.5 * second;
  return intent === "proceed" && state === "between" ? 12 * second : 200;
}

/** What comes of all of this. */
async function cell(
  state: RunState,
  intent: RunIntent,
  given: {
    readonly change?: (story: RunInState) => void;
    readonly afterMs: number;
    readonly isSameProcess?: boolean;
    readonly forMs?: number;
  },
): Promise<string> {
  const story = await runIn(state);
  const { isSameProcess = false, afterMs, change, forMs = watchedMs(state, intent) } = given;
  if (!isSameProcess) story.process.kill();
  if (!story.process.isAlive && isSameProcess) return "";
  await story.clock.advance(afterMs);
  intents[intent](story);
  change?.(story);
  const before = story.object().status;
  const calls = story.remote.calls.length;
  if (!isSameProcess) story.restart();
  const { outcomes, events } = story.process;
  const [passes, told] = [outcomes.length, events.length];
  if (isSameProcess) story.process.wake("default/once");
  await story.clock.advance(forMs);
  expect(story.end()).toEqual([]);
  const steps: string[] = [];
  let asked = calls;
  let said = "";
  for (const one of outcomes.slice(passes)) {
    const news = story.remote.calls.slice(asked, one.calls).join(" ");
    const reason = readyOf(one.object);
    if (news !== "" || reason !== said) {
      steps.push(`${news === "" ? "no call" : news} -> ${reason}, ${outcomeText(one.outcome)}`);
    }
    [asked, said] = [one.calls, reason];
  }
  const object = outcomes.at(-1)?.object;
  const changes = object === undefined ? "" : changesOf(before, { object, now: story.clock.now() }, `/${said},`);
  const published = events.slice(told).map(({ event }) => `${event.type} ${event.reason}`);
  return `${timesOf(steps).join("; then ")}${changes}${published.length === 0 ? "" : ` | ${published.join(", ")}`}`;
}

/** What is done several times in a row stands once, with how often. */
function timesOf(steps: readonly string[]): readonly string[] {
  const firsts = steps.flatMap((step, index) => (step === steps[index - 1] ? [] : [index]));
  return firsts.map((first, index) => {
    const count = (firsts[index + 1] ?? steps.length) - first;
    return `${steps[first]}${count === 1 ? "" : `, ${count} times`}`;
  });
}

function readyOf(object: NorthflankJobRun | undefined): string {
  return object?.status?.conditions?.find(({ type }) => type === "Ready")?.reason ?? "gone";
}

function outcomeText(outcome: Outcome): string {
  switch (outcome.kind) {
    case "settled":
      return "settled";
    case "recheck":
      return `recheck in ${Math.round(outcome.afterMs / 100) / 10} s (${outcome.priority})`;
    case "retry":
      return `retry not before ${Math.round((outcome.notBeforeMs ?? 0) / 100) / 10} s`;
  }
}

async function tableOf(state: RunState): Promise<string> {
  const rows: string[] = [];
  for (const intent of Object.keys(intents) as RunIntent[]) {
    const isTimed = intent === "proceed" && (state === "unresolved" || state === "active");
    for (const [wait, afterMs] of Object.entries(isTimed ? waits : { "": intent === "expired" ? 2 * second : 0 })) {
      const asIs = await cell(state, intent, { afterMs });
      rows.push(`${intent}, as it is${wait}: ${asIs}`);
      for (const [name, change] of Object.entries(sightsOf(state, intent))) {
        const line = await cell(state, intent, { change, afterMs });
        if (line !== asIs) rows.push(`${intent}, ${name}${wait}: ${line}`);
      }
    }
    const same = await cell(state, intent, { afterMs: 0, isSameProcess: true });
    if (same !== "") rows.push(`${intent}, the same process: ${same}`);
  }
  for (const [name, [forMs, change]] of Object.entries(remembered)) {
    const same = await cell(state, "proceed", { change, afterMs: 0, isSameProcess: true, forMs });
    if (same !== "") rows.push(`proceed, ${name}, the same process: ${same}`);
  }
  const story = await runIn(state);
  story.end();
  const head = changesOf(undefined, { object: story.object(), now: story.clock.now() }, "");
  return [`# ${state}${head}`, ...rows, ""].join("\n");
}

test("state by intent by what is seen", async () => {
  const blocks: string[] = [];
  for (const state of allRunStates) blocks.push(await tableOf(state));
  await expect(blocks.join("\n")).toMatchFileSnapshot("./table.expected.txt");
}, 120_000);

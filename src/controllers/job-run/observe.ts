import type { NorthflankJobRun } from "../../api/job-run.ts";
import { northflankJobRuns } from "../../api/names.ts";
import type { CallOptions, RequestClass } from "../../northflank/client.ts";
import { isNorthflankError, type NorthflankError } from "../../northflank/errors.ts";
import type { SharedLists } from "../../northflank/shared-lists.ts";
import type { JobRunView, JobView, RunList, RunsNeeded } from "../../northflank/types.ts";
import type { Clock } from "../../util/clock.ts";
import { type Account, type AccountResolution, type Accounts, readerOf } from "../account/accounts.ts";
import { spenderOf } from "../reconcile/spender.ts";
import type { Sibling } from "./concurrency.ts";
import { duplicateIn } from "./duplicate.ts";
import type { Attempt } from "./machine.ts";
import { jobOf } from "./run-request.ts";
import { neededForReadBack, neededForWatch } from "./runs-needed.ts";
import type { notServed, SharedRead } from "./shared-read.ts";
import type { StartRecord } from "./start-record.ts";

/** A read that may fail for reasons that a status can report. */
export type Read<T> =
  | { readonly kind: "read"; readonly value: T }
  | { readonly kind: "failed"; readonly error: NorthflankError };

/** What one read of the run of an attempt has shown. */
export interface RunObservation {
  readonly run: JobRunView | undefined;
  /** Northflank's clock with this answer, in ms since the epoch, where it was sent. */
  readonly serverTimeMs: number | undefined;
  /** A second run of a repeated start, if one is there. Searched for only where the list is read. */
  readonly duplicateRunId: string | undefined;
  /** What the list says of a run that is not there: `complete` proves it, `truncated` does not. */
  readonly absence: "complete" | "truncated" | undefined;
  /** How old it may be, counted from the start of a request that others share; 0 for a request of its own. */
  readonly ageMs: number;
}

/** What polls a run. */
interface RunPoll {
  readonly object: NorthflankJobRun;
  readonly attempt: Attempt;
  readonly siblings: () => readonly Sibling[];
  /** `watch`: a duplicate is searched for as well. `proof`: the list has to show whether the run is gone. */
  readonly reads: "run" | "watch" | "proof";
  /** Where no list has to be read for this run: the one that serves it with others. Missing: it is read alone. */
  readonly shared: SharedRead | undefined;
  /** Called where that list does not serve this run. */
  readonly notListed: (why: keyof typeof notServed) => void;
  readonly lists: Pick<SharedLists, "runs" | "noteRun" | "concludedRun">;
  readonly clock: Pick<Clock, "monotonic">;
  readonly requestClass: RequestClass;
}

/** Reads the run of an attempt: alone, or from the list, where what the list lacks matters. */
export async function observeRun(
  options: RunPoll,
  account: Account,
  signal: AbortSignal,
): Promise<Read<RunObservation>> {
  const { object, attempt } = options;
  const call: CallOptions = { class: options.requestClass, spender: spenderOf(northflankJobRuns, object), signal };
  if (options.reads === "run") {
    const { shared } = options;
    return shared === undefined
      ? await readAlone(options, account, call)
      : await readShared({ ...options, shared }, account, call);
  }
  if (options.reads === "watch") return await readForWatch(options, account, call);
  const read = await observeRuns(object, account, { ...call, needs: wholeList });
  if (read.kind === "failed") {
    // No job, no run.
    if (!isNorthflankError(read.error, "not_found", "gone")) return read;
    const nothing = { run: undefined, serverTimeMs: undefined, duplicateRunId: undefined } as const;
    return observed({ ...nothing, absence: "complete", ageMs: 0 });
  }
  const { runs, serverTimeMs, truncated } = read.value;
  return observed({
    run: runs.find(({ id }) => id === attempt.runId),
    serverTimeMs,
    duplicateRunId: duplicateIn(object, read.value, options.siblings()),
    absence: truncated ? "truncated" : "complete",
    ageMs: 0,
  });
}

async function readAlone(poll: RunPoll, account: Account, call: CallOptions): Promise<Read<RunObservation>> {
  const { object, attempt, lists, clock } = poll;
  const { runId } = attempt;
  const none = { serverTimeMs: undefined, duplicateRunId: undefined, absence: undefined } as const;
  // A list that was read for others has shown the end: the last of them is alone only because the others are over.
  const ended = lists.concludedRun(readerOf(account), jobOf(object), runId);
  if (ended !== undefined) return observed({ ...none, run: ended, ageMs: 0 });
  const startedAtMs = clock.monotonic();
  const read = await reading(account.api.getRun({ ...jobOf(object), runId }, call));
  if (read.kind === "failed") return read;
  const { value: run } = read;
  lists.noteRun(readerOf(account), jobOf(object), { id: runId, startedAtMs, entry: run });
  return observed({ ...none, run, serverTimeMs: run?.serverTimeMs, ageMs: 0 });
}

/** By the list that serves several runs; alone where that does not show this one. */
async function readShared(
  poll: RunPoll & { readonly shared: SharedRead },
  account: Account,
  call: CallOptions,
): Promise<Read<RunObservation>> {
  const { object, attempt, shared, notListed, lists, clock } = poll;
  const read = await reading(lists.runs(readerOf(account), jobOf(object), { ...shared, ...call }));
  if (read.kind === "failed") {
    if (isOfQuotaOrToken(read.error)) return read;
    // Whatever is wrong with the list, a run of its own can still be read, with the next try at the latest.
    const isOfList = isNorthflankError(read.error, ...listOnly);
    notListed(isOfList ? "refused" : "failed");
    return isOfList ? await readAlone(poll, account, call) : read;
  }
  const { value: list } = read;
  const { entry: run, startedAtMs } = list.get(attempt.runId);
  if (run === undefined) {
    // The list may be cut, or lag, or be from before the start: that a run is not in it proves nothing.
    if (!list.isComplete) notListed("beyond");
    return await readAlone(poll, account, call);
  }
  const { serverTimeMs } = list;
  const ageMs = clock.monotonic() - startedAtMs;
  return observed({ run, serverTimeMs, duplicateRunId: undefined, absence: undefined, ageMs });
}

/** Errors of a list of runs that a read of one run need not have. */
const listOnly = ["forbidden", "not_found", "gone", "wrong_method", "rejected", "protocol"] as const;

function isOfQuotaOrToken(error: NorthflankError): boolean {
  return isNorthflankError(error, "quota_closed", "rate_limited", "unauthorized");
}

/** Only a list that was read to its end proves that a run is not there. */
const wholeList: RunsNeeded = { isEnough: () => false };

async function readForWatch(
  { object, attempt, siblings }: Parameters<typeof observeRun>[0],
  account: Account,
  call: CallOptions,
): Promise<Read<RunObservation>> {
  const read = await observeRuns(object, account, { ...call, ...neededBy(object, neededForWatch) });
  if (read.kind === "failed") return read;
  const { runs, serverTimeMs } = read.value;
  const duplicateRunId = duplicateIn(object, read.value, siblings());
  const listed = runs.find(({ id }) => id === attempt.runId);
  const common = { serverTimeMs, duplicateRunId, absence: undefined, ageMs: 0 } as const;
  if (listed !== undefined) return observed({ ...common, run: listed });
  // The list may be cut, or lag: that a run is not in it proves nothing.
  const alone = await reading(account.api.getRun({ ...jobOf(object), runId: attempt.runId }, call));
  if (alone.kind === "failed") return alone;
  return observed({ ...common, run: alone.value });
}

function observed(value: RunObservation): Read<RunObservation> {
  return { kind: "read", value };
}

/** What the list has to hold for the start of this object. */
function neededBy(
  { status }: NorthflankJobRun,
  needed: (start: StartRecord) => RunsNeeded,
): { readonly needs?: RunsNeeded } {
  return status?.start === undefined ? {} : { needs: needed(status.start) };
}

/** The runs of the job, back to where the present start was recorded. */
export async function observeRuns(
  object: NorthflankJobRun,
  account: Account,
  options: CallOptions & { readonly needs?: RunsNeeded },
): Promise<Read<RunList>> {
  const call = { ...neededBy(object, neededForReadBack), ...options };
  return await reading(account.api.listRuns(jobOf(object), call));
}

/** The job itself; `undefined` where the token may not read it, or it is gone. */
export async function observeJob(
  object: NorthflankJobRun,
  account: Account,
  signal: AbortSignal,
): Promise<Read<JobView | undefined>> {
  const call = { class: "run", spender: spenderOf(northflankJobRuns, object), signal } as const;
  const read = await reading(account.api.getJob(jobOf(object), call));
  const isUnknown = read.kind === "failed" && isNorthflankError(read.error, "forbidden", "not_found", "gone");
  return isUnknown ? { kind: "read", value: undefined } : read;
}

/** One run by its id, for a person who named it. */
export async function observeNamedRun(
  object: NorthflankJobRun,
  runId: string,
  account: Account,
  signal: AbortSignal,
): Promise<Read<JobRunView | undefined>> {
  const call = { class: "change", spender: spenderOf(northflankJobRuns, object), signal } as const;
  return await reading(account.api.getRun({ ...jobOf(object), runId }, call));
}

/**
 * Does a read with the account of the object. A token that is refused is read anew, and if it has changed the read is
 * done once more.
 */
export async function withFreshToken<T>(
  context: {
    readonly accounts: Accounts;
    readonly account: Account;
    readonly resolve: () => Promise<AccountResolution>;
  },
  read: (account: Account) => Promise<Read<T>>,
): Promise<Read<T>> {
  const first = await read(context.account);
  if (first.kind === "read" || first.error.code !== "unauthorized") return first;
  context.accounts.tokenRejected(context.account);
  const again = await context.resolve();
  if (again.kind === "blocked" || again.account === context.account) return first;
  return await read(again.account);
}

/** Turns the errors that a status can report into data. */
export async function reading<T>(call: Promise<T>): Promise<Read<T>> {
  try {
    return { kind: "read", value: await call };
  } catch (error) {
    if (isNorthflankError(error)) return { kind: "failed", error };
    throw error;
  }
}

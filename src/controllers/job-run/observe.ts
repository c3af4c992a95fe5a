import type { NorthflankJobRun } from "../../api/job-run.ts";
import type { CallOptions } from "../../northflank/client.ts";
import { isNorthflankError, type NorthflankError } from "../../northflank/errors.ts";
import type { JobRunView, RunList, RunsNeeded } from "../../northflank/types.ts";
import type { Account, AccountResolution, Accounts } from "../shared/accounts.ts";
import { runIdsOf, type Sibling } from "./concurrency.ts";
import type { Attempt, StartRecord } from "./machine.ts";
import type { RunMemory } from "./memory.ts";
import { candidatesOf, type Reach } from "./read-back.ts";
import { neededForReadBack, neededForWatch } from "./runs-needed.ts";
import { jobOf } from "./start.ts";

/** A read that may fail for reasons that a status can tell. */
export type Read<T> =
  | { readonly kind: "read"; readonly value: T }
  | { readonly kind: "failed"; readonly error: NorthflankError };

/** The run of an attempt; a run that is not there is counted, because a single read may lag. */
export interface RunObservation {
  readonly run: JobRunView | undefined;
  readonly missingReads: number;
  /** A second run of a repeated start, if one is there. Looked for only while that can still turn up. */
  readonly duplicateRunId: string | undefined;
}

/** Reads the run of an attempt, from the list where a duplicate is looked for as well. */
export async function observeRun(
  options: {
    readonly object: NorthflankJobRun;
    readonly attempt: Attempt;
    readonly memory: RunMemory;
    readonly siblings: readonly Sibling[];
    readonly watchesForDuplicate: boolean;
  },
  account: Account,
  signal: AbortSignal,
): Promise<Read<RunObservation>> {
  const { object, attempt, memory, watchesForDuplicate } = options;
  const call: CallOptions = { class: "run", signal };
  if (!watchesForDuplicate) {
    const read = await reading(account.api.getRun({ ...jobOf(object), runId: attempt.runId }, call));
    if (read.kind === "failed") return read;
    return found(memory, read.value, undefined);
  }
  const read = await observeRuns(object, account, { ...call, ...neededBy(object, neededForWatch) });
  if (read.kind === "failed") return read;
  const listed = read.value.runs.find(({ id }) => id === attempt.runId);
  const duplicateRunId = duplicateIn(object, read.value, options.siblings);
  if (listed !== undefined) return found(memory, listed, duplicateRunId);
  // The list may be cut, or lag: that a run is not in it proves nothing.
  const alone = await reading(account.api.getRun({ ...jobOf(object), runId: attempt.runId }, call));
  return alone.kind === "failed" ? alone : found(memory, alone.value, duplicateRunId);
}

function found(
  memory: RunMemory,
  run: JobRunView | undefined,
  duplicateRunId: string | undefined,
): Read<RunObservation> {
  memory.missingReads = run === undefined ? memory.missingReads + 1 : 0;
  return { kind: "read", value: { run, missingReads: memory.missingReads, duplicateRunId } };
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

/** One run by its id, for a person who named it. */
export async function observeNamedRun(
  object: NorthflankJobRun,
  runId: string,
  account: Account,
  signal: AbortSignal,
): Promise<Read<JobRunView | undefined>> {
  return await reading(account.api.getRun({ ...jobOf(object), runId }, { class: "change", signal }));
}

/** A run that the start before the present one may have started. */
export function duplicateIn(object: NorthflankJobRun, list: RunList, siblings: readonly Sibling[]): string | undefined {
  const start = object.status?.start;
  if (start === undefined) return undefined;
  const claimed = runIdsOf([object, ...siblings.map((sibling) => sibling.object)]);
  return candidatesOf({ start, list, claimed, reach: duplicateReach })[0]?.id;
}

/** L: how long a repeated start is watched for the run of the start before it. */
export const duplicateWatchMs = 600_000;

// A request that was held up on its way: the run is only reported, so it counts for as long as it is watched for.
const duplicateReach: Reach = { untilMs: duplicateWatchMs, countsTimeless: true };

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

/** Turns the errors that a status can tell into data. */
async function reading<T>(call: Promise<T>): Promise<Read<T>> {
  try {
    return { kind: "read", value: await call };
  } catch (error) {
    if (isNorthflankError(error)) return { kind: "failed", error };
    throw error;
  }
}

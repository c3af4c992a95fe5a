// pure
import { booleanOf, listOf, objectOf, textOf } from "./json.ts";
import { nameProblem } from "./names.ts";
import type { JobRunView } from "./types.ts";

/** Reads one run; `undefined` when it has no usable id. An unknown status is kept word for word. */
export function toRunView(data: unknown): JobRunView | undefined {
  const run = objectOf(data);
  const id = readableRunId(run?.id);
  if (run === undefined || id === undefined) return undefined;
  const status = (textOf(run.status) ?? "UNKNOWN").slice(0, 64);
  return {
    id,
    runName: textOf(run.runName),
    status,
    // Without the flag, only the two words that everybody treats as final are final: anything else may still run.
    concluded: booleanOf(run.concluded) ?? (status === "SUCCESS" || status === "FAILED"),
    startedAt: textOf(run.startedAt),
    concludedAt: textOf(run.concludedAt),
  };
}

/** A run id that may go into a path; `undefined` for anything else. */
export function readableRunId(value: unknown): string | undefined {
  return typeof value === "string" && nameProblem("run", value) === undefined ? value : undefined;
}

/** One page of "list runs". */
export interface RunPage {
  readonly runs: readonly JobRunView[];
  /** Where the next page begins; `undefined` on the last one. */
  readonly cursor: string | undefined;
  /** There is a next page, whether or not it says where. */
  readonly hasNext: boolean;
}

/** Reads one page of "list runs"; `undefined` when it is not one. Entries that are no runs are left out. */
export function toRunPage(answer: unknown): RunPage | undefined {
  const envelope = objectOf(answer);
  const runs = listOf(objectOf(envelope?.data)?.runs);
  if (runs === undefined) return undefined;
  const pagination = objectOf(envelope?.pagination);
  const hasNext = booleanOf(pagination?.hasNextPage) ?? false;
  return {
    runs: runs.map(toRunView).filter((run) => run !== undefined),
    cursor: hasNext ? textOf(pagination?.cursor) : undefined,
    hasNext,
  };
}

/** Joins pages: every run once (as it was seen last), newest first by start, those without a start at the end. */
export function mergeRuns(pages: readonly (readonly JobRunView[])[]): readonly JobRunView[] {
  const byId = new Map<string, JobRunView>();
  for (const run of pages.flat()) byId.set(run.id, run);
  return [...byId.values()].sort((a, b) => startOf(b) - startOf(a));
}

function startOf(run: JobRunView): number {
  const ms = Date.parse(run.startedAt ?? "");
  return Number.isNaN(ms) ? 0 : ms;
}

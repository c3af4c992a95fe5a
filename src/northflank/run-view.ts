// pure
import { booleanOf, objectOf, textOf } from "./json.ts";
import { nameProblem } from "./names.ts";
import { joinPages, newestFirst, type Page, toPage } from "./paging.ts";
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
    // Without the flag, only the two words that are always final count as final: anything else may still run.
    concluded: booleanOf(run.concluded) ?? (status === "SUCCESS" || status === "FAILED"),
    startedAt: textOf(run.startedAt),
    concludedAt: textOf(run.concludedAt),
  };
}

/** A run id that may go into a path; `undefined` for anything else. */
export function readableRunId(value: unknown): string | undefined {
  return typeof value === "string" && nameProblem("run", value) === undefined ? value : undefined;
}

/** Reads one page of "list runs"; `undefined` when it is not one. Entries that are no runs are left out. */
export function toRunPage(answer: unknown): Page<JobRunView> | undefined {
  return toPage(answer, "runs", toRunView);
}

/** When it started, in milliseconds of Northflank's clock; `undefined` where that is not returned. */
export function runStartMs({ startedAt }: Pick<JobRunView, "startedAt">): number | undefined {
  const ms = Date.parse(startedAt ?? "");
  return Number.isNaN(ms) ? undefined : ms;
}

/** Runs that are listed in the order of their creation start a little later each, and not always in that order. */
export const runOrderToleranceMs = 120_000;

/** Joins pages: every run once (as it was seen last), newest first by start, those without a start at the end. */
export function mergeRuns(pages: readonly (readonly JobRunView[])[]): readonly JobRunView[] {
  return joinPages(pages).sort(newestFirst(({ startedAt }) => startedAt));
}

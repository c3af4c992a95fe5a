// pure
import { booleanOf, listOf, objectOf, textOf, wholeNumberOf } from "./json.ts";
import { nameProblem } from "./names.ts";
import type { BuildView } from "./types.ts";

/** States of a build that is over without an image. Every other word but `SUCCESS` may still become one. */
const failedStates: ReadonlySet<string> = new Set(["FAILURE", "ABORTED", "SUBMISSION_FAILURE", "CRASHED"]);

/** Reads one build; `undefined` when it has no usable id. An unknown status is kept word for word. */
export function toBuildView(data: unknown): BuildView | undefined {
  const build = objectOf(data);
  const id = textOf(build?.id);
  if (build === undefined || id === undefined || nameProblem("build", id) !== undefined) return undefined;
  const status = (textOf(build.status) ?? "UNKNOWN").slice(0, 64);
  return {
    id,
    branch: textOf(build.branch),
    sha: textOf(build.sha)?.toLowerCase(),
    status,
    outcome: outcomeOf(status, booleanOf(build.concluded), booleanOf(build.success)),
    createdAt: textOf(build.createdAt),
    // Unix seconds, unlike every other time of the API.
    concludedAtMs: millisecondsOf(build.buildConcludedAt),
  };
}

/** The words decide where they are known; the two flags decide about words that Northflank may add. */
function outcomeOf(status: string, concluded: boolean | undefined, success: boolean | undefined): BuildView["outcome"] {
  if (status === "SUCCESS") return "succeeded";
  if (failedStates.has(status)) return "failed";
  if (concluded !== true) return "active";
  return success === true ? "succeeded" : "failed";
}

function millisecondsOf(value: unknown): number | undefined {
  const seconds = wholeNumberOf(value);
  return seconds === undefined || seconds <= 0 || seconds > 1e11 ? undefined : seconds * 1_000;
}

/** One page of "list builds". */
export interface BuildPage {
  readonly items: readonly BuildView[];
  /** Where the next page begins; `undefined` on the last one. */
  readonly cursor: string | undefined;
  /** There is a next page, whether or not it says where. */
  readonly hasNext: boolean;
}

/** Reads one page of "list builds"; `undefined` when it is not one. Entries that are no builds are left out. */
export function toBuildPage(answer: unknown): BuildPage | undefined {
  const envelope = objectOf(answer);
  const builds = listOf(objectOf(envelope?.data)?.builds);
  if (builds === undefined) return undefined;
  const pagination = objectOf(envelope?.pagination);
  const hasNext = booleanOf(pagination?.hasNextPage) ?? false;
  return {
    items: builds.map(toBuildView).filter((build) => build !== undefined),
    cursor: hasNext ? textOf(pagination?.cursor) : undefined,
    hasNext,
  };
}

/** Joins pages: every build once (as it was seen last), newest first by its start, those without one at the end. */
export function mergeBuilds(pages: readonly (readonly BuildView[])[]): readonly BuildView[] {
  const byId = new Map<string, BuildView>();
  for (const build of pages.flat()) byId.set(build.id, build);
  return [...byId.values()].sort((a, b) => startOf(b) - startOf(a));
}

function startOf({ createdAt }: BuildView): number {
  const ms = Date.parse(createdAt ?? "");
  return Number.isNaN(ms) ? 0 : ms;
}

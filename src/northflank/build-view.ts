// pure
import { booleanOf, objectOf, textOf, wholeNumberOf } from "./json.ts";
import { nameProblem } from "./names.ts";
import { joinPages, newestFirst, type Page, toPage } from "./paging.ts";
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

/** Reads one page of "list builds"; `undefined` when it is not one. Entries that are no builds are left out. */
export function toBuildPage(answer: unknown): Page<BuildView> | undefined {
  return toPage(answer, "builds", toBuildView);
}

/** Joins pages: every build once (as it was seen last), newest first by its start, those without one at the end. */
export function mergeBuilds(pages: readonly (readonly BuildView[])[]): readonly BuildView[] {
  return joinPages(pages).sort(newestFirst(({ createdAt }) => createdAt));
}

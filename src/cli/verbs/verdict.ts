// pure
import { northflankJobRuns } from "../../api/names.ts";
import { conditionAt, isObserved, type ReadObject, textAt } from "./fields.ts";

/** What the status of an object says about the end that a person waits for. */
export type Verdict =
  /** `word`: what it is, such as `ready`. */
  | { readonly kind: "reached" | "failed"; readonly word: string; readonly detail: string }
  /** Not decided; `detail` says where it stands. */
  | { readonly kind: "open"; readonly detail: string; readonly isUnobserved?: true };

/** What is waited for. */
export interface Goal {
  /** Only a status counts that has handled this reconcile request. */
  readonly handledRequest?: string;
  /** The end of a run, whatever it is, is what is wanted. */
  readonly isAnyEnd?: boolean;
}

const unobserved = "the operator has not observed the present generation yet";

/**
 * Judges an object: ready or succeeded, failed (`Stalled`, `Succeeded` is False), or open. A status of another generation
 * says nothing, and neither does one that has not handled the request of the goal.
 */
export function judge(object: ReadObject, goal: Goal = {}): Verdict {
  if (!isObserved(object)) return { ...open(unobserved), isUnobserved: true };
  const isRun = object.kind === northflankJobRuns.kind;
  const succeeded = isRun ? conditionAt(object, "Succeeded") : undefined;
  if (succeeded?.status === "True") return { kind: "reached", word: "succeeded", detail: detailOf(succeeded) };
  if (succeeded?.status === "False") {
    const word = textAt(object, "status", "phase") === "Aborted" ? "aborted" : "failed";
    return { kind: goal.isAnyEnd === true ? "reached" : "failed", word, detail: detailOf(succeeded) };
  }
  if (goal.handledRequest !== undefined && textAt(object, "status", "lastHandledReconcileAt") !== goal.handledRequest) {
    return open(`the request is not handled yet${placeText(object)}`);
  }
  const stalled = conditionAt(object, "Stalled");
  const ready = conditionAt(object, "Ready");
  if (stalled?.status === "True") return { kind: "failed", word: "stalled", detail: detailOf(ready ?? stalled) };
  if (object.metadata.deletionTimestamp !== undefined) return open("it is being deleted");
  if (!isRun && ready?.status === "True") return { kind: "reached", word: "ready", detail: detailOf(ready) };
  return open(ready === undefined ? "it has no condition Ready" : detailOf(ready));
}

/** What is said of an object that was deleted before it was ready. */
export function judgeDeleted(last: ReadObject, goal: Goal = {}): Verdict {
  const verdict = judge(last, goal);
  // A run that is over may be deleted at once (ttlSecondsAfterFinished: 0): its end counts.
  if (verdict.kind !== "open") return verdict;
  return { kind: "failed", word: "deleted", detail: `before that: ${verdict.detail}` };
}

function open(detail: string): Verdict & { readonly kind: "open" } {
  return { kind: "open", detail };
}

function placeText(object: ReadObject): string {
  const ready = conditionAt(object, "Ready");
  return ready === undefined ? "" : `; ${detailOf(ready)}`;
}

function detailOf({ reason, message }: { readonly reason: string; readonly message: string }): string {
  return `${reason}: ${message}`;
}

// pure
import { fluxRequestedAt, northflankJobRuns, reconcileRequestedAt, resolveStart } from "../../api/names.ts";
import type { EditDecision } from "./edit.ts";
import { conditionAt, type ReadObject, textAt, timeAt, valueAt } from "./fields.ts";

/**
 * The value of a new reconcile request: the present time, and later than a request of Flux, which would count otherwise.
 */
export function newRequest(object: ReadObject, now: number): string {
  const fluxMs = timeAt(object, "metadata", "annotations", fluxRequestedAt) ?? Number.NEGATIVE_INFINITY;
  return new Date(Math.max(now, fluxMs + 1)).toISOString();
}

/** `reconcile`: `request` is a new value of the annotation. */
export function decideReconcile(object: ReadObject, request: string): EditDecision {
  const deleting = refusedDeletion(object);
  if (deleting !== undefined) return deleting;
  if (valueAt(object, "spec", "suspend") === true) return refuse("is suspended; resume it first");
  if (isOver(object)) return refuse(`has ended (${endOf(object)}); start another run`);
  if (textAt(object, "metadata", "annotations", reconcileRequestedAt) === request)
    return nothing("reconcile requested");
  return patch({ metadata: { annotations: { [reconcileRequestedAt]: request } } }, "reconcile requested");
}

/** `suspend` and `resume`. */
export function decideSuspend(object: ReadObject, suspend: boolean): EditDecision {
  const isSuspended = valueAt(object, "spec", "suspend") === true;
  if (isSuspended === suspend) return nothing(suspend ? "is suspended already" : "is not suspended");
  if (suspend && isOver(object)) return refuse(`has ended (${endOf(object)})`);
  return patch({ spec: { suspend } }, suspend ? "suspended" : "resumed");
}

/** `abort` */
export function decideAbort(object: ReadObject): EditDecision {
  if (isOver(object)) return refuse(`has ended (${endOf(object)})`);
  if (valueAt(object, "spec", "abort") === true) return nothing("abort was requested already");
  return patch({ spec: { abort: true } }, "abort requested");
}

/** What a person says of a start whose outcome is unknown: a run, or a word. */
export type Answer = { readonly kind: "run"; readonly runId: string } | { readonly kind: "retry" | "fail" };

/**
 * `resolve`: only for a start whose outcome is unknown, or whose connection uses another account now. A word that was
 * handled before is set with a number behind it, as another value: `retry@2`.
 */
export function decideResolve(object: ReadObject, answer: Answer): EditDecision {
  if (isOver(object)) return refuse(`has ended (${endOf(object)})`);
  if (!isUndecided(object)) return refuse("has no start whose outcome is unknown");
  const word = answer.kind === "run" ? answer.runId : answer.kind;
  const handled = textAt(object, "status", "lastHandledResolveStart");
  const present = textAt(object, "metadata", "annotations", resolveStart)?.trim();
  if (present !== undefined && present !== handled && wordOf(present) === word)
    return nothing(`resolve-start is ${present} already`);
  const value = nextValue(word, handled);
  return patch({ metadata: { annotations: { [resolveStart]: value } } }, `resolve-start set to ${value}`);
}

function nextValue(word: string, handled: string | undefined): string {
  if (handled === undefined || wordOf(handled) !== word) return word;
  const count = Number(/@(\d{1,9})$/.exec(handled)?.[1] ?? 1);
  return `${word}@${count + 1}`;
}

function wordOf(value: string): string {
  return value.split("@")[0] ?? "";
}

function isUndecided(object: ReadObject): boolean {
  if (textAt(object, "status", "unknownStartId") !== undefined) return true;
  if (conditionAt(object, "Started")?.reason === "StartOutcomeUnknown") return true;
  const isPending = textAt(object, "status", "start", "outcome") === "Pending";
  return isPending && conditionAt(object, "Ready")?.reason === "AccountChanged";
}

/** A run that has ended, whatever the result. */
function isOver(object: ReadObject): boolean {
  if (object.kind !== northflankJobRuns.kind) return false;
  return textAt(object, "status", "completionTime") !== undefined;
}

function endOf(object: ReadObject): string {
  return conditionAt(object, "Succeeded")?.reason ?? textAt(object, "status", "phase") ?? "ended";
}

function refusedDeletion(object: ReadObject): EditDecision | undefined {
  return object.metadata.deletionTimestamp === undefined ? undefined : refuse("is being deleted");
}

function patch(body: Readonly<Record<string, object>>, done: string): EditDecision {
  return { kind: "patch", body, done };
}

function nothing(done: string): EditDecision {
  return { kind: "nothing", done };
}

function refuse(why: string): EditDecision {
  return { kind: "refuse", why };
}

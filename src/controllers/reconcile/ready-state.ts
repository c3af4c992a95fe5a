// pure
import type { Reason } from "../../api/reasons.ts";
import type { Condition } from "../../kube/types.ts";
import type { ConditionDraft } from "../../runtime/conditions.ts";
import { findCondition } from "../../runtime/conditions.ts";
import { assertNever } from "../../util/assert-never.ts";
import { formatDuration } from "../../util/duration.ts";
import { plainMessage } from "./docs-address.ts";
import type { Pause, Requeue } from "./requeue.ts";

/**
 * What a reconcile concluded about its object, before it is spelled as conditions. Closed, so that every state of every
 * kind has one of six shapes that kstatus (Flux, `kubectl wait`, `helm --wait`) and Argo CD read rightly.
 *
 * | kind          | Ready                | Reconciling                | Stalled       | kstatus     |
 * |---------------|----------------------|----------------------------|---------------|-------------|
 * | `ready`       | True, reason         | -                          | -             | Current     |
 * | `progressing` | Unknown, reason      | True, Progressing          | -             | InProgress  |
 * | `retrying`    | False, reason        | True, ProgressingWithRetry | -             | InProgress  |
 * | `waiting`     | True stays, if it was for this spec, else Unknown with reason | only with Unknown | - | unchanged, else InProgress |
 * | `stalled`     | False, reason        | -                          | True, reason  | Failed      |
 * | `suspended`   | unchanged if it was True for this spec, else False/Suspended | - | - | unchanged, else InProgress |
 *
 * A transient failure after the object was ready keeps the message honest: `retrying` says Ready=False. A 429 or an
 * empty ledger is never a failure: it is `waiting`.
 */
export interface ReadyState {
  readonly kind: "ready" | "progressing" | "retrying" | "waiting" | "stalled" | "suspended";
  readonly reason: Reason;
  /** What is, and why or what to do about it. What happens next is added from the requeue. */
  readonly message: string;
}

/** What an object needs is not there or not usable now: what is said of that, and when it is checked again. */
export interface Blocked {
  readonly kind: "blocked";
  readonly readyState: ReadyState;
  readonly recheckAfterMs: number;
  readonly pause?: Pause;
}

/** What a condition beside the summary says now. `as-before`: nothing new is known, so it stays as it is. */
export type ConditionUpdate =
  | { readonly status: "True" | "False" | "Unknown"; readonly reason: Reason; readonly message: string }
  | "as-before";

/** The condition after an update; for `as-before` the one before, or Unknown with `unknown` where there is none. */
export function updatedCondition(
  type: string,
  update: ConditionUpdate,
  before: Condition | undefined,
  unknown: { readonly reason: Reason; readonly message: string },
): ConditionDraft {
  if (update !== "as-before") return { type, ...update };
  return before === undefined ? { type, status: "Unknown", ...unknown } : draftOf(before);
}

/** The types of the conditions that {@link summaryConditions} makes. */
export const summaryTypes: readonly string[] = ["Ready", "Reconciling", "Stalled", "Suspended"];

/**
 * The conditions `Ready`, `Reconciling`, `Stalled` and `Suspended` for a ready state. Kinds append their own after
 * these.
 *
 * `waiting` and `suspended` keep an earlier `Ready=True` only when it is about what is declared now: for
 * `generation`, the present one, or for an older generation when the caller says with `sameDesire: true` that what
 * matters to Ready has not changed since (setting `suspend` raises the generation too). `sameDesire: false` says that
 * it has changed, whatever the generation.
 *
 * *Guarantees*: Ready always; Reconciling and Stalled never both; Stalled only with Ready=False; Ready=Unknown only
 * with Reconciling.
 */
export function summaryConditions(options: {
  readonly readyState: ReadyState;
  /** When the object is reconciled again: the last sentence of the message. */
  readonly next: Requeue;
  readonly previous: readonly Condition[] | undefined;
  readonly generation: number;
  readonly sameDesire?: boolean;
}): readonly ConditionDraft[] {
  const { readyState, generation } = options;
  const { reason } = readyState;
  const next = followUp(readyState.kind, options.next);
  const message = next === undefined ? readyState.message : `${readyState.message} ${next}`;
  const before = findCondition(options.previous, "Ready");
  const isAboutThis = options.sameDesire ?? before?.observedGeneration === generation;
  const keptReady = before?.status === "True" && isAboutThis ? before : undefined;
  const reconciling = (why: string): ConditionDraft => ({ type: "Reconciling", status: "True", reason: why, message });
  switch (readyState.kind) {
    case "ready":
      return [{ type: "Ready", status: "True", reason, message }];
    case "progressing":
      return [{ type: "Ready", status: "Unknown", reason, message }, reconciling("Progressing")];
    case "retrying":
      return [{ type: "Ready", status: "False", reason, message }, reconciling("ProgressingWithRetry")];
    case "waiting":
      if (keptReady !== undefined) return [draftOf(keptReady)];
      return [{ type: "Ready", status: "Unknown", reason, message }, reconciling("Progressing")];
    case "stalled":
      return [
        { type: "Ready", status: "False", reason, message },
        { type: "Stalled", status: "True", reason, message },
      ];
    case "suspended": {
      const suspended: ConditionDraft = { type: "Suspended", status: "True", reason: "Suspended", message };
      if (keptReady !== undefined) return [draftOf(keptReady), suspended];
      return [{ type: "Ready", status: "False", reason, message }, suspended];
    }
    default:
      return assertNever(readyState.kind, "readyState");
  }
}

/** A condition as it was decided. */
export function draftOf({ type, status, reason, message }: Condition): ConditionDraft {
  return { type, status, reason, message: plainMessage(message) };
}

/**
 * The last sentence of a message: what the operator does next by itself. Undefined where that is nothing, or goes
 * without saying: what is ready is checked for drift. Only conditions have it: an Event stands for an hour, and a plan
 * has no operator behind it.
 */
export function followUp(kind: ReadyState["kind"], next: Requeue): string | undefined {
  if (kind === "ready" || kind === "suspended") return undefined;
  switch (next.kind) {
    case "never":
      return kind === "stalled" ? "No retry until the object changes." : undefined;
    case "backoff":
      return "Retrying with back-off.";
    case "again":
      return undefined;
    case "recheck":
      return next.pause === undefined
        ? undefined
        : pauseText(kind === "stalled" ? "Next check" : "Retrying", next.pause);
    default:
      return assertNever(next, "requeue");
  }
}

function pauseText(what: string, pause: Pause): string {
  if ("inMs" in pause) return `${what} in ${formatDuration(pause.inMs)}.`;
  if ("withinMs" in pause) return `${what} within ${formatDuration(pause.withinMs)}.`;
  const [firstMs, longestMs] = pause.everyMs;
  return `Polled every ${formatDuration(firstMs)} to ${formatDuration(longestMs)}.`;
}

/** Reasons that speak of the spec, its references or its account, whatever the kind. */
const notAccepted: ReadonlySet<Reason> = new Set([
  "InvalidSpec",
  "ConnectionNotFound",
  "ProjectNotAllowed",
  "SecretNotFound",
  "SecretKeyMissing",
  "SecretInvalid",
]);

/** The condition `Accepted`: False with the reason of the ready state if that is one of the above or the kind's own. */
export function acceptedCondition(
  { reason, message }: ReadyState,
  kind: { readonly reasons: ReadonlySet<Reason>; readonly accepted: string },
): ConditionDraft {
  const isAccepted = !notAccepted.has(reason) && !kind.reasons.has(reason);
  return isAccepted
    ? { type: "Accepted", status: "True", reason: "Accepted", message: kind.accepted }
    : { type: "Accepted", status: "False", reason, message };
}

interface Judged {
  readonly metadata: { readonly generation?: number };
  readonly status?: { readonly observedGeneration?: number; readonly conditions?: readonly Condition[] } | undefined;
}

/** Ready for what is declared now. */
export function isSettled({ metadata, status }: Judged): boolean {
  const ready = findCondition(status?.conditions, "Ready");
  return ready?.status === "True" && status?.observedGeneration === metadata.generation;
}

/** The reason of Ready at the end of the last reconcile. */
export function readyReason({ status }: Pick<Judged, "status">): string | undefined {
  return findCondition(status?.conditions, "Ready")?.reason;
}

/** The message with one more clause in its last sentence: a condition has at most three sentences. */
export function withClause(message: string, clause: string): string {
  return `${message.replace(/\.$/, "")}; ${clause}`;
}

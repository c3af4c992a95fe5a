import type { Misfits } from "../api/misfits.ts";
import type { EventDraft, EventSink } from "../controllers/reconcile/events.ts";
import { invalidSpecMessage, type SpecProblem } from "../controllers/reconcile/spec-validation.ts";
import { isFailedCall, isKubeError, KubeError } from "../kube/errors.ts";
import type { KubeObject } from "../kube/types.ts";
import { isNorthflankError } from "../northflank/errors.ts";
import type { Reconcile } from "../runtime/controller.ts";
import type { ObjectKey, Outcome } from "../runtime/outcome.ts";
import type { WatchedKind } from "../runtime/watched-kind.ts";
import { type BackoffPolicy, backoffDelayMs } from "../util/backoff.ts";
import { toError } from "../util/errors.ts";
import type { Random } from "../util/random.ts";

/** An object of any kind of ours, as it is cached. */
export interface StoredObject extends KubeObject {
  readonly spec: unknown;
  readonly misfits?: Misfits;
}

export interface FailureDeps<T extends StoredObject> {
  readonly store: { get(key: ObjectKey): T | undefined };
  /** The kinds without which nothing can be said about an object of their namespace. */
  readonly needs: readonly Pick<WatchedKind<never>, "covers">[];
  readonly validate: (object: StoredObject) => readonly SpecProblem[];
  /** Why this object cannot be reconciled at all, whatever its state; `undefined` when it can. */
  readonly obstacle?: (object: T) => string | undefined;
  readonly events: EventSink;
  readonly random: Random;
}

/** An invalid object is enqueued when it is changed: these retries are the safety net below. */
const refusedPolicy: BackoffPolicy = { baseMs: 30_000, factor: 2, capMs: 900_000, jitter: 0.2 };

/**
 * Contains the failures of one object: a reconcile that fails on what is stored costs that object alone, is retried with
 * back-off, and is reported to its users. A status cannot always be written (the API server refuses every write to an
 * object whose stored spec breaks its schema), so the report is a Warning Event.
 *
 * *Guarantees*: no text of an exception or of the API server reaches an Event.
 */
export function containFailures<T extends StoredObject>(reconcile: Reconcile, deps: FailureDeps<T>): Reconcile {
  const { store, needs, validate, obstacle, events, random } = deps;
  const retry = (error: Error, failures: number): Outcome => ({
    kind: "retry",
    error,
    notBeforeMs: backoffDelayMs(refusedPolicy, failures + 1, random),
  });
  const invalidSpec = (object: T, failures: number, note: string): Outcome => {
    events.record(object, warning("InvalidSpec", note));
    return retry(new KubeError({ code: "invalid", step: "reconcile", detail: note }), failures);
  };
  return async (key, context) => {
    const known = store.get(key);
    // A namespace that could not be read: an object that is missing there is not gone.
    if (!needs.every((kind) => kind.covers(namespaceOf(key)))) return uncovered;
    const reason = known && obstacle?.(known);
    if (known !== undefined && reason !== undefined) return invalidSpec(known, context.failures, reason);
    try {
      return await reconcile(key, context);
    } catch (thrown) {
      const object = store.get(key);
      if (object === undefined || isOrdinary(thrown) || context.statusSignal.aborted) throw thrown;
      if (!isKubeError(thrown, "invalid")) {
        events.record(object, warning("ReconcileFailed", unexpected(thrown)));
        throw thrown;
      }
      const problems = [...validate(object), ...(object.misfits?.status ?? [])];
      if (problems.length === 0) {
        events.record(object, warning("ReconcileFailed", refusedText));
        return retry(thrown, context.failures);
      }
      const note = `The API server rejects the status of this object, because the stored object is invalid. ${invalidSpecMessage(problems)}`;
      return invalidSpec(object, context.failures, note);
    }
  };
}

// Its objects are enqueued when they are read; this is the safety net below.
const uncovered: Outcome = { kind: "recheck", afterMs: 60_000, priority: "resync" };

function namespaceOf(key: ObjectKey): string | undefined {
  const end = key.indexOf("/");
  return end < 0 ? undefined : key.slice(0, end);
}

function warning(reason: "InvalidSpec" | "ReconcileFailed", note: string): EventDraft {
  return { type: "Warning", reason, action: "Reconcile", note };
}

/** Failed calls to either API: they have a report and a back-off of their own. */
function isOrdinary(thrown: unknown): boolean {
  return isNorthflankError(thrown) || isFailedCall(thrown);
}

const refusedText =
  "The API server rejects the status of this object (422). Apply the CRDs of this release of the operator. The operator " +
  "logs the response of the API server.";

function unexpected(thrown: unknown): string {
  return `The reconcile of this object failed with ${toError(thrown).name}. The operator logs the details; report them as a bug.`;
}

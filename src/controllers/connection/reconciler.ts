import type { NorthflankConnection, NorthflankConnectionStatus } from "../../api/connection.ts";
import type { Reconcile, ReconcileContext } from "../../runtime/controller.ts";
import type { ObjectKey, Outcome } from "../../runtime/outcome.ts";
import { objectKey } from "../../runtime/outcome.ts";
import type { Clock } from "../../util/clock.ts";
import type { Random } from "../../util/random.ts";
import { type EventSink, raisedEvents, stalledEvents } from "../reconcile/events.ts";
import { reconcileRequest } from "../reconcile/reconcile-request.ts";
import { outcomeOf } from "../reconcile/requeue.ts";
import type { StatusWriter } from "../reconcile/status-writer.ts";
import { reconcileUnsaved, Unsaved } from "../reconcile/unsaved-status.ts";
import { type Decision, decide } from "./decide.ts";
import { type ObserveDeps, observe, requestWaitMs, validationPeriodMs } from "./observe.ts";
import { statusOf } from "./status.ts";

export interface ConnectionDeps extends ObserveDeps {
  readonly store: { get(key: ObjectKey): NorthflankConnection | undefined };
  readonly statusWriter: StatusWriter<NorthflankConnection>;
  readonly events: EventSink;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Reconciles a NorthflankConnection: validate and observe, decide, write the status once, record Events. There is
 * nothing to execute: a connection changes nothing in Northflank.
 *
 * *Guarantees*: the Secret is read at least once a minute, the token is checked with at most one request per validation
 * period while nothing changes, and an up-to-date connection writes nothing but coarse steps of its counters; a status
 * that could not be written is written by the next reconcile, before anything else.
 *
 * Wiring, in the composition root:
 *
 * - each change of a connection enqueues its own key when `objectChanged` says so (reconcile/predicates.ts), and the
 *   objects that use it when `connectionChanged`: so what waits for a connection resumes at once;
 * - when a connection is gone, `accounts.forget` is called;
 * - `dependents(key)` is the number of objects in the `connection` indexes of the other stores, which must have been
 *   filled before the first reconcile, or the counter would flicker at each start.
 */
export function createConnectionReconciler(deps: ConnectionDeps): Reconcile {
  const unsaved = new Unsaved<Report>();
  return async (key, context) => {
    const object = deps.store.get(key);
    if (object === undefined) {
      deps.schedule.forget(key);
      deps.accounts.forget(key);
      unsaved.forget(key);
      return { kind: "settled" };
    }
    if (object.metadata.deletionTimestamp !== undefined) return { kind: "settled" };
    return await reconcileUnsaved(unsaved, object, {
      store: deps.store,
      conclude: (known) => reconcile(deps, known, context),
      // The check that it is about is done, and not due again for hours.
      report: (value) => report(deps, value, context),
    });
  };
}

/** A status to write, and what it comes from. */
interface Report {
  readonly stored: NorthflankConnection;
  readonly decision: Decision;
  readonly status: NorthflankConnectionStatus;
}

async function reconcile(
  deps: ConnectionDeps,
  object: NorthflankConnection,
  context: ReconcileContext,
): Promise<Report | Outcome> {
  const waitMs = requestWaitMs(deps, object);
  if (waitMs > 0) return { kind: "recheck", afterMs: waitMs, priority: "change" };
  const { clock, random } = deps;
  const { observation, checkedVersion } = await observe(deps, object, context.signal);
  const periodMs = validationPeriodMs(deps, object);
  const decision = decide({ object, observation, now: clock.now(), random, validationPeriodMs: periodMs });
  if (checkedVersion !== undefined && decision.checkAgainMs !== undefined) {
    const { metadata } = object;
    const request = reconcileRequest(metadata);
    const poll = { nextMs: decision.checkAgainMs, accountVersion: checkedVersion, request };
    deps.schedule.polled({ key: objectKey(metadata), uid: metadata.uid }, poll);
  }
  return { stored: object, decision, status: statusOf(object, decision, clock.now()) };
}

async function report(
  deps: ConnectionDeps,
  { stored: object, decision, status }: Report,
  context: ReconcileContext,
): Promise<Outcome> {
  const { next, readyState } = decision;
  const message = readyState === "as-before" ? "the connection could not be checked" : readyState.message;
  const written = await deps.statusWriter.write(object, status, context.statusSignal);
  if (written.kind === "gone") return { kind: "settled" };
  if (written.kind === "written") {
    const facts = { before: object.status?.conditions, after: status.conditions, action: "Validate" };
    const drafts = [...stalledEvents({ ...facts, message }), ...raisedEvents({ ...facts, type: "TokenExpiring" })];
    for (const draft of drafts) deps.events.record(written.object, draft);
  }
  return outcomeOf(next, { priority: "resync", message });
}

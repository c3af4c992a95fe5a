import type { NorthflankConnection, NorthflankConnectionStatus } from "../../api/connection.ts";
import type { Reconcile, ReconcileContext } from "../../runtime/controller.ts";
import type { ObjectKey, Outcome } from "../../runtime/outcome.ts";
import { objectKey } from "../../runtime/outcome.ts";
import type { Clock } from "../../util/clock.ts";
import type { Random } from "../../util/random.ts";
import { type EventDraft, type EventSink, raisedEvents, stalledEvents } from "../reconcile/events.ts";
import { reconcileRequest } from "../reconcile/reconcile-request.ts";
import { outcomeOf } from "../reconcile/requeue.ts";
import type { StatusWriter } from "../reconcile/status-writer.ts";
import { reconcileUnsaved, Unsaved } from "../reconcile/unsaved-status.ts";
import { type Decision, decide } from "./decide.ts";
import { Notifications, type NotificationsDeps } from "./notifications.ts";
import { notificationsResult } from "./notifications-result.ts";
import { type ObserveDeps, observe, requestWaitMs, validationPeriodMs } from "./observe.ts";
import { statusOf } from "./status.ts";
import { teardown } from "./teardown.ts";

export interface ConnectionDeps extends ObserveDeps {
  readonly store: { get(key: ObjectKey): NorthflankConnection | undefined };
  readonly statusWriter: StatusWriter<NorthflankConnection>;
  readonly events: EventSink;
  /** The integrations of connections that register one. Default: none is registered, and nothing is said of them. */
  readonly notifications?: Omit<NotificationsDeps, "store" | "accounts" | "clock" | "random">;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Reconciles a NorthflankConnection: validate and observe, see to its notification integration, decide, write the status
 * once, record Events. The integration is all that a connection changes in Northflank.
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
  const own = deps.notifications && { ...deps, ...deps.notifications };
  const notifications = own && new Notifications(own);
  return async (key, context) => {
    const object = deps.store.get(key);
    if (object === undefined) {
      deps.schedule.forget(key);
      deps.accounts.forget(key);
      notifications?.forget(key);
      unsaved.forget(key);
      return { kind: "settled" };
    }
    if (object.metadata.deletionTimestamp !== undefined) {
      if (own === undefined || notifications === undefined) return { kind: "settled" };
      return await teardown({ ...own, notifications }, object, context);
    }
    return await reconcileUnsaved(unsaved, object, {
      store: deps.store,
      conclude: (known) => reconcile(deps, notifications, known, context),
      // The check that it is about is done, and not due again for hours.
      report: (value) => report(deps, value, context),
    });
  };
}

/** A status to write, and what it comes from. */
interface Report {
  readonly stored: NorthflankConnection;
  readonly decision: Decision;
  readonly events: readonly EventDraft[];
  readonly status: NorthflankConnectionStatus;
}

async function reconcile(
  deps: ConnectionDeps,
  notifications: Notifications | undefined,
  object: NorthflankConnection,
  context: ReconcileContext,
): Promise<Report | Outcome> {
  const waitMs = requestWaitMs(deps, object);
  if (waitMs > 0) return { kind: "recheck", afterMs: waitMs, priority: "change" };
  const { clock, random } = deps;
  const { observation, checkedVersion } = await observe(deps, object, context.signal);
  const periodMs = validationPeriodMs(deps, object);
  const isAtRest = observation.kind === "invalid" || observation.kind === "suspended";
  const seen = isAtRest ? undefined : await notifications?.see(object, context);
  const result = seen && notificationsResult(seen, random);
  const facts = { object, observation, now: clock.now(), random, notifications: result };
  const decision = decide({ ...facts, validationPeriodMs: periodMs });
  if (checkedVersion !== undefined && decision.checkAgainMs !== undefined) {
    const { metadata } = object;
    const request = reconcileRequest(metadata);
    const poll = { nextMs: decision.checkAgainMs, accountVersion: checkedVersion, request };
    deps.schedule.polled({ key: objectKey(metadata), uid: metadata.uid }, poll);
  }
  const status = statusOf(object, decision, clock.now());
  // With the finalizer, where it was added or taken off.
  const stored = deps.store.get(objectKey(object.metadata)) ?? object;
  return { stored, decision, events: result?.events ?? [], status };
}

async function report(
  deps: ConnectionDeps,
  { stored: object, decision, events, status }: Report,
  context: ReconcileContext,
): Promise<Outcome> {
  const { next, readyState } = decision;
  const message = readyState === "as-before" ? "the connection could not be checked" : readyState.message;
  const written = await deps.statusWriter.write(object, status, context.statusSignal);
  if (written.kind === "gone") return { kind: "settled" };
  for (const draft of events) deps.events.record(object, draft);
  if (written.kind === "written") {
    const facts = { before: object.status?.conditions, after: status.conditions, action: "Validate" };
    const drafts = [...stalledEvents({ ...facts, message }), ...raisedEvents({ ...facts, type: "TokenExpiring" })];
    for (const draft of drafts) deps.events.record(written.object, draft);
  }
  return outcomeOf(next, { priority: "resync", message });
}

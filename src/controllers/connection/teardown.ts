import type { NorthflankConnection } from "../../api/connection.ts";
import { integrationFinalizer, northflankConnections } from "../../api/names.ts";
import { isNorthflankError, type NorthflankError } from "../../northflank/errors.ts";
import type { ReconcileContext } from "../../runtime/controller.ts";
import { hasFinalizer } from "../../runtime/finalizers.ts";
import type { Outcome } from "../../runtime/outcome.ts";
import type { Account } from "../account/accounts.ts";
import type { EventSink } from "../reconcile/events.ts";
import { judgeRemoteError } from "../reconcile/remote-error.ts";
import { outcomeOf } from "../reconcile/requeue.ts";
import { spenderOf } from "../reconcile/spender.ts";
import { integrationName } from "./integration.ts";
import type { Notifications, NotificationsDeps } from "./notifications.ts";
import { unregister } from "./registration.ts";

/*
 * A connection is deleted whose integration the operator created. A namespace is deleted in no particular order, so the
 * Secret with the token may be gone: then the deletion continues with the account that this process remembers. Nothing
 * holds a namespace for long: what cannot be deleted is named in an Event and left.
 */

/** How long a Secret that is gone, or a token that is refused, is waited for: one that is replaced is back by then. */
const blockedMs = 30_000;

/** How long the deletion is held while Northflank does not answer. */
const longestMs = 600_000;

/** The same, where only the request quota stands in the way: an hour later it is back. */
const longestQuotaMs = 4_200_000;

/** The object was changed by another client meanwhile: the watch shows how within this time. */
const releaseAgainMs = 1_000;

type Deps = Pick<NotificationsDeps, "accounts" | "mayWrite" | "clock" | "random"> & {
  readonly notifications: Notifications;
  readonly events: EventSink;
};

/** Deletes the integration of a connection that is being deleted, and releases the connection. */
export async function teardown(deps: Deps, object: NorthflankConnection, context: ReconcileContext): Promise<Outcome> {
  const { accounts, notifications, clock, mayWrite } = deps;
  const { metadata } = object;
  if (!hasFinalizer(metadata, integrationFinalizer)) return { kind: "settled" };
  const ageMs = Math.max(0, clock.now() - Date.parse(metadata.deletionTimestamp ?? ""));
  const opened = await accounts.open(object, { probe: false }, context.signal);
  const account = opened.kind === "usable" ? opened.account : notifications.accountOf(object);
  if (account === undefined) {
    const why = opened.kind === "blocked" ? opened.readyState.message : "the account is not known";
    if (ageMs >= blockedMs) return await abandon(deps, object, { why, signal: context.signal });
    return { kind: "recheck", afterMs: blockedMs - ageMs, priority: "change" };
  }
  if (!mayWrite()) return { kind: "recheck", afterMs: 1_000, priority: "change" };
  try {
    const call = {
      class: "change",
      spender: spenderOf(northflankConnections, object),
      signal: context.signal,
    } as const;
    await unregister(account.api, oursOf(object, account), call);
  } catch (error) {
    if (!isNorthflankError(error)) throw error;
    return await failed(deps, object, { error, ageMs, context });
  }
  return await released(deps, object, context.signal);
}

function oursOf({ metadata, status }: NorthflankConnection, { address }: Account) {
  const recorded = status?.notifications?.integration;
  return {
    name: integrationName(metadata.uid ?? ""),
    recorded: recorded?.account === address ? recorded : undefined,
  };
}

async function failed(
  deps: Deps,
  object: NorthflankConnection,
  {
    error,
    ageMs,
    context,
  }: { readonly error: NorthflankError; readonly ageMs: number; readonly context: ReconcileContext },
): Promise<Outcome> {
  const { readyState, next } = judgeRemoteError({ error, failures: 0, random: deps.random });
  const { signal } = context;
  const limitMs = readyState.kind === "waiting" ? longestQuotaMs : longestMs;
  const isDenied = error.code === "unauthorized" || error.code === "forbidden";
  if (isDenied || ageMs >= limitMs) return await abandon(deps, object, { why: readyState.message, signal });
  const note = `The notification integration cannot be deleted yet. ${readyState.message}`;
  deps.events.record(object, { type: "Warning", reason: readyState.reason, action: "Unregister", note });
  const soon = next.kind === "recheck" ? { ...next, afterMs: Math.min(next.afterMs, limitMs - ageMs) } : next;
  return outcomeOf(soon, { priority: "change", message: note });
}

async function abandon(
  deps: Deps,
  object: NorthflankConnection,
  { why, signal }: { readonly why: string; readonly signal: AbortSignal },
): Promise<Outcome> {
  const id = object.status?.notifications?.integration?.id;
  const name = id === undefined ? `named ${integrationName(object.metadata.uid ?? "")}` : `"${id}"`;
  const note = `Notification integration ${name} may still exist; delete it in Northflank. ${why}`;
  deps.events.record(object, { type: "Warning", reason: "Abandoned", action: "Unregister", note });
  return await released(deps, object, signal);
}

async function released({ notifications }: Deps, object: NorthflankConnection, signal: AbortSignal): Promise<Outcome> {
  const isReleased = await notifications.release(object, signal);
  return isReleased ? { kind: "settled" } : { kind: "recheck", afterMs: releaseAgainMs, priority: "change" };
}

import type { NorthflankConnection } from "../../api/connection.ts";
import { integrationFinalizer, northflankConnections, operatorFieldManager } from "../../api/names.ts";
import type { KubeClient } from "../../kube/client.ts";
import { isKubeError } from "../../kube/errors.ts";
import type { CallOptions } from "../../northflank/client.ts";
import { isNorthflankError, type NorthflankError } from "../../northflank/errors.ts";
import { addFinalizer, hasFinalizer, removeFinalizer } from "../../runtime/finalizers.ts";
import { type ObjectKey, objectKey } from "../../runtime/outcome.ts";
import { jittered } from "../../util/backoff.ts";
import type { Clock } from "../../util/clock.ts";
import { toError } from "../../util/errors.ts";
import type { Log } from "../../util/log.ts";
import type { Random } from "../../util/random.ts";
import type { Account } from "../account/accounts.ts";
import type { ConnectionAccounts } from "../account/connection-accounts.ts";
import type { PollSchedule } from "../reconcile/poll-schedule.ts";
import { newRequestWaitMs, reconcileRequest } from "../reconcile/reconcile-request.ts";
import { judgeRemoteError } from "../reconcile/remote-error.ts";
import { spenderOf } from "../reconcile/spender.ts";
import { type NotificationSecret, readNotificationSecret } from "../secrets/notification-secret.ts";
import { type IntegrationRecord, integrationName, type WantedIntegration, wantedIntegration } from "./integration.ts";
import { type Attempted, type NotificationsSeen, seenAgain } from "./notifications-result.ts";
import { type Registration, register, unregister } from "./registration.ts";

export interface NotificationsDeps {
  readonly kube: Pick<KubeClient, "get" | "patch">;
  readonly store: { get(key: ObjectKey): NorthflankConnection | undefined };
  /** Puts an answer to our own write into the store. */
  readonly overlay: (object: NorthflankConnection) => void;
  readonly accounts: Pick<ConnectionAccounts, "open">;
  /** Its own: when each integration is read next. */
  readonly integrationSchedule: PollSchedule;
  /** The receiver of the operator. `url`: where Northflank reaches it, without a slash at the end. */
  readonly webhook: { readonly isServed: boolean; readonly url: string | undefined };
  /** Whether a change may be sent now: this replica leads, and will for long enough. */
  readonly mayWrite: () => boolean;
  readonly clock: Clock;
  readonly random: Random;
}

interface Context {
  readonly signal: AbortSignal;
  readonly log: Log;
}

/** What this process knows of the integration of a connection beyond its status. */
interface Known {
  readonly uid: string | undefined;
  /** What the last attempt found. The status may show something else by now: a Secret that was missing for a while. */
  readonly seen: Attempted;
  /** What it was registered with: to delete it where the Secret is gone by then. */
  readonly account: Account | undefined;
  /** The integration that was found disabled last: an Event says so once. */
  readonly disabledId: string | undefined;
  /** Attempts that failed in a row. */
  readonly failures: number;
}

/** How often an integration is read, before jitter of ±20 %. */
export const integrationPeriodMs = 3_600_000;

// An API that is down is not called once a minute for ever.
const firstRetryMs = 60_000;

/**
 * Keeps the notification integration of each connection that wants one.
 *
 * *Guarantees*: the finalizer is there before an integration is created, and is taken off once it is deleted; two
 * requests an hour for one that is as it should be, in class observe; nothing is sent while a failure is to be waited for.
 *
 * *Errors*: of {@link see} none but that of an aborted signal.
 */
export class Notifications {
  readonly #deps: NotificationsDeps;
  readonly #known = new Map<ObjectKey, Known>();

  constructor(deps: NotificationsDeps) {
    this.#deps = deps;
  }

  /** The account that the integration was registered with by this process. */
  accountOf({ metadata }: NorthflankConnection): Account | undefined {
    return this.#knownOf(metadata)?.account;
  }

  /** Forgets a connection that is gone. */
  forget(key: ObjectKey): void {
    this.#known.delete(key);
    this.#deps.integrationSchedule.forget(key);
  }

  /** Sees to the integration of a connection. */
  async see(object: NorthflankConnection, context: Context): Promise<NotificationsSeen> {
    try {
      return await this.#see(object, context);
    } catch (error) {
      context.signal.throwIfAborted();
      if (isKubeError(error, "forbidden")) return { kind: "no-finalizer" };
      if (!isKubeError(error)) throw error;
      // Kubernetes did not answer; what is known of the token must reach the status all the same.
      context.log.debug({ err: toError(error) }, "failed to see to notifications");
      return { kind: "as-before" };
    }
  }

  async #see(object: NorthflankConnection, context: Context): Promise<NotificationsSeen> {
    const { spec, metadata } = object;
    const { webhook, kube } = this.#deps;
    const { notifications } = spec;
    const isHeld = hasFinalizer(metadata, integrationFinalizer);
    if (notifications?.register !== true && isHeld) return await this.#withdraw(object, context);
    if (notifications === undefined) return { kind: "undeclared" };
    if (!webhook.isServed) return { kind: "unserved" };
    const name = notifications.secretRef.name;
    const secret = await readNotificationSecret(kube, { namespace: metadata.namespace ?? "", name });
    if (secret.problem !== undefined) return { kind: "secret-problem", secret };
    if (notifications.register !== true) return { kind: "accepted", secretName: name };
    if (webhook.url === undefined) return { kind: "no-url" };
    return await this.#register(object, { secret, wanted: wantedIntegration(object, webhook.url) }, context);
  }

  async #register(
    object: NorthflankConnection,
    { secret, wanted }: { readonly secret: NotificationSecret; readonly wanted: WantedIntegration },
    context: Context,
  ): Promise<NotificationsSeen> {
    const { accounts, integrationSchedule: schedule, clock, mayWrite } = this.#deps;
    const [value] = secret.values;
    const { signal } = context;
    const opened = await accounts.open(object, { probe: false }, signal);
    if (opened.kind === "blocked") return opened;
    if (value === undefined) return { kind: "as-before" };
    const { account } = opened;
    const { metadata, status } = object;
    const known = this.#knownOf(metadata);
    const registered = status?.notifications?.integration ?? known?.seen.integration;
    const recorded = registered?.account === account.address ? registered : undefined;
    const version = JSON.stringify([account.version, wanted, secret.resourceVersion]);
    const isCurrent =
      recorded?.webhookURL === wanted.webhook && recorded.secretResourceVersion === secret.resourceVersion;
    const planned = schedule.planned({
      key: objectKey(metadata),
      uid: metadata.uid,
      isSettled: isCurrent && status?.observedGeneration === metadata.generation,
      plannedTime: undefined,
      periodMs: integrationPeriodMs,
    });
    const isRequested = newRequestWaitMs(object, planned) !== undefined;
    const isChanged = planned.accountVersion !== undefined && planned.accountVersion !== version;
    if (!isRequested && !isChanged && planned.dueInMs > 0) return known?.seen ?? { kind: "as-before" };
    if (!(await this.#hold(object, signal))) return { kind: "as-before" };
    const registration = await register({
      api: account.api,
      call: { class: isCurrent ? "observe" : "change", spender: spenderOf(northflankConnections, object), signal },
      wanted: { ...wanted, secret: value },
      account: account.address,
      secretResourceVersion: secret.resourceVersion,
      ...{ recorded, isRequested, mayWrite },
      now: clock.now(),
    });
    const seen = { kind: "attempted", webhook: wanted.webhook, ...registration } as const;
    this.#attempted(object, { seen, account, version });
    const left = recorded === undefined ? registered : undefined;
    const isNews = registration.disabled !== undefined && registration.disabled.id !== known?.disabledId;
    return { ...seen, left, isNews };
  }

  #attempted(
    { metadata }: NorthflankConnection,
    { seen, account, version }: { seen: Attempted; account: Account; version: string },
  ): void {
    const { integrationSchedule, random } = this.#deps;
    const { integration, error, isLeft } = seen;
    const key = objectKey(metadata);
    const { uid } = metadata;
    const before = this.#knownOf(metadata)?.failures ?? 0;
    const failures = error === undefined ? 0 : before + 1;
    const disabledId = seen.disabled?.id ?? this.#knownOf(metadata)?.disabledId;
    this.#known.set(key, { uid, seen: seenAgain(seen), account, disabledId, failures });
    const isDone = integration !== undefined && isLeft !== true;
    const periodMs = isDone ? jittered(integrationPeriodMs, 0.2, random) : firstRetryMs;
    const nextMs = error === undefined ? periodMs : this.#retryMs(error, before);
    const request = reconcileRequest(metadata);
    integrationSchedule.polled({ key, uid }, { nextMs, accountVersion: version, request });
  }

  /** When an attempt is repeated, after so many that failed before it. */
  #retryMs(error: NorthflankError, failures: number): number {
    const { random } = this.#deps;
    const { next } = judgeRemoteError({ error, failures, random });
    if (next.kind === "recheck") return next.afterMs;
    const backoffMs = Math.min(firstRetryMs * 2 ** Math.min(failures, 16), integrationPeriodMs);
    return Math.max(jittered(backoffMs, 0.2, random), next.notBeforeMs ?? 0);
  }

  /** No longer wanted: deletes what was registered, and takes the finalizer off. */
  async #withdraw(object: NorthflankConnection, context: Context): Promise<NotificationsSeen> {
    const { accounts, integrationSchedule: schedule, mayWrite } = this.#deps;
    const { metadata, status } = object;
    const opened = await accounts.open(object, { probe: false }, context.signal);
    if (opened.kind === "blocked") return opened;
    const { account } = opened;
    const planned = schedule.planned({
      key: objectKey(metadata),
      uid: metadata.uid,
      isSettled: false,
      plannedTime: undefined,
      periodMs: integrationPeriodMs,
    });
    const version = `${account.version} withdrawn`;
    if (planned.accountVersion === version && planned.dueInMs > 0) return { kind: "as-before" };
    if (!mayWrite()) return { kind: "as-before" };
    const registered = status?.notifications?.integration ?? this.#knownOf(metadata)?.seen.integration;
    const ours = { name: integrationName(metadata.uid ?? ""), recorded: registered };
    const call = {
      class: "change",
      spender: spenderOf(northflankConnections, object),
      signal: context.signal,
    } as const;
    const registration = await withdrawn(account, ours, call);
    const seen = { kind: "attempted", webhook: "", ...registration } as const;
    this.#attempted(object, { seen, account, version });
    if (registration.error !== undefined) return seen;
    if (!(await this.release(object, context.signal))) return { kind: "as-before" };
    const key = objectKey(metadata);
    this.forget(key);
    const released = this.#deps.store.get(key) ?? object;
    if (hasFinalizer(released.metadata, integrationFinalizer)) return { kind: "as-before" };
    return { ...(await this.#see(released, context)), isWithdrawn: true };
  }

  /** Takes the finalizer off; false where another client changed the object meanwhile. */
  async release(object: NorthflankConnection, signal: AbortSignal): Promise<boolean> {
    return await this.#patch(object, removeFinalizer(object.metadata, integrationFinalizer), signal);
  }

  async #hold(object: NorthflankConnection, signal: AbortSignal): Promise<boolean> {
    return await this.#patch(object, addFinalizer(object.metadata, integrationFinalizer), signal);
  }

  async #patch(
    { metadata }: NorthflankConnection,
    patch: ReturnType<typeof addFinalizer>,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (patch === undefined) return true;
    const { namespace = "", name } = metadata;
    const body = { kind: "json", body: patch } as const;
    const options = { fieldManager: operatorFieldManager };
    try {
      const { kube, overlay } = this.#deps;
      const id = { namespace, name };
      overlay(await kube.patch<NorthflankConnection>(northflankConnections, id, body, options, signal));
      return true;
    } catch (error) {
      if (isKubeError(error, "not_found")) return true;
      // Another client wrote first: the next reconcile sees what is there.
      if (isKubeError(error, "conflict", "invalid")) return false;
      throw error;
    }
  }

  #knownOf(metadata: NorthflankConnection["metadata"]): Known | undefined {
    const known = this.#known.get(objectKey(metadata));
    return known?.uid === metadata.uid ? known : undefined;
  }
}

async function withdrawn(
  { api, address }: Account,
  ours: { readonly name: string; readonly recorded: IntegrationRecord | undefined },
  call: CallOptions,
): Promise<Registration> {
  const recorded = ours.recorded?.account === address ? ours.recorded : undefined;
  try {
    await unregister(api, { ...ours, recorded }, call);
    return { integration: undefined };
  } catch (error) {
    if (!isNorthflankError(error)) throw error;
    return { integration: ours.recorded, error };
  }
}

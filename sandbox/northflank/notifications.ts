import { randomUUID } from "node:crypto";
import type { AccountControls } from "./controls.ts";

/**
 * A notification integration of the type RAW_WEBHOOK: it follows projects and sends what changes in them to an address.
 * Only 2xx counts as handled; after `mostFailures` deliveries in a row that were not, it is switched off.
 */
export interface Integration extends AsyncDisposable {
  readonly id: string;
  readonly status: {
    readonly disabled: boolean;
    readonly reason: string | null;
    readonly numberOfFailedRequests: number;
    readonly timeOfFirstFailedRequest: string | null;
  };
  /** Every delivery so far, with the status of its answer; `undefined` where there was none. */
  readonly deliveries: readonly Delivery[];
  /** Sends an event, whatever happened; `undefined` once it is switched off, or without an answer. */
  deliver(event: string, data: object, options?: { readonly eventId?: string }): Promise<number | undefined>;
  /** Waits for deliveries under way, and sends no more. */
  stop(): Promise<void>;
}

export interface Delivery {
  readonly event: string;
  readonly eventId: string;
  readonly status: number | undefined;
}

export interface IntegrationOptions {
  readonly webhook: string;
  readonly secret: string;
  readonly projects: readonly string[];
  /** Names events `trigger:job-run:start` in place of `job-run:start`. Default: no. */
  readonly hasPrefix?: boolean;
  /** How long after a change it is sent, in milliseconds. Default 0. */
  readonly lateMs?: number;
  /** How often each delivery is sent, under one id. Default 1. */
  readonly times?: number;
  /** Of two changes the later one is sent first. Default: no. */
  readonly isOutOfOrder?: boolean;
}

const mostFailures = 5;
const lookMs = 20;

/** Starts to follow the projects of an account. Only what changes from then on is sent. */
export function startIntegration(
  account: Pick<AccountControls, "services" | "jobs" | "runs">,
  options: IntegrationOptions,
): Integration {
  const { webhook, secret, projects, hasPrefix = false, lateMs = 0, times = 1, isOutOfOrder = false } = options;
  const id = randomUUID();
  const deliveries: Delivery[] = [];
  const underWay = new Set<Promise<unknown>>();
  let failures = 0;
  let firstFailureTime: string | null = null;
  let isStopped = false;

  const send = async (event: string, data: object, eventId: string): Promise<number | undefined> => {
    if (failures >= mostFailures) return undefined;
    const name = `${hasPrefix ? "trigger:" : ""}${event}`;
    const status = await fetch(webhook, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "x-northflank-notification-integration-id": id,
        "x-northflank-notification-integration-name": "sandbox",
        "x-northflank-notification-integration-token": secret,
        "x-northflank-notification-integration-event-id": eventId,
        "x-northflank-notification-integration-event-type": name,
      },
      body: JSON.stringify({ event: name, data }),
    }).then(
      (response) => response.status,
      () => undefined,
    );
    deliveries.push({ event, eventId, status });
    const isHandled = status !== undefined && status >= 200 && status < 300;
    failures = isHandled ? 0 : failures + 1;
    if (!isHandled) firstFailureTime ??= new Date().toISOString();
    else firstFailureTime = null;
    return status;
  };

  const follow = async ({ event, data }: Change): Promise<void> => {
    const eventId = randomUUID();
    if (lateMs > 0) await new Promise((resolve) => setTimeout(resolve, lateMs));
    for (let n = 0; n < times; n++) await send(event, data, eventId);
  };

  let before = snapshot(account, projects);
  let held: Change[] = [];
  const timer = setInterval(() => {
    const now = snapshot(account, projects);
    const changes = [...held, ...changesBetween(before, now)];
    before = now;
    // One is held back until another one comes that overtakes it.
    held = isOutOfOrder && changes.length === 1 ? changes : [];
    for (const change of held.length > 0 ? [] : isOutOfOrder ? changes.toReversed() : changes) {
      const sent = follow(change).finally(() => underWay.delete(sent));
      underWay.add(sent);
    }
  }, lookMs);

  const stop = async (): Promise<void> => {
    isStopped = true;
    clearInterval(timer);
    await Promise.all(underWay);
  };
  return {
    id,
    get status() {
      const disabled = failures >= mostFailures;
      return {
        disabled,
        reason: disabled ? "Too many failed requests" : null,
        numberOfFailedRequests: failures,
        timeOfFirstFailedRequest: firstFailureTime,
      };
    },
    deliveries,
    deliver: async (event, data, { eventId = randomUUID() } = {}) =>
      isStopped ? undefined : await send(event, data, eventId),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

interface Change {
  readonly event: string;
  readonly data: object;
}

/** What something shows now, and what is sent when that has changed. */
interface Shown {
  readonly shows: string;
  readonly change: Change;
}

/** By a name for each. */
type Snapshot = ReadonlyMap<string, Shown>;

function snapshot(account: Pick<AccountControls, "services" | "jobs" | "runs">, projects: readonly string[]): Snapshot {
  const rollouts = projects.flatMap((projectId) =>
    account.services(projectId).map<[string, Shown]>(({ id, rolloutStatus }) => {
      const data = { project: named(projectId), service: named(id), deployment: { status: rolloutStatus } };
      return [`${projectId}/${id}`, { shows: rolloutStatus, change: { event: statusUpdate, data } }];
    }),
  );
  const runs = projects.flatMap((projectId) =>
    account.jobs(projectId).flatMap(({ id: jobId }) =>
      account.runs(projectId, jobId).map<[string, Shown]>(({ id, status, wasAborted }) => {
        const data = { project: named(projectId), job: named(jobId), run: { id, status } };
        const shows = wasAborted ? "ABORTED" : status;
        return [id, { shows, change: { event: `job-run:${runEvents[shows] ?? "start"}`, data } }];
      }),
    ),
  );
  return new Map([...rollouts, ...runs]);
}

const statusUpdate = "service:deployment:status-update";
const runEvents: Readonly<Record<string, string>> = { SUCCESS: "success", FAILED: "failure", ABORTED: "abort" };

function named(id: string): { readonly id: string; readonly name: string } {
  return { id, name: id };
}

function changesBetween(before: Snapshot, now: Snapshot): readonly Change[] {
  return [...now].flatMap(([id, { shows, change }]) => (before.get(id)?.shows === shows ? [] : [change]));
}

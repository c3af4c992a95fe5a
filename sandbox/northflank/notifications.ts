import { randomUUID } from "node:crypto";
import type { AccountControls } from "./controls.ts";
import type { DeliveryModes } from "./state.ts";

/**
 * A notification integration that a test follows: it is one of the account, made by hand, and what changes in its projects
 * is sent from here. Only 2xx counts as handled; after five deliveries in a row that were not, it is switched off.
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

export interface IntegrationOptions extends Partial<DeliveryModes> {
  readonly webhook: string;
  readonly secret: string;
  readonly projects: readonly string[];
}

const lookMs = 20;

type Watched = Pick<AccountControls, "services" | "jobs" | "runs">;
type Account = Watched & Pick<AccountControls, "addIntegration" | "integration" | "deliver">;

/** Makes an integration, and starts to follow its projects. Only what changes from then on is sent. */
export function startIntegration(account: Account, options: IntegrationOptions): Integration {
  const { webhook, secret, projects, hasPrefix = false, lateMs = 0, times = 1, isOutOfOrder = false } = options;
  const added = { name: "sandbox", webhook, secret, restricted: true, projects, isFollowed: false };
  const { id } = account.addIntegration(added);
  const deliveries: Delivery[] = [];
  let isStopped = false;

  const send = async (event: string, data: object, eventId: string): Promise<number | undefined> => {
    if (account.integration(id).isDisabled) return undefined;
    const status = await account.deliver(id, event, data, { eventId, hasPrefix });
    deliveries.push({ event, eventId, status });
    return status;
  };
  const following = followChanges({
    account,
    projects: () => projects,
    modes: () => ({ hasPrefix, lateMs, times, isOutOfOrder }),
    take: ({ event, data }, eventId) => send(event, data, eventId),
  });
  const stop = async (): Promise<void> => {
    isStopped = true;
    await following.stop();
  };
  return {
    id,
    get status() {
      const { isDisabled, failures, firstFailureTime } = account.integration(id);
      return {
        disabled: isDisabled,
        reason: isDisabled ? "Too many failed requests" : null,
        numberOfFailedRequests: failures,
        timeOfFirstFailedRequest: firstFailureTime ?? null,
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
  readonly projectId: string;
  readonly event: string;
  readonly data: object;
}

/** Watches projects and gives on what changes in them, in the modes as they are at that moment. */
export function followChanges(options: {
  readonly account: Watched;
  readonly projects: () => readonly string[];
  readonly modes: () => DeliveryModes;
  readonly take: (change: Change, eventId: string) => Promise<unknown>;
}): { stop(): Promise<void> } {
  const { account, projects, modes, take } = options;
  const underWay = new Set<Promise<unknown>>();
  const follow = async (change: Change): Promise<void> => {
    const { lateMs, times } = modes();
    const eventId = randomUUID();
    if (lateMs > 0) await new Promise((resolve) => setTimeout(resolve, lateMs));
    for (let n = 0; n < times; n++) await take(change, eventId);
  };
  let before = snapshot(account, projects());
  let held: Change[] = [];
  const timer = setInterval(() => {
    const { isOutOfOrder } = modes();
    const now = snapshot(account, projects());
    const changes = [...held, ...changesBetween(before, now)];
    before = now;
    // One is held back until another one comes that overtakes it.
    held = isOutOfOrder && changes.length === 1 ? changes : [];
    for (const change of held.length > 0 ? [] : isOutOfOrder ? changes.toReversed() : changes) {
      const sent = follow(change).finally(() => underWay.delete(sent));
      underWay.add(sent);
    }
  }, lookMs);
  return {
    stop: async () => {
      clearInterval(timer);
      await Promise.all(underWay);
    },
  };
}

/** What something shows now, and what is sent when that has changed. */
interface Shown {
  readonly shows: string;
  readonly change: Change;
}

/** By a name for each. */
type Snapshot = ReadonlyMap<string, Shown>;

function snapshot(account: Watched, projects: readonly string[]): Snapshot {
  const rollouts = projects.flatMap((projectId) =>
    account.services(projectId).map<[string, Shown]>(({ id, rolloutStatus }) => {
      const data = { project: named(projectId), service: named(id), deployment: { status: rolloutStatus } };
      return [`${projectId}/${id}`, { shows: rolloutStatus, change: { projectId, event: statusUpdate, data } }];
    }),
  );
  const runs = projects.flatMap((projectId) =>
    account.jobs(projectId).flatMap(({ id: jobId }) =>
      account.runs(projectId, jobId).map<[string, Shown]>(({ id, status, wasAborted }) => {
        const data = { project: named(projectId), job: named(jobId), run: { id, status } };
        const shows = wasAborted ? "ABORTED" : status;
        return [id, { shows, change: { projectId, event: `job-run:${runEvents[shows] ?? "start"}`, data } }];
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

import type { NorthflankDeployment } from "../../api/deployment.ts";
import type { ServiceName } from "../../northflank/client.ts";
import { isNorthflankError } from "../../northflank/errors.ts";
import type { SharedLists } from "../../northflank/shared-lists.ts";
import type { ProjectItem, ServiceView } from "../../northflank/types.ts";
import { type ObjectKey, objectKey } from "../../runtime/outcome.ts";
import { Recent } from "../../runtime/recent.ts";
import type { Clock } from "../../util/clock.ts";
import { present } from "../../util/present.ts";
import { type Account, readerOf } from "../account/accounts.ts";

/*
 * Two or more rollouts under way in one project are polled by one list of its services: while the list shows that a
 * service has not moved, what was last read of it still stands.
 *
 *     read alone ──▶ under way ──list: not moved──▶ as it was read
 *          ▲             │
 *          └─────────────┴── moved, missing, five minutes old, our own change, or no other rollout in the project
 *
 * The list has no deployment and does not show a pause. So nothing but "not over yet" is concluded from it (decide.ts):
 * before anything else the service is read alone.
 */

/** A service whose rollout was under way when it was last read. */
interface Seen {
  readonly project: string;
  readonly service: ServiceView;
  /** When the request was started that read it. */
  readonly startedAtMs: number;
  /** The same of the list that last showed that it has not moved. */
  readonly checkedAtMs: number;
  /** The change that is followed. */
  readonly head: string;
  /** A list showed it otherwise: whether it has moved is to be seen. */
  readonly isDoubted?: true;
}

/** What is polled. */
interface Followed {
  readonly object: NorthflankDeployment;
  readonly account: Account;
  readonly name: ServiceName;
}

// What the list does not show, a pause above all, is seen after so long at the latest.
const readAgainMs = 300_000;

/** A list that cannot be read, or shows services otherwise than a read of them, is not asked for so long. */
const uselessForMs = 600_000;

/** The rollouts that this process follows, and what it last read of their services. */
export class FollowedRollouts {
  readonly #lists: Pick<SharedLists, "items" | "noteItem">;
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #intervalMs: number;
  readonly #seen: Recent<Seen>;
  /** Until when the list of a project is not asked. */
  readonly #useless: Recent<number>;

  /** `intervalMs`: the shortest pause between two polls of a rollout. */
  constructor(deps: {
    readonly lists: Pick<SharedLists, "items" | "noteItem">;
    readonly clock: Pick<Clock, "monotonic">;
    readonly intervalMs: number;
  }) {
    this.#lists = deps.lists;
    this.#clock = deps.clock;
    this.#intervalMs = deps.intervalMs;
    this.#seen = new Recent(deps.clock, readAgainMs);
    this.#useless = new Recent(deps.clock, uselessForMs);
  }

  /**
   * The service as it was last read, where the list of its project shows that it has not moved since; `undefined`: it is to
   * be read.
   *
   * *Errors*: `NorthflankError` about the quota or the token, which a read of the service would meet as well.
   */
  async unmoved(followed: Followed, signal: AbortSignal): Promise<ServiceView | undefined> {
    const { account, name } = followed;
    const nowMs = this.#clock.monotonic();
    const seen = this.#standing(followed, nowMs);
    if (seen === undefined) return undefined;
    const maxAgeMs = Math.max(this.#intervalMs, (nowMs - seen.checkedAtMs) / 2);
    const ask = { class: "run", signal, maxAgeMs, notBeforeMs: seen.startedAtMs } as const;
    try {
      const list = await this.#lists.items(readerOf(account), listOf(name), ask);
      const { entry, startedAtMs } = list.get(name.serviceId);
      const isSame = entry !== undefined && isUnmoved(seen.service, entry);
      this.#set(followed, isSame ? { ...seen, checkedAtMs: startedAtMs } : { ...seen, isDoubted: true });
      return isSame ? seen.service : undefined;
    } catch (error) {
      if (!isNorthflankError(error) || isNorthflankError(error, "quota_closed", "rate_limited", "unauthorized"))
        throw error;
      this.#useless.set(seen.project, this.#clock.monotonic() + uselessForMs);
      return undefined;
    }
  }

  /** Reads the service alone, by `get`. *Errors*: those of `get`. */
  async read(followed: Followed, get: () => Promise<ServiceView>): Promise<ServiceView> {
    const startedAtMs = this.#clock.monotonic();
    const service = await get();
    this.#saw(followed, service, startedAtMs);
    return service;
  }

  #saw(followed: Followed, service: ServiceView, startedAtMs: number): void {
    const { object, account, name } = followed;
    const item = itemOf(service);
    this.#lists.noteItem(readerOf(account), listOf(name), { id: name.serviceId, startedAtMs, entry: item });
    const project = projectOf(followed);
    const before = this.#seen.get(keyOf(object));
    // The list and the read do not agree on what is the same: a list would be read for nothing.
    const isUseless = before?.isDoubted === true && before.project === project && isUnmoved(before.service, item);
    if (isUseless) this.#useless.set(project, this.#clock.monotonic() + uselessForMs);
    this.#seen.delete(keyOf(object));
    if (!isOver(service))
      this.#set(followed, { project, service, startedAtMs, checkedAtMs: startedAtMs, head: headOf(object) });
  }

  /** What was last read, where a list may confirm it. */
  #standing(followed: Followed, nowMs: number): Seen | undefined {
    const key = keyOf(followed.object);
    const project = projectOf(followed);
    const seen = this.#seen.get(key);
    if (seen?.project !== project || seen.head !== headOf(followed.object)) return undefined;
    const isUseless = (this.#useless.get(project) ?? nowMs) > nowMs;
    if (nowMs - seen.startedAtMs >= readAgainMs || isUseless) return undefined;
    return this.#isAlone(key, project) ? undefined : seen;
  }

  // With thousands of rollouts under way, each poll asks this: it ends at the first other one.
  #isAlone(key: ObjectKey, project: string): boolean {
    return !this.#seen.some((seen, other) => other !== key && seen.project === project);
  }

  #set({ object }: Followed, seen: Seen): void {
    this.#seen.set(keyOf(object), seen);
  }
}

function keyOf({ metadata }: NorthflankDeployment): ObjectKey {
  return objectKey(metadata);
}

function listOf({ projectId }: ServiceName) {
  return { kind: "services", projectId } as const;
}

function projectOf({ account, name }: Followed): string {
  return `${name.projectId} ${readerOf(account).scope}`;
}

/** Another one once we have sent something, or the spec has changed. */
function headOf({ metadata, status }: NorthflankDeployment): string {
  return JSON.stringify([metadata.uid, metadata.generation, status?.changes?.[0], status?.redeploy]);
}

function isOver({ rolloutStatus }: ServiceView): boolean {
  return rolloutStatus === undefined || rolloutStatus === "COMPLETED" || rolloutStatus === "FAILED";
}

function itemOf({ id, serviceType, uid, disabledCD, rolloutStatus, rolloutTransitionTime }: ServiceView): ProjectItem {
  return { id, type: serviceType, ...present({ uid, disabledCD, rolloutStatus, rolloutTransitionTime }) };
}

/** The list shows the very state that was read. Where either has no transition time, nothing is known. */
function isUnmoved(service: ServiceView, item: ProjectItem): boolean {
  const agree = <T>(left: T | undefined, right: T | undefined) =>
    left === undefined || right === undefined || left === right;
  return (
    service.rolloutTransitionTime !== undefined &&
    service.rolloutTransitionTime === item.rolloutTransitionTime &&
    service.rolloutStatus === item.rolloutStatus &&
    agree(service.uid, item.uid) &&
    agree(service.disabledCD, item.disabledCD)
  );
}

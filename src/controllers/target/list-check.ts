import { isNorthflankError } from "../../northflank/errors.ts";
import type { SharedAnswer, SharedLists } from "../../northflank/shared-lists.ts";
import type { ProjectItem } from "../../northflank/types.ts";
import { type Account, readerOf } from "../account/accounts.ts";
import type { CheckShare, PollSchedule, Scheduled } from "../reconcile/poll-schedule.ts";
import type { TargetObject } from "./object.ts";
import type { Due } from "./poll-due.ts";

/** What a kind knows of the list of services that shows its targets. */
export interface ListedTarget<T> {
  /** The id in the list; `undefined` for a target that no list shows. */
  readonly idOf: (object: T) => string | undefined;
  /** What the list shows otherwise than status has it, as a text to compare; `undefined` where it shows the same. */
  readonly changed: (item: ProjectItem | undefined, object: T) => string | undefined;
}

interface ListCheckDeps {
  readonly lists: Pick<SharedLists, "items">;
  readonly schedule: PollSchedule;
}

const routine: Due = { kind: "read", class: "observe" };

// It does not wait behind the reads that find nothing, unless very many have changed at once.
const changed: Due = { kind: "read", class: "run" };

/**
 * Compares what the list of its project shows of a settled target with what was last seen of it. That the project is
 * gone or the token is refused is left to a read of the target. Any other error leaves the object as it is until the next
 * check: one list fails, and not a read for each object.
 */
export async function checkByList<T extends TargetObject>(
  { lists, schedule }: ListCheckDeps,
  target: ListedTarget<T> & {
    readonly object: T;
    readonly account: Account;
    readonly scheduled: Pick<Scheduled, "key" | "share">;
  },
  check: { readonly maxAgeMs: number; readonly isReadDue: boolean; readonly signal: AbortSignal },
): Promise<Due> {
  const { maxAgeMs, isReadDue, signal } = check;
  const { object, account, scheduled } = target;
  const { projectId } = object.spec;
  const id = target.idOf(object);
  if (id === undefined) return routine;
  let list: SharedAnswer<ProjectItem>;
  try {
    // One list stands for reads of all targets of the project: it does not wait behind those of others.
    const ask = { class: "run", maxAgeMs, signal } as const;
    list = await lists.items(readerOf(account), { kind: "services", projectId }, ask);
  } catch (error) {
    if (!isNorthflankError(error)) throw error;
    if (error.code === "not_found" || error.code === "unauthorized") return routine;
    const { code, retryAfterMs = 0 } = error;
    // After a whole period, so that failures cost no more than lists do; what was not sent has cost nothing.
    const retryInMs = code === "quota_closed" ? retryAfterMs : Math.max(retryAfterMs, maxAgeMs);
    const dueInMs = schedule.listFailed(scheduled, { maxAgeMs, retryInMs });
    return isReadDue ? routine : { kind: "rest", dueInMs };
  }
  if (scheduled.share !== undefined) schedule.listRead(scheduled.share, list.size);
  const { entry, startedAtMs } = list.get(id);
  const isUnknown = entry === undefined && !list.isComplete;
  const shown = isUnknown ? undefined : target.changed(entry, object);
  const isNews = !isUnknown && schedule.isNews(scheduled, { shown, readAtMs: startedAtMs });
  if (isNews) return schedule.mayHurry(scheduled) ? changed : routine;
  if (isReadDue) return routine;
  return { kind: "rest", dueInMs: schedule.checkedByList(scheduled, { maxAgeMs, ageMs: list.ageMs }) };
}

/** Whose requests the checks of an object are. */
export function checkShare(
  { spec }: TargetObject,
  { pool, checksPerHour }: Account,
  isListed: boolean,
): CheckShare | undefined {
  return checksPerHour === undefined ? undefined : { pool, projectId: spec.projectId, isListed, checksPerHour };
}

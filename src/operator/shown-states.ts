// pure
import type { Condition } from "../kube/types.ts";
import type { Listed, ShownKind, ShownObject, ShownState } from "../status-page/model.ts";

/** What the page reads of an object of ours. */
export interface StatedObject {
  readonly metadata: { readonly namespace?: string; readonly name: string };
  readonly status?: { readonly conditions?: readonly Condition[] } | undefined;
}

/** All objects of one kind, and when each is due. */
export interface StatedKind {
  readonly kind: string;
  readonly objects: readonly StatedObject[];
  /** Until the next reconcile, in milliseconds. Called for those that are shown. */
  readonly dueInMs: (object: StatedObject) => number | undefined;
}

// A page of more is read by no person, and a phone has to load it.
const mostShown = 50;
const mostFailedRuns = 10;

type Group = "ready" | "inProgress" | "stalled" | "failed" | "suspended" | "unknown";

interface Found {
  readonly kind: StatedKind;
  readonly object: StatedObject;
  readonly condition: Condition;
}

/**
 * The objects of all kinds by their state, the longest waiting first; of Stalled ones, connections before all others; of
 * runs that failed, the latest.
 */
export function shownStates(kinds: readonly StatedKind[]): {
  readonly kinds: readonly ShownKind[];
  readonly stalled: Listed<ShownState>;
  readonly failedRuns: Listed<ShownState>;
  readonly waiting: Listed<ShownState>;
} {
  const groups: Record<"stalled" | "failed" | "waiting", Found[]> = { stalled: [], failed: [], waiting: [] };
  const counted = kinds.map((kind) => {
    const counts: Record<Group, number> = { ready: 0, inProgress: 0, stalled: 0, failed: 0, suspended: 0, unknown: 0 };
    for (const object of kind.objects) {
      const [group, condition] = groupOf(object);
      counts[group] += 1;
      if (condition === undefined) continue;
      if (group === "stalled" || group === "failed") groups[group].push({ kind, object, condition });
      if (group === "inProgress") groups.waiting.push({ kind, object, condition });
    }
    const { ready, suspended } = counts;
    const [inProgress, stalled] = [counts.inProgress + counts.unknown, counts.stalled + counts.failed];
    return { kind: kind.kind, total: kind.objects.length, ready, inProgress, stalled, suspended };
  });
  return {
    kinds: counted,
    stalled: listed(groups.stalled, mostShown, byCause),
    failedRuns: listed(groups.failed, mostFailedRuns, (left, right) => bySince(right, left)),
    waiting: listed(groups.waiting, mostShown, bySince),
  };
}

/** The state of an object, and the condition that says it. A run that is over is Stalled for good: no action is due. */
function groupOf({ status }: StatedObject): readonly [Group, Condition | undefined] {
  const isTrue = (type: string) => status?.conditions?.find((one) => one.type === type && one.status === "True");
  const stalled = isTrue("Stalled");
  if (stalled !== undefined) return isTrue("Finished") ? ["failed", stalled] : ["stalled", stalled];
  if (isTrue("Suspended")) return ["suspended", undefined];
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  if (ready?.status === "True") return ["ready", undefined];
  return ready === undefined ? ["unknown", undefined] : ["inProgress", ready];
}

/** A connection is why its objects are Stalled. */
function byCause(left: Found, right: Found): number {
  const rank = ({ kind }: Found) => (kind.kind === "NorthflankConnection" ? 0 : 1);
  return rank(left) - rank(right) || bySince(left, right);
}

function bySince(left: Found, right: Found): number {
  const [earlier, later] = [left.condition.lastTransitionTime, right.condition.lastTransitionTime];
  return earlier < later ? -1 : earlier > later ? 1 : 0;
}

function listed(found: Found[], most: number, order: (left: Found, right: Found) => number): Listed<ShownState> {
  return { items: found.sort(order).slice(0, most).map(shown), total: found.length };
}

function shown({ kind, object, condition }: Found): ShownState {
  const { reason, message, lastTransitionTime } = condition;
  const sinceMs = Date.parse(lastTransitionTime);
  return {
    ...shownObject(kind.kind, object),
    reason,
    message,
    ...(Number.isNaN(sinceMs) ? {} : { sinceMs }),
    dueInMs: kind.dueInMs(object),
  };
}

function shownObject(kind: string, { metadata: { namespace = "", name } }: StatedObject): ShownObject {
  return { kind: kind.replace(/^Northflank/, ""), namespace, name };
}

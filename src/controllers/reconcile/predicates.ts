// pure
import { startedRun } from "../../api/names.ts";
import type { Condition, KubeObject } from "../../kube/types.ts";
import { findCondition } from "../../runtime/conditions.ts";
import { type ObjectKey, objectKey } from "../../runtime/outcome.ts";
import { isSameJson } from "../../util/same-json.ts";

/** An object that waits for another one is enqueued when that changes; this is the net below that, in milliseconds. */
export const safetyNetMs = 600_000;

/** The connection that an object uses when it names none. */
export const defaultConnectionName = "default";

/**
 * Index function for stores of objects that use a connection: the key of the connection that serves, or would serve,
 * the object. An object that names none belongs to `default`, whether or not that exists: it is enqueued when that
 * appears.
 */
export function connectionKeys(object: {
  readonly metadata: { readonly namespace?: string };
  readonly spec: { readonly connectionRef?: { readonly name: string } };
}): readonly ObjectKey[] {
  const { namespace } = object.metadata;
  const name = object.spec.connectionRef?.name ?? defaultConnectionName;
  return [objectKey(namespace === undefined ? { name } : { namespace, name })];
}

interface WatchedConnection {
  readonly metadata: { readonly uid?: string };
  readonly spec: object;
  readonly status?: {
    readonly conditions?: readonly Condition[];
    readonly tokenSecretResourceVersion?: string;
    readonly projectRestrictions?: object;
  };
}

/**
 * The predicate for the objects that use a connection: they are enqueued when it appeared, went, was edited, became
 * usable or unusable, or its token was accepted in another version or for other projects; not when its counters change.
 */
export function connectionChanged(
  before: WatchedConnection | undefined,
  after: WatchedConnection | undefined,
): boolean {
  if (before === undefined || after === undefined || before.metadata.uid !== after.metadata.uid) return true;
  if (!isSameJson(before.spec, after.spec)) return true;
  const { status: old } = before;
  const { status } = after;
  if (old?.tokenSecretResourceVersion !== status?.tokenSecretResourceVersion) return true;
  if (!isSameJson(old?.projectRestrictions, status?.projectRestrictions)) return true;
  return ["Ready", "CredentialsValid"].some(
    (type) => findCondition(old?.conditions, type)?.status !== findCondition(status?.conditions, type)?.status,
  );
}

interface WatchedObject {
  readonly prunedFields?: readonly string[];
  readonly metadata: {
    readonly uid?: string;
    readonly generation?: number;
    readonly deletionTimestamp?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly completionTime?: string;
    readonly conditions?: readonly Condition[];
    readonly start?: object;
  };
}

/**
 * The predicate for the object itself, as GenerationChangedPredicate and AnnotationChangedPredicate together: true for
 * anything but a write of its status, and for a status that lost what no reconcile removes. What a reconcile wrote must
 * not enqueue the next one.
 */
export function objectChanged(before: WatchedObject | undefined, after: WatchedObject): boolean {
  if (before === undefined) return true;
  const old = before.metadata;
  const { uid, generation, deletionTimestamp, annotations } = after.metadata;
  if (old.uid !== uid || old.generation !== generation || old.deletionTimestamp !== deletionTimestamp) return true;
  // Dropped fields come and go without a new generation: what was applied changed, what is stored did not.
  if (!isSameJson(before.prunedFields, after.prunedFields)) return true;
  if (isStatusDamaged(before.status, after.status)) return true;
  // What the operator itself writes about a start says nothing new beside the record of that start.
  const ignored = after.status?.start === undefined ? undefined : startedRun;
  return !isSameJson(without(old.annotations, ignored), without(annotations, ignored));
}

function without(annotations: WatchedObject["metadata"]["annotations"], name: string | undefined): object {
  if (annotations === undefined || name === undefined || annotations[name] === undefined) return annotations ?? {};
  return { ...annotations, [name]: undefined };
}

/** The status was wiped or edited: Ready, its generation or its end is gone. */
function isStatusDamaged(before: WatchedObject["status"], after: WatchedObject["status"]): boolean {
  if ((after?.observedGeneration ?? -1) < (before?.observedGeneration ?? -1)) return true;
  if (before?.completionTime !== undefined && after?.completionTime === undefined) return true;
  const hasReady = (status: WatchedObject["status"]) => findCondition(status?.conditions, "Ready") !== undefined;
  return hasReady(before) && !hasReady(after);
}

/** Where an object stands among those of its kind. */
interface Place {
  readonly key: ObjectKey;
  readonly createdMs: number;
}

// With thousands of objects for one target or job, each of them is compared with all others.
const places = new WeakMap<object, Place>();

function placeOf({ metadata }: KubeObject): Place {
  const known = places.get(metadata);
  if (known !== undefined) return known;
  const createdMs = Date.parse(metadata.creationTimestamp ?? "");
  // An object whose age is not known comes last: it keeps none waiting.
  const place = { key: objectKey(metadata), createdMs: Number.isNaN(createdMs) ? Number.POSITIVE_INFINITY : createdMs };
  places.set(metadata, place);
  return place;
}

/** Whether an object has precedence: older first, then by namespace and name. A total order in every process. */
export function isOlder(one: KubeObject, other: KubeObject): boolean {
  const [left, right] = [placeOf(one), placeOf(other)];
  return left.createdMs === right.createdMs ? left.key < right.key : left.createdMs < right.createdMs;
}

import type { KubeObject } from "../../kube/types.ts";
import { type ObjectKey, objectKey } from "../../runtime/outcome.ts";

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

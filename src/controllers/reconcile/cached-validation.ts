import type { ObjectMeta } from "../../kube/types.ts";

/** What {@link judgeOnce} must know of an object. */
export interface Judgeable {
  readonly metadata: Pick<ObjectMeta, "uid" | "generation">;
}

/**
 * Remembers what `judge` said about the spec of an object: between a change and its end an object is looked at several
 * times, and within one generation the API server does not let its spec change.
 *
 * Holds the `capacity` objects judged last, and up to as many before them; others are judged again. What has no uid or
 * generation is never remembered.
 */
export function judgeOnce<T extends Judgeable, J>(judge: (object: T) => J, capacity = 5_000): (object: T) => J {
  interface Judgement {
    readonly generation: number;
    readonly verdict: J;
  }
  let recent = new Map<string, Judgement>();
  let older = new Map<string, Judgement>();
  return (object) => {
    const { uid, generation } = object.metadata;
    if (uid === undefined || generation === undefined) return judge(object);
    const known = recent.get(uid) ?? older.get(uid);
    if (known?.generation === generation) return known.verdict;
    const verdict = judge(object);
    if (recent.size >= capacity) {
      older = recent;
      recent = new Map();
    }
    recent.set(uid, { generation, verdict });
    return verdict;
  };
}

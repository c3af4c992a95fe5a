// pure

/** A key with how often it was counted: exactly, or up to `error` too high. */
export interface TopCount<T> {
  readonly value: T;
  readonly count: number;
  /** So much of the count may be of keys that had the place before. */
  readonly error: number;
}

interface Place<T> {
  readonly value: T;
  count: number;
  error: number;
}

/**
 * Counts keys in bounded memory: the Space-Saving sketch (Metwally, Agrawal, El Abbadi 2005). A key that finds no place
 * takes that of the least counted one, with its count.
 *
 * *Guarantees*: exact for up to `places` keys. Beyond them, with `total` counted in all: the counts add up to `total`; a
 * count is too high by its `error` at most, which is at most `total / places`, and never too low; each key that was
 * counted more than `total / places` times has a place.
 */
export class TopCounts<T> {
  readonly #places: number;
  readonly #byKey = new Map<string, Place<T>>();
  /** Whoever may have to give up its place, by count: none is empty. Missing until the first place is needed again. */
  #byCount: Map<number, Set<string>> | undefined;
  /** No count is less. */
  #least = 0;
  #total = 0;

  /** `places`: at least one. */
  constructor(places: number) {
    this.#places = places;
  }

  get total(): number {
    return this.#total;
  }

  /** Counts the key `by` times more. `value` is kept from the first time. */
  add(key: string, value: T, by = 1): void {
    this.#total += by;
    const known = this.#byKey.get(key);
    if (known !== undefined) {
      this.#move(key, known.count, known.count + by);
      known.count += by;
      return;
    }
    const error = this.#byKey.size < this.#places ? 0 : this.#takeLeast();
    this.#byKey.set(key, { value, count: error + by, error });
    this.#move(key, undefined, error + by);
  }

  /** Adds all that another one has counted. */
  absorb(other: TopCounts<T>): void {
    for (const [key, { value, count, error }] of other.#byKey) {
      this.add(key, value, count);
      const place = this.#byKey.get(key);
      if (place !== undefined) place.error += error;
    }
  }

  /** The keys that were counted the most for sure, the most first; equal ones by their keys. */
  top(most: number): readonly TopCount<T>[] {
    const sure = ({ count, error }: Place<T>) => count - error;
    const sorted = [...this.#byKey].sort(([leftKey, left], [rightKey, right]) => {
      return sure(right) - sure(left) || (leftKey < rightKey ? -1 : 1);
    });
    return sorted.slice(0, most).map(([, { value, count, error }]) => ({ value, count, error }));
  }

  clear(): void {
    this.#byKey.clear();
    this.#byCount = undefined;
    this.#least = 0;
    this.#total = 0;
  }

  #move(key: string, from: number | undefined, to: number): void {
    if (this.#byCount === undefined) return;
    if (from !== undefined) leave(this.#byCount, key, from);
    enter(this.#byCount, key, to);
    this.#least = Math.min(this.#least, to);
  }

  /** Frees the place of a least counted key: its count. Counts grow by few, so the next one is soon found. */
  #takeLeast(): number {
    const byCount = this.#byCount ?? this.#sorted();
    this.#byCount = byCount;
    while (!byCount.has(this.#least)) this.#least += 1;
    const count = this.#least;
    const [key = ""] = byCount.get(count) ?? [];
    leave(byCount, key, count);
    this.#byKey.delete(key);
    return count;
  }

  #sorted(): Map<number, Set<string>> {
    const byCount = new Map<number, Set<string>>();
    for (const [key, { count }] of this.#byKey) enter(byCount, key, count);
    return byCount;
  }
}

function enter(byCount: Map<number, Set<string>>, key: string, count: number): void {
  const there = byCount.get(count);
  if (there === undefined) byCount.set(count, new Set([key]));
  else there.add(key);
}

function leave(byCount: Map<number, Set<string>>, key: string, count: number): void {
  const there = byCount.get(count);
  there?.delete(key);
  if (there?.size === 0) byCount.delete(count);
}

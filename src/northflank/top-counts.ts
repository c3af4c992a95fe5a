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
  #total = 0;

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
      known.count += by;
      return;
    }
    const least = this.#byKey.size < this.#places ? undefined : this.#least();
    if (least !== undefined) this.#byKey.delete(least.key);
    const error = least?.place.count ?? 0;
    this.#byKey.set(key, { value, count: error + by, error });
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
    this.#total = 0;
  }

  // There are at most a few thousand requests an hour, and as many places: going through them costs microseconds.
  #least(): { readonly key: string; readonly place: Place<T> } | undefined {
    let least: { readonly key: string; readonly place: Place<T> } | undefined;
    for (const [key, place] of this.#byKey) {
      if (least === undefined || place.count < least.place.count) least = { key, place };
    }
    return least;
  }
}

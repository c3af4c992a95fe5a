// pure
import { TopCounts } from "./top-counts.ts";

/**
 * For whom a request is sent, so that people see who spends the quota. It decides nothing: what is fair is decided by
 * `namespace/connection`.
 */
export interface Spender {
  /** Kind of the object, or of the list that is read for many; from a closed set, because metrics have it as a label. */
  readonly kind: string;
  /** Empty for a list, which is read for objects of several namespaces. */
  readonly namespace: string;
  /** Name of the object; the project of a list of its services or jobs, `project/job` of a list of runs. */
  readonly name: string;
}

/** Requests that serve none of our objects alone, such as the check of a token that was rejected. */
export const otherSpender: Spender = { kind: "Other", namespace: "", name: "" };

/**
 * Who spent how many requests in the present window, the most first. Each count is one that is sure: where there are more
 * objects than are remembered, it may have been more.
 */
export interface SpendingSnapshot {
  /** All that were counted. */
  readonly total: number;
  /** By kind: all of them. */
  readonly kinds: readonly (readonly [kind: string, count: number])[];
  /** The namespaces that spent the most; lists have the empty one. */
  readonly namespaces: readonly (readonly [namespace: string, count: number])[];
  /** The objects and lists that spent the most. */
  readonly spenders: readonly (readonly [spender: Spender, count: number])[];
}

// An account that was not raised grants 1000 requests an hour, so each object that had one is known by name.
const mostSpenders = 1_000;
const mostNamespaces = 500;

// Kinds are constants of the program; a caller that makes them up must not fill the memory.
const mostKinds = 50;

/**
 * The requests of one window by who spent them.
 *
 * *Guarantees*: memory is bounded, however many objects there are: see {@link TopCounts}. `total` is exact.
 */
export class Spending {
  readonly #kinds = new TopCounts<string>(mostKinds);
  readonly #namespaces = new TopCounts<string>(mostNamespaces);
  readonly #spenders = new TopCounts<Spender>(mostSpenders);

  /** Counts one request. */
  add(spender: Spender): void {
    const { kind, namespace, name } = spender;
    this.#kinds.add(kind, kind);
    this.#namespaces.add(namespace, namespace);
    // No kind and no namespace has a slash.
    this.#spenders.add(`${kind}/${namespace}/${name}`, spender);
  }

  /** Adds what was spent from the same account elsewhere. */
  absorb(other: Spending): void {
    this.#kinds.absorb(other.#kinds);
    this.#namespaces.absorb(other.#namespaces);
    this.#spenders.absorb(other.#spenders);
  }

  /** A new window begins. */
  clear(): void {
    this.#kinds.clear();
    this.#namespaces.clear();
    this.#spenders.clear();
  }

  /** At most `most` namespaces, and as many spenders. */
  snapshot(most: number): SpendingSnapshot {
    return {
      total: this.#spenders.total,
      kinds: sure(this.#kinds, mostKinds),
      namespaces: sure(this.#namespaces, most),
      spenders: sure(this.#spenders, most),
    };
  }
}

function sure<T>(counts: TopCounts<T>, most: number): readonly (readonly [T, number])[] {
  return counts.top(most).map(({ value, count, error }) => [value, count - error] as const);
}

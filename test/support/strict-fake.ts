/**
 * A stand-in that has only the given parts. Anything else that is called throws, with the call in the message, so that
 * no test passes because a fake was friendly.
 */
export function strictFake<T extends object>(what: string, parts: Partial<T>): T {
  return new Proxy(parts as T, {
    get(target, property) {
      if (Object.hasOwn(target, property)) return target[property as keyof T];
      // Promises and the test runner look these up on anything they are given.
      if (property === "then" || typeof property === "symbol") return undefined;
      return (...args: readonly unknown[]) => {
        throw new Error(`unexpected call: ${what}.${property}(${args.map(shown).join(", ")})`);
      };
    },
  });
}

function shown(value: unknown): string {
  return value instanceof AbortSignal ? "signal" : (JSON.stringify(value) ?? String(value));
}

/** A signal that nobody aborts. */
export function neverAborted(): AbortSignal {
  return new AbortController().signal;
}

/** Draws the same number every time: 0 = the shortest jitter, 0.5 = none, just below 1 = the longest. */
export function always(draw: number): () => number {
  return () => draw;
}

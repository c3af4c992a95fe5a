/**
 * Lets one start of a job be on its way at a time, in this process: two at once could not be told apart in the list of
 * runs. Nobody waits: who does not get it comes back.
 */
export class StartLocks {
  readonly #held = new Set<string>();

  /** Calls `work` unless another start of the same key is under way; then returns `undefined` at once. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T | undefined> {
    if (this.#held.has(key)) return undefined;
    this.#held.add(key);
    try {
      return await work();
    } finally {
      this.#held.delete(key);
    }
  }
}

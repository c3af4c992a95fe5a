/** Returns a number in [0, 1), as `Math.random` does. Passed in wherever jitter is wanted, so that tests choose it. */
export type Random = () => number;

/**
 * Ends a `switch` over a closed union, so that a new case fails to compile until it is handled.
 *
 * *Errors*: throws when reached at run time, which means that a value got past the types (for example from the wire).
 */
export function assertNever(value: never, what = "value"): never {
  throw new TypeError(`unexpected ${what}: ${JSON.stringify(value)}`);
}

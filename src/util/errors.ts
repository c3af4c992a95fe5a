// pure
/** Turns anything thrown into an `Error`, keeping the original as `cause` when it was not one already. */
export function toError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  return new Error(`a value that is not an Error was thrown: ${typeof thrown}`, { cause: thrown });
}

/** Turns anything thrown into an `Error`, keeping the original as `cause` when it was not one already. */
export function toError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  return new Error(`a value that is not an Error was thrown: ${typeof thrown}`, { cause: thrown });
}

/** True for the rejection that an aborted `AbortSignal` causes: the reason itself, or a DOMException made of it. */
export function isAbort(thrown: unknown, signal: AbortSignal | undefined): boolean {
  if (signal?.aborted !== true) return false;
  return thrown === signal.reason || (thrown instanceof Error && thrown.name === "AbortError");
}

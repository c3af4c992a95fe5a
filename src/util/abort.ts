/** Aborts `target` with the reason of `signal` as soon as that is aborted; at once if it already is. */
export function follow(signal: AbortSignal, target: AbortController): void {
  const abort = () => target.abort(signal.reason);
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
}

import { saysRouteIsGone } from "../../northflank/answer.ts";
import { isNorthflankError, type NorthflankError } from "../../northflank/errors.ts";

/** What became of a change. */
export type WriteResult =
  | { readonly kind: "written"; readonly usedFallback: boolean }
  /** No call takes it; `error` is what the first one said. */
  | { readonly kind: "route-gone"; readonly error: NorthflankError }
  | { readonly kind: "failed"; readonly error: NorthflankError };

type Call = () => Promise<void>;

/**
 * Sends one change. The target was read right before: where the call answers that there is nothing, it is the call that
 * is gone, and the fallback is used where there is one.
 *
 * *Errors*: only what is no `NorthflankError`, such as the reason of an aborted signal.
 */
export async function send(call: Call, fallback?: Call): Promise<WriteResult> {
  const usual = await errorOf(call);
  if (usual === undefined) return { kind: "written", usedFallback: false };
  if (!saysRouteIsGone(usual)) return { kind: "failed", error: usual };
  const other = fallback && (await errorOf(fallback));
  if (fallback === undefined || (other !== undefined && saysRouteIsGone(other))) {
    return { kind: "route-gone", error: usual };
  }
  return other === undefined ? { kind: "written", usedFallback: true } : { kind: "failed", error: other };
}

/** The error of a call; `undefined` when it succeeded. */
async function errorOf(call: Call): Promise<NorthflankError | undefined> {
  try {
    await call();
    return undefined;
  } catch (error) {
    if (isNorthflankError(error)) return error;
    throw error;
  }
}

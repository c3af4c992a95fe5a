import type { NorthflankApi, ServiceName } from "../../northflank/client.ts";
import { isNorthflankError, type NorthflankError } from "../../northflank/errors.ts";
import type { Change } from "./decision.ts";

/** What became of a change. */
export type WriteResult =
  | { readonly kind: "written"; readonly usedFallback: boolean }
  /** The usual route is gone, and the fallback cannot be used; `error` is what the usual route said. */
  | { readonly kind: "route-gone"; readonly error: NorthflankError }
  | { readonly kind: "failed"; readonly error: NorthflankError };

/**
 * Sends one change. Where the usual route turns out to be gone although the same service was read just before, the patch
 * route is used, with the number of instances as read.
 *
 * *Errors*: only what is no `NorthflankError`, such as the reason of an aborted signal.
 */
export async function execute(
  deps: { readonly api: NorthflankApi; readonly target: ServiceName },
  change: Change,
  signal: AbortSignal,
): Promise<WriteResult> {
  const { api, target } = deps;
  const { body } = change.desire;
  const options = { class: "change", signal } as const;
  const usual = await outcomeOf(api.updateServiceDeployment(target, body, options));
  if (usual === undefined) return { kind: "written", usedFallback: false };
  if (!isNorthflankError(usual, "not_found", "wrong_method", "gone")) return { kind: "failed", error: usual };
  const { instances, serviceType } = change.before;
  if (instances === undefined || serviceType === "combined") return { kind: "route-gone", error: usual };
  const fallback = await outcomeOf(api.patchDeploymentService(target, { deployment: { ...body, instances } }, options));
  if (fallback === undefined) return { kind: "written", usedFallback: true };
  const isGoneToo = isNorthflankError(fallback, "not_found", "wrong_method", "gone");
  return isGoneToo ? { kind: "route-gone", error: usual } : { kind: "failed", error: fallback };
}

/** The error of a call; `undefined` when it succeeded. */
async function outcomeOf(call: Promise<void>): Promise<NorthflankError | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    if (isNorthflankError(error)) return error;
    throw error;
  }
}

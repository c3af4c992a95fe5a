import { saysRouteIsGone } from "../../northflank/answer.ts";
import type { JobName, NorthflankApi } from "../../northflank/client.ts";
import { isNorthflankError, type NorthflankError } from "../../northflank/errors.ts";
import type { JobPatchRoute } from "../../northflank/types.ts";
import type { Change, Patch } from "./decision.ts";

/** What became of a change. */
export type WriteResult =
  | { readonly kind: "written"; readonly route: JobPatchRoute; readonly usedFallback: boolean }
  /** No route takes it; `error` is what the first one said. */
  | { readonly kind: "route-gone"; readonly error: NorthflankError }
  | { readonly kind: "failed"; readonly error: NorthflankError };

/**
 * Sends one change. The job was read right before: where the route answers that there is nothing, it is the route that is
 * gone, and the other one is used.
 *
 * *Errors*: only what is no `NorthflankError`, such as the reason of an aborted signal.
 */
export async function execute(
  deps: { readonly api: Pick<NorthflankApi, "patchJob">; readonly target: JobName },
  { patch, fallback }: Pick<Change, "patch" | "fallback">,
  signal: AbortSignal,
): Promise<WriteResult> {
  const usual = await outcomeOf(deps, patch, signal);
  if (usual === undefined) return { kind: "written", route: patch.route, usedFallback: false };
  if (!saysRouteIsGone(usual)) return { kind: "failed", error: usual };
  if (fallback === undefined) return { kind: "route-gone", error: usual };
  const other = await outcomeOf(deps, fallback, signal);
  if (other === undefined) return { kind: "written", route: fallback.route, usedFallback: true };
  return saysRouteIsGone(other) ? { kind: "route-gone", error: usual } : { kind: "failed", error: other };
}

/** The error of a call; `undefined` when it succeeded. */
async function outcomeOf(
  { api, target }: Parameters<typeof execute>[0],
  { route, body }: Patch,
  signal: AbortSignal,
): Promise<NorthflankError | undefined> {
  try {
    await api.patchJob(target, route, body, { class: "change", signal });
    return undefined;
  } catch (error) {
    if (isNorthflankError(error)) return error;
    throw error;
  }
}

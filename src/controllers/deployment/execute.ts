import { saysRouteIsGone } from "../../northflank/answer.ts";
import type { CallOptions, NorthflankApi, ServiceName } from "../../northflank/client.ts";
import { isNorthflankError, type NorthflankError } from "../../northflank/errors.ts";
import type { Change } from "./decision.ts";
import type { TargetName } from "./read-target.ts";

/** What became of a change. */
export type WriteResult =
  | { readonly kind: "written"; readonly usedFallback: boolean }
  /** The usual route is gone, and the fallback cannot be used; `error` is what the usual route said. */
  | { readonly kind: "route-gone"; readonly error: NorthflankError }
  | { readonly kind: "failed"; readonly error: NorthflankError };

/**
 * Sends one change. Where the usual route of a service turns out to be gone although the service was read just before, the
 * patch route of its type is used: that of a deployment service with the number of instances as read, that of a combined
 * service only for what takes no source. A job has no other route. A redeploy is never repeated for a lost answer: each is
 * a rollout.
 *
 * *Errors*: only what is no `NorthflankError`, such as the reason of an aborted signal.
 */
export async function execute(
  deps: { readonly api: NorthflankApi; readonly target: TargetName },
  change: Change,
  signal: AbortSignal,
): Promise<WriteResult> {
  const { api, target } = deps;
  const { body } = change.desire;
  const options = { class: "change", signal } as const;
  if (change.redeploy?.call === "restart service" && "serviceId" in target) {
    const error = await outcomeOf(api.restartService(target, options));
    if (error === undefined) return { kind: "written", usedFallback: false };
    return saysRouteIsGone(error) ? { kind: "route-gone", error } : { kind: "failed", error };
  }
  const usual = await outcomeOf(
    "jobId" in target
      ? api.updateJobDeployment(target, body, options)
      : api.updateServiceDeployment(target, body, { ...options, isOnce: change.redeploy !== undefined }),
  );
  if (usual === undefined) return { kind: "written", usedFallback: false };
  if (!saysRouteIsGone(usual)) return { kind: "failed", error: usual };
  const patch = "jobId" in target ? undefined : patchOf(api, target, change);
  if (patch === undefined) return { kind: "route-gone", error: usual };
  const fallback = await outcomeOf(patch(options));
  if (fallback === undefined) return { kind: "written", usedFallback: true };
  return saysRouteIsGone(fallback) ? { kind: "route-gone", error: usual } : { kind: "failed", error: fallback };
}

/** The patch that can carry the change; `undefined` when none can. */
function patchOf(
  api: NorthflankApi,
  target: ServiceName,
  { before, desire }: Change,
): ((options: CallOptions) => Promise<void>) | undefined {
  const { external, internal, ...runtime } = desire.body;
  if (before.serviceType === "combined") {
    if (external !== undefined || internal !== undefined) return undefined;
    return (options) => api.patchCombinedService(target, { deployment: runtime }, options);
  }
  const { instances } = before;
  if (instances === undefined) return undefined;
  return (options) => api.patchDeploymentService(target, { deployment: { ...desire.body, instances } }, options);
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

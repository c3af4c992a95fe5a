import type { CallOptions, NorthflankApi, ServiceName } from "../../northflank/client.ts";
import { send, type WriteResult } from "../target/send.ts";
import type { Change } from "./decision.ts";
import type { TargetName } from "./read-target.ts";

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
  if ("jobId" in target) return await send(() => api.updateJobDeployment(target, body, options));
  if (change.redeploy?.call === "restart service") return await send(() => api.restartService(target, options));
  const patch = patchOf(api, target, change);
  return await send(
    () => api.updateServiceDeployment(target, body, { ...options, isOnce: change.redeploy !== undefined }),
    patch && (() => patch(options)),
  );
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

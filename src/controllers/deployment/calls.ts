// pure
import type { Call, Change, Decision } from "./observation.ts";

/** A change without the calls that carry it. */
export type ChangeDraft = Omit<Change, "call" | "fallback">;

/** Sends a change, by the call that carries it and the one to use where the route of that is gone. */
export function send(draft: ChangeDraft): Decision {
  return { kind: "write", change: { ...draft, call: usualCall(draft), fallback: fallbackFor(draft) } };
}

function usualCall({ desire: { body }, before, redeploy }: ChangeDraft): Call {
  if (redeploy?.call === "restart service") return { route: "restart" };
  if (before.kind === "job") return { route: "job deployment", body };
  return { route: "service deployment", body, isOnce: redeploy !== undefined };
}

/**
 * The patch that can carry the change: that of a deployment service with the number of instances as read, that of a
 * combined service only for what takes no source. A job has no other route, and a restart neither.
 */
function fallbackFor({ desire: { body }, before, redeploy }: ChangeDraft): Call | undefined {
  if (before.kind === "job" || redeploy?.call === "restart service") return undefined;
  const { external, internal, ...runtime } = body;
  if (before.serviceType === "combined") {
    const hasSource = external !== undefined || internal !== undefined;
    return hasSource ? undefined : { route: "combined service", body: runtime };
  }
  const { instances } = before;
  return instances === undefined ? undefined : { route: "deployment service", body: { ...body, instances } };
}

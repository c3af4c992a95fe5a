// pure
import type { Reason } from "../../api/reasons.ts";
import { formatDuration } from "../../util/duration.ts";
import { defaultConnectionName, safetyNetMs } from "../reconcile/predicates.ts";
import type { Blocked, ReadyState } from "../reconcile/ready-state.ts";
import { slowProbeMs } from "../reconcile/remote-error.ts";
import type { Pause } from "../reconcile/requeue.ts";
import { recheckSecretMs } from "../secrets/secret-tokens.ts";
import type { TokenRead } from "../secrets/token-secret.ts";
import type { AccountRequest } from "./accounts.ts";

const secretPause: Pause = { withinMs: recheckSecretMs };

function blocked(readyState: ReadyState, recheckAfterMs: number, pause?: Pause): Blocked {
  return { kind: "blocked", readyState, recheckAfterMs, ...(pause && { pause }) };
}

/** Until the connection changes. */
function byConnection(kind: "stalled" | "waiting", reason: Reason, message: string): Blocked {
  return blocked({ kind, reason, message }, safetyNetMs, kind === "stalled" ? { withinMs: safetyNetMs } : undefined);
}

/** Neither the connection that an object names, nor a default one, nor an operator-wide token. */
export function connectionNotFound({ namespace, connectionName }: AccountRequest): Blocked {
  const message =
    connectionName === undefined
      ? `No NorthflankConnection named "${defaultConnectionName}" in namespace "${namespace}", and no operator-wide token ` +
        "serves this namespace. Create the connection, or name one in spec.connectionRef."
      : `NorthflankConnection "${connectionName}" does not exist in namespace "${namespace}". Create it, or name another ` +
        "one in spec.connectionRef.";
  return byConnection("stalled", "ConnectionNotFound", message);
}

/** The connection says `suspend: true`. */
export function connectionSuspended(name: string): Blocked {
  const message = `NorthflankConnection "${name}" is suspended; nothing is sent. Set its spec.suspend to false to resume.`;
  return byConnection("waiting", "ConnectionSuspended", message);
}

/** The stored spec of the connection does not fit its schema. */
export function connectionInvalid(name: string): Blocked {
  const message =
    `The stored spec of NorthflankConnection "${name}" is invalid; nothing is sent. Correct the fields that ` +
    `"kubectl describe northflankconnection ${name}" names.`;
  return byConnection("waiting", "WaitingForConnection", message);
}

/** The project matches none of `allowedProjects`. */
export function projectNotAllowed({ projectId }: AccountRequest, name: string): Blocked {
  const message =
    `Project "${projectId}" matches none of spec.allowedProjects of NorthflankConnection "${name}"; nothing is sent. ` +
    "Add the project there, or use another connection.";
  return byConnection("stalled", "ProjectNotAllowed", message);
}

/** Northflank limits the token to other projects. */
export function projectOutOfReach({ projectId }: AccountRequest, name: string): Blocked {
  const message =
    `Northflank does not let the token of NorthflankConnection "${name}" reach project "${projectId}" ` +
    "(status.projectRestrictions of the connection); nothing is sent. Add the project to the role of the token and " +
    "request a reconcile of the connection, or name another connection in spec.connectionRef.";
  return byConnection("stalled", "ProjectNotAllowed", message);
}

/** No token may be sent to the address; `title` is how messages name the account: `connection "main"`. */
export function hostRefused(title: string, problem: string): Blocked {
  const subject = `${title.charAt(0).toUpperCase()}${title.slice(1)}`;
  const message = `${subject} is not ready (InvalidSpec): ${problem}. Nothing is sent until that is corrected.`;
  return byConnection("waiting", "WaitingForConnection", message);
}

/** The same, of the connection itself. */
export function addressInvalid(problem: string): Blocked {
  const message = `The spec is invalid, and nothing is sent. ${problem}.`;
  return byConnection("stalled", "InvalidSpec", message);
}

/** The API refused the token, and the Secret still holds it. */
export function authenticationFailed(
  { title, namespace }: { readonly title: string; readonly namespace: string },
  recheckAfterMs: number,
): Blocked {
  // The operator-wide token is of no namespace, and has no connection.
  const request = namespace === "" ? "" : ", or request a reconcile of the connection";
  // No time in it: each waiting object reads the Secret every minute, and a message that changes is a write for each.
  const message =
    `Northflank rejected the token of ${title} (401); the same token is not sent again for about ` +
    `${formatDuration(slowProbeMs)}. Put a valid token into the Secret${request}.`;
  return blocked({ kind: "stalled", reason: "AuthenticationFailed", message }, recheckAfterMs, secretPause);
}

/** Tokens of the namespace were refused `limit` times within an hour, so no more of them are sent. */
export function tooManyRefused(
  { title, namespace, limit }: { readonly title: string; readonly namespace: string; readonly limit: number },
  recheckAfterMs: number,
): Blocked {
  const message =
    `Northflank rejected tokens of namespace "${namespace}" ${limit} times within an hour (401), so the token ` +
    `of ${title}, which was never accepted, is not sent. Put valid tokens into the Secrets of the connections in this namespace.`;
  return blocked({ kind: "waiting", reason: "WaitingForConnection", message }, recheckAfterMs);
}

/** The Secret is missing, or holds no token. */
export function secretUnusable(title: string, read: TokenRead & { kind: "unusable" }, recheckAfterMs: number): Blocked {
  const message = `The token of ${title} cannot be used: ${read.problem}.`;
  // Missing rights may be a rollout of RBAC under way; a Secret with wrong content waits for a person.
  const kind = read.reason === "PermissionDenied" ? "retrying" : "stalled";
  return blocked({ kind, reason: read.reason, message }, recheckAfterMs, secretPause);
}

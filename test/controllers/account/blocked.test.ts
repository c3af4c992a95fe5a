import { expect, test } from "vitest";
import {
  authenticationFailed,
  connectionNotFound,
  connectionSuspended,
  hostRefused,
  projectNotAllowed,
  projectOutOfReach,
  secretUnusable,
  tooManyRefused,
} from "../../../src/controllers/account/blocked.ts";
import { followUp } from "../../../src/controllers/reconcile/ready-state.ts";
import { sentencesOf } from "../../support/words.ts";

const request = { namespace: "team-a", connectionName: undefined, projectId: "shop" };
const title = 'connection "main"';

test.each([
  [
    "no connection at all",
    connectionNotFound(request),
    "stalled/ConnectionNotFound",
    ['namespace "team-a"', "Create the connection"],
  ],
  [
    "a connection that is missing",
    connectionNotFound({ ...request, connectionName: "main" }),
    "stalled/ConnectionNotFound",
    ['"main"', "Create it, or name another one"],
  ],
  [
    "a connection that is suspended",
    connectionSuspended("main"),
    "waiting/ConnectionSuspended",
    ['"main"', "spec.suspend"],
  ],
  [
    "a project that is not allowed",
    projectNotAllowed(request, "main"),
    "stalled/ProjectNotAllowed",
    ['"shop"', "spec.allowedProjects", "Add the project"],
  ],
  [
    "a project that the token does not reach",
    projectOutOfReach(request, "main"),
    "stalled/ProjectNotAllowed",
    ['"shop"', '"main"', "status.projectRestrictions", "request a reconcile of the connection"],
  ],
  [
    "a host off the list",
    hostRefused(title, "the host x is not on the list"),
    "waiting/WaitingForConnection",
    ['Connection "main" is not ready (InvalidSpec)', "not on the list"],
  ],
  [
    "a refused token",
    authenticationFailed({ title, namespace: "shop" }, 1),
    "stalled/AuthenticationFailed",
    [title, "Put a valid token", "reconcile of the connection"],
  ],
  [
    "the refused operator-wide token",
    authenticationFailed({ title, namespace: "" }, 1),
    "stalled/AuthenticationFailed",
    [title, "Put a valid token into the Secret."],
  ],
  [
    "a Secret that is missing",
    secretUnusable(title, { kind: "unusable", reason: "SecretNotFound", problem: 'Secret "x" does not exist' }, 1),
    "stalled/SecretNotFound",
    [title, "does not exist"],
  ],
  [
    "a Secret that may not be read, which may pass",
    secretUnusable(title, { kind: "unusable", reason: "PermissionDenied", problem: "may not read" }, 1),
    "retrying/PermissionDenied",
    [title, "may not read"],
  ],
  [
    "a token of a namespace with too many bad ones",
    tooManyRefused({ title, namespace: "team-a", limit: 60 }, 1),
    "waiting/WaitingForConnection",
    [title, "60 times within an hour", "Put valid tokens"],
  ],
])("%s: what it is about and what to do, in three sentences at most", (_, blocked, expected, words) => {
  const { readyState, recheckAfterMs, pause } = blocked;
  expect(`${readyState.kind}/${readyState.reason}`).toBe(expected);
  for (const word of words) expect(readyState.message).toContain(word);
  expect(readyState.message).toMatch(/\.$/);
  const next = followUp(readyState.kind, { kind: "recheck", afterMs: recheckAfterMs, ...(pause && { pause }) }) ?? "";
  expect(sentencesOf(`${readyState.message} ${next}`).length).toBeLessThanOrEqual(3);
  expect(recheckAfterMs).toBeGreaterThan(0);
});

import type { Reason } from "../../../../src/api/reasons.ts";
import { expiryWarningDays } from "../../../../src/controllers/connection/token-status.ts";
import { describe, type Remedy, reconcile } from "./entry.ts";

const secretKeys = "kubectl describe secret/SECRET -n NAMESPACE";
// Not on the command line, where the history of the shell keeps it.
const replaceToken = [
  "kubectl create secret generic SECRET -n NAMESPACE --from-file=token=/dev/stdin --dry-run=client -o yaml | kubectl apply -f -",
];

/** Reasons of connections, tokens, Secrets and permissions. */
export const credentials = {
  AuthenticationFailed: {
    means:
      "Northflank answered 401, and `GET /v1/auth` confirmed that the token itself is rejected: it was deleted, rotated or has expired. Every object that uses the connection has this reason.",
    check: [
      "Which connection is affected, and when its last token expired:",
      ["kubectl get nfconn -A -o wide", "kubectl describe nfconn/CONNECTION -n NAMESPACE"],
      "In Northflank, under Account settings > API > Tokens, whether the token still exists.",
    ],
    act: [
      "Create a token with the same role in Northflank, and put it into the Secret of `spec.tokenSecretRef`. If a GitOps tool or External Secrets writes the Secret, change it there. Otherwise paste it into this command, and press Ctrl-D:",
      replaceToken,
      "The new token is used within a minute. No restart and no reconcile request is needed.",
    ],
    otherwise:
      "Nothing is changed, started or read with this connection. Services and active runs continue in Northflank. The same token is probed about once an hour, so a token that becomes valid again is used by itself.",
  },
  TokenExpired: {
    means: "Northflank reported an expiry for the token, and that time is over. The condition `TokenExpiring` is True.",
    check: [
      [
        "kubectl get nfconn -A -o custom-columns=NS:.metadata.namespace,NAME:.metadata.name,EXPIRES:.status.tokenExpirationTime",
      ],
    ],
    act: [
      "Create a token with the same role in Northflank, and put it into the Secret of `spec.tokenSecretRef`:",
      replaceToken,
    ],
    otherwise:
      "The next request gets 401, and all objects of the connection become [AuthenticationFailed](#authenticationfailed).",
  },
  TokenExpiresSoon: {
    means: `The token of the connection expires within ${expiryWarningDays} days. Everything works until then.`,
    check: [
      [
        "kubectl get nfconn -A -o custom-columns=NS:.metadata.namespace,NAME:.metadata.name,EXPIRES:.status.tokenExpirationTime",
      ],
    ],
    act: [
      "Create a second token with the same role in Northflank, put it into the Secret, wait until the condition `TokenExpiring` is gone, then delete the first token.",
      replaceToken,
    ],
    otherwise: "At the time in `status.tokenExpirationTime` the connection stops working.",
  },
  PermissionDenied: {
    means:
      "The token is valid, and its role lacks a permission (403, or 401 with the name of the permission). If the message names a Secret or ConfigMap instead, the service account of the operator lacks a permission in Kubernetes.",
    check: [
      "The message names the permission. For a token, `status.missingPermissions` of the connection lists all that its objects need, as of the last check of the token (an hour at most):",
      ["kubectl get nfconn/CONNECTION -n NAMESPACE -o jsonpath='{.status.missingPermissions}'"],
      "For a permission in Kubernetes:",
      [
        "kubectl auth can-i get secrets -n NAMESPACE --as=system:serviceaccount:northflank-operator:northflank-operator",
      ],
    ],
    act: [
      "Token: grant the permission to the role of the token in Northflank ([what a token needs](reference/calls.md#what-a-token-needs)), then request a reconcile, because a refused call is repeated only about once an hour:",
      reconcile("nfconn", "nfdeploy"),
      "Kubernetes: apply the RBAC of this release, or bind the role of the operator in that namespace. Then it is retried with back-off by itself.",
    ],
    otherwise:
      "Only calls that need this permission fail: Northflank keeps what it has. An object whose reads are permitted still reports drift, and its change is sent about an hour after the permission is granted.",
  },
  ConnectionNotFound: {
    means:
      "The object names no NorthflankConnection that exists in its namespace, there is none named `default`, and no operator-wide token serves the namespace.",
    check: [
      [
        "kubectl get nfconn -n NAMESPACE",
        "kubectl get nfdeploy,nfjob,nfrun -n NAMESPACE -o custom-columns=KIND:.kind,NAME:.metadata.name,CONNECTION:.spec.connectionRef.name",
      ],
    ],
    act: [
      "Create the connection (`examples/00-connection.yaml`), or name an existing one in `spec.connectionRef`. A connection of another namespace cannot be used. Objects are enqueued as soon as it is there.",
    ],
    otherwise: "Nothing is sent for these objects. Northflank keeps what it has.",
  },
  SecretNotFound: {
    means: "A Secret or ConfigMap that the connection or the object refers to does not exist in the namespace.",
    check: [
      "The message names it. Whether it was deleted, or its controller has failed to write it:",
      ["kubectl get secret,configmap -n NAMESPACE", "kubectl get externalsecret,sealedsecret -n NAMESPACE"],
    ],
    act: [
      "Create it, correct the reference, or mark the reference `optional: true`. It is read again within a minute. The spec of a NorthflankJobRun cannot be changed: create the Secret, or another run.",
    ],
    otherwise:
      "Nothing is sent. If it is the token of a connection, all of its objects wait; a run that is active continues in Northflank and is not followed.",
  },
  SecretKeyMissing: {
    means: "The Secret or ConfigMap exists, and lacks the key that is referred to.",
    check: ["Type and keys of the Secret, without its values:", [secretKeys]],
    act: [
      "Add the key, or correct the reference: for a connection `spec.tokenSecretRef.key` (default `token`). It is read again within a minute.",
    ],
    otherwise: "Nothing is sent with this connection, or for this object, until the key exists.",
  },
  SecretInvalid: {
    means:
      "The Secret is there and cannot be used: its type is never sent to Northflank (service account and bootstrap tokens), a value is not UTF-8 text, holds `${`, or is no token (a line break, a blank, quotes, an unreplaced placeholder).",
    check: ["The message names the key and what is wrong with it, never the value.", [secretKeys]],
    act: [
      "Write the Secret again, from the raw value:",
      replaceToken,
      "If a value contains `${` on purpose and Northflank is to expand it, set `spec.allowReferences: true`.",
    ],
    otherwise: "Nothing is sent until the Secret changes; it is read again within a minute.",
  },
  ProjectNotAllowed: {
    means:
      "The project of the object matches none of `spec.allowedProjects` of the connection, or Northflank limits the token to other projects (`status.projectRestrictions`).",
    check: [
      [
        "kubectl get nfconn/CONNECTION -n NAMESPACE -o jsonpath='{.spec.allowedProjects} {.status.projectRestrictions}'",
      ],
    ],
    act: [
      "If the object is right: add the project to `spec.allowedProjects`, or to the role of the token in Northflank and then request a reconcile of the connection. If not: name another connection in `spec.connectionRef`.",
      reconcile("nfconn"),
    ],
    otherwise: "Nothing is sent for objects of this project. Other objects of the connection are not affected.",
  },
  WebhookNotConfigured: {
    means:
      "`spec.notifications` is declared, and the operator runs without `--webhook-bind-address`, or, for `register: true`, without `--webhook-url`. The condition is `NotificationsReady`; Ready is not affected.",
    check: [
      [
        "kubectl -n northflank-operator get deployment/northflank-operator -o jsonpath='{.spec.template.spec.containers[0].args}'",
      ],
    ],
    act: ["Set the flag that the message names ([webhooks](webhooks.md)), or remove `spec.notifications`."],
    otherwise: "Rollouts and runs are polled as without notifications: everything works, later and with more requests.",
  },
  IntegrationDisabled: {
    means:
      "Northflank disabled the notification integration, because notifications were not answered for a while. The condition is `NotificationsReady`; Ready is not affected.",
    check: [
      "Whether the receiver can be reached from the internet, and what it answered:",
      [
        "curl -sS -X POST -o /dev/null -w '%{http_code}\\n' https://HOST/northflank/NAMESPACE/NAME",
        ...describe("nfconn"),
      ],
      "`401` comes from the operator, so it can be reached. A timeout or `502` to `504` comes from the Ingress or the network.",
    ],
    act: [
      "Correct the Ingress, DNS, certificate or network policy. Then request a reconcile; the integration is created again at once:",
      reconcile("nfconn"),
    ],
    otherwise: "With `register: true` it is created again at the time in the message. Until then everything is polled.",
  },
} as const satisfies Partial<Readonly<Record<Reason, Remedy>>>;

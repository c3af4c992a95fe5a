import type { KubeObject } from "../kube/types.ts";
import {
  conditions,
  failure,
  lastHandledReconcileAt,
  nextReconcileTime,
  objectName,
  observedGeneration,
  statusDefault,
  suspendReconcile,
  text,
  time,
  tokenSecretRef,
} from "./fragments.ts";
import type { OnlyInCache } from "./misfits.ts";
import type { Infer, ObjectSchema, Schema } from "./schema.ts";

export const connectionSpec = {
  type: "object",
  description: "A Northflank account: its token, its API URL and the share of its quota that the operator may use.",
  properties: {
    tokenSecretRef,
    teamId: {
      type: "string",
      minLength: 1,
      maxLength: 100,
      pattern: "^[A-Za-z0-9](-?[A-Za-z0-9])*$",
      description:
        "ID of the team. Required for a token of an organization: the operator then calls the paths /v1/teams/{teamId}/. " +
        "Leave it out for a token of a team.",
    },
    apiURL: {
      type: "string",
      minLength: 8,
      maxLength: 253,
      description:
        "URL of the API. Its host must be in the operator's --allowed-api-hosts, else the token is not sent. Default: the " +
        "operator's --api-url (https://api.northflank.com).",
      "x-kubernetes-validations": [
        {
          name: "api-url",
          rule: "self.matches('^(https://([A-Za-z0-9][A-Za-z0-9.-]*|\\\\[[0-9A-Fa-f:.]+\\\\])|http://(localhost|127[.][0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3}|\\\\[::1\\\\]))(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?$')",
          message: "apiURL must be https (http only for a loopback host), without user info, query or fragment",
          check: (self: string) =>
            /^(https:\/\/([A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])|http:\/\/(localhost|127[.][0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3}|\[::1\]))(:[0-9]{1,5})?(\/[A-Za-z0-9._~/-]*)?$/.test(
              self,
            ),
        },
      ],
    },
    budget: {
      type: "object",
      description: "How much of the account's hourly quota the operator may use.",
      properties: {
        maxRequestsPerHour: {
          type: "integer",
          format: "int32",
          minimum: 3,
          maximum: 1_000_000,
          description:
            "Maximum requests per hour through this connection. Set it below the limit of the account (1000 unless " +
            "Northflank raised it), so that people and CI keep a share. The last tenth is reserved for changes and job " +
            "runs. Starting a run takes 3 requests. Default: the operator's --max-requests-per-hour (900).",
        },
        poolName: {
          type: "string",
          maxLength: 63,
          pattern: "^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$",
          description:
            "Name of a shared budget for the connections of this namespace: use it for several tokens of one account. " +
            "Default: connections with the same team share a budget in all namespaces, once Northflank has accepted a " +
            "request of each for that team; connections without a team share one if they have the same token.",
        },
      },
    },
    allowedProjects: {
      type: "array",
      maxItems: 100,
      "x-kubernetes-list-type": "set",
      description:
        "IDs of the projects that objects may use through this connection; * matches any characters, as in staging-*. " +
        "Objects of other projects are Stalled (ProjectNotAllowed). Default: every project that the token can reach.",
      items: {
        type: "string",
        minLength: 1,
        maxLength: 54,
        pattern: "^[A-Za-z0-9*-]+$",
        description: "A project ID or a pattern.",
      },
    },
    notifications: {
      type: "object",
      description:
        "Receive Northflank's notifications about the account of this connection, so that rollouts and runs are read when " +
        "they change. Requires the operator's --webhook-bind-address. The URL for Northflank ends with " +
        "/northflank/<namespace>/<name of the connection>. Default: notifications are rejected.",
      properties: {
        secretRef: {
          type: "object",
          description:
            "Secret in the same namespace with the shared secret of the notification integration. The value of any of its " +
            "keys is accepted, so that a second key can be added to rotate it. A value has at least 16 characters. A " +
            "changed Secret takes effect within a minute.",
          properties: { name: { ...objectName, description: "Name of the Secret." } },
          required: ["name"],
          "x-kubernetes-map-type": "atomic",
        },
        register: {
          type: "boolean",
          description:
            "True: the operator creates the notification integration in Northflank, keeps it as declared, replaces it if " +
            "Northflank disables it, and deletes it with the connection. It gets the first value of the Secret, in the " +
            "alphabetical order of the keys. Requires the operator's --webhook-url, and a token with the permissions " +
            "Account > Observability > Notifications. Default: false, the integration is created by hand.",
        },
      },
      required: ["secretRef"],
    },
    validationPeriodSeconds: {
      type: "integer",
      format: "int32",
      minimum: 60,
      maximum: 86_400,
      description:
        "Seconds between two checks of an accepted token, with a jitter of 20 %. A check is one request of the quota. " +
        "Changed Secrets are noticed within a minute, and a 401 at once, regardless of this period. Default: 3600.",
    },
    suspend: {
      ...suspendReconcile,
      description:
        "True: reconciliation of every object that uses this connection is suspended, and nothing is sent to Northflank. " +
        "Default: false.",
    },
  },
  required: ["tokenSecretRef"],
} as const satisfies ObjectSchema;

function requestCount<const D extends string>(description: D) {
  return { type: "integer", format: "int32", minimum: 0, description } as const satisfies Schema;
}

export const connectionStatus = {
  type: "object",
  default: statusDefault,
  description: "State as observed by the operator. Written by the operator only.",
  properties: {
    observedGeneration,
    conditions,
    lastHandledReconcileAt,
    nextReconcileTime,
    rateLimit: {
      type: "object",
      description:
        "Quota of the account, as last returned by Northflank. Updated in coarse steps, not at every request.",
      properties: {
        limit: { type: "integer", format: "int32", minimum: 0, description: "Requests per hour." },
        remaining: { type: "integer", format: "int32", minimum: 0, description: "Requests left in the current hour." },
        resetTime: time("End of the current hour, when the quota is reset."),
        observedTime: time("Time at which Northflank returned these values."),
      },
    },
    budget: {
      type: "object",
      description:
        "What the operator spends of the quota. Updated at each check of the token and together with other fields, and " +
        "only if a number has changed by more than 10, so it can be up to an hour old.",
      properties: {
        spent: {
          type: "object",
          description: "Requests of the operator in the current hour, for all connections of the account.",
          properties: {
            change: requestCount("Changes, starts of runs, and reads before them."),
            run: requestCount("Polls of rollouts and runs, and lists of services that show drift."),
            observe: requestCount("Checks for drift and of the token."),
          },
        },
        deferred: requestCount(
          "Requests that were postponed in the current hour. A request that is postponed again counts again.",
        ),
        spentByOthers: requestCount(
          "Requests of other clients of the account per hour, estimated from what Northflank returns.",
        ),
        pollStretch: text(
          "How many times longer than usual the polling intervals of rollouts and runs are, from 1 to 10, because what is " +
            'left of the quota does not suffice. Default: "1".',
          8,
        ),
        checkStretch: text(
          "How many times longer than resyncPeriodSeconds the periods of drift checks are, because the objects of the " +
            'account need more requests than checks may use. Default: "1".',
          8,
        ),
        message: text("Why intervals or periods are longer than usual. Absent if they are not."),
      },
    },
    tokenCheck: {
      type: "string",
      enum: ["Accepted", "Refused", "Failed", "NotChecked"],
      description:
        "Result of the last check of the token. Accepted: Northflank accepted it, or has no call that checks it. Refused: " +
        "Northflank rejected it. Failed: the check got no answer or another error, or waits for quota. NotChecked: there " +
        "was no token to check, or the spec does not allow it.",
    },
    tokenSecretResourceVersion: text("The resourceVersion of the Secret whose token was accepted last.", 64),
    acceptedFor: text(
      "API URL and team for which Northflank accepted a request of this connection. Valid while the spec has the same " +
        "URL and team, even after Northflank rejects the token.",
      512,
    ),
    tokenExpirationTime: time(
      "Expiry of the token that was accepted last. Absent if it does not expire, or if Northflank does not return it.",
    ),
    projectRestrictions: {
      type: "object",
      description:
        "Projects that Northflank restricts the token to. Nothing is sent for objects of other projects. Absent if no " +
        "restriction is known.",
      properties: {
        mode: {
          type: "string",
          enum: ["In", "NotIn"],
          description: "In: the token can reach only these projects. NotIn: it can reach all others.",
        },
        projects: {
          type: "array",
          maxItems: 200,
          "x-kubernetes-list-type": "set",
          description: "IDs of the projects.",
          items: { type: "string", maxLength: 54, description: "A project ID." },
        },
        isIncomplete: {
          type: "boolean",
          description:
            "True: there are more than 200 projects. For those that are not listed, the operator relies on Northflank.",
        },
      },
      required: ["mode", "projects"],
    },
    grantedPermissions: {
      type: "array",
      maxItems: 20,
      "x-kubernetes-list-type": "set",
      description:
        "Permissions of the token, among those that the kinds need, as Northflank names them. Absent if not known.",
      items: { type: "string", maxLength: 100, description: "A permission." },
    },
    missingPermissions: {
      type: "array",
      maxItems: 20,
      "x-kubernetes-list-type": "set",
      description: "Permissions that the objects of this connection need and the token lacks.",
      items: { type: "string", maxLength: 100, description: "A permission." },
    },
    notifications: {
      type: "object",
      description: "Notifications of Northflank. Absent if none was received and nothing is registered.",
      properties: {
        lastHintTime: time(
          "Time of a notification that was received with the right secret. Updated every 10 minutes at most.",
        ),
        integration: {
          type: "object",
          description: "The notification integration that the operator created. Absent without register.",
          properties: {
            id: text("ID of the integration in Northflank.", 128),
            webhookURL: text("URL that it sends to.", 2_048),
            account: text("API URL and team of the account that it is in.", 512),
            secretResourceVersion: text("The resourceVersion of the Secret whose value it sends.", 64),
          },
          required: ["id", "webhookURL", "account"],
        },
      },
    },
    dependents: {
      type: "integer",
      format: "int32",
      minimum: 0,
      description: "Number of objects that use this connection.",
    },
    failure,
  },
} as const satisfies ObjectSchema;

export type NorthflankConnectionSpec = Infer<typeof connectionSpec>;
export type NorthflankConnectionStatus = Infer<typeof connectionStatus>;

export interface NorthflankConnection extends KubeObject, OnlyInCache {
  readonly spec: NorthflankConnectionSpec;
  readonly status?: NorthflankConnectionStatus;
}

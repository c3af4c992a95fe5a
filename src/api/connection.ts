import type { KubeObject } from "../kube/types.ts";
import {
  conditions,
  failure,
  lastHandledReconcileAt,
  nextReconcileTime,
  observedGeneration,
  statusDefault,
  suspendReconcile,
  text,
  time,
  tokenSecretRef,
} from "./fragments.ts";
import type { Misfits } from "./misfits.ts";
import type { Infer, ObjectSchema } from "./schema.ts";

export const connectionSpec = {
  type: "object",
  description: "One Northflank account: its token, its address and how much of its quota may be used.",
  properties: {
    tokenSecretRef,
    teamId: {
      type: "string",
      minLength: 1,
      maxLength: 100,
      pattern: "^[A-Za-z0-9](-?[A-Za-z0-9])*$",
      description:
        "Id of the team. Set: the paths /v1/teams/{teamId}/... are called, which a token of an organisation needs. Left " +
        "out: the plain paths, which a token of a team understands.",
    },
    apiURL: {
      type: "string",
      minLength: 8,
      maxLength: 253,
      description:
        "Address of the API. Default: the operator's --api-url, which is https://api.northflank.com unless it was told " +
        "otherwise. Its host must be on the operator's --allowed-api-hosts, else the token is not sent.",
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
            "Requests an hour at most through this connection, below the account's own limit (1000 unless Northflank " +
            "raised it), so that people and CI keep some. The last tenth is reserved for changes and job runs. Starting a " +
            "run takes 3 requests. Default: the operator's --max-requests-per-hour (900).",
        },
        poolName: {
          type: "string",
          maxLength: 63,
          pattern: "^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$",
          description:
            "Connections of this namespace with the same pool name share one ledger: use it for several tokens of one " +
            "account. Left out or empty: connections with the same team share one, in all namespaces, once Northflank " +
            "has answered a request of each for that team; those without a team share one if they have the same token.",
        },
      },
    },
    allowedProjects: {
      type: "array",
      maxItems: 100,
      "x-kubernetes-list-type": "set",
      description:
        "Ids of the projects this connection may be used for; * stands for any characters, as in staging-*. Objects of " +
        "other projects are refused. Left out: every project the token can reach.",
      items: {
        type: "string",
        minLength: 1,
        maxLength: 54,
        pattern: "^[A-Za-z0-9*-]+$",
        description: "A project id or a pattern.",
      },
    },
    validationPeriodSeconds: {
      type: "integer",
      format: "int32",
      minimum: 60,
      maximum: 86_400,
      description:
        "Seconds between two checks of an accepted token, spread by 20 %. One check is one request of the quota. Changed " +
        "Secrets are seen within a minute whatever this says, and a 401 at once. Default: 3600.",
    },
    suspend: {
      ...suspendReconcile,
      description:
        "True: every object that uses this connection is paused; nothing is sent to Northflank. Default: false.",
    },
  },
  required: ["tokenSecretRef"],
} as const satisfies ObjectSchema;

export const connectionStatus = {
  type: "object",
  default: statusDefault,
  description: "What the operator saw. Written by the operator only.",
  properties: {
    observedGeneration,
    conditions,
    lastHandledReconcileAt,
    nextReconcileTime,
    rateLimit: {
      type: "object",
      description: "The account's quota as Northflank last told it. Written in coarse steps, not at every request.",
      properties: {
        limit: { type: "integer", format: "int32", minimum: 0, description: "Requests an hour the account has." },
        remaining: { type: "integer", format: "int32", minimum: 0, description: "Requests left in this hour." },
        resetTime: time("When the hour ends and the quota is full again."),
        observedTime: time("When Northflank told these figures."),
      },
    },
    tokenSecretResourceVersion: text("resourceVersion of the Secret whose token was accepted last.", 64),
    acceptedFor: text(
      "API address and team for which Northflank accepted a request of this connection. Valid while the spec names the " +
        "same address and team, also after Northflank rejects the token.",
      512,
    ),
    tokenExpirationTime: time(
      "When the token that was accepted last expires, as Northflank reports it. Missing: it does not expire, or Northflank " +
        "does not say.",
    ),
    projectRestrictions: {
      type: "object",
      description:
        "The projects that Northflank limits the token to. Nothing is sent for objects of other projects. Missing: no limit is " +
        "known.",
      properties: {
        mode: {
          type: "string",
          enum: ["In", "NotIn"],
          description: "In: the token reaches these projects only. NotIn: it reaches all others.",
        },
        projects: {
          type: "array",
          maxItems: 200,
          "x-kubernetes-list-type": "set",
          description: "Ids of the projects.",
          items: { type: "string", maxLength: 54, description: "A project id." },
        },
        isIncomplete: {
          type: "boolean",
          description: "True: there are more than 200 projects; for those that are not listed Northflank decides.",
        },
      },
      required: ["mode", "projects"],
    },
    grantedPermissions: {
      type: "array",
      maxItems: 20,
      "x-kubernetes-list-type": "set",
      description:
        "Of the permissions that the kinds need, those that the token has, as Northflank names them. Missing: not known.",
      items: { type: "string", maxLength: 100, description: "A permission." },
    },
    missingPermissions: {
      type: "array",
      maxItems: 20,
      "x-kubernetes-list-type": "set",
      description: "The permissions that the token lacks and the objects that use this connection need.",
      items: { type: "string", maxLength: 100, description: "A permission." },
    },
    dependents: {
      type: "integer",
      format: "int32",
      minimum: 0,
      description: "How many objects use this connection.",
    },
    failure,
  },
} as const satisfies ObjectSchema;

export type NorthflankConnectionSpec = Infer<typeof connectionSpec>;
export type NorthflankConnectionStatus = Infer<typeof connectionStatus>;

export interface NorthflankConnection extends KubeObject {
  readonly spec: NorthflankConnectionSpec;
  readonly status?: NorthflankConnectionStatus;
  /** Only in the cache, see project-object.ts: what the API server dropped because the schema does not know it. */
  readonly prunedFields?: readonly string[];
  /** Only in the cache: what was stored and does not fit the schema; the object goes without it. */
  readonly misfits?: Misfits;
}

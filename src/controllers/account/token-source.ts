// pure
import { isAllowedOrigin, parseApiUrl } from "../../northflank/api-origin.ts";
import { type ObjectKey, objectKey } from "../../runtime/outcome.ts";
import { defaultConnectionName } from "../reconcile/predicates.ts";
import type { Blocked } from "../reconcile/ready-state.ts";
import { operatorSecret, type TokenSecretName } from "../secrets/secret-tokens.ts";
import type { AccountRequest } from "./accounts.ts";
import { isProjectAllowed, isProjectInReach, type KnownRestrictions } from "./allowed-projects.ts";
import {
  connectionInvalid,
  connectionNotFound,
  connectionSuspended,
  hostRefused,
  projectNotAllowed,
  projectOutOfReach,
} from "./blocked.ts";

/** The part of a NorthflankConnection that accounts are made of. */
export interface ConnectionObject {
  readonly metadata: { readonly namespace?: string; readonly name: string };
  readonly spec: {
    readonly tokenSecretRef: { readonly name: string; readonly key?: string };
    readonly teamId?: string;
    readonly apiURL?: string;
    readonly budget?: { readonly maxRequestsPerHour?: number; readonly poolName?: string };
    readonly allowedProjects?: readonly string[];
    readonly suspend?: boolean;
  };
  /**
   * `acceptedFor`: the address of {@link Account} that a process before this one was answered for.
   * `tokenSecretResourceVersion`: the version of the Secret whose token was accepted last. `projectRestrictions`: what
   * Northflank returned for it.
   */
  readonly status?: {
    readonly acceptedFor?: string;
    readonly tokenSecretResourceVersion?: string;
    readonly projectRestrictions?: KnownRestrictions;
  };
  /** What of the stored object did not fit its schema and was left out. */
  readonly misfits?: { readonly spec: readonly unknown[] };
}

/** The operator-wide token and whom it serves. */
export interface OperatorToken {
  /** The token as it is now; `undefined` when it cannot be read. Called at most once a minute and after a 401. */
  readonly read: () => Promise<string | undefined>;
  readonly namespaces: readonly string[] | "*";
  readonly teamId: string | undefined;
}

/** Where a token is read, and what it is used with. */
export interface TokenSource {
  readonly kind: "source";
  /** The key of the connection, or {@link operatorId}. */
  readonly id: string;
  readonly namespace: string;
  /** How messages name it: `connection "main"`. */
  readonly title: string;
  /** `https://api.northflank.com`, with a base path if there is one, without a slash at the end. */
  readonly baseUrl: string;
  readonly secret: TokenSecretName;
  readonly teamId: string | undefined;
  /** The team counts as confirmed although Northflank has not answered for it. */
  readonly trustsTeam: boolean;
  readonly poolName: string | undefined;
  readonly maxRequestsPerHour: number;
  /** See {@link ConnectionObject.status}. */
  readonly acceptedFor: string | undefined;
  readonly acceptedSecret: string | undefined;
}

/** A connection to whose address no token may be sent. */
export interface RefusedAddress {
  readonly kind: "refused";
  readonly id: string;
  readonly title: string;
  /** Field, rule and remedy, in one sentence without a period. */
  readonly problem: string;
}

export interface TokenSourcesDeps {
  readonly connections: { get(key: ObjectKey): ConnectionObject | undefined };
  /** All connections are of one person, whose token it is: teams are taken as they are named. Default: false. */
  readonly trustsTeams?: boolean;
  readonly operatorToken: OperatorToken | undefined;
  /** For connections that do not set `spec.apiURL`. */
  readonly defaultApiUrl: string;
  readonly defaultMaxRequestsPerHour: number;
  /** `host` or `host:port` in lower case. */
  readonly allowedApiHosts: readonly string[];
}

/** Identifies the operator-wide token: no connection has this key. */
export const operatorId = "";

/** The least ceiling: a start takes three requests, and with fewer none would ever be granted. */
const leastRequestsPerHour = 3;

// Users can write any number of addresses into specs; this many are more than any installation has.
const mostAddresses = 1_000;

/** Finds the token of an object: that of a connection, or the operator-wide one. */
export class TokenSources {
  readonly #deps: TokenSourcesDeps;
  /** Reading a URL takes longer than all the rest of finding an account, and there are few different ones. */
  readonly #addresses = new Map<string, ApiAddress>();

  constructor(deps: TokenSourcesDeps) {
    this.#deps = deps;
  }

  /** The token that an object may use, or why it may use none. */
  choose(request: AccountRequest): TokenSource | Blocked {
    const connection = this.#connection(request);
    const blocked = connection && blockedBy(connection, request);
    if (blocked !== undefined) return blocked;
    const source = this.named(request);
    if (source === undefined) return connectionNotFound(request);
    return source.kind === "refused" ? hostRefused(source.title, source.problem) : source;
  }

  /** The token that an object names, whether or not it may use it now; `undefined` where there is none. */
  named(request: AccountRequest): TokenSource | RefusedAddress | undefined {
    const connection = this.#connection(request);
    if (connection !== undefined) return isWithoutSecret(connection) ? undefined : this.of(connection);
    const { operatorToken, defaultApiUrl, defaultMaxRequestsPerHour } = this.#deps;
    if (request.connectionName !== undefined || operatorToken === undefined) return undefined;
    const { namespaces, teamId } = operatorToken;
    if (namespaces !== "*" && !namespaces.includes(request.namespace)) return undefined;
    return this.#source(defaultApiUrl, {
      id: operatorId,
      namespace: "",
      title: "the operator-wide account",
      secret: operatorSecret,
      teamId,
      trustsTeam: true,
      poolName: undefined,
      maxRequestsPerHour: defaultMaxRequestsPerHour,
      acceptedFor: undefined,
      acceptedSecret: undefined,
    });
  }

  /** The token of a connection. */
  of({ metadata, spec, status }: ConnectionObject): TokenSource | RefusedAddress {
    const { defaultApiUrl, defaultMaxRequestsPerHour, trustsTeams = false } = this.#deps;
    const { namespace = "" } = metadata;
    return this.#source(spec.apiURL ?? defaultApiUrl, {
      id: objectKey(metadata),
      namespace,
      title: `connection "${metadata.name}"`,
      secret: { namespace, name: spec.tokenSecretRef.name, key: spec.tokenSecretRef.key ?? "token" },
      teamId: spec.teamId,
      trustsTeam: trustsTeams,
      poolName: spec.budget?.poolName === "" ? undefined : spec.budget?.poolName,
      maxRequestsPerHour: Math.max(leastRequestsPerHour, spec.budget?.maxRequestsPerHour ?? defaultMaxRequestsPerHour),
      acceptedFor: status?.acceptedFor,
      acceptedSecret: status?.tokenSecretResourceVersion,
    });
  }

  #connection(request: AccountRequest): ConnectionObject | undefined {
    return this.#deps.connections.get(connectionKey(request));
  }

  #source(apiUrl: string, facts: Omit<TokenSource, "kind" | "baseUrl">): TokenSource | RefusedAddress {
    const known = this.#addresses.get(apiUrl);
    const address = known ?? checkApiUrl(apiUrl, this.#deps.allowedApiHosts);
    if (known === undefined) {
      if (this.#addresses.size >= mostAddresses) this.#addresses.clear();
      this.#addresses.set(apiUrl, address);
    }
    const { id, title } = facts;
    if (address.kind === "refused") return { kind: "refused", id, title, problem: address.problem };
    return { kind: "source", baseUrl: address.baseUrl, ...facts };
  }
}

/** The key of the connection that an object names. */
export function connectionKey({ namespace, connectionName: name = defaultConnectionName }: AccountRequest): ObjectKey {
  return objectKey({ namespace, name });
}

/** The reference did not fit the schema of the stored object, and was left out. */
function isWithoutSecret({ spec }: { readonly spec: Partial<ConnectionObject["spec"]> }): boolean {
  return spec.tokenSecretRef === undefined;
}

/** What the connection says against the object. Of a spec that does not fit, what was left out may be such a limit. */
function blockedBy(
  { metadata, spec, status, misfits }: ConnectionObject,
  request: AccountRequest,
): Blocked | undefined {
  const { name } = metadata;
  if ((misfits?.spec.length ?? 0) > 0) return connectionInvalid(name);
  if (spec.suspend === true) return connectionSuspended(name);
  if (!isProjectAllowed(request.projectId, spec.allowedProjects)) return projectNotAllowed(request, name);
  if (request.isBuilder === true || isProjectInReach(request.projectId, status?.projectRestrictions)) return undefined;
  return projectOutOfReach(request, name);
}

/** Where an API is, or why no token may go there. */
export type ApiAddress =
  /** Scheme, host and base path, without a slash at the end. */
  { readonly kind: "allowed"; readonly baseUrl: string } | { readonly kind: "refused"; readonly problem: string };

/**
 * Checks `spec.apiURL` of a connection against the hosts that may ever see a token. The transport checks again before
 * each call; here the answer is for people.
 */
export function checkApiUrl(apiUrl: string, allowedHosts: readonly string[]): ApiAddress {
  const parsed = parseApiUrl(apiUrl);
  if (parsed.kind === "problem") return refused(parsed.problem);
  const { origin, basePath } = parsed;
  if (isAllowedOrigin(origin, allowedHosts)) return { kind: "allowed", baseUrl: `${origin}${basePath}` };
  const { host } = new URL(origin);
  return refused(
    `the host ${host} is not on the operator's list (--allowed-api-hosts); add it there, or correct spec.apiURL`,
  );
}

function refused(rule: string): ApiAddress {
  return { kind: "refused", problem: `spec.apiURL cannot be used: ${rule}` };
}

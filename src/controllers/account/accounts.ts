// pure
import type { NorthflankApi } from "../../northflank/client.ts";
import type { ListReader } from "../../northflank/shared-lists.ts";
import type { Blocked } from "../reconcile/ready-state.ts";

/** What an object says about the account it belongs to. */
export interface AccountRequest {
  readonly namespace: string;
  /** `spec.connectionRef.name`; when missing, the rules of {@link Accounts.resolve} choose. */
  readonly connectionName: string | undefined;
  /** Checked against the connection's `allowedProjects`, and against the projects that its token reaches. */
  readonly projectId: string;
  /**
   * Only a build comes from the project. Northflank may deploy it also where the token does not reach the project, so
   * Northflank decides that; what the connection allows counts all the same. Default: false.
   */
  readonly isBuilder?: boolean;
}

/** What is known of the account that a connection leads to, whether or not the connection can be used now. */
export interface AccountIdentity {
  /** The pool it spends from; `undefined` while that is not known. */
  readonly pool?: string | undefined;
  /** The team that the connection names, with the address: a name from a spec. Missing without one. */
  readonly team?: string | undefined;
  /**
   * False until Northflank has answered a call for what the connection names; missing = true. Once true, it stays
   * so, whatever happens to the token.
   */
  readonly isProven?: boolean | undefined;
  /** Pools that the connection spent from recently, with a token that has been replaced. */
  readonly formerPools?: readonly string[] | undefined;
}

/** An account that can be used now. What it says of its {@link AccountIdentity} is as it is when it is read. */
export interface Account extends AccountIdentity {
  readonly api: NorthflankApi;
  /**
   * Identity of the ledger: equal for all connections that spend the same quota. A connection that names a team has one
   * of its own until Northflank has answered it a call for that team.
   */
  readonly pool: string;
  /**
   * Where calls go, for people and for records that outlive this process: `https://api.northflank.com`, and
   * `, team acme` where there is one. Accounts that differ in nothing but the token have the same.
   */
  readonly address: string;
  /**
   * Changes whenever the token, the team, the host or the ceiling behind `api` changes: what the API refused before may
   * then be granted, so slow probes need not wait. Means nothing beyond this process; holds nothing secret.
   */
  readonly version: string;
  /**
   * Equal for accounts with the same token, team and address: what one of them is answered, the others may use. Means
   * nothing beyond this process; holds nothing secret. Missing: the answers are those of this account alone.
   */
  readonly readScope?: string;
  /** Requests an hour for checks of settled targets; missing: as many as they need. */
  readonly checksPerHour?: number | undefined;
  /** So many times as long as usual are the intervals of polls, from 1 to 10; missing: as usual. */
  readonly pollStretch?: number | undefined;
  /** Present for the operator-wide token, which serves objects that have no connection. */
  readonly isOperatorWide?: true;
}

/** The account as a reader of lists that others read as well. */
export function readerOf({ api, pool, version, readScope = `${pool}, account ${version}` }: Account): ListReader {
  return { api, scope: readScope };
}

/** The account of an object, or why there is none now. */
export type AccountResolution =
  | { readonly kind: "usable"; readonly account: Account }
  /**
   * Not now. The ready state goes to the object's status as it is; the object is reconciled again when the connection
   * or the Secret changes, and after `recheckAfterMs` at the latest.
   */
  | Blocked;

/**
 * Finds the account of an object: `spec.connectionRef`, else the connection named `default` in its namespace, else the
 * operator-wide token where it serves the namespace.
 *
 * *Guarantees*: a rotated Secret is seen within a minute, and at once after {@link tokenRejected}; a Secret is read by
 * name only, in the object's own namespace.
 *
 * *Errors*: `KubeError` when Kubernetes cannot be read (transient: retry); everything else is a `blocked` resolution.
 */
export interface Accounts {
  resolve(request: AccountRequest, signal: AbortSignal): Promise<AccountResolution>;
  /**
   * The account that {@link resolve} would find, where that takes no wait and changes nothing; `undefined` where it
   * must be resolved. For work on each of thousands of objects at once.
   */
  peek?(request: AccountRequest): Account | undefined;
  /**
   * Reports that the API does not accept this account's token: a call failed with `unauthorized`, which is confirmed by
   * `GET /v1/auth`. The Secret is read again at once when the account is next resolved: a new token is used, the same
   * one is not sent again until the Secret changes or a slow probe is due (the account is `blocked` with
   * `AuthenticationFailed` meanwhile). So a caller may resolve and call once more in the same reconcile.
   */
  tokenRejected(account: Account): void;
  /**
   * What is known of the account of an object, whether or not it may be used now. Sends nothing to Northflank, and
   * takes nothing from the probes of a refused token.
   *
   * *Errors*: `KubeError` when Kubernetes cannot be read and nothing is known.
   */
  identity(request: AccountRequest, signal: AbortSignal): Promise<AccountIdentity>;
}

/**
 * Whether two connections lead to one account. `unproven`: `other` names the same one, or nothing is known of it, and
 * no answer of Northflank has shown that it belongs there.
 */
export function compareIdentities(own: AccountIdentity, other: AccountIdentity): "same" | "unproven" | "other" {
  if (own.pool !== undefined && own.pool === other.pool) return "same";
  if (wasIn(own, other.pool) || wasIn(other, own.pool)) return "same";
  if (own.team !== undefined && own.team === other.team) return other.isProven === false ? "unproven" : "same";
  return other.pool === undefined && other.team === undefined ? "unproven" : "other";
}

function wasIn({ formerPools = [] }: AccountIdentity, pool: string | undefined): boolean {
  return pool !== undefined && formerPools.includes(pool);
}

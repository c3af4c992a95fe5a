// pure
import { slowProbeMs } from "../reconcile/remote-error.ts";
import type { AccountIdentity } from "./accounts.ts";
import type { KnownToken } from "./known-tokens.ts";
import type { TokenSource } from "./token-source.ts";

/*
 * Who shares a pool, and so a ledger and the targets in it:
 *
 *     teamId              alone ── answered for the team ──▶ all connections that were answered for this team
 *     budget.poolName     the connections of the same namespace that name it
 *     neither             the connections with the same token (compared in memory only, never part of a name)
 *
 * *Guarantee*: a name in a spec alone gets no connection into the pool of another.
 */

/** A token, and what it is used with. */
export interface Credentials {
  readonly source: TokenSource;
  readonly token: KnownToken;
}

/** The pool that the connection spends from now. */
export function poolOf(credentials: Credentials): string {
  const { id, namespace, baseUrl, poolName } = credentials.source;
  // Only who may write into a namespace joins by a name, and only the pools of that namespace.
  if (poolName !== undefined) return `pool ${poolName} of namespace ${namespace} at ${baseUrl}`;
  const team = teamOf(credentials.source);
  if (team === undefined) return credentials.token.pool;
  return isConfirmed(credentials) ? team : `${team}, not accepted yet for ${id}`;
}

/** How metrics name the pool: one name for all connections that Northflank has not answered yet. */
export function poolLabelOf(credentials: Credentials): string {
  return isConfirmed(credentials) ? poolOf(credentials) : "not accepted yet";
}

/** True once Northflank has answered for what the connection names, so that it spends from that pool. */
export function isConfirmed({ source: { teamId, trustsTeam }, token }: Credentials): boolean {
  return trustsTeam || (token.isAccepted && (teamId === undefined || token.teams.has(teamId)));
}

/** True when a process before this one was answered for the team that is named now. */
export function wasConfirmed(source: TokenSource): boolean {
  return source.teamId !== undefined && source.acceptedFor === addressOf(source);
}

/** See {@link AccountIdentity.team}. */
export function teamOf({ teamId, baseUrl }: TokenSource): string | undefined {
  return teamId === undefined ? undefined : `team ${teamId} at ${baseUrl}`;
}

/** See {@link Account.readScope}. Not the pool, whose tokens may be limited to different projects. */
export function readScopeOf({ source: { teamId }, token }: Credentials): string {
  return teamId === undefined ? token.pool : `${token.pool}, team ${teamId}`;
}

/** See {@link Account.address}. */
export function addressOf({ teamId, baseUrl }: TokenSource): string {
  return teamId === undefined ? baseUrl : `${baseUrl}, team ${teamId}`;
}

/** True when nothing but the token and the ceiling may differ. */
export function isSameAccount(known: TokenSource, source: TokenSource): boolean {
  const { baseUrl, teamId, poolName } = known;
  return baseUrl === source.baseUrl && teamId === source.teamId && poolName === source.poolName;
}

/** A pool that a connection spent from with a token that has been replaced. */
export interface FormerPool {
  readonly pool: string;
  readonly untilMs: number;
}

// Conflicts go by the pool before a rotation for so long: the Secrets of one account are not all changed at once.
const rotationMs = slowProbeMs;

// Whoever changes a token every minute is in conflict with a few of them at most.
const mostFormer = 4;

/** Those that count still. */
export function currentFormer(former: readonly FormerPool[], nowMs: number): readonly FormerPool[] {
  return former.filter(({ untilMs }) => nowMs < untilMs);
}

/** The former pools once the token is replaced: those there were, and the one that the connection spent from. */
export function formerAfterRotation(
  before: { readonly account: AccountIdentity; readonly former: readonly FormerPool[] },
  token: KnownToken,
  nowMs: number,
): readonly FormerPool[] {
  const earlier = currentFormer(before.former, nowMs);
  const { pool } = before.account;
  if (pool === undefined || pool === token.pool) return earlier;
  return [...earlier.slice(-mostFormer), { pool, untilMs: nowMs + rotationMs }];
}

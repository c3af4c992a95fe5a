// pure

/** What is known of the account that a connection leads to, whether or not the connection can be used now. */
export interface Standing {
  /** The pool it spends from; `undefined` while that is not known. */
  readonly pool?: string | undefined;
  /** The team that the connection names, with the address: a name that somebody wrote. Missing without one. */
  readonly team?: string | undefined;
  /**
   * False until Northflank has answered a call for what the connection names; missing = true. What was shown once stays
   * so, whatever becomes of the token.
   */
  readonly isProven?: boolean | undefined;
  /** Pools that the connection spent from a short while ago, with a token that has been replaced. */
  readonly formerPools?: readonly string[] | undefined;
}

/**
 * Whether two connections lead to one account. `unproven`: `other` names the same one, or nothing is known of it, and no
 * answer of Northflank has shown that it belongs there.
 */
export function compareStandings(own: Standing, other: Standing): "same" | "unproven" | "other" {
  if (own.pool !== undefined && own.pool === other.pool) return "same";
  if (wasIn(own, other.pool) || wasIn(other, own.pool)) return "same";
  if (own.team !== undefined && own.team === other.team) return other.isProven === false ? "unproven" : "same";
  return other.pool === undefined && other.team === undefined ? "unproven" : "other";
}

function wasIn({ formerPools = [] }: Standing, pool: string | undefined): boolean {
  return pool !== undefined && formerPools.includes(pool);
}

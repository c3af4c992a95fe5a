import { createBudget } from "../../northflank/budget.ts";
import { type ApiObserver, createNorthflankApi, type NorthflankApi } from "../../northflank/client.ts";
import { createLedger, type Ledger, type LedgerSnapshot } from "../../northflank/ledger.ts";
import { defaultObserveShare } from "../../northflank/ledger-shares.ts";
import { RetryAllowance } from "../../northflank/retry-allowance.ts";
import type { SpendingSnapshot } from "../../northflank/spending.ts";
import type { Transport } from "../../northflank/transport.ts";
import type { Clock } from "../../util/clock.ts";
import type { Random } from "../../util/random.ts";
import type { SecretValue } from "../../util/secret-value.ts";

/** What an API client is bound to. */
export interface ApiBinding {
  /** Names whose ceiling `maxRequestsPerHour` is, also when a client is made again. Missing: this client's alone. */
  readonly connection?: string | undefined;
  /** `https://api.northflank.com`, with a base path if there is one, without a slash at the end. */
  readonly baseUrl: string;
  readonly teamId: string | undefined;
  readonly token: SecretValue;
  /**
   * Names the ledger: equal names share one. Read at each call: it changes when Northflank shows whose account it is.
   */
  readonly pool: string;
  /** How metrics name the pool: one name for all that are not accepted yet. Default: `pool`. */
  readonly poolLabel?: string | undefined;
  readonly maxRequestsPerHour: number;
}

/** API clients and the ledgers behind them. */
export interface ApiFactory {
  /** A client for the binding. The ledger is that of its pool, whoever else uses it; the ceiling is its own. */
  readonly open: (binding: ApiBinding) => NorthflankApi;
  /**
   * Moves the client to the pool that its binding names now. The next call would, too; before it, figures are of the
   * old pool.
   */
  readonly moved: (api: NorthflankApi) => void;
  /**
   * The client is no longer needed. Its calls under way continue; what it has spent is kept until the window is over,
   * also for a connection that is made again.
   */
  readonly close: (api: NorthflankApi) => void;
  /** What the pool has spent; `undefined` before its first client. */
  readonly quota: (pool: string) => LedgerSnapshot | undefined;
  /**
   * Requests an hour that the pool has for checks of settled targets, as far as people and CI leave them; `undefined`
   * before its first client.
   */
  readonly checksPerHour: (pool: string) => number | undefined;
  /**
   * So many times as long as usual are the intervals of polls, because the pool or the ceiling of the connection runs
   * short: from 1 to 10; 1 while nothing is known.
   */
  readonly stretch: (pool: string, connection?: string) => number;
  /** Requests an hour that people and CI send, as far as they are seen; 0 while nothing is known. */
  readonly othersPerHour: (pool: string) => number;
  /** Every pool that metrics name, with its figures. */
  readonly pools: () => readonly (readonly [pool: string, quota: LedgerSnapshot])[];
  /** Who has spent from a pool in this window, the `most` largest; `undefined` before its first request. */
  readonly spending: (pool: string, most: number) => SpendingSnapshot | undefined;
}

/** Called with each request, and with each pool that is removed. */
export interface PoolObserver extends ApiObserver {
  /** The pool of this label has no client left, and nothing of it has to be remembered. */
  readonly onPoolGone?: (label: string) => void;
}

/** A pool: the ledger of an account and its retries, and the clients that spend from it with their ceilings. */
interface Pool {
  readonly name: string;
  readonly ledger: Ledger;
  readonly retries: RetryAllowance;
  readonly ceilings: Map<Member, number>;
}

interface Member {
  readonly binding: ApiBinding;
  /** The pool it was last seen in. */
  pool: string;
}

// Going through all of them at each new client would be quadratic.
const leastSwept = 64;

/**
 * Makes API clients over one transport (which keeps the connections of each pool apart), with one ledger per pool and
 * one for the ceiling of each connection.
 *
 * *Guarantees*: a ceiling limits the connection that set it, and no other; a pool sends no more than the highest of its
 * ceilings. When a binding moves to another pool, what was spent in the one it leaves counts in the new one. Of what is
 * not in use, nothing is kept that its window does not need.
 */
export function createApiFactory(deps: {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly observer?: PoolObserver;
  /** The part of an account's requests that checks for drift may spend, from 0 to 1. Default 0.2. */
  readonly observeShare?: number;
}): ApiFactory {
  const { observeShare = defaultObserveShare } = deps;
  const pools = new Map<string, Pool>();
  const ceilings = new Map<string, Ledger>();
  const members = new Map<NorthflankApi, Member>();
  let sweepAt = leastSwept;

  return {
    open: (binding) => {
      const { baseUrl, teamId, token } = binding;
      const member: Member = { binding, pool: binding.pool };
      enter(member);
      const api = createNorthflankApi({
        ...deps,
        ledger: createBudget(ceilingOf(binding), () => poolOf(member).ledger),
        baseUrl,
        teamId,
        token,
        who: binding.connection,
        get retries() {
          return poolOf(member).retries;
        },
        get pool() {
          return binding.pool;
        },
        get poolLabel() {
          return binding.poolLabel;
        },
      });
      members.set(api, member);
      if (pools.size + ceilings.size >= sweepAt) sweep();
      return api;
    },
    moved: (api) => {
      const member = members.get(api);
      if (member !== undefined) poolOf(member);
    },
    close: (api) => {
      const member = members.get(api);
      if (member === undefined) return;
      members.delete(api);
      leave(member);
    },
    quota: (pool) => pools.get(pool)?.ledger.snapshot(),
    checksPerHour: (name) => {
      const pool = pools.get(name);
      return pool && observeShare * pool.ledger.pace().grantedPerHour;
    },
    stretch: (name, connection) => {
      const ledgers = [pools.get(name)?.ledger, connection === undefined ? undefined : ceilings.get(connection)];
      return Math.max(1, ...ledgers.map((ledger) => ledger?.pace().stretch ?? 1));
    },
    othersPerHour: (name) => pools.get(name)?.ledger.pace().othersPerHour ?? 0,
    pools: () => {
      sweep();
      return [...pools].flatMap(([name, { ledger, ceilings: users }]) => {
        const isNamed = [...users.keys()].some(({ binding }) => (binding.poolLabel ?? name) === name);
        return isNamed ? [[name, ledger.snapshot()] as const] : [];
      });
    },
    spending: (pool, most) => pools.get(pool)?.ledger.spending()?.snapshot(most),
  };

  function ceilingOf({ connection, maxRequestsPerHour }: ApiBinding): Ledger {
    const known = connection === undefined ? undefined : ceilings.get(connection);
    known?.setCeiling(maxRequestsPerHour);
    const ledger = known ?? createLedger({ ...deps, maxRequestsPerHour });
    if (connection !== undefined) ceilings.set(connection, ledger);
    return ledger;
  }

  /** The pool of a client as it is now; takes the client and what it has spent along when that is another one. */
  function poolOf(member: Member): Pool {
    const { pool: name } = member.binding;
    if (member.pool === name) return poolNamed(name, member);
    const left = pools.get(member.pool);
    const isMember = left?.ceilings.has(member) === true;
    if (isMember) leave(member);
    member.pool = name;
    const pool = isMember ? enter(member) : poolNamed(name, member);
    // Shared with others, it stays without this one, and keeps what it has counted.
    if (left !== undefined && isMember && left.ceilings.size === 0) {
      pool.ledger.absorb(left.ledger);
      pools.delete(left.name);
    }
    return pool;
  }

  function enter(member: Member): Pool {
    const pool = poolNamed(member.pool, member);
    pool.ceilings.set(member, member.binding.maxRequestsPerHour);
    pool.ledger.setCeiling(highest(pool));
    return pool;
  }

  function leave(member: Member): void {
    const pool = pools.get(member.pool);
    if (pool === undefined) return;
    pool.ceilings.delete(member);
    if (pool.ceilings.size > 0) pool.ledger.setCeiling(highest(pool));
    else if (pool.ledger.isIdle()) drop(member.pool);
  }

  function poolNamed(name: string, { binding: { maxRequestsPerHour } }: Member): Pool {
    const known = pools.get(name);
    if (known !== undefined) return known;
    const ledger = createLedger({ ...deps, maxRequestsPerHour });
    const pool: Pool = { name, ledger, retries: new RetryAllowance(), ceilings: new Map() };
    pools.set(name, pool);
    return pool;
  }

  function highest({ ceilings: ofPool }: Pool): number {
    return [...ofPool.values()].reduce((most, one) => Math.max(most, one), 0);
  }

  function drop(name: string): void {
    pools.delete(name);
    deps.observer?.onPoolGone?.(name);
  }

  function sweep(): void {
    for (const [name, { ledger, ceilings: users }] of pools) if (users.size === 0 && ledger.isIdle()) drop(name);
    const used = new Set([...members.values()].map(({ binding }) => binding.connection));
    for (const [connection, ledger] of ceilings) {
      if (!used.has(connection) && ledger.isIdle()) ceilings.delete(connection);
    }
    sweepAt = Math.max(leastSwept, 2 * (pools.size + ceilings.size));
  }
}

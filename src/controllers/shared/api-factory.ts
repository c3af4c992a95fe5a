import { type ApiObserver, createNorthflankApi, type NorthflankApi } from "../../northflank/client.ts";
import { createLedger, type Ledger, type LedgerSnapshot } from "../../northflank/ledger.ts";
import type { Transport } from "../../northflank/transport.ts";
import type { Clock } from "../../util/clock.ts";
import type { Random } from "../../util/random.ts";
import type { ApiBinding } from "./create-accounts.ts";

/** API clients and the ledgers behind them. */
export interface ApiFactory {
  /** A client for the binding. The ledger is that of its pool, whoever else uses it. */
  readonly open: (binding: ApiBinding) => NorthflankApi;
  /** What the pool has spent; `undefined` before its first client. */
  readonly quota: (pool: string) => LedgerSnapshot | undefined;
  /** Every pool with its figures, for metrics. */
  readonly pools: () => readonly (readonly [pool: string, quota: LedgerSnapshot])[];
}

/**
 * Makes API clients over one transport (which keeps the connections of each pool apart), with one ledger per pool. Of
 * connections that share a pool, the one opened last sets the ceiling.
 */
export function createApiFactory(deps: {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly observer?: ApiObserver;
}): ApiFactory {
  const ledgers = new Map<string, Ledger>();
  const ledgerOf = ({ pool, maxRequestsPerHour }: ApiBinding): Ledger => {
    const known = ledgers.get(pool);
    known?.setCeiling(maxRequestsPerHour);
    const ledger = known ?? createLedger({ clock: deps.clock, random: deps.random, maxRequestsPerHour });
    ledgers.set(pool, ledger);
    return ledger;
  };
  return {
    open: (binding) => {
      const { baseUrl, teamId, token, pool } = binding;
      return createNorthflankApi({ ...deps, ledger: ledgerOf(binding), baseUrl, teamId, token, pool });
    },
    quota: (pool) => ledgers.get(pool)?.snapshot(),
    pools: () => [...ledgers].map(([pool, ledger]) => [pool, ledger.snapshot()] as const),
  };
}

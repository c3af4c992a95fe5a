import type { KubeClient } from "../../kube/client.ts";
import type { NorthflankApi } from "../../northflank/client.ts";
import { type ObjectKey, objectKey } from "../../runtime/outcome.ts";
import { jittered } from "../../util/backoff.ts";
import type { Clock } from "../../util/clock.ts";
import type { Random } from "../../util/random.ts";
import type { SecretValue } from "../../util/secret-value.ts";
import {
  authenticationFailed,
  type Blocked,
  connectionNotFound,
  connectionSuspended,
  hostRefused,
  projectNotAllowed,
  secretUnusable,
} from "./account-verdicts.ts";
import type { Account, AccountRequest, AccountResolution, Accounts } from "./accounts.ts";
import { type ApiAddress, judgeApiUrl } from "./api-address.ts";
import { defaultConnectionName } from "./dependents.ts";
import { listened } from "./listened-api.ts";
import { isProjectAllowed } from "./project-guard.ts";
import { slowProbeMs } from "./remote-verdict.ts";
import { recheckSecretMs, SecretTokens, secretCacheMs } from "./secret-tokens.ts";
import { type TokenRead, tokenFromOperator } from "./token-secret.ts";

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
}

/** What an API client is bound to. `pool` names the ledger: equal names share one. */
export interface ApiBinding {
  /** `https://api.northflank.com`, with a base path if there is one, without a slash at the end. */
  readonly baseUrl: string;
  readonly teamId: string | undefined;
  readonly token: SecretValue;
  readonly pool: string;
  readonly maxRequestsPerHour: number;
}

/** The operator-wide token and whom it serves. */
export interface OperatorToken {
  /** The token as it is now; `undefined` when it cannot be read. Called at most once a minute and after a 401. */
  readonly read: () => Promise<string | undefined>;
  readonly namespaces: readonly string[] | "*";
  readonly teamId: string | undefined;
}

export interface AccountsDeps {
  readonly kube: Pick<KubeClient, "get">;
  readonly connections: { get(key: ObjectKey): ConnectionObject | undefined };
  /** Makes a client; asked again only when something in the binding changed. */
  readonly openApi: (binding: ApiBinding) => NorthflankApi;
  readonly operatorToken: OperatorToken | undefined;
  /** For connections that name none. */
  readonly defaultApiUrl: string;
  readonly defaultMaxRequestsPerHour: number;
  /** `host` or `host:port` in lower case. */
  readonly allowedApiHosts: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
}

/** What the connection controller needs beyond {@link Accounts}. */
export interface ConnectionAccounts extends Accounts {
  /**
   * The account of the connection itself, whatever its guard and `suspend` say. `probe: true` uses a token also while
   * it counts as rejected: the caller is the slow probe. `fresh: true` (default false) reads the Secret now, however
   * short ago it was read: somebody asked for it.
   */
  open(
    connection: ConnectionObject,
    options: { readonly probe: boolean; readonly fresh?: boolean },
    signal: AbortSignal,
  ): Promise<AccountResolution & { readonly secretResourceVersion?: string }>;
  /** True once Northflank has accepted the account's token in any call. */
  isAccepted(account: Account): boolean;
  /** Forgets a connection that was deleted. */
  forget(key: ObjectKey): void;
}

/** Where a token comes from and what it is used with. */
interface Source {
  /** Identity: the connection's key, or {@link operatorSlot}. */
  readonly slot: string;
  /** How messages name it: `connection "main"`. */
  readonly title: string;
  readonly read: (signal: AbortSignal) => Promise<TokenRead>;
  readonly invalidate: () => void;
  readonly apiUrl: string;
  readonly teamId: string | undefined;
  readonly poolName: string | undefined;
  readonly maxRequestsPerHour: number;
}

type Address = ApiAddress & { readonly kind: "allowed" };

interface Slot {
  readonly binding: ApiBinding;
  readonly origin: string;
  readonly account: Account;
  readonly source: Source;
  isAccepted: boolean;
}

/** A token that the API refused. Kept by token, so that a rotated one starts clean. */
interface Rejection {
  probeAtMs: number;
}

const operatorSlot = "";

/**
 * Implements {@link Accounts} over a store of connections.
 *
 *     connection -> guard, suspend -> host -> Secret (at most 1/min) -> rejected before? -> account
 *
 * *Guarantees*: one client per distinct binding; one pool name per account (`budget.poolName`, else host and team, else
 * the token, compared in memory only and never part of a name); after a 401 at most one call per
 * {@link slowProbeMs} is made with the same token, whoever asks.
 *
 * Wiring: give it the store of the connection controller; enqueue the dependents of a connection when
 * `connectionMatters` says so, and call `forget` when one is deleted.
 */
export function createAccounts(deps: AccountsDeps): ConnectionAccounts {
  const secretTokens = new SecretTokens(deps);
  const operator = operatorSource(deps);
  const slots = new Map<string, Slot>();
  const slotOf = new WeakMap<Account, Slot>();
  const poolOfToken = new Map<string, string>();
  const rejections = new Map<string, Rejection>();
  const judgedUrls = new Map<string, ApiAddress>();
  let opened = 0;
  let tokenPools = 0;

  return {
    async resolve(request, signal) {
      const choice = chooseSource(request);
      if (choice.kind === "blocked") return choice;
      return await account(choice.source, { probe: false }, signal);
    },
    async open(connection, options, signal) {
      const source = connectionSource(connection);
      if (options.fresh === true) source.invalidate();
      return await account(source, options, signal);
    },
    tokenRejected(rejected) {
      const slot = slotOf.get(rejected);
      if (slot !== undefined) heardRejection(slot);
    },
    isAccepted(known) {
      return slotOf.get(known)?.isAccepted === true;
    },
    forget(key) {
      slots.delete(key);
    },
  };

  function chooseSource(request: AccountRequest): Blocked | { kind: "source"; source: Source } {
    const name = request.connectionName ?? defaultConnectionName;
    const connection = deps.connections.get(objectKey({ namespace: request.namespace, name }));
    if (connection === undefined) {
      const isServed = request.connectionName === undefined && operator !== undefined && serves(request.namespace);
      return isServed ? { kind: "source", source: operator } : connectionNotFound(request);
    }
    if (connection.spec.suspend === true) return connectionSuspended(name);
    if (!isProjectAllowed(request.projectId, connection.spec.allowedProjects)) return projectNotAllowed(request, name);
    return { kind: "source", source: connectionSource(connection) };
  }

  function serves(namespace: string): boolean {
    const namespaces = deps.operatorToken?.namespaces ?? [];
    return namespaces === "*" || namespaces.includes(namespace);
  }

  function connectionSource(connection: ConnectionObject): Source {
    const { metadata, spec } = connection;
    const secretName = {
      namespace: metadata.namespace ?? "",
      name: spec.tokenSecretRef.name,
      key: spec.tokenSecretRef.key ?? "token",
    };
    return {
      slot: objectKey(metadata),
      title: `connection "${metadata.name}"`,
      read: (signal) => secretTokens.read(secretName, signal),
      invalidate: () => secretTokens.invalidate(secretName),
      apiUrl: spec.apiURL ?? deps.defaultApiUrl,
      teamId: spec.teamId,
      poolName: spec.budget?.poolName === "" ? undefined : spec.budget?.poolName,
      maxRequestsPerHour: spec.budget?.maxRequestsPerHour ?? deps.defaultMaxRequestsPerHour,
    };
  }

  async function account(
    source: Source,
    options: { readonly probe: boolean },
    signal: AbortSignal,
  ): Promise<AccountResolution & { readonly secretResourceVersion?: string }> {
    const judged = judge(source.apiUrl);
    if (judged.kind === "refused") return hostRefused(source.title, judged.problem);
    const read = await source.read(signal);
    signal.throwIfAborted();
    if (read.kind === "unusable") return secretUnusable(source.title, read, nextSecretLookMs());
    const slot = slotFor(source, judged, read.token);
    const refused = options.probe ? undefined : refusedFor(slot);
    if (refused !== undefined) return refused;
    const { secretResourceVersion } = read;
    const usable = { kind: "usable", account: slot.account } as const;
    return secretResourceVersion === undefined ? usable : { ...usable, secretResourceVersion };
  }

  /** Reading a URL takes longer than all the rest of finding an account, and there are few different ones. */
  function judge(apiUrl: string): ApiAddress {
    const known = judgedUrls.get(apiUrl);
    if (known !== undefined) return known;
    const judged = judgeApiUrl(apiUrl, deps.allowedApiHosts);
    remember(judgedUrls, apiUrl, judged);
    return judged;
  }

  function slotFor(source: Source, address: Address, token: SecretValue): Slot {
    const known = slots.get(source.slot);
    const { origin, baseUrl } = address;
    const { teamId, maxRequestsPerHour } = source;
    const pool = poolName(source, origin, token, known);
    const binding: ApiBinding = { baseUrl, teamId, token, pool, maxRequestsPerHour };
    if (known !== undefined && isSameBinding(known.binding, binding)) return known;
    opened += 1;
    const api = listened(deps.openApi(binding), {
      accepted: () => {
        slot.isAccepted = true;
        rejections.delete(rejectionKey(binding));
      },
      rejected: () => heardRejection(slot),
    });
    const slot: Slot = {
      binding,
      origin,
      account: { api, pool, address: addressText(binding), version: String(opened) },
      source,
      isAccepted: false,
    };
    slots.set(source.slot, slot);
    slotOf.set(slot.account, slot);
    return slot;
  }

  /** A connection keeps its pool when its token is rotated: the account behind it is the same. */
  function poolName(source: Source, origin: string, token: SecretValue, known: Slot | undefined): string {
    if (source.poolName !== undefined) return `pool ${source.poolName} at ${origin}`;
    if (source.teamId !== undefined) return `team ${source.teamId} at ${origin}`;
    const id = `${origin} ${token.reveal()}`;
    const shared = poolOfToken.get(id);
    if (shared !== undefined) return shared;
    const kept = known?.origin === origin && known.binding.pool.startsWith("token ") ? known.binding.pool : undefined;
    if (kept === undefined) tokenPools += 1;
    const pool = kept ?? `token ${tokenPools} at ${origin}`;
    remember(poolOfToken, id, pool);
    return pool;
  }

  function heardRejection({ binding, source }: Slot): void {
    source.invalidate();
    const id = rejectionKey(binding);
    if (!rejections.has(id)) remember(rejections, id, { probeAtMs: nextProbeAtMs() });
  }

  function nextProbeAtMs(): number {
    return deps.clock.monotonic() + jittered(slowProbeMs, 0.2, deps.random);
  }

  /** `undefined` when the token may be used: not rejected, or this caller is the probe that is due. */
  function refusedFor({ binding, source }: Slot): AccountResolution | undefined {
    const rejection = rejections.get(rejectionKey(binding));
    if (rejection === undefined) return undefined;
    const waitMs = rejection.probeAtMs - deps.clock.monotonic();
    if (waitMs <= 0) {
      rejection.probeAtMs = nextProbeAtMs();
      return undefined;
    }
    return authenticationFailed(source.title, nextSecretLookMs());
  }

  function nextSecretLookMs(): number {
    return recheckSecretMs * (0.8 + 0.2 * deps.random());
  }
}

function operatorSource(deps: AccountsDeps): Source | undefined {
  const { operatorToken, clock } = deps;
  if (operatorToken === undefined) return undefined;
  let known: { readonly atMs: number; readonly read: Promise<TokenRead> } | undefined;
  return {
    slot: operatorSlot,
    title: "the operator-wide account",
    read: async () => {
      if (known === undefined || clock.monotonic() - known.atMs >= secretCacheMs) {
        known = { atMs: clock.monotonic(), read: operatorToken.read().then(tokenFromOperator) };
      }
      try {
        return await known.read;
      } catch (error) {
        known = undefined;
        throw error;
      }
    },
    invalidate: () => {
      known = undefined;
    },
    apiUrl: deps.defaultApiUrl,
    teamId: operatorToken.teamId,
    poolName: undefined,
    maxRequestsPerHour: deps.defaultMaxRequestsPerHour,
  };
}

// Tokens that were rotated away are of no use; this many are more than any installation has at a time.
const maxRememberedTokens = 1_000;

function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > maxRememberedTokens && oldest !== undefined) map.delete(oldest);
}

function addressText({ baseUrl, teamId }: ApiBinding): string {
  return teamId === undefined ? baseUrl : `${baseUrl}, team ${teamId}`;
}

function rejectionKey({ baseUrl, token }: ApiBinding): string {
  return `${baseUrl} ${token.reveal()}`;
}

function isSameBinding(left: ApiBinding, right: ApiBinding): boolean {
  return (
    left.baseUrl === right.baseUrl &&
    left.teamId === right.teamId &&
    left.token.equals(right.token) &&
    left.pool === right.pool &&
    left.maxRequestsPerHour === right.maxRequestsPerHour
  );
}

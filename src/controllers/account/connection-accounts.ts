import type { KubeClient } from "../../kube/client.ts";
import type { CallOptions, NorthflankApi } from "../../northflank/client.ts";
import { isNorthflankError } from "../../northflank/errors.ts";
import { type ObjectKey, objectKey } from "../../runtime/outcome.ts";
import { jittered } from "../../util/backoff.ts";
import type { Clock } from "../../util/clock.ts";
import type { Random } from "../../util/random.ts";
import type { SecretValue } from "../../util/secret-value.ts";
import { defaultConnectionName } from "../reconcile/predicates.ts";
import { slowProbeMs } from "../reconcile/remote-error.ts";
import { recheckSecretMs, SecretTokens, secretCacheMs } from "../secrets/secret-tokens.ts";
import { type TokenRead, tokenFromOperator } from "../secrets/token-secret.ts";
import type { Account, AccountRequest, AccountResolution, Accounts } from "./accounts.ts";
import { isProjectAllowed, isProjectInReach, type KnownRestrictions } from "./allowed-projects.ts";
import { type ApiAddress, judgeApiUrl } from "./api-address.ts";
import { type AcceptedFor, listened } from "./auth-tracking-api.ts";
import {
  addressInvalid,
  authenticationFailed,
  type Blocked,
  connectionNotFound,
  connectionSuspended,
  hostRefused,
  maxRefusedPerHour,
  projectNotAllowed,
  projectOutOfReach,
  secretUnusable,
  tooManyRefused,
} from "./blocked.ts";
import type { Standing } from "./same-account.ts";
import { TokenJudge } from "./token-check.ts";

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
   * Northflank told of it.
   */
  readonly status?: {
    readonly acceptedFor?: string;
    readonly tokenSecretResourceVersion?: string;
    readonly projectRestrictions?: KnownRestrictions;
  };
}

/** What an API client is bound to. */
export interface ApiBinding {
  /** Names whose ceiling `maxRequestsPerHour` is, also when a client is made again. Missing: this client's alone. */
  readonly connection?: string | undefined;
  /** `https://api.northflank.com`, with a base path if there is one, without a slash at the end. */
  readonly baseUrl: string;
  readonly teamId: string | undefined;
  readonly token: SecretValue;
  /** Names the ledger: equal names share one. Read at each call: it changes when Northflank shows whose account it is. */
  readonly pool: string;
  /** How metrics name the pool: one name for all that are not accepted yet. Default: `pool`. */
  readonly poolLabel?: string | undefined;
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
  /** Told of each client whose pool has changed. */
  readonly poolChanged?: (api: NorthflankApi) => void;
  /** Told of each client that is needed no more. */
  readonly closeApi?: (api: NorthflankApi) => void;
  /** Whether objects name the connection though it is gone: what was known of it is kept for them. Default: none does. */
  readonly isInUse?: (connection: ObjectKey) => boolean;
  /** All connections are of one person, whose token it is: teams are taken as they are named. Default: false. */
  readonly trustsTeams?: boolean;
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
  readonly namespace: string;
  /** How messages name it: `connection "main"`. */
  readonly title: string;
  readonly read: (signal: AbortSignal) => Promise<TokenRead>;
  /** What `read` would give without any wait; `undefined` where it would wait. */
  readonly peek: () => TokenRead | undefined;
  readonly invalidate: () => void;
  readonly apiUrl: string;
  readonly teamId: string | undefined;
  readonly poolName: string | undefined;
  readonly maxRequestsPerHour: number;
  /** See {@link ConnectionObject.status}. */
  readonly acceptedFor: string | undefined;
  readonly acceptedSecret: string | undefined;
}

/** Where calls go, with which token, and what for. */
interface Place {
  readonly source: Source;
  /** With a base path, if there is one. */
  readonly baseUrl: string;
  readonly entry: TokenEntry;
}

/** A connection with one token. Another token, team, address or ceiling is another slot. */
interface Slot extends Place {
  readonly binding: ApiBinding;
  /** What {@link AccountsDeps.openApi} made. */
  readonly client: NorthflankApi;
  readonly account: Account;
  /** See {@link Standing.isProven}. */
  isProven: boolean;
  readonly former: readonly FormerPool[];
}

/** What is known of one token at one address, whoever uses it: kept by token, so that a rotated one starts clean. */
interface TokenEntry {
  readonly id: string;
  readonly pool: string;
  readonly users: Set<string>;
  isAccepted: boolean;
  /** A process before this one saw it accepted, and the Secret has not changed since. */
  wasAccepted: boolean;
  readonly judge: TokenJudge;
  /** The teams that Northflank has answered for. */
  readonly teams: Set<string>;
  /** When a refused token may be tried next; missing while it is not refused. */
  probeAtMs: number | undefined;
  /** Since when nobody uses it. */
  unusedSinceMs: number | undefined;
}

interface FormerPool {
  readonly pool: string;
  readonly untilMs: number;
}

/** What outlives the connection while objects name it. */
interface Gone {
  readonly source: Source;
  readonly baseUrl: string;
  readonly standing: Standing;
}

const operatorSlot = "";

// Conflicts go by the pool before a rotation for so long: the Secrets of one account are not all changed at once.
const rotationMs = slowProbeMs;

// No window and no gate lasts longer, so a token that nobody has used since can start anew.
const keepTokenMs = 2 * slowProbeMs;

const unacceptedLabel = "not accepted yet";

/**
 * Implements {@link Accounts} over a store of connections.
 *
 *     connection -> guard, suspend -> host -> Secret (at most 1/min) -> rejected before? -> account
 *
 * Who shares a pool, and so a ledger and the targets in it:
 *
 *     teamId              alone ── answered for the team ──▶ all connections that were answered for this team
 *     budget.poolName     the connections of the same namespace that name it
 *     neither             the connections with the same token (compared in memory only, never part of a name)
 *
 * *Guarantees*: one client per distinct binding; nobody gets into a pool by writing a name that somebody else uses; what
 * was sent before a connection joined counts there; after a 401 that `GET /v1/auth` confirms at most one call per
 * {@link slowProbeMs} is made with the same token, whoever asks, and at most {@link maxRefusedPerHour} with tokens of one
 * namespace that were never accepted.
 *
 * Wiring: give it the store of the connection controller; enqueue the dependents of a connection when
 * `connectionMatters` says so, and call `forget` when one is deleted.
 */
export function createAccounts(deps: AccountsDeps): ConnectionAccounts {
  const secretTokens = new SecretTokens(deps);
  const operator = operatorSource(deps);
  const slots = new Map<string, Slot>();
  const slotOf = new WeakMap<Account, Slot>();
  const tokens = new Map<string, TokenEntry>();
  const gone = new Map<string, Gone>();
  const refusals = new Map<string, { count: number; readonly untilMs: number }>();
  const judgedUrls = new Map<string, ApiAddress>();
  let opened = 0;
  let tokenPools = 0;
  let sweepAt = leastSwept;

  return {
    async resolve(request, signal) {
      const choice = chooseSource(request);
      if (choice.kind === "blocked") return choice;
      return await account(choice.source, { probe: false }, signal);
    },
    peek(request) {
      const choice = chooseSource(request);
      if (choice.kind === "blocked") return undefined;
      const { source } = choice;
      const judged = judge(source.apiUrl);
      const read = source.peek();
      const known = slots.get(source.slot);
      if (judged.kind === "refused" || read?.kind !== "token" || known === undefined) return undefined;
      const { entry, binding, account: found } = known;
      if (!isSameSlot(known, source, judged.baseUrl) || !binding.token.equals(read.token)) return undefined;
      const mayBeHeld = entry.probeAtMs !== undefined || (!entry.isAccepted && refusals.has(source.namespace));
      return mayBeHeld ? undefined : found;
    },
    async open(connection, options, signal) {
      const source = connectionSource(connection);
      const judged = judge(source.apiUrl);
      if (judged.kind === "refused") return addressInvalid(judged.problem);
      if (options.fresh === true) source.invalidate();
      return await account(source, options, signal);
    },
    tokenRejected(rejected) {
      const slot = slotOf.get(rejected);
      if (slot !== undefined) heardRejection(slot);
    },
    async standing(request, signal) {
      const source = namedSource(request);
      if (source !== undefined) return await standingOf(source, signal);
      const name = request.connectionName ?? defaultConnectionName;
      return gone.get(objectKey({ namespace: request.namespace, name }))?.standing ?? {};
    },
    isAccepted(known) {
      return slotOf.get(known)?.entry.isAccepted === true;
    },
    forget(key) {
      drop(key);
    },
  };

  function chooseSource(request: AccountRequest): Blocked | { kind: "source"; source: Source } {
    const source = namedSource(request);
    if (source === undefined) return connectionNotFound(request);
    if (source.slot === operatorSlot) return { kind: "source", source };
    const name = request.connectionName ?? defaultConnectionName;
    const { spec: { suspend, allowedProjects } = {}, status } = connectionOf(request) ?? {};
    if (suspend === true) return connectionSuspended(name);
    if (!isProjectAllowed(request.projectId, allowedProjects)) return projectNotAllowed(request, name);
    const isInReach = request.isBuilder === true || isProjectInReach(request.projectId, status?.projectRestrictions);
    if (!isInReach) return projectOutOfReach(request, name);
    return { kind: "source", source };
  }

  /** Whose token an object asks for, whether or not it may be used now. */
  function namedSource(request: AccountRequest): Source | undefined {
    const connection = connectionOf(request);
    if (connection !== undefined) return connectionSource(connection);
    const isServed = request.connectionName === undefined && serves(request.namespace);
    return isServed ? operator : undefined;
  }

  function connectionOf({ namespace, connectionName: name = defaultConnectionName }: AccountRequest) {
    return deps.connections.get(objectKey({ namespace, name }));
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
      namespace: secretName.namespace,
      title: `connection "${metadata.name}"`,
      read: (signal) => secretTokens.read(secretName, signal),
      peek: () => secretTokens.peek(secretName),
      invalidate: () => secretTokens.invalidate(secretName),
      apiUrl: spec.apiURL ?? deps.defaultApiUrl,
      teamId: spec.teamId,
      poolName: spec.budget?.poolName === "" ? undefined : spec.budget?.poolName,
      maxRequestsPerHour: Math.max(
        leastRequestsPerHour,
        spec.budget?.maxRequestsPerHour ?? deps.defaultMaxRequestsPerHour,
      ),
      acceptedFor: connection.status?.acceptedFor,
      acceptedSecret: connection.status?.tokenSecretResourceVersion,
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
    const held = overRefused(source, tokens.get(tokenId(judged.baseUrl, read.token)));
    if (held !== undefined) return held;
    const slot = slotFor(source, judged.baseUrl, read.token);
    const refused = options.probe ? undefined : refusedFor(slot);
    if (refused !== undefined) return refused;
    const { secretResourceVersion } = read;
    if (secretResourceVersion !== undefined && secretResourceVersion === source.acceptedSecret) {
      slot.entry.wasAccepted = true;
    }
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

  function slotFor(source: Source, baseUrl: string, token: SecretValue): Slot {
    const known = slots.get(source.slot);
    if (known !== undefined && isSameSlot(known, source, baseUrl) && known.binding.token.equals(token)) return known;
    opened += 1;
    const entry = tokenEntry(baseUrl, token);
    entry.users.add(source.slot);
    entry.unusedSinceMs = undefined;
    const slot = makeSlot({ source, baseUrl, token, entry, before: known ?? gone.get(source.slot) });
    slots.set(source.slot, slot);
    slotOf.set(slot.account, slot);
    gone.delete(source.slot);
    if (known !== undefined) release(known, entry);
    if (tokens.size + gone.size + refusals.size >= sweepAt) sweep();
    return slot;
  }

  function makeSlot(facts: Place & { readonly token: SecretValue; readonly before: Slot | Gone | undefined }): Slot {
    const { source, baseUrl, token, entry, before } = facts;
    const { teamId, maxRequestsPerHour } = source;
    const binding: ApiBinding = {
      connection: source.slot,
      baseUrl,
      teamId,
      token,
      maxRequestsPerHour,
      get pool() {
        return poolOf(facts);
      },
      get poolLabel() {
        return hasJoined(facts) ? poolOf(facts) : unacceptedLabel;
      },
    };
    const client = deps.openApi(binding);
    const refused = () => {
      if (!entry.isAccepted && source.slot !== operatorSlot) countRefusal(source.namespace);
    };
    const whoAmI = async (options: CallOptions) => {
      try {
        return await client.whoAmI(options);
      } catch (error) {
        if (isNorthflankError(error, "unauthorized")) refused();
        throw error;
      }
    };
    const api = listened(client, {
      accepted: (what) => heardAcceptance(slot, what),
      rejected: () => {
        refused();
        heardRejection(slot);
      },
      judge: async (options) => {
        // Probed: what was confirmed once is not confirmed at each probe.
        if (entry.probeAtMs !== undefined) return { kind: "dead" };
        // Of a token that was never accepted, one answer of GET /v1/auth is enough.
        if (options.isFresh && !entry.isAccepted && !entry.wasAccepted) return { kind: "dead" };
        // Nor does a namespace spend more on such tokens than it may.
        if (isOverRefused(source, entry)) return { kind: "dead" };
        return await entry.judge.judge({ whoAmI }, options);
      },
    });
    const account: Account = {
      api,
      address: addressText(binding),
      version: String(opened),
      team: teamOf(source, baseUrl),
      ...(source.slot === operatorSlot ? { isOperatorWide: true as const } : {}),
      get pool() {
        return poolOf(facts);
      },
      get isProven() {
        return slot.isProven;
      },
      get formerPools() {
        return formerPools(slot);
      },
    };
    const isRotation = before !== undefined && isSameAccount(before, source, baseUrl);
    const slot: Slot = {
      source,
      binding,
      baseUrl,
      entry,
      client,
      account,
      // Once answered for the team, its objects keep their targets, whatever becomes of the token.
      isProven: isRemembered(source, baseUrl) || (isRotation && teamId !== undefined && wasProven(before)),
      former: isRotation ? formerOf(before, entry) : [],
    };
    slot.isProven ||= hasJoined(slot);
    return slot;
  }

  /** True once the connection spends from the pool that it names. */
  function hasJoined({ source: { slot, teamId }, entry }: Place): boolean {
    if (slot === operatorSlot || deps.trustsTeams === true) return true;
    return entry.isAccepted && (teamId === undefined || entry.teams.has(teamId));
  }

  function poolOf(place: Place): string {
    const { source, baseUrl, entry } = place;
    // Only who may write into a namespace joins by a name, and only the pools of that namespace.
    if (source.poolName !== undefined) return `pool ${source.poolName} of namespace ${source.namespace} at ${baseUrl}`;
    const team = teamOf(source, baseUrl);
    if (team === undefined) return entry.pool;
    return hasJoined(place) ? team : `${team}, not accepted yet for ${source.slot}`;
  }

  function tokenEntry(baseUrl: string, token: SecretValue): TokenEntry {
    const id = tokenId(baseUrl, token);
    const known = tokens.get(id);
    if (known !== undefined) return known;
    tokenPools += 1;
    const entry: TokenEntry = {
      id,
      pool: `token ${tokenPools} at ${baseUrl}`,
      users: new Set(),
      isAccepted: false,
      wasAccepted: false,
      judge: new TokenJudge(deps.clock),
      teams: new Set(),
      probeAtMs: undefined,
      unusedSinceMs: undefined,
    };
    tokens.set(id, entry);
    return entry;
  }

  function drop(key: ObjectKey): void {
    const slot = slots.get(key);
    if (slot === undefined) return;
    if (deps.isInUse?.(key) === true) gone.set(key, goneOf(slot));
    slots.delete(key);
    release(slot);
  }

  function release(slot: Slot, successor?: TokenEntry): void {
    deps.closeApi?.(slot.client);
    const { entry } = slot;
    if (entry === successor) return;
    entry.users.delete(slot.source.slot);
    if (entry.users.size > 0) return;
    entry.unusedSinceMs = deps.clock.monotonic();
    if (!wasUsed(entry)) tokens.delete(entry.id);
  }

  function heardAcceptance({ entry: token, source: { teamId } }: Slot, what: AcceptedFor): void {
    const isOfTeam = what === "account" && teamId !== undefined;
    const isKnown = token.isAccepted && token.probeAtMs === undefined && (!isOfTeam || token.teams.has(teamId));
    if (isKnown) return;
    token.isAccepted = true;
    token.probeAtMs = undefined;
    if (isOfTeam) token.teams.add(teamId);
    for (const user of token.users) {
      const slot = slots.get(user);
      if (slot === undefined || !hasJoined(slot)) continue;
      slot.isProven = true;
      deps.poolChanged?.(slot.client);
    }
  }

  function heardRejection({ source, entry }: Slot): void {
    source.invalidate();
    entry.probeAtMs ??= nextProbeAtMs();
  }

  function countRefusal(namespace: string): void {
    const nowMs = deps.clock.monotonic();
    const known = refusals.get(namespace);
    if (known !== undefined && nowMs < known.untilMs) known.count += 1;
    else refusals.set(namespace, { count: 1, untilMs: nowMs + slowProbeMs });
  }

  function nextProbeAtMs(): number {
    return deps.clock.monotonic() + jittered(slowProbeMs, 0.2, deps.random);
  }

  function isOverRefused(source: Source, entry: TokenEntry | undefined): boolean {
    const refused = refusals.get(source.namespace);
    if (entry?.isAccepted === true || source.slot === operatorSlot || refused === undefined) return false;
    return refused.count >= maxRefusedPerHour && deps.clock.monotonic() < refused.untilMs;
  }

  /** A namespace that keeps sending tokens that nobody accepts sends no more of them for a while. */
  function overRefused(source: Source, entry: TokenEntry | undefined): AccountResolution | undefined {
    if (!isOverRefused(source, entry)) return undefined;
    // Nothing is sent for it, so nothing of it needs to be kept.
    if (entry !== undefined && slots.get(source.slot)?.entry === entry) drop(source.slot);
    // A new token is seen within a minute, as always; one of a namespace without a good one waits.
    return tooManyRefused(source.title, source.namespace, nextSecretLookMs());
  }

  /** `undefined` when the token may be used: not rejected, or this caller is the probe that is due. */
  function refusedFor({ entry, source }: Slot): AccountResolution | undefined {
    if (entry.probeAtMs === undefined) return undefined;
    if (entry.probeAtMs <= deps.clock.monotonic()) {
      entry.probeAtMs = nextProbeAtMs();
      return undefined;
    }
    return authenticationFailed(source.title, nextSecretLookMs());
  }

  /** A token that cannot be read takes nothing from what is known. */
  async function standingOf(source: Source, signal: AbortSignal): Promise<Standing> {
    const judged = judge(source.apiUrl);
    if (judged.kind === "refused") return slots.get(source.slot)?.account ?? {};
    const { baseUrl } = judged;
    const known = slots.get(source.slot);
    const kept = known !== undefined && isSameAccount(known, source, baseUrl) ? known.account : undefined;
    try {
      const read = await source.read(signal);
      signal.throwIfAborted();
      if (read.kind === "token") return slotFor(source, baseUrl, read.token).account;
    } catch (error) {
      if (kept === undefined || signal.aborted) throw error;
    }
    const before = gone.get(source.slot);
    if (before !== undefined && isSameAccount(before, source, baseUrl)) return before.standing;
    return kept ?? { team: teamOf(source, baseUrl), isProven: isRemembered(source, baseUrl) };
  }

  function formerPools({ former }: { readonly former: readonly FormerPool[] }): readonly string[] {
    if (former.length === 0) return [];
    const nowMs = deps.clock.monotonic();
    return former.filter(({ untilMs }) => nowMs < untilMs).map(({ pool }) => pool);
  }

  /** The pools that a replaced token spent from, this one's included. */
  function formerOf(before: Slot | Gone, entry: TokenEntry): readonly FormerPool[] {
    const nowMs = deps.clock.monotonic();
    const earlier = "former" in before ? before.former.filter(({ untilMs }) => nowMs < untilMs) : [];
    const { pool } = "account" in before ? before.account : before.standing;
    if (pool === undefined || pool === entry.pool) return earlier;
    return [...earlier.slice(-mostFormer), { pool, untilMs: nowMs + rotationMs }];
  }

  function goneOf(slot: Slot): Gone {
    const { pool, team, isProven } = slot.account;
    return { source: slot.source, baseUrl: slot.baseUrl, standing: { pool, team, isProven } };
  }

  /** Drops what nobody can ask for any more. */
  function sweep(): void {
    const nowMs = deps.clock.monotonic();
    let unused = 0;
    // From the newest to the oldest of those that nobody uses.
    for (const [id, entry] of [...tokens].reverse()) {
      if (entry.unusedSinceMs === undefined) continue;
      unused += 1;
      if (unused > mostUnused || nowMs - entry.unusedSinceMs >= keepTokenMs) tokens.delete(id);
    }
    for (const [namespace, { untilMs }] of refusals) if (nowMs >= untilMs) refusals.delete(namespace);
    for (const key of gone.keys()) if (deps.isInUse?.(key) !== true) gone.delete(key);
    sweepAt = Math.max(leastSwept, 2 * (tokens.size + gone.size + refusals.size));
  }

  function nextSecretLookMs(): number {
    return recheckSecretMs * (0.8 + 0.2 * deps.random());
  }
}

function operatorSource(deps: AccountsDeps): Source | undefined {
  const { operatorToken, clock } = deps;
  if (operatorToken === undefined) return undefined;
  let known: { readonly atMs: number; readonly read: Promise<TokenRead>; result?: TokenRead } | undefined;
  const isYoung = () => known !== undefined && clock.monotonic() - known.atMs < secretCacheMs;
  return {
    slot: operatorSlot,
    namespace: "",
    title: "the operator-wide account",
    read: async () => {
      if (known === undefined || !isYoung()) {
        known = { atMs: clock.monotonic(), read: operatorToken.read().then(tokenFromOperator) };
      }
      const asked = known;
      try {
        asked.result = await asked.read;
        return asked.result;
      } catch (error) {
        known = undefined;
        throw error;
      }
    },
    peek: () => (isYoung() ? known?.result : undefined),
    invalidate: () => {
      known = undefined;
    },
    apiUrl: deps.defaultApiUrl,
    teamId: operatorToken.teamId,
    poolName: undefined,
    maxRequestsPerHour: deps.defaultMaxRequestsPerHour,
    acceptedFor: undefined,
    acceptedSecret: undefined,
  };
}

// Addresses and tokens that nobody uses are of little use; this many are more than any installation has at a time.
const mostUnused = 1_000;

// Looking through all that is known at each new token would be quadratic.
const leastSwept = 64;

// Somebody who changes a token every minute is in conflict with a few of them at most.
const mostFormer = 4;

/** The least ceiling: a start takes three requests, and with fewer none would ever be granted. */
const leastRequestsPerHour = 3;

function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > mostUnused && oldest !== undefined) map.delete(oldest);
}

/** Northflank has said something of it, which must not be asked again. */
function wasUsed({ isAccepted, probeAtMs }: TokenEntry): boolean {
  return isAccepted || probeAtMs !== undefined;
}

/** A process before this one was answered for the team that is named now. */
function isRemembered({ teamId, acceptedFor }: Source, baseUrl: string): boolean {
  return teamId !== undefined && acceptedFor === addressText({ baseUrl, teamId });
}

function wasProven(before: Slot | Gone): boolean {
  return "account" in before ? before.isProven : before.standing.isProven === true;
}

function addressText({ baseUrl, teamId }: Pick<ApiBinding, "baseUrl" | "teamId">): string {
  return teamId === undefined ? baseUrl : `${baseUrl}, team ${teamId}`;
}

function tokenId(baseUrl: string, token: SecretValue): string {
  return `${baseUrl} ${token.reveal()}`;
}

function teamOf({ teamId }: Source, baseUrl: string): string | undefined {
  return teamId === undefined ? undefined : `team ${teamId} at ${baseUrl}`;
}

/** True when nothing but the token and the ceiling may differ. */
function isSameAccount(known: Slot | Gone, source: Source, baseUrl: string): boolean {
  const { teamId, poolName } = known.source;
  return known.baseUrl === baseUrl && teamId === source.teamId && poolName === source.poolName;
}

function isSameSlot(known: Slot, source: Source, baseUrl: string): boolean {
  return isSameAccount(known, source, baseUrl) && known.source.maxRequestsPerHour === source.maxRequestsPerHour;
}

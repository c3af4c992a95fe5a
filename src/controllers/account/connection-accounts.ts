import type { KubeClient } from "../../kube/client.ts";
import type { CallOptions, NorthflankApi } from "../../northflank/client.ts";
import { isNorthflankError } from "../../northflank/errors.ts";
import type { ObjectKey } from "../../runtime/outcome.ts";
import type { Clock } from "../../util/clock.ts";
import type { Random } from "../../util/random.ts";
import type { SecretValue } from "../../util/secret-value.ts";
import { recheckSecretMs, SecretTokens } from "../secrets/secret-tokens.ts";
import type { Account, AccountIdentity, AccountRequest, AccountResolution, Accounts } from "./accounts.ts";
import type { ApiBinding } from "./api-factory.ts";
import { type AcceptedFor, type AuthTracker, withAuthTracking } from "./auth-tracking-api.ts";
import { addressInvalid, authenticationFailed, secretUnusable, tooManyRefused } from "./blocked.ts";
import { KnownTokens, maxRefusedPerHour } from "./known-tokens.ts";
import {
  addressOf,
  type Credentials,
  currentFormer,
  type FormerPool,
  formerAfterRotation,
  isConfirmed,
  isSameAccount,
  poolLabelOf,
  poolOf,
  readScopeOf,
  teamOf,
  wasConfirmed,
} from "./pool.ts";
import {
  type ConnectionObject,
  connectionKey,
  operatorId,
  type TokenSource,
  TokenSources,
  type TokenSourcesDeps,
} from "./token-source.ts";

export interface ConnectionAccountsDeps extends TokenSourcesDeps {
  readonly kube: Pick<KubeClient, "get">;
  /** Makes a client; called again only when something in the binding changed. */
  readonly openApi: (binding: ApiBinding) => NorthflankApi;
  /** Called with each client whose pool has changed. */
  readonly poolChanged?: (api: NorthflankApi) => void;
  /** Called with each client that is no longer needed. */
  readonly closeApi?: (api: NorthflankApi) => void;
  /** See {@link Account.checksPerHour}, by the pool. Default: as many as are needed. */
  readonly checksPerHour?: (pool: string) => number | undefined;
  /** See {@link Account.pollStretch}, by the pool and the id of the connection. Default: never. */
  readonly pollStretch?: (pool: string, connection: string) => number;
  /**
   * Whether objects name the connection though it is gone: what was known of it is kept for them. Default: none does.
   */
  readonly isInUse?: (connection: ObjectKey) => boolean;
  readonly clock: Clock;
  readonly random: Random;
}

/** What is known of the account of a connection; all that is kept of one that is gone, while objects name it. */
interface LastKnown {
  readonly source: TokenSource;
  readonly account: AccountIdentity;
  readonly former: readonly FormerPool[];
}

/** A connection with one token. Another token, team, address or ceiling is another one. */
interface OpenAccount extends LastKnown, Credentials {
  readonly account: Account;
  readonly secretValue: SecretValue;
  /** What {@link ConnectionAccountsDeps.openApi} made. */
  readonly client: NorthflankApi;
  /** The same account for one that spends from it; `undefined`: for whoever has the connection. */
  readonly accountOf: (who: string | undefined) => Account;
  /** What it made for the namespaces that the operator-wide token serves. */
  readonly parts: Map<string, Account>;
  /** See {@link AccountIdentity.isProven}. */
  isProven: boolean;
}

/** The account of a connection, and the version of the Secret that its token was read from. */
export type OpenedAccount = AccountResolution & { readonly secretResourceVersion?: string };

// Going through all that is known at each new token would be quadratic.
const leastSwept = 64;

// Namespaces come and go; those of a running program that are in use at a time are hardly more.
const mostParts = 1_000;

/**
 * Implements {@link Accounts} over a store of connections: a cache of API clients, one per connection.
 *
 *     object -> connection -> guard, suspend -> host -> Secret (at most 1/min) -> refused before? -> account
 *              `------------- token-source.ts -------'                          known-tokens.ts     pool.ts
 *
 * *Guarantees*: one client per distinct binding; what was sent before a connection joined a pool counts there; after a
 * 401 that `GET /v1/auth` confirms, no call with the same token until {@link KnownTokens} allows a probe.
 *
 * Wiring: give it the store of the connection controller; enqueue the dependents of a connection when
 * `connectionChanged` says so, and call `forget` when one is deleted.
 */
export class ConnectionAccounts implements Accounts {
  readonly #deps: ConnectionAccountsDeps;
  readonly #sources: TokenSources;
  readonly #secrets: SecretTokens;
  readonly #tokens: KnownTokens;
  /** By the id of the source. */
  readonly #open = new Map<string, OpenAccount>();
  readonly #byAccount = new WeakMap<Account, OpenAccount>();
  readonly #deleted = new Map<string, LastKnown>();
  #opened = 0;
  #sweepAt = leastSwept;

  constructor(deps: ConnectionAccountsDeps) {
    this.#deps = deps;
    this.#sources = new TokenSources(deps);
    this.#secrets = new SecretTokens(deps);
    this.#tokens = new KnownTokens(deps);
  }

  async resolve(request: AccountRequest, signal: AbortSignal): Promise<AccountResolution> {
    const source = this.#sources.choose(request);
    if (source.kind === "blocked") return source;
    const opened = await this.#resolve(source, { probe: false }, signal);
    return opened.kind === "usable" ? { ...opened, account: this.#partOf(opened.account, request.namespace) } : opened;
  }

  peek(request: AccountRequest): Account | undefined {
    const source = this.#sources.choose(request);
    if (source.kind === "blocked") return undefined;
    const read = this.#secrets.peek(source.secret);
    const known = this.#open.get(source.id);
    if (read?.kind !== "token" || known === undefined || !isSameBinding(known, source, read.token)) return undefined;
    return this.#tokens.mayBeHeld(known.token, source) ? undefined : this.#partOf(known.account, request.namespace);
  }

  /**
   * The account of the connection itself, whatever its guard and `suspend` say. `probe: true` uses a token also while
   * it counts as refused: the caller is the slow probe. `fresh: true` (default false) reads the Secret now, however
   * short ago it was read.
   */
  async open(
    connection: ConnectionObject,
    options: { readonly probe: boolean; readonly fresh?: boolean },
    signal: AbortSignal,
  ): Promise<OpenedAccount> {
    const source = this.#sources.of(connection);
    if (source.kind === "refused") return addressInvalid(source.problem);
    if (options.fresh === true) this.#secrets.invalidate(source.secret);
    return await this.#resolve(source, options, signal);
  }

  tokenRejected(account: Account): void {
    const open = this.#byAccount.get(account);
    if (open !== undefined) this.#rejected(open);
  }

  async identity(request: AccountRequest, signal: AbortSignal): Promise<AccountIdentity> {
    const source = this.#sources.named(request);
    if (source === undefined) return this.#deleted.get(connectionKey(request))?.account ?? {};
    const known = this.#open.get(source.id);
    if (source.kind === "refused") return known?.account ?? {};
    const kept = known !== undefined && isSameAccount(known.source, source) ? known.account : undefined;
    try {
      const read = await this.#secrets.read(source.secret, signal);
      signal.throwIfAborted();
      if (read.kind === "token") return this.#openAccount(source, read.token).account;
    } catch (error) {
      // A token that cannot be read takes nothing from what is known.
      if (kept === undefined || signal.aborted) throw error;
    }
    const before = this.#deleted.get(source.id);
    if (before !== undefined && isSameAccount(before.source, source)) return before.account;
    return kept ?? { team: teamOf(source), isProven: wasConfirmed(source) };
  }

  /** True once Northflank has accepted the account's token in any call. */
  isAccepted(account: Account): boolean {
    return this.#byAccount.get(account)?.token.isAccepted === true;
  }

  /** The pool that a connection spends from; `undefined` while its account has not been used. */
  poolOf(key: ObjectKey): string | undefined {
    return this.#open.get(key)?.account.pool;
  }

  /** Forgets a connection that was deleted. */
  forget(key: ObjectKey): void {
    const open = this.#open.get(key);
    if (open === undefined) return;
    if (this.#deps.isInUse?.(key) === true) {
      const { pool, team, isProven } = open.account;
      this.#deleted.set(key, { source: open.source, account: { pool, team, isProven }, former: [] });
    }
    this.#open.delete(key);
    this.#close(open);
  }

  async #resolve(
    source: TokenSource,
    { probe }: { readonly probe: boolean },
    signal: AbortSignal,
  ): Promise<OpenedAccount> {
    const read = await this.#secrets.read(source.secret, signal);
    signal.throwIfAborted();
    if (read.kind === "unusable") return secretUnusable(source.title, read, this.#nextReadMs());
    const known = this.#tokens.find(source, read.token);
    if (this.#tokens.isOverRefused(known, source)) {
      // Nothing is sent for it, so nothing of it needs to be kept.
      if (known !== undefined && this.#open.get(source.id)?.token === known) this.forget(source.id);
      // A new token is seen within a minute, as always; one of a namespace without a good one waits.
      return tooManyRefused({ ...source, limit: maxRefusedPerHour }, this.#nextReadMs());
    }
    const { account, token } = this.#openAccount(source, read.token);
    if (!probe && !this.#tokens.mayUse(token)) return authenticationFailed(source, this.#nextReadMs());
    const { secretResourceVersion } = read;
    if (secretResourceVersion === undefined) return { kind: "usable", account };
    if (secretResourceVersion === source.acceptedSecret) token.wasAccepted = true;
    return { kind: "usable", account, secretResourceVersion };
  }

  #openAccount(source: TokenSource, secretValue: SecretValue): OpenAccount {
    const known = this.#open.get(source.id);
    if (known !== undefined && isSameBinding(known, source, secretValue)) return known;
    const open = this.#makeAccount(source, secretValue, known ?? this.#deleted.get(source.id));
    this.#open.set(source.id, open);
    this.#byAccount.set(open.account, open);
    this.#deleted.delete(source.id);
    if (known !== undefined) this.#close(known, open);
    if (this.#tokens.size + this.#deleted.size >= this.#sweepAt) this.#sweep();
    return open;
  }

  #makeAccount(source: TokenSource, secretValue: SecretValue, before: LastKnown | undefined): OpenAccount {
    const { clock, openApi, checksPerHour, pollStretch } = this.#deps;
    const { id, baseUrl, teamId, maxRequestsPerHour } = source;
    this.#opened += 1;
    const credentials = { source, token: this.#tokens.use(source, secretValue) };
    const client = openApi({
      connection: id,
      baseUrl,
      teamId,
      token: secretValue,
      maxRequestsPerHour,
      get pool() {
        return poolOf(credentials);
      },
      get poolLabel() {
        return poolLabelOf(credentials);
      },
    });
    const accountOf = (who: string | undefined): Account => ({
      api: this.#trackedApi(client, credentials, who),
      address: addressOf(source),
      version: String(this.#opened),
      readScope: readScopeOf(credentials),
      team: teamOf(source),
      ...(id === operatorId ? { isOperatorWide: true as const } : {}),
      get pool() {
        return poolOf(credentials);
      },
      get isProven() {
        return open.isProven;
      },
      get checksPerHour() {
        return checksPerHour?.(poolOf(credentials));
      },
      get pollStretch() {
        return pollStretch?.(poolOf(credentials), id);
      },
      get formerPools() {
        return currentFormer(open.former, clock.monotonic()).map(({ pool }) => pool);
      },
    });
    const isRotation = before !== undefined && isSameAccount(before.source, source);
    const open: OpenAccount = {
      ...credentials,
      account: accountOf(undefined),
      accountOf,
      parts: new Map(),
      secretValue,
      client,
      // Once answered for the team, its objects keep their targets, whatever happens to the token.
      isProven:
        wasConfirmed(source) ||
        (isRotation && teamId !== undefined && before.account.isProven === true) ||
        isConfirmed(credentials),
      former: isRotation ? formerAfterRotation(before, credentials.token, clock.monotonic()) : [],
    };
    return open;
  }

  /** The account as a namespace has it: of the operator-wide one, each namespace spends a part of its own. */
  #partOf(account: Account, namespace: string): Account {
    const open = account.isOperatorWide === true ? this.#byAccount.get(account) : undefined;
    if (open === undefined) return account;
    const known = open.parts.get(namespace);
    if (known !== undefined) return known;
    const part = open.accountOf(namespace);
    this.#byAccount.set(part, open);
    if (open.parts.size >= mostParts) open.parts.clear();
    open.parts.set(namespace, part);
    return part;
  }

  #trackedApi(client: NorthflankApi, credentials: Credentials, who: string | undefined): NorthflankApi {
    const { source, token } = credentials;
    const refused = () => this.#tokens.countRefusal(token, source);
    const whoAmI = async (options: CallOptions) => {
      try {
        return await client.whoAmI(options);
      } catch (error) {
        if (isNorthflankError(error, "unauthorized")) refused();
        throw error;
      }
    };
    const tracker: AuthTracker = {
      accepted: (what) => this.#accepted(credentials, what),
      rejected: () => {
        refused();
        this.#rejected(credentials);
      },
      check: async (options) => {
        // Probed: what was confirmed once is not confirmed at each probe.
        if (token.probeAtMs !== undefined) return { kind: "invalid" };
        // Of a token that was never accepted, one answer of GET /v1/auth is enough.
        if (options.isFresh && !token.isAccepted && !token.wasAccepted) return { kind: "invalid" };
        // Nor does a namespace spend more on such tokens than it may.
        if (this.#tokens.isOverRefused(token, source)) return { kind: "invalid" };
        return await token.checker.check({ whoAmI }, options);
      },
    };
    return withAuthTracking(client, tracker, who);
  }

  #accepted({ token, source }: Credentials, what: AcceptedFor): void {
    if (!this.#tokens.accepted(token, what === "account" ? source.teamId : undefined)) return;
    for (const user of token.users) {
      const open = this.#open.get(user);
      if (open === undefined || !isConfirmed(open)) continue;
      open.isProven = true;
      this.#deps.poolChanged?.(open.client);
    }
  }

  #rejected({ source, token }: Credentials): void {
    this.#secrets.invalidate(source.secret);
    this.#tokens.rejected(token);
  }

  #close(open: OpenAccount, successor?: OpenAccount): void {
    this.#deps.closeApi?.(open.client);
    if (open.token !== successor?.token) this.#tokens.release(open.token, open.source);
  }

  #sweep(): void {
    this.#tokens.sweep();
    for (const key of this.#deleted.keys()) if (this.#deps.isInUse?.(key) !== true) this.#deleted.delete(key);
    this.#sweepAt = Math.max(leastSwept, 2 * (this.#tokens.size + this.#deleted.size));
  }

  #nextReadMs(): number {
    return recheckSecretMs * (0.8 + 0.2 * this.#deps.random());
  }
}

/** True when the open account is that of the source with this token. */
function isSameBinding(known: OpenAccount, source: TokenSource, secretValue: SecretValue): boolean {
  const isSame = isSameAccount(known.source, source) && known.source.maxRequestsPerHour === source.maxRequestsPerHour;
  return isSame && known.secretValue.equals(secretValue);
}

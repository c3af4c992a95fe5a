import { jittered } from "../../util/backoff.ts";
import type { Clock } from "../../util/clock.ts";
import type { Random } from "../../util/random.ts";
import type { SecretValue } from "../../util/secret-value.ts";
import { slowProbeMs } from "../reconcile/remote-error.ts";
import { TokenChecker } from "./token-check.ts";
import { operatorId, type TokenSource } from "./token-source.ts";

/** What is known of one token at one address, whoever uses it: kept by token, so that a rotated one starts clean. */
export interface KnownToken {
  readonly id: string;
  /** The pool of connections that have nothing but the token in common. */
  readonly pool: string;
  /** The ids of the sources that use it. */
  readonly users: Set<string>;
  isAccepted: boolean;
  /** A process before this one saw it accepted, and the Secret has not changed since. */
  wasAccepted: boolean;
  readonly checker: TokenChecker;
  /** The teams that Northflank has answered for. */
  readonly teams: Set<string>;
  /** When a refused token may be tried next; missing while it is not refused. */
  probeAtMs: number | undefined;
  /** Since when no source uses it. */
  unusedSinceMs: number | undefined;
}

/**
 * The most refusals (401) of never accepted tokens per namespace and hour: each is a request from the address that all
 * namespaces share.
 */
export const maxRefusedPerHour = 60;

// No window and no gate lasts longer, so a token that was not used since can start anew.
const keepTokenMs = 2 * slowProbeMs;

// Unused tokens are of little use; this many are more than any installation has at a time.
const mostUnused = 1_000;

/**
 * The tokens of this process: whether Northflank accepts them, and when a refused one is probed.
 *
 *     new ──call succeeds──▶ accepted ──401, confirmed──▶ refused ──each slowProbeMs──▶ one probe ──succeeds──▶ accepted
 *
 * *Guarantees*: a refused token is probed once per {@link slowProbeMs}, whoever asks; a namespace spends at most
 * {@link maxRefusedPerHour} requests an hour on tokens that were never accepted.
 */
export class KnownTokens {
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #random: Random;
  readonly #tokens = new Map<string, KnownToken>();
  /** By namespace. */
  readonly #refusals = new Map<string, { count: number; readonly untilMs: number }>();
  #made = 0;

  constructor(deps: { readonly clock: Pick<Clock, "monotonic">; readonly random: Random }) {
    this.#clock = deps.clock;
    this.#random = deps.random;
  }

  /** How much is remembered. */
  get size(): number {
    return this.#tokens.size + this.#refusals.size;
  }

  find({ baseUrl }: TokenSource, token: SecretValue): KnownToken | undefined {
    return this.#tokens.get(tokenId(baseUrl, token));
  }

  /** The source uses the token from now on. */
  use({ id: user, baseUrl }: TokenSource, token: SecretValue): KnownToken {
    const id = tokenId(baseUrl, token);
    const known = this.#tokens.get(id) ?? this.#make(id, baseUrl);
    known.users.add(user);
    known.unusedSinceMs = undefined;
    return known;
  }

  /** The source uses the token no more. */
  release(token: KnownToken, { id }: TokenSource): void {
    token.users.delete(id);
    if (token.users.size > 0) return;
    token.unusedSinceMs = this.#clock.monotonic();
    // What Northflank has answered about it must not be requested again.
    if (!token.isAccepted && token.probeAtMs === undefined) this.#tokens.delete(token.id);
  }

  /** Northflank has accepted the token, for `teamId` where one is given. False: that was known. */
  accepted(token: KnownToken, teamId: string | undefined): boolean {
    const isKnown =
      token.isAccepted && token.probeAtMs === undefined && (teamId === undefined || token.teams.has(teamId));
    if (isKnown) return false;
    token.isAccepted = true;
    token.probeAtMs = undefined;
    if (teamId !== undefined) token.teams.add(teamId);
    return true;
  }

  /** Northflank has refused the token: it is not sent again until the next probe. */
  rejected(token: KnownToken): void {
    token.probeAtMs ??= this.#nextProbeMs();
  }

  /** True when the token may be sent: it is not refused, or this caller is the probe that is due. */
  mayUse(token: KnownToken): boolean {
    if (token.probeAtMs === undefined) return true;
    if (token.probeAtMs > this.#clock.monotonic()) return false;
    token.probeAtMs = this.#nextProbeMs();
    return true;
  }

  /** True when {@link mayUse} and {@link isOverRefused} may hold the token back now. */
  mayBeHeld(token: KnownToken, { namespace }: TokenSource): boolean {
    return token.probeAtMs !== undefined || (!token.isAccepted && this.#refusals.has(namespace));
  }

  /** A request with a token of this source got a 401. */
  countRefusal(token: KnownToken, { id, namespace }: TokenSource): void {
    if (token.isAccepted || id === operatorId) return;
    const nowMs = this.#clock.monotonic();
    const known = this.#refusals.get(namespace);
    if (known !== undefined && nowMs < known.untilMs) known.count += 1;
    else this.#refusals.set(namespace, { count: 1, untilMs: nowMs + slowProbeMs });
  }

  /** True when a namespace has spent its refusals, so that no token that was never accepted is sent for a while. */
  isOverRefused(token: KnownToken | undefined, { id, namespace }: TokenSource): boolean {
    const refused = this.#refusals.get(namespace);
    if (token?.isAccepted === true || id === operatorId || refused === undefined) return false;
    return refused.count >= maxRefusedPerHour && this.#clock.monotonic() < refused.untilMs;
  }

  /** Drops what cannot be asked for any more. */
  sweep(): void {
    const nowMs = this.#clock.monotonic();
    let unused = 0;
    // From the newest to the oldest.
    for (const [id, { unusedSinceMs }] of [...this.#tokens].reverse()) {
      if (unusedSinceMs === undefined) continue;
      unused += 1;
      if (unused > mostUnused || nowMs - unusedSinceMs >= keepTokenMs) this.#tokens.delete(id);
    }
    for (const [namespace, { untilMs }] of this.#refusals) if (nowMs >= untilMs) this.#refusals.delete(namespace);
  }

  #make(id: string, baseUrl: string): KnownToken {
    this.#made += 1;
    const token: KnownToken = {
      id,
      pool: `token ${this.#made} at ${baseUrl}`,
      users: new Set(),
      isAccepted: false,
      wasAccepted: false,
      checker: new TokenChecker(this.#clock),
      teams: new Set(),
      probeAtMs: undefined,
      unusedSinceMs: undefined,
    };
    this.#tokens.set(id, token);
    return token;
  }

  #nextProbeMs(): number {
    return this.#clock.monotonic() + jittered(slowProbeMs, 0.2, this.#random);
  }
}

function tokenId(baseUrl: string, token: SecretValue): string {
  return `${baseUrl} ${token.reveal()}`;
}

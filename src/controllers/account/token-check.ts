import type { NorthflankApi } from "../../northflank/client.ts";
import { isNorthflankError, type NorthflankError } from "../../northflank/errors.ts";
import { otherSpender } from "../../northflank/spending.ts";
import type { TokenView } from "../../northflank/types.ts";
import type { Clock } from "../../util/clock.ts";

/** What `GET /v1/auth` says after a bare 401. */
export type TokenValidity =
  /** Northflank accepts the token: the 401 was about the call. `token`: what it returned, if anything. */
  | { readonly kind: "valid"; readonly token: TokenView | undefined }
  /** Northflank does not accept the token, or has no call that would show it. */
  | { readonly kind: "invalid" }
  /** Northflank did not answer the question: 429, 5xx, no answer, no quota. */
  | { readonly kind: "unknown"; readonly error: NorthflankError };

/** How long an answer is kept: twelve requests an hour at most, however many calls get a 401. */
const keepValidMs = 300_000;

/** The same of a missing answer; longer where Northflank says so. */
const keepUnknownMs = 30_000;

/**
 * Asks `GET /v1/auth` whether a token is valid that a call got a bare 401 with.
 *
 *     401 ──▶ asked a short while ago? ──yes──▶ that answer
 *                  │ no
 *                  ▼
 *             under way? ──yes──▶ wait for it
 *                  │ no
 *                  ▼
 *             GET /v1/auth
 *
 * *Guarantees*: one request in flight; an answer is kept, so that the requests do not grow with the number of calls
 * that get a 401.
 */
export class TokenChecker {
  readonly #clock: Pick<Clock, "monotonic">;
  #kept: { readonly validity: TokenValidity; readonly untilMs: number } | undefined;
  #asking: Promise<TokenValidity> | undefined;

  constructor(clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
  }

  /** `isFresh: true`: no kept answer will do, because it is `GET /v1/auth` itself that got the 401. */
  async check(api: Pick<NorthflankApi, "whoAmI">, { isFresh = false } = {}): Promise<TokenValidity> {
    const kept = this.#kept;
    const counts = kept !== undefined && (!isFresh || kept.validity.kind === "unknown");
    if (counts && this.#clock.monotonic() < kept.untilMs) return kept.validity;
    this.#asking ??= this.#ask(api).finally(() => {
      this.#asking = undefined;
    });
    return await this.#asking;
  }

  async #ask(api: Pick<NorthflankApi, "whoAmI">): Promise<TokenValidity> {
    const validity = await ask(api);
    const untilMs = this.#clock.monotonic() + keepMs(validity);
    this.#kept = { validity, untilMs };
    return validity;
  }
}

async function ask(api: Pick<NorthflankApi, "whoAmI">): Promise<TokenValidity> {
  try {
    // Not bound to one caller: many objects may wait for this answer.
    const token = await api.whoAmI({ class: "change", spender: otherSpender, signal: new AbortController().signal });
    return token === undefined ? { kind: "invalid" } : { kind: "valid", token };
  } catch (error) {
    if (!isNorthflankError(error)) throw error;
    if (error.code === "unauthorized") return { kind: "invalid" };
    // Permissions are checked after the token.
    if (error.code === "forbidden") return { kind: "valid", token: undefined };
    return { kind: "unknown", error };
  }
}

function keepMs(validity: TokenValidity): number {
  switch (validity.kind) {
    case "valid":
      return keepValidMs;
    case "unknown":
      return Math.min(Math.max(keepUnknownMs, validity.error.retryAfterMs ?? 0), keepValidMs);
    case "invalid":
      // The owner of the token remembers that, until the token changes or is probed.
      return 0;
  }
}

import type { NorthflankApi } from "../../northflank/client.ts";
import { isNorthflankError, type NorthflankError } from "../../northflank/errors.ts";
import type { TokenView } from "../../northflank/types.ts";
import type { Clock } from "../../util/clock.ts";

/** What `GET /v1/auth` says after a bare 401. */
export type TokenJudgment =
  /** Northflank accepts the token: the 401 was about the call. `token`: what was told of it, where it was told. */
  | { readonly kind: "alive"; readonly token: TokenView | undefined }
  /** Northflank does not accept the token, or has no call that would say so. */
  | { readonly kind: "dead" }
  /** Northflank did not say: 429, 5xx, no answer, no quota. */
  | { readonly kind: "undecided"; readonly error: NorthflankError };

/** An answer is not asked for again for so long: twelve requests an hour at most, however many calls get a 401. */
const keepAliveMs = 300_000;

/** Nor is one that did not come; longer where the far end says so. */
const keepUndecidedMs = 30_000;

/**
 * Asks `GET /v1/auth` whether a token lives that a call got a bare 401 with.
 *
 *     401 ──▶ asked a short while ago? ──yes──▶ that answer
 *                  │ no
 *                  ▼
 *             under way? ──yes──▶ wait for it
 *                  │ no
 *                  ▼
 *             GET /v1/auth
 *
 * *Guarantees*: one request in flight; an answer is kept, so that the requests do not grow with the number of calls that
 * get a 401.
 */
export class TokenJudge {
  readonly #clock: Pick<Clock, "monotonic">;
  #kept: { readonly judgment: TokenJudgment; readonly untilMs: number } | undefined;
  #asking: Promise<TokenJudgment> | undefined;

  constructor(clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
  }

  /** `isFresh: true`: no kept answer will do, because it is `GET /v1/auth` itself that got the 401. */
  async judge(api: Pick<NorthflankApi, "whoAmI">, { isFresh = false } = {}): Promise<TokenJudgment> {
    const kept = this.#kept;
    const counts = kept !== undefined && (!isFresh || kept.judgment.kind === "undecided");
    if (counts && this.#clock.monotonic() < kept.untilMs) return kept.judgment;
    this.#asking ??= this.#ask(api).finally(() => {
      this.#asking = undefined;
    });
    return await this.#asking;
  }

  async #ask(api: Pick<NorthflankApi, "whoAmI">): Promise<TokenJudgment> {
    const judgment = await ask(api);
    const untilMs = this.#clock.monotonic() + keepMs(judgment);
    this.#kept = { judgment, untilMs };
    return judgment;
  }
}

async function ask(api: Pick<NorthflankApi, "whoAmI">): Promise<TokenJudgment> {
  try {
    // Of nobody in particular: many objects may wait for this answer.
    const token = await api.whoAmI({ class: "change", signal: new AbortController().signal });
    return token === undefined ? { kind: "dead" } : { kind: "alive", token };
  } catch (error) {
    if (!isNorthflankError(error)) throw error;
    if (error.code === "unauthorized") return { kind: "dead" };
    // Permissions are judged after the token.
    if (error.code === "forbidden") return { kind: "alive", token: undefined };
    return { kind: "undecided", error };
  }
}

function keepMs(judgment: TokenJudgment): number {
  switch (judgment.kind) {
    case "alive":
      return keepAliveMs;
    case "undecided":
      return Math.min(Math.max(keepUndecidedMs, judgment.error.retryAfterMs ?? 0), keepAliveMs);
    case "dead":
      // Whoever owns the token remembers that, until it changes or is probed.
      return 0;
  }
}

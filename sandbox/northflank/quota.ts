import type { Account } from "./model.ts";

/** The documented window: it opens with the first request and ends an hour later. */
const windowMs = 3_600_000;

export interface QuotaAnswer {
  readonly isSpent: boolean;
  readonly headers: Readonly<Record<string, string>>;
}

/** Counts one request of an account. A refused one is not counted. */
export function spend(account: Pick<Account, "limitPerHour" | "used" | "windowStartMs">, nowMs: number): QuotaAnswer {
  if (account.windowStartMs === undefined || nowMs >= account.windowStartMs + windowMs) {
    account.windowStartMs = nowMs;
    account.used = 0;
  }
  const isSpent = account.used >= account.limitPerHour;
  if (!isSpent) account.used++;
  return {
    isSpent,
    headers: {
      "x-ratelimit-limit": String(account.limitPerHour),
      "x-ratelimit-remaining": String(Math.max(0, account.limitPerHour - account.used)),
      "x-ratelimit-reset": String(Math.ceil((account.windowStartMs + windowMs - nowMs) / 1_000)),
    },
  };
}

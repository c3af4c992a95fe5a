/**
 * What went wrong in a call to Northflank. Closed: the retry table and the conditions switch over this.
 *
 * - `quota_closed`: our own ledger refused the call before it was sent. Not an error of the object: it waits.
 * - `rate_limited`: 429. Likewise waiting.
 * - `unreachable`: no bytes were sent for sure (DNS, connect, TLS handshake refused by the network).
 * - `interrupted`: the connection broke after bytes were sent; the outcome of a write is open.
 * - `timeout`: no answer in time; the outcome of a write is open.
 * - `tls`: the certificate was not accepted. `redirect`, `wrong_method` (405), `protocol` (HTML, cut-off or oversized
 *   JSON, wrong content type): the far end is not the API we think it is.
 * - `rejected`: 400, 409, 413, 422, or another 4xx.
 */
export type NorthflankErrorCode =
  | "quota_closed"
  | "rate_limited"
  | "unauthorized"
  | "forbidden"
  | "not_found"
  | "gone"
  | "wrong_method"
  | "rejected"
  | "server_error"
  | "unreachable"
  | "interrupted"
  | "timeout"
  | "tls"
  | "redirect"
  | "protocol";

/**
 * What stands behind `forbidden`, where that is known: a `permission` that the token lacks, a `feature` that the account
 * does not have, or nothing that Northflank names (`unexplained`), though it accepts the token.
 */
export type Denial = "permission" | "feature" | "unexplained";

/** The words that a {@link Step} begins with. Each reads well behind "could not". */
export const stepVerbs = [
  "abort",
  "check",
  "create",
  "delete",
  "get",
  "list",
  "patch",
  "read",
  "restart",
  "start",
  "update",
] as const;

/** What was tried, with the object: `get service "api" of project "shop"`. */
export type Step = `${(typeof stepVerbs)[number]} ${string}`;

/** What a {@link NorthflankError} is made of. */
export interface NorthflankErrorFacts {
  readonly code: NorthflankErrorCode;
  /** A {@link Step}, which the client makes. */
  readonly step: string;
  /** What the API said (its `error.message`, length-capped) or what happened. Never a body, a header or a token. */
  readonly detail: string;
  readonly httpStatus?: number;
  /** `error.id` of the answer, such as `nf-invalid-request-body`. */
  readonly remoteId?: string;
  /** Field names that the API complained about; never the values, which it repeats in its answer. */
  readonly fields?: readonly string[];
  /** Not before this many milliseconds from now (from `Retry-After`, `x-ratelimit-reset` or the ledger). */
  readonly retryAfterMs?: number;
  /** With `quota_closed` only: see {@link QuotaRefusal}. */
  readonly ceiling?: number | undefined;
  /** False when it is sure that the far end never got the request. */
  readonly sent: boolean;
  /** With `forbidden` only. */
  readonly denial?: Denial | undefined;
  readonly cause?: unknown;
}

/** The one error of this boundary. The message starts with the code: `[not_found] could not get service "api" ...`. */
export class NorthflankError extends Error {
  override readonly name = "NorthflankError";
  readonly code: NorthflankErrorCode;
  readonly step: string;
  readonly detail: string;
  /** What happened, without the code: `could not check the token: status 401`. A step alone would read as an order. */
  readonly statement: string;
  readonly httpStatus: number | undefined;
  readonly remoteId: string | undefined;
  readonly fields: readonly string[];
  readonly retryAfterMs: number | undefined;
  readonly ceiling: number | undefined;
  readonly sent: boolean;
  readonly denial: Denial | undefined;

  constructor(facts: NorthflankErrorFacts) {
    const statement = `could not ${facts.step}: ${facts.detail}`;
    super(`[${facts.code}] ${statement}`, { cause: facts.cause });
    this.statement = statement;
    this.code = facts.code;
    this.step = facts.step;
    this.detail = facts.detail;
    this.httpStatus = facts.httpStatus;
    this.remoteId = facts.remoteId;
    this.fields = facts.fields ?? [];
    this.retryAfterMs = facts.retryAfterMs;
    this.ceiling = facts.ceiling;
    this.sent = facts.sent;
    this.denial = facts.denial;
  }
}

/** Not before `retryAfterMs` from now (spread included). Not a failure: the object waits. */
export interface QuotaRefusal {
  readonly retryAfterMs: number;
  /** The account would allow it, and these requests per hour of the connection's own do not. */
  readonly ceiling?: number;
}

/** The refusal of the ledger: nothing was sent. */
export function quotaClosed(step: string, { retryAfterMs, ceiling }: QuotaRefusal): NorthflankError {
  const detail =
    ceiling === undefined
      ? "the request budget of this hour is spent, or reserved for more urgent requests"
      : `the connection's limit of ${ceiling} requests per hour is spent, or reserved for more urgent requests`;
  return new NorthflankError({ code: "quota_closed", step, detail, retryAfterMs, ceiling, sent: false });
}

/** True for a {@link NorthflankError} of one of the given codes. */
export function isNorthflankError(error: unknown, ...codes: readonly NorthflankErrorCode[]): error is NorthflankError {
  return error instanceof NorthflankError && (codes.length === 0 || codes.includes(error.code));
}

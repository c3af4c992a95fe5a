import { oneLine } from "../util/printable.ts";
import type { MissingRight } from "./missing-right.ts";

/**
 * What went wrong in a call to the Kubernetes API. Closed: whoever decides on an error switches over this.
 *
 * - `expired`: the resourceVersion or continue token is too old (410); list again.
 * - `ahead`: the resourceVersion is larger than what this server has seen (504 ResourceVersionTooLarge); ask again
 *   without it.
 * - `unavailable`: no answer, a broken connection, or 5xx; `throttled`: 429.
 * - `protocol`: an answer that is not what the API promises (not JSON, cut off, too large).
 * - `config`: nothing was sent, because the kubeconfig or its credentials cannot be used.
 */
export type KubeErrorCode =
  | "not_found"
  | "conflict"
  | "already_exists"
  | "expired"
  | "ahead"
  | "invalid"
  | "bad_request"
  | "unauthorized"
  | "forbidden"
  | "throttled"
  | "timeout"
  | "unavailable"
  | "protocol"
  | "config";

/** What a {@link KubeError} is made of. */
export interface KubeErrorFacts {
  readonly code: KubeErrorCode;
  /** What was tried, with the object: `get secrets default/nf-token`. */
  readonly step: string;
  /** What the server said, or what happened to the connection. Never a response body, never a credential. */
  readonly detail: string;
  /** HTTP status, when there was an answer. */
  readonly httpStatus?: number;
  /** `Status.reason` of the answer, such as `AlreadyExists`. */
  readonly reason?: string;
  /** How long the server asked us to wait, in milliseconds. */
  readonly retryAfterMs?: number;
  /** The permission that a 403 says is missing; absent when something else than an authorizer refused. */
  readonly missingRight?: MissingRight;
  readonly cause?: unknown;
}

/**
 * The one error of this boundary. The message starts with the code: `[not_found] get secrets default/x: ...`. Whatever
 * others wrote in it is a part of one line, so that logs, conditions and readiness may show it as it is.
 */
export class KubeError extends Error {
  override readonly name = "KubeError";
  readonly code: KubeErrorCode;
  readonly httpStatus: number | undefined;
  readonly reason: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly missingRight: MissingRight | undefined;

  constructor(facts: KubeErrorFacts) {
    super(oneLine(`[${facts.code}] ${facts.step}: ${facts.detail}`), { cause: facts.cause });
    this.code = facts.code;
    this.httpStatus = facts.httpStatus;
    this.reason = facts.reason === undefined ? undefined : oneLine(facts.reason);
    this.retryAfterMs = facts.retryAfterMs;
    const { missingRight } = facts;
    this.missingRight = missingRight === undefined ? undefined : { ...missingRight, user: oneLine(missingRight.user) };
  }
}

/** The error of a kubeconfig, or of the credentials that it names. Neither text may hold a credential. */
export function kubeconfigError(step: string, detail: string): KubeError {
  return new KubeError({ code: "config", step, detail });
}

/** True for a {@link KubeError} of one of the given codes. */
export function isKubeError(error: unknown, ...codes: readonly KubeErrorCode[]): error is KubeError {
  return error instanceof KubeError && (codes.length === 0 || codes.includes(error.code));
}

/**
 * A call to the API server that did not succeed for reasons of its own: the network, load, permissions, other clients. Not
 * one that it rejected as invalid (422), which the program itself has to answer for.
 */
export function isFailedCall(error: unknown): error is KubeError {
  return isKubeError(error) && error.code !== "invalid";
}

/** `ENOENT` and the like: safe to show, while messages of the system may quote anything. */
export function systemCode(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === "string" && /^E[A-Z_]+$/.test(code) ? code : undefined;
}

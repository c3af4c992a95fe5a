// pure

import { oneLine } from "../util/printable.ts";
import type { Denial, NorthflankErrorCode } from "./errors.ts";
import { NorthflankError } from "./errors.ts";
import { type JsonObject, listOf, objectOf, textOf } from "./json.ts";
import { askedWaitMs, type RateLimitReading } from "./rate-limit.ts";

/** What of an answer is needed to say what went wrong. */
export interface FailedAnswer {
  readonly step: string;
  readonly status: number;
  /** The parsed body; `undefined` when it was not JSON. */
  readonly json: unknown;
  readonly rateLimit: RateLimitReading;
  /** Values of the request that must not come back in a message, in case the API repeats them. */
  readonly secrets: readonly string[];
}

/** Turns an answer with a status other than 2xx into the error that it means. */
export function errorOfAnswer(answer: FailedAnswer): NorthflankError {
  const error = objectOf(objectOf(answer.json)?.error) ?? {};
  const remoteId = textOf(error.id);
  const retryAfterMs = waitOf(answer.status, answer.rateLimit);
  const permissions = missingPermissions(error);
  const code = codeOfAnswer(answer.status, answer.json);
  const status = `status ${answer.status}${quotation(error.message, answer.secrets)}`;
  return new NorthflankError({
    code,
    denial: code === "forbidden" ? denialOf(error) : undefined,
    step: answer.step,
    detail: permissions.length === 0 ? status : `${status}; ${lackText(permissions, answer.secrets)}`,
    httpStatus: answer.status,
    fields: Object.keys(objectOf(error.details) ?? {})
      .filter((field) => field !== "requiredPermission")
      .slice(0, 20)
      .map((field) => nameText(field, answer.secrets)),
    sent: true,
    ...(remoteId === undefined ? {} : { remoteId: clean(remoteId, answer.secrets, 100) }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

/**
 * The code that an answer other than 2xx stands for. Only a bare 401 speaks about the token: one that names the
 * permission that is missing, or a feature flag of the account, was given to a token that is known.
 */
export function codeOfAnswer(status: number, json: unknown): NorthflankErrorCode {
  const code = codeOfStatus(status);
  if (code !== "unauthorized") return code;
  return denialOf(objectOf(objectOf(json)?.error)) === undefined ? code : "forbidden";
}

function denialOf(error: JsonObject | undefined): Denial | undefined {
  if (missingPermissions(error).length > 0) return "permission";
  return /^\s*feature flag is not enabled\b/i.test(textOf(error?.message) ?? "") ? "feature" : undefined;
}

// So many of a list are named: a message must stay one that people read.
const mostNamed = 5;

/** The permissions that the answer says the token lacks. Documented is one; a list of them is understood as well. */
function missingPermissions(error: JsonObject | undefined): readonly string[] {
  const named = objectOf(error?.details)?.requiredPermission;
  return (listOf(named) ?? [named]).flatMap((one) => textOf(one) ?? []).slice(0, mostNamed);
}

function lackText(permissions: readonly string[], secrets: readonly string[]): string {
  const names = permissions.map((one) => nameText(one, secrets));
  return `the token lacks the permission${names.length === 1 ? "" : "s"} ${cut(names.join(", "), 150)}`;
}

/**
 * True where the answer says that the API no longer has the call. A 404 that names fields of the request is about
 * something that the request names, such as credentials that do not exist.
 */
export function saysRouteIsGone({ code, fields }: NorthflankError): boolean {
  return code === "wrong_method" || code === "gone" || (code === "not_found" && fields.length === 0);
}

/** The code that a status other than 2xx stands for. */
export function codeOfStatus(status: number): NorthflankErrorCode {
  if (status < 400) return status >= 300 ? "redirect" : "protocol";
  if (status >= 500) return "server_error";
  return codes[status] ?? "rejected";
}

const codes: Readonly<Record<number, NorthflankErrorCode>> = {
  401: "unauthorized",
  403: "forbidden",
  404: "not_found",
  405: "wrong_method",
  410: "gone",
  429: "rate_limited",
};

/**
 * Statuses that prove that nothing was started. Any other answer to a start leaves it open: a redirect, a 408 or a 5xx
 * may come from something that stands in front of the API and has already passed the request on.
 */
const provesRefusal: ReadonlySet<number> = new Set([400, 401, 403, 404, 405, 409, 413, 422, 429]);

/** True when it is sure that the failed start did not start anything. */
export function isRefusedForSure(error: NorthflankError): boolean {
  return !error.sent || (error.httpStatus !== undefined && provesRefusal.has(error.httpStatus));
}

/** Only 429 and 503 speak about time; the rate headers of other answers describe the quota, not this failure. */
function waitOf(status: number, reading: RateLimitReading): number | undefined {
  if (status === 429) return askedWaitMs(reading);
  return status === 503 ? reading.retryAfterMs : undefined;
}

// Shorter ones would make every message unreadable, and say nothing.
const leastSecretLength = 4;

// What is longer is no message for people, and cutting it before it is searched could leave half a secret.
const longestSearched = 16_384;

/**
 * What the API said, behind a comma: one clause of a sentence, however many sentences it has. Empty where it said
 * nothing.
 */
function quotation(message: unknown, secrets: readonly string[]): string {
  // Not cut by textOf: half a value that was sent would not be found.
  if (typeof message !== "string" || message === "") return "";
  if (message.length > longestSearched) return `, with a message of ${message.length} characters, which is not shown`;
  const text = clean(message, secrets, 300).replace(/[\s.]+$/, "");
  return text === "" ? "" : `, "${text}"`;
}

/** A name that the API gives, such as that of a field: it ends no sentence and no list. */
function nameText(name: string, secrets: readonly string[]): string {
  return clean(name, secrets, 100).replaceAll(/[.!?]+(?=\s|$)|[()]/g, "");
}

/** One line of printable text without double quotes, and without what must not be shown. */
function clean(text: string, secrets: readonly string[], maxLength: number): string {
  if (text.length > longestSearched) return `${text.length} characters`;
  const hidden = formsOf(secrets).reduce((shown, secret) => shown.replaceAll(secret, "[redacted]"), text);
  return cut(oneLine(hidden).trim().replaceAll('"', "'"), maxLength);
}

/** The first characters, without half of a surrogate pair. */
function cut(text: string, maxLength: number): string {
  return text.length > maxLength ? `${text.slice(0, maxLength).replace(/\p{Cs}$/u, "")}…` : text;
}

/**
 * The forms in which the API may repeat a value: as it is, as in JSON, or a line of it. The longest first, because one
 * may be a part of another.
 */
function formsOf(secrets: readonly string[]): readonly string[] {
  const forms = secrets.flatMap((secret) => [
    secret,
    JSON.stringify(secret).slice(1, -1),
    ...secret.split(/[\r\n]+/).map((line) => line.trim()),
  ]);
  return [...new Set(forms)]
    .filter((form) => form.length >= leastSecretLength)
    .sort((left, right) => right.length - left.length);
}

// pure
import { oneLine } from "../util/printable.ts";
import { KubeError, type KubeErrorCode } from "./errors.ts";
import { parseMissingRight } from "./missing-right.ts";
import type { KubeStatus } from "./types.ts";

/** A refusal, as it came off the wire. Header names are in lower case. */
export interface Refusal {
  readonly step: string;
  readonly httpStatus: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
}

/**
 * The one place where an answer other than 2xx becomes a {@link KubeError}. Of the body only the fields of a `Status` are
 * used; whatever else answered (a proxy's HTML, say) is named by its content type and never quoted.
 */
export function kubeErrorOfRefusal(refusal: Refusal): KubeError {
  const status = parseStatus(refusal.body);
  const retryAfterMs = retryAfterOf(refusal, status);
  const missingRight = refusal.httpStatus === 403 ? parseMissingRight(status?.message ?? "") : undefined;
  return new KubeError({
    code: codeOf(refusal.httpStatus, status),
    step: refusal.step,
    detail: detailOf(refusal, status),
    httpStatus: refusal.httpStatus,
    ...(status?.reason === undefined ? {} : { reason: status.reason }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(missingRight === undefined ? {} : { missingRight }),
  });
}

/** The same for the `Status` inside an ERROR event of a watch. */
export function kubeErrorOfStatus(step: string, status: KubeStatus): KubeError {
  return kubeErrorOfRefusal({ step, httpStatus: status.code ?? 500, headers: {}, body: JSON.stringify(status) });
}

const codes: Readonly<Record<number, KubeErrorCode>> = {
  400: "bad_request",
  401: "unauthorized",
  403: "forbidden",
  404: "not_found",
  405: "bad_request",
  406: "bad_request",
  408: "timeout",
  409: "conflict",
  410: "expired",
  413: "invalid",
  415: "bad_request",
  422: "invalid",
  429: "throttled",
  504: "timeout",
};

function codeOf(httpStatus: number, status: KubeStatus | undefined): KubeErrorCode {
  if (httpStatus === 409 && status?.reason === "AlreadyExists") return "already_exists";
  if (status?.details?.causes?.some((cause) => cause.reason === "ResourceVersionTooLarge")) return "ahead";
  const known = codes[httpStatus];
  if (known !== undefined) return known;
  return httpStatus >= 500 ? "unavailable" : "protocol";
}

// Long enough for several field errors, short enough for a condition's message and a log line.
const maxDetailLength = 1_024;

function detailOf(refusal: Refusal, status: KubeStatus | undefined): string {
  if (status?.message) return cut(status.message);
  const type = refusal.headers["content-type"];
  const contentType = typeof type === "string" && type !== "" ? cut(type.split(";")[0] ?? "") : "none";
  return `HTTP ${refusal.httpStatus} without a Status (content type ${contentType})`;
}

function cut(text: string): string {
  const clean = oneLine(text).trim();
  return clean.length > maxDetailLength ? `${clean.slice(0, maxDetailLength - 3)}...` : clean;
}

function parseStatus(body: string): KubeStatus | undefined {
  if (!body.startsWith("{")) return undefined;
  try {
    const parsed: unknown = JSON.parse(body);
    return isStatus(parsed) ? parsed : undefined;
  } catch {
    // Not JSON: something between us and the server answered. The caller names the content type instead.
    return undefined;
  }
}

function isStatus(value: unknown): value is KubeStatus {
  if (typeof value !== "object" || value === null || (value as { kind?: unknown }).kind !== "Status") return false;
  const { reason, message, details } = value as { reason?: unknown; message?: unknown; details?: unknown };
  const causes = typeof details === "object" && details !== null ? (details as { causes?: unknown }).causes : undefined;
  return (
    (reason === undefined || typeof reason === "string") &&
    (message === undefined || typeof message === "string") &&
    (details === undefined || (typeof details === "object" && details !== null)) &&
    (causes === undefined || Array.isArray(causes))
  );
}

// Two hours: longer than any quota window. Whoever names more is mistaken, and we would rather ask once too often.
const maxRetryAfterMs = 7_200_000;

function retryAfterOf(refusal: Refusal, status: KubeStatus | undefined): number | undefined {
  const header = refusal.headers["retry-after"];
  const ms = typeof header === "string" ? parseRetryAfterMs(header, refusal.headers.date) : undefined;
  const seconds = status?.details?.retryAfterSeconds;
  const fallbackMs = typeof seconds === "number" && seconds > 0 ? seconds * 1_000 : undefined;
  const wantedMs = ms ?? fallbackMs;
  return wantedMs === undefined ? undefined : Math.min(Math.max(wantedMs, 0), maxRetryAfterMs);
}

/** Seconds or an HTTP date; a date counts from the answer's own `Date`, so that a wrong clock here does not matter. */
function parseRetryAfterMs(text: string, date: string | readonly string[] | undefined): number | undefined {
  if (/^\d{1,15}$/.test(text)) return Number(text) * 1_000;
  const untilMs = Date.parse(text);
  const fromMs = typeof date === "string" ? Date.parse(date) : Number.NaN;
  return Number.isNaN(untilMs) || Number.isNaN(fromMs) || !/[a-z]/i.test(text) ? undefined : untilMs - fromMs;
}

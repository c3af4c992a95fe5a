// pure
import type { NorthflankErrorCode } from "./errors.ts";

export interface NetworkFailure {
  readonly code: NorthflankErrorCode;
  readonly detail: string;
  readonly cause?: unknown;
}

/** The call that failed: the host (and port) it was for, and whether a byte was sent. */
interface CallContext {
  readonly host: string;
  readonly isSent: boolean;
}

/**
 * Says in our words what a network error of undici, Node or TLS means. Their messages stay out of ours: some quote what
 * was received.
 *
 * *Guarantees*: a failure to connect names the host, and the name that could not be resolved if that is another one (a
 * proxy's).
 */
export function networkFailure(error: unknown, context: CallContext): NetworkFailure {
  const failure = failureOf(error, context);
  if (context.isSent || (failure.code !== "unreachable" && failure.code !== "tls")) return failure;
  return { ...failure, detail: `no connection to ${context.host}: ${failure.detail}` };
}

function failureOf(error: unknown, context: CallContext): NetworkFailure {
  const code = codeOf(error);
  // A parser error carries the received bytes in a field, so it is not even kept as the cause. It may come without a code.
  if (code.startsWith("HPE_") || (error instanceof Error && error.name === "HTTPParserError"))
    return { code: "protocol", detail: `the response is not valid HTTP (${code})` };
  const refusal = tunnelRefusal(error);
  if (refusal !== undefined) return refusal;
  const known = codes[code];
  if (known !== undefined && !(known.code === "unreachable" && context.isSent))
    return { ...known, detail: `${known.detail}${unresolvedOf(error, context.host)} (${code})`, cause: error };
  if (/^(CERT_|ERR_TLS_|ERR_SSL_)|CERT|SIGNATURE/.test(code)) {
    return { code: "tls", detail: `the certificate was not accepted (${code})`, cause: error };
  }
  if (context.isSent)
    return {
      code: "interrupted",
      detail: `the connection was closed after the request was sent (${code})`,
      cause: error,
    };
  return { code: "unreachable", detail: `it could not be made (${code})`, cause: error };
}

/** `, "proxy.example"`: the host name that a failed lookup was for, where it is not that of the call. */
function unresolvedOf(error: unknown, host: string): string {
  for (const candidate of [error, causeOf(error), firstOf(error)]) {
    const name = candidate instanceof Error && "hostname" in candidate ? candidate.hostname : undefined;
    if (typeof name !== "string" || !/^[A-Za-z0-9._-]{1,253}$/.test(name)) continue;
    return host.replace(/:\d+$/, "") === name.toLowerCase() ? "" : `, ${JSON.stringify(name)}`;
  }
  return "";
}

/**
 * What a proxy said instead of opening a tunnel; nothing was sent then. What it refuses (407: other credentials are
 * wanted) it will refuse again; that it could not reach the host may pass.
 */
function tunnelRefusal(error: unknown): NetworkFailure | undefined {
  const status = error instanceof Error ? /^Proxy response \((\d{3})\)/.exec(error.message)?.[1] : undefined;
  if (status === undefined) return undefined;
  const remedy = status === "407" ? "; check the user info in HTTPS_PROXY" : "";
  const detail = `the proxy responded ${status} instead of opening a tunnel${remedy}`;
  return { code: Number(status) >= 500 ? "unreachable" : "protocol", detail, cause: error };
}

const timeout = (detail: string) => ({ code: "timeout" as const, detail });
const unreachable = (detail: string) => ({ code: "unreachable" as const, detail });

const codes: Readonly<Record<string, { readonly code: NorthflankErrorCode; readonly detail: string }>> = {
  UND_ERR_HEADERS_TIMEOUT: timeout("no response in time"),
  UND_ERR_BODY_TIMEOUT: timeout("the response was cut off"),
  UND_ERR_CONNECT_TIMEOUT: unreachable("no connection in time"),
  UND_ERR_HEADERS_OVERFLOW: { code: "protocol", detail: "the headers of the response are too long" },
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: {
    code: "protocol",
    detail: "the length of the response differs from its Content-Length",
  },
  ENOTFOUND: unreachable("the host name does not exist"),
  EAI_AGAIN: unreachable("the host name could not be resolved"),
  ECONNREFUSED: unreachable("the connection was refused"),
  EHOSTUNREACH: unreachable("the host cannot be reached"),
  ENETUNREACH: unreachable("the network cannot be reached"),
  EPROTO: { code: "tls", detail: "the TLS handshake failed" },
};

/** The code of an error, its cause, or the first of several attempts (IPv4 and IPv6); `unknown` without any. */
function codeOf(error: unknown): string {
  for (const candidate of [error, causeOf(error), firstOf(error)]) {
    const code = candidate instanceof Error && "code" in candidate ? candidate.code : undefined;
    if (typeof code === "string" && /^[A-Z0-9_]{1,60}$/.test(code)) return code;
  }
  return "unknown";
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}

function firstOf(error: unknown): unknown {
  return error instanceof AggregateError ? error.errors[0] : undefined;
}

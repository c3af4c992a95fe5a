// pure
import { isLoopback } from "../util/loopback.ts";

/** Where the API is, taken apart. */
export interface ApiOrigin {
  /** `https://api.northflank.com`, as `URL.origin` writes it. */
  readonly origin: string;
  /** Path in front of `/v1`, without a slash at its end; empty as a rule. */
  readonly basePath: string;
}

export type ParsedApiUrl =
  | ({ readonly kind: "valid" } & ApiOrigin)
  | { readonly kind: "problem"; readonly problem: string };

/**
 * Reads the base URL of the API: https, or http with a loopback host, and no user info, query or fragment.
 *
 * The problem is for people and never quotes the URL, which may hold a password by mistake.
 */
export function parseApiUrl(text: string): ParsedApiUrl {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) return { kind: "problem", problem: "it is not a URL" };
  if (url.username !== "" || url.password !== "") {
    return { kind: "problem", problem: "it has user info; put the token into a Secret" };
  }
  if (url.search !== "" || url.hash !== "" || /[?#]/.test(text)) {
    return { kind: "problem", problem: "it has a query or a fragment; remove them" };
  }
  const problem = originProblem(url);
  if (problem !== undefined) return { kind: "problem", problem };
  return { kind: "valid", origin: url.origin, basePath: url.pathname.replace(/\/+$/, "") };
}

/** Why nothing may be sent to this origin whatever the allow-list says; `undefined` when it may. */
export function originProblem(url: { readonly protocol: string; readonly hostname: string }): string | undefined {
  if (url.protocol === "https:") return undefined;
  if (url.protocol !== "http:") return "it must begin with https://";
  return isLoopback(url.hostname) ? undefined : "plain http is for loopback hosts only; use https";
}

/**
 * True when `origin` is on the allow-list. An entry is `host` (the default port of the scheme) or `host:port`.
 */
export function isAllowedOrigin(origin: string, allowedHosts: readonly string[]): boolean {
  if (!URL.canParse(origin)) return false;
  const url = new URL(origin);
  // `host` leaves out a default port, so both sides are written the same way: as `URL` writes them.
  return allowedHosts.some((entry) => hostOf(url.protocol, entry) === url.host);
}

function hostOf(protocol: string, entry: string): string | undefined {
  const text = `${protocol}//${entry}`;
  if (!URL.canParse(text)) return undefined;
  const { host, pathname, username, search, hash } = new URL(text);
  return pathname === "/" && username === "" && search === "" && hash === "" ? host : undefined;
}

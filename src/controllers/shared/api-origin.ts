// pure

export type ApiOrigin =
  /** `origin` as `URL.origin` writes it; `basePath` without a slash at the end, mostly empty. */
  | { readonly kind: "allowed"; readonly origin: string; readonly basePath: string }
  /** Why no token may go there: field, rule and remedy, in one sentence. */
  | { readonly kind: "refused"; readonly problem: string };

/**
 * Judges `spec.apiURL` of a connection against the hosts that may ever see a token: https, or http for loopback, no user
 * info, query or fragment, and `host` or `host:port` on the operator's list.
 *
 * `allowedHosts` is in lower case; an entry without port allows the default port of the scheme only.
 */
export function judgeApiUrl(apiUrl: string, allowedHosts: readonly string[]): ApiOrigin {
  const url = URL.canParse(apiUrl) ? new URL(apiUrl) : undefined;
  if (url === undefined) return refused("it is not a URL");
  if (url.username !== "" || url.password !== "") return refused("it must not contain user info");
  if (url.search !== "" || url.hash !== "") return refused("it must be without query and fragment");
  const isPlainLoopback = url.protocol === "http:" && isLoopback(url.hostname);
  if (url.protocol !== "https:" && !isPlainLoopback) return refused("it must be https (http only for loopback)");
  if (!allowedHosts.includes(url.host)) {
    return refused(
      `the host ${url.host} is not on the operator's list; an administrator adds it to --allowed-api-hosts`,
    );
  }
  return { kind: "allowed", origin: url.origin, basePath: url.pathname.replace(/\/+$/, "") };
}

function refused(rule: string): ApiOrigin {
  return { kind: "refused", problem: `spec.apiURL cannot be used: ${rule}` };
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d{1,3}){3}$/.test(hostname);
}

// pure
import { isAllowedOrigin, parseApiUrl } from "../../northflank/api-origin.ts";

/** Where an API is, or why no token may go there. */
export type ApiAddress =
  /** Scheme, host and base path, without a slash at the end. */
  | { readonly kind: "allowed"; readonly origin: string; readonly baseUrl: string }
  /** Why no token may go there: field, rule and remedy, in one sentence. */
  | { readonly kind: "refused"; readonly problem: string };

/**
 * Judges `spec.apiURL` of a connection against the hosts that may ever see a token. The transport checks again before
 * each call; here the answer is for people.
 */
export function judgeApiUrl(apiUrl: string, allowedHosts: readonly string[]): ApiAddress {
  const parsed = parseApiUrl(apiUrl);
  if (parsed.kind === "problem") return refused(parsed.problem);
  const { origin, basePath } = parsed;
  if (isAllowedOrigin(origin, allowedHosts)) return { kind: "allowed", origin, baseUrl: `${origin}${basePath}` };
  const { host } = new URL(origin);
  return refused(
    `the host ${host} is not on the operator's list (--allowed-api-hosts); add it there, or correct spec.apiURL`,
  );
}

function refused(rule: string): ApiAddress {
  return { kind: "refused", problem: `spec.apiURL cannot be used: ${rule}` };
}

// pure
import type { Denial, NorthflankError, NorthflankErrorCode } from "./northflank/errors.ts";

const apiAddress = "Check --api-url and any proxy";

/**
 * What the user of a command can do about a failed call, with the flags of the commands. One row per code, so that a new
 * code does not compile without one; `undefined` where the message of the API is all there is.
 */
const remedies: Readonly<Record<NorthflankErrorCode, string | undefined>> = {
  quota_closed: "Run it again later, or set --quota-wait to wait longer",
  rate_limited: "Run it again later, or set --quota-wait to wait longer",
  unauthorized: "Check the token (NORTHFLANK_API_TOKEN or --token-file), and that --team-id and --api-url match it",
  forbidden: "Grant the token's role the permission for this call",
  not_found: "Check the IDs, and set --team-id where the token belongs to an organization",
  gone: "It no longer exists at Northflank: remove it",
  rejected: undefined,
  wrong_method: apiAddress,
  redirect: apiAddress,
  protocol: apiAddress,
  tls: "Check the certificate of the host of --api-url, and the CA bundle (NODE_EXTRA_CA_CERTS)",
  server_error: "Northflank had an internal error: run it again later",
  unreachable: "Check --api-url, DNS, HTTPS_PROXY and firewalls",
  interrupted: "Run it again",
  timeout: "Run it again, or raise --request-timeout",
};

const denials: Readonly<Record<Denial, string>> = {
  permission: "Grant it to the token's role",
  feature: "Ask Northflank to enable the feature for the account",
  unexplained: "Check the role of the token, and --team-id",
};

/** The remedy of a failed call, without a period at its end. */
export function remedyOf({ code, denial }: Pick<NorthflankError, "code" | "denial">): string | undefined {
  return (denial === undefined ? undefined : denials[denial]) ?? remedies[code];
}

/** The message of a failed call with its remedy: `[timeout] could not get ...: no answer in time. Run it again`. */
export function explained(error: NorthflankError): string {
  return withRemedy(error.message, error);
}

/** A text about a failed call, followed by its remedy. */
export function withRemedy(text: string, error: Pick<NorthflankError, "code" | "denial">): string {
  const remedy = remedyOf(error);
  if (remedy === undefined) return text;
  return /[.!?…]$/.test(text) ? `${text} ${remedy}` : `${text}. ${remedy}`;
}

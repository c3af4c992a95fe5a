// pure
import type { Impersonation } from "./kubeconfig-stanzas.ts";

/** Headers by name in lower case. A list is sent as several headers of the name. */
export type CredentialHeaders = Readonly<Record<string, string | string[]>>;

/** The header of a token; `undefined` when it holds characters that no header may carry. */
export function bearer(token: string): string | undefined {
  const trimmed = token.trimEnd();
  // Checked here and not by the HTTP client, because some clients quote the value in their message.
  return trimmed !== "" && /^[\x20-\x7e]*$/.test(trimmed) ? `Bearer ${trimmed}` : undefined;
}

/** The header of a user name and a password. */
export function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`, "utf8").toString("base64")}`;
}

/**
 * All headers of impersonation. `undefined` when a value holds control characters, which no
 * header may carry; other text is sent in UTF-8, as kubectl sends it.
 */
export function impersonationHeaders(impersonation: Impersonation): CredentialHeaders | undefined {
  const { user, uid, groups, extra } = impersonation;
  const values = [user, ...(uid === undefined ? [] : [uid]), ...groups, ...Object.values(extra).flat()];
  if (values.some((value) => /[^\P{Cc}\t]/u.test(value))) return undefined;
  return {
    "impersonate-user": inUtf8(user),
    ...(uid === undefined ? {} : { "impersonate-uid": inUtf8(uid) }),
    ...(groups.length === 0 ? {} : { "impersonate-group": groups.map(inUtf8) }),
    ...Object.fromEntries(
      Object.entries(extra)
        .filter(([, list]) => list.length > 0)
        .map(([key, list]) => [`impersonate-extra-${escapeKey(key)}`, list.map(inUtf8)] as const),
    ),
  };
}

/** Node writes a header's characters as one byte each. */
function inUtf8(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** Percent-encodes what a header's name cannot hold, and the percent sign. */
function escapeKey(key: string): string {
  return [...Buffer.from(key, "utf8")]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      const isLegal = /[!#$&'*+\-.^_`|~0-9A-Za-z]/.test(character);
      return isLegal ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
    })
    .join("");
}

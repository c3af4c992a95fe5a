// pure
import type { Secret } from "../../kube/types.ts";

/** What came of looking for a token. `problem` names the Secret and the key, never a value. */
export type TokenRead =
  | { readonly kind: "token"; readonly token: string; readonly secretResourceVersion: string | undefined }
  | {
      readonly kind: "unusable";
      readonly reason: "SecretNotFound" | "SecretKeyMissing" | "SecretInvalid" | "PermissionDenied";
      readonly problem: string;
    };

// Credentials of the cluster itself: whoever may write a connection must not be able to send them anywhere.
const refusedTypes: readonly string[] = ["kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"];

// A token is a JWT of one or two kilobytes. Servers refuse headers of more than 8 or 16.
const maxTokenLength = 8_192;

/**
 * Takes the token out of a Secret. One trailing line end is dropped, because `kubectl create secret --from-file` keeps
 * the one that editors add; any other character that does not belong into a header is refused.
 */
export function tokenFromSecret(secret: Secret, key: string): TokenRead {
  const name = `Secret "${secret.metadata.name}"`;
  if (secret.type !== undefined && refusedTypes.includes(secret.type)) {
    return invalid(`${name} is of type ${secret.type}, which is never sent to Northflank; use an Opaque Secret`);
  }
  const encoded = secret.data !== undefined && Object.hasOwn(secret.data, key) ? secret.data[key] : undefined;
  if (encoded === undefined) {
    const problem = `${name} has no key "${key}"; add it, or name another key in spec.tokenSecretRef.key`;
    return { kind: "unusable", reason: "SecretKeyMissing", problem };
  }
  const checked = checkedToken(decoded(encoded));
  if (checked.kind === "refused") return invalid(`key "${key}" of ${name} ${checked.why}`);
  return { kind: "token", token: checked.token, secretResourceVersion: secret.metadata.resourceVersion };
}

/** The same checks for a token that comes from a file or the environment of the operator. */
export function tokenFromOperator(text: string | undefined): TokenRead {
  if (text === undefined) {
    const problem = "the operator-wide token cannot be read; an administrator checks --default-token-file";
    return { kind: "unusable", reason: "SecretNotFound", problem };
  }
  const checked = checkedToken(text);
  if (checked.kind === "refused") return invalid(`the operator-wide token ${checked.why}`);
  return { kind: "token", token: checked.token, secretResourceVersion: undefined };
}

type Checked = { readonly kind: "ok"; readonly token: string } | { readonly kind: "refused"; readonly why: string };

function checkedToken(text: string): Checked {
  const token = text.replace(/\r?\n$/, "");
  if (token === "") return { kind: "refused", why: "is empty; put the API token there" };
  if (token.length > maxTokenLength) {
    return { kind: "refused", why: `is longer than ${maxTokenLength} characters, which no API token is` };
  }
  if (!/^[\x21-\x7e]+$/.test(token)) {
    return { kind: "refused", why: "holds spaces, line breaks or other characters that cannot be in a token" };
  }
  return { kind: "ok", token };
}

/** Bytes that are no ASCII become characters that {@link checkedToken} refuses. */
function decoded(base64: string): string {
  return Buffer.from(base64, "base64").toString("latin1");
}

function invalid(problem: string): TokenRead {
  return { kind: "unusable", reason: "SecretInvalid", problem };
}

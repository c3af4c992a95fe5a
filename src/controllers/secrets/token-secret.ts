// pure
import type { Secret } from "../../kube/types.ts";
import { type ParsedToken, parseToken, type SecretValue } from "../../util/secret-value.ts";
import { tokenGapRemedy, tokenShapeProblem } from "../../util/token-shape.ts";

/** A token, or why there is none. `problem` names the Secret and the key, never a value. */
export type TokenRead =
  | { readonly kind: "token"; readonly token: SecretValue; readonly secretResourceVersion: string | undefined }
  | {
      readonly kind: "unusable";
      readonly reason: "SecretNotFound" | "SecretKeyMissing" | "SecretInvalid" | "PermissionDenied";
      readonly problem: string;
    };

/**
 * Takes the token out of a Secret. One trailing line end is dropped, because `kubectl create secret --from-file` keeps
 * the one that editors add; any other character that does not belong into a header is refused.
 */
export function tokenFromSecret(secret: Secret, key: string): TokenRead {
  const name = `Secret "${secret.metadata.name}"`;
  const type = refusedSecretType(secret);
  if (type !== undefined) {
    return invalid(`${name} is of type ${type}, which is never sent to Northflank; use an Opaque Secret`);
  }
  const encoded = secret.data !== undefined && Object.hasOwn(secret.data, key) ? secret.data[key] : undefined;
  if (encoded === undefined) {
    const problem = `${name} has no key "${key}"; add it, or name another key in spec.tokenSecretRef.key`;
    return { kind: "unusable", reason: "SecretKeyMissing", problem };
  }
  const parsed = readToken(decoded(encoded));
  if (parsed.kind === "problem") return invalid(`key "${key}" of ${name} is not a token: ${parsed.problem}`);
  return { kind: "token", token: parsed.token, secretResourceVersion: secret.metadata.resourceVersion };
}

/** The same checks for a token that comes from a file or the environment of the operator. */
export function tokenFromOperator(text: string | undefined): TokenRead {
  if (text === undefined) {
    const problem = "the operator-wide token cannot be read; an administrator checks --default-token-file";
    return { kind: "unusable", reason: "SecretNotFound", problem };
  }
  const parsed = readToken(text);
  if (parsed.kind === "problem") return invalid(`the operator-wide token is not one: ${parsed.problem}`);
  return { kind: "token", token: parsed.token, secretResourceVersion: undefined };
}

/**
 * What cannot be a token for its shape is refused before it is sent anywhere: a 401 says nothing of quotes around it.
 */
function readToken(text: string): ParsedToken {
  const shape = tokenShapeProblem(text);
  if (shape !== undefined) return { kind: "problem", problem: shape };
  const parsed = parseToken(text, { trimNewline: true });
  if (parsed.kind === "token") return parsed;
  return { kind: "problem", problem: `${parsed.problem}${tokenGapRemedy(text)}` };
}

/** A byte that is not ASCII becomes a replacement character, which is in no token. */
function decoded(base64: string): string {
  return Buffer.from(base64, "base64")
    .toString("utf8")
    .replaceAll(/[^\0-\x7f]/g, "\ufffd");
}

function invalid(problem: string): TokenRead {
  return { kind: "unusable", reason: "SecretInvalid", problem };
}

// Credentials of the cluster itself: whoever may write one of our objects must not be able to send them anywhere.
const refusedTypes: readonly string[] = ["kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"];

/** The type of a Secret if nothing of it may ever leave the cluster; `undefined` when it may. */
export function refusedSecretType({ type }: Secret): string | undefined {
  return type !== undefined && refusedTypes.includes(type) ? type : undefined;
}

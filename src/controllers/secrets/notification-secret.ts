import type { KubeClient } from "../../kube/client.ts";
import { isKubeError } from "../../kube/errors.ts";
import { type Secret, secrets } from "../../kube/types.ts";
import { parseToken, type SecretValue } from "../../util/secret-value.ts";
import { refusedSecretType } from "./token-secret.ts";

/** The shared secrets of a connection, and what is wrong with the Secret: names of keys, never a value. */
export interface NotificationSecret {
  /** In the alphabetical order of their keys; empty where no notification can be accepted. */
  readonly values: readonly SecretValue[];
  readonly resourceVersion: string | undefined;
  /** Where some values can be used, the others are named here all the same. */
  readonly problem: NotificationSecretProblem | undefined;
}

export interface NotificationSecretProblem {
  readonly reason: "SecretNotFound" | "SecretKeyMissing" | "SecretInvalid" | "PermissionDenied";
  /** A clause without a full stop. */
  readonly text: string;
}

// Shorter ones can be guessed.
const shortestValue = 16;

// Each comparison costs the same for every value.
const mostValues = 16;

/**
 * Reads the Secret that `spec.notifications.secretRef` names, with one `get`.
 *
 * *Errors*: `KubeError` when Kubernetes could not be read.
 */
export async function readNotificationSecret(
  kube: Pick<KubeClient, "get">,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): Promise<NotificationSecret> {
  try {
    return judge(await kube.get<Secret>(secrets, { namespace, name }));
  } catch (error) {
    if (isKubeError(error, "not_found")) return unusable("SecretNotFound", `Secret "${name}" does not exist`);
    if (isKubeError(error, "forbidden")) {
      return unusable("PermissionDenied", `the operator may not get Secret "${name}"`);
    }
    throw error;
  }
}

function unusable(reason: NotificationSecretProblem["reason"], text: string): NotificationSecret {
  return { values: [], resourceVersion: undefined, problem: { reason, text } };
}

function judge(secret: Secret): NotificationSecret {
  const name = `Secret "${secret.metadata.name}"`;
  const type = refusedSecretType(secret);
  if (type !== undefined) return unusable("SecretInvalid", `${name} is of type ${type}`);
  const keys = Object.keys(secret.data ?? {}).toSorted();
  if (keys.length === 0) return unusable("SecretKeyMissing", `${name} has no keys`);
  if (keys.length > mostValues) return unusable("SecretInvalid", `${name} has more than ${mostValues} keys`);
  const values = keys.map((key) => [key, usableValue(secret.data?.[key] ?? "")] as const);
  const bad = values.filter(([, value]) => value === undefined).map(([key]) => key);
  const text = `${name} has values that are no secrets of at least ${shortestValue} characters: ${bad.join(", ")}`;
  return {
    values: values.flatMap(([, value]) => value ?? []),
    resourceVersion: secret.metadata.resourceVersion,
    problem: bad.length === 0 ? undefined : { reason: "SecretInvalid", text },
  };
}

/** `undefined` for what cannot be a header, or can be guessed. */
function usableValue(base64: string): SecretValue | undefined {
  const parsed = parseToken(Buffer.from(base64, "base64").toString("latin1"), { trimNewline: true });
  if (parsed.kind === "problem") return undefined;
  return parsed.token.reveal().length < shortestValue ? undefined : parsed.token;
}

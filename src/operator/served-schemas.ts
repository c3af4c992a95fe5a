import type { KindDefinition } from "../api/kinds.ts";
import { group, version } from "../api/names.ts";
import { fieldsNotServed, servedSchemas } from "../api/served-schema.ts";
import type { KubeDocuments } from "../kube/client.ts";
import { isKubeError } from "../kube/errors.ts";
import type { Installation } from "../runtime/installation.ts";
import { type Clock, sleep } from "../util/clock.ts";
import { toError } from "../util/errors.ts";
import type { Log } from "../util/log.ts";
import { remedies } from "./installation-remedies.ts";

export interface ServedSchemasDeps {
  readonly kube: KubeDocuments;
  /** Ours. */
  readonly kinds: readonly KindDefinition[];
  readonly installation: Pick<Installation, "raise" | "clear">;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * When the document is read again, in milliseconds, by what the last one was. A user who upgrades the
 * CRDs sees soon that they are complete; that older ones are applied under a running operator is rare.
 */
const periodsMs = { complete: 3_600_000, incomplete: 30_000, unknown: 300_000 } as const;
// Enough to see which version the CRDs are of.
const namedFields = 5;
const key = "schemas";

/**
 * Watches whether the CRDs of the cluster are as new as the program, from their schemas in the OpenAPI document of the
 * API server, which every authenticated user may read. An API server drops what its schema does not know without a word,
 * so this is the only place that shows it before a user misses a field.
 *
 * Begins when `settled` resolves; runs until `signal` is aborted. Never rejects.
 */
export async function watchServedSchemas(
  deps: ServedSchemasDeps,
  settled: Promise<unknown>,
  signal: AbortSignal,
): Promise<void> {
  try {
    await settled;
    while (!signal.aborted) await sleep(deps.clock, periodsMs[await checkOnce(deps, signal)], signal);
  } catch {
    // Aborted: there is nothing to watch any more.
  }
}

/** `complete`: all kinds are served, with everything that ours have. `unknown`: it cannot be known now. Never rejects. */
async function checkOnce(
  { kube, kinds, installation, log }: ServedSchemasDeps,
  signal: AbortSignal,
): Promise<keyof typeof periodsMs> {
  try {
    const served = servedSchemas(await kube.openApi({ group, version }, signal), kinds);
    const missing = kinds.flatMap((kind) => {
      const schema = served.get(kind.type.kind);
      return schema === undefined ? [] : fieldsNotServed(kind, schema).map((path) => `${kind.type.kind} ${path}`);
    });
    if (missing.length > 0) installation.raise(olderCrds(missing));
    // What is not in the document may still be as old as before: it is no document of ours, or a part of one.
    const isComplete = missing.length === 0 && served.size === kinds.length;
    if (isComplete) installation.clear(key);
    return isComplete ? "complete" : "incomplete";
  } catch (error) {
    // Without any of our kinds there is no document. What else fails is met by the watches as well, which matter more.
    log.debug({ err: toError(error) }, "failed to read schemas of CRDs");
    return isKubeError(error, "not_found") ? "incomplete" : "unknown";
  }
}

function olderCrds(missing: readonly string[]) {
  const named = missing.slice(0, namedFields).join(", ");
  const more = missing.length > namedFields ? ` and ${missing.length - namedFields} more` : "";
  return {
    kind: "schemas",
    key,
    missing: `fields in the CRDs of the cluster, which are older than the operator: ${named}${more}`,
    remedy: remedies.schemas,
    toleranceMs: 0,
  } as const;
}

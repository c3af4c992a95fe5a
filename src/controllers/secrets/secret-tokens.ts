import type { KubeClient } from "../../kube/client.ts";
import { isKubeError } from "../../kube/errors.ts";
import { describeUser } from "../../kube/missing-right.ts";
import { type Secret, secrets } from "../../kube/types.ts";
import type { Clock } from "../../util/clock.ts";
import { type TokenRead, tokenFromOperator, tokenFromSecret } from "./token-secret.ts";

/** Names one key of one Secret. */
export interface TokenSecretName {
  readonly namespace: string;
  readonly name: string;
  readonly key: string;
}

/** Stands for the operator-wide token, which no Secret holds. */
export const operatorSecret: TokenSecretName = { namespace: "", name: "", key: "" };

/** A Secret or ConfigMap that an object waits for is read again after this time at the latest: they are not watched. */
export const recheckSecretMs = 60_000;

/**
 * No answer is used for longer. Below the time between two reads of an object, so that each of them sees the Secret as
 * it is: a rotated token is in use within a minute, without the right to watch Secrets.
 */
export const secretCacheMs = 45_000;

/**
 * The most Secrets of one namespace that are read in a second, on average: beyond 450 of them they are read less often
 * than once a minute. No installation has so many; a namespace with ten thousand must not keep the API server busy with
 * them.
 */
const readsPerSecond = 10;

/** Reads the operator-wide token; `undefined` when it cannot be read. */
interface OperatorTokenReader {
  readonly read: () => Promise<string | undefined>;
}

interface Entry {
  readonly namespace: string;
  readonly readAtMs: number;
  readonly read: Promise<TokenRead>;
  /** The result; missing until it is there. */
  result?: TokenRead;
}

/**
 * Reads tokens from Secrets by name, with `get` only.
 *
 * *Guarantees*: one request per Secret and minute however many objects ask, and one in flight at a time; for a
 * namespace with more Secrets than that, ten requests a second; what was read is kept no longer than needed to say so;
 * a token leaves this class only as the result of {@link read}.
 *
 * *Errors*: `KubeError` when Kubernetes could not be read; such an answer is not kept.
 */
export class SecretTokens {
  readonly #kube: Pick<KubeClient, "get">;
  readonly #operatorToken: OperatorTokenReader | undefined;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  /** How many entries each namespace has. */
  readonly #counts = new Map<string, number>();

  constructor(deps: {
    readonly kube: Pick<KubeClient, "get">;
    readonly operatorToken?: OperatorTokenReader | undefined;
    readonly clock: Clock;
  }) {
    this.#kube = deps.kube;
    this.#operatorToken = deps.operatorToken;
    this.#clock = deps.clock;
  }

  /** The token as it is now, or as it was less than a minute ago. */
  async read(name: TokenSecretName, signal: AbortSignal): Promise<TokenRead> {
    signal.throwIfAborted();
    const id = idOf(name);
    const nowMs = this.#clock.monotonic();
    const known = this.#young(id, nowMs);
    if (known !== undefined) return known.read;
    this.#dropOld(nowMs);
    // Not bound to the signal of the caller who happens to be first: others wait for the same answer.
    const entry: Entry = { namespace: name.namespace, readAtMs: nowMs, read: this.#fetch(name) };
    this.#drop(id);
    this.#entries.set(id, entry);
    this.#counts.set(name.namespace, (this.#counts.get(name.namespace) ?? 0) + 1);
    try {
      entry.result = await entry.read;
      return entry.result;
    } catch (error) {
      if (this.#entries.get(id) === entry) this.#drop(id);
      throw error;
    }
  }

  /** What {@link read} would give now without asking the server; `undefined` where it would ask. */
  peek(name: TokenSecretName): TokenRead | undefined {
    return this.#young(idOf(name), this.#clock.monotonic())?.result;
  }

  #young(id: string, nowMs: number): Entry | undefined {
    const known = this.#entries.get(id);
    return known !== undefined && nowMs - known.readAtMs < this.#cacheMs(known) ? known : undefined;
  }

  /** The next {@link read} asks the server again. */
  invalidate(name: TokenSecretName): void {
    this.#drop(idOf(name));
  }

  /** How many Secrets are remembered. */
  get size(): number {
    return this.#entries.size;
  }

  async #fetch(source: TokenSecretName): Promise<TokenRead> {
    if (source === operatorSecret) return tokenFromOperator(await this.#operatorToken?.read());
    const { namespace, name, key } = source;
    try {
      return tokenFromSecret(await this.#kube.get<Secret>(secrets, { namespace, name }), key);
    } catch (error) {
      const where = `Secret "${name}" in namespace "${namespace}"`;
      if (isKubeError(error, "not_found")) {
        const problem = `${where} does not exist; create it, with the API token under the key "${key}"`;
        return { kind: "unusable", reason: "SecretNotFound", problem };
      }
      if (isKubeError(error, "forbidden")) {
        const account = error.missingRight === undefined ? "its service account" : describeUser(error.missingRight);
        const problem = `the operator may not read ${where}; grant ${account} "get" on secrets there`;
        return { kind: "unusable", reason: "PermissionDenied", problem };
      }
      throw error;
    }
  }

  #cacheMs({ namespace }: Entry): number {
    return Math.max(secretCacheMs, ((this.#counts.get(namespace) ?? 0) * 1_000) / readsPerSecond);
  }

  /**
   * Entries stand in the order in which they were read, so those that may be dropped come first, but for long caches.
   */
  #dropOld(nowMs: number): void {
    for (const [id, entry] of this.#entries) {
      if (nowMs - entry.readAtMs < secretCacheMs) return;
      if (nowMs - entry.readAtMs >= this.#cacheMs(entry)) this.#drop(id);
    }
  }

  #drop(id: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    this.#entries.delete(id);
    const left = (this.#counts.get(entry.namespace) ?? 0) - 1;
    if (left > 0) this.#counts.set(entry.namespace, left);
    else this.#counts.delete(entry.namespace);
  }
}

function idOf({ namespace, name, key }: TokenSecretName): string {
  return `${namespace}/${name}/${key}`;
}

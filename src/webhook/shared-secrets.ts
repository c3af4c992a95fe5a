import { createHash, timingSafeEqual } from "node:crypto";
import type { NorthflankConnection } from "../api/connection.ts";
import { readNotificationSecret } from "../controllers/secrets/notification-secret.ts";
import type { KubeClient } from "../kube/client.ts";
import type { ObjectKey } from "../runtime/outcome.ts";
import type { Clock, Timer } from "../util/clock.ts";
import { toError } from "../util/errors.ts";
import type { Log } from "../util/log.ts";
import { TokenBucket } from "../util/token-bucket.ts";

/** The digest of a value that is accepted, until then by the monotonic clock. */
interface Accepted {
  readonly digest: Buffer;
  readonly untilMs: number;
}

/** Their number says nothing of a value. */
type Digests = readonly Accepted[];

interface Entry {
  readonly uid: string | undefined;
  readonly secretName: string;
  readonly readAtMs: number;
  digests: Promise<Digests>;
}

// As for API tokens: a changed Secret counts within a minute.
const keepMs = 45_000;

// A token that fits nothing may be a new one. Whoever guesses has the Secret read no more often than this.
const rereadMs = 5_000;

// For all connections together: whoever guesses at a thousand of them has no more read. Later it is read all the same.
const rereads = { burst: 10, refillMs: 500 } as const;

// Northflank counts what is not answered within seconds as failed, however long Kubernetes takes.
const patienceMs = 1_000;

/**
 * How long a value that was replaced is accepted where the operator itself changes the integration: that takes it a
 * minute, and Northflank disables an integration whose deliveries are rejected.
 */
const registeredKeepMs = 180_000;

// Where the Secret was not read for so long and the integration sends what is in it now, what was in it before counts no
// more: it may have been replaced because it had leaked.
const rotatedLongAgoMs = 600_000;

// As many as a Secret may have.
const mostFormer = 16;

/**
 * Which token a delivery for a connection has to carry: the value of any key of the Secret that
 * `spec.notifications.secretRef` names.
 *
 * *Guarantees*: Secrets are read by name with `get`, once for all deliveries of 45 s, and at most every 5 s for tokens
 * that fit nothing, those of all connections twice a second; what is kept of them are digests. A comparison takes as long for every token, and for a connection
 * that does not exist. While Kubernetes cannot be read, or takes longer than a second, the digests that were
 * read last count. With
 * `spec.notifications.register`, a value that was replaced counts for three minutes more.
 */
export class SharedSecrets {
  readonly #deps: SharedSecretsDeps;
  readonly #entries = new Map<ObjectKey, Entry>();
  /** What is wrong with the Secret of a connection, as it was logged. */
  readonly #problems = new Map<ObjectKey, string>();
  readonly #rereads: TokenBucket;

  constructor(deps: SharedSecretsDeps) {
    this.#deps = deps;
    this.#rereads = new TokenBucket({ clock: deps.clock, ...rereads });
  }

  /** Whether a delivery with this token is one for this connection. Never rejects. */
  async accepts(key: ObjectKey, token: string | undefined): Promise<boolean> {
    const presented = digestOf(token ?? "");
    return (await this.fits(key, (digest) => timingSafeEqual(presented, digest))) && token !== undefined;
  }

  /** Whether one of the digests is `isEqual`, which is called for each of them. Never rejects. */
  async fits(key: ObjectKey, isEqual: (digest: Buffer) => boolean): Promise<boolean> {
    return isAmong(isEqual, await this.#read(key, keepMs)) || isAmong(isEqual, await this.#read(key, rereadMs));
  }

  /** Forgets a connection that is gone. */
  forget(key: ObjectKey): void {
    this.#entries.delete(key);
    this.#problems.delete(key);
  }

  /** The digests as they were at most `youngerThanMs` ago; none where no delivery is accepted. */
  async #read(key: ObjectKey, youngerThanMs: number): Promise<Digests> {
    const { connections, clock } = this.#deps;
    const connection = connections.get(key);
    const secretName = connection?.spec.notifications?.secretRef.name;
    if (connection === undefined || secretName === undefined) {
      this.forget(key);
      return [];
    }
    const { uid } = connection.metadata;
    const known = this.#entries.get(key);
    const last = known?.uid === uid && known?.secretName === secretName ? known : undefined;
    const nowMs = clock.monotonic();
    const ageMs = last === undefined ? Number.POSITIVE_INFINITY : nowMs - last.readAtMs;
    const isKept = ageMs < youngerThanMs || (ageMs < keepMs && !this.#rereads.take());
    if (last !== undefined && isKept) return await last.digests;
    const read = this.#fetch(connection, secretName, key, last);
    const digests = last === undefined ? read : this.#inTime(read, last.digests);
    const entry: Entry = { uid, secretName, readAtMs: nowMs, digests };
    this.#entries.set(key, entry);
    // Never rejects. What is read late counts from then on.
    void read.then(() => {
      entry.digests = read;
    });
    return await digests;
  }

  /** What is read; what was read before it where that takes too long. */
  async #inTime(read: Promise<Digests>, last: Promise<Digests>): Promise<Digests> {
    let timer: Timer | undefined;
    const late = new Promise<Digests>((resolve) => {
      timer = this.#deps.clock.setTimer(() => resolve(last), patienceMs);
    });
    try {
      return await Promise.race([read, late]);
    } finally {
      timer?.cancel();
    }
  }

  async #fetch(
    { metadata, spec, status }: NorthflankConnection,
    name: string,
    key: ObjectKey,
    { digests: last, readAtMs = Number.NEGATIVE_INFINITY }: Partial<Entry> = {},
  ): Promise<Digests> {
    const namespace = metadata.namespace ?? "";
    const isRecent = this.#deps.clock.monotonic() - readAtMs < rotatedLongAgoMs;
    try {
      const { values, problem, resourceVersion } = await readNotificationSecret(this.#deps.kube, { namespace, name });
      this.#report(key, problem?.text);
      const digests = values.map((value) => ({ digest: digestOf(value.reveal()), untilMs: Number.POSITIVE_INFINITY }));
      const isRegistered = spec.notifications?.register === true && digests.length > 0;
      const isSent = status?.notifications?.integration?.secretResourceVersion === resourceVersion;
      return isRegistered && (isRecent || !isSent)
        ? [...digests, ...this.#former(digests, (await last) ?? [])]
        : digests;
    } catch (error) {
      this.#deps.log.debug({ object: key, err: toError(error) }, "failed to read notification secret");
      return (await last) ?? [];
    }
  }

  /** What was accepted before, for as long as deliveries may still carry it. */
  #former(now: Digests, before: Digests): Digests {
    const nowMs = this.#deps.clock.monotonic();
    const replaced = before.filter(({ digest }) => !now.some((one) => timingSafeEqual(one.digest, digest)));
    return replaced
      .map(({ digest, untilMs }) => ({ digest, untilMs: Math.min(untilMs, nowMs + registeredKeepMs) }))
      .filter(({ untilMs }) => untilMs > nowMs)
      .slice(0, mostFormer);
  }

  /** Logged when it appears or changes: deliveries come many times a minute. */
  #report(key: ObjectKey, problem: string | undefined): void {
    if (problem === undefined) {
      this.#problems.delete(key);
      return;
    }
    if (this.#problems.get(key) === problem) return;
    this.#problems.set(key, problem);
    this.#deps.log.warn({ object: key, message: problem }, "notification secret is unusable");
  }
}

export interface SharedSecretsDeps {
  readonly kube: Pick<KubeClient, "get">;
  readonly connections: { get(key: ObjectKey): NorthflankConnection | undefined };
  readonly clock: Pick<Clock, "monotonic" | "setTimer">;
  readonly log: Log;
}

/** What is kept of a shared secret. */
export function digestOf(value: string): Buffer {
  return createHash("sha256").update(value, "latin1").digest();
}

/** Compares with all of them, whatever fits, and with one at least. */
function isAmong(isEqual: (digest: Buffer) => boolean, digests: Digests): boolean {
  let isFound = isEqual(digests[0]?.digest ?? noDigest);
  for (const { digest } of digests.slice(1)) isFound = isEqual(digest) || isFound;
  return isFound && digests.length > 0;
}

const noDigest = digestOf("");

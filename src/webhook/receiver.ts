import type { IncomingHttpHeaders } from "node:http";
import type { HttpAnswer, HttpReceiver } from "../http-server.ts";
import type { ObjectKey } from "../runtime/outcome.ts";
import { type Clock, sleep } from "../util/clock.ts";
import type { Log } from "../util/log.ts";
import { TokenBucket } from "../util/token-bucket.ts";
import { eventIdOf, type Hint, hintIn, tokenHeader } from "./delivery.ts";
import { type ForwardedHint, forwardedHint, forwardHeaders, isForwarded, isProven } from "./forwarded.ts";
import { digestOf, SharedSecrets, type SharedSecretsDeps } from "./shared-secrets.ts";

/**
 * What becomes of a delivery. `hinted`: given on. `forwarded`: sent to the leader. `ignored`: about nothing that has a service or job, or unreadable.
 * `duplicate`: delivered before. `limited`: too many. `rejected`: without the right token, or for no connection.
 */
export type DeliveryOutcome = "hinted" | "forwarded" | "ignored" | "duplicate" | "limited" | "rejected";

export interface ReceiverDeps extends SharedSecretsDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** A delivery with the right token has come, whatever is in it. */
  readonly onDelivery: (connection: ObjectKey) => void;
  /** What a delivery is about. Must return at once. */
  readonly onHint: (connection: ObjectKey, hint: Hint) => void;
  /** Sends hints to the leader. Default: none are sent. */
  readonly relay?: {
    /** This replica does not lead, and knows who does. */
    readonly isWanted: () => boolean;
    readonly send: (connection: ObjectKey, headers: Readonly<Record<string, string>>) => void;
  };
  readonly observer: { delivered(outcome: DeliveryOutcome): void };
}

/** Receives Northflank's notifications. */
export interface Receiver {
  readonly receive: HttpReceiver;
  /** Forgets a connection that is gone. */
  forget(connection: ObjectKey): void;
}

const longestBody = 262_144;

// Far more than the rollouts and runs that a quota of 1000 requests an hour can follow.
const burst = 100;
const perSecond = 10;

// Northflank repeats a delivery for minutes; events that came in between are this many at most.
const rememberedEvents = 512;

// Longer than a Secret takes to be read: a rejection takes as long whether the connection exists or not.
const rejectionMs = 200;

/**
 * Receives deliveries at `/northflank/<namespace>/<connection>`. The token is compared before the body is read.
 *
 * *Guarantees*: 200 for everything that carries the right token, since a delivery that is answered otherwise counts
 * against the integration: also for what is too long, too slow, unknown or too often. A standby forwards hints. 401 for everything else, 200 ms
 * after it came, without saying whether the connection exists. Does not depend on leadership. A delivery that comes
 * again is given on once. Memory is bounded per connection, and forgotten with it.
 */
export function createReceiver(deps: ReceiverDeps): Receiver {
  const { clock, log, observer } = deps;
  const secrets = new SharedSecrets(deps);
  const senders = new Map<ObjectKey, Sender>();

  const concluded = (connection: ObjectKey, outcome: DeliveryOutcome): HttpAnswer => {
    observer.delivered(outcome);
    log.debug({ object: connection, action: outcome }, "notification received");
    return outcome === "rejected" ? { status: 401, body: "unauthorized\n" } : { status: 200, body: "ok\n" };
  };

  const receive: HttpReceiver = async ({ path, headers }) => {
    const receivedMs = clock.monotonic();
    const connection = connectionIn(path);
    if (connection === undefined) return { status: 404, body: "not found\n" };
    const isOfReplica = isForwarded(headers);
    const nowMs = clock.now();
    const isRight = isOfReplica
      ? await secrets.fits(connection, (digest) => isProven(connection, headers, { digest, nowMs }))
      : await secrets.accepts(connection, tokenIn(headers));
    if (!isRight) {
      await sleep(clock, Math.max(0, receivedMs + rejectionMs - clock.monotonic()));
      return concluded(connection, "rejected");
    }
    deps.onDelivery(connection);
    const sender = senders.get(connection) ?? new Sender(clock);
    senders.set(connection, sender);
    if (!sender.mayDeliver()) return concluded(connection, "limited");
    if (isOfReplica) return concluded(connection, give(connection, sender, forwardedHint(headers)));
    return {
      maxBytes: longestBody,
      answer: (body) => concluded(connection, take(connection, sender, { body, headers })),
    };
  };

  const take = (
    connection: ObjectKey,
    sender: Sender,
    { body, headers }: { readonly body: Buffer | undefined; readonly headers: IncomingHttpHeaders },
  ): DeliveryOutcome => {
    const hint = body && hintIn(body, headers);
    const eventId = eventIdOf(headers);
    if (hint === undefined || deps.relay?.isWanted() !== true) {
      return give(connection, sender, hint && { hint, eventId });
    }
    if (!sender.isNew(eventId)) return "duplicate";
    const digest = digestOf(tokenIn(headers) ?? "");
    deps.relay.send(connection, forwardHeaders(connection, { hint, eventId }, { digest, nowMs: clock.now() }));
    return "forwarded";
  };

  const give = (connection: ObjectKey, sender: Sender, given: ForwardedHint | undefined): DeliveryOutcome => {
    if (given === undefined) return "ignored";
    // Remembered only once it was read: one that broke off is taken when it comes again.
    if (!sender.isNew(given.eventId)) return "duplicate";
    deps.onHint(connection, given.hint);
    return "hinted";
  };

  return {
    receive,
    forget: (connection) => {
      senders.delete(connection);
      secrets.forget(connection);
    },
  };
}

/** What is known of the deliveries for one connection. */
class Sender {
  readonly #bucket: TokenBucket;
  /** The oldest first. */
  readonly #events = new Set<string>();

  constructor(clock: Pick<Clock, "monotonic">) {
    this.#bucket = new TokenBucket({ clock, burst, refillMs: 1_000 / perSecond });
  }

  /** Counts a delivery; false where there were too many. */
  mayDeliver(): boolean {
    return this.#bucket.take();
  }

  isNew(eventId: string | undefined): boolean {
    if (eventId === undefined) return true;
    if (this.#events.has(eventId)) return false;
    this.#events.add(eventId);
    const [oldest] = this.#events;
    if (this.#events.size > rememberedEvents && oldest !== undefined) this.#events.delete(oldest);
    return true;
  }
}

function connectionIn(path: string): ObjectKey | undefined {
  const [, namespace, name] = /^\/northflank\/([a-z0-9-]{1,63})\/([a-z0-9.-]{1,253})$/.exec(path) ?? [];
  return namespace === undefined || name === undefined ? undefined : `${namespace}/${name}`;
}

function tokenIn(headers: IncomingHttpHeaders): string | undefined {
  const token = headers[tokenHeader];
  return typeof token === "string" ? token : undefined;
}

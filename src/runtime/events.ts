import type { KubeClient } from "../kube/client.ts";
import { isKubeError } from "../kube/errors.ts";
import { events, type KubeObject, type ObjectMeta } from "../kube/types.ts";
import { type BackoffPolicy, backoffDelayMs } from "../util/backoff.ts";
import type { Clock, Timer } from "../util/clock.ts";
import { toError } from "../util/errors.ts";
import type { Log } from "../util/log.ts";
import type { Random } from "../util/random.ts";
import { Heap, type HeapNode } from "./heap.ts";
import { formatMicroTime } from "./micro-time.ts";
import type { Explanation } from "./outcome.ts";

/*
 * Events, best effort: they report to users what happened, and nothing may wait for them or depend on them.
 *
 *      record --> series (same object, type, reason, action and note within 6 min: counted, not repeated)
 *                   | dirty
 *                   v
 *      one request at a time, out of a small token bucket; a series is created once, then patched at most once a minute
 *
 * Promises:
 *  1. `record` never blocks and never throws.
 *  2. At most `maxPending` series wait; what comes on top is dropped and counted. So is what the server refuses.
 *  3. Nothing is sent for an Event that is exactly like one within the last six minutes but a new count.
 *  4. After `drain` nothing is recorded, sent or timed any more.
 */

/** The object an Event is about. */
export interface EventSubject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Pick<ObjectMeta, "name" | "namespace" | "uid">;
}

/** What is to be recorded. Names, times, series and the reporter are added by the recorder. */
export interface EventDraft {
  readonly regarding: EventSubject;
  /** A second object that matters, such as the Secret that is missing. */
  readonly related?: EventSubject;
  readonly type: "Normal" | "Warning";
  /** Why, in CamelCase: `RunStarted`. */
  readonly reason: string;
  /** What was done, in CamelCase: `StartRun`. */
  readonly action: string;
  /** For people. Cut at 1 kB. Keep moving numbers out of it: notes that differ are different Events. */
  readonly note: string;
}

/** What recorders are used through. */
export interface EventRecorder {
  readonly record: (draft: EventDraft) => void;
}

/** What metrics are fed with. */
export interface EventsObserver {
  readonly written: (how: "created" | "counted") => void;
  /**
   * - `full`: too many were waiting.
   * - `refused`: the namespace is gone or going, or RBAC forbids it.
   * - `failed`: the server did not take it in several tries.
   * - `late`: the program ended first.
   */
  readonly dropped: (why: "full" | "refused" | "failed" | "late") => void;
}

export interface EventsOptions {
  readonly kube: Pick<KubeClient, "create" | "patch">;
  /** Who reports, as a qualified name: `northflank-operator.io/operator`. */
  readonly reportingController: string;
  /** Which replica reports: the pod's name. */
  readonly reportingInstance: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly observer?: EventsObserver;
  /** Explains a failure in words of its own. What was logged with these is logged at debug only. */
  readonly explain?: (error: Error) => Explanation | undefined;
  /** Requests per second in the long run. Default 5. */
  readonly perSecond?: number;
  /** Requests that may go out at once after a quiet time. Default 25. */
  readonly burst?: number;
  /** Series that may wait. Default 1,000. */
  readonly maxPending?: number;
}

// The window in which kubectl's users take repeats for one Event, as client-go and kube-rs have it.
const seriesWindowMs = 360_000;
// A count that is a minute old is fresh enough; each patch costs the server as much as a status write.
const patchPeriodMs = 60_000;
// Limit of the API for `note`, in bytes of UTF-8.
const maxNoteBytes = 1_024;
// Limit of the API for `reportingInstance`.
const maxInstanceLength = 128;
const maxNameLength = 253;
const maxTries = 3;
// The same moment, computed twice, differs in its last bits; timers know whole milliseconds only.
const timerPrecisionMs = 1;
const retryBackoff: BackoffPolicy = { baseMs: 1_000, factor: 3, capMs: 30_000, jitter: 0.5 };

/** Ranked by the monotonic time before which nothing of it is to be sent. */
interface Series extends HeapNode {
  readonly key: string;
  readonly draft: EventDraft;
  /** Wall clock. */
  readonly eventTime: string;
  lastTime: string;
  /** Monotonic. */
  lastSeenMs: number;
  count: number;
  /** The count that the server knows; 0 before it knows the Event. */
  sentCount: number;
  /** Name of the Event once it was sent. */
  name: string | undefined;
  tries: number;
}

/** The recorder of this program. Its promises stand at the top of this file. */
export class Events implements EventRecorder {
  readonly #options: EventsOptions;
  readonly #perMs: number;
  readonly #burst: number;
  readonly #maxPending: number;
  /** All series of the last minutes, the longest quiet first. */
  readonly #series = new Map<string, Series>();
  /** Those that wait to be sent, the first due on top. */
  readonly #dirty = new Heap<Series>();
  #nextOrder = 0;
  #tokens: number;
  #refilledMs: number;
  #timer: Timer | undefined;
  #timerDueMs = 0;
  #sending: Promise<void> | undefined;
  #isDraining = false;
  #hasWarned = false;

  constructor(options: EventsOptions) {
    this.#options = options;
    this.#perMs = (options.perSecond ?? 5) / 1_000;
    this.#burst = options.burst ?? 25;
    this.#maxPending = options.maxPending ?? 1_000;
    this.#tokens = this.#burst;
    this.#refilledMs = options.clock.monotonic();
  }

  readonly record = (draft: EventDraft): void => {
    if (this.#isDraining) {
      this.#options.observer?.dropped("late");
      return;
    }
    const series = this.#seriesFor(draft);
    if (series === undefined) {
      this.#options.observer?.dropped("full");
      return;
    }
    if (series.slot < 0) this.#dirty.push(series);
    // The timer is set anew only for what comes before it: most Events wait behind others.
    const earliestMs = Math.max(series.rank, this.#options.clock.monotonic() + this.#tokenWaitMs());
    if (this.#timer === undefined || earliestMs < this.#timerDueMs - timerPrecisionMs) this.#schedule();
  };

  /** Number of series that wait to be sent. */
  get pending(): number {
    return this.#dirty.size;
  }

  /**
   * Takes no more, sends what waits without holding back, and resolves when all of it is sent or `signal` is aborted.
   * Never rejects.
   */
  async drain(signal: AbortSignal): Promise<void> {
    this.#isDraining = true;
    this.#timer?.cancel();
    await this.#sending;
    for (const series of [...this.#dirty.nodes].sort((a, b) => a.order - b.order)) {
      if (signal.aborted) break;
      await this.#send(series, signal);
    }
    while (this.#dirty.pop() !== undefined) this.#options.observer?.dropped("late");
    this.#series.clear();
  }

  /** The running series that the draft repeats, with its count raised, or a new one; `undefined` when too many wait. */
  #seriesFor(draft: EventDraft): Series | undefined {
    const { clock } = this.#options;
    const nowMs = clock.monotonic();
    this.#forgetOld(nowMs);
    const key = keyOf(draft);
    const known = this.#series.get(key);
    if (known === undefined && this.#dirty.size >= this.#maxPending) return undefined;
    const time = formatMicroTime(clock.now());
    if (known === undefined) {
      const fresh = { key, draft: light(draft), eventTime: time, lastTime: time, lastSeenMs: nowMs, count: 1 };
      const node = { rank: nowMs, order: this.#nextOrder++, slot: -1 };
      const series: Series = { ...fresh, ...node, sentCount: 0, name: undefined, tries: 0 };
      this.#series.set(key, series);
      return series;
    }
    known.count += 1;
    known.lastTime = time;
    known.lastSeenMs = nowMs;
    this.#series.delete(key);
    this.#series.set(key, known);
    return known;
  }

  #forgetOld(nowMs: number): void {
    for (const [key, { lastSeenMs }] of this.#series) {
      if (nowMs - lastSeenMs < seriesWindowMs && this.#series.size < 2 * this.#maxPending) return;
      this.#series.delete(key);
    }
  }

  /** Sends the next series now if one may go, else sets the timer for when one may. */
  #schedule(): void {
    if (this.#sending !== undefined || this.#isDraining) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    const next = this.#dirty.peek();
    if (next === undefined) return;
    const waitMs = Math.max(next.rank - this.#options.clock.monotonic(), this.#tokenWaitMs());
    if (waitMs > 0) {
      this.#timerDueMs = this.#options.clock.monotonic() + waitMs;
      this.#timer = this.#options.clock.setTimer(() => this.#schedule(), Math.max(waitMs, 1));
      return;
    }
    this.#tokens -= 1;
    this.#sending = this.#send(next).finally(() => {
      this.#sending = undefined;
      this.#schedule();
    });
  }

  #tokenWaitMs(): number {
    const nowMs = this.#options.clock.monotonic();
    this.#tokens = Math.min(this.#burst, this.#tokens + (nowMs - this.#refilledMs) * this.#perMs);
    this.#refilledMs = nowMs;
    return this.#tokens >= 1 ? 0 : (1 - this.#tokens) / this.#perMs;
  }

  /** Sends one series once and decides what becomes of it. Never rejects. */
  async #send(series: Series, signal?: AbortSignal): Promise<void> {
    const { observer } = this.#options;
    const count = series.count;
    try {
      if (series.name === undefined) await this.#create(series, signal);
      else await this.#patch(series, series.name, signal);
      observer?.written(series.sentCount === 0 ? "created" : "counted");
      series.sentCount = count;
      series.tries = 0;
      this.#defer(series, patchPeriodMs);
      // What was counted meanwhile is sent then.
      if (series.count === count) this.#dirty.remove(series);
    } catch (error) {
      this.#failed(series, error);
    }
  }

  async #create(series: Series, signal: AbortSignal | undefined): Promise<void> {
    const name = eventName(series.draft.regarding.metadata.name, this.#options);
    await this.#options.kube.create(events, this.#eventOf(series, name), {}, signal);
    series.name = name;
  }

  async #patch(series: Series, name: string, signal: AbortSignal | undefined): Promise<void> {
    const namespace = namespaceOf(series.draft.regarding);
    const body = { series: { count: series.count, lastObservedTime: series.lastTime } };
    await this.#options.kube.patch(events, { namespace, name }, { kind: "merge", body }, {}, signal);
  }

  #eventOf({ draft, eventTime, lastTime, count }: Series, name: string): KubeObject {
    const { reportingController, reportingInstance } = this.#options;
    const namespace = namespaceOf(draft.regarding);
    const event = {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      metadata: { name, namespace },
      eventTime,
      reportingController,
      reportingInstance: reportingInstance.slice(0, maxInstanceLength),
      type: draft.type,
      reason: draft.reason,
      action: draft.action,
      note: cutToBytes(draft.note, maxNoteBytes),
      regarding: referenceTo(draft.regarding),
      ...(draft.related === undefined ? {} : { related: referenceTo(draft.related) }),
      ...(count > 1 ? { series: { count, lastObservedTime: lastTime } } : {}),
    };
    return event;
  }

  #failed(series: Series, error: unknown): void {
    const { random } = this.#options;
    const isUpdate = series.name !== undefined;
    if (isUpdate && isKubeError(error, "not_found")) {
      // It has expired on the server, or was deleted: the next try creates it again.
      series.name = undefined;
      series.tries += 1;
      if (series.tries < maxTries) return;
    }
    if (isKubeError(error, "forbidden", "not_found")) {
      this.#drop(series, "refused", error);
      return;
    }
    series.tries += 1;
    if (series.tries >= maxTries || isKubeError(error, "invalid", "bad_request")) {
      this.#drop(series, "failed", error);
      return;
    }
    const waitMs = backoffDelayMs(retryBackoff, series.tries, random);
    const askedMs = isKubeError(error) ? (error.retryAfterMs ?? 0) : 0;
    this.#defer(series, Math.max(waitMs, askedMs));
  }

  /** Nothing of the series is sent for so long. */
  #defer(series: Series, delayMs: number): void {
    this.#dirty.remove(series);
    series.rank = this.#options.clock.monotonic() + delayMs;
    this.#dirty.push(series);
  }

  #drop(series: Series, why: "refused" | "failed", error: unknown): void {
    this.#dirty.remove(series);
    this.#series.delete(series.key);
    this.#options.observer?.dropped(why);
    // Warned about once: a missing permission shows, a terminating namespace does not flood the log.
    const err = toError(error);
    const isKnown = this.#hasWarned || this.#options.explain?.(err)?.isLogged === true;
    this.#options.log[isKnown ? "debug" : "warn"]({ err, reason: series.draft.reason }, "event dropped");
    this.#hasWarned ||= !isKnown;
  }
}

function keyOf({ regarding, related, type, reason, action, note }: EventDraft): string {
  const about = [regarding.metadata.uid ?? "", regarding.kind, namespaceOf(regarding), regarding.metadata.name];
  const with_ = related === undefined ? [] : [related.kind, related.metadata.namespace ?? "", related.metadata.name];
  return JSON.stringify([about, with_, type, reason, action, note]);
}

/** Events live with their object; those of objects without a namespace live in `default`, as the API demands. */
function namespaceOf({ metadata }: EventSubject): string {
  return metadata.namespace ?? "default";
}

/**
 * The draft with nothing of its objects but what names them: a series is kept for minutes, and an object may be large.
 */
function light(draft: EventDraft): EventDraft {
  const { regarding, related } = draft;
  return {
    ...draft,
    regarding: subjectOf(regarding),
    ...(related === undefined ? {} : { related: subjectOf(related) }),
  };
}

function subjectOf({ apiVersion, kind, metadata: { name, namespace, uid } }: EventSubject): EventSubject {
  return {
    apiVersion,
    kind,
    metadata: { name, ...(namespace === undefined ? {} : { namespace }), ...(uid === undefined ? {} : { uid }) },
  };
}

function referenceTo({ apiVersion, kind, metadata }: EventSubject): object {
  const { name, namespace, uid } = metadata;
  return {
    apiVersion,
    kind,
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
  };
}

/**
 * The object's name, as much of it as fits, and a suffix of time and chance. A valid DNS subdomain if the name is one.
 */
function eventName(name: string, { clock, random }: { readonly clock: Clock; readonly random: Random }): string {
  const suffix = `${clock.now().toString(16)}${Math.floor(random() * 0x1000000)
    .toString(16)
    .padStart(6, "0")}`;
  const room = maxNameLength - suffix.length - 1;
  return `${name.slice(0, room).replace(/[^a-z0-9]+$/, "")}.${suffix}`;
}

/** The text, or as many whole characters of it as fit with an ellipsis into `maxBytes` of UTF-8. */
function cutToBytes(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  const ellipsis = "…";
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(maxBytes - Buffer.byteLength(ellipsis)));
  return text.slice(0, read) + ellipsis;
}

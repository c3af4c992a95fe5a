import type { KubeClient } from "../kube/client.ts";
import { isKubeError, KubeError } from "../kube/errors.ts";
import { kubeErrorOfStatus } from "../kube/status-error.ts";
import type { KubeObject, KubeStatus, ObjectMeta, ResourceType, WatchEvent } from "../kube/types.ts";
import { assertNever } from "../util/assert-never.ts";
import { type BackoffPolicy, backoffDelayMs, jittered } from "../util/backoff.ts";
import type { Clock, Timer } from "../util/clock.ts";
import { toError } from "../util/errors.ts";
import type { Log } from "../util/log.ts";
import type { Random } from "../util/random.ts";
import { type Explanation, type ObjectKey, objectKey } from "./outcome.ts";
import { isOlder } from "./resource-version.ts";
import { type Cacheable, type IndexFunction, Store } from "./store.ts";
import {
  type FailureCause,
  initialWatchState,
  stepWatch,
  type WatchEffect,
  type WatchInput,
  type WatchRequest,
} from "./watch-state.ts";

/** What metrics are fed with: every failure, also one that is recovered from. */
export interface ReflectorObserver {
  /** The content was taken in whole. */
  readonly listed: (facts: { readonly objects: number; readonly mode: "stream" | "pages" }) => void;
  /** An event or a bookmark arrived. */
  readonly received: () => void;
  /** A request ended otherwise than in good order. */
  readonly failed: (cause: FailureCause) => void;
  /** The server's resourceVersions went back: it was restored from a backup. */
  readonly regressed: () => void;
  /** A listener or the projection threw. */
  readonly handlerFailed: () => void;
}

export interface ReflectorOptions<T extends Cacheable, I extends string> {
  readonly kube: Pick<KubeClient, "list" | "watch">;
  readonly resource: ResourceType;
  /** One namespace; all when missing. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  /**
   * Builds the cached form of an object; `undefined` leaves it out. Keep what reconcilers read and nothing else: the
   * raw object is dropped after this.
   */
  readonly project: (raw: KubeObject) => T | undefined;
  readonly indexes?: Readonly<Record<I, IndexFunction<T>>>;
  /** Called after the server's resourceVersions went back, before the content is listed again. */
  readonly onRegression?: () => void;
  /** Explains a failure in words of its own, which readiness shows; `undefined` where it cannot. */
  readonly explain?: (error: Error, namespace: string | undefined) => Explanation | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly observer?: ReflectorObserver;
  readonly timing?: Partial<ReflectorTiming>;
}

/** Times in milliseconds. */
export interface ReflectorTiming {
  /** Back-off between failures. Default 0.1 s tripling to 30 s, half of it drawn at random. */
  readonly backoff: BackoffPolicy;
  /** After how long the server should end a watch. Default 275 s, spread by 6 %: below the 5 min of many proxies. */
  readonly watchMs: number;
  /** Quiet after which a watch is opened anew. Default 75 s: where anything happens, bookmarks come once a minute. */
  readonly silenceMs: number;
  /**
   * How long the server may take to answer a watch. Default 15 s; with `silenceMs` a dead server is noticed in 90 s.
   */
  readonly answerMs: number;
  /** The same while a streamed list has not ended. Default 20 s; pages are tried then. */
  readonly streamSilenceMs: number;
  /** Time between two lists that are taken although nothing is wrong. Default 4 h, spread by 20 %. */
  readonly relistMs: number;
  /** Silence after which {@link Reflector.check} fails. Default 180 s: a few attempts have failed by then. */
  readonly unreadyMs: number;
  /** Objects per page; fewer once an answer was not usable. */
  readonly pageSize: number;
}

export const defaultReflectorTiming: ReflectorTiming = {
  backoff: { baseMs: 100, factor: 3, capMs: 30_000, jitter: 0.5 },
  watchMs: 275_000,
  silenceMs: 75_000,
  answerMs: 15_000,
  streamSilenceMs: 20_000,
  relistMs: 4 * 3_600_000,
  unreadyMs: 180_000,
  pageSize: 500,
};

// A server that asks for more is waited for no longer: one request in five minutes does no harm.
const longestRetryAfterMs = 300_000;
// The least that Retry-After can say. A server says it of a kind whose watch cache is being filled, which takes a tenth
// of that: until the first list, so many failures in a row are followed by the back-off alone.
const shortestRetryAfterMs = 1_000;
const failuresBeforeHint = 2;
// A restarted API server refuses what it will allow again as soon as its caches are filled.
const forbiddenAfterLossMs = 60_000;
// So many refusals in a row (about 10 s of them) are a missing right, and no server that has just come up.
const refusalsUntilDenied = 5;
// Rights come with an installation that is under way: there is more time for it than for a server in trouble.
const refusalBackoff = { baseMs: 800, factor: 2 };
// What can be explained is given so many attempts (about a minute) to be logged by what explains it.
const patientFailures = 8;
// A right is given by people: who asks once a minute sees it soon enough.
const deniedRetryMs = 60_000;

/**
 * Keeps a {@link Store} like what the server has of one kind, for as long as it runs.
 *
 * *Guarantees*:
 * - Any failure is retried for ever with back-off; `Retry-After` is honored, except for the first two of one second
 *   before the first list. Nothing is retried in a hot loop.
 * - A cut watch resumes where it was. Quiet is acted on after `silenceMs`, also on a connection that seems open: the
 *   watch is opened anew where it was, and only a server that does not answer that has failed.
 * - Whatever events were missed is found by the next list, at the latest after `relistMs`.
 * - When the kind vanishes from the server (its CRD was deleted), the store is emptied without reporting any deletion
 *   to listeners, and {@link hasSynced} turns false until the kind is back; then every object is reported as added.
 *   Consumers must not take a missing object for a deleted one while {@link hasSynced} is false.
 * - Listeners, index functions and the projection may throw without harm: that costs one object.
 */
export class Reflector<T extends Cacheable, I extends string = never> {
  readonly store: Store<T, I>;
  readonly resource: ResourceType;

  readonly #options: ReflectorOptions<T, I>;
  readonly #timing: ReflectorTiming;
  readonly #log: Log;
  readonly #waiters = new Set<() => void>();
  readonly #settledWaiters = new Set<() => void>();
  #pageSize: number;

  #state = initialWatchState;
  #request:
    | { readonly request: WatchRequest; readonly abort: AbortController; readonly ended: Promise<void> }
    | undefined;
  /** Objects of the list being read; `undefined` while none is. */
  #collected: Map<ObjectKey, T> | undefined;
  #hasSynced = false;
  #isUnavailable = false;
  /** Refusals by RBAC in a row. */
  #refusals = 0;
  /** The highest resourceVersion the server has shown as its own state. */
  #highest: string | undefined;
  #hasRegressed = false;
  #backoffTimer: Timer | undefined;
  #silenceTimer: Timer | undefined;
  #relistTimer: Timer | undefined;
  #comparing: Promise<void> | undefined;
  #lastActivityMs: number;
  /** The watch under way was answered. */
  #isAnswered = false;
  #lostConnectionMs = Number.NEGATIVE_INFINITY;
  #lastError: Error | undefined;

  constructor(options: ReflectorOptions<T, I>) {
    this.#options = options;
    this.#timing = { ...defaultReflectorTiming, ...options.timing };
    this.#pageSize = this.#timing.pageSize;
    this.#log = options.log.child({ resource: options.resource.plural });
    this.#lastActivityMs = options.clock.monotonic();
    this.resource = options.resource;
    this.store = new Store({
      ...(options.indexes === undefined ? {} : { indexes: options.indexes }),
      onListenerError: (error, key) => this.#handlerFailed(error, key),
    });
  }

  /** Begins; returns at once. */
  start(): void {
    this.#lastActivityMs = this.#options.clock.monotonic();
    this.#input({ kind: "start" });
  }

  /** Ends for good, whatever is under way, and resolves when nothing of it is left. The store keeps its content. */
  async stop(): Promise<void> {
    const request = this.#request;
    this.#relistTimer?.cancel();
    this.#input({ kind: "stop" });
    await request?.ended;
    await this.#comparing;
  }

  /** Ends a wait after a broken connection at once: another call has just reached the server. */
  nudge(): void {
    if (this.#state.kind === "waiting" && isKubeError(this.#lastError, "unavailable")) this.#input({ kind: "waited" });
  }

  /** True once the store has been filled, and for as long as the kind exists. */
  hasSynced(): boolean {
    return this.#hasSynced;
  }

  /**
   * Resolves as soon as {@link hasSynced} is true.
   *
   * *Errors*: rejects with the signal's reason when it is aborted.
   */
  whenSynced(signal: AbortSignal): Promise<void> {
    return until(() => this.#hasSynced, this.#waiters, signal);
  }

  /**
   * True while the content cannot be had for a reason that only a person can change: the kind does not exist, or the
   * right to read it is missing. What was read before stays, and is as old as that.
   */
  isUnavailable(): boolean {
    return this.#isUnavailable;
  }

  /**
   * Resolves as soon as it is known whether the content can be had: {@link hasSynced} or {@link isUnavailable}.
   *
   * *Errors*: rejects with the signal's reason when it is aborted.
   */
  whenSettled(signal: AbortSignal): Promise<void> {
    return until(() => this.#hasSynced || this.#isUnavailable, this.#settledWaiters, signal);
  }

  /** Puts the answer to our own write into the store, if the store has the same object in an older state. */
  overlay(raw: KubeObject): void {
    if (this.store.knows(raw.metadata)) return;
    const object = this.#project(raw);
    if (object !== undefined) this.store.upsertIfNewer(object);
  }

  /** How long ago anything arrived from the server, in milliseconds. */
  silentMs(): number {
    return this.#options.clock.monotonic() - this.#lastActivityMs;
  }

  /** Whether the cache can be relied on, and why not. */
  check(): { readonly ok: true } | { readonly ok: false; readonly reason: string } {
    const cause = this.#lastError && (this.#explained(this.#lastError)?.text ?? this.#lastError.message);
    if (!this.#hasSynced)
      return { ok: false, reason: cause === undefined ? "not listed yet" : `cannot list: ${cause}` };
    const silentMs = this.silentMs();
    if (silentMs < this.#timing.unreadyMs) return { ok: true };
    const because = cause === undefined ? "" : `: ${cause}`;
    return { ok: false, reason: `watch silent for ${Math.round(silentMs / 1_000)} s${because}` };
  }

  #input(input: WatchInput): void {
    const { state, effects } = stepWatch(this.#state, input);
    this.#state = state;
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: WatchEffect): void {
    switch (effect.kind) {
      case "send":
        this.#cancel();
        this.#send(effect.request);
        return;
      case "wait":
        this.#cancel();
        this.#wait(effect);
        return;
      case "cancel":
        this.#cancel();
        return;
      case "swap":
        this.#swap(effect.resourceVersion);
        return;
      case "clear":
        this.#clear();
        return;
      case "compare":
        this.#comparing = this.#compare(this.#request?.abort.signal);
        return;
      default:
        assertNever(effect, "effect");
    }
  }

  #cancel(): void {
    this.#backoffTimer?.cancel();
    this.#silenceTimer?.cancel();
    this.#request?.abort.abort(new Error("request superseded"));
    this.#request = undefined;
  }

  #wait(effect: Extract<WatchEffect, { readonly kind: "wait" }>): void {
    const { clock, random } = this.#options;
    const atLeastMs = Math.min(effect.atLeastMs, longestRetryAfterMs);
    const { backoff } = this.#timing;
    const policy = isKubeError(this.#lastError, "forbidden") ? { ...backoff, ...refusalBackoff } : backoff;
    const delayMs = Math.max(backoffDelayMs(policy, effect.failures, random), atLeastMs);
    this.#collected = undefined;
    this.#backoffTimer = clock.setTimer(() => this.#input({ kind: "waited" }), delayMs);
  }

  #send(request: WatchRequest): void {
    const abort = new AbortController();
    const ended = this.#run(request, abort.signal);
    this.#request = { request, abort, ended };
  }

  /** Makes one request and feeds what comes of it to the state machine, unless it was canceled. Never rejects. */
  async #run(request: WatchRequest, signal: AbortSignal): Promise<void> {
    // A request is on record (and can be canceled) before anything of it can answer.
    await Promise.resolve();
    if (signal.aborted) return;
    const startedMs = this.#options.clock.monotonic();
    try {
      if (request.kind === "page") {
        await this.#readPage(request.continueToken, signal);
        return;
      }
      await this.#watch(request, signal);
      if (!signal.aborted) this.#input({ kind: "ended", lastedMs: this.#options.clock.monotonic() - startedMs });
    } catch (error) {
      if (!signal.aborted) this.#fail(error);
    }
  }

  async #readPage(continueToken: string | undefined, signal: AbortSignal): Promise<void> {
    const { kube, resource } = this.#options;
    if (continueToken === undefined) this.#collected = new Map();
    const paging = {
      limit: this.#pageSize,
      ...(continueToken === undefined ? {} : { continue: continueToken }),
    };
    const page = await kube.list<KubeObject>(resource, { ...this.#scope(), ...paging }, signal);
    if (signal.aborted) return;
    this.#lastActivityMs = this.#options.clock.monotonic();
    this.#granted();
    for (const raw of page.items) this.#collect(raw);
    const { resourceVersion, continue: next } = page.metadata;
    if (!resourceVersion) throw protocolError(`list ${resource.plural}`, "the list has no resourceVersion");
    this.#input({ kind: "listed", resourceVersion, ...(next ? { continueToken: next } : {}) });
  }

  async #watch(request: Exclude<WatchRequest, { kind: "page" }>, signal: AbortSignal): Promise<void> {
    const { kube, resource, clock, random } = this.#options;
    if (request.kind === "stream") this.#collected = new Map();
    this.#guardSilence(request);
    const from =
      request.kind === "stream"
        ? ({ sendInitialEvents: true, resourceVersionMatch: "NotOlderThan" } as const)
        : { resourceVersion: request.resourceVersion };
    const options = {
      ...this.#scope(),
      ...from,
      allowWatchBookmarks: true,
      timeoutSeconds: Math.round(jittered(this.#timing.watchMs, 0.06, random) / 1_000),
    };
    const sink = {
      onEvent: (event: WatchEvent) => {
        if (!signal.aborted) this.#receive(event);
      },
      onBytes: () => {
        if (signal.aborted) return;
        this.#isAnswered = true;
        this.#granted();
        this.#lastActivityMs = clock.monotonic();
      },
    };
    await kube.watch(resource, options, sink, signal);
  }

  #scope(): { readonly namespace?: string; readonly labelSelector?: string } {
    const { namespace, labelSelector } = this.#options;
    return {
      ...(namespace === undefined ? {} : { namespace }),
      ...(labelSelector === undefined ? {} : { labelSelector }),
    };
  }

  /** One timer per watch, set anew only when it fires: an event costs no timer. */
  #guardSilence(request: WatchRequest): void {
    const { clock } = this.#options;
    const openedMs = clock.monotonic();
    this.#isAnswered = false;
    const check = () => {
      const isListing = request.kind === "stream" && this.#state.kind === "streaming";
      const limitMs = this.#silenceLimitMs(isListing);
      const leftMs = limitMs - (clock.monotonic() - Math.max(openedMs, this.#lastActivityMs));
      // At least 1 ms: a timer that fires a rounding error too early must not set itself again for no time at all.
      if (leftMs > 0) this.#silenceTimer = clock.setTimer(check, Math.max(leftMs, 1));
      else if (isListing || !this.#isAnswered) this.#failSilent(limitMs);
      else this.#reopenQuiet();
    };
    check();
  }

  #silenceLimitMs(isListing: boolean): number {
    if (isListing) return this.#timing.streamSilenceMs;
    return this.#isAnswered ? this.#timing.silenceMs : this.#timing.answerMs;
  }

  /**
   * No failure: a kind without changes is as quiet as a dead connection; only a new request distinguishes them.
   */
  #reopenQuiet(): void {
    this.#log.debug({ failures: this.#state.failures }, "watch quiet, reopened");
    this.#input({ kind: "quiet" });
  }

  /** Asks how far the server is. Never rejects: the watch beside it reports what stops it. */
  async #compare(signal: AbortSignal | undefined): Promise<void> {
    const { kube, resource, clock } = this.#options;
    if (signal === undefined) return;
    try {
      const page = await kube.list<KubeObject>(resource, { ...this.#scope(), limit: 1 }, signal);
      if (signal.aborted) return;
      this.#lastActivityMs = clock.monotonic();
      const { resourceVersion } = page.metadata;
      if (!resourceVersion || !isOlder(resourceVersion, this.#highest)) return;
      this.#noticeRegression(resourceVersion);
      this.#input({ kind: "doubted" });
    } catch (error) {
      if (!signal.aborted) this.#log.debug({ err: toError(error) }, "failed to compare with server");
    }
  }

  #failSilent(limitMs: number): void {
    const detail = `nothing arrived for ${limitMs / 1_000} s`;
    const error = new KubeError({ code: "timeout", step: `watch ${this.resource.plural}`, detail });
    // A server that has sent objects and then neither more nor the end does not know how to stream a list.
    const ignored = this.#state.kind === "streaming" && (this.#collected?.size ?? 0) > 0;
    this.#report(error, ignored ? "refused" : "silent");
    this.#input({ kind: "failed", cause: ignored ? "refused" : "silent" });
  }

  #receive({ type, object }: WatchEvent): void {
    if (type === "ERROR") {
      this.#fail(kubeErrorOfStatus(`watch ${this.resource.plural}`, object as KubeStatus));
      return;
    }
    const metadata = metadataOf(object);
    if (metadata === undefined) {
      this.#fail(protocolError(`watch ${this.resource.plural}`, `a ${type} event has no resourceVersion`));
      return;
    }
    this.#options.observer?.received();
    if (this.#state.kind === "streaming") this.#receiveInitial(type, object as KubeObject, metadata);
    else this.#receiveChange(type, object as KubeObject, metadata);
  }

  #receiveInitial(type: WatchEvent["type"], raw: KubeObject, metadata: ReceivedMetadata): void {
    const { resourceVersion } = metadata;
    if (type === "BOOKMARK") {
      const isEnd = metadata.annotations?.["k8s.io/initial-events-end"] === "true";
      this.#input({ kind: isEnd ? "complete" : "progressed", resourceVersion });
    } else if (type === "DELETED") this.#collected?.delete(objectKey(metadata));
    else this.#collect(raw);
  }

  #receiveChange(type: WatchEvent["type"], raw: KubeObject, metadata: ReceivedMetadata): void {
    const { resourceVersion } = metadata;
    if (isOlder(resourceVersion, this.#highest)) {
      this.#noticeRegression(resourceVersion);
      this.#input({ kind: "doubted" });
      return;
    }
    this.#highest = resourceVersion;
    if (type !== "BOOKMARK") this.#applyChange(type, raw, metadata);
    this.#input({ kind: "progressed", resourceVersion });
  }

  #applyChange(type: WatchEvent["type"], raw: KubeObject, metadata: ReceivedMetadata): void {
    // The echo of our own write, most of the time: its answer was faster.
    if (type !== "DELETED" && this.store.knows(metadata)) return;
    const object = type === "DELETED" ? undefined : this.#project(raw);
    // What the projection leaves out is, for us, not there any more.
    if (object === undefined) this.store.remove(metadata);
    else this.store.apply(object);
  }

  #collect(raw: KubeObject): void {
    const object = this.#project(raw);
    if (object !== undefined) this.#collected?.set(objectKey(object.metadata), object);
  }

  /** The cached form. If the projection throws, what we have of the object stays: a bug of ours deletes nothing. */
  #project(raw: KubeObject): T | undefined {
    try {
      return this.#options.project(raw);
    } catch (error) {
      const key = raw.metadata === undefined ? "" : objectKey(raw.metadata);
      this.#handlerFailed(error, key);
      return this.store.get(key);
    }
  }

  #swap(resourceVersion: string): void {
    const { clock, random, observer } = this.#options;
    if (isOlder(resourceVersion, this.#highest)) this.#noticeRegression(resourceVersion);
    const collected = this.#collected ?? new Map<ObjectKey, T>();
    const mode = this.#request?.request.kind === "stream" ? "stream" : "pages";
    this.#collected = undefined;
    this.#highest = resourceVersion;
    const isTaken = this.#take(collected.values());
    // A list that could not be taken in is read again soon: until then readers have what they had.
    const relistMs = isTaken ? jittered(this.#timing.relistMs, 0.2, random) : this.#timing.unreadyMs;
    this.#relistTimer?.cancel();
    this.#relistTimer = clock.setTimer(() => this.#input({ kind: "doubted" }), relistMs);
    if (!isTaken) return;
    this.#hasSynced = true;
    this.#lastError = undefined;
    resolveAll(this.#waiters);
    resolveAll(this.#settledWaiters);
    observer?.listed({ objects: collected.size, mode });
    this.#log.debug({ objects: collected.size, mode, resourceVersion }, "listed objects");
  }

  /** Whether the store took the list. One object cannot make it fail; a bug can, and must show. */
  #take(objects: Iterable<T>): boolean {
    try {
      this.store.replace(objects, { trust: this.#hasRegressed });
      this.#hasRegressed = false;
      return true;
    } catch (error) {
      this.#lastError = toError(error);
      this.#options.observer?.handlerFailed();
      this.#log.error({ err: this.#lastError }, "failed to store list");
      return false;
    }
  }

  #clear(): void {
    this.#hasSynced = false;
    this.#highest = undefined;
    this.#relistTimer?.cancel();
    this.store.clear();
  }

  #noticeRegression(resourceVersion: string): void {
    if (this.#hasRegressed) return;
    this.#hasRegressed = true;
    this.#log.error({ resourceVersion, highest: this.#highest }, "resourceVersion went back, relisting");
    this.#options.observer?.regressed();
    this.#options.onRegression?.();
  }

  #fail(thrown: unknown): void {
    const error = toError(thrown);
    const cause = causeOf(error);
    // An answer that is too large is one: objects of a megabyte each are stored, and they must not hide the
    // others.
    if (this.#state.kind === "paging" && isKubeError(error, "protocol")) {
      this.#pageSize = Math.max(1, Math.floor(this.#pageSize / 4));
    }
    this.#report(error, cause);
    const asked = error instanceof KubeError ? error.retryAfterMs : undefined;
    const isDenied = this.#isUnavailable && isKubeError(error, "forbidden");
    const heeded = this.#isFillingCache(error) ? undefined : asked;
    const retryAfterMs = isDenied ? Math.max(asked ?? 0, deniedRetryMs) : heeded;
    this.#input({ kind: "failed", cause, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
  }

  /** The server refuses the first list, and by all signs only until it has read the kind itself. */
  #isFillingCache(error: Error): boolean {
    if (this.#hasSynced || this.#state.failures >= failuresBeforeHint) return false;
    return isKubeError(error, "throttled") && (error.retryAfterMs ?? 0) <= shortestRetryAfterMs;
  }

  #granted(): void {
    this.#refusals = 0;
    this.#isUnavailable = false;
  }

  #noticeUnavailable(cause: FailureCause, error: Error, isRestarting: boolean): void {
    if (!isKubeError(error, "forbidden")) this.#refusals = 0;
    else if (!isRestarting) this.#refusals += 1;
    if (cause !== "absent" && this.#refusals < refusalsUntilDenied) return;
    if (!this.#isUnavailable) {
      const { namespace } = this.#options;
      const level = this.#explained(error)?.isLogged ? "debug" : "warn";
      this.#log[level]({ err: error, ...(namespace === undefined ? {} : { namespace }) }, "kind cannot be watched");
    }
    this.#isUnavailable = true;
    resolveAll(this.#settledWaiters);
  }

  /** Keeps a failure for readiness and logs it, at a higher level the less ordinary it is. */
  #report(error: Error, cause: FailureCause): void {
    const nowMs = this.#options.clock.monotonic();
    this.#lastError = error;
    this.#options.observer?.failed(cause);
    if (isKubeError(error, "unavailable") && error.httpStatus === undefined) this.#lostConnectionMs = nowMs;
    const isRestarting = isKubeError(error, "forbidden") && nowMs - this.#lostConnectionMs < forbiddenAfterLossMs;
    // Of what is known to be missing one warning is enough.
    const isKnown = this.#isUnavailable && (cause === "absent" || isKubeError(error, "forbidden"));
    const explained = this.#explained(error);
    const isTold = explained?.isLogged === true || (explained !== undefined && this.#state.failures < patientFailures);
    const isOrdinary = cause === "expired" || isKubeError(error, "throttled") || isRestarting || isKnown || isTold;
    const facts = { err: error, cause, failures: this.#state.failures + 1 };
    if (isOrdinary) this.#log.debug(facts, "watch interrupted");
    else this.#log.warn(facts, "watch interrupted");
    this.#noticeUnavailable(cause, error, isRestarting);
  }

  #explained(error: Error): Explanation | undefined {
    return this.#options.explain?.(error, this.#options.namespace);
  }

  #handlerFailed(error: unknown, key: ObjectKey): void {
    this.#options.observer?.handlerFailed();
    this.#log.error({ err: toError(error), object: key }, "event handler panicked");
  }
}

function until(isTrue: () => boolean, waiters: Set<() => void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.reject(signal.reason);
  if (isTrue()) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      waiters.delete(waiter);
      reject(signal.reason);
    };
    const waiter = () => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    };
    waiters.add(waiter);
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

function resolveAll(waiters: Set<() => void>): void {
  for (const waiter of waiters) waiter();
  waiters.clear();
}

type ReceivedMetadata = ObjectMeta & { readonly resourceVersion: string };

function metadataOf(object: unknown): ReceivedMetadata | undefined {
  const metadata = (object as KubeObject | undefined)?.metadata;
  return metadata?.resourceVersion ? (metadata as ReceivedMetadata) : undefined;
}

function causeOf(error: Error): FailureCause {
  if (!(error instanceof KubeError)) return "broken";
  switch (error.code) {
    case "expired":
      return "expired";
    case "ahead":
      return "ahead";
    case "not_found":
      return "absent";
    case "bad_request":
    case "invalid":
      return "refused";
    case "conflict":
    case "already_exists":
    case "unauthorized":
    case "forbidden":
    case "throttled":
    case "timeout":
    case "unavailable":
    case "protocol":
    case "config":
      return "broken";
    default:
      return assertNever(error.code, "code");
  }
}

function protocolError(step: string, detail: string): KubeError {
  return new KubeError({ code: "protocol", step, detail });
}

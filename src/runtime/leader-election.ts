import { setMaxListeners } from "node:events";
import type { KubeClient } from "../kube/client.ts";
import { isKubeError, KubeError } from "../kube/errors.ts";
import { type Lease, leases } from "../kube/types.ts";
import { assertNever } from "../util/assert-never.ts";
import { jittered } from "../util/backoff.ts";
import { type Clock, sleep, type Timer } from "../util/clock.ts";
import { toError } from "../util/errors.ts";
import type { Log } from "../util/log.ts";
import type { Random } from "../util/random.ts";
import {
  claimSpec,
  firstAction,
  initialLeaderState,
  type LeaderAction,
  type LeaderFacts,
  type LeaderInput,
  type LeaderState,
  nextAction,
  releaseSpec,
  remainingMs,
  stepLeader,
} from "./leader-state.ts";
import type { Explanation } from "./outcome.ts";

/** The right to act, of which at most one replica has it at a time. */
export interface Leadership {
  /** Begins to compete; returns at once. */
  start(): void;
  /**
   * Resolves once we lead, with a signal that is aborted when leadership ends, for whatever reason. It comes once: who
   * has lost does not compete again, because the process ends.
   *
   * *Errors*: rejects with the signal's reason when it is aborted, and with an error when leadership has already ended.
   */
  whenLeading(signal: AbortSignal): Promise<AbortSignal>;
  /**
   * Whether no other replica can lead within the next `durationMs`. Asked right before every call that must not be made
   * twice. It asks the monotonic clock, not a timer, so it is right in a process that was frozen, too.
   *
   * With a lease of 15 s that is renewed every 2 s about 12 s can be had; asking for more is always refused.
   */
  isLeaderFor(durationMs: number): boolean;
  /**
   * Whether there is a leader, this replica or another one, and why not. Before `start` it is unknown: that is ok. So is
   * a short time without a leader; `note` says what went wrong in it.
   */
  check(): { readonly ok: true; readonly note?: string } | { readonly ok: false; readonly reason: string };
  /**
   * Ends leadership or the competition for it, and gives the Lease away so that a successor need not wait. Call it when
   * everything that needed leadership has ended. Never rejects: a Lease that cannot be given away runs out.
   */
  release(): Promise<void>;
}

/** What the replica that leads says of itself. */
export interface LeaderNotes {
  /** The annotations of the Lease, as it was read last; `undefined` where no other replica leads. */
  annotationsOfLeader(): Readonly<Record<string, string>> | undefined;
  /** The identity of another replica that holds the Lease, as it was read last; `undefined` where none does. */
  holder(): string | undefined;
}

/** What metrics are fed with. */
export interface LeaderElectionObserver {
  readonly leading: (isLeading: boolean) => void;
  /** An attempt to get or renew the Lease failed. A Lease held by another replica is no failure. */
  readonly failed: () => void;
}

export interface LeaderElectionOptions {
  readonly kube: Pick<KubeClient, "get" | "create" | "replace">;
  readonly namespace: string;
  /** Name of the Lease. */
  readonly name: string;
  /** Unique among all replicas and all their restarts, such as the pod's name and a random suffix. */
  readonly identity: string;
  /** Default 15 s. */
  readonly leaseDurationMs?: number;
  /** Default 10 s. Must be less than the lease duration. */
  readonly renewDeadlineMs?: number;
  /** Default 2 s. Must be well below the renew deadline. */
  readonly retryPeriodMs?: number;
  /** Annotations of the Lease while this replica leads. Default: none. */
  readonly annotations?: () => Readonly<Record<string, string>>;
  /** Called when the server answers again after failed attempts: others may stop waiting, too. */
  readonly onReachable?: () => void;
  /** Explains a failure in words of its own; see `ReflectorOptions.explain`. */
  readonly explain?: (error: Error) => Explanation | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly observer?: LeaderElectionObserver;
}

// A leader that died is replaced within one lease duration and a little more.
const leaderlessLeases = 2;

/** Leadership without an election, for a single replica. It is acquired at once, never lost, and needs no request. */
export function soleLeadership(): Leadership & LeaderNotes {
  const ended = new AbortController();
  setMaxListeners(0, ended.signal);
  return {
    start: () => undefined,
    whenLeading: async (signal) => {
      signal.throwIfAborted();
      return ended.signal;
    },
    isLeaderFor: () => !ended.signal.aborted,
    check: () => ({ ok: true }),
    annotationsOfLeader: () => undefined,
    holder: () => undefined,
    release: async () => ended.abort(new Error("leadership released")),
  };
}

/**
 * Competes for a Lease, with the semantics of client-go: optimistic locking decides, expiry is judged by what was seen
 * on the own clock, and whoever cannot renew in time stops before others can begin.
 */
export class LeaderElection implements Leadership, LeaderNotes {
  readonly #options: LeaderElectionOptions;
  readonly #timing: { readonly leaseDurationMs: number; readonly renewDeadlineMs: number };
  readonly #retryPeriodMs: number;
  readonly #log: Log;
  readonly #competing = new AbortController();
  readonly #leadership = new AbortController();
  readonly #acquired = new Set<() => void>();

  #state: LeaderState = initialLeaderState;
  #loop: Promise<void> | undefined;
  #deadline: Timer | undefined;
  #holder: string | undefined;
  #failures = 0;
  /** When there was a leader last, or the competition began; `undefined` before. */
  #ledMs: number | undefined;
  #lastError: Error | undefined;

  /** *Errors*: a `RangeError` when the three times do not leave room for each other. */
  constructor(options: LeaderElectionOptions) {
    const { leaseDurationMs = 15_000, renewDeadlineMs = 10_000, retryPeriodMs = 2_000 } = options;
    if (!(leaseDurationMs > renewDeadlineMs && renewDeadlineMs > retryPeriodMs * 1.2 && retryPeriodMs > 0)) {
      throw new RangeError(
        `leader election needs lease duration > renew deadline > 1.2 x retry period > 0, ` +
          `got ${leaseDurationMs} ms, ${renewDeadlineMs} ms, ${retryPeriodMs} ms`,
      );
    }
    // One listener for all that runs under our leadership: that is no leak.
    setMaxListeners(0, this.#leadership.signal);
    this.#options = options;
    this.#timing = { leaseDurationMs, renewDeadlineMs };
    this.#retryPeriodMs = retryPeriodMs;
    this.#log = options.log.child({ lease: `${options.namespace}/${options.name}`, identity: options.identity });
  }

  start(): void {
    this.#options.observer?.leading(false);
    this.#ledMs = this.#options.clock.monotonic();
    this.#loop = this.#compete();
  }

  whenLeading(signal: AbortSignal): Promise<AbortSignal> {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.#leadership.signal.aborted) return Promise.reject(this.#leadership.signal.reason);
    if (this.#state.kind === "leading") return Promise.resolve(this.#leadership.signal);
    return new Promise((resolve, reject) => {
      const settle = (end: () => void) => {
        this.#acquired.delete(onAcquired);
        signal.removeEventListener("abort", onAbort);
        this.#leadership.signal.removeEventListener("abort", onEnd);
        end();
      };
      const onAcquired = () => settle(() => resolve(this.#leadership.signal));
      const onAbort = () => settle(() => reject(signal.reason));
      const onEnd = () => settle(() => reject(this.#leadership.signal.reason));
      this.#acquired.add(onAcquired);
      signal.addEventListener("abort", onAbort);
      this.#leadership.signal.addEventListener("abort", onEnd);
    });
  }

  isLeaderFor(durationMs: number): boolean {
    return remainingMs(this.#state, this.#facts()) >= Math.max(durationMs, 1);
  }

  annotationsOfLeader(): Readonly<Record<string, string>> | undefined {
    if (this.holder() === undefined) return undefined;
    return this.#state.seen?.lease?.metadata.annotations ?? {};
  }

  holder(): string | undefined {
    const { kind, seen } = this.#state;
    const holder = seen?.lease?.spec?.holderIdentity ?? "";
    return kind !== "standby" || holder === "" || holder === this.#options.identity ? undefined : holder;
  }

  check(): ReturnType<Leadership["check"]> {
    const { clock, namespace, name } = this.#options;
    if (this.#ledMs === undefined || this.isLeaderFor(0)) return { ok: true };
    const leaderlessMs = clock.monotonic() - this.#ledMs;
    const isLong = leaderlessMs >= this.#timing.leaseDurationMs * leaderlessLeases;
    if (!isLong && this.#lastError === undefined) return { ok: true };
    const because = this.#lastError === undefined ? "" : `: ${this.#explained(this.#lastError)}`;
    const seconds = Math.round(leaderlessMs / 1_000);
    const reason = `no leader for ${seconds} s; lease ${namespace}/${name} cannot be acquired${because}`;
    return isLong ? { ok: false, reason } : { ok: true, note: reason };
  }

  async release(): Promise<void> {
    this.#competing.abort(new Error("no longer competing"));
    await this.#loop;
    const wasLeading = remainingMs(this.#state, this.#facts()) > 0;
    const { seen } = this.#state;
    this.#input({ kind: "released" });
    if (wasLeading) await this.#giveAway(seen?.lease);
  }

  async #compete(): Promise<void> {
    const { signal } = this.#competing;
    while (!signal.aborted) {
      // After a freeze the deadline may have passed without its timer having run: then nothing must be renewed.
      this.#expire();
      if (this.#hasEnded()) return;
      await this.#attempt();
      if (signal.aborted || this.#hasEnded()) return;
      try {
        await sleep(this.#options.clock, this.#pauseMs(), signal);
      } catch {
        // Aborted: competing is over.
        return;
      }
    }
  }

  /** Standbys spread out so that they do not all write at once; a leader keeps closer to its period. */
  #pauseMs(): number {
    return jittered(this.#retryPeriodMs, this.#state.kind === "leading" ? 0.1 : 0.25, this.#options.random);
  }

  #expire(): void {
    this.#input({ kind: "failed" });
  }

  #hasEnded(): boolean {
    return this.#state.kind === "ended";
  }

  /** One try to get or renew the Lease. Never rejects. */
  async #attempt(): Promise<void> {
    const { clock } = this.#options;
    const abort = new AbortController();
    const limitMs = this.#timing.renewDeadlineMs / 2;
    const timer = clock.setTimer(() => abort.abort(new Error(`no response for ${limitMs} ms`)), limitMs);
    const onEnd = () => abort.abort(this.#leadership.signal.reason);
    this.#leadership.signal.addEventListener("abort", onEnd);
    try {
      await this.#follow(firstAction(this.#state), abort.signal);
      this.#ledMs = clock.monotonic();
      this.#lastError = undefined;
      this.#reached();
    } catch (error) {
      if (!this.#hasEnded()) this.#failedAttempt(error);
    } finally {
      timer.cancel();
      this.#leadership.signal.removeEventListener("abort", onEnd);
    }
  }

  async #follow(action: LeaderAction, signal: AbortSignal): Promise<void> {
    switch (action.kind) {
      case "read":
        this.#input({ kind: "seen", lease: await this.#read(signal) });
        if (!this.#hasEnded()) await this.#follow(nextAction(this.#state, this.#facts()), signal);
        return;
      case "create":
        await this.#write((lease) => this.#options.kube.create(leases, lease, {}, signal), undefined);
        return;
      case "write":
        await this.#write((lease) => this.#options.kube.replace(leases, lease, {}, signal), action.lease);
        return;
      case "yield":
        this.#noteHolder(action.holder);
        return;
      default:
        assertNever(action, "action");
    }
  }

  async #read(signal: AbortSignal): Promise<Lease | undefined> {
    const { kube, name, namespace } = this.#options;
    try {
      return await kube.get<Lease>(leases, { name, namespace }, signal);
    } catch (error) {
      if (isKubeError(error, "not_found")) return undefined;
      throw error;
    }
  }

  async #write(send: (lease: Lease) => Promise<Lease>, before: Lease | undefined): Promise<void> {
    const { clock } = this.#options;
    const sentMs = clock.monotonic();
    const lease = await send(this.#leaseWith(before, claimSpec(before, this.#facts(), clock.now())));
    this.#input({ kind: "written", lease, sentMs });
  }

  #leaseWith(before: Lease | undefined, spec: NonNullable<Lease["spec"]>): Lease {
    const { name, namespace } = this.#options;
    const stored = before?.metadata ?? { name, namespace };
    const own = this.#options.annotations?.();
    const metadata = own === undefined ? stored : { ...stored, annotations: { ...stored.annotations, ...own } };
    return { ...before, apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata, spec };
  }

  #input(input: LeaderInput): void {
    const before = this.#state;
    this.#state = stepLeader(before, input, this.#facts());
    if (this.#state.kind === "leading") this.#guardDeadline(this.#state.renewedMs);
    if (before.kind !== "leading" && this.#state.kind === "leading") this.#announceLeading();
    if (before.kind !== "ended" && this.#state.kind === "ended") this.#announceEnd(before.kind, this.#state.why);
  }

  /** Leadership ends at its deadline even if a renewal is still under way then. */
  #guardDeadline(renewedMs: number): void {
    const { clock } = this.#options;
    this.#deadline?.cancel();
    const leftMs = renewedMs + this.#timing.renewDeadlineMs - clock.monotonic();
    // At least 1 ms: a timer that fires a rounding error too early must not set itself again for no time at all.
    this.#deadline = clock.setTimer(() => this.#expire(), Math.max(leftMs, 1));
  }

  #announceLeading(): void {
    this.#log.info({}, "acquired leadership");
    this.#options.observer?.leading(true);
    for (const onAcquired of this.#acquired) onAcquired();
  }

  #announceEnd(before: LeaderState["kind"], why: "lost" | "released"): void {
    this.#deadline?.cancel();
    if (before === "leading") this.#options.observer?.leading(false);
    const cause = this.#lastError && this.#explained(this.#lastError);
    if (why === "lost") this.#log.error(cause === undefined ? {} : { cause }, "leadership lost");
    else this.#log.info({}, "leadership released");
    this.#leadership.abort(new Error(`leadership ${why}`));
  }

  #failedAttempt(error: unknown): void {
    if (isKubeError(error, "conflict", "already_exists", "not_found")) {
      // Kept for readiness: it is no failure once, but a namespace that does not exist says so for ever.
      this.#lastError = toError(error);
      this.#reached();
      this.#log.debug({ err: error }, "another replica wrote the lease first");
      this.#input({ kind: "conflicted" });
      return;
    }
    this.#failures += 1;
    this.#lastError = toError(error);
    this.#options.observer?.failed();
    // The first one says it; that it lasts is seen in readiness, and at the end of the leadership.
    const isNews = this.#failures === 1 && this.#options.explain?.(this.#lastError) === undefined;
    const level = isNews ? "warn" : "debug";
    this.#log[level]({ err: this.#lastError, failures: this.#failures }, "failed to acquire or renew lease");
    this.#input({ kind: "failed" });
  }

  #explained(error: Error): string {
    return this.#options.explain?.(error)?.text ?? error.message;
  }

  #reached(): void {
    if (this.#failures > 0) this.#options.onReachable?.();
    this.#failures = 0;
  }

  #noteHolder(holder: string): void {
    if (holder !== this.#holder) this.#log.info({ holder }, "lease is held by another replica");
    this.#holder = holder;
  }

  async #giveAway(known: Lease | undefined): Promise<void> {
    const { kube, clock, identity } = this.#options;
    const abort = new AbortController();
    const timer = clock.setTimer(() => abort.abort(new Error("no response")), this.#timing.renewDeadlineMs / 2);
    try {
      const lease = known ?? (await this.#read(abort.signal));
      if (lease?.spec?.holderIdentity !== identity) return;
      const spec = releaseSpec(lease, clock.now());
      await kube.replace(leases, this.#leaseWith(lease, spec), {}, abort.signal);
    } catch (error) {
      // A conflict means that it is not ours any more. Anything else: it runs out by itself.
      if (!(error instanceof KubeError && error.code === "conflict")) {
        this.#log.info({ err: toError(error) }, "failed to release lease");
      }
    } finally {
      timer.cancel();
    }
  }

  #facts(): LeaderFacts {
    return { identity: this.#options.identity, timing: this.#timing, nowMs: this.#options.clock.monotonic() };
  }
}

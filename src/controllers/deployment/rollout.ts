// pure
import { formatDuration } from "../../util/duration.ts";
import {
  longestPollMs,
  type Polled,
  type PollPlan,
  pollPauseMs as plannedPauseMs,
  unhintedPauseMs,
} from "../reconcile/poll-plan.ts";
import { slowProbeMs } from "../reconcile/remote-error.ts";
import type { Requeue } from "../reconcile/requeue.ts";
import type { Age } from "../reconcile/stopwatch.ts";
import { wasSent } from "./changes.ts";
import type { Desire } from "./desired.ts";
import { isOver } from "./machine.ts";
import type { ChangeRecord, Facts, Progress, Settings } from "./observation.ts";
import type { TargetView } from "./target.ts";

// ---- how far it is ----

// A change that another client made, or that we made and forgot in a crash, is not waited for longer than this: it may
// have been one that needs no rollout.
const unsentSettleMs = 60_000;

// Where Northflank returns no transition times, this long after our change its state is taken to speak about it.
const untimedSettleMs = 30_000;

/**
 * How far the rollout is of a service that has what is declared, or what was restored in its place. A finished state
 * counts only if it began after the change that is recorded: right after a change Northflank may still show the rollout
 * before it. What was late stays late until it ends: a probe must not set it to under way again.
 */
export function progressOf(options: {
  readonly service: TargetView;
  readonly change: ChangeRecord | undefined;
  /** The rollout of this very source was complete before, so that a step of the autoscaler is not one. */
  readonly wasComplete: boolean;
  /** It was seen to wait for its promotion. */
  readonly wasGradual?: boolean;
  readonly wasLate: boolean;
  /** Milliseconds since the time of the change. */
  readonly elapsedMs: number;
  /** Since the rollout began. */
  readonly age: Age;
  readonly limitMs: number;
}): Progress {
  const { service, change, wasComplete, wasGradual = false, elapsedMs } = options;
  if (service.stop !== undefined) return "paused";
  if (wasComplete && service.rolloutReason === "SCALING") return "complete";
  const end = ends.get(service.rolloutStatus);
  if (end !== undefined && speaksAboutChange(service.rolloutTransitionTime, change, elapsedMs)) return end;
  if (isGradual(service, wasGradual)) return "gradual";
  return options.wasLate || isOver(options.age, options.limitMs) ? "late" : "rolling";
}

/** The states in which a rollout is over; in any other one it is under way. */
const ends: ReadonlyMap<string | undefined, "complete" | "failed"> = new Map([
  ["COMPLETED", "complete"],
  ["FAILED", "failed"],
]);

/**
 * Under way by a strategy. Whose rollout it is does not matter, because it is not over; once it is known to be gradual,
 * no state but an end ends that.
 */
function isGradual({ gradualRolloutStrategyId, rolloutStatus }: TargetView, wasGradual: boolean): boolean {
  if (gradualRolloutStrategyId === undefined || rolloutStatus === undefined) return false;
  return rolloutStatus === "IN_PROGRESS" || (wasGradual && !ends.has(rolloutStatus));
}

function speaksAboutChange(
  transition: string | undefined,
  change: ChangeRecord | undefined,
  elapsedMs: number,
): boolean {
  if (change === undefined || Number.isNaN(Date.parse(change.time))) return true;
  const isOurs = wasSent(change);
  if (!isOurs && elapsedMs >= unsentSettleMs) return true;
  const hasMoved = hasMovedSince(transition, change);
  return hasMoved ?? (!isOurs || elapsedMs >= untimedSettleMs);
}

/** The state of the rollout began after the change; `undefined` where Northflank does not return when states began. */
export function hasMovedSince(
  transition: string | undefined,
  change: Pick<ChangeRecord, "previousTransitionTime"> | undefined,
): boolean | undefined {
  const before = change?.previousTransitionTime;
  if (transition === undefined || before === undefined) return undefined;
  return Date.parse(transition) > Date.parse(before);
}

/** Northflank has taken the change, shows it, and still shows the end of the rollout before it. */
export function hasBegunNone(
  { rolloutStatus, rolloutTransitionTime }: TargetView,
  change: Pick<ChangeRecord, "previousTransitionTime"> | undefined,
): boolean {
  return ends.has(rolloutStatus) && hasMovedSince(rolloutTransitionTime, change) === false;
}

// ---- what is said of one that failed ----

/** `also`: what else there is to know, as a clause of the first sentence. */
export function failedMessage({ source }: Pick<Desire, "source">, also?: string): string {
  return (
    `Northflank has ${source}, but its rollout failed${asClause(also)}. See the containers and logs of the service in ` +
    "Northflank; change the source, or fix the cause."
  );
}

/** The same of a rollout that was not complete in time. */
export function lateMessage(
  { desire, service, limitMs }: Pick<Facts, "desire" | "service" | "limitMs">,
  also?: string,
): string {
  const { rolloutStatus } = service;
  const state = rolloutStatus === undefined ? "no state returned" : rolloutStatus.slice(0, 32);
  return (
    `Northflank has ${desire.source}, but its rollout was not complete within ${formatDuration(limitMs)} ` +
    `(${state})${asClause(also)}. See the containers of the service in Northflank; the object becomes Ready if the ` +
    "rollout completes."
  );
}

function asClause(text: string | undefined): string {
  return text === undefined ? "" : `; ${text}`;
}

/** What Northflank says while it builds. */
const buildStates: ReadonlySet<string> = new Set([
  "QUEUED",
  "PENDING",
  "UNSCHEDULABLE",
  "STARTING",
  "CLONING",
  "BUILDING",
  "UPLOADING",
  "IN_PROGRESS",
]);

export function isBuildState(buildStatus: string | undefined): boolean {
  return buildStates.has(buildStatus ?? "");
}

// ---- how often it is polled ----

// A person is waited for: pauses grow with the time that it has taken, as far as those of a settled service.
const longestGradualPollMs = 900_000;

/** What the polls of an object's rollout are planned by: how long those before it took, by its record. */
export function pollPlanOf({ object, pace }: Pick<Facts, "object" | "pace">): PollPlan {
  const { changes = [] } = object.status ?? {};
  return { earlierMs: changes.flatMap(({ rolloutSeconds: took }) => (took === undefined ? [] : took * 1_000)), pace };
}

/**
 * How long the rollout of a change took that is over, where it was under way all the time since the change was sent: by
 * the time that Northflank has of its end, because the poll that sees it comes later.
 */
export function tookNews(ended: {
  readonly change: ChangeRecord | undefined;
  readonly service: TargetView;
  readonly progress: Progress;
  /** Since it began. */
  readonly age: Age;
  /** When it began. Default: when the phase did. */
  readonly begun?: string | undefined;
}): Pick<ChangeRecord, "rolloutSeconds"> {
  const { change, service, progress, age } = ended;
  const isOver = progress === "complete" || progress === "failed";
  const wasOpen = change?.phase === "RollingOut" || change?.phase === "TimedOut";
  if (!isOver || !wasOpen || !wasSent(change) || change.since !== change.time) return {};
  const tookMs = Date.parse(service.rolloutTransitionTime ?? "") - Date.parse(ended.begun ?? change.since);
  // The clocks of both sides need not agree.
  const isPossible = tookMs > 0 && tookMs <= age.elapsedMs + clocksAllowanceMs;
  return isPossible ? { rolloutSeconds: Math.ceil(tookMs / 1_000) } : {};
}

const clocksAllowanceMs = 10_000;

/**
 * Until the next poll of a rollout, whatever Northflank reports by itself; never past its deadline. `plan`: what is known
 * beside its time, by default nothing.
 */
export function pollPauseMs(elapsedMs: number, leftMs: number, settings: Settings, plan: PollPlan = {}): number {
  const polled = { ...plan, elapsedMs, leftMs, firstMs: settings.rolloutPollIntervalMs };
  return unhintedPauseMs(polled) ?? plannedPauseMs(polled);
}

/** The next poll of a rollout, of which Northflank may report the end. */
export function pollRollout(
  rollout: Pick<Polled, "elapsedMs" | "leftMs">,
  plan: PollPlan,
  settings: Settings,
): Requeue {
  const polled = { ...plan, ...rollout, firstMs: settings.rolloutPollIntervalMs };
  return { ...pollAfter(plannedPauseMs(polled), settings), unhintedMs: unhintedPauseMs(polled) };
}

/** A poll of a rollout after that pause. */
export function pollAfter(
  afterMs: number,
  { rolloutPollIntervalMs: firstMs }: Settings,
): Requeue & { readonly kind: "recheck" } {
  return { kind: "recheck", afterMs, pause: { everyMs: [firstMs, Math.max(firstMs, longestPollMs)] } };
}

/** The next poll of a gradual rollout. */
export function pollGradual(waitedMs: number, settings: Settings): Requeue & { readonly kind: "recheck" } {
  const growing = Math.round(Math.min(waitedMs / 8, longestGradualPollMs));
  return {
    kind: "recheck",
    afterMs: Math.max(pollPauseMs(waitedMs, slowProbeMs, settings), growing),
    pause: { everyMs: [settings.rolloutPollIntervalMs, longestGradualPollMs] },
  };
}

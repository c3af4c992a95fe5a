import type { NorthflankDeployment } from "../../src/api/deployment.ts";
import type { NorthflankJob } from "../../src/api/job.ts";
import { reconcileRequestedAt } from "../../src/api/names.ts";
import { timesOf } from "../../src/controllers/deployment/changes.ts";
import * as deployments from "../../src/controllers/deployment/decide.ts";
import { desireOf } from "../../src/controllers/deployment/desired.ts";
import type { Observation as DeploymentObservation } from "../../src/controllers/deployment/observation.ts";
import { concludeChange, statusBefore } from "../../src/controllers/deployment/result.ts";
import { statusOf as deploymentStatus } from "../../src/controllers/deployment/status.ts";
import * as jobs from "../../src/controllers/job/decide.ts";
import { desireOf as jobDesireOf, type ResolvedValues } from "../../src/controllers/job/desired.ts";
import { changeTime } from "../../src/controllers/job/machine.ts";
import type { Observation as JobObservation } from "../../src/controllers/job/observation.ts";
import { concludeChange as concludeJobChange, intentConclusion } from "../../src/controllers/job/result.ts";
import { statusOf as jobStatus } from "../../src/controllers/job/status.ts";
import { delayOf } from "../../src/controllers/reconcile/requeue.ts";
import { Stopwatch } from "../../src/controllers/reconcile/stopwatch.ts";
import type { TargetConclusion, TargetDecision } from "../../src/controllers/target/decision.ts";
import type { TargetObject } from "../../src/controllers/target/object.ts";
import type { NorthflankError } from "../../src/northflank/errors.ts";
import { keyedHashOf, northflankError } from "./fake-northflank.ts";
import { always } from "./strict-fake.ts";

/*
 * Lives of objects with a target: each observation is decided on, and what it comes to is written down as the operator does
 * it, so that no test types a status. Pure: no API, no timers. What tests know of the signatures behind it is all in here.
 */

/** How Northflank answers a change; `not sent`: the operator ends between the record of the change and the call. */
export type Answer = "accepted" | "by the fallback" | "no route" | "not sent" | NorthflankError;

export const nextResyncMs = 900_000;
const random = always(0.5);
const settings = { resyncPeriodMs: nextResyncMs, rolloutPollIntervalMs: 10_000 };

type ConclusionOf<D> = D extends { kind: "conclude"; conclusion: infer C extends TargetConclusion } ? C : never;
type ChangeOf<D> = D extends { kind: "write"; change: infer X } ? X : never;
type Sent = Exclude<Answer, "not sent">;
type DeploymentDecision = Exclude<ReturnType<typeof deployments.decide>, { readonly kind: "need" }>;
type JobDecision = ReturnType<typeof jobs.decide>;

abstract class Life<T extends TargetObject, O, D extends TargetDecision<TargetConclusion, { readonly cause: string }>> {
  #elapsedMs = 0;
  readonly #clock = { now: () => this.now, monotonic: () => this.#elapsedMs };
  #stopwatch = new Stopwatch(this.#clock);
  /** `Normal ChangeApplied`; not those of an object that has become Stalled. */
  readonly events: string[] = [];
  /** What each change that was sent is made of: `external docker`, `description`. */
  readonly sent: string[] = [];
  object: T;

  protected abstract decision(observation: O): D;
  protected abstract statusBefore(change: ChangeOf<D>): T["status"] | undefined;
  protected abstract conclude(known: T, change: ChangeOf<D>, answer: Sent): ConclusionOf<D>;
  protected abstract readonly statusAfter: (conclusion: ConclusionOf<D>) => T["status"];
  protected abstract readonly times: () => readonly (string | undefined)[];

  constructor(object: T) {
    this.object = object;
  }

  /** Wall clock; a life begins at 2026-01-01T00:00:00Z. */
  get now(): number {
    return Date.parse("2026-01-01T00:00:00Z") + this.#elapsedMs;
  }

  /** What would be decided now: `write because SpecChanged`, `stalled/InvalidSpec, again never`. */
  judges(observation: O): string {
    const decision = this.decision(observation);
    if (decision.kind === "rest") return `rest for ${decision.dueInMs / 1_000} s`;
    return decision.kind === "write" ? `write because ${decision.change.cause}` : textOf(decision.conclusion);
  }

  /** Decides on an observation `afterMs` after the last one, and writes down what it comes to: what was done, and that. */
  sees(observation: O, afterMs = 0, answer: Answer = "accepted"): string {
    this.passes(afterMs);
    const decision = this.decision(observation);
    if (decision.kind === "rest") return "rest";
    if (decision.kind === "conclude") return this.#write(decision.conclusion as ConclusionOf<D>);
    const [known, change] = [this.object, decision.change as ChangeOf<D>];
    const before = this.statusBefore(change);
    if (before !== undefined) this.object = { ...known, status: before };
    if (answer === "not sent") return answer;
    this.sent.push(partsOf(change));
    return `sent, ${this.#write(this.conclude(known, change, answer))}`;
  }

  passes(ms: number): void {
    this.#elapsedMs += ms;
  }

  /** Another process continues with what the status says. */
  restart(): void {
    this.#stopwatch = new Stopwatch(this.#clock);
  }

  /** A person changes the spec, which is a new generation. */
  edit(spec: Partial<T["spec"]>): void {
    const { metadata, ...rest } = this.object;
    const generation = (metadata.generation ?? 0) + 1;
    this.object = { ...this.object, metadata: { ...metadata, generation }, spec: { ...rest.spec, ...spec } };
  }

  /** A person requests a reconcile. */
  request(value: string): void {
    const annotations = { [reconcileRequestedAt]: value };
    this.object = { ...this.object, metadata: { ...this.object.metadata, annotations } };
  }

  protected ages() {
    return this.#stopwatch.ages({ key: "shop/it", uid: this.object.metadata.uid }, this.times());
  }

  #write(conclusion: ConclusionOf<D>): string {
    this.object = { ...this.object, status: this.statusAfter(conclusion) };
    this.events.push(...conclusion.events.map(({ type, reason }) => `${type} ${reason}`));
    this.ages(); // What is written down now is measured from now on.
    return textOf(conclusion);
  }
}

function partsOf(change: object): string {
  const { call, desire } = change as Readonly<Record<string, { readonly body: object }>>;
  return Object.keys((desire ?? call)?.body ?? {}).join(" ");
}

function textOf({ readyState, next }: TargetConclusion): string {
  const delayMs = delayOf(next) ?? Number.POSITIVE_INFINITY;
  const again = Number.isFinite(delayMs) ? `in ${delayMs / 1_000} s` : next.kind;
  return `${readyState.kind}/${readyState.reason}, again ${again}`;
}

function resultOf(answer: Sent) {
  if (typeof answer !== "string") return { kind: "failed", error: answer } as const;
  if (answer === "no route") return { kind: "route-gone", error: northflankError("not_found") } as const;
  return { kind: "written", usedFallback: answer === "by the fallback" } as const;
}

/** The life of a NorthflankDeployment. */
export class DeploymentLife extends Life<NorthflankDeployment, DeploymentObservation, DeploymentDecision> {
  get desire() {
    const read = desireOf(this.object.spec);
    if (read.kind === "problem") throw new Error(read.problem.message);
    return read.desire;
  }

  /** Of the build that is to be read, the test says what is seen; one that it does not mention, the token may not see. */
  protected decision(observation: DeploymentObservation): DeploymentDecision {
    const input = { object: this.object, observation, now: this.now, ages: this.ages(), random, settings };
    const decision = deployments.decide(input);
    if (decision.kind !== "need") return decision;
    const { need } = decision;
    if (need.kind !== "build" || observation.kind !== "seen") throw new Error(`no test has a ${need.kind} to read`);
    const { sight } = observation.build ?? { sight: { kind: "unseen" } as const };
    return this.decision({ ...observation, build: { query: need.query, sight } });
  }

  protected statusBefore(change: ChangeOf<DeploymentDecision>) {
    return statusBefore(this.object, change, this.now);
  }

  protected conclude(object: NorthflankDeployment, change: ChangeOf<DeploymentDecision>, answer: Sent) {
    const options = { object, change, result: resultOf(answer), now: this.now };
    return concludeChange({ ...options, nextResyncMs, random, settings });
  }

  protected readonly statusAfter = (conclusion: ConclusionOf<DeploymentDecision>) =>
    deploymentStatus(this.object, conclusion, this.now);

  protected readonly times = () => timesOf(this.object.status);
}

/** The life of a NorthflankJob. */
export class JobLife extends Life<NorthflankJob, JobObservation, JobDecision> {
  token = "token";
  address = "https://api.northflank.com";
  values: Partial<ResolvedValues> = {};

  get desire() {
    const { address, token } = this;
    const { spec, metadata } = this.object;
    const { runtimeEnvironment, runtimeFiles, buildArguments } = spec.settings;
    const values = { runtimeEnvironment, runtimeFiles, buildArguments, versions: [], ...this.values };
    return jobDesireOf({ spec, values, uid: metadata.uid, address, keyedHash: keyedHashOf(token) });
  }

  protected decision(observation: JobObservation) {
    const sinceChangeMs = this.ages().get(this.times()[0] ?? "")?.seenMs;
    return jobs.decide({ object: this.object, observation, now: this.now, sinceChangeMs, random });
  }

  protected statusBefore(change: ChangeOf<JobDecision>) {
    const intent = intentConclusion(this.object, change, this.now);
    return intent && this.statusAfter(intent);
  }

  protected conclude(known: NorthflankJob, change: ChangeOf<JobDecision>, answer: Sent) {
    const sent = { object: known, stored: this.object, change, result: resultOf(answer) };
    return concludeJobChange({ ...sent, now: this.now, random });
  }

  protected readonly statusAfter = (conclusion: ConclusionOf<JobDecision>) =>
    jobStatus(this.object, conclusion, this.now);

  protected readonly times = () => [changeTime(this.object.status)];
}

import type { NorthflankDeployment } from "../../api/deployment.ts";
import type { PassContext, Reconcile } from "../../runtime/controller.ts";
import type { ObjectKey, Outcome, Priority } from "../../runtime/outcome.ts";
import { objectKey } from "../../runtime/outcome.ts";
import type { Clock } from "../../util/clock.ts";
import type { Random } from "../../util/random.ts";
import type { Account } from "../shared/accounts.ts";
import type { EventSink } from "../shared/event-draft.ts";
import { NewSpecs } from "../shared/new-specs.ts";
import { outcomeOf } from "../shared/next-pass.ts";
import { stalledPassage } from "../shared/passage.ts";
import { rivalKeys } from "../shared/rivals.ts";
import type { StatusWriter } from "../shared/status-writer.ts";
import { hasChangedSince, restUntil } from "../shared/target-object.ts";
import type { Conclusion } from "./conclusion.ts";
import { decide } from "./decide.ts";
import type { Change } from "./decision.ts";
import { execute } from "./execute.ts";
import { statusBefore } from "./in-doubt.ts";
import { type ObserveDeps, observe, targetName } from "./observe.ts";
import { statusOf } from "./status.ts";
import { targetOf } from "./target.ts";
import { concludeChange } from "./written.ts";

/** What metrics hear of. */
export interface DeploymentObserver {
  /** Northflank was found different from what had been applied. */
  readonly driftDetected: () => void;
  /** A write was sent and accepted. */
  readonly changeApplied: () => void;
  /** From when a new spec was first seen to Ready=True, in milliseconds. */
  readonly becameReady: (durationMs: number) => void;
}

export interface DeploymentDeps extends ObserveDeps {
  readonly store: ObserveDeps["store"] & { get(key: ObjectKey): NorthflankDeployment | undefined };
  readonly statusWriter: StatusWriter<NorthflankDeployment>;
  readonly events: EventSink;
  readonly observer: DeploymentObserver;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * One pass over a NorthflankDeployment: validate and observe, decide, execute, write the status once, tell Events.
 *
 * *Guarantees*: a write goes to Northflank only when the service, read in this very pass, differs from what is declared;
 * an object that is settled and not due costs no request; a pass never learns why it was woken.
 *
 * Wiring, in the composition root:
 *
 * - a `Store<NorthflankDeployment, "target" | "waitFor" | "connection">` with `deploymentIndexes` and `connectionKeys`
 *   (shared/dependents.ts);
 * - each change of a deployment enqueues its own key when `objectMatters` says so, and the keys of `rivalsOf` when it was
 *   added, deleted or `objectMatters`: the heir of a target takes over within one pass;
 * - each change of a NorthflankJobRun enqueues `byIndex("waitFor", key of the run)`;
 * - each change of a connection for which `connectionMatters` enqueues `byIndex("connection", key of the connection)`.
 */
export function createDeploymentReconciler(deps: DeploymentDeps): Reconcile {
  const newSpecs = new NewSpecs();
  return async (key, context) => {
    const object = deps.store.get(key);
    if (object === undefined) {
      deps.schedule.forget(key);
      newSpecs.forget(key);
      return { kind: "settled" };
    }
    // No finalizer is ours: the service stays as it is.
    if (object.metadata.deletionTimestamp !== undefined) return { kind: "settled" };
    newSpecs.saw(key, object, deps.clock.monotonic());
    const outcome = await pass(deps, object, context);
    newSpecs.judge(key, deps.store.get(key), (sinceMs) => deps.observer.becameReady(deps.clock.monotonic() - sinceMs));
    return outcome;
  };
}

/** The objects that may gain or lose a target when `changed` appears, changes or goes. */
export function rivalsOf(
  store: { byIndex(name: "target", value: string): readonly NorthflankDeployment[] },
  changed: NorthflankDeployment,
): readonly ObjectKey[] {
  return rivalKeys(store.byIndex("target", targetOf(changed)), changed);
}

async function pass(deps: DeploymentDeps, known: NorthflankDeployment, context: PassContext): Promise<Outcome> {
  const { clock, random, settings, schedule } = deps;
  let object = known;
  const { observation, account } = await observe(deps, object, context.signal);
  const decision = decide({ object, observation, now: clock.now(), random, settings });
  if (decision.kind === "rest") return restUntil(object, decision.dueInMs);
  let conclusion: Conclusion;
  if (decision.kind === "write") {
    const again: Outcome = { kind: "recheck", afterMs: 0, priority: "change" };
    if (account === undefined || hasChangedSince(object, deps.store)) return again;
    const recorded = await recordDoubt(deps, object, decision.change, context);
    if (recorded === undefined || hasChangedSince(object, deps.store)) return again;
    object = recorded;
    const nextResyncMs = observation.kind === "seen" ? observation.nextResyncMs : Number.POSITIVE_INFINITY;
    conclusion = await carryOut({ deps, object: known, account, change: decision.change, nextResyncMs, context });
  } else {
    conclusion = decision.conclusion;
    if (decision.sawDrift) deps.observer.driftDetected();
  }
  if (account !== undefined) {
    const { metadata } = object;
    const look = { nextMs: nextLookMs(conclusion), accountVersion: account.version };
    schedule.looked({ key: objectKey(metadata), uid: metadata.uid }, look);
  }
  return await report(deps, object, conclusion, context);
}

/** The object with the status that has to be stored before the change is sent; `undefined`: it is gone. */
async function recordDoubt(
  { statusWriter, clock }: DeploymentDeps,
  object: NorthflankDeployment,
  change: Change,
  { signal }: PassContext,
): Promise<NorthflankDeployment | undefined> {
  const status = statusBefore(object, change, clock.now());
  if (status === undefined) return object;
  const written = await statusWriter.write(object, status, signal);
  if (written.kind === "gone") return undefined;
  return written.kind === "written" ? written.object : object;
}

async function carryOut(options: {
  readonly deps: DeploymentDeps;
  readonly object: NorthflankDeployment;
  readonly account: Account;
  readonly change: Change;
  readonly nextResyncMs: number;
  readonly context: PassContext;
}): Promise<Conclusion> {
  const { deps, object, account, change, nextResyncMs, context } = options;
  const { projectId, serviceId, jobId } = object.spec;
  const result = await execute({ api: account.api, target: targetName(object) }, change, context.signal);
  if (change.cause === "DriftCorrected") deps.observer.driftDetected();
  if (result.kind === "written") {
    deps.observer.changeApplied();
    const log = { project: projectId, ...(serviceId === undefined ? { job: jobId } : { service: serviceId }) };
    context.log.info({ ...log, action: change.cause }, "change applied");
  }
  const { clock, random, settings } = deps;
  return concludeChange({ object, change, result, nextResyncMs, now: clock.now(), random, settings });
}

async function report(
  deps: DeploymentDeps,
  object: NorthflankDeployment,
  conclusion: Conclusion,
  context: PassContext,
): Promise<Outcome> {
  const status = statusOf(object, conclusion, deps.clock.now());
  const written = await deps.statusWriter.write(object, status, context.statusSignal);
  if (written.kind === "gone") return { kind: "settled" };
  if (written.kind === "written") {
    const passage = stalledPassage({
      before: object.status?.conditions,
      after: status.conditions,
      action: "Reconcile",
    });
    for (const draft of [...conclusion.events, ...passage]) deps.events.record(written.object, draft);
    const { kind, reason } = conclusion.verdict;
    // One line per decision: that a change was applied is told already, and what is merely under way or well is not news.
    const isTrouble = kind === "stalled" || kind === "retrying";
    context.log[isTrouble ? "info" : "debug"]({ kind, reason }, "status written");
  }
  const { next, verdict } = conclusion;
  return outcomeOf(next, { priority: priorityOf(conclusion), message: `${verdict.reason}: ${verdict.message}` });
}

function priorityOf({ verdict: { kind }, next }: Conclusion): Priority {
  // Recorded, and to be sent now.
  if (next.kind === "recheck" && next.afterMs === 0) return "change";
  return kind === "ready" || kind === "stalled" ? "resync" : "follow";
}

function nextLookMs({ next }: Conclusion): number {
  if (next.kind === "never") return Number.POSITIVE_INFINITY;
  return next.kind === "recheck" ? next.afterMs : 0;
}

import type { NorthflankJob } from "../../api/job.ts";
import type { PassContext, Reconcile } from "../../runtime/controller.ts";
import type { ObjectKey, Outcome, Priority } from "../../runtime/outcome.ts";
import { objectKey } from "../../runtime/outcome.ts";
import type { Clock } from "../../util/clock.ts";
import type { Random } from "../../util/random.ts";
import type { Account } from "../shared/accounts.ts";
import type { EventSink } from "../shared/event-draft.ts";
import { NewSpecs } from "../shared/new-specs.ts";
import { type NextPass, outcomeOf } from "../shared/next-pass.ts";
import { stalledPassage } from "../shared/passage.ts";
import { rivalKeys } from "../shared/rivals.ts";
import { recheckSecretMs } from "../shared/secret-tokens.ts";
import type { StatusWriter } from "../shared/status-writer.ts";
import { hasChangedSince, restUntil } from "../shared/target-object.ts";
import type { Conclusion } from "./conclusion.ts";
import { decide } from "./decide.ts";
import type { Change } from "./decision.ts";
import { execute } from "./execute.ts";
import { jobName, type ObserveDeps, observe, watchesValues } from "./observe.ts";
import { statusOf } from "./status.ts";
import { targetOf } from "./target.ts";
import { concludeChange, intentConclusion } from "./written.ts";

/** What metrics hear of. */
export interface JobObserver {
  /** Northflank was found different from what had been applied. */
  readonly driftDetected: () => void;
  /** A write was sent and accepted. */
  readonly changeApplied: () => void;
  /** From when a new spec was first seen to Ready=True, in milliseconds. */
  readonly becameReady: (durationMs: number) => void;
}

export interface JobDeps extends ObserveDeps {
  readonly store: ObserveDeps["store"] & { get(key: ObjectKey): NorthflankJob | undefined };
  readonly statusWriter: StatusWriter<NorthflankJob>;
  readonly events: EventSink;
  readonly observer: JobObserver;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * One pass over a NorthflankJob: validate and observe, decide, execute, write the status once, tell Events.
 *
 * *Guarantees*: a write goes to Northflank only when the job, read in this very pass, differs from what is declared, or
 * when what Northflank does not tell is not what was last sent; an object that is settled and not due costs no request; a
 * pass never learns why it was woken; values of environments, arguments and files go into the request and nowhere else.
 *
 * Wiring, in the composition root:
 *
 * - a `Store<NorthflankJob, "target" | "connection">` with `jobIndexes` and `connectionKeys` (shared/dependents.ts);
 * - each change of an object enqueues its own key when `objectMatters` says so, and the keys of `rivalsOf` when it was
 *   added, deleted or `objectMatters`: the heir of a job takes over within one pass;
 * - each change of a connection for which `connectionMatters` enqueues `byIndex("connection", key of the connection)`.
 */
export function createJobReconciler(deps: JobDeps): Reconcile {
  const newSpecs = new NewSpecs();
  return async (key, context) => {
    const object = deps.store.get(key);
    if (object === undefined) {
      deps.schedule.forget(key);
      newSpecs.forget(key);
      return { kind: "settled" };
    }
    // No finalizer is ours: the job stays as it is.
    if (object.metadata.deletionTimestamp !== undefined) return { kind: "settled" };
    newSpecs.saw(key, object, deps.clock.monotonic());
    const outcome = await pass(deps, object, context);
    newSpecs.judge(key, deps.store.get(key), (sinceMs) => deps.observer.becameReady(deps.clock.monotonic() - sinceMs));
    return outcome;
  };
}

/** The objects that may gain or lose their job when `changed` appears, changes or goes. */
export function rivalsOf(
  store: { byIndex(name: "target", value: string): readonly NorthflankJob[] },
  changed: NorthflankJob,
): readonly ObjectKey[] {
  return rivalKeys(store.byIndex("target", targetOf(changed)), changed);
}

async function pass(deps: JobDeps, known: NorthflankJob, context: PassContext): Promise<Outcome> {
  const { clock, random, schedule } = deps;
  let object = known;
  const { observation, account } = await observe(deps, object, context.signal);
  const decision = decide({ object, observation, now: clock.now(), random });
  if (decision.kind === "rest") return restUntil(object, decision.dueInMs);
  let conclusion: Conclusion;
  if (decision.kind === "write") {
    const again: Outcome = { kind: "recheck", afterMs: 0, priority: "change" };
    if (account === undefined || hasChangedSince(object, deps.store)) return again;
    const intent = await recordIntent(deps, object, decision.change, context);
    if (intent === undefined || hasChangedSince(object, deps.store)) return again;
    object = intent;
    conclusion = await carryOut({ deps, object, account, change: decision.change, context });
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

/** The object as it may be acted on: its status says what is about to be sent, where that matters. `undefined`: it is gone. */
async function recordIntent(
  { statusWriter, clock }: JobDeps,
  object: NorthflankJob,
  change: Change,
  { signal }: PassContext,
): Promise<NorthflankJob | undefined> {
  const intent = intentConclusion(object, change);
  if (intent === undefined) return object;
  const written = await statusWriter.write(object, statusOf(object, intent, clock.now()), signal);
  if (written.kind === "gone") return undefined;
  return written.kind === "written" ? written.object : object;
}

async function carryOut(options: {
  readonly deps: JobDeps;
  readonly object: NorthflankJob;
  readonly account: Account;
  readonly change: Change;
  readonly context: PassContext;
}): Promise<Conclusion> {
  const { deps, object, account, change, context } = options;
  const target = jobName(object);
  const result = await execute({ api: account.api, target }, change, context.signal);
  if (change.cause === "DriftCorrected") deps.observer.driftDetected();
  if (result.kind === "written") {
    deps.observer.changeApplied();
    context.log.info({ project: target.projectId, job: target.jobId, action: change.cause }, "change applied");
  }
  const { clock, random } = deps;
  return concludeChange({ object, change, result, now: clock.now(), random });
}

async function report(
  deps: JobDeps,
  object: NorthflankJob,
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
  const { verdict } = conclusion;
  const next = watchesValues({ ...object, status }) ? soonEnough(conclusion.next) : conclusion.next;
  return outcomeOf(next, { priority: priorityOf(conclusion), message: `${verdict.reason}: ${verdict.message}` });
}

/** Values that come from the cluster are read again within a minute, whenever the next look at Northflank is. */
function soonEnough(next: NextPass): NextPass {
  if (next.kind === "backoff") return next;
  const afterMs = next.kind === "recheck" ? Math.min(next.afterMs, recheckSecretMs) : recheckSecretMs;
  return { kind: "recheck", afterMs };
}

function priorityOf({ verdict: { kind } }: Conclusion): Priority {
  return kind === "ready" || kind === "stalled" ? "resync" : "follow";
}

function nextLookMs({ next }: Conclusion): number {
  if (next.kind === "never") return Number.POSITIVE_INFINITY;
  return next.kind === "recheck" ? next.afterMs : 0;
}

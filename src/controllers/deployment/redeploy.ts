// pure

import type { NorthflankDeployment, NorthflankDeploymentStatus } from "../../api/deployment.ts";
import type { NorthflankError } from "../../northflank/errors.ts";
import { capped, formatTime } from "../../runtime/conditions.ts";
import { present } from "../../util/present.ts";
import { conclude } from "../target/decision.ts";
import { knownHash, withEntry } from "./changes.ts";
import { inSyncWith, judged, write } from "./decisions.ts";
import { dependencyConclusion } from "./dependencies.ts";
import type { Desire } from "./desired.ts";
import { wasSeenInSync, withHead } from "./machine.ts";
import type { Change, Conclusion, Decision, Facts, Redeploy, StatedFields } from "./observation.ts";
import { hasBegunNone, hasMovedSince } from "./rollout.ts";
import { timeText } from "./target.ts";

/*
 * `spec.redeployToken`: a new value redeploys the service once, with the source that it has. A tag that was moved is no
 * difference that a read could show, so that nothing else requests it.
 *
 *     new value --- a change of the source is sent anyway, or the object is new ------------------> Included
 *         \--- recorded (Pending) --- update call --- accepted ------------------------------------> Sent
 *                    |                     \--- refused: the record before is in force again, and it is tried later
 *                    '--- answer lost, process died --- a rollout has begun since -----------------> Sent
 *                                          \--- none after 30 s: once more, and never a third time
 *     Sent by the update call, and no rollout begun after two minutes: the service is restarted, once; where that leads
 *     to none within the limit of a rollout either, or is refused: WithoutEffect
 *
 * Promises:
 *  1. One call per value; a second one only where it is not known whether the first arrived. The record is in status
 *     before each of them. What is not stored there is not sent.
 *  2. A declaration without a source is redeployed by a restart, which leaves the source alone.
 *  3. Nothing is sent under Observe, while suspended, or while runs of `waitFor` are missing: the value waits. To a
 *     paused service the update is sent like any change, and no restart.
 */

export type RedeployRecord = NonNullable<NorthflankDeploymentStatus["redeploy"]>;

// Right after a call Northflank may not show yet that it has begun.
const settleMs = 30_000;

// So long after the update call a rollout that has not begun does not come.
const beginsWithinMs = 120_000;

const mostAttempts = 2;

/** The call has arrived, as the target shows: the object continues as if its answer had. */
interface Adopted {
  readonly kind: "adopt";
  readonly stated: StatedFields;
}

/** The decision on the token of a service that has what is declared; `undefined`: nothing is to be sent for it. */
export function decideRedeploy(facts: Facts): Decision | Adopted | undefined {
  const { object, policy, service } = facts;
  const { redeployToken: token } = object.spec;
  if (token === undefined || !policy.redeploys || service.kind === "job") return undefined;
  const record = object.status?.redeploy;
  if (record?.token !== token) return decideNew(facts, token);
  if (record.outcome === "Pending") return decidePending(facts, { token, record });
  if (record.outcome !== "Sent" || !isWithoutEffect(facts, record)) return undefined;
  return redeploy(facts, { token, call: "restart service", attempts: 1 });
}

/** A redeploy carries the source alone. */
function redeploy({ object, desire, service: before }: Facts, redeploy: Redeploy): Decision {
  const { external, internal } = desire.body;
  const source = { ...desire, body: present({ external, internal }) };
  const build = object.status?.build;
  return write({ desire: source, cause: "Redeployed", before, differences: [], redeploy, build });
}

function decideNew(facts: Facts, token: string): Decision | undefined {
  const { object, desire, service } = facts;
  const call = callFor(desire);
  if (isNewObject(object) || (service.stop !== undefined && call === "restart service")) return undefined;
  const held = dependencyConclusion(facts);
  if (held === undefined) return redeploy(facts, { token, call, attempts: 1 });
  const stated = { ...held.stated, pendingChanges: undefined };
  return conclude({ ...held, inSync: inSyncWith(desire), rolloutComplete: "as-before", stated });
}

/**
 * The object is new, or a change was sent whose answer is lost and that the service has. An object that was in sync
 * under Observe is not new, although it has sent nothing.
 */
function isNewObject({ status }: NorthflankDeployment): boolean {
  return knownHash(status) === undefined && status?.redeploy === undefined && !wasSeenInSync(status);
}

function callFor({ body }: Desire): Redeploy["call"] {
  return body.external === undefined && body.internal === undefined ? "restart service" : "update service deployment";
}

/** A call was about to be made, and its result is not known. */
function decidePending(
  facts: Facts,
  { token, record }: { readonly token: string; readonly record: RedeployRecord },
): Decision | Adopted {
  const { object, desire, service, age } = facts;
  const { attempts = 1, time, call = callFor(desire), previousTransitionTime } = record;
  const hasBegun = hasMovedSince(service.rolloutTransitionTime, record) === true;
  if (hasBegun || attempts >= mostAttempts) {
    const sent = { cause: "Redeployed", phase: "RollingOut", time: time ?? "", previousTransitionTime } as const;
    const changes = withEntry(object, desire, sent);
    return { kind: "adopt", stated: { redeploy: { ...record, outcome: "Sent" }, changes } };
  }
  const leftMs = settleMs - age(time).elapsedMs;
  if (leftMs <= 0) return redeploy(facts, { token, call, attempts: attempts + 1 });
  return conclude(waitingConclusion(facts, record, leftMs));
}

function waitingConclusion({ desire, shown }: Facts, record: RedeployRecord, leftMs: number): Conclusion {
  const message =
    `The answer to the redeploy of ${desire.source} was lost. It is sent once more if Northflank begins no rollout ` +
    "within 30s.";
  return {
    ...judged,
    readyState: { kind: "progressing", reason: "ApplyingChange", message },
    inSync: inSyncWith(desire),
    rolloutComplete: { status: "Unknown", reason: "ApplyingChange", message: "Whether a rollout begins is not known." },
    stated: { ...shown, redeploy: record },
    next: { kind: "recheck", afterMs: Math.max(leftMs, 1_000) },
  };
}

/** The update call was accepted, and Northflank has begun no rollout for it. */
function isWithoutEffect({ object, service, age }: Facts, record: RedeployRecord): boolean {
  const head = object.status?.changes?.[0];
  if (record.call !== "update service deployment" || head?.cause !== "Redeployed") return false;
  if (head.phase !== "RollingOut" || service.stop !== undefined || !hasBegunNone(service, head)) return false;
  return age(head.time).elapsedMs >= beginsWithinMs;
}

/** The record of a call that is about to be made, or was. */
export function redeployRecord(
  { redeploy, before }: Change & { readonly redeploy: Redeploy },
  outcome: "Pending" | "Sent",
  now: number,
): RedeployRecord {
  const previousTransitionTime = timeText(before.rolloutTransitionTime);
  return { ...redeploy, outcome, time: formatTime(now), ...present({ previousTransitionTime }) };
}

/**
 * The update call was accepted and led to no rollout, and the restart that was to follow is refused: the service runs
 * what is declared, and the same restart would be refused again. `undefined` for every other call that failed.
 */
export function restartRefused(
  object: NorthflankDeployment,
  change: Change,
  { error, now }: { readonly error: NorthflankError; readonly now: number },
): Conclusion | undefined {
  const { redeploy, desire, before } = change;
  const isRefused = error.code === "forbidden" || error.code === "rejected";
  const isFallback = redeploy?.call === "restart service" && callFor(desire) !== redeploy.call;
  if (!isRefused || !isFallback || object.status === undefined) return undefined;
  const { redeploy: record } = object.status;
  const progress = before.rolloutStatus === "FAILED" ? "failed" : "complete";
  const refusal = capped(error.detail, 512);
  const message = `Northflank refused the restart: ${refusal}. The state of the last rollout is read.`;
  return {
    ...judged,
    readyState: { kind: "progressing", reason: "RollingOut", message },
    inSync: inSyncWith(desire),
    rolloutComplete: "as-before",
    stated: {
      pendingChanges: undefined,
      // The state that is shown speaks about this change from now on.
      changes: withHead(object, progress, now),
      redeploy: present({ ...record, token: redeploy.token, outcome: "WithoutEffect" as const, refusal }),
    },
    next: { kind: "recheck", afterMs: 1_000 },
  };
}

/** What status says of a token that a change of the source has carried, or that a new object has. */
export function includedFields({ spec }: NorthflankDeployment, now: number): Pick<StatedFields, "redeploy"> {
  const { redeployToken: token } = spec;
  return token === undefined ? {} : { redeploy: { token, time: formatTime(now), outcome: "Included" } };
}

/** What is to be said of the token beside the conclusion about a service that has what is declared. */
export function noteRedeploy(
  { object, desire, policy, wantsRedeploy, now }: Facts,
  conclusion: Conclusion,
): Conclusion {
  const { readyState, stated } = conclusion;
  const included = () => ({ ...conclusion, stated: { ...stated, ...includedFields(object, now) } });
  if (wantsRedeploy) {
    if (policy.redeploys) return stated.redeploy === undefined ? included() : conclusion;
    // The value that an object begins with is none that waits for another policy.
    if (isNewObject(object)) return included();
    if (readyState.kind !== "ready") return conclusion;
    return withNote(
      conclusion,
      `spec.redeployToken is not handled, because managementPolicy is ${object.spec.managementPolicy}.`,
    );
  }
  const head = (stated.changes ?? object.status?.changes)?.[0];
  const { time, ...record } = stated.redeploy ?? object.status?.redeploy ?? {};
  const isTold = policy.redeploys && readyState.kind === "ready" && head?.cause === "Redeployed";
  if (!isTold || time === undefined) return conclusion;
  return withNote(conclusion, redeployNote({ ...record, time }, { desire, phase: head.phase }));
}

function redeployNote(
  { outcome, time, refusal }: RedeployRecord & { readonly time: string },
  { desire, phase }: { readonly desire: Desire; readonly phase: string },
): string {
  if (outcome === "WithoutEffect" && refusal !== undefined) {
    return (
      `Northflank began no rollout for the redeploy of ${time} and refused the restart (${refusal}); set a new ` +
      "spec.redeployToken when the restart is allowed, or restart the service in Northflank."
    );
  }
  if (outcome === "WithoutEffect")
    return `Northflank began no rollout for the redeploy of ${time}; ${otherWay(desire)}.`;
  return phase === "Paused"
    ? `The redeploy of ${time} for spec.redeployToken starts with the resume.`
    : `It was redeployed at ${time} for spec.redeployToken.`;
}

/** What a person can do who wants a rollout. Only a tag can mean another image by now. */
function otherWay({ body, image }: Desire): string {
  return body.external !== undefined && image?.digest === undefined
    ? "deploy a digest or another tag"
    : "restart the service in Northflank if its containers are to start anew";
}

function withNote(conclusion: Conclusion, note: string): Conclusion {
  const { readyState } = conclusion;
  return { ...conclusion, readyState: { ...readyState, message: `${readyState.message} ${note}` } };
}

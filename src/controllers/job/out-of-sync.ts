// pure
import type { NorthflankJob } from "../../api/job.ts";
import { notAtOnce } from "../../util/backoff.ts";
import { decideNotKept } from "../target/not-kept.ts";
import { type Difference, driftFound, fightFound, notKeptFound } from "../target/out-of-sync.ts";
import { policyOf } from "../target/policy.ts";
import { unsupported } from "../target/preconditions.ts";
import { recordNotStored } from "../target/status.ts";
import type { Desire } from "./desired.ts";
import { owned, releasedEvents } from "./in-sync.ts";
import { withFightFound, withPhase } from "./machine.ts";
import type { Change, DecideInput, Seen } from "./observation.ts";
import { type Conclusion, pendingFields, seenFields } from "./status.ts";

/** There is a difference, and the policy says not to write. What is declared no more is unmanaged all the same. */
export function driftConclusion(
  input: DecideInput,
  seen: Seen,
  { pending, released }: { readonly pending: readonly Difference[]; readonly released: readonly string[] },
): Conclusion {
  const { records, why } = policyOf(input.object);
  const base = different(seen, pending);
  return {
    ...base,
    ...(records && {
      stated: { ...base.stated, ...owned(input, seen, released) },
      events: releasedEvents(released),
    }),
    ...driftFound(pending, { why, nextResyncMs: seen.nextResyncMs }),
  };
}

/** There is a difference again, because another client changes the job back. */
export function fightConclusion({ object, now }: DecideInput, seen: Seen, pending: readonly Difference[]): Conclusion {
  const base = different(seen, pending);
  const stated = { ...base.stated, changes: withFightFound(object, now) };
  return { ...base, stated, ...fightFound(pending, { target: "job", nextResyncMs: seen.nextResyncMs }) };
}

// A job takes a change at once, or never.
const readBackMs = 2_000;

/** What a change comes to that Northflank has accepted, and that can be seen: nothing is known before it is. */
export const acceptedClaims: Pick<Conclusion, "readyState" | "inSync" | "next"> = {
  readyState: {
    kind: "progressing",
    reason: "ApplyingChange",
    message: "Northflank accepted the settings; they are read back before this is Ready.",
  },
  inSync: { status: "Unknown", reason: "ApplyingChange", message: "Not read back yet." },
  next: { kind: "recheck", afterMs: readBackMs },
};

/** The change was accepted, and Northflank still returns something else. */
export function readBackConclusion(
  seen: Seen,
  pending: readonly Difference[],
  { leftMs, elapsedMs }: { readonly leftMs: number; readonly elapsedMs: number },
): Conclusion {
  const afterMs = notAtOnce(Math.min(Math.max(readBackMs, elapsedMs), leftMs));
  return { ...different(seen, pending), ...acceptedClaims, next: { kind: "recheck", afterMs } };
}

/** The job cannot take what is declared. */
export function unsupportedConclusion(message: string, seen: Seen): Conclusion {
  return {
    ...unsupported(message),
    inSync: { status: "False", reason: "UnsupportedTarget", message: "The job cannot take what is declared." },
    stated: { ...seenFields(seen), pendingChanges: undefined },
  };
}

/** What a conclusion about a job that differs has in common. */
export function different(
  seen: Seen,
  pending: readonly Difference[],
): Pick<Conclusion, "stated" | "failure" | "events" | "sameDesire"> {
  const stated = { ...seenFields(seen), ...pendingFields(pending) };
  return { stated, failure: undefined, events: [], sameDesire: true };
}

// ---- settings that Northflank did not keep ----

/** The settings as they are sent: `billing.deploymentPlan` goes with all of `billing`. */
export function partsOf(pending: readonly Difference[]): readonly string[] {
  return [...new Set(pending.map(({ path }) => path.split(".", 1)[0] ?? path))];
}

/** What is declared, as far as it goes with these differences. */
export function partsIn(desire: Desire, pending: readonly Difference[]): Desire {
  const parts = partsOf(pending);
  const pick = (values: Desire["settings"]) =>
    Object.fromEntries(Object.entries(values).filter(([name]) => parts.includes(name)));
  return { ...desire, settings: pick(desire.settings), policy: pick(desire.policy) };
}

/** What to do about settings that Northflank did not keep: see `target/not-kept.ts`. */
export function decidePart(
  object: NorthflankJob,
  { desire }: Seen,
  { pending, mayBePart }: { readonly pending: readonly Difference[]; readonly mayBePart: boolean },
) {
  const phase = object.status?.changes?.[0]?.phase;
  return decideNotKept(object, { specHash: desire.specHash, parts: partsOf(pending), phase, mayBePart });
}

/** Northflank has accepted the settings twice, the second time alone, and does not have them. */
export function notKeptConclusion(input: DecideInput, seen: Seen, pending: readonly Difference[]): Conclusion {
  const { object, now, random, sinceChangeMs: elapsedMs = 0 } = input;
  const base = different(seen, pending);
  const stated = { ...base.stated, changes: withPhase(object, "NotKept", now) };
  return { ...base, stated, ...notKeptFound(pending, { elapsedMs, random }) };
}

/** The conclusion where the record of settings that are sent alone was not stored; `undefined`: they may be sent. */
export function notRecorded({ status }: NorthflankJob, { cause, seen, differences }: Change): Conclusion | undefined {
  if (cause !== "PartResent" || status?.notKept !== undefined) return undefined;
  return { ...different(seen, differences), ...recordNotStored("notKept") };
}

// pure
import type { NorthflankJob } from "../../api/job.ts";
import { decideNotKept } from "../target/not-kept.ts";
import { type Difference, notKeptFound } from "../target/out-of-sync.ts";
import { recordNotStored } from "../target/status.ts";
import type { Desire } from "./desired.ts";
import { withPhase } from "./machine.ts";
import type { Change, DecideInput, Seen } from "./observation.ts";
import { different } from "./out-of-sync.ts";
import type { Conclusion } from "./status.ts";

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
  const { message, next } = recordNotStored("notKept");
  const reason = "StatusNotStored";
  return {
    ...different(seen, differences),
    readyState: { kind: "stalled", reason, message },
    inSync: { status: "False", reason, message },
    next,
  };
}

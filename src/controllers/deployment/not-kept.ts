// pure

import type { DeploymentUpdate } from "../../northflank/types.ts";
import { decideNotKept } from "../target/not-kept.ts";
import { notKeptFound } from "../target/out-of-sync.ts";
import { wasSent } from "./changes.ts";
import { differentBase } from "./decisions.ts";
import type { Difference } from "./diff.ts";
import { withNotKept } from "./machine.ts";
import type { ChangeRecord, Conclusion, Facts } from "./observation.ts";

type Part = keyof DeploymentUpdate;

/** The smallest body that Northflank takes for these differences. */
export function partsIn(body: DeploymentUpdate, differences: readonly Difference[]): DeploymentUpdate {
  return Object.fromEntries(partsOf(differences).map((part) => [part, body[part]]));
}

/** `deployment.docker.configType` is a difference of `docker`. */
export function partsOf(pending: readonly Difference[]): readonly Part[] {
  return [...new Set(pending.map(({ path }) => path.split(".")[1] as Part))];
}

/** What to do about a part that Northflank did not keep: see `target/not-kept.ts`. */
export function decidePart({ object, desire, change, pending }: Facts) {
  if (!wasSent(change)) return undefined;
  const parts = partsOf(pending);
  const mayBePart = isSmaller(parts, desire.body, change) && isBeingReadBack(change);
  return decideNotKept(object, { specHash: desire.hash, parts, phase: change.phase, mayBePart });
}

/**
 * A source is sent alone only where more came with it. A source that is not in force although it was sent by itself is
 * taken to have been changed back by another client: that is for `drift.ts`.
 */
function isSmaller(parts: readonly Part[], body: DeploymentUpdate, { cause }: ChangeRecord): boolean {
  if (!parts.includes("external") && !parts.includes("internal")) return true;
  // A correction has sent no more than what differed.
  return cause === "SpecChanged" && parts.length < Object.values(body).filter((part) => part !== undefined).length;
}

/** Our change was accepted, and no read has found it in force with its rollout over. */
function isBeingReadBack({ phase, since, time }: ChangeRecord): boolean {
  return phase === "RollingOut" && since === time;
}

/** Northflank has accepted the part twice, the second time alone, and does not have it. */
export function notKeptConclusion(facts: Facts): Conclusion {
  const { object, desire, pending, now, random, age } = facts;
  const { elapsedMs } = age(object.status?.notKept?.time);
  const found = notKeptFound(pending, { elapsedMs, random });
  const base = differentBase(facts, "ChangeNotKept", found.readyState.message);
  const message = "Not all of what is declared is in force.";
  return {
    ...base,
    ...found,
    rolloutComplete: { status: "Unknown", reason: "ChangeNotKept", message },
    stated: { ...base.stated, changes: withNotKept(object, desire, now) },
  };
}

// pure
import type { Reason } from "../../api/reasons.ts";
import type { Random } from "../../util/random.ts";
import type { ReadyState } from "../reconcile/ready-state.ts";
import { slowProbeMs } from "../reconcile/remote-error.ts";
import { probeMoreRarely, type Requeue, requeueAfter } from "../reconcile/requeue.ts";
import { fightCorrections } from "./drift.ts";

/** Something that is not as declared, or that Northflank does not return and that was not sent. */
export interface Difference {
  readonly path: string;
  /** What Northflank returned; missing: nothing. */
  readonly from?: string;
  /** What is declared; missing where it may be a secret. */
  readonly to?: string;
}

/** The first few differences, for messages. */
export function differencesText(pending: readonly Difference[]): string {
  const shown = pending
    .slice(0, 3)
    .map(({ path, from, to }) =>
      to === undefined
        ? `${path} is not what was last sent`
        : `${path} is ${from ?? "not returned"}, declared is ${to}`,
    );
  return `${shown.join("; ")}${pending.length > 3 ? `; and ${pending.length - 3} more` : ""}`;
}

/** What is said of a target that differs, and when it is read again. */
export interface OutOfSync {
  readonly readyState: ReadyState;
  readonly inSync: { readonly status: "False"; readonly reason: Reason; readonly message: string };
  readonly next: Requeue;
}

/** There is a difference, and the policy says not to write. */
export function driftFound(
  pending: readonly Difference[],
  /** `why`: as `policyOf` has it. */
  facts: { readonly why: string; readonly nextResyncMs: number },
): OutOfSync {
  const message = `Northflank differs from what is declared: ${differencesText(pending)}. ${facts.why}.`;
  return outOfSync({ kind: "ready", reason: "DriftObserved", message }, requeueAfter(facts.nextResyncMs));
}

/** There is a difference again, because another client changes the target back. */
export function fightFound(
  pending: readonly Difference[],
  facts: { readonly target: "target" | "job"; readonly nextResyncMs: number },
): OutOfSync {
  const message =
    `Another client changed the ${facts.target} back after each of ${fightCorrections} corrections in a row: ` +
    `${differencesText(pending)}. Stop the other client (a pipeline, a template, continuous deployment) or remove the ` +
    "setting from the manifest; then change the spec or request a reconcile to send it once more (at most every 10m).";
  return outOfSync({ kind: "stalled", reason: "FightDetected", message }, withinAnHour(facts.nextResyncMs));
}

/** Northflank has accepted a part of a change twice, the second time alone, and does not have it. */
export function notKeptFound(
  pending: readonly Difference[],
  facts: { readonly elapsedMs: number; readonly random: Random },
): OutOfSync {
  const message =
    `Northflank accepted the change but did not keep all of it, also when it was sent alone: ${differencesText(pending)}. ` +
    "Set it in Northflank, change the spec, or request a reconcile to send it once more.";
  const next = probeMoreRarely(facts.elapsedMs, [firstProbeMs, slowProbeMs], facts.random);
  return outOfSync({ kind: "stalled", reason: "ChangeNotKept", message }, next);
}

// What was not kept may only be slow to be shown.
const firstProbeMs = 60_000;

/** A check at the next resync, and within an hour in any case. */
export function withinAnHour(nextResyncMs: number): Requeue {
  return { kind: "recheck", afterMs: Math.min(nextResyncMs, slowProbeMs), pause: { withinMs: slowProbeMs } };
}

function outOfSync(readyState: ReadyState, next: Requeue): OutOfSync {
  const { reason, message } = readyState;
  return { readyState, inSync: { status: "False", reason, message }, next };
}

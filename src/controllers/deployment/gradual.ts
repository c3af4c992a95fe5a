// pure
import { slowProbeMs } from "../reconcile/remote-error.ts";
import { ageOf } from "./ages.ts";
import type { Conclusion } from "./conclusion.ts";
import type { DecideInput, Seen } from "./decision.ts";
import { recordOf, sinceOf } from "./machine.ts";
import { pollPauseMs, type SameBase } from "./rolling.ts";

/*
 * A rollout by a strategy with steps. It stays IN_PROGRESS until a person, or whatever promotes it, lets it go on: that may
 * take days, is no failure, and is never put back.
 */

// A person is waited for: pauses grow with the time that it has taken, as far as those of a settled service.
const longestPollMs = 900_000;

/** The rollout of what is declared is gradual, and under way. */
export function gradualConclusion(input: DecideInput, seen: Seen, base: SameBase): Conclusion {
  const strategy = seen.service.gradualRolloutStrategyId?.slice(0, 64);
  const since = sinceOf(input.object, seen.desire, "AwaitingPromotion");
  const waitedMs = since === undefined ? 0 : ageOf(input, since).elapsedMs;
  const message =
    `Northflank rolls out ${seen.desire.source} gradually (strategy ${strategy}) and waits for its promotion. Promote ` +
    `it in Northflank, or declare another source; no time limit applies.`;
  return {
    ...base,
    // Should it cease to be gradual, its limit does not count from the change.
    stated: { ...base.stated, ...recordOf(base.found, "gradual") },
    verdict: { kind: "progressing", reason: "AwaitingPromotion", message },
    rolloutComplete: {
      status: "Unknown",
      reason: "AwaitingPromotion",
      message: "The rollout is gradual and not over.",
    },
    next: {
      kind: "recheck",
      afterMs: gradualPauseMs(waitedMs, input.settings),
      pause: { everyMs: [input.settings.rolloutPollIntervalMs, longestPollMs] },
    },
  };
}

/** The pause between two polls of a gradual rollout. */
export function gradualPauseMs(waitedMs: number, settings: DecideInput["settings"]): number {
  return Math.max(pollPauseMs(waitedMs, slowProbeMs, settings), Math.round(Math.min(waitedMs / 8, longestPollMs)));
}

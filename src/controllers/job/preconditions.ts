// pure
import { slowProbeMs } from "../reconcile/remote-error.ts";
import { probeAfter } from "../reconcile/requeue.ts";
import { nothingLearned, type TargetWords, type Unmet, unmetConclusion } from "../target/preconditions.ts";
import type { Seen } from "./observation.ts";
import { seenFields } from "./seen.ts";
import type { Conclusion } from "./status.ts";

const words: TargetWords = {
  kind: "NorthflankJob",
  target: "job",
  onConflict: "Put all settings into one of the two",
};

/** What an unmet precondition comes to. */
export function notMetConclusion(unmet: Unmet, sameDesire: boolean | undefined): Conclusion {
  const conclusion = unmetConclusion(unmet, words, sameDesire);
  // The other object sends what it likes meanwhile: of what was sent from here, nothing is known to be in force any more.
  return unmet.kind === "conflict" ? { ...conclusion, stated: { applied: undefined } } : conclusion;
}

/** The job cannot take what is declared. */
export function unsupportedConclusion(message: string, seen: Seen): Conclusion {
  return {
    ...nothingLearned,
    verdict: { kind: "stalled", reason: "UnsupportedTarget", message },
    inSync: { status: "False", reason: "UnsupportedTarget", message: "The job cannot take what is declared." },
    stated: { ...seenFields(seen), pendingChanges: undefined },
    next: probeAfter(slowProbeMs),
    sameDesire: false,
  };
}

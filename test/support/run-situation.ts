import type { NorthflankJobRun } from "../../src/api/job-run.ts";
import { type RunSettings, type Situation, situationOf } from "../../src/controllers/job-run/result.ts";

/** The settings of runs, with their defaults. */
export const runSettings: RunSettings = {
  runPollIntervalMs: 10_000,
  startSettleMs: 30_000,
  startGateMs: 5_000,
  requestTimeoutMs: 30_000,
};

/** What a decision is made from: an object that has just been created, unless `more` says otherwise. */
export function runSituation(object: NorthflankJobRun, now: number, more: Partial<Situation> = {}): Situation {
  const ages = { sinceCreationMs: 0, sinceStartMs: 0, sinceEndMs: 0, doubtMs: undefined };
  return situationOf({ ...ages, object, now, random: () => 0.5, settings: runSettings, ...more });
}

import type { Reason } from "../../../src/api/reasons.ts";
import { credentials } from "./runbook/credentials.ts";
import type { RunbookEntry } from "./runbook/entry.ts";
import { good } from "./runbook/good.ts";
import { happened, progress } from "./runbook/progress.ts";
import { rollouts } from "./runbook/rollouts.ts";
import { runs } from "./runbook/runs.ts";
import { targets } from "./runbook/targets.ts";
import { waiting } from "./runbook/waiting.ts";

/** What to do about each reason; one that is missing does not compile. */
export const runbook: Readonly<Record<Reason, RunbookEntry>> = {
  ...credentials,
  ...targets,
  ...rollouts,
  ...runs,
  ...waiting,
  ...progress,
  ...happened,
  ...good,
};

/** The sections of the page, the most urgent first. */
export const runbookSections: readonly { readonly title: string; readonly entries: object }[] = [
  { title: "Tokens, Secrets and permissions", entries: credentials },
  { title: "Specs and targets", entries: targets },
  { title: "Rollouts and builds", entries: rollouts },
  { title: "Runs", entries: runs },
  { title: "Waiting and retrying", entries: waiting },
  { title: "In progress", entries: progress },
  { title: "Only in Events", entries: happened },
  { title: "Nothing to do", entries: good },
];

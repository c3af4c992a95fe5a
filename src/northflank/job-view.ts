// pure
import { booleanOf, type JsonObject, objectOf, textOf } from "./json.ts";
import { toSourceView } from "./source-view.ts";
import type { JobSettingsView, JobSource, JobView } from "./types.ts";

/** Reads the `data` of "get job"; `undefined` when it is no job. */
export function toJobView(data: unknown): JobView | undefined {
  const job = objectOf(data);
  const id = textOf(job?.id);
  if (job === undefined || id === undefined) return undefined;
  const { docker, buildpack } = toSourceView(objectOf(job.deployment) ?? {});
  return {
    id,
    createdAt: textOf(job.createdAt),
    uid: textOf(job.uid),
    jobType: textOf(job.jobType),
    disabledCD: booleanOf(job.disabledCD),
    // The patch of a manual job answers with it on top, that of any job under `settings`.
    runOnSourceChange: textOf(objectOf(job.settings)?.runOnSourceChange) ?? textOf(job.runOnSourceChange),
    docker,
    buildpack,
  };
}

/**
 * Reads the `data` of the deprecated "get job deployment"; `undefined` when it is no object. A job that builds its own
 * repository has neither an image nor a build that is returned.
 */
export function toJobSource(data: unknown): JobSource | undefined {
  const deployment = objectOf(data);
  if (deployment === undefined) return undefined;
  const { image, external, internal } = toSourceView(deployment);
  return { image, external, internal };
}

// What "patch job" takes and a response may hold; values of environments, arguments and files are secrets and stay out.
const returnedSettings = [
  "description",
  "stageId",
  "tags",
  "billing",
  "disabledCI",
  "buildConfiguration",
  "buildSettings",
  "healthChecks",
] as const;
const returnedPolicy = ["backoffLimit", "activeDeadlineSeconds", "runOnSourceChange"] as const;

/** Reads the settings in the `data` of "get job"; `undefined` when it is no job. */
export function toJobSettings(data: unknown): JobSettingsView | undefined {
  const job = objectOf(data);
  if (job === undefined || textOf(job.id) === undefined) return undefined;
  // The deprecated patches answer with the policy on top.
  const policy = { ...pick(job, returnedPolicy), ...pick(objectOf(job.settings) ?? {}, returnedPolicy) };
  const jobType = textOf(job.jobType);
  const schedule = objectOf(objectOf(job.settings)?.cron) ?? job;
  // Returned for manual jobs as well, which have no schedule.
  const suspended = jobType === "manual" ? undefined : (booleanOf(schedule.suspended) ?? booleanOf(job.suspended));
  const cron = cronOf(schedule, suspended);
  const settings = { ...policy, ...(cron !== undefined && { cron }) };
  return {
    uid: textOf(job.uid),
    jobType,
    settings: { ...pick(job, returnedSettings), ...(Object.keys(settings).length > 0 && { settings }) },
  };
}

/** The policy is returned as Allow, Forbid and Replace, and accepted in lower case. */
function cronOf(returned: JsonObject, suspended: boolean | undefined): JsonObject | undefined {
  const schedule = textOf(returned.schedule);
  const concurrencyPolicy = textOf(returned.concurrencyPolicy)?.toLowerCase();
  if (schedule === undefined && concurrencyPolicy === undefined && suspended === undefined) return undefined;
  return {
    ...(schedule !== undefined && { schedule }),
    ...(concurrencyPolicy !== undefined && { concurrencyPolicy }),
    ...(suspended !== undefined && { suspended }),
  };
}

function pick(from: JsonObject, keys: readonly string[]): JsonObject {
  return Object.fromEntries(keys.flatMap((key) => (isReturned(from[key]) ? [[key, from[key]]] : [])));
}

function isReturned(value: unknown): boolean {
  return value !== undefined && value !== null;
}

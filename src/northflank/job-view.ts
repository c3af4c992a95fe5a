// pure
import { booleanOf, objectOf, textOf } from "./json.ts";
import { toSourceView } from "./source-view.ts";
import type { JobSource, JobView } from "./types.ts";

/** Reads the `data` of "get job"; `undefined` when it is no job. */
export function toJobView(data: unknown): JobView | undefined {
  const job = objectOf(data);
  const id = textOf(job?.id);
  if (job === undefined || id === undefined) return undefined;
  const { docker, buildpack } = toSourceView(objectOf(job.deployment) ?? {});
  return {
    id,
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
 * repository has neither an image nor a build that is told.
 */
export function toJobSource(data: unknown): JobSource | undefined {
  const deployment = objectOf(data);
  if (deployment === undefined) return undefined;
  const { image, external, internal } = toSourceView(deployment);
  return { image, external, internal };
}

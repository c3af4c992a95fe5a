// pure

import type { NorthflankJobRun, NorthflankJobRunSpec } from "../../api/job-run.ts";
import type { FileContent, RunRequest } from "../../northflank/types.ts";
import { present } from "../../util/present.ts";

/** Names the job in calls. */
export function jobOf({ spec }: NorthflankJobRun): { readonly projectId: string; readonly jobId: string } {
  return { projectId: spec.projectId, jobId: spec.jobId };
}

/** Values and contents that came from literals and references together. Never stored, logged or shown. */
export interface RunValues {
  readonly environment: Readonly<Record<string, string>>;
  readonly files: Readonly<Record<string, FileContent>>;
}

/** The body of the call that starts the run. Made right before it, from values that live in the reconcile only. */
export function runBodyOf(spec: NorthflankJobRunSpec, values: RunValues): RunRequest {
  const { dockerSecretMounts, billing, deployment } = spec;
  const [runtimeEnvironment, runtimeFiles] = [unlessEmpty(values.environment), unlessEmpty(values.files)];
  return present({ runtimeEnvironment, runtimeFiles, dockerSecretMounts, billing, deployment });
}

function unlessEmpty<T extends object>(map: T): T | undefined {
  return Object.keys(map).length === 0 ? undefined : map;
}

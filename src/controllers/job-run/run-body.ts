// pure
import type { NorthflankJobRunSpec } from "../../api/job-run.ts";
import type { FileContent, RunRequest } from "../../northflank/types.ts";

/** Values and contents that came from literals and references together. Never stored, logged or shown. */
export interface RunValues {
  readonly environment: Readonly<Record<string, string>>;
  readonly files: Readonly<Record<string, FileContent>>;
}

/** The body of the call that starts the run. Made right before it, from values that live in the pass only. */
export function runBodyOf(spec: NorthflankJobRunSpec, values: RunValues): RunRequest {
  const { dockerSecretMounts, billing, deployment } = spec;
  return {
    ...(isEmpty(values.environment) ? {} : { runtimeEnvironment: values.environment }),
    ...(isEmpty(values.files) ? {} : { runtimeFiles: values.files }),
    ...(dockerSecretMounts === undefined ? {} : { dockerSecretMounts }),
    ...(billing === undefined ? {} : { billing }),
    ...(deployment === undefined ? {} : { deployment }),
  };
}

function isEmpty(map: object): boolean {
  return Object.keys(map).length === 0;
}

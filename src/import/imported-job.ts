// pure
import { apiVersion, northflankJobs } from "../api/names.ts";
import { formatProblem, type Problem } from "../api/problem.ts";
import type { JobSettingsView } from "../northflank/types.ts";
import { present } from "../util/present.ts";
import { isRecord } from "../util/records.ts";
import type { Imported, ImportTarget } from "./imported-service.ts";

/**
 * The manifest that declares the settings of a job that Northflank returns. Environments, files and build arguments may
 * hold secrets, so they are dropped when the response is read; a note says how to refer to them.
 *
 * `validate` returns the problems of a manifest. A setting with a problem is left out, and named in a note.
 */
export function importJob(
  view: JobSettingsView,
  target: ImportTarget & { readonly jobId: string },
  validate: (manifest: object) => readonly Problem[],
): Imported {
  const declared = new Map<string, unknown>();
  const refused: string[] = [];
  for (const [name, value] of flattened(view)) {
    const [problem] = validate(manifestOf(target, { [name]: value }));
    if (problem === undefined) declared.set(name, value);
    else
      refused.push(
        `The setting ${name} is left out, because it is not valid in a manifest: ${formatProblem(problem)}.`,
      );
  }
  if (declared.size === 0) return { kind: "left-out", reason: "Northflank returns none of its settings" };
  const notes = [...refused, secretsNote(target.name)];
  return { kind: "manifest", manifest: manifestOf(target, Object.fromEntries(declared)), notes };
}

/** All settings on one level, the run policy included; empty values are left out. */
function flattened({ settings }: JobSettingsView): readonly (readonly [string, unknown])[] {
  const { settings: policy, ...rest } = settings;
  const all = [...Object.entries(rest), ...(isRecord(policy) ? Object.entries(policy) : [])];
  return all.map(([name, value]) => [name, withoutEmpty(value)] as const).filter(([, value]) => value !== undefined);
}

/** `undefined` for an empty text, list or object, and for an object with nothing but such values. */
function withoutEmpty(value: unknown): unknown {
  if (value === "" || value === null) return undefined;
  if (Array.isArray(value)) return value.length === 0 ? undefined : value;
  if (!isRecord(value)) return value;
  const entries = Object.entries(value).flatMap(([key, inner]) => {
    const kept = withoutEmpty(inner);
    return kept === undefined ? [] : [[key, kept] as const];
  });
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

function manifestOf(target: ImportTarget & { readonly jobId: string }, settings: object): object {
  const { projectId, jobId, name, connectionName, isObserved } = target;
  const spec = present({
    connectionRef: connectionName === undefined ? undefined : { name: connectionName },
    projectId,
    jobId,
    settings,
    managementPolicy: isObserved ? "Observe" : undefined,
  });
  return { apiVersion, kind: northflankJobs.kind, metadata: { name }, spec };
}

function secretsNote(name: string): string {
  return `Environment, files and build arguments are not printed: they may hold secrets. To own a variable, keep its value
in a Secret and add to settings:
  runtimeEnvironmentFrom:
    - name: DATABASE_URL
      secretKeyRef: {name: ${name}-env, key: DATABASE_URL}`;
}

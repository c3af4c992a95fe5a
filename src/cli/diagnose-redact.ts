// pure
import { group } from "../api/names.ts";
import { isRecord } from "../util/records.ts";

/** What stands in place of a text that may be a secret. */
export const removed = "(removed)";

/**
 * Texts of a spec that are kept: names, ids and choices. All others are removed, such as values of variables, contents of
 * files, commands and arguments; names of variables and numbers stay.
 */
const keptTexts: ReadonlySet<string> = new Set(
  (
    "name key projectId serviceId jobId teamId apiURL poolName imagePath id branch buildSHA buildId managementPolicy " +
    "continuousDeployment onFailure startGuarantee concurrencyPolicy deletionPolicy jobType runOnSourceChange configType " +
    "deploymentPlan allowedProjects"
  ).split(" "),
);

/** Maps whose keys are chosen by users, and whose values are never kept, whatever their keys. */
const freeMaps =
  /^(?:runtimeEnvironment|buildArguments|runtimeFiles|buildFiles|dockerSecretMounts|dockerCredentials|secrets?|labels|tags)$/;

type Json = unknown;

/** A spec without texts that may be secrets. */
export function redactedSpec(value: Json, name = "", isKept = true): Json {
  if (Array.isArray(value)) return value.map((item) => redactedSpec(item, name, isKept));
  if (isRecord(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, redactedSpec(inner, key, isKept && !freeMaps.test(key))]),
    );
  }
  if (typeof value !== "string") return value;
  return isKept && keptTexts.has(name) ? value : removed;
}

/** An object of ours as the bundle has it: what the operator says of it, and its spec without values. */
export function redactedObject({ apiVersion, kind, metadata, spec, status }: Readonly<Record<string, Json>>): object {
  const { name, namespace, uid, generation, creationTimestamp, deletionTimestamp, finalizers, annotations } = isRecord(
    metadata,
  )
    ? metadata
    : {};
  const ours = isRecord(annotations)
    ? Object.fromEntries(Object.entries(annotations).filter(([key]) => key.startsWith(`${group}/`)))
    : undefined;
  // Hashes of values that Northflank does not return: of no use to a reader.
  const { applied: _applied, ...rest } = isRecord(status) ? status : {};
  const kept = {
    name,
    namespace,
    uid,
    generation,
    creationTimestamp,
    deletionTimestamp,
    finalizers,
    annotations: ours,
  };
  return { apiVersion, kind, metadata: kept, spec: redactedSpec(spec), status: rest };
}

/** A pod of the operator: its images, flags and restarts, and the names of its variables. */
export function redactedPod(pod: Readonly<Record<string, Json>>, knownFlags: ReadonlySet<string>): object {
  const { metadata, spec, status } = pod;
  const containers = (isRecord(spec) && Array.isArray(spec.containers) ? spec.containers : []).filter(isRecord);
  const states = (isRecord(status) && Array.isArray(status.containerStatuses) ? status.containerStatuses : []).filter(
    isRecord,
  );
  return {
    name: isRecord(metadata) ? metadata.name : undefined,
    phase: isRecord(status) ? status.phase : undefined,
    containers: containers.map(({ name, image, args, env, resources, ports }) => ({
      ...{ name, image, resources, ports },
      args: (Array.isArray(args) ? args : []).map((arg) => redactedArg(String(arg), knownFlags)),
      variables: (Array.isArray(env) ? env : []).filter(isRecord).map((variable) => variable.name),
    })),
    states: states.map(({ name, ready, restartCount, state, lastState }) => ({
      ...{ name, ready, restartCount },
      state: stateOf(state),
      lastState: stateOf(lastState),
    })),
  };
}

/** Flags of the program take no secrets; of anything else only the name is kept. */
function redactedArg(arg: string, knownFlags: ReadonlySet<string>): string {
  if (arg === "run") return arg;
  const [, flag = "", value] = /^(--[a-z-]+)(=.*)?$/s.exec(arg) ?? [];
  if (flag === "") return removed;
  return knownFlags.has(flag) && !arg.includes("@") ? arg : `${flag}${value === undefined ? "" : `=${removed}`}`;
}

/** Without its message, which may quote the end of a log. */
function stateOf(state: Json): Json {
  if (!isRecord(state)) return undefined;
  return Object.fromEntries(
    Object.entries(state).map(([kind, facts]) => {
      const { reason, exitCode, startedAt, finishedAt } = isRecord(facts) ? facts : {};
      return [kind, { reason, exitCode, startedAt, finishedAt }];
    }),
  );
}

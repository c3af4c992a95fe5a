import type { NorthflankDeployment } from "../api/deployment.ts";
import type { NorthflankJob } from "../api/job.ts";
import type { NorthflankJobRun } from "../api/job-run.ts";
import { northflankConnections, northflankDeployments, northflankJobRuns, northflankJobs } from "../api/names.ts";
import type { Path } from "../api/stored.ts";
import { createValidator } from "../api/validate.ts";
import { defaultConnectionName } from "../controllers/reconcile/predicates.ts";
import {
  describe,
  type Flag,
  flag,
  formatConfigProblem,
  list,
  oneOf,
  Refusal,
  readSettings,
  type Settings,
  switchFlag,
} from "../flags.ts";
import { createOfflineCluster } from "../plan/offline-cluster.ts";
import { createPlanner, type Planner } from "../plan/plan.ts";
import { held, type Planned } from "../plan/planned.ts";
import { mapConcurrently } from "../util/map-concurrently.ts";
import type { ExitCode } from "./io.ts";
import { findManifestFiles } from "./manifest-files.ts";
import { formatReport, nothingOfOurs, outputFormats } from "./manifest-report.ts";
import { collectObjects, type OurObject, type PlacedObject, type PlanObjects } from "./plan-objects.ts";
import { formatPlan, type PlanEntry, type PlanReport, summarize } from "./plan-report.ts";
import { plainLine } from "./printable.ts";
import { openRemote, type Remote, type ToolDeps } from "./remote.ts";
import { type RemoteSettings, readRemoteSettings, remoteFlags, remoteHelp } from "./remote-settings.ts";
import { judgeFile } from "./validate.ts";

const names = (value: string): readonly string[] | Refusal => {
  const found = list(value);
  return found.length > 0 ? found : new Refusal("the names of one or more connections are expected");
};

const ownFlags = {
  output: {
    ...flag("output", "F", "text", oneOf(...outputFormats), `output format: ${outputFormats.join("|")}`),
    short: "o",
  },
  connection: flag("connection", "a,b", undefined, names, "only objects of these connections; by default all"),
  ignoreRuns: switchFlag("ignore-runs", "do not exit with 3 for runs that would start"),
  allowEmpty: switchFlag("allow-empty", "exit with 0 if the input has no manifest of this operator"),
} as const;

/** The flags of `plan`, for its help and the reference. */
export const flagsOfPlan: readonly Flag<unknown>[] = [...Object.values(ownFlags), ...Object.values(remoteFlags)];

const usage = () => `usage: northflank-operator plan FILES|DIRS|- [FLAGS]

Shows what applying manifests would change at Northflank, field by field. It needs no cluster and changes nothing: it
reads and decides with the code of the operator. Objects are assumed to be new to the cluster. What Northflank does not
return, or the files do not contain, is named and not compared. The token is used for every connection; with several
accounts, plan one at a time (--connection).

${remoteHelp}

${describe(flagsOfPlan)}

exit codes: 0 nothing to do, 3 something would change, 1 a manifest is not valid, or an object could not be planned or would not
become Ready, 2 wrong usage, a file that cannot be read, or no manifest of this operator
`;

/** `northflank-operator plan`: shows what applying manifests would change at Northflank. */
export async function runPlan(args: readonly string[], deps: ToolDeps): Promise<ExitCode> {
  const { io, env } = deps;
  const settings = readSettings({ command: "plan", flags: flagsOfPlan, args, env, takesFiles: true });
  if (settings.kind === "help") {
    io.out(usage());
    return 0;
  }
  const remote = await readRemoteSettings(settings, env);
  const missing = { name: "FILES", value: undefined, expectation: "a file, a directory or - is expected" };
  const problems = [...settings.problems, ...(settings.positionals.length === 0 ? [missing] : [])];
  if (remote.kind === "problems" || problems.length > 0) {
    io.err("northflank-operator plan: the arguments are not valid\n");
    const all = [...problems, ...(remote.kind === "problems" ? remote.problems : [])];
    for (const problem of all) io.err(`  ${plainLine(formatConfigProblem(problem))}\n`);
    return 2;
  }
  const found = await findManifestFiles(settings.positionals, io);
  if (found.kind === "problems") {
    for (const problem of found.problems) io.err(`northflank-operator plan: ${plainLine(problem)}\n`);
    return 2;
  }
  const validator = createValidator();
  const files = found.files.map((file) => ({ name: file.name, judged: judgeFile(file, validator) }));
  return await planFiles({ files, settings, remoteSettings: remote.settings }, deps);
}

type Read = Settings & { readonly kind: "settings" };

interface Work {
  readonly files: Parameters<typeof collectObjects>[0];
  readonly settings: Read;
  readonly remoteSettings: RemoteSettings;
}

async function planFiles({ files, settings, remoteSettings }: Work, deps: ToolDeps): Promise<ExitCode> {
  const { io } = deps;
  const output = settings.of(ownFlags.output);
  const findings = files.flatMap(({ judged }) => judged.flatMap((each) => each.findings));
  if (findings.length > 0) {
    const ours = files.flatMap(({ judged }) => judged.filter(({ kind }) => kind === "ours"));
    const bad = ours.filter((each) => each.findings.length > 0).length;
    const report = { entries: [], findings, requests: 0 };
    io.out(
      output === "json"
        ? formatPlan(output, report)
        : formatReport(output, findings, { checked: ours.length, bad, skipped: 0 }),
    );
    io.err("northflank-operator plan: nothing was planned, because there are invalid manifests\n");
    return 1;
  }
  const hasOurs = files.some(({ judged }) => judged.some(({ kind }) => kind === "ours"));
  if (!hasOurs && !settings.of(ownFlags.allowEmpty)) {
    io.err(`northflank-operator plan: ${nothingOfOurs(settings.positionals)}\n`);
    return 2;
  }
  const objects = collectObjects(files);
  const only = settings.of(ownFlags.connection);
  const unused = unusedName(objects, only);
  if (unused !== undefined) {
    const expectation = "the connection of an object in the files is expected";
    io.err(
      `northflank-operator plan: ${plainLine(formatConfigProblem({ name: settings.nameOf(ownFlags.connection), value: unused, expectation }))}\n`,
    );
    return 2;
  }
  await using remote = openRemote(remoteSettings, deps);
  const entries = await planObjects({ objects, remote, remoteSettings, only }, deps);
  remote.progress.clear();
  const report: PlanReport = { entries, findings, requests: remote.requests() };
  io.out(formatPlan(output, report));
  io.err(`${remote.spent()}\n`);
  return exitCodeOf(entries, settings.of(ownFlags.ignoreRuns));
}

/** The first name that no object refers to: a slip of the pen would else plan nothing and pass. */
function unusedName({ placed }: PlanObjects, only: readonly string[] | undefined): string | undefined {
  const used = new Set(placed.filter(isPlanned).map(({ object }) => connectionOf(object)));
  return only?.find((name) => !used.has(name));
}

function isPlanned({ object }: PlacedObject): boolean {
  return object.kind !== northflankConnections.kind;
}

function connectionOf({ spec }: OurObject): string {
  return spec.connectionRef?.name ?? defaultConnectionName;
}

function exitCodeOf(entries: readonly PlanEntry[], ignoreRuns: boolean): ExitCode {
  const { error, change, start } = summarize(entries);
  if (error > 0) return 1;
  return change > 0 || (start > 0 && !ignoreRuns) ? 3 : 0;
}

// Enough to hide the way to the API, few enough to leave it to others.
const atOnce = 4;

async function planObjects(
  work: {
    readonly objects: PlanObjects;
    readonly remote: Remote;
    readonly remoteSettings: RemoteSettings;
    /** Names of connections; `undefined`: all. */
    readonly only: readonly string[] | undefined;
  },
  { clock, random }: ToolDeps,
): Promise<readonly PlanEntry[]> {
  const { objects, remote, remoteSettings, only } = work;
  const cluster = createOfflineCluster(objects, {
    ...remoteSettings,
    defaultApiUrl: remoteSettings.apiUrl.href.replace(/\/$/, ""),
    openApi: remote.openApi,
    clock,
    random,
  });
  const { signal } = new AbortController();
  const planner = createPlanner({ cluster, quotaWait: remote.quotaWait, clock, random, signal });
  const toPlan = objects.placed.filter(isPlanned);
  let done = 0;
  const show = () =>
    remote.progress.show(`planning: ${done} of ${toPlan.length} objects; ${remote.requests()} requests`);
  show();
  return await mapConcurrently(toPlan, atOnce, async (placed) => {
    const entry = entryOf(placed, await planObject(planner, placed, only));
    done += 1;
    show();
    return entry;
  });
}

async function planObject(
  planner: Planner,
  { object }: PlacedObject,
  only: readonly string[] | undefined,
): Promise<Planned> {
  const connection = connectionOf(object);
  if (only !== undefined && !only.includes(connection)) return held(`--connection leaves out "${connection}"`);
  // The casts are sound: the objects were judged by the schemas of their kinds.
  switch (object.kind) {
    case northflankDeployments.kind:
      return await planner.deployment(object as NorthflankDeployment);
    case northflankJobs.kind:
      return await planner.job(object as NorthflankJob);
    case northflankJobRuns.kind:
      return await planner.jobRun(object as NorthflankJobRun);
    default:
      return held(`this version does not plan objects of kind ${object.kind}`);
  }
}

function entryOf({ file, object, locate }: PlacedObject, planned: Planned): PlanEntry {
  const { kind, metadata } = object;
  return {
    file,
    kind,
    namespace: metadata.namespace ?? "",
    name: metadata.name,
    target: targetText(object.spec),
    planned,
    lineOf: (path) => locate(path === undefined ? [] : pathOf(path)).line,
  };
}

function targetText({ projectId, serviceId, jobId }: OurObject["spec"]): string {
  return `${serviceId === undefined ? `job "${jobId}"` : `service "${serviceId}"`} of project "${projectId}"`;
}

/** `deployment.external.imagePath` as a path of the object. A key with a dot in it leads to the field around it. */
function pathOf(changePath: string): Path {
  return ["spec", ...changePath.split(".")];
}

import { apiVersion, northflankConnections } from "../api/names.ts";
import { createValidator } from "../api/validate.ts";
import { explained, withRemedy } from "../command-remedies.ts";
import { withTokenCheck } from "../controllers/account/auth-tracking-api.ts";
import {
  describe,
  type Flag,
  flag,
  formatConfigProblem,
  list,
  Refusal,
  readSettings,
  type Settings,
  switchFlag,
} from "../flags.ts";
import { importJob } from "../import/imported-job.ts";
import { buildServiceReason, type Imported, type ImportTarget, importService } from "../import/imported-service.ts";
import { createNames } from "../import/kubernetes-name.ts";
import { type ProjectContents, type Reading, readProject } from "../import/read-project.ts";
import { isNorthflankError, type NorthflankError } from "../northflank/errors.ts";
import { type NameKind, nameProblem } from "../northflank/names.ts";
import type { JobSettingsView, ServiceView } from "../northflank/types.ts";
import { assertNever } from "../util/assert-never.ts";
import type { Clock } from "../util/clock.ts";
import { formatImport, type ImportedItem } from "./imported-text.ts";
import type { ExitCode } from "./io.ts";
import { plainLine } from "./printable.ts";
import { openRemote, type Remote, type ToolDeps } from "./remote.ts";
import { defaultApiUrl, type RemoteSettings, readRemoteSettings, remoteFlags, remoteHelp } from "./remote-settings.ts";

const nameOf =
  (kind: NameKind) =>
  (value: string): string | Refusal => {
    const problem = nameProblem(kind, value);
    return problem === undefined ? value : new Refusal(problem);
  };

const namesOf =
  (kind: NameKind) =>
  (value: string): readonly string[] | Refusal => {
    const names = list(value);
    const problem = names.length === 0 ? "at least one ID is expected" : undefined;
    const wrong = names.map((name) => nameProblem(kind, name)).find((each) => each !== undefined);
    const refused = problem ?? wrong;
    return refused === undefined ? names : new Refusal(refused);
  };

const kubernetesName = (value: string): string | Refusal =>
  /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(value)
    ? value
    : new Refusal("a Kubernetes name is expected: lower-case letters, digits and hyphens");

const ownFlags = {
  project: flag("project", "ID", undefined, nameOf("project"), "project to import"),
  service: flag(
    "service",
    "a,b",
    undefined,
    namesOf("service"),
    "only these services; by default all, or none if --job is given",
  ),
  job: flag("job", "a,b", undefined, namesOf("job"), "only these jobs; by default all, or none if --service is given"),
  connection: flag(
    "connection",
    "NAME",
    "default",
    kubernetesName,
    "name of the NorthflankConnection that the objects refer to",
  ),
  observe: switchFlag("observe", "set managementPolicy to Observe, so that the operator writes nothing to Northflank"),
} as const;

/** The flags of `import`, for its help and the reference. */
export const flagsOfImport: readonly Flag<unknown>[] = [...Object.values(ownFlags), ...Object.values(remoteFlags)];

const usage = () => `usage: northflank-operator import --project ID [FLAGS]

Reads a Northflank project and prints manifests for it: one NorthflankConnection, a NorthflankDeployment for each service
with an image or a build, and a NorthflankJob with its settings for each job. It changes nothing at Northflank and never
prints values of secrets. What cannot be declared is listed at the end as comments, with the reason.

${remoteHelp}

${describe(flagsOfImport)}

exit codes: 0 done, 1 something could not be read or declared, 2 wrong usage
`;

/** `northflank-operator import`: prints manifests for what a project has. */
export async function runImport(args: readonly string[], deps: ToolDeps): Promise<ExitCode> {
  const { io } = deps;
  const settings = readSettings({ command: "import", flags: flagsOfImport, args, env: deps.env });
  if (settings.kind === "help") {
    io.out(usage());
    return 0;
  }
  const remote = await readRemoteSettings(settings, deps.env);
  const problems = [...settings.problems, ...projectProblems(settings)];
  if (remote.kind === "problems" || problems.length > 0) {
    const all = [...problems, ...(remote.kind === "problems" ? remote.problems : [])];
    io.err(`northflank-operator import: the flags are not valid\n`);
    for (const problem of all) io.err(`  ${plainLine(formatConfigProblem(problem))}\n`);
    return 2;
  }
  return await importProject({ settings, remoteSettings: remote.settings }, deps);
}

type Read = Settings & { readonly kind: "settings" };

function projectProblems({ of, problems, nameOf: name }: Read) {
  const flagName = name(ownFlags.project);
  if (of(ownFlags.project) !== undefined || problems.some((problem) => problem.name === flagName)) return [];
  return [{ name: flagName, value: undefined, expectation: "a project ID is expected" }];
}

async function importProject(
  { settings, remoteSettings }: { readonly settings: Read; readonly remoteSettings: RemoteSettings },
  deps: ToolDeps,
): Promise<ExitCode> {
  const { io } = deps;
  await using remote = openRemote(remoteSettings, deps);
  const asked = askedFor(settings);
  const contents = await readContents(remote, remoteSettings, asked, deps.clock);
  remote.progress.clear();
  if (contents.kind === "failed") {
    io.err(`northflank-operator import: ${plainLine(explained(contents.error))}\n${remote.spent()}\n`);
    return 1;
  }
  const { services, jobs, isTruncated } = contents.contents;
  const validator = createValidator();
  const serviceTarget = createTargets(asked);
  const jobTarget = createTargets(asked);
  const toJob = (jobId: string) => (view: JobSettingsView) =>
    importJob(view, { ...jobTarget(jobId), jobId }, validator.validateManifest);
  const toService = (serviceId: string) => (view: ServiceView) =>
    importService(view, { ...serviceTarget(serviceId), serviceId });
  const items = [
    { title: "the connection", imported: connectionOf(asked, remoteSettings) },
    ...services.map((reading) => itemOf("service", reading, toService(reading.id))),
    ...jobs.map((reading) => itemOf("job", reading, toJob(reading.id))),
  ];
  const { text, written, leftOut } = formatImport({ head: headOf(asked), items }, validator);
  io.out(text);
  for (const line of leftOut) io.err(`not imported: ${plainLine(line)}\n`);
  if (isTruncated) io.err("the API did not return the end of a list: there is more than was imported\n");
  io.err(`${written} manifest${written === 1 ? "" : "s"} printed, ${leftOut.length} left out. ${remote.spent()}\n`);
  const isMissed =
    [...services, ...jobs].some(({ kind }) => kind === "failed") || (asked.isSelection && leftOut.length > 0);
  return isMissed || isTruncated ? 1 : 0;
}

/** What the flags select. */
interface Asked {
  readonly projectId: string;
  readonly services: readonly string[] | "all";
  readonly jobs: readonly string[] | "all";
  readonly isSelection: boolean;
  readonly connectionName: string;
  readonly isObserved: boolean;
}

function askedFor({ of }: Read): Asked {
  const services: readonly string[] | undefined = of(ownFlags.service);
  const jobs: readonly string[] | undefined = of(ownFlags.job);
  const isSelection = services !== undefined || jobs !== undefined;
  const others = isSelection ? [] : "all";
  return {
    projectId: of(ownFlags.project),
    services: services ?? others,
    jobs: jobs ?? others,
    isSelection,
    connectionName: of(ownFlags.connection),
    isObserved: of(ownFlags.observe),
  };
}

type Contents =
  | { readonly kind: "contents"; readonly contents: ProjectContents }
  | { readonly kind: "failed"; readonly error: NorthflankError };

async function readContents(remote: Remote, settings: RemoteSettings, asked: Asked, clock: Clock): Promise<Contents> {
  const { teamId, token, maxRequestsPerHour, apiUrl } = settings;
  const baseUrl = apiUrl.href.replace(/\/$/, "");
  const onProgress = ({ done, total }: { readonly done: number; readonly total: number }) =>
    remote.progress.show(`reading project ${asked.projectId}: ${done} of ${total}; ${remote.requests()} requests`);
  remote.progress.show(`reading project ${asked.projectId} ...`);
  try {
    const client = remote.openApi({ baseUrl, teamId, token, pool: "import", maxRequestsPerHour });
    const api = withTokenCheck(client, clock);
    const deps = { api, quotaWait: remote.quotaWait, onProgress };
    return { kind: "contents", contents: await readProject(deps, asked, new AbortController().signal) };
  } catch (error) {
    if (!isNorthflankError(error)) throw error;
    return { kind: "failed", error };
  }
}

function createTargets({ projectId, connectionName, isObserved }: Asked): (id: string) => ImportTarget {
  const name = createNames();
  return (id) => ({
    projectId,
    name: name(id),
    connectionName: connectionName === "default" ? undefined : connectionName,
    isObserved,
  });
}

function itemOf<T>(what: string, reading: Reading<T>, toManifest: (value: T) => Imported): ImportedItem {
  const title = `${what} ${JSON.stringify(reading.id.slice(0, 100))}`;
  switch (reading.kind) {
    case "read":
      return { title, imported: toManifest(reading.value) };
    case "not-needed":
      return { title, imported: { kind: "left-out", reason: buildServiceReason } };
    case "unusable-id":
      return { title, imported: { kind: "left-out", reason: reading.problem } };
    case "failed":
      return {
        title,
        imported: { kind: "left-out", reason: unreadReason(reading.error) },
      };
    default:
      return assertNever(reading, "reading");
  }
}

function unreadReason(error: NorthflankError): string {
  return withRemedy(`it could not be read: [${error.code}] ${error.detail}`, error);
}

// Where the manifests expect the token; nothing else depends on it.
const tokenSecret = "nf-token";

function connectionOf({ connectionName }: Asked, { teamId, apiUrl }: RemoteSettings): Imported {
  const baseUrl = apiUrl.href.replace(/\/$/, "");
  const manifest = {
    apiVersion,
    kind: northflankConnections.kind,
    metadata: { name: connectionName },
    spec: {
      tokenSecretRef: { name: tokenSecret, key: "token" },
      ...(teamId !== undefined && { teamId }),
      ...(baseUrl !== defaultApiUrl && { apiURL: baseUrl }),
    },
  };
  const note = `The account. Keep its token out of Git: store it in the Secret that is named here.
  kubectl create secret generic ${tokenSecret} --from-literal=token=YOUR_TOKEN
Omit this document if the namespace already has a connection of this name.`;
  return { kind: "manifest", manifest, notes: [note] };
}

function headOf({ projectId, isObserved }: Asked): string {
  const effect = isObserved
    ? "The objects only report drift (managementPolicy: Observe). Remove that line from an object to manage its target."
    : "Applying it as it is changes nothing at Northflank. What is edited here is changed there.";
  return `Project "${projectId}" of Northflank, as it was when this was imported.
${effect}
  northflank-operator validate FILE    checks the file
  northflank-operator plan FILE        shows what would change at Northflank`;
}

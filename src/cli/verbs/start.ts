import { northflankJobRuns, northflankJobs } from "../../api/names.ts";
import { formatProblem } from "../../api/problem.ts";
import { createValidator } from "../../api/validate.ts";
import { flag, integer, oneOf, positiveDuration, Refusal, repeatable, switchFlag, text } from "../../flags.ts";
import { isKubeError } from "../../kube/errors.ts";
import { nameProblem } from "../../northflank/names.ts";
import { sleep } from "../../util/clock.ts";
import { parseDurationMs } from "../../util/duration.ts";
import { findManifestFiles } from "../manifest-files.ts";
import { readManifests } from "../manifest-reader.ts";
import type { ToolDeps } from "../remote.ts";
import { type ReadObject, textAt } from "./fields.ts";
import { isObjectName, kindNamed, parseObjects } from "./objects.ts";
import { Refused, Wrong } from "./refused.ts";
import { type FoundObject, findObject, missingText, readObject, type Session, shownName } from "./session.ts";
import {
  draftOfJob,
  draftOfManifest,
  type RunDraft,
  runObject,
  type StartOverrides,
  withOverrides,
} from "./start-object.ts";
import type { Verb } from "./verb.ts";
import { givenNamespace, placeFlags, timeoutFlag, type VerbSettings } from "./verb-flags.ts";
import { waitFor } from "./wait-for.ts";

const projectId = (value: string): string | Refusal =>
  nameProblem("project", value) === undefined ? value : new Refusal("the ID of a Northflank project is expected");

const connectionName = (value: string): string | Refusal =>
  isObjectName(value) ? value : new Refusal("the name of a NorthflankConnection is expected");

const variable = (value: string): readonly [string, string] | Refusal => {
  const end = value.indexOf("=");
  return end > 0 ? [value.slice(0, end), value.slice(end + 1)] : new Refusal("NAME=VALUE is expected");
};

const seconds = (value: string): number | Refusal =>
  parseDurationMs(value) ?? new Refusal("0, or a duration such as 90s or 24h, is expected");

const overrideFlags = {
  env: repeatable(
    flag(
      "env",
      "NAME=VALUE",
      undefined,
      variable,
      "a variable of the run, stored in the cluster in clear text; may be repeated",
    ),
  ),
  image: flag("image", "PATH", undefined, text, "image of the run, instead of that of the job"),
  command: flag("command", "TEXT", undefined, text, "command of the run, instead of that of the image"),
  plan: flag("plan", "ID", undefined, text, "billing plan of the run"),
  backoffLimit: flag(
    "backoff-limit",
    "N",
    undefined,
    integer(0, 100),
    "further runs after one that failed; by default 0",
  ),
  startDeadline: flag(
    "start-deadline",
    "D",
    undefined,
    positiveDuration,
    "until when it must be started; by default no limit",
  ),
  activeDeadline: flag(
    "active-deadline",
    "D",
    undefined,
    positiveDuration,
    "after how long it is aborted; by default never",
  ),
  concurrencyPolicy: flag(
    "concurrency-policy",
    "P",
    undefined,
    oneOf("Allow", "Forbid", "Replace"),
    "what to do if the job has an active run: Allow|Forbid|Replace; by default Allow",
  ),
  ttl: flag("ttl", "D", undefined, seconds, "how long after its end the object is deleted; by default never"),
} as const;

const own = {
  project: flag("project", "ID", undefined, projectId, "JOB is the ID of a Northflank job of this project"),
  connection: flag(
    "connection",
    "NAME",
    undefined,
    connectionName,
    "connection to use; by default that of the job, or `default`",
  ),
  from: flag("from", "FILE", undefined, text, "manifest of a NorthflankJobRun to start again under another name, or -"),
  ...overrideFlags,
  noWait: switchFlag("no-wait", "end as soon as the object is created"),
  timeout: timeoutFlag,
  ...placeFlags,
} as const;

const jobKind = kindNamed(northflankJobs.kind);
const runKind = kindNamed(northflankJobRuns.kind);

/** Which job is to be run. */
type Source =
  | { readonly kind: "draft"; readonly draft: RunDraft }
  /** The job of this NorthflankJob. */
  | { readonly kind: "object"; readonly name: string };

interface Input {
  readonly source: Source;
  readonly connection: string | undefined;
  readonly overrides: StartOverrides;
  readonly isWaiting: boolean;
  readonly timeoutMs: number | undefined;
}

/** `northflank-operator start`: creates a NorthflankJobRun and waits for its end. */
export const startVerb: Verb<Input> = {
  name: "start",
  summary: "run a Northflank job and wait for its end",
  help: `usage: northflank-operator start JOB [FLAGS]
       northflank-operator start JOB-ID --project ID [FLAGS]
       northflank-operator start --from FILE [FLAGS]

Creates a NorthflankJobRun, prints its name, and waits for the end of the run. JOB is the name of a NorthflankJob object, whose
job is run; with --project it is the ID of a Northflank job, and no such object is needed. The run continues if the command is
interrupted or the time is over.`,
  exits: "0 the run has succeeded, 1 it has failed, or was not started, or the time is over",
  flags: { own, secret: [own.env] },
  read: readInput,
  run: async (input, session) => {
    const draft = withOverrides(await draftOf(input, session), input.overrides);
    const namespace = draft.namespace ?? session.namespace;
    const found = await createRun(session, draft, namespace);
    session.say(`${shownName(found)} created`);
    if (!input.isWaiting) return 0;
    return waitFor(session, [{ ...found, goal: {} }], input.timeoutMs);
  },
};

async function readInput(settings: VerbSettings, deps: ToolDeps): Promise<Input | Wrong> {
  const problems: string[] = [];
  const isWaiting = !(settings.of(own.noWait) ?? false);
  const timeoutMs = settings.of(own.timeout);
  if (!isWaiting && timeoutMs !== undefined) problems.push("--timeout cannot be used with --no-wait");
  const source = await readSource(settings, deps);
  if (source instanceof Wrong) return new Wrong(...problems, ...source.problems);
  const connection = settings.of(own.connection);
  const overrides: StartOverrides = {
    environment: environmentOf(settings),
    image: settings.of(own.image),
    command: settings.of(own.command),
    plan: settings.of(own.plan),
    backoffLimit: settings.of(own.backoffLimit),
    startDeadlineMs: settings.of(own.startDeadline),
    activeDeadlineMs: settings.of(own.activeDeadline),
    concurrencyPolicy: settings.of(own.concurrencyPolicy),
    ttlMs: settings.of(own.ttl),
  };
  const input = { source, connection, overrides, isWaiting, timeoutMs };
  problems.push(...draftProblems(input));
  return problems.length > 0 ? new Wrong(...problems) : input;
}

function environmentOf(settings: VerbSettings): Readonly<Record<string, string>> | undefined {
  const variables = settings.of(own.env);
  return variables === undefined ? undefined : Object.fromEntries(variables);
}

async function readSource(settings: VerbSettings, deps: ToolDeps): Promise<Source | Wrong> {
  const { positionals } = settings;
  const project = settings.of(own.project);
  const from = settings.of(own.from);
  if (from !== undefined) {
    if (positionals.length > 0 || project !== undefined)
      return new Wrong("--from names the job, and cannot be used with JOB or --project");
    return readManifest(from, givenNamespace(settings), deps);
  }
  const [job, ...others] = positionals;
  if (job === undefined || others.length > 0) return new Wrong("name one job, or use --from");
  if (project !== undefined) {
    if (nameProblem("job", job) !== undefined)
      return new Wrong(`${JSON.stringify(job)} is not the ID of a Northflank job`);
    return { kind: "draft", draft: draftOfJob({ projectId: project, jobId: job }, job) };
  }
  const asked = parseObjects([job], [jobKind]);
  if (asked.kind === "problem") return new Wrong(asked.problem);
  const [object] = asked.kind === "objects" ? asked.objects : [];
  return object === undefined ? new Wrong("name one job, or use --from") : { kind: "object", name: object.name };
}

async function readManifest(path: string, namespace: string | undefined, { io }: ToolDeps): Promise<Source | Wrong> {
  const found = await findManifestFiles([path], io);
  if (found.kind === "problems") return new Wrong(...found.problems);
  const documents = found.files.flatMap(({ text: content }) => readManifests(content));
  const [document, ...others] = documents;
  const draft = others.length > 0 ? undefined : draftOfManifest(document?.value);
  if (draft === undefined) return new Wrong(`${path}: one manifest of a NorthflankJobRun is expected`);
  if (draft.namespace !== undefined && namespace !== undefined && draft.namespace !== namespace) {
    return new Wrong(`${path}: the run is in the namespace "${draft.namespace}", and --namespace names "${namespace}"`);
  }
  return { kind: "draft", draft };
}

/** What the API server would refuse, before anything is sent. */
function draftProblems({ source, connection, overrides }: Input): readonly string[] {
  const any = draftOfJob({ projectId: "any-project", jobId: "any-job" }, "any");
  const draft = withConnection(source.kind === "draft" ? source.draft : any, connection);
  const object = runObject(withOverrides(draft, overrides), "default", () => 0);
  return createValidator().validateManifest(object).map(formatProblem);
}

function withConnection(draft: RunDraft, connection: string | undefined): RunDraft {
  return connection === undefined ? draft : { ...draft, spec: { ...draft.spec, connectionRef: { name: connection } } };
}

async function draftOf({ source, connection }: Input, session: Session): Promise<RunDraft> {
  if (source.kind === "draft") return withConnection(source.draft, connection);
  const place = { kind: jobKind, namespace: session.namespace, name: source.name };
  const job = await findObject(session, place);
  if (job === undefined) {
    throw new Refused(`${missingText(place)}; to run a Northflank job by its ID, set --project`);
  }
  const spec = job.object.spec;
  const [project, id] = [textAt(spec, "projectId"), textAt(spec, "jobId")];
  if (project === undefined || id === undefined) throw new Refused(`${shownName(place)} names no project and job`);
  const draft = draftOfJob(
    { projectId: project, jobId: id, connection: textAt(spec, "connectionRef", "name") },
    source.name,
  );
  return withConnection(draft, connection);
}

const attempts = 5;
const pauseMs = 500;

/**
 * Creates the run. A create whose response was lost is repeated under the same name, so that at most one run is created; a
 * name that is taken is drawn anew.
 */
async function createRun(session: Session, draft: RunDraft, namespace: string): Promise<FoundObject> {
  const { client, clock, random } = session;
  let wanted = runObject(draft, namespace, random);
  let isLost = false;
  for (let attempt = 1; ; attempt++) {
    const place = { kind: runKind, namespace, name: wanted.metadata.name };
    try {
      return { ...place, object: await client.create<ReadObject>(runKind.type, wanted) };
    } catch (error) {
      const isTaken = isKubeError(error, "already_exists");
      if (isTaken && isLost) return readObject(session, place);
      if (isTaken) wanted = runObject(draft, namespace, random);
      else if (!isKubeError(error, "unavailable", "timeout", "throttled")) throw error;
      else {
        isLost = true;
        if (attempt < attempts) await sleep(clock, error.retryAfterMs ?? pauseMs * attempt);
      }
      if (attempt >= attempts) throw error;
    }
  }
}

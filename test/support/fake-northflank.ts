import { createHmac } from "node:crypto";
import { bodyProblems } from "../../sandbox/northflank/request-bodies.ts";
import { builderText } from "../../src/controllers/build/build-query.ts";
import type {
  BuilderName,
  CallOptions,
  JobName,
  NorthflankApi,
  ProjectName,
  ServiceName,
} from "../../src/northflank/client.ts";
import { NorthflankError, type NorthflankErrorCode, type NorthflankErrorFacts } from "../../src/northflank/errors.ts";
import type { Ledger } from "../../src/northflank/ledger.ts";
import { nameProblem } from "../../src/northflank/names.ts";
import type {
  BuildView,
  DeploymentUpdate,
  InternalSource,
  ItemList,
  JobPatchRoute,
  JobSettingsView,
  JobSource,
  JobView,
  ProjectItem,
  RequestClass,
  RunList,
  RunRequest,
  RunsNeeded,
  ServiceView,
  SourceView,
  StartResult,
} from "../../src/northflank/types.ts";
import type { Clock } from "../../src/util/clock.ts";
import { present } from "../../src/util/present.ts";
import { isoOf } from "./fake-kube.ts";
import { FakeQuota } from "./fake-quota.ts";
import { FakeRuns, failed } from "./fake-runs.ts";
import { strictFake } from "./strict-fake.ts";

/** Every code that an error of the client may have; a new one does not compile until it stands here. */
const isErrorCode: Readonly<Record<NorthflankErrorCode, true>> = {
  quota_closed: true,
  rate_limited: true,
  unauthorized: true,
  forbidden: true,
  not_found: true,
  gone: true,
  wrong_method: true,
  rejected: true,
  server_error: true,
  unreachable: true,
  interrupted: true,
  timeout: true,
  tls: true,
  redirect: true,
  protocol: true,
};

export const errorCodes = Object.keys(isErrorCode) as readonly NorthflankErrorCode[];

/** An error as the client throws it; what the test does not care about is filled in. */
export function northflankError(code: NorthflankErrorCode, more: Partial<NorthflankErrorFacts> = {}): NorthflankError {
  return new NorthflankError({ code, step: "call Northflank", detail: "scripted", sent: true, ...more });
}

/** Hashes as the client of this token makes them. */
export function keyedHashOf(token: string): (text: string) => string {
  return (text) => createHmac("sha256", token).update(text).digest("base64url").slice(0, 22);
}

type Method = Exclude<keyof NorthflankApi, "reserve" | "keyedHash" | "listJobs">;

/** One call, as the operator made it. */
export interface NotedCall {
  readonly method: Method;
  /** `get api (change)` */
  readonly text: string;
  readonly class: RequestClass;
  /** By the monotonic clock. */
  readonly atMs: number;
}

interface Scripted {
  readonly error: Error;
  /** The call is carried out all the same: the answer was lost. */
  readonly isDone: boolean;
}

type Send = <T>(
  call: { readonly method: Method; readonly text: string; readonly options: CallOptions },
  act: () => T,
) => T;

/** As many as the client reads of a list of runs, and how many runs there are on each. */
const [maxRunPages, runsPerPage] = [20, 100];
const itemsPerPage = 100;

/**
 * An account in memory, as the Northflank API keeps it and as the client returns it: services, jobs, builds and runs of
 * the project "shop".
 * Strict: what was not set up is not found, and a method that is not here throws with the call in the message. Each call
 * spends of the quota.
 */
export class FakeNorthflank {
  /** Every call, oldest first. */
  readonly noted: NotedCall[] = [];
  readonly runs: FakeRuns;
  readonly quota: FakeQuota;
  /** Called for each request that leaves the machine. */
  onCall: () => void = () => undefined;
  /** What is kept of a change that is accepted. */
  keeps: (body: DeploymentUpdate) => DeploymentUpdate = (body) => body;
  /** What is kept of a patch that is accepted, in the words of "patch job". */
  keepsSettings: (body: JobSettingsView["settings"]) => JobSettingsView["settings"] = (body) => body;
  /** Runs when a service was restarted, before it is answered. */
  afterRestart: (() => void) | undefined;
  /** Makes the key of hashes. */
  token = "token";
  /** Runs when a patch of a job has been carried out, before it is answered. */
  afterPatch: (() => void) | undefined;
  /** Everything that patches of a job have set, secrets included, in the words of "patch job". */
  readonly jobSettings = new Map<string, JobSettingsView>();
  /** What the list of services tells of continuous deployment, by id. */
  readonly listed = new Map<string, boolean>();
  readonly #services = new Map<string, ServiceView>();
  readonly #jobs = new Map<string, JobView & JobSource>();
  readonly #builds = new Map<string, readonly BuildView[]>();
  readonly #scripts = new Map<Method, Scripted[]>();
  readonly #lasting = new Map<Method, Error>();
  readonly #clock: Clock;
  /** What a test asks with when it has no process of its own. */
  #api: NorthflankApi | undefined;

  /** `clock`: Northflank's, which does not jump with that of the operator. */
  constructor(clock: Clock) {
    this.#clock = clock;
    this.quota = new FakeQuota(clock);
    const refusalOf = (jobId: string, body: RunRequest) => this.#refusalOf(jobId, body);
    this.runs = new FakeRuns(clock, { noted: this.noted, refusalOf });
  }

  has(view: ServiceView): void {
    this.#services.set(view.id, view);
  }

  hasJob(view: JobView & JobSource): void {
    this.#jobs.set(view.id, view);
  }

  job(id: string): JobView & JobSource {
    const view = this.#jobs.get(id);
    if (view === undefined) throw new Error(`no job "${id}" in the fake`);
    return view;
  }

  changeJob(id: string, change: Partial<JobView & JobSource>): void {
    this.hasJob({ ...this.job(id), ...change });
  }

  /** A person deletes a job, with its runs, and creates it again under its id. */
  remakeJob(id: string): void {
    this.runs.forgetRunsOf(id);
    this.changeJob(id, { createdAt: isoOf(this.runs.serverMs) });
  }

  hasSettings(jobId: string, settings: JobSettingsView["settings"], jobType = "manual", uid?: string): void {
    this.jobSettings.set(jobId, { jobType, settings, ...(uid !== undefined && { uid }) });
  }

  /** Settings change as another client says; `settings` is merged, as the API merges it. */
  patchSettings(jobId: string, change: JobSettingsView["settings"]): void {
    const { settings, ...rest } = this.#jobSettingsOf(jobId);
    const policy = { ...(settings.settings as object), ...(change.settings as object) };
    const merged = { ...settings, ...change, ...(Object.keys(policy).length > 0 && { settings: policy }) };
    this.jobSettings.set(jobId, { ...rest, settings: merged });
  }

  /** What a service or job has built, newest first; `[]`: nothing yet. Without this there is no such service. */
  hasBuilds(builderId: string, builds: readonly BuildView[], projectId = "shop"): void {
    this.#builds.set(`${projectId}/${builderId}`, builds);
  }

  service(id: string): ServiceView {
    const view = this.#services.get(id);
    if (view === undefined) throw new Error(`no service "${id}" in the fake`);
    return view;
  }

  change(id: string, change: Partial<ServiceView>): void {
    this.has({ ...this.service(id), ...change });
  }

  /** Northflank reports a state of the rollout, as of now. */
  rollout(id: string, rolloutStatus: string, more: Partial<ServiceView> = {}): void {
    this.change(id, { rolloutStatus, rolloutTransitionTime: new Date(this.#clock.now()).toISOString(), ...more });
  }

  /** The next call of `method` fails; one per time this is called. */
  failNext(method: Method, error: Error, options: { readonly isDone?: boolean } = {}): void {
    const scripts = this.#scripts.get(method) ?? [];
    this.#scripts.set(method, [...scripts, { error, isDone: options.isDone ?? false }]);
  }

  /** Every later call of `method` fails. */
  failAll(method: Method, error: Error): void {
    this.#lasting.set(method, error);
  }

  /** What was scripted to fail and has not yet, will not. */
  clearFailures(): void {
    this.#scripts.clear();
    this.#lasting.clear();
  }

  /** The calls since this was last asked. */
  takeCalls(): readonly string[] {
    return this.noted.splice(0).map(({ text }) => text);
  }

  get api(): NorthflankApi {
    this.#api ??= this.connect();
    return this.#api;
  }

  /** The account as one process sees it, which counts its requests in a ledger of its own. */
  connect(): NorthflankApi {
    const ledger = this.quota.ledger();
    const send = this.#sender(ledger);
    return strictFake<NorthflankApi>("Northflank", {
      reserve: (count, requestClass) => ledger.reserve(count, requestClass),
      keyedHash: (text) => keyedHashOf(this.token)(text),
      ...this.#serviceCalls(send),
      ...this.#jobCalls(send),
      ...this.#buildCalls(send),
      ...this.#runCalls(send),
    });
  }

  /** Sends one request of a process, as the test has said that it ends. */
  #sender(ledger: Ledger): Send {
    return ({ method, text, options }, act) => {
      if (options.spender === undefined) throw new Error(`"${text}" is sent for no object: it lacks a spender`);
      this.noted.push({ method, text, class: options.class, atMs: this.#clock.monotonic() });
      const scripted = this.#scripts.get(method)?.shift();
      const error = scripted?.error ?? this.#lasting.get(method);
      if (!(error instanceof NorthflankError) || error.sent) this.onCall();
      const failure = error && { error, arrives: scripted?.isDone ?? false };
      return this.quota.request(ledger, options, { act, ...(failure && { failure }) });
    };
  }

  #serviceCalls(send: Send): Partial<NorthflankApi> {
    return {
      getService: async (name: ServiceName, options: CallOptions) => {
        const text = `get ${name.serviceId} (${options.class})`;
        return send({ method: "getService", text, options }, () => this.#find(name));
      },
      updateServiceDeployment: async (name, body, options) => {
        const text = `post ${name.serviceId} ${JSON.stringify(body)}`;
        send({ method: "updateServiceDeployment", text, options }, () => this.#deploy(name, body));
      },
      restartService: async (name, options) => {
        send({ method: "restartService", text: `restart ${name.serviceId}`, options }, () => {
          this.#find(name);
          this.afterRestart?.();
        });
      },
      patchDeploymentService: async (name, { deployment }, options) => {
        const text = `patch ${name.serviceId} ${JSON.stringify(deployment)}`;
        send({ method: "patchDeploymentService", text, options }, () => this.#deploy(name, deployment));
      },
      patchCombinedService: async (name, { deployment }, options) => {
        const text = `patch combined ${name.serviceId} ${JSON.stringify(deployment)}`;
        send({ method: "patchCombinedService", text, options }, () => this.#deploy(name, deployment));
      },
      listServices: async (name, { isEnough, ...options }) => this.#listServices(send, { name, isEnough, options }),
      whoAmI: async (options) => send({ method: "whoAmI", text: "whoami", options }, () => ({ expiresAt: undefined })),
    };
  }

  /** A request for each page, until there are enough. */
  #listServices(
    send: Send,
    call: {
      readonly name: ProjectName;
      readonly isEnough: ((items: readonly ProjectItem[]) => boolean) | undefined;
      readonly options: CallOptions;
    },
  ): ItemList {
    const { name, isEnough, options } = call;
    const text = `list services (${options.class})`;
    const all = send({ method: "listServices", text, options }, () => {
      checkProject(name);
      const ids = [...new Set([...this.#services.keys(), ...this.listed.keys()])].sort();
      return ids.map((id) => this.#listedService(id));
    });
    for (let count = itemsPerPage; ; count += itemsPerPage) {
      const items = all.slice(0, count);
      if (items.length === all.length || isEnough?.(items) === true) return { items };
      const page = count / itemsPerPage + 1;
      send({ method: "listServices", text: `${text}, page ${page}`, options }, () => undefined);
    }
  }

  /** Its rollout, and nothing of what is deployed. */
  #listedService(id: string): ProjectItem {
    const { serviceType = "deployment", uid, rolloutStatus, rolloutTransitionTime } = this.#services.get(id) ?? {};
    const disabledCD = this.listed.get(id);
    return { id, type: serviceType, ...present({ uid, disabledCD, rolloutStatus, rolloutTransitionTime }) };
  }

  #jobCalls(send: Send): Partial<NorthflankApi> {
    return {
      getJob: async (name: JobName, options: CallOptions) =>
        send({ method: "getJob", text: `get job ${name.jobId} (${options.class})`, options }, () => {
          const { image: _image, external: _external, internal: _internal, ...view } = this.#findJob(name);
          return view;
        }),
      getJobDeployment: async (name, options) =>
        send(
          { method: "getJobDeployment", text: `get source of job ${name.jobId} (${options.class})`, options },
          () => {
            const { image, external, internal } = this.#findJob(name);
            return { image, external, internal };
          },
        ),
      updateJobDeployment: async (name, body, options) => {
        const text = `post job ${name.jobId} ${JSON.stringify(body)}`;
        send({ method: "updateJobDeployment", text, options }, () => {
          const view = this.#findJob(name);
          this.hasJob({ ...view, ...changed(view, this.keeps(body)) });
        });
      },
      getJobSettings: async (name, options) => {
        const text = `get settings of job ${name.jobId} (${options.class})`;
        return send({ method: "getJobSettings", text, options }, () => this.#settingsOf(name));
      },
      patchJob: async (name, route, body, options) => {
        const text = `patch ${route} ${name.jobId} ${JSON.stringify(body)}`;
        const patch = () => {
          checkProject(name);
          this.patchSettings(name.jobId, this.keepsSettings(settingsIn(route, body)));
        };
        send({ method: "patchJob", text, options }, patch);
        const { afterPatch } = this;
        this.afterPatch = undefined;
        afterPatch?.();
      },
    };
  }

  #buildCalls(send: Send): Partial<NorthflankApi> {
    return {
      getBuild: async ({ buildId, ...builder }, options) => {
        const text = `get build ${idOf(builder)}/${buildId} (${options.class})`;
        const find = () => this.#builds.get(builderText(builder))?.find(({ id }) => id === buildId);
        return send({ method: "getBuild", text, options }, find);
      },
      listBuilds: async (builder, options) => {
        const builds = this.#builds.get(builderText(builder));
        const list = () => (builds === undefined ? undefined : { builds });
        return send({ method: "listBuilds", text: `list builds ${idOf(builder)} (${options.class})`, options }, list);
      },
    };
  }

  #runCalls(send: Send): Partial<NorthflankApi> {
    return {
      listRuns: async (name, { needs, ...options }) => this.#listRuns(send, { name, needs, options }),
      getRun: async ({ jobId, runId, projectId }, options) => {
        checkRunId(runId);
        const text = `get run ${runId} of job ${jobId} (${options.class})`;
        // A run of another project is not there, as any other that is not.
        const read = () => (projectId === theProject ? this.runs.read(runId, jobId) : undefined);
        return send({ method: "getRun", text, options }, read);
      },
      abortRun: async ({ jobId, runId, projectId }, options) => {
        checkRunId(runId);
        const text = `abort run ${runId} of job ${jobId}`;
        const abort = () => (projectId === theProject ? this.runs.abort(runId, jobId) : undefined);
        send({ method: "abortRun", text, options }, abort);
      },
      startRun: async (name, body, options) => {
        const { jobId } = name;
        const text = `start job ${jobId} ${JSON.stringify(body)}`;
        try {
          const post = () => {
            checkProject(name);
            return this.runs.post(jobId, body);
          };
          return await orGivenUp(send({ method: "startRun", text, options }, post), options.signal);
        } catch (error) {
          if (!(error instanceof NorthflankError)) throw error;
          return failed(error);
        }
      },
    };
  }

  /**
   * A request for each page, and oldest first: the order is not documented, and in this one `isEnough` holds only where no
   * order matters.
   */
  #listRuns(send: Send, call: { name: JobName; needs: RunsNeeded | undefined; options: CallOptions }): RunList {
    const { name, needs, options } = call;
    const { jobId } = name;
    const text = `list runs of job ${jobId} (${options.class})`;
    const list = send({ method: "listRuns", text, options }, () => {
      this.#findJob(name);
      return this.runs.list(jobId);
    });
    const pages = Math.max(1, Math.ceil(list.runs.length / runsPerPage));
    const read = Math.min(pages, needs?.maxPages ?? maxRunPages, maxRunPages);
    const { reservation: _spent, ...later } = options;
    for (let page = 2; page <= read; page++) {
      const before = list.runs.slice(-(page - 1) * runsPerPage);
      if (needs?.isAnyOrder === true && needs.isEnough(before)) return { ...list, runs: before };
      send({ method: "listRuns", text: `${text}, page ${page}`, options: later }, () => undefined);
    }
    return read === pages ? list : { ...list, runs: list.runs.slice(-read * runsPerPage), truncated: true };
  }

  /** Why Northflank does not start a job. */
  #refusalOf(jobId: string, body: RunRequest): NorthflankError | undefined {
    const job = this.#jobs.get(jobId);
    if (job === undefined) return northflankError("not_found", { httpStatus: 404 });
    if (bodyProblems("run-job", body) !== undefined) return northflankError("rejected", { httpStatus: 400 });
    const { external, internal } = body.deployment ?? {};
    const sources = [job.image, job.external, job.internal, external, internal];
    if (sources.every((source) => source === undefined)) return northflankError("rejected", { httpStatus: 409 });
    const id = internal?.id ?? job.internal?.id;
    if (internal === undefined || id === undefined || this.#isBuilt(id, internal)) return undefined;
    return northflankError("rejected", { httpStatus: 400 });
  }

  /** A named build has to be there, and to have succeeded; `latest` may have none yet. */
  #isBuilt(builderId: string, { buildId, buildSHA = "latest" }: InternalSource): boolean {
    if (buildId === undefined && buildSHA === "latest") return true;
    const builds = this.#builds.get(builderId.includes("/") ? builderId : `shop/${builderId}`) ?? [];
    const meant = builds.filter(({ id, sha }) => (buildId === undefined ? sha === buildSHA : id === buildId));
    return meant.some(({ outcome }) => outcome === "succeeded");
  }

  #jobSettingsOf(jobId: string): JobSettingsView {
    const view = this.jobSettings.get(jobId);
    if (view === undefined) throw northflankError("not_found", { httpStatus: 404 });
    return view;
  }

  /** Only what its page says that "get job" tells. */
  #settingsOf(name: JobName): JobSettingsView {
    checkProject(name);
    const { settings, ...rest } = this.#jobSettingsOf(name.jobId);
    const told = ["description", "tags", "disabledCI", "billing", "settings"];
    return { ...rest, settings: Object.fromEntries(Object.entries(settings).filter(([name]) => told.includes(name))) };
  }

  #find(name: ServiceName): ServiceView {
    checkProject(name);
    const { serviceId: id } = name;
    const view = this.#services.get(id);
    if (view === undefined) throw northflankError("not_found", { httpStatus: 404, step: `get service "${id}"` });
    return view;
  }

  #findJob(name: JobName): JobView & JobSource {
    checkProject(name);
    const { jobId: id } = name;
    const view = this.#jobs.get(id);
    if (view === undefined) throw northflankError("not_found", { httpStatus: 404, step: `get job "${id}"` });
    return view;
  }

  /** Takes the new source; the state of the rollout before stays in sight until the test moves it on. */
  #deploy(name: ServiceName, body: DeploymentUpdate): void {
    const view = this.#find(name);
    this.has({ ...view, ...changed(view, this.keeps(body)) });
  }
}

function changed(view: SourceView, { external, internal, docker, buildpack }: DeploymentUpdate): SourceView {
  const source =
    external !== undefined
      ? {
          image: external.imagePath,
          external: { imagePath: external.imagePath, credentials: external.credentials, registryProvider: undefined },
          internal: undefined,
        }
      : {};
  const build = {
    id: internal?.id,
    branch: internal?.branch,
    buildSHA: internal?.buildSHA,
    buildId: internal?.buildId,
    deployedSHA: undefined,
  };
  return {
    image: view.image,
    external: view.external,
    internal: view.internal,
    docker: docker ?? view.docker,
    buildpack: buildpack ?? view.buildpack,
    ...source,
    ...(internal === undefined ? {} : { image: undefined, external: undefined, internal: build }),
  };
}

/** There is one project; builds aside, which name theirs. */
const theProject = "shop";

function checkProject({ projectId }: ProjectName): void {
  if (projectId === theProject) return;
  throw northflankError("not_found", { httpStatus: 404, step: `find project "${projectId}"` });
}

/** What is no id goes into no path: it is refused before anything is sent. */
function checkRunId(runId: string): void {
  const detail = nameProblem("run", runId);
  if (detail !== undefined) throw northflankError("rejected", { detail, sent: false });
}

function idOf(builder: BuilderName): string {
  return "serviceId" in builder ? builder.serviceId : builder.jobId;
}

/** The answer to a start; `unknown` as soon as the caller does not wait for it any more. */
async function orGivenUp(answer: Promise<StartResult>, signal: AbortSignal): Promise<StartResult> {
  const error = northflankError("interrupted", { detail: "given up" });
  let giveUp = (): void => undefined;
  const givenUp = new Promise<StartResult>((resolve) => {
    giveUp = () => resolve(failed(error));
    signal.addEventListener("abort", giveUp);
  });
  return await Promise.race([answer, givenUp]).finally(() => signal.removeEventListener("abort", giveUp));
}

/** The older bodies have the run policy on top. */
function settingsIn(route: JobPatchRoute, body: object): JobSettingsView["settings"] {
  if (route === "job") return { ...body };
  const { backoffLimit, runOnSourceChange, activeDeadlineSeconds, schedule, concurrencyPolicy, suspended, ...rest } =
    body as Readonly<Record<string, unknown>>;
  const given = (values: object) =>
    Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
  const cron = given({ schedule, concurrencyPolicy, suspended });
  const policy = given({ backoffLimit, runOnSourceChange, activeDeadlineSeconds });
  return { ...rest, settings: { ...policy, ...(Object.keys(cron).length > 0 && { cron }) } };
}

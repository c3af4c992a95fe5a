import {
  addIntegration,
  changeIntegration,
  type DeliveryOptions,
  deliver,
  type IntegrationFields,
  type IntegrationRecord,
  isDisabled,
  mostFailures,
} from "./integrations.ts";
import {
  type Account,
  type Build,
  type Job,
  type Project,
  type ProjectRestrictions,
  type Run,
  rolloutStatus,
  runStatus,
  type Service,
  type Token,
} from "./model.ts";
import { allPermissions } from "./permissions.ts";
import { type NewJob, type NewService, newJob, newProject, newService, remadeJob, remadeService } from "./resources.ts";
import { beginRollout, endRollout, promote } from "./rollouts.ts";
import { keyOf } from "./router.ts";
import { type Method, routes } from "./routes.ts";
import { abortRun, followBuilds, resume, startBuild, startRun, type World } from "./state.ts";

/** A service as it is now, for assertions and for watching. */
export interface ServiceState {
  readonly projectId: string;
  readonly id: string;
  readonly uid: string;
  readonly image: string | undefined;
  readonly internal: Service["internal"];
  readonly docker: object | undefined;
  readonly buildpack: object | undefined;
  readonly instances: number;
  readonly isPaused: boolean;
  /** Commit of the build that was rolled out last. */
  readonly deployedSHA: string | undefined;
  readonly rolloutStatus: string;
  /** How many rollouts took place, the first deployment included: shows redundant writes. */
  readonly rolloutCount: number;
}

export interface JobState {
  readonly projectId: string;
  readonly id: string;
  readonly uid: string;
  readonly image: string | undefined;
  readonly internal: Job["internal"];
  /** As `PATCH /jobs/{id}` takes them. */
  readonly settings: Readonly<Record<string, unknown>>;
}

export interface RunState {
  readonly id: string;
  readonly runName: string;
  readonly status: string;
  readonly concluded: boolean;
  readonly startedAt: string;
  /** `other`: a person, a schedule, or `runOnSourceChange`. */
  readonly startedBy: "api" | "other";
  readonly wasAborted: boolean;
  /** Body of the request that started it. */
  readonly request: object | undefined;
}

/** An integration as it is now. */
export interface IntegrationState {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly webhook: string;
  readonly secret: string | undefined;
  readonly restricted: boolean;
  readonly projects: readonly string[];
  /** The events that are on, each with `trigger:` before it. */
  readonly events: readonly string[];
  readonly isDisabled: boolean;
  /** Deliveries in a row that were not handled. */
  readonly failures: number;
  readonly firstFailureTime: string | undefined;
}

export interface TokenOptions {
  readonly expiresAtMs?: number;
  /** Permissions that it has not got, as the API words them: `ps_jobs_general_run-job`. Default: it has all. */
  readonly lacks?: readonly string[];
  /** The projects that it is limited to, or kept out of. Default: all. */
  readonly projects?: ProjectRestrictions;
}

export type NewIntegration = IntegrationFields & {
  readonly name: string;
  readonly webhook: string;
  /** Whether the sandbox sends it what changes. Default: yes. */
  readonly isFollowed?: boolean;
};

/** What a person with the user interface, CI, or bad luck can do to an account. */
export interface AccountControls {
  addToken(token: string, options?: TokenOptions): void;
  /** Changes what a token may do, as an edit of its role does: at once. */
  setTokenRights(token: string, rights: Omit<TokenOptions, "expiresAtMs">): void;
  revokeToken(token: string): void;
  /** The next `count` requests, other than `GET /v1/auth`, get a bare 401 although their token is good. */
  rejectNextRequests(count?: number): void;
  /** Whether the account has the feature behind a call: without it 401 `Feature flag is not enabled ...`. */
  setFeature(method: Method, path: string, isEnabled: boolean): void;
  addProject(projectId: string): void;
  addService(projectId: string, service: NewService): void;
  removeService(projectId: string, serviceId: string): void;
  /** Deletes a service and makes it again under the same id: another uid, no builds, and a first rollout from now. */
  remakeService(projectId: string, serviceId: string, changed?: Partial<Omit<NewService, "id">>): void;
  addJob(projectId: string, job: NewJob): void;
  removeJob(projectId: string, jobId: string): void;
  /** Deletes a job and makes it again under the same id: another uid, no runs, no builds. */
  remakeJob(projectId: string, jobId: string, changed?: Partial<Omit<NewJob, "id">>): void;
  /**
   * A build of a service or job as it is now: `SUCCESS` by default. One with a word that is no end stays so until
   * `finishBuild`.
   */
  addBuild(
    projectId: string,
    builderId: string,
    build: { readonly sha: string; readonly id?: string; readonly branch?: string; readonly status?: string },
  ): Build;
  /** A build that takes `buildMs` and then ends as said: SUCCESS by default, `never` for one that does not end. */
  startBuild(
    projectId: string,
    builderId: string,
    build: {
      readonly sha: string;
      readonly branch?: string;
      readonly outcome?: "SUCCESS" | "FAILURE" | "ABORTED" | "CRASHED" | "never";
    },
  ): Build;
  /** Ends a build that is under way now. */
  finishBuild(projectId: string, builderId: string, buildId: string, status: "SUCCESS" | "FAILURE" | "ABORTED"): void;
  /** Makes a build disappear, record and image. */
  loseBuild(projectId: string, builderId: string, buildId: string): void;
  /** Switches Northflank's own deployment of new builds on or off. */
  setContinuousDeployment(projectId: string, serviceId: string, isEnabled: boolean): void;
  /** Changes the image as a person would, with a rollout; `hasRollout` false: without one, so that no list shows it. */
  setImage(projectId: string, serviceId: string, image: string, hasRollout?: boolean): void;
  /** The same for a job, which has no rollout. */
  setJobImage(projectId: string, jobId: string, image: string): void;
  /** As the calls pause and resume do; resuming begins a rollout. */
  pauseService(projectId: string, serviceId: string, isPaused: boolean): void;
  /** The next `count` rollouts end in FAILED. An image whose tag holds `broken` fails always. */
  failNextRollout(projectId: string, serviceId: string, count?: number): void;
  /** The next rollout never ends by itself. */
  hangNextRollout(projectId: string, serviceId: string): void;
  /** Ends the rollout that is under way now. */
  finishRollout(projectId: string, serviceId: string, outcome: "COMPLETED" | "FAILED"): void;
  /** From now on an update is a canary, and stays IN_PROGRESS until it is promoted; `undefined`: no more. */
  setGradualRollout(projectId: string, serviceId: string, strategyId: string | undefined): void;
  /** Promotes the canary, as a person does. */
  promoteRollout(projectId: string, serviceId: string): void;
  /** The next `count` runs end in FAILED. */
  failNextRun(projectId: string, jobId: string, count?: number): void;
  /** The next run never ends by itself. */
  hangNextRun(projectId: string, jobId: string): void;
  finishRun(runId: string, status: "SUCCESS" | "FAILED"): void;
  abortRun(runId: string): void;
  /** Makes a run disappear, record included. */
  loseRun(runId: string): void;
  /** Adds a run that another client started, by default now. */
  injectRun(projectId: string, jobId: string, options?: { readonly startedMs?: number }): RunState;
  services(projectId: string): readonly ServiceState[];
  service(projectId: string, serviceId: string): ServiceState;
  jobs(projectId: string): readonly JobState[];
  job(projectId: string, jobId: string): JobState;
  /** All runs, oldest first, also those that lists do not show yet. */
  runs(projectId: string, jobId: string): readonly RunState[];
  integrations(): readonly IntegrationState[];
  integration(id: string): IntegrationState;
  /** Makes a notification integration by hand. */
  addIntegration(options: NewIntegration): IntegrationState;
  changeIntegration(id: string, fields: IntegrationFields): void;
  removeIntegration(id: string): void;
  /** Switches one off, as after too many deliveries that were not handled. */
  disableIntegration(id: string): void;
  /** Sends an event to one; the status of its answer, `undefined` without one. */
  deliver(id: string, event: string, data: object, options?: DeliveryOptions): Promise<number | undefined>;
  quota(): { readonly limit: number; readonly used: number; readonly resetAtMs: number | undefined };
  /** Spends requests as people and CI do. */
  spendQuota(count: number): void;
  setLimit(limitPerHour: number): void;
}

export function addAccount(
  world: World,
  options: {
    readonly name: string;
    readonly tokens: readonly string[];
    readonly teams?: readonly string[];
    readonly limitPerHour?: number;
  },
): Account {
  const account: Account = {
    name: options.name,
    uid: world.newUid(),
    tokens: new Map(options.tokens.map((token) => [token, newToken({})])),
    disabledFeatures: new Set(),
    strayRejections: 0,
    teams: new Set(options.teams ?? [options.name]),
    projects: new Map(),
    integrations: new Map(),
    limitPerHour: options.limitPerHour ?? 1_000,
    windowStartMs: undefined,
    used: 0,
  };
  world.accounts.set(account.name, account);
  return account;
}

export function controlsOf(world: World, account: Account): AccountControls {
  const projectOf = (id: string): Project => found(account.projects.get(id), `project ${id}`);
  const serviceOf = (projectId: string, id: string): Service =>
    found(projectOf(projectId).services.get(id), `service ${id} in project ${projectId}`);
  const builderOf = (projectId: string, id: string): Service | Job =>
    found(projectOf(projectId).services.get(id) ?? projectOf(projectId).jobs.get(id), `service or job ${id}`);
  const stateOf = (projectId: string, service: Service): ServiceState => {
    followBuilds(world, projectOf(projectId), service);
    return serviceState(projectId, service, world.now());
  };
  const jobOf = (projectId: string, id: string): Job =>
    found(projectOf(projectId).jobs.get(id), `job ${id} in project ${projectId}`);
  const jobOfRun = (runId: string): Job => {
    const jobs = [...account.projects.values()].flatMap((project) => [...project.jobs.values()]);
    return found(
      jobs.find((job) => job.runs.some(({ id }) => id === runId)),
      `run ${runId}`,
    );
  };
  const runOf = (runId: string): Run =>
    found(
      jobOfRun(runId).runs.find(({ id }) => id === runId),
      `run ${runId}`,
    );

  return {
    addToken: (token, options = {}) => account.tokens.set(token, newToken(options)),
    setTokenRights: (token, rights) => {
      const { expiresAtMs } = found(account.tokens.get(token), "such token");
      account.tokens.set(token, { ...newToken(rights), ...(expiresAtMs !== undefined && { expiresAtMs }) });
    },
    revokeToken: (token) => found(account.tokens.delete(token) || undefined, "such token"),
    rejectNextRequests: (count = 1) => {
      account.strayRejections += count;
    },
    setFeature: (method, path, isEnabled) => {
      const route = routes.find((each) => each.method === method && each.path === path);
      const key = keyOf(found(route, `route ${method} ${path}`));
      if (isEnabled) account.disabledFeatures.delete(key);
      else account.disabledFeatures.add(key);
    },
    addProject: (id) => account.projects.set(id, newProject(world, id)),
    addService: (projectId, service) => projectOf(projectId).services.set(service.id, newService(world, service)),
    removeService: (projectId, id) => found(projectOf(projectId).services.delete(id) || undefined, `service ${id}`),
    remakeService: (projectId, id, changed = {}) => {
      const service = remadeService(world, serviceOf(projectId, id), changed);
      projectOf(projectId).services.set(id, service);
      beginRollout(world, service, world.now());
    },
    addJob: (projectId, job) => projectOf(projectId).jobs.set(job.id, newJob(world, job)),
    removeJob: (projectId, id) => found(projectOf(projectId).jobs.delete(id) || undefined, `job ${id}`),
    remakeJob: (projectId, id, changed = {}) =>
      projectOf(projectId).jobs.set(id, remadeJob(world, jobOf(projectId, id), changed)),
    addBuild: (projectId, builderId, { sha, id, branch = "main", status = "SUCCESS" }) => {
      const isEnd = ["SUCCESS", "FAILURE", "ABORTED", "SUBMISSION_FAILURE", "CRASHED"].includes(status);
      const how = isEnd ? { end: { atMs: world.now(), status } } : { runningAs: status, end: undefined };
      return startBuild(world, builderOf(projectId, builderId), { sha, branch, ...(id && { id }), ...how });
    },
    startBuild: (projectId, builderId, { sha, branch = "main", outcome = "SUCCESS" }) => {
      const end = outcome === "never" ? undefined : { atMs: world.now() + world.settings.buildMs, status: outcome };
      return startBuild(world, builderOf(projectId, builderId), { sha, branch, end });
    },
    finishBuild: (projectId, builderId, buildId, status) => {
      const build = builderOf(projectId, builderId).builds.find(({ id }) => id === buildId);
      found(build, `build ${buildId}`).end = { atMs: world.now(), status };
    },
    loseBuild: (projectId, builderId, buildId) => {
      const builder = builderOf(projectId, builderId);
      builder.builds = builder.builds.filter(({ id }) => id !== buildId);
    },
    setContinuousDeployment: (projectId, serviceId, isEnabled) => {
      serviceOf(projectId, serviceId).disabledCD = !isEnabled;
    },
    setJobImage: (projectId, jobId, image) => {
      const job = jobOf(projectId, jobId);
      job.external = { ...job.external, imagePath: image };
      job.internal = undefined;
    },
    setImage: (projectId, serviceId, image, hasRollout = true) => {
      const service = serviceOf(projectId, serviceId);
      service.external = { ...service.external, imagePath: image };
      service.internal = undefined;
      service.deployed = undefined;
      if (hasRollout) beginRollout(world, service, world.now());
    },
    pauseService: (projectId, serviceId, isPaused) => {
      const service = serviceOf(projectId, serviceId);
      if (isPaused) service.paused = true;
      else if (service.paused) resume(world, projectOf(projectId), service, undefined);
    },
    failNextRollout: (projectId, serviceId, count = 1) =>
      serviceOf(projectId, serviceId).script.push(...Array<"FAILED">(count).fill("FAILED")),
    hangNextRollout: (projectId, serviceId) => serviceOf(projectId, serviceId).script.push("never"),
    finishRollout: (projectId, serviceId, outcome) => {
      endRollout(world, serviceOf(projectId, serviceId), outcome);
    },
    setGradualRollout: (projectId, serviceId, strategyId) => {
      serviceOf(projectId, serviceId).gradualRolloutStrategyId = strategyId;
    },
    promoteRollout: (projectId, serviceId) => promote(world, serviceOf(projectId, serviceId)),
    failNextRun: (projectId, jobId, count = 1) =>
      jobOf(projectId, jobId).script.push(...Array<"FAILED">(count).fill("FAILED")),
    hangNextRun: (projectId, jobId) => jobOf(projectId, jobId).script.push("never"),
    finishRun: (runId, status) => {
      runOf(runId).end = { atMs: world.now(), status };
    },
    abortRun: (runId) => abortRun(world, runOf(runId)),
    loseRun: (runId) => {
      const job = jobOfRun(runId);
      job.runs = job.runs.filter(({ id }) => id !== runId);
    },
    injectRun: (projectId, jobId, options = {}) =>
      runState(startRun(world, jobOf(projectId, jobId), { startedBy: "other", ...options }), world.now()),
    services: (projectId) => [...projectOf(projectId).services.values()].map((service) => stateOf(projectId, service)),
    service: (projectId, serviceId) => stateOf(projectId, serviceOf(projectId, serviceId)),
    jobs: (projectId) => [...projectOf(projectId).jobs.values()].map((job) => jobState(projectId, job)),
    job: (projectId, jobId) => jobState(projectId, jobOf(projectId, jobId)),
    runs: (projectId, jobId) => jobOf(projectId, jobId).runs.map((run) => runState(run, world.now())),
    integrations: () => [...account.integrations.values()].map(integrationState),
    integration: (id) => integrationState(found(account.integrations.get(id), `integration ${id}`)),
    addIntegration: ({ isFollowed = true, ...fields }) =>
      integrationState(addIntegration(world, account, { events: everyEvent, ...fields }, { isFollowed })),
    changeIntegration: (id, fields) =>
      changeIntegration(world, found(account.integrations.get(id), `integration ${id}`), fields),
    removeIntegration: (id) => found(account.integrations.delete(id) || undefined, `integration ${id}`),
    disableIntegration: (id) => {
      const integration = found(account.integrations.get(id), `integration ${id}`);
      integration.failures = mostFailures;
      integration.firstFailureMs ??= world.now();
    },
    deliver: (id, event, data, options = {}) => deliver(world, account, id, { event, data }, options),
    quota: () => ({
      limit: account.limitPerHour,
      used: account.used,
      resetAtMs: account.windowStartMs === undefined ? undefined : account.windowStartMs + 3_600_000,
    }),
    spendQuota: (count) => {
      if (!Number.isInteger(count) || count < 0) throw new Error("how many requests are spent: a whole number");
      account.windowStartMs ??= world.now();
      account.used = Math.min(account.limitPerHour, account.used + count);
    },
    setLimit: (limitPerHour) => {
      account.limitPerHour = limitPerHour;
    },
  };
}

const everyEvent = Object.fromEntries(
  [
    "service:deployment:status-update",
    ...["start", "success", "failure", "abort"].map((name) => `build:${name}`),
    ...["start", "success", "failure", "abort", "terminate"].map((name) => `job-run:${name}`),
  ].map((event) => [`trigger:${event}`, true]),
);

function integrationState(integration: IntegrationRecord): IntegrationState {
  const { id, name, type, webhook, secret, restricted, projects, events, failures, firstFailureMs } = integration;
  return {
    ...{ id, name, type, webhook, secret, restricted, projects, failures },
    events: Object.keys(events).filter((event) => events[event] === true),
    isDisabled: isDisabled(integration),
    firstFailureTime: firstFailureMs === undefined ? undefined : new Date(firstFailureMs).toISOString(),
  };
}

function newToken({ expiresAtMs, lacks = [], projects }: TokenOptions): Token {
  const unknown = lacks.find((permission) => !allPermissions().includes(permission));
  if (unknown !== undefined) throw new Error(`the sandbox has no permission ${unknown}`);
  return { expiresAtMs, lacks: new Set(lacks), projects };
}

/** A control that names what does not exist is a mistake of the test: say so at once. */
function found<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`the sandbox has no ${what}`);
  return value;
}

function serviceState(projectId: string, service: Service, nowMs: number): ServiceState {
  const { id, uid, external, internal, docker, buildpack, instances, rollout, rolloutCount } = service;
  const { status } = rolloutStatus(rollout, nowMs);
  return {
    projectId,
    id,
    uid,
    image: external?.imagePath,
    internal,
    docker,
    buildpack,
    instances,
    isPaused: service.paused,
    deployedSHA: service.deployed?.sha,
    rolloutStatus: status,
    rolloutCount,
  };
}

function jobState(projectId: string, { id, uid, external, internal, settings }: Job): JobState {
  return { projectId, id, uid, image: external?.imagePath, internal, settings };
}

function runState(run: Run, nowMs: number): RunState {
  const { id, runName, startedBy, wasAborted, request, startedMs } = run;
  return {
    id,
    runName,
    ...runStatus(run, nowMs),
    startedAt: new Date(startedMs).toISOString(),
    startedBy,
    wasAborted,
    request,
  };
}

import { createHash } from "node:crypto";
import { ApiProblem } from "./api-problem.ts";
import {
  type Account,
  type Build,
  buildStatus,
  type External,
  type Internal,
  type Job,
  type Project,
  type Run,
  runStatus,
  type Service,
} from "./model.ts";
import { beginRollout, isBroken } from "./rollouts.ts";

/** What a test or the demo may change while the API runs. All times in milliseconds. */
export interface SandboxSettings {
  /** From the write to COMPLETED or FAILED. */
  rolloutMs: number;
  /** How long after a write the service still shows the status from before. */
  rolloutLagMs: number;
  runMs: number;
  /** From the start of a build to its end. */
  buildMs: number;
  /** How long a new run is missing from the list (reading it by its id works at once). */
  runListLagMs: number;
  /** Form of "get service". */
  serviceForm: "A" | "B";
  /** Whether external images are also returned as `imageUrl`; `undefined`: in form B only. */
  tellsImageUrl: boolean | undefined;
  /**
   * How "get service" shows a pause: by `deployment.instances: 0`, or by the flag `servicePaused` and instances as they
   * were. `undefined`: the flag in form A only.
   */
  pauseSign: "instances" | "servicePaused" | undefined;
  /** Whether an update of a paused service resumes it. Otherwise it is stored, and rolled out after the resume. */
  updateResumes: boolean;
  /**
   * What becomes of `docker` in an update that brings an image as well. `kept`: both are. Users see that the answer is 200
   * and `docker.configType` stands at its default afterwards, however it was before (`reset`); `ignored`: `docker` stays as
   * it was. An update with `docker` alone is always kept.
   */
  dockerBesideImage: "kept" | "ignored" | "reset";
  /** Whether "get job" returns `runOnSourceChange`, which neither its page nor the SDK lists. */
  tellsRunOnSourceChange: boolean;
  /** Whether `GET /v1/auth` exists. */
  hasAuthRoute: boolean;
  /** Whether a 429 carries `Retry-After`, which is not documented. */
  sendsRetryAfter: boolean;
  /** Added to every answer. */
  latencyMs: number;
  /** How notification integrations are sent what changes. */
  deliveries: DeliveryModes;
}

export interface DeliveryModes {
  /** Names events `trigger:job-run:start` in place of `job-run:start`. Default: no. */
  readonly hasPrefix: boolean;
  /** How long after a change it is sent, in milliseconds. Default 0. */
  readonly lateMs: number;
  /** How often each delivery is sent, under one id. Default 1. */
  readonly times: number;
  /** Of two changes the later one is sent first. Default: no. */
  readonly isOutOfOrder: boolean;
}

/** What both the routes and the controls do to the world. */
export interface World {
  readonly now: () => number;
  readonly settings: SandboxSettings;
  readonly accounts: Map<string, Account>;
  newId(): string;
  /** Ids of their own, so that a uid more shifts no id of a run or build. */
  newUid(): string;
  /** Called when an account has a new integration. */
  integrationAdded: () => void;
}

export function createWorld(options: {
  readonly now: () => number;
  readonly settings: SandboxSettings;
  readonly seed: string;
}): World {
  const { now, settings, seed } = options;
  return {
    now,
    settings,
    accounts: new Map(),
    newId: idsFrom(seed),
    newUid: idsFrom(`${seed}/uid`),
    integrationAdded: () => undefined,
  };
}

function idsFrom(seed: string): () => string {
  let count = 0;
  return () => {
    const hex = createHash("sha256").update(`${seed}/${++count}`).digest("hex");
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
  };
}

/** The parts of a deployment that a write may carry. */
export interface DeploymentChange {
  readonly external?: External;
  readonly internal?: Partial<Internal>;
  readonly docker?: object;
  readonly buildpack?: object;
  readonly instances?: number;
  /** `null` for none. */
  readonly gradualRolloutStrategyId?: string | null;
}

/** Applies a write to a service and begins a rollout, also when nothing is different: the real API may redeploy too. */
export function deploy(world: World, project: Project, service: Service, change: DeploymentChange): void {
  checkSourceKind(service, change);
  const internal =
    change.internal === undefined ? undefined : resolveInternal(world, project, service, change.internal);
  if (change.external !== undefined) {
    service.external = change.external;
    service.internal = undefined;
  }
  if (internal !== undefined) {
    service.internal = internal;
    service.external = undefined;
  }
  service.docker = dockerAfter(world, service, change);
  service.buildpack = change.buildpack ?? service.buildpack;
  if (change.gradualRolloutStrategyId !== undefined) {
    service.gradualRolloutStrategyId = change.gradualRolloutStrategyId ?? undefined;
  }
  scale(world, service, change.instances);
  if (world.settings.updateResumes) service.paused = false;
  service.updatedAtMs = world.now();
  if (internal === undefined) {
    if (change.external !== undefined) service.deployed = undefined;
    beginRollout(world, service, world.now());
    return;
  }
  const build = wantedBuild(world, project, internal);
  service.deployed = build && { buildId: build.id, sha: build.sha };
  // `latest` without any build is accepted and deploys nothing until there is one.
  if (build !== undefined) beginRollout(world, service, world.now());
}

function dockerAfter({ settings }: World, before: Service | Job, change: DeploymentChange): object | undefined {
  const bringsBoth = change.docker !== undefined && change.external !== undefined;
  if (!bringsBoth || settings.dockerBesideImage === "kept") return change.docker ?? before.docker;
  return settings.dockerBesideImage === "reset" ? undefined : before.docker;
}

/** Where instances are the sign of a pause, no instances are a pause and any number ends it. */
function scale({ settings }: World, service: Service, instances: number | undefined): void {
  if (instances === undefined) return;
  const isFlag = signOfPause(settings) === "servicePaused";
  service.paused = isFlag ? service.paused : instances === 0;
  service.instances = instances === 0 && !isFlag ? service.instances : instances;
}

/** How "get service" shows a pause. */
export function signOfPause({ pauseSign, serviceForm }: SandboxSettings): "instances" | "servicePaused" {
  return pauseSign ?? (serviceForm === "A" ? "servicePaused" : "instances");
}

/** Starts the instances again, with the source as it is by now. */
export function resume(world: World, project: Project, service: Service, instances: number | undefined): void {
  if (!service.paused) throw new ApiProblem(409, "The service is not paused");
  service.paused = false;
  service.instances = instances ?? Math.max(1, service.instances);
  const before = service.rolloutCount;
  followBuilds(world, project, service);
  if (service.rolloutCount === before) beginRollout(world, service, world.now());
}

/** Continuous deployment: a service that follows the latest build has rolled out the newest one by now. */
export function followBuilds(world: World, project: Project, service: Service): void {
  const { internal, deployed, disabledCD, paused } = service;
  if (internal === undefined || disabledCD || paused || !isLatest(internal)) return;
  const build = wantedBuild(world, project, internal);
  if (build === undefined || build.id === deployed?.buildId) return;
  service.deployed = { buildId: build.id, sha: build.sha };
  beginRollout(world, service, Math.max(build.end?.atMs ?? 0, service.updatedAtMs));
}

function isLatest({ buildSHA, buildId }: Internal): boolean {
  return buildId === undefined && (buildSHA === undefined || buildSHA === "latest");
}

/** The build that the source of a job stands for now. */
export function deployedBuild(world: World, project: Project, { internal }: Job): Service["deployed"] {
  const build = internal && wantedBuild(world, project, internal);
  return build && { buildId: build.id, sha: build.sha };
}

/** The build that a source stands for now: only one that has succeeded can be deployed. */
function wantedBuild(world: World, project: Project, internal: Internal): Build | undefined {
  const { id, branch, buildSHA, buildId } = internal;
  const builds = (sourceOf(world, project, id)?.builds ?? []).filter(
    (build) => buildStatus(build, world.now()).status === "SUCCESS",
  );
  if (buildId !== undefined) return builds.find((build) => build.id === buildId);
  if (!isLatest(internal)) return builds.findLast(({ sha }) => sha === buildSHA?.toLowerCase());
  return builds.filter((build) => build.branch === (branch ?? "main")).reduce<Build | undefined>(newer, undefined);
}

function newer(before: Build | undefined, build: Build): Build {
  return before === undefined || build.createdAtMs >= before.createdAtMs ? build : before;
}

function checkSourceKind(service: Service, change: DeploymentChange): void {
  if (service.serviceType === "build") throw new ApiProblem(400, "Build services cannot be deployed");
  if (service.serviceType === "combined" && change.external !== undefined) {
    throw new ApiProblem(400, "Combined services deploy their own builds");
  }
}

function resolveInternal(world: World, project: Project, service: Service, wanted: Partial<Internal>): Internal {
  const id = wanted.id ?? (service.serviceType === "combined" ? service.id : service.internal?.id);
  if (id === undefined) throw new ApiProblem(400, "A build service is required");
  const source = sourceOf(world, project, id);
  if (source === undefined || source.serviceType === "deployment") throw new ApiProblem(400, "Build service not found");
  const { buildSHA, buildId } = wanted;
  const found: Internal = {
    id,
    branch: wanted.branch ?? "main",
    buildSHA: buildSHA ?? (buildId === undefined ? "latest" : undefined),
    buildId,
  };
  checkBuilt(world, project, found);
  return found;
}

/** A named build has to be there, and to have succeeded. */
function checkBuilt(world: World, project: Project, source: Internal): void {
  if (isLatest(source) || wantedBuild(world, project, source) !== undefined) return;
  throw new ApiProblem(400, source.buildId === undefined ? "There is no build of this commit" : "Build not found");
}

/** Something to run comes from the job, from the run's own source, or from a build of the job itself. */
export function checkRunnable(world: World, project: Project, job: Job, own: DeploymentChange | undefined): void {
  const sources = [job.external, job.internal, own?.external, own?.internal];
  if (sources.every((source) => source === undefined) && job.builds.length === 0) {
    throw new ApiProblem(409, "No deployment configured");
  }
  if (own?.internal === undefined) return;
  const id = own.internal.id ?? job.internal?.id;
  if (id !== undefined) checkBuilt(world, project, { ...own.internal, id });
}

/** The service that builds; `project/service` names one of another project. */
function sourceOf(world: World, project: Project, id: string): Service | undefined {
  const [first = "", second] = id.split("/");
  const home = second === undefined ? project : homeOf(world, project, first);
  return home?.services.get(second ?? first);
}

/** Another project of the same account. */
function homeOf(world: World, project: Project, projectId: string): Project | undefined {
  const account = [...world.accounts.values()].find(({ projects }) => projects.get(project.id) === project);
  return account?.projects.get(projectId);
}

/** Changes the source of a job; with `runOnSourceChange: always` Northflank itself starts a run. */
export function deployJob(world: World, project: Project, job: Job, change: DeploymentChange): void {
  const before = JSON.stringify([job.external, job.internal]);
  if (change.external !== undefined) {
    job.external = change.external;
    job.internal = undefined;
  }
  if (change.internal !== undefined) {
    const id = change.internal.id ?? job.internal?.id;
    if (id === undefined || latestSource(project, id) === undefined)
      throw new ApiProblem(400, "Build service not found");
    job.internal = { ...change.internal, id };
    job.external = undefined;
  }
  job.docker = dockerAfter(world, job, change);
  job.buildpack = change.buildpack ?? job.buildpack;
  const { runOnSourceChange } = (job.settings.settings ?? {}) as { readonly runOnSourceChange?: string };
  const isChanged = JSON.stringify([job.external, job.internal]) !== before;
  if (isChanged && runOnSourceChange === "always") startRun(world, job, { startedBy: "other" });
}

function latestSource(project: Project, id: string): Service | undefined {
  const source = project.services.get(id);
  return source?.serviceType === "deployment" ? undefined : source;
}

/** Starts a build of a service or job. `outcome` `undefined`: it never ends by itself. */
export function startBuild(
  world: World,
  builder: Pick<Service, "builds">,
  how: {
    readonly sha: string;
    readonly id?: string;
    readonly branch: string;
    readonly runningAs?: string;
    readonly end: Build["end"];
  },
): Build {
  const { sha, branch, runningAs, end } = how;
  const id = how.id ?? `build-${world.newId().slice(0, 8)}`;
  const build: Build = { id, branch, sha, createdAtMs: world.now(), runningAs, end };
  builder.builds.push(build);
  return build;
}

export function startRun(
  world: World,
  job: Job,
  how: { readonly startedBy: "api" | "other"; readonly request?: object; readonly startedMs?: number },
): Run {
  const startedMs = how.startedMs ?? world.now();
  const override = (how.request as { readonly deployment?: { readonly external?: External } } | undefined)?.deployment;
  const scripted = job.script.shift();
  const status = scripted ?? (isBroken(override?.external ?? job.external) ? "FAILED" : "SUCCESS");
  const id = world.newId();
  const run: Run = {
    id,
    // Like the real ones: the first eight digits are the second of the start.
    runName: `${job.id}-${Math.floor(startedMs / 1_000)
      .toString(16)
      .padStart(8, "0")}${id.replaceAll("-", "").slice(0, 16)}`,
    startedMs,
    visibleFromMs: startedMs + (how.startedBy === "api" ? world.settings.runListLagMs : 0),
    end: status === "never" ? undefined : { atMs: startedMs + world.settings.runMs, status },
    request: how.request,
    startedBy: how.startedBy,
    wasAborted: false,
  };
  job.runs.push(run);
  return run;
}

/** Aborts a run. What it shows afterwards is not documented; FAILED is the only word that fits. */
export function abortRun(world: World, run: Run): void {
  const nowMs = world.now();
  if (runStatus(run, nowMs).concluded) throw new ApiProblem(409, "The run has already concluded");
  run.end = { atMs: nowMs, status: "FAILED" };
  run.wasAborted = true;
}

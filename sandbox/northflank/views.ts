import {
  type Account,
  type Build,
  buildStatus,
  type Deployment,
  type GradualRollout,
  type Job,
  type Project,
  type Run,
  rolloutStatus,
  runStatus,
  type Service,
} from "./model.ts";

/**
 * The two documented answers of "get service". `A`, the older: image without its registry host, with provider and
 * `nfObjectId`, without credentials. `B`, the newer: shaped like the body of a write.
 */
export type ServiceForm = "A" | "B";

export interface ViewContext {
  readonly nowMs: number;
  readonly form: ServiceForm;
  /** Whether `deployment.imageUrl` is returned. */
  readonly tellsImageUrl: boolean;
  readonly pauseSign: "instances" | "servicePaused";
}

/** "get project". */
export function projectDetail(account: Account, project: Project): object {
  const summary = ({ id, uid }: Service | Job) => ({
    id,
    uid,
    appId: `/${account.name}/${project.id}/${id}`,
    name: id,
  });
  return {
    id: project.id,
    uid: project.uid,
    name: project.id,
    createdAt: iso(project.createdAtMs),
    lifecycleStatus: "created",
    cluster,
    deployment: { region: "europe-west" },
    services: [...project.services.values()].map((service) => ({
      ...summary(service),
      serviceType: service.serviceType,
    })),
    jobs: [...project.jobs.values()].map((job) => ({ ...summary(job), jobType: job.jobType })),
    addons: [],
  };
}

const cluster = { id: "nf-europe-west", name: "nf-europe-west" };

/** An item of "list services": without any `deployment`, as documented. */
export function serviceItem(account: Account, project: Project, service: Service, { nowMs }: ViewContext): object {
  return {
    id: service.id,
    uid: service.uid,
    appId: `/${account.name}/${project.id}/${service.id}`,
    projectId: project.id,
    name: service.id,
    tags: [],
    serviceType: service.serviceType,
    disabledCI: false,
    disabledCD: service.disabledCD,
    status: statusOf(service, nowMs),
  };
}

/** "get service". */
export function serviceDetail(account: Account, project: Project, service: Service, context: ViewContext): object {
  return { uid: service.uid, ...patchedService(account, project, service, context) };
}

/** What a PATCH of a service answers: as "get service", but the SDK lists no uid. */
export function patchedService(account: Account, project: Project, service: Service, context: ViewContext): object {
  const { deployment: _, ...settings } = service.settings;
  const common = {
    id: service.id,
    appId: `/${account.name}/${project.id}/${service.id}`,
    name: service.id,
    serviceType: service.serviceType,
    createdAt: iso(service.createdAtMs),
    billing: { deploymentPlan: "nf-compute-20" },
    cluster,
    status: statusOf(service, context.nowMs),
    ...(context.pauseSign === "servicePaused" && { servicePaused: service.paused }),
  };
  const deployment = service.serviceType === "build" ? {} : { deployment: deploymentOf(service, context) };
  if (context.form === "A") return { ...common, disabledCI: false, disabledCD: service.disabledCD, ...deployment };
  const ofBuilds = service.serviceType === "deployment" ? {} : { disabledCI: false, buildSettings };
  return { ...common, ...ofBuilds, ...settings, updatedAt: iso(service.updatedAtMs), ...deployment };
}

const buildSettings = { dockerfile: { buildEngine: "buildkit", dockerFilePath: "/Dockerfile", dockerWorkDir: "/" } };

function statusOf(service: Service, nowMs: number): object {
  const newest = service.builds.at(-1);
  const build = newest && buildStatus(newest, nowMs);
  const { status, atMs, reason } = rolloutStatus(service.rollout, nowMs);
  return {
    ...(build && { build: { status: build.status, lastTransitionTime: iso(build.atMs) } }),
    ...(service.serviceType !== "build" && { deployment: { status, reason, lastTransitionTime: iso(atMs) } }),
  };
}

function deploymentOf(service: Service, { form, tellsImageUrl, pauseSign }: ViewContext): object {
  const { external, internal } = service;
  return {
    ...(form === "A" && { region: "europe-west" }),
    instances: service.paused && pauseSign === "instances" ? 0 : service.instances,
    docker: service.docker ?? { configType: "default" },
    ...(service.buildpack && { buildpack: service.buildpack }),
    storage: { ephemeralStorage: { storageSize: 1024 }, shmSize: 64 },
    ...(external && { external: form === "A" ? externalA(external) : external }),
    // The newer form is shaped like the body of a write, and that of a combined service has no source.
    ...(internal && form === "A" && { internal: internalA(internal, service.deployed) }),
    ...(internal && form === "B" && service.serviceType !== "combined" && { internal }),
    ...(external && tellsImageUrl && { imageUrl: external.imagePath }),
    ...(service.gradualRolloutStrategyId && { gradualRolloutStrategyId: service.gradualRolloutStrategyId }),
  };
}

/** An item of "list deployments". */
export function deploymentView(service: Service, deployment: Deployment): object {
  const { id, createdAtMs, releaseType, source, instances } = deployment;
  const { external, deployed } = source;
  return {
    id,
    name: `${service.id}-${id.slice(-8)}`,
    createdAt: iso(createdAtMs),
    active: deployment === service.deployments.at(-1) || id === service.gradual?.stableId,
    releaseType,
    instances,
    ...(external && { image: { imagePath: external.imagePath } }),
    ...(deployed && { commit: { sha: deployed.sha } }),
    reason: { id: "service-updated" },
  };
}

/** "get rollout": the canary beside the stable deployment. */
export function rolloutView(service: Service, gradual: GradualRollout): object {
  const deployment = (wanted: string) => {
    const found = service.deployments.find(({ id }) => id === wanted);
    return found === undefined ? null : deploymentView(service, found);
  };
  return {
    type: "canary",
    strategyId: gradual.strategyId,
    createdAt: iso(gradual.createdAtMs),
    updatedAt: iso(gradual.updatedAtMs),
    promoted: gradual.isPromoted,
    details: { canaryStrategy: "percentage", config: gradual.percentages },
    stableDeployment: deployment(gradual.isPromoted ? gradual.canaryId : gradual.stableId),
    canaryDeployment: gradual.isPromoted ? null : deployment(gradual.canaryId),
    history: gradual.history.map(({ config, updatedAtMs }) => ({ config, updatedAt: iso(updatedAtMs) })),
  };
}

/** The source of a job or service as the deprecated "get deployment" returns it: always the older form. */
export function sourceView(
  account: Account,
  project: Project,
  { external, internal }: Service | Job,
  deployed: Service["deployed"],
): object {
  if (internal === undefined) return external === undefined ? {} : { external: externalA(external) };
  const buildId = internal.buildId ?? deployed?.buildId;
  const appId = `/${account.name}/${project.id}/${internal.id}`;
  // Of the older answers only this one has the id of the build.
  return { internal: { ...internalA(internal, deployed), appId, ...(buildId && { buildId }) } };
}

function externalA(external: { readonly imagePath: string; readonly credentials?: string | undefined }): object {
  const { host, path } = splitHost(external.imagePath);
  return { imagePath: path, registryProvider: providerOf(host), privateImage: external.credentials !== undefined };
}

function internalA(internal: NonNullable<Service["internal"]>, deployed: Service["deployed"]): object {
  const deployedSHA = deployed?.sha;
  return {
    nfObjectId: internal.id,
    nfObjectType: "service",
    repository: `https://github.com/acme/${internal.id}`,
    branch: internal.branch ?? "main",
    buildSHA: internal.buildSHA ?? (internal.buildId === undefined ? "latest" : deployedSHA),
    ...(deployedSHA !== undefined && { deployedSHA }),
  };
}

export function buildView(build: Build, nowMs: number): object {
  const { id, branch, sha, createdAtMs } = build;
  const { status, concluded, atMs } = buildStatus(build, nowMs);
  return {
    id,
    branch,
    sha,
    status,
    concluded,
    success: status === "SUCCESS",
    createdAt: iso(createdAtMs),
    // Unix seconds, unlike every other time of the API.
    ...(concluded && { buildConcludedAt: Math.floor(atMs / 1_000) }),
  };
}

function splitHost(imagePath: string): { readonly host: string; readonly path: string } {
  const bare = imagePath.replace(/^https?:\/\//, "");
  const slash = bare.indexOf("/");
  const first = slash < 0 ? "" : bare.slice(0, slash);
  if (!/[.:]/.test(first) && first !== "localhost") return { host: "docker.io", path: bare };
  return { host: first, path: bare.slice(slash + 1) };
}

function providerOf(host: string): string {
  if (host === "docker.io") return "dockerhub";
  if (host === "ghcr.io") return "github";
  if (host.endsWith(".pkg.dev") || host.endsWith("gcr.io")) return "gar";
  if (host.endsWith(".amazonaws.com")) return "ecr";
  if (host.endsWith(".azurecr.io")) return "acr";
  return host.includes("gitlab") ? "gitlab" : "custom";
}

/** An item of "list jobs". */
export function jobItem(account: Account, project: Project, job: Job): object {
  const { settings, tags = [], disabledCI = false } = settingsOf(job);
  return {
    id: job.id,
    uid: job.uid,
    projectId: project.id,
    appId: `/${account.name}/${project.id}/${job.id}`,
    name: job.id,
    tags,
    jobType: job.jobType,
    disabledCI,
    disabledCD: false,
    suspended: settings?.cron?.suspended ?? false,
  };
}

/** "get job": no source, no status, and of the settings only what its page lists, whatever the writes take. */
export function jobDetail(
  account: Account,
  project: Project,
  job: Job,
  { tellsRunOnSourceChange }: { readonly tellsRunOnSourceChange: boolean },
): object {
  const { settings = {}, description } = settingsOf(job);
  const { backoffLimit, activeDeadlineSeconds, runOnSourceChange, cron } = settings;
  const policy = cron?.concurrencyPolicy;
  return {
    ...jobItem(account, project, job),
    createdAt: iso(job.createdAtMs),
    billing: billingOf(job),
    cluster,
    deployment: { region: "europe-west", ...runtimeOf(job) },
    settings: {
      backoffLimit,
      activeDeadlineSeconds,
      ...(tellsRunOnSourceChange && { runOnSourceChange }),
      // Written in lower case, read capitalised.
      ...(cron && { cron: { schedule: cron.schedule, ...(policy && { concurrencyPolicy: capital(policy) }) } }),
    },
    ...(description !== undefined && { description }),
  };
}

/** The answer to a PATCH of a job: shaped like the body of the write. No other answer has a source in this form. */
export function patchedJob(account: Account, project: Project, job: Job, nowMs: number): object {
  const { settings = {}, description, tags = [], disabledCI = false } = settingsOf(job);
  const { external, internal } = job;
  const newest = job.builds.at(-1);
  const build = newest && buildStatus(newest, nowMs);
  return {
    id: job.id,
    appId: `/${account.name}/${project.id}/${job.id}`,
    name: job.id,
    jobType: job.jobType,
    tags,
    disabledCI,
    createdAt: iso(job.createdAtMs),
    updatedAt: iso(nowMs),
    billing: billingOf(job),
    cluster,
    status: build === undefined ? {} : { build: { status: build.status, lastTransitionTime: iso(build.atMs) } },
    deployment: {
      ...runtimeOf(job),
      ...(external && { external, imageUrl: external.imagePath }),
      ...(internal && { internal }),
    },
    settings,
    ...(description !== undefined && { description }),
  };
}

function runtimeOf(job: Job): object {
  return {
    docker: job.docker ?? { configType: "default" },
    ...(job.buildpack && { buildpack: job.buildpack }),
    storage: { ephemeralStorage: { storageSize: 1024 }, shmSize: 64 },
  };
}

function billingOf(job: Job): object {
  return { deploymentPlan: settingsOf(job).billing?.deploymentPlan ?? "nf-compute-20" };
}

function settingsOf(job: Job): JobSettings {
  return job.settings as JobSettings;
}

interface JobSettings {
  readonly settings?: Readonly<Record<string, unknown>> & {
    readonly cron?: { readonly schedule?: string; readonly concurrencyPolicy?: string; readonly suspended?: boolean };
  };
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly disabledCI?: boolean;
  readonly billing?: { readonly deploymentPlan?: string };
}

export function runView(run: Run, nowMs: number): object {
  const { status, concluded } = runStatus(run, nowMs);
  return {
    id: run.id,
    runName: run.runName,
    status,
    concluded,
    active: concluded ? 0 : 1,
    // The documentation's own example has SUCCESS with 0 here: whoever trusts the counters must notice.
    succeeded: 0,
    failed: status === "FAILED" ? 1 : 0,
    completions: concluded ? 1 : 0,
    backoffLimit: 0,
    startedAt: isoSeconds(run.startedMs),
    // Required as a text, also before the run has ended.
    concludedAt: concluded && run.end ? isoSeconds(run.end.atMs) : "",
  };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** Times of runs have whole seconds. */
function isoSeconds(ms: number): string {
  return `${iso(ms).slice(0, 19)}Z`;
}

function capital(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1);
}

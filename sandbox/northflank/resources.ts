import type { External, Job, Project, Service, ServiceType } from "./model.ts";
import type { World } from "./state.ts";

export interface NewService {
  readonly id: string;
  /** Default `deployment`. */
  readonly serviceType?: ServiceType;
  /** External image. Without one a deployment service runs `internal` or nothing. */
  readonly image?: string;
  readonly credentials?: string;
  readonly internal?: Service["internal"];
  /** Default 1. */
  readonly instances?: number;
  /** Updates become canaries that stay until they are promoted. */
  readonly gradualRolloutStrategyId?: string;
}

export interface NewJob {
  readonly id: string;
  readonly image?: string;
  readonly internal?: Job["internal"];
  /** Makes it a cron job. It never starts runs by itself: `injectRun` does. */
  readonly schedule?: string;
  readonly runOnSourceChange?: "always" | "cd-promote" | "never";
}

export function newProject(world: World, id: string): Project {
  return { id, uid: world.newUid(), createdAtMs: settledMs(world), services: new Map(), jobs: new Map() };
}

/** Long settled: nothing of what is made lies in the time after the start of the sandbox. */
function settledMs(world: World): number {
  return world.now() - 3_600_000;
}

export function newService(world: World, options: NewService): Service {
  const atMs = settledMs(world);
  const settled = { status: "COMPLETED", atMs, reason: "DEPLOYING" };
  const external = externalOf(options.image, options.credentials);
  const internal =
    options.internal ?? (options.serviceType === "combined" ? { id: options.id, branch: "main" } : undefined);
  const source = { external, internal, docker: undefined, buildpack: undefined, deployed: undefined };
  const instances = options.instances ?? 1;
  const id = `deployment-${world.newUid().slice(0, 8)}`;
  return {
    ...source,
    id: options.id,
    uid: world.newUid(),
    serviceType: options.serviceType ?? "deployment",
    createdAtMs: atMs,
    updatedAtMs: atMs,
    instances,
    paused: false,
    disabledCD: false,
    settings: {},
    rollout: { before: settled, startedMs: atMs, lagMs: 0, durationMs: 0, outcome: "COMPLETED" },
    rolloutCount: 1,
    gradualRolloutStrategyId: options.gradualRolloutStrategyId,
    gradual: undefined,
    deployments: [{ id, createdAtMs: atMs, releaseType: "stable", source, instances }],
    builds: [],
    script: [],
  };
}

/** Another service under the id of one that was deleted. Its first rollout is still to begin. */
export function remadeService(world: World, before: Service, changed: Partial<Omit<NewService, "id">>): Service {
  const { id, serviceType, external, internal, instances } = before;
  const made = newService(world, { id, serviceType, instances, ...changed });
  const source = changed.image === undefined && changed.internal === undefined ? { external, internal } : {};
  return { ...made, ...source, createdAtMs: world.now(), updatedAtMs: world.now(), rolloutCount: 0, deployments: [] };
}

export function newJob(world: World, options: NewJob): Job {
  const { schedule, runOnSourceChange = "never" } = options;
  const cron = schedule === undefined ? {} : { cron: { schedule, concurrencyPolicy: "forbid" } };
  return {
    id: options.id,
    uid: world.newUid(),
    createdAtMs: settledMs(world),
    jobType: schedule === undefined ? "manual" : "cron",
    external: externalOf(options.image),
    internal: options.internal,
    docker: undefined,
    buildpack: undefined,
    settings: { settings: { backoffLimit: 0, activeDeadlineSeconds: 600, runOnSourceChange, ...cron } },
    builds: [],
    runs: [],
    script: [],
  };
}

/** Another job under the id of one that was deleted, with its settings. */
export function remadeJob(world: World, before: Job, changed: Partial<Omit<NewJob, "id">>): Job {
  const { id, external, internal, jobType, settings } = before;
  const made = newJob(world, { id, ...changed });
  const source = changed.image === undefined && changed.internal === undefined ? { external, internal } : {};
  const kept = changed.schedule === undefined ? { jobType, settings: structuredClone(settings) } : {};
  return { ...made, ...source, ...kept, createdAtMs: world.now() };
}

function externalOf(image: string | undefined, credentials?: string): External | undefined {
  if (image === undefined) return undefined;
  return { imagePath: image, ...(credentials !== undefined && { credentials }) };
}

import type { IntegrationRecord } from "./integrations.ts";

/** What the in-memory API knows. Everything that takes time is computed from the clock when it is read. */

export interface External {
  readonly imagePath: string;
  readonly credentials?: string | undefined;
}

export interface Internal {
  readonly id: string;
  readonly branch?: string | undefined;
  readonly buildSHA?: string | undefined;
  readonly buildId?: string | undefined;
}

export interface Build {
  readonly id: string;
  readonly branch: string;
  readonly sha: string;
  readonly createdAtMs: number;
  /** What it shows until its end; missing: QUEUED, then BUILDING. */
  readonly runningAs: string | undefined;
  /** When and how it ends by itself; `undefined`: never. */
  end: { readonly atMs: number; readonly status: string } | undefined;
}

/** Status of a rollout at a moment. */
export interface RolloutStatus {
  readonly status: string;
  readonly atMs: number;
  readonly reason: string;
}

/** A rollout under way or over. `outcome` `undefined`: it never ends by itself. */
export interface Rollout {
  readonly before: RolloutStatus;
  readonly startedMs: number;
  /** How long the status from before is still shown. */
  readonly lagMs: number;
  readonly durationMs: number;
  readonly outcome: "COMPLETED" | "FAILED" | undefined;
}

/** One of the deployments of a service, to which a gradual rollout can go back. */
export interface Deployment {
  readonly id: string;
  readonly createdAtMs: number;
  readonly releaseType: "stable" | "canary";
  readonly source: Pick<Service, "external" | "internal" | "docker" | "buildpack" | "deployed">;
  readonly instances: number;
}

export interface Percentages {
  readonly canaryPercentage: number;
  readonly stablePercentage: number;
}

/** A canary beside the stable deployment. */
export interface GradualRollout {
  readonly strategyId: string;
  readonly stableId: string;
  readonly canaryId: string;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly percentages: Percentages;
  readonly history: readonly { readonly config: Percentages; readonly updatedAtMs: number }[];
  readonly isPromoted: boolean;
}

export type ServiceType = "deployment" | "combined" | "build";

export interface Service {
  readonly id: string;
  /** New when it is deleted and made again under the same id. */
  readonly uid: string;
  readonly serviceType: ServiceType;
  readonly createdAtMs: number;
  /** As wanted while it is not paused. */
  instances: number;
  paused: boolean;
  disabledCD: boolean;
  external: External | undefined;
  internal: Internal | undefined;
  docker: object | undefined;
  buildpack: object | undefined;
  /** Everything else that a PATCH has set, as it was sent. */
  settings: Record<string, unknown>;
  rollout: Rollout;
  /** Its updates become canaries that stay until they are promoted; `undefined`: they are rolled out at once. */
  gradualRolloutStrategyId: string | undefined;
  /** The gradual rollout under way, or the last one where nothing came after it. */
  gradual: GradualRollout | undefined;
  /** Oldest first. */
  deployments: Deployment[];
  /** How many rollouts took place; the first deployment is number 1. */
  rolloutCount: number;
  updatedAtMs: number;
  builds: Build[];
  /** The build that was rolled out last; `undefined` while there was none. */
  deployed: { readonly buildId: string; readonly sha: string } | undefined;
  /** Outcomes of the rollouts to come, before chance and image tags have a say. */
  script: ("COMPLETED" | "FAILED" | "never")[];
}

export interface Run {
  readonly id: string;
  readonly runName: string;
  readonly startedMs: number;
  /** Shown in lists from then on. */
  readonly visibleFromMs: number;
  /** When and how it ends by itself; `undefined`: never. */
  end: { readonly atMs: number; readonly status: "SUCCESS" | "FAILED" } | undefined;
  /** The request body that started it, for assertions; `undefined` for a run that another client started. */
  readonly request: object | undefined;
  readonly startedBy: "api" | "other";
  wasAborted: boolean;
}

export interface Job {
  readonly id: string;
  readonly uid: string;
  readonly createdAtMs: number;
  readonly jobType: "manual" | "cron";
  external: External | undefined;
  internal: Internal | undefined;
  docker: object | undefined;
  buildpack: object | undefined;
  /** Everything that a PATCH has set, in the form of `PATCH /jobs/{id}`. */
  settings: Record<string, unknown>;
  builds: Build[];
  runs: Run[];
  script: ("SUCCESS" | "FAILED" | "never")[];
}

export interface Project {
  readonly id: string;
  readonly uid: string;
  readonly createdAtMs: number;
  readonly services: Map<string, Service>;
  readonly jobs: Map<string, Job>;
}

/** A token and what its role allows; what is not kept here it may do. */
export interface Token {
  readonly expiresAtMs: number | undefined;
  /** Permissions that it has not got, as `ps_jobs_general_run-job`. */
  readonly lacks: ReadonlySet<string>;
  /** The projects that it is limited to, or kept out of. */
  readonly projects: ProjectRestrictions | undefined;
}

export interface ProjectRestrictions {
  readonly restrictionMode: "in" | "notIn";
  readonly projects: readonly string[];
}

export interface Account {
  readonly name: string;
  readonly uid: string;
  readonly tokens: Map<string, Token>;
  /** Routes that answer that a feature flag is off. */
  readonly disabledFeatures: Set<string>;
  /** How many requests are still to get a bare 401 although their token is good. */
  strayRejections: number;
  readonly teams: Set<string>;
  readonly projects: Map<string, Project>;
  readonly integrations: Map<string, IntegrationRecord>;
  limitPerHour: number;
  windowStartMs: number | undefined;
  used: number;
}

/** The status that a rollout shows at `nowMs`. */
export function rolloutStatus(rollout: Rollout, nowMs: number): RolloutStatus {
  const { before, startedMs, lagMs, durationMs, outcome } = rollout;
  const pendingFromMs = startedMs + lagMs;
  const progressFromMs = startedMs + Math.max(lagMs, durationMs * 0.3);
  const endMs = startedMs + durationMs;
  const reason = "DEPLOYING";
  if (nowMs < pendingFromMs) return before;
  if (outcome !== undefined && nowMs >= endMs) return { status: outcome, atMs: endMs, reason };
  if (nowMs < progressFromMs) return { status: "PENDING", atMs: pendingFromMs, reason };
  return { status: "IN_PROGRESS", atMs: progressFromMs, reason };
}

/** Every word for a build that is over. */
const buildEnds: ReadonlySet<string> = new Set(["SUCCESS", "FAILURE", "ABORTED", "SUBMISSION_FAILURE", "CRASHED"]);

/** The status that a build shows at `nowMs`, and since when. */
export function buildStatus(build: Build, nowMs: number): RolloutStatus & { readonly concluded: boolean } {
  const { createdAtMs, runningAs, end } = build;
  const reason = "";
  if (end !== undefined && nowMs >= end.atMs) return { ...end, reason, concluded: buildEnds.has(end.status) };
  const queuedMs = end === undefined ? 500 : (end.atMs - createdAtMs) * 0.2;
  const isQueued = nowMs < createdAtMs + queuedMs;
  const status = runningAs ?? (isQueued ? "QUEUED" : "BUILDING");
  return { status, atMs: isQueued ? createdAtMs : createdAtMs + queuedMs, reason, concluded: false };
}

/** The status that a run shows at `nowMs`: the API knows no pending and no aborted. */
export function runStatus(run: Run, nowMs: number): { readonly status: string; readonly concluded: boolean } {
  if (run.end === undefined || nowMs < run.end.atMs) return { status: "RUNNING", concluded: false };
  return { status: run.end.status, concluded: true };
}

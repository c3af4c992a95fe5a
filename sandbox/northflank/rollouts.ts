import { ApiProblem } from "./api-problem.ts";
import { type Deployment, type External, type Percentages, rolloutStatus, type Service } from "./model.ts";
import type { World } from "./state.ts";

/*
 * A rollout, and what a gradual one adds to it:
 *
 *   update --> IN_PROGRESS, canary beside stable --- promote, or 100 % to the canary --> COMPLETED
 *                   |  ^                         `-- rollback --> a plain rollout of an older deployment
 *                   `--' other percentages
 *
 * It stays IN_PROGRESS until a user decides; a canary that cannot start ends it as FAILED.
 */

/** An image whose tag holds this word cannot be rolled out, and a run of it fails. */
const brokenWord = "broken";

export function isBroken(external: External | undefined): boolean {
  return external?.imagePath.slice(external.imagePath.lastIndexOf(":")).includes(brokenWord) ?? false;
}

/** Begins a rollout; of a paused service there is nothing to roll out. */
export function beginRollout(world: World, service: Service, fromMs: number): void {
  if (service.paused) return;
  const strategyId = service.gradualRolloutStrategyId;
  const stable = stableOf(service);
  if (strategyId === undefined || stable === undefined) {
    service.gradual = undefined;
    begin(world, service, fromMs, { endsAs: "COMPLETED" });
    addDeployment(world, service, "stable");
    return;
  }
  begin(world, service, fromMs, { endsAs: undefined });
  const canary = addDeployment(world, service, "canary");
  const nowMs = world.now();
  service.gradual = {
    strategyId,
    stableId: stable.id,
    canaryId: canary.id,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    percentages: { canaryPercentage: 10, stablePercentage: 90 },
    history: [],
    isPromoted: false,
  };
}

function begin(
  world: World,
  service: Service,
  fromMs: number,
  { endsAs }: { readonly endsAs: "COMPLETED" | undefined },
): void {
  const { rolloutMs, rolloutLagMs } = world.settings;
  const before = rolloutStatus(service.rollout, fromMs);
  const scripted = service.script.shift();
  const outcome = scripted ?? (isBroken(service.external) ? "FAILED" : "COMPLETED");
  const lagMs = Math.min(rolloutLagMs, rolloutMs);
  service.rollout = {
    before,
    // Its first transition is later than the last one before, also when two writes fall into one millisecond.
    startedMs: Math.max(fromMs, before.atMs + 1 - lagMs),
    lagMs,
    durationMs: rolloutMs,
    outcome: outcome === "FAILED" ? outcome : outcome === "never" ? undefined : endsAs,
  };
  service.rolloutCount++;
}

/** What serves until the canary is promoted: the deployment before, or the one that stood beside the canary before. */
function stableOf({ gradual, deployments }: Service): Deployment | undefined {
  if (gradual === undefined || gradual.isPromoted) return deployments.at(-1);
  return deployments.find(({ id }) => id === gradual.stableId);
}

function addDeployment(world: World, service: Service, releaseType: Deployment["releaseType"]): Deployment {
  const { external, internal, docker, buildpack, deployed, instances } = service;
  const source = { external, internal, docker, buildpack, deployed };
  const deployment = { id: `deployment-${world.newUid().slice(0, 8)}`, createdAtMs: world.now(), releaseType, source };
  service.deployments.push({ ...deployment, instances });
  return { ...deployment, instances };
}

/** Ends the rollout that is under way now. */
export function endRollout(world: World, service: Service, outcome: "COMPLETED" | "FAILED"): void {
  const durationMs = Math.max(0, world.now() - service.rollout.startedMs);
  service.rollout = { ...service.rollout, outcome, durationMs, lagMs: Math.min(service.rollout.lagMs, durationMs) };
}

/** Makes the canary the stable deployment; once it is, this changes nothing. */
export function promote(world: World, service: Service): void {
  const gradual = gradualOf(service);
  if (gradual.isPromoted) return;
  if (rolloutStatus(service.rollout, world.now()).status === "FAILED") {
    throw new ApiProblem(409, "The canary deployment has failed");
  }
  configure(world, service, { canaryPercentage: 100, stablePercentage: 0 });
}

/** Splits the traffic anew; everything to the canary promotes it. */
export function configure(world: World, service: Service, percentages: Percentages): void {
  const gradual = gradualOf(service);
  if (gradual.isPromoted) throw new ApiProblem(409, "The rollout has been promoted");
  if (percentages.canaryPercentage + percentages.stablePercentage !== 100) {
    throw new ApiProblem(400, "The percentages must add up to 100");
  }
  const isPromoted = percentages.canaryPercentage === 100;
  const before = { config: gradual.percentages, updatedAtMs: gradual.updatedAtMs };
  const history = [...gradual.history, before];
  service.gradual = { ...gradual, percentages, history, isPromoted, updatedAtMs: world.now() };
  if (isPromoted) endRollout(world, service, "COMPLETED");
}

/** Ends the gradual rollout and deploys an older deployment at once. Returns the new deployment. */
export function rollBack(world: World, service: Service, deploymentId: string): Deployment {
  gradualOf(service);
  const target = service.deployments.find(({ id }) => id === deploymentId);
  if (target === undefined) throw new ApiProblem(404, "Deployment not found");
  Object.assign(service, target.source);
  service.gradual = undefined;
  service.updatedAtMs = world.now();
  begin(world, service, world.now(), { endsAs: "COMPLETED" });
  return addDeployment(world, service, "stable");
}

/** The gradual rollout of a service, for as long as no other deployment came after it. */
export function gradualOf(service: Service): NonNullable<Service["gradual"]> {
  if (service.gradual === undefined) throw new ApiProblem(404, "The service has no gradual rollout");
  return service.gradual;
}

import type { NorthflankDeployment } from "../../src/api/deployment.ts";
import { northflankDeployments } from "../../src/api/names.ts";
import type { DependencyRun } from "../../src/controllers/deployment/dependencies.ts";
import { FollowedRollouts } from "../../src/controllers/deployment/followed-rollouts.ts";
import { createDeploymentReconciler } from "../../src/controllers/deployment/reconciler.ts";
import { deploymentIndexes } from "../../src/controllers/deployment/target.ts";
import { SharedLists } from "../../src/northflank/shared-lists.ts";
import { type SceneDeps, TargetScene } from "./target-scene.ts";

type Index = keyof typeof deploymentIndexes;

/** NorthflankDeployments, and the runs that they wait for. */
export class DeploymentScene extends TargetScene<NorthflankDeployment, Index> {
  readonly runs = new Map<string, DependencyRun>();

  constructor() {
    super({ type: northflankDeployments, indexes: deploymentIndexes, key: "shop/api" });
  }

  protected reconciler(deps: SceneDeps<NorthflankDeployment, Index>) {
    const { clock, settings } = deps;
    const lists = new SharedLists({ clock });
    const rollouts = new FollowedRollouts({ lists, clock, intervalMs: settings.rolloutPollIntervalMs });
    return createDeploymentReconciler({ ...deps, runs: this.runs, rollouts });
  }
}

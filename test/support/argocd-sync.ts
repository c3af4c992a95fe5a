import { type ArgoHealth, argoHealthOf, type Judged } from "./argocd.ts";

/**
 * What a sync of Argo CD does when it sees this health, both of a hook (`getOperationPhase` of its sync engine: Running,
 * Succeeded, Failed) and of an ordinary resource in a wave that others follow. There is no time limit.
 */
export type SyncStep = "holds" | "continues" | "fails";

const syncSteps: Readonly<Record<ArgoHealth, SyncStep>> = {
  Progressing: "holds",
  Suspended: "holds",
  Healthy: "continues",
  Degraded: "fails",
};

/**
 * What the sync does at each version of an object, repeats left out: `["holds", "continues"]` is a life that holds the sync
 * until its end.
 */
export function syncStepsOf(versions: readonly Judged[]): readonly SyncStep[] {
  const steps = versions.map((object) => syncSteps[argoHealthOf(object).status]);
  return steps.filter((step, index) => step !== steps[index - 1]);
}

// pure
import type { TokenNeed, TokenUse } from "../../api/northflank-calls.ts";

/** What is read of an object that manages a target. */
interface Managing {
  readonly spec: { readonly serviceId?: string; readonly jobId?: string; readonly managementPolicy?: string };
}

/** What the objects of a connection need of its token: each use once, however many objects there are. */
export function tokenNeeds(users: {
  readonly deployments: readonly Managing[];
  readonly jobs: readonly Managing[];
  readonly runs: number;
}): readonly TokenNeed[] {
  const needs = new Map<string, TokenNeed>();
  const add = (use: TokenUse, writes: boolean): void => {
    needs.set(`${use} ${writes}`, { use, writes });
  };
  for (const { spec } of users.deployments) {
    add(spec.jobId === undefined ? "NorthflankDeployment of a service" : "NorthflankDeployment of a job", writes(spec));
  }
  for (const { spec } of users.jobs) add("NorthflankJob", writes(spec));
  if (users.runs > 0) add("NorthflankJobRun", true);
  return [...needs.values()];
}

function writes({ managementPolicy }: Managing["spec"]): boolean {
  return managementPolicy !== "Observe";
}

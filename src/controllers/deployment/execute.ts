import type { JobName, NorthflankApi, ServiceName } from "../../northflank/client.ts";
import { assertNever } from "../../util/assert-never.ts";
import { send, type WriteResult } from "../target/send.ts";
import type { Call, Change } from "./observation.ts";
import type { TargetName } from "./target.ts";

interface ExecuteDeps {
  readonly api: NorthflankApi;
  readonly target: TargetName;
}

/** Sends one change, with the guarantees and errors of {@link send}. */
export async function execute(
  deps: ExecuteDeps,
  { call, fallback }: Pick<Change, "call" | "fallback">,
  signal: AbortSignal,
): Promise<WriteResult> {
  const carry = (by: Call) => () => carryBy(deps, by, signal);
  return await send(carry(call), fallback && carry(fallback));
}

async function carryBy({ api, target }: ExecuteDeps, call: Call, signal: AbortSignal): Promise<void> {
  const options = { class: "change", signal } as const;
  // Sound: a call is made for the kind of target that was read by this name.
  const [service, job] = [target as ServiceName, target as JobName];
  switch (call.route) {
    case "service deployment":
      return await api.updateServiceDeployment(service, call.body, { ...options, isOnce: call.isOnce });
    case "job deployment":
      return await api.updateJobDeployment(job, call.body, options);
    case "deployment service":
      return await api.patchDeploymentService(service, { deployment: call.body }, options);
    case "combined service":
      return await api.patchCombinedService(service, { deployment: call.body }, options);
    case "restart":
      return await api.restartService(service, options);
    default:
      return assertNever(call, "route of a change");
  }
}

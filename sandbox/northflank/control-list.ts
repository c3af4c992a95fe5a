import type { AccountControls } from "./controls.ts";

/** A control as it is listed for people. */
interface ControlHelp<F extends (...parameters: never) => unknown> {
  readonly does: string;
  /** One name for each parameter; with `?` where it may be left out, or null. */
  readonly parameters: ParameterNames<Parameters<F>>;
  /** Parameters that work on a new sandbox. `RUN_ID` stands for the id of a run. */
  readonly example: Parameters<F>;
}

type ParameterNames<P extends readonly unknown[]> = {
  readonly [I in keyof P]-?: undefined extends P[I] ? `${string}?` : string;
};

type ControlName = keyof AccountControls;

const sha = "4f9a1c0d2b7e8a6f5c3d1e0b9a8f7c6d5e4b3a2f";

const controls: { readonly [N in ControlName]: ControlHelp<AccountControls[N]> } = {
  addToken: {
    does: "adds an API token; options: {expiresAtMs?, lacks?: [permission], projects?: {restrictionMode, projects}}",
    parameters: ["token", "options?"],
    example: ["reader", { lacks: ["ps_jobs_general_run-job"] }],
  },
  setTokenRights: {
    does: "changes what a token may do; rights: {lacks?, projects?}",
    parameters: ["token", "rights"],
    example: ["sandbox-token", { lacks: ["ps_jobs_general_run-job"] }],
  },
  revokeToken: { does: "revokes a token", parameters: ["token"], example: ["sandbox-token"] },
  rejectNextRequests: {
    does: "answers the next requests with a bare 401, although their token is good; 1 by default",
    parameters: ["count?"],
    example: [2],
  },
  setFeature: {
    does: "says whether the account has the feature behind a call",
    parameters: ["method", "path", "isEnabled"],
    example: ["POST", "/v1/projects/{project}/jobs/{job}/runs", false],
  },
  addProject: { does: "adds an empty project", parameters: ["projectId"], example: ["staging"] },
  addService: {
    does: "adds a service: {id, serviceType?, image?, credentials?, internal?, instances?, gradualRolloutStrategyId?}",
    parameters: ["projectId", "service"],
    example: ["shop", { id: "search", image: "ghcr.io/acme/search:1.0.0" }],
  },
  removeService: { does: "deletes a service", parameters: ["projectId", "serviceId"], example: ["shop", "web"] },
  remakeService: {
    does: "deletes a service and makes it again under the same id, with another uid; changed: as in addService",
    parameters: ["projectId", "serviceId", "changed?"],
    example: ["shop", "api", { image: "ghcr.io/acme/api:1.0.0" }],
  },
  addJob: {
    does: "adds a job: {id, image?, internal?, schedule?, runOnSourceChange?}",
    parameters: ["projectId", "job"],
    example: ["shop", { id: "cleanup", image: "ghcr.io/acme/cleanup:1.0.0" }],
  },
  removeJob: { does: "deletes a job", parameters: ["projectId", "jobId"], example: ["shop", "migrate"] },
  remakeJob: {
    does: "deletes a job and makes it again under the same id, with another uid and no runs; changed: as in addJob",
    parameters: ["projectId", "jobId", "changed?"],
    example: ["shop", "migrate", { image: "ghcr.io/acme/migrate:1.0.0" }],
  },
  addBuild: {
    does: "adds a build that is over, SUCCESS by default: {sha, id?, branch?, status?}",
    parameters: ["projectId", "serviceOrJobId", "build"],
    example: ["shop", "builder", { sha, branch: "main" }],
  },
  startBuild: {
    does: "starts a build that takes buildMs: {sha, branch?, outcome?}; outcome never: it does not end by itself",
    parameters: ["projectId", "serviceOrJobId", "build"],
    example: ["shop", "builder", { sha, branch: "main", outcome: "FAILURE" }],
  },
  finishBuild: {
    does: "ends a build now: SUCCESS, FAILURE or ABORTED; BUILD_ID is in the answer to startBuild",
    parameters: ["projectId", "serviceOrJobId", "buildId", "status"],
    example: ["shop", "builder", "BUILD_ID", "SUCCESS"],
  },
  loseBuild: {
    does: "makes a build disappear, record and image",
    parameters: ["projectId", "serviceOrJobId", "buildId"],
    example: ["shop", "builder", "BUILD_ID"],
  },
  setContinuousDeployment: {
    does: "switches Northflank's own deployment of new builds on or off",
    parameters: ["projectId", "serviceId", "isEnabled"],
    example: ["shop", "storefront", false],
  },
  setImage: {
    does: "changes the image of a service as a person does; with a rollout, unless hasRollout is false",
    parameters: ["projectId", "serviceId", "image", "hasRollout?"],
    example: ["shop", "api", "ghcr.io/acme/api:hotfix"],
  },
  setJobImage: {
    does: "changes the image of a job as a person does",
    parameters: ["projectId", "jobId", "image"],
    example: ["shop", "migrate", "ghcr.io/acme/migrate:hotfix"],
  },
  pauseService: {
    does: "pauses a service, or resumes it with a rollout",
    parameters: ["projectId", "serviceId", "isPaused"],
    example: ["shop", "api", true],
  },
  failNextRollout: {
    does: "lets the next rollouts fail; 1 by default. An image whose tag holds `broken` always fails",
    parameters: ["projectId", "serviceId", "count?"],
    example: ["shop", "api"],
  },
  hangNextRollout: {
    does: "keeps the next rollout running until finishRollout",
    parameters: ["projectId", "serviceId"],
    example: ["shop", "api"],
  },
  finishRollout: {
    does: "ends the rollout that is under way: COMPLETED or FAILED",
    parameters: ["projectId", "serviceId", "outcome"],
    example: ["shop", "api", "FAILED"],
  },
  setGradualRollout: {
    does: "makes further updates a canary that waits for promoteRollout; null: no more",
    parameters: ["projectId", "serviceId", "strategyId?"],
    example: ["shop", "api", "careful"],
  },
  promoteRollout: {
    does: "promotes the canary",
    parameters: ["projectId", "serviceId"],
    example: ["shop", "api"],
  },
  failNextRun: {
    does: "lets the next runs fail; 1 by default",
    parameters: ["projectId", "jobId", "count?"],
    example: ["shop", "migrate"],
  },
  hangNextRun: {
    does: "keeps the next run running until finishRun or abortRun",
    parameters: ["projectId", "jobId"],
    example: ["shop", "migrate"],
  },
  finishRun: { does: "ends a run: SUCCESS or FAILED", parameters: ["runId", "status"], example: ["RUN_ID", "SUCCESS"] },
  abortRun: { does: "aborts a run", parameters: ["runId"], example: ["RUN_ID"] },
  loseRun: { does: "makes a run disappear, record included", parameters: ["runId"], example: ["RUN_ID"] },
  injectRun: {
    does: "starts a run that is not the operator's; options: {startedMs?}, now by default",
    parameters: ["projectId", "jobId", "options?"],
    example: ["shop", "migrate"],
  },
  services: { does: "shows all services of a project", parameters: ["projectId"], example: ["shop"] },
  service: { does: "shows a service", parameters: ["projectId", "serviceId"], example: ["shop", "api"] },
  jobs: { does: "shows all jobs of a project", parameters: ["projectId"], example: ["shop"] },
  job: { does: "shows a job", parameters: ["projectId", "jobId"], example: ["shop", "migrate"] },
  runs: {
    does: "shows the runs of a job, oldest first",
    parameters: ["projectId", "jobId"],
    example: ["shop", "migrate"],
  },
  integrations: { does: "shows all notification integrations", parameters: [], example: [] },
  integration: { does: "shows one", parameters: ["integrationId"], example: ["INTEGRATION_ID"] },
  addIntegration: {
    does: "makes a notification integration by hand: {name, webhook, secret?, restricted?, projects?, events?, isFollowed?}",
    parameters: ["integration"],
    example: [{ name: "by hand", webhook: "http://127.0.0.1:8082/northflank/shop/acme", secret: "SECRET" }],
  },
  changeIntegration: {
    does: "changes one as a person does: {name?, webhook?, secret?, restricted?, projects?, events?}",
    parameters: ["integrationId", "fields"],
    example: ["INTEGRATION_ID", { name: "renamed" }],
  },
  removeIntegration: { does: "deletes one", parameters: ["integrationId"], example: ["INTEGRATION_ID"] },
  disableIntegration: {
    does: "switches one off, as after too many failed deliveries",
    parameters: ["integrationId"],
    example: ["INTEGRATION_ID"],
  },
  deliver: {
    does: "sends it an event, whatever happened; options: {eventId?, hasPrefix?}",
    parameters: ["integrationId", "event", "data", "options?"],
    example: ["INTEGRATION_ID", "build:start", { project: { id: "shop" }, service: { id: "api" } }],
  },
  quota: { does: "shows the quota of the hour", parameters: [], example: [] },
  spendQuota: { does: "spends requests as people and CI do", parameters: ["count"], example: [1_000] },
  setLimit: { does: "sets the requests that an hour has", parameters: ["limitPerHour"], example: [100] },
};

/** All controls by name: what each does, its parameters, and a command to try it at `address`. */
export function listControls(address: string): Readonly<Record<string, object>> {
  const listed = Object.entries(controls).map(([name, { does, parameters, example }]) => {
    const body = example.length === 0 ? "-X POST" : `-d '${JSON.stringify(example)}'`;
    return [name, { does, parameters, example: `curl ${address}/${name} ${body}` }] as const;
  });
  return Object.fromEntries(listed.sort(([left], [right]) => (left < right ? -1 : 1)));
}

import type { Answer, Call } from "../http.ts";
import { ApiProblem } from "./api-problem.ts";
import {
  addIntegration,
  changeIntegration,
  type IntegrationFields,
  integrationDetail,
  integrationItem,
  integrationOf,
} from "./integrations.ts";
import type { Account, Job, Percentages, Project, Run, Service, Token } from "./model.ts";
import { pageOf } from "./paging.ts";
import { grantsOf, isProjectAllowed } from "./permissions.ts";
import type { BodySchema } from "./request-bodies.ts";
import { beginRollout, configure, gradualOf, promote, rollBack } from "./rollouts.ts";
import {
  abortRun,
  checkRunnable,
  type DeploymentChange,
  deploy,
  deployedBuild,
  deployJob,
  followBuilds,
  resume,
  signOfPause,
  startRun,
  type World,
} from "./state.ts";
import {
  buildView,
  deploymentView,
  jobDetail,
  jobItem,
  patchedJob,
  patchedService,
  projectDetail,
  rolloutView,
  runView,
  serviceDetail,
  serviceItem,
  sourceView,
  type ViewContext,
} from "./views.ts";

export type Method = "GET" | "POST" | "PATCH" | "DELETE";

/** A request that has passed the token, the quota and the check of its body. */
export interface Request {
  readonly world: World;
  readonly account: Account;
  readonly params: Readonly<Record<string, string>>;
  readonly call: Call;
  readonly body: Readonly<Record<string, unknown>>;
  /** The token that was used, for "who am I". */
  readonly token: Token;
}

export interface Route {
  readonly method: Method;
  /** As documented, without the team: `/v1/projects/{project}/jobs/{job}/runs`. */
  readonly path: string;
  /** Also served under `/v1/teams/{team}`. */
  readonly isScoped: boolean;
  readonly schema?: BodySchema;
  readonly handle: (request: Request) => Answer;
}

const inProject = "/v1/projects/{project}";
const integrations = "/v1/integrations/notifications";
const integration = `${integrations}/{integration}`;

/** The endpoints that the operator uses, and related ones for people with curl. */
export const routes: readonly Route[] = [
  { method: "GET", path: "/v1/auth", isScoped: false, handle: whoAmI },
  { method: "GET", path: "/v1/projects", isScoped: true, handle: listProjects },
  scoped("GET", "", getProject),
  scoped("GET", "/services", listServices),
  scoped("GET", "/services/{service}", getService),
  scoped("GET", "/services/{service}/deployment", getServiceDeployment),
  scoped("POST", "/services/{service}/deployment", updateServiceDeployment, "service-deployment-update"),
  scoped("PATCH", "/services/deployment/{service}", patchDeploymentService, "patch-deployment-service"),
  scoped("PATCH", "/services/combined/{service}", patchCombinedService, "patch-combined-service"),
  scoped("POST", "/services/{service}/pause", pauseService),
  scoped("POST", "/services/{service}/resume", resumeService, "resume-service"),
  scoped("POST", "/services/{service}/restart", restartService),
  scoped("GET", "/services/{service}/deployments", listDeployments),
  scoped("GET", "/services/{service}/rollout", getRollout),
  scoped("POST", "/services/{service}/rollout/promote", promoteRollout),
  scoped("POST", "/services/{service}/rollout/rollback", rollBackRollout, "rollout-rollback"),
  scoped("POST", "/services/{service}/rollout/configuration", configureRollout, "rollout-configuration"),
  scoped("GET", "/services/{service}/build", listBuilds),
  scoped("GET", "/services/{service}/build/{build}", getBuild),
  scoped("GET", "/jobs", listJobs),
  scoped("GET", "/jobs/{job}", getJob),
  scoped("PATCH", "/jobs/{job}", patchJob, "patch-job"),
  scoped("PATCH", "/jobs/manual/{job}", patchManualJob, "patch-manual-job"),
  scoped("PATCH", "/jobs/cron/{job}", patchCronJob, "patch-cron-job"),
  scoped("GET", "/jobs/{job}/build", listBuilds),
  scoped("GET", "/jobs/{job}/build/{build}", getBuild),
  scoped("GET", "/jobs/{job}/deployment", getJobDeployment),
  scoped("POST", "/jobs/{job}/deployment", updateJobDeployment, "job-deployment-update"),
  scoped("GET", "/jobs/{job}/runs", listRuns),
  scoped("POST", "/jobs/{job}/runs", runJob, "run-job"),
  scoped("GET", "/jobs/{job}/runs/{run}", getRun),
  scoped("DELETE", "/jobs/{job}/runs/{run}", deleteRun),
  { method: "GET", path: integrations, isScoped: true, handle: listIntegrations },
  { method: "POST", path: integrations, isScoped: true, schema: "create-notification", handle: createIntegration },
  { method: "GET", path: integration, isScoped: true, handle: getIntegration },
  { method: "POST", path: integration, isScoped: true, schema: "update-notification", handle: updateIntegration },
  { method: "DELETE", path: integration, isScoped: true, handle: deleteIntegration },
];

function scoped(method: Method, path: string, handle: Route["handle"], schema?: BodySchema): Route {
  return { method, path: `${inProject}${path}`, isScoped: true, handle, ...(schema && { schema }) };
}

function whoAmI({ account, token }: Request): Answer {
  const { expiresAtMs } = token;
  return data({
    tokenKind: "api",
    scope: "role",
    role: { roleId: "operator", name: "operator", roleType: "team", entityType: "team" },
    entityUid: account.uid,
    id: `token-${account.name}`,
    name: `token of ${account.name}`,
    entityId: account.name,
    entityType: "team",
    ...grantsOf(token),
    createdAt: "2026-01-01T00:00:00.000Z",
    expiresAt: expiresAtMs === undefined ? null : new Date(expiresAtMs).toISOString(),
  });
}

function listProjects({ account, call, token }: Request): Answer {
  const allowed = [...account.projects.values()].filter(({ id }) => isProjectAllowed(token, id));
  const projects = allowed.map(({ id, uid }) => ({
    id,
    uid,
    name: id,
    description: "",
    lifecycleStatus: "created",
  }));
  const { items, pagination } = pageOf(projects, call.query);
  return { status: 200, body: { data: { projects: items }, pagination } };
}

function getProject(request: Request): Answer {
  const project = projectOf(request);
  return data(projectDetail(request.account, project));
}

function listServices(request: Request): Answer {
  const project = projectOf(request);
  const { items, pagination } = pageOf([...project.services.values()], request.call.query);
  const context = viewOf(request);
  for (const service of items) followBuilds(request.world, project, service);
  const services = items.map((service) => serviceItem(request.account, project, service, context));
  return { status: 200, body: { data: { services }, pagination } };
}

function getService(request: Request): Answer {
  const { project, service } = serviceOf(request);
  return data(serviceDetail(request.account, project, service, viewOf(request)));
}

function getServiceDeployment(request: Request): Answer {
  const { project, service } = serviceOf(request);
  return data(sourceView(request.account, project, service, service.deployed));
}

function updateServiceDeployment(request: Request): Answer {
  const { project, service } = serviceOf(request);
  deploy(request.world, project, service, request.body as DeploymentChange);
  return data({});
}

function patchDeploymentService(request: Request): Answer {
  return patchService(request, "deployment");
}

function patchCombinedService(request: Request): Answer {
  return patchService(request, "combined");
}

function patchService(request: Request, serviceType: Service["serviceType"]): Answer {
  const { project, service } = serviceOf(request);
  if (service.serviceType !== serviceType) throw new ApiProblem(400, `This is not a ${serviceType} service`);
  const { deployment, ...settings } = request.body as { readonly deployment?: DeploymentChange };
  if (deployment !== undefined) deploy(request.world, project, service, deployment);
  Object.assign(service.settings, settings);
  return data(
    patchedService(request.account, project, service, { ...viewOf(request), form: "B", tellsImageUrl: true }),
  );
}

function pauseService(request: Request): Answer {
  serviceOf(request).service.paused = true;
  return data({});
}

function resumeService(request: Request): Answer {
  const { project, service } = serviceOf(request);
  const { instances, disabledCD } = request.body as { readonly instances?: number; readonly disabledCD?: boolean };
  service.disabledCD = disabledCD ?? service.disabledCD;
  resume(request.world, project, service, instances);
  return data({});
}

function restartService(request: Request): Answer {
  beginRollout(request.world, serviceOf(request).service, request.world.now());
  return data({});
}

/** Newest first. */
function listDeployments(request: Request): Answer {
  const { service } = serviceOf(request);
  const releaseType = request.call.query.get("releaseType");
  const wanted = service.deployments.filter((each) => releaseType === null || each.releaseType === releaseType);
  const { items, pagination } = pageOf(wanted.reverse(), request.call.query);
  const deployments = items.map((deployment) => deploymentView(service, deployment));
  return { status: 200, body: { data: { deployments }, pagination } };
}

function getRollout(request: Request): Answer {
  const { service } = serviceOf(request);
  return data(rolloutView(service, gradualOf(service)));
}

function promoteRollout(request: Request): Answer {
  promote(request.world, serviceOf(request).service);
  return data({});
}

function rollBackRollout(request: Request): Answer {
  const { deployment } = request.body as { readonly deployment: string };
  return data({ id: rollBack(request.world, serviceOf(request).service, deployment).id });
}

function configureRollout(request: Request): Answer {
  const { service } = serviceOf(request);
  configure(request.world, service, request.body as unknown as Percentages);
  return data(rolloutView(service, gradualOf(service)));
}

/** In the order of their start, oldest first: as for runs, the real order is not documented. */
function listBuilds(request: Request): Answer {
  const { items, pagination } = pageOf([...builderOf(request).builds], request.call.query);
  const builds = items.map((build) => buildView(build, request.world.now()));
  return { status: 200, body: { data: { builds }, pagination } };
}

function getBuild(request: Request): Answer {
  const build = builderOf(request).builds.find(({ id }) => id === request.params.build);
  if (build === undefined) throw new ApiProblem(404, "Build not found");
  return data(buildView(build, request.world.now()));
}

function builderOf(request: Request): Service | Job {
  return request.params.job === undefined ? serviceOf(request).service : jobOf(request).job;
}

function listJobs(request: Request): Answer {
  const project = projectOf(request);
  const { items, pagination } = pageOf([...project.jobs.values()], request.call.query);
  const jobs = items.map((job) => jobItem(request.account, project, job));
  return { status: 200, body: { data: { jobs }, pagination } };
}

function getJob(request: Request): Answer {
  const { project, job } = jobOf(request);
  const { tellsRunOnSourceChange } = request.world.settings;
  return data(jobDetail(request.account, project, job, { tellsRunOnSourceChange }));
}

function patchJob(request: Request): Answer {
  const { project, job } = jobOf(request);
  const { settings, ...rest } = request.body as { readonly settings?: { readonly cron?: object } };
  if (settings?.cron !== undefined && job.jobType !== "cron") throw new ApiProblem(400, "This is not a cron job");
  const before = (job.settings.settings ?? {}) as { readonly cron?: object };
  const cron = settings?.cron === undefined ? {} : { cron: { ...before.cron, ...settings.cron } };
  Object.assign(job.settings, rest, settings === undefined ? {} : { settings: { ...before, ...settings, ...cron } });
  return data(patchedJob(request.account, project, job, request.world.now()));
}

/** The older routes: run policy stands on top instead of under `settings`, in the answer too. */
function patchManualJob(request: Request): Answer {
  return patchJobOfType(request, "manual");
}

function patchCronJob(request: Request): Answer {
  return patchJobOfType(request, "cron");
}

function patchJobOfType(request: Request, jobType: Job["jobType"]): Answer {
  const { project, job } = jobOf(request);
  if (job.jobType !== jobType) throw new ApiProblem(400, `This is not a ${jobType} job`);
  const { backoffLimit, runOnSourceChange, activeDeadlineSeconds, ...others } = request.body;
  const { schedule, concurrencyPolicy, suspended, ...rest } = others;
  const before = (job.settings.settings ?? {}) as { readonly cron?: object };
  const cron = given({ schedule, concurrencyPolicy, suspended });
  const policy = given({ backoffLimit, runOnSourceChange, activeDeadlineSeconds });
  const settings = { ...before, ...policy, ...(jobType === "cron" && { cron: { ...before.cron, ...cron } }) };
  Object.assign(job.settings, rest, { settings });
  const patched = patchedJob(request.account, project, job, request.world.now()) as {
    readonly settings?: { readonly cron?: object };
  };
  const { settings: { cron: toldCron, ...told } = {}, ...detail } = patched;
  return data({ ...detail, ...told, ...toldCron });
}

function given(values: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function getJobDeployment(request: Request): Answer {
  const { project, job } = jobOf(request);
  return data(sourceView(request.account, project, job, deployedBuild(request.world, project, job)));
}

function updateJobDeployment(request: Request): Answer {
  const { project, job } = jobOf(request);
  deployJob(request.world, project, job, request.body as DeploymentChange);
  return data({});
}

/** Oldest first, by start: the real order is not documented, so clients must not rely on newest first. */
function listRuns(request: Request): Answer {
  const nowMs = request.world.now();
  const visible = jobOf(request).job.runs.filter((run) => run.visibleFromMs <= nowMs);
  const { items, pagination } = pageOf(visible, request.call.query);
  return { status: 200, body: { data: { runs: items.map((run) => runView(run, nowMs)) }, pagination } };
}

function runJob(request: Request): Answer {
  const { project, job } = jobOf(request);
  const { deployment } = request.body as { readonly deployment?: DeploymentChange };
  checkRunnable(request.world, project, job, deployment);
  const { id, runName } = startRun(request.world, job, { startedBy: "api", request: request.body });
  return data({ id, runName });
}

function getRun(request: Request): Answer {
  return data(runView(runOf(request), request.world.now()));
}

function deleteRun(request: Request): Answer {
  abortRun(request.world, runOf(request));
  return data({});
}

function listIntegrations({ account, call }: Request): Answer {
  const { items, pagination } = pageOf([...account.integrations.values()], call.query);
  return { status: 200, body: { data: { notificationIntegrations: items.map(integrationItem) }, pagination } };
}

/** Two of one name are two: that names are unique is not documented. */
function createIntegration(request: Request): Answer {
  const { type, ...fields } = request.body as IntegrationFields & {
    readonly type: string;
    readonly name: string;
    readonly webhook: string;
  };
  checkIntegration(request, { ...fields, type });
  return data(integrationDetail(addIntegration(request.world, request.account, fields, { type })));
}

function getIntegration({ account, params }: Request): Answer {
  return data(integrationDetail(integrationOf(account, params.integration)));
}

function updateIntegration(request: Request): Answer {
  const changed = integrationOf(request.account, request.params.integration);
  const fields = request.body as IntegrationFields;
  checkIntegration(request, { ...fields, type: changed.type });
  changeIntegration(request.world, changed, fields);
  return data({});
}

function deleteIntegration({ account, params }: Request): Answer {
  account.integrations.delete(integrationOf(account, params.integration).id);
  return data({});
}

/** What the schema cannot say of one. */
function checkIntegration({ account }: Request, fields: IntegrationFields & { readonly type: string }): void {
  const refuse = (details: object) =>
    new ApiProblem(400, "The request body is invalid", { id: "nf-invalid-request-body", details });
  const { webhook, secret, projects = [], type } = fields;
  if (webhook !== undefined && !URL.canParse(webhook)) throw refuse({ webhook: ["must be a URL"] });
  if (secret !== undefined && type !== "RAW_WEBHOOK") throw refuse({ secret: [`${secret} is for RAW_WEBHOOK only`] });
  const unknown = projects.filter((id) => !account.projects.has(id));
  if (unknown.length > 0) throw refuse({ projects: [`${unknown.join(", ")} not found`] });
}

function data(value: object): Answer {
  return { status: 200, body: { data: value } };
}

function viewOf({ world }: Request): ViewContext {
  const { serviceForm, tellsImageUrl } = world.settings;
  return {
    nowMs: world.now(),
    form: serviceForm,
    tellsImageUrl: tellsImageUrl ?? serviceForm === "B",
    pauseSign: signOfPause(world.settings),
  };
}

function projectOf({ account, params }: Request): Project {
  const project = account.projects.get(params.project ?? "");
  if (project === undefined) throw new ApiProblem(404, "Project not found");
  return project;
}

function serviceOf(request: Request): { readonly project: Project; readonly service: Service } {
  const project = projectOf(request);
  const service = project.services.get(request.params.service ?? "");
  if (service === undefined) throw new ApiProblem(404, "Service not found");
  followBuilds(request.world, project, service);
  return { project, service };
}

function jobOf(request: Request): { readonly project: Project; readonly job: Job } {
  const project = projectOf(request);
  const job = project.jobs.get(request.params.job ?? "");
  if (job === undefined) throw new ApiProblem(404, "Job not found");
  return { project, job };
}

function runOf(request: Request): Run {
  const run = jobOf(request).job.runs.find(({ id }) => id === request.params.run);
  if (run === undefined) throw new ApiProblem(404, "Job run not found");
  return run;
}

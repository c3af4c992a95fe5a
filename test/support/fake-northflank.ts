import { createHmac } from "node:crypto";
import type { CallOptions, JobName, NorthflankApi, ServiceName } from "../../src/northflank/client.ts";
import { NorthflankError, type NorthflankErrorCode, type NorthflankErrorFacts } from "../../src/northflank/errors.ts";
import type {
  BuildView,
  DeploymentUpdate,
  JobPatchRoute,
  JobSettingsView,
  JobSource,
  JobView,
  ServiceView,
  SourceView,
} from "../../src/northflank/types.ts";
import { strictFake } from "./strict-fake.ts";

/** Every code that an error of the client may have; a new one does not compile until it stands here. */
const isErrorCode: Readonly<Record<NorthflankErrorCode, true>> = {
  quota_closed: true,
  rate_limited: true,
  unauthorized: true,
  forbidden: true,
  not_found: true,
  gone: true,
  wrong_method: true,
  rejected: true,
  server_error: true,
  unreachable: true,
  interrupted: true,
  timeout: true,
  tls: true,
  redirect: true,
  protocol: true,
};

export const errorCodes = Object.keys(isErrorCode) as readonly NorthflankErrorCode[];

/** An error as the client throws it; what the test does not care about is filled in. */
export function northflankError(code: NorthflankErrorCode, more: Partial<NorthflankErrorFacts> = {}): NorthflankError {
  return new NorthflankError({ code, step: "call Northflank", detail: "scripted", sent: true, ...more });
}

/** Hashes as the client of this token makes them. */
export function keyedHashOf(token: string): (text: string) => string {
  return (text) => createHmac("sha256", token).update(text).digest("base64url").slice(0, 22);
}

type Method =
  | "getBuild"
  | "listBuilds"
  | "getService"
  | "updateServiceDeployment"
  | "restartService"
  | "patchDeploymentService"
  | "patchCombinedService"
  | "listServices"
  | "getJob"
  | "getJobDeployment"
  | "updateJobDeployment"
  | "getJobSettings"
  | "patchJob"
  | "whoAmI";

interface Scripted {
  readonly error: Error;
  /** The call is carried out all the same: the answer was lost. */
  readonly isDone: boolean;
}

/**
 * Services in memory, as the Northflank API keeps them. Strict: an unknown service, and a method that is not here, throw
 * with the call in the message. Each call is noted as `get api (change)`.
 */
export class FakeNorthflank {
  readonly calls: string[] = [];
  /** Called for each request that leaves the machine. */
  onCall: () => void = () => undefined;
  /** What is kept of a change that is accepted. */
  keeps: (body: DeploymentUpdate) => DeploymentUpdate = (body) => body;
  /** What is kept of a patch that is accepted, in the words of "patch job". */
  keepsSettings: (body: JobSettingsView["settings"]) => JobSettingsView["settings"] = (body) => body;
  /** Runs when a service was restarted, before it is answered. */
  afterRestart: (() => void) | undefined;
  /** Makes the key of hashes. */
  token = "token";
  /** Runs when a patch of a job has been carried out, before it is answered. */
  afterPatch: (() => void) | undefined;
  /** Everything that patches of a job have set, secrets included, in the words of "patch job". */
  readonly jobSettings = new Map<string, JobSettingsView>();
  /** What the list of services tells of continuous deployment, by id. */
  readonly listed = new Map<string, boolean>();
  readonly #services = new Map<string, ServiceView>();
  readonly #jobs = new Map<string, JobView & JobSource>();
  readonly #builds = new Map<string, readonly BuildView[]>();
  readonly #scripts = new Map<Method, Scripted[]>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  has(view: ServiceView): void {
    this.#services.set(view.id, view);
  }

  hasJob(view: JobView & JobSource): void {
    this.#jobs.set(view.id, view);
  }

  job(id: string): JobView & JobSource {
    const view = this.#jobs.get(id);
    if (view === undefined) throw new Error(`no job "${id}" in the fake`);
    return view;
  }

  changeJob(id: string, change: Partial<JobView & JobSource>): void {
    this.hasJob({ ...this.job(id), ...change });
  }

  hasSettings(jobId: string, settings: JobSettingsView["settings"], jobType = "manual", uid?: string): void {
    this.jobSettings.set(jobId, { jobType, settings, ...(uid !== undefined && { uid }) });
  }

  /** Settings change as another client says; `settings` is merged, as the API merges it. */
  patchSettings(jobId: string, change: JobSettingsView["settings"]): void {
    const { settings, ...rest } = this.#jobSettingsOf(jobId);
    const policy = { ...(settings.settings as object), ...(change.settings as object) };
    const merged = { ...settings, ...change, ...(Object.keys(policy).length > 0 && { settings: policy }) };
    this.jobSettings.set(jobId, { ...rest, settings: merged });
  }

  /** What a service or job has built, newest first; `[]`: nothing yet. Without this there is no such service. */
  hasBuilds(builderId: string, builds: readonly BuildView[]): void {
    this.#builds.set(builderId, builds);
  }

  service(id: string): ServiceView {
    const view = this.#services.get(id);
    if (view === undefined) throw new Error(`no service "${id}" in the fake`);
    return view;
  }

  change(id: string, change: Partial<ServiceView>): void {
    this.has({ ...this.service(id), ...change });
  }

  /** Northflank reports a state of the rollout, as of now. */
  rollout(id: string, rolloutStatus: string, more: Partial<ServiceView> = {}): void {
    this.change(id, { rolloutStatus, rolloutTransitionTime: new Date(this.#now()).toISOString(), ...more });
  }

  /** The next call of `method` fails; one per time this is called. */
  failNext(method: Method, error: Error, options: { readonly isDone?: boolean } = {}): void {
    const scripts = this.#scripts.get(method) ?? [];
    this.#scripts.set(method, [...scripts, { error, isDone: options.isDone ?? false }]);
  }

  /** What was scripted to fail and has not yet, will not. */
  clearFailures(): void {
    this.#scripts.clear();
  }

  /** The calls since this was last asked. */
  takeCalls(): readonly string[] {
    return this.calls.splice(0);
  }

  get api(): NorthflankApi {
    return strictFake<NorthflankApi>("Northflank", {
      getService: async ({ serviceId }: ServiceName, options: CallOptions) => {
        this.#note(`get ${serviceId} (${options.class})`);
        return this.#run("getService", () => this.#find(serviceId));
      },
      updateServiceDeployment: async ({ serviceId }, body) => {
        this.#note(`post ${serviceId} ${JSON.stringify(body)}`);
        this.#run("updateServiceDeployment", () => this.#deploy(serviceId, body));
      },
      restartService: async ({ serviceId }) => {
        this.#note(`restart ${serviceId}`);
        this.#run("restartService", () => {
          this.#find(serviceId);
          this.afterRestart?.();
        });
      },
      patchDeploymentService: async ({ serviceId }, { deployment }) => {
        this.#note(`patch ${serviceId} ${JSON.stringify(deployment)}`);
        this.#run("patchDeploymentService", () => this.#deploy(serviceId, deployment));
      },
      patchCombinedService: async ({ serviceId }, { deployment }) => {
        this.#note(`patch combined ${serviceId} ${JSON.stringify(deployment)}`);
        this.#run("patchCombinedService", () => this.#deploy(serviceId, deployment));
      },
      getJob: async ({ jobId }: JobName, options: CallOptions) => {
        this.#note(`get job ${jobId} (${options.class})`);
        return this.#run("getJob", () => {
          const { image: _image, external: _external, internal: _internal, ...view } = this.#findJob(jobId);
          return view;
        });
      },
      getJobDeployment: async ({ jobId }, options) => {
        this.#note(`get source of job ${jobId} (${options.class})`);
        return this.#run("getJobDeployment", () => {
          const { image, external, internal } = this.#findJob(jobId);
          return { image, external, internal };
        });
      },
      updateJobDeployment: async ({ jobId }, body) => {
        this.#note(`post job ${jobId} ${JSON.stringify(body)}`);
        this.#run("updateJobDeployment", () => {
          const view = this.#findJob(jobId);
          this.hasJob({ ...view, ...changed(view, this.keeps(body)) });
        });
      },
      whoAmI: async () => {
        this.#note("whoami");
        return this.#run("whoAmI", () => ({ expiresAt: undefined }));
      },
      keyedHash: (text) => keyedHashOf(this.token)(text),
      getJobSettings: async ({ jobId }, options) => {
        this.#note(`get settings of job ${jobId} (${options.class})`);
        return this.#run("getJobSettings", () => this.#settingsOf(jobId));
      },
      patchJob: async ({ jobId }, route, body) => {
        this.#note(`patch ${route} ${jobId} ${JSON.stringify(body)}`);
        this.#run("patchJob", () => this.patchSettings(jobId, this.keepsSettings(settingsIn(route, body))));
        const { afterPatch } = this;
        this.afterPatch = undefined;
        afterPatch?.();
      },
      getBuild: async ({ buildId, ...builder }, options) => {
        const name = "serviceId" in builder ? builder.serviceId : builder.jobId;
        this.#note(`get build ${name}/${buildId} (${options.class})`);
        return this.#run("getBuild", () => this.#builds.get(name)?.find(({ id }) => id === buildId));
      },
      listBuilds: async (builder, options) => {
        const name = "serviceId" in builder ? builder.serviceId : builder.jobId;
        this.#note(`list builds ${name} (${options.class})`);
        const builds = this.#builds.get(name);
        return this.#run("listBuilds", () => (builds === undefined ? undefined : { builds }));
      },
      listServices: async (_project, options) => {
        this.#note(`list services (${options.class})`);
        const items = [...this.listed].map(([id, disabledCD]) => ({ id, type: "deployment", disabledCD }));
        return this.#run("listServices", () => ({ items }));
      },
    });
  }

  #jobSettingsOf(jobId: string): JobSettingsView {
    const view = this.jobSettings.get(jobId);
    if (view === undefined) throw northflankError("not_found", { httpStatus: 404 });
    return view;
  }

  /** Only what its page says that "get job" tells. */
  #settingsOf(jobId: string): JobSettingsView {
    const { settings, ...rest } = this.#jobSettingsOf(jobId);
    const told = ["description", "tags", "disabledCI", "billing", "settings"];
    return { ...rest, settings: Object.fromEntries(Object.entries(settings).filter(([name]) => told.includes(name))) };
  }

  #note(call: string): void {
    this.calls.push(call);
  }

  #run<T>(method: Method, act: () => T): T {
    const script = this.#scripts.get(method)?.shift();
    if (!(script?.error instanceof NorthflankError) || script.error.sent) this.onCall();
    if (script === undefined) return act();
    if (script.isDone) act();
    throw script.error;
  }

  #find(id: string): ServiceView {
    const view = this.#services.get(id);
    if (view === undefined) throw northflankError("not_found", { httpStatus: 404, step: `get service "${id}"` });
    return view;
  }

  #findJob(id: string): JobView & JobSource {
    const view = this.#jobs.get(id);
    if (view === undefined) throw northflankError("not_found", { httpStatus: 404, step: `get job "${id}"` });
    return view;
  }

  /** Takes the new source; the state of the rollout before stays in sight until the test moves it on. */
  #deploy(id: string, body: DeploymentUpdate): void {
    const view = this.#find(id);
    this.has({ ...view, ...changed(view, this.keeps(body)) });
  }
}

function changed(view: SourceView, { external, internal, docker, buildpack }: DeploymentUpdate): SourceView {
  const source =
    external !== undefined
      ? {
          image: external.imagePath,
          external: { imagePath: external.imagePath, credentials: external.credentials, registryProvider: undefined },
          internal: undefined,
        }
      : {};
  const build = {
    id: internal?.id,
    branch: internal?.branch,
    buildSHA: internal?.buildSHA,
    buildId: internal?.buildId,
    deployedSHA: undefined,
  };
  return {
    image: view.image,
    external: view.external,
    internal: view.internal,
    docker: docker ?? view.docker,
    buildpack: buildpack ?? view.buildpack,
    ...source,
    ...(internal === undefined ? {} : { image: undefined, external: undefined, internal: build }),
  };
}

/** The older bodies have the run policy on top. */
function settingsIn(route: JobPatchRoute, body: object): JobSettingsView["settings"] {
  if (route === "job") return { ...body };
  const { backoffLimit, runOnSourceChange, activeDeadlineSeconds, schedule, concurrencyPolicy, suspended, ...rest } =
    body as Readonly<Record<string, unknown>>;
  const given = (values: object) =>
    Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
  const cron = given({ schedule, concurrencyPolicy, suspended });
  const policy = given({ backoffLimit, runOnSourceChange, activeDeadlineSeconds });
  return { ...rest, settings: { ...policy, ...(Object.keys(cron).length > 0 && { cron }) } };
}

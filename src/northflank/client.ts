import { createHmac } from "node:crypto";
import pRetry from "p-retry";
import type { Clock } from "../util/clock.ts";
import { sleep } from "../util/clock.ts";
import { imageToSend } from "../util/image-reference.ts";
import type { Random } from "../util/random.ts";
import type { SecretValue } from "../util/secret-value.ts";
import { codeOfAnswer, errorOfAnswer, isRefusedForSure } from "./answer.ts";
import { type ApiOrigin, parseApiUrl } from "./api-origin.ts";
import type { Outage } from "./breaker-state.ts";
import type { Budget } from "./budget.ts";
import { mergeBuilds, toBuildPage, toBuildView } from "./build-view.ts";
import { isNorthflankError, NorthflankError, quotaClosed, type Step } from "./errors.ts";
import { mergeIntegrations, toIntegrationItem, toIntegrationPage, toIntegrationView } from "./integration-view.ts";
import { type ItemKind, mergeItems, toItemPage } from "./item-view.ts";
import { toJobSettings, toJobSource, toJobView } from "./job-view.ts";
import { objectOf, textOf } from "./json.ts";
import type { Reservation, ReserveOutcome } from "./ledger.ts";
import { type NameKind, nameProblem } from "./names.ts";
import { cameNewestFirst, type PageQuery, readPages } from "./paging.ts";
import { type Headers, readRateLimit, serverTimeMs } from "./rate-limit.ts";
import { decideRetry, maxTries, type Repeatability } from "./retry.ts";
import { RetryAllowance } from "./retry-allowance.ts";
import { mergeRuns, readableRunId, runOrderToleranceMs, runStartMs, toRunPage, toRunView } from "./run-view.ts";
import { toServiceView } from "./service-view.ts";
import { otherSpender, type Spender } from "./spending.ts";
import { toTokenView } from "./token-view.ts";
import type { Transport, TransportRequest } from "./transport.ts";
import type {
  BuildList,
  BuildView,
  DeploymentUpdate,
  IntegrationItem,
  IntegrationList,
  IntegrationSettings,
  IntegrationView,
  ItemList,
  JobPatchRoute,
  JobRunView,
  JobSettingsView,
  JobSource,
  JobView,
  ProjectItem,
  RequestClass,
  RunList,
  RunRequest,
  RunsNeeded,
  ServiceView,
  StartResult,
  TokenView,
} from "./types.ts";

export type { RequestClass } from "./types.ts";

/** What every call says besides its content. */
export interface CallOptions {
  readonly class: RequestClass;
  /** Spends from what was set aside with {@link NorthflankApi.reserve}, as long as that lasts. */
  readonly reservation?: Reservation;
  /** Who spends, where the client serves several: see {@link NorthflankApiOptions.who}, which is the default. */
  readonly who?: string;
  /** For whom the request is sent, for people who ask who spends the quota. Default: no object alone. */
  readonly spender?: Spender;
  readonly signal: AbortSignal;
}

/** Names a project. The id is checked before it goes into a path. */
export interface ProjectName {
  readonly projectId: string;
}

/** Names a service. Both ids are checked before they go into a path. */
export interface ServiceName {
  readonly projectId: string;
  readonly serviceId: string;
}

/** Names a job. Both ids are checked before they go into a path. */
export interface JobName {
  readonly projectId: string;
  readonly jobId: string;
}

/** Names a notification integration of the account. The id is checked before it goes into a path. */
export interface IntegrationName {
  readonly integrationId: string;
}

/** Names what builds: a service, or a job that builds its own source. */
export type BuilderName = ServiceName | JobName;

/**
 * The Northflank API as one account sees it: token, team path and ledger are bound. One method per endpoint that we use.
 *
 * *Guarantees*: the account's ledger admits every request first and is fed by it afterwards; only reads and idempotent
 * writes are retried, briefly; ids are checked before they go into a path; the token goes to allowed hosts only.
 *
 * *Errors*: `NorthflankError`, except where a method returns the outcome instead; an aborted signal rejects with its
 * reason.
 */
export interface NorthflankApi {
  /**
   * Sets requests aside for a sequence that must not run dry half way: for a run start three (baseline, POST, read-back).
   * Pass the reservation in the options of each call, and release it in `finally`. All or nothing; it never waits.
   * `who`: see {@link CallOptions.who}.
   */
  reserve(count: number, requestClass: RequestClass, who?: string): ReserveOutcome;
  /**
   * A hash whose key is made from the account's token: equal for equal texts while the token is the same, and of no use
   * to whoever lacks it. For remembering what was sent without keeping it.
   */
  keyedHash(text: string): string;
  /** All services of a project, from all pages; no further pages once `isEnough`. */
  listServices(
    name: ProjectName,
    options: CallOptions & { readonly isEnough?: (items: readonly ProjectItem[]) => boolean },
  ): Promise<ItemList>;
  /** All jobs of a project, from all pages. */
  listJobs(name: ProjectName, options: CallOptions): Promise<ItemList>;
  getService(name: ServiceName, options: CallOptions): Promise<ServiceView>;
  /**
   * `POST .../services/{id}/deployment`. Sending it again leads to the same state, so a lost answer is retried once; with
   * `isOnce` never, because each may be a rollout.
   */
  updateServiceDeployment(
    name: ServiceName,
    body: DeploymentUpdate,
    options: CallOptions & { readonly isOnce?: boolean },
  ): Promise<void>;
  /** `POST .../services/{id}/restart`. Never sent twice. */
  restartService(name: ServiceName, options: CallOptions): Promise<void>;
  /** `PATCH .../services/deployment/{id}`: the fallback, which cannot do without `instances`. */
  patchDeploymentService(
    name: ServiceName,
    body: { readonly deployment: DeploymentUpdate & { readonly instances: number } },
    options: CallOptions,
  ): Promise<void>;
  /** `PATCH .../services/combined/{id}`, which takes what is started in the container, but no source. */
  patchCombinedService(
    name: ServiceName,
    body: { readonly deployment: Omit<DeploymentUpdate, "external" | "internal"> },
    options: CallOptions,
  ): Promise<void>;
  /** `GET .../jobs/{id}`, which does not return the source. */
  getJob(name: JobName, options: CallOptions): Promise<JobView>;
  /** The settings that `GET .../jobs/{id}` returns. */
  getJobSettings(name: JobName, options: CallOptions): Promise<JobSettingsView>;
  /**
   * `PATCH .../jobs/{id}`, or the deprecated `.../jobs/manual/{id}` and `.../jobs/cron/{id}`. Sending it again leads to
   * the same state, so a lost answer is retried once. A route that is gone and a job that is answer alike: ask for the
   * job.
   */
  patchJob(name: JobName, route: JobPatchRoute, body: object, options: CallOptions): Promise<void>;
  /** `GET .../jobs/{id}/deployment`: deprecated, and the only read that returns the source of a job. */
  getJobDeployment(name: JobName, options: CallOptions): Promise<JobSource>;
  /**
   * `POST .../jobs/{id}/deployment`: deprecated, and the only call that changes the source of a job. Never sent twice: a
   * change of source may start a run, and whether the same source counts as a change again is not documented.
   */
  updateJobDeployment(name: JobName, body: DeploymentUpdate, options: CallOptions): Promise<void>;
  /** One build; `undefined` when the API says that there is none, or nothing of that name that builds (404). */
  getBuild(name: BuilderName & { readonly buildId: string }, options: CallOptions): Promise<BuildView | undefined>;
  /**
   * Builds of a service or job, newest first; `undefined` when there is nothing of that name (404). Pages are read until
   * `isEnough` says of all builds so far that no more are needed; without it, as many as are allowed.
   */
  listBuilds(
    name: BuilderName,
    options: CallOptions & { readonly isEnough?: (builds: readonly BuildView[]) => boolean },
  ): Promise<BuildList | undefined>;
  /**
   * Runs of the job, newest first by `startedAt`: from all pages, or from as many as are needed. The order in which the
   * API lists them is not documented: only where it is seen to be newest first, or where no order matters, does `needs`
   * end the list early.
   */
  listRuns(name: JobName, options: CallOptions & { readonly needs?: RunsNeeded }): Promise<RunList>;
  /**
   * One run; `undefined` when the API says that there is none (404). `serverTimeMs` is Northflank's clock (the `Date`
   * header of the answer), in ms since the epoch; missing when it was not sent.
   */
  getRun(
    name: JobName & { readonly runId: string },
    options: CallOptions,
  ): Promise<(JobRunView & { readonly serverTimeMs?: number | undefined }) | undefined>;
  /** `POST .../jobs/{id}/runs`, sent exactly once whatever happens. Never throws for an outcome; see `StartResult`. */
  startRun(name: JobName, body: RunRequest, options: CallOptions): Promise<StartResult>;
  /** `DELETE .../runs/{runId}`. A run that is gone or over counts as aborted. */
  abortRun(name: JobName & { readonly runId: string }, options: CallOptions): Promise<void>;
  /** The notification integrations of the account, from all pages. */
  listIntegrations(options: CallOptions): Promise<IntegrationList>;
  /** One of them; `undefined` when the API says that there is none (404). */
  getIntegration(name: IntegrationName, options: CallOptions): Promise<IntegrationView | undefined>;
  /** `POST /v1/integrations/notifications`. Never sent twice: each creates another one. */
  createIntegration(settings: IntegrationSettings, options: CallOptions): Promise<IntegrationItem>;
  /** `POST /v1/integrations/notifications/{id}`. Sending it again leads to the same state. */
  updateIntegration(name: IntegrationName, settings: IntegrationSettings, options: CallOptions): Promise<void>;
  /** `DELETE /v1/integrations/notifications/{id}`. One that is gone counts as deleted. */
  deleteIntegration(name: IntegrationName, options: CallOptions): Promise<void>;
  /** `GET /v1/auth`; `undefined` where the API does not have it (404). */
  whoAmI(options: CallOptions): Promise<TokenView | undefined>;
}

/** One request on the wire, for metrics. Every label comes from a closed set, the pool aside. */
export interface ApiCall {
  readonly pool: string;
  readonly method: string;
  /** Template, never a path: `/v1/projects/{project}/services/{service}`. The same with and without a team. */
  readonly route: string;
  /** Status of the answer as text, or the code of the error when there was none. */
  readonly code: string;
  /** What it was spent as. */
  readonly class: RequestClass;
  readonly durationMs: number;
  /** How many tries of the same call went before this one. */
  readonly retries: number;
  /** What the try before came to, in the words of `code`; missing for the first try. */
  readonly retryCause?: string;
}

/** What metrics are fed with. */
export interface ApiObserver {
  readonly onCall?: (call: ApiCall) => void;
  /** The ledger held a call back. */
  readonly onDeferred?: (deferred: { readonly pool: string; readonly class: RequestClass }) => void;
}

export interface NorthflankApiOptions {
  readonly transport: Transport;
  readonly ledger: Budget;
  /** What the account may spend on retries, read at each call. Default: an allowance of this client alone. */
  readonly retries?: RetryAllowance | undefined;
  readonly clock: Clock;
  readonly random: Random;
  /** `https://api.northflank.com`, without `/v1`. */
  readonly baseUrl: string;
  /** Uses the `/v1/teams/{teamId}/...` paths. */
  readonly teamId?: string | undefined;
  readonly token: SecretValue;
  /**
   * Name of the account pool: accounts of different pools never share connections. Read at each call: it changes when
   * it becomes known whose account it is.
   */
  readonly pool: string;
  /** Who spends, for fairness among those that share the account (`who` of `Call`). Default: one that all share. */
  readonly who?: string | undefined;
  /** How metrics name the pool, read at each call. Default: `pool`. */
  readonly poolLabel?: string | undefined;
  readonly observer?: ApiObserver | undefined;
  /** Most pages of a run list that are read; 100 runs each. Default 20. */
  readonly maxRunPages?: number;
  /** Most pages of a list of builds that are read; 100 builds each. Default 5: older ones are hardly deployed. */
  readonly maxBuildPages?: number;
}

/**
 * Binds the API to one account.
 *
 * *Errors*: a `NorthflankError` at once when `baseUrl` is not usable.
 */
export function createNorthflankApi(options: NorthflankApiOptions): NorthflankApi {
  const caller = createCaller(options);
  const { read, write, once } = caller;

  return {
    reserve: (count, requestClass, who = options.who) => {
      const outcome = options.ledger.reserve(count, requestClass, who);
      if (outcome.kind === "refused") deferred(options, requestClass);
      return outcome;
    },

    keyedHash: (text) => keyedHash(options.token, text),

    listServices: (name, call) => listItems({ read, kind: "services", name, call }),
    listJobs: (name, call) => listItems({ read, kind: "jobs", name, call }),

    getService: async (name, call) => {
      const request = { method: "GET", ...serviceRoute("", name), step: `get ${serviceText(name)}` } as const;
      const { json } = await read(request, call);
      return toServiceView(dataOf(json)) ?? unexpected(request.step, "the response is not a service");
    },

    updateServiceDeployment: async (name, body, call) => {
      const step: Step = `update the deployment of ${serviceText(name)}`;
      const request = { method: "POST", ...serviceRoute("/deployment", name), step, body: sentSource(body) } as const;
      await (call.isOnce ? once(request, call, () => undefined) : write(request, call));
    },

    restartService: async (name, call) => {
      const step: Step = `restart ${serviceText(name)}`;
      // A POST without a body is refused.
      const request = { method: "POST", ...serviceRoute("/restart", name), step, body: {} } as const;
      await once(request, call, () => undefined);
    },

    patchDeploymentService: async ({ projectId, serviceId }, body, call) => {
      const route = "/v1/projects/{project}/services/deployment/{service}";
      const step: Step = `patch ${serviceText({ projectId, serviceId })}`;
      const names = { project: projectId, service: serviceId };
      await write({ method: "PATCH", route, names, step, body: { deployment: sentSource(body.deployment) } }, call);
    },

    patchCombinedService: async ({ projectId, serviceId }, body, call) => {
      const route = "/v1/projects/{project}/services/combined/{service}";
      const step: Step = `patch ${serviceText({ projectId, serviceId })}`;
      await write({ method: "PATCH", route, names: { project: projectId, service: serviceId }, step, body }, call);
    },

    getJob: async (name, call) => {
      const request = { method: "GET", ...jobRoute("", name), step: `get ${jobText(name)}` } as const;
      const { json } = await read(request, call);
      return toJobView(dataOf(json)) ?? unexpected(request.step, "the response is not a job");
    },

    getJobSettings: async (name, call) => {
      const request = { method: "GET", ...jobRoute("", name), step: `get ${jobText(name)}` } as const;
      const { json } = await read(request, call);
      return toJobSettings(dataOf(json)) ?? unexpected(request.step, "the response is not a job");
    },

    patchJob: async (name, kind, body, call) => {
      const { route, names } = jobRoute("", name);
      const own = kind === "job" ? route : route.replace("/jobs/", `/jobs/${kind}/`);
      await write({ method: "PATCH", route: own, names, step: `patch ${jobText(name)}`, body }, call);
    },

    getJobDeployment: async (name, call) => {
      const step: Step = `get the deployment of ${jobText(name)}`;
      const { json } = await read({ method: "GET", ...jobRoute("/deployment", name), step }, call);
      return toJobSource(dataOf(json)) ?? unexpected(step, "the response is not the deployment of a job");
    },

    updateJobDeployment: async (name, body, call) => {
      const step: Step = `update the deployment of ${jobText(name)}`;
      await once(
        { method: "POST", ...jobRoute("/deployment", name), step, body: sentSource(body) },
        call,
        () => undefined,
      );
    },

    getBuild: async (name, call) => {
      const { buildId } = name;
      const { route, names } = buildsRoute(name);
      const step: Step = `get build ${quoted(buildId)} of ${builderText(name)}`;
      const request = { method: "GET", route: `${route}/{build}`, names: { ...names, build: buildId }, step } as const;
      const answer = await read(request, call).catch(undefinedIf("not_found"));
      if (answer === undefined) return undefined;
      return toBuildView(dataOf(answer.json)) ?? unexpected(step, "the response is not a build");
    },

    listBuilds: (name, call) => {
      const builds = listBuilds({ read, name, call, maxPages: options.maxBuildPages ?? 5 });
      return builds.catch(undefinedIf("not_found"));
    },

    listRuns: (name, call) => listRuns({ read, name, call, maxPages: options.maxRunPages ?? 20 }),

    getRun: async (name, call) => {
      const request = { method: "GET", ...runRoute(name), step: `get ${runText(name)}` } as const;
      const answer = await read(request, call).catch(undefinedIf("not_found"));
      if (answer === undefined) return undefined;
      const run = toRunView(dataOf(answer.json)) ?? unexpected(request.step, "the response is not a run");
      const timeMs = serverTimeMs(answer.headers);
      return timeMs === undefined ? run : { ...run, serverTimeMs: timeMs };
    },

    startRun: (name, body, call) => startRun({ once, name, body, call }),

    abortRun: async (name, call) => {
      const request = { method: "DELETE", ...runRoute(name), step: `abort ${runText(name)}` } as const;
      // 404: there is no such run any more. 409: it is over. Either way nothing is left to abort.
      await write(request, call).catch((error: unknown) => {
        if (isNorthflankError(error, "not_found") || (isNorthflankError(error) && error.httpStatus === 409)) return;
        throw error;
      });
    },

    listIntegrations: (call) => listIntegrations(read, call),

    getIntegration: async (name, call) => {
      const step: Step = `get ${integrationText(name)}`;
      const answer = await read({ method: "GET", ...integrationRoute(name), step }, call).catch(
        undefinedIf("not_found"),
      );
      if (answer === undefined) return undefined;
      return toIntegrationView(dataOf(answer.json)) ?? unexpected(step, "the response is not an integration");
    },

    createIntegration: async (settings, call) => {
      const step: Step = `create notification integration ${quoted(settings.name)}`;
      const body = { type: "RAW_WEBHOOK", ...integrationBody(settings) };
      const request = { method: "POST", route: integrationsRoute, names: {}, step, body } as const;
      const { json } = await once(request, call, () => undefined);
      return toIntegrationItem(dataOf(json)) ?? unexpected(step, "the response is not an integration");
    },

    updateIntegration: async (name, settings, call) => {
      const step: Step = `update ${integrationText(name)}`;
      await write({ method: "POST", ...integrationRoute(name), step, body: integrationBody(settings) }, call);
    },

    deleteIntegration: async (name, call) => {
      const step: Step = `delete ${integrationText(name)}`;
      await write({ method: "DELETE", ...integrationRoute(name), step }, call).catch(undefinedIf("not_found"));
    },

    whoAmI: async (call) => {
      const request = { method: "GET", route: "/v1/auth", names: {}, step: "check the token" } as const;
      const answer = await read(request, call).catch(undefinedIf("not_found"));
      return answer === undefined ? undefined : toTokenView(dataOf(answer.json));
    },
  };
}

/** A source as Northflank takes it: an image by its digest alone, where a tag stands beside it. */
function sentSource<T extends DeploymentUpdate>(body: T): T {
  const { external } = body;
  if (external === undefined) return body;
  return { ...body, external: { ...external, imagePath: imageToSend(external.imagePath) } };
}

// Another purpose would need another word, so that its hashes are of no use here.
const hashPurpose = "northflank-operator applied settings 1";

// 128 bits: a second text cannot be found, and a status with a thousand of them stays small.
const hashBytes = 16;

function keyedHash(token: SecretValue, text: string): string {
  const key = createHmac("sha256", token.reveal()).update(hashPurpose).digest();
  return createHmac("sha256", key).update(text).digest().subarray(0, hashBytes).toString("base64url");
}

interface ApiRequest {
  readonly method: TransportRequest["method"];
  readonly route: string;
  readonly names: Readonly<Partial<Record<NameKind, string>>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: object;
  readonly step: Step;
}

interface ApiAnswer {
  readonly json: unknown;
  readonly headers: Headers;
}

type Send = (request: ApiRequest, call: CallOptions) => Promise<ApiAnswer>;
type SendOnce = (request: ApiRequest, call: CallOptions, onSend: () => void) => Promise<ApiAnswer>;

function deferred({ observer, pool, poolLabel }: NorthflankApiOptions, requestClass: RequestClass): void {
  observer?.onDeferred?.({ pool: poolLabel ?? pool, class: requestClass });
}

/** The three ways to make a call: each says what may be done twice. */
function createCaller(options: NorthflankApiOptions): {
  readonly read: Send;
  readonly write: Send;
  readonly once: SendOnce;
} {
  const { clock, ledger, observer, random, transport } = options;
  const base = parseBase(options.baseUrl);
  const ownRetries = new RetryAllowance();
  const retries = () => options.retries ?? ownRetries;

  const admit = (request: ApiRequest, call: CallOptions) => {
    const { who = options.who, reservation, spender = otherSpender } = call;
    const admission = ledger.admit({ class: call.class, who, reservation, spender });
    if (admission.kind === "granted") return admission.ticket;
    if (admission.outage !== undefined) throw unavailable(request.step, admission.outage, admission.retryAfterMs);
    deferred(options, call.class);
    throw quotaClosed(request.step, admission);
  };

  /** One request on the wire, one response; the ledger admits it before and settles it afterwards. */
  const send = async (
    request: ApiRequest,
    call: CallOptions,
    before: { readonly retries: number; readonly retryCause?: string },
    onSend?: () => void,
  ): Promise<ApiAnswer> => {
    const path = `${base.basePath}${pathOf(request, options.teamId)}`;
    call.signal.throwIfAborted();
    const ticket = admit(request, call);
    if (before.retries === 0) retries().earn();
    const startedMs = clock.monotonic();
    const { pool } = options;
    const observe = (code: string): void =>
      observer?.onCall?.({
        pool: options.poolLabel ?? pool,
        method: request.method,
        route: request.route,
        code,
        class: call.class,
        durationMs: clock.monotonic() - startedMs,
        ...before,
      });
    let isSent = false;
    try {
      const response = await transport.send({
        origin: base.origin,
        lane: pool,
        // What hangs in one project must not take the connections of the others.
        project: request.names.project,
        method: request.method,
        path,
        body: request.body === undefined ? undefined : JSON.stringify(request.body),
        token: options.token,
        step: request.step,
        signal: call.signal,
        onSend: () => {
          isSent = true;
          onSend?.();
        },
      });
      const json = response.body.kind === "json" ? response.body.value : undefined;
      const isAnonymous = codeOfAnswer(response.status, json) === "unauthorized";
      // A response that rejects the token belongs to no account, so its quota headers count for none.
      const rateLimit = readRateLimit(isAnonymous ? {} : response.headers, clock.now());
      ticket.settle({ kind: "answered", status: response.status, rateLimit });
      observe(String(response.status));
      if (response.status < 200 || response.status >= 300) {
        const secrets = [options.token.reveal(), ...secretsOf(request.body)];
        throw errorOfAnswer({ step: request.step, status: response.status, json, rateLimit, secrets });
      }
      if (response.body.kind === "unreadable" && response.status !== 204) throw response.body.error;
      return { json, headers: response.headers };
    } catch (error) {
      const kind = isSent ? "lost" : "unsent";
      const outage = outageOf(error);
      if (ticket.settle(outage === undefined ? { kind } : { kind, outage }))
        observe(isNorthflankError(error) ? error.code : "aborted");
      throw error;
    }
  };

  /** Nearly every call succeeds at once: only one that failed enters the machinery of retries. */
  const sendWithRetries = async (
    request: ApiRequest,
    call: CallOptions,
    repeatability: Repeatability,
  ): Promise<ApiAnswer> => {
    const first = send(request, call, { retries: 0 });
    try {
      return await first;
    } catch (error) {
      if (call.signal.aborted) throw error;
      return await retry(request, call, { first, repeatability });
    }
  };

  /**
   * Drives the retries that `decideRetry` allows after a `first` try that failed. p-retry's own delay is switched off: it
   * waits on the global clock and draws its own jitter, while ours is in the table and waits on the clock passed in.
   */
  const retry = async (
    request: ApiRequest,
    call: CallOptions,
    { first, repeatability }: { readonly first: Promise<ApiAnswer>; readonly repeatability: Repeatability },
  ): Promise<ApiAnswer> => {
    let isRetryable = false;
    let wasSent = false;
    let retryCause: string | undefined;
    const attempt = (number: number) => {
      if (number === 1) return first;
      return send(request, call, { retries: number - 1, ...(retryCause === undefined ? {} : { retryCause }) });
    };
    try {
      return await pRetry(attempt, {
        retries: maxTries - 1,
        minTimeout: 0,
        maxTimeout: 0,
        signal: call.signal,
        onFailedAttempt: async ({ error, attemptNumber }) => {
          isRetryable = false;
          if (!isNorthflankError(error)) return;
          wasSent ||= error.sent;
          // Held back because the API is down: the queue knows when to come again.
          if (!error.sent && error.retryAfterMs !== undefined) return;
          retryCause = String(error.httpStatus ?? error.code);
          const { code, retryAfterMs } = error;
          const decision = decideRetry({ code, repeatability, attempt: attemptNumber, retryAfterMs }, random);
          if (decision.kind === "stop" || !retries().take()) return;
          isRetryable = true;
          await sleep(clock, decision.delayMs, call.signal);
        },
        shouldRetry: () => isRetryable,
      });
    } catch (error) {
      // p-retry wraps a reason that is not an Error; callers compare it with what they aborted with.
      if (call.signal.aborted && !isNorthflankError(error)) throw call.signal.reason;
      // The last try may not have left this machine while an earlier one did, and did its work.
      throw isNorthflankError(error) && wasSent && !error.sent
        ? new NorthflankError({ ...factsOf(error), sent: true })
        : error;
    }
  };

  return {
    read: (request, call) => sendWithRetries(request, call, "read"),
    write: (request, call) => sendWithRetries(request, call, "idempotent"),
    once: (request, call, onSend) => send(request, call, { retries: 0 }, onSend),
  };
}

// A certificate or a proxy that is wrong for good is no outage: every object shows that as it is.
const outages: ReadonlySet<string> = new Set<Outage>(["unreachable", "interrupted", "timeout"]);

/** What an error without a response says of the API; `undefined` where it is not down. */
function outageOf(error: unknown): Outage | undefined {
  return isNorthflankError(error) && outages.has(error.code) ? (error.code as Outage) : undefined;
}

const lastRequests: Readonly<Record<Outage, string>> = {
  unreachable: "could not reach Northflank",
  interrupted: "were cut off before the response was complete",
  timeout: "got no response in time",
  server_error: "were answered with an internal error (5xx)",
};

/** The API is down by the requests before this one, which is not sent. */
function unavailable(step: Step, code: Outage, retryAfterMs: number): NorthflankError {
  const detail = `the last requests ${lastRequests[code]}; one at a time checks whether Northflank responds again`;
  return new NorthflankError({ code, step, detail, retryAfterMs, sent: false });
}

function parseBase(baseUrl: string): ApiOrigin {
  const parsed = parseApiUrl(baseUrl);
  if (parsed.kind === "valid") return parsed;
  const detail = `the API URL is not valid: ${parsed.problem}`;
  throw new NorthflankError({ code: "unreachable", step: "read the API URL", detail, sent: false });
}

/** Puts checked ids into the route, under the team if there is one. */
function pathOf(request: ApiRequest, teamId: string | undefined): string {
  const names = Object.entries({ ...request.names, ...(teamId !== undefined && { team: teamId }) });
  for (const [kind, name] of names) {
    const detail = nameProblem(kind as NameKind, name);
    if (detail !== undefined) throw new NorthflankError({ code: "rejected", step: request.step, detail, sent: false });
  }
  const isScoped = teamId !== undefined && /^\/v1\/(projects|integrations)\//.test(request.route);
  const route = isScoped ? request.route.replace("/v1/", "/v1/teams/{team}/") : request.route;
  const path = names.reduce((text, [kind, name]) => text.replace(`{${kind}}`, name), route);
  return request.query === undefined ? path : `${path}?${new URLSearchParams(request.query)}`;
}

async function listRuns(context: {
  readonly read: Send;
  readonly name: JobName;
  readonly call: Parameters<NorthflankApi["listRuns"]>[1];
  readonly maxPages: number;
}): Promise<RunList> {
  const { read, name } = context;
  const { needs, ...first } = context.call;
  const maxPages = Math.min(needs?.maxPages ?? context.maxPages, context.maxPages);
  const step: Step = `list the runs of ${jobText(name)}`;
  let call: CallOptions = first;
  let timeMs: number | undefined;
  const startsMs: (number | undefined)[] = [];
  const readPage = async (query: PageQuery) => {
    const { json, headers } = await read({ method: "GET", ...runsRoute(name), query, step }, call);
    timeMs = serverTimeMs(headers);
    // What was set aside is for the sequence: a job with many runs must not eat the POST that is to follow.
    const { reservation: _reservation, ...rest } = call;
    call = rest;
    const page = toRunPage(json) ?? unexpected(step, "the response is not a list of runs");
    startsMs.push(...page.items.map(runStartMs));
    return page;
  };
  const isEnough = (runs: readonly JobRunView[]) =>
    (needs?.isAnyOrder === true || cameNewestFirst(startsMs, runOrderToleranceMs)) && needs?.isEnough(runs) === true;
  const { items: runs, ...rest } = await readPages({ read: readPage, merge: mergeRuns, maxPages, isEnough });
  return { runs, serverTimeMs: timeMs, ...rest };
}

async function listBuilds(context: {
  readonly read: Send;
  readonly name: BuilderName;
  readonly call: Parameters<NorthflankApi["listBuilds"]>[1];
  readonly maxPages: number;
}): Promise<BuildList> {
  const { read, name, call, maxPages } = context;
  const step: Step = `list the builds of ${builderText(name)}`;
  const readPage = async (query: PageQuery) => {
    const { json } = await read({ method: "GET", ...buildsRoute(name), query, step }, call);
    return toBuildPage(json) ?? unexpected(step, "the response is not a list of builds");
  };
  const { isEnough } = call;
  const { items: builds, ...rest } = await readPages({ read: readPage, merge: mergeBuilds, maxPages, isEnough });
  return { builds, ...rest };
}

// 10,000 services: beyond that something is wrong with the pages.
const maxItemPages = 100;

async function listItems(context: {
  readonly read: Send;
  readonly kind: ItemKind;
  readonly name: ProjectName;
  readonly call: Parameters<NorthflankApi["listServices"]>[1];
}): Promise<ItemList> {
  const { read, kind, name, call } = context;
  const step: Step = `list the ${kind} of project ${quoted(name.projectId)}`;
  const route = `/v1/projects/{project}/${kind}`;
  const names = { project: name.projectId };
  const readPage = async (query: PageQuery) => {
    const { json } = await read({ method: "GET", route, names, query, step }, call);
    return toItemPage(kind, json) ?? unexpected(step, `the response is not a list of ${kind}`);
  };
  return await readPages({ read: readPage, merge: mergeItems, maxPages: maxItemPages, isEnough: call.isEnough });
}

// 1,000 integrations: an account has a handful.
const maxIntegrationPages = 10;

async function listIntegrations(read: Send, call: CallOptions): Promise<IntegrationList> {
  const step: Step = "list the notification integrations";
  const readPage = async (query: PageQuery) => {
    const { json } = await read({ method: "GET", route: integrationsRoute, names: {}, query, step }, call);
    return toIntegrationPage(json) ?? unexpected(step, "the response is not a list of integrations");
  };
  return await readPages({ read: readPage, merge: mergeIntegrations, maxPages: maxIntegrationPages });
}

function integrationBody({ name, webhook, secret, restricted, projects, events }: IntegrationSettings): object {
  const isOn = Object.fromEntries(events.map((event) => [event, true]));
  return { name, webhook, secret: secret.reveal(), restricted, projects, events: isOn };
}

/**
 * Sends the POST once and says what is known. Before the first byte an abort or a bug is thrown as usual; after it,
 * everything but a clear answer is `unknown`.
 */
async function startRun(context: {
  readonly once: SendOnce;
  readonly name: JobName;
  readonly body: RunRequest;
  readonly call: CallOptions;
}): Promise<StartResult> {
  const { once, name, body, call } = context;
  const step: Step = `start a run of ${jobText(name)}`;
  let isSent = false;
  const onSend = () => {
    isSent = true;
  };
  try {
    const sent = body.deployment === undefined ? body : { ...body, deployment: sentSource(body.deployment) };
    const { json } = await once({ method: "POST", ...runsRoute(name), step, body: sent }, call, onSend);
    const data = objectOf(dataOf(json));
    const runId = readableRunId(data?.id);
    if (runId !== undefined) return { kind: "accepted", runId, runName: textOf(data?.runName) };
    return { kind: "unknown", error: protocolError(step, "the response has no valid run ID") };
  } catch (error) {
    if (isNorthflankError(error)) return { kind: isRefusedForSure(error) ? "refused" : "unknown", error };
    if (!isSent) throw error;
    const detail = "aborted while waiting for the response";
    return { kind: "unknown", error: new NorthflankError({ code: "interrupted", step, detail, sent: true }) };
  }
}

function factsOf(error: NorthflankError) {
  const { code, step, detail, fields, retryAfterMs, cause } = error;
  return { code, step, detail, fields, cause, ...(retryAfterMs !== undefined && { retryAfterMs }) };
}

/** Every successful answer is `{"data": ...}`. */
function dataOf(json: unknown): unknown {
  return objectOf(json)?.data;
}

function unexpected(step: Step, detail: string): never {
  throw protocolError(step, detail);
}

function protocolError(step: Step, detail: string): NorthflankError {
  return new NorthflankError({ code: "protocol", step, detail, sent: true });
}

function undefinedIf(code: NorthflankError["code"]): (error: unknown) => undefined {
  return (error) => {
    if (!isNorthflankError(error, code)) throw error;
    return undefined;
  };
}

/** Values that must not come back in a message, should the API repeat what it was sent. */
function secretsOf(body: object | undefined): readonly string[] {
  const sent = objectOf(body) ?? {};
  const files = [sent.runtimeFiles, sent.buildFiles, sent.dockerSecretMounts].flatMap((group) =>
    Object.values(objectOf(group) ?? {}),
  );
  const contents = files.map((file) => objectOf(file)?.data).filter((data) => typeof data === "string");
  const variables = [sent.runtimeEnvironment, sent.buildArguments].flatMap((group) =>
    Object.values(objectOf(group) ?? {}),
  );
  const values = [...variables, sent.secret].filter((value) => typeof value === "string");
  // The API decodes files before it judges them.
  return [...values, ...contents, ...contents.map((data) => Buffer.from(data, "base64").toString("utf8"))];
}

function serviceRoute(suffix: string, { projectId, serviceId }: ServiceName) {
  const route = `/v1/projects/{project}/services/{service}${suffix}`;
  return { route, names: { project: projectId, service: serviceId } };
}

function buildsRoute(name: BuilderName) {
  const { projectId: project } = name;
  return "serviceId" in name
    ? { route: "/v1/projects/{project}/services/{service}/build", names: { project, service: name.serviceId } }
    : { route: "/v1/projects/{project}/jobs/{job}/build", names: { project, job: name.jobId } };
}

function builderText(name: BuilderName): string {
  return "serviceId" in name ? serviceText(name) : jobText(name);
}

function jobRoute(suffix: string, { projectId, jobId }: JobName) {
  return { route: `/v1/projects/{project}/jobs/{job}${suffix}`, names: { project: projectId, job: jobId } };
}

function runsRoute(name: JobName) {
  return jobRoute("/runs", name);
}

function runRoute({ projectId, jobId, runId }: JobName & { readonly runId: string }) {
  return {
    route: "/v1/projects/{project}/jobs/{job}/runs/{run}",
    names: { project: projectId, job: jobId, run: runId },
  };
}

const integrationsRoute = "/v1/integrations/notifications";

function integrationRoute({ integrationId }: IntegrationName) {
  return { route: `${integrationsRoute}/{integration}`, names: { integration: integrationId } };
}

function integrationText({ integrationId }: IntegrationName): string {
  return `notification integration ${quoted(integrationId)}`;
}

function serviceText({ projectId, serviceId }: ServiceName): string {
  return `service ${quoted(serviceId)} of project ${quoted(projectId)}`;
}

function jobText({ projectId, jobId }: JobName): string {
  return `job ${quoted(jobId)} of project ${quoted(projectId)}`;
}

function runText(name: JobName & { readonly runId: string }): string {
  return `run ${quoted(name.runId)} of ${jobText(name)}`;
}

/** Ids are checked later than messages are built, so even a hostile one must make a harmless message. */
function quoted(name: string): string {
  return JSON.stringify(name.length > 60 ? `${name.slice(0, 60)}…` : name);
}

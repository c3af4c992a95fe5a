import type { Reservation, ReserveOutcome } from "./ledger.ts";
import type {
  DeploymentUpdate,
  JobRunView,
  RequestClass,
  RunList,
  RunRequest,
  ServiceView,
  StartResult,
} from "./types.ts";

export type { RequestClass } from "./types.ts";

export interface CallOptions {
  readonly class: RequestClass;
  /** Spends from what was set aside with {@link NorthflankApi.reserve}, as long as that lasts. */
  readonly reservation?: Reservation;
  readonly signal: AbortSignal;
}

export interface ServiceName {
  readonly projectId: string;
  readonly serviceId: string;
}

export interface JobName {
  readonly projectId: string;
  readonly jobId: string;
}

/**
 * The Northflank API as one account sees it: token, team path and ledger are bound. One method per endpoint that we use.
 *
 * *Guarantees*: every request passes the account's ledger first and feeds it afterwards; only reads and idempotent
 * writes are retried, briefly; ids are checked before they go into a path; the token goes to allowed hosts only.
 *
 * *Errors*: `NorthflankError`, except where a method returns the outcome instead; an aborted signal rejects with its
 * reason.
 */
export interface NorthflankApi {
  /**
   * Sets requests aside for a sequence that must not run dry half way: for a run start three (baseline, POST, read-back).
   * Pass the reservation in the options of each call, and release it in `finally`. All or nothing; it never waits.
   */
  reserve(count: number, requestClass: RequestClass): ReserveOutcome;
  getService(name: ServiceName, options: CallOptions): Promise<ServiceView>;
  /** `POST .../services/{id}/deployment`. Sending it again leads to the same state, so a lost answer is retried once. */
  updateServiceDeployment(name: ServiceName, body: DeploymentUpdate, options: CallOptions): Promise<void>;
  /** `PATCH .../services/deployment/{id}`: the fallback, which cannot do without `instances`. */
  patchDeploymentService(
    name: ServiceName,
    body: { readonly deployment: DeploymentUpdate & { readonly instances: number } },
    options: CallOptions,
  ): Promise<void>;
  /** All runs of the job from all pages, newest first by `startedAt`. */
  listRuns(name: JobName, options: CallOptions): Promise<RunList>;
  /** One run; `undefined` when the API says that there is none (404). */
  getRun(name: JobName & { readonly runId: string }, options: CallOptions): Promise<JobRunView | undefined>;
  /** `POST .../jobs/{id}/runs`, sent exactly once whatever happens. Never throws for an outcome; see `StartResult`. */
  startRun(name: JobName, body: RunRequest, options: CallOptions): Promise<StartResult>;
  /** `DELETE .../runs/{runId}`. A run that is gone or over counts as aborted. */
  abortRun(name: JobName & { readonly runId: string }, options: CallOptions): Promise<void>;
  /** `GET /v1/auth`; `undefined` where the API does not have it (404). */
  whoAmI(options: CallOptions): Promise<{ readonly expiresAt: string | undefined } | undefined>;
}

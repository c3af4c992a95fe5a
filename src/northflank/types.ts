import type { SecretValue } from "../util/secret-value.ts";
import type { NorthflankError } from "./errors.ts";

/**
 * How urgent a request is, for the ledger. `change`: a write that a user waits for, and the read it needs. `run`:
 * following an active run or rollout. `observe`: drift and resync.
 */
export type RequestClass = "change" | "run" | "observe";

/**
 * What we send to and read from the Northflank API. Bodies keep the API's own names. Readers are tolerant: enums are
 * open (`string`), unknown fields are ignored, both documented forms of "get service" are understood.
 */

export interface ExternalSource {
  readonly imagePath: string;
  readonly credentials?: string;
}

export interface InternalSource {
  readonly id?: string;
  readonly branch?: string;
  readonly buildSHA?: string;
  readonly buildId?: string;
}

export interface DockerRuntime {
  readonly configType: string;
  readonly customEntrypoint?: string;
  readonly customCommand?: string;
}

export interface BuildpackRuntime extends DockerRuntime {
  readonly customProcess?: string;
}

/** Body of `POST .../services/{id}/deployment` and `POST .../jobs/{id}/deployment`. */
export interface DeploymentUpdate {
  readonly external?: ExternalSource;
  readonly internal?: InternalSource;
  readonly docker?: DockerRuntime;
  readonly buildpack?: BuildpackRuntime;
}

export interface FileContent {
  /** The content in base64. */
  readonly data: string;
  readonly encoding?: string;
}

/** Body of `POST .../jobs/{id}/runs`. */
export interface RunRequest {
  readonly runtimeEnvironment?: Readonly<Record<string, string>>;
  readonly runtimeFiles?: Readonly<Record<string, FileContent>>;
  readonly dockerSecretMounts?: Readonly<Record<string, FileContent>>;
  readonly billing?: { readonly deploymentPlan?: string };
  readonly deployment?: DeploymentUpdate & {
    readonly storage?: object;
    readonly gpu?: object;
  };
}

/** What a service or job runs, in one normal form. Missing means "not returned". */
export interface SourceView {
  /**
   * Image as the API returns it: `imageUrl` if present, else `deployment.external.imagePath` (host possibly stripped).
   */
  readonly image: string | undefined;
  readonly external:
    | {
        readonly imagePath: string | undefined;
        readonly credentials: string | undefined;
        readonly registryProvider: string | undefined;
        /** Present when the image needs credentials, whether or not the API says which. */
        readonly isPrivate?: true;
      }
    | undefined;
  readonly internal:
    | {
        readonly id: string | undefined;
        readonly branch: string | undefined;
        readonly buildSHA: string | undefined;
        readonly buildId: string | undefined;
        readonly deployedSHA: string | undefined;
      }
    | undefined;
  readonly docker: DockerRuntime | undefined;
  readonly buildpack: BuildpackRuntime | undefined;
}

/** The source of a job, as read. What is started in the container is in another response: see {@link JobView}. */
export type JobSource = Pick<SourceView, "image" | "external" | "internal">;

/** A job as read, without its source, which this response does not have. Missing means "not returned". */
export interface JobView extends Pick<SourceView, "docker" | "buildpack"> {
  readonly id: string;
  /** ISO, Northflank's clock. */
  readonly createdAt?: string | undefined;
  /** Another one for a job that was deleted and created again under the same id. */
  readonly uid?: string | undefined;
  /** `manual`, `cron`, or a word we do not know. */
  readonly jobType: string | undefined;
  readonly disabledCD: boolean | undefined;
  /** `never`, `cd-promote`, `always`, or a word we do not know. Not among the documented fields of the answer. */
  readonly runOnSourceChange: string | undefined;
}

/** The settings of a job as read. */
export interface JobSettingsView {
  /** Another one for a job that was deleted and created again under the same id. */
  readonly uid?: string | undefined;
  /** `manual`, `cron`, or a word we do not know. */
  readonly jobType: string | undefined;
  /**
   * What the response has, in the words of "patch job": what is not returned is missing, and values of environments,
   * arguments and files are left out even where they are returned.
   */
  readonly settings: Readonly<Record<string, unknown>>;
}

/** Which patch of a job: the one for jobs of either type, or one of the deprecated ones. */
export type JobPatchRoute = "job" | "manual" | "cron";

/** A service as read, in one normal form for both documented forms of the answer. Missing means "not returned". */
export interface ServiceView extends SourceView {
  readonly id: string;
  /** Another one for a service that was deleted and created again under the same id. */
  readonly uid?: string | undefined;
  /** `combined`, `build`, `deployment`, or a word we do not know. */
  readonly serviceType: string | undefined;
  /** As `servicePaused` says where it is returned, else: no instances, which is how the newer form shows a pause. */
  readonly servicePaused: boolean;
  /**
   * The response has no `servicePaused`: the pause is known by the number of instances, 0, and may be a scale to zero.
   */
  readonly pausedByInstances?: true;
  readonly disabledCD: boolean | undefined;
  readonly instances: number | undefined;
  /** `PENDING`, `IN_PROGRESS`, `COMPLETED`, `FAILED`, or a word we do not know. */
  readonly rolloutStatus: string | undefined;
  /** `SCALING` or `DEPLOYING`, if returned. */
  readonly rolloutReason: string | undefined;
  /** ISO time at which `rolloutStatus` last changed, by Northflank's clock. */
  readonly rolloutTransitionTime: string | undefined;
  readonly buildStatus: string | undefined;
  /** Rollouts are gradual: one may stay `IN_PROGRESS` until it is promoted. */
  readonly gradualRolloutStrategyId?: string | undefined;
}

/** One run of a job, as listed or read. */
export interface JobRunView {
  readonly id: string;
  readonly runName: string | undefined;
  /** `RUNNING`, `SUCCESS`, `FAILED`, or a word we do not know. */
  readonly status: string;
  /** Trust this and `status`, not the counters: the documentation's own example has SUCCESS with `succeeded: 0`. */
  readonly concluded: boolean;
  /** ISO, whole seconds, Northflank's clock. */
  readonly startedAt: string | undefined;
  readonly concludedAt: string | undefined;
}

/** What a list of runs has to hold. */
export interface RunsNeeded {
  /** Says of all runs so far that no more are needed. */
  readonly isEnough: (runs: readonly JobRunView[]) => boolean;
  /** `isEnough` holds whatever the order of the list is: certain runs are searched for, not all that are new. */
  readonly isAnyOrder?: true;
  /** As many requests at most, where the list does not come newest first; missing: as many as the client makes. */
  readonly maxPages?: number;
}

/** All runs of a job, from all pages. */
export interface RunList {
  readonly runs: readonly JobRunView[];
  /** Northflank's clock (the `Date` header of the last page), in ms since the epoch; missing when it was not sent. */
  readonly serverTimeMs: number | undefined;
  /**
   * Present when there are pages that were not read (too many of them, or a cursor that led in a circle): that a run is
   * not in `runs` then proves nothing.
   */
  readonly truncated?: true;
}

/** One build of a service or job, as listed or read. */
export interface BuildView {
  readonly id: string;
  readonly branch: string | undefined;
  /** Commit, lower case. */
  readonly sha: string | undefined;
  /** `QUEUED`, `BUILDING`, `SUCCESS`, `FAILURE`, ..., or a word we do not know. */
  readonly status: string;
  /** What `status`, `concluded` and `success` come to. */
  readonly outcome: "active" | "succeeded" | "failed";
  /** ISO, Northflank's clock. */
  readonly createdAt: string | undefined;
  /** Milliseconds since the epoch, Northflank's clock. */
  readonly concludedAtMs: number | undefined;
}

/** Builds of a service or job, from the pages that were read. */
export interface BuildList {
  readonly builds: readonly BuildView[];
  /** Present when there are pages that were not read: that a build is not in `builds` then proves nothing. */
  readonly truncated?: true;
}

/** A service or job as its project lists it. */
export interface ProjectItem {
  /** As the API returned it: checked before it goes into a path, but not here. */
  readonly id: string;
  /** `deployment`, `combined`, `build`; `manual`, `cron`; or a word we do not know. */
  readonly type: string | undefined;
  /** Missing means "not returned". The newer form of "get service" does not return it, the list does. */
  readonly disabledCD?: boolean;
  /** Another one for an item that was deleted and created again under the same id. */
  readonly uid?: string;
  /** Of a service: `PENDING`, `IN_PROGRESS`, `COMPLETED`, `FAILED`, or a word we do not know. */
  readonly rolloutStatus?: string;
  /** Of a service: ISO time at which `rolloutStatus` last changed, by Northflank's clock. */
  readonly rolloutTransitionTime?: string;
  /** Of a job: whether its schedule is suspended. Of services the list does not show whether they are paused. */
  readonly suspended?: boolean;
}

/** The services or jobs of a project, in the order of their ids. */
export interface ItemList {
  readonly items: readonly ProjectItem[];
  /** Present when there are pages that were not read: that something is not in `items` then proves nothing. */
  readonly truncated?: true;
}

/** A notification integration as the list has it. Missing means "not returned". */
export interface IntegrationItem {
  /** As the API returned it: checked before it goes into a path, but not here. */
  readonly id: string;
  readonly name: string | undefined;
  /** `RAW_WEBHOOK`, `SLACK`, `DISCORD`, `TEAMS`, `TEAMS_WORKFLOWS`, or a word we do not know. */
  readonly type: string | undefined;
  /** The URL that notifications are sent to. */
  readonly webhook: string | undefined;
  /** In ms since the epoch, by Northflank's clock. */
  readonly createdAtMs: number | undefined;
  /** Northflank sends nothing to it, after deliveries that were not handled. */
  readonly isDisabled: boolean;
  /** Why, in Northflank's words, where it returns any. */
  readonly disabledReason: string | undefined;
}

/** A notification integration. The API never returns its secret. */
export interface IntegrationView extends IntegrationItem {
  /** Whether it is sent what concerns `projects` alone. */
  readonly restricted: boolean | undefined;
  /** Ids of projects. */
  readonly projects: readonly string[] | undefined;
  /** The events that are on: `trigger:job-run:start`. */
  readonly events: readonly string[] | undefined;
}

/** The notification integrations of an account, the oldest first. */
export interface IntegrationList {
  readonly items: readonly IntegrationItem[];
  /** Present when there are pages that were not read: that one is not in `items` then proves nothing. */
  readonly truncated?: true;
}

/** What a notification integration is created with, or changed to. */
export interface IntegrationSettings {
  /** 3 to 39 letters, digits, spaces and hyphens. */
  readonly name: string;
  readonly webhook: string;
  /** Sent with each delivery, in clear. */
  readonly secret: SecretValue;
  readonly restricted: boolean;
  readonly projects: readonly string[];
  /** The events that are on: `trigger:job-run:start`. */
  readonly events: readonly string[];
}

/** The projects that a token is limited to (`in`), or kept out of (`notIn`). */
export interface ProjectRestrictions {
  readonly mode: "in" | "notIn";
  /** Ids of projects, sorted. */
  readonly projects: readonly string[];
  /** Present when there are more projects: what is not in `projects` may be listed all the same. */
  readonly isIncomplete?: true;
}

/** What `GET /v1/auth` returns about the token. Missing means "not returned". */
export interface TokenView {
  /** RFC 3339, whole seconds, Northflank's clock. */
  readonly expiresAt: string | undefined;
  readonly projectRestrictions?: ProjectRestrictions | undefined;
  /** What the token may do within projects, in Northflank's words: `ps_jobs_general_run-job`. */
  readonly permissions?: ReadonlySet<string> | undefined;
}

/** What is known after asking for a run to be started. There is no fourth case, and none of them is an exception. */
export type StartResult =
  | { readonly kind: "accepted"; readonly runId: string; readonly runName: string | undefined }
  /** Nothing was started, for sure: not sent at all, or refused by an answer that proves it. */
  | { readonly kind: "refused"; readonly error: NorthflankError }
  /** It may or may not have been started: cut off after sending, timed out, 5xx, or an answer without a readable id. */
  | { readonly kind: "unknown"; readonly error: NorthflankError };

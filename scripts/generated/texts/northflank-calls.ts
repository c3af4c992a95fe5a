import type { NorthflankCall, northflankCalls } from "../../../src/api/northflank-calls.ts";

interface CallText {
  /** Method and path. With a team, `/v1/teams/{team}/projects` stands in place of `/v1/projects`. */
  readonly request: string;
  /** When the operator makes it, in sentences. */
  readonly when: string;
}

/** A call that is optional says what is lost without its permission. */
type CallTexts = {
  readonly [C in NorthflankCall]: (typeof northflankCalls)[C] extends { readonly isOptional: true }
    ? CallText & { readonly without: string }
    : CallText & { readonly without?: never };
};

const unseenBuild = "the state of the build is not read, and Northflank alone judges the change";

/** The calls of the Northflank API as the reference describes them. */
export const northflankCallTexts: CallTexts = {
  "check token": {
    request: "GET /v1/auth",
    when: "Every validationPeriodSeconds of a NorthflankConnection, and when its Secret changed.",
  },
  "get service": {
    request: "GET /v1/projects/{project}/services/{service}",
    when: "At every reconcile of a NorthflankDeployment: source and rollout of the service. Also by the command import.",
  },
  "list services": {
    request: "GET /v1/projects/{project}/services",
    when:
      "Before a change to a fixed build, if get service does not return whether continuous deployment is enabled; not with " +
      "continuousDeployment Ignore. Also by the command import.",
  },
  "get service build": {
    request: "GET /v1/projects/{project}/services/{service}/build/{build}",
    when: "Before a fixed build of a service is deployed, and while a NorthflankDeployment waits for that build.",
    without: unseenBuild,
  },
  "list service builds": {
    request: "GET /v1/projects/{project}/services/{service}/build",
    when: "The same, where the build is named by its branch or commit.",
    without: unseenBuild,
  },
  "get job build": {
    request: "GET /v1/projects/{project}/jobs/{job}/build/{build}",
    when: "Before a certain build of a job is deployed, and while a NorthflankDeployment waits for that build.",
    without: unseenBuild,
  },
  "list job builds": {
    request: "GET /v1/projects/{project}/jobs/{job}/build",
    when: "The same, where the build is named by its branch or commit.",
    without: unseenBuild,
  },
  "update service deployment": {
    request: "POST /v1/projects/{project}/services/{service}/deployment",
    when:
      "When the service differs from what a NorthflankDeployment declares, and its managementPolicy says to write. Once for a " +
      "new redeployToken, and then never repeated for a lost answer.",
  },
  "restart service": {
    request: "POST /v1/projects/{project}/services/{service}/restart",
    when:
      "For a new redeployToken of a NorthflankDeployment that declares no source, and where update service deployment led to " +
      "no rollout. Never repeated for a lost answer.",
  },
  "patch deployment service": {
    request: "PATCH /v1/projects/{project}/services/deployment/{service}",
    when:
      "In place of update service deployment, where Northflank says that this one is gone. The number of instances, " +
      "which this call cannot do without, is sent as it was read right before.",
  },
  "patch combined service": {
    request: "PATCH /v1/projects/{project}/services/combined/{service}",
    when:
      "In place of update service deployment for a combined service, where Northflank says that this one is gone. It takes " +
      "docker and buildpack, but no source.",
  },
  "list jobs": {
    request: "GET /v1/projects/{project}/jobs",
    when: "By the command import only.",
  },
  "get job deployment": {
    request: "GET /v1/projects/{project}/jobs/{job}/deployment",
    when: "At every reconcile of a NorthflankDeployment with a jobId: the source of the job. Northflank has deprecated it.",
  },
  "get job": {
    request: "GET /v1/projects/{project}/jobs/{job}",
    when:
      "At every reconcile of a NorthflankJob. For a NorthflankDeployment: before a write, if docker or buildpack is declared, " +
      "and to distinguish a missing job from a removed API route. For a NorthflankJobRun whose run, or whose start without " +
      "a response, is not found: whether the job was created again since. Also by the command import.",
  },
  "patch job": {
    request: "PATCH /v1/projects/{project}/jobs/{job}",
    when:
      "When the job differs from what a NorthflankJob declares, or a value that cannot be read back has changed since it " +
      "was last sent, and its managementPolicy says to write. Also in place of a deprecated call that is gone.",
  },
  "patch manual job": {
    request: "PATCH /v1/projects/{project}/jobs/manual/{job}",
    when: "In place of patch job with jobType: manual, and for a manual job where patch job is gone. Northflank has deprecated it.",
  },
  "patch cron job": {
    request: "PATCH /v1/projects/{project}/jobs/cron/{job}",
    when: "In place of patch job with jobType: cron, and for a cron job where patch job is gone. Northflank has deprecated it.",
  },
  "update job deployment": {
    request: "POST /v1/projects/{project}/jobs/{job}/deployment",
    when:
      "When the job differs from what a NorthflankDeployment declares, and its managementPolicy says to write. Northflank " +
      "has deprecated it. Never repeated for a lost answer.",
  },
  "run job": {
    request: "POST /v1/projects/{project}/jobs/{job}/runs",
    when: "Once for a NorthflankJobRun, and once for each further attempt of its backoffLimit. Never repeated for a lost answer.",
  },
  "list job runs": {
    request: "GET /v1/projects/{project}/jobs/{job}/runs",
    when: "Before every start, and to find a run whose start had no answer.",
  },
  "get job run": {
    request: "GET /v1/projects/{project}/jobs/{job}/runs/{run}",
    when: "While a run is active.",
  },
  "abort job run": {
    request: "DELETE /v1/projects/{project}/jobs/{job}/runs/{run}",
    when: "For abort, activeDeadlineSeconds, concurrencyPolicy Replace, and deletionPolicy Abort.",
  },
};

/**
 * The calls for `spec.notifications.register` of a connection. How the API names the permissions of an account is not
 * documented, so nothing is compared with what a token has.
 */
export const integrationCalls: readonly {
  readonly request: string;
  readonly permission: string;
  readonly when: string;
}[] = [
  {
    request: "GET /v1/integrations/notifications",
    permission: "Account > Observability > Notifications > Read",
    when: "Once an hour, and before one is created, changed or deleted.",
  },
  {
    request: "GET /v1/integrations/notifications/{integration}",
    permission: "Account > Observability > Notifications > Read",
    when: "Once an hour.",
  },
  {
    request: "POST /v1/integrations/notifications",
    permission: "Account > Observability > Notifications > Create",
    when: "If there is none, and after a disabled one was deleted. Never repeated for a lost answer.",
  },
  {
    request: "POST /v1/integrations/notifications/{integration}",
    permission: "Account > Observability > Notifications > Update",
    when: "If it differs from what is declared, or its Secret has changed.",
  },
  {
    request: "DELETE /v1/integrations/notifications/{integration}",
    permission: "Account > Observability > Notifications > Delete",
    when: "With the connection, without register, and if Northflank has disabled it.",
  },
];

interface CallFacts {
  /** Method and path. With a team, `/v1/teams/{team}/projects` stands in place of `/v1/projects`. */
  readonly request: string;
  /** When the operator makes it, in a sentence. */
  readonly when: string;
}

/** The calls of the Northflank API that objects come to, by the names that Northflank's own pages have for them. */
export const northflankCalls = {
  "check token": {
    request: "GET /v1/auth",
    when: "Every validationPeriodSeconds of a NorthflankConnection, and when its Secret changed.",
  },
  "get service": {
    request: "GET /v1/projects/{project}/services/{service}",
    when: "At every look at a NorthflankDeployment: what the service has, and how its rollout is.",
  },
  "list services": {
    request: "GET /v1/projects/{project}/services",
    when:
      "Before a change to a certain build, where get service does not tell whether continuous deployment is on; not with " +
      "continuousDeployment Ignore.",
  },
  "update service deployment": {
    request: "POST /v1/projects/{project}/services/{service}/deployment",
    when: "When the service differs from what a NorthflankDeployment declares, and its managementPolicy says to write.",
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
  "get job deployment": {
    request: "GET /v1/projects/{project}/jobs/{job}/deployment",
    when: "At every look at a NorthflankDeployment with a jobId: the source of the job. Northflank has deprecated it.",
  },
  "get job": {
    request: "GET /v1/projects/{project}/jobs/{job}",
    when:
      "Where the settings of a job matter to a NorthflankDeployment: before a write, where docker or buildpack is declared, " +
      "and to tell a job that is missing from a deprecated call that is gone. At every look at a NorthflankJob.",
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
} as const satisfies Readonly<Record<string, CallFacts>>;

/** A call of {@link northflankCalls}. */
export type NorthflankCall = keyof typeof northflankCalls;

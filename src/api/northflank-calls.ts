/** What uses a connection, and `import`, which reads a project with a token of its own. */
export const tokenUses = [
  "NorthflankDeployment of a service",
  "NorthflankDeployment of a job",
  "NorthflankJob",
  "NorthflankJobRun",
  "import",
] as const;

/** One of {@link tokenUses}. */
export type TokenUse = (typeof tokenUses)[number];

interface CallFacts {
  /** Method and path. With a team, `/v1/teams/{team}/projects` stands in place of `/v1/projects`. */
  readonly request: string;
  /** When the operator makes it, in a sentence. */
  readonly when: string;
  /** The permission that it needs, as the user interface words it; missing: any valid token will do. */
  readonly permission?: string;
  /** Whose objects it is made for. */
  readonly usedBy: readonly TokenUse[];
  /** True for what an object with managementPolicy Observe never does. */
  readonly writes?: true;
  /** What is lost where the permission is missing; without this the object is PermissionDenied. */
  readonly without?: string;
}

const readServices = { permission: "Project > Services > General > Read" } as const;
const updateServices = { permission: "Project > Services > General > Update", writes: true } as const;
const readJobs = { permission: "Project > Jobs > General > Read" } as const;
const updateJobs = { permission: "Project > Jobs > General > Update", writes: true } as const;

const ofService = "NorthflankDeployment of a service";
const ofJob = "NorthflankDeployment of a job";
const unseenBuild = "the state of the build is not read, and Northflank alone judges the change";

/** The calls of the Northflank API that objects come to, by the names that Northflank's own pages have for them. */
export const northflankCalls = {
  "check token": {
    request: "GET /v1/auth",
    when: "Every validationPeriodSeconds of a NorthflankConnection, and when its Secret changed.",
    usedBy: tokenUses.filter((use) => use !== "import"),
  },
  "get service": {
    request: "GET /v1/projects/{project}/services/{service}",
    when: "At every reconcile of a NorthflankDeployment: source and rollout of the service. Also by the command import.",
    ...readServices,
    usedBy: [ofService, "import"],
  },
  "list services": {
    request: "GET /v1/projects/{project}/services",
    when:
      "Before a change to a fixed build, if get service does not return whether continuous deployment is enabled; not with " +
      "continuousDeployment Ignore. Also by the command import.",
    ...readServices,
    usedBy: [ofService, "import"],
  },
  "get service build": {
    request: "GET /v1/projects/{project}/services/{service}/build/{build}",
    when: "Before a fixed build of a service is deployed, and while a NorthflankDeployment waits for that build.",
    ...readServices,
    usedBy: [ofService, ofJob, "NorthflankJobRun"],
    without: unseenBuild,
  },
  "list service builds": {
    request: "GET /v1/projects/{project}/services/{service}/build",
    when: "The same, where the build is named by its branch or commit.",
    ...readServices,
    usedBy: [ofService, ofJob, "NorthflankJobRun"],
    without: unseenBuild,
  },
  "get job build": {
    request: "GET /v1/projects/{project}/jobs/{job}/build/{build}",
    when: "Before a certain build of a job is deployed, and while a NorthflankDeployment waits for that build.",
    permission: updateJobs.permission,
    usedBy: [ofService, ofJob, "NorthflankJobRun"],
    without: unseenBuild,
  },
  "list job builds": {
    request: "GET /v1/projects/{project}/jobs/{job}/build",
    when: "The same, where the build is named by its branch or commit.",
    ...readJobs,
    usedBy: [ofService, ofJob, "NorthflankJobRun"],
    without: unseenBuild,
  },
  "update service deployment": {
    request: "POST /v1/projects/{project}/services/{service}/deployment",
    when:
      "When the service differs from what a NorthflankDeployment declares, and its managementPolicy says to write. Once for a " +
      "new redeployToken, and then never repeated for a lost answer.",
    ...updateServices,
    usedBy: [ofService],
  },
  "restart service": {
    request: "POST /v1/projects/{project}/services/{service}/restart",
    when:
      "For a new redeployToken of a NorthflankDeployment that declares no source, and where update service deployment led to " +
      "no rollout. Never repeated for a lost answer.",
    ...updateServices,
    usedBy: [ofService],
  },
  "patch deployment service": {
    request: "PATCH /v1/projects/{project}/services/deployment/{service}",
    when:
      "In place of update service deployment, where Northflank says that this one is gone. The number of instances, " +
      "which this call cannot do without, is sent as it was read right before.",
    ...updateServices,
    usedBy: [ofService],
  },
  "patch combined service": {
    request: "PATCH /v1/projects/{project}/services/combined/{service}",
    when:
      "In place of update service deployment for a combined service, where Northflank says that this one is gone. It takes " +
      "docker and buildpack, but no source.",
    ...updateServices,
    usedBy: [ofService],
  },
  "list jobs": {
    request: "GET /v1/projects/{project}/jobs",
    when: "By the command import only.",
    ...readJobs,
    usedBy: ["import"],
  },
  "get job deployment": {
    request: "GET /v1/projects/{project}/jobs/{job}/deployment",
    when: "At every reconcile of a NorthflankDeployment with a jobId: the source of the job. Northflank has deprecated it.",
    ...readJobs,
    usedBy: [ofJob],
  },
  "get job": {
    request: "GET /v1/projects/{project}/jobs/{job}",
    when:
      "At every reconcile of a NorthflankJob. For a NorthflankDeployment: before a write, if docker or buildpack is declared, " +
      "and to distinguish a missing job from a removed API route. For a NorthflankJobRun whose run, or whose start without " +
      "a response, is not found: whether the job was created again since. Also by the command import.",
    ...readJobs,
    usedBy: [ofJob, "NorthflankJob", "NorthflankJobRun", "import"],
  },
  "patch job": {
    request: "PATCH /v1/projects/{project}/jobs/{job}",
    when:
      "When the job differs from what a NorthflankJob declares, or a value that cannot be read back has changed since it " +
      "was last sent, and its managementPolicy says to write. Also in place of a deprecated call that is gone.",
    ...updateJobs,
    usedBy: ["NorthflankJob"],
  },
  "patch manual job": {
    request: "PATCH /v1/projects/{project}/jobs/manual/{job}",
    when: "In place of patch job with jobType: manual, and for a manual job where patch job is gone. Northflank has deprecated it.",
    ...updateJobs,
    usedBy: ["NorthflankJob"],
  },
  "patch cron job": {
    request: "PATCH /v1/projects/{project}/jobs/cron/{job}",
    when: "In place of patch job with jobType: cron, and for a cron job where patch job is gone. Northflank has deprecated it.",
    ...updateJobs,
    usedBy: ["NorthflankJob"],
  },
  "update job deployment": {
    request: "POST /v1/projects/{project}/jobs/{job}/deployment",
    when:
      "When the job differs from what a NorthflankDeployment declares, and its managementPolicy says to write. Northflank " +
      "has deprecated it. Never repeated for a lost answer.",
    ...updateJobs,
    usedBy: [ofJob],
  },
  "run job": {
    request: "POST /v1/projects/{project}/jobs/{job}/runs",
    when: "Once for a NorthflankJobRun, and once for each further attempt of its backoffLimit. Never repeated for a lost answer.",
    permission: "Project > Jobs > General > Run Job",
    writes: true,
    usedBy: ["NorthflankJobRun"],
  },
  "list job runs": {
    request: "GET /v1/projects/{project}/jobs/{job}/runs",
    when: "Before every start, and to find a run whose start had no answer.",
    ...readJobs,
    usedBy: ["NorthflankJobRun"],
  },
  "get job run": {
    request: "GET /v1/projects/{project}/jobs/{job}/runs/{run}",
    when: "While a run is active.",
    ...readJobs,
    usedBy: ["NorthflankJobRun"],
  },
  "abort job run": {
    request: "DELETE /v1/projects/{project}/jobs/{job}/runs/{run}",
    when: "For abort, activeDeadlineSeconds, concurrencyPolicy Replace, and deletionPolicy Abort.",
    ...updateJobs,
    usedBy: ["NorthflankJobRun"],
  },
} as const satisfies Readonly<Record<string, CallFacts>>;

/** A call of {@link northflankCalls}. */
export type NorthflankCall = keyof typeof northflankCalls;

/** A use of a token; `writes: false` where managementPolicy Observe only reads. */
export interface TokenNeed {
  readonly use: TokenUse;
  readonly writes: boolean;
}

/** The permissions, as the API names them, without which one of the `needs` is PermissionDenied sooner or later. */
export function permissionsFor(needs: readonly TokenNeed[]): readonly string[] {
  const calls: readonly CallFacts[] = Object.values(northflankCalls);
  const needed = calls.filter(
    ({ usedBy, writes, without }) =>
      without === undefined && needs.some((need) => usedBy.includes(need.use) && (need.writes || writes !== true)),
  );
  const names = needed.flatMap(({ permission }) => (permission === undefined ? [] : permissionName(permission)));
  return [...new Set(names)].sort();
}

/**
 * How the API names a permission that the user interface words as `Project > Jobs > General > Run Job`:
 * `ps_jobs_general_run-job`. A rule that holds for all names that Northflank prints.
 */
export function permissionName(words: string): string {
  const [scope = "", ...rest] = words.toLowerCase().split(" > ");
  return [`${scope.slice(0, 1)}s`, ...rest].join("_").replaceAll(" ", "-");
}

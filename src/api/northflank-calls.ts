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
  /** The permission that it needs, as the user interface words it; missing: any valid token will do. */
  readonly permission?: string;
  /** What it is made for. */
  readonly usedBy: readonly TokenUse[];
  /** True for what an object with managementPolicy Observe never does. */
  readonly writes?: true;
  /** The object can do without it; else it is PermissionDenied where the permission is missing. */
  readonly isOptional?: true;
}

const readServices = { permission: "Project > Services > General > Read" } as const;
const updateServices = { permission: "Project > Services > General > Update", writes: true } as const;
const readJobs = { permission: "Project > Jobs > General > Read" } as const;
const updateJobs = { permission: "Project > Jobs > General > Update", writes: true } as const;

const ofService = "NorthflankDeployment of a service";
const ofJob = "NorthflankDeployment of a job";

/**
 * What each call of the Northflank API needs of a token, by the names that Northflank's own pages have for the calls.
 * `scripts/generated/texts/northflank-calls.ts` says when each is made.
 */
export const northflankCalls = {
  "check token": {
    usedBy: tokenUses.filter((use) => use !== "import"),
  },
  "get service": {
    ...readServices,
    usedBy: [ofService, "import"],
  },
  "list services": {
    ...readServices,
    usedBy: [ofService, "import"],
  },
  "get service build": {
    ...readServices,
    usedBy: [ofService, ofJob, "NorthflankJobRun"],
    isOptional: true,
  },
  "list service builds": {
    ...readServices,
    usedBy: [ofService, ofJob, "NorthflankJobRun"],
    isOptional: true,
  },
  "get job build": {
    permission: updateJobs.permission,
    usedBy: [ofService, ofJob, "NorthflankJobRun"],
    isOptional: true,
  },
  "list job builds": {
    ...readJobs,
    usedBy: [ofService, ofJob, "NorthflankJobRun"],
    isOptional: true,
  },
  "update service deployment": {
    ...updateServices,
    usedBy: [ofService],
  },
  "restart service": {
    ...updateServices,
    usedBy: [ofService],
  },
  "patch deployment service": {
    ...updateServices,
    usedBy: [ofService],
  },
  "patch combined service": {
    ...updateServices,
    usedBy: [ofService],
  },
  "list jobs": {
    ...readJobs,
    usedBy: ["import"],
  },
  "get job deployment": {
    ...readJobs,
    usedBy: [ofJob],
  },
  "get job": {
    ...readJobs,
    usedBy: [ofJob, "NorthflankJob", "NorthflankJobRun", "import"],
  },
  "patch job": {
    ...updateJobs,
    usedBy: ["NorthflankJob"],
  },
  "patch manual job": {
    ...updateJobs,
    usedBy: ["NorthflankJob"],
  },
  "patch cron job": {
    ...updateJobs,
    usedBy: ["NorthflankJob"],
  },
  "update job deployment": {
    ...updateJobs,
    usedBy: [ofJob],
  },
  "run job": {
    permission: "Project > Jobs > General > Run Job",
    writes: true,
    usedBy: ["NorthflankJobRun"],
  },
  "list job runs": {
    ...readJobs,
    usedBy: ["NorthflankJobRun"],
  },
  "get job run": {
    ...readJobs,
    usedBy: ["NorthflankJobRun"],
  },
  "abort job run": {
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

/** The permissions, as the API names them, without which one of the `needs` ends up PermissionDenied. */
export function permissionsFor(needs: readonly TokenNeed[]): readonly string[] {
  const calls: readonly CallFacts[] = Object.values(northflankCalls);
  const needed = calls.filter(
    ({ usedBy, writes, isOptional }) =>
      isOptional !== true && needs.some((need) => usedBy.includes(need.use) && (need.writes || writes !== true)),
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

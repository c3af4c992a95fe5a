import {
  dockerSecretMounts,
  environment,
  environmentFrom,
  files,
  filesFrom,
  isSet,
  noPlaceholder,
  variableNamePattern,
} from "./fragments.ts";
import type { IntegerSchema, ObjectSchema, Rule, Schema, TextSchema } from "./schema.ts";

/**
 * The settings of a job in the words of Northflank's "patch job" and "patch manual job": either body can be pasted. What
 * Northflank sells (plans, sizes, builders) is checked for its shape only.
 */

/** Ids of plans, tags and stages. */
const slugPattern = "^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$";

/** Text without control characters. */
const plainPattern = "^[^\\x00-\\x1f\\x7f]+$";

const plan = {
  type: "string",
  minLength: 3,
  maxLength: 100,
  pattern: slugPattern,
  description: "ID of a Northflank plan, for example nf-compute-20. GET /v1/plans lists the plans.",
} as const satisfies TextSchema;

const billing = {
  type: "object",
  description: "Resources of builds and runs.",
  properties: {
    buildPlan: { ...plan, description: "Plan of the builds, for example nf-compute-200-8." },
    deploymentPlan: { ...plan, description: "Plan of the runs, for example nf-compute-20." },
    gpu: {
      type: "object",
      description: "GPU of the runs.",
      properties: {
        enabled: { type: "boolean", description: "Whether runs get a GPU." },
        configuration: {
          type: "object",
          description: "Which GPU.",
          properties: {
            gpuType: {
              type: "string",
              minLength: 1,
              maxLength: 100,
              pattern: "^[A-Za-z0-9._-]+$",
              description: "Model, as Northflank names it.",
            },
            gpuCount: {
              type: "integer",
              format: "int32",
              minimum: 1,
              maximum: 1_000,
              description: "Number of GPUs.",
            },
            timesliced: { type: "boolean", description: "Share the GPU with other workloads." },
          },
        },
      },
    },
  },
} as const satisfies ObjectSchema;

const buildStorage = {
  type: "object",
  description: "Temporary storage of the build. Northflank defines which sizes exist.",
  properties: {
    ephemeralStorage: {
      type: "object",
      description: "The writable disk of the build.",
      properties: {
        storageSize: {
          type: "integer",
          format: "int32",
          minimum: 1,
          maximum: 10_000_000,
          description: "Size in MiB, for example 16384.",
        },
      },
    },
  },
} as const satisfies ObjectSchema;

const buildConfiguration = {
  type: "object",
  description: "Which commits are built, and with what.",
  properties: {
    pathIgnoreRules: {
      type: "array",
      maxItems: 200,
      "x-kubernetes-list-type": "atomic",
      description: "Commits that change only these paths are not built; the syntax is that of .gitignore.",
      items: { type: "string", maxLength: 260, description: "One rule." },
    },
    isAllowList: {
      type: "boolean",
      description: "True: pathIgnoreRules lists the paths whose changes are built, instead of those that are ignored.",
    },
    ciIgnoreFlagsEnabled: { type: "boolean", description: "True: ciIgnoreFlags is used." },
    ciIgnoreFlags: {
      type: "array",
      maxItems: 100,
      "x-kubernetes-list-type": "atomic",
      description: "Commits whose message contains one of these texts are not built.",
      items: { type: "string", maxLength: 72, description: "One text, for example [skip ci]." },
    },
    ignoreEmptyCommits: { type: "boolean", description: "True: commits without changes are not built." },
    dockerfileTarget: {
      type: "string",
      maxLength: 255,
      description: "Stage of the Dockerfile that is built.",
      "x-kubernetes-validations": [noPlaceholder],
    },
    dockerCredentials: {
      type: "array",
      maxItems: 50,
      "x-kubernetes-list-type": "atomic",
      description: "IDs of registry credentials saved in Northflank that the build may use.",
      items: {
        type: "string",
        minLength: 1,
        maxLength: 100,
        pattern: "^[A-Za-z0-9-]+$",
        description: "ID of registry credentials.",
      },
    },
    includeGitFolder: { type: "boolean", description: "True: the build context includes the .git folder." },
    fullGitClone: { type: "boolean", description: "Clone with the whole history." },
    enableGitLfs: { type: "boolean", description: "Fetch files of Git LFS." },
    storage: buildStorage,
  },
} as const satisfies ObjectSchema;

const noDots: Rule = {
  name: "path-dots",
  rule: "!self.matches('(^|/)[.][.]?(/|$)')",
  message:
    "a path with . or .. between slashes is rejected by Northflank: write the path from the root of the repository",
  check: (self: string) => !/(^|\/)[.][.]?(\/|$)/.test(self),
};

const workPath = {
  type: "string",
  minLength: 1,
  maxLength: 260,
  pattern: "^/([A-Za-z0-9._-]+/)*[A-Za-z0-9._-]*$",
  description: "Folder from the root of the repository, / for the root itself.",
  "x-kubernetes-validations": [noDots],
} as const satisfies TextSchema;

const mebibytes = { type: "integer", format: "int32", minimum: 1, maximum: 10_000_000 } as const;

const buildSettings = {
  type: "object",
  description: "How the job's own source is built.",
  properties: {
    storage: buildStorage,
    dockerfile: {
      type: "object",
      description: "Building with a Dockerfile.",
      properties: {
        useCache: { type: "boolean", description: "Deprecated by Northflank: use buildkit.useCache." },
        buildEngine: {
          type: "string",
          minLength: 1,
          maxLength: 100,
          pattern: "^[A-Za-z0-9._-]+$",
          description: "Engine, as Northflank names it, for example buildkit.",
        },
        dockerFilePath: {
          ...workPath,
          pattern: "^/([A-Za-z0-9._-]+/)*[A-Za-z0-9._-]+$",
          description: "The Dockerfile, from the root of the repository, for example /Dockerfile.",
        },
        dockerWorkDir: { ...workPath, description: "Build context, from the root of the repository, for example /." },
        dockerfileContents: {
          type: "string",
          maxLength: 65_536,
          pattern: "^[^\\x00]*$",
          description: "Text of a Dockerfile, in place of one of the repository.",
        },
        buildkit: {
          type: "object",
          description: "Settings of the engine buildkit.",
          properties: {
            useCache: { type: "boolean", description: "Keep layers between builds." },
            cacheStorageSize: { ...mebibytes, description: "Size of the cache in MiB." },
            useInternalCache: { type: "boolean", description: "Deprecated by Northflank: use useCache." },
            internalCacheStorage: {
              ...mebibytes,
              description: "Deprecated by Northflank: use cacheStorageSize. Size in MiB.",
            },
          },
        },
      },
    },
    buildpack: {
      type: "object",
      description: "Building with a buildpack.",
      properties: {
        builder: {
          type: "string",
          minLength: 1,
          maxLength: 100,
          pattern: "^[A-Za-z0-9._-]+$",
          description: "Builder, as Northflank names it, for example HEROKU_24.",
        },
        buildpackLocators: {
          type: "array",
          maxItems: 50,
          "x-kubernetes-list-type": "atomic",
          description: "Buildpacks beyond those of the builder.",
          items: {
            type: "string",
            minLength: 1,
            maxLength: 1_024,
            pattern: plainPattern,
            description: "Address or name of one buildpack.",
          },
        },
        buildContext: { ...workPath, description: "Folder that is built, from the root of the repository." },
        useCache: { type: "boolean", description: "Cache layers between builds." },
      },
    },
  },
} as const satisfies ObjectSchema;

interface HealthCheck {
  readonly protocol: string;
  readonly path?: string;
  readonly port?: number;
  readonly cmd?: string;
}

function seconds<const D extends string>(minimum: number, maximum: number, description: D) {
  return { type: "integer", format: "int32", minimum, maximum, description } as const satisfies IntegerSchema;
}

/** The rule that checks of one protocol need these fields. */
function protocolNeeds(protocol: string, field: "path" | "port" | "cmd"): Rule {
  return {
    name: "health-check",
    rule: `self.protocol != '${protocol}' || has(self.${field})`,
    message: `${field} is required with protocol ${protocol}`,
    reason: "FieldValueRequired",
    fieldPath: `.${field}`,
    check: (self: HealthCheck) => self.protocol !== protocol || isSet(self[field]),
  };
}

const healthChecks = {
  type: "array",
  maxItems: 20,
  "x-kubernetes-list-type": "atomic",
  description: "Health checks of the containers of runs. The list replaces that of the job as a whole.",
  items: {
    type: "object",
    description: "One check.",
    properties: {
      protocol: {
        type: "string",
        enum: ["HTTP", "CMD", "TCP"],
        description: "HTTP needs path and port, CMD needs cmd.",
      },
      type: {
        type: "string",
        enum: ["livenessProbe", "readinessProbe", "startupProbe"],
        description: "Type of the check.",
      },
      path: {
        type: "string",
        minLength: 1,
        maxLength: 1_024,
        pattern: "^/[A-Za-z0-9._/?=&-]*$",
        description: "Path of the request, with its query.",
      },
      cmd: {
        type: "string",
        minLength: 1,
        maxLength: 4_096,
        pattern: "^[^\\x00]+$",
        description: "Command that is run in the container.",
      },
      port: { type: "integer", format: "int32", minimum: 1, maximum: 65_535, description: "Port of the container." },
      initialDelaySeconds: seconds(1, 180, "Seconds from the start of the container to the first check."),
      periodSeconds: seconds(10, 600, "Seconds between two checks."),
      timeoutSeconds: seconds(1, 60, "Seconds after which a check without a response has failed."),
      failureThreshold: seconds(1, 255, "Failures in a row that count as a failure."),
      successThreshold: seconds(1, 255, "Successes in a row that count as a success."),
    },
    required: ["protocol", "type", "initialDelaySeconds", "periodSeconds", "timeoutSeconds", "failureThreshold"],
    "x-kubernetes-validations": [
      protocolNeeds("HTTP", "path"),
      protocolNeeds("HTTP", "port"),
      protocolNeeds("CMD", "cmd"),
    ],
  },
} as const satisfies Schema;

const cron = {
  type: "object",
  description: "Schedule of a cron job. Not with jobType manual.",
  properties: {
    schedule: {
      type: "string",
      nullable: true,
      minLength: 5,
      maxLength: 255,
      pattern: "^(@(annually|yearly|monthly|weekly|daily|hourly)|[A-Za-z0-9*/,?#-]+( +[A-Za-z0-9*/,?#-]+){4})$",
      description: "Five fields (minute, hour, day, month, weekday) or @daily and the like; null for none.",
    },
    suspended: { type: "boolean", description: "True: the schedule starts no runs." },
    concurrencyPolicy: {
      type: "string",
      enum: ["allow", "forbid", "replace"],
      description:
        "What Northflank does when a run is due while another one is active. In lower case, as the API expects it.",
    },
  },
} as const satisfies ObjectSchema;

const runPolicy = {
  backoffLimit: {
    type: "integer",
    format: "int32",
    minimum: 0,
    maximum: 1_000,
    description: "Number of retries by Northflank after a failed run.",
  },
  runOnSourceChange: {
    type: "string",
    enum: ["never", "cd-promote", "always"],
    description: "When a new image or build starts a run: never, when a release flow promotes it, or always.",
  },
  activeDeadlineSeconds: {
    type: "integer",
    format: "int32",
    nullable: true,
    minimum: 1,
    maximum: 31_536_000,
    description: "Seconds after which Northflank ends a run; null for no limit.",
  },
  cron,
} as const satisfies ObjectSchema["properties"];

interface RunPolicy {
  readonly backoffLimit?: unknown;
  readonly runOnSourceChange?: unknown;
  readonly activeDeadlineSeconds?: unknown;
  readonly cron?: unknown;
}

/** The rule that one part of the run policy stands in one place. */
function inOnePlace(field: keyof RunPolicy): Rule {
  return {
    name: "one-place",
    rule: `!has(self.${field}) || !has(self.settings) || !has(self.settings.${field})`,
    message: `${field} is set here and in settings.${field}: remove one of the two`,
    fieldPath: `.${field}`,
    check: (self: RunPolicy & { readonly settings?: RunPolicy }) =>
      !isSet(self[field]) || !isSet(self.settings?.[field]),
  };
}

const named = { environment: "runtimeEnvironmentFrom", files: "runtimeFilesFrom" } as const;

const readAtEachCheck = "read at each check for drift";

const allSettings = {
  description: {
    type: "string",
    minLength: 1,
    maxLength: 200,
    pattern: "^[a-zA-Z0-9.,? \\t\\r\\n\\\\/'\"()\\[\\];\\x60%^&*_:!-]+$",
    description: "Description of the job. Northflank allows letters, digits and some punctuation.",
  },
  stageId: {
    type: "string",
    nullable: true,
    minLength: 3,
    maxLength: 100,
    pattern: slugPattern,
    description: "Stage of the project's pipeline that the job belongs to; null for none.",
  },
  tags: {
    type: "array",
    maxItems: 100,
    "x-kubernetes-list-type": "atomic",
    description: "Tags of the job. The list replaces that of the job as a whole.",
    items: { type: "string", minLength: 3, maxLength: 100, pattern: slugPattern, description: "ID of a tag." },
  },
  billing,
  disabledCI: { type: "boolean", description: "True: commits are not built." },
  buildConfiguration,
  buildSettings,
  runtimeEnvironment: {
    ...environment,
    description:
      "Environment variables of every run, by name. The map is one setting and is sent as a whole. " +
      `Values are stored in the cluster in clear text: use ${named.environment} for secrets.`,
  },
  runtimeEnvironmentFrom: {
    ...environmentFrom,
    description:
      `Environment variables from Secrets and ConfigMaps of the namespace, ${readAtEachCheck}. Each ` +
      "entry has exactly one reference. Later entries override earlier ones, and runtimeEnvironment overrides all of them.",
  },
  runtimeFiles: {
    ...files,
    description:
      "Files of every run, by absolute path in the container. The map is one setting. Contents are stored " +
      `in the cluster in clear text: use ${named.files} for secrets.`,
  },
  runtimeFilesFrom: {
    ...filesFrom,
    description:
      `Files from Secrets and ConfigMaps of the namespace, ${readAtEachCheck}. They must be text ` +
      "(UTF-8). Later entries override earlier ones, and runtimeFiles overrides all of them.",
  },
  buildArguments: {
    ...environment,
    propertyNames: { pattern: variableNamePattern, maxLength: 255 },
    description:
      "Arguments of every build, by name. The map is one setting. Values are stored in the cluster in " +
      "clear text: use buildArgumentsFrom for secrets.",
  },
  buildArgumentsFrom: {
    ...environmentFrom,
    description:
      `Build arguments from Secrets and ConfigMaps of the namespace, ${readAtEachCheck}. Each entry has ` +
      "exactly one reference. Later entries override earlier ones, and buildArguments overrides all of them.",
  },
  buildFiles: {
    ...files,
    description: "Files of every build, by absolute path. The map is one setting.",
  },
  dockerSecretMounts: {
    ...dockerSecretMounts,
    description: "Docker secret mounts of builds, by name.",
  },
  healthChecks,
  ...runPolicy,
  settings: {
    type: "object",
    description:
      "Run policy, in the place where the body of patch job has it. Each field may be set directly under spec.settings " +
      "instead, as in the body of patch manual job, but not in both places.",
    properties: runPolicy,
  },
} as const satisfies ObjectSchema["properties"];

/** `spec.settings` of a NorthflankJob. */
export const jobSettings = {
  type: "object",
  description:
    "Settings that this object manages, with the field names of Northflank's patch-job and patch-manual-job bodies, which " +
    "can be pasted here. Fields that are left out are not managed. A field that is removed keeps its value in Northflank " +
    "and is no longer managed.",
  properties: allSettings,
  "x-kubernetes-validations": [
    inOnePlace("backoffLimit"),
    inOnePlace("runOnSourceChange"),
    inOnePlace("activeDeadlineSeconds"),
    inOnePlace("cron"),
  ],
} as const satisfies ObjectSchema;

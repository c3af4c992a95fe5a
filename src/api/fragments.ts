import { isSameJson } from "../util/same-json.ts";
import { unreplacedSentence } from "../util/unreplaced.ts";
import { imagePath } from "./image-path.ts";
import type { Rule, Schema, TextSchema } from "./schema.ts";

/** A letter, then letters or digits with single hyphens between, either case: the ids that go into URL paths. */
const idPattern = "^[A-Za-z](-?[A-Za-z0-9])*$";

const dnsSubdomain = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

/** Keys of Secrets and ConfigMaps, as Kubernetes takes them. */
const dataKeyPattern = "^[-._a-zA-Z0-9]+$";

/** Names of environment variables that the Northflank API takes. */
export const variableNamePattern = "^[A-Za-z0-9_./-]+$";

/** Absolute, without control characters. */
const filePathPattern = "^/[^\\x00-\\x1f\\x7f]+$";

/** An RFC 3339 time in UTC. */
export function time<const D extends string>(description: D) {
  return { type: "string", format: "date-time", maxLength: 64, description } as const satisfies TextSchema;
}

export function text<const D extends string>(description: D, maxLength = 1_024) {
  return { type: "string", maxLength, description } as const satisfies TextSchema;
}

export const projectId = {
  type: "string",
  minLength: 3,
  maxLength: 54,
  pattern: idPattern,
  description:
    "ID of the Northflank project, as in its URL: a letter, then letters or digits with single hyphens between, " +
    "3 to 54 characters. Immutable.",
} as const satisfies Schema;

export const serviceId = {
  type: "string",
  minLength: 3,
  maxLength: 54,
  pattern: idPattern,
  description:
    "ID of the Northflank service to manage: a deployment service or a combined service. Set exactly one of serviceId " +
    "and jobId. Immutable.",
} as const satisfies Schema;

export const jobId = {
  type: "string",
  minLength: 3,
  maxLength: 52,
  pattern: idPattern,
  description:
    "ID of the Northflank job: a letter, then letters or digits with single hyphens between, 3 to 52 characters. " +
    "Immutable.",
} as const satisfies Schema;

export const connectionRef = {
  type: "object",
  description:
    "NorthflankConnection in the same namespace whose token and quota are used. Default: the connection named " +
    "`default`, else the operator-wide token if it serves this namespace (--default-token-namespaces).",
  properties: {
    name: {
      type: "string",
      minLength: 1,
      maxLength: 253,
      pattern: dnsSubdomain,
      description: "Name of the NorthflankConnection.",
    },
  },
  required: ["name"],
  "x-kubernetes-map-type": "atomic",
} as const satisfies Schema;

export const objectName = {
  type: "string",
  minLength: 1,
  maxLength: 253,
  pattern: dnsSubdomain,
  description: "Name of the Secret or ConfigMap in the same namespace.",
} as const satisfies Schema;

const dataKey = {
  type: "string",
  minLength: 1,
  maxLength: 253,
  pattern: dataKeyPattern,
  description: "Key under `data` of the Secret or ConfigMap.",
} as const satisfies Schema;

const optionalReference = {
  type: "boolean",
  description: "True: a missing object or key is ignored. False: nothing is sent until it exists. Default: false.",
} as const satisfies Schema;

const variablePrefix = {
  type: "string",
  maxLength: 128,
  pattern: "^[A-Za-z0-9_./-]*$",
  description: "Prefix of the variable names: prefix DB_ and key url give DB_url.",
} as const satisfies Schema;

const secretRef = {
  type: "object",
  description:
    "Uses every key of a Secret as a variable. Secrets of the types kubernetes.io/service-account-token and " +
    "bootstrap.kubernetes.io/token are not allowed.",
  properties: { name: objectName, prefix: variablePrefix, optional: optionalReference },
  required: ["name"],
} as const satisfies Schema;

const configMapRef = {
  type: "object",
  description: "Uses every key of a ConfigMap as a variable. Binary values are not allowed.",
  properties: { name: objectName, prefix: variablePrefix, optional: optionalReference },
  required: ["name"],
} as const satisfies Schema;

const secretKeyRef = {
  type: "object",
  description: "Uses the value of one key of a Secret.",
  properties: { name: objectName, key: dataKey, optional: optionalReference },
  required: ["name", "key"],
} as const satisfies Schema;

const configMapKeyRef = {
  type: "object",
  description: "Uses the value of one key of a ConfigMap.",
  properties: { name: objectName, key: dataKey, optional: optionalReference },
  required: ["name", "key"],
} as const satisfies Schema;

/** Where the token of a connection is. */
export const tokenSecretRef = {
  type: "object",
  description:
    "Secret in the same namespace that holds the API token. A changed token takes effect within a minute, without a " +
    "restart.",
  properties: {
    name: { ...objectName, description: "Name of the Secret." },
    key: { ...dataKey, default: "token", description: "Key under `data` that holds the token. Default: token." },
  },
  required: ["name"],
  "x-kubernetes-map-type": "atomic",
} as const satisfies Schema;

/** Values from the cluster for environment variables. */
export const environmentFrom = {
  type: "array",
  maxItems: 100,
  "x-kubernetes-list-type": "atomic",
  description:
    "Environment variables from Secrets and ConfigMaps of the namespace, read when the run is started. Each entry has " +
    "exactly one reference. Later entries override earlier ones, and runtimeEnvironment overrides all of them.",
  items: {
    type: "object",
    description: "One source of variables.",
    properties: {
      name: {
        type: "string",
        minLength: 1,
        maxLength: 255,
        pattern: variableNamePattern,
        description:
          "Name of the variable. Required with secretKeyRef and configMapKeyRef; not used with secretRef and " +
          "configMapRef, which take the names of the keys.",
      },
      secretRef,
      secretKeyRef,
      configMapRef,
      configMapKeyRef,
    },
    "x-kubernetes-validations": [
      {
        name: "one-reference",
        rule: "[has(self.secretRef), has(self.secretKeyRef), has(self.configMapRef), has(self.configMapKeyRef)].filter(x, x).size() == 1",
        message: "set exactly one of secretRef, secretKeyRef, configMapRef, configMapKeyRef",
        check: (self: FromEntry) =>
          count(self.secretRef, self.secretKeyRef, self.configMapRef, self.configMapKeyRef) === 1,
      },
      {
        name: "variable-name",
        rule: "has(self.name) == (has(self.secretKeyRef) || has(self.configMapKeyRef))",
        message:
          "name is required with secretKeyRef and configMapKeyRef, and cannot be set with secretRef and configMapRef",
        check: (self: FromEntry) => isSet(self.name) === (isSet(self.secretKeyRef) || isSet(self.configMapKeyRef)),
      },
    ],
  },
} as const satisfies Schema;

/** Contents from the cluster for files. */
export const filesFrom = {
  type: "array",
  maxItems: 100,
  "x-kubernetes-list-type": "atomic",
  description:
    "Files from Secrets and ConfigMaps of the namespace, read when the run is started. Contents must be UTF-8 text. " +
    "Later entries override earlier ones, and runtimeFiles overrides all of them.",
  items: {
    type: "object",
    description: "One file.",
    properties: {
      path: {
        type: "string",
        minLength: 2,
        maxLength: 1_024,
        pattern: filePathPattern,
        description: "Absolute path of the file in the container.",
      },
      secretKeyRef,
      configMapKeyRef,
    },
    required: ["path"],
    "x-kubernetes-validations": [
      {
        name: "one-reference",
        rule: "has(self.secretKeyRef) != has(self.configMapKeyRef)",
        message: "set exactly one of secretKeyRef and configMapKeyRef",
        check: (self: FromEntry) => count(self.secretKeyRef, self.configMapKeyRef) === 1,
      },
    ],
  },
} as const satisfies Schema;

interface FromEntry {
  readonly name?: string;
  readonly secretRef?: object;
  readonly secretKeyRef?: object;
  readonly configMapRef?: object;
  readonly configMapKeyRef?: object;
}

/** Characters of all names and values together. The start of a run counts bytes, references included. */
const maxEnvironmentCharacters = 65_536;

const environmentSize: Rule = {
  name: "environment-size",
  rule: `self.map(name, size(name) + size(self[name])).sum() <= ${maxEnvironmentCharacters}`,
  message: `names and values together have more than ${maxEnvironmentCharacters} characters: use files for large values`,
  check: (self: Readonly<Record<string, string>>) =>
    Object.entries(self).reduce((sum, [name, value]) => sum + [...name].length + [...value].length, 0) <=
    maxEnvironmentCharacters,
};

export const environment = {
  type: "object",
  maxProperties: 500,
  propertyNames: { pattern: variableNamePattern, maxLength: 255 },
  description:
    "Environment variables of the run, by name, in addition to those of the job. Values are stored in the cluster in " +
    "clear text: use runtimeEnvironmentFrom for secrets.",
  additionalProperties: {
    type: "string",
    maxLength: 32_768,
    pattern: "^[^\\x00]*$",
    description: "Value of the variable. A value with ${ is rejected unless allowReferences is true.",
  },
  "x-kubernetes-validations": [environmentSize],
} as const satisfies Schema;

/** Why a text is not base64, where its shape shows it. */
function explainBase64(text: string): string {
  if (isWrappedBase64(text)) return "is base64 with line breaks or blanks in it; remove them: base64 -w0 writes none";
  if (/^[A-Za-z0-9_-]+={0,2}$/.test(text)) return "is base64 for URLs; write + and / in place of - and _";
  return "is not base64; encode the content: base64 -w0 FILE";
}

/** One line with a line break behind it, or lines of one length, as `base64` writes them. YAML may have folded them. */
function isWrappedBase64(text: string): boolean {
  const pieces = text.trim().split(/\s+/);
  const [first = "", ...rest] = pieces;
  const isEven =
    first.length >= 20 && rest.every((piece, index) => piece.length === first.length || index === rest.length - 1);
  return (rest.length === 0 || isEven) && /^[A-Za-z0-9+/]+={0,2}$/.test(pieces.join(""));
}

const fileContent = {
  type: "object",
  description: "Content of one file.",
  properties: {
    data: {
      type: "string",
      maxLength: 1_048_576,
      pattern: "^[A-Za-z0-9+/]*={0,2}$",
      isBase64: true,
      explain: explainBase64,
      description: "Content in base64. A content with ${ is rejected unless allowReferences is true.",
    },
    encoding: {
      type: "string",
      minLength: 1,
      maxLength: 32,
      pattern: "^[A-Za-z0-9-]+$",
      description: "Encoding of the decoded content, for example utf-8. Default: Northflank's own.",
    },
  },
  required: ["data"],
} as const satisfies Schema;

export const files = {
  type: "object",
  maxProperties: 100,
  propertyNames: { pattern: filePathPattern, maxLength: 1_024 },
  description:
    "Files of the run, by absolute path in the container. Contents are stored in the cluster in clear text: use " +
    "runtimeFilesFrom for secrets.",
  additionalProperties: fileContent,
} as const satisfies Schema;

export const dockerSecretMounts = {
  ...files,
  propertyNames: { pattern: "^[^\\x00-\\x1f\\x7f]+$", maxLength: 1_024 },
  description:
    "Docker secret mounts of the run, by name. Newer revisions of the Northflank API no longer document this field: use " +
    "runtimeFiles instead.",
} as const satisfies Schema;

export const external = {
  type: "object",
  description: "An image of a container registry.",
  properties: {
    imagePath,
    credentials: {
      type: "string",
      minLength: 1,
      maxLength: 100,
      pattern: "^[A-Za-z0-9-]+$",
      description: "ID of the registry credentials saved in Northflank. Default: none, for a public image.",
    },
  },
  required: ["imagePath"],
} as const satisfies Schema;

/** The rule for names that could hold a placeholder by their characters, and never do by what they name. */
export const noPlaceholder: Rule = {
  name: "placeholder",
  rule: "!self.matches('[$][{(]|[{][{]')",
  message: unreplacedSentence,
  check: (self: string) => !/[$][{(]|[{][{]/.test(self),
};

export const internal = {
  type: "object",
  description: "A build by Northflank.",
  properties: {
    id: {
      type: "string",
      minLength: 3,
      maxLength: 109,
      pattern: "^[A-Za-z](-?[A-Za-z0-9])*(/[A-Za-z](-?[A-Za-z0-9])*)?$",
      description:
        "ID of the service that builds, or PROJECT_ID/SERVICE_ID for a service of another project. Default: the target " +
        "itself, for combined services and jobs that build their own source. The ID of the target job has the same meaning.",
      "x-kubernetes-validations": [
        {
          name: "id-length",
          rule: "!self.matches('[^/]{55}')",
          message: "an id has at most 54 characters",
          check: (self: string) => !/[^/]{55}/.test(self),
        },
      ],
    },
    branch: {
      type: "string",
      minLength: 1,
      maxLength: 255,
      pattern: "^[^\\x00-\\x20\\x7f]+$",
      description: "Branch of the build.",
      "x-kubernetes-validations": [noPlaceholder],
    },
    buildSHA: {
      type: "string",
      minLength: 6,
      maxLength: 40,
      pattern: "^([0-9a-fA-F]{40}|latest)$",
      description:
        "Commit to deploy, 40 hexadecimal digits, or latest. With latest Northflank deploys each new build of the branch, " +
        "and the operator keeps that setting.",
    },
    buildId: {
      type: "string",
      minLength: 1,
      maxLength: 100,
      pattern: "^[A-Za-z0-9-]+$",
      description: "ID of a build of the service, for example joyous-view-6290.",
    },
  },
} as const satisfies Schema;

interface RuntimeOverride {
  readonly configType: string;
  readonly customEntrypoint?: string;
  readonly customCommand?: string;
  readonly customProcess?: string;
}

const customEntrypoint = {
  ...text("Entrypoint that overrides the one of the image.", 4_096),
  minLength: 1,
  pattern: "^[^\\x00]+$",
} as const satisfies Schema;

const customCommand = {
  ...text("Command that overrides the one of the image.", 4_096),
  minLength: 1,
  pattern: "^[^\\x00]+$",
} as const satisfies Schema;

export const docker = {
  type: "object",
  description: "Entrypoint and command of the container, for images built from a Dockerfile or pulled from a registry.",
  properties: {
    configType: {
      type: "string",
      enum: ["default", "customEntrypoint", "customCommand", "customEntrypointCustomCommand"],
      description:
        "default: entrypoint and command of the image. The other values override the entrypoint, the command, or both, " +
        "and require the fields of these names.",
    },
    customEntrypoint,
    customCommand,
  },
  required: ["configType"],
  "x-kubernetes-validations": [
    needs("customEntrypoint", ["customEntrypoint", "customEntrypointCustomCommand"]),
    needs("customCommand", ["customCommand", "customEntrypointCustomCommand"]),
  ],
} as const satisfies Schema;

export const buildpack = {
  type: "object",
  description: "Process, entrypoint and command of the container, for images built with a buildpack.",
  properties: {
    configType: {
      type: "string",
      enum: [
        "default",
        "customProcess",
        "customCommand",
        "customEntrypointCustomCommand",
        "originalEntrypointCustomCommand",
      ],
      description:
        "default: the default process of the build. customProcess: another process of the Procfile. The other values " +
        "override the command, or entrypoint and command, and require the fields of these names.",
    },
    customProcess: {
      type: "string",
      minLength: 1,
      maxLength: 255,
      pattern: "^[^\\x00]+$",
      description: "Name of the process to start.",
      "x-kubernetes-validations": [noPlaceholder],
    },
    customEntrypoint,
    customCommand,
  },
  required: ["configType"],
  "x-kubernetes-validations": [
    needs("customProcess", ["customProcess"]),
    needs("customEntrypoint", ["customEntrypointCustomCommand"]),
    needs("customCommand", ["customCommand", "customEntrypointCustomCommand", "originalEntrypointCustomCommand"]),
  ],
} as const satisfies Schema;

/** The rule that these values of `configType` need `field`. */
function needs(field: "customEntrypoint" | "customCommand" | "customProcess", configTypes: readonly string[]): Rule {
  const list = configTypes.map((name) => `'${name}'`).join(", ");
  return {
    name: "config-type",
    rule: `!(self.configType in [${list}]) || has(self.${field})`,
    message: `${field} is required with configType ${configTypes.join(", ")}`,
    reason: "FieldValueRequired",
    fieldPath: `.${field}`,
    check: (self: RuntimeOverride) => !configTypes.includes(self.configType) || isSet(self[field]),
  };
}

export const storage = {
  type: "object",
  description: "Temporary storage of the run. Northflank defines which sizes exist.",
  properties: {
    ephemeralStorage: {
      type: "object",
      description: "Writable disk of the container.",
      properties: {
        storageSize: {
          type: "integer",
          format: "int32",
          minimum: 1,
          maximum: 10_000_000,
          description: "Size in MiB, for example 1024.",
        },
      },
    },
    shmSize: {
      type: "integer",
      format: "int32",
      minimum: 1,
      maximum: 10_000_000,
      description: "Shared memory (/dev/shm) in MiB, for example 64.",
    },
    useHdbStorage: { type: "boolean", description: "Use hard disk storage, if the region has it." },
    usePdSsdStorage: { type: "boolean", description: "Use SSD storage, if the region has it." },
  },
} as const satisfies Schema;

export const gpu = {
  type: "object",
  description: "GPU of the run.",
  properties: {
    enabled: { type: "boolean", description: "Whether the run gets a GPU." },
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
        gpuCount: { type: "integer", format: "int32", minimum: 1, maximum: 1_000, description: "Number of GPUs." },
        timesliced: { type: "boolean", description: "Share the GPU with other workloads." },
      },
      required: ["gpuType"],
    },
  },
} as const satisfies Schema;

export const billing = {
  type: "object",
  description: "Resources of the run.",
  properties: {
    deploymentPlan: {
      type: "string",
      minLength: 3,
      maxLength: 100,
      pattern: "^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$",
      description:
        "ID of the Northflank plan (CPU and memory), for example nf-compute-20. GET /v1/plans lists the plans. Default: " +
        "the plan of the job.",
    },
  },
} as const satisfies Schema;

/** `deployment: {}` says nothing and is refused. */
export const notEmpty: Rule = {
  name: "empty-deployment",
  rule: "has(self.external) || has(self.internal) || has(self.docker) || has(self.buildpack)",
  message: "deployment is empty: set external, internal, docker or buildpack",
  check: (self: DeploymentUnion) => count(self.external, self.internal, self.docker, self.buildpack) > 0,
};

export const notBothSources: Rule = {
  name: "one-source",
  rule: "!(has(self.external) && has(self.internal))",
  message: "set external or internal, not both",
  check: (self: DeploymentUnion) => !(isSet(self.external) && isSet(self.internal)),
};

interface DeploymentUnion {
  readonly external?: object;
  readonly internal?: object;
  readonly docker?: object;
  readonly buildpack?: object;
}

export const suspendReconcile = {
  type: "boolean",
  default: false,
  description: "True: reconciliation is suspended, and nothing is read from or written to Northflank. Default: false.",
} as const satisfies Schema;

/** The initial status: an object that was not reconciled yet is InProgress for kstatus. */
export const statusDefault = { observedGeneration: -1 } as const;

export const observedGeneration = {
  type: "integer",
  format: "int64",
  minimum: -1,
  default: -1,
  description: "The metadata.generation that the operator observed last. -1: the object has not been reconciled yet.",
} as const satisfies Schema;

export const lastHandledReconcileAt = text(
  "The value of the annotation northflank-operator.io/reconcile-requested-at (or reconcile.fluxcd.io/requestedAt) that " +
    "was handled last: Northflank was read, or it cannot be read until something changes.",
);

export const nextReconcileTime = time("Time of the next scheduled reconcile.");

export const conditions = {
  type: "array",
  maxItems: 32,
  "x-kubernetes-list-type": "map",
  "x-kubernetes-list-map-keys": ["type"],
  description:
    "Conditions of the object. Ready is always present. Reconciling and Stalled are present only while True, and never " +
    "both. The others depend on the kind.",
  items: {
    type: "object",
    description: "A condition.",
    properties: {
      type: { type: "string", minLength: 1, maxLength: 316, description: "Type of the condition, for example Ready." },
      status: { type: "string", enum: ["True", "False", "Unknown"], description: "True, False or Unknown." },
      reason: {
        type: "string",
        minLength: 1,
        maxLength: 1_024,
        pattern: "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
        description: "Reason from the documented list, for programs.",
      },
      message: text("Message for people: what is, why, and what happens next.", 32_768),
      lastTransitionTime: time("Time of the last change of status."),
      observedGeneration: {
        type: "integer",
        format: "int64",
        minimum: 0,
        description: "The metadata.generation that the condition was set for.",
      },
    },
    required: ["type", "status", "reason", "message", "lastTransitionTime"],
  },
} as const satisfies Schema;

export const failure = {
  type: "object",
  description: "The present failure. Absent if there is none.",
  properties: {
    class: {
      type: "string",
      enum: ["Transient", "Waiting", "Terminal"],
      description:
        "Transient: retried with back-off. Waiting: for what the message names. Terminal: user action is required; " +
        "re-checked about once an hour.",
    },
    reason: text("Reason, as in the conditions.", 256),
    httpStatus: {
      type: "integer",
      format: "int32",
      minimum: 100,
      maximum: 999,
      description: "HTTP status of the response of Northflank, if there was one.",
    },
    count: {
      type: "integer",
      format: "int64",
      minimum: 1,
      description: "Number of consecutive failures of this kind.",
    },
    firstTime: time("Time of the first failure."),
    lastTime: time("Time of the last failure."),
    nextTryTime: time("Time of the next retry, if known. After a 401 only a NorthflankConnection has it."),
    message: text("What failed, and what to do.", 2_048),
  },
  required: ["class", "count", "firstTime", "lastTime", "message"],
} as const satisfies Schema;

/** The rule that `field` keeps the value, or the absence, that it had. */
export function immutable(field: string, remedy: string): Rule {
  return {
    name: "immutable",
    rule: `has(self.${field}) == has(oldSelf.${field}) && (!has(self.${field}) || self.${field} == oldSelf.${field})`,
    message: `${field} is immutable: ${remedy}`,
    reason: "FieldValueForbidden",
    fieldPath: `.${field}`,
    check: (self: Readonly<Record<string, unknown>>, oldSelf: Readonly<Record<string, unknown>>) =>
      isSameJson(self[field], oldSelf[field]),
  };
}

function count(...values: readonly unknown[]): number {
  return values.filter(isSet).length;
}

/** What CEL's `has()` answers. */
export function isSet(value: unknown): boolean {
  return value !== undefined && value !== null;
}

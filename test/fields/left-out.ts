import type { CallName } from "./calls.ts";

/** A property of a request body that no manifest has, on purpose. */
export interface LeftOut {
  readonly call: CallName;
  /** The property, with everything in it: `deployment.volumes`. */
  readonly property: string;
  readonly reason: string;
}

/** A value that the documented schema takes and a manifest does not, on purpose. */
export interface Narrower {
  readonly call: CallName;
  readonly property: string;
  /** The value in words. */
  readonly value: string;
  /** A body with it. */
  readonly body: unknown;
  /** The rule that refuses it. */
  readonly rule: string;
  readonly reason: string;
}

const notTheSource =
  "the operator keeps what a service runs, not the service's settings; left out of the patch, so Northflank keeps it";

const settingsOfServices = [
  "autoscaling",
  "billing",
  "description",
  "healthChecks",
  "loadBalancing",
  "ports",
  "runtimeEnvironment",
  "runtimeFiles",
  "stageId",
  "tags",
  "deployment.containerSnapshot",
  "deployment.gpu",
  "deployment.gracePeriodSeconds",
  "deployment.gradualRolloutStrategyId",
  "deployment.metadata",
  "deployment.ssh",
  "deployment.storage",
  "deployment.strategy",
  "deployment.type",
  "deployment.volumes",
  "deployment.zonalRedundancy",
] as const;

/** What `docs/reference/left-out.md` lists under "Properties". */
export const leftOut: readonly LeftOut[] = [
  ...settingsOfServices.map(
    (property) => ({ call: "patch deployment service", property, reason: notTheSource }) as const,
  ),
  {
    call: "patch deployment service",
    property: "deployment.instances",
    reason:
      "required by the call, but never declared: sent as read from the service right before, so nothing is scaled",
  },
];

const image = (imagePath: string) => ({ external: { imagePath } });
const environment = (value: unknown) => ({ runtimeEnvironment: { A: value } });
const file = (content: object, path = "/a") => ({ runtimeFiles: { [path]: content } });

/** What `docs/reference/left-out.md` lists under "Values". */
export const narrower: readonly Narrower[] = [
  {
    call: "update service deployment",
    property: "external.imagePath",
    value: "an image with a scheme: `https://ghcr.io/acme/api:1`",
    body: image("https://ghcr.io/acme/api:1"),
    rule: "scheme",
    reason: "no registry means anything by it; write the image without",
  },
  {
    call: "update service deployment",
    property: "external.imagePath",
    value: "a port and neither tag nor digest: `registry.example.com:5000/app`",
    body: image("registry.example.com:5000/app"),
    rule: "tag-or-digest",
    reason: "it is accepted only because the documented pattern takes the port for a tag; add the tag",
  },
  {
    call: "update service deployment",
    property: "external.imagePath",
    value: "what is no image, such as `../../etc/passwd:x` or capitals in the path",
    body: image("../../etc/passwd:x"),
    rule: "repository",
    reason: "no registry takes it, and the documented pattern is no parser",
  },
  {
    call: "update service deployment",
    property: "external.imagePath",
    value: "more than 512 characters",
    body: image(`ghcr.io/${"a/".repeat(300)}api:1`),
    rule: "maxLength",
    reason: "no image is that long, and the documented pattern takes time that grows with the square of the length",
  },
  {
    call: "update service deployment",
    property: "external.credentials",
    value: "more than 100 characters",
    body: { external: { imagePath: "nginx:1", credentials: "a".repeat(101) } },
    rule: "maxLength",
    reason: "every text has a bound; ids of credentials are far shorter",
  },
  {
    call: "update service deployment",
    property: "(the body)",
    value: "`{}`",
    body: {},
    rule: "empty-deployment",
    reason: "it declares nothing; leave the object out",
  },
  {
    call: "update service deployment",
    property: "internal.buildSHA",
    value: "40 characters that are no hexadecimal digits",
    body: { internal: { buildSHA: "z".repeat(40) } },
    rule: "pattern",
    reason: "no commit has such a name",
  },
  {
    call: "update service deployment",
    property: "internal.id",
    value: "`project/service` with anything but ids around the slash",
    body: { internal: { id: "my project/my service" } },
    rule: "pattern",
    reason: "both are ids, and ids have one form everywhere",
  },
  {
    call: "update service deployment",
    property: "internal.branch",
    value: "white space and control characters, and the empty text",
    body: { internal: { branch: "a b" } },
    rule: "pattern",
    reason: "Git has no such branches",
  },
  {
    call: "update service deployment",
    property: "internal.buildId",
    value: "anything but letters, digits and hyphens",
    body: { internal: { buildId: "a/b" } },
    rule: "pattern",
    reason: "builds are named like joyous-view-6290, and the ID becomes part of the path when the build is read",
  },
  {
    call: "update service deployment",
    property: "docker.customCommand",
    value: "the empty text (also customEntrypoint and customProcess)",
    body: { docker: { configType: "customCommand", customCommand: "" } },
    rule: "minLength",
    reason: "it would start nothing; use `configType: default` for what the image says",
  },
  {
    call: "run job",
    property: "deployment",
    value: "`{}`",
    body: { deployment: {} },
    rule: "empty-deployment",
    reason: "it declares nothing; leave it out",
  },
  {
    call: "run job",
    property: "deployment.storage.ephemeralStorage.storageSize",
    value: "0 and below (also shmSize and gpuCount)",
    body: { deployment: { storage: { ephemeralStorage: { storageSize: 0 } } } },
    rule: "minimum",
    reason: "what counts or measures is at least 1; leave it out to keep what the job has",
  },
  {
    call: "run job",
    property: "runtimeEnvironment",
    value: "values that are numbers, true or false",
    body: environment(8080),
    rule: "type",
    reason: "a variable is text, and YAML would turn 010 into 8; put it in quotes",
  },
  {
    call: "run job",
    property: "runtimeEnvironment",
    value: "values with `${`",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: this is what Northflank would expand.
    body: environment("${OTHER}"),
    rule: "references",
    reason: "Northflank would put in values of the project's secrets; set `allowReferences: true` if that is wanted",
  },
  {
    call: "run job",
    property: "runtimeFiles",
    value: "contents with `${` (also dockerSecretMounts, and the build files of a job)",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: this is what Northflank would expand.
    body: file({ data: Buffer.from("${OTHER}").toString("base64") }),
    rule: "references",
    reason: "Northflank expands in files what it expands in values; set `allowReferences: true` if that is wanted",
  },
  {
    call: "run job",
    property: "runtimeEnvironment",
    value: "NUL",
    body: environment("a\u0000b"),
    rule: "pattern",
    reason: "an environment cannot hold it",
  },
  {
    call: "run job",
    property: "runtimeEnvironment",
    value: "values of more than 32768 characters, more than 500 variables, more than 64 KiB together",
    body: environment("x".repeat(32_769)),
    rule: "maxLength",
    reason: "Kubernetes objects have a limit, and so has the environment of a process; use files",
  },
  {
    call: "run job",
    property: "runtimeFiles",
    value: "a file without `data` (also dockerSecretMounts)",
    body: file({ encoding: "utf-8" }),
    rule: "required",
    reason: 'not documented what Northflank would write; an empty file is `data: ""`',
  },
  {
    call: "run job",
    property: "runtimeFiles",
    value: "`data` that is no base64",
    body: file({ data: "hello world" }),
    rule: "pattern",
    reason: "Northflank would store unintended bytes",
  },
  {
    call: "run job",
    property: "runtimeFiles",
    value: "paths with control characters",
    body: file({ data: "" }, "/a\u0007"),
    rule: "pattern",
    reason: "no file is meant to be named so",
  },
  {
    call: "patch job",
    property: "settings.backoffLimit",
    value: "below 0",
    body: { settings: { backoffLimit: -1 } },
    rule: "minimum",
    reason: "it counts; 0 means no further try",
  },
  {
    call: "patch job",
    property: "settings.activeDeadlineSeconds",
    value: "more than a year",
    body: { settings: { activeDeadlineSeconds: 31_536_001 } },
    rule: "maximum",
    reason: "every number has a bound; `null` is no limit",
  },
  {
    call: "patch job",
    property: "settings.cron.schedule",
    value: "what has neither five fields nor a name: `12345`",
    body: { settings: { cron: { schedule: "12345" } } },
    rule: "pattern",
    reason: "it is accepted only because the documented pattern is not anchored",
  },
  {
    call: "patch manual job",
    property: "tags[]",
    value: "tags of one or two characters",
    body: { tags: ["aa"] },
    rule: "minLength",
    reason: "taken by the page of 2024 only; tags have at least 3 characters now",
  },
];

import { connection, deployment, job, jobRun } from "../api/documents.ts";

/**
 * Manifests that somebody could write to do harm, or by accident, and what becomes of each. One table for the offline
 * check, the reconcilers and the API server under test.
 */
export interface Hostile {
  /** As JSON text, because an object literal cannot have every key. */
  readonly text: string;
  /** `field rule` of a problem that must be found. Missing: the manifest is good, however odd it looks. */
  readonly refused?: string;
}

type Table = Readonly<Record<string, Hostile>>;

function good(object: unknown): Hostile {
  return { text: JSON.stringify(object) };
}

function bad(object: unknown, refused: string): Hostile {
  return { text: JSON.stringify(object), refused };
}

/** Makes a row of each value. `at` puts it into a manifest and names the problem. */
function rows<T>(values: readonly T[], at: (value: T) => Hostile): Table {
  return Object.fromEntries(values.map((value) => [shown(value), at(value)]));
}

function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length <= 60 ? text : `${text.slice(0, 50)}… (${text.length} characters)`;
}

const imageOf = (imagePath: unknown) => deployment({ deployment: { external: { imagePath } } });
const environmentOf = (entries: string) => `{"runtimeEnvironment": ${entries}}`;
const runWith = (spec: string) =>
  `{"apiVersion": "northflank-operator.io/v1alpha1", "kind": "NorthflankJobRun", "metadata": {"name": "doc"}, ` +
  `"spec": {"projectId": "shop", "jobId": "migrate", ${spec.slice(1)}}`;

const sources: Table = {
  neither: bad(deployment({ deployment: {} }), "spec.deployment empty-deployment"),
  both: bad(
    deployment({ deployment: { external: { imagePath: "nginx:1" }, internal: { branch: "main" } } }),
    "spec.deployment one-source",
  ),
  "both for a run": bad(
    jobRun({ deployment: { external: { imagePath: "nginx:1" }, internal: { branch: "main" } } }),
    "spec.deployment one-source",
  ),
  "nothing at all": bad(deployment({ deployment: null }), "spec.deployment required"),
};

const words: Table = {
  "a word nobody knows": bad(deployment({ managementPolicy: "Force" }), "spec.managementPolicy enum"),
  "a word in the wrong case": bad(jobRun({ startGuarantee: "atMostOnce" }), "spec.startGuarantee enum"),
  "a word with a space": bad(jobRun({ concurrencyPolicy: "Allow " }), "spec.concurrencyPolicy enum"),
  "a number as text": bad(jobRun({ backoffLimit: "3" }), "spec.backoffLimit type"),
  "text as a number": bad(jobRun({ runtimeEnvironment: { PORT: 80 } }), "spec.runtimeEnvironment.PORT type"),
  "true as text": bad(jobRun({ suspend: "true" }), "spec.suspend type"),
  "true as a number": bad(jobRun({ suspend: 1 }), "spec.suspend type"),
  "a fraction": bad(jobRun({ backoffLimit: 1.5 }), "spec.backoffLimit type"),
  "an enum in a list": bad(deployment({ managementPolicy: ["Enforce"] }), "spec.managementPolicy type"),
};

const noIds = [
  "..",
  ".",
  "",
  "%2e%2e",
  "a/b",
  "a?x",
  "a#b",
  "a".repeat(300),
  "abc\r\n",
  "abc\u0000",
  "аpi",
  "ａｐｉ",
  "api\u200b",
  "-abc",
  "abc--def",
  "abc;def",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: this is what Northflank would expand.
  "${abc}",
  "__proto__",
];

const ids: Table = Object.fromEntries(
  Object.entries({
    projectId: (id: string) => bad(deployment({ projectId: id }), "spec.projectId"),
    serviceId: (id: string) => bad(deployment({ serviceId: id }), "spec.serviceId"),
    "jobId of a deployment": (id: string) => bad(deployment({ serviceId: undefined, jobId: id }), "spec.jobId"),
    jobId: (id: string) => bad(jobRun({ jobId: id }), "spec.jobId"),
    connectionRef: (name: string) => bad(jobRun({ connectionRef: { name } }), "spec.connectionRef.name"),
    teamId: (teamId: string) => bad(connection({ teamId }), "spec.teamId"),
    "internal.id": (id: string) => bad(deployment({ deployment: { internal: { id } } }), "spec.deployment.internal.id"),
    buildId: (buildId: string) =>
      bad(deployment({ deployment: { internal: { buildId } } }), "spec.deployment.internal.buildId"),
    credentials: (credentials: string) =>
      bad(
        deployment({ deployment: { external: { imagePath: "nginx:1", credentials } } }),
        "spec.deployment.external.credentials",
      ),
    Secret: (name: string) =>
      bad(
        jobRun({ runtimeEnvironmentFrom: [{ secretRef: { name } }] }),
        "spec.runtimeEnvironmentFrom[0].secretRef.name",
      ),
  }).flatMap(([field, at]) =>
    noIds.filter((id) => !isGoodThere(field, id)).map((id) => [`${shown(id)} as ${field}`, at(id)] as const),
  ),
);

/** Names that are odd and yet good in this place. */
function isGoodThere(field: string, id: string): boolean {
  if (field === "internal.id") return id === "a/b";
  const isHyphenated = id === "abc--def" || id === "-abc";
  if (field === "buildId" || field === "credentials") return isHyphenated;
  return (field === "connectionRef" || field === "Secret") && id === "abc--def";
}

const megabyte = 1_000_000;

const endless: Table = {
  ...rows(
    [
      `nginx:${"a".repeat(megabyte)}`,
      `a.${"a".repeat(510)}`,
      "a.".repeat(256),
      `${"a".repeat(256)}:${"a".repeat(250)}!`,
      "a.".repeat(megabyte / 2),
      "/".repeat(512),
      ":".repeat(512),
      "@".repeat(512),
      "a/".repeat(256),
      `${"a-".repeat(255)}!`,
      `${"a__".repeat(170)}:`,
    ],
    (path) => bad(imageOf(path), "spec.deployment.external.imagePath"),
  ),
  "a command of a megabyte": bad(
    deployment({ deployment: { docker: { configType: "customCommand", customCommand: "x".repeat(megabyte) } } }),
    "spec.deployment.docker.customCommand maxLength",
  ),
  "an address of a megabyte": bad(
    connection({ apiURL: `https://${"a.".repeat(megabyte / 2)}` }),
    "spec.apiURL maxLength",
  ),
  "a path of a megabyte": bad(
    jobRun({ runtimeFiles: { [`/${"a".repeat(megabyte)}`]: { data: "" } } }),
    "spec.runtimeFiles",
  ),
};

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: this is what Northflank would expand.
const expansions: Table = {
  ...rows(["${SECRET}", "a${", "$${SECRET}", "\\${SECRET}", "${refs.other-service.token}"], (value) =>
    bad(jobRun({ runtimeEnvironment: { A: value } }), "spec.runtimeEnvironment references"),
  ),
  "with allowReferences": good(jobRun({ allowReferences: true, runtimeEnvironment: { A: "${SECRET}" } })),
  "a dollar and a brace apart": good(jobRun({ runtimeEnvironment: { A: "$ {SECRET} $SECRET" } })),
};
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: see above.

const images: Table = {
  ...rows(
    [
      "../../etc/passwd:x",
      "http://169.254.169.254/latest:x",
      "nginx",
      "nginx:",
      "nginx:latest\n",
      "nginx:1 --privileged",
      "nginx:$(id)",
      "user:password@ghcr.io/acme/api:1",
      "ghcr.io/acme/../api:1",
      "ghcr.io/%2e%2e/api:1",
    ],
    (path) => bad(imageOf(path), "spec.deployment.external.imagePath"),
  ),
  "a port is a port, not a tag": good(imageOf("localhost:5000/img:1")),
  "a tag beside a digest": good(imageOf(`ghcr.io/acme/api:1@sha256:${"a".repeat(64)}`)),
};

const keys: Table = {
  ...rows(["a=b", "", "a b", "a\nb", "ä", "a$", "a:b", "A".repeat(256)], (key) =>
    bad(jobRun({ runtimeEnvironment: { [key]: "x" } }), "spec.runtimeEnvironment"),
  ),
  "names that Northflank takes": good(
    jobRun({ runtimeEnvironment: { "1A": "x", "A-B": "x", "a.b/c": "x", PATH: "/" } }),
  ),
  "names of parts of every object": {
    text: runWith(environmentOf('{"__proto__": "a", "constructor": "b", "prototype": "c", "toString": "d"}')),
  },
};

const values: Table = {
  "a megabyte": bad(jobRun({ runtimeEnvironment: { A: "x".repeat(megabyte) } }), "spec.runtimeEnvironment.A maxLength"),
  NUL: bad(jobRun({ runtimeEnvironment: { A: "a\u0000b" } }), "spec.runtimeEnvironment.A pattern"),
  "emoji, marks that turn the direction, and other scripts": good(
    jobRun({ runtimeEnvironment: { A: "😀 \u202e\u202d שלום e\u0301 \u2028" } }),
  ),
  "control characters that are not NUL": good(jobRun({ runtimeEnvironment: { A: "\u0001\u001b[31m\u007f\t\r\n" } })),
  "what looks like a token": good(
    jobRun({ runtimeEnvironment: { TOKEN: "ghp_0123456789abcdef0123456789abcdef0123" } }),
  ),
};

const entries = (count: number) => Array.from({ length: count }, (_, number) => number);

const crowds: Table = {
  "10,000 variables": bad(
    jobRun({ runtimeEnvironment: Object.fromEntries(entries(10_000).map((n) => [`V${n}`, ""])) }),
    "spec.runtimeEnvironment maxProperties",
  ),
  "10,000 sources of variables": bad(
    jobRun({ runtimeEnvironmentFrom: entries(10_000).map((n) => ({ secretRef: { name: `s${n}` } })) }),
    "spec.runtimeEnvironmentFrom maxItems",
  ),
  "10,000 files": bad(
    jobRun({ runtimeFiles: Object.fromEntries(entries(10_000).map((n) => [`/f${n}`, { data: "" }])) }),
    "spec.runtimeFiles maxProperties",
  ),
  "10,000 gates": bad(
    deployment({ waitFor: entries(10_000).map((n) => ({ jobRunRef: { name: `r${n}` } })) }),
    "spec.waitFor maxItems",
  ),
  "10,000 fields that nobody knows": bad(
    jobRun(Object.fromEntries(entries(10_000).map((n) => [`f${n}`, n]))),
    "spec.f0 unknown-field",
  ),
  "10,000 projects": bad(
    connection({ allowedProjects: entries(10_000).map((n) => `p${n}`) }),
    "spec.allowedProjects maxItems",
  ),
};

const strangersSecrets: Table = {
  "all keys": bad(
    jobRun({ runtimeEnvironmentFrom: [{ secretRef: { name: "a", namespace: "kube-system" } }] }),
    "spec.runtimeEnvironmentFrom[0].secretRef.namespace unknown-field",
  ),
  "one key": bad(
    jobRun({
      runtimeEnvironmentFrom: [{ name: "A", secretKeyRef: { name: "a", key: "b", namespace: "kube-system" } }],
    }),
    "spec.runtimeEnvironmentFrom[0].secretKeyRef.namespace unknown-field",
  ),
  "a file": bad(
    jobRun({ runtimeFilesFrom: [{ path: "/a", configMapKeyRef: { name: "a", key: "b", namespace: "kube-system" } }] }),
    "spec.runtimeFilesFrom[0].configMapKeyRef.namespace unknown-field",
  ),
  "the token": bad(
    connection({ tokenSecretRef: { name: "a", namespace: "kube-system" } }),
    "spec.tokenSecretRef.namespace unknown-field",
  ),
  "the connection": bad(
    jobRun({ connectionRef: { name: "a", namespace: "kube-system" } }),
    "spec.connectionRef.namespace unknown-field",
  ),
  "a slash in the name": bad(
    jobRun({ runtimeEnvironmentFrom: [{ secretRef: { name: "kube-system/a" } }] }),
    "spec.runtimeEnvironmentFrom[0].secretRef.name pattern",
  ),
};

const addresses: Table = rows(
  [
    "http://169.254.169.254",
    "http://10.0.0.1",
    "http://2130706433",
    "http://0x7f000001",
    "file:///etc/passwd",
    "https://user@api.northflank.com",
    "https://user:password@api.northflank.com",
    "https://api.northflank.com?a=b",
    "https://api.northflank.com#a",
    "https://api.northflank.com\\@evil.dev",
    "//api.northflank.com",
    "javascript:alert(1)",
    "https://api.northflank.com\r\nX-Evil: 1",
  ],
  (apiURL) => bad(connection({ apiURL }), "spec.apiURL api-url"),
);

const periods: Table = {
  ...rows(["0s", "-1s", "1ns", "1e9h"], (period) =>
    bad(deployment({ resyncPeriodSeconds: period }), "spec.resyncPeriodSeconds type"),
  ),
  ...rows([-1, 1, 59], (period) =>
    bad(deployment({ resyncPeriodSeconds: period }), "spec.resyncPeriodSeconds resync-period"),
  ),
  ...rows([604_801, 3_600_000_000], (period) =>
    bad(deployment({ resyncPeriodSeconds: period }), "spec.resyncPeriodSeconds maximum"),
  ),
  "a deadline of 0": bad(jobRun({ activeDeadlineSeconds: 0 }), "spec.activeDeadlineSeconds minimum"),
  "a deadline of a thousand years": bad(
    jobRun({ startDeadlineSeconds: 31_536_000_000 }),
    "spec.startDeadlineSeconds maximum",
  ),
  "a rollout of a thousand years": bad(
    deployment({ rollout: { timeoutSeconds: 31_536_000_000 } }),
    "spec.rollout.timeoutSeconds maximum",
  ),
  "0, which means never": good(deployment({ resyncPeriodSeconds: 0 })),
};

const schedules: Table = {
  ...rows(
    [
      `${"1".repeat(128)}!`,
      "1".repeat(256),
      `${"1,".repeat(128)}!`,
      "*/".repeat(128),
      `* * * * ${"*".repeat(247)}!`,
      "12345",
      "* * * *",
      "* * * * * *",
      "* * * * *\n",
      "@reboot",
      "* * * * ; reboot",
      "1".repeat(megabyte),
    ],
    (schedule) => bad(job({ settings: { cron: { schedule } } }), "spec.settings.cron.schedule"),
  ),
  "steps and ranges": good(job({ settings: { cron: { schedule: "*/5 0-6 1,15 * MON-FRI" } } })),
};

// Whole ones: of ten thousand that lack five fields each the API server counts up every fault, which takes it half a minute.
const healthCheck = {
  protocol: "TCP",
  type: "livenessProbe",
  port: 8080,
  initialDelaySeconds: 10,
  periodSeconds: 60,
  timeoutSeconds: 1,
  failureThreshold: 3,
};

const settings: Table = {
  "text in place of all of them": bad(job({ settings: "x" }), "spec.settings type"),
  "10,000 arguments": bad(
    job({ settings: { buildArguments: Object.fromEntries(entries(10_000).map((n) => [`V${n}`, ""])) } }),
    "spec.settings.buildArguments maxProperties",
  ),
  "10,000 health checks": bad(
    job({ settings: { healthChecks: entries(10_000).map(() => healthCheck) } }),
    "spec.settings.healthChecks maxItems",
  ),
  "a description of a megabyte": bad(
    job({ settings: { description: "a".repeat(megabyte) } }),
    "spec.settings.description maxLength",
  ),
  "a path out of the repository": bad(
    job({ settings: { buildSettings: { dockerfile: { dockerFilePath: "/../etc/passwd" } } } }),
    "spec.settings.buildSettings.dockerfile.dockerFilePath path-dots",
  ),
  "a value that Northflank would expand": bad(
    // biome-ignore lint/suspicious/noTemplateCurlyInString: see above.
    job({ settings: { buildArguments: { A: "${SECRET}" } } }),
    "spec.settings.buildArguments references",
  ),
  "__proto__ among the settings": {
    text: JSON.stringify(job({ settings: { X: 1 } })).replace(
      '"X":1',
      '"__proto__":{"disabledCI":true,"polluted":"yes"}',
    ),
    refused: "spec.settings.__proto__ unknown-field",
  },
  "arguments that are named like parts of every object": {
    text: JSON.stringify(job({ settings: { buildArguments: {} } })).replace(
      "{}",
      '{"__proto__":"a","constructor":"b"}',
    ),
  },
};

const polluters: Table = {
  "__proto__ in the spec": {
    text: runWith('{"__proto__": {"suspend": true, "polluted": "yes"}}'),
    refused: "spec.__proto__ unknown-field",
  },
  "constructor in the spec": {
    text: runWith('{"constructor": {"prototype": {"polluted": "yes"}}}'),
    refused: "spec.constructor unknown-field",
  },
  "__proto__ deep inside": {
    text: runWith('{"deployment": {"docker": {"configType": "default", "__proto__": {"polluted": "yes"}}}}'),
    refused: "spec.deployment.docker.__proto__ unknown-field",
  },
  "__proto__ as a file": {
    text: runWith('{"dockerSecretMounts": {"__proto__": {"data": ""}, "constructor": {"data": ""}}}'),
  },
  "__proto__ in place of a required field": {
    text:
      '{"apiVersion": "northflank-operator.io/v1alpha1", "kind": "NorthflankJobRun", "metadata": {"name": "doc"}, ' +
      '"spec": {"__proto__": {"projectId": "shop", "jobId": "migrate"}}}',
    refused: "spec.projectId required",
  },
};

export const hostile: Readonly<Record<string, Table>> = {
  "neither or both of external and internal": sources,
  "wrong words and numbers as text": words,
  "ids that are none": ids,
  "texts without end": endless,
  "values that Northflank would expand": expansions,
  "images that are none": images,
  "names of variables": keys,
  "values of variables": values,
  "10,000 entries": crowds,
  "what belongs to another namespace": strangersSecrets,
  "addresses of the API": addresses,
  "periods and deadlines": periods,
  "schedules of cron jobs": schedules,
  "settings of jobs": settings,
  "keys that pollute prototypes": polluters,
};

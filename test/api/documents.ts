/**
 * Manifests and what becomes of them. One table for three judges: the offline check (test/api/validate.test.ts), the CEL
 * rules and their mirrors (test/api/rules.test.ts), and the API server under test (test/contract/schema.test.ts).
 */
export interface Document {
  readonly object: unknown;
  /** The object that is there already; the document is then an update of it. */
  readonly old?: unknown;
  /** `field rule` of every problem that is found, in order. Empty: the document is good. */
  readonly problems: readonly string[];
}

export function deployment(spec: object, rest: object = {}): Readonly<Record<string, unknown>> {
  const base = {
    projectId: "shop",
    serviceId: "api",
    deployment: { external: { imagePath: "ghcr.io/acme/api:1.4.2" } },
  };
  return document("NorthflankDeployment", { ...base, ...spec }, rest);
}

export function jobRun(spec: object, rest: object = {}): Readonly<Record<string, unknown>> {
  return document("NorthflankJobRun", { projectId: "shop", jobId: "migrate", ...spec }, rest);
}

export function job(spec: object, rest: object = {}): Readonly<Record<string, unknown>> {
  const base = { projectId: "shop", jobId: "migrate", settings: { description: "Migrates the database" } };
  return document("NorthflankJob", { ...base, ...spec }, rest);
}

export function connection(spec: object, rest: object = {}): Readonly<Record<string, unknown>> {
  return document("NorthflankConnection", { tokenSecretRef: { name: "nf-token" }, ...spec }, rest);
}

function document(kind: string, spec: object, rest: object): Readonly<Record<string, unknown>> {
  return { apiVersion: "northflank-operator.io/v1alpha1", kind, metadata: { name: "doc" }, spec, ...rest };
}

const image = (imagePath: string) => deployment({ deployment: { external: { imagePath } } });
const digest = "a".repeat(64);
const imageField = "spec.deployment.external.imagePath";

const connections: Readonly<Record<string, Document>> = {
  "connection: the least": { object: connection({}), problems: [] },
  "connection: everything": {
    object: connection({
      tokenSecretRef: { name: "nf-token", key: "api.token" },
      teamId: "acme",
      apiURL: "https://api.northflank.com",
      budget: { maxRequestsPerHour: 900, poolName: "" },
      allowedProjects: ["staging-*", "shop"],
      suspend: false,
    }),
    problems: [],
  },
  "connection: no Secret": {
    object: connection({ tokenSecretRef: undefined }),
    problems: ["spec.tokenSecretRef required"],
  },
  "connection: the token itself in the manifest": {
    object: connection({ token: "abc" }),
    problems: ["spec.token unknown-field"],
  },
  "connection: a Secret of another namespace": {
    object: connection({ tokenSecretRef: { name: "a", namespace: "b" } }),
    problems: ["spec.tokenSecretRef.namespace unknown-field"],
  },
  "connection: a project twice": {
    object: connection({ allowedProjects: ["shop", "shop"] }),
    problems: ["spec.allowedProjects[1] duplicate"],
  },
  "connection: a budget of 0": {
    object: connection({ budget: { maxRequestsPerHour: 0 } }),
    problems: ["spec.budget.maxRequestsPerHour minimum"],
  },
  "connection: http to a loopback name": { object: connection({ apiURL: "http://localhost:8080" }), problems: [] },
  "connection: http to a loopback address": { object: connection({ apiURL: "http://127.0.0.1:1/api" }), problems: [] },
  "connection: http to a loopback address of IPv6": {
    object: connection({ apiURL: "http://[::1]:8080" }),
    problems: [],
  },
  "connection: https with a port and a path": {
    object: connection({ apiURL: "https://nf.acme.dev:8443/api/" }),
    problems: [],
  },
  ...Object.fromEntries(
    [
      "http://api.northflank.com",
      "http://127.0.0.1.evil.dev",
      "http://localhost.evil.dev",
      "http://169.254.169.254",
      "https://user:pass@api.northflank.com",
      "https://api.northflank.com?x=1",
      "https://api.northflank.com/#x",
      "file:///etc/passwd",
      "ftp://api.northflank.com",
      "https://",
      "https:// api.northflank.com",
      "https://api.northflank.com\n",
      "HTTPS://api.northflank.com",
    ].map((apiURL) => [
      `connection: apiURL ${JSON.stringify(apiURL)}`,
      { object: connection({ apiURL }), problems: ["spec.apiURL api-url"] },
    ]),
  ),
};

const owner = (name: string, more: object = {}) => ({ apiVersion: "v1", kind: "Pod", name, uid: name, ...more });

/** Limits of metadata that no schema says, in pairs where they are numbers. */
const metadataLimits: Readonly<Record<string, readonly [metadata: object, problems: readonly string[]]>> = {
  "a label with a name of 63": [{ labels: { ["a".repeat(63)]: "x" } }, []],
  "a label with a name of 64": [
    { labels: { ["a".repeat(64)]: "x" } },
    [`metadata.labels.${"a".repeat(64)} name-length`],
  ],
  "a label with a value of 63": [{ labels: { a: "b".repeat(63) } }, []],
  "a label with a value of 64": [{ labels: { a: "b".repeat(64) } }, ["metadata.labels.a maxLength"]],
  "a label with a blank in its value": [{ labels: { a: "x y" } }, ["metadata.labels.a pattern"]],
  "a label with a prefix of 253": [{ labels: { [`${"a".repeat(253)}/b`]: "x" } }, []],
  "a label with a prefix of 254": [
    { labels: { [`${"a".repeat(254)}/b`]: "x" } },
    [`metadata.labels[${"a".repeat(63)}…] name-length`],
  ],
  "a label with two dots in its prefix": [{ labels: { "a..b/c": "x" } }, ["metadata.labels[a..b/c] pattern"]],
  "a label with a prefix in capitals": [{ labels: { "A.b/c": "x" } }, ["metadata.labels[A.b/c] pattern"]],
  "an annotation with a prefix in capitals": [{ annotations: { "A.b/c": "x" } }, []],
  "an annotation with a name of 64": [
    { annotations: { ["a".repeat(64)]: "x" } },
    [`metadata.annotations.${"a".repeat(64)} name-length`],
  ],
  "annotations of 256 KiB": [{ annotations: { a: "x".repeat(131_072), b: "x".repeat(131_070) } }, []],
  "annotations of a byte more": [
    { annotations: { a: "x".repeat(131_072), b: "x".repeat(131_071) } },
    ["metadata.annotations size"],
  ],
  "a finalizer that is no name": [{ finalizers: ["a b"] }, ["metadata.finalizers[0] pattern"]],
  "a finalizer with a name of 64": [{ finalizers: [`a.b/${"c".repeat(64)}`] }, ["metadata.finalizers[0] name-length"]],
  "an owner": [{ ownerReferences: [owner("a", { controller: true }), owner("b")] }, []],
  "two owners that control": [
    { ownerReferences: [owner("a", { controller: true }), owner("b", { controller: true })] },
    ["metadata.ownerReferences owner"],
  ],
  "an owner that is an Event": [
    { ownerReferences: [owner("a", { kind: "Event" })] },
    ["metadata.ownerReferences[0] owner"],
  ],
  "an owner of no version": [
    { ownerReferences: [owner("a", { apiVersion: "a/b/c" })] },
    ["metadata.ownerReferences[0].apiVersion pattern"],
  ],
};

const deployments: Readonly<Record<string, Document>> = {
  "deployment: an image": { object: deployment({}), problems: [] },
  "deployment: everything": {
    object: deployment({
      connectionRef: { name: "default" },
      deployment: {
        external: { imagePath: "ghcr.io/acme/api:1.4.2", credentials: "ghcr" },
        docker: { configType: "customCommand", customCommand: "node main.js" },
      },
      managementPolicy: "Observe",
      rollout: { wait: true, timeoutSeconds: 60, onFailure: "Restore" },
      waitFor: [{ jobRunRef: { name: "migrate-3f2c" } }],
      resyncPeriodSeconds: 60,
      suspend: true,
    }),
    problems: [],
  },
  "deployment: a build": {
    object: deployment({
      deployment: {
        internal: { id: "shop/builder", branch: "main", buildSHA: "latest", buildId: "joyous-view-6290" },
        buildpack: { configType: "customProcess", customProcess: "web" },
      },
    }),
    problems: [],
  },
  "deployment: a build with a commit": {
    object: deployment({ deployment: { internal: { buildSHA: "0123456789abcdef0123456789abcdef01234567" } } }),
    problems: [],
  },
  "deployment: a short commit": {
    object: deployment({ deployment: { internal: { buildSHA: "0123456" } } }),
    problems: ["spec.deployment.internal.buildSHA pattern"],
  },
  "deployment: a build of a service with an id of 55 characters": {
    object: deployment({ deployment: { internal: { id: `shop/${"a".repeat(55)}` } } }),
    problems: ["spec.deployment.internal.id id-length"],
  },
  "deployment: the command only": {
    object: deployment({ deployment: { docker: { configType: "default" } } }),
    problems: [],
  },
  "deployment: of a job": { object: deployment({ serviceId: undefined, jobId: "migrate" }), problems: [] },
  "deployment: a redeploy whose token CI left unreplaced": {
    object: deployment({ redeployToken: "$" + "{{ github.sha }}" }),
    problems: ["spec.redeployToken pattern"],
  },
  "deployment: a redeploy of a service": { object: deployment({ redeployToken: "2026-11-29" }), problems: [] },
  "deployment: a redeploy of a job": {
    object: deployment({ serviceId: undefined, jobId: "migrate", redeployToken: "1" }),
    problems: ["spec.redeployToken redeploy-service"],
  },
  "deployment: a redeploy for no text": {
    object: deployment({ redeployToken: "" }),
    problems: ["spec.redeployToken minLength", "spec.redeployToken pattern"],
  },
  "deployment: service and job": {
    object: deployment({ jobId: "migrate" }),
    problems: ["spec one-target"],
  },
  "deployment: neither service nor job": {
    object: deployment({ serviceId: undefined }),
    problems: ["spec one-target"],
  },
  "deployment: a service that is null": {
    object: deployment({ serviceId: null, jobId: "migrate" }),
    problems: [],
  },
  "deployment: nothing to deploy": {
    object: deployment({ deployment: {} }),
    problems: ["spec.deployment empty-deployment"],
  },
  "deployment: both sources": {
    object: deployment({ deployment: { external: { imagePath: "nginx:1" }, internal: { branch: "main" } } }),
    problems: ["spec.deployment one-source"],
  },
  "deployment: an image with a buildpack": {
    object: deployment({ deployment: { external: { imagePath: "nginx:1" }, buildpack: { configType: "default" } } }),
    problems: ["spec.deployment external-buildpack"],
  },
  "deployment: custom command without command": {
    object: deployment({ deployment: { docker: { configType: "customCommand" } } }),
    problems: ["spec.deployment.docker.customCommand config-type"],
  },
  "deployment: entrypoint and command without either": {
    object: deployment({ deployment: { docker: { configType: "customEntrypointCustomCommand" } } }),
    problems: [
      "spec.deployment.docker.customCommand config-type",
      "spec.deployment.docker.customEntrypoint config-type",
    ],
  },
  "deployment: custom process without process": {
    object: deployment({ deployment: { buildpack: { configType: "customProcess" } } }),
    problems: ["spec.deployment.buildpack.customProcess config-type"],
  },
  "deployment: buildpack with entrypoint and command without entrypoint": {
    object: deployment({
      deployment: { buildpack: { configType: "customEntrypointCustomCommand", customCommand: "run" } },
    }),
    problems: ["spec.deployment.buildpack.customEntrypoint config-type"],
  },
  "deployment: buildpack with original entrypoint without command": {
    object: deployment({ deployment: { buildpack: { configType: "originalEntrypointCustomCommand" } } }),
    problems: ["spec.deployment.buildpack.customCommand config-type"],
  },
  "deployment: a wrong word": {
    object: deployment({ managementPolicy: "enforce" }),
    problems: ["spec.managementPolicy enum"],
  },
  "deployment: a number as text": {
    object: deployment({ resyncPeriodSeconds: "900" }),
    problems: ["spec.resyncPeriodSeconds type"],
  },
  "deployment: a fraction": {
    object: deployment({ resyncPeriodSeconds: 60.5 }),
    problems: ["spec.resyncPeriodSeconds type"],
  },
  "deployment: never resync": { object: deployment({ resyncPeriodSeconds: 0 }), problems: [] },
  "deployment: resync at 59 s": {
    object: deployment({ resyncPeriodSeconds: 59 }),
    problems: ["spec.resyncPeriodSeconds resync-period"],
  },
  "deployment: resync before now": {
    object: deployment({ resyncPeriodSeconds: -1 }),
    problems: ["spec.resyncPeriodSeconds minimum", "spec.resyncPeriodSeconds resync-period"],
  },
  "deployment: restore without wait": {
    object: deployment({ rollout: { wait: false, onFailure: "Restore" } }),
    problems: ["spec.rollout restore-needs-wait"],
  },
  "deployment: restore with the default wait": {
    object: deployment({ rollout: { onFailure: "Restore" } }),
    problems: [],
  },
  "deployment: a rollout of 0 s": {
    object: deployment({ rollout: { timeoutSeconds: 0 } }),
    problems: ["spec.rollout.timeoutSeconds minimum"],
  },
  "deployment: 17 gates": {
    object: deployment({ waitFor: Array.from({ length: 17 }, (_, n) => ({ jobRunRef: { name: `run-${n}` } })) }),
    problems: ["spec.waitFor maxItems"],
  },
  "deployment: a gate without name": {
    object: deployment({ waitFor: [{ jobRunRef: {} }] }),
    problems: ["spec.waitFor[0].jobRunRef.name required"],
  },
  "deployment: a misspelt field": {
    object: deployment({ sespend: true }),
    problems: ["spec.sespend unknown-field"],
  },
  "deployment: a field one level too high": {
    object: deployment({}, { suspend: true }),
    problems: ["suspend unknown-field"],
  },
  "deployment: an unknown field deep inside": {
    object: deployment({ deployment: { external: { imagePath: "nginx:1", image: "x" } } }),
    problems: ["spec.deployment.external.image unknown-field"],
  },
  "deployment: no spec": {
    object: deployment({}, { spec: undefined }),
    problems: ["spec required"],
  },
  "deployment: a spec that is text": {
    object: deployment({}, { spec: "x" }),
    problems: ["spec type"],
  },
  "deployment: a list for an object": {
    object: deployment({ deployment: [] }),
    problems: ["spec.deployment type"],
  },
  "deployment: a status, which is ignored": {
    object: deployment({}, { status: { observedGeneration: "x", target: 5 } }),
    problems: [],
  },
  "deployment: a status with a strange field": {
    object: deployment({}, { status: { ready: true } }),
    problems: ["status.ready unknown-field"],
  },
  "deployment: another version": {
    object: deployment({}, { apiVersion: "northflank-operator.io/v1" }),
    problems: ["apiVersion api-version"],
  },
  "deployment: another kind": {
    object: deployment({}, { kind: "NorthflankDeploy" }),
    problems: ["kind kind"],
  },
  "deployment: a name with capitals": {
    object: deployment({}, { metadata: { name: "Doc" } }),
    problems: ["metadata.name pattern"],
  },
  "deployment: a label with a space": {
    object: deployment({}, { metadata: { name: "doc", labels: { team: "a b" } } }),
    problems: ["metadata.labels.team pattern"],
  },
  "deployment: a label that is a number": {
    object: deployment({}, { metadata: { name: "doc", labels: { revision: 1 } } }),
    problems: ["metadata.labels.revision type"],
  },
  ...Object.fromEntries(
    Object.entries(metadataLimits).map(([name, [metadata, problems]]) => [
      `deployment: ${name}`,
      { object: deployment({}, { metadata: { name: "doc", ...metadata } }), problems },
    ]),
  ),
  "deployment: a misspelt part of metadata": {
    object: deployment({}, { metadata: { name: "doc", lables: {} } }),
    problems: ["metadata.lables unknown-field"],
  },
  "deployment: metadata with a field named __proto__": {
    object: deployment({}, { metadata: JSON.parse('{"name": "doc", "__proto__": {}}') }),
    problems: ["metadata.__proto__ unknown-field"],
  },
  "deployment: another image": {
    old: deployment({}),
    object: deployment({ deployment: { external: { imagePath: "ghcr.io/acme/api:1.4.3" } } }),
    problems: [],
  },
  "deployment: another connection": {
    old: deployment({ connectionRef: { name: "a" } }),
    object: deployment({ connectionRef: { name: "b" } }),
    problems: [],
  },
  "deployment: another project": {
    old: deployment({}),
    object: deployment({ projectId: "shop2" }),
    problems: ["spec.projectId immutable"],
  },
  "deployment: another service": {
    old: deployment({}),
    object: deployment({ serviceId: "web" }),
    problems: ["spec.serviceId immutable"],
  },
  "deployment: a job in place of the service": {
    old: deployment({}),
    object: deployment({ serviceId: undefined, jobId: "migrate" }),
    problems: ["spec.jobId immutable", "spec.serviceId immutable"],
  },
  ...Object.fromEntries(
    [
      "..",
      ".",
      "",
      "a",
      "ab",
      "%2e%2e",
      "a/b",
      "a?x",
      "a#b",
      "a--b",
      "-ab",
      "ab-",
      "1ab",
      "abc\r\n",
      "аpi",
      "a".repeat(55),
    ].map((serviceId) => [
      `deployment: service ${JSON.stringify(serviceId)}`,
      { object: deployment({ serviceId }), problems: idProblems(serviceId) },
    ]),
  ),
  "deployment: an id of 54 characters": { object: deployment({ serviceId: "a".repeat(54) }), problems: [] },
  "deployment: an id with capitals": { object: deployment({ serviceId: "Api-2" }), problems: [] },
};

function idProblems(id: string): readonly string[] {
  return [
    ...(id.length > 54 ? ["spec.serviceId maxLength"] : []),
    ...(id.length < 3 ? ["spec.serviceId minLength"] : []),
    ...(/^[A-Za-z](-?[A-Za-z0-9])*$/.test(id) ? [] : ["spec.serviceId pattern"]),
  ];
}

const goodImages = [
  "nginx:1.25",
  "acme/api:1",
  "ghcr.io/acme/api:1.4.2",
  `ghcr.io/acme/api@sha256:${digest}`,
  "registry.example.com:5000/app:1",
  `ghcr.io/acme/api@sha512:${digest}${digest}`,
  "Registry.Example.com/app:1",
  "localhost:5000/app:1",
  "a.b/c/d/e/f:g",
  "acme/a_b__c-d.e:_x",
  `ghcr.io/acme/api:1.4.2@sha256:${digest}`,
  `nginx:1.25@sha256:${digest}`,
];

const badImages: Readonly<Record<string, readonly string[]>> = {
  nginx: ["tag-or-digest"],
  "ghcr.io/acme/api": ["tag-or-digest"],
  "registry.example.com:5000/app": ["tag-or-digest"],
  [`registry.example.com:5000/app@sha256:${digest}`]: ["port-and-digest"],
  [`registry.example.com:5000/app:1@sha256:${digest}`]: ["port-and-digest"],
  "registry.example.com:65536/app:1": ["registry"],
  "ghcr.io/Acme/api:1": ["upper-case"],
  "ghcr.io_a/api:1": ["registry"],
  "ghcr.io/acme//api:1": ["repository"],
  "https://ghcr.io/acme/api:1": ["scheme"],
  "../../etc/passwd:x": ["repository"],
  "http://169.254.169.254/latest:x": ["scheme"],
  "ghcr.io/acme/api:": ["tag"],
  "ghcr.io/acme/api@sha256:abc": ["digest"],
  [`acme/app:sha256:${digest}`]: ["digest-sign"],
  "app:1+2": ["tag"],
  [`app:${"a".repeat(129)}`]: ["tag"],
  "ghcr.io/acme/api:feature/login": ["tag-slash"],
  "api:feature/login": ["registry"],
  "ghcr.io/acme/api:1.4.2:latest": ["two-tags"],
  "ghcr.io/acme/api:1\n": ["blanks"],
  "ghcr.io/acme/api :1": ["blanks"],
  "ghcr.io/acme/api:1.4.2 ghcr.io/acme/api:latest": ["blanks"],
  "'nginx:1'": ["quotes"],
  "ghcr.io/acmé/api:1": ["characters"],
  "ghcr.io/acme/api:${TAG}": ["unreplaced"],
  "ghcr.io/acme/api:$TAG": ["unreplaced"],
  "ghcr.io/acme/api:{{ .Values.tag }}": ["unreplaced"],
  "${{ steps.meta.outputs.tags }}": ["unreplaced"],
  "": ["minLength"],
  ["a.".repeat(300)]: ["maxLength"],
};

const images: Readonly<Record<string, Document>> = {
  "build: a branch that a template left unreplaced": {
    object: deployment({ deployment: { internal: { branch: `\${BRANCH}` } } }),
    problems: ["spec.deployment.internal.branch placeholder"],
  },
  "build: a branch with signs that templates use": {
    object: deployment({ deployment: { internal: { branch: "feature/$dollar-{brace}" } } }),
    problems: [],
  },
  ...Object.fromEntries(goodImages.map((path) => [`image ${path}`, { object: image(path), problems: [] }])),
  ...Object.fromEntries(
    Object.entries(badImages).map(([path, rules]) => [
      `image ${JSON.stringify(path.slice(0, 80))}`,
      { object: image(path), problems: rules.map((rule) => `${imageField} ${rule}`) },
    ]),
  ),
};

const full = {
  connectionRef: { name: "default" },
  runtimeEnvironment: { LOG_LEVEL: "debug", "a.b/c-d": "" },
  runtimeEnvironmentFrom: [
    { secretRef: { name: "db", prefix: "DB_" } },
    { configMapRef: { name: "settings", optional: true } },
    { name: "STRIPE_TOKEN", secretKeyRef: { name: "stripe", key: "token" } },
    { name: "REGION", configMapKeyRef: { name: "settings", key: "region" } },
  ],
  runtimeFiles: { "/etc/app.yaml": { data: "aGVsbG8=", encoding: "utf-8" } },
  runtimeFilesFrom: [{ path: "/etc/tls.pem", secretKeyRef: { name: "tls", key: "tls.crt" } }],
  dockerSecretMounts: { npmrc: { data: "aGVsbG8=" } },
  billing: { deploymentPlan: "nf-compute-20" },
  deployment: {
    internal: { buildSHA: "latest" },
    docker: { configType: "customCommand", customCommand: "x" },
    buildpack: { configType: "default" },
    storage: { ephemeralStorage: { storageSize: 1024 }, shmSize: 64, useHdbStorage: false, usePdSsdStorage: true },
    gpu: { enabled: true, configuration: { gpuType: "a100", gpuCount: 1, timesliced: false } },
  },
  startGuarantee: "AtLeastOnce",
  concurrencyPolicy: "Forbid",
  backoffLimit: 3,
  startDeadlineSeconds: 3600,
  activeDeadlineSeconds: 7200,
  suspend: true,
  abort: false,
  deletionPolicy: "Abort",
  ttlSecondsAfterFinished: 60,
};

const changes: Readonly<Record<string, unknown>> = {
  connectionRef: { name: "other" },
  projectId: "shop2",
  jobId: "migrate2",
  runtimeEnvironment: { LOG_LEVEL: "info" },
  runtimeEnvironmentFrom: [],
  allowReferences: true,
  runtimeFiles: {},
  runtimeFilesFrom: [],
  dockerSecretMounts: {},
  billing: { deploymentPlan: "nf-compute-50" },
  deployment: { docker: { configType: "default" } },
  startGuarantee: "AtMostOnce",
  concurrencyPolicy: "Allow",
  backoffLimit: 4,
  startDeadlineSeconds: 3601,
  activeDeadlineSeconds: 7201,
};

const runs: Readonly<Record<string, Document>> = {
  "run: the least": { object: jobRun({}), problems: [] },
  "run: everything": { object: jobRun(full), problems: [] },
  "run: a name that the server completes": {
    object: jobRun({}, { metadata: { generateName: "migrate-" } }),
    problems: [],
  },
  "run: an image of its own with a buildpack": {
    object: jobRun({ deployment: { external: { imagePath: "nginx:1" }, buildpack: { configType: "default" } } }),
    problems: [],
  },
  "run: no job": { object: jobRun({ jobId: undefined }), problems: ["spec.jobId required"] },
  "run: a job that is null": { object: jobRun({ jobId: null }), problems: ["spec.jobId required"] },
  "run: a job of 53 characters": {
    object: jobRun({ jobId: "a".repeat(53) }),
    problems: ["spec.jobId maxLength"],
  },
  "run: nulls are absent": { object: jobRun({ suspend: null, backoffLimit: null, connectionRef: null }), problems: [] },
  "run: no ttl in so many words": { object: jobRun({ ttlSecondsAfterFinished: null }), problems: [] },
  "run: a ttl of 0": { object: jobRun({ ttlSecondsAfterFinished: 0 }), problems: [] },
  "run: a ttl below 0": {
    object: jobRun({ ttlSecondsAfterFinished: -1 }),
    problems: ["spec.ttlSecondsAfterFinished minimum"],
  },
  "run: an empty override": {
    object: jobRun({ deployment: {} }),
    problems: ["spec.deployment empty-deployment"],
  },
  "run: an override of nulls": {
    object: jobRun({ deployment: { external: null } }),
    problems: ["spec.deployment empty-deployment"],
  },
  "run: a build of another project with ids of 54 characters": {
    object: jobRun({ deployment: { internal: { id: `${"a".repeat(54)}/${"b".repeat(54)}` } } }),
    problems: [],
  },
  "run: a build with an id of 55 characters": {
    object: jobRun({ deployment: { internal: { id: "a".repeat(55) } } }),
    problems: ["spec.deployment.internal.id id-length"],
  },
  "run: an override of both sources": {
    object: jobRun({ deployment: { external: { imagePath: "nginx:1" }, internal: {} } }),
    problems: ["spec.deployment one-source"],
  },
  "run: Forbid without a deadline": {
    object: jobRun({ concurrencyPolicy: "Forbid" }),
    problems: ["spec.startDeadlineSeconds start-deadline"],
  },
  "run: Replace without a deadline": {
    object: jobRun({ concurrencyPolicy: "Replace" }),
    problems: ["spec.startDeadlineSeconds start-deadline"],
  },
  "run: Replace with a deadline": {
    object: jobRun({ concurrencyPolicy: "Replace", startDeadlineSeconds: 1 }),
    problems: [],
  },
  "run: a deadline of 0": {
    object: jobRun({ activeDeadlineSeconds: 0 }),
    problems: ["spec.activeDeadlineSeconds minimum"],
  },
  "run: more than 32 bits": {
    object: jobRun({ backoffLimit: 2 ** 31 }),
    problems: ["spec.backoffLimit maximum"],
  },
  "run: a value that is a number": {
    object: jobRun({ runtimeEnvironment: { PORT: 8080 } }),
    problems: ["spec.runtimeEnvironment.PORT type"],
  },
  "run: a value that is null is left out": { object: jobRun({ runtimeEnvironment: { A: null } }), problems: [] },
  "run: a variable with =": {
    object: jobRun({ runtimeEnvironment: { "a=b": "x" } }),
    problems: ["spec.runtimeEnvironment[a=b] pattern"],
  },
  "run: a variable without name": {
    object: jobRun({ runtimeEnvironment: { "": "x" } }),
    problems: ["spec.runtimeEnvironment[] pattern"],
  },
  "run: variables named like parts of a JavaScript object": {
    object: jobRun({
      runtimeEnvironment: JSON.parse('{"__proto__": "x", "constructor": "y", "toString": "z", "PATH": "/"}'),
    }),
    problems: [],
  },
  "run: a field named __proto__": {
    object: jobRun({ deployment: JSON.parse('{"__proto__": {"external": {}}, "docker": {"configType": "default"}}') }),
    problems: ["spec.deployment.__proto__ unknown-field"],
  },
  "run: a value with NUL": {
    object: jobRun({ runtimeEnvironment: { A: "a\u0000b" } }),
    problems: ["spec.runtimeEnvironment.A pattern"],
  },
  "run: a value of 32 KiB": { object: jobRun({ runtimeEnvironment: { A: "x".repeat(32_768) } }), problems: [] },
  "run: a value longer than 32 KiB": {
    object: jobRun({ runtimeEnvironment: { A: "x".repeat(32_769) } }),
    problems: ["spec.runtimeEnvironment.A maxLength"],
  },
  "run: variables of 64 Ki characters together, names included": {
    object: jobRun({ runtimeEnvironment: { A: "x".repeat(32_767), B: "x".repeat(32_767) } }),
    problems: [],
  },
  "run: variables of one character more": {
    object: jobRun({ runtimeEnvironment: { A: "x".repeat(32_767), BB: "x".repeat(32_767) } }),
    problems: ["spec.runtimeEnvironment environment-size"],
  },
  "run: a value of 20,000 emoji": { object: jobRun({ runtimeEnvironment: { A: "😀".repeat(20_000) } }), problems: [] },
  "run: 501 variables": {
    object: jobRun({ runtimeEnvironment: Object.fromEntries(Array.from({ length: 501 }, (_, n) => [`V${n}`, ""])) }),
    problems: ["spec.runtimeEnvironment maxProperties"],
  },
  "run: a reference in a value": {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: this is what Northflank would expand.
    object: jobRun({ runtimeEnvironment: { A: "x ${SECRET}" } }),
    problems: ["spec.runtimeEnvironment references"],
  },
  "run: a reference that is wanted": {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: this is what Northflank would expand.
    object: jobRun({ allowReferences: true, runtimeEnvironment: { A: "x ${SECRET}" } }),
    problems: [],
  },
  "run: a dollar sign is no reference": { object: jobRun({ runtimeEnvironment: { A: "$5 {}" } }), problems: [] },
  "run: a source of variables with two references": {
    object: jobRun({ runtimeEnvironmentFrom: [{ secretRef: { name: "a" }, configMapRef: { name: "b" } }] }),
    problems: ["spec.runtimeEnvironmentFrom[0] one-reference"],
  },
  "run: a source of variables without reference": {
    object: jobRun({ runtimeEnvironmentFrom: [{}] }),
    problems: ["spec.runtimeEnvironmentFrom[0] one-reference"],
  },
  "run: a source of variables that is null": {
    object: jobRun({ runtimeEnvironmentFrom: [null] }),
    problems: ["spec.runtimeEnvironmentFrom[0] type"],
  },
  "run: a key without the name of its variable": {
    object: jobRun({ runtimeEnvironmentFrom: [{ secretKeyRef: { name: "a", key: "b" } }] }),
    problems: ["spec.runtimeEnvironmentFrom[0] variable-name"],
  },
  "run: a name beside a whole Secret": {
    object: jobRun({ runtimeEnvironmentFrom: [{ name: "A", secretRef: { name: "a" } }] }),
    problems: ["spec.runtimeEnvironmentFrom[0] variable-name"],
  },
  "run: a key reference without key": {
    object: jobRun({ runtimeEnvironmentFrom: [{ name: "A", secretKeyRef: { name: "a" } }] }),
    problems: ["spec.runtimeEnvironmentFrom[0].secretKeyRef.key required"],
  },
  "run: a file from two places": {
    object: jobRun({
      runtimeFilesFrom: [
        { path: "/a", secretKeyRef: { name: "a", key: "b" }, configMapKeyRef: { name: "a", key: "b" } },
      ],
    }),
    problems: ["spec.runtimeFilesFrom[0] one-reference"],
  },
  "run: a file with a relative path": {
    object: jobRun({ runtimeFiles: { "etc/app": { data: "" } } }),
    problems: ["spec.runtimeFiles[etc/app] pattern"],
  },
  "run: a file that is not base64": {
    object: jobRun({ runtimeFiles: { "/a": { data: "hello world" } } }),
    problems: ["spec.runtimeFiles[/a].data pattern"],
  },
  "run: a plan with a space": {
    object: jobRun({ billing: { deploymentPlan: "nf compute" } }),
    problems: ["spec.billing.deploymentPlan pattern"],
  },
  "run: storage of 0": {
    object: jobRun({ deployment: { storage: { shmSize: 0 } } }),
    problems: ["spec.deployment.storage.shmSize minimum"],
  },
  "run: a GPU without type": {
    object: jobRun({ deployment: { gpu: { enabled: true, configuration: {} } } }),
    problems: ["spec.deployment.gpu.configuration.gpuType required"],
  },
  "run: abort, suspend, ttl and deletion policy change": {
    old: jobRun(full),
    object: jobRun({ ...full, suspend: false, abort: true, deletionPolicy: "Orphan", ttlSecondsAfterFinished: null }),
    problems: [],
  },
  "run: abort is taken back": {
    old: jobRun({ abort: true }),
    object: jobRun({ abort: false }),
    problems: [],
  },
  "run: a default written out": {
    old: jobRun({}),
    object: jobRun({ backoffLimit: 0, concurrencyPolicy: "Allow" }),
    problems: [],
  },
  "run: keys in another order": {
    old: jobRun({ runtimeEnvironment: { A: "1", B: "2" } }),
    object: jobRun({ runtimeEnvironment: { B: "2", A: "1" } }),
    problems: [],
  },
  ...Object.fromEntries(
    Object.entries(changes).map(([field, value]) => [
      `run: ${field} changes`,
      {
        old: jobRun(full),
        object: jobRun({ ...full, [field]: value }),
        problems: [`spec.${field} immutable`],
      },
    ]),
  ),
  "run: an override is added": {
    old: jobRun({}),
    object: jobRun({ billing: {} }),
    problems: ["spec.billing immutable"],
  },
  "run: an override is removed": {
    old: jobRun({ billing: {} }),
    object: jobRun({}),
    problems: ["spec.billing immutable"],
  },
};

const settings = (value: unknown, spec: object = {}) => job({ ...spec, settings: value });
const check = {
  type: "livenessProbe",
  initialDelaySeconds: 10,
  periodSeconds: 60,
  timeoutSeconds: 1,
  failureThreshold: 3,
};
const dockerfile = (value: object) => settings({ buildSettings: { dockerfile: value } });
const buildContext = (value: string) => settings({ buildSettings: { buildpack: { buildContext: value } } });
const twice = {
  backoffLimit: 1,
  runOnSourceChange: "never",
  activeDeadlineSeconds: 600,
  cron: { schedule: "0 3 * * *" },
} as const;

const jobs: Readonly<Record<string, Document>> = {
  "job: the least": { object: job({}), problems: [] },
  "job: everything but settings": {
    object: job({
      connectionRef: { name: "default" },
      jobType: "any",
      allowReferences: false,
      managementPolicy: "EnforceOnChange",
      resyncPeriodSeconds: 60,
      suspend: true,
    }),
    problems: [],
  },
  "job: no settings": { object: settings(undefined), problems: ["spec.settings required"] },
  "job: empty settings": { object: settings({}), problems: [] },
  "job: a setting that no call takes": {
    object: settings({ deployment: { external: { imagePath: "nginx:1" } } }),
    problems: ["spec.settings.deployment unknown-field"],
  },
  "job: a type of job that is none": { object: job({ jobType: "Manual" }), problems: ["spec.jobType enum"] },
  "job: no limits": {
    object: settings({ stageId: null, activeDeadlineSeconds: null, settings: { cron: { schedule: null } } }),
    problems: [],
  },
  "job: a null in both places, which the rules do not see": {
    object: settings({ activeDeadlineSeconds: null, settings: { activeDeadlineSeconds: null } }),
    problems: [],
  },
  "job: a schedule of a manual job": {
    object: settings({ cron: { schedule: "@daily" } }, { jobType: "manual" }),
    problems: ["spec.settings.cron cron-type"],
  },
  "job: a schedule under settings of a manual job": {
    object: settings({ settings: { cron: { schedule: "@daily" } } }, { jobType: "manual" }),
    problems: ["spec.settings.cron cron-type"],
  },
  "job: a schedule of a cron job": {
    object: settings({ cron: { schedule: "0 3 * * 1-5", concurrencyPolicy: "forbid" } }, { jobType: "cron" }),
    problems: [],
  },
  "job: a cron job that is suspended": {
    object: settings({ cron: { suspended: true } }, { jobType: "cron" }),
    problems: [],
  },
  "job: a cron job that is suspended, under settings": {
    object: settings({ settings: { cron: { suspended: true } } }, { jobType: "cron" }),
    problems: [],
  },
  "job: a schedule of four fields": {
    object: settings({ cron: { schedule: "0 3 * *" } }),
    problems: ["spec.settings.cron.schedule pattern"],
  },
  "job: concurrencyPolicy as the API answers it": {
    object: settings({ cron: { concurrencyPolicy: "Forbid" } }),
    problems: ["spec.settings.cron.concurrencyPolicy enum"],
  },
  ...Object.fromEntries(
    Object.entries(twice).flatMap(([field, value]) => [
      [`job: ${field} on top`, { object: settings({ [field]: value, settings: {} }), problems: [] }],
      [`job: ${field} under settings`, { object: settings({ settings: { [field]: value } }), problems: [] }],
      [
        `job: ${field} twice`,
        {
          object: settings({ [field]: value, settings: { [field]: value } }),
          problems: [`spec.settings.${field} one-place`],
        },
      ],
    ]),
  ),
  ...Object.fromEntries(
    ["runtimeEnvironment", "buildArguments"].flatMap((field) => [
      // biome-ignore lint/suspicious/noTemplateCurlyInString: this is what Northflank would expand.
      [`job: a reference in ${field}`, { object: settings({ [field]: { A: "${B}" } }), problems: [`spec.settings.${field} references`] }], // biome-ignore format: one thing
      [
        `job: a reference in ${field} that is wanted`,
        // biome-ignore lint/suspicious/noTemplateCurlyInString: this is what Northflank would expand.
        { object: settings({ [field]: { A: "${B}" } }, { allowReferences: true }), problems: [] },
      ],
    ]),
  ),
  "job: values from Secrets and ConfigMaps": {
    object: settings({
      runtimeEnvironmentFrom: [{ secretRef: { name: "db", prefix: "DB_" } }],
      runtimeFilesFrom: [{ path: "/etc/tls.pem", secretKeyRef: { name: "tls", key: "tls.crt" } }],
      buildArgumentsFrom: [{ name: "TOKEN", configMapKeyRef: { name: "build", key: "token" } }],
    }),
    problems: [],
  },
  "job: a Dockerfile at the root": {
    object: dockerfile({ dockerFilePath: "/Dockerfile", dockerWorkDir: "/" }),
    problems: [],
  },
  "job: a Dockerfile above the root": {
    object: dockerfile({ dockerFilePath: "/../Dockerfile" }),
    problems: ["spec.settings.buildSettings.dockerfile.dockerFilePath path-dots"],
  },
  "job: a working folder above the root": {
    object: dockerfile({ dockerWorkDir: "/.." }),
    problems: ["spec.settings.buildSettings.dockerfile.dockerWorkDir path-dots"],
  },
  "job: a build context": { object: buildContext("/apps/api"), problems: [] },
  "job: a build context with a dot": {
    object: buildContext("/apps/./api"),
    problems: ["spec.settings.buildSettings.buildpack.buildContext path-dots"],
  },
  "job: health checks": {
    object: settings({
      healthChecks: [
        { ...check, protocol: "HTTP", path: "/health?deep=1", port: 8080, successThreshold: 1 },
        { ...check, protocol: "CMD", cmd: "true" },
        { ...check, protocol: "TCP", port: 5432 },
      ],
    }),
    problems: [],
  },
  "job: a health check of HTTP without path": {
    object: settings({ healthChecks: [{ ...check, protocol: "HTTP", port: 8080 }] }),
    problems: ["spec.settings.healthChecks[0].path health-check"],
  },
  "job: a health check of HTTP without port": {
    object: settings({ healthChecks: [{ ...check, protocol: "HTTP", path: "/" }] }),
    problems: ["spec.settings.healthChecks[0].port health-check"],
  },
  "job: a health check of CMD without cmd": {
    object: settings({ healthChecks: [{ ...check, protocol: "CMD" }] }),
    problems: ["spec.settings.healthChecks[0].cmd health-check"],
  },
  "job: another project": {
    old: job({}),
    object: job({ projectId: "other" }),
    problems: ["spec.projectId immutable"],
  },
  "job: another job": { old: job({}), object: job({ jobId: "other" }), problems: ["spec.jobId immutable"] },
  "job: other settings": { old: job({}), object: settings({ tags: ["nightly"] }), problems: [] },
};

export const documents: Readonly<Record<string, Document>> = {
  ...connections,
  ...deployments,
  ...images,
  ...jobs,
  ...runs,
};

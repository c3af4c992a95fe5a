import type { NorthflankConnection } from "../../src/api/connection.ts";
import type { NorthflankDeployment } from "../../src/api/deployment.ts";
import type { NorthflankJob } from "../../src/api/job.ts";
import { apiVersion } from "../../src/api/names.ts";
import type { ObjectMeta } from "../../src/kube/types.ts";
import type { BuildView, JobSource, JobView, ServiceView } from "../../src/northflank/types.ts";

/** When the objects of tests were made: an hour before `FakeClock` starts. */
export const createdAt = "2025-12-31T23:00:00Z";

interface Parts<Spec, Status> {
  readonly metadata?: Partial<ObjectMeta>;
  readonly spec?: Partial<Spec>;
  readonly status?: Status;
}

/** Metadata of an object in the namespace `shop`, generation 1, with a uid made of its name. */
export function metadata(name: string, more: Partial<ObjectMeta> = {}): ObjectMeta {
  const uid = `uid-${more.name ?? name}`;
  return { name, namespace: "shop", uid, resourceVersion: "1", generation: 1, creationTimestamp: createdAt, ...more };
}

/** A deployment named `api` that wants `ghcr.io/acme/api:2` on service `api` of project `shop`, as the server stores it. */
export function deployment(
  parts: Parts<NorthflankDeployment["spec"], NorthflankDeployment["status"]> = {},
): NorthflankDeployment {
  return {
    apiVersion,
    kind: "NorthflankDeployment",
    metadata: metadata("api", parts.metadata),
    spec: {
      projectId: "shop",
      serviceId: "api",
      deployment: { external: { imagePath: "ghcr.io/acme/api:2" } },
      managementPolicy: "Enforce",
      continuousDeployment: "Warn",
      rollout: { wait: true, timeoutSeconds: 900, onFailure: "Report" },
      suspend: false,
      ...parts.spec,
    },
    status: parts.status ?? { observedGeneration: -1 },
  };
}

/** An object named `migrate` that wants a description of job `migrate` of project `shop`, as the server stores it. */
export function jobObject(parts: Parts<NorthflankJob["spec"], NorthflankJob["status"]> = {}): NorthflankJob {
  return {
    apiVersion,
    kind: "NorthflankJob",
    metadata: metadata("migrate", parts.metadata),
    spec: {
      projectId: "shop",
      jobId: "migrate",
      jobType: "any",
      settings: { description: "Migrates the database" },
      allowReferences: false,
      managementPolicy: "Enforce",
      suspend: false,
      ...parts.spec,
    },
    status: parts.status ?? { observedGeneration: -1 },
  };
}

/** What the API server adds to the spec of a run: the defaults of its schema. */
export function runDefaults() {
  return {
    allowReferences: false,
    startGuarantee: "AtMostOnce",
    concurrencyPolicy: "Allow",
    backoffLimit: 0,
    suspend: false,
    abort: false,
    deletionPolicy: "Orphan",
  } as const;
}

/** A connection named `default` with a Secret `nf-token`, as the server stores it. */
export function connection(
  parts: Parts<NorthflankConnection["spec"], NorthflankConnection["status"]> = {},
): NorthflankConnection {
  return {
    apiVersion,
    kind: "NorthflankConnection",
    metadata: metadata("default", parts.metadata),
    spec: { tokenSecretRef: { name: "nf-token", key: "token" }, suspend: false, ...parts.spec },
    status: parts.status ?? { observedGeneration: -1 },
  };
}

/** A deployment service that runs `ghcr.io/acme/api:1`, its rollout complete an hour ago. */
export function service(parts: Partial<ServiceView> & { readonly imagePath?: string } = {}): ServiceView {
  const { imagePath = "ghcr.io/acme/api:1", ...rest } = parts;
  return {
    id: "api",
    serviceType: "deployment",
    servicePaused: false,
    disabledCD: true,
    instances: 2,
    image: imagePath,
    external: { imagePath, credentials: undefined, registryProvider: undefined },
    internal: undefined,
    docker: undefined,
    buildpack: undefined,
    rolloutStatus: "COMPLETED",
    rolloutReason: "DEPLOYING",
    rolloutTransitionTime: createdAt,
    buildStatus: undefined,
    ...rest,
  };
}

/** A manual job that runs `ghcr.io/acme/etl:1`, and never by itself. */
export function job(parts: Partial<JobView & JobSource> & { readonly imagePath?: string } = {}): JobView & JobSource {
  const { imagePath = "ghcr.io/acme/etl:1", ...rest } = parts;
  return {
    id: "etl",
    jobType: "manual",
    disabledCD: true,
    runOnSourceChange: "never",
    image: imagePath,
    external: { imagePath, credentials: undefined, registryProvider: undefined },
    internal: undefined,
    docker: undefined,
    buildpack: undefined,
    ...rest,
  };
}

/** A build of branch `main` that has succeeded, an hour ago. */
export function build(parts: Partial<BuildView> = {}): BuildView {
  return {
    id: "joyous-view-6290",
    branch: "main",
    sha: "a".repeat(40),
    status: "SUCCESS",
    outcome: "succeeded",
    createdAt,
    concludedAtMs: undefined,
    ...parts,
  };
}

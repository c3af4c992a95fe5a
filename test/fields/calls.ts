import { readFileSync } from "node:fs";
import { isRecord } from "../../src/util/records.ts";
import type { JsonSchema, PropertyPath } from "./json-schema.ts";

/** A call of Northflank that a manifest stands for, and where in the manifest its body is. */
export interface DocumentedCall {
  readonly name: CallName;
  /** The request schemas that exist for it, by the age of the pages they follow. */
  readonly schemas: Readonly<Record<string, JsonSchema>>;
  /** The manifest that says what the body says. */
  readonly manifest: (body: unknown) => Manifest;
  /** Where a property of the body stands in the manifest. */
  readonly field: (path: PropertyPath) => PropertyPath;
}

export type CallName =
  | "update service deployment"
  | "update job deployment"
  | "run job"
  | "patch deployment service"
  | "patch job"
  | "patch manual job"
  | "patch cron job";

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

/** Every call that manifests stand for. */
export const calls: readonly DocumentedCall[] = [
  {
    name: "update service deployment",
    schemas: bothAges("service-deployment-update"),
    manifest: (deployment) => manifest("NorthflankDeployment", { projectId: "shop", serviceId: "api", deployment }),
    field: (path) => ["spec", "deployment", ...path],
  },
  {
    name: "update job deployment",
    schemas: bothAges("job-deployment-update"),
    manifest: (deployment) => manifest("NorthflankDeployment", { projectId: "shop", jobId: "migrate", deployment }),
    field: (path) => ["spec", "deployment", ...path],
  },
  {
    // Only used where the first call is gone; the number of instances in it is read, never declared.
    name: "patch deployment service",
    schemas: { "of today": schemaOf("patch-deployment-service") },
    manifest: (body) => {
      const { deployment } = body as { readonly deployment: unknown };
      const declared = isRecord(deployment) ? withoutInstances(deployment) : deployment;
      return manifest("NorthflankDeployment", { projectId: "shop", serviceId: "api", deployment: declared });
    },
    field: (path) => ["spec", ...path],
  },
  {
    name: "run job",
    schemas: bothAges("run-job"),
    manifest: (body) => manifest("NorthflankJobRun", { projectId: "shop", jobId: "migrate", ...(body as object) }),
    field: (path) => ["spec", ...path],
  },
  {
    name: "patch job",
    schemas: { "of today": schemaOf("patch-job") },
    manifest: (settings) => manifest("NorthflankJob", { projectId: "shop", jobId: "migrate", settings }),
    field: (path) => ["spec", "settings", ...path],
  },
  {
    name: "patch manual job",
    schemas: bothAges("patch-manual-job"),
    manifest: (settings) =>
      manifest("NorthflankJob", { projectId: "shop", jobId: "migrate", jobType: "manual", settings }),
    field: (path) => ["spec", "settings", ...path],
  },
  {
    name: "patch cron job",
    schemas: { "of today": schemaOf("patch-cron-job") },
    manifest: (body) => {
      const settings = isRecord(body) ? withCron(body) : body;
      return manifest("NorthflankJob", { projectId: "shop", jobId: "migrate", jobType: "cron", settings });
    },
    field: ([first = "", ...rest]) =>
      ["schedule", "concurrencyPolicy", "suspended"].includes(first)
        ? ["spec", "settings", "cron", first, ...rest]
        : ["spec", "settings", first, ...rest],
  },
];

/** The schedule stands on top in the body of this call, and under `cron` in a manifest and in the call for any job. */
function withCron({ schedule, concurrencyPolicy, suspended, ...rest }: Readonly<Record<string, unknown>>): object {
  const cron = Object.fromEntries(
    Object.entries({ schedule, concurrencyPolicy, suspended }).filter(([, value]) => value !== undefined),
  );
  return Object.keys(cron).length === 0 ? rest : { ...rest, cron };
}

function withoutInstances({ instances: _, ...rest }: Readonly<Record<string, unknown>>): object {
  return rest;
}

function bothAges(name: string): Readonly<Record<string, JsonSchema>> {
  return { "of today": schemaOf(name), "of 2024": schemaOf(`docs-2024-25/${name}`) };
}

function schemaOf(name: string): JsonSchema {
  const url = new URL(`../../sandbox/northflank/schemas/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(url, "utf8")) as JsonSchema;
}

function manifest(kind: string, spec: Readonly<Record<string, unknown>>): Manifest {
  return { apiVersion: "northflank-operator.io/v1alpha1", kind, metadata: { name: "doc" }, spec };
}

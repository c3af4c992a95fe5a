// pure
import type { NorthflankConnection } from "../api/connection.ts";
import type { NorthflankDeployment } from "../api/deployment.ts";
import type { NorthflankJob } from "../api/job.ts";
import type { NorthflankJobRun } from "../api/job-run.ts";
import { findKind } from "../api/kinds.ts";
import { northflankConnections, northflankDeployments, northflankJobRuns, northflankJobs } from "../api/names.ts";
import { asStored, type Path } from "../api/stored.ts";
import type { ConfigMap, KubeObject, Secret } from "../kube/types.ts";
import type { OfflineObjects } from "../plan/offline-cluster.ts";
import { isRecord } from "../util/records.ts";
import type { Position } from "./manifest-reader.ts";
import type { Judged } from "./validate.ts";

/** What the specs of our kinds say of their target, as far as each has it. */
export interface OurObject extends KubeObject {
  readonly spec: {
    readonly connectionRef?: { readonly name: string };
    readonly projectId?: string;
    readonly serviceId?: string;
    readonly jobId?: string;
  };
}

/** One object of ours, with where it stands. */
export interface PlacedObject {
  readonly file: string;
  /** Where a path from the root of the object is written. */
  readonly locate: (path: Path) => Position;
  readonly object: OurObject;
}

export interface PlanObjects extends OfflineObjects {
  /** All of ours, in the order of the files. */
  readonly placed: readonly PlacedObject[];
}

/** What kubectl takes where a manifest names no namespace. */
const defaultNamespace = "default";

/**
 * The valid objects of files, as the API server would store them, none of them reconciled yet. Secrets that are encrypted
 * for Git (SOPS) are left out: their values are not known.
 */
export function collectObjects(
  files: readonly { readonly name: string; readonly judged: readonly Judged[] }[],
): PlanObjects {
  const placed: PlacedObject[] = [];
  const others: KubeObject[] = [];
  for (const { name, judged } of files) {
    for (const { kind, value, locate } of judged) {
      if (!isRecord(value) || !isRecord(value.metadata)) continue;
      if (kind === "ours") placed.push({ file: name, locate, object: storedObject(value, placed.length) });
      else if (!("sops" in value)) others.push(namedObject(value));
    }
  }
  const ours = placed.map(({ object }) => object);
  const secrets = ofKind<Secret>(others, "Secret");
  const configMaps = ofKind<ConfigMap>(others, "ConfigMap");
  return {
    placed,
    connections: ofKind<NorthflankConnection>(ours, northflankConnections.kind),
    deployments: ofKind<NorthflankDeployment>(ours, northflankDeployments.kind),
    jobs: ofKind<NorthflankJob>(ours, northflankJobs.kind),
    jobRuns: ofKind<NorthflankJobRun>(ours, northflankJobRuns.kind),
    secrets: secrets.filter((secret) => wrongContent(secret) === undefined).map(withStringData),
    configMaps: configMaps.filter((configMap) => wrongContent(configMap) === undefined),
    refused: [...secrets, ...configMaps].flatMap((object) => {
      const field = wrongContent(object);
      return field === undefined ? [] : [{ kind: object.kind, metadata: object.metadata, field }];
    }),
  };
}

/** What is ours was judged, and the rest is asked for nothing but what core/v1 says of its kind. */
function ofKind<T extends KubeObject>(objects: readonly KubeObject[], kind: string): readonly T[] {
  return objects.filter((object): object is T => object.kind === kind);
}

// All of one age: it is unknown which of two objects is the older one in a cluster.
const creationTimestamp = "1970-01-01T00:00:00Z";

/** With defaults, and without a status: what an output of `kubectl get` says was seen is not what is seen now. */
function storedObject(value: Readonly<Record<string, unknown>>, index: number): OurObject {
  const named = namedObject(value);
  const definition = findKind(named.kind);
  const { name, namespace } = named.metadata;
  const metadata = {
    name,
    ...(namespace !== undefined && { namespace }),
    uid: `file-${index}`,
    generation: 1,
    creationTimestamp,
  };
  return {
    apiVersion: named.apiVersion,
    kind: named.kind,
    metadata,
    spec: definition === undefined ? {} : (asStored(definition.spec, value.spec) as OurObject["spec"]),
  };
}

function namedObject(value: Readonly<Record<string, unknown>>): KubeObject {
  const metadata = value.metadata as Readonly<Record<string, unknown>>;
  // What is empty is not set, as for the API server.
  const name = metadata.name || `${metadata.generateName}*`;
  const namespace = metadata.namespace || defaultNamespace;
  return { ...value, metadata: { ...metadata, name, namespace } } as unknown as KubeObject;
}

/** The first field with content that is no text, which the API server takes nowhere; never the value. */
function wrongContent(object: KubeObject): string | undefined {
  const fields = object as unknown as Readonly<Record<string, unknown>>;
  for (const field of ["data", "stringData", "binaryData"]) {
    const content = fields[field] ?? {};
    if (!isRecord(content)) return field;
    const wrong = Object.entries(content).find(([, value]) => typeof value !== "string");
    if (wrong !== undefined) return `${field}[${JSON.stringify(wrong[0])}]`;
  }
  return undefined;
}

/** The API server moves `stringData` into `data`. */
function withStringData(secret: Secret & { readonly stringData?: unknown }): Secret {
  const { stringData, ...rest } = secret;
  if (!isRecord(stringData)) return rest;
  const texts = Object.entries(stringData).filter((entry): entry is [string, string] => typeof entry[1] === "string");
  const encoded = texts.map(([key, text]) => [key, Buffer.from(text, "utf8").toString("base64")]);
  return { ...rest, data: { ...rest.data, ...Object.fromEntries(encoded) } };
}

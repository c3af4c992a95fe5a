import type { NorthflankConnection } from "../api/connection.ts";
import type { NorthflankDeployment } from "../api/deployment.ts";
import type { NorthflankJob } from "../api/job.ts";
import type { NorthflankJobRun } from "../api/job-run.ts";
import type { Accounts } from "../controllers/account/accounts.ts";
import type { ApiBinding } from "../controllers/account/api-factory.ts";
import { ConnectionAccounts } from "../controllers/account/connection-accounts.ts";
import { type TargetObject, targetOf } from "../controllers/target/object.ts";
import type { KubeClient } from "../kube/client.ts";
import { KubeError } from "../kube/errors.ts";
import { type ConfigMap, configMaps, type KubeObject, type Secret, secrets } from "../kube/types.ts";
import type { NorthflankApi } from "../northflank/client.ts";
import { type ObjectKey, objectKey } from "../runtime/outcome.ts";
import type { Clock } from "../util/clock.ts";
import type { Random } from "../util/random.ts";
import type { SecretValue } from "../util/secret-value.ts";

/** The objects of some files, as if they had just been applied: without a status. */
export interface OfflineObjects {
  readonly connections: readonly NorthflankConnection[];
  readonly deployments: readonly NorthflankDeployment[];
  readonly jobs: readonly NorthflankJob[];
  readonly jobRuns: readonly NorthflankJobRun[];
  readonly secrets: readonly Secret[];
  readonly configMaps: readonly ConfigMap[];
  /** Secrets and ConfigMaps that the API server would reject. */
  readonly refused: readonly RefusedObject[];
}

/** A Secret or ConfigMap of a file with content that is not text. */
export interface RefusedObject {
  readonly kind: string;
  readonly metadata: KubeObject["metadata"];
  /** Where the content stands: `data["PORT"]`. Never the content. */
  readonly field: string;
}

/** What the controllers ask of a cluster, answered from files. */
export interface OfflineCluster {
  readonly deployments: { byIndex(name: "target", value: string): readonly NorthflankDeployment[] };
  readonly jobs: { byIndex(name: "target", value: string): readonly NorthflankJob[] };
  readonly jobRuns: { get(key: ObjectKey): NorthflankJobRun | undefined };
  /** Secrets and ConfigMaps of the files; no others exist. */
  readonly kube: Pick<KubeClient, "get">;
  readonly accounts: Accounts;
}

export interface OfflineOptions {
  /** The one token: what the Secrets of connections would hold. */
  readonly token: SecretValue;
  /** For objects whose connection is not in the files. */
  readonly teamId: string | undefined;
  readonly defaultApiUrl: string;
  readonly maxRequestsPerHour: number;
  readonly allowedApiHosts: readonly string[];
  readonly openApi: (binding: ApiBinding) => NorthflankApi;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Every connection has the given token, whether or not its Secret is in the files, where it is encrypted or should be. A
 * connection that is not in the files has the given team as well.
 */
export function createOfflineCluster(objects: OfflineObjects, options: OfflineOptions): OfflineCluster {
  const { clock, random, openApi, defaultApiUrl, maxRequestsPerHour, allowedApiHosts } = options;
  const connections = byKey(objects.connections.map((connection) => withGivenToken(connection, maxRequestsPerHour)));
  const jobRuns = byKey(objects.jobRuns);
  return {
    deployments: byTarget(objects.deployments),
    jobs: byTarget(objects.jobs),
    jobRuns,
    kube: fileReader(objects),
    accounts: new ConnectionAccounts({
      kube: tokenReader(options.token),
      connections: { get: (key) => connections.get(key) ?? unknownConnection(key, options.teamId) },
      openApi: (binding) => openApi({ ...binding, pool: poolName, poolLabel: poolName }),
      trustsTeams: true,
      operatorToken: undefined,
      defaultApiUrl,
      defaultMaxRequestsPerHour: maxRequestsPerHour,
      allowedApiHosts,
      clock,
      random,
    }),
  };
}

function byKey<T extends KubeObject>(objects: readonly T[]): ReadonlyMap<ObjectKey, T> {
  return new Map(objects.map((object) => [objectKey(object.metadata), object]));
}

function byTarget<T extends TargetObject>(objects: readonly T[]) {
  const targets = new Map<string, T[]>();
  for (const object of objects) {
    const target = targetOf(object);
    const known = targets.get(target);
    if (known === undefined) targets.set(target, [object]);
    else known.push(object);
  }
  return { byIndex: (_name: "target", value: string): readonly T[] => targets.get(value) ?? [] };
}

// Whatever a connection calls the key of its token, it reads the one token.
const tokenKey = "token";
// And whatever its team or its pool, the token has one quota.
const poolName = "given-token";

/** A budget of the connection may make that of the command smaller, never larger. */
function withGivenToken({ spec, ...connection }: NorthflankConnection, mostPerHour: number): NorthflankConnection {
  const maxRequestsPerHour = Math.min(spec.budget?.maxRequestsPerHour ?? mostPerHour, mostPerHour);
  const tokenSecretRef = { ...spec.tokenSecretRef, key: tokenKey };
  return { ...connection, spec: { ...spec, tokenSecretRef, budget: { maxRequestsPerHour } } };
}

function unknownConnection(key: ObjectKey, teamId: string | undefined) {
  const [namespace = "", name = ""] = key.split("/");
  return {
    metadata: { namespace, name },
    spec: { tokenSecretRef: { name, key: tokenKey }, ...(teamId !== undefined && { teamId }) },
  };
}

/** Every Secret that a connection may ask for holds the token. */
function tokenReader(token: SecretValue): Pick<KubeClient, "get"> {
  const data = { [tokenKey]: Buffer.from(token.reveal(), "utf8").toString("base64") };
  return {
    // The cast is sound: accounts ask for nothing but Secrets.
    get: async <T extends KubeObject>(_type: unknown, { name }: { readonly name: string }) => {
      const secret: Secret = { apiVersion: "v1", kind: "Secret", metadata: { name }, data };
      return secret as KubeObject as T;
    },
  };
}

function fileReader(objects: OfflineObjects): Pick<KubeClient, "get"> {
  const found = new Map([
    [secrets.plural, byKey(objects.secrets)] as const,
    [configMaps.plural, byKey(objects.configMaps)],
  ]);
  const refused = new Map(objects.refused.map((each) => [`${each.kind}/${objectKey(each.metadata)}`, each.field]));
  return {
    get: async <T extends KubeObject>(
      { kind, plural }: { readonly kind: string; readonly plural: string },
      { namespace, name }: { readonly namespace?: string; readonly name: string },
    ) => {
      const key = objectKey(namespace === undefined ? { name } : { namespace, name });
      const field = refused.get(`${kind}/${key}`);
      if (field !== undefined) {
        const detail = `${field} is not text: write it in quotes`;
        throw new KubeError({ code: "invalid", step: `get ${plural} ${key}`, detail });
      }
      const object = found.get(plural)?.get(key);
      if (object === undefined) {
        throw new KubeError({ code: "not_found", step: `get ${plural} ${key}`, detail: "it is not in the files" });
      }
      return object as KubeObject as T;
    },
  };
}

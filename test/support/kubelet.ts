import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { KubeObject } from "../../src/kube/types.ts";
import type { CleanCluster } from "./cluster.ts";
import { resourceTypeOf } from "./manifests.ts";

/** A container, as far as it concerns a process. */
export interface Container {
  readonly name: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly EnvVar[];
  readonly envFrom?: readonly {
    readonly prefix?: string;
    readonly secretRef?: SourceRef;
    readonly configMapRef?: SourceRef;
  }[];
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string; readonly subPath?: string }[];
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly startupProbe?: Probe;
}

interface EnvVar {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: {
    readonly fieldRef?: { readonly fieldPath: string };
    readonly secretKeyRef?: SourceRef & { readonly key: string };
    readonly configMapKeyRef?: SourceRef & { readonly key: string };
  };
}

interface SourceRef {
  readonly name: string;
  readonly optional?: boolean;
}

interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: number | string };
}

interface Volume {
  readonly name: string;
  readonly secret?: { readonly secretName: string; readonly optional?: boolean; readonly items?: readonly Item[] };
  readonly configMap?: SourceRef & { readonly items?: readonly Item[] };
  readonly emptyDir?: object;
}

interface Item {
  readonly key: string;
  readonly path: string;
}

export interface PodSpec {
  readonly serviceAccountName?: string;
  readonly automountServiceAccountToken?: boolean;
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly volumes?: readonly Volume[];
}

/** A live Deployment. */
export interface DeploymentObject extends KubeObject {
  readonly spec: {
    readonly replicas?: number;
    readonly template: { readonly metadata: KubeObject["metadata"]; readonly spec: PodSpec };
  };
}

export interface Mounts {
  /** A text that begins with the path of a mount, or has it behind a `=`, with the folder of this machine instead. */
  translate(text: string): string;
}

/** The part of a kubelet that prepares what a container finds. */
export function createKubelet(options: {
  readonly cluster: CleanCluster;
  readonly namespace: string;
  readonly deployment: DeploymentObject;
  readonly folder: string;
}) {
  const { cluster, namespace, deployment, folder } = options;

  /** Keys and values of a Secret or ConfigMap; an optional one that is not there has none. */
  const dataOf = async (kind: "Secret" | "ConfigMap", ref: SourceRef): Promise<Readonly<Record<string, Buffer>>> => {
    const type = resourceTypeOf({ apiVersion: "v1", kind });
    try {
      const source = await cluster.client.get<KubeObject & { readonly data?: Readonly<Record<string, string>> }>(type, {
        namespace,
        name: ref.name,
      });
      const encoding = kind === "Secret" ? "base64" : "utf8";
      return Object.fromEntries(
        Object.entries(source.data ?? {}).map(([key, value]) => [key, Buffer.from(value, encoding)]),
      );
    } catch (error) {
      if (ref.optional === true) return {};
      throw new Error(`the pod would wait for its ${kind} ${ref.name}`, { cause: error });
    }
  };

  const variableOf = async ({ value, valueFrom }: EnvVar): Promise<string | undefined> => {
    if (valueFrom === undefined) return value ?? "";
    const { fieldRef, secretKeyRef, configMapKeyRef } = valueFrom;
    if (fieldRef !== undefined) return fieldOf(fieldRef.fieldPath);
    if (secretKeyRef !== undefined) return (await dataOf("Secret", secretKeyRef))[secretKeyRef.key]?.toString();
    if (configMapKeyRef !== undefined)
      return (await dataOf("ConfigMap", configMapKeyRef))[configMapKeyRef.key]?.toString();
    throw new Error(`this kubelet does not know ${JSON.stringify(valueFrom)}`);
  };

  const fieldOf = (path: string): string => {
    const { serviceAccountName = "default" } = deployment.spec.template.spec;
    const fields: Readonly<Record<string, string>> = {
      "metadata.name": `${deployment.metadata.name}-0`,
      "metadata.namespace": namespace,
      "spec.serviceAccountName": serviceAccountName,
      "status.podIP": "127.0.0.1",
    };
    const value = fields[path];
    if (value === undefined) throw new Error(`this kubelet does not know the field ${path}`);
    return value;
  };

  const filesOf = async (volume: Volume): Promise<Readonly<Record<string, Buffer>>> => {
    const { secret, configMap, emptyDir } = volume;
    if (emptyDir !== undefined) return {};
    if (secret !== undefined) {
      const ref = { name: secret.secretName, ...(secret.optional === undefined ? {} : { optional: secret.optional }) };
      return picked(await dataOf("Secret", ref), secret.items);
    }
    if (configMap !== undefined) return picked(await dataOf("ConfigMap", configMap), configMap.items);
    throw new Error(`this kubelet does not know the volume ${JSON.stringify(volume)}`);
  };

  return {
    environment: async ({ env = [], envFrom = [] }: Container): Promise<Readonly<Record<string, string>>> => {
      const all: Record<string, string> = {};
      for (const { prefix = "", secretRef, configMapRef } of envFrom) {
        const data = {
          ...(secretRef === undefined ? {} : await dataOf("Secret", secretRef)),
          ...(configMapRef === undefined ? {} : await dataOf("ConfigMap", configMapRef)),
        };
        for (const [key, value] of Object.entries(data)) all[prefix + key] = value.toString();
      }
      for (const one of env) {
        const value = await variableOf(one);
        if (value !== undefined) all[one.name] = expanded(value, all);
      }
      return all;
    },

    mount: async ({ volumes = [] }: PodSpec, { volumeMounts = [] }: Container): Promise<Mounts> => {
      const places: { readonly from: string; readonly to: string }[] = [];
      for (const { name, mountPath, subPath } of volumeMounts) {
        const volume = volumes.find((one) => one.name === name);
        if (volume === undefined || subPath !== undefined) throw new Error(`cannot mount ${name} at ${mountPath}`);
        const to = join(folder, "volumes", name);
        mkdirSync(to, { recursive: true });
        for (const [path, data] of Object.entries(await filesOf(volume))) {
          mkdirSync(dirname(join(to, path)), { recursive: true });
          writeFileSync(join(to, path), data, { mode: 0o600 });
        }
        places.push({ from: mountPath.replace(/\/$/, ""), to });
      }
      const moved = (path: string): string => {
        const place = places.find(({ from }) => path === from || path.startsWith(`${from}/`));
        return place === undefined ? path : place.to + path.slice(place.from.length);
      };
      return { translate: (text) => text.replace(/^(--[\w-]+=)?(\/.*)$/, (_, flag = "", path) => flag + moved(path)) };
    },

    /** Fills a folder as a kubelet fills `/var/run/secrets/kubernetes.io/serviceaccount`, and returns its path. */
    serviceAccount: async ({
      serviceAccountName = "default",
      automountServiceAccountToken,
    }: PodSpec): Promise<string> => {
      const type = resourceTypeOf({ apiVersion: "v1", kind: "ServiceAccount" });
      const account = await cluster.client.get<KubeObject & { readonly automountServiceAccountToken?: boolean }>(type, {
        namespace,
        name: serviceAccountName,
      });
      if (!(automountServiceAccountToken ?? account.automountServiceAccountToken ?? true)) {
        throw new Error(`the pod would have no token of ${serviceAccountName}`);
      }
      const mounted = join(folder, "serviceaccount");
      mkdirSync(mounted);
      const token = await cluster.serviceAccountToken({ namespace, name: serviceAccountName });
      writeFileSync(join(mounted, "token"), token, { mode: 0o600 });
      copyFileSync(cluster.caFile, join(mounted, "ca.crt"));
      writeFileSync(join(mounted, "namespace"), namespace);
      return mounted;
    },
  };
}

function picked(
  data: Readonly<Record<string, Buffer>>,
  items: readonly Item[] | undefined,
): Readonly<Record<string, Buffer>> {
  if (items === undefined) return data;
  return Object.fromEntries(
    items.map(({ key, path }) => {
      const value = data[key];
      if (value === undefined) throw new Error(`there is no key ${key} to be mounted as ${path}`);
      return [path, value];
    }),
  );
}

/** `$(NAME)` is the value of a variable, where there is one. */
export function expanded(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(/\$\(([A-Za-z_]\w*)\)/g, (whole, name: string) => env[name] ?? whole);
}

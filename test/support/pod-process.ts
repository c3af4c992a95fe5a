import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { type OperatorProcess, superviseOperator } from "../../sandbox/operator-process.ts";
import { parseConfig } from "../../src/config.ts";
import { operatorProgram } from "./build-operator.ts";
import type { CleanCluster } from "./cluster.ts";
import { readStages, type Stage } from "./image-tree.ts";
import { type Container, createKubelet, type DeploymentObject, expanded, type PodSpec } from "./kubelet.ts";
import { resourceTypeOf } from "./manifests.ts";

/*
 * A pod as a process of this machine: what a kubelet makes of a Deployment, without containers.
 *
 * As rendered: arguments, environment (with what `valueFrom` names), the service account's own token, Secrets and
 * ConfigMaps as files, the entry point of the Dockerfile, how it is probed and how it is ended.
 *
 * Not as rendered, because processes of one machine share its ports and folders:
 * - The program listens on free ports of loopback. That it would listen where the probes ask is checked by its own reading
 *   of the rendered arguments and environment.
 * - What a kubelet mounts is in a temporary folder. Arguments and variables that begin with the path of a mount name that
 *   folder. What the program finds by itself, the token of the service account, is where it is in a pod if root runs the
 *   tests, who may mount it there for this process alone. For anybody else a kubeconfig names it, in KUBECONFIG.
 * - Variables are added for flags that the pod does not set: the address of the Northflank sandbox, and short intervals.
 *   A flag of the pod wins over them.
 *
 * Image, user, resources, security context and network policy take no effect.
 */

/** One probe of the pod, asked as the kubelet would. */
export interface ProbeAnswer {
  readonly probe: "livenessProbe" | "readinessProbe" | "startupProbe";
  readonly path: string;
  readonly status: number;
}

/** The operator under what its pod would have. */
export interface PodProcess extends OperatorProcess {
  readonly deployment: DeploymentObject;
  /** Every probe that the pod has. */
  probes(): Promise<readonly ProbeAnswer[]>;
}

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

/** Short, so that the ends of the examples are seen soon. */
const hurry = {
  NORTHFLANK_OPERATOR_ROLLOUT_POLL_INTERVAL: "150ms",
  NORTHFLANK_OPERATOR_RUN_POLL_INTERVAL: "150ms",
  NORTHFLANK_OPERATOR_START_SETTLE: "500ms",
  NORTHFLANK_OPERATOR_LOG_FORMAT: "json",
};

/** Starts what the pod of a live Deployment would start. The first replica, where there are several. */
export async function startPod(options: {
  readonly cluster: CleanCluster;
  readonly deployment: { readonly namespace: string; readonly name: string };
  readonly northflankUrl: string;
}): Promise<PodProcess> {
  const { cluster, northflankUrl } = options;
  const { namespace } = options.deployment;
  const type = resourceTypeOf({ apiVersion: "apps/v1", kind: "Deployment" });
  const deployment = await cluster.client.get<DeploymentObject>(type, options.deployment);
  const pod = deployment.spec.template.spec;
  const container = onlyContainer(pod);
  const image = imageStage();
  const folder = mkdtempSync(join(tmpdir(), "northflank-operator-pod-"));
  const kubelet = createKubelet({ cluster, namespace, deployment, folder });
  try {
    const mounts = await kubelet.mount(pod, container);
    const rendered = await kubelet.environment(container);
    const args = (container.args ?? image.cmd).map((text) => expanded(text, rendered));
    const listens = listensAt(args, rendered);
    checkPorts(container, listens);
    const given = withoutFlags(
      [...(container.command ?? image.entrypoint), ...args],
      ["health-bind-address", "metrics-bind-address", "webhook-bind-address"],
    );
    const named = ([name, value]: readonly [string, string]) => [name, mounts.translate(value)];
    const access = accessTo(cluster, { mounted: await kubelet.serviceAccount(pod), folder, namespace });
    const operator = superviseOperator({
      command: access.wrapped(
        commandOf(
          image,
          given.map((text) => mounts.translate(text)),
        ),
      ),
      env: {
        ...hurry,
        NORTHFLANK_OPERATOR_API_URL: northflankUrl,
        NORTHFLANK_OPERATOR_ALLOWED_API_HOSTS: new URL(northflankUrl).host,
        ...image.env,
        HOSTNAME: `${options.deployment.name}-0`,
        ...Object.fromEntries(Object.entries(rendered).map(named)),
        NORTHFLANK_OPERATOR_HEALTH_BIND_ADDRESS: "127.0.0.1:0",
        NORTHFLANK_OPERATOR_METRICS_BIND_ADDRESS: "127.0.0.1:0",
        ...(listens.webhook !== undefined && { NORTHFLANK_OPERATOR_WEBHOOK_BIND_ADDRESS: "127.0.0.1:0" }),
        ...access.env,
      },
    });
    return podProcess({ operator, deployment, container, listens, folder });
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

function podProcess(parts: {
  readonly operator: OperatorProcess;
  readonly deployment: DeploymentObject;
  readonly container: Container;
  readonly listens: Listens;
  readonly folder: string;
}): PodProcess {
  const { operator, deployment, container, listens, folder } = parts;
  const cleanUp = () => rmSync(folder, { recursive: true, force: true });
  const ask = async (probe: ProbeAnswer["probe"]): Promise<readonly ProbeAnswer[]> => {
    const get = container[probe]?.httpGet;
    if (get === undefined) return [];
    const port = portOf(container, get.port);
    if (port !== listens.health) throw new Error(`the ${probe} asks port ${port}, but ${listens.health} answers it`);
    const answer = await fetch((await operator.ready()) + get.path);
    await answer.body?.cancel();
    return [{ probe, path: get.path, status: answer.status }];
  };
  return {
    ...operator,
    deployment,
    probes: async () => [
      ...(await ask("livenessProbe")),
      ...(await ask("readinessProbe")),
      ...(await ask("startupProbe")),
    ],
    stop: async () => {
      const code = await operator.stop();
      cleanUp();
      return code;
    },
    [Symbol.asyncDispose]: async () => {
      await operator[Symbol.asyncDispose]();
      cleanUp();
    },
  };
}

function onlyContainer({ containers, initContainers }: PodSpec): Container {
  const [container, ...others] = [...containers, ...(initContainers ?? [])];
  if (container === undefined || others.length > 0) throw new Error("this starts pods of exactly one container");
  return container;
}

/** What the image says of every container. */
function imageStage(): Stage {
  const stage = readStages(join(root, "Dockerfile")).at(-1);
  if (stage === undefined) throw new Error("the Dockerfile makes no image");
  return stage;
}

/** The same program, of this checkout and for this machine. */
function commandOf(image: Stage, [node, program, ...args]: readonly string[]): Command {
  const [imageNode, imageProgram] = image.entrypoint;
  if (node !== imageNode || program !== imageProgram) throw new Error(`the image has no ${node} ${program}`);
  return [process.execPath, operatorProgram, ...args];
}

type Command = readonly [string, ...string[]];

/** How the process finds the API server and its own token. */
function accessTo(
  { url, caFile }: CleanCluster,
  given: { readonly mounted: string; readonly folder: string; readonly namespace: string },
): { readonly env: Readonly<Record<string, string>>; wrapped(command: Command): Command } {
  const { mounted, folder, namespace } = given;
  if (process.getuid?.() === 0) {
    const { hostname, port } = new URL(url);
    const mount = `
      mount -t tmpfs tmpfs /var/run
      mkdir -p /var/run/secrets/kubernetes.io
      cp -r "$1" /var/run/secrets/kubernetes.io/serviceaccount
      shift
      exec "$@"`;
    return {
      env: { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port },
      wrapped: (command) => ["unshare", "--mount", "sh", "-ec", mount, "sh", mounted, ...command],
    };
  }
  const path = join(folder, "kubeconfig");
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "pod", cluster: { server: url, "certificate-authority": caFile } }],
    users: [{ name: "pod", user: { tokenFile: join(mounted, "token") } }],
    contexts: [{ name: "pod", context: { cluster: "pod", user: "pod", namespace } }],
    "current-context": "pod",
  };
  writeFileSync(path, stringify(config), { mode: 0o600 });
  return { env: { KUBECONFIG: path }, wrapped: (command) => command };
}

interface Listens {
  readonly health: number | undefined;
  readonly metrics: number | undefined;
  readonly webhook: number | undefined;
}

/** Where the program would listen in the pod, by its own reading of what is rendered. */
function listensAt(args: readonly string[], env: Readonly<Record<string, string>>): Listens {
  const result = parseConfig({ args: args.slice(1), env });
  if (result.kind !== "config") throw new Error(`the program refuses what is rendered: ${JSON.stringify(result)}`);
  const { healthBindAddress, metricsBindAddress, webhookBindAddress } = result.config;
  return { health: healthBindAddress?.port, metrics: metricsBindAddress?.port, webhook: webhookBindAddress?.port };
}

/** A port that the pod names is one that the program listens on. */
function checkPorts({ ports = [] }: Container, listens: Listens): void {
  for (const { name, containerPort } of ports) {
    const port = Object.entries(listens).find(([endpoint]) => endpoint === name)?.[1];
    if (port !== containerPort) throw new Error(`port ${name} is ${containerPort}, but the program has it at ${port}`);
  }
}

function portOf({ ports = [] }: Container, port: number | string): number {
  if (typeof port === "number") return port;
  const found = ports.find(({ name }) => name === port);
  if (found === undefined) throw new Error(`the container has no port named ${port}`);
  return found.containerPort;
}

/** Without these flags, in both forms: `--name=value` and `--name value`. */
function withoutFlags(args: readonly string[], names: readonly string[]): readonly string[] {
  return args.filter((text, index) => {
    const isOurs = (arg: string | undefined) => names.some((name) => arg === `--${name}`);
    return !isOurs(text) && !isOurs(args[index - 1]) && !names.some((name) => text.startsWith(`--${name}=`));
  });
}

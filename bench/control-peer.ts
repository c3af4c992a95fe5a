import {
  CustomObjectsApi,
  KubeConfig,
  type KubernetesObject,
  makeInformer,
  PatchStrategy,
  setHeaderOptions,
} from "@kubernetes/client-node";

/**
 * The control of the benchmark: the same work done with the plain `@kubernetes/client-node` informer and generated API
 * classes, the way most Node programs do it, with a deduplicating queue and eight workers.
 *
 * For each NorthflankDeployment whose generation was not handled: read the service, post the declared image, patch the
 * status; ten seconds later read the service again and, when the rollout is complete, patch the status. It compares
 * nothing, counts no quota, writes no Events and has no metrics. Prints `ready` when its cache is filled.
 */
interface Deployment extends KubernetesObject {
  spec: { projectId: string; serviceId: string; deployment: object };
  status?: { observedGeneration?: number };
}

const group = "northflank-operator.io";
const version = "v1alpha1";
const plural = "northflankdeployments";
const workers = 8;
// The delay before the first poll of a rollout, as in the operator.
const pollMs = 10_000;

const apiUrl = required("API_URL");
const headers = { authorization: `Bearer ${required("API_TOKEN")}`, "content-type": "application/json" };
const config = new KubeConfig();
config.loadFromFile(required("KUBECONFIG"));
const api = config.makeApiClient(CustomObjectsApi);

const cache = new Map<string, Deployment>();
const waiting = new Set<string>();
const busy = new Set<string>();

const informer = makeInformer<Deployment>(config, `/apis/${group}/${version}/${plural}`, async () => {
  const list = await api.listClusterCustomObject({ group, version, plural });
  return list as never;
});
const changed = (object: Deployment) => {
  cache.set(keyOf(object), object);
  enqueue(keyOf(object));
};
informer.on("add", changed);
informer.on("update", changed);
informer.on("delete", (object) => cache.delete(keyOf(object)));
informer.on("error", (error: unknown) => {
  console.error("watch failed", error);
  setTimeout(() => void informer.start(), 1_000);
});
await informer.start();
console.log("ready");

function keyOf(object: Deployment): string {
  return `${object.metadata?.namespace}/${object.metadata?.name}`;
}

function enqueue(key: string): void {
  waiting.add(key);
  drain();
}

function drain(): void {
  for (const key of waiting) {
    if (busy.size >= workers) return;
    if (busy.has(key)) continue;
    waiting.delete(key);
    busy.add(key);
    reconcile(key)
      .catch((error: unknown) => {
        console.error("failed", key, error instanceof Error ? error.message.slice(0, 200) : "");
        setTimeout(() => enqueue(key), 1_000);
      })
      .finally(() => {
        busy.delete(key);
        drain();
      });
  }
}

/** What was sent and is being rolled out, by key. */
const rollingOut = new Map<string, number>();

async function reconcile(key: string): Promise<void> {
  const object = cache.get(key);
  const generation = object?.metadata?.generation;
  if (object === undefined || generation === undefined) return;
  const { projectId, serviceId, deployment } = object.spec;
  const service = `${apiUrl}/v1/projects/${projectId}/services/${serviceId}`;
  if (rollingOut.get(key) === generation) {
    const seen = await read(service);
    if (seen.data?.status?.deployment?.status !== "COMPLETED") {
      setTimeout(() => enqueue(key), pollMs);
      return;
    }
    await writeStatus(object, "True", "RolloutComplete");
    rollingOut.delete(key);
    return;
  }
  if (object.status?.observedGeneration === generation) return;
  await read(service);
  const sent = await fetch(`${service}/deployment`, { method: "POST", headers, body: JSON.stringify(deployment) });
  if (!sent.ok) throw new Error(`post deployment: ${sent.status}`);
  await sent.json();
  await writeStatus(object, "Unknown", "RollingOut");
  rollingOut.set(key, generation);
  setTimeout(() => enqueue(key), pollMs);
}

interface ServiceAnswer {
  readonly data?: { readonly status?: { readonly deployment?: { readonly status?: string } } };
}

async function read(service: string): Promise<ServiceAnswer> {
  const answer = await fetch(service, { headers });
  if (!answer.ok) throw new Error(`get service: ${answer.status}`);
  return (await answer.json()) as ServiceAnswer;
}

async function writeStatus(object: Deployment, ready: "True" | "Unknown", reason: string): Promise<void> {
  const observedGeneration = object.metadata?.generation;
  const lastTransitionTime = `${new Date().toISOString().slice(0, 19)}Z`;
  const condition = (type: string, status: string) => ({
    type,
    status,
    reason,
    message: `the image is ${JSON.stringify(object.spec.deployment)}`,
    lastTransitionTime,
    observedGeneration,
  });
  const conditions = [condition("Ready", ready), condition("Accepted", "True"), condition("InSync", "True")];
  await api.patchNamespacedCustomObjectStatus(
    {
      group,
      version,
      plural,
      namespace: object.metadata?.namespace ?? "",
      name: object.metadata?.name ?? "",
      body: { status: { observedGeneration, conditions } },
    },
    setHeaderOptions("Content-Type", PatchStrategy.MergePatch),
  );
}

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}

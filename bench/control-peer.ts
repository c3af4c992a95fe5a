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
 * status. Prints `ready` when its cache is filled.
 */
interface Deployment extends KubernetesObject {
  spec: { projectId: string; serviceId: string; deployment: object };
  status?: { observedGeneration?: number };
}

const group = "northflank-operator.io";
const version = "v1alpha1";
const plural = "northflankdeployments";
const workers = 8;

const apiUrl = required("API_URL");
const token = required("API_TOKEN");
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

async function reconcile(key: string): Promise<void> {
  const object = cache.get(key);
  const generation = object?.metadata?.generation;
  if (object === undefined || object.status?.observedGeneration === generation) return;
  const { projectId, serviceId, deployment } = object.spec;
  const service = `${apiUrl}/v1/projects/${projectId}/services/${serviceId}`;
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const seen = await fetch(service, { headers });
  if (!seen.ok) throw new Error(`get service: ${seen.status}`);
  await seen.json();
  const sent = await fetch(`${service}/deployment`, { method: "POST", headers, body: JSON.stringify(deployment) });
  if (!sent.ok) throw new Error(`post deployment: ${sent.status}`);
  await sent.json();
  const condition = (type: string, reason: string) => ({
    type,
    status: "True",
    reason,
    message: "image sent",
    lastTransitionTime: `${new Date().toISOString().slice(0, 19)}Z`,
    observedGeneration: generation,
  });
  const conditions = [condition("Ready", "Succeeded"), condition("InSync", "InSync")];
  await api.patchNamespacedCustomObjectStatus(
    {
      group,
      version,
      plural,
      namespace: object.metadata?.namespace ?? "",
      name: object.metadata?.name ?? "",
      body: { status: { observedGeneration: generation, conditions } },
    },
    setHeaderOptions("Content-Type", PatchStrategy.MergePatch),
  );
}

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}

import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { kinds } from "../src/api/kinds.ts";
import { northflankDeployments, northflankJobRuns } from "../src/api/names.ts";
import { events, type KubeObject, type ResourceType } from "../src/kube/types.ts";
import { readManifests, resourceTypeOf } from "../test/support/manifests.ts";
import { narrator } from "./narrator.ts";
import { root, startSandbox } from "./start.ts";
import { stopSignal } from "./stop-signal.ts";

/*
 * npm run demo: the whole product on this machine, step by step. Starts both APIs and the operator, applies examples/,
 * changes an image, causes drift, runs jobs, loses an answer, and ends with a summary. Exits 1 if a step did not have
 * the result that it announced.
 */

const namespace = "default";
const tell = narrator({ colour: process.stdout.isTTY === true && process.env.NO_COLOR === undefined });

const stopped = stopSignal();
const stoppedEarly = () => process.exit(130);

tell.say("Starting an in-memory Kubernetes API, an in-memory Northflank API and the operator between them ...");
await using sandbox = await startSandbox({
  northflank: { rolloutMs: 1_500, runMs: 1_500 },
  // Seconds instead of minutes, to keep the demo short: a real installation does not set these.
  flags: [
    "--rollout-poll-interval=500ms",
    "--run-poll-interval=500ms",
    "--start-gate=500ms",
    "--start-settle=500ms",
    "--request-timeout=2s",
  ],
  signal: stopped,
}).catch((error: unknown) => {
  if (stopped.aborted) stoppedEarly();
  throw error;
});
// The steps below wait for the APIs, which stay up until the end.
stopped.addEventListener("abort", () => {
  rmSync(sandbox.kubeconfigPath, { force: true });
  void sandbox.operator.stop().finally(stoppedEarly);
});
const { client, northflank, operator } = sandbox;
northflank.observer = (call) => tell.call(call, northflank.quota());
const watching = new AbortController();
for (const type of [...kinds.map((kind) => kind.type), events]) void follow(type);

tell.step("Apply examples/: a connection, a service that should run ghcr.io/acme/api:1.4.2, a run of the job migrate");
const examples = readdirSync(join(root, "examples"))
  .filter((file) => file.endsWith(".yaml"))
  .sort()
  .flatMap((file) => readManifests(join(root, "examples", file)));
for (const object of examples) await apply({ ...object, metadata: { namespace, ...object.metadata } });
const runs = examples.filter(({ kind }) => kind === "NorthflankJobRun").map(({ metadata }) => metadata.name);
await isReady(northflankDeployments, "api");
for (const name of runs) await hasCondition(northflankJobRuns, name, "Finished");

tell.step("Change the image in the manifest: one write, one rollout");
await change("api", { deployment: { external: { imagePath: "ghcr.io/acme/api:1.5.0" } } });
await isReady(northflankDeployments, "api");

tell.step("A user changes the image in Northflank's user interface; the next check corrects it");
northflank.setImage("shop", "api", "ghcr.io/acme/api:hotfix");
await client.patch(
  northflankDeployments,
  { namespace, name: "api" },
  { kind: "merge", body: { metadata: { annotations: { "northflank-operator.io/reconcile-requested-at": "now" } } } },
);
await tell.until("the image is back", () => northflank.service("shop", "api").image === "ghcr.io/acme/api:1.5.0");
await isReady(northflankDeployments, "api");

tell.step("A run that fails says so, and stays");
northflank.failNextRun("shop", "migrate");
await apply(jobRun("migrate-fails", "migrate"));
await hasCondition(northflankJobRuns, "migrate-fails", "Finished");

tell.step("Northflank starts a run, but its answer gets lost. The job must not run twice");
const before = northflank.runs("shop", "report").length;
let lost = false;
northflank.fault = (call) => {
  if (lost || call.method !== "POST" || !call.path.endsWith("/runs")) return undefined;
  lost = true;
  return { kind: "reset-after" };
};
await apply(jobRun("report-2026-11", "report"));
await hasCondition(northflankJobRuns, "report-2026-11", "Finished");
const reports = northflank.runs("shop", "report").length - before;

watching.abort();
await summary();

async function summary(): Promise<void> {
  tell.step("What is there now");
  const rows = await Promise.all(kinds.map(({ type }) => client.list<Watched>(type, { namespace })));
  tell.objects(rows.flatMap(({ items }) => items));
  const posts = northflank.calls.filter(({ method }) => method !== "GET").length;
  tell.say(`
Northflank: ${northflank.calls.length} requests (${posts} writes), ${northflank.quota().limit - northflank.quota().used} of ${northflank.quota().limit} left this hour.
Runs of report started: ${reports}, although the answer to the start was lost.`);
  const failed = reports !== 1 || !lost;
  const code = await operator.stop();
  if (failed || code !== 0) {
    tell.say(`\nThis did not go as it should: ${reports} runs of report, operator ended with ${code}.`);
    process.exitCode = 1;
    return;
  }
  tell.say("\nTry it yourself: npm run sandbox");
}

interface Watched extends KubeObject {
  readonly status?: {
    readonly observedGeneration?: number;
    readonly phase?: string;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
      readonly message: string;
    }[];
  };
}

async function follow(type: ResourceType): Promise<void> {
  const { metadata } = await client.list(type, { namespace });
  const sink = { onEvent: (event: { readonly type: string; readonly object: unknown }) => tell.change(event as never) };
  const from = metadata.resourceVersion === undefined ? {} : { resourceVersion: metadata.resourceVersion };
  // The demo ends its watches itself; nothing else may end them.
  await client.watch(type, { namespace, ...from }, sink, watching.signal).catch((error: unknown) => {
    if (!watching.signal.aborted) throw error;
  });
}

function apply(object: KubeObject): Promise<KubeObject> {
  return client.apply(resourceTypeOf(object), object, { fieldManager: "kubectl" });
}

async function change(name: string, spec: object): Promise<void> {
  await client.patch(northflankDeployments, { namespace, name }, { kind: "merge", body: { spec } });
}

function jobRun(name: string, jobId: string): KubeObject {
  const spec = { projectId: "shop", jobId };
  return {
    apiVersion: "northflank-operator.io/v1alpha1",
    kind: "NorthflankJobRun",
    metadata: { name, namespace },
    spec,
  } as KubeObject;
}

async function isReady(type: ResourceType, name: string): Promise<void> {
  await hasCondition(type, name, "Ready");
}

/** As `kubectl wait` sees it: the condition is True for the spec as it is now. */
async function hasCondition(type: ResourceType, name: string, condition: string): Promise<void> {
  await tell.until(`${type.kind} ${name} is ${condition}`, async () => {
    const { metadata, status } = await client.get<Watched>(type, { namespace, name });
    if (status?.observedGeneration !== metadata.generation) return false;
    return status?.conditions?.some((each) => each.type === condition && each.status === "True") ?? false;
  });
}

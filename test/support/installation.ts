import { type NorthflankSandbox, startNorthflank } from "../../sandbox/northflank/server.ts";
import type { KubeObject } from "../../src/kube/types.ts";
import { type CleanCluster, startCleanCluster } from "./cluster.ts";
import { exampleEnds, exampleManifests } from "./examples.ts";
import type { DeploymentObject } from "./kubelet.ts";
import { type PodProcess, startPod } from "./pod-process.ts";
import { openShell, type Shell } from "./shell.ts";

/** The namespace that everything we ship is installed in, and the name of the Deployment there. */
export const operatorName = "northflank-operator";

/** A new cluster, a Northflank, and a person at a terminal who installs the operator. */
export interface Installation extends AsyncDisposable {
  readonly cluster: CleanCluster;
  readonly northflank: NorthflankSandbox;
  readonly shell: Shell;
  /** Starts the pod of the Deployment that is in the cluster now, by default under our own name. Resolves when it is ready. */
  startOperator(name?: string): Promise<PodProcess>;
  /** Applies the examples as a user does, and waits for their ends. */
  applyExamples(namespace: string): Promise<void>;
  /** Has every object of a namespace compared with Northflank now. */
  reconcileAll(namespace: string): Promise<void>;
  /** Kind, namespace, name and finalizers of every object of ours. */
  objects(): Promise<readonly string[]>;
}

/** Our kinds, as the README writes them. */
export const ourKinds = "nfconn,nfdeploy,nfjob,nfrun";

/** A namespace that enforces the restricted Pod Security profile. */
const restricted = "restricted";

/** Starts cluster and Northflank, and opens the terminal. */
export async function startInstallation(): Promise<Installation> {
  const cluster = await startCleanCluster();
  const northflank = await startNorthflank({ rolloutMs: 400, runMs: 400 });
  const shell = openShell(cluster);
  await shell.run(`kubectl create namespace ${restricted}`);
  await shell.run(`kubectl label namespace ${restricted} pod-security.kubernetes.io/enforce=restricted`);
  const operators: PodProcess[] = [];
  let requests = 0;
  /** Adds to an error what the operator did meanwhile. */
  const explained = async (step: () => Promise<unknown>): Promise<void> => {
    try {
      await step();
    } catch (error) {
      const refused = [...new Set(await cluster.forbidden())].map((call) => `  ${call}`);
      const lines = (operators.at(-1)?.log ?? []).slice(-12).map((line) => `  ${JSON.stringify(line)}`);
      const story = ["refused to the operator with 403:", ...refused, "end of its log:", ...lines].join("\n");
      throw new Error(`${error instanceof Error ? error.message : error}\n${story}`, { cause: error });
    }
  };
  return {
    cluster,
    northflank,
    shell,
    startOperator: async (name = operatorName) => {
      const operator = await startPod({
        cluster,
        deployment: { namespace: operatorName, name },
        northflankUrl: northflank.url,
      });
      operators.push(operator);
      await operator.ready();
      return operator;
    },
    applyExamples: async (namespace) => {
      await shell.run(`kubectl apply --namespace ${namespace} -f examples/`);
      for (const [kind, condition] of Object.entries(exampleEnds)) {
        const names = exampleManifests.filter((one) => one.kind === kind).map(({ metadata }) => metadata.name);
        const wait = `kubectl wait --namespace ${namespace} --for=condition=${condition} --timeout=60s`;
        await explained(() => shell.run(`${wait} ${names.map((name) => `${kind}/${name}`).join(" ")}`));
      }
    },
    reconcileAll: async (namespace) => {
      const value = `request-${++requests}`;
      const annotation = `northflank-operator.io/reconcile-requested-at=${value}`;
      await shell.run(`kubectl annotate --namespace ${namespace} ${ourKinds} --all --overwrite ${annotation}`);
      const reached = `--for=jsonpath='{.status.lastHandledReconcileAt}'=${value} --timeout=60s`;
      await explained(() => shell.run(`kubectl wait --namespace ${namespace} ${ourKinds} --all ${reached}`));
    },
    objects: async () => {
      const { items } = await shell.json<{ readonly items: readonly KubeObject[] }>(
        `kubectl get ${ourKinds} --all-namespaces --output json`,
      );
      return items
        .map(({ kind, metadata: { namespace, name, finalizers = [] } }) =>
          [kind, namespace, name, ...finalizers].join(" "),
        )
        .sort();
    },
    [Symbol.asyncDispose]: async () => {
      for (const operator of operators) await operator[Symbol.asyncDispose]();
      await shell[Symbol.asyncDispose]();
      await northflank.stop();
      await cluster.stop();
    },
  };
}

/**
 * What the API server says of a pod of the Deployment in a namespace that enforces the restricted profile: 201, or the
 * refusal. Nothing is stored.
 */
export async function admissionOfPod(cluster: CleanCluster, deployment: DeploymentObject): Promise<unknown> {
  const { metadata, spec } = deployment.spec.template;
  const answer = await cluster.request("POST", `/api/v1/namespaces/${restricted}/pods?dryRun=All`, {
    body: { apiVersion: "v1", kind: "Pod", metadata: { ...metadata, name: "pod" }, spec },
  });
  return answer.status === 201 ? 201 : answer.body;
}

/**
 * Ends the deletion of a namespace, which the namespace controller does in a cluster: what is in it goes, then its own
 * finalizer.
 */
export async function finishDeletion({ cluster, shell }: Installation, namespace: string): Promise<void> {
  const kinds = (await shell.run("kubectl api-resources --namespaced --verbs=delete,list --output name")).trim();
  await shell.run(`kubectl delete ${kinds.split("\n").join(",")} --all --namespace ${namespace} --wait=false`);
  const path = `/api/v1/namespaces/${namespace}`;
  const found = (await cluster.request("GET", path)).body as object;
  const { status } = await cluster.request("PUT", `${path}/finalize`, {
    body: { ...found, spec: { finalizers: [] } },
  });
  if (status !== 200) throw new Error(`the namespace ${namespace} did not go: HTTP ${status}`);
}

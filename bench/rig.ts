import { type NorthflankSandbox, startNorthflank } from "../sandbox/northflank/server.ts";
import { northflankConnections } from "../src/api/names.ts";
import { type KubeObject, secrets } from "../src/kube/types.ts";
import { type Cluster, clusterUnderTest } from "../test/support/cluster.ts";
import { controlPeer, goControlPeer, operatorPeer, type Peer, type PeerName, type Program } from "./peers.ts";

/** What programs are measured on: a cluster of their own, an emulated Northflank, and a connection to it. */
export interface Rig extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly northflank: NorthflankSandbox;
  /** Where all objects of the benchmark are. */
  readonly namespace: string;
  readonly peers: Readonly<Record<"operator" | "control", Peer>> & {
    readonly [name in Exclude<PeerName, "operator" | "control">]: Peer | undefined;
  };
  /** Makes services that run an older image than the objects of the benchmark declare. */
  addServices(ids: readonly string[]): void;
}

const token = "bench-token";
// The benchmark never waits for quota.
const unlimited = 1_000_000_000;

/** Starts everything anew: a server that has seen thousands of changes is slower than one that has not. */
export async function openRig(options: {
  readonly kind: Cluster["kind"];
  readonly operator: Program;
  /** Path of the bundled control. */
  readonly control: string;
  /** Path of the control that is written in Go; not set where there is none. */
  readonly goControl: string | undefined;
  /** Another build of the operator to compare with; not set where there is none. */
  readonly against: Program | undefined;
}): Promise<Rig> {
  const cluster = await clusterUnderTest({ ...process.env, TEST_CLUSTER: options.kind }, { audit: false });
  const northflank = await startNorthflank({ limitPerHour: unlimited, rolloutMs: 0, rolloutLagMs: 0 });
  northflank.addToken(token);
  northflank.addProject("bench");
  const namespace = await cluster.freshNamespace();
  await connect(cluster, { namespace, apiURL: northflank.url });
  const environment = {
    kubeconfig: cluster.operatorKubeconfigPath,
    northflankUrl: northflank.url,
    token,
    leaseNamespace: namespace,
  };
  const { against, goControl } = options;
  return {
    cluster,
    northflank,
    namespace,
    peers: {
      operator: operatorPeer(options.operator, environment),
      control: controlPeer(options.control, environment),
      "controller-runtime": goControl === undefined ? undefined : goControlPeer(goControl, environment),
      against: against && { ...operatorPeer(against, environment), name: "against" },
    },
    addServices: (ids) => {
      for (const id of ids) northflank.addService("bench", { id, image: "ghcr.io/acme/api:1.0.0" });
    },
    [Symbol.asyncDispose]: async () => {
      await northflank[Symbol.asyncDispose]();
      await cluster.stop();
    },
  };
}

async function connect(
  { client }: Cluster,
  { namespace, apiURL }: { readonly namespace: string; readonly apiURL: string },
): Promise<void> {
  const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "nf-token", namespace }, stringData: { token } };
  await client.create<KubeObject>(secrets, secret);
  const spec = { tokenSecretRef: { name: "nf-token" }, apiURL, budget: { maxRequestsPerHour: 1_000_000 } };
  const connection = { apiVersion: "northflank-operator.io/v1alpha1", kind: "NorthflankConnection" };
  const metadata = { name: "default", namespace };
  await client.create<KubeObject>(northflankConnections, { ...connection, metadata, spec } as KubeObject);
}

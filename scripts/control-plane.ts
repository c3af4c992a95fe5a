import { startSharedCluster } from "../test/support/cluster.ts";

// A real kube-apiserver with etcd on this machine, with the CRDs and the RBAC of deploy/, until Ctrl-C:
//   npx tsx scripts/control-plane.ts

const { cluster } = await startSharedCluster({ env: process.env, say: (line) => console.error(line) });
console.log(`real Kubernetes API at ${cluster.url}

  export KUBECONFIG=${cluster.kubeconfigPath}             # administrator
  export KUBECONFIG=${cluster.operatorKubeconfigPath}     # the operator's service account

Ctrl-C stops it and removes everything.`);

await new Promise<void>((resolve) => {
  process.once("SIGINT", resolve);
  process.once("SIGTERM", resolve);
});
await cluster.stop();

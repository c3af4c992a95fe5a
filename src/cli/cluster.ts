import type { KubeClient, KubePodProxy } from "../kube/client.ts";
import { createKubeClient } from "../kube/http-client.ts";
import { loadKubeAccess } from "../kube/kubeconfig.ts";
import { present } from "../util/present.ts";
import { version } from "../version.ts";
import type { ToolDeps } from "./remote.ts";

/** Which cluster: the flags `--kubeconfig` and `--context`. */
export interface ClusterPlace {
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
}

/** The way to a cluster. Disposing of it ends credential plugins and closes connections. */
export interface OpenCluster extends AsyncDisposable {
  readonly client: KubeClient & KubePodProxy;
  /** That of the kubeconfig context. */
  readonly namespace: string;
}

/**
 * Opens the way to the cluster that a command works on; nothing is sent yet. `verb`: for the user agent.
 *
 * *Errors*: `KubeError` with code `config`.
 */
export async function openCluster(
  { kubeconfig: path, context }: ClusterPlace,
  { clock, env }: Pick<ToolDeps, "clock" | "env">,
  { verb, fieldManager }: { readonly verb: string; readonly fieldManager?: string },
): Promise<OpenCluster> {
  const access = await loadKubeAccess(present({ path, context }), { clock, env });
  const userAgent = `northflank-operator/${version} ${verb}`;
  const client = createKubeClient({ access, clock, userAgent, ...present({ fieldManager }) });
  return {
    client,
    namespace: access.namespace,
    [Symbol.asyncDispose]: async () => {
      await client[Symbol.asyncDispose]();
      access.close?.();
    },
  };
}

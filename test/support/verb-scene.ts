import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type KubernetesSandbox, startKubernetes } from "../../sandbox/kubernetes/server.ts";
import { kinds } from "../../src/api/kinds.ts";
import type { ExitCode } from "../../src/cli/io.ts";
import { verbs } from "../../src/cli/verbs/all.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { createKubeClient } from "../../src/kube/http-client.ts";
import { loadKubeAccess } from "../../src/kube/kubeconfig.ts";
import type { KubeObject } from "../../src/kube/types.ts";
import { type Clock, systemClock } from "../../src/util/clock.ts";
import { resourceTypeOf } from "./manifests.ts";

/** What a verb has printed, and its exit code. */
export interface VerbResult {
  readonly code: ExitCode;
  readonly out: string;
  readonly err: string;
}

export interface VerbOptions {
  readonly kubeconfig: string;
  readonly clock?: Clock;
  readonly isTerminal?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** Hears everything as it is printed. */
  readonly onPrint?: (text: string) => void;
}

/** Runs a verb as from a shell. */
export async function runVerbAt(args: readonly string[], options: VerbOptions): Promise<VerbResult> {
  const [name = "", ...rest] = args;
  const verb = Object.values(verbs).find((each) => each.name === name);
  if (verb === undefined) throw new Error(`there is no verb ${name}`);
  const out: string[] = [];
  const err: string[] = [];
  const keep = (lines: string[]) => (text: string) => {
    lines.push(text);
    options.onPrint?.(text);
  };
  const { isTerminal = false, stdin = "", clock = systemClock } = options;
  const io = {
    out: keep(out),
    err: keep(err),
    isTerminal,
    isErrorTerminal: isTerminal,
    readStdin: async () => stdin,
  };
  const env = { KUBECONFIG: options.kubeconfig, ...options.env };
  const code = await verb.run(rest, { env, io, clock, random: Math.random });
  return { code, out: out.join(""), err: err.join("") };
}

/** The clock of the system, whose timers are so many times faster: back-off and all. */
export function fasterClock(times: number): Clock {
  return { ...systemClock, setTimer: (callback, ms) => systemClock.setTimer(callback, ms / times) };
}

/** A cluster of its own without an operator: a test writes the statuses. */
export interface VerbScene extends AsyncDisposable {
  readonly sandbox: KubernetesSandbox;
  readonly client: KubeClient;
  readonly kubeconfig: string;
  run(args: readonly string[], options?: Partial<VerbOptions>): Promise<VerbResult>;
  /** Creates an object in `shop`, with its status if it has one. */
  store(object: KubeObject & { readonly status?: unknown }): Promise<KubeObject>;
  /** Replaces fields of the status. */
  setStatus(object: Pick<KubeObject, "apiVersion" | "kind" | "metadata">, status: object): Promise<void>;
  /** Removes every object of ours, and the fault of the server. */
  clear(): Promise<void>;
}

const crds = resolve(import.meta.dirname, "../../crds");

export async function startVerbScene(options: { readonly now?: () => number } = {}): Promise<VerbScene> {
  const sandbox = await startKubernetes(options);
  for (const file of readdirSync(crds).filter((name) => name.endsWith(".yaml"))) {
    sandbox.installCrds(readFileSync(join(crds, file), "utf8"));
  }
  const directory = mkdtempSync(join(tmpdir(), "northflank-operator-verbs-"));
  const kubeconfig = join(directory, "kubeconfig");
  writeFileSync(kubeconfig, sandbox.kubeconfig());
  const access = await loadKubeAccess({ path: kubeconfig }, { clock: systemClock });
  const client = createKubeClient({ access, clock: systemClock, fieldManager: "test" });
  const namespaced = { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } };
  await client.create(resourceTypeOf(namespaced), namespaced);
  const nameOf = ({ metadata: { name, namespace = "shop" } }: Pick<KubeObject, "metadata">) => ({ name, namespace });
  const scene: VerbScene = {
    sandbox,
    client,
    kubeconfig,
    run: (args, more = {}) => runVerbAt(args, { kubeconfig, env: { NORTHFLANK_OPERATOR_NAMESPACE: "shop" }, ...more }),
    store: async ({ status, ...object }) => {
      const { uid: _, resourceVersion: __, generation: ___, creationTimestamp: ____, ...metadata } = object.metadata;
      const stored = await client.create(resourceTypeOf(object), {
        ...object,
        metadata: { namespace: "shop", ...metadata },
      });
      if (status !== undefined) await scene.setStatus(object, status as object);
      return stored;
    },
    setStatus: async (object, status) => {
      const body = { status };
      await client.patch(
        resourceTypeOf(object as KubeObject),
        nameOf(object),
        { kind: "merge", body },
        { subresource: "status" },
      );
    },
    clear: async () => {
      sandbox.fault = undefined;
      for (const { type } of kinds) {
        const { items } = await client.list(type, {});
        for (const { metadata } of items) await client.delete(type, metadata);
      }
    },
    [Symbol.asyncDispose]: async () => {
      await client[Symbol.asyncDispose]();
      await sandbox.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  return scene;
}

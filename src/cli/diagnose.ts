import { writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { kinds } from "../api/kinds.ts";
import { group } from "../api/names.ts";
import { flagsOfRun } from "../config.ts";
import {
  clusterFlags,
  describe,
  type Flag,
  flag,
  formatConfigProblem,
  readSettings,
  type Settings,
  text,
} from "../flags.ts";
import type { KubeClient, KubePodProxy } from "../kube/client.ts";
import { isKubeError } from "../kube/errors.ts";
import { listAll } from "../kube/list-all.ts";
import { events, type KubeObject, leases, pods, type ResourceType } from "../kube/types.ts";
import { isRecord } from "../util/records.ts";
import { revision, version } from "../version.ts";
import { openCluster } from "./cluster.ts";
import { redactedObject, redactedPod } from "./diagnose-redact.ts";
import type { ExitCode } from "./io.ts";
import { plainLine } from "./printable.ts";
import type { ToolDeps } from "./remote.ts";
import { type ArchivedFile, tarOf } from "./tar.ts";

const crds: ResourceType = {
  group: "apiextensions.k8s.io",
  version: "v1",
  plural: "customresourcedefinitions",
  kind: "CustomResourceDefinition",
  namespaced: false,
};

const flags = {
  output: {
    ...flag("output", "FILE", "northflank-operator-diagnostics.tar.gz", text, "file that is written (short: -o)"),
    short: "o",
  },
  operatorNamespace: flag("operator-namespace", "NAME", "northflank-operator", text, "namespace of the operator"),
  ...clusterFlags,
} as const;

/** The flags of `diagnose`, for its help and the reference. */
export const flagsOfDiagnose: readonly Flag<unknown>[] = Object.values(flags);

const usage = `usage: northflank-operator diagnose [-o FILE] [FLAGS]

Writes a .tar.gz with what a report about the operator needs: versions, pods with their flags, readiness, metrics, the status
page if it is served, the Lease, the CRDs, the status of all objects, and their Events.

It never reads a Secret. Of specs, texts that may be secrets are removed: values of variables, contents of files, commands.
Names of objects, images and messages stay: read the files before you publish them. What could not be read is in errors.txt.

${describe(flagsOfDiagnose)}

exit codes: 0 written, 1 nothing could be read or the file could not be written, 2 wrong usage
`;

type Read = Settings & { readonly kind: "settings" };

/** `northflank-operator diagnose`: writes a bundle for a report. */
export async function runDiagnose(args: readonly string[], deps: ToolDeps): Promise<ExitCode> {
  const { io, env, clock } = deps;
  const settings = readSettings({ command: "diagnose", flags: flagsOfDiagnose, args, env });
  if (settings.kind === "help") {
    io.out(usage);
    return 0;
  }
  if (settings.problems.length > 0) {
    io.err("northflank-operator diagnose: the flags are not valid\n");
    for (const problem of settings.problems) io.err(`  ${plainLine(formatConfigProblem(problem))}\n`);
    return 2;
  }
  try {
    const collected = await collect(settings, deps);
    const errors = collected.errors.map((error) => `${error}\n`).join("");
    const files = errors === "" ? collected.files : [...collected.files, { name: "errors.txt", text: errors }];
    if (collected.files.length <= 1) {
      io.err(`northflank-operator diagnose: nothing could be read\n${errors}`);
      return 1;
    }
    const path = settings.of(flags.output);
    await writeFile(path, await promisify(gzip)(tarOf(files, clock.now())), { mode: 0o600 });
    io.out(`${plainLine(path)}: ${files.map(({ name }) => name).join(", ")}\n`);
    if (errors !== "") io.err(`not everything could be read:\n${errors}`);
    return 0;
  } catch (error) {
    if (!isKubeError(error) && !isFileError(error)) throw error;
    io.err(`northflank-operator diagnose: ${plainLine(error.message)}\n`);
    return 1;
  }
}

function isFileError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error;
}

interface Collected {
  readonly files: ArchivedFile[];
  readonly errors: string[];
}

type Client = Pick<KubeClient, "list" | "get"> & Pick<KubePodProxy, "podText">;

async function collect(settings: Read, deps: ToolDeps): Promise<Collected> {
  const place = { kubeconfig: settings.of(flags.kubeconfig), context: settings.of(flags.context) };
  await using cluster = await openCluster(place, deps, { verb: "diagnose" });
  const time = new Date(deps.clock.now()).toISOString();
  return await collectFrom(cluster.client, settings.of(flags.operatorNamespace), time);
}

/**
 * Everything that can be read. One part that fails is a line of `errors`, and does not keep the others away.
 *
 * *Guarantees*: no Secret is read; nothing of a spec but what `diagnose-redact.ts` keeps.
 */
export async function collectFrom(client: Client, namespace: string, time: string): Promise<Collected> {
  const tool = `northflank-operator ${version} (${revision}), ${time}\n`;
  const collected: Collected = { files: [{ name: "version.txt", text: tool }], errors: [] };
  const add = async (name: string, read: () => Promise<unknown>): Promise<void> => {
    try {
      const content = await read();
      collected.files.push({
        name,
        text: typeof content === "string" ? content : `${JSON.stringify(content, null, 2)}\n`,
      });
    } catch (error) {
      if (!isKubeError(error)) throw error;
      collected.errors.push(plainLine(`${name}: ${error.message}`));
    }
  };
  const isOperator = { namespace, labelSelector: "app.kubernetes.io/name=northflank-operator" };
  let found: readonly KubeObject[] = [];
  await add("pods.json", async () => {
    found = await all(client, pods, isOperator);
    return found.map((pod) => redactedPod({ ...pod }, knownFlags));
  });
  for (const [at, pod] of found.slice(0, mostPods).entries()) {
    const read = (port: number, of: string) => () =>
      client.podText({ namespace, name: pod.metadata.name }, { port, path: of });
    const { metrics = 8_080, health = 8_081 } = portsOf(pod);
    await add(`pod-${at}/readyz.txt`, read(health, "/readyz?verbose"));
    await add(`pod-${at}/metrics.txt`, read(metrics, "/metrics"));
    await add(`pod-${at}/status.html`, read(health, "/"));
  }
  await add("lease.json", async () => leaseOf(await client.get(leases, { namespace, name: "northflank-operator" })));
  await add("crds.json", async () => (await all(client, crds, {})).filter(isOurs).map(crdOf));
  for (const { type } of kinds) {
    await add(`${type.plural}.json`, async () =>
      (await all(client, type, {})).map((one) => redactedObject({ ...one })),
    );
  }
  await add("events.json", async () => (await all(client, events, {})).flatMap(eventOf));
  return collected;
}

const knownFlags: ReadonlySet<string> = new Set(flagsOfRun().map(({ name }) => `--${name}`));

const mostPods = 5;
const mostPages = 100;

function all(client: Client, type: ResourceType, options: object): Promise<readonly KubeObject[]> {
  return listAll(client, type, { ...options, mostPages });
}

/** The ports of a pod by their names. */
function portsOf(pod: object): { readonly metrics?: number; readonly health?: number } {
  const { spec } = pod as {
    readonly spec?: { readonly containers?: readonly { readonly ports?: readonly unknown[] }[] };
  };
  const ports = (spec?.containers ?? []).flatMap((container) => container.ports ?? []).filter(isRecord);
  const named = ports.flatMap(({ name, containerPort }) =>
    (name === "metrics" || name === "health") && typeof containerPort === "number" ? [[name, containerPort]] : [],
  );
  return Object.fromEntries(named);
}

function leaseOf(lease: KubeObject): object {
  const { spec, metadata } = lease as KubeObject & { readonly spec?: unknown };
  return { name: metadata.name, spec };
}

function isOurs({ metadata }: KubeObject): boolean {
  return metadata.name.endsWith(`.${group}`);
}

function crdOf(crd: KubeObject): object {
  const { metadata, spec } = crd as KubeObject & { readonly spec?: { readonly versions?: readonly unknown[] } };
  const versions = (spec?.versions ?? [])
    .filter(isRecord)
    .map(({ name, served, storage }) => ({ name, served, storage }));
  return { name: metadata.name, labels: metadata.labels, versions };
}

/** An Event about one of our objects. */
function eventOf(event: KubeObject): readonly object[] {
  const { regarding, reason, type, note, eventTime, series } = event as unknown as Readonly<Record<string, unknown>>;
  if (!isRecord(regarding) || !String(regarding.apiVersion).startsWith(`${group}/`)) return [];
  const { kind, namespace, name } = regarding;
  return [{ kind, namespace, name, type, reason, note, eventTime, series }];
}

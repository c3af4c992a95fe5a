import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";
import type { KubeObject } from "../../src/kube/types.ts";
import { goTool } from "./go-tools.ts";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

/** The Helm chart of this repository. */
export const chartFolder = join(root, "deploy/chart");

// biome-ignore lint/suspicious/noExplicitAny: manifests of many kinds, read by path; a wrong path fails the assertion.
export type Manifest = KubeObject & Record<string, any>;

/** A file of values that the tests share. */
export function valuesFile(name: "full" | "namespaced"): string {
  return join(root, "test/packaging/values", `${name}.yaml`);
}

export interface ChartOptions {
  /** Files of values, the later ones first. */
  readonly files?: readonly string[];
  /** Values over those of the files. */
  readonly values?: object;
  /** `northflank-operator` by default. */
  readonly release?: string;
  /** `northflank-operator` by default. */
  readonly namespace?: string;
  /** Further arguments of `helm template`. */
  readonly args?: readonly string[];
  /** Another folder than {@link chartFolder}. */
  readonly chart?: string;
}

/** What a run of `helm template` came to. */
export interface ChartResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `helm template`. */
export function tryChart(options: ChartOptions): ChartResult {
  return helm(["template"], options);
}

/** What Helm says after an installation. */
export function notesOf(options: ChartOptions = {}): string {
  const { status, stdout, stderr } = helm(["install", "--dry-run=client"], options);
  if (status !== 0) throw new Error(`helm install ended with ${status}: ${stderr}`);
  return stdout.split("\nNOTES:\n")[1] ?? "";
}

/** With a configuration of its own, and with the values from standard input. */
function helm(command: readonly string[], options: ChartOptions): ChartResult {
  const { files = [], values = {}, release = "northflank-operator", namespace = "northflank-operator" } = options;
  const { args = [], chart = chartFolder } = options;
  const given = [...files, "-"].flatMap((file) => ["--values", file]);
  const home = join(tmpdir(), "northflank-operator-helm");
  return spawnSync(goTool("helm"), [...command, release, chart, "--namespace", namespace, ...given, ...args], {
    input: JSON.stringify(values),
    encoding: "utf8",
    maxBuffer: 32 * 1024 * 1024,
    env: { PATH: process.env.PATH, HELM_CACHE_HOME: home, HELM_CONFIG_HOME: home, HELM_DATA_HOME: home },
  });
}

/** The text that `helm template` prints. *Errors*: when it refuses the values. */
export function templateChart(options: ChartOptions = {}): string {
  const { status, stdout, stderr } = tryChart(options);
  if (status !== 0) throw new Error(`helm template ended with ${status}: ${stderr}`);
  return stdout;
}

/** The objects that `helm template` prints. */
export function renderChart(options: ChartOptions = {}): readonly Manifest[] {
  return parseAllDocuments(templateChart(options)).flatMap((document) => {
    const [error] = document.errors ?? [];
    if (error !== undefined) throw error;
    const object: unknown = document.toJS();
    return object === null ? [] : [object as Manifest];
  });
}

/** The only object of a kind. */
export function only(objects: readonly Manifest[], kind: string): Manifest {
  const found = objects.filter((object) => object.kind === kind);
  const [object] = found;
  if (object === undefined || found.length > 1) throw new Error(`expected one ${kind}, found ${found.length}`);
  return object;
}

/** The operator's container. */
export function containerOf(objects: readonly Manifest[]): Manifest {
  return only(objects, "Deployment").spec.template.spec.containers[0];
}

import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";
import type { KubeObject } from "../../src/kube/types.ts";
import { goTool } from "./go-tools.ts";

/** The Helm chart of this repository. */
export const chartFolder = join(resolve(dirname(fileURLToPath(import.meta.url)), "../.."), "deploy/chart");

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

/** Runs `helm template` with a configuration of its own. */
export function tryChart(options: ChartOptions): ChartResult {
  const { files = [], values = {}, release = "northflank-operator", namespace = "northflank-operator" } = options;
  const { args = [], chart = chartFolder } = options;
  const given = files.flatMap((file) => ["--values", file]);
  const home = join(tmpdir(), "northflank-operator-helm");
  return spawnSync(
    goTool("helm"),
    ["template", release, chart, "--namespace", namespace, ...given, "--values", "-", ...args],
    {
      input: JSON.stringify(values),
      encoding: "utf8",
      maxBuffer: 32 * 1024 * 1024,
      env: { PATH: process.env.PATH, HELM_CACHE_HOME: home, HELM_CONFIG_HOME: home, HELM_DATA_HOME: home },
    },
  );
}

/** The text that `helm template` prints. *Errors*: when it refuses the values. */
export function templateChart(options: ChartOptions = {}): string {
  const { status, stdout, stderr } = tryChart(options);
  if (status !== 0) throw new Error(`helm template ended with ${status}: ${stderr}`);
  return stdout;
}

/** The objects that `helm template` prints. */
export function renderChart(options: ChartOptions = {}): readonly KubeObject[] {
  return parseAllDocuments(templateChart(options)).flatMap((document) => {
    const [error] = document.errors ?? [];
    if (error !== undefined) throw error;
    const object: unknown = document.toJS();
    return object === null ? [] : [object as KubeObject];
  });
}

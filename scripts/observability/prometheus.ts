import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";

/** A series of a result, with its value as Prometheus writes it. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [time: number, value: string];
}

/** A Prometheus that runs. */
export interface Prometheus extends AsyncDisposable {
  readonly url: string;
  /**
   * The result of a query now.
   *
   * *Errors*: with what Prometheus says, when it rejects the query.
   */
  query(expr: string): Promise<readonly Sample[]>;
  /** What its API returns under `data`. */
  get<T>(path: string): Promise<T>;
}

/** Starts a Prometheus that scrapes `targets` and evaluates the rules of `ruleFiles`. Its data goes when it is stopped. */
export async function startPrometheus(options: {
  readonly program: string;
  readonly port: number;
  readonly targets: readonly string[];
  readonly ruleFiles: readonly string[];
  readonly interval: string;
}): Promise<Prometheus> {
  const folder = mkdtempSync(join(tmpdir(), "prometheus-"));
  const config = {
    global: { scrape_interval: options.interval, evaluation_interval: options.interval },
    rule_files: options.ruleFiles,
    scrape_configs: [{ job_name: "northflank-operator", static_configs: [{ targets: options.targets }] }],
  };
  writeFileSync(join(folder, "prometheus.yml"), stringify(config));
  const address = `127.0.0.1:${options.port}`;
  const process = spawn(
    options.program,
    [
      `--config.file=${join(folder, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=${address}`,
      "--log.level=warn",
    ],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  const ended = new Promise<void>((resolve) => {
    process.once("exit", () => resolve());
    process.once("error", () => resolve());
  });
  const get = async <T>(path: string): Promise<T> => {
    const answer = await fetch(`http://${address}/api/v1/${path}`);
    const { status, data, error } = (await answer.json()) as { status: string; data: T; error?: string };
    if (status !== "success") throw new Error(error ?? `${path}: ${answer.status}`);
    return data;
  };
  const stop = async () => {
    process.kill("SIGTERM");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await ready(`http://${address}/-/ready`, () => process.exitCode ?? undefined);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: `http://${address}`,
    get,
    query: async (expr) => {
      const { resultType, result } = await get<{ resultType: string; result: readonly Sample[] }>(
        `query?query=${encodeURIComponent(expr)}`,
      );
      if (resultType !== "vector") throw new Error(`a ${resultType}, not a vector: ${expr}`);
      return result;
    },
    [Symbol.asyncDispose]: stop,
  };
}

async function ready(url: string, exitCode: () => number | undefined): Promise<void> {
  for (let tries = 0; tries < 150; tries += 1) {
    const code = exitCode();
    if (code !== undefined) throw new Error(`prometheus ended with ${code}`);
    // Nothing listens before it is up.
    const answer = await fetch(url).catch(() => undefined);
    if (answer?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error("prometheus is not ready after 30 s");
}

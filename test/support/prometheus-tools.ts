import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

export type PrometheusTool = "prometheus" | "promtool";

/**
 * The path of a program of Prometheus: of the variable with its name in capitals (`PROMTOOL`), else in `PATH`.
 * `undefined` when it is in neither; tests that need it are then skipped. Debian and Ubuntu have both in the package
 * `prometheus`.
 *
 * *Errors*: when the variable is set, and there is no program to run: CI sets it, so that nothing is skipped there.
 */
export function prometheusTool(name: PrometheusTool, env: NodeJS.ProcessEnv = process.env): string | undefined {
  const variable = name.toUpperCase();
  const given = env[variable];
  if (given) {
    if (isProgram(given)) return given;
    throw new Error(`${variable} is ${given}, but there is no program to run`);
  }
  const folders = (env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  return folders.map((folder) => join(folder, name)).find(isProgram);
}

/**
 * Gauges of prom-client that end in `_total`. Dashboards for Node.js ask for these names, so they stay.
 */
const namesOfNode = /^nodejs_active_(?:handles|requests|resources)_total non-counter metrics should not have/;

/** What `promtool check metrics` finds in the text of a scrape, but for three gauges of prom-client. */
export function metricFindings(promtool: string, text: string): readonly string[] {
  const { status, stdout, stderr } = spawnSync(promtool, ["check", "metrics"], { input: text, encoding: "utf8" });
  const lines = `${stdout}${stderr}`.split("\n").filter((line) => line !== "" && !namesOfNode.test(line));
  // 3: there are findings. Anything else is none of them.
  return status === 0 || status === 3 ? lines : [`promtool check metrics ended with ${status}`, ...lines];
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // Missing, or not to be run: another folder may have it.
    return false;
  }
}

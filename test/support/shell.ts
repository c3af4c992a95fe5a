import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { goTool } from "./go-tools.ts";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

/** A terminal of an administrator, in the checkout, with kubectl and helm. */
export interface Shell extends AsyncDisposable {
  /** The folder that commands know as `$HOME`. */
  readonly home: string;
  /**
   * Runs a command line as a user would type it and returns what it printed.
   *
   * *Errors*: rejects with the command, its messages and its output when it ends with anything but 0.
   */
  run(command: string): Promise<string>;
  /** The same for a command that prints JSON. */
  json<T>(command: string): Promise<T>;
}

/** Opens one. It has a home of its own, so that nothing of this machine's kubectl or helm is read or written. */
export function openShell(options: { readonly kubeconfigPath: string }): Shell {
  const home = mkdtempSync(join(tmpdir(), "northflank-operator-shell-"));
  const path = [dirname(goTool("kubectl")), dirname(goTool("helm")), process.env.PATH ?? ""].join(delimiter);
  const env = { PATH: path, HOME: home, KUBECONFIG: options.kubeconfigPath };
  const run = (command: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const settings = { cwd: root, env, timeout: 120_000, maxBuffer: 64 * 1_024 * 1_024 };
      execFile("/bin/sh", ["-ec", command], settings, (error, out, err) => {
        if (error === null) resolve(out);
        else reject(new Error(`${command}\nended with ${error.code ?? error.signal}:\n${err}${out}`));
      });
    });
  return {
    home,
    run,
    json: async <T>(command: string) => JSON.parse(await run(command)) as T,
    [Symbol.asyncDispose]: async () => rmSync(home, { recursive: true, force: true }),
  };
}

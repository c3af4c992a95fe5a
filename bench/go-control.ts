import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { cachedOrBuilt, type GoBuildOptions, type GoRecipe, GoUnavailableError } from "../test/support/go-build.ts";

const directory = resolve(dirname(fileURLToPath(import.meta.url)), "controller-runtime");
const program = "controller-runtime";

/**
 * Path of the control that is written in Go, from the project's cache or built into it. `undefined` where there is no Go
 * or where its modules cannot be had: then one line says so.
 *
 * *Errors*: when its code does not compile.
 */
export async function findGoControl(options: GoBuildOptions): Promise<string | undefined> {
  try {
    const found = await cachedOrBuilt(recipe(), options);
    return join(found.directory, program);
  } catch (error) {
    if (!(error instanceof GoUnavailableError)) throw error;
    options.say(`${program} is not measured: ${error.message}`);
    return undefined;
  }
}

function recipe(): GoRecipe {
  return {
    directory,
    name: "bench",
    version: libraryVersion(),
    packages: ["."],
    programs: [program],
    what: "Go programs of the benchmark",
    takes: "3 minutes",
    remedies:
      "Install Go 1.26 or newer and allow it to reach a Go module proxy to have it built once (about 3 minutes).",
  };
}

function libraryVersion(): string {
  const goMod = readFileSync(join(directory, "go.mod"), "utf8");
  const [, version] = /^\s*sigs\.k8s\.io\/controller-runtime (v\S+)$/m.exec(goMod) ?? [];
  if (version === undefined) throw new Error("bench/controller-runtime/go.mod does not name controller-runtime");
  return version;
}

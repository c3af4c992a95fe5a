import { execFile, execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { apiVersion, northflankConnections } from "../../src/api/names.ts";
import type { KubeObject } from "../../src/kube/types.ts";
import { operatorProgram } from "../support/build-operator.ts";
import { type Cluster, clusterUnderTest } from "../support/cluster.ts";

// Completion as somebody has it who types: the scripts in the shells themselves, kubectl, and a cluster behind the program.

const has = (program: string): boolean => {
  try {
    execFileSync("sh", ["-c", `command -v ${program}`]);
    return true;
  } catch {
    return false;
  }
};
// Of util-linux: a terminal for a shell that is typed into.
const hasTerminal = has("script") && process.platform === "linux";

const packaged = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8"));

let cluster: Cluster;
let namespace: string;
let folder: string;

beforeAll(async () => {
  cluster = await clusterUnderTest();
  namespace = await cluster.freshNamespace();
  for (const name of ["acme-eu", "acme-us"]) {
    const spec = { tokenSecretRef: { name: "token" } };
    const metadata = { name, namespace };
    const object = { apiVersion, kind: northflankConnections.kind, metadata, spec };
    await cluster.client.create<KubeObject>(northflankConnections, object as KubeObject);
  }
  folder = mkdtempSync(join(tmpdir(), "completion-"));
  mkdirSync(join(folder, "bin"));
  // It completes as the program does, and prints what was typed instead of doing it.
  const program = `#!/bin/sh
if [ "$1" = __complete ]; then exec "${process.execPath}" "${operatorProgram}" "$@"; fi
printf 'typed:'; printf ' <%s>' "$@"; echo ' end'
`;
  for (const name of ["northflank-operator", "kubectl-northflank"]) {
    writeFileSync(join(folder, "bin", name), program);
    chmodSync(join(folder, "bin", name), 0o755);
  }
  symlinkSync(operatorProgram, join(folder, "bin", "kubectl_complete-northflank"));
  mkdirSync(join(folder, "installed"));
  for (const name of Object.keys(packaged.bin)) symlinkSync(operatorProgram, join(folder, "installed", name));
  for (const shell of ["bash", "zsh", "fish"]) {
    writeFileSync(join(folder, shell), execFileSync(process.execPath, [operatorProgram, "completion", shell]));
  }
  writeFileSync(join(folder, "shop.yaml"), "");
  const kubeconfig = parse(readFileSync(cluster.kubeconfigPath, "utf8"));
  for (const { context } of kubeconfig.contexts) context.namespace = namespace;
  writeFileSync(join(folder, "kubeconfig"), JSON.stringify(kubeconfig));
}, 120_000);

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await cluster.stop();
});

function environment(): NodeJS.ProcessEnv {
  return {
    PATH: `${join(folder, "bin")}:${process.env.PATH}`,
    HOME: folder,
    KUBECONFIG: join(folder, "kubeconfig"),
    TERM: "dumb",
  };
}

/** Types into a shell and returns the commands that were run, as their arguments. */
async function type(shell: { command: string; setup: string }, lines: readonly string[]): Promise<readonly string[]> {
  const terminal = spawn("script", ["-qec", shell.command, "/dev/null"], { cwd: folder, env: environment() });
  let output = "";
  let heard = () => {};
  let failed: (error: Error) => void = () => {};
  terminal.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
    heard();
  });
  terminal.once("close", () => failed(new Error(`the shell has ended:\n${output}`)));
  const until = (found: () => boolean) =>
    new Promise<void>((resolve, reject) => {
      heard = () => found() && resolve();
      failed = reject;
      heard();
    });
  const typed = () => [...output.matchAll(/^typed: (.*) end\r?$/gm)].map(([, args = ""]) => args);
  try {
    await until(() => output !== "");
    // In two parts: the echo of the line is not what it prints.
    terminal.stdin.write(`${shell.setup}; echo set"up"\n`);
    await until(() => /^setup\r?$/m.test(output));
    for (const [index, line] of lines.entries()) {
      terminal.stdin.write(`${line}\n`);
      await until(() => typed().length > index);
    }
    return typed();
  } finally {
    terminal.kill("SIGKILL");
  }
}

const scenes: readonly (readonly [typed: string, want: (namespace: string) => string])[] = [
  ["northflank-operator val\tsh\t", () => "<validate> <shop.yaml>"],
  ["northflank-operator plan --outp\tjs\t", () => "<plan> <--output> <json>"],
  ["northflank-operator plan -o gi\t", () => "<plan> <-o> <github>"],
  ["northflank-operator plan --output=js\t", () => "<plan> <--output=json>"],
  ["northflank-operator plan --connection acme-u\t", () => "<plan> <--connection> <acme-us>"],
  ["northflank-operator wait connections acme-u\t", () => "<wait> <connections> <acme-us>"],
  ["kubectl-northflank get -o wi\tnfconn/acme-u\t", () => "<get> <-o> <wide> <nfconn/acme-us>"],
  ["kubectl-northflank budget -n NAMESPAC\t", (name) => `<budget> <-n> <${name}>`],
  ["northflank-operator budget --namespace=NAMESPAC\t", (name) => `<budget> <--namespace=${name}>`],
];

const lines = () => scenes.map(([line]) => line.replace("NAMESPAC", namespace.slice(0, -1)));
const expected = () => scenes.map(([, want]) => want(namespace));

describe("in a terminal", { timeout: 180_000 }, () => {
  test("bash completes commands, flags, values, files and names", async ({ skip }) => {
    skip(!hasTerminal || !has("bash"), "bash or script is not installed");
    const bash = { command: "bash --norc --noprofile -i", setup: "source ./bash; source ./bash" };
    expect(await type(bash, lines())).toEqual(expected());
  });

  test("zsh does the same", async ({ skip }) => {
    skip(!hasTerminal || !has("zsh"), "zsh or script is not installed");
    const zsh = { command: "zsh -f -i", setup: "autoload -Uz compinit; compinit -u -D; source ./zsh" };
    expect(await type(zsh, lines())).toEqual(expected());
  });
});

test("fish does the same", { timeout: 180_000 }, async ({ skip }) => {
  skip(!has("fish"), "fish is not installed");
  const complete = (line: string) => `complete -C '${line.replace(/\t$/, "")}'`;
  const [inOneWord, ...later] = scenes.map(([line], index) => ({ line: lines()[index] ?? "", scene: line }));
  expect(inOneWord?.scene).toContain("\tsh\t");
  const fish = async (line: string) =>
    (await run("fish", ["--no-config", "-c", `source ./fish; ${complete(line)}`])).replaceAll(/\t.*/g, "");
  expect(await fish("northflank-operator val\t")).toBe("validate\n");
  expect(await fish("northflank-operator validate sh\t")).toBe("shop.yaml\n");
  expect(await fish("northflank-operator plan --token-file=sh\t")).toBe("--token-file=shop.yaml\n");
  for (const [index, { line }] of later.entries()) {
    // Two words: the first of them is not there to be completed after.
    if (line.replace(/\t$/, "").includes("\t")) continue;
    const last = expected()[index + 1]?.match(/<([^<>]*)>$/)?.[1];
    expect(await fish(line)).toBe(`${last}\n`);
  }
});

test("kubectl completes its plugin by the same program", { timeout: 60_000 }, async ({ skip }) => {
  skip(!has("kubectl"), "kubectl is not installed");
  const kubectl = (...words: readonly string[]) => run("kubectl", ["__complete", "northflank", ...words]);
  expect(await kubectl("val")).toBe("validate\tcheck manifests offline\n:4\n");
  expect(await kubectl("plan", "--output=g")).toBe("--output=github\n:4\n");
  expect(await kubectl("plan", "--connection", "")).toBe("acme-eu\nacme-us\n:4\n");
  expect(await kubectl("tree", "connection/acme-u")).toBe("connection/acme-us\n:4\n");
  expect(await kubectl("abort", "")).toBe(":4\n");
  expect(await kubectl("validate", "")).toBe(":0\n");
});

test("kubectl runs what npm installs as its plugin, which says so", { timeout: 60_000 }, async ({ skip }) => {
  skip(!has("kubectl"), "kubectl is not installed");
  const installed = { ...environment(), PATH: `${join(folder, "installed")}:${process.env.PATH}` };
  const help = await run("kubectl", ["northflank", "help", "budget"], installed);
  expect(help).toMatch(/^usage: kubectl northflank budget \[FLAGS\]\n/);
  expect(help).toContain("\n  kubectl northflank budget --metrics-url");
  expect(await run("kubectl", ["__complete", "northflank", "bud"], installed)).toMatch(/^budget\t/);
  expect(await run("northflank-operator", ["help"], installed)).toMatch(/^usage: northflank-operator COMMAND\n/);
});

function run(command: string, args: readonly string[], env = environment()): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(command, args, { cwd: folder, env, encoding: "utf8" }, (error, out, err) => {
      if (error === null) resolve(out);
      else reject(new Error(`${command} ${args.join(" ")}\n${err}`, { cause: error }));
    });
  });
}

import { execFile } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { bundle, type Sandbox, startSandbox } from "../../sandbox/start.ts";
import { type PageStory, reasonNotToRun, stories } from "../docs/page-stories.ts";
import { goTool } from "../support/go-tools.ts";
import { commandsIn, readPage, root } from "../support/markdown-pages.ts";

// The commands of README and docs, as a reader types them: with kubectl, helm and the built program, on a sandbox for each
// page.

let program: string;
beforeAll(() => {
  program = bundle();
});

test.each(Object.entries(stories))("the commands of %s work", { timeout: 180_000 }, async (file, story) => {
  await using sandbox = await startSandbox({
    program,
    northflank: { rolloutMs: 500, runMs: 500 },
    flags: ["--rollout-poll-interval=500ms", "--run-poll-interval=500ms"],
  });
  const folder = mkdtempSync(join(tmpdir(), "northflank-operator-docs-"));
  try {
    const printed = await runScript({ file, story, folder, sandbox });
    for (const text of story.shows ?? []) expect(printed).toContain(text);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

interface PageRun {
  readonly file: string;
  readonly story: PageStory;
  /** Holds the folder that the commands are run in, and the programs that stand in for installed ones. */
  readonly folder: string;
  readonly sandbox: Sandbox;
}

/** Runs a page's commands in one shell. Rejects with the command and what was printed when an exit code differs. */
async function runScript({ file, story, folder, sandbox }: PageRun): Promise<string> {
  const cwd = checkoutIn(folder, file);
  const host = new URL(sandbox.northflank.url).host;
  const env = {
    PATH: [programsIn(folder), dirname(goTool("kubectl")), dirname(goTool("helm")), process.env.PATH ?? ""].join(
      delimiter,
    ),
    HOME: folder,
    KUBECONFIG: sandbox.kubeconfigPath,
    NORTHFLANK_URL: sandbox.northflank.url,
    METRICS_URL: await sandbox.operator.metricsUrl(),
    HEALTH_URL: await sandbox.operator.ready(),
    NORTHFLANK_OPERATOR_API_URL: sandbox.northflank.url,
    NORTHFLANK_OPERATOR_ALLOWED_API_HOSTS: host,
  };
  const script = scriptOf(file, story);
  return new Promise((resolve, reject) => {
    execFile(
      "bash",
      ["--norc", "-uc", script],
      { cwd, env, timeout: 170_000, maxBuffer: 1 << 26 },
      (error, out, err) => {
        if (error === null) resolve(out);
        else reject(new Error(`${file}: ${err.slice(-4_000)}\n${out.slice(-4_000)}`));
      },
    );
  });
}

/** The page's commands, each with what is done before it and the exit code that it must have. */
function scriptOf(
  file: string,
  { given = "", replaced = {}, before = {}, exits = {}, isOnce = false }: PageStory,
): string {
  const all = commandsIn(readPage(file)).filter((command) => reasonNotToRun(file, command) === undefined);
  const commands = isOnce ? [...new Set(all)] : all;
  expect(commands.length).toBeGreaterThan(0);
  const steps = commands.map((command, at) => {
    const occurrence = commands.slice(0, at + 1).filter((one) => one === command).length;
    const find = <T>(table: Readonly<Record<string, T>>): T | undefined =>
      Object.entries(table).find(([key]) => {
        const [start = "", which] = key.split(/#(?=\d+$)/);
        return command.startsWith(start) && (which === undefined || Number(which) === occurrence);
      })?.[1];
    const typed = Object.entries(replaced).reduce((text, [word, value]) => text.replaceAll(word, value), command);
    return `${mustEnd(find(before) ?? "true", 0)}\n${mustEnd(typed, find(exits) ?? 0)}`;
  });
  return ["set -e -o pipefail", given, "set +e", ...steps].join("\n");
}

function mustEnd(command: string, code: number): string {
  const said = `'${command.replaceAll("'", `'\\''`)}'`;
  return `${command}\ncode=$?\n[ $code -eq ${code} ] || { printf '%s\\nended with %s, not ${code}\\n' ${said} $code >&2; exit 1; }`;
}

/** What a reader has in front of him: the folders of the checkout that pages name, and the page's YAML as files. */
function checkoutIn(folder: string, file: string): string {
  const cwd = join(folder, "checkout");
  mkdirSync(cwd);
  for (const name of ["crds", "deploy", "examples"]) symlinkSync(join(root, name), join(cwd, name));
  const yaml = readPage(file).blocks.filter(({ language }) => language === "yaml");
  for (const [at, { text }] of yaml.entries()) writeFileSync(join(cwd, `yaml-${at + 1}.yaml`), text);
  return cwd;
}

/** `npx` and `northflank-operator` run the built program; `kustomize build` is that of kubectl. */
function programsIn(folder: string): string {
  const bin = join(folder, "bin");
  mkdirSync(bin);
  const run = `exec '${process.execPath}' '${program}' "$@"`;
  const scripts: Readonly<Record<string, string>> = {
    "northflank-operator": run,
    "kubectl-northflank": run,
    npx: `[ "$1" = --yes ] && shift; case "$1" in northflank-operator | northflank-operator@*) shift; ${run} ;; esac; echo "npx $1" >&2; exit 127`,
    kustomize: `[ "$1" = build ] && shift && exec kubectl kustomize "$@"; exit 127`,
  };
  for (const [name, text] of Object.entries(scripts)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(bin, name), 0o755);
  }
  return bin;
}

import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";

// What `docker build` makes of our Dockerfile, without docker: the instructions that it uses, and an error for all others.

interface Copy {
  readonly from?: string;
  readonly sources: readonly string[];
  readonly target: string;
}

/** One stage of a Dockerfile. */
export interface Stage {
  readonly base: string;
  readonly name: string | undefined;
  readonly workdir: string;
  readonly copies: readonly Copy[];
  readonly runs: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly user: string | undefined;
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
}

/** Reads a Dockerfile. *Errors*: on an instruction, or a form of one, that it does not know. */
export function readStages(path: string): readonly Stage[] {
  const lines = readFileSync(path, "utf8")
    .replace(/^\s*#.*\n/gm, "")
    .replace(/\\\n/g, " ")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const stages: Stage[] = [];
  for (const line of lines) {
    const [, instruction = "", rest = ""] = /^([A-Z]+) +(.*)$/.exec(line) ?? [];
    if (instruction === "FROM") stages.push(stageFrom(rest));
    else stages.push(withInstruction(stages.pop() ?? fail(line), { instruction, rest }));
  }
  return stages;
}

function stageFrom(rest: string): Stage {
  const [, base, name] = /^(?:--platform=\$BUILDPLATFORM +)?(\S+)(?: +AS +(\S+))?$/.exec(rest) ?? fail(`FROM ${rest}`);
  const empty = { workdir: "/", copies: [], runs: [], env: {}, labels: {}, user: undefined, entrypoint: [], cmd: [] };
  return { base: base ?? "", name, ...empty };
}

function withInstruction(stage: Stage, { instruction, rest }: { instruction: string; rest: string }): Stage {
  switch (instruction) {
    case "ARG":
    case "EXPOSE":
      return stage;
    case "WORKDIR":
      return { ...stage, workdir: rest };
    case "RUN":
      return { ...stage, runs: [...stage.runs, rest] };
    case "USER":
      return { ...stage, user: rest };
    case "ENV":
      return { ...stage, env: { ...stage.env, ...pairs(rest) } };
    case "LABEL":
      return { ...stage, labels: { ...stage.labels, ...pairs(rest) } };
    case "ENTRYPOINT":
      return { ...stage, entrypoint: JSON.parse(rest) };
    case "CMD":
      return { ...stage, cmd: JSON.parse(rest) };
    case "COPY":
      return { ...stage, copies: [...stage.copies, copyOf(rest)] };
    default:
      return fail(`${instruction} ${rest}`);
  }
}

function copyOf(rest: string): Copy {
  const [, from, words = ""] = /^(?:--from=(\S+) +)?(.*)$/.exec(rest) ?? [];
  const sources = words.split(/ +/);
  const target = sources.pop();
  if (target === undefined || sources.length === 0 || words.includes("--")) return fail(`COPY ${rest}`);
  return { ...(from === undefined ? {} : { from }), sources, target };
}

function pairs(rest: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [...rest.matchAll(/([\w.]+)=(?:"([^"]*)"|(\S+))/g)].map(([, name, quoted, plain]) => [name, quoted ?? plain]),
  );
}

function fail(what: string): never {
  throw new Error(`test/support/image-tree.ts does not know this of the Dockerfile: ${what}`);
}

/**
 * Carries a Dockerfile out, each stage in a folder `FOLDER/NUMBER`, and returns the last stage and its folder. `npm ci` is a
 * link to the `node_modules` that is there; every other RUN is run with `args` as its environment.
 */
export function buildTree(options: {
  readonly context: string;
  readonly folder: string;
  readonly args: Readonly<Record<string, string>>;
}): { readonly stage: Stage; readonly tree: string } {
  const stages = readStages(join(options.context, "Dockerfile"));
  const trees = stages.map((_, index) => join(options.folder, String(index)));
  const treeOf = (name: string) => trees[stages.findIndex((stage) => stage.name === name)] ?? fail(`--from=${name}`);
  for (const [index, stage] of stages.entries()) {
    const tree = trees[index] ?? "";
    const workdir = join(tree, stage.workdir);
    mkdirSync(workdir, { recursive: true });
    for (const copy of stage.copies) {
      if (copy.from === undefined) copyInto(workdir, copy, { root: options.context, isIn: contextOf(options.context) });
      else copyInto(workdir, copy, { root: treeOf(copy.from), isIn: () => true });
    }
    for (const run of stage.runs) {
      if (run.startsWith("npm ci ")) symlinkSync(join(options.context, "node_modules"), join(workdir, "node_modules"));
      else execFileSync("sh", ["-c", run], { cwd: workdir, env: { PATH: process.env.PATH, ...options.args } });
    }
  }
  return { stage: stages.at(-1) ?? fail("no stage"), tree: trees.at(-1) ?? "" };
}

function copyInto(
  workdir: string,
  { sources, target }: Copy,
  from: { readonly root: string; readonly isIn: (path: string) => boolean },
): void {
  const isFolder = target.endsWith("/") || sources.length > 1;
  for (const source of sources) {
    const path = join(from.root, source);
    if (!existsSync(path) || !from.isIn(relative(from.root, path))) {
      throw new Error(`COPY ${source}: not in the context of the build`);
    }
    const to = isFolder ? join(workdir, target, basename(source)) : resolve(workdir, target);
    mkdirSync(statSync(path).isDirectory() ? to : dirname(to), { recursive: true });
    cpSync(path, to, { recursive: true });
  }
}

/** Whether `.dockerignore` lets a path into the context. It is a list of exceptions from `*`. */
function contextOf(root: string): (path: string) => boolean {
  const [all, ...entries] = readFileSync(join(root, ".dockerignore"), "utf8").trim().split("\n");
  const kept = entries.map((entry) => (entry.startsWith("!") ? entry.slice(1) : fail(`.dockerignore: ${entry}`)));
  if (all !== "*") return fail(`.dockerignore: ${all}`);
  return (path) => kept.some((entry) => path === entry || path.startsWith(`${entry}/`));
}

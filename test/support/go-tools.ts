import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { cachedOrBuilt, type GoRecipe, goCache, hasPrograms } from "./go-build.ts";

const directory = resolve(dirname(fileURLToPath(import.meta.url)), "../go-tools");

/** What tests of packaging run. */
export type GoTool = "actionlint" | "helm" | "kubectl";
const programs: readonly GoTool[] = ["actionlint", "helm", "kubectl"];

const recipe: GoRecipe = {
  directory,
  name: "go-tools",
  version: `helm-${helmVersion()}`,
  packages: ["./cmd/kubectl", "tool"],
  programs,
  what: "helm, kubectl and actionlint",
  takes: "3 minutes",
  remedies:
    "Either set PACKAGING_TOOLS to a folder with helm, kubectl and actionlint, or install Go 1.26 or newer, and they " +
    "are built once from their Go modules (about 3 minutes).",
};

/**
 * The path of a program: in `PACKAGING_TOOLS`, else in the project's cache.
 *
 * *Errors*: when it is in neither; {@link setup} puts it there.
 */
export function goTool(name: GoTool): string {
  const given = process.env.PACKAGING_TOOLS;
  const folder = given || goCache(recipe, process.env);
  if (hasPrograms(folder, { programs: [name] })) return join(folder, name);
  const why = given ? `PACKAGING_TOOLS is ${given}, but there is no ${name} to run in it` : `there is no ${name}`;
  throw new Error(`${why}. ${recipe.remedies}`);
}

/** Sees to it that {@link goTool} has all of them; the test runner calls it before the first test starts. */
export async function setup(): Promise<void> {
  if (process.env.PACKAGING_TOOLS) return;
  await cachedOrBuilt(recipe, { env: process.env, say: (line) => process.stderr.write(`${line}\n`) });
}

function helmVersion(): string {
  const [, version] = /^\s*helm\.sh\/helm\/v4 (v\S+)/m.exec(readFileSync(join(directory, "go.mod"), "utf8")) ?? [];
  if (version === undefined) throw new Error("test/go-tools/go.mod does not name the version of helm.sh/helm/v4");
  return version;
}

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { crdFiles } from "../src/cli/crds.ts";
import { argocdFiles } from "./generated/argocd.ts";
import { chartFiles, crdTemplates, flagTemplate } from "./generated/chart/files.ts";
import { editorSchemaFiles } from "./generated/editor-schemas.ts";
import type { GeneratedFile } from "./generated/file.ts";
import { kustomizeFiles } from "./generated/kustomize.ts";
import { pagesByHand, referencePages } from "./generated/reference.ts";
import { runbookPage } from "./generated/runbook-page.ts";
import { stampedFiles } from "./generated/stamped.ts";
import { chartDashboard, chartRules, observabilityFiles } from "./observability/files.ts";

// Writes what is generated from src/api, and from the scripts for Argo CD. With --check nothing is written: it exits with 1
// when a committed file is not what would be written now.

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");

/** A folder that holds generated files and, but for those it names, nothing else. */
interface GeneratedFolder {
  readonly path: string;
  readonly files: readonly GeneratedFile[];
  /** Files beside them that people write. */
  readonly byHand?: readonly string[];
}

const crds = crdFiles();
const folders: readonly GeneratedFolder[] = [
  { path: join(root, "crds"), files: [...crds, kustomization(crds)] },
  { path: join(root, "deploy", "argocd"), files: argocdFiles(), byHand: ["northflank-operator.io"] },
  { path: join(root, "deploy", "kustomize-config"), files: kustomizeFiles() },
  { path: join(root, "deploy", "chart"), files: chartFiles(), byHand: [".helmignore", "files", "templates"] },
  { path: join(root, "deploy", "chart", "files", "dashboards"), files: [chartDashboard()] },
  { path: join(root, "deploy", "chart", "files", "rules"), files: [chartRules()] },
  { path: join(root, "deploy", "observability"), files: observabilityFiles() },
  { path: join(root, "deploy", "chart", "templates", "crds"), files: crdTemplates() },
  { path: join(root, "deploy", "chart", "templates", "generated"), files: [flagTemplate()] },
  { path: join(root, "schemas"), files: editorSchemaFiles() },
  { path: join(root, "docs", "reference"), files: referencePages(), byHand: pagesByHand },
];
/** Beside files that people write. */
const single = Object.entries({ ...stampedFiles(), "docs/runbook.md": runbookPage() }).map(([name, text]) => ({
  path: join(root, name),
  text,
}));

if (process.argv.includes("--check")) check();
else write();

/**
 * Lets `deploy/` (and overlays of users) refer to the folder: kustomize takes folders from outside its root, not files.
 * Under this name, without an ending, `kubectl apply -f crds/` leaves it out.
 */
function kustomization(files: GeneratedFolder["files"]): GeneratedFolder["files"][number] {
  const head = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n";
  return { name: "Kustomization", text: `${head}${files.map(({ name }) => `  - ${name}\n`).join("")}` };
}

function check(): void {
  const stale = [
    ...folders.flatMap(staleFiles),
    ...single.filter(({ path, text }) => read(path) !== text).map(({ path }) => path),
  ];
  if (stale.length === 0) return;
  console.error(`not up to date: ${stale.map((path) => relative(root, path)).join(", ")}\nrun: npm run generate`);
  process.exitCode = 1;
}

function staleFiles(folder: GeneratedFolder): readonly string[] {
  const { path, files } = folder;
  const changed = files.filter(({ name, text }) => read(join(path, name)) !== text).map(({ name }) => join(path, name));
  return [...changed, ...strangers(folder)];
}

function write(): void {
  for (const folder of folders) {
    mkdirSync(folder.path, { recursive: true });
    for (const path of strangers(folder)) rmSync(path);
    for (const { name, text } of folder.files) writeFileSync(join(folder.path, name), text);
  }
  for (const { path, text } of single) writeFileSync(path, text);
}

/** Files of a kind that no longer exists. */
function strangers({ path, files, byHand = [] }: GeneratedFolder): readonly string[] {
  const known = new Set([...files.map(({ name }) => name), ...byHand]);
  return list(path)
    .filter((name) => !known.has(name))
    .map((name) => join(path, name));
}

function list(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    // The folder is not there yet: nothing in it is stale.
    return [];
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // A missing file differs from every text.
    return undefined;
  }
}

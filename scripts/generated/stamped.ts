import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type Published, published } from "../published.ts";

// Files that people write, but for the names and the version of what is released: a release changes package.json, and
// `npm run generate` the rest.

interface Stamp {
  /** The path in the repository. */
  readonly file: string;
  /** The line, with what stands before its value as the first group. */
  readonly line: RegExp;
  readonly value: (names: Published) => string;
}

const chart = "deploy/flux/infrastructure/northflank-operator/helm/chart.yaml";
const base = "deploy/flux/infrastructure/northflank-operator/kustomize/base.yaml";
const stamps: readonly Stamp[] = [
  {
    file: "deploy/base/deployment.yaml",
    line: /^( +image: ).*$/m,
    value: ({ image, version }) => `${image}:${version}`,
  },
  { file: chart, line: /^( {2}url: ).*$/m, value: ({ chart: address }) => address },
  { file: chart, line: /^( {4}tag: ).*$/m, value: ({ version }) => version },
  { file: base, line: /^( {2}url: ).*$/m, value: ({ repository }) => repository },
  { file: base, line: /^( {4}tag: ).*$/m, value: ({ version }) => `v${version}` },
  { file: base, line: /^( {2}# {3}- name: ).*$/m, value: ({ image }) => image },
  {
    file: "docs/kustomize.md",
    line: /^( {2}- )https:\/\/github\.com\/.*$/m,
    value: ({ repository, version }) => `${repository}//deploy?ref=v${version}`,
  },
  { file: "docs/kustomize.md", line: /^( {2}- name: )\S+\/northflank-operator$/m, value: ({ image }) => image },
  {
    file: "docs/argocd.md",
    line: /^( {4}repoURL: )(?!https:).*$/m,
    // Argo CD names the registry and the chart apart.
    value: ({ chart: address }) => address.replace(/^oci:\/\/|\/[^/]+$/g, ""),
  },
  { file: "docs/argocd.md", line: /^( {4}targetRevision: )(?!main$).*$/m, value: ({ version }) => version },
  {
    file: "docs/troubleshooting.md",
    line: /^(kubectl apply --server-side -f )https:.*$/m,
    value: ({ files }) => `${files}/crds.yaml`,
  },
  {
    file: "docs/troubleshooting.md",
    line: /^(npx northflank-operator@)\S+ crds$/m,
    value: ({ version }) => `${version} crds`,
  },
  {
    file: "docs/import-and-plan.md",
    line: /^( +npx --yes northflank-operator@)\S+/m,
    value: ({ version }) => version,
  },
  ...["ci-pod", "cronjob", "tekton-task"].map((name) => ({
    file: `examples/automation/${name}.yaml`,
    line: /^( +image: ).*$/m,
    value: ({ image, version }: Published) => `${image}:${version}`,
  })),
];

const root = resolve(fileURLToPath(import.meta.url), "../../..");

/**
 * These files, by their paths in the repository, as they are for `names`.
 *
 * *Errors*: when a file has not exactly one such line.
 */
export function stampedFiles(names: Published = published()): Readonly<Record<string, string>> {
  const texts: Record<string, string> = {};
  for (const { file, line, value } of stamps) {
    const text = texts[file] ?? readFileSync(join(root, file), "utf8");
    const found = text.match(new RegExp(line, "gm")) ?? [];
    if (found.length !== 1) throw new Error(`${file} has ${found.length} lines like ${line}; one is expected`);
    texts[file] = text.replace(line, (_, before: string) => `${before}${value(names)}`);
  }
  return texts;
}

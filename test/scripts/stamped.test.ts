import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { stampedFiles } from "../../scripts/generated/stamped.ts";
import { published } from "../../scripts/published.ts";

const root = resolve(fileURLToPath(import.meta.url), "../../..");

test("another version and another repository reach every file that names them", () => {
  const now = published();
  const next = {
    version: "9.8.7",
    repository: "https://github.com/acme/operator",
    image: "registry.acme.example/operator",
    chart: "oci://registry.acme.example/charts/operator",
    files: "https://github.com/acme/operator/releases/download/v9.8.7",
  };
  const lines = Object.values(stampedFiles(next)).flatMap((text) => text.split("\n"));
  for (const old of [now.image, now.chart, now.repository, now.files, `tag: ${now.version}`, `tag: v${now.version}`]) {
    expect(lines.filter((line) => line.includes(old))).toEqual([]);
  }
  expect(lines.filter((line) => line.includes("npx --yes northflank-operator"))).toEqual([
    "          npx --yes northflank-operator@9.8.7 plan manifests/ --output github --ignore-runs || code=$?",
  ]);
  const trimmed = lines.map((line) => line.trim());
  expect(trimmed).toEqual(
    expect.arrayContaining([
      `image: ${next.image}:9.8.7`,
      `url: ${next.chart}`,
      "tag: 9.8.7",
      `url: ${next.repository}`,
      "tag: v9.8.7",
      "repoURL: registry.acme.example/charts",
      "targetRevision: 9.8.7",
      `kubectl apply --server-side -f ${next.files}/crds.yaml`,
      "npx northflank-operator@9.8.7 crds",
    ]),
  );
});

test.each(Object.entries(stampedFiles()))("%s has the names of package.json (else: npm run generate)", (file, text) => {
  expect(readFileSync(join(root, file), "utf8")).toBe(text);
});

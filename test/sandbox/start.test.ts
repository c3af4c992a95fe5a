import { readFileSync, rmSync, statSync } from "node:fs";
import { expect, test } from "vitest";
import { startKubernetes } from "../../sandbox/kubernetes/server.ts";
import { readCrds, writeKubeconfig } from "../../sandbox/start.ts";

test("two sandboxes of one checkout have a kubeconfig each, and nobody else reads it", async () => {
  await using one = await startKubernetes();
  await using two = await startKubernetes();
  const paths = [one, two].map(writeKubeconfig);
  try {
    expect(new Set(paths).size).toBe(2);
    expect(paths.map((path) => readFileSync(path, "utf8"))).toEqual([
      expect.stringContaining(`server: ${one.url}\n`),
      expect.stringContaining(`server: ${two.url}\n`),
    ]);
    expect(paths.map((path) => statSync(path).mode & 0o777)).toEqual([0o600, 0o600]);
    expect(writeKubeconfig(one)).toBe(paths[0]);
  } finally {
    for (const path of paths) rmSync(path);
  }
});

test("the CRDs of the folder are read, and nothing but them", () => {
  const kinds = [...readCrds().matchAll(/^kind: (.*)$/gm)].map(([, kind]) => kind);
  expect(kinds).toEqual(Array(4).fill("CustomResourceDefinition"));
});

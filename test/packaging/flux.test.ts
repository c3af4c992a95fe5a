import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { stringify } from "yaml";
import { runValidate } from "../../src/cli/validate.ts";
import type { KubeObject } from "../../src/kube/types.ts";
import { postBuild, setImages } from "../support/flux.ts";
import { goTool } from "../support/go-tools.ts";
import { kustomize } from "../support/kustomize.ts";

// What Flux would apply of deploy/flux: rendered by kustomize, which Flux contains, then by the rules of its postBuild.

const root = resolve(fileURLToPath(import.meta.url), "../../..");

let repository: string;

beforeAll(() => {
  repository = mkdtempSync(join(tmpdir(), "flux-"));
  cpSync(join(root, "deploy/flux"), repository, { recursive: true });
});
afterAll(() => rmSync(repository, { recursive: true, force: true }));

test("each release has a run of its own, with its image, which the deployment waits for", async () => {
  expect(await release()).toEqual(ofRelease("1.4.2"));
  // As the image automation writes the next releases, one after the other; 15 would be a number in YAML.
  for (const tag of ["1.5.0", "1.6.0-rc.1", "15"]) {
    for (const name of readdirSync(join(repository, "apps/shop"))) {
      const path = join(repository, "apps/shop", name);
      const latest = { "flux-system:api": { name: "ghcr.io/acme/api", tag } };
      writeFileSync(path, setImages(readFileSync(path, "utf8"), latest));
    }
    expect(await release()).toEqual(ofRelease(tag));
  }
});

test.each(["helm", "kustomize"])("the operator by %s is rendered as it stands", (way) => {
  const folder = join(root, "deploy/flux/infrastructure/northflank-operator", way);
  const kinds = kustomize(folder).map(({ kind }) => kind);
  expect(kinds.sort()).toEqual(
    way === "helm" ? ["HelmRelease", "Namespace", "OCIRepository"] : ["GitRepository", "Kustomization"],
  );
});

test("the values of the HelmRelease are values of the chart", () => {
  const folder = join(root, "deploy/flux/infrastructure/northflank-operator/helm");
  const release = kustomize(folder).find(({ kind }) => kind === "HelmRelease") as Manifest;
  const path = join(repository, "values.yaml");
  const template = (values: object) => {
    writeFileSync(path, stringify(values));
    const args = ["template", "northflank-operator", join(root, "deploy/chart"), "--values", path];
    return spawnSync(goTool("helm"), args, { encoding: "utf8" });
  };
  const { flags } = release.spec.values;
  expect(template({ flags }).stdout).toContain(`--log-level=${flags.logLevel}`);
  expect(template({ flags: { ...flags, logLevle: "info" } }).stderr).toContain("logLevle");
});

// biome-ignore lint/suspicious/noExplicitAny: manifests of many kinds, read by path; a wrong path fails the assertion.
type Manifest = KubeObject & Record<string, any>;

/** What identifies a release in the objects that Flux would apply; all of them are good. */
async function release(): Promise<object> {
  const objects = kustomize(join(repository, "apps/shop")) as readonly Manifest[];
  const applied = postBuild(objects.map((object) => stringify(object)).join("---\n"), { PROJECT: "shop" });
  let out = "";
  const say = (text: string) => {
    out += text;
  };
  const io = { out: say, err: say, isTerminal: false, readStdin: async () => applied };
  expect([await runValidate(["-"], io), out]).toEqual([0, expect.stringContaining("3 manifests checked, all good")]);
  expect(objects.map(({ metadata }) => metadata.namespace ?? metadata.name)).toEqual(Array(4).fill("shop"));
  const [run, deployment] = ["NorthflankJobRun", "NorthflankDeployment"].map((wanted) =>
    objects.find(({ kind }) => kind === wanted),
  );
  return {
    run: run?.metadata.name,
    revisions: [run, deployment].map((object) => object?.metadata.annotations?.["northflank-operator.io/revision"]),
    images: [run, deployment].map((object) => object?.spec.deployment.external.imagePath),
    waitsFor: deployment?.spec.waitFor,
  };
}

function ofRelease(tag: string): object {
  return {
    run: `migrate-${tag}`,
    revisions: [tag, tag],
    images: [`ghcr.io/acme/api:${tag}`, `ghcr.io/acme/api:${tag}`],
    waitsFor: [{ jobRunRef: { name: `migrate-${tag}` } }],
  };
}

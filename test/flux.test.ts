// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Flux and Northflank write variables like this.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Ajv } from "ajv";
import { describe, expect, test } from "vitest";
import { parse, parseAllDocuments, stringify } from "yaml";
import { runValidate } from "../src/cli/validate.ts";
import { flagsOfRun } from "../src/config.ts";
import type { KubeObject } from "../src/kube/types.ts";
import { parseDurationMs } from "../src/util/duration.ts";
import { markersIn, postBuild, setImages } from "./support/flux.ts";
import { fluxSchemas } from "./support/flux-schemas.ts";

// deploy/flux: a repository to copy, and docs/flux.md, which explains it. test/packaging/flux.test.ts renders it.

const root = resolve(fileURLToPath(import.meta.url), "../..");
const repository = join(root, "deploy/flux");
const page = readFileSync(join(root, "docs/flux.md"), "utf8");
const blocks = [...page.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, text = ""]) => text);

// biome-ignore lint/suspicious/noExplicitAny: manifests of many kinds, read by path; a wrong path fails the assertion.
type Manifest = KubeObject & Record<string, any>;

const files = (readdirSync(repository, { recursive: true }) as string[])
  .filter((name) => name.endsWith(".yaml"))
  .map((name) => ({ name, text: readFileSync(join(repository, name), "utf8") }));
const objects = files.flatMap(({ text }) => documents(text));
const app = files.filter(({ name }) => name.startsWith("apps/shop/"));

function documents(text: string): readonly Manifest[] {
  return parseAllDocuments(text).map((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw error;
    return document.toJS();
  });
}

/** The text as `postBuild` gets it: without comments, which kustomize drops. */
function built(text: string): string {
  const rendered = documents(text).map((object) => stringify(object));
  return postBuild(rendered.join("---\n"), variables);
}

const isOurs = ({ apiVersion }: KubeObject): boolean => apiVersion.startsWith("northflank-operator.io/");
const isFlux = ({ apiVersion }: KubeObject): boolean => apiVersion.includes(".toolkit.fluxcd.io/");
const of = (kind: string) => objects.filter((object) => object.kind === kind && (isFlux(object) || isOurs(object)));
const fluxKustomization = (name: string): Manifest => {
  const found = of("Kustomization").find(({ metadata }) => metadata.name === name);
  if (found === undefined) throw new Error(`deploy/flux has no Kustomization ${name}`);
  return found;
};
const variables: Readonly<Record<string, string>> = fluxKustomization("shop").spec.postBuild.substitute;

describe("what users copy", () => {
  const ajv = new Ajv({ allErrors: true, strict: false });

  /** Problems of the objects of Flux in a text, by the fields that its CRDs were seen to take. */
  function fluxProblems(text: string): readonly string[] {
    return documents(text)
      .filter(isFlux)
      .flatMap((object) => {
        const schema = fluxSchemas[`${object.apiVersion} ${object.kind}`];
        if (schema === undefined) return [`${object.apiVersion} ${object.kind} is not known`];
        const isValid: boolean = ajv.validate(schema, object);
        if (isValid) return [];
        return [`${object.kind} ${object.metadata.name}: ${ajv.errorsText(ajv.errors)}`];
      });
  }

  test.each(files)("deploy/flux/$name is good for Flux and for us", async ({ text }) => {
    expect(fluxProblems(text)).toEqual([]);
    const mine = documents(text).filter(isOurs);
    if (mine.length > 0) expect(await validated(built(text))).toEqual([0, expect.any(String)]);
  });

  test("the page has blocks of both, and each of them is good", async () => {
    const found = blocks.flatMap(documents);
    expect(found.filter(isOurs).length).toBeGreaterThan(0);
    expect(found.filter(isFlux).length).toBeGreaterThan(0);
    for (const text of blocks) {
      expect(documents(text).filter((object) => !isOurs(object) && !isFlux(object))).toEqual([]);
      expect(fluxProblems(text)).toEqual([]);
      if (documents(text).some(isOurs)) {
        expect(await validated(built(text))).toEqual([0, expect.any(String)]);
      }
    }
  });

  test("the links of the page lead somewhere", () => {
    const links = [...page.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, target = ""]) => target);
    expect(links.length).toBeGreaterThan(2);
    for (const target of links) expect([target, existsSync(join(root, "docs", target))]).toEqual([target, true]);
  });

  test("an unknown field of Flux is noticed", () => {
    const [first = ""] = blocks.filter((text) => text.includes("wait: true"));
    expect(fluxProblems(first)).toEqual([]);
    expect(fluxProblems(first.replace("wait: true", "waiting: true"))).toHaveLength(1);
  });
});

async function validated(text: string): Promise<readonly [number, string]> {
  let out = "";
  const say = (more: string) => {
    out += more;
  };
  const code = await runValidate(["-"], { out: say, err: say, isTerminal: false, readStdin: async () => text });
  return [code, out];
}

describe("the layout", () => {
  test("leads from the cluster to folders that exist, and to files in them", () => {
    const paths = of("Kustomization")
      .filter(({ spec }) => spec.sourceRef.name === "flux-system")
      .map(({ spec }) => spec.path);
    expect(paths).toHaveLength(2);
    for (const path of [...paths, "./infrastructure/northflank-operator/kustomize"]) {
      const folder = join(repository, path);
      const { resources } = parse(readFileSync(join(folder, "kustomization.yaml"), "utf8"));
      const beside = readdirSync(folder).filter((name) => name !== "kustomization.yaml");
      expect([...resources].sort()).toEqual(beside.sort());
    }
  });

  test("names no object twice: a Kustomization that applies one of its own name would replace itself", () => {
    const names = objects.filter(isFlux).map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`);
    expect(names).toEqual([...new Set(names)]);
  });

  test("applies the objects after the operator, and waits for both", () => {
    expect(fluxKustomization("shop").spec.dependsOn).toEqual([{ name: "infrastructure" }]);
    for (const { spec } of of("Kustomization")) expect(spec.wait).toBe(true);
  });

  test("makes the operator's namespace as the base does", () => {
    const read = (path: string) => readFileSync(join(root, "deploy", path), "utf8");
    expect(read("flux/infrastructure/northflank-operator/helm/namespace.yaml")).toBe(read("base/namespace.yaml"));
  });

  test("has the path of the base", () => {
    const { path } = fluxKustomization("northflank-operator").spec;
    expect(statSync(join(root, path, "kustomization.yaml")).isFile()).toBe(true);
  });

  test("gives the chart flags of the program only", () => {
    const [release] = of("HelmRelease");
    const flags = flagsOfRun().map(({ name }) => name.replaceAll(/-(\w)/g, (_, letter) => letter.toUpperCase()));
    expect(Object.keys(release?.spec.values)).toEqual(["flags"]);
    expect(flags).toEqual(expect.arrayContaining(Object.keys(release?.spec.values.flags)));
  });
});

describe("the runs", () => {
  test("are never in a Kustomization with force, and none goes by itself", () => {
    expect(of("Kustomization").map(({ spec }) => spec.force ?? false)).toEqual([false, false, false]);
    const runs = of("NorthflankJobRun");
    expect(runs.length).toBeGreaterThan(0);
    for (const { metadata, spec } of runs) {
      const annotations = metadata.annotations ?? {};
      expect(spec.ttlSecondsAfterFinished).toBeUndefined();
      expect(annotations).toMatchObject({ "kustomize.toolkit.fluxcd.io/prune": "Disabled" });
      expect(Object.keys(annotations)).not.toContain("kustomize.toolkit.fluxcd.io/force");
    }
  });

  test("and the rollouts behind them fit into the timeout", () => {
    const runSeconds = of("NorthflankJobRun").map(({ spec }) => spec.activeDeadlineSeconds);
    const rolloutSeconds = of("NorthflankDeployment").map(({ spec }) => spec.rollout?.timeoutSeconds ?? 900);
    const timeoutMs = parseDurationMs(fluxKustomization("shop").spec.timeout) ?? 0;
    expect(timeoutMs).toBeGreaterThan(1000 * (Math.max(...runSeconds) + Math.max(...rolloutSeconds)));
  });

  test("are waited for by what needs them", () => {
    const [deployment] = of("NorthflankDeployment");
    const waited = deployment?.spec.waitFor.map((one: Manifest) => one.jobRunRef.name);
    expect(waited).toEqual(of("NorthflankJobRun").map(({ metadata }) => metadata.name));
  });
});

describe("the image automation", () => {
  const next = { "flux-system:api": { name: "ghcr.io/acme/api", tag: "1.5.0" } };

  test("has a policy for each marker, and the files in its path", () => {
    const policies = of("ImagePolicy").map(({ metadata }) => `${metadata.namespace}:${metadata.name}`);
    const repositories = of("ImageRepository").map(({ metadata }) => metadata.name);
    for (const { spec } of of("ImagePolicy")) expect(repositories).toContain(spec.imageRepositoryRef.name);
    const [automation] = of("ImageUpdateAutomation");
    for (const { name, text } of files) {
      const markers = markersIn(text).filter((marker) => marker !== "...");
      for (const marker of markers) expect(policies).toContain(marker.split(":").slice(0, 2).join(":"));
      if (markers.length > 0 && !name.startsWith("clusters/")) {
        expect(relative(join(repository, automation?.spec.update.path), join(repository, name))).not.toMatch(/^\.\./);
      }
    }
  });

  test("changes every image and the revision in one commit, and nothing else", () => {
    const changed = app.flatMap(({ name, text }) => {
      const after = setImages(text, next).split("\n");
      return text.split("\n").flatMap((line, at) => (line === after[at] ? [] : [`${name}: ${after[at]?.trim()}`]));
    });
    expect(changed.sort()).toEqual([
      'apps/shop/api.yaml: imagePath: ghcr.io/acme/api:1.5.0 # {"$imagepolicy": "flux-system:api"}',
      'apps/shop/api.yaml: northflank-operator.io/revision: 1.5.0 # {"$imagepolicy": "flux-system:api:tag"}',
      'apps/shop/migrate.yaml: imagePath: ghcr.io/acme/api:1.5.0 # {"$imagepolicy": "flux-system:api"}',
    ]);
    const images = app.flatMap(({ text }) => [...text.matchAll(/^ +imagePath: /gm)]);
    expect(images).toHaveLength(2);
  });

  // What Flux's own code did with each of these.
  test.each([
    [
      'image: a:1 # {"$imagepolicy": "flux-system:api"}',
      'image: ghcr.io/acme/api:1.5.0 # {"$imagepolicy": "flux-system:api"}',
    ],
    [
      'image: "a:1" # {"$imagepolicy": "flux-system:api"}',
      'image: "ghcr.io/acme/api:1.5.0" # {"$imagepolicy": "flux-system:api"}',
    ],
    ['image: a:1 # {"$imagepolicy": "default:api"}', undefined],
    ['external: {imagePath: "a:1"} # {"$imagepolicy": "flux-system:api"}', undefined],
    ['# {"$imagepolicy": "flux-system:api"}\nimagePath: a:1', undefined],
  ])("of %s makes %s", (before, after) => {
    expect(setImages(before, next)).toBe(after ?? before);
  });

  test.each(["1.5", "15", "1e3"])("puts the tag %s into quotes, so that it stays a text", (tag) => {
    const text = setImages('revision: 1.4.2 # {"$imagepolicy": "flux-system:api:tag"}', {
      "flux-system:api": { name: "ghcr.io/acme/api", tag },
    });
    expect(parse(text)).toEqual({ revision: tag });
  });
});

describe("postBuild", () => {
  // What Flux's own code did with each of these, with PROJECT=shop.
  test.each([
    ["a${PROJECT}b", "ashopb"],
    ["${MISSING}x", "x"],
    ["$PROJECT", "$PROJECT"],
    ["$$PROJECT", "$PROJECT"],
    ["p$$w", "p$w"],
    ["$${refs.database.url}", "${refs.database.url}"],
    ["$${{secrets.db.values.URL}}", "${{secrets.db.values.URL}}"],
    ["$$$${PROJECT}", "$${PROJECT}"],
    ["$$${PROJECT}", "$shop"],
  ])("makes of %s this: %s", (before, after) => {
    expect(postBuild(before, { PROJECT: "shop" })).toBe(after);
  });

  test.each(["${refs.database.url}", "${{secrets.db.values.URL}}", "${}"])("fails at %s", (text) => {
    expect(() => postBuild(text, { PROJECT: "shop" })).toThrow("variable substitution failed");
  });

  test("leaves Northflank its references, and knows every variable that is used", () => {
    const text = app.map((file) => built(file.text)).join("---\n");
    const [run] = documents(text).filter(({ kind }) => kind === "NorthflankJobRun");
    expect(run?.spec.runtimeEnvironment).toEqual({ DATABASE_URL: "${refs.database.url}" });
    const used = app.flatMap((file) => [...file.text.matchAll(/(?<!\$)\$\{(\w+)\}/g)].map(([, name]) => name));
    expect([...new Set(used)]).toEqual(Object.keys(variables));
  });
});

import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { extract } from "tar";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { published } from "../../scripts/published.ts";
import { filesBelow } from "../../scripts/release/archive.ts";
import { buildArtifacts } from "../../scripts/release/artifacts.ts";
import { type CheckoutCopy, changedFiles, copyCheckout, git, ownFiles } from "../../scripts/release/checkout.ts";
import { cutVersion } from "../../scripts/release/cut.ts";
import { goTool } from "../support/go-tools.ts";
import { kustomize } from "../support/kustomize.ts";

// A release from beginning to end but for what leaves this machine: two copies of the checkout become the next version, each
// builds its files, and the files are used as users would.

const root = resolve(import.meta.dirname, "../..");
const version = "987.6.5";
const revision = "0123456789abcdef0123456789abcdef01234567";
const time = new Date("2026-11-30T12:00:00Z");
const current: string = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version;

const temporary = mkdtempSync(join(tmpdir(), "release-test-"));
const into = join(temporary, "first");
const copies: CheckoutCopy[] = [];
let checkout: string;

beforeAll(() => {
  checkout = next(into);
  // The second machine is set up otherwise: what it writes is nobody else's to read, its clocks and its order of letters differ.
  const umask = process.umask(0o077);
  vi.stubEnv("TZ", "Asia/Kolkata");
  vi.stubEnv("LC_ALL", "tr_TR.UTF-8");
  try {
    next(join(temporary, "second"));
  } finally {
    process.umask(umask);
    vi.unstubAllEnvs();
  }
}, 600_000);

/** Builds the files of the next version in a copy of the checkout, and returns the folder of the copy. */
function next(to: string): string {
  const copy = copyCheckout(root);
  copies.push(copy);
  cutVersion(copy.folder, { version, date: "2026-11-30", root });
  buildArtifacts({ checkout: copy.folder, into: to, revision, time });
  return copy.folder;
}

afterAll(() => {
  for (const copy of copies) copy[Symbol.dispose]();
  rmSync(temporary, { recursive: true });
}, 120_000);

function unpacked(name: string): string {
  const folder = join(temporary, `unpacked-${name}`);
  mkdirSync(folder, { recursive: true });
  extract({ file: join(into, name), cwd: folder, sync: true });
  return folder;
}

function contents(folder: string): Readonly<Record<string, string>> {
  const files = filesBelow(folder).toSorted();
  return Object.fromEntries(files.map((path) => [path, readFileSync(join(folder, path), "utf8")]));
}

describe("the next version", () => {
  test("is the version of everything, and the current one is named nowhere", () => {
    const { packages, ...lock } = JSON.parse(readFileSync(join(checkout, "package-lock.json"), "utf8"));
    const chart = parse(readFileSync(join(checkout, "deploy/chart/Chart.yaml"), "utf8"));
    const images = kustomize(join(checkout, "deploy")).flatMap(
      (object) => JSON.stringify(object).match(/"image":"[^"]*"/g) ?? [],
    );
    expect([lock.version, packages[""].version, chart.version, chart.appVersion, ...images]).toEqual([
      ...Array(4).fill(version),
      `"image":"ghcr.io/northflank-operator/northflank-operator:${version}"`,
    ]);
    // Behind our name: an image of others, in an example, may happen to have the same number.
    const old = current.replaceAll(".", "\\.");
    const mention = new RegExp(`northflank-operator(?!\\.io).*(?<![\\w.])v?${old}(?![\\w-]|\\.\\d)`);
    const texts = ownFiles(root).filter((path) => /^(?:README\.md|deploy|examples|docs\/(?!decisions))/.test(path));
    expect(texts.filter((path) => mention.test(readFileSync(join(checkout, path), "utf8")))).toEqual([]);
  });

  test("leaves the checkout as it was", () => {
    expect(changedFiles(root, checkout)).toEqual(
      expect.arrayContaining(["CHANGELOG.md", "package.json", "package-lock.json"]),
    );
    expect(JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version).toBe(current);
  });

  test("passes what compares generated files with their sources", () => {
    execFileSync(process.execPath, ["--import", "tsx", "scripts/generate.ts", "--check"], { cwd: checkout });
  });
});

describe("npm run release", () => {
  const identity = { NAME: "A", EMAIL: "a@example.com" };
  const env = {
    ...process.env,
    SOURCE_DATE_EPOCH: String(time.getTime() / 1_000),
    ...Object.fromEntries(Object.entries(identity).map(([name, value]) => [`GIT_AUTHOR_${name}`, value])),
    ...Object.fromEntries(Object.entries(identity).map(([name, value]) => [`GIT_COMMITTER_${name}`, value])),
  };

  function inClone(
    act: (folder: string, release: (...args: readonly string[]) => ReturnType<typeof run>) => void,
  ): void {
    using copy = copyCheckout(root);
    git(copy.folder, "init", "--quiet", "--initial-branch=main");
    git(copy.folder, "add", "--all");
    execFileSync("git", ["commit", "--quiet", "--no-verify", "--message=all"], { cwd: copy.folder, env });
    act(copy.folder, (...args) => run(copy.folder, args));
  }

  function run(folder: string, args: readonly string[], script = "release") {
    const command = ["--import", "tsx", `scripts/${script}.ts`, ...args];
    const { status, stdout, stderr } = spawnSync(process.execPath, command, { cwd: folder, env, encoding: "utf8" });
    return { status, stdout, stderr };
  }

  test("makes one commit and its tag on a clean main", () => {
    inClone((folder, release) => {
      const told = `committed and tagged v${version}. To publish it: git push --atomic origin main v${version}\n`;
      expect(release(version)).toEqual({ status: 0, stdout: told, stderr: "" });
      expect(git(folder, "log", "--format=%s")).toBe(`release: ${version}\nall`);
      expect(git(folder, "rev-parse", `v${version}^{commit}`)).toBe(git(folder, "rev-parse", "HEAD"));
      expect(git(folder, "status", "--porcelain")).toBe("");
      expect(git(folder, "show", "HEAD:CHANGELOG.md")).toContain(`\n## Unreleased\n\n## ${version} - 2026-11-30\n`);

      // What the workflow of the tag does.
      expect(run(folder, ["--tag", "v1.2.3"], "release-artifacts").status).toBe(1);
      expect(run(folder, ["--tag", `v${version}`], "release-artifacts")).toMatchObject({ status: 0, stderr: "" });
      const built = join(folder, "dist/release");
      expect(readdirSync(built).toSorted()).toEqual(readdirSync(into).toSorted());
      extract({ file: join(built, `northflank-operator-npm-${version}.tgz`), cwd: built, sync: true });
      const program = join(built, "package/dist/northflank-operator.js");
      const says = execFileSync(process.execPath, [program, "version"], { encoding: "utf8" });
      expect(says).toContain(git(folder, "rev-parse", "HEAD"));
      // esbuild breaks long lines also within texts.
      const text = readFileSync(program, "utf8").replaceAll("\\\n", "");
      // What the program says about missing CRDs.
      expect(text.includes(published(folder).files)).toBe(true);
      // Here node_modules is a link: the bundle does not say where to.
      expect(/"\.\.\/[^"]*node_modules\//.exec(text)?.[0]).toBeUndefined();

      const again = release("987.6.6");
      expect(again).toEqual({ status: 1, stdout: "", stderr: expect.stringContaining("no entry under") });
      expect(git(folder, "status", "--porcelain")).toBe("");
    });
  }, 600_000);

  test("has names for its workflow that are those of everything else", () => {
    const { stdout } = run(checkout, [], "release-names");
    expect(stdout.trimEnd().split("\n")).toEqual([
      `version=${version}`,
      `tag=v${version}`,
      "image=ghcr.io/northflank-operator/northflank-operator",
      "charts=ghcr.io/northflank-operator/charts",
    ]);
  });

  test("refuses any other checkout, and changes nothing in it", () => {
    inClone((folder, release) => {
      git(folder, "checkout", "--quiet", "-b", "feature");
      git(folder, "tag", `v${version}`);
      writeFileSync(join(folder, "more.txt"), "");
      const { status, stderr } = release(version);
      expect(status).toBe(1);
      expect(stderr).toContain("the branch is feature, not main");
      expect(stderr).toContain("there are changes that are not committed");
      expect(stderr).toContain(`the tag v${version} exists`);
      expect(git(folder, "status", "--porcelain")).toBe("?? more.txt");
    });
  }, 300_000);
});

describe("the files of a release", () => {
  test("are these", () => {
    expect(readdirSync(into).toSorted()).toEqual([
      "RELEASE-NOTES.md",
      "SHA256SUMS",
      "crds.yaml",
      "install.yaml",
      `northflank-operator-chart-${version}.tgz`,
      `northflank-operator-npm-${version}.tgz`,
      `northflank-operator-schemas-${version}.tar.gz`,
    ]);
  });

  test("have the same bytes when they are built again, in another folder, with another umask, time zone and language", () => {
    for (const name of readdirSync(into)) {
      expect(readFileSync(join(temporary, "second", name)).equals(readFileSync(join(into, name))), name).toBe(true);
    }
  });

  test("are all in SHA256SUMS, but for the notes", () => {
    const lines = readFileSync(join(into, "SHA256SUMS"), "utf8").trimEnd().split("\n");
    const names = readdirSync(into).filter((name) => name !== "SHA256SUMS" && name !== "RELEASE-NOTES.md");
    const sum = (name: string) =>
      createHash("sha256")
        .update(readFileSync(join(into, name)))
        .digest("hex");
    expect(lines).toEqual(names.toSorted().map((name) => `${sum(name)}  ${name}`));
  });

  test("name no folder of the machine that built them", () => {
    for (const { folder } of copies) {
      for (const name of readdirSync(into).filter((each) => !/gz$/.test(each))) {
        expect(readFileSync(join(into, name), "utf8").includes(folder), name).toBe(false);
      }
    }
  });
});

describe("install.yaml", () => {
  test("is what kubectl kustomize makes of deploy/, in the same order", () => {
    const objects = parseAllDocuments(readFileSync(join(into, "install.yaml"), "utf8")).map((one) => one.toJS());
    expect(objects.filter((object) => object !== null)).toEqual(kustomize(join(checkout, "deploy")));
  });
});

test("crds.yaml holds every CRD as it is committed", () => {
  const text = readFileSync(join(into, "crds.yaml"), "utf8");
  const files = readdirSync(join(checkout, "crds")).filter((name) => name.endsWith(".yaml"));
  expect(files.length).toBeGreaterThan(3);
  for (const name of files) expect(text).toContain(readFileSync(join(checkout, "crds", name), "utf8"));
});

test("the schemas are those that are committed", () => {
  const folder = unpacked(`northflank-operator-schemas-${version}.tar.gz`);
  expect(contents(join(folder, "schemas"))).toEqual(contents(join(checkout, "schemas")));
});

describe("the chart", () => {
  const name = `northflank-operator-chart-${version}.tgz`;

  test("holds what helm package packs", () => {
    const folder = join(temporary, "by-helm");
    mkdirSync(folder);
    execFileSync(goTool("helm"), ["package", join(checkout, "deploy/chart"), "--destination", folder]);
    const file = join(folder, `northflank-operator-${version}.tgz`);
    extract({ file, cwd: folder, sync: true });
    const byHelm = contents(join(folder, "northflank-operator"));
    const ours = contents(join(unpacked(name), "northflank-operator"));
    expect(Object.keys(ours)).toEqual(Object.keys(byHelm));
    // helm writes Chart.yaml anew, in its own order of keys.
    expect({ ...ours, "Chart.yaml": parse(ours["Chart.yaml"] ?? "") }).toEqual({
      ...byHelm,
      "Chart.yaml": parse(byHelm["Chart.yaml"] ?? ""),
    });
  });

  test("is rendered by helm from the file, with the image of its version", () => {
    const rendered = execFileSync(goTool("helm"), ["template", "x", join(into, name)], { encoding: "utf8" });
    expect(rendered.match(/^ *image: .*$/gm)?.map((line) => line.trim())).toEqual([
      `image: "ghcr.io/northflank-operator/northflank-operator:${version}"`,
    ]);
  });
});

describe("the npm package", () => {
  const name = `northflank-operator-npm-${version}.tgz`;

  test("holds the program, the CRDs and the schemas, and no sources or tests", () => {
    const files = contents(join(unpacked(name), "package"));
    const below = (folder: string) => readdirSync(join(checkout, folder)).map((file) => `${folder}/${file}`);
    expect(Object.keys(files)).toEqual(
      [
        ...["CHANGELOG.md", "LICENSE", "README.md", "package.json"],
        ...["THIRD-PARTY-LICENSES.txt", "northflank-operator.js", "northflank-operator.js.map"].map(
          (file) => `dist/${file}`,
        ),
        ...below("crds"),
        ...below("schemas"),
      ].toSorted(),
    );
    expect(readFileSync(join(into, name)).length).toBeLessThan(1_200_000);
  });

  test("has everything in its bundle: nothing is installed beside it", () => {
    const {
      dependencies,
      optionalDependencies,
      peerDependencies,
      version: own,
    } = JSON.parse(readFileSync(join(unpacked(name), "package/package.json"), "utf8"));
    expect({ dependencies, optionalDependencies, peerDependencies, own }).toEqual({ own: version });
  });

  test("has a bundle that Node keeps with one byte for each character, and no part that only costs time", () => {
    const text = readFileSync(join(unpacked(name), "package/dist/northflank-operator.js"), "utf8");
    expect(text.match(/[^\0-\x7f]/g)).toBeNull();
    expect(text).not.toMatch(/\bnode:http2\b/);
  });

  test("names every package that is in the bundle with its license", () => {
    const text = readFileSync(join(unpacked(name), "package/dist/THIRD-PARTY-LICENSES.txt"), "utf8");
    for (const library of ["ajv", "pino", "prom-client", "undici", "yaml"]) {
      expect(text).toMatch(new RegExp(`^${library} \\d+\\.\\d+\\.\\d+ \\(.+\\)$`, "m"));
    }
  });

  test("validates by npx in an empty folder, without a network", () => {
    const folder = join(temporary, "empty");
    mkdirSync(folder);
    // No cache, no configuration and no registry: what is needed is in the file.
    const env = {
      PATH: process.env.PATH,
      HOME: join(temporary, "home"),
      npm_config_registry: "http://127.0.0.1:9",
      npm_config_update_notifier: "false",
    };
    const options = { cwd: folder, env, encoding: "utf8" } as const;
    cpSync(join(root, "examples/10-deployment.yaml"), join(folder, "good.yaml"));
    writeFileSync(
      join(folder, "bad.yaml"),
      "apiVersion: northflank-operator.io/v1alpha1\nkind: NorthflankJob\nmetadata: {name: a}\nspec: {}\n",
    );
    const npx = (file: string) => {
      const args = ["exec", "--yes", "--offline", `--package=${join(into, name)}`, "--", "northflank-operator"];
      return spawnSync("npm", [...args, "validate", file], options);
    };
    const [good, bad] = [npx("good.yaml"), npx("bad.yaml")];
    expect({ status: good.status, stderr: good.stderr }).toEqual({ status: 0, stderr: "" });
    expect({ status: bad.status, stdout: bad.stdout }).toEqual({
      status: 1,
      stdout: expect.stringContaining("projectId"),
    });

    // Installed into a project, `npx northflank-operator` finds it. npm takes a package.json in a folder above for it.
    writeFileSync(join(folder, "package.json"), "{}");
    execFileSync("npm", ["install", "--offline", "--no-audit", "--no-fund", join(into, name)], options);
    expect(readdirSync(join(folder, "node_modules")).filter((entry) => !entry.startsWith("."))).toEqual([
      "northflank-operator",
    ]);
    expect(execFileSync("npx", ["northflank-operator", "version"], options)).toContain(version);
  }, 300_000);
});

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

// What npm packs, by hand or in a release, and with what modes. test/packaging/release.test.ts uses the package.

const root = resolve(import.meta.dirname, "../..");
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "npm-package-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("npm pack takes nothing that happens to lie around", () => {
  const bundle = ["northflank-operator.js", "northflank-operator.js.map", "THIRD-PARTY-LICENSES.txt"];
  for (const name of ["package.json", "README.md", "LICENSE", "CHANGELOG.md"])
    cpSync(join(root, name), join(folder, name));
  for (const name of ["crds", "schemas"]) {
    mkdirSync(join(folder, name));
    for (const file of readdirSync(join(root, name))) writeFileSync(join(folder, name, file), "");
  }
  const expected = [
    ...["package.json", "README.md", "LICENSE", "CHANGELOG.md"],
    ...bundle.map((name) => `dist/${name}`),
    ...["crds", "schemas"].flatMap((name) => readdirSync(join(folder, name)).map((file) => `${name}/${file}`)),
  ];
  const junk = [
    ...["schemas/.env", "schemas/notes.txt", "schemas/old/a.json", "schemas/a.json~"],
    ...["crds/secret.yaml.bak", "crds/.env", "crds/node_modules/a/index.js", "crds/node_modules/a/a.yaml"],
    ...["crds/old/a.yaml", "crds/Kustomization.orig", "dist/release/install.yaml", "dist/notes.txt", ".env"],
  ];
  for (const path of [...bundle.map((name) => `dist/${name}`), ...junk]) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), "");
  }
  const json = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts", "--offline"], {
    cwd: folder,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  // npm prints a list, and from its version 12 on an object by the package's name.
  const [packed] = Object.values(JSON.parse(json)) as { readonly files: readonly { readonly path: string }[] }[];
  expect(packed?.files.map(({ path }) => path).toSorted()).toEqual(expected.toSorted());
});

test("the bundle has the same modes under any umask", () => {
  const build = 'umask 077; exec "$0" --import tsx scripts/build.ts "$1"';
  execFileSync("sh", ["-c", build, process.execPath, folder], { cwd: root, stdio: "pipe" });
  const modes = readdirSync(folder).map((name) => [name, (statSync(join(folder, name)).mode & 0o777).toString(8)]);
  expect(Object.fromEntries(modes)).toEqual({
    "northflank-operator.js": "755",
    "northflank-operator.js.map": "644",
    "THIRD-PARTY-LICENSES.txt": "644",
  });
});

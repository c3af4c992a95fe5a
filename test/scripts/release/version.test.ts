import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { stampedFiles } from "../../../scripts/generated/stamped.ts";
import { published } from "../../../scripts/published.ts";
import { ownFiles } from "../../../scripts/release/checkout.ts";
import { mentions } from "../../../scripts/release/cut.ts";
import { problemOfVersion, withVersion } from "../../../scripts/release/version.ts";

describe("the next version", () => {
  test.each([
    ["1.2.3", true, "1.2.4", undefined],
    ["1.2.3", true, "2.0.0-rc.1", undefined],
    ["2.0.0-rc.1", true, "2.0.0", undefined],
    ["1.2.3", false, "1.2.3", undefined],
    ["0.1.0", false, "0.1.0-rc.1", undefined],
    ["0.1.0-rc.1", true, "0.1.0", undefined],
    ["0.1.0", true, "0.1.0-rc.2", "0.1.0-rc.2 is older than 0.1.0, the current version"],
    ["0.1.0", false, "0.0.9-rc.1", "0.0.9-rc.1 is older than 0.1.0, the current version"],
    ["0.1.0-rc.2", false, "0.1.0-rc.1", "0.1.0-rc.1 is older than 0.1.0-rc.2, the current version"],
    ["1.2.3", true, "1.2.3", "1.2.3 is released already"],
    ["1.2.3", false, "1.2.2", "1.2.2 is older than 1.2.3, the current version"],
    ["2.0.0", true, "2.0.0-rc.2", "2.0.0-rc.2 is older than 2.0.0, the current version"],
    ["1.2.3", true, "v1.2.4", '"v1.2.4" is not a version: 1.2.3 or 1.2.3-rc.1 is expected'],
    ["1.2.3", true, "1.3", '"1.3" is not a version: 1.2.3 or 1.2.3-rc.1 is expected'],
    ["1.2.3", true, "1.2.04", '"1.2.04" is not a version: 1.2.3 or 1.2.3-rc.1 is expected'],
    ["1.2.3", true, "1.2.4+b", '"1.2.4+b" is not a version: 1.2.3 or 1.2.3-rc.1 is expected'],
  ])("after %s (released: %s), %s: %s", (version, isReleased, next, problem) => {
    expect(problemOfVersion(next, { version, isReleased })).toBe(problem);
  });
});

describe("a text that names the version", () => {
  const names = {
    image: "ghcr.io/acme/northflank-operator",
    chart: "oci://ghcr.io/acme/charts/northflank-operator",
    repository: "https://github.com/acme/northflank-operator",
  };
  const renamed = (text: string) => withVersion(text, { from: "0.1.0", to: "0.2.0-rc.1", names });

  test.each([
    ["image: ghcr.io/acme/northflank-operator:0.1.0", "image: ghcr.io/acme/northflank-operator:0.2.0-rc.1"],
    ["ghcr.io/acme/northflank-operator:0.1.0@sha256:ab", "ghcr.io/acme/northflank-operator:0.2.0-rc.1@sha256:ab"],
    ["registry.example.com/northflank-operator:0.1.0", "registry.example.com/northflank-operator:0.2.0-rc.1"],
    ["northflank-operator@0.1.0", "northflank-operator@0.2.0-rc.1"],
    ["The latest is northflank-operator 0.1.0.", "The latest is northflank-operator 0.2.0-rc.1."],
    [
      "helm install northflank-operator oci://ghcr.io/acme/charts/northflank-operator --version 0.1.0 \\",
      "helm install northflank-operator oci://ghcr.io/acme/charts/northflank-operator --version 0.2.0-rc.1 \\",
    ],
    [
      "helm pull oci://ghcr.io/acme/charts/northflank-operator -d x --version=0.1.0",
      "helm pull oci://ghcr.io/acme/charts/northflank-operator -d x --version=0.2.0-rc.1",
    ],
    [
      "https://github.com/acme/northflank-operator/releases/download/v0.1.0/install.yaml",
      "https://github.com/acme/northflank-operator/releases/download/v0.2.0-rc.1/install.yaml",
    ],
    [
      "https://github.com/acme/northflank-operator//deploy?ref=v0.1.0",
      "https://github.com/acme/northflank-operator//deploy?ref=v0.2.0-rc.1",
    ],
    ["northflank-operator-npm-0.1.0.tgz", "northflank-operator-npm-0.2.0-rc.1.tgz"],
  ])("%s", (before, after) => {
    expect(renamed(before)).toBe(after);
  });

  test.each([
    "version: 0.1.0",
    "newTag: 0.1.0",
    'range: ">=0.1.0 <2.0.0"',
    "northflank-operator.io/revision: 0.1.0",
    "helm install other oci://ghcr.io/acme/charts/other --version 0.1.0",
    "helm pull oci://ghcr.io/acme/charts/northflank-operator && helm pull oci://example.com/other --version 0.1.0",
    "ghcr.io/acme/api:0.1.0",
    "ghcr.io/acme/not-northflank-operator:0.1.0",
    "ghcr.io/acme/northflank-operator:0.1.0-rc.1",
    "northflank-operator:10.1.0",
    "northflank-operator:0.1.0.4",
    "northflank-operator:0.1.01",
    "northflank-operator:0-1-0",
    "undici@0.1.0",
    "https://example.com/v0.1.0/install.yaml",
  ])("%s stays", (text) => {
    expect(renamed(text)).toBe(text);
  });
});

describe("the texts of this repository, cut", () => {
  const root = resolve(import.meta.dirname, "../../..");
  const names = published();
  const ours = /(?<![\w-])northflank-operator(?![\w-]|\.io)/;
  const texts = ownFiles(root)
    .filter((path) => mentions.test(path))
    .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));

  /** `PATH: LINE` for each line that another version changes, beyond those that are generated or stamped. */
  function changedBy(change: (text: string) => string): readonly string[] {
    return texts.flatMap(({ path, text }) => {
      const after = change(text).split("\n");
      return text.split("\n").flatMap((line, index) => (after[index] === line ? [] : [`${path}: ${line}`]));
    });
  }

  // The numbers that images and charts of others have in examples, and our own.
  const others = texts.flatMap(({ text }) => text.match(/(?<![\w.])\d+\.\d+\.\d+(?![\w-]|\.\d)/g) ?? []);
  const versions = [...new Set([...others, "1.0.0", "1.4.2", "1.5.0", "2.0.0", names.version])].toSorted();

  test.each(versions)("from %s, change only lines that name ours", (from) => {
    const changed = changedBy((text) => withVersion(text, { from, to: "987.6.5", names }));
    expect(changed.filter((line) => !ours.test(line.slice(line.indexOf(": "))))).toEqual([]);
  });

  test("from the current version, change what names it", () => {
    const changed = changedBy((text) => withVersion(text, { from: names.version, to: "987.6.5", names }));
    const sources = changed.map((line) => line.slice(0, line.indexOf(": ")));
    const files = ["deploy/base/deployment.yaml", "deploy/chart/README.md", "docs/kustomize.md"];
    expect(sources).toEqual(expect.arrayContaining(files));
  });

  test("are stamped with it in lines that are listed one by one", () => {
    const stamped = stampedFiles({ ...names, version: "987.6.5" });
    for (const [path, text] of Object.entries(stamped)) {
      const before = readFileSync(join(root, path), "utf8").split("\n");
      const lines = text.split("\n").filter((line, index) => line !== before[index]);
      expect(lines.length, path).toBeGreaterThan(0);
      expect(
        lines.filter((line) => !line.includes("987.6.5")),
        path,
      ).toEqual([]);
    }
  });
});

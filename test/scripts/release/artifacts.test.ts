import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { list } from "tar";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { filesBelow, writeArchive } from "../../../scripts/release/archive.ts";
import { installManifest, joinedManifests } from "../../../scripts/release/install-manifest.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "artifacts-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(path: string, text: string): void {
  mkdirSync(join(folder, path, ".."), { recursive: true });
  writeFileSync(join(folder, path), text);
}

describe("an archive", () => {
  const time = new Date("2026-11-30T12:00:00Z");

  function archive(name: string, files: readonly string[]): Buffer {
    const path = join(folder, name);
    writeArchive({ folder: join(folder, "in"), files, prefix: "things", path, time });
    return readFileSync(path);
  }

  test("has the same bytes whatever the files' times, rights and order", () => {
    write("in/b.txt", "b");
    write("in/a/c.txt", "c");
    const first = archive("1.tgz", ["b.txt", "a/c.txt"]);
    utimesSync(join(folder, "in/b.txt"), 1, 1);
    chmodSync(join(folder, "in/a/c.txt"), 0o700);
    expect(archive("2.tgz", ["a/c.txt", "b.txt"]).equals(first)).toBe(true);
    write("in/b.txt", "d");
    expect(archive("3.tgz", ["b.txt", "a/c.txt"]).equals(first)).toBe(false);
  });

  test("holds the files below its prefix, readable for all and executable for none", () => {
    write("in/b.txt", "b");
    write("in/a/c.txt", "c");
    chmodSync(join(folder, "in/b.txt"), 0o700);
    archive("1.tgz", filesBelow(join(folder, "in")));
    const entries: unknown[] = [];
    list({
      file: join(folder, "1.tgz"),
      sync: true,
      onReadEntry: ({ path, mode, mtime, uid }) => entries.push([path, mode, mtime, uid ?? 0]),
    });
    expect(entries).toEqual([
      ["things/a/c.txt", 0o644, time, 0],
      ["things/b.txt", 0o644, time, 0],
    ]);
  });
});

describe("manifests in one file", () => {
  const kustomization = (resources: string) =>
    `apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n${resources}`;
  const object = (kind: string, name: string) => `kind: ${kind}\nmetadata: {name: ${name}}\n`;

  test("come in the order in which they can be applied, with their comments", () => {
    write("deploy/kustomization.yaml", kustomization("resources: [base]\n"));
    write("deploy/base/kustomization.yaml", kustomization("resources: [all.yaml, ../../crds]\n"));
    write("deploy/base/all.yaml", `# What runs.\n${object("Deployment", "d")}---\n---\n${object("Namespace", "n")}`);
    write("crds/Kustomization", kustomization("resources: [c.yaml]\n"));
    write("crds/c.yaml", object("CustomResourceDefinition", "c"));
    expect(installManifest(join(folder, "deploy"), "1.2.3")).toBe(
      `# 1.2.3\n---\n${object("Namespace", "n")}---\n${object("CustomResourceDefinition", "c")}---\n# What runs.\n${object("Deployment", "d")}`,
    );
  });

  test.each([
    ["says more than resources", kustomization("resources: []\nnamePrefix: x\n"), "does not render: namePrefix"],
    ["has a kind without a place", kustomization("resources: [x.yaml]\n"), "does not say where a Gizmo is applied"],
  ])("are refused when a kustomization %s", (_, text, message) => {
    write("deploy/kustomization.yaml", text);
    write("deploy/x.yaml", object("Gizmo", "x"));
    expect(() => installManifest(join(folder, "deploy"), "")).toThrow(message);
  });

  test("of a folder come in the order of their names", () => {
    write("crds/b.yaml", "b: 1\n");
    write("crds/a.yaml", "a: 1\n");
    write("crds/Kustomization", "kind: Kustomization\n");
    expect(joinedManifests(join(folder, "crds"), "1.2.3")).toBe("# 1.2.3\n---\na: 1\n---\nb: 1\n");
  });
});

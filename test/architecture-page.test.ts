import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { steps as deploymentSteps } from "../src/controllers/deployment/machine.ts";
import { steps as jobSteps } from "../src/controllers/job/machine.ts";
import { steps as runSteps } from "../src/controllers/job-run/machine.ts";

/* ARCHITECTURE.md names what is there: every file of the controllers, and every state of the machines that it draws. */

const root = resolve(import.meta.dirname, "..");
const page = readFileSync(join(root, "ARCHITECTURE.md"), "utf8");

const rooms = [
  "operator",
  "webhook",
  ...readdirSync(join(root, "src/controllers")).map((room) => `controllers/${room}`),
].map((room) => `src/${room}`);

/** The files that the table of a folder names, in its order. */
function tableOf(folder: string): readonly string[] {
  const [, section = ""] = page.split(`\n### \`${folder}\``);
  const [table = ""] = section.split("\n#");
  return [...table.matchAll(/^\| `([^`]+\.ts)` \| \S/gm)].flatMap(([, file]) => file ?? []);
}

describe.each(rooms)("the table of %s", (folder) => {
  test("names every file once, and no other", () => {
    expect([...tableOf(folder)].sort()).toEqual(readdirSync(join(root, folder)).sort());
  });
});

test("every table is that of a folder", () => {
  const headings = [...page.matchAll(/^### `(src\/[^`]+)`/gm)].map(([, folder]) => folder);
  expect(headings.sort()).toEqual([...rooms].sort());
});

test("every path that the page names exists", () => {
  const paths = [...page.matchAll(/`((?:src|test|docs|deploy|scripts|sandbox)\/[\w./-]+)`/g)].flatMap(
    ([, path]) => path ?? [],
  );
  const links = [...page.matchAll(/\]\(([^)#]+)/g)].flatMap(([, path]) => path ?? []);
  expect(paths.length + links.length).toBeGreaterThan(60);
  expect([...paths, ...links].filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

/** Files that are named without their folder stand in the folder that the sentence is about, or in that of each kind. */
test("every file that the page names without its folder exists", () => {
  const files = new Set(
    readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" }).map((file) => file.split("/").at(-1)),
  );
  const named = [...page.matchAll(/`([\w-]+\.ts)`/g)].flatMap(([, file]) => file ?? []);
  expect(named.filter((file) => !files.has(file))).toEqual([]);
});

test.each([
  ["Deployment", deploymentSteps],
  ["Job", jobSteps],
  ["Job run", runSteps],
])("the drawing of %s has every state of its machine", (kind, steps) => {
  const [, text = ""] = page.split(`\n**${kind}.** `);
  const [, drawing = ""] = text.split("\n```");
  expect(Object.keys(steps).filter((state) => !new RegExp(`\\b${state}\\b`).test(drawing))).toEqual([]);
});

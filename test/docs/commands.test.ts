import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { commandsIn, isCommands, markdownFiles, readPage, root } from "../support/markdown-pages.ts";
import { notRun, reasonNotToRun, stories } from "./page-stories.ts";

// Every command of README and docs is run by a test or has a reason why it is not.

const pages = markdownFiles(/^(?:README\.md|docs\/)/).map(readPage);
const programs =
  /^(?:argocd|cosign|cp|curl|export|flux|git|helm|kube-state-metrics|kubectl|kustomize|northflank-operator|npm|npx|[A-Z]+=\S*|\(cd) ?/;

test("a block without a language, or of a shell, holds commands; everything else says what it is", () => {
  const commands = pages.flatMap(({ blocks }) => blocks.filter(isCommands));
  expect(commands.length).toBeGreaterThan(60);
  const others = commands.filter(({ text }) => !programs.test(text) && !isPattern(text));
  expect(others.map(({ where, text }) => `${where}: ${text.slice(0, 40)}`)).toEqual([]);
});

/** The reference shows long patterns of fields in blocks. */
function isPattern(text: string): boolean {
  return text.startsWith("^") && text.trimEnd().endsWith("$");
}

const withCommands = pages.filter(({ blocks }) => blocks.some((block) => isCommands(block) && !isPattern(block.text)));

test.each(withCommands)("every command of $file is run, or has a reason", (page) => {
  const left = commandsIn(page).filter((command) => reasonNotToRun(page.file, command) === undefined);
  if (left.length > 0) expect(Object.keys(stories), left.join("\n")).toContain(page.file);
});

test("what is listed is on its page", () => {
  for (const [file, reasons] of Object.entries(notRun)) {
    const commands = commandsIn(readPage(file));
    for (const start of Object.keys(reasons)) {
      expect(commands.filter((command) => command.startsWith(start)).length, `${file}: ${start}`).toBeGreaterThan(0);
    }
  }
  for (const [file, { before = {}, exits = {} }] of Object.entries(stories)) {
    const run = commandsIn(readPage(file)).filter((command) => reasonNotToRun(file, command) === undefined);
    for (const key of [...Object.keys(before), ...Object.keys(exits)]) {
      expect(
        run.some((command) => command.startsWith(key.replace(/#\d+$/, ""))),
        `${file}: ${key}`,
      ).toBe(true);
    }
  }
});

test("the tests that are said to run a command exist", () => {
  const named = Object.values(notRun).flatMap((reasons) =>
    Object.values(reasons).flatMap((reason) => ("ranBy" in reason ? [reason.ranBy] : [])),
  );
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((file) => !existsSync(join(root, file)))).toEqual([]);
});

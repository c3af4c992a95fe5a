import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { reasonTexts } from "../scripts/generated/texts/reasons.ts";
import { commandTable } from "../src/cli/command-table.ts";
import { sourceTexts } from "./support/source-texts.ts";
import { forbiddenWords, sentencesOf } from "./support/words.ts";

/*
 * Every text that users read, held to the words of the field: messages, Events, logs, flags, metrics, descriptions of
 * fields, pages, comments of manifests. The rules are in support/words.ts.
 */

const root = resolve(import.meta.dirname, "..");

/** A text, and where it stands. */
interface Text {
  readonly where: string;
  readonly file: string;
  readonly text: string;
}

const source = sourceTexts(root, "src", "sandbox", "scripts", "bench");

/** Prose has a blank in it; everything else is a name, such as a word of the API of Northflank. */
const prose = source.texts
  .filter(({ text }) => /\S\s+\S/.test(text))
  .map(({ file, line, text, longest }) => ({ where: `${file}:${line}`, file, text, longest }));

const tracked = execFileSync("git", ["ls-files", "-z"], { cwd: root, encoding: "utf8" }).split("\0").filter(Boolean);

/** The lines of files, without code between backticks and the addresses of links. */
function linesOf(pattern: RegExp): readonly Text[] {
  const files = tracked.filter((file) => pattern.test(file));
  expect(files.length, String(pattern)).toBeGreaterThan(0);
  return files.flatMap((file) =>
    readFileSync(join(root, file), "utf8")
      .split("\n")
      .map((line, at) => ({
        where: `${file}:${at + 1}`,
        file,
        text: line.replaceAll(/`[^`]*`/g, "`X`").replaceAll(/\]\([^)]*\)/g, "](X)"),
      })),
  );
}

/** The comments of source files. */
function commentsIn(pattern: RegExp): readonly Text[] {
  return linesOf(pattern).filter(({ text }) => /^\s*(?:\/\*|\*|\/\/)/.test(text));
}

/** Descriptions of fields and messages of rules, as the API server shows them. */
function* crdTexts(file: string, node: unknown, path = ""): Generator<Text> {
  if (typeof node !== "object" || node === null) return;
  for (const [key, value] of Object.entries(node)) {
    if (typeof value === "string" && (key === "description" || key === "message")) {
      yield { where: `${file} ${path}`, file, text: value };
    } else yield* crdTexts(file, value, key === "properties" || key === "items" ? path : `${path}.${key}`);
  }
}

const crds = tracked
  .filter((file) => /^crds\/northflank.*\.yaml$/.test(file))
  .flatMap((file) => [...crdTexts(file, parse(readFileSync(join(root, file), "utf8")).spec.versions[0].schema)]);

const surfaces: Readonly<Record<string, () => readonly Text[]>> = {
  "messages of the controllers": () => prose.filter(({ file }) => file.startsWith("src/controllers/")),
  "commands, flags, logs, metrics, errors, reasons and Events": () =>
    prose.filter(({ file }) => file.startsWith("src/") && !file.startsWith("src/controllers/")),
  "sandbox, scripts and benchmarks": () => prose.filter(({ file }) => !file.startsWith("src/")),
  CRDs: () => crds,
  "README, CONTRIBUTING, SECURITY and the like": () =>
    linesOf(/^(?:README|CONTRIBUTING|SECURITY|CODE_OF_CONDUCT)\.md$|^package\.json$|^Dockerfile$/),
  ARCHITECTURE: () => linesOf(/^ARCHITECTURE\.md$/),
  "what is not released yet": () => unreleased(linesOf(/^CHANGELOG\.md$/)),
  "templates of issues and pull requests, workflows": () => linesOf(/^\.github\/.*\.(?:md|ya?ml)$/),
  "user guides": () => linesOf(/^docs\/(?:(?:how-to|kinds)\/)?[^/]+\.md$/),
  decisions: () => linesOf(/^docs\/decisions\//),
  reference: () => linesOf(/^docs\/reference\/[^/]+\.md$/),
  examples: () => linesOf(/^examples\//),
  // The test data of Argo CD holds messages of the controllers; its copies of CRDs are compared with crds/.
  "what is deployed, and its comments": () =>
    linesOf(/^deploy\/(?!argocd\/northflank-operator\.io\/|chart\/templates\/crds\/).*\.(?:ya?ml|md|tpl|txt|json)$/),
  "health and actions in Argo CD": () => linesOf(/^deploy\/argocd\/.*\.lua$/),
};

/** What is released stays as it was written. */
function unreleased(lines: readonly Text[]): readonly Text[] {
  const headings = lines.flatMap(({ text }, at) => (text.startsWith("## ") ? [at] : []));
  const [first = 0, next = lines.length] = headings;
  expect(lines[first]?.text).toBe("## Unreleased");
  return lines.slice(first, next);
}

/** One line for each text that breaks a rule: where, what, and what to write instead. */
function brokenIn(texts: readonly Text[]): readonly string[] {
  return texts.flatMap(({ where, text }) =>
    forbiddenWords(text).map(({ rule, words, remedy }) => `${where}: "${words}" [${rule}] ${remedy}`),
  );
}

describe("no text for users has words of our own", () => {
  test.each(Object.entries(surfaces))("%s are read", (_, texts) => {
    expect(texts().length).toBeGreaterThan(20);
  });

  test("each is in the words of the field", () => {
    expect(brokenIn(Object.values(surfaces).flatMap((texts) => texts()))).toEqual([]);
  });
});

test("comments are in the words of the field", () => {
  const comments = commentsIn(/^(?:src|sandbox|scripts|bench)\/.*\.ts$/);
  expect(comments.length).toBeGreaterThan(1_000);
  expect(brokenIn(comments)).toEqual([]);
});

describe("each rule finds what it forbids, and nothing else", () => {
  test.each([
    ["The next pass reads it.", "pass"],
    ["A running operator wakes up.", "wake"],
    ["It is looked at again in 1h.", "look"],
    ["Northflank does not tell its image.", "tell"],
    ["The run goes on.", "go on"],
    ["The object was let go.", "let go"],
    ["The last good source is put back.", "put back"],
    ["Mend the Secret.", "mend"],
    ["Lead the connection back.", "lead back"],
    ["Now it is your turn.", "your turn"],
    ["Somebody else started a run.", "somebody"],
    ["An image that a service shall have.", "shall"],
    ["Its heir takes over.", "heir"],
    ["It is tried again.", "try again"],
    ["The run was cancelled.", "British spelling"],
    ["The behaviour is normalised.", "British spelling"],
  ])("%j: %s", (text, rule) => {
    expect(new Set(forbiddenWords(text).map((finding) => finding.rule))).toEqual(new Set([rule]));
  });

  test.each([
    "Every document passes `validate`.",
    "Flags are passed to the program.",
    "It looks like a digest.",
    "Set spec.suspend to false to resume.",
    "The run was canceled; the promise is otherwise the same.",
    "The license of this software.",
    "Retrying with back-off.",
  ])("nothing in %j", (text) => {
    expect(forbiddenWords(text)).toEqual([]);
  });
});

describe("texts are short", () => {
  const logged = source.texts.filter(
    ({ file, callee }) =>
      file.startsWith("src/") && callee !== undefined && /\blog(?:\.(?:debug|info|warn|error)|\[.*\])$/i.test(callee),
  );

  test("a log message is a constant of two to six words, without a period", () => {
    expect(logged.length).toBeGreaterThan(30);
    const wrong = logged.filter(({ text }) => !/^[a-zA-Z]\S*(?: (?!X\b)\S+){1,5}$/.test(text) || text.endsWith("."));
    expect(wrong.map(({ file, line, text }) => `${file}:${line}: ${text}`)).toEqual([]);
  });

  describe("a message of a controller has at most three sentences, the follow-up included", () => {
    const texts = prose.filter(({ file }) => file.startsWith("src/controllers/"));
    // `followUp` adds none to these.
    const results = source.results.filter(({ kind }) => kind !== "ready" && kind !== "suspended");

    test("results are found", () => {
      expect(results.length).toBeGreaterThan(30);
    });

    test("each is short", () => {
      const long = [
        ...texts
          .filter(({ text, longest }) => sentencesOf(text).length > 3 || sentencesOf(longest).length > 3)
          .map(({ where, longest }) => `${where}: ${longest}`),
        ...results
          .filter(({ longest }) => sentencesOf(longest).length > 2)
          .map(({ file, line, longest }) => `${file}:${line}, and a follow-up: ${longest}`),
      ];
      expect(long).toEqual([]);
    });
  });

  test("of a template and a sum, the longest text that they may become is counted", () => {
    const { longest = "" } =
      source.texts.find(
        ({ file, text }) =>
          file.endsWith("/deployment/in-sync.ts") && text.startsWith("Northflank has XX; it starts when"),
      ) ?? {};
    expect(longest).toContain(", whose last rollout failed;");
  });

  test("a guide says first what its reader can do after it", () => {
    const guides = tracked.filter((file) =>
      /^(?:docs\/(?:(?:how-to|kinds)\/)?[^/]+|ARCHITECTURE|CONTRIBUTING)\.md$/.test(file),
    );
    expect(guides.length).toBeGreaterThan(10);
    const silent = guides.filter((file) => {
      const [beginning = ""] = readFileSync(join(root, file), "utf8").split("\n## ");
      return !/\bafter this page\b/i.test(beginning);
    });
    expect(silent).toEqual([]);
  });

  test("help of a flag is at most two lines of 80 characters, without a period", () => {
    const flags = commandTable.flatMap((command) => command.flags);
    expect(flags.length).toBeGreaterThan(30);
    const long = flags.filter(({ meaning }) => meaning.length > 160 || /\.$|\. /.test(meaning));
    expect(long.map(({ name, meaning }) => `--${name}: ${meaning}`)).toEqual([]);
  });

  test("a reason is one or two sentences", () => {
    const long = Object.entries(reasonTexts).filter(([, meaning]) => sentencesOf(meaning).length > 2);
    expect(long).toEqual([]);
  });
});

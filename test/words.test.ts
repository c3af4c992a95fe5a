import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { reasonTexts } from "../scripts/generated/texts/reasons.ts";
import { flagsOfImport } from "../src/cli/import.ts";
import { flagsOfPlan } from "../src/cli/plan.ts";
import { flagsOfRun } from "../src/config.ts";
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

const source = [...sourceTexts(root, "src"), ...sourceTexts(root, "scripts/generated/texts")];

/** Prose has a blank in it; everything else is a name, such as a word of the API of Northflank. */
const prose: readonly Text[] = source
  .filter(({ text }) => /\S\s+\S/.test(text))
  .map(({ file, line, text }) => ({ where: `${file}:${line}`, file, text }));

const tracked = execFileSync("git", ["ls-files", "-z"], { cwd: root, encoding: "utf8" }).split("\0").filter(Boolean);

/** The lines of files, without code between backticks. */
function linesOf(pattern: RegExp): readonly Text[] {
  const files = tracked.filter((file) => pattern.test(file));
  expect(files.length, String(pattern)).toBeGreaterThan(0);
  return files.flatMap((file) =>
    readFileSync(join(root, file), "utf8")
      .split("\n")
      .map((line, at) => ({ where: `${file}:${at + 1}`, file, text: line.replaceAll(/`[^`]*`/g, "`X`") })),
  );
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
    prose.filter(({ file }) => !file.startsWith("src/controllers/")),
  CRDs: () => crds,
  "README, CONTRIBUTING and SECURITY": () => linesOf(/^(?:README|CONTRIBUTING|SECURITY)\.md$/),
  "user guides": () => linesOf(/^docs\/[^/]+\.md$/),
  reference: () => linesOf(/^docs\/reference\/[^/]+\.md$/),
  examples: () => linesOf(/^examples\//),
  // The test data of Argo CD holds messages of the controllers; its copies of CRDs are compared with crds/.
  "what is deployed, and its comments": () =>
    linesOf(/^deploy\/(?!argocd\/northflank-operator\.io\/|chart\/templates\/crds\/).*\.(?:ya?ml|md|tpl|txt)$/),
};

/**
 * What is still to reword, by file or folder. The numbers may only fall: lower them when a text is reworded, and remove
 * the line when the last one is.
 */
const stillToReword: Readonly<Record<string, number>> = {
  "src/controllers/deployment": 13,
  "src/controllers/job-run": 1,
  "src/api": 6,
  crds: 6,
  "docs/reference": 7,
};

const found = Object.values(surfaces)
  .flatMap((texts) => texts())
  .flatMap(({ where, file, text }) =>
    forbiddenWords(text).map(({ rule, words, remedy }) => ({ file, line: `${where}: "${words}" [${rule}] ${remedy}` })),
  );

const placeOf = (file: string) => Object.keys(stillToReword).find((place) => `${file}/`.startsWith(`${place}/`));

describe("no text for users has words of our own", () => {
  test.each(Object.entries(surfaces))("%s are read", (_, texts) => {
    expect(texts().length).toBeGreaterThan(50);
  });

  test("where nothing is left to reword", () => {
    expect(found.filter(({ file }) => placeOf(file) === undefined).map(({ line }) => line)).toEqual([]);
  });

  test.each(Object.entries(stillToReword))("%s: at most %i are left", (place, most) => {
    const lines = found.filter(({ file }) => placeOf(file) === place).map(({ line }) => line);
    expect(lines.length, `Reword the new ones:\n${lines.join("\n")}`).toBeLessThanOrEqual(most);
    expect(lines.length, `Remove ${place} from this test`).toBeGreaterThan(0);
  });
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
  const logged = source.filter(
    ({ callee }) => callee !== undefined && /\blog(?:\.(?:debug|info|warn|error)|\[.*\])$/i.test(callee),
  );

  test("a log message is a constant of two to six words, without a period", () => {
    expect(logged.length).toBeGreaterThan(30);
    const wrong = logged.filter(({ text }) => !/^[a-zA-Z]\S*(?: (?!X\b)\S+){1,5}$/.test(text) || text.endsWith("."));
    expect(wrong.map(({ file, line, text }) => `${file}:${line}: ${text}`)).toEqual([]);
  });

  test("a message of a controller has at most three sentences", () => {
    const long = prose.filter(({ file, text }) => file.startsWith("src/controllers/") && sentencesOf(text).length > 3);
    expect(long.map(({ where, text }) => `${where}: ${text}`)).toEqual([]);
  });

  test("help of a flag is at most two lines of 80 characters, without a period", () => {
    const flags = [...flagsOfRun(), ...flagsOfImport, ...flagsOfPlan];
    expect(flags.length).toBeGreaterThan(30);
    const long = flags.filter(({ meaning }) => meaning.length > 160 || /\.$|\. /.test(meaning));
    expect(long.map(({ name, meaning }) => `--${name}: ${meaning}`)).toEqual([]);
  });

  test("a reason is one or two sentences", () => {
    const long = Object.entries(reasonTexts).filter(([, meaning]) => sentencesOf(meaning).length > 2);
    expect(long).toEqual([]);
  });
});

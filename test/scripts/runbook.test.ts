import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { alertHeading, runbookPage } from "../../scripts/generated/runbook-page.ts";
import { alertRunbook } from "../../scripts/generated/texts/runbook/alerts.ts";
import { runbook, runbookSections } from "../../scripts/generated/texts/runbook.ts";
import { alertNames, runbookAnchor } from "../../scripts/observability/alerts.ts";
import { kinds } from "../../src/api/kinds.ts";
import * as names from "../../src/api/names.ts";
import { type Reason, reasons } from "../../src/api/reasons.ts";
import type { ObjectSchema } from "../../src/api/schema.ts";
import { flagsOfRun } from "../../src/config.ts";
import { sentencesOf } from "../support/words.ts";

const root = resolve(import.meta.dirname, "../..");
const page = runbookPage();
const headings = [...page.matchAll(/^#+ (.*)$/gm)].map(([, text = ""]) => text);
/** As GitHub and the generators of sites make them. */
const anchors = headings.map((text) => text.toLowerCase().replaceAll(" ", "-"));
const commands = [...page.matchAll(/^```sh\n(.*?)\n```$/gms)].flatMap(([, block = ""]) => block.split("\n"));

test("docs/runbook.md is what the source says now (else: npm run generate)", () => {
  expect(readFileSync(join(root, "docs/runbook.md"), "utf8")).toBe(page);
});

describe("every reason and every alert", () => {
  test.each(reasons)("%s has a section, whose anchor is the reason in lower case", (reason) => {
    expect(headings.filter((heading) => heading === reason)).toHaveLength(1);
    expect(anchors.filter((anchor) => anchor === reason.toLowerCase())).toHaveLength(1);
  });

  test("a reason stands in one section of the page", () => {
    const shown = runbookSections.flatMap(({ entries }) => Object.keys(entries));
    expect(shown.toSorted()).toEqual([...reasons].toSorted());
  });

  test.each(alertNames)("alert %s has a section, whose anchor is its name in kebab case", (name) => {
    const kebab = runbookAnchor(name);
    expect(alertHeading(name).toLowerCase().replaceAll(" ", "-")).toBe(kebab);
    expect(anchors.filter((anchor) => anchor === kebab)).toHaveLength(1);
  });

  const entries = [...Object.entries(runbook), ...Object.entries(alertRunbook)];

  test.each(entries)("%s says all of it, shortly", (_, entry) => {
    const texts =
      "fine" in entry ? [entry.fine] : [entry.means, entry.otherwise, ...[...entry.check, ...entry.act].flat()];
    if (!("fine" in entry)) expect([entry.check.length, entry.act.length].every((length) => length > 0)).toBe(true);
    for (const text of texts) {
      expect(text.trim()).toBe(text);
      expect(text).not.toBe("");
      expect(sentencesOf(text).length).toBeLessThanOrEqual(5);
    }
  });

  test("only what is good, in progress or has happened needs nothing", () => {
    const fine = Object.entries(runbook).flatMap(([reason, entry]) => ("fine" in entry ? [reason] : []));
    const stalled: readonly Reason[] = ["InvalidSpec", "AuthenticationFailed", "RunFailed", "StartOutcomeUnknown"];
    expect(fine.filter((reason) => stalled.includes(reason as Reason))).toEqual([]);
    for (const reason of fine) expect((runbook[reason as Reason] as { fine: string }).fine).toMatch(/^Nothing to do/);
  });
});

test("links lead to sections and pages that are there", () => {
  const targets = [...page.matchAll(/\]\(([^)]+)\)/g)].map(([, target = ""]) => target);
  expect(targets.length).toBeGreaterThan(20);
  for (const target of targets) {
    const [file = "", anchor = ""] = target.split("#");
    if (file === "") expect(anchors).toContain(anchor);
    else expect([target, existsSync(join(root, "docs", file))]).toEqual([target, true]);
  }
});

describe("commands", () => {
  test("name kinds, annotations and labels of ours", () => {
    const shortNames = kinds.map(({ shortName }) => shortName);
    const ours = Object.values(names).filter((value) => typeof value === "string");
    expect(commands.length).toBeGreaterThan(60);
    for (const command of commands) {
      for (const [name] of command.matchAll(/\bnf[a-z]+\b/g))
        expect([command, shortNames.includes(name)]).toEqual([command, true]);
      for (const [name] of command.matchAll(/northflank-operator\\?\.io\/[a-z-]*[a-z]/g))
        expect(ours).toContain(name.replace("\\", ""));
    }
  });

  test("read fields that the kinds have", () => {
    const schemaOf = Object.fromEntries(kinds.map((kind) => [kind.shortName, kind]));
    const paths = commands.flatMap((command) => {
      const used = [...command.matchAll(/\bnf[a-z]+\b/g)].map(([name]) => name);
      const found = [...command.matchAll(/\.(spec|status)\.([a-zA-Z]+)/g)];
      return found.map(([, part = "", field = ""]) => ({ command, used, part, field }));
    });
    expect(paths.length).toBeGreaterThan(15);
    for (const { command, used, part, field } of paths) {
      const known = used.flatMap((name) => {
        const kind = schemaOf[name];
        const schema: ObjectSchema | undefined = part === "spec" ? kind?.spec : kind?.status;
        return Object.keys(schema?.properties ?? {});
      });
      if (used.length > 0) expect([command, known.includes(field)]).toEqual([command, true]);
    }
  });

  test("patches are JSON and set fields of the kind", () => {
    const patches = commands.flatMap((command) => {
      const [, name, body] = /^kubectl patch (nf[a-z]+)\/.* -p '(.*)'$/.exec(command) ?? [];
      return body === undefined ? [] : [{ name, body }];
    });
    expect(patches.length).toBeGreaterThan(3);
    for (const { name, body } of patches) {
      const kind = kinds.find(({ shortName }) => shortName === name);
      for (const field of Object.keys(JSON.parse(body).spec))
        expect(Object.keys(kind?.spec.properties ?? {})).toContain(field);
    }
  });

  test("name flags that there are", () => {
    const known = flagsOfRun().map(({ name }) => `--${name}`);
    // Those of kubectl and curl stand in commands.
    const prose = page.replaceAll(/^```sh\n.*?\n```$/gms, "");
    const used = [...prose.matchAll(/`(--[a-z-]+)`/g)].map(([, name = ""]) => name);
    expect(used.length).toBeGreaterThan(8);
    expect(used.filter((name) => !known.includes(name))).toEqual([]);
  });
});

import { describe, expect, test } from "vitest";
import { kinds } from "../../../src/api/kinds.ts";
import { kindNamed, kindOfWord, parseObjects, wordsOfKind } from "../../../src/cli/verbs/objects.ts";

const run = kindNamed("NorthflankJobRun");
const deployment = kindNamed("NorthflankDeployment");

/** As short text: `NorthflankJobRun/a`, or what is wrong. */
function parsed(args: readonly string[], allowed = kinds): readonly string[] | string {
  const asked = parseObjects(args, allowed);
  if (asked.kind === "problem") return asked.problem;
  if (asked.kind === "kinds") return asked.kinds.map(({ type }) => type.kind);
  return asked.objects.map(({ kind, name }) => `${kind.type.kind}/${name}`);
}

test("no word means two kinds", () => {
  const words = kinds.flatMap(wordsOfKind);
  expect(new Set(words).size).toBe(words.length);
});

test.each(kinds.flatMap((kind) => wordsOfKind(kind).map((word) => [word, kind] as const)))(
  "%s is a word for its kind, in either case and with the group behind it",
  (word, kind) => {
    for (const form of [
      word,
      word.toUpperCase(),
      `${word}.northflank-operator.io`,
      `${word}.v1alpha1.northflank-operator.io`,
    ]) {
      expect(kindOfWord(form)).toBe(kind);
    }
  },
);

test.each(["", "pod", "northflank", "deploy.apps", "__proto__", "constructor"])("%j is no word for a kind", (word) => {
  expect(kindOfWord(word)).toBeUndefined();
});

describe("arguments", () => {
  test.each<[readonly string[], readonly string[]]>([
    [[], kinds.map(({ type }) => type.kind)],
    [["nfrun"], ["NorthflankJobRun"]],
    [["run,deploy,run"], ["NorthflankJobRun", "NorthflankDeployment"]],
    [
      ["NorthflankJobRun/a", "deploy/b"],
      ["NorthflankJobRun/a", "NorthflankDeployment/b"],
    ],
    [
      ["nfrun/a", "nfrun/b", "nfrun/a"],
      ["NorthflankJobRun/a", "NorthflankJobRun/b"],
    ],
    [
      ["nfrun", "a", "b"],
      ["NorthflankJobRun/a", "NorthflankJobRun/b"],
    ],
    [["northflankjobruns.northflank-operator.io/a.b-1"], ["NorthflankJobRun/a.b-1"]],
  ])("%j", (args, expected) => {
    expect(parsed(args)).toEqual(expected);
  });

  test.each<[readonly string[], readonly string[]]>([
    [["a"], ["NorthflankJobRun/a"]],
    [
      ["a", "b"],
      ["NorthflankJobRun/a", "NorthflankJobRun/b"],
    ],
    [["nfrun", "a"], ["NorthflankJobRun/a"]],
    [["nfrun/a"], ["NorthflankJobRun/a"]],
    // Without a second argument it is a name, whatever it is.
    [["run"], ["NorthflankJobRun/run"]],
  ])("%j of a verb for runs", (args, expected) => {
    expect(parsed(args, [run])).toEqual(expected);
  });

  test.each<[readonly string[], string]>([
    [["pod/a"], '"pod" is not a kind of this operator; use'],
    [["pod"], '"pod" is not a kind of this operator; use'],
    [["nfrun/a", "b"], 'KIND/NAME is expected for each object, "b" is not'],
    [["nfrun/a/b"], 'KIND/NAME is expected for each object, "nfrun/a/b" is not'],
    [["nfrun/"], 'KIND/NAME is expected for each object, "nfrun/" is not'],
    [["nfrun/A_b"], '"A_b" is not the name of an object'],
    [["nfrun", "../secrets"], 'KIND/NAME is expected for each object, "nfrun" is not'],
    [["nfrun", ".."], '".." is not the name of an object'],
    [["nfrun,nfdeploy", "a"], "several kinds cannot be given with names; write KIND/NAME for each object"],
    [["nfrun", "a".repeat(254)], "is not the name of an object"],
  ])("%j is refused", (args, problem) => {
    expect(parsed(args)).toContain(problem);
  });

  test("a kind that the verb is not for is refused", () => {
    expect(parsed(["nfdeploy/a"], [run])).toBe('"nfdeploy" cannot be used here; use northflankjobrun (nfrun)');
    expect(parsed(["nfrun/a"], [deployment])).toContain("cannot be used here");
  });
});

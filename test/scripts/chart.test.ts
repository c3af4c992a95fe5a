import { Ajv } from "ajv";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { flagValues } from "../../scripts/generated/chart/flag-values.ts";
import { schemaText } from "../../scripts/generated/chart/schema.ts";
import { valuesText } from "../../scripts/generated/chart/values-file.ts";
import { apiUrl, publicUrl, Refusal } from "../../src/flags.ts";

// What values.schema.json says of a flag is what the program says of it. That the committed files are those that are made
// here is for `npm run check:generated`; that Helm agrees, for test/packaging.

const accepts = new Ajv({ strict: false }).compile(JSON.parse(schemaText()));
const defaults = parse(valuesText());

function schemaTakes(name: string, value: unknown): boolean {
  return accepts({ ...defaults, flags: { ...defaults.flags, [name]: value } });
}

test("the default values fit the schema", () => {
  expect([accepts(defaults), accepts.errors]).toEqual([true, null]);
});

test("every flag of run is a value, and nothing else is", () => {
  const names = flagValues().map(({ name }) => name);
  expect(Object.keys(defaults.flags)).toEqual(names);
  expect(names).toContain("leaderElectLeaseDuration");
  expect(schemaTakes("leader-elect", true)).toBe(false);
});

/** What people write, right and wrong, for any flag. Those that are lists get each text as their only item. */
const texts = [
  ..."0 1 3 2 8 256 257 900 1000000000 1000000001 -1 1.5 1e6".split(" "),
  ..."15s 1m30s 1.5h 500ms 59s 60s 1h 5 s 15 15S 1d -5s 5s5 .5s".split(" "),
  ..."true false yes True".split(" "),
  ..."trace debug info warn error INFO json pretty text".split(" "),
  ..."default team-a team_a -a a- A * kube-system".split(" "),
  `n${"a".repeat(62)}`,
  `n${"a".repeat(63)}`,
  ..."api.northflank.com API.northflank.com localhost:8080 [::1]:443 host:port a/b https://x".split(" "),
  ..."https://api.northflank.com https://eu.example:8443/base http://127.0.0.1:80 ftp://x northflank https://x?y".split(
    " ",
  ),
  ..."acme acme-2 acme--2 -acme a.b".split(" "),
  ..."/etc/token ./file :8080 0.0.0.0:8080 [::]:8080 127.0.0.1:0 ::1:80 8080 :808080".split(" "),
  ..."a=b a,b".split(" "),
  "a in (b, c)",
  "two words",
];

/** Texts that the schema takes and the program does not: the templates of the chart refuse them, and say it better. */
const judgedLater: Readonly<Record<string, readonly string[]>> = {
  // All of them: Helm quotes a value that its schema refuses, and a URL may hold a password.
  apiUrl: texts.filter((text) => apiUrl(text) instanceof Refusal),
  webhookUrl: texts.filter((text) => publicUrl(text) instanceof Refusal),
  docsUrl: texts.filter((text) => publicUrl(text) instanceof Refusal),
  resyncPeriod: ["15s", "500ms", "59s"],
};

/** The program finds out from Kubernetes that there is no such namespace. */
const judgedEarlier = ["leaderElectNamespace"];

describe.each(flagValues())("--$flag.name", ({ name, flag }) => {
  const isList = Array.isArray(defaults.flags[name]);

  test("has the same values for the schema and for the program", () => {
    const differences = texts
      // An item of a list holds no comma: that would be two.
      .filter((text) => !(isList && text.includes(",")))
      .filter((text) => schemaTakes(name, isList ? [text] : typed(text)) === flag.parse(text) instanceof Refusal);
    if (judgedEarlier.includes(name)) expect(differences.filter((text) => schemaTakes(name, text))).toEqual([]);
    else expect(differences).toEqual(texts.filter((text) => judgedLater[name]?.includes(text)));
  });

  /** As YAML has it where the schema wants more than text. */
  function typed(text: string): unknown {
    if (flag.placeholder === "BOOL" || flag.placeholder === "")
      return text === "true" ? true : text === "false" ? false : text;
    if (flag.placeholder === "N") return /^-?\d+$/.test(text) ? Number(text) : text;
    return text;
  }

  test("takes null for the flag's own default, and no other type", () => {
    expect(schemaTakes(name, null)).toBe(true);
    expect(schemaTakes(name, { a: 1 })).toBe(false);
    expect(schemaTakes(name, isList ? "a" : ["a"])).toBe(false);
    expect(schemaTakes(name, isList ? [] : null)).toBe(true);
  });
});

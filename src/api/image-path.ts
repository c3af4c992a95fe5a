// pure
import { type ImageRule, imageSentences } from "../util/image-reference.ts";
import { unreplacedPattern } from "../util/unreplaced.ts";
import type { Rule, TextSchema } from "./schema.ts";

/*
 * The language of `parseImageReference`, once more, for the API server: one rule per sentence, so that users need not
 * read a regular expression to learn what is wrong. Each rule is about its own part of the reference, and silent where
 * it would say something false because of another part. test/api/image.test.ts holds both descriptions together.
 */

const hostLabel = "[A-Za-z0-9](-*[A-Za-z0-9])*";
const port = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"; // 1 to 65535
const host = `${hostLabel}([.]${hostLabel})*(:${port})?`;
/** The first of several parts, where there is no host: with a dot it would be one. */
const firstPart = "[a-z0-9]+((_|__|-+)[a-z0-9]+)*";
const pathPart = "[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*";
const anyCasePart = "[A-Za-z0-9]+((\\.|_|__|-+)[A-Za-z0-9]+)*";
const tag = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}";
const digest = "(sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})";

/** `[host[:port]/]path[:tag][@digest]`, for editors: they cannot run the rules. */
const imagePattern = `^((${host}|${firstPart})/(${pathPart}/)*)?${pathPart}(:${tag})?(@${digest})?$`;

const unreplaced = unreplacedPattern;
const blanks = "[ \\t\\r\\n]";
const quotes = "[\\x22\\x27]";
/** Neither of a reference, nor a quote, blank or rest of a template, of which other rules speak. */
const strange = "[^A-Za-z0-9._:/@+\\[\\]$`{}<>\\x22\\x27 \\t\\r\\n-]";
const scheme = "://";
const digestSign = ":sha(256|512):";
/** Where one of these is, the parts cannot be distinguished. */
const unclear = "^$|[^A-Za-z0-9._:/@+\\[\\]-]|://|:sha(256|512):";

const goodTag = `^([^@]*/)?([^/@]*:${tag}|[^/@:]*)(@|$)`;
const goodDigest = `^[^@]*(@${digest})?$`;
const tagSlash = "^[^@]*/[^/@:]*:[^/@]*/";
const twoTags = "^([^@]*/)?[^/@:]*:[^/@:]*:[^/@]*(@|$)";
const goodRegistry = `^([^/]*$|[^/]*@|[^/.:A-Z]*/|[.][.]?/|${host}/)`;
const version = "(:[^/:]*)?(@.*)?$";
/** A first part that is a host, once `goodRegistry` holds: something in it is no part of a path. */
const anyHost = "([A-Z]|[a-z0-9][a-z0-9-]*[.:A-Z])[A-Za-z0-9.:-]*";
const goodRepository = `^(${anyHost}/)?(${pathPart}/)*${pathPart}${version}`;
const anyCaseRepository = `^(${anyHost}/)?(${anyCasePart}/)*${anyCasePart}${version}`;
const noVersion = "^([^/:@]*(:[0-9]+)?/)?[^:@]+$";
const portAndDigest = "^[^/@]*:[0-9]+/[^@]*@";

/** A regular expression that the text has to match, or must not. */
type Test = readonly ["matches" | "misses", string];

/** The rules: a text keeps one when any of its tests holds. Those before the last say when another rule speaks. */
const tests: Readonly<Record<Exclude<ImageRule, "empty" | "too-long">, readonly Test[]>> = {
  unreplaced: [["misses", unreplaced]],
  quotes: [
    ["matches", unreplaced],
    ["misses", quotes],
  ],
  blanks: [
    ["matches", unreplaced],
    ["misses", blanks],
  ],
  characters: [
    ["matches", unreplaced],
    ["misses", strange],
  ],
  scheme: [
    ["matches", `${unreplaced}|${quotes}|${blanks}|${strange}`],
    ["misses", scheme],
  ],
  "digest-sign": [
    ["matches", `${unreplaced}|${quotes}|${blanks}|${strange}`],
    ["misses", digestSign],
  ],
  tag: [
    ["matches", unclear],
    ["matches", goodTag],
  ],
  digest: [
    ["matches", unclear],
    ["matches", goodDigest],
  ],
  "tag-slash": [
    ["matches", unclear],
    ["misses", tagSlash],
  ],
  "two-tags": [
    ["matches", unclear],
    ["misses", twoTags],
  ],
  registry: [
    ["matches", unclear],
    ["matches", goodRegistry],
  ],
  "upper-case": [
    ["matches", unclear],
    ["matches", `${tagSlash}|${twoTags}`],
    ["misses", goodRegistry],
    ["misses", anyCaseRepository],
    ["matches", goodRepository],
  ],
  repository: [
    ["matches", unclear],
    ["matches", `${tagSlash}|${twoTags}`],
    ["misses", goodRegistry],
    ["matches", anyCaseRepository],
  ],
  "port-and-digest": [
    ["matches", unclear],
    ["misses", portAndDigest],
  ],
  "no-version": [
    ["matches", unclear],
    ["misses", noVersion],
  ],
};

const names = Object.keys(tests) as readonly (keyof typeof tests)[];

const rules: readonly Rule[] = names.map((name) => {
  const expressions = tests[name].map(([kind, pattern]) => ({ kind, pattern, expression: new RegExp(pattern) }));
  return {
    name: name === "no-version" ? "tag-or-digest" : name,
    rule: expressions
      .map(({ kind, pattern }) => `${kind === "misses" ? "!" : ""}self.matches('${quoted(pattern)}')`)
      .join(" || "),
    message: imageSentences[name],
    check: (self: string) => expressions.some(({ kind, expression }) => expression.test(self) === (kind === "matches")),
  };
});

function quoted(pattern: string): string {
  return pattern.replaceAll("\\", "\\\\");
}

export const imagePath = {
  type: "string",
  minLength: 1,
  maxLength: 512,
  pattern: imagePattern,
  isPatternInRules: true,
  description:
    "Image with a tag or a digest, and without a scheme: ghcr.io/acme/api:1.4.2 or ghcr.io/acme/api@sha256:<64 hex " +
    "digits>. With both, as tools write it into Git, the digest is sent and compared, and the tag is only shown. Without a " +
    "registry host Docker Hub is meant.",
  "x-kubernetes-validations": rules,
} as const satisfies TextSchema;

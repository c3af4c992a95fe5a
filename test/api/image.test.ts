import fc from "fast-check";
import { expect, test } from "vitest";
import { celEnvironment } from "../../sandbox/kubernetes/cel-environment.ts";
import { imagePath } from "../../src/api/image-path.ts";
import { createValidator } from "../../src/api/validate.ts";
import { parseImageReference } from "../../src/util/image-reference.ts";
import { deployment } from "./documents.ts";

// The schema and the parser of the Northflank client cannot import each other: they are held together here.

const validator = createValidator();

function isAdmitted(imagePath: string): boolean {
  const { spec } = deployment({ deployment: { external: { imagePath } } });
  return validator.validateSpec("NorthflankDeployment", spec).length === 0;
}

/** Texts made of the pieces that references are made of, so that many are good and most are nearly good. */
const pieces = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("a", "acme", "ghcr.io", "localhost", "9", "A", "x-y", "x__y", "x--y", "v1") },
  { weight: 4, arbitrary: fc.constantFrom("/", ":", ".", "-", "_", "@") },
  { weight: 2, arbitrary: fc.constantFrom(":1", ":5000/", ":65536/", ":0/", "@sha256:", `@sha256:${"0".repeat(64)}`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom("${", "{{", "$", "'", '"', "%A%", "%", "<", "+", "[", "!", "\\", ":sha256:"),
  },
  { weight: 1, arbitrary: fc.constantFrom("https://", " ", "é", "\n", "..", "//", `@sha512:${"f".repeat(128)}`) },
);
const texts = fc.array(pieces, { minLength: 1, maxLength: 8 }).map((parts) => parts.join(""));

test("the schema admits an image exactly when the operator can read it", () => {
  fc.assert(
    fc.property(texts, (text) => {
      const isReadable = parseImageReference(text).kind === "image";
      expect([text, isAdmitted(text)]).toEqual([text, isReadable]);
    }),
    { numRuns: 5_000 },
  );
});

test("the schema says what the parser says, among other true things", () => {
  const rulesOf = (imagePath: string) => {
    const { spec } = deployment({ deployment: { external: { imagePath } } });
    return validator.validateSpec("NorthflankDeployment", spec).map(({ message }) => message);
  };
  fc.assert(
    fc.property(texts, (text) => {
      const parsed = parseImageReference(text);
      if (parsed.kind === "problem") expect(rulesOf(text)).toContain(parsed.message);
    }),
    { numRuns: 5_000 },
  );
});

test("an API server says of an image what its mirror says", () => {
  const environment = celEnvironment();
  const programs = imagePath["x-kubernetes-validations"].map((rule) => ({ rule, run: environment.parse(rule.rule) }));
  fc.assert(
    fc.property(texts, (text) => {
      for (const { rule, run } of programs) {
        expect([rule.name, text, run({ self: text })]).toEqual([
          rule.name,
          text,
          rule.check(text as never, undefined as never),
        ]);
      }
    }),
    { numRuns: 2_000 },
  );
});

test("both refuse 512 hostile characters at once", () => {
  for (const text of [
    "a.".repeat(256),
    `${"a/".repeat(255)}!`,
    `${"a-".repeat(255)}!`,
    `${"a".repeat(256)}:${"a".repeat(255)}!`,
  ]) {
    expect(isAdmitted(text)).toBe(parseImageReference(text).kind === "image");
  }
});

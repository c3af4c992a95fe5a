import { expect, test } from "vitest";
import { createValidator } from "../../src/api/validate.ts";
import { documents } from "./documents.ts";

const validator = createValidator();

test.each(Object.entries(documents))("%s", (_, { object, old, problems }) => {
  expect(validator.validateManifest(plain(object), plain(old)).map(({ field, rule }) => `${field} ${rule}`)).toEqual(
    problems,
  );
});

/** As it comes out of a file: fields that are undefined are not there. */
function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

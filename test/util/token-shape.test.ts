// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what a template left behind is the matter here.
import { expect, test } from "vitest";
import { tokenGapRemedy, tokenShapeProblem } from "../../src/util/token-shape.ts";

const jwt = `eyJhbGciOiJIUzI1NiJ9.${"Q0FOQVJZ".repeat(12)}.c2lnbmF0dXJl-_`;
const base64 = (text: string) => Buffer.from(text).toString("base64");
const wrapped = (text: string) => (base64(text).match(/.{1,76}/g) ?? []).join("\n");

test.each<[string, string, RegExp]>([
  ["in double quotes", `"${jwt}"`, /in quotes; store it without them/],
  ["in single quotes, with a line end", `'${jwt}'\n`, /in quotes/],
  ["with a quote left at its end", `${jwt}"`, /in quotes/],
  ["in base64 twice", base64(jwt), /base64-encoded twice/],
  ["in base64 twice, with a line end inside", base64(`${jwt}\n`), /base64-encoded twice/],
  ["in base64 twice, in lines", `${wrapped(jwt)}\n`, /base64-encoded twice/],
  ["a line of .env, in base64 twice", base64(`NORTHFLANK_TOKEN=${jwt}`), /base64-encoded twice/],
  ["a line of .env", `NORTHFLANK_API_TOKEN=${jwt}\n`, /KEY=value/],
  ["a line of .env in quotes", `NF_TOKEN="${jwt}"`, /KEY=value/],
  ["a line of a shell", `export TOKEN=${jwt}`, /KEY=value/],
  ["a line of YAML", `token: ${jwt}`, /KEY=value/],
  ["a key in small letters", `token=${jwt}`, /KEY=value/],
  ["a header", `Bearer ${jwt}`, /begins with Bearer/],
  ["a header with its name", `Authorization: Bearer ${jwt}`, /begins with Bearer/],
  ["JSON", `{"token": "${jwt}"}`, /is JSON/],
  ["a variable that was not replaced", "${NORTHFLANK_TOKEN}", /left unreplaced/],
  ["a template that was not rendered", "{{ .Values.token }}", /left unreplaced/],
  ["a placeholder of a page", "<your-token>", /left unreplaced/],
  ["masked", "***", /masked/],
])("a token that is %s is told by its shape", (_, text, problem) => {
  expect(tokenShapeProblem(text)).toMatch(problem);
  expect(tokenShapeProblem(text)).not.toMatch(/eyJ|Q0FOQVJZ/);
});

test.each([
  ["a JWT", jwt],
  ["a JWT with a line end", `${jwt}\n`],
  ["a word", "abc"],
  ["a token with a prefix", "nf-abc.def_123"],
  ["base64 of something else", base64("this is a perfectly odd token of another kind")],
  ["base64 with its padding", base64("any opaque bytes!")],
  ["a hash", "deadbeef".repeat(8)],
  ["a token with = at its end", "NORTHFLANK=="],
  ["an identifier with dots and colons", "urn:nf:abc"],
  ["a word with = inside, of no known name", "abc=def"],
  ["nothing", "\n"],
])("%s could be right: Northflank is asked", (_, text) => {
  expect(tokenShapeProblem(text)).toBeUndefined();
});

test.each([
  ["a line break in the middle", `${jwt.slice(0, 30)}\n${jwt.slice(30)}`, true],
  ["a blank in the middle", `${jwt.slice(0, 30)} ${jwt.slice(30)}`, true],
  ["two line ends", `${jwt}\n\n`, false],
])("what to do about %s", (_, text, isTold) => {
  expect(tokenGapRemedy(text) !== "").toBe(isTold);
});

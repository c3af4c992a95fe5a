import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { withoutFollowUp } from "../../../src/controllers/reconcile/follow-up.ts";

const controllers = join(import.meta.dirname, "../../../src/controllers");

/** All texts of a source file, those that are put together from several written as one; what is put in is an X. */
function textsOf(source: string): readonly string[] {
  const texts: string[] = [];
  let end = 0;
  /** Reads a text that begins after its quote at `start`, with the texts inside of what is put into it. */
  const readText = (start: number, quote: string): string => {
    let text = "";
    for (let at = start; at < source.length; at += 1) {
      const character = source.charAt(at);
      if (character === "\\") at += 1;
      else if (character === quote) {
        end = at;
        return text;
      } else if (quote === "`" && source.startsWith("${", at)) {
        readCode(at + 2);
        at = end;
        text += "X";
        continue;
      }
      text += source.charAt(at);
    }
    throw new Error(`a text that begins at ${start} has no end`);
  };
  /** Reads code to the end, or to the brace that closes what is put into a text. */
  const readCode = (start: number): void => {
    let depth = 0;
    let isSum = false;
    for (let at = start; at < source.length; at += 1) {
      const character = source.charAt(at);
      if (source.startsWith("//", at)) at = source.indexOf("\n", at);
      else if (source.startsWith("/*", at)) at = source.indexOf("*/", at) + 1;
      else if (character === '"' || character === "`") {
        const text = readText(at + 1, character);
        at = end;
        if (isSum) texts.push(`${texts.pop()}${text}`);
        else texts.push(text);
        isSum = /^\s*\+\s*["`]/.test(source.slice(at + 1, at + 40));
      } else if (character === "{") depth += 1;
      else if (character === "}") depth -= 1;
      if (depth < 0) {
        end = at;
        return;
      }
    }
  };
  readCode(0);
  return texts;
}

/** Words for what a running operator does next, wherever they stand in a sentence. */
const speaksOfNext =
  /\b(?:look(?:s|ed)?(?: at| for)?|tried|tries|retr\w+|goes on|go on|poll\w*|check(?:s|ed)?|searched|reconciled?)\b.*\b(?:again|every|within|shortly|once more|in about|next|when|as soon as|until)\b|\b(?:goes on|next (?:check|reconcile)|no retry|Polling)\b/i;

/** What a person does is none of it. */
const remedies = /\brequest a reconcile\b/;

// A plan says nothing that the controller of runs has concluded.
const found = readdirSync(controllers, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts") && !file.startsWith("job-run"))
  .sort()
  .flatMap((file) => {
    const texts = textsOf(readFileSync(join(controllers, file), "utf8"));
    const sentences = texts.flatMap((text) => text.split(/(?<=[.!?…])\s+/)).map((text) => text.replace(/^(?:X )+/, ""));
    return sentences
      .filter((sentence) => speaksOfNext.test(sentence) && !remedies.test(sentence))
      .map((sentence) => ({ file, sentence }));
  });

describe("what a running operator would do next is not in a plan", () => {
  test("and there are sentences about it in the controllers", () => {
    expect(found.length).toBeGreaterThan(15);
  });

  test.each(found)("$file: $sentence", ({ sentence }) => {
    const left = withoutFollowUp(`Deployment 3.1 is seen. ${sentence}`);
    expect(left).toMatch(/^Deployment 3\.1 is seen\./);
    expect(left).not.toMatch(speaksOfNext);
  });
});

test.each([
  ["Build b-7 of api is running. Polled every 10s to 5m.", "Build b-7 of api is running."],
  [
    "The request quota allows no such request now. Retrying in about 1m. Nothing needs to be done.",
    "The request quota allows no such request now. Nothing needs to be done.",
  ],
  [
    "Northflank rolls out ghcr.io/acme/api:1.2. Polled every 10s to 1m; times out at 2026-01-01T00:15:00Z.",
    "Northflank rolls out ghcr.io/acme/api:1.2.",
  ],
  ["Next check within a minute.", ""],
  ["The image ghcr.io/acme/api:1.2 is not found.", "The image ghcr.io/acme/api:1.2 is not found."],
  ["Job tried-again goes on failing.", "Job tried-again goes on failing."],
  ["Not deployed yet. Next check in 1h.", "Not deployed yet."],
])("of %j a plan says %j", (message, told) => {
  expect(withoutFollowUp(message)).toBe(told);
});

/** Words that nobody else writes in a message; what to write instead is a plain verb: retry, poll, check, resume. */
const ownWords =
  /\b(?:looked (?:at|for)|look into|goes? on|tried again|growing pauses|nobody (?:can|could) tell|not tell|tells|told|let go|rarely|on its way|mend)\b/i;

test("no message of a controller has words of its own for what everybody calls retry, poll, check or resume", () => {
  const texts = readdirSync(controllers, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .flatMap((file) => textsOf(readFileSync(join(controllers, file), "utf8")).map((text) => `${file}: ${text}`));
  expect(texts.length).toBeGreaterThan(500);
  expect(texts.filter((text) => ownWords.test(text))).toEqual([]);
});

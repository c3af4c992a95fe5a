import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const docs = resolve(fileURLToPath(import.meta.url), "../../../docs");

/**
 * The one command of a page that begins so, with words replaced.
 *
 * *Errors*: throws when there is none or more than one, and when a word to replace is not in it: then the page says
 * something else than the test.
 */
export function commandOfPage(page: string, start: string, replaced: Readonly<Record<string, string>> = {}): string {
  const blocks = [...readFileSync(join(docs, page), "utf8").matchAll(/^```\n([\s\S]*?)\n```$/gm)].map(
    ([, text = ""]) => text,
  );
  const [command, ...others] = blocks.filter((block) => block.startsWith(start));
  if (command === undefined || others.length > 0) throw new Error(`docs/${page} has no single block "${start}..."`);
  return Object.entries(replaced).reduce((text, [word, value]) => {
    if (!text.includes(word)) throw new Error(`"${word}" is not in "${text}"`);
    return text.replaceAll(word, value);
  }, command);
}

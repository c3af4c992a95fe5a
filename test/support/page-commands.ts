import { commandsIn, readPage } from "./markdown-pages.ts";

/**
 * The one command of a page that begins so, with words replaced. A page is named by its path in the repository.
 *
 * *Errors*: throws when there is none or more than one, and when a word to replace is not in it: then the page says
 * something else than the test.
 */
export function commandOfPage(page: string, start: string, replaced: Readonly<Record<string, string>> = {}): string {
  const [command, ...others] = commandsIn(readPage(page)).filter((line) => line.startsWith(start));
  if (command === undefined || others.length > 0) throw new Error(`${page} has no single command "${start}..."`);
  return Object.entries(replaced).reduce((done, [word, value]) => {
    if (!done.includes(word)) throw new Error(`"${word}" is not in "${done}"`);
    return done.replaceAll(word, value);
  }, command);
}

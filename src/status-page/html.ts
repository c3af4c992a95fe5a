// pure
import { oneLine } from "../util/printable.ts";

/** Text that is HTML already. Only {@link html} and {@link constantHtml} make it. */
class HtmlText {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }
}

export type Html = HtmlText;

/** What a template may hold. Texts and numbers are escaped; `undefined` is nothing. */
export type HtmlValue = Html | string | number | undefined | readonly HtmlValue[];

/**
 * HTML from a template: whatever is put in is escaped, unless it is {@link Html} itself.
 *
 * *Guarantees*: a text is a part of a text node or of an attribute in double quotes, whatever it holds, and shows on one
 * line without characters that reverse its direction. Never put a text where a tag, the name of an attribute, a style or
 * a script stands.
 */
export function html(parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return new HtmlText(parts.map((part, at) => (at === 0 ? part : `${rendered(values[at - 1])}${part}`)).join(""));
}

/** A constant of the program as it stands, such as a style. Never for a text that comes from elsewhere. */
export function constantHtml(text: string): Html {
  return new HtmlText(text);
}

function rendered(value: HtmlValue): string {
  if (value === undefined) return "";
  if (value instanceof HtmlText) return value.toString();
  if (typeof value === "object") return value.map(rendered).join("");
  return oneLine(String(value)).replaceAll(/[&<>"'`]/g, (character) => `&#${character.charCodeAt(0)};`);
}

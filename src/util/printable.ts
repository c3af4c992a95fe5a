// pure

/** What ends a line, moves the cursor of a terminal or reverses the direction of text: one character. */
export const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;
const unprintables = new RegExp(`${unprintable.source}+`, "gu");

/** Untrusted text as a part of one line, for prose: each run of {@link unprintable} characters is a space. */
export function oneLine(text: string): string {
  return text.replaceAll(unprintables, " ");
}

/** Untrusted text as a part of one line, for names: each {@link unprintable} character is a "?". */
export function printable(text: string): string {
  return text.replaceAll(unprintable, "?");
}

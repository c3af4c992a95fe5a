// pure

/**
 * Text of a stranger as a part of one line: whatever would end the line, move the cursor of a terminal or turn its letters
 * around is a space.
 */
export function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]+/gu, " ");
}

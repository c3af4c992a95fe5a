// pure

/** Text from Northflank or a file must not move the cursor of a terminal, turn its letters around, nor end a line. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, "?");
}

/** The same for the message of a workflow command of GitHub Actions, which may have line breaks. */
export function githubText(text: string): string {
  return printable(text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A"));
}

/** The same for a property of such a command. */
export function githubProperty(text: string): string {
  return githubText(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}

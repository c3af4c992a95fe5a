// pure

/** Text from Northflank or a file must not move the cursor of a terminal, turn its letters around, nor end a line. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, "?");
}

/**
 * The same for a line that begins with such text. A runner of GitHub Actions reads every line that is printed: it takes "::"
 * at the beginning, blanks aside, and "##[" anywhere for a command.
 */
export function plainLine(text: string): string {
  return printable(text)
    .replace(/^(\s*):(?=:)/, "$1?")
    .replaceAll("##[", "##?");
}

/** A file name at the beginning of such a line: the same file, under a name that is no command. */
export function shownFile(name: string): string {
  return /^\s*::/.test(name) ? `./${name}` : name;
}

/** The same for JSON, which means what it meant before. */
export function plainJson(json: string): string {
  // Outside of texts, JSON has no such sign.
  return json.replaceAll("##[", "\\u0023#[");
}

/** The same as {@link printable} for the message of a workflow command of GitHub Actions, which may have line breaks. */
export function githubText(text: string): string {
  return printable(text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A"));
}

/** The same for a property of such a command. */
export function githubProperty(text: string): string {
  return githubText(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}

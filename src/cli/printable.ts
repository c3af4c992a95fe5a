// pure
import { printable } from "../util/printable.ts";

/**
 * A line that begins with untrusted text, without what is not printable. A runner of GitHub Actions reads every line that is
 * printed: it takes "::" at the beginning, blanks aside, and "##[" anywhere for a command.
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

/** The same for JSON, whose meaning does not change. */
export function plainJson(json: string): string {
  // Outside of texts, JSON has no such sign.
  return json.replaceAll("##[", "\\u0023#[");
}

/** Untrusted text as the message of a workflow command of GitHub Actions, which may have line breaks. */
export function githubText(text: string): string {
  return printable(text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A"));
}

/** The same for a property of such a command. */
export function githubProperty(text: string): string {
  return githubText(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}

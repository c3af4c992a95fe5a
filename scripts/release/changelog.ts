// pure

/** A changelog after a release, and what the release says of itself. */
export interface Cut {
  readonly text: string;
  readonly notes: string;
}

const unreleased = "## Unreleased";

/**
 * Gives what stands under Unreleased the heading of a version and leaves an empty Unreleased above it. The sections of the
 * version's own pre-releases become part of it: its notes say what is new since the version before.
 *
 * *Errors*: where there is no Unreleased section, nothing new, or a section of that version already.
 */
export function cutUnreleased(text: string, release: { readonly version: string; readonly date: string }): Cut {
  if (sectionOf(text, release.version) !== undefined) {
    throw new Error(`CHANGELOG.md already has a section "## ${release.version}"`);
  }
  const start = text.indexOf(`${unreleased}\n`);
  if (start < 0) throw new Error(`CHANGELOG.md has no section "${unreleased}"`);
  const { version, date } = release;
  const before = text.slice(0, start);
  const rest = text.slice(start + unreleased.length);
  const after = rest.replaceAll(/^## (\S+).*\n\n?/gm, (heading, each) =>
    each.startsWith(`${version}-`) ? "" : heading,
  );
  const heading = `## ${version} - ${date}`;
  const body = bodyAt(`${heading}${after}`, 0);
  if (!/^- /m.test(body)) throw new Error(`CHANGELOG.md has no entry under "${unreleased}"`);
  return { text: `${before}${unreleased}\n\n${heading}${after}`, notes: `${body}\n` };
}

/** What stands in the section of a version; undefined without one. */
export function sectionOf(text: string, version: string): string | undefined {
  const heading = text.split("\n").find((line) => line === `## ${version}` || line.startsWith(`## ${version} `));
  return heading === undefined ? undefined : `${bodyAt(text, text.indexOf(`${heading}\n`))}\n`;
}

/** The text between the heading that starts at `start` and the next one of its level. */
function bodyAt(text: string, start: number): string {
  const from = text.indexOf("\n", start) + 1;
  const next = text.indexOf("\n## ", from - 1);
  return text.slice(from, next < 0 ? undefined : next).trim();
}

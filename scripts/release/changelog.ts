// pure

/** A changelog after a release, and what the release says of itself. */
export interface Cut {
  readonly text: string;
  readonly notes: string;
}

const unreleased = "## Unreleased";

/**
 * Gives what stands under Unreleased the heading of a version and leaves an empty Unreleased above it.
 *
 * *Errors*: where there is no Unreleased section, nothing in it, or a section of that version already.
 */
export function cutUnreleased(text: string, release: { readonly version: string; readonly date: string }): Cut {
  if (sectionOf(text, release.version) !== undefined) {
    throw new Error(`CHANGELOG.md already has a section "## ${release.version}"`);
  }
  const start = text.indexOf(`${unreleased}\n`);
  if (start < 0) throw new Error(`CHANGELOG.md has no section "${unreleased}"`);
  const body = bodyAt(text, start);
  if (!/^- /m.test(body)) throw new Error(`CHANGELOG.md has no entry under "${unreleased}"`);
  const before = text.slice(0, start);
  const after = text.slice(start + unreleased.length);
  return { text: `${before}${unreleased}\n\n## ${release.version} - ${release.date}${after}`, notes: `${body}\n` };
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

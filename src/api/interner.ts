/** Gives back one and the same string for equal ones, so that ten thousand objects share one "ghcr.io/acme". */
export type Intern = (text: string) => string;

/** Longer strings are seldom met twice and are left alone. */
const maxLength = 256;

/**
 * An interner that remembers the strings of late: what was not asked for during `capacity` new ones is forgotten (who
 * holds it keeps it), so that strings met once, such as times and uids, do not pile up.
 */
export function createInterner(capacity = 8_192): Intern {
  let recent = new Map<string, string>();
  let older = new Map<string, string>();
  return (text) => {
    if (text.length > maxLength) return text;
    const known = recent.get(text);
    if (known !== undefined) return known;
    const kept = older.get(text) ?? text;
    if (recent.size >= capacity) {
      older = recent;
      recent = new Map();
    }
    recent.set(kept, kept);
    return kept;
  };
}

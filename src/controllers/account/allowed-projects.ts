// pure

/**
 * True when `projectId` matches one of the patterns (`*` stands for any characters, also none), or when there are no
 * patterns at all. Case-sensitive.
 */
export function isProjectAllowed(projectId: string, patterns: readonly string[] | undefined): boolean {
  if (patterns === undefined || patterns.length === 0) return true;
  return patterns.some((pattern) => matchesGlob(projectId, pattern));
}

/** What Northflank returned of the projects that a token reaches: `status.projectRestrictions` of its connection. */
export interface KnownRestrictions {
  readonly mode: "In" | "NotIn";
  readonly projects: readonly string[];
  readonly isIncomplete?: boolean;
}

/** False when the token surely does not reach the project. Where that is not known for sure, Northflank decides. */
export function isProjectInReach(projectId: string, known: KnownRestrictions | undefined): boolean {
  if (known === undefined) return true;
  const isListed = known.projects.includes(projectId);
  return known.mode === "In" ? isListed || known.isIncomplete === true : !isListed;
}

/**
 * Matches without a regular expression: one walk over the text per `*`, each starting where the last piece ended, so
 * that no pattern of a user can make it slow.
 */
function matchesGlob(text: string, pattern: string): boolean {
  const pieces = pattern.split("*");
  const [first = ""] = pieces;
  if (pieces.length === 1) return text === pattern;
  if (!text.startsWith(first)) return false;
  const last = pieces[pieces.length - 1] ?? "";
  let position = first.length;
  for (const piece of pieces.slice(1, -1)) {
    const found = text.indexOf(piece, position);
    if (found < 0) return false;
    position = found + piece.length;
  }
  return text.length - last.length >= position && text.endsWith(last);
}

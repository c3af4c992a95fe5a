// pure

/** One broken rule of a spec, for people. */
export interface SpecProblem {
  /** `spec.deployment.external.imagePath` */
  readonly field: string;
  /** The rule that is broken. Never a value of an environment variable or a file. */
  readonly message: string;
  /** What to do about it; may be empty. */
  readonly remedy: string;
}

/** The message of `InvalidSpec`: every problem with field, rule and remedy, the first ones if there are many. */
export function invalidSpecMessage(problems: readonly SpecProblem[]): string {
  const shown = problems.slice(0, 5).map(({ field, message, remedy }) => {
    return `${field}: ${message}${remedy === "" ? "" : ` (${remedy})`}`;
  });
  const rest = problems.length - shown.length;
  return `The spec is refused, nothing is sent. ${shown.join("; ")}${rest > 0 ? `; and ${rest} more` : ""}.`;
}

/** What was asked for does not exist or cannot be done: one sentence, exit code 1. */
export class Refused extends Error {
  override readonly name = "Refused";
}

/** Arguments that cannot be used: all problems together, exit code 2. */
export class Wrong {
  readonly problems: readonly string[];
  constructor(...problems: readonly string[]) {
    this.problems = problems;
  }
}

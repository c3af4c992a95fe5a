// pure
import { formatProblem } from "../../api/problem.ts";
import type { ObjectMeta } from "../../kube/types.ts";

/** One broken rule of a spec, for people. */
export interface SpecProblem {
  /** `spec.deployment.external.imagePath` */
  readonly field: string;
  /** The rule that is broken. Never a value of an environment variable or a file. */
  readonly message: string;
  /** What to do about it; may be empty. */
  readonly remedy: string;
}

/**
 * The fields that the API server dropped, as problems: what a person wrote and believes to be in force is not. `pruned`
 * has entries such as `spec.sespend: did you mean "suspend"?`.
 */
export function prunedProblems(pruned: readonly string[] | undefined): readonly SpecProblem[] {
  return (pruned ?? []).map((entry) => {
    const end = entry.indexOf(": ");
    const [field, remedy] = end < 0 ? [entry, ""] : [entry.slice(0, end), entry.slice(end + 2)];
    return { field, message: "is not a field, and the API server dropped it", remedy };
  });
}

/** The message of `InvalidSpec`: every problem with field, rule and remedy, the first ones if there are many. */
export function invalidSpecMessage(problems: readonly SpecProblem[]): string {
  const shown = problems.slice(0, 5).map(formatProblem);
  const rest = problems.length - shown.length;
  return `The spec is invalid, and nothing is sent. ${shown.join("; ")}${rest > 0 ? `; and ${rest} more` : ""}.`;
}

/** What {@link cachedValidation} needs of an object. */
export interface WithGeneration {
  readonly metadata: Pick<ObjectMeta, "uid" | "generation">;
}

/**
 * Remembers what `validate` said of the spec of an object: between a change and its end an object is reconciled several
 * times, and within one generation the API server does not let its spec change.
 *
 * Holds the `capacity` objects validated last, and up to as many before them; others are validated again. What has no
 * uid or generation is never remembered.
 */
export function cachedValidation<T extends WithGeneration, P>(
  validate: (object: T) => P,
  capacity = 5_000,
): (object: T) => P {
  interface Entry {
    readonly generation: number;
    readonly problems: P;
  }
  let recent = new Map<string, Entry>();
  let older = new Map<string, Entry>();
  return (object) => {
    const { uid, generation } = object.metadata;
    if (uid === undefined || generation === undefined) return validate(object);
    const known = recent.get(uid) ?? older.get(uid);
    if (known?.generation === generation) return known.problems;
    const problems = validate(object);
    if (recent.size >= capacity) {
      older = recent;
      recent = new Map();
    }
    recent.set(uid, { generation, problems });
    return problems;
  };
}

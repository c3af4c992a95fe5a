import type { KubeObject } from "../kube/types.ts";
import type { CachedObject } from "./project-object.ts";
import type { Validator } from "./validate.ts";

/** What stands against acting on a stored object, for people; never a value of an environment variable or a file. */
export interface ObjectProblem {
  readonly field: string;
  readonly message: string;
  readonly remedy: string;
}

/**
 * Everything that is wrong with the spec of an object that the API server let in: broken rules (the CRD in the cluster
 * may be older than ours), and fields that were applied but pruned, because a misspelt `suspend` must not start a run.
 */
export function objectProblems(
  validator: Validator,
  object: KubeObject & { readonly spec: unknown },
): readonly ObjectProblem[] {
  const { prunedFields = [] } = object as CachedObject;
  const pruned = prunedFields.map((text): ObjectProblem => {
    const [field = "", ...hint] = text.split(": ");
    return {
      field,
      message: "was applied, but no such field exists, so the API server dropped it",
      remedy: hint.join(": "),
    };
  });
  return [...pruned, ...validator.validateSpec(object.kind, object.spec)];
}

// pure
import type { NorthflankError } from "../../northflank/errors.ts";
import type { JobSettingsView } from "../../northflank/types.ts";
import type { ObjectKey } from "../../runtime/outcome.ts";
import type { Verdict } from "../reconcile/ready-state.ts";
import type { Pause } from "../reconcile/requeue.ts";
import type { SpecProblem } from "../reconcile/spec-problem.ts";
import type { MissingReference } from "../secrets/references.ts";
import type { Desire } from "./desired.ts";

/** Everything a pass knows beyond the object itself. One case per reason not to look further. */
export type Observation =
  | { readonly kind: "invalid"; readonly problems: readonly SpecProblem[] }
  | { readonly kind: "suspended" }
  /** No account that can be used now, or a reference that cannot. */
  | {
      readonly kind: "blocked";
      readonly verdict: Verdict;
      readonly recheckAfterMs: number;
      readonly pause?: Pause;
      /** A Secret or ConfigMap is not in the version that was applied. */
      readonly hasChangedSource?: boolean;
      /** What is referred to and does not exist, where that is the reason. */
      readonly missing?: MissingReference | undefined;
    }
  /** An older object manages settings of the same job. */
  | { readonly kind: "conflict"; readonly winner: ObjectKey }
  /** Nothing is due: no request was spent. */
  | { readonly kind: "rest"; readonly dueInMs: number }
  | {
      readonly kind: "seen";
      readonly desire: Desire;
      readonly view: JobSettingsView;
      /** Milliseconds until the next look at a settled object, spread; `Infinity`: never. */
      readonly nextResyncMs: number;
    }
  | {
      readonly kind: "failed";
      readonly error: NorthflankError;
      /** The look was for values of a Secret or ConfigMap that are not those that were applied. */
      readonly hasChangedSource: boolean;
    };

/** The job was read in this pass. */
export type Seen = Observation & { readonly kind: "seen" };

// pure
import type { NorthflankJob } from "../../api/job.ts";
import type { NorthflankError } from "../../northflank/errors.ts";
import type { JobPatchRoute, JobSettingsView } from "../../northflank/types.ts";
import type { MissingReference } from "../secrets/references.ts";
import type { TargetDecision, TargetInput } from "../target/decision.ts";
import type { Difference } from "../target/out-of-sync.ts";
import type { NotDue, Unmet } from "../target/preconditions.ts";
import type { TargetChange } from "../target/reconciler.ts";
import type { Desire } from "./desired.ts";
import type { Conclusion } from "./status.ts";

/** Everything a reconcile knows beyond the object itself. One case per reason not to read further. */
export type Observation =
  /** `missing`: what is referred to and does not exist, where that is the reason. */
  | (Unmet & { readonly missing?: MissingReference | undefined })
  | NotDue
  | {
      readonly kind: "seen";
      readonly desire: Desire;
      readonly view: JobSettingsView;
      /** Milliseconds until the next poll of a settled object, spread; `Infinity`: never. */
      readonly nextResyncMs: number;
    }
  | {
      readonly kind: "failed";
      readonly error: NorthflankError;
      /** The read was due because values of a Secret or ConfigMap are not those that were applied. */
      readonly hasChangedSource: boolean;
    };

/** The job was read in this reconcile. */
export type Seen = Observation & { readonly kind: "seen" };

/** One body on one route. */
export interface Patch {
  readonly route: JobPatchRoute;
  readonly body: object;
}

/** One change to be sent. */
export interface Change extends TargetChange<Patch> {
  readonly seen: Seen;
  readonly cause: "SpecChanged" | "SourceChanged" | "DriftCorrected" | "PartResent";
  /** Why it is sent; the body carries everything that is declared. */
  readonly differences: readonly Difference[];
  /** Those of them that Northflank does not return. */
  readonly unsent: readonly Difference[];
  /** Northflank returns some of the others, so that a read shows whether it took them. */
  readonly isShown: boolean;
  /** Settings that are declared no more. */
  readonly released: readonly string[];
  /** How many of the declared settings Northflank does not return. */
  readonly untold: number;
}

/** What a reconcile is to do. */
export type Decision = TargetDecision<Conclusion, Change>;

/** Everything that a decision may know. */
export interface DecideInput extends Omit<TargetInput<NorthflankJob, Observation>, "ages"> {
  /** Since the newest change was sent, in milliseconds; missing: none was. */
  readonly sinceChangeMs?: number | undefined;
}

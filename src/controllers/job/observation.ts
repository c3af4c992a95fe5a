// pure
import type { NorthflankError } from "../../northflank/errors.ts";
import type { JobSettingsView } from "../../northflank/types.ts";
import type { MissingReference } from "../secrets/references.ts";
import type { NotDue, Unmet } from "../target/preconditions.ts";
import type { Desire } from "./desired.ts";

/** Everything a reconcile knows beyond the object itself. One case per reason not to read further. */
export type Observation =
  | Exclude<Unmet, { readonly kind: "blocked" }>
  /** No account that can be used now, or a reference that cannot. */
  | (Extract<Unmet, { readonly kind: "blocked" }> & {
      /** What is referred to and does not exist, where that is the reason. */
      readonly missing?: MissingReference | undefined;
    })
  | NotDue
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

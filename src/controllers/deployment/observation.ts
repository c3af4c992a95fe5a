// pure
import type { NorthflankError } from "../../northflank/errors.ts";
import type { SeenBuild } from "../build/build-query.ts";
import type { NotDue, Unmet } from "../target/preconditions.ts";
import type { Desire } from "./desired.ts";
import type { TargetView } from "./target-view.ts";

/** A run that the object waits for before it changes anything. */
export interface Dependency {
  readonly name: string;
  /** `other-revision`: there is a run of that name, but of another revision than the deployment. */
  readonly state: "succeeded" | "failed" | "active" | "missing" | "other-revision";
}

/** Everything a pass knows beyond the object itself. One case per reason not to look further. */
export type Observation =
  | Unmet<{ readonly desire: Desire }>
  | NotDue
  /** The build that the object waits for was read, and nothing else: while it is not over, the target need not be. */
  | { readonly kind: "building"; readonly desire: Desire; readonly build: SeenBuild }
  | {
      readonly kind: "seen";
      readonly desire: Desire;
      readonly service: TargetView;
      /** The declared build, where it was read. */
      readonly build?: SeenBuild;
      readonly dependencies: readonly Dependency[];
      /** Milliseconds until the next look at a settled object, spread; `Infinity`: never. */
      readonly nextResyncMs: number;
    }
  /** The job is there, but the only route that tells its source is gone. */
  | { readonly kind: "route-gone"; readonly desire: Desire; readonly error: NorthflankError }
  | { readonly kind: "failed"; readonly desire: Desire; readonly error: NorthflankError };

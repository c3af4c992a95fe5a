// pure
import type { NorthflankDeployment, NorthflankDeploymentStatus } from "../../api/deployment.ts";
import type { Random } from "../../util/random.ts";
import type { BuildQuery } from "../build/build-query.ts";
import type { Ages } from "../reconcile/stopwatch.ts";
import type { TargetDecision } from "../target/reconciler.ts";
import type { Conclusion } from "./conclusion.ts";
import type { Desire } from "./desired.ts";
import type { Difference } from "./diff.ts";
import type { Observation } from "./observation.ts";
import type { TargetView } from "./target-view.ts";

/** Flags that decisions depend on. */
export interface Settings {
  /** For objects that name no period, in milliseconds; 0 = never. */
  readonly resyncPeriodMs: number;
  /** First pause between two looks at a rollout, in milliseconds; the pauses grow to a minute. */
  readonly rolloutPollIntervalMs: number;
}

/** `status.build` */
export type BuildRecord = NonNullable<NorthflankDeploymentStatus["build"]>;

/** One redeploy of the source that the service has. */
export interface Redeploy {
  readonly token: string;
  readonly call: "update service deployment" | "restart service";
  /** How many calls there are with this one. */
  readonly attempts: number;
}

/** One change to be sent. */
export interface Change {
  readonly desire: Desire;
  readonly cause: "SpecChanged" | "DriftCorrected" | "PartResent" | "Redeployed" | "RolledBack";
  /** The target as it was read just before. */
  readonly before: TargetView;
  readonly differences: readonly Difference[];
  /** With cause `Redeployed`: for which token, and by which call. */
  readonly redeploy?: Redeploy;
  /** The build that is deployed, where it was looked at. */
  readonly build?: BuildRecord;
}

/** What a decision may ask for before it is made: the target, where only the build that is waited for was read, or a build. */
export type Need = { readonly kind: "target" } | { readonly kind: "build"; readonly query: BuildQuery };

/** What a reconcile is to do. */
export type Decision = TargetDecision<Conclusion, Change, Need>;

/** Everything that a decision may know. */
export interface DecideInput {
  readonly object: NorthflankDeployment;
  readonly observation: Observation;
  /** Wall clock, milliseconds since the epoch: for what people read. */
  readonly now: number;
  /** How long ago the times in the status are, as this process has measured it. */
  readonly ages?: Ages;
  readonly random: Random;
  readonly settings: Settings;
}

/** The target was read in this pass. */
export type Seen = Observation & { readonly kind: "seen" };

// pure
import type { NorthflankDeployment, NorthflankDeploymentStatus } from "../../api/deployment.ts";
import type { NorthflankError } from "../../northflank/errors.ts";
import type { DeploymentUpdate } from "../../northflank/types.ts";
import type { BuildQuery, SeenBuild } from "../build/build-query.ts";
import type { PollPace } from "../reconcile/poll-plan.ts";
import type { ConditionUpdate } from "../reconcile/ready-state.ts";
import type { Age } from "../reconcile/stopwatch.ts";
import type { Stated, TargetConclusion, TargetDecision, TargetInput } from "../target/decision.ts";
import type { Correction } from "../target/drift.ts";
import type { Policy } from "../target/policy.ts";
import type { NotDue, Unmet } from "../target/preconditions.ts";
import type { TargetChange } from "../target/reconciler.ts";
import type { Desire } from "./desired.ts";
import type { Comparison, Difference } from "./diff.ts";
import type { TargetView } from "./target.ts";

/*
 * What goes from one step of a reconcile to the next: observe -> Observation -> decide -> Decision -> execute -> result
 * -> Conclusion -> status.
 */

/** A run that the object waits for before it changes anything. */
export interface Dependency {
  readonly name: string;
  /** `other-revision`: there is a run of that name, but of another revision than the deployment. */
  readonly state: "succeeded" | "failed" | "active" | "missing" | "other-revision";
}

/** Everything a reconcile knows beyond the object itself. One case per reason not to read further. */
export type Observation =
  | Unmet<{ readonly desire: Desire }>
  | NotDue
  /** The build that the object waits for was read, and nothing else: while it is not over, the target need not be. */
  | { readonly kind: "building"; readonly desire: Desire; readonly build: SeenBuild }
  | {
      readonly kind: "seen";
      readonly desire: Desire;
      readonly service: TargetView;
      /**
       * It was read by an earlier reconcile, and the list of its project shows that its rollout has not moved since.
       * Nothing but that is concluded from it.
       */
      readonly isListed?: true;
      /** The declared build, where it was read. */
      readonly build?: SeenBuild;
      readonly dependencies: readonly Dependency[];
      /** Milliseconds until the next check of an object at rest, spread; `Infinity`: never. */
      readonly nextResyncMs: number;
      /** How polls of the account are paced. Default: see {@link PollPlan}. */
      readonly pace?: PollPace | undefined;
    }
  /** The job is there, but the only route that returns its source is gone. */
  | { readonly kind: "route-gone"; readonly desire: Desire; readonly error: NorthflankError }
  | { readonly kind: "failed"; readonly desire: Desire; readonly error: NorthflankError };

/** The target was read. */
export type Seen = Extract<Observation, { readonly kind: "seen" }>;

/** What a decision may need first: the target, where only the build that is waited for was read, or a build. */
export type Need = { readonly kind: "target" } | { readonly kind: "build"; readonly query: BuildQuery };

/** Flags that decisions depend on. */
export interface Settings {
  /** For objects that name no period, in milliseconds; 0 = never. */
  readonly resyncPeriodMs: number;
  /** The shortest pause between two polls of a rollout, in milliseconds; see poll-plan.ts. */
  readonly rolloutPollIntervalMs: number;
}

/** Everything that a decision may know. */
export interface DecideInput extends TargetInput<NorthflankDeployment, Observation> {
  readonly settings: Settings;
}

/** An entry of `status.changes`. */
export type ChangeRecord = NonNullable<NorthflankDeploymentStatus["changes"]>[number];

/** `status.build` */
export type BuildRecord = NonNullable<NorthflankDeploymentStatus["build"]>;

/** What the record says of a declaration: the phase of its change, that there is none, or that it was rolled back. */
export type State = ChangeRecord["phase"] | "Unknown" | "RolledBack";

/** How far the rollout is of a target that has what is declared; a job has none, and is complete. */
export type Progress = "rolling" | "late" | "gradual" | "paused" | "complete" | "failed";

/** What follows from object and observation, once the target was read. Only `factsOf` computes it. */
export interface Facts extends DecideInput, Seen {
  readonly policy: Policy;
  readonly state: State;
  /** The change to what is declared; see `changeOf`. */
  readonly change: ChangeRecord | undefined;
  /** The rollback in force for what is declared. */
  readonly rollback: ChangeRecord | undefined;
  readonly wantsRedeploy: boolean;
  /** With `rollout.onFailure: Restore`: what is restored when the rollout of what is declared fails. */
  readonly good: Good | undefined;
  /** A difference is a new declaration, or comes with a redeploy: no drift. */
  readonly isNew: boolean;
  readonly comparison: Comparison;
  /** What has to be written; empty: the target has what is declared. */
  readonly pending: readonly Difference[];
  /** Declared fields that were neither sent by us nor read back in full: taken to be in force. */
  readonly unverified: readonly string[];
  /** The corrections in a row, for `drift.ts`. */
  readonly corrections: readonly Correction[];
  /** Now, as far after the newest correction as this process has measured. */
  readonly correctionsNow: number;
  /** What status shows of the target. */
  readonly shown: StatedFields;
  /** How long ago a time in the status is. */
  readonly age: (time: string | undefined) => Age;
  /** Since when the declaration is in one of these phases; `undefined` when it is in none. */
  readonly since: (...names: readonly WaitingName[]) => string | undefined;
  /** `rollout.timeoutSeconds`, in milliseconds. */
  readonly limitMs: number;
  /** The status speaks about the spec as it is now. */
  readonly isAcknowledged: boolean;
}

/** A name of `status.phase`. */
export type WaitingName = NonNullable<NonNullable<NorthflankDeploymentStatus["phase"]>["name"]>;

/** The last source whose rollout was complete. */
export type Good =
  | { readonly kind: "none"; readonly why: string }
  | {
      readonly kind: "source";
      readonly desire: Desire;
      /** Northflank has it, as far as its answer shows. */
      readonly isInForce: boolean;
      /** Northflank returns too little to distinguish it from what is declared. */
      readonly isDoubtful: boolean;
    };

/** One redeploy of the source that the service has. */
export interface Redeploy {
  readonly token: string;
  readonly call: "update service deployment" | "restart service";
  /** How many calls there are with this one. */
  readonly attempts: number;
}

/** One change to be sent. */
export interface Change extends TargetChange<Call> {
  readonly desire: Desire;
  readonly cause: "SpecChanged" | "DriftCorrected" | "PartResent" | "Redeployed" | "RolledBack";
  /** The target as it was read just before. */
  readonly before: TargetView;
  readonly differences: readonly Difference[];
  /** With cause `Redeployed`: for which token, and by which call. */
  readonly redeploy?: Redeploy;
  /** The build that is deployed, where it was read. */
  readonly build?: BuildRecord | undefined;
}

/** One call that changes a target. */
export type Call =
  /** `isOnce`: never repeated for a lost answer, because each one is a rollout. */
  | { readonly route: "service deployment"; readonly body: DeploymentUpdate; readonly isOnce: boolean }
  | { readonly route: "job deployment"; readonly body: DeploymentUpdate }
  | { readonly route: "deployment service"; readonly body: DeploymentUpdate & { readonly instances: number } }
  | { readonly route: "combined service"; readonly body: DeploymentUpdate }
  | { readonly route: "restart" };

/** What a reconcile is to do. */
export type Decision = TargetDecision<Conclusion, Change, Need>;

/** What a status says of its target. */
export const statedFields = [
  "targetUid",
  "image",
  "observed",
  "changes",
  "build",
  "lastGood",
  "notKept",
  "redeploy",
  "pendingChanges",
  "warnings",
] as const;

/** Status fields that a reconcile may state. A field that is there replaces the old one; `undefined` removes it. */
export type StatedFields = Stated<NorthflankDeploymentStatus, (typeof statedFields)[number]>;

/** What a reconcile of a NorthflankDeployment concluded. */
export interface Conclusion extends TargetConclusion {
  readonly rolloutComplete: ConditionUpdate;
  /** The condition `Restored`; missing: there is none. */
  readonly restored?: ConditionUpdate;
  readonly stated: StatedFields;
}

import type { NorthflankJobRun } from "../../api/job-run.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { Clock } from "../../util/clock.ts";
import type { Account } from "../account/accounts.ts";
import type { Siblings } from "./concurrency.ts";
import type { StartReport } from "./decide.ts";
import type { RunMemory } from "./memory.ts";
import type { Restored } from "./restored.ts";
import type { RunSettings } from "./result.ts";

/** What a start is made with. */
export interface StartDeps {
  readonly kube: Pick<KubeClient, "get" | "replace" | "patch">;
  /** True when this process will be the leader for at least so many more milliseconds, by a local monotonic clock. */
  readonly lease: { readonly isLeaderFor: (durationMs: number) => boolean };
  readonly clock: Clock;
  readonly settings: RunSettings & {
    /** How long the lease must still be valid when something is sent, in milliseconds. */
    readonly leaseMarginMs: number;
  };
  /** A new id for a start record. */
  readonly newId: () => string;
  /** Puts the answer to the intent into the store at once: a run of it may be in the next list that is read. */
  readonly overlay: (object: NorthflankJobRun) => void;
  /** When the cluster was last seen restored to an earlier state; `undefined`: never since this process was started. */
  readonly restored: () => Restored | undefined;
}

/** What one start is about. */
export interface StartContext {
  readonly object: NorthflankJobRun;
  readonly account: Account;
  /** Other runs of the same job, as they are now: all, and those that are not over. */
  readonly siblings: Siblings;
  readonly memory: RunMemory;
  /** Why the build that the spec names keeps the run from being started; `undefined` where none does. */
  readonly checkBuild: () => Promise<StartReport | undefined>;
  /** Ends the work. */
  readonly signal: AbortSignal;
  /** Ends what must still be written down. */
  readonly statusSignal: AbortSignal;
}

/** What a start leaves: how it ended, and the object as it was last written (`undefined` where nothing was). */
export interface StartOutcome {
  readonly report: StartReport;
  readonly written?: NorthflankJobRun | undefined;
}

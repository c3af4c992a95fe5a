// pure
import type { NorthflankError } from "../../northflank/errors.ts";
import type { ObjectKey } from "../../runtime/outcome.ts";
import { assertNever } from "../../util/assert-never.ts";
import { notAtOnce } from "../../util/backoff.ts";
import type { Random } from "../../util/random.ts";
import { safetyNetMs } from "../reconcile/predicates.ts";
import type { Blocked, ConditionUpdate, ReadyState } from "../reconcile/ready-state.ts";
import { slowProbeMs } from "../reconcile/remote-error.ts";
import { judgeRemoteFailure } from "../reconcile/remote-failure.ts";
import { probeAfter } from "../reconcile/requeue.ts";
import { invalidSpecMessage, type SpecProblem } from "../reconcile/spec-validation.ts";
import type { TargetConclusion } from "./decision.ts";
import type { TargetObject } from "./object.ts";

/**
 * What has to hold before a request is sent to Northflank: a valid spec, that is not suspended, an account, and no
 * older object for the same target. D: what observations of a kind with a valid spec carry.
 */
export type Unmet<D extends object = object> =
  | { readonly kind: "invalid"; readonly problems: readonly SpecProblem[] }
  | (D & { readonly kind: "suspended" })
  /** No account that can be used now, or a reference that cannot. */
  | (D &
      Blocked & {
        /** A Secret or ConfigMap is not in the version that was applied. */
        readonly hasChangedSource?: boolean;
      })
  | (D & { readonly kind: "conflict"; readonly owner: ObjectKey });

/** Nothing is due: no request was sent. */
export interface NotDue {
  readonly kind: "rest";
  readonly dueInMs: number;
}

/** What a kind says of its preconditions. */
export interface TargetWords {
  readonly kind: "NorthflankDeployment" | "NorthflankJob";
  /** As in "The target is already managed". */
  readonly target: string;
  /** What to do about two objects for one target, besides letting one of them observe. */
  readonly onConflict: string;
}

/** What is concluded when the target was not read. */
export const nothingLearned = { inSync: "as-before", stated: {}, failure: undefined, events: [] } as const;

/** The conclusion for an unmet precondition. `sameDesire`: see {@link TargetConclusion}. */
export function unmetConclusion(unmet: Unmet, words: TargetWords, sameDesire: boolean | undefined): TargetConclusion {
  switch (unmet.kind) {
    case "invalid": {
      const message = invalidSpecMessage(unmet.problems);
      const readyState = { kind: "stalled", reason: "InvalidSpec", message } as const;
      return { ...nothingLearned, readyState, next: { kind: "never" }, sameDesire: false };
    }
    case "suspended": {
      const message = "Reconciliation is suspended. Set spec.suspend to false to resume.";
      const readyState = { kind: "suspended", reason: "Suspended", message } as const;
      return { ...nothingLearned, readyState, next: { kind: "never" }, sameDesire };
    }
    case "blocked": {
      const { readyState, recheckAfterMs, pause } = unmet;
      const next = { kind: "recheck", afterMs: notAtOnce(recheckAfterMs), ...(pause && { pause }) } as const;
      return { ...nothingLearned, readyState, inSync: inSyncUnread(unmet, readyState), next, sameDesire };
    }
    case "conflict": {
      const message =
        `The ${words.target} is already managed by the older ${words.kind} ${unmet.owner}; this object has no effect until ` +
        `that is gone or only observes. ${words.onConflict}, or set spec.managementPolicy of one to Observe.`;
      const readyState = { kind: "stalled", reason: "TargetConflict", message } as const;
      return { ...nothingLearned, readyState, next: probeAfter(safetyNetMs), sameDesire };
    }
    default:
      return assertNever(unmet, "precondition");
  }
}

/** The target cannot take what is declared: nothing is sent until a person has changed something. */
export function unsupported(message: string) {
  const readyState = { kind: "stalled", reason: "UnsupportedTarget", message } as const;
  return { ...nothingLearned, readyState, next: probeAfter(slowProbeMs), sameDesire: false } as const;
}

/** The conclusion for a failed read, by the table of remote errors. */
export function failedReadConclusion(
  facts: {
    readonly object: TargetObject;
    readonly error: NorthflankError;
    readonly hasChangedSource?: boolean;
    readonly now: number;
    readonly random: Random;
  },
  sameDesire: boolean | undefined,
) {
  const { object, error, now, random } = facts;
  const judged = judgeRemoteFailure({ error, previous: object.status?.failure, now, random });
  return { ...nothingLearned, ...judged, inSync: inSyncUnread(facts, judged.readyState), sameDesire };
}

/** Values of a Secret or ConfigMap that changed and could not be sent: nothing is in sync, whatever Ready says. */
function inSyncUnread(facts: { readonly hasChangedSource?: boolean }, { reason }: ReadyState): ConditionUpdate {
  if (facts.hasChangedSource !== true) return "as-before";
  const message = "A referenced Secret or ConfigMap changed; the new values are not applied yet.";
  return { status: "Unknown", reason, message };
}

import type { Reason } from "./reasons.ts";

/** When an Event is written, by its reason. */
type Events = Readonly<Partial<Record<Reason, string>>>;

/** The Events about what went as it should. Closed: there are no others. */
export const normalEvents = {
  ChangeApplied: "A change was sent to Northflank and accepted. The note names the source before and after.",
  SettingsReleased:
    "A NorthflankJob no longer names settings that it managed. They keep their values; the note names them.",
  TargetRecreated:
    "The service or job was deleted and created again under its id, and the status starts anew. The note names both uids.",
  ServiceResumed: "A service that was paused, or had no instances, runs again; its rollout is followed.",
  RolloutComplete: "Northflank finished rolling out a source that the operator sent.",
  RunStarted: "Northflank accepted the start of a run.",
  RunRecovered: "The answer to a start was lost; the run was found in the list of runs and adopted.",
  RunAdopted:
    "The object had lost its status, as after a restore; the run that its annotation stands for was adopted, and none was started.",
  RunSucceeded: "The run ended with success.",
  AbortRequested: "Northflank was asked to abort the run; the note says why.",
} as const satisfies Events;

/** The reason of an Event of type Normal. */
export type NormalEvent = keyof typeof normalEvents;

/**
 * The Events that somebody should look at, beside the passages to Stalled, which are written with the reason of the
 * condition.
 */
export const warningEvents = {
  Restored: "A rollout failed, and the last source whose rollout was complete was put back; the note names it.",
  ContinuousDeploymentEnabled:
    "Northflank's continuous deployment will replace the build that a NorthflankDeployment declares. Once, when it comes up.",
  RunsOnSourceChange:
    "The job that is about to be changed runs by itself when its source changes. Once, when it comes up.",
  DeprecatedRoute: "A call is used that Northflank has deprecated and has no other for. Once per object.",
  FallbackUsed: "The usual call is gone at Northflank, and its replacement was used.",
  TokenExpiresSoon: "The token of a NorthflankConnection expires within 14 days. Once.",
  TokenExpired: "The token of a NorthflankConnection has expired, as Northflank reported its expiry. Once.",
  InvalidSpec:
    "The stored object breaks the schema, and the API server rejects a status that would say so; the note names the fields.",
  ReconcileFailed:
    "A reconcile of an object failed unexpectedly, or the API server rejected its status. It is retried with back-off.",
  RunFailed: "A run failed. Another one follows where backoffLimit allows it.",
  DuplicateRun: "After an AtLeastOnce start a second run turned up. The note has both ids.",
  Abandoned: "The object was deleted while its start or its run was open, and that goes on.",
  DeleteTimedOut: "The object was deleted and let go, though its run could not be aborted in time.",
} as const satisfies Events;

import type { Reason } from "../../../../src/api/reasons.ts";
import { describe, type RunbookEntry } from "./entry.ts";

/** Reasons of what is under way. */
export const progress = {
  RollingOut: {
    means: "Northflank is rolling out the declared source. The message has the time at which it times out.",
    check: ["In Northflank: the containers of the service.", describe("nfdeploy")],
    act: ["Nothing before the time in the message."],
    otherwise: "The object becomes Ready, [RolloutFailed](#rolloutfailed) or [RolloutTimedOut](#rollouttimedout).",
  },
  AwaitingPromotion: {
    means:
      "The rollout is gradual (canary or blue-green), and Northflank waits for its promotion. No time limit applies.",
    check: ["In Northflank: the rollout of the service.", describe("nfdeploy")],
    act: ["Promote it in Northflank, or declare another source."],
    otherwise: "Both sources keep running, and the object stays in progress. CI that waits for Ready times out.",
  },
  Building: {
    fine: "Nothing to do: Northflank is building the declared source. If it takes unusually long, see the build in Northflank.",
  },
  Progressing: {
    fine: "Nothing to do: the operator is reconciling the object. The reason of Ready says what it is doing.",
  },
  ApplyingChange: { fine: "Nothing to do: a change is being sent, or is read back. It takes a minute at most." },
  TargetRecreated: {
    fine: "Nothing to do: the service or job was deleted and created again with the same ID. The status was reset, and what is declared is sent to the new one.",
  },
  RunActive: {
    fine: "Nothing to do: the run is active and is followed to its end. A run that was adopted after its status was lost is never aborted by the operator; abort it in Northflank if it is not wanted.",
  },
  Aborting: {
    means: "The run is being aborted, by `spec.abort`, a deadline, a deletion, or a run that replaces it.",
    check: ["In Northflank: whether the run ends.", describe("nfrun")],
    act: [
      "If the message says that Northflank refused the abort, grant the permission that it names, or abort the run in Northflank.",
    ],
    otherwise: "The abort is repeated until the run is over.",
  },
  Deleting: {
    means: "The object is being deleted. With `deletionPolicy: Abort` a finalizer keeps it until its run is aborted.",
    check: [describe("nfrun")],
    act: [
      "Wait. To release it at once and leave the run alone, set `deletionPolicy: Orphan`:",
      ['kubectl patch nfrun/NAME -n NAMESPACE --type merge -p \'{"spec":{"deletionPolicy":"Orphan"}}\''],
    ],
    otherwise:
      "It is released when the run is over, and after 10 min in any case (70 min if only the quota stands in the way).",
  },
} as const satisfies Partial<Readonly<Record<Reason, RunbookEntry>>>;

/** Reasons that only Events have: what happened. */
export const happened = {
  ChangeApplied: { fine: "Nothing to do: Northflank accepted a change. The note has the source before and after." },
  RunStarted: { fine: "Nothing to do: the run was started." },
  RunRecovered: {
    fine: "Nothing to do: a start without a response was found in the run list, and is followed. Many of them point to a network that loses responses.",
  },
  RunAdopted: {
    fine: "Nothing to do: the object had lost its status, and the run that its annotation names was adopted.",
  },
  AbortRequested: { fine: "Nothing to do: Northflank was asked to abort the run; the note says why." },
  ServiceResumed: { fine: "Nothing to do: a service that was paused or had no instances runs again." },
  SettingsReleased: {
    fine: "Nothing to do, unless the settings in the note should have other values: they were removed from the manifest, keep their values, and are no longer managed.",
  },
  RunsOnSourceChange: {
    means:
      "Northflank itself starts a run of the job whenever its source changes, in addition to those of NorthflankJobRuns.",
    check: [
      "In Northflank: the setting that runs the job on a change of its source (`runOnSourceChange`).",
      describe("nfdeploy"),
    ],
    act: ["If that is not wanted, set it to `never` in Northflank."],
    otherwise: "Each change of the image starts a run that no object follows.",
  },
  DeprecatedRoute: {
    means:
      "The operator uses a call that Northflank has deprecated, because there is no other for this target or `jobType`.",
    check: [describe("nfdeploy", "nfjob")],
    act: [
      "For a NorthflankJob set `spec.jobType: any`. For the image of a job use `spec.deployment` of a NorthflankJobRun.",
    ],
    otherwise:
      "It works until Northflank removes the call; then the object is [UnsupportedTarget](#unsupportedtarget).",
  },
  FallbackUsed: {
    means:
      "The usual call no longer exists at Northflank, and its replacement was used. If it patches the service, a change of scale made in the same moment may have been undone.",
    check: ["In Northflank: the number of instances of the service.", describe("nfdeploy", "nfjob")],
    act: ["Upgrade the operator."],
    otherwise: "Changes continue with the replacement.",
  },
} as const satisfies Partial<Readonly<Record<Reason, RunbookEntry>>>;

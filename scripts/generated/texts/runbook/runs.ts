import type { Reason } from "../../../../src/api/reasons.ts";
import { describe, forgetStart, type Remedy, reconcile, resolve } from "./entry.ts";

const anotherRun =
  "A run is never repeated by its own object. To run the job again, create another NorthflankJobRun (`kubectl create -f` with `metadata.generateName`).";
const attempts = "kubectl get nfrun/NAME -n NAMESPACE -o jsonpath='{.status.runId} {.status.attempts}'";

/** Reasons of runs: of their starts, and of their ends. */
export const runs = {
  StartOutcomeUnknown: {
    means:
      "The request that starts the run got no response, and the run list does not show exactly one run that it can have started. The run may be active. Nothing is started again under `startGuarantee: AtMostOnce`, because a second run could do harm.",
    check: [
      "What was searched for, and when the start was sent:",
      ["kubectl get nfrun/NAME -n NAMESPACE -o jsonpath='{.status.start}'", ...describe("nfrun")],
      "In Northflank: the runs of the job. One that began within a minute or two of `status.start.recordedTime`, and that no other NorthflankJobRun names, is the run of this start.",
    ],
    act: [
      "There is such a run: give its ID. It is followed to its end.",
      [resolve("RUN_ID")],
      "There is none, and the job may run again: start it again.",
      [resolve("retry")],
      "There is none, and it must not run again: end the object.",
      [resolve("fail")],
      "To give the same answer a second time, append `@` and any text, as in `retry@2`.",
    ],
    otherwise:
      "The object waits. The run list is searched about once an hour, and a run that is found without doubt is adopted. Other runs of the job under `concurrencyPolicy: Forbid` or `Replace` wait for it, and so do deployments that name it in `waitFor`.",
  },
  RunFailed: {
    means: "The run ended without success, and `backoffLimit` allows no further one.",
    check: ["The log of the run in Northflank; its ID:", [attempts]],
    act: ["Fix the cause.", anotherRun],
    otherwise:
      "Nothing is started. Deployments that name the run in `waitFor` are [DependencyFailed](#dependencyfailed).",
  },
  BackoffLimitExceeded: {
    means: "All runs that `backoffLimit` allows have failed.",
    check: ["The logs of the runs in Northflank; their IDs and ends:", [attempts]],
    act: ["Fix the cause.", anotherRun],
    otherwise:
      "Nothing is started. Deployments that name the run in `waitFor` are [DependencyFailed](#dependencyfailed).",
  },
  DeadlineExceeded: {
    means: "The run was active for longer than `spec.activeDeadlineSeconds` and was aborted.",
    check: ["In Northflank: what the run was doing at its end.", [attempts]],
    act: ["If it needs more time, create another run with a longer `activeDeadlineSeconds`.", anotherRun],
    otherwise: "Nothing is started.",
  },
  StartDeadlineExceeded: {
    means:
      "The run was not started within `spec.startDeadlineSeconds`: it waited for another run, a build, the quota or the connection.",
    check: [
      "The Events show what it waited for. If the message says that it is unknown whether a run was started, check the runs of the job in Northflank.",
      describe("nfrun"),
    ],
    act: ["Remove what it waited for.", anotherRun],
    otherwise: "Nothing is started.",
  },
  RunAborted: {
    means: "The run was aborted by `spec.abort`, by a run that replaces it, or before it was started.",
    check: [
      describe("nfrun"),
      "If the message says that it is unknown whether a run was started, check the runs of the job in Northflank.",
    ],
    act: ["Nothing, if that was wanted.", anotherRun],
    otherwise: "Nothing is started.",
  },
  RunAbortedRemotely: {
    means: "The run was aborted in Northflank, by a person, a program or a limit of Northflank, not by the operator.",
    check: ["In Northflank: the audit log of the project, and the time limit of the job.", [attempts]],
    act: [anotherRun],
    otherwise: "Nothing is started, whatever `backoffLimit` says.",
  },
  RunDisappeared: {
    means:
      "Northflank no longer knows the run: the job was deleted, or deleted and created again, the run was removed, or the token belongs to another account. How it ended is unknown.",
    check: [
      "Whether the job is still the same, and whether token or team of the connection were changed:",
      [attempts, ...describe("nfconn")],
    ],
    act: ["Check by its effects whether the run has done its work.", anotherRun],
    otherwise: "The object is over. If the token was replaced by one of another account, the run may continue there.",
  },
  DuplicateRun: {
    means:
      "Under `startGuarantee: AtLeastOnce` a start without a response was repeated, and the run of the first start appeared later. Two runs exist. It is a Warning Event; the object continues with its own run.",
    check: [
      "Both IDs:",
      ["kubectl get nfrun/NAME -n NAMESPACE -o jsonpath='{.status.runId} {.status.duplicateRunId}'"],
    ],
    act: [
      "Abort the run in Northflank that is not wanted. For jobs that must not run twice use `startGuarantee: AtMostOnce`.",
    ],
    otherwise: "Both runs continue to their ends.",
  },
  CopyOfStartedRun: {
    means:
      "The annotation `northflank-operator.io/started-run` says that a run was started, for another object or another spec. The object was copied, renamed or restored. It is not started, because that could repeat a run.",
    check: [
      "For which object and run:",
      [
        "kubectl get nfrun/NAME -n NAMESPACE -o jsonpath='{.metadata.annotations.northflank-operator\\.io/started-run}'",
      ],
    ],
    act: ["To run the job for this object, remove the annotation. Otherwise delete the object.", [forgetStart]],
    otherwise: "Nothing is started; `startDeadlineSeconds` ends the object if it is set.",
  },
  AccountChanged: {
    means:
      "The run was started in one account or team, and the connection now uses another one, which does not know the run. Nothing is started or aborted there.",
    check: [
      "Where it was started, and where the connection points:",
      [
        "kubectl get nfrun/NAME -n NAMESPACE -o jsonpath='{.status.start.account}'",
        "kubectl get nfconn/CONNECTION -n NAMESPACE -o jsonpath='{.spec.apiURL} {.spec.teamId}'",
      ],
    ],
    act: [
      "To follow the run to its end, point the connection to the former account, or let the object end before the change. To leave the run alone, delete the object. If the outcome of the start is open, answer it:",
      [resolve("fail")],
    ],
    otherwise: "The run continues in the former account, and the object does not learn how it ends.",
  },
  RunListIncomplete: {
    means:
      "The job has more runs than the operator reads, and Northflank does not list the newest first. Whether one is active is unknown, so `concurrencyPolicy: Forbid` and `Replace` start none.",
    check: ["In Northflank: how many runs the job has, and whether one is active."],
    act: ["Create an object with `concurrencyPolicy: Allow`, or a new job in Northflank for this work."],
    otherwise: "Nothing is started. The list is read again about once an hour, until `startDeadlineSeconds`.",
  },
  AbortedOnDelete: {
    means: "The object was deleted with `deletionPolicy: Abort`, and its run was aborted first.",
    check: [
      "The Events of the object, for an hour after its deletion:",
      ["kubectl get events -n NAMESPACE --field-selector involvedObject.name=NAME"],
    ],
    act: ["Nothing."],
    otherwise: "The object is gone.",
  },
  DeleteTimedOut: {
    means:
      "The object was deleted with `deletionPolicy: Abort`, and the run could not be aborted within 10 min (70 min if only the quota stood in the way). The finalizer was removed, so that the namespace can be deleted.",
    check: [
      "In Northflank: whether the run is still active. Its ID is in the Event:",
      ["kubectl get events -A --field-selector reason=DeleteTimedOut"],
    ],
    act: ["Abort the run in Northflank if it is active."],
    otherwise: "The run continues to its own end.",
  },
  Abandoned: {
    means:
      "The object was deleted, and something was left in Northflank: a run that may be active, or the notification integration of a connection. Its connection was gone, or the outcome of its start was unknown.",
    check: ["The Event has the ID:", ["kubectl get events -A --field-selector reason=Abandoned"]],
    act: ["Abort the run, or delete the integration, in Northflank."],
    otherwise:
      "The run continues to its own end. An integration that is left sends notifications that are rejected, until Northflank disables it.",
  },
  RetryingRun: {
    means:
      "A run failed, and the next one within `backoffLimit` is started after a pause (10 s, doubled, at most 6 min). Or a user answered `retry`.",
    check: ["The runs so far:", [attempts]],
    act: [
      "Nothing. To stop the retries, abort the object:",
      ['kubectl patch nfrun/NAME -n NAMESPACE --type merge -p \'{"spec":{"abort":true}}\''],
    ],
    otherwise: "The next run is started.",
  },
  RecoveringRun: {
    means:
      "The request that starts the run got no response. The run list is searched twice, at least `--start-settle` (30 s) apart, before anything else is done.",
    check: [describe("nfrun"), "If many runs have it: the network, and the status page of Northflank."],
    act: ["Nothing."],
    otherwise:
      "The run is found and followed, or started again under `AtLeastOnce`, or the object becomes [StartOutcomeUnknown](#startoutcomeunknown).",
  },
  StartingRun: {
    means: "The start is recorded in the status, and the request is being sent; or a deadline is being confirmed.",
    check: [describe("nfrun")],
    act: ["Nothing. If it stays for minutes, the message says why; it is retried.", reconcile("nfrun")],
    otherwise: "The run is started.",
  },
} as const satisfies Partial<Readonly<Record<Reason, Remedy>>>;

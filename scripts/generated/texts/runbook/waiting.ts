import type { Reason } from "../../../../src/api/reasons.ts";
import { describe, type Remedy, reconcile, setField } from "./entry.ts";

const outage = "The status page of Northflank, and whether its API answers from the cluster (`401` is an answer):";
const probe =
  "kubectl run curl --rm -it --restart=Never --image=curlimages/curl -- -sS -o /dev/null -w '%{http_code}\\n' https://api.northflank.com/v1/auth";

/** Reasons of what waits, or is retried by itself. */
export const waiting = {
  WaitingForQuota: {
    means:
      "The hourly quota of the account is used up or reserved, or Northflank answered 429. Waiting is no failure: what is in use stays in use, and a Ready object stays Ready.",
    check: [
      "How much is left, until when, and who spends it:",
      ["kubectl get nfconn -A -o wide", "northflank-operator budget"],
      "[Requests and the quota](quota.md) explains the figures.",
    ],
    act: [
      "If people or CI spend it, move them to other times, or ask Northflank for a higher limit. If the operator does: raise `spec.resyncPeriodSeconds` of objects that may be checked less often, lower `--observe-share`, or set up [notifications](webhooks.md). If the limit of the connection is too low, raise it:",
      [
        'kubectl patch nfconn/CONNECTION -n NAMESPACE --type merge -p \'{"spec":{"budget":{"maxRequestsPerHour":900}}}\'',
      ],
    ],
    otherwise:
      "Requests are sent when the quota is reset, changes and starts of runs first. A limit that Northflank raises earlier is noticed then, or at a restart of the operator.",
  },
  WaitingForConnection: {
    means:
      "The connection cannot be used yet: its stored spec is invalid, its address is not allowed, or too many tokens of the namespace were rejected in the last hour.",
    check: [describe("nfconn")],
    act: [
      "Correct what the message names: the fields of the connection, `spec.apiURL` or `--allowed-api-hosts`, or the tokens in the Secrets of the namespace.",
    ],
    otherwise: "Nothing is sent for its objects. They continue when the connection changes.",
  },
  WaitingForConcurrency: {
    means:
      "Under `concurrencyPolicy: Forbid` or `Replace` the run waits for another run of the job, or for a start whose outcome is not known.",
    check: ["The message names it.", ["kubectl get nfrun -n NAMESPACE -o wide"]],
    act: [
      "Wait, or abort the other run. A run that this operator did not start is aborted in Northflank only. If the other object is [StartOutcomeUnknown](#startoutcomeunknown), answer it.",
    ],
    otherwise: "The run is started when the other one is over, or ends at `startDeadlineSeconds`.",
  },
  WaitingForBuild: {
    means: "The declared build has not ended, or the declared branch has no build yet.",
    check: ["The build in Northflank; its ID is in the message.", describe("nfdeploy", "nfrun")],
    act: ["Wait. If there is no build, push a commit or start a build in Northflank."],
    otherwise:
      "The source is deployed, or the run started, as soon as the build has succeeded. Builds are polled at intervals of up to 5 min.",
  },
  WaitingForDependency: {
    means: "A run of `spec.waitFor` has not succeeded yet, does not exist, or is of another revision.",
    check: ["The message names each run and its state:", [...describe("nfdeploy"), "kubectl get nfrun -n NAMESPACE"]],
    act: [
      "Wait for an active run. If one is missing, create it, or remove it from `spec.waitFor`. If its annotation `northflank-operator.io/revision` differs, apply the run of this revision.",
    ],
    otherwise: "The service keeps the source before. The change is sent as soon as all runs have succeeded.",
  },
  ClusterRestored: {
    means:
      "The API server went back to an earlier state, as after a restore of etcd. Starts that were made since the backup may be forgotten, so no run is started until such runs would be listed.",
    check: [
      "When it was noticed:",
      [
        "kubectl -n northflank-operator logs -l app.kubernetes.io/name=northflank-operator --prefix --tail=-1 | grep 'resourceVersion went back'",
      ],
      describe("nfrun"),
    ],
    act: ["Wait; it takes about `--start-settle` (30 s). A run that is found is adopted."],
    otherwise:
      "Starts continue by themselves. If several runs are found, the object becomes [StartOutcomeUnknown](#startoutcomeunknown).",
  },
  Suspended: {
    means:
      "`spec.suspend` is true. Nothing is read, changed or started for the object; an active run continues in Northflank.",
    check: ["Who set it:", ["kubectl get nfdeploy/NAME -n NAMESPACE --show-managed-fields -o yaml"]],
    act: [
      "To resume:",
      [setField("nfdeploy", "suspend", "false")],
      "If a GitOps tool manages the object, change it in Git.",
    ],
    otherwise: "The object stays as it is. Drift is not found, and deadlines of runs continue to count.",
  },
  ConnectionSuspended: {
    means: "`spec.suspend` of the connection is true. Nothing is sent for any of its objects.",
    check: [["kubectl get nfconn -A -o wide"]],
    act: ["To resume:", [setField("nfconn", "suspend", "false")]],
    otherwise: "Services and active runs continue in Northflank. Drift, rollouts and ends of runs are not noticed.",
  },
  RemoteUnavailable: {
    means:
      "Northflank could not be reached, broke the connection, or answered with a server error (5xx). It is retried with back-off. After ten failures in a row one request at a time is sent until it answers.",
    check: [outage, [probe]],
    act: ["If only this cluster is affected: DNS, network policies, firewalls, the proxy. Otherwise wait."],
    otherwise:
      "Objects continue within a minute or so of the first answer. Services and runs in Northflank are not affected; ends of runs are noticed late, and no start is sent twice.",
  },
  RequestTimeout: {
    means: "Northflank did not answer within `--request-timeout` (30 s). It is retried with back-off.",
    check: [outage, [probe], "If one project only is affected, the status of that project in Northflank."],
    act: ["Wait. If it lasts for one large project only, raise `--request-timeout`."],
    otherwise: "It is retried with back-off. A slow project does not hold up others.",
  },
  ProgressingWithRetry: {
    means:
      "The reason of `Reconciling` while a transient failure is retried. The reason of `Ready` says which failure.",
    check: [describe("nfdeploy", "nfjob", "nfrun", "nfconn")],
    act: ["Continue with the reason of Ready. To retry at once:", reconcile("nfdeploy")],
    otherwise: "It is retried with back-off.",
  },
} as const satisfies Partial<Readonly<Record<Reason, Remedy>>>;

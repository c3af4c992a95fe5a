import type { AlertName } from "../../../observability/alerts.ts";
import { describe, type Remedy } from "./entry.ts";

const readiness = [
  "kubectl -n northflank-operator get pods -o wide",
  "kubectl -n northflank-operator port-forward deployment/northflank-operator 8081",
  "curl 'http://localhost:8081/readyz?verbose'     # in another terminal",
];
const warnings = [
  'kubectl -n northflank-operator logs -l app.kubernetes.io/name=northflank-operator --prefix --tail=-1 | grep -E \'"level":"(warn|error)"\'',
];

/** What to do about each alert; one that is missing does not compile. */
export const alertRunbook = {
  NorthflankOperatorDown: {
    means: "Prometheus has no target of the operator, or cannot scrape it. Nothing is reconciled if no replica runs.",
    check: [
      readiness,
      "If the pods run: the Service or PodMonitor, its labels, and network policies between Prometheus and port 8080.",
    ],
    act: [
      "A pod that ends at once says why in its log: exit code 2 is its configuration. A pod that is not scheduled says why in its Events.",
      [
        "kubectl -n northflank-operator logs deployment/northflank-operator --previous",
        "kubectl -n northflank-operator describe pods",
      ],
    ],
    otherwise:
      "Services and runs continue in Northflank. Changes in Git are not deployed, runs are not started, deadlines are not enforced. After the restart the operator continues where it was; no start is sent twice.",
  },
  NorthflankOperatorNoLeader: {
    means: "No replica holds the Lease, so no replica reconciles.",
    check: [
      ["kubectl -n northflank-operator get lease northflank-operator -o yaml", ...readiness],
      "`/readyz?verbose` names a missing permission on Leases.",
    ],
    act: [
      "Restore the permission (`get`, `create`, `update`, `patch` on `leases` in the namespace of the operator), or the connection to the API server. A replica takes over within a few seconds.",
    ],
    otherwise: "As for [no operator](#northflank-operator-down): nothing is reconciled.",
  },
  NorthflankOperatorReconcileErrors: {
    means:
      "Reconciles fail again and again: Northflank or the API server cannot be reached, the API server rejects writes, or the operator has a bug.",
    check: [
      "Which objects, and the errors:",
      warnings,
      ["kubectl get events -A --field-selector reason=ReconcileFailed"],
    ],
    act: [
      "If the messages say `RemoteUnavailable` or `RequestTimeout`, continue with [RemoteUnavailable](#remoteunavailable): it ends by itself when Northflank is back. If Events have `ReconcileFailed`, continue with [ReconcileFailed](#reconcilefailed). For `403` of the API server restore the RBAC of this release.",
    ],
    otherwise: "The objects are retried with back-off. Others are not affected.",
  },
  NorthflankOperatorQueueStuck: {
    means:
      "An object has been due for minutes, and no worker has taken it: workers are all busy, or the process has no CPU.",
    check: [
      "CPU throttling of the pod, and how long reconciles take (`workqueue_longest_running_processor_seconds`, `controller_runtime_active_workers`).",
      ["kubectl -n northflank-operator top pods", ...readiness.slice(1)],
    ],
    act: [
      "Raise the CPU limit. If all workers wait for a slow Northflank, raise `--workers`. If one namespace has thousands of objects, raise `spec.resyncPeriodSeconds` there.",
    ],
    otherwise: "Changes are applied late, by about the time that the alert shows.",
  },
  NorthflankOperatorWatchSilent: {
    means: "A watch has had neither an event nor a bookmark for minutes. Changes of objects may not be noticed.",
    check: [
      readiness,
      "Whether the API server, or a proxy in front of it, holds idle connections open without answering.",
    ],
    act: [
      "The operator restarts a silent watch by itself. If the alert stays, the API server does not answer lists either: check its health and the network, then restart the pod:",
      ["kubectl -n northflank-operator rollout restart deployment/northflank-operator"],
    ],
    otherwise: "Objects are reconciled by their last known spec until the watch is restarted.",
  },
  NorthflankObjectsStalled: {
    means: "Objects of the kind are Stalled: each needs an action by a person.",
    check: [
      "Which ones, with reason and message. The reason is a section of this page.",
      ["kubectl get nfconn,nfdeploy,nfjob,nfrun -A -o wide | grep -v ' True '"],
      "If many have the same connection, begin with the connection.",
    ],
    act: ["Do what the section of the reason says.", describe("nfdeploy")],
    otherwise: "Northflank keeps what it has for these objects. Most are checked again about once an hour.",
  },
  NorthflankRunStartUnknown: {
    means: "The outcome of the start of a run is unknown, and a person has to decide.",
    check: [
      [
        'kubectl get nfrun -A -o custom-columns=NS:.metadata.namespace,NAME:.metadata.name,REASON:.status.conditions[?\\(@.type==\\"Ready\\"\\)].reason | grep StartOutcomeUnknown',
      ],
    ],
    act: ["Continue with [StartOutcomeUnknown](#startoutcomeunknown)."],
    otherwise: "The run is not started, and whatever waits for it waits.",
  },
  NorthflankQuotaNearlySpent: {
    means:
      "Less than a tenth of the hourly quota of an account is left. The last tenth is reserved for changes and job runs.",
    check: [["kubectl get nfconn -A -o wide", "northflank-operator budget"]],
    act: ["Continue with [WaitingForQuota](#waitingforquota)."],
    otherwise:
      "Drift is checked and rollouts are polled at longer intervals until the quota is reset. Changes are sent as long as there are requests.",
  },
  NorthflankApiCircuitOpen: {
    means:
      "Northflank does not answer, answers with server errors only (one request at a time is sent until it answers), or answered 429.",
    check: [
      "Continue with [RemoteUnavailable](#remoteunavailable), or for 429 with [WaitingForQuota](#waitingforquota).",
    ],
    act: ["If only this cluster is affected: DNS, network policies, firewalls, the proxy. Otherwise wait."],
    otherwise: "Everything continues within a minute or so of the first answer. No start is sent twice.",
  },
  NorthflankRunFailed: {
    means: "A NorthflankJobRun ended without success within the last 15 minutes.",
    check: ["Which one:", ["kubectl get nfrun -A --sort-by=.status.completionTime"]],
    act: ["Continue with the section of its reason, as a rule [RunFailed](#runfailed)."],
    otherwise:
      "The run is not repeated. Deployments that name it in `waitFor` are [DependencyFailed](#dependencyfailed).",
  },
  NorthflankTokenInvalid: {
    means: "Northflank rejects the token of a connection. None of its objects is reconciled.",
    check: [["kubectl get nfconn -A -o wide"]],
    act: ["Continue with [AuthenticationFailed](#authenticationfailed)."],
    otherwise: "Nothing is changed or started with this connection.",
  },
  NorthflankTokenExpiresSoon: {
    means: "The token of a connection expires within 14 days, or has expired.",
    check: [["kubectl get nfconn -A -o wide"]],
    act: ["Continue with [TokenExpiresSoon](#tokenexpiressoon)."],
    otherwise: "At that time all objects of the connection become [AuthenticationFailed](#authenticationfailed).",
  },
} as const satisfies Readonly<Record<AlertName, Remedy>>;

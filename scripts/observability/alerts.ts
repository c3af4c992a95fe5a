import { expiryWarningDays } from "../../src/controllers/connection/token-status.ts";
import { published } from "../published.ts";

/** One alert. The rules of Prometheus, the chart and the runbook are made from these. */
export interface Alert {
  /** Its name, which is closed and stable: routes and silences of users match it. */
  readonly name: AlertName;
  /** `critical`: work stands still until a person acts. `warning`: within a day. `info`: for the record. */
  readonly severity: "critical" | "warning" | "info";
  /** PromQL. Every series of its result is one alert. */
  readonly expr: string;
  /** How long `expr` must hold, as Prometheus writes durations. */
  readonly for: string;
  /** One line, for the subject of a page. A template of Prometheus. */
  readonly summary: string;
  /** What is. A template of Prometheus. */
  readonly meaning: string;
  /** What to do first: an imperative. */
  readonly firstStep: string;
}

export const alertNames = [
  "NorthflankOperatorDown",
  "NorthflankOperatorNoLeader",
  "NorthflankOperatorReconcileErrors",
  "NorthflankOperatorQueueStuck",
  "NorthflankOperatorWatchSilent",
  "NorthflankApiCircuitOpen",
  "NorthflankQuotaNearlySpent",
  "NorthflankObjectsStalled",
  "NorthflankRunStartUnknown",
  "NorthflankRunFailed",
  "NorthflankTokenInvalid",
  "NorthflankTokenExpiresSoon",
] as const;
export type AlertName = (typeof alertNames)[number];

/**
 * Series of controller-runtime and client-go have the same names in every operator. Ours are those of a target that also
 * has `northflank_operator_build_info`, whatever its job is called.
 */
export const ours = "and on (job, instance) northflank_operator_build_info";

/** One series per installation: replicas differ in the labels of their pods. */
const installation = "job, namespace";

/**
 * The namespace of an object. Prometheus renames a label that the target has too, unless `honor_labels` is set.
 */
const objectNamespace = "{{ with $labels.exported_namespace }}{{ . }}{{ else }}{{ $labels.namespace }}{{ end }}";

/** The namespace of the pods, where Prometheus knows it; else that of `deploy/`. */
const operatorNamespace = "{{ with $labels.namespace }}{{ . }}{{ else }}northflank-operator{{ end }}";

export const alerts: readonly Alert[] = [
  {
    name: "NorthflankOperatorDown",
    severity: "critical",
    // The second line takes over when the operator has been away for a day, or was never scraped.
    expr: [
      `group by (${installation}) (last_over_time(northflank_operator_build_info[1d]))`,
      `  unless group by (${installation}) (northflank_operator_build_info)`,
      "or absent(last_over_time(northflank_operator_build_info[1d]))",
    ].join("\n"),
    for: "5m",
    summary: "Prometheus cannot scrape any replica of northflank-operator.",
    meaning:
      "No replica is running, or Prometheus cannot reach its metrics port. Without a replica nothing is reconciled.",
    firstStep: `Run \`kubectl -n ${operatorNamespace} get pods\` and read the log of the pods with \`kubectl logs --previous\`.`,
  },
  {
    name: "NorthflankOperatorNoLeader",
    severity: "critical",
    expr: `max by (${installation}, name) (leader_election_master_status ${ours}) == 0`,
    for: "2m",
    summary: "No replica of northflank-operator holds the Lease {{ $labels.name }}.",
    meaning: "Replicas are running and none of them is the leader. Nothing is reconciled.",
    firstStep: `Run \`kubectl -n ${operatorNamespace} get lease {{ $labels.name }} -o yaml\` and read \`/readyz?verbose\` of a pod; a permission or the API server is the usual cause.`,
  },
  {
    name: "NorthflankOperatorReconcileErrors",
    severity: "warning",
    // Back-off ends at 15m with a jitter of a half: an object that keeps failing has an error in every 25m.
    expr: `sum by (${installation}, controller) (increase(controller_runtime_reconcile_errors_total[25m]) ${ours}) > 0`,
    for: "30m",
    summary: "Reconciles of the controller {{ $labels.controller }} keep failing.",
    meaning:
      "For half an hour reconciles have failed: Northflank or the API server returns errors, or the operator has a bug. The objects are retried with back-off.",
    firstStep:
      'Read the log of the leader for "reconcile failed" and "reconcile panicked"; the field err has the cause.',
  },
  {
    name: "NorthflankOperatorQueueStuck",
    severity: "warning",
    expr: `max by (${installation}, controller) (northflank_operator_oldest_due_object_seconds) > 120`,
    for: "5m",
    summary: "A due object of the controller {{ $labels.controller }} has waited for {{ $value | humanizeDuration }}.",
    meaning: "Workers do not keep up with due objects. A healthy operator starts a due reconcile within seconds.",
    firstStep:
      "Check whether reconciles end (`workqueue_longest_running_processor_seconds`) and whether the pod is throttled; then raise the CPU limit or `--workers`.",
  },
  {
    name: "NorthflankOperatorWatchSilent",
    severity: "warning",
    expr: `max by (${installation}, instance, resource) (northflank_operator_watch_silent_seconds) > 300`,
    for: "2m",
    summary: "The watch of {{ $labels.resource }} has received nothing for {{ $value | humanizeDuration }}.",
    meaning:
      "The API server sends neither events nor responses for this kind. The operator works with objects of that time.",
    firstStep:
      "Read `/readyz?verbose` of the pod: it names the last error of each watch; a permission, a missing CRD or the API server is the usual cause.",
  },
  {
    name: "NorthflankApiCircuitOpen",
    severity: "warning",
    expr: `max by (${installation}, pool) (northflank_operator_api_circuit_state) >= 2`,
    for: "5m",
    summary: "Northflank refuses the requests of {{ $labels.pool }}, or is down.",
    meaning:
      "State 3: ten requests in a row failed, and one at a time is sent to probe. State 2: Northflank answered 429. Objects of the account wait; none fails because of it.",
    firstStep:
      "Check the status page of Northflank, then the egress of the pods: `northflank_operator_api_requests_total` has the error codes.",
  },
  {
    name: "NorthflankQuotaNearlySpent",
    severity: "warning",
    expr: [
      `min by (${installation}, pool) (`,
      "  northflank_operator_api_ratelimit_remaining / northflank_operator_api_ratelimit_limit",
      ") < 0.1",
    ].join("\n"),
    for: "5m",
    summary: "{{ $value | humanizePercentage }} of the hourly quota of {{ $labels.pool }} is left.",
    meaning: "Until the window ends, changes and runs may wait. Drift checks wait first.",
    firstStep:
      "Find the spender in `northflank_operator_api_budget_used_by_object`, or with `northflank-operator budget`; requests of other clients of the account count too.",
  },
  {
    name: "NorthflankObjectsStalled",
    severity: "warning",
    // A run that has failed is Stalled for good and has NorthflankRunFailed; here are runs that have not ended.
    expr: [
      `max by (${installation}, kind) (`,
      '  northflank_operator_resource_condition{type="Stalled",status="True",kind!="NorthflankJobRun"}',
      "  or (",
      '    northflank_operator_resource_condition{type="Stalled",status="True",kind="NorthflankJobRun"}',
      "    - ignoring (type, status)",
      '    northflank_operator_resource_condition{type="Succeeded",status="False",kind="NorthflankJobRun"}',
      "  )",
      ") > 0",
    ].join("\n"),
    for: "15m",
    summary: "{{ $value }} objects of the kind {{ $labels.kind }} are Stalled.",
    meaning: "These objects need a change by a person. They are not retried, or about once an hour.",
    firstStep:
      "List them with `kubectl get {{ $labels.kind }} -A`, and read the message of the condition Stalled: it names the field or command.",
  },
  {
    name: "NorthflankRunStartUnknown",
    severity: "critical",
    expr: `max by (${installation}) (northflank_operator_runs_start_unknown) > 0`,
    for: "1m",
    summary: "{{ $value }} runs may have been started or not: a person must decide.",
    meaning:
      "The start request got no response, and no run that belongs to it was found. The operator does not repeat it, because the job might run twice.",
    firstStep:
      "Check the runs of the job in Northflank, then annotate the NorthflankJobRun with `northflank-operator.io/resolve-start`: the ID of the run, `retry` or `fail`.",
  },
  {
    name: "NorthflankRunFailed",
    severity: "info",
    expr: `sum by (${installation}) (increase(northflank_operator_runs_finished_total{result=~"failed|unknown"}[15m])) > 0`,
    for: "0m",
    summary: "A run has failed within the last 15 minutes.",
    meaning: "A NorthflankJobRun ended without success. Deployments that wait for it do not change.",
    firstStep:
      "Run `kubectl get nfrun -A`, then read the message of the condition Succeeded and the log in Northflank.",
  },
  {
    name: "NorthflankTokenInvalid",
    severity: "critical",
    // The second part is for objects without a connection, which use the operator-wide token. Those of a connection have
    // the same reasons.
    expr: [
      `max by (${installation}, kind) (`,
      '  northflank_operator_resource_condition{kind="NorthflankConnection",type="CredentialsValid",status="False"}',
      ") > 0",
      `or sum by (${installation}, kind) (`,
      `  max by (${installation}, kind, reason) (`,
      '    northflank_operator_resource_reason{kind!="NorthflankConnection",reason=~"AuthenticationFailed|TokenExpired"}',
      "  )",
      `) > 0 unless on (${installation}) max by (${installation}) (`,
      '  northflank_operator_resource_condition{kind="NorthflankConnection",type="CredentialsValid",status="False"}',
      ") > 0",
    ].join("\n"),
    for: "2m",
    summary: "{{ $value }} objects of the kind {{ $labels.kind }} have no valid token.",
    meaning:
      "Northflank rejected the token, or it has expired. Nothing that uses it is reconciled. (A missing Secret is an object that is Stalled.)",
    firstStep:
      "Read the condition CredentialsValid with `kubectl get nfconn -A -o wide`, create a token in Northflank, and write it into the Secret; no restart is needed.",
  },
  {
    name: "NorthflankTokenExpiresSoon",
    severity: "warning",
    expr: `northflank_operator_connection_token_expiration_timestamp_seconds - time() < ${expiryWarningDays} * 86400`,
    for: "1h",
    summary: `The token of the connection ${objectNamespace}/{{ $labels.name }} expires within ${expiryWarningDays} days.`,
    meaning:
      "It expires in {{ $value | humanizeDuration }}. After that nothing that uses the connection is reconciled.",
    firstStep:
      "Create a token with the same permissions in Northflank, and write it into the Secret of the connection; no restart is needed.",
  },
];

/** The anchor of the alert's section in `docs/runbook.md`: `NorthflankRunFailed` becomes `northflank-run-failed`. */
export function runbookAnchor(name: AlertName): string {
  return name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, "-").toLowerCase();
}

/** The address of the alert's section in the runbook of this version. */
export function runbookUrl(name: AlertName): string {
  const { repository, version } = published();
  return `${repository}/blob/v${version}/docs/runbook.md#${runbookAnchor(name)}`;
}

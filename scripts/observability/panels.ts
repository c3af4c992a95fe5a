/** A panel of the dashboard: a question of its row in one number, in a table, or over time. */
export interface PanelSpec {
  readonly title: string;
  /** What it shows, and what to do when it is not as it should be. */
  readonly about: string;
  /** `stat`: one number. `time`: lines. `stack`: areas on top of each other. `table`: the values of now. */
  readonly view: "stat" | "time" | "stack" | "table";
  readonly queries: readonly QuerySpec[];
  readonly unit?: "seconds" | "share" | "perSecond" | "bytes" | "time";
  /** In columns; a row has 24. */
  readonly width: number;
  /** From these values on it is yellow or red. A missing one: it never is. */
  readonly yellow?: number;
  readonly red?: number;
  /** Low values are the bad ones: below `yellow` it is yellow, below `red` it is red. */
  readonly isLowBad?: boolean;
  /** What is shown where no series has a value. */
  readonly none?: string;
}

export interface QuerySpec {
  readonly expr: string;
  /** The name of a line: text with labels in two pairs of braces. */
  readonly legend?: string;
}

/** A row of the dashboard: a question, and the panels that answer it. */
export interface RowSpec {
  readonly question: string;
  readonly panels: readonly PanelSpec[];
}

/** A metric of the chosen installations. */
function of(metric: string, ...matchers: readonly string[]): string {
  return `${metric}{${['job=~"$job"', ...matchers].join(",")}}`;
}

/** Replicas show the same objects: the largest number counts each once. */
function objects(by: string, ...matchers: readonly string[]): string {
  return `max by (${by}) (${of("northflank_operator_resource_condition", ...matchers)})`;
}

function rate(metric: string, ...matchers: readonly string[]): string {
  return `rate(${of(metric, ...matchers)}[$__rate_interval])`;
}

function percentile(share: number, metric: string, by: string): string {
  return `histogram_quantile(${share}, sum by (le, ${by}) (${rate(`${metric}_bucket`)}))`;
}

/** A standby has its queues filled, and nothing of it is due. */
const ofLeader = `unless on (job, instance) ${of("leader_election_master_status")} == 0`;

/**
 * The namespace of an object as `spender`, also where Prometheus has renamed it because the target has one. Without
 * `honor_labels`, lists, which have no namespace, count as the namespace of the pod.
 */
function withNamespace(expr: string): string {
  return `label_replace(label_replace(${expr}, "spender", "$1", "namespace", "(.*)"), "spender", "$1", "exported_namespace", "(.+)")`;
}

const isItWorking: RowSpec = {
  question: "Is it working?",
  panels: [
    {
      title: "Replicas",
      about: "Replicas that Prometheus scrapes. None: NorthflankOperatorDown.",
      view: "stat",
      queries: [{ expr: `count(${of("northflank_operator_build_info")})` }],
      width: 4,
      isLowBad: true,
      yellow: 2,
      red: 1,
      none: "0",
    },
    {
      title: "Leaders",
      about: "One per installation. Without leader election there is no value.",
      view: "stat",
      queries: [{ expr: `sum(${of("leader_election_master_status")})` }],
      width: 4,
      isLowBad: true,
      red: 1,
      none: "no election",
    },
    {
      title: "Objects that are Ready",
      about: "Share of all objects. What the others wait for or lack is in the next row.",
      view: "stat",
      queries: [
        {
          expr: `sum(${objects("kind", 'type="Ready"', 'status="True"')}) / sum(${objects("kind, status", 'type="Ready"')})`,
        },
      ],
      unit: "share",
      width: 4,
      isLowBad: true,
      yellow: 0.9,
      red: 0.5,
      none: "no objects",
    },
    {
      title: "Stalled objects",
      about: "Objects that need a change by a person; runs that have ended are left out.",
      view: "stat",
      queries: [
        {
          expr: `sum(${objects("kind", 'type="Stalled"', 'status="True"')}) - sum(${objects("kind", 'kind="NorthflankJobRun"', 'type="Succeeded"', 'status="False"')})`,
        },
      ],
      width: 4,
      red: 1,
    },
    {
      title: "Starts to decide about",
      about: "Runs that may have been started or not. Answer with the annotation resolve-start.",
      view: "stat",
      queries: [{ expr: `max(${of("northflank_operator_runs_start_unknown")})` }],
      width: 4,
      red: 1,
    },
    {
      title: "Connections without a valid token",
      about: "Northflank rejected the token, or it has expired.",
      view: "stat",
      queries: [
        { expr: `max(${objects("kind", 'kind="NorthflankConnection"', 'type="CredentialsValid"', 'status="False"')})` },
      ],
      width: 4,
      red: 1,
    },
    {
      title: "Firing alerts",
      about: "Alerts of deploy/observability/rules.yaml. Each has a section in docs/runbook.md.",
      view: "table",
      queries: [
        {
          expr: 'sum by (alertname, severity, kind, controller, pool, resource) (ALERTS{alertname=~"Northflank.*",alertstate="firing"})',
        },
      ],
      width: 8,
      none: "none",
    },
    {
      title: "Objects by condition Ready",
      about: "False: retried, suspended or Stalled. Unknown: in progress or waiting.",
      view: "stack",
      queries: [{ expr: objects("kind, status", 'type="Ready"'), legend: "{{kind}} {{status}}" }],
      width: 8,
    },
    {
      title: "Reconciles",
      about:
        "success: settled until the object changes or is due. requeue_after: polled again. error: retried with back-off.",
      view: "time",
      queries: [
        {
          expr: `sum by (controller, result) (${rate("controller_runtime_reconcile_total", 'result!="requeue"')})`,
          legend: "{{controller}} {{result}}",
        },
      ],
      unit: "perSecond",
      width: 8,
    },
    {
      title: "Watches: silence",
      about:
        "How long each watch has received nothing. Bookmarks arrive about once a minute; three minutes make a replica unready.",
      view: "time",
      queries: [
        {
          expr: `max by (resource, instance) (${of("northflank_operator_watch_silent_seconds")})`,
          legend: "{{resource}} {{instance}}",
        },
      ],
      unit: "seconds",
      width: 8,
      red: 180,
    },
    {
      title: "Watches: restarts and lists",
      about: "A few expired watches an hour are normal; silent or refused ones are not.",
      view: "time",
      queries: [
        {
          expr: `sum by (resource, cause) (increase(${of("northflank_operator_watch_restarts_total")}[$__rate_interval])) > 0`,
          legend: "{{resource}} {{cause}}",
        },
        {
          expr: `sum by (resource) (increase(${of("northflank_operator_relists_total")}[$__rate_interval])) > 0`,
          legend: "{{resource}} listed",
        },
      ],
      width: 8,
      none: "none",
    },
    {
      title: "Versions",
      about: "Two versions at a time are a rollout of the operator.",
      view: "table",
      queries: [{ expr: `sum by (instance, version, revision, node) (${of("northflank_operator_build_info")})` }],
      width: 8,
    },
  ],
};

const whoWaits: RowSpec = {
  question: "Who waits?",
  panels: [
    {
      title: "Objects by reason",
      about: "The reason of the condition Ready. docs/runbook.md has a section for each.",
      view: "table",
      queries: [{ expr: `sort_desc(max by (kind, reason) (${of("northflank_operator_resource_reason")}) > 0)` }],
      width: 8,
      none: "no objects",
    },
    {
      title: "Waiting objects",
      about: "WaitingForQuota: see the next row. The others name what they wait for in their message.",
      view: "stack",
      queries: [
        {
          expr: `max by (kind, reason) (${of("northflank_operator_resource_reason", 'reason=~"WaitingFor.*|RemoteUnavailable|RequestTimeout|RecoveringRun"')}) > 0`,
          legend: "{{kind}} {{reason}}",
        },
      ],
      width: 8,
      none: "none",
    },
    {
      title: "Oldest due object",
      about:
        "How long the oldest due object has waited for a worker. More than two minutes: NorthflankOperatorQueueStuck.",
      view: "time",
      queries: [
        {
          expr: `max by (controller) (${of("northflank_operator_oldest_due_object_seconds")})`,
          legend: "{{controller}}",
        },
      ],
      unit: "seconds",
      width: 8,
      red: 120,
    },
    {
      title: "Due objects that wait for a worker",
      about: "change: an object or what it uses has changed. follow: a poll. resync: a drift check.",
      view: "stack",
      queries: [
        {
          expr: `sum by (controller, priority) (${of("workqueue_depth")} ${ofLeader})`,
          legend: "{{controller}} {{priority}}",
        },
      ],
      width: 8,
    },
    {
      title: "Requests that wait for quota",
      about: "Requests that were deferred and are still to be sent, by account.",
      view: "time",
      queries: [{ expr: `max by (pool) (${of("northflank_operator_api_budget_waiting")})`, legend: "{{pool}}" }],
      width: 8,
    },
    {
      title: "Runs",
      about: "Runs per minute that were started, and how those that ended did.",
      view: "time",
      queries: [
        { expr: `60 * sum(${rate("northflank_operator_runs_started_total")})`, legend: "started" },
        { expr: `60 * sum(${rate("northflank_operator_runs_recovered_total")})`, legend: "recovered" },
        {
          expr: `60 * sum by (result) (${rate("northflank_operator_runs_finished_total")})`,
          legend: "{{result}}",
        },
      ],
      width: 8,
    },
    {
      title: "Tokens that expire",
      about: "Expiry by connection, the first of each namespace.",
      view: "table",
      queries: [
        {
          expr: `sort(min by (spender, name) (${withNamespace(of("northflank_operator_connection_token_expiration_timestamp_seconds"))}) * 1000)`,
        },
      ],
      unit: "time",
      width: 8,
      none: "none expires",
    },
    {
      title: "Changes and drift",
      about: "Changes per minute that Northflank accepted, and drift that was found.",
      view: "time",
      queries: [
        {
          expr: `60 * sum by (kind) (${rate("northflank_operator_changes_applied_total")})`,
          legend: "{{kind}} changed",
        },
        {
          expr: `60 * sum by (kind) (${rate("northflank_operator_drift_detected_total")})`,
          legend: "{{kind}} drifted",
        },
      ],
      width: 8,
    },
    {
      title: "Notifications of Northflank",
      about: "Deliveries per minute. limited and rejected ones have no effect: polls find the change later.",
      view: "time",
      queries: [
        {
          expr: `60 * sum by (outcome) (${rate("northflank_operator_webhook_deliveries_total")})`,
          legend: "{{outcome}}",
        },
      ],
      width: 8,
    },
  ],
};

const whereDoesTheQuotaGo: RowSpec = {
  question: "Where does the quota go?",
  panels: [
    {
      title: "Share of the hour's requests that is left",
      about: "By account. Less than a tenth: NorthflankQuotaNearlySpent. No value: nothing was requested yet.",
      view: "time",
      queries: [
        {
          expr: `min by (pool) (${of("northflank_operator_api_ratelimit_remaining")} / ${of("northflank_operator_api_ratelimit_limit")})`,
          legend: "{{pool}}",
        },
      ],
      unit: "share",
      width: 8,
      isLowBad: true,
      red: 0.1,
    },
    {
      title: "Spent by class",
      about: "Requests in the window: change and run come before observe, which is drift checks.",
      view: "stack",
      queries: [
        {
          expr: `sum by (pool, class) (${of("northflank_operator_api_budget_used")})`,
          legend: "{{pool}} {{class}}",
        },
      ],
      width: 8,
    },
    {
      title: "Spent by kind",
      about: "ServiceList, JobList and RunList are lists that are read for many objects.",
      view: "stack",
      queries: [
        {
          expr: `sum by (pool, kind) (${of("northflank_operator_api_budget_used_by_kind")})`,
          legend: "{{pool}} {{kind}}",
        },
      ],
      width: 8,
    },
    {
      title: "Spent by namespace",
      about: "The 20 that spent the most in this window; * stands for all others.",
      view: "table",
      queries: [
        {
          expr: `sort_desc(sum by (pool, spender) (${withNamespace(of("northflank_operator_api_budget_used_by_namespace"))}))`,
        },
      ],
      width: 8,
      none: "nothing spent",
    },
    {
      title: "Spent by object or list",
      about: "The 20 that spent the most in this window. The name of a list is its project, or project/job.",
      view: "table",
      queries: [
        {
          expr: `sort_desc(sum by (pool, kind, spender, name) (${withNamespace(of("northflank_operator_api_budget_used_by_object"))}))`,
        },
      ],
      width: 8,
      none: "nothing spent",
    },
    {
      title: "Why nothing is sent",
      about:
        "0: requests are sent. 1: the quota is spent. 2: Northflank answered 429. 3: Northflank is down and probed.",
      view: "time",
      queries: [{ expr: `max by (pool) (${of("northflank_operator_api_circuit_state")})`, legend: "{{pool}}" }],
      width: 8,
      yellow: 1,
      red: 2,
    },
    {
      title: "Requests by result",
      about: "Status of the answer, or the code of the error when there was none.",
      view: "stack",
      queries: [
        {
          expr: `sum by (pool, code) (${rate("northflank_operator_api_requests_total")})`,
          legend: "{{pool}} {{code}}",
        },
      ],
      unit: "perSecond",
      width: 8,
    },
    {
      title: "Deferred and repeated requests",
      about: "Deferred because of the quota, by class; repeated within one call, by cause.",
      view: "time",
      queries: [
        {
          expr: `sum by (pool, class) (${rate("northflank_operator_api_budget_deferred_total")})`,
          legend: "{{pool}} deferred {{class}}",
        },
        {
          expr: `sum by (pool, cause) (${rate("northflank_operator_api_retries_total")})`,
          legend: "{{pool}} repeated {{cause}}",
        },
      ],
      unit: "perSecond",
      width: 8,
    },
    {
      title: "How much polls and checks are stretched",
      about: "1: the usual intervals. 4: four times as long, because the quota would not suffice.",
      view: "time",
      queries: [
        { expr: `max by (pool) (${of("northflank_operator_api_budget_poll_stretch")})`, legend: "{{pool}} polls" },
        { expr: `max by (pool) (${of("northflank_operator_api_budget_check_stretch")})`, legend: "{{pool}} checks" },
      ],
      width: 8,
    },
  ],
};

const whatIsSlow: RowSpec = {
  question: "What is slow?",
  panels: [
    {
      title: "Reconciles, 95th percentile",
      about: "Includes the requests to Northflank.",
      view: "time",
      queries: [
        {
          expr: percentile(0.95, "controller_runtime_reconcile_time_seconds", "controller"),
          legend: "{{controller}}",
        },
      ],
      unit: "seconds",
      width: 8,
    },
    {
      title: "Wait for a worker, 95th percentile",
      about: "From when an object is due to when a worker takes it.",
      view: "time",
      queries: [{ expr: percentile(0.95, "workqueue_queue_duration_seconds", "controller"), legend: "{{controller}}" }],
      unit: "seconds",
      width: 8,
    },
    {
      title: "Requests to Northflank, 95th percentile",
      about: "By route, including the response body.",
      view: "time",
      queries: [
        {
          expr: percentile(0.95, "northflank_operator_api_request_duration_seconds", "method, route"),
          legend: "{{method}} {{route}}",
        },
      ],
      unit: "seconds",
      width: 8,
    },
    {
      title: "Time to Ready, 90th percentile",
      about: "From the change of a spec to Ready=True: the time of builds and rollouts at Northflank.",
      view: "time",
      queries: [
        { expr: percentile(0.9, "northflank_operator_resource_time_to_ready_seconds", "kind"), legend: "{{kind}}" },
      ],
      unit: "seconds",
      width: 8,
    },
    {
      title: "Runs, 90th percentile",
      about: "How long runs took, by Northflank's clock.",
      view: "time",
      queries: [{ expr: percentile(0.9, "northflank_operator_run_duration_seconds", "job"), legend: "{{job}}" }],
      unit: "seconds",
      width: 8,
    },
    {
      title: "Busy workers, and the longest reconcile",
      about: "Share of the workers that are busy. At 1 all is slow: raise --workers, or see which requests hang.",
      view: "time",
      queries: [
        {
          expr: `max by (controller) (${of("controller_runtime_active_workers")} / ${of("controller_runtime_max_concurrent_reconciles")})`,
          legend: "{{controller}} busy",
        },
        {
          expr: `max by (controller) (${of("workqueue_longest_running_processor_seconds")})`,
          legend: "{{controller}} longest (s)",
        },
      ],
      width: 8,
    },
    {
      title: "Requests to the Kubernetes API by result",
      about: "<error>: no response. 409 and 404 are normal now and then, 403 is a missing permission.",
      view: "time",
      queries: [
        { expr: `sum by (method, code) (${rate("rest_client_requests_total")})`, legend: "{{method}} {{code}}" },
      ],
      unit: "perSecond",
      width: 8,
    },
    {
      title: "CPU and lag of the event loop",
      about: "CPU seconds a second, and how late the event loop is. A lag of seconds: the CPU limit is too low.",
      view: "time",
      queries: [
        { expr: `sum by (instance) (${rate("process_cpu_seconds_total")})`, legend: "{{instance}} CPU" },
        { expr: `max by (instance) (${of("nodejs_eventloop_lag_p99_seconds")})`, legend: "{{instance}} lag (s)" },
      ],
      width: 8,
    },
    {
      title: "Memory",
      about: "Resident memory. Compare with the limit of the pod.",
      view: "time",
      queries: [
        { expr: `max by (instance) (${of("process_resident_memory_bytes")})`, legend: "{{instance}}" },
        { expr: `max by (instance) (${of("nodejs_heap_size_used_bytes")})`, legend: "{{instance}} heap" },
      ],
      unit: "bytes",
      width: 8,
    },
  ],
};

/** The dashboard from top to bottom. */
export const rows: readonly RowSpec[] = [isItWorking, whoWaits, whereDoesTheQuotaGo, whatIsSlow];

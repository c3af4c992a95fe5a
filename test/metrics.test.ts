import { describe, expect, test } from "vitest";
import { controllerNames, createMetrics } from "../src/metrics.ts";
import { formatTime } from "../src/runtime/conditions.ts";

const build = { version: "1.2.3", revision: "abc", nodeVersion: "v24.0.0" };

async function scraped(use: (metrics: ReturnType<typeof createMetrics>) => void = () => {}): Promise<string> {
  const metrics = createMetrics(build);
  use(metrics);
  return metrics.registry.metrics();
}

describe("the expiry of tokens", () => {
  const name = "northflank_operator_connection_token_expiration_timestamp_seconds";
  const connection = (object: string, tokenExpirationTime?: string) => {
    const [namespace = "", name = ""] = object.split("/");
    return { metadata: { namespace, name }, ...(tokenExpirationTime && { status: { tokenExpirationTime } }) };
  };
  const shown = async (...scrapes: readonly (readonly ReturnType<typeof connection>[])[]) => {
    const text = await scraped((metrics) => {
      for (const connections of scrapes) metrics.tokens(connections);
    });
    return text.split("\n").filter((line) => line.startsWith(`${name}{`));
  };

  test("is shown by connection, where it is known", async () => {
    const connections = [
      connection("shop/main", "1970-01-01T00:01:40Z"),
      connection("shop/other"),
      connection("a/b", "soon"),
    ];
    expect(await shown(connections)).toEqual([`${name}{namespace="shop",name="main"} 100`]);
  });

  test("is shown no more when the connection is gone, or its token does not expire any more", async () => {
    const before = [connection("shop/main", "1970-01-01T00:01:40Z"), connection("shop/other", "1970-01-01T00:01:40Z")];
    expect(await shown(before, [connection("shop/other")])).toEqual([]);
  });

  test("is shown for 20 connections of each namespace, those that expire first", async () => {
    const many = Array.from({ length: 10_000 }, (_, index) => connection(`big/c${index}`, formatTime(index * 1_000)));
    const lines = await shown([...many.toReversed(), connection("small/c", "2026-01-01T00:00:00Z")]);
    expect(lines).toHaveLength(21);
    expect(lines).toContain(`${name}{namespace="big",name="c19"} 19`);
    expect(lines.some((line) => line.includes('namespace="small"'))).toBe(true);
  });
});

describe("from the start, at zero", () => {
  test.each(
    controllerNames.flatMap((controller) => [
      `controller_runtime_reconcile_total{controller="${controller}",result="success"} 0`,
      `controller_runtime_reconcile_total{controller="${controller}",result="requeue"} 0`,
      `controller_runtime_reconcile_errors_total{controller="${controller}"} 0`,
      `controller_runtime_reconcile_panics_total{controller="${controller}"} 0`,
      `controller_runtime_terminal_reconcile_errors_total{controller="${controller}"} 0`,
      `workqueue_queue_duration_seconds_count{name="${controller}",controller="${controller}"} 0`,
      `workqueue_unfinished_work_seconds{name="${controller}",controller="${controller}"} 0`,
      `workqueue_adds_total{name="${controller}",controller="${controller}"} 0`,
      `workqueue_depth{name="${controller}",controller="${controller}",priority="change"} 0`,
      `northflank_operator_oldest_due_object_seconds{controller="${controller}"} 0`,
    ]),
  )("%s", async (line) => {
    expect((await scraped()).split("\n")).toContain(line);
  });

  test.each([
    "northflank_operator_runs_started_total 0",
    "northflank_operator_runs_recovered_total 0",
    'northflank_operator_runs_finished_total{result="failed"} 0',
    'northflank_operator_drift_detected_total{kind="NorthflankDeployment"} 0',
    'northflank_operator_resource_time_to_ready_seconds_count{kind="NorthflankDeployment"} 0',
    'northflank_operator_events_dropped_total{cause="refused"} 0',
    'northflank_operator_webhook_deliveries_total{outcome="rejected"} 0',
    "northflank_operator_runs_start_unknown 0",
    'northflank_operator_build_info{version="1.2.3",revision="abc",node="v24.0.0"} 1',
  ])("%s", async (line) => {
    expect((await scraped()).split("\n")).toContain(line);
  });
});

test("two registries do not share anything", async () => {
  createMetrics(build).jobRunObserver.started();
  expect(await scraped()).toContain("northflank_operator_runs_started_total 0");
});

test("a watch and an election exist at zero as soon as there is one", async () => {
  const text = await scraped((metrics) => {
    metrics.reflectorObserver("northflankjobruns", { now: () => 0 });
    metrics.leaderObserver("northflank-operator");
  });
  expect(text).toContain('northflank_operator_watch_handler_errors_total{resource="northflankjobruns"} 0');
  expect(text).toContain('northflank_operator_watch_restarts_total{resource="northflankjobruns",cause="silent"} 0');
  expect(text).toContain('northflank_operator_lease_failures_total{name="northflank-operator"} 0');
  expect(text).toContain('leader_election_master_status{name="northflank-operator"} 0');
});

test("a failed pass counts as error and in the total", async () => {
  const text = await scraped((metrics) => metrics.controllerObserver("deployment", 8).reconciled("error", 250));
  expect(text).toContain('controller_runtime_reconcile_total{controller="deployment",result="error"} 1');
  expect(text).toContain('controller_runtime_reconcile_errors_total{controller="deployment"} 1');
  expect(text).toContain('controller_runtime_reconcile_time_seconds_sum{controller="deployment"} 0.25');
  expect(text).toContain('controller_runtime_max_concurrent_reconciles{controller="deployment"} 8');
});

test("requests to Northflank are counted by route template and code, repeated ones also by cause", async () => {
  const call = { pool: "team acme", method: "GET", route: "/v1/projects/{project}", code: "503", durationMs: 100 };
  const text = await scraped(({ apiObserver }) => {
    apiObserver.onCall(call);
    apiObserver.onCall({ ...call, code: "200", retryCause: "503" });
    apiObserver.onDeferred({ pool: "team acme", class: "observe" });
  });
  const labels = 'pool="team acme",method="GET",route="/v1/projects/{project}"';
  expect(text).toContain(`northflank_operator_api_requests_total{${labels},code="503"} 1`);
  expect(text).toContain(`northflank_operator_api_requests_total{${labels},code="200"} 1`);
  expect(text).toContain('northflank_operator_api_retries_total{pool="team acme",cause="503"} 1');
  expect(text).toContain('northflank_operator_api_budget_deferred_total{pool="team acme",class="observe"} 1');
});

test("notifications are counted by what becomes of them", async () => {
  const text = await scraped(({ webhookObserver }) => webhookObserver.delivered("hinted"));
  expect(text).toContain('northflank_operator_webhook_deliveries_total{outcome="hinted"} 1');
  expect(text).toContain('northflank_operator_webhook_deliveries_total{outcome="limited"} 0');
});

test("a pool that is gone leaves nothing behind, and takes nothing from the others", async () => {
  const metrics: string[] = [];
  const text = await scraped(({ apiObserver, ledger }) => {
    for (const pool of ["gone", "kept"]) {
      const call = { pool, method: "GET", route: "/v1/auth", code: "200", durationMs: 1 };
      for (const retryCause of ["503", "timeout"]) apiObserver.onCall({ ...call, retryCause });
      apiObserver.onCall({ ...call, code: "404" });
      apiObserver.onDeferred({ pool, class: "observe" });
      ledger(pool, { ...quota, limit: 1_000, remaining: 5, resetInMs: 1_000 });
    }
    apiObserver.onPoolGone("gone");
    apiObserver.onPoolGone("never there");
  });
  for (const line of text.split("\n")) if (line.includes("pool=")) metrics.push(line);
  expect(metrics.filter((line) => line.includes('"gone"'))).toEqual([]);
  expect(metrics.filter((line) => line.includes('"kept"'))).toHaveLength(17);
});

const quota = {
  usedBy: { change: 4, run: 3, observe: 2 },
  waiting: 7,
  pollStretch: 1.5,
  checkStretch: 4,
  closedBy: undefined,
};

test.each([
  [undefined, 0],
  ["spent", 1],
  ["rate_limited", 2],
  ["server_error", 3],
  ["unreachable", 3],
])(
  "the circuit of an account that is closed by %s is %i, beside who spent and how many wait",
  async (closedBy, state) => {
    const text = await scraped((metrics) =>
      metrics.ledger("p", { ...quota, limit: 1_000, remaining: 5, resetInMs: 1_000, closedBy }),
    );
    expect(text).toContain(`northflank_operator_api_circuit_state{pool="p"} ${state}`);
    expect(text).toContain('northflank_operator_api_budget_used{pool="p",class="observe"} 2');
    expect(text).toContain('northflank_operator_api_budget_waiting{pool="p"} 7');
    expect(text).toContain('northflank_operator_api_budget_poll_stretch{pool="p"} 1.5');
    expect(text).toContain('northflank_operator_api_budget_check_stretch{pool="p"} 4');
  },
);

test("what was deferred of an account is at zero from its first request", async () => {
  const text = await scraped((metrics) => {
    metrics.apiObserver.onDeferred({ pool: "p", class: "run" });
    const seen = { ...quota, limit: undefined, remaining: undefined, resetInMs: undefined };
    metrics.ledger("p", seen);
    metrics.ledger("p", seen);
  });
  const deferred = (requestClass: string) =>
    `northflank_operator_api_budget_deferred_total{pool="p",class="${requestClass}"}`;
  for (const requestClass of ["change", "observe"]) expect(text).toContain(`${deferred(requestClass)} 0`);
  expect(text).toContain(`${deferred("run")} 1`);
});

describe("the reasons of objects", () => {
  const run = (...conditions: readonly (readonly [type: string, status: string, reason: string])[]) => ({
    status: { conditions: conditions.map(([type, status, reason]) => ({ type, status, reason })) },
  });
  const reason = (kind: string, name: string) => `northflank_operator_resource_reason{kind="${kind}",reason="${name}"}`;
  const known = ["InSync", "RunFailed", "StartOutcomeUnknown"];
  const failed = run(["Ready", "False", "RunFailed"], ["Stalled", "True", "RunFailed"]);
  const unknown = run(["Ready", "False", "SecretNotFound"], ["Started", "Unknown", "StartOutcomeUnknown"]);

  test("are counted by the condition Ready, each of the closed set, and none of other clients", async () => {
    const foreign = run(["Ready", "False", "Whatever"]);
    const text = await scraped((metrics) => metrics.conditions("NorthflankJobRun", [failed, failed, foreign], known));
    expect(text).toContain(`${reason("NorthflankJobRun", "RunFailed")} 2`);
    expect(text).toContain(`${reason("NorthflankJobRun", "InSync")} 0`);
    expect(text).not.toContain("Whatever");
  });

  test("are back at zero when no object has them any more", async () => {
    const text = await scraped((metrics) => {
      metrics.conditions("NorthflankJobRun", [failed, unknown], known);
      metrics.conditions("NorthflankJobRun", [], known);
    });
    expect(text).toContain(`${reason("NorthflankJobRun", "RunFailed")} 0`);
    expect(text).toContain("northflank_operator_runs_start_unknown 0");
  });

  test("a start whose outcome is unknown counts, whatever else the object lacks; other kinds do not change that", async () => {
    const text = await scraped((metrics) => {
      metrics.conditions("NorthflankJobRun", [failed, unknown], known);
      metrics.conditions("NorthflankJob", [], known);
    });
    expect(text).toContain("northflank_operator_runs_start_unknown 1");
  });

  test("a start that a user has given up counts no more, though its outcome is never known", async () => {
    const unknown = ["Started", "Unknown", "StartOutcomeUnknown"] as const;
    const ended = run(["Ready", "False", "StartOutcomeUnknown"], unknown, ["Finished", "True", "StartOutcomeUnknown"]);
    const text = await scraped((metrics) => metrics.conditions("NorthflankJobRun", [ended], known));
    expect(text).toContain("northflank_operator_runs_start_unknown 0");
  });

  test("a kind that is not ours has none", async () => {
    const text = await scraped((metrics) => metrics.conditions("Deployment", [failed], known));
    expect(text).not.toContain('kind="Deployment"');
  });
});

describe("who spends the quota of an account", () => {
  const prefix = "northflank_operator_api_budget_used_by";
  const object = (name: string) => ({ kind: "NorthflankDeployment", namespace: "shop", name });
  type Spent = Parameters<Parameters<typeof scraped>[0] & {}>[0]["spending"];
  const shown = async (...scrapes: readonly Parameters<Spent>[0][]) => {
    const text = await scraped((metrics) => {
      for (const pools of scrapes) metrics.spending(pools);
    });
    return text.split("\n").filter((line) => line.startsWith(prefix));
  };
  const of = (count: number) => ({
    total: count + 2,
    kinds: [
      ["NorthflankDeployment", count],
      ["RunList", 2],
    ] as const,
    namespaces: Array.from({ length: count }, (_, index) => [`n${index}`, 1] as const),
    spenders: Array.from({ length: count }, (_, index) => [object(`d${index}`), 1] as const),
  });

  test("is shown by kind, namespace and object", async () => {
    const list = { kind: "RunList", namespace: "", name: "p/etl" };
    const spending = { ...of(1), namespaces: [["", 2] as const, ["shop", 1] as const], spenders: [[list, 2] as const] };
    expect(await shown([["team acme", spending]])).toEqual([
      `${prefix}_kind{pool="team acme",kind="NorthflankDeployment"} 1`,
      `${prefix}_kind{pool="team acme",kind="RunList"} 2`,
      `${prefix}_namespace{pool="team acme",namespace=""} 2`,
      `${prefix}_namespace{pool="team acme",namespace="shop"} 1`,
      `${prefix}_object{pool="team acme",kind="RunList",namespace="",name="p/etl"} 2`,
    ]);
  });

  test("has 20 namespaces and 20 objects of each account at most, and one sum for the other namespaces", async () => {
    const lines = await shown([
      ["one", of(500)],
      ["two", of(20)],
    ]);
    const count = (part: string) => lines.filter((line) => line.startsWith(`${prefix}_${part}`)).length;
    expect([count("object"), count("namespace")]).toEqual([40, 42]);
    expect(lines).toContain(`${prefix}_namespace{pool="one",namespace="*"} 482`);
  });

  test("is shown no more once it is among the largest no more, or its account is gone", async () => {
    const spending = (name: string) => ({ ...of(0), total: 1, kinds: [], spenders: [[object(name), 1] as const] });
    const labels = 'kind="NorthflankDeployment",namespace="shop"';
    const lines = await shown(
      [
        ["one", spending("a")],
        ["two", spending("a")],
      ],
      [["one", spending("b")]],
    );
    expect(lines).toEqual([
      `${prefix}_namespace{pool="one",namespace="*"} 1`,
      `${prefix}_object{pool="one",${labels},name="b"} 1`,
    ]);
  });
});

test("what a ledger does not know is left out", async () => {
  const text = await scraped((metrics) =>
    metrics.ledger("p", { ...quota, limit: 1_000, remaining: undefined, resetInMs: -5_000 }),
  );
  expect(text).toContain('northflank_operator_api_ratelimit_limit{pool="p"} 1000');
  expect(text).not.toContain('northflank_operator_api_ratelimit_remaining{pool="p"}');
  expect(text).toContain('northflank_operator_api_ratelimit_reset_seconds{pool="p"} 0');
});

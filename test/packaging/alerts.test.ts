import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { type AlertName, alertNames, alerts } from "../../scripts/observability/alerts.ts";
import { exportedMetrics } from "../support/exported-metrics.ts";
import { metricFindings, prometheusTool } from "../support/prometheus-tools.ts";

// The rules as Prometheus evaluates them. Without promtool (Debian package prometheus) these tests are skipped; CI sets
// PROMTOOL, so that they are not skipped there.

const promtool = prometheusTool("promtool");
const rulesPath = resolve(import.meta.dirname, "../../deploy/observability/rules.yaml");
const { groups } = parse(readFileSync(rulesPath, "utf8"));
const folder = mkdtempSync(join(tmpdir(), "alerts-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** What is scraped, by series, in the notation of promtool: one sample a minute. */
type Series = Readonly<Record<string, string>>;

interface Situation {
  readonly series: Series;
  /** When the rules are evaluated. */
  readonly at: string;
  /** What fires: the labels beside the severity, and what becomes of the templates in the texts. None: nothing does. */
  readonly fires?: readonly {
    readonly labels?: Readonly<Record<string, string>>;
    readonly filled?: Readonly<Record<string, string>>;
  }[];
}

const installation = { job: "northflank-operator", namespace: "ops" };
const pod = (name: string, more: Readonly<Record<string, string>> = {}) =>
  of({ ...installation, instance: name, ...more });
const of = (labels: Readonly<Record<string, string>>) =>
  `{${Object.entries(labels)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(",")}}`;
const buildInfo = (name: string) => `northflank_operator_build_info${pod(name)}`;
const inOps = { "{{ with $labels.namespace }}{{ . }}{{ else }}northflank-operator{{ end }}": "ops" };
const lease = (name: string) => `leader_election_master_status${pod(name, { name: "northflank-operator" })}`;
const named = {
  labels: { ...installation, name: "northflank-operator" },
  filled: { "{{ $labels.name }}": "northflank-operator", ...inOps },
};
const errors = `controller_runtime_reconcile_errors_total${pod("a", { controller: "job" })}`;
const condition = (kind: string, type: string, status: string) =>
  `northflank_operator_resource_condition${pod("a", { kind, type, status })}`;
const expiry = "northflank_operator_connection_token_expiration_timestamp_seconds";
const stalled = (kind: string, count: string) => ({
  labels: { ...installation, kind },
  filled: { "{{ $value }}": count, "{{ $labels.kind }}": kind },
});
const noLabels = {
  filled: { "{{ with $labels.namespace }}{{ . }}{{ else }}northflank-operator{{ end }}": "northflank-operator" },
};
const pool = { labels: { ...installation, pool: "team acme" }, filled: { "{{ $labels.pool }}": "team acme" } };
const quota = (remaining: string): Series => ({
  [`northflank_operator_api_ratelimit_remaining${pod("a", { pool: "team acme" })}`]: remaining,
  [`northflank_operator_api_ratelimit_limit${pod("a", { pool: "team acme" })}`]: "1000x90",
});
const circuit = (state: number): Series => ({
  [`northflank_operator_api_circuit_state${pod("a", { pool: "team acme" })}`]: `${state}x20`,
});

/** Each alert in situations in which it fires, and in which it must not: no alert is without either. */
const situations: Readonly<Record<AlertName, Readonly<Record<string, Situation>>>> = {
  NorthflankOperatorDown: {
    "fires when the last replica has been away for five minutes": {
      series: { [buildInfo("a")]: "1x5 stale", [buildInfo("b")]: "1x3 stale" },
      at: "12m",
      fires: [{ labels: installation, filled: inOps }],
    },
    "fires when no replica was ever scraped": { series: {}, at: "6m", fires: [noLabels] },
    "fires a day later as well": { series: { [buildInfo("a")]: "1x5 stale" }, at: "25h", fires: [noLabels] },
    "fires for one of two installations": {
      series: {
        [buildInfo("a")]: "1x5 stale",
        [`northflank_operator_build_info${of({ ...installation, namespace: "other", instance: "c" })}`]: "1x90",
      },
      at: "12m",
      fires: [{ labels: installation, filled: inOps }],
    },
    "does not fire while one of two replicas is there": {
      series: { [buildInfo("a")]: "1x5 stale", [buildInfo("b")]: "1x90" },
      at: "60m",
    },
    "does not fire for a restart of four minutes": { series: { [buildInfo("a")]: "1x5 stale _x3 1x90" }, at: "10m" },
  },
  NorthflankOperatorNoLeader: {
    "fires when no replica leads": {
      series: { [lease("a")]: "0x20", [lease("b")]: "0x20", [buildInfo("a")]: "1x20", [buildInfo("b")]: "1x20" },
      at: "3m",
      fires: [named],
    },
    "does not fire within two minutes": { series: { [lease("a")]: "0x20", [buildInfo("a")]: "1x20" }, at: "1m" },
    "does not fire while one leads": {
      series: { [lease("a")]: "0x20", [lease("b")]: "1x20", [buildInfo("a")]: "1x20", [buildInfo("b")]: "1x20" },
      at: "10m",
    },
    "does not fire for another operator": { series: { [lease("a")]: "0x20" }, at: "4m" },
  },
  NorthflankOperatorReconcileErrors: {
    "fires for one object that fails at the longest back-off": {
      series: { [errors]: "0x19 1x19 2x19 3x19", [buildInfo("a")]: "1x90" },
      at: "75m",
      fires: [{ labels: { ...installation, controller: "job" }, filled: { "{{ $labels.controller }}": "job" } }],
    },
    "does not fire for errors that end": { series: { [errors]: "0x9 7x90", [buildInfo("a")]: "1x99" }, at: "37m" },
    "does not fire for another operator": { series: { [errors]: "0+1x99" }, at: "75m" },
  },
  NorthflankOperatorQueueStuck: {
    "fires when a due object has waited for more than two minutes": {
      series: { [`northflank_operator_oldest_due_object_seconds${pod("a", { controller: "job" })}`]: "200x20" },
      at: "6m",
      fires: [
        {
          labels: { ...installation, controller: "job" },
          filled: { "{{ $labels.controller }}": "job", "{{ $value | humanizeDuration }}": "3m 20s" },
        },
      ],
    },
    "does not fire for two minutes": {
      series: { [`northflank_operator_oldest_due_object_seconds${pod("a", { controller: "job" })}`]: "120x20" },
      at: "20m",
    },
  },
  NorthflankOperatorWatchSilent: {
    "fires when one of two replicas hears nothing": {
      series: {
        [`northflank_operator_watch_silent_seconds${pod("a", { resource: "northflankjobs" })}`]: "400x20",
        [`northflank_operator_watch_silent_seconds${pod("b", { resource: "northflankjobs" })}`]: "3x20",
      },
      at: "3m",
      fires: [
        {
          labels: { ...installation, instance: "a", resource: "northflankjobs" },
          filled: { "{{ $labels.resource }}": "northflankjobs", "{{ $value | humanizeDuration }}": "6m 40s" },
        },
      ],
    },
    "does not fire for the silence after which a watch is opened again": {
      series: { [`northflank_operator_watch_silent_seconds${pod("a", { resource: "northflankjobs" })}`]: "90x20" },
      at: "20m",
    },
  },
  NorthflankApiCircuitOpen: {
    "fires while Northflank is down": { series: circuit(3), at: "6m", fires: [pool] },
    "fires while Northflank answers 429": { series: circuit(2), at: "6m", fires: [pool] },
    "does not fire for a quota that is spent": { series: circuit(1), at: "20m" },
    "does not fire at once": { series: circuit(3), at: "4m" },
  },
  NorthflankQuotaNearlySpent: {
    "fires when a twentieth is left": {
      series: quota("50x90"),
      at: "6m",
      fires: [{ ...pool, filled: { ...pool.filled, "{{ $value | humanizePercentage }}": "5%" } }],
    },
    "does not fire at a tenth": { series: quota("100x90"), at: "60m" },
    "does not fire when the window ends in time": { series: quota("1000x9 50x3 1000x90"), at: "16m" },
  },
  NorthflankObjectsStalled: {
    "fires by kind, and counts no object twice that two replicas have": {
      series: {
        [condition("NorthflankDeployment", "Stalled", "True")]: "2x90",
        [`northflank_operator_resource_condition${pod("b", { kind: "NorthflankDeployment", type: "Stalled", status: "True" })}`]:
          "2x90",
        [condition("NorthflankJob", "Stalled", "True")]: "0x90",
        [condition("NorthflankConnection", "Stalled", "True")]: "1x90",
      },
      at: "16m",
      fires: [stalled("NorthflankConnection", "1"), stalled("NorthflankDeployment", "2")],
    },
    "fires for runs that are Stalled and have not ended": {
      series: {
        [condition("NorthflankJobRun", "Stalled", "True")]: "5x90",
        [condition("NorthflankJobRun", "Succeeded", "False")]: "3x90",
      },
      at: "16m",
      fires: [stalled("NorthflankJobRun", "2")],
    },
    "does not fire for runs that have failed": {
      series: {
        [condition("NorthflankJobRun", "Stalled", "True")]: "3x90",
        [condition("NorthflankJobRun", "Succeeded", "False")]: "3x90",
      },
      at: "60m",
    },
    "does not fire for what is repaired in a quarter of an hour": {
      series: { [condition("NorthflankDeployment", "Stalled", "True")]: "2x13 0x90" },
      at: "16m",
    },
  },
  NorthflankRunStartUnknown: {
    "fires until a user has decided": {
      series: { [`northflank_operator_runs_start_unknown${pod("a")}`]: "1x20" },
      at: "2m",
      fires: [{ labels: installation, filled: { "{{ $value }}": "1" } }],
    },
    "does not fire when there is none": {
      series: { [`northflank_operator_runs_start_unknown${pod("a")}`]: "0x20" },
      at: "9m",
    },
  },
  NorthflankRunFailed: {
    "fires for a quarter of an hour": {
      series: { [`northflank_operator_runs_finished_total${pod("a", { result: "failed" })}`]: "0x9 1x90" },
      at: "15m",
      fires: [{ labels: installation }],
    },
    "does not fire longer": {
      series: { [`northflank_operator_runs_finished_total${pod("a", { result: "failed" })}`]: "0x9 1x90" },
      at: "30m",
    },
    "does not fire for runs that succeed, or that a user aborts": {
      series: {
        [`northflank_operator_runs_finished_total${pod("a", { result: "succeeded" })}`]: "0+1x90",
        [`northflank_operator_runs_finished_total${pod("a", { result: "aborted" })}`]: "0+1x90",
      },
      at: "15m",
    },
  },
  NorthflankTokenInvalid: {
    "fires for a connection whose token is rejected": {
      series: { [condition("NorthflankConnection", "CredentialsValid", "False")]: "1x20" },
      at: "3m",
      fires: [stalled("NorthflankConnection", "1")],
    },
    "fires for objects that use the operator-wide token": {
      series: {
        [`northflank_operator_resource_reason${pod("a", { kind: "NorthflankJob", reason: "AuthenticationFailed" })}`]:
          "2x20",
        [`northflank_operator_resource_reason${pod("a", { kind: "NorthflankJob", reason: "TokenExpired" })}`]: "1x20",
      },
      at: "3m",
      fires: [stalled("NorthflankJob", "3")],
    },
    "fires once for a connection and what uses it": {
      series: {
        [condition("NorthflankConnection", "CredentialsValid", "False")]: "1x20",
        [`northflank_operator_resource_reason${pod("a", { kind: "NorthflankJob", reason: "AuthenticationFailed" })}`]:
          "2x20",
      },
      at: "3m",
      fires: [stalled("NorthflankConnection", "1")],
    },
    "does not fire while it is valid or not known": {
      series: {
        [condition("NorthflankConnection", "CredentialsValid", "False")]: "0x20",
        [condition("NorthflankConnection", "CredentialsValid", "Unknown")]: "4x20",
        [`northflank_operator_resource_reason${pod("a", { kind: "NorthflankConnection", reason: "TokenExpired" })}`]:
          "1x20",
        [`northflank_operator_resource_reason${pod("a", { kind: "NorthflankJob", reason: "AuthenticationFailed" })}`]:
          "0x20",
      },
      at: "20m",
    },
  },
  NorthflankTokenExpiresSoon: {
    "fires for a token that expires within 14 days, with the namespace that the scrape left": {
      series: { [`${expiry}${of({ job: "o", instance: "a", namespace: "shop", name: "main" })}`]: "864000x90" },
      at: "61m",
      fires: [expiring({ job: "o", instance: "a", namespace: "shop", name: "main" })],
    },
    "fires with the namespace that the scrape renamed": {
      series: { [`${expiry}${pod("a", { exported_namespace: "shop", name: "main" })}`]: "864000x90" },
      at: "61m",
      fires: [expiring({ ...installation, instance: "a", exported_namespace: "shop", name: "main" })],
    },
    "does not fire for 15 days": { series: { [`${expiry}${pod("a", { name: "main" })}`]: "1296000x90" }, at: "90m" },
  },
};

function expiring(labels: Readonly<Record<string, string>>) {
  return {
    labels,
    filled: {
      "{{ with $labels.exported_namespace }}{{ . }}{{ else }}{{ $labels.namespace }}{{ end }}": "shop",
      "{{ $labels.name }}": "main",
      "{{ $value | humanizeDuration }}": "9d 22h 59m 0s",
    },
  };
}

function run(...args: readonly string[]) {
  if (promtool === undefined) throw new Error("there is no promtool");
  const { status, stdout, stderr } = spawnSync(promtool, args, { encoding: "utf8" });
  return { status, text: `${stdout}${stderr}` };
}

/** What `promtool test rules` makes of one alert in one situation. */
function evaluated(name: AlertName, { series, at, fires = [] }: Situation) {
  const { labels: own, annotations } = groups[0].rules.find(({ alert }: { readonly alert: string }) => alert === name);
  const expected = fires.map(({ labels = {}, filled = {} }) => ({
    exp_labels: { ...own, ...labels },
    exp_annotations: Object.fromEntries(
      Object.entries<string>(annotations).map(([key, text]) => [key, filledIn(text, filled)]),
    ),
  }));
  const path = join(folder, "test.yaml");
  const input = Object.entries(series).map(([id, values]) => ({ series: id, values }));
  const alertTest = { eval_time: at, alertname: name, exp_alerts: expected };
  const tests = [{ interval: "1m", input_series: input, alert_rule_test: [alertTest] }];
  writeFileSync(path, stringify({ rule_files: [rulesPath], evaluation_interval: "1m", tests }));
  return run("test", "rules", path);
}

function filledIn(text: string, filled: Readonly<Record<string, string>>): string {
  return Object.entries(filled).reduce((result, [template, value]) => result.replaceAll(template, value), text);
}

describe.skipIf(promtool === undefined)("the metrics (skipped without promtool)", () => {
  test("have names, types and texts that promtool finds nothing in, but for three of prom-client", async () => {
    const { text } = await exportedMetrics();
    expect(metricFindings(promtool ?? "", text)).toEqual([]);
    const wrong = text.replaceAll("northflank_operator_runs_started_total", "northflank_operator_runs_started");
    expect(metricFindings(promtool ?? "", wrong)).toHaveLength(1);
  });
});

describe.skipIf(promtool === undefined)("the rules (skipped without promtool)", () => {
  test("are valid, and promtool finds nothing to improve", () => {
    const { status, text } = run("check", "rules", rulesPath);
    expect([status, text]).toEqual([0, expect.stringContaining(`SUCCESS: ${alerts.length} rules found`)]);
  });

  test("an expectation that is wrong is noticed", () => {
    const { status } = evaluated("NorthflankRunStartUnknown", {
      series: {},
      at: "2m",
      fires: [{ labels: installation }],
    });
    expect(status).toBe(1);
  });

  describe.each(alertNames)("%s", (name) => {
    test.each(Object.entries(situations[name]))("%s", (_, situation) => {
      const { status, text } = evaluated(name, situation);
      expect([text, status]).toEqual([expect.stringContaining("SUCCESS"), 0]);
    });

    test("is seen firing and not firing", () => {
      const isFiring = Object.values(situations[name]).map(({ fires }) => fires !== undefined);
      expect([isFiring.includes(true), isFiring.includes(false)]).toEqual([true, true]);
    });
  });
});

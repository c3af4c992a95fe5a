import { beforeAll, describe, expect, test } from "vitest";
import { alerts, runbookUrl } from "../../../scripts/observability/alerts.ts";
import { dashboard } from "../../../scripts/observability/dashboard.ts";
import { rows } from "../../../scripts/observability/panels.ts";
import { exportedMetrics } from "../../support/exported-metrics.ts";
import { type ExportedMetric, labelsOfResult, problemsOf } from "../../support/promql.ts";

// Every query of the dashboard and of the alerts, checked against the metrics that the program exports.

const panels = rows.flatMap((row) => row.panels);
const queries = panels.flatMap(({ title, queries }) => queries.map((query) => ({ title, ...query })));
let metrics: readonly ExportedMetric[];

/** What Prometheus writes about alerts itself. */
const ofPrometheus: ExportedMetric = {
  name: "ALERTS",
  type: "gauge",
  labels: ["alertname", "alertstate", "severity", "kind", "controller", "pool", "resource"],
  series: alerts.map(({ name, severity }) => ({ alertname: name, alertstate: "firing", severity })),
};

beforeAll(async () => {
  metrics = [...(await exportedMetrics()).metrics, ofPrometheus];
});

/** With what a variable of the dashboard stands for. */
function filled(expr: string): string {
  return expr.replaceAll("$job", ".+");
}

describe("the dashboard", () => {
  test.each(queries)("$title: $expr", ({ expr, legend = "" }) => {
    expect(problemsOf(filled(expr), metrics)).toEqual([]);
    const labels = labelsOfResult(filled(expr), metrics);
    for (const [, label = ""] of legend.matchAll(/\{\{(\w+)\}\}/g)) expect(labels).toContain(label);
  });

  test("asks of the chosen installations only, but for the alerts", () => {
    const everywhere = queries.filter(({ expr }) => !expr.includes('job=~"$job"'));
    expect(everywhere.map(({ title }) => title)).toEqual(["Firing alerts"]);
  });

  test("has rows that are filled to the edge, and a question for each", () => {
    expect(rows.map(({ question }) => question)).toEqual([
      "Is it working?",
      "Who waits?",
      "Where does the quota go?",
      "What is slow?",
    ]);
    for (const row of rows) expect(row.panels.reduce((sum, { width }) => sum + width, 0) % 24).toBe(0);
  });

  test("gives each panel an id and a place of its own", () => {
    const made = dashboard().panels ?? [];
    expect(made).toHaveLength(panels.length + rows.length);
    expect(new Set(made.map(({ id }) => id)).size).toBe(made.length);
    const places = made.map(({ gridPos }) => `${gridPos?.x} ${gridPos?.y}`);
    expect(new Set(places).size).toBe(made.length);
    for (const { gridPos } of made) expect((gridPos?.x ?? 0) + (gridPos?.w ?? 0)).toBeLessThanOrEqual(24);
  });

  test("has a title and an explanation on each panel, and no title twice", () => {
    expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
    for (const { about } of panels) expect(about).toMatch(/\.$/);
  });
});

describe("the alerts", () => {
  test.each(alerts)("$name", ({ expr, summary, meaning, firstStep }) => {
    expect(problemsOf(expr, metrics)).toEqual([]);
    const labels = [...labelsOfResult(expr, metrics), "namespace", "exported_namespace"];
    const used = [...`${summary} ${meaning} ${firstStep}`.matchAll(/\$labels\.(\w+)/g)];
    for (const [, label] of used) expect(labels).toContain(label);
  });

  test("link to the runbook of this version, each to a section of its own", () => {
    const links = alerts.map(({ name }) => runbookUrl(name));
    expect(new Set(links).size).toBe(alerts.length);
    expect(runbookUrl("NorthflankRunFailed")).toMatch(
      /\/blob\/v\d+\.\d+\.\d+\/docs\/runbook\.md#northflank-run-failed$/,
    );
  });
});

describe("the check of queries finds", () => {
  test.each([
    [
      "a metric that is not exported",
      "rate(northflank_operator_run_started_total[5m])",
      "no metric northflank_operator_run_started_total",
    ],
    [
      "a histogram without its ending",
      "northflank_operator_run_duration_seconds",
      "no metric northflank_operator_run_duration_seconds",
    ],
    ["a label that the metric lacks", 'workqueue_depth{queue="job"}', "workqueue_depth has no label queue"],
    [
      "a value that no series has",
      'northflank_operator_resource_condition{type="Staled"}',
      'no series of northflank_operator_resource_condition has type="Staled"',
    ],
    [
      "an expression that no value matches",
      'northflank_operator_resource_reason{reason=~"InSinc|Wait"}',
      'no series of northflank_operator_resource_reason has reason=~"InSinc|Wait"',
    ],
    [
      "an aggregation by what is not there",
      "sum by (kind) (workqueue_depth)",
      "nothing in sum by (kind) (workqueue_depth) has the label kind",
    ],
    [
      "a match on what is not there",
      "workqueue_depth and on (kind) workqueue_depth",
      "nothing in workqueue_depth and on (kind) workqueue_depth has the label kind",
    ],
    ["a syntax error", "sum(workqueue_depth", "syntax error at 19: "],
  ])("%s", (_, expr, problem) => {
    expect(problemsOf(expr, metrics)).toContain(problem);
  });
});

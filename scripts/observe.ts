import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { startSandbox } from "../sandbox/start.ts";
import { stopSignal } from "../sandbox/stop-signal.ts";
import { metricFindings, prometheusTool } from "../test/support/prometheus-tools.ts";
import { alerts } from "./observability/alerts.ts";
import { rows } from "./observability/panels.ts";
import { type Prometheus, type Sample, startPrometheus } from "./observability/prometheus.ts";
import { beginScenario, continueScenario } from "./observability/scenario.ts";

// npm run observe [-- --minutes 10] [-- --keep]: a Prometheus scrapes the operator on the sandbox, with ordinary work and
// some faults. Then every query of the dashboard and every alert is evaluated, and its result is printed. Ends with 1 when
// Prometheus rejects a query, when a panel without a text for "nothing" is empty, or when promtool finds fault with a
// metric. With --keep both stay up for a Grafana, until Ctrl-C.

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    port: { type: "string", default: "9090" },
    keep: { type: "boolean", default: false },
  },
});
const programs = { prometheus: prometheusTool("prometheus"), promtool: prometheusTool("promtool") };
if (programs.prometheus === undefined || programs.promtool === undefined) {
  console.error("prometheus and promtool are needed, for example of the Debian package prometheus");
  process.exit(2);
}
const minutes = Number(values.minutes);
const stopped = stopSignal();
const problems: string[] = [];

console.log("starting ...");
await using sandbox = await startSandbox({
  flags: ["--rollout-poll-interval=2s", "--run-poll-interval=2s", "--start-settle=5s", "--request-timeout=5s"],
  signal: stopped,
});
const metricsUrl = await sandbox.operator.metricsUrl();
checkNames(programs.promtool, await scrape());
await using prometheus = await startPrometheus({
  program: programs.prometheus,
  port: Number(values.port),
  targets: [new URL(metricsUrl).host],
  ruleFiles: [resolve(import.meta.dirname, "../deploy/observability/rules.yaml")],
  interval: "5s",
});
console.log(`Prometheus ${prometheus.url}; results after ${minutes} minutes of work`);

await beginScenario(sandbox);
const rounds = Math.ceil(minutes * 6);
for (let round = 0; round < rounds && !stopped.aborted; round += 1) {
  await continueScenario(sandbox, round, round >= rounds / 2);
  await new Promise((done) => setTimeout(done, 10_000));
}

checkNames(programs.promtool, await scrape());
for (const { question, panels } of rows) {
  console.log(`\n## ${question}`);
  for (const panel of panels) {
    for (const { expr } of panel.queries) await show(panel.title, filled(expr), panel.none === undefined);
  }
}
console.log("\n## Alerts");
for (const { name, expr } of alerts) await show(name, expr, false);
await showStates(prometheus);
for (const problem of problems) console.error(`problem: ${problem}`);
if (values.keep && !stopped.aborted) await new Promise((done) => stopped.addEventListener("abort", done));
process.exitCode = problems.length > 0 ? 1 : 0;

async function scrape(): Promise<string> {
  return (await fetch(`${metricsUrl}/metrics`)).text();
}

function checkNames(program: string, text: string): void {
  const findings = metricFindings(program, text);
  console.log(`promtool check metrics: ${findings.length === 0 ? "no finding" : findings.join("\n")}`);
  problems.push(...findings);
}

/** With what Grafana fills in. */
function filled(expr: string): string {
  return expr.replaceAll("$__rate_interval", "1m").replaceAll("$job", ".+");
}

async function show(title: string, expr: string, isNeeded: boolean): Promise<void> {
  try {
    const result = await prometheus.query(expr);
    console.log(`${title}: ${result.length} series`);
    for (const sample of result.slice(0, 6)) console.log(`    ${textOf(sample)}`);
    if (isNeeded && result.length === 0) problems.push(`${title} is empty`);
  } catch (error) {
    problems.push(`${title}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function textOf({ metric, value }: Sample): string {
  const labels = Object.entries(metric).map(([name, text]) => `${name}=${text}`);
  return `${value[1]}  ${labels.join(" ")}`;
}

async function showStates({ get }: Prometheus): Promise<void> {
  const { alerts: active } = await get<{
    alerts: readonly { state: string; labels: Readonly<Record<string, string>>; annotations: { summary: string } }[];
  }>("alerts");
  console.log("\n## Pending and firing");
  for (const { state, labels, annotations } of active) {
    console.log(`${state}  ${labels.alertname}: ${annotations.summary}`);
  }
}

// pure
import type { AccountBudget, SpentBy } from "./budget-report.ts";
import { parsePrometheusText, type Sample } from "./prometheus-text.ts";

/** The accounts that metrics show, or what is wrong with them: the end of a sentence that begins with the URL. */
export type MetricsBudget =
  | { readonly kind: "budget"; readonly accounts: readonly AccountBudget[] }
  | { readonly kind: "problem"; readonly problem: string };

const own = "northflank_operator_";
const leader = "leader_election_master_status";

// More is no count of requests, and no time.
const most = 1e12;

// The metrics have the 20 largest, and one row more for all other namespaces. Whoever else answers may have more.
const mostRows = 21;

/**
 * Reads the budget out of the metrics of an operator.
 *
 * *Guarantees*: a text that is not in the format, or not of this operator, is a problem, as is a figure that is no count.
 */
export function readMetricsBudget(text: string): MetricsBudget {
  const read = parsePrometheusText(text, (name) => name.startsWith(own) || name === leader);
  if (read.kind === "malformed") return problem(`sent no Prometheus metrics: line ${read.line} is not in their format`);
  const { samples } = read;
  if (!samples.some(({ name }) => name === `${own}build_info`)) return problem("sent metrics of another program");
  const isStandby = samples.some(({ name, value }) => name === leader && value === 0);
  const budget = samples.filter(({ name }) => /^northflank_operator_api_(?:ratelimit|budget|circuit)_/.test(name));
  const wrong = budget.find(({ value }) => !(value >= 0 && value <= most));
  if (wrong !== undefined) return problem(`sent a value of ${wrong.name} that is no count`);
  const accounts = accountsOf(budget);
  if (accounts.length === 0 && isStandby) {
    return problem("is a replica that is not the leader: read the metrics of the holder of the Lease");
  }
  return { kind: "budget", accounts };
}

function accountsOf(samples: readonly Sample[]): readonly AccountBudget[] {
  const byPool = new Map<string, Sample[]>();
  for (const sample of samples) {
    const pool = sample.labels.get("pool");
    if (pool === undefined) continue;
    const known = byPool.get(pool);
    if (known === undefined) byPool.set(pool, [sample]);
    else known.push(sample);
  }
  // Calls that were deferred are counted for pools that are not shown otherwise.
  const shown = [...byPool].filter(([, ofPool]) => ofPool.some(({ name }) => name === `${own}api_circuit_state`));
  const accounts = shown.map(([pool, ofPool]) => accountOf(pool, ofPool));
  return accounts.sort((left, right) => (right.sent ?? 0) - (left.sent ?? 0) || compare(left.account, right.account));
}

const states = ["sending", "quota spent", "refused with 429", "API down"];

function accountOf(account: string, samples: readonly Sample[]): AccountBudget {
  const named = (name: string) => samples.filter((sample) => sample.name === `${own}${name}`);
  const value = (name: string) => named(name)[0]?.value;
  const by = (name: string, label: string) =>
    largest(named(name).map(({ labels, value: requests }) => ({ by: labels.get(label) ?? "", requests })));
  const classes = by("api_budget_used", "class");
  const spenders = named("api_budget_used_by_object").map(({ labels, value: requests }) => {
    const part = (label: string) => labels.get(label) ?? "";
    return { by: { kind: part("kind"), namespace: part("namespace"), name: part("name") }, requests };
  });
  const [limit, remaining] = [value("api_ratelimit_limit"), value("api_ratelimit_remaining")];
  const sent = classes.reduce((sum, { requests }) => sum + requests, 0);
  const used = limit === undefined || remaining === undefined ? undefined : Math.max(0, limit - remaining);
  const resetSeconds = value("api_ratelimit_reset_seconds");
  return {
    account,
    limit,
    used,
    remaining,
    resetInMs: resetSeconds === undefined ? undefined : resetSeconds * 1_000,
    sent,
    sentByOthers: used === undefined ? undefined : Math.max(0, used - sent),
    waiting: value("api_budget_waiting"),
    pollStretch: value("api_budget_poll_stretch"),
    checkStretch: value("api_budget_check_stretch"),
    state: states[value("api_circuit_state") ?? 0] ?? "unknown",
    classes,
    kinds: by("api_budget_used_by_kind", "kind"),
    namespaces: by("api_budget_used_by_namespace", "namespace"),
    spenders: largest(spenders),
  };
}

/** Sorted and cut, without rows that are zero. */
function largest<T>(rows: readonly SpentBy<T>[]): readonly SpentBy<T>[] {
  const sorted = rows.filter(({ requests }) => requests > 0).sort((left, right) => right.requests - left.requests);
  return sorted.slice(0, mostRows);
}

function compare(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

function problem(text: string): MetricsBudget {
  return { kind: "problem", problem: text };
}

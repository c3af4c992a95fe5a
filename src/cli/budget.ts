import type { NorthflankConnection } from "../api/connection.ts";
import { northflankConnections } from "../api/names.ts";
import {
  clusterFlags,
  describe,
  type Flag,
  flag,
  formatConfigProblem,
  oneOf,
  Refusal,
  readSettings,
  type Settings,
} from "../flags.ts";
import { isKubeError } from "../kube/errors.ts";
import { listAll } from "../kube/list-all.ts";
import { present } from "../util/present.ts";
import { readMetricsBudget } from "./budget-metrics.ts";
import { type AccountBudget, type BudgetSource, budgetFormats, formatBudget } from "./budget-report.ts";
import { readStatusBudget } from "./budget-status.ts";
import { openCluster } from "./cluster.ts";
import { fetchText } from "./fetch-text.ts";
import type { ExitCode } from "./io.ts";
import { plainLine } from "./printable.ts";
import type { ToolDeps } from "./remote.ts";
import { explained } from "./verbs/explained.ts";
import { namespaceName } from "./verbs/verb-flags.ts";

const metricsUrl = (value: string): URL | Refusal => {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    return new Refusal("a URL such as http://127.0.0.1:8080/metrics is expected");
  }
  if (url.pathname === "/") url.pathname = "/metrics";
  return url;
};

const flags = {
  metricsUrl: flag(
    "metrics-url",
    "URL",
    undefined,
    metricsUrl,
    "metrics of the operator's leader, which show who spends the quota; by default the statuses in the cluster are read",
  ),
  output: {
    ...flag("output", "F", "table", oneOf(...budgetFormats), `output format: ${budgetFormats.join("|")}`),
    short: "o",
  },
  namespace: {
    ...flag("namespace", "NAME", undefined, namespaceName, "only connections of this namespace; by default all"),
    short: "n",
  },
  ...clusterFlags,
} as const;

/** The flags of `budget`, for its help and the reference. */
export const flagsOfBudget: readonly Flag<unknown>[] = Object.values(flags);

const usage = () => `usage: northflank-operator budget [FLAGS]

Prints who spends the hourly quota of each Northflank account. It sends nothing to Northflank and reads no Secret.

Without --metrics-url it reads the statuses of the connections: limit, what is left, and when the quota is reset. It needs
permission to list northflankconnections.

With --metrics-url it reads the metrics of the operator, which also have the classes, kinds, namespaces and objects that spend
the most. Only the leader has them:

  LEADER=$(kubectl -n northflank-operator get lease northflank-operator -o jsonpath='{.spec.holderIdentity}' | cut -d_ -f1)
  kubectl -n northflank-operator port-forward "pod/$LEADER" 8080
  northflank-operator budget --metrics-url http://127.0.0.1:8080/metrics

${describe(flagsOfBudget)}

exit codes: 0 done, 1 the metrics or the cluster could not be read, 2 wrong usage
`;

type Read = Settings & { readonly kind: "settings" };

/** What was read, or one sentence about why not. */
type Result =
  | { readonly kind: "budget"; readonly source: BudgetSource; readonly accounts: readonly AccountBudget[] }
  | { readonly kind: "problem"; readonly problem: string };

/** `northflank-operator budget`: prints who spends the quota. */
export async function runBudget(args: readonly string[], deps: ToolDeps): Promise<ExitCode> {
  const { io, env } = deps;
  const settings = readSettings({ command: "budget", flags: flagsOfBudget, args, env });
  if (settings.kind === "help") {
    io.out(usage());
    return 0;
  }
  const problems = [...settings.problems.map(withoutPassword), ...contradictions(settings)];
  if (problems.length > 0) {
    io.err("northflank-operator budget: the flags are not valid\n");
    for (const problem of problems) io.err(`  ${plainLine(formatConfigProblem(problem))}\n`);
    return 2;
  }
  const url: URL | undefined = settings.of(flags.metricsUrl);
  const result = url === undefined ? await readCluster(settings, deps) : await readMetrics(url, deps);
  if (result.kind === "problem") {
    io.err(`northflank-operator budget: ${plainLine(result.problem)}\n`);
    return 1;
  }
  const { source, accounts } = result;
  const format = settings.of(flags.output);
  if (accounts.length === 0 && format === "table") {
    io.err(`northflank-operator budget: ${nothingKnown[source]}\n`);
    return 0;
  }
  io.out(formatBudget(format, source, accounts));
  if (source === "cluster" && format === "table") io.err(`\n${hint}\n`);
  return 0;
}

const nothingKnown: Readonly<Record<BudgetSource, string>> = {
  metrics: "the operator has not used any account yet",
  cluster: "there is no NorthflankConnection",
};

const hint =
  "What is left is rounded down to a tenth of the limit. Exact figures, kinds and objects: use --metrics-url (budget --help " +
  "has the commands).";

function contradictions(settings: Read): Read["problems"] {
  const url: URL | undefined = settings.of(flags.metricsUrl);
  if (url === undefined) return [];
  const name = settings.nameOf(flags.metricsUrl);
  if (url.username !== "" || url.password !== "") {
    return [{ name, value: undefined, expectation: "a URL without user and password is expected" }];
  }
  const namespace: string | undefined = settings.of(flags.namespace);
  if (namespace === undefined) return [];
  const expectation = "it is for the cluster, and cannot be used with --metrics-url";
  return [{ name: settings.nameOf(flags.namespace), value: namespace, expectation }];
}

/** What is wrong with a URL may be its password. */
function withoutPassword<P extends Read["problems"][number]>(problem: P): P {
  return problem.value?.includes("@") ? { ...problem, value: undefined } : problem;
}

// A scrape takes a moment with 10,000 objects. It is some 100 KiB, and grows with the accounts.
const timeoutMs = 15_000;
const maxBytes = 16 * 1_048_576;

async function readMetrics(url: URL, { clock }: ToolDeps): Promise<Result> {
  const fetched = await fetchText(url, { timeoutMs, maxBytes }, clock);
  const read = fetched.kind === "text" ? readMetricsBudget(fetched.text) : fetched;
  if (read.kind === "problem") return { kind: "problem", problem: `${shownUrl(url)} ${read.problem}` };
  return { kind: "budget", source: "metrics", accounts: read.accounts };
}

/** Without its query, which may hold a token. */
function shownUrl({ origin, pathname }: URL): string {
  return `${origin}${pathname}`;
}

async function readCluster(settings: Read, deps: ToolDeps): Promise<Result> {
  try {
    const connections = await listConnections(settings, deps);
    return { kind: "budget", source: "cluster", accounts: readStatusBudget(connections, deps.clock.now()) };
  } catch (error) {
    if (!isKubeError(error)) throw error;
    return { kind: "problem", problem: explained(error, forbidden) };
  }
}

// More connections than any cluster has.
const mostPages = 40;

async function listConnections(settings: Read, deps: ToolDeps): Promise<readonly NorthflankConnection[]> {
  const place = { kubeconfig: settings.of(flags.kubeconfig), context: settings.of(flags.context) };
  await using cluster = await openCluster(place, deps, { verb: "budget" });
  const namespace: string | undefined = settings.of(flags.namespace);
  return await listAll(cluster.client, northflankConnections, { ...present({ namespace }), mostPages });
}

const forbidden = "Grant the permission to list northflankconnections, or name a namespace with --namespace";

import { parser } from "@prometheus-io/lezer-promql";

type Node = ReturnType<typeof parser.parse>["topNode"];

/** A metric that a program exports: its labels, and the series that exist already. */
export interface ExportedMetric {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  readonly series: readonly Readonly<Record<string, unknown>>[];
}

/** Labels that Prometheus adds to everything that it scrapes, or puts in the place of one that it would overwrite. */
const targetLabels = ["job", "instance", "namespace", "pod", "exported_namespace"] as const;

/**
 * What is wrong with a query: its syntax, a metric that is not exported, a label that the metric does not have, or a value
 * that no series of a metric with closed labels has. Labels in `by`, `on` and `ignoring` are those of a metric below them.
 */
export function problemsOf(expr: string, metrics: readonly ExportedMetric[]): readonly string[] {
  const text = expr.replaceAll("$__rate_interval", "5m");
  const problems: string[] = [];
  const at = (node: Node) => text.slice(node.from, node.to);
  parser.parse(text).iterate({
    enter: ({ node, type, name }) => {
      if (type.isError) problems.push(`syntax error at ${node.from}: ${text.slice(node.from, node.from + 20)}`);
      if (name === "VectorSelector") problems.push(...problemsOfSelector(node, at, metrics));
      if (name === "GroupingLabels") problems.push(...problemsOfLabels(node, at, metrics));
    },
  });
  return problems;
}

/** The labels that the result of a query has, where an aggregation names them; else those of its metrics. */
export function labelsOfResult(expr: string, metrics: readonly ExportedMetric[]): readonly string[] {
  const text = expr.replaceAll("$__rate_interval", "5m");
  const at = (node: Node) => text.slice(node.from, node.to);
  const { topNode } = parser.parse(text);
  const grouped = nodesIn(topNode, "AggregateModifier").flatMap((node) => nodesIn(node, "LabelName").map(at));
  return grouped.length > 0 ? grouped : labelsIn(topNode, at, metrics);
}

function problemsOfSelector(
  node: Node,
  at: (node: Node) => string,
  metrics: readonly ExportedMetric[],
): readonly string[] {
  const identifier = node.getChild("Identifier");
  const name = identifier === null ? "" : at(identifier);
  const metric = metricOf(name, metrics);
  if (metric === undefined) return [`no metric ${name}`];
  return nodesIn(node, "UnquotedLabelMatcher").flatMap((matcher) => {
    const [label = "", operator = "", quoted = ""] = ["LabelName", "MatchOp", "StringLiteral"].map((part) => {
      const child = matcher.getChild(part);
      return child === null ? "" : at(child);
    });
    if (!labelsOf(metric).includes(label)) return [`${name} has no label ${label}`];
    const isClosed = metric.labels.includes(label) && metric.series.length > 0;
    const matches = (value: unknown) => isMatch(operator, quoted.slice(1, -1), String(value));
    if (!isClosed || metric.series.some((series) => matches(series[label]))) return [];
    return [`no series of ${name} has ${at(matcher)}`];
  });
}

function isMatch(operator: string, wanted: string, value: string): boolean {
  switch (operator) {
    case "=":
      return value === wanted;
    case "=~":
      return wanted.split("|").every((part) => part !== "") && new RegExp(`^(?:${wanted})$`).test(value);
    default:
      // What is excluded need not exist.
      return true;
  }
}

function problemsOfLabels(
  node: Node,
  at: (node: Node) => string,
  metrics: readonly ExportedMetric[],
): readonly string[] {
  const scope = node.parent?.parent ?? node;
  const known = labelsIn(scope, at, metrics);
  return nodesIn(node, "LabelName")
    .map(at)
    .filter((label) => !known.includes(label))
    .map((label) => `nothing in ${at(scope)} has the label ${label}`);
}

/** Labels of all metrics below a node, and those that `label_replace` adds. */
function labelsIn(scope: Node, at: (node: Node) => string, metrics: readonly ExportedMetric[]): readonly string[] {
  const ofMetrics = nodesIn(scope, "VectorSelector").flatMap((selector) => {
    const identifier = selector.getChild("Identifier");
    const metric = identifier === null ? undefined : metricOf(at(identifier), metrics);
    return metric === undefined ? [] : labelsOf(metric);
  });
  const added = [...at(scope).matchAll(/, "([a-z_]+)", "\$1", "/g)].map(([, label = ""]) => label);
  return [...ofMetrics, ...added];
}

function labelsOf({ type, labels }: ExportedMetric): readonly string[] {
  return [...labels, ...targetLabels, ...(type === "histogram" ? ["le"] : [])];
}

function metricOf(name: string, metrics: readonly ExportedMetric[]): ExportedMetric | undefined {
  const plain = metrics.find((metric) => metric.name === name && metric.type !== "histogram");
  if (plain !== undefined) return plain;
  const [, base] = /^(.+)_(?:bucket|sum|count)$/.exec(name) ?? [];
  return metrics.find((metric) => metric.name === base && metric.type === "histogram");
}

function nodesIn(scope: Node, name: string): readonly Node[] {
  const found: Node[] = [];
  scope.cursor().iterate(({ node }) => {
    if (node.name === name) found.push(node);
  });
  return found;
}

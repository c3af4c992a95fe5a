import { kinds } from "../../src/api/kinds.ts";
import { reasons } from "../../src/api/reasons.ts";
import { controllerNames, createMetrics } from "../../src/metrics.ts";
import type { ExportedMetric } from "./promql.ts";

/** What the program exports before anything has happened, as text and by metric. */
export async function exportedMetrics(): Promise<{
  readonly text: string;
  readonly metrics: readonly ExportedMetric[];
}> {
  const { registry, ...program } = createMetrics({ version: "1", revision: "r", nodeVersion: "v24" });
  for (const { type } of kinds) {
    program.conditions(type.kind, [], reasons);
    program.reflectorObserver(type.plural, { now: () => 0 });
  }
  for (const controller of controllerNames) program.controllerObserver(controller, 8);
  program.leaderObserver("northflank-operator");
  const labelsOf = new Map(registry.getMetricsAsArray().map((metric) => [metric.name, labelNames(metric)]));
  const metrics = (await registry.getMetricsAsJSON()).map(({ name, type, values }) => ({
    name,
    type: String(type),
    labels: labelsOf.get(name) ?? [],
    series: values.map(({ labels }) => labels),
  }));
  return { text: await registry.metrics(), metrics };
}

/** prom-client has them on every metric, but not in its types. */
function labelNames(metric: object): readonly string[] {
  return (Reflect.get(metric, "labelNames") as readonly string[] | undefined) ?? [];
}

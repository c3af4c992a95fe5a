import { createHistogram } from "node:perf_hooks";
import { Gauge, Registry } from "prom-client";
import { expect, test } from "vitest";
import { collectEventLoopLag } from "../src/event-loop-lag.ts";

const names = ["", "_min", "_max", "_mean", "_stddev", "_p50", "_p90", "_p99"].map(
  (statistic) => `nodejs_eventloop_lag${statistic}_seconds`,
);

async function scrape(registry: Registry): Promise<ReadonlyMap<string, number>> {
  const metrics = await registry.getMetricsAsJSON();
  return new Map(metrics.flatMap(({ name, values }) => values.map(({ value }) => [name, value] as const)));
}

const ms = 1_000_000;

test("the metrics of prom-client are replaced, name by name", () => {
  const registry = new Registry();
  for (const name of names) new Gauge({ name, help: "of prom-client", registers: [registry] });
  collectEventLoopLag(registry);
  expect(registry.getMetricsAsArray().map(({ name }) => name)).toEqual(names);
});

test("the statistics are of how late samples were, since the last scrape", async () => {
  const registry = new Registry();
  const samples = createHistogram();
  collectEventLoopLag(registry, samples);
  for (const late of [0, 0, 500]) samples.record((100 + late) * ms);
  const held = await scrape(registry);
  expect(held.get("nodejs_eventloop_lag_min_seconds")).toBeCloseTo(0, 2);
  expect(held.get("nodejs_eventloop_lag_p50_seconds")).toBeCloseTo(0, 2);
  expect(held.get("nodejs_eventloop_lag_max_seconds")).toBeCloseTo(0.5, 2);
  expect(held.get("nodejs_eventloop_lag_mean_seconds")).toBeCloseTo(0.167, 2);
  samples.record(101 * ms);
  expect((await scrape(registry)).get("nodejs_eventloop_lag_max_seconds")).toBeCloseTo(0.001, 3);
});

test("a sample that came too early is not late", async () => {
  const registry = new Registry();
  const samples = createHistogram();
  collectEventLoopLag(registry, samples);
  samples.record(99 * ms);
  expect((await scrape(registry)).get("nodejs_eventloop_lag_min_seconds")).toBe(0);
});

test("a scrape without a new sample shows what the last one did", async () => {
  const registry = new Registry();
  const samples = createHistogram();
  collectEventLoopLag(registry, samples);
  samples.record(300 * ms);
  await scrape(registry);
  expect((await scrape(registry)).get("nodejs_eventloop_lag_p99_seconds")).toBeCloseTo(0.2, 2);
});

test("without another monitor, the event loop of the process is sampled", async () => {
  const registry = new Registry();
  collectEventLoopLag(registry);
  await new Promise((resolve) => setTimeout(resolve, 350));
  const lag = await scrape(registry);
  for (const name of names) expect(lag.get(name)).toBeGreaterThanOrEqual(0);
  expect(lag.get("nodejs_eventloop_lag_max_seconds")).toBeGreaterThan(0);
});

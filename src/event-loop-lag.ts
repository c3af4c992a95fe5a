import { type Histogram, monitorEventLoopDelay } from "node:perf_hooks";
import { Gauge, type Registry } from "prom-client";

/*
 * How late the event loop is, under the names that prom-client uses: `nodejs_eventloop_lag_seconds` and its statistics.
 *
 * prom-client's own monitor sets a timer every 10 ms, which costs an idle operator as much CPU as all its watches, and
 * shows these 10 ms as lag. Ten samples a second, less the time between them, say the same.
 */

const sampleMs = 100;
/** Time between samples for a monitor that is not to run: 24 days, the longest that a timer takes. */
export const noMonitorMs = 2 ** 31 - 1;

const statistics: Readonly<Record<string, { readonly help: string; readonly of: (lag: Histogram) => number }>> = {
  min: { help: "The minimum recorded event loop delay.", of: ({ min }) => late(min) },
  max: { help: "The maximum recorded event loop delay.", of: ({ max }) => late(max) },
  mean: { help: "The mean of the recorded event loop delays.", of: ({ mean }) => late(mean) },
  stddev: { help: "The standard deviation of the recorded event loop delays.", of: ({ stddev }) => stddev / 1e9 },
  p50: { help: "The 50th percentile of the recorded event loop delays.", of: (lag) => late(lag.percentile(50)) },
  p90: { help: "The 90th percentile of the recorded event loop delays.", of: (lag) => late(lag.percentile(90)) },
  p99: { help: "The 99th percentile of the recorded event loop delays.", of: (lag) => late(lag.percentile(99)) },
};

const name = (statistic: string): string => `nodejs_eventloop_lag_${statistic}_seconds`;
const lagName = "nodejs_eventloop_lag_seconds";

/**
 * Replaces prom-client's metrics of the event loop in `registry` by these. The statistics are about the time since the
 * last scrape; the lag itself is that of the scrape. `samples` has the times between samples, in nanoseconds.
 */
export function collectEventLoopLag(registry: Registry, samples: Histogram = monitored()): void {
  const registers = [registry];
  for (const metric of [lagName, ...Object.keys(statistics).map(name)]) registry.removeSingleMetric(metric);
  // The first to be collected: it sets the others before they are read.
  new Gauge({
    name: lagName,
    help: "Lag of event loop in seconds.",
    registers,
    async collect() {
      // Two scrapes within a sample: what the first one showed stays.
      if (samples.count > 0) for (const { gauge, of } of gauges) gauge.set(of(samples));
      samples.reset();
      this.set(await turnSeconds());
    },
  });
  const gauges = Object.entries(statistics).map(([statistic, { help, of }]) => ({
    gauge: new Gauge({ name: name(statistic), help, registers }),
    of,
  }));
}

function monitored(): Histogram {
  const histogram = monitorEventLoopDelay({ resolution: sampleMs });
  histogram.enable();
  return histogram;
}

/** How long the next turn of the event loop is away. */
async function turnSeconds(): Promise<number> {
  const startedNs = process.hrtime.bigint();
  await new Promise((resolve) => setImmediate(resolve));
  return Number(process.hrtime.bigint() - startedNs) / 1e9;
}

/** By how many seconds a sample was late that came after `ns`. */
function late(ns: number): number {
  return Math.max(0, ns / 1e9 - sampleMs / 1_000);
}

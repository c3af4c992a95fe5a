import { parseArgs } from "node:util";
import {
  behindResyncs,
  firstVerdict,
  nothingChanges,
  oneChange,
  runsOfOneJob,
  spentQuota,
  type Verdict,
} from "./experiments.ts";
import { grantedPerHour, leastOf, observeShare } from "./least.ts";
import { renderTable, renderVerdict, rowOf } from "./report.ts";
import { type Scenario, scenarios, usualNames } from "./scenarios.ts";
import { latencyMs, type Measured, simulate } from "./simulate.ts";

/*
 * npm run bench:quota [-- --scenario NAME] [--all] [--hours N] [--seed N] [--only scenarios|targets]
 *
 * How the operator spends the quota of an account, in simulated time: the whole operator, from the watch to the ledger and
 * the client, between a Kubernetes API and a Northflank API in memory, on one simulated clock (bench/quota/world.ts). The
 * same seed plays the same.
 *
 * Each line of the table is a scenario of scenarios.ts over a day. Beside what was measured stands the least that any
 * operator can do, by the formulas of least.ts. The names are objects/projects/changes an hour. Without `--all` one scenario
 * of each size is played, and those beside the grid; with `--scenario` that one alone.
 *
 * Then follow the targets, each measured in a simulation of its own (experiments.ts), but for those that are read from the
 * scenarios 200/5/0 and 5000/5/0.
 */
const { values: options } = parseArgs({
  options: {
    scenario: { type: "string" },
    all: { type: "boolean" },
    hours: { type: "string" },
    seed: { type: "string" },
    only: { type: "string" },
  },
});
const seed = wholeNumber("seed", options.seed) ?? 1;
const hours = wholeNumber("hours", options.hours);
const say = (line: string) => console.log(line);

say(`Node ${process.version}, seed ${seed}, ${grantedPerHour} requests an hour, ${latencyMs} ms each at most`);
const measured = new Map<string, Measured>();
if (options.only !== "targets") await playScenarios();
if (options.only !== "scenarios" && options.scenario === undefined) await judgeTargets();

async function playScenarios(): Promise<void> {
  const rows = [];
  for (const scenario of chosen()) {
    const one = await simulate({ ...scenario, ...(hours !== undefined && { hours }) }, { seed });
    measured.set(scenario.name, one);
    rows.push(rowOf(one));
    say(progress(one));
  }
  say(`\n${renderTable(rows)}\n`);
}

/** What the table has no column for. */
function progress(one: Measured): string {
  const { scenario, hours: played, routes, runs, neighbor, writes, kubernetesWrites, errors } = one;
  const most = routes.slice(0, 3).map(([route, count]) => `${Math.round(count / played)}/h ${route}`);
  const facts = [
    ...most,
    `${writes} writes to Northflank`,
    `${kubernetesWrites} to Kubernetes`,
    ...(runs.started > 0 ? [`${runs.started} runs of ${(runs.requests / runs.started).toFixed(1)} requests each`] : []),
    ...(neighbor.granted > 0 ? [`the neighbor got ${neighbor.granted} requests and ${neighbor.refused} refusals`] : []),
    ...(errors.length > 0 ? [`${errors.length} errors, the first is ${errors[0]}`] : []),
  ];
  return `${scenario.name}: ${facts.join(", ")}`;
}

/** Each as soon as it is known. */
async function judgeTargets(): Promise<void> {
  const show = (verdicts: readonly Verdict[]) => {
    for (const verdict of verdicts) say(renderVerdict(verdict));
  };
  show(ofScenarios());
  const change = await oneChange(seed);
  show(change.verdicts);
  show(await runsOfOneJob(seed));
  show(await spentQuota(seed, 200));
  show(await spentQuota(seed, 1_500));
  show(await behindResyncs(seed, change.idleMs));
  show(await nothingChanges(seed));
  show([await firstVerdict(seed, 1_000)]);
  if (options.all === true) show([await firstVerdict(seed, 10_000)]);
}

/** Read from scenarios, where they were played. */
function ofScenarios(): readonly Verdict[] {
  const few = measured.get("200/5/0");
  const many = measured.get("5000/5/0");
  if (few === undefined || many === undefined) return [];
  const observed = (one: Measured) => one.sent.observe / one.hours;
  const { movingHours } = leastOf(many.scenario, latencyMs);
  const share = grantedPerHour * observeShare;
  return [
    {
      name: "idle: requests of 5,000 objects, of those of 200",
      value: observed(many) / observed(few),
      unit: "x",
      most: 1.05,
    },
    { name: "idle, 200 objects: requests an hour", value: observed(few), unit: "", most: share },
    { name: "idle, 5,000 objects: requests an hour", value: observed(many), unit: "", most: share },
    {
      name: "5,000 objects: longest drift that moves the transition time",
      value: longest(many, "moving"),
      unit: "ms",
      most: movingHours * 3_600_000,
    },
    {
      name: "5,000 objects: longest drift that moves none",
      value: longest(many, "still"),
      unit: "ms",
      most: 86_400_000,
    },
  ];
}

/** Drift that is open at the end counts for as long as there was time. */
function longest({ drifts, openDriftsMs }: Measured, kind: "moving" | "still"): number {
  return Math.max(0, ...drifts[kind], ...openDriftsMs[kind]);
}

function chosen(): readonly Scenario[] {
  const { scenario: name, all } = options;
  if (name === undefined) return all === true ? scenarios : scenarios.filter((each) => usualNames.has(each.name));
  const found = scenarios.filter((each) => each.name === name);
  if (found.length > 0) return found;
  throw new Error(`--scenario is ${name}; expected one of ${scenarios.map((each) => each.name).join(", ")}`);
}

function wholeNumber(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new Error(`--${flag} is ${text}; expected a whole number of at least 1`);
  return Number(text);
}

/** One simulated time, as data. What is missing does not happen. */
export interface Scenario {
  readonly name: string;
  /** Deployments, settled at the start, spread evenly over the projects. */
  readonly objects: number;
  readonly projects: number;
  /** Edits of one deployment each, at random times. */
  readonly changesPerHour: number;
  /** Images changed at Northflank by others: half of them with a rollout, half without one. Default 2. */
  readonly driftsPerHour?: number;
  /** So many runs at a time, over so many jobs; each is followed by another one. */
  readonly runs?: { readonly atOnce: number; readonly jobs: number; readonly runSeconds: number };
  /** Others have spent the whole quota right before the start. */
  readonly isSpentAtStart?: boolean;
  /** Deployments that are edited right before the start. */
  readonly waiting?: number;
  /** Requests an hour that another consumer of the account sends, in bursts of so many. */
  readonly neighbor?: { readonly perHour: number; readonly burst: number };
  /** Northflank notifies of rollouts and runs. */
  readonly hasHints?: boolean;
  /** Simulated time. Default 24. */
  readonly hours?: number;
}

const sizes = [50, 200, 1_500, 5_000];
const projectCounts = [1, 5, 50];
const changeRates = [0, 5, 50];

/** Every size with every number of projects and every rate of changes. */
const grid: readonly Scenario[] = sizes.flatMap((objects) =>
  projectCounts.flatMap((projects) =>
    changeRates.map((changesPerHour) => ({
      name: `${objects}/${projects}/${changesPerHour}`,
      objects,
      projects,
      changesPerHour,
    })),
  ),
);

const twentyRuns = { atOnce: 20, jobs: 5, runSeconds: 1_800 };

/** What is beside the grid. */
const special: readonly Scenario[] = [
  { name: "runs", objects: 50, projects: 5, changesPerHour: 0, runs: twentyRuns },
  { name: "runs+changes", objects: 200, projects: 5, changesPerHour: 5, runs: twentyRuns },
  { name: "spent", objects: 200, projects: 5, changesPerHour: 5, isSpentAtStart: true, waiting: 200 },
  {
    name: "spent-1500",
    objects: 1_500,
    projects: 5,
    changesPerHour: 0,
    isSpentAtStart: true,
    waiting: 1_500,
    hours: 8,
  },
  { name: "neighbor", objects: 200, projects: 5, changesPerHour: 5, neighbor: { perHour: 700, burst: 50 } },
  { name: "neighbor-all", objects: 200, projects: 5, changesPerHour: 5, neighbor: { perHour: 4_000, burst: 20 } },
  {
    name: "neighbor+runs",
    objects: 200,
    projects: 5,
    changesPerHour: 5,
    runs: twentyRuns,
    neighbor: { perHour: 800, burst: 5 },
    hours: 12,
  },
  {
    name: "hints",
    objects: 200,
    projects: 5,
    changesPerHour: 50,
    runs: twentyRuns,
    hasHints: true,
  },
];

/** All scenarios. */
export const scenarios: readonly Scenario[] = [...grid, ...special];

/** Those of a run without `--all`: one for each size, and what is beside the grid. */
export const usualNames: ReadonlySet<string> = new Set([
  "50/5/5",
  "200/5/0",
  "200/5/50",
  "1500/5/5",
  "5000/5/0",
  ...special.map(({ name }) => name),
]);

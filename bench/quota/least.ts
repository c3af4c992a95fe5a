// pure
import type { Scenario } from "./scenarios.ts";

/*
 * The least that any operator can do, as formulas. None of it is measured.
 *
 * R = requests an hour that the API grants, S = the share of R for observing, T = the period of drift checks, N = objects,
 * P = projects, L = the longest time of one request, p = pages of all lists of services = P * ceil(N / P / 100).
 *
 * Drift that moves the transition time is in a list: T' = max(T, p / (S - q)) is the shortest period of such lists, where
 * q = min(N / 24 h, S / 2) is kept for reads of single services: one a day, or half of the share where that is less.
 * Drift that moves none is found by those reads alone: once in U = max(T, N / (S - p / T')).
 */

/** Requests an hour that the API grants an account. */
export const grantedPerHour = 1_000;

/** The share of them that may be spent on observing. */
export const observeShare = 0.2;

/** The default of `--resync-period`, in hours. */
const periodHours = 0.25;

/** Services on a page of a list. */
const pageSize = 100;

/** The least of a scenario. */
export interface Least {
  /** Requests in a mean hour, by what they are for. */
  readonly change: number;
  readonly run: number;
  readonly observe: number;
  /** Mean time from the edit to the arrival of the write, in milliseconds, while there is quota. */
  readonly changeMs: number;
  /** Longest time until drift is corrected, in hours, where a list shows it and where none does. */
  readonly movingHours: number;
  readonly stillHours: number;
}

/** The least that a scenario costs and takes; `latencyMs` is the longest time of one request. */
export function leastOf(scenario: Scenario, latencyMs: number): Least {
  const { objects, projects, changesPerHour, driftsPerHour = 2, runs } = scenario;
  const share = grantedPerHour * observeShare;
  const pages = projects * Math.ceil(objects / projects / pageSize);
  const single = Math.min(objects / 24, share / 2);
  const movingHours = Math.max(periodHours, pages / (share - single));
  const stillHours = Math.max(periodHours, objects / (share - pages / movingHours));
  return {
    // A read before the write, which decides whether there is one, and the write. What follows is in the lists.
    change: 2 * (changesPerHour + driftsPerHour),
    // Baseline, start, the read after the end.
    run: runs === undefined ? 0 : (3 * runs.atOnce * 3_600) / runs.runSeconds,
    // Lists, single reads, and the check of the token.
    observe: pages / movingHours + single + 1,
    // One read there and back, and half of the write; a request takes 3/4 of L in the mean.
    changeMs: 1.5 * 0.75 * latencyMs,
    movingHours,
    stillHours,
  };
}

/**
 * When `waiting` objects can be done that cost `each` requests each, in milliseconds after the quota was spent by others,
 * who spend no more of it: the first window opens an hour after, and each holds `granted` requests.
 */
export function leastAfterSpentMs(waiting: number, each: number, granted: number): number {
  return Math.ceil((waiting * each) / granted) * 3_600_000;
}

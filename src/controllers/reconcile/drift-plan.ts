// pure
import { createHash } from "node:crypto";

/*
 * How often settled targets are checked for drift, out of the requests that an account has for it (the observe share).
 *
 * Each target has a period, 15 minutes by default. As long as one read per period and target fits into the share, that is
 * what is done. Where it does not, all periods of the account are multiplied by one factor, and the lists of its projects
 * show in between which services have moved:
 *
 *     wanted = sum over the targets of one read per period, and per list period where that is longer
 *     lists  = pages of the lists of its projects, once per list period; at most a quarter of the share
 *     factor = 1 where wanted <= share, else wanted / (share - lists)
 *
 *     a target is read every     period * factor
 *     a project is listed every  list period, less often where lists would cost more than their quarter
 *
 * A period that is shorter than the list period (which is the default period) is what the targets of others are not read
 * less often for: it gets a part of what is left of the share, in proportion to how many reads more it asks for.
 *
 *     more   = sum over the targets of the reads of their periods, without `wanted`
 *     target = its part of wanted + (its part of more) * min(1, (share - wanted) / more)
 *
 * So checks for drift cost the share, however many targets there are; more targets cost time. What a list shows (a
 * rollout, continuous deployment, a service that is gone or was created again) is found within one list period, any
 * other change within period * factor.
 */

const hourMs = 3_600_000;

/** Entries of one page of a list. */
const pageSize = 100;

/** The part of the share that lists may cost. */
const listPart = 1 / 4;

/** One settled target. */
export interface PlannedTarget {
  /** Identity of the account's ledger. */
  readonly pool: string;
  readonly projectId: string;
  /** A list of its project shows when it last changed. */
  readonly isListed: boolean;
  /** Milliseconds between two checks as declared; `Infinity`: none. */
  readonly periodMs: number;
}

/** How often one target is checked. */
export interface DriftPeriods {
  /** Milliseconds between two reads of the target itself. */
  readonly readMs: number;
  /** Milliseconds between two lists of its project; `undefined`: each check reads the target, and no list. */
  readonly listMs: number | undefined;
}

/** The targets of one project. */
interface Project {
  targets: number;
  listed: number;
  /** Entries of its last list; more than ours, where others have services there. */
  entries: number;
}

interface Pool {
  /** One read per period, and of short ones per list period. */
  wantedPerHour: number;
  /** What short periods ask for beyond that. */
  morePerHour: number;
  pages: number;
  readonly projects: Map<string, Project>;
}

/**
 * The settled targets of all accounts, and how often each is checked: the formula stands at the top of this file. One
 * plan for all kinds, because they share the accounts.
 *
 * *Guarantees*: what {@link periods} answers for all targets of an account together costs no more than its share, if that
 * is at least one request an hour; nothing is kept of what was forgotten.
 */
export class DriftPlan {
  readonly #listPeriodMs: number;
  /** Shorter periods are short ones; 0: none is. */
  readonly #usualMs: number;
  readonly #targets = new Map<string, PlannedTarget>();
  readonly #pools = new Map<string, Pool>();

  /** `listPeriodMs`: between two lists of a project where the share allows it; `Infinity`: none is read. */
  constructor({ listPeriodMs }: { readonly listPeriodMs: number }) {
    this.#listPeriodMs = listPeriodMs;
    this.#usualMs = Number.isFinite(listPeriodMs) ? listPeriodMs : 0;
  }

  /** How many targets there are. */
  get size(): number {
    return this.#targets.size;
  }

  /** Enters a target that has settled, or what is new of it. `uid`: of its object. */
  set(uid: string, target: PlannedTarget): void {
    const known = this.#targets.get(uid);
    if (known !== undefined && isSame(known, target)) return;
    this.forget(uid);
    this.#targets.set(uid, target);
    const pool = this.#pools.get(target.pool) ?? { wantedPerHour: 0, morePerHour: 0, pages: 0, projects: new Map() };
    this.#pools.set(target.pool, pool);
    const project = pool.projects.get(target.projectId) ?? { targets: 0, listed: 0, entries: 0 };
    pool.projects.set(target.projectId, project);
    pool.wantedPerHour += this.#wantedOf(target);
    pool.morePerHour += this.#moreOf(target);
    change(pool, project, () => {
      project.targets += 1;
      if (target.isListed) project.listed += 1;
    });
  }

  /** Forgets a target that is gone or not settled any more. */
  forget(uid: string): void {
    const target = this.#targets.get(uid);
    const pool = target && this.#pools.get(target.pool);
    const project = target && pool?.projects.get(target.projectId);
    if (target === undefined || pool === undefined || project === undefined) return;
    this.#targets.delete(uid);
    pool.wantedPerHour -= this.#wantedOf(target);
    pool.morePerHour -= this.#moreOf(target);
    change(pool, project, () => {
      project.targets -= 1;
      if (target.isListed) project.listed -= 1;
    });
    if (project.targets === 0) pool.projects.delete(target.projectId);
    if (pool.projects.size === 0) this.#pools.delete(target.pool);
  }

  /** Enters how many entries the list of a project has. */
  listed({ pool: name, projectId }: Pick<PlannedTarget, "pool" | "projectId">, entries: number): void {
    const pool = this.#pools.get(name);
    const project = pool?.projects.get(projectId);
    if (pool === undefined || project === undefined) return;
    change(pool, project, () => {
      project.entries = entries;
    });
  }

  /**
   * How many times as long as declared the periods of an account are, those that are shorter than the list period aside.
   * `sharePerHour`: see {@link periods}.
   */
  stretch(name: string, sharePerHour: number): number {
    const pool = this.#pools.get(name);
    const share = Math.max(sharePerHour, 1);
    if (pool === undefined || pool.wantedPerHour <= share) return 1;
    return pool.wantedPerHour / (share - this.#listsOf(pool, share));
  }

  /** How often to check a target. `sharePerHour`: requests an hour that its account has for checks. */
  periods(target: PlannedTarget, sharePerHour: number): DriftPeriods {
    const { pool: name, projectId, isListed, periodMs } = target;
    const pool = this.#pools.get(name);
    const share = Math.max(sharePerHour, 1);
    if (pool === undefined || pool.wantedPerHour + pool.morePerHour <= share)
      return { readMs: periodMs, listMs: undefined };
    if (pool.wantedPerHour <= share) return { readMs: this.#shortMs(target, pool, share), listMs: undefined };
    const lists = this.#listsOf(pool, share);
    const readMs = (Math.max(periodMs, this.#usualMs) * pool.wantedPerHour) / (share - lists);
    const listMs = lists === 0 ? Number.POSITIVE_INFINITY : (pool.pages * hourMs) / lists;
    const project = pool.projects.get(projectId);
    const isUseful = isListed && project !== undefined && pagesOf(project) > 0 && listMs < readMs;
    return { readMs, listMs: isUseful ? listMs : undefined };
  }

  /** The period of a target where only what short periods ask for beyond the others does not fit into the share. */
  #shortMs(target: PlannedTarget, { wantedPerHour, morePerHour }: Pool, share: number): number {
    const more = this.#moreOf(target);
    if (more === 0) return target.periodMs;
    return hourMs / (this.#wantedOf(target) + (more * (share - wantedPerHour)) / morePerHour);
  }

  #wantedOf({ periodMs }: PlannedTarget): number {
    return hourMs / Math.max(periodMs, this.#usualMs);
  }

  #moreOf(target: PlannedTarget): number {
    return hourMs / target.periodMs - this.#wantedOf(target);
  }

  /** Requests an hour for lists. */
  #listsOf({ pages }: Pool, share: number): number {
    return Math.min((pages * hourMs) / this.#listPeriodMs, share * listPart);
  }
}

function isSame(one: PlannedTarget, other: PlannedTarget): boolean {
  return (
    one.pool === other.pool &&
    one.projectId === other.projectId &&
    one.isListed === other.isListed &&
    one.periodMs === other.periodMs
  );
}

function change(pool: Pool, project: Project, apply: () => void): void {
  pool.pages -= pagesOf(project);
  apply();
  pool.pages += pagesOf(project);
}

/** Requests that a list of the project costs; 0 where it is not listed: a read of its only target costs no more. */
function pagesOf({ listed, entries }: Project): number {
  return listed < 2 ? 0 : Math.ceil(Math.max(listed, entries) / pageSize);
}

// Periods that differ by less have the same grid: a target more or less must not move all others.
const stepsPerDoubling = 16;

/**
 * When a target is read next while lists are compared in between, in milliseconds from now; 0 or less: it is due. Each
 * target has a grid of its own over time. So the reads are spread evenly, also of targets that became Ready together, and
 * a program that is restarted often reads each target as often as one that is not.
 *
 * `sinceMs`: since its last read; `undefined`: it was not read since `knownForMs`, when it was first seen.
 */
export function nextReadInMs(options: {
  readonly uid: string;
  readonly readMs: number;
  readonly nowMs: number;
  readonly sinceMs: number | undefined;
  readonly knownForMs: number;
}): number {
  const { uid, readMs, nowMs, sinceMs, knownForMs } = options;
  if (!Number.isFinite(readMs)) return readMs;
  const gridMs = 2 ** (Math.round(Math.log2(readMs) * stepsPerDoubling) / stepsPerDoubling);
  const phase = createHash("sha256").update(uid).digest().readUInt32BE(0) / 2 ** 32;
  const pastMs = (nowMs + phase * gridMs) % gridMs;
  // A point of the grid less than half a period after a read is left out.
  const earliestMs = sinceMs === undefined ? -knownForMs : gridMs / 2 - sinceMs;
  if (-pastMs >= earliestMs) return -pastMs;
  const nextMs = gridMs - pastMs;
  return nextMs >= earliestMs ? nextMs : nextMs + gridMs;
}

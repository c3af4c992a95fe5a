// pure

/**
 * The connections of one account, and which request gets one. Times are monotonic milliseconds.
 *
 *               a place is free, and its project may have one
 *     waiting ──────────────────────────────────────────────▶ running ──▶ over
 *        │                                                       │
 *        └─▶ over: given up, never sent                          └─▶ over: broken off, because it is late, more are late
 *                                                                    than have places, and another project waits
 *
 * A request is late after {@link lateMs}, and then its project is slow: until one of its requests is answered sooner, or
 * for {@link slowForMs}. Of eight places
 *
 *     slow projects have                4, each of them 2
 *     any other project has             6
 *
 * *Promises*
 * - A project that is known to be slow takes nothing from the others: half of the places are out of its reach.
 * - Projects that begin to hang hold all places for `lateMs` at most: then reads in excess of the places of slow projects
 *   are broken off, oldest first, for requests of projects that are not slow. Writes are left alone for
 *   {@link writePatienceMs}: what became of one that is broken off is not known.
 * - So where `n` projects begin to hang at the same moment, a request of another one waits for `lateMs x n / 4` at most,
 *   and for nothing once they are known.
 * - A project is served before those that have more requests under way, and its own in the order of their arrival.
 * - While a request waits, another one is under way.
 */
export interface LaneState<C extends LaneCall> {
  readonly places: number;
  /** Those that have a place, oldest first. */
  readonly running: readonly Running<C>[];
  /** In the order of their arrival. */
  readonly waiting: readonly C[];
  /** Until when a project counts as slow. */
  readonly slowUntilMs: ReadonlyMap<string, number>;
}

/** One request. */
export interface LaneCall {
  /** Requests of one project share its places. */
  readonly project: string;
  /** Nothing changes by it, so it may be sent again. */
  readonly isRead: boolean;
}

interface Running<C extends LaneCall> {
  readonly call: C;
  readonly startedAtMs: number;
}

/** What follows from an event: the state, whom to start and whom to break off. */
export interface LaneStep<C extends LaneCall> {
  readonly state: LaneState<C>;
  readonly started: readonly C[];
  readonly evicted: readonly C[];
}

/** Longer than nearly every response takes, and short for whoever waits. */
export const lateMs = 2_000;

/** How long a write is left alone. Longer than for a read, because its outcome is not known when it is broken off. */
export const writePatienceMs = 10_000;

// One that hung long ago may be fast by now.
const slowForMs = 300_000;

/** How many places there are for whom, out of all. */
export function placesFor(places: number) {
  return {
    /** For all slow projects together. */
    slow: Math.ceil(places / 2),
    eachSlow: Math.max(1, Math.floor(places / 4)),
    /** For any other project: the rest is there at once for the first request of another one. */
    each: Math.max(1, places - 2),
  };
}

/** A lane without requests. */
export function emptyLane<C extends LaneCall>(places: number): LaneState<C> {
  return { places, running: [], waiting: [], slowUntilMs: new Map() };
}

/** A request wants a place. */
export function arrive<C extends LaneCall>(state: LaneState<C>, call: C, nowMs: number): LaneStep<C> {
  return settle({ ...state, waiting: [...state.waiting, call] }, nowMs);
}

/** A request is over, or given up. `isAnswered`: with a complete response. Harmless for one that is not here. */
export function leave<C extends LaneCall>(
  state: LaneState<C>,
  call: C,
  { nowMs, isAnswered }: { readonly nowMs: number; readonly isAnswered: boolean },
): LaneStep<C> {
  const own = state.running.find((one) => one.call === call);
  if (own === undefined) return settle({ ...state, waiting: without(state.waiting, call) }, nowMs);
  const running = without(state.running, own);
  return settle({ ...state, running, slowUntilMs: marked(state, own, { nowMs, isAnswered }) }, nowMs);
}

/** Time has gone by: to be called at {@link dueAtMs}. */
export function settle<C extends LaneCall>(state: LaneState<C>, nowMs: number): LaneStep<C> {
  if (state.waiting.length === 0) return { state, started: [], evicted: [] };
  const first = started(state, nowMs);
  const evicted = excess(first.state, nowMs);
  if (evicted.length === 0) return { ...first, evicted: [] };
  const next = started(broken(first.state, evicted, nowMs), nowMs);
  return {
    state: next.state,
    started: [...first.started, ...next.started],
    evicted: evicted.map(({ call }) => call),
  };
}

/** When the passing of time changes something; `undefined` while nothing waits. */
export function dueAtMs<C extends LaneCall>({ running, waiting }: LaneState<C>, nowMs: number): number | undefined {
  if (waiting.length === 0) return undefined;
  let next: number | undefined;
  for (const one of running) {
    const atMs = one.startedAtMs + (isLate(one, nowMs) ? patienceMs(one.call) : lateMs);
    if (atMs > nowMs && (next === undefined || atMs < next)) next = atMs;
  }
  return next;
}

/** Gives free places to those that wait, as long as one of them may have one. */
function started<C extends LaneCall>(from: LaneState<C>, nowMs: number): Omit<LaneStep<C>, "evicted"> {
  let state = from;
  const calls: C[] = [];
  while (state.waiting.length > 0 && state.running.length < state.places) {
    const call = nextOf(state, nowMs);
    if (call === undefined) break;
    const running = [...state.running, { call, startedAtMs: nowMs }];
    state = { ...state, running, waiting: without(state.waiting, call) };
    calls.push(call);
  }
  return { state, started: calls };
}

/** Of those that may have a place: one of the project with the fewest, and the first of these. */
function nextOf<C extends LaneCall>(state: LaneState<C>, nowMs: number): C | undefined {
  const roomFor = rooms(state, nowMs);
  const seen = new Set<string>();
  let best: { readonly call: C; readonly held: number } | undefined;
  for (const call of state.waiting) {
    if (seen.has(call.project)) continue;
    seen.add(call.project);
    if (roomFor(call.project) === 0) continue;
    const held = heldBy(state, call.project);
    if (held === 0) return call;
    if (best === undefined || held < best.held) best = { call, held };
  }
  return best?.call;
}

/** How many more places a project may have, where they are free. */
function rooms<C extends LaneCall>(state: LaneState<C>, nowMs: number): (project: string) => number {
  const most = placesFor(state.places);
  const heldBySlow = hasSlow(state, nowMs)
    ? state.running.filter(({ call }) => isSlow(state, call.project, nowMs)).length
    : 0;
  return (project) => {
    const held = heldBy(state, project);
    const isOneSlow = isSlow(state, project, nowMs);
    return Math.max(0, isOneSlow ? Math.min(most.eachSlow - held, most.slow - heldBySlow) : most.each - held);
  };
}

/** Late requests to be broken off, so that those of projects that are not slow need not wait for them. */
function excess<C extends LaneCall>(state: LaneState<C>, nowMs: number): readonly Running<C>[] {
  if (state.waiting.length === 0 || state.running.length < state.places) return [];
  const late = state.running.filter((one) => isLate(one, nowMs));
  const count = Math.min(late.length - placesFor(state.places).slow, heldUp(state, nowMs));
  if (count <= 0) return [];
  return late.filter(({ call, startedAtMs }) => nowMs >= startedAtMs + patienceMs(call)).slice(0, count);
}

/** How many requests wait for nothing but a free place. Where more are late than have places, none of a slow project. */
function heldUp<C extends LaneCall>(state: LaneState<C>, nowMs: number): number {
  const roomFor = rooms(state, nowMs);
  const waiting = new Map<string, number>();
  for (const { project } of state.waiting) waiting.set(project, (waiting.get(project) ?? 0) + 1);
  let sum = 0;
  for (const [project, count] of waiting) sum += Math.min(count, roomFor(project));
  return sum;
}

/** The state without these. They are late, so their projects are slow. */
function broken<C extends LaneCall>(state: LaneState<C>, evicted: readonly Running<C>[], nowMs: number): LaneState<C> {
  const running = state.running.filter((one) => !evicted.includes(one));
  const slowUntilMs = new Map(state.slowUntilMs);
  for (const { call } of evicted) slowUntilMs.set(call.project, nowMs + slowForMs);
  return { ...state, running, slowUntilMs };
}

/** What a request that is over shows of its project. One that was short, and not answered, shows nothing. */
function marked<C extends LaneCall>(
  { slowUntilMs }: LaneState<C>,
  one: Running<C>,
  { nowMs, isAnswered }: { readonly nowMs: number; readonly isAnswered: boolean },
): ReadonlyMap<string, number> {
  const { project } = one.call;
  if (isLate(one, nowMs)) {
    const known = [...slowUntilMs].filter(([, untilMs]) => nowMs < untilMs);
    return new Map(known).set(project, nowMs + slowForMs);
  }
  if (!isAnswered || !slowUntilMs.has(project)) return slowUntilMs;
  return new Map([...slowUntilMs].filter(([name]) => name !== project));
}

/** False for nearly every request: no project is slow. */
function hasSlow<C extends LaneCall>({ slowUntilMs, running }: LaneState<C>, nowMs: number): boolean {
  const [oldest] = running;
  return slowUntilMs.size > 0 || (oldest !== undefined && isLate(oldest, nowMs));
}

function isSlow<C extends LaneCall>(state: LaneState<C>, project: string, nowMs: number): boolean {
  if (!hasSlow(state, nowMs)) return false;
  const { slowUntilMs, running } = state;
  if (nowMs < (slowUntilMs.get(project) ?? nowMs)) return true;
  return running.some((one) => one.call.project === project && isLate(one, nowMs));
}

function isLate({ startedAtMs }: Running<LaneCall>, nowMs: number): boolean {
  return nowMs >= startedAtMs + lateMs;
}

function patienceMs({ isRead }: LaneCall): number {
  return isRead ? lateMs : writePatienceMs;
}

function heldBy<C extends LaneCall>({ running }: LaneState<C>, project: string): number {
  let count = 0;
  for (const { call } of running) if (call.project === project) count += 1;
  return count;
}

function without<T>(list: readonly T[], item: T): readonly T[] {
  return list.filter((one) => one !== item);
}

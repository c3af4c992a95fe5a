// pure
import { counted, noneOfAny, type PerClass } from "./ledger-shares.ts";
import type { RequestClass } from "./types.ts";

/*
 * Who spends an account, so that none of them starves: fair queuing without a queue. Nothing waits here; a caller that
 * was refused has a claim instead, from its refusal until a minute after it was to come back.
 *
 * Within a class, and within a window, a caller that was served n times goes behind the claims of those that were served
 * less, each as far as it takes to get level (max-min fairness, as deficit round robin reaches it):
 *
 *     claims before mine = sum over the others of min(waiting, served of mine + 1 - served)
 *
 *     namespace    served   waiting      claims before its next request
 *     a             400       600         min(1, 401 - 0) = 1         one request is left: refused
 *     b               0         1         0                           granted
 *
 * First between namespaces, then between the connections of a namespace in the same way: whoever makes more connections
 * gets no more.
 */

/** Refused requests of one class that were to come back at about the same time: between these (monotonic ms). */
interface Waiting {
  readonly count: number;
  readonly firstDueMs: number;
  readonly lastDueMs: number;
}

/** One that spends: a connection, or a namespace that has none of its own. */
interface Caller {
  /** Requests granted in this window. */
  readonly served: PerClass;
  /** At most {@link mostTimes} each, in the order of their times. */
  readonly waiting: Readonly<Record<RequestClass, readonly Waiting[]>>;
}

/** By name. At most {@link mostCallers} and one. */
export type Callers = ReadonlyMap<string, Caller>;

/** Who wants to send what. */
export interface Call {
  /** `namespace/connection`, or `namespace` where the operator-wide token is spent. */
  readonly who: string;
  readonly class: RequestClass;
}

/**
 * So many callers are known by name, whoever makes however many namespaces and connections. More than that which wait at
 * the same time share one entry, and so one part of what there is; so do those of one namespace beyond {@link mostOfOne}.
 */
export const mostCallers = 200;
const mostOfOne = 20;

// No name has a star.
const theOthers = "*";

// Queues, workers and a busy cluster delay those that come back; one that does not come gives its claim up.
const graceMs = 60_000;

// A claim that is due later holds back none that ask now: it would leave requests unused in the meantime.
const soonMs = 60_000;

// In a moment, when others have given up, in the next window: more are taken together.
const mostTimes = 4;

const unknown: Caller = { served: noneOfAny, waiting: { change: [], run: [], observe: [] } };

/** A caller asks for `count` requests. If it was refused before and is due, it comes back, and its claim ends. */
export function arrived(callers: Callers, call: Call, nowMs: number, count = 1): Callers {
  const key = keyOf(callers, call.who);
  const caller = callers.get(key);
  if (caller === undefined) return callers;
  const claims = caller.waiting[call.class].filter((claim) => !isOver(claim, nowMs));
  const due = claims.find(({ firstDueMs }) => firstDueMs <= nowMs);
  if (due === undefined) return callers;
  const left = claims.flatMap((claim) => {
    if (claim !== due) return claim;
    return claim.count <= count ? [] : { ...claim, count: claim.count - count };
  });
  return written(callers, key, withWaiting(caller, call.class, left));
}

/** `count` requests were refused together (default 1), and are to come back between these times. */
export function refused(
  callers: Callers,
  call: Call,
  due: { readonly nowMs: number; readonly firstMs: number; readonly lastMs: number; readonly count?: number },
): Callers {
  const room = makeRoom(callers, call.who, due.nowMs);
  const key = keyOf(room, call.who);
  const caller = room.get(key) ?? unknown;
  const claims = caller.waiting[call.class].filter((claim) => !isOver(claim, due.nowMs));
  const claim: Waiting = { count: due.count ?? 1, firstDueMs: due.firstMs, lastDueMs: due.lastMs };
  return written(room, key, withWaiting(caller, call.class, withClaim(claims, claim)));
}

/** Claims of about the same time are one; and the last ones are, where there are too many times. */
function withClaim(claims: readonly Waiting[], claim: Waiting): readonly Waiting[] {
  const sorted = [...claims, claim].sort((left, right) => left.firstDueMs - right.firstDueMs);
  const merged: Waiting[] = [];
  for (const one of sorted) {
    const last = merged.at(-1);
    if (last === undefined || (one.firstDueMs > last.lastDueMs && merged.length < mostTimes)) merged.push(one);
    else merged[merged.length - 1] = joined(last, one);
  }
  return merged;
}

function joined(left: Waiting, right: Waiting): Waiting {
  const lastDueMs = Math.max(left.lastDueMs, right.lastDueMs);
  return { count: left.count + right.count, firstDueMs: left.firstDueMs, lastDueMs };
}

/** A request was granted (`by` 1), or a granted one was given back (-1). */
export function served(callers: Callers, call: Call, { nowMs, by }: { readonly nowMs: number; readonly by: 1 | -1 }) {
  const room = makeRoom(callers, call.who, nowMs);
  const key = keyOf(room, call.who);
  const caller = room.get(key) ?? unknown;
  return written(room, key, { ...caller, served: counted(caller.served, call.class, by) });
}

/** A new window: what was granted in the last one counts no more, and who waits still waits. */
export function inNewWindow(callers: Callers, nowMs: number): Callers {
  const waiting = [...callers].filter(([, caller]) => isWaiting(caller, nowMs));
  return new Map(waiting.map(([who, caller]) => [who, { ...caller, served: noneOfAny }]));
}

/** How many requests of the class others have a claim to before this one. */
export function claimsBefore(callers: Callers, call: Call, nowMs: number): number {
  return claimsOfOthers(callers, call, { ahead: 0, isCounted: (claim) => isSoon(claim, nowMs) });
}

/** The place of a refused request among all that wait in its class, from 0: those of its own caller are before it. */
export function placeOf(callers: Callers, call: Call, nowMs: number): number {
  const own = callers.get(keyOf(callers, call.who)) ?? unknown;
  const ahead = countOf(own.waiting[call.class], (claim) => !isOver(claim, nowMs));
  return ahead + claimsOfOthers(callers, call, { ahead, isCounted: (claim) => !isOver(claim, nowMs) });
}

/** What was served to one of two sides, and what waits. */
interface Side {
  served: number;
  waiting: number;
}

/** See the head of this file. `ahead`: requests of the caller itself that go before. */
function claimsOfOthers(
  callers: Callers,
  call: Call,
  { ahead, isCounted }: { readonly ahead: number; readonly isCounted: (claim: Waiting) => boolean },
): number {
  if (!isAnyWaiting(callers, call.class)) return 0;
  const key = keyOf(callers, call.who);
  const own: Side = { served: 0, waiting: 0 };
  const ownNamespace: Side = { served: 0, waiting: 0 };
  const neighbors: Side[] = [];
  const namespaces = new Map<string, Side>();
  for (const [who, { served: granted, waiting }] of callers) {
    const side = { served: granted[call.class], waiting: countOf(waiting[call.class], isCounted) };
    const isNeighbor = namespaceOf(who) === namespaceOf(key);
    if (who === key) own.served = side.served;
    else if (isNeighbor) neighbors.push(side);
    add(isNeighbor ? ownNamespace : sideOf(namespaces, namespaceOf(who)), side);
  }
  const before = (mine: Side, others: Iterable<Side>): number => {
    let sum = 0;
    for (const other of others) sum += Math.min(other.waiting, Math.max(0, mine.served + ahead + 1 - other.served));
    return sum;
  };
  return before(own, neighbors) + before(ownNamespace, namespaces.values());
}

/** False for nearly every request: none was refused. */
function isAnyWaiting(callers: Callers, requestClass: RequestClass): boolean {
  for (const { waiting } of callers.values()) if (waiting[requestClass].length > 0) return true;
  return false;
}

function sideOf(sides: Map<string, Side>, name: string): Side {
  const known = sides.get(name) ?? { served: 0, waiting: 0 };
  sides.set(name, known);
  return known;
}

function add(sum: Side, side: Side): void {
  sum.served += side.served;
  sum.waiting += side.waiting;
}

/** How many requests of these classes wait and are to come back soon, whoever waits. */
export function waitingIn(callers: Callers, classes: readonly RequestClass[], nowMs: number): number {
  let sum = 0;
  for (const { waiting } of callers.values()) {
    for (const requestClass of classes) sum += countOf(waiting[requestClass], (claim) => isSoon(claim, nowMs));
  }
  return sum;
}

/** How many requests wait, whoever waits and until whenever. */
export function allWaiting(callers: Callers, nowMs: number): number {
  let sum = 0;
  for (const { waiting } of callers.values()) {
    for (const claims of Object.values(waiting)) sum += countOf(claims, (claim) => !isOver(claim, nowMs));
  }
  return sum;
}

/**
 * In how many milliseconds all claims are over that hold a request back, where their callers do not come: those of
 * `moreUrgent` classes, and those of others in its own; 0 without any.
 */
export function untilClaimsLapseMs(
  callers: Callers,
  call: Call,
  { moreUrgent, nowMs }: { readonly moreUrgent: readonly RequestClass[]; readonly nowMs: number },
): number {
  const key = keyOf(callers, call.who);
  let lastMs = nowMs;
  for (const [who, { waiting }] of callers) {
    for (const requestClass of who === key ? moreUrgent : [...moreUrgent, call.class]) {
      const soon = waiting[requestClass].filter((claim) => isSoon(claim, nowMs));
      lastMs = soon.reduce((last, { lastDueMs }) => Math.max(last, lastDueMs + graceMs), lastMs);
    }
  }
  return lastMs - nowMs;
}

/** Makes room for a new caller: one that does not wait is forgotten, the least served first. */
function makeRoom(callers: Callers, who: string, nowMs: number): Callers {
  if (keyOf(callers, who) !== theOthers) return callers;
  const idle = [...callers].filter(([name, caller]) => name !== theOthers && !isWaiting(caller, nowMs));
  const total = ({ served: { change, run, observe } }: Caller) => change + run + observe;
  const [least] = idle.sort(([, left], [, right]) => total(left) - total(right));
  if (least === undefined) return callers;
  const room = new Map(callers);
  room.delete(least[0]);
  return room;
}

/** The entry of a caller: its own; that of its namespace, which has many; or that of all for which there is no room. */
function keyOf(callers: Callers, who: string): string {
  if (callers.has(who) || callers.size < mostOfOne) return who;
  const namespace = namespaceOf(who);
  let count = 0;
  for (const name of callers.keys()) if (namespaceOf(name) === namespace) count += 1;
  const own = count < mostOfOne ? who : `${namespace}/${theOthers}`;
  return callers.has(own) || callers.size < mostCallers ? own : theOthers;
}

function namespaceOf(who: string): string {
  const end = who.indexOf("/");
  return end < 0 ? who : who.slice(0, end);
}

function written(callers: Callers, key: string, caller: Caller): Callers {
  return new Map(callers).set(key, caller);
}

function withWaiting(caller: Caller, requestClass: RequestClass, waiting: readonly Waiting[]): Caller {
  return { ...caller, waiting: { ...caller.waiting, [requestClass]: waiting } };
}

function isWaiting({ waiting }: Caller, nowMs: number): boolean {
  return Object.values(waiting).some((claims) => claims.some((claim) => !isOver(claim, nowMs)));
}

function countOf(claims: readonly Waiting[], isCounted: (claim: Waiting) => boolean): number {
  return claims.reduce((sum, claim) => (isCounted(claim) ? sum + claim.count : sum), 0);
}

function isOver({ lastDueMs }: Waiting, nowMs: number): boolean {
  return nowMs >= lastDueMs + graceMs;
}

function isSoon(claim: Waiting, nowMs: number): boolean {
  return claim.firstDueMs <= nowMs + soonMs && !isOver(claim, nowMs);
}

import { isKubeError, type KubeError } from "../kube/errors.ts";
import type { Clock } from "../util/clock.ts";
import type { Log } from "../util/log.ts";
import {
  type Access,
  describeFault,
  type Fault,
  faultOf,
  keysDisproved,
  missingIn,
  namespaceOf,
  placeOf,
  type Remedies,
} from "./installation-fault.ts";
import type { Check } from "./manager.ts";
import type { Explanation } from "./outcome.ts";

export interface InstallationOptions {
  readonly remedies: Remedies;
  readonly clock: Clock;
  readonly log: Log;
}

interface Known {
  fault: Fault;
  /** `unknown`: another fault hides whether it is still there. `gone`: it was disproved. */
  state: "met" | "unknown" | "gone";
  /** Since when it is met without a break. */
  sinceMs: number;
  lastMs: number;
  /** It has lasted for so long that it counts. */
  isTold: boolean;
  /** The last line about it says that it is there: one that says otherwise is owed. */
  isOpen: boolean;
  warnedMs: number;
  changedMs: number;
  /** What was missing when it was disproved. */
  repaired: string;
  /** Where it was seen, and when last, the oldest first; see `placeOf`. */
  readonly places: Map<string, number>;
  /** There were more places than are kept. */
  isCut: boolean;
}

// Often enough to be found in the log of an hour, seldom enough to be no noise.
const repeatMs = 600_000;
// A fault that comes and goes is there; it is over when no call has met it for so long.
const quietMs = 60_000;
// What no call has met for so long was repaired, or does not matter: an Event, say, or an object that is gone.
const staleMs = 3_600_000;
// Maximum number that is kept; more of them add nothing.
const maxPlaces = 1_000;
// A restarted API server refuses what it will allow again as soon as its caches are filled.
const forbiddenAfterLossMs = 60_000;

/**
 * What is wrong with the installation, as the calls to the API server show it: a CRD that is missing or old, a permission
 * that is missing, a server that does not answer.
 *
 * *Guarantees*: one line in the log when a fault appears, one when it is gone and was not met for a minute, and one every
 * ten minutes while it is met; never one per object or call. However often a fault comes and goes, it is logged once in
 * ten minutes, once more when the fields that CRDs lack have changed, and each time at most one repair follows. Readiness
 * says what is missing at the moment. A 403 within a minute of a lost connection is no fault. A call that goes well while
 * nothing is wrong costs nothing.
 */
export class Installation {
  readonly #options: InstallationOptions;
  readonly #known = new Map<string, Known>();
  #lostConnectionMs = Number.NEGATIVE_INFINITY;

  constructor(options: InstallationOptions) {
    this.#options = options;
  }

  /** A call went well. */
  worked(access: Access): void {
    if (this.#known.size === 0) return;
    const nowMs = this.#options.clock.monotonic();
    this.#disprove(access, nowMs);
    this.#settle(nowMs);
  }

  /** A call failed. */
  failed(access: Access, error: unknown): void {
    if (!isKubeError(error)) return;
    const nowMs = this.#options.clock.monotonic();
    this.#disprove(access, nowMs, error);
    if (error.code === "unavailable" && error.httpStatus === undefined) this.#lostConnectionMs = nowMs;
    const isPassing = error.code === "forbidden" && nowMs - this.#lostConnectionMs < forbiddenAfterLossMs;
    const fault = isPassing ? undefined : faultOf(access, error, this.#options.remedies);
    if (fault === undefined) this.#settle(nowMs);
    else this.raise(fault);
  }

  /** The fault is there, once more. */
  raise(fault: Fault): void {
    const nowMs = this.#options.clock.monotonic();
    const known = this.#known.get(fault.key) ?? this.#remember(fault, nowMs);
    const isOther = known.fault.missing !== fault.missing;
    met(known, fault, nowMs);
    for (const key of fault.replaces ?? []) this.#replace(key, fault.place ?? "");
    this.#settle(nowMs);
    if (nowMs - known.sinceMs < fault.toleranceMs || this.#isCovered(fault)) return;
    known.isTold = true;
    // The words of an error may differ each time: another list of fields does matter.
    const isChanged = isOther && fault.kind === "schemas" && nowMs - known.changedMs >= repeatMs;
    if (!isChanged && nowMs - known.warnedMs < repeatMs) return;
    if (nowMs - known.warnedMs < repeatMs) known.changedMs = nowMs;
    known.warnedMs = nowMs;
    known.isOpen = true;
    this.#options.log.warn({ missing: missingOf(known), remedy: fault.remedy }, "installation incomplete");
  }

  /** The fault is there no more. */
  clear(key: string): void {
    const known = this.#known.get(key);
    if (known === undefined) return;
    gone(known);
    this.#settle(this.#options.clock.monotonic());
  }

  /**
   * The same words for an error as in the log. With `access` more is explained: then it is known which kind was asked
   * for.
   */
  readonly explain = (error: unknown, access?: Access): Explanation | undefined => {
    if (!isKubeError(error)) return undefined;
    const fault = faultOf(access, error, this.#options.remedies);
    if (fault === undefined) return undefined;
    const isLogged = this.#isTold(fault.key) || this.#isCovered(fault);
    return { text: `missing ${describeFault(fault)}`, isLogged };
  };

  /**
   * What readiness says of all this, but for what the other checks say already. It makes nothing unready: what cannot
   * work without has a check of its own.
   */
  checks(others: readonly Check[]): readonly Check[] {
    this.#settle(this.#options.clock.monotonic());
    const said = others.map(({ reason }) => reason).filter((reason) => reason !== "");
    const unsaid = [...this.#known.values()].filter((known) => isTold(known) && !this.#isSaid(known, said));
    return [{ name: "installation", ok: true, reason: unsaid.map(textOf).join("; ") }];
  }

  /** Whether these texts say of each namespace that the fault is there; one that it covers says as much. */
  #isSaid({ fault, places, isCut }: Known, texts: readonly string[]): boolean {
    if (texts.length === 0 || isCut) return false;
    const covered = [...this.#known.values()].filter((other) => other.fault.coveredBy === fault.key);
    const words = [fault, ...covered.map((other) => other.fault)];
    return [...places.keys()].map(namespaceOf).every((namespace) => {
      const ways = words.map((each) => describeFault(each.namespace === undefined ? each : { ...each, namespace }));
      return ways.some((way) => texts.some((text) => text.includes(way)));
    });
  }

  #isCovered({ coveredBy }: Fault): boolean {
    return coveredBy !== undefined && this.#isTold(coveredBy);
  }

  #isTold(key: string): boolean {
    const known = this.#known.get(key);
    return known !== undefined && isTold(known);
  }

  #remember(fault: Fault, nowMs: number): Known {
    const known: Known = {
      fault,
      state: "met",
      sinceMs: nowMs,
      lastMs: nowMs,
      isTold: false,
      isOpen: false,
      warnedMs: Number.NEGATIVE_INFINITY,
      changedMs: Number.NEGATIVE_INFINITY,
      repaired: "",
      places: new Map(),
      isCut: false,
    };
    this.#known.set(fault.key, known);
    return known;
  }

  #disprove(access: Access, nowMs: number, error?: KubeError): void {
    for (const key of keysDisproved(access, error)) {
      const known = this.#known.get(key);
      if (known === undefined || known.state === "gone") continue;
      // Allowed for one object or namespace says nothing about another one; allowed for all says it of each.
      const isOfOne = access.namespace !== undefined || access.name !== undefined;
      if (known.fault.namespace === undefined || !isOfOne || isLast(known, placeOf(access))) gone(known);
      else known.places.delete(placeOf(access));
      // Of those that are not kept nothing is known but that no call meets them.
      if (known.isCut && nowMs - known.lastMs >= repeatMs) gone(known);
    }
  }

  /** A newer fault hides whether this one is still there, in one place. */
  #replace(key: string, place: string): void {
    const known = this.#known.get(key);
    if (known?.state !== "met") return;
    if (isLast(known, place)) known.state = "unknown";
    else known.places.delete(place);
  }

  /** Logs what is over by now, and forgets what is too old to matter. */
  #settle(nowMs: number): void {
    for (const [key, known] of this.#known) {
      for (const [place, lastMs] of known.places) {
        if (nowMs - lastMs < staleMs) break;
        known.places.delete(place);
      }
      if (nowMs - known.lastMs >= staleMs) known.isCut = false;
      if (known.isCut && known.places.size === 0 && nowMs - known.lastMs >= repeatMs) gone(known);
      if (known.state === "gone") this.#settleGone(known, nowMs);
      const isOver = known.state === "gone" ? !known.isOpen : known.places.size === 0 && !known.isCut;
      // Until then it is known when there was a line about it.
      if (isOver && nowMs - known.warnedMs >= repeatMs) this.#known.delete(key);
    }
  }

  #settleGone(known: Known, nowMs: number): void {
    if (!known.isOpen || nowMs - known.lastMs < quietMs) return;
    known.isOpen = false;
    this.#options.log.info({ missing: known.repaired }, "installation repaired");
  }
}

function met(known: Known, fault: Fault, nowMs: number): void {
  if (known.state !== "met") {
    known.state = "met";
    known.sinceMs = nowMs;
    known.isTold = false;
    known.places.clear();
  }
  known.fault = fault;
  known.lastMs = nowMs;
  const place = fault.place ?? "";
  known.places.delete(place);
  known.places.set(place, nowMs);
  if (known.places.size <= maxPlaces) return;
  known.isCut = true;
  for (const oldest of known.places.keys()) {
    known.places.delete(oldest);
    break;
  }
}

function gone(known: Known): void {
  if (known.state === "gone") return;
  known.repaired = missingOf(known);
  known.state = "gone";
  known.places.clear();
  known.isCut = false;
}

function isTold(known: Known): boolean {
  return known.state === "met" && known.isTold;
}

function isLast({ places, isCut }: Known, place: string): boolean {
  return !isCut && places.size === 1 && places.has(place);
}

function missingOf({ fault, places, isCut }: Known): string {
  return missingIn(fault, [...new Set([...places.keys()].map(namespaceOf))].sort(), isCut);
}

/** The words of the log, with the remedy. */
function textOf(known: Known): string {
  return `missing ${missingOf(known)}. ${known.fault.remedy}`;
}

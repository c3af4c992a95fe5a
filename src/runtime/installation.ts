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
  readonly sinceMs: number;
  lastMs: number;
  /** When the log was told last. */
  loggedMs: number | undefined;
  /** Where it was seen; an empty text stands for all namespaces. */
  readonly namespaces: Set<string>;
}

// Often enough to be found in the log of an hour, seldom enough to be no noise.
const repeatMs = 600_000;
// What nobody has met for so long was repaired, or does not matter: an Event, say, or an object that is gone.
const staleMs = 3_600_000;
// As many are counted; more of them tell nothing new.
const maxNamespaces = 1_000;
// A restarted API server refuses what it will allow again as soon as its caches are filled.
const forbiddenAfterLossMs = 60_000;

/**
 * What is wrong with the installation, as the calls to the API server show it: a CRD that is missing or old, a permission
 * that is missing, a server that does not answer.
 *
 * *Guarantees*: one line in the log when a fault appears, one when it is gone, and one every ten minutes while it is met;
 * never one per object or call. A 403 within a minute of a lost connection is no fault. A call that goes well while
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
    if (this.#known.size > 0) this.#disprove(access);
  }

  /** A call failed. */
  failed(access: Access, error: unknown): void {
    if (!isKubeError(error)) return;
    const nowMs = this.#options.clock.monotonic();
    this.#disprove(access, error);
    if (error.code === "unavailable" && error.httpStatus === undefined) this.#lostConnectionMs = nowMs;
    if (error.code === "forbidden" && nowMs - this.#lostConnectionMs < forbiddenAfterLossMs) return;
    const fault = faultOf(access, error, this.#options.remedies);
    if (fault !== undefined) this.raise(fault);
  }

  /** The fault is there, once more. */
  raise(fault: Fault): void {
    const nowMs = this.#options.clock.monotonic();
    this.#forgetStale(nowMs);
    const known = this.#known.get(fault.key) ?? this.#remember(fault, nowMs);
    const isOther = known.fault.missing !== fault.missing;
    known.fault = fault;
    known.lastMs = nowMs;
    if (known.namespaces.size < maxNamespaces) known.namespaces.add(fault.namespace ?? "");
    if (nowMs - known.sinceMs < fault.toleranceMs || this.#isCovered(fault)) return;
    // The words of an error may differ each time: another list of fields does matter.
    const isNew = known.loggedMs === undefined || (isOther && fault.kind === "schemas");
    if (!isNew && nowMs - (known.loggedMs ?? 0) < repeatMs) return;
    known.loggedMs = nowMs;
    this.#options.log.warn(this.#factsOf(known), "installation incomplete");
  }

  /** The fault is there no more. */
  clear(key: string): void {
    const known = this.#known.get(key);
    if (known === undefined) return;
    this.#known.delete(key);
    if (known.loggedMs === undefined) return;
    const { missing } = this.#factsOf(known);
    this.#options.log.info({ missing }, "installation repaired");
  }

  /**
   * The same words for an error as in the log. With `access` more is explained: then it is known which kind was asked for.
   */
  readonly explain = (error: unknown, access?: Access): Explanation | undefined => {
    if (!isKubeError(error)) return undefined;
    const fault = faultOf(access, error, this.#options.remedies);
    if (fault === undefined) return undefined;
    const isLogged = this.#isLogged(fault.key) || this.#isCovered(fault);
    return { text: `missing ${describeFault(fault, [fault.namespace ?? ""])}`, isLogged };
  };

  /**
   * What readiness says of all this, but for what the other checks say already. It makes nothing unready: what cannot work
   * without has a check of its own.
   */
  checks(others: readonly Check[]): readonly Check[] {
    this.#forgetStale(this.#options.clock.monotonic());
    const told = [...this.#known.values()].filter(({ loggedMs }) => loggedMs !== undefined);
    const reasons = told
      .map(({ fault, namespaces }) => describeFault(fault, namespaces))
      .filter((text) => !others.some(({ reason }) => reason.includes(text)));
    return (reasons.length === 0 ? [""] : reasons).map((reason) => ({ name: "installation", ok: true, reason }));
  }

  #isCovered({ coveredBy }: Fault): boolean {
    return coveredBy !== undefined && this.#isLogged(coveredBy);
  }

  #isLogged(key: string): boolean {
    return this.#known.get(key)?.loggedMs !== undefined;
  }

  #remember(fault: Fault, nowMs: number): Known {
    const known = { fault, sinceMs: nowMs, lastMs: nowMs, loggedMs: undefined, namespaces: new Set<string>() };
    this.#known.set(fault.key, known);
    return known;
  }

  #disprove(access: Access, error?: KubeError): void {
    for (const key of keysDisproved(access, error)) {
      const known = this.#known.get(key);
      if (known === undefined) continue;
      // Allowed in one namespace says nothing about another one; allowed in all says it of each.
      const { namespaces } = known;
      const isOfOne = known.fault.namespace !== undefined && access.namespace !== undefined;
      const isLast = namespaces.size === 1 && namespaces.has(access.namespace ?? "");
      if (isLast || !isOfOne) this.clear(key);
      else namespaces.delete(access.namespace ?? "");
    }
  }

  #forgetStale(nowMs: number): void {
    for (const [key, { lastMs }] of this.#known) if (nowMs - lastMs >= staleMs) this.#known.delete(key);
  }

  #factsOf({ fault, namespaces }: Known): { readonly missing: string; readonly remedy: string } {
    return { missing: missingIn(fault, namespaces), remedy: fault.remedy };
  }
}

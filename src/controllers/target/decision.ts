// pure
import type { Random } from "../../util/random.ts";
import type { EventDraft } from "../reconcile/events.ts";
import type { FailureRecord } from "../reconcile/failure.ts";
import type { ConditionUpdate, ReadyState } from "../reconcile/ready-state.ts";
import type { Requeue } from "../reconcile/requeue.ts";
import type { Ages } from "../reconcile/stopwatch.ts";

/** What a decision may know, whatever the kind. T: the object; O: what was observed. */
export interface TargetInput<T, O> {
  readonly object: T;
  readonly observation: O;
  /** Wall clock, milliseconds since the epoch: for what people read. */
  readonly now: number;
  /** How long ago the times in the status are, as this process has measured it. */
  readonly ages?: Ages;
  readonly random: Random;
}

/** What a reconcile has to do. C: what it concludes; X: what it sends; N: what it may need first. */
export type TargetDecision<C, X, N = never> =
  | Need<N>
  /** Nothing to do and nothing to say. */
  | { readonly kind: "rest"; readonly dueInMs: number }
  | Concluded<C>
  | { readonly kind: "write"; readonly change: X };

/** To be read before anything is decided. */
type Need<N> = [N] extends [never] ? never : { readonly kind: "need"; readonly need: N };

/** Nothing is sent. `sawDrift`: the target was found different from what had been applied. */
interface Concluded<C> {
  readonly kind: "conclude";
  readonly conclusion: C;
  readonly sawDrift: boolean;
}

export function conclude<C>(conclusion: C, sawDrift = false): Concluded<C> {
  return { kind: "conclude", conclusion, sawDrift };
}

/** What a reconcile concluded, before it is spelled as status, Events and an outcome. Kinds add claims of their own. */
export interface TargetConclusion {
  readonly readyState: ReadyState;
  readonly inSync: ConditionUpdate;
  /** Status fields of the kind. A field that is there replaces the old one; `undefined` removes it. */
  readonly stated: object;
  readonly failure: FailureRecord | undefined;
  readonly next: Requeue;
  /** Events beyond the transition to Stalled, which every kind reports by itself. */
  readonly events: readonly EventDraft[];
  /** Ready was about the same spec before, whatever its generation; `undefined`: only the generation shows it. */
  readonly sameDesire: boolean | undefined;
}

/** Fields of a status S that a conclusion may state. */
export type Stated<S, K extends keyof S> = { readonly [F in K]?: S[F] | undefined };

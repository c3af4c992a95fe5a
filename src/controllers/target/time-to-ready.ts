import { findCondition } from "../../runtime/conditions.ts";
import type { ObjectKey } from "../../runtime/outcome.ts";
import type { TargetObject } from "./object.ts";

/** When a new spec was first seen, until it is Ready: for the metric alone, so a restart may forget it. */
export class NewSpecs {
  readonly #since = new Map<ObjectKey, { readonly generation: number | undefined; readonly sinceMs: number }>();

  saw(key: ObjectKey, { metadata, status }: TargetObject, nowMs: number): void {
    const { generation } = metadata;
    if (status?.observedGeneration === generation || this.#since.get(key)?.generation === generation) return;
    this.#since.set(key, { generation, sinceMs: nowMs });
  }

  judge(key: ObjectKey, object: TargetObject | undefined, isReady: (sinceMs: number) => void): void {
    const known = this.#since.get(key);
    if (known === undefined || object === undefined) return;
    // Not isSettled: an edit during the reconcile must not hide that the generation before it became Ready.
    const ready = findCondition(object.status?.conditions, "Ready");
    if (ready?.status !== "True" || ready.observedGeneration !== known.generation) return;
    this.#since.delete(key);
    isReady(known.sinceMs);
  }

  forget(key: ObjectKey): void {
    this.#since.delete(key);
  }
}

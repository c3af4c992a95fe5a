import type { ObjectKey } from "../../runtime/outcome.ts";
import { isSettled } from "../reconcile/ready-state.ts";
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
    if (object.metadata.generation !== known.generation || !isSettled(object)) return;
    this.#since.delete(key);
    isReady(known.sinceMs);
  }

  forget(key: ObjectKey): void {
    this.#since.delete(key);
  }
}

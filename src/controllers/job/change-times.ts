import type { NorthflankJob } from "../../api/job.ts";
import { type ObjectKey, objectKey } from "../../runtime/outcome.ts";
import type { Clock } from "../../util/clock.ts";

interface Entry {
  readonly uid: string | undefined;
  /** `status.history[0].time` */
  readonly time: string;
  readonly sinceMs: number;
}

/**
 * How long ago the newest change of each object was sent, on the monotonic clock: the times in status are of wall clocks,
 * which jump, and of other nodes. A change of another process counts from when this one first saw it.
 */
export class ChangeTimes {
  readonly #clock: Clock;
  readonly #entries = new Map<ObjectKey, Entry>();

  constructor({ clock }: { readonly clock: Clock }) {
    this.#clock = clock;
  }

  /** Milliseconds since the newest change; `undefined` when there was none. */
  elapsedMs(object: NorthflankJob): number | undefined {
    const time = object.status?.history?.[0]?.time;
    if (time === undefined) return undefined;
    const known = this.#entries.get(objectKey(object.metadata));
    const isSame = known?.time === time && known.uid === object.metadata.uid;
    return isSame ? this.#clock.monotonic() - known.sinceMs : this.saw(object, time);
  }

  /** A change with this time in the history was sent just now, or is seen for the first time. */
  saw({ metadata }: NorthflankJob, time: string): number {
    this.#entries.set(objectKey(metadata), { uid: metadata.uid, time, sinceMs: this.#clock.monotonic() });
    return 0;
  }

  /** Forgets an object that is gone. */
  forget(key: ObjectKey): void {
    this.#entries.delete(key);
  }
}

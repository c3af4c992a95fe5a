import type { NorthflankJobRun } from "../../api/job-run.ts";
import type { Reservation } from "../../northflank/ledger.ts";
import type { ObjectKey } from "../../runtime/outcome.ts";
import type { Account } from "../shared/accounts.ts";
import type { Attempt, StartRecord } from "./machine.ts";

/**
 * What one process knows of one run beyond the object. Everything here may be lost in a crash: it saves requests and
 * keeps answers that could not be written yet, but no promise rests on it. Monotonic times in milliseconds.
 */
export interface RunMemory {
  readonly uid: string;
  /** A run that is known, but not in the status yet. */
  unsavedAttempt?: Attempt | undefined;
  /** How starts ended, by id, where that may not be in `status.start` yet. */
  readonly endedStarts: Map<string, StartRecord>;
  /** Northflank's clock as it was read once: `serverMs` at `atMs`. */
  serverClock?: { readonly serverMs: number; readonly atMs: number } | undefined;
  /** When this process first saw the start of this id unresolved. */
  unresolvedSince?: { readonly startId: string; readonly atMs: number } | undefined;
  /** When a read-back first found no candidate for the start of this id. */
  firstEmptyRead?: { readonly startId: string; readonly atMs: number } | undefined;
  /** Set aside for reading back a start whose answer was lost. */
  readBack?: Reservation | undefined;
  /** When the first run started, on this process's monotonic clock. */
  startedAtMs?: number | undefined;
  /** When this process first saw that the run of this attempt had failed and another is to follow. */
  failedSince?: { readonly number: number; readonly atMs: number } | undefined;
  /** Starts in a row that were given up because the object was not what the pass took it for. */
  outdatedStarts: number;
  /** Reads in a row that did not find the run. */
  missingReads: number;
  /** When the abort of the run of this id was last sent. */
  abortSent?: { readonly runId: string; readonly atMs: number } | undefined;
  /** When the wish to abort was first seen, whether or not that is in the status yet. */
  abortRequestedTime?: string | undefined;
  /** It was written to the status, whether or not the API server kept it. */
  isAbortRecorded?: boolean | undefined;
  /** Nothing is done before `untilMs`: the API server does not store what this operator relies on. */
  heldBack?: { readonly untilMs: number; readonly wants: string } | undefined;
  /** No call to Northflank before `untilMs`, unless something that matters has changed. */
  pause?: Pause | undefined;
  /** The account that the run was last found to belong to. */
  account?: Account | undefined;
  /** The last look for a duplicate has been made. */
  isDuplicateWatchOver?: boolean | undefined;
}

/** See {@link RunMemory.pause}. */
export interface Pause {
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly fingerprint: string;
  /** The reconcile request that was answered by the look before. */
  readonly request: string | undefined;
  readonly account: Account | undefined;
}

/** One {@link RunMemory} per object, by uid: an object that was made again starts with an empty one. */
export class RunMemories {
  readonly #byKey = new Map<ObjectKey, RunMemory>();

  of(key: ObjectKey, object: NorthflankJobRun): RunMemory {
    const uid = object.metadata.uid ?? "";
    const known = this.#byKey.get(key);
    if (known?.uid === uid) return known;
    this.forget(key);
    const memory: RunMemory = { uid, endedStarts: new Map(), outdatedStarts: 0, missingReads: 0 };
    this.#byKey.set(key, memory);
    return memory;
  }

  /** What is known of an object, without making anything up. */
  peek(key: ObjectKey): RunMemory | undefined {
    return this.#byKey.get(key);
  }

  forget(key: ObjectKey): void {
    this.#byKey.get(key)?.readBack?.release();
    this.#byKey.delete(key);
  }
}

/** The object as it will be once what this process knows is written down. */
export function withUnsaved(object: NorthflankJobRun, memory: RunMemory): NorthflankJobRun {
  const { unsavedAttempt: attempt } = memory;
  const record = object.status?.start;
  const ended = memory.endedStarts.get(record?.id ?? "");
  // Once it is written down, what Kubernetes says counts: a record may be opened again.
  const start = record?.outcome === "Pending" ? ended : undefined;
  if (attempt === undefined && start === undefined) return object;
  const known = object.status?.attempts ?? [];
  const isNew = attempt !== undefined && !known.some(({ number }) => number === attempt.number);
  return {
    ...object,
    status: {
      observedGeneration: -1,
      ...object.status,
      ...(start === undefined ? {} : { start }),
      ...(isNew ? { attempts: [...known, attempt].slice(-maxAttempts), runId: attempt.runId } : {}),
    },
  };
}

/** As many attempts as the status keeps. */
export const maxAttempts = 10;

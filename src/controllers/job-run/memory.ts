import type { NorthflankJobRun } from "../../api/job-run.ts";
import type { NorthflankError } from "../../northflank/errors.ts";
import type { Reservation } from "../../northflank/ledger.ts";
import type { ObjectKey } from "../../runtime/outcome.ts";
import { present } from "../../util/present.ts";
import type { Account } from "../account/accounts.ts";
import type { EventDraft } from "../reconcile/events.ts";
import type { Sighting } from "./age.ts";
import type { RunStatus } from "./conclusion.ts";
import type { StartRecord } from "./start-record.ts";

/**
 * What one process knows of one run beyond the object. Everything here may be lost in a crash: it saves requests and
 * keeps answers that could not be written yet, but no promise rests on it. Monotonic times in milliseconds.
 */
export interface RunMemory {
  readonly uid: string;
  /** What a status write that failed should have said: everything that was learned, until it is written down. */
  unsaved?: UnsavedStatus | undefined;
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
  /** When things began that deadlines count from, by the wall clock. */
  readonly sightings: Map<string, Sighting>;
  /** When this process last saw that they had not begun. */
  readonly absences: Map<string, number>;
  /** When the first run started, by Northflank's clock, or because this very process started it. */
  started?: Sighting | undefined;
  /** The run that was seen to be active after its deadline. */
  overdueRunId?: string | undefined;
  /** Starts in a row that were given up: the object was not what the pass took it for, or the gate was closed. */
  givenUpStarts: number;
  /** When the wish to abort was first seen, as it was written to the status, whether or not the API server kept it. */
  abortRequestedTime?: string | undefined;
  /** Nothing is done before `untilMs`: the API server does not store what this operator relies on. */
  heldBack?: { readonly untilMs: number; readonly wants: string } | undefined;
  /** Passes in a row after which something was left to be written, because somebody else wrote first. */
  unsettled: number;
  /** Passes in a row that asked to come back at once. */
  agains: number;
  /** Since when no read has found the run of this id. */
  missing?: { readonly runId: string; readonly sinceMs: number; readonly isListCut?: true } | undefined;
  /** When the abort of the run of this id was last accepted, and first. */
  abortSent?: SentAbort | undefined;
  /** The abort of the run of this id was refused. */
  abortRefused?: RefusedAbort | undefined;
  /** The build that the spec names, as it was last seen: since when it has been in the way, or that it can be used. */
  build?: { readonly sinceMs: number; readonly buildId: string | undefined; readonly isUsable: boolean } | undefined;
  /** No call to Northflank before `untilMs`, unless something that matters has changed. */
  pause?: Pause | undefined;
  /** The account that the run was last found to belong to. */
  account?: Account | undefined;
  /** The connection that led to {@link account} is gone, and this is all that is left of it. */
  isConnectionGone?: boolean | undefined;
  /** Since when a deletion finds that no way to Northflank is left. */
  unreachableSinceMs?: number | undefined;
  /** The last look for a duplicate has been made. */
  isDuplicateWatchOver?: boolean | undefined;
}

/** See {@link RunMemory.unsaved}. */
export interface UnsavedStatus {
  /** The whole status, but for `start`. */
  readonly status: RunStatus;
  /** The start that it knows of: beside another one it says nothing. */
  readonly startId?: string | undefined;
  /** Not published yet: Events follow the status. */
  readonly events: readonly EventDraft[];
  /** The status that was last known to be written down, which passages are told from. */
  readonly before: NorthflankJobRun["status"];
}

/** See {@link RunMemory.abortSent}. */
export interface SentAbort {
  readonly runId: string;
  readonly firstMs: number;
  readonly atMs: number;
  readonly count: number;
}

/** See {@link RunMemory.abortRefused}. */
export interface RefusedAbort {
  readonly runId: string;
  /** Refusals in a row. */
  readonly count: number;
  readonly error: NorthflankError;
  /** Not sent again before that, unless a person asks for it or the account has changed. */
  readonly untilMs: number;
  readonly request: string | undefined;
  readonly account: Account | undefined;
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
    const memory: RunMemory = {
      uid,
      endedStarts: new Map(),
      sightings: new Map(),
      absences: new Map(),
      givenUpStarts: 0,
      unsettled: 0,
      agains: 0,
    };
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

/** Starts whose end is kept: of each the record may have become durable, though its answer was lost. */
const maxEndedStarts = 8;

/** Keeps how a start ended until that is in `status.start`. */
export function rememberEnd({ endedStarts }: RunMemory, start: StartRecord): void {
  endedStarts.delete(start.id);
  endedStarts.set(start.id, start);
  for (const id of [...endedStarts.keys()].slice(0, -maxEndedStarts)) endedStarts.delete(id);
}

/** The object as it will be once what this process knows is written down. */
export function withUnsaved(object: NorthflankJobRun, memory: RunMemory): NorthflankJobRun {
  const record = object.status?.start;
  const ended = memory.endedStarts.get(record?.id ?? "");
  // Once it is written down, what Kubernetes says counts: a record may be opened again.
  const start = record?.outcome === "Pending" ? ended : undefined;
  // Whoever wrote an end, or has started something since, knew more than this process.
  const isOvertaken =
    object.status?.completionTime !== undefined || (record !== undefined && memory.unsaved?.startId !== record.id);
  const unsaved = isOvertaken ? undefined : memory.unsaved?.status;
  if (unsaved === undefined && start === undefined) return object;
  const status = { observedGeneration: -1, ...(unsaved ?? object.status) };
  return { ...object, status: { ...status, ...present({ start: start ?? record }) } };
}

/** As many attempts as the status keeps. */
export const maxAttempts = 10;

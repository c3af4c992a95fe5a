import type { NorthflankJobRun } from "../../api/job-run.ts";
import type { NorthflankError } from "../../northflank/errors.ts";
import type { Reservation } from "../../northflank/ledger.ts";
import type { ObjectKey } from "../../runtime/outcome.ts";
import { present } from "../../util/present.ts";
import type { Account } from "../account/accounts.ts";
import type { EventDraft } from "../reconcile/events.ts";
import type { ReadyState } from "../reconcile/ready-state.ts";
import type { Origin, Times } from "./age.ts";
import type { RunStatus } from "./result.ts";
import type { StartRecord } from "./start-record.ts";

/**
 * What one process knows of one run beyond the object. Everything here may be lost in a crash: it saves requests and
 * keeps answers that could not be written yet, but no promise rests on it. Monotonic times in milliseconds.
 */
export interface Known {
  /** What a status write that failed should have said: everything that was learned, until it is written down. */
  readonly unsaved?: UnsavedStatus | undefined;
  /** How starts ended, the newest last, where that may not be in `status.start` yet. */
  readonly endedStarts: readonly StartRecord[];
  /** Northflank's clock as it was read once: `serverMs` at `atMs`. */
  readonly serverClock?: { readonly serverMs: number; readonly atMs: number } | undefined;
  /** When this process first saw the start of this id unresolved. */
  readonly unresolvedSince?: { readonly startId: string; readonly atMs: number } | undefined;
  /** When a read-back first found no candidate for the start of this id. */
  readonly firstEmptyRead?: { readonly startId: string; readonly atMs: number } | undefined;
  /** Set aside for reading back a start whose answer was lost. */
  readonly readBack?: Reservation | undefined;
  /** When things began that deadlines count from, by the wall clock. */
  readonly times: Times;
  /** When the first run started, by Northflank's clock, or because this very process started it. */
  readonly started?: Origin | undefined;
  /** The run that was seen to be active after its deadline. */
  readonly overdueRunId?: string | undefined;
  /** Starts in a row that were given up: the object was not what the reconcile took it for, or the gate was closed. */
  readonly givenUpStarts: number;
  /** When the abort was first seen to be wanted, as it was written to the status, whether or not the API server kept it. */
  readonly abortRequestedTime?: string | undefined;
  /** What the last result of this process said of the object. */
  readonly said?: ReadyState | undefined;
  /** Nothing is done before `untilMs`: the API server does not store what this operator relies on. */
  readonly heldBack?: { readonly untilMs: number; readonly wants: string } | undefined;
  /** Reconciles in a row after which something was left to be written, because another client wrote first. */
  readonly unsettled: number;
  /** Reconciles in a row that were requeued at once. */
  readonly agains: number;
  /** The list of the job does not serve the run of this id: it is read alone until then. */
  readonly unlisted?: Unlisted | undefined;
  /** Since when no read has found the run of this id. */
  readonly missing?: { readonly runId: string; readonly sinceMs: number; readonly isListCut: boolean } | undefined;
  /** When the abort of the run of this id was last accepted, and first. */
  readonly abortSent?: SentAbort | undefined;
  /** The abort of the run of this id was refused. */
  readonly abortRefused?: RefusedAbort | undefined;
  /** The build that the spec names, as it was last seen: since when it has been in the way, or that it can be used. */
  readonly build?:
    | { readonly sinceMs: number; readonly buildId: string | undefined; readonly isUsable: boolean }
    | undefined;
  /** No call to Northflank before `untilMs`, unless something that matters has changed. */
  readonly pause?: Pause | undefined;
  /** The account that the run was last found to belong to. */
  readonly account?: Account | undefined;
  /** The connection that led to {@link account} is gone, and this is all that is left of it. */
  readonly isConnectionGone?: boolean | undefined;
  /** Since when a deletion finds that no way to Northflank is left. */
  readonly unreachableSinceMs?: number | undefined;
  /** The run was active when it was last polled. */
  readonly activeRunId?: string | undefined;
  /** The last poll for a duplicate has been made. */
  readonly isDuplicateWatchOver?: boolean | undefined;
}

/**
 * The memory of one run: a value, and the one way to change it. A change counts from the moment it is remembered, so what
 * must outlive a write that fails is remembered before that write.
 */
export class RunMemory {
  readonly uid: string;
  #known: Known = { endedStarts: [], times: {}, givenUpStarts: 0, unsettled: 0, agains: 0 };

  constructor(uid: string) {
    this.uid = uid;
  }

  get known(): Known {
    return this.#known;
  }

  remember(change: Partial<Known>): void {
    this.#known = { ...this.#known, ...change };
  }
}

/** See {@link Known.unsaved}. */
export interface UnsavedStatus {
  /** The whole status, but for `start`. */
  readonly status: RunStatus;
  /** The start that it knows of: beside another one it says nothing. */
  readonly startId?: string | undefined;
  /** Not published yet: Events follow the status. */
  readonly events: readonly EventDraft[];
  /** The status that was last known to be written down: transitions are detected against it. */
  readonly before: NorthflankJobRun["status"];
}

/** See {@link Known.unlisted}. */
export interface Unlisted {
  readonly runId: string;
  readonly untilMs: number;
  /** The list could not be read, so that it serves no other run either. Missing: it lacks this run. */
  readonly isUnreadable?: true;
}

/** See {@link Known.abortSent}. */
export interface SentAbort {
  readonly runId: string;
  readonly firstMs: number;
  readonly atMs: number;
  readonly count: number;
}

/** See {@link Known.abortRefused}. */
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

/** See {@link Known.pause}. */
export interface Pause {
  readonly sinceMs: number;
  readonly untilMs: number;
  /** The same once Northflank is no longer trusted to report the end of the run; missing: no sooner than `untilMs`. */
  readonly unhintedUntilMs?: number | undefined;
  readonly fingerprint: string;
  /** The reconcile request that was answered before the pause. */
  readonly request: string | undefined;
  readonly account: Account | undefined;
}

/** One {@link RunMemory} per object, by uid: an object that was made again starts with an empty one. */
export class RunMemories {
  readonly #byKey = new Map<ObjectKey, RunMemory>();

  of(key: ObjectKey, object: NorthflankJobRun): RunMemory {
    const uid = object.metadata.uid ?? "";
    const before = this.#byKey.get(key);
    if (before?.uid === uid) return before;
    this.forget(key);
    const memory = new RunMemory(uid);
    this.#byKey.set(key, memory);
    return memory;
  }

  /** What is known of an object; `undefined` where that is nothing, or is about another object of the same name. */
  peek(key: ObjectKey, { metadata }: NorthflankJobRun): Known | undefined {
    const memory = this.#byKey.get(key);
    return memory?.uid === metadata.uid ? memory?.known : undefined;
  }

  forget(key: ObjectKey): void {
    this.#byKey.get(key)?.known.readBack?.release();
    this.#byKey.delete(key);
  }
}

/** Starts whose end is kept: of each the record may have become durable, though its answer was lost. */
const maxEndedStarts = 8;

/** Keeps how a start ended until that is in `status.start`. */
export function rememberEnd(memory: RunMemory, start: StartRecord): void {
  const others = memory.known.endedStarts.filter(({ id }) => id !== start.id);
  memory.remember({ endedStarts: [...others, start].slice(-maxEndedStarts) });
}

/** That is in `status.start` now, or counts no more. */
export function forgetEnd(memory: RunMemory, startId: string): void {
  memory.remember({ endedStarts: memory.known.endedStarts.filter(({ id }) => id !== startId) });
}

/** Northflank's clock at `atMs`, in ms since the epoch; `undefined` while it has not been read. */
export function serverTimeAt({ serverClock }: Pick<Known, "serverClock">, atMs: number): number | undefined {
  return serverClock && serverClock.serverMs + atMs - serverClock.atMs;
}

/** The object as it will be once what this process knows is written down. */
export function withUnsaved(object: NorthflankJobRun, known: Known): NorthflankJobRun {
  const record = object.status?.start;
  const ended = known.endedStarts.find(({ id }) => id === record?.id);
  // Once it is written down, what Kubernetes says counts: a record may be opened again.
  const start = record?.outcome === "Pending" ? ended : undefined;
  // Whoever wrote an end, or has started something since, knew more than this process.
  const isOvertaken =
    object.status?.completionTime !== undefined || (record !== undefined && known.unsaved?.startId !== record.id);
  const unsaved = isOvertaken ? undefined : known.unsaved?.status;
  if (unsaved === undefined && start === undefined) return object;
  const status = { observedGeneration: -1, ...(unsaved ?? object.status) };
  return { ...object, status: { ...status, ...present({ start: start ?? record }) } };
}

/** As many attempts as the status keeps. */
export const maxAttempts = 10;

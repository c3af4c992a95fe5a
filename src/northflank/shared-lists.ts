import { unlessAborted } from "../util/abort.ts";
import type { Clock } from "../util/clock.ts";
import type { JobName, NorthflankApi } from "./client.ts";
import { isNorthflankError } from "./errors.ts";
import type { ItemKind } from "./item-view.ts";
import {
  asked,
  type Believed,
  believedOf,
  type EntryKind,
  jobRuns,
  type Listing,
  type ListState,
  type Need,
  payerOf,
  projectItems,
  suffices,
  takeIn,
  unreadList,
  type Waiting,
  withRead,
} from "./shared-list.ts";
import type { Spender } from "./spending.ts";
import type { ItemList, JobRunView, ProjectItem, RunsNeeded } from "./types.ts";

type ListApi = Pick<NorthflankApi, "listServices" | "listJobs" | "listRuns">;

/** Who reads: what one reader was answered, another one of the same scope may have. */
export interface ListReader {
  readonly api: ListApi;
  /**
   * Equal for readers with the same token, team and address. Not the account pool: two tokens of one account may be
   * limited to different projects. A token that was replaced is another scope, so nothing of the old one is used.
   */
  readonly scope: string;
}

/** The services or jobs of a project. */
export interface ItemListName {
  readonly kind: ItemKind;
  readonly projectId: string;
}

/** What a caller asks for. */
export interface ListAsk extends Omit<Need, "askedAtMs">, Pick<Waiting, "class"> {
  /** A caller whose signal aborts waits no longer; the request ends only once no caller waits for it. */
  readonly signal: AbortSignal;
}

/** A caller that needs certain runs: the list may end where it has all that those who wait for it need. */
export interface RunsAsk extends ListAsk {
  readonly runIds: readonly string[];
  /** So many pages of the list are read at most. */
  readonly maxPages: number;
}

/** An answer. It stays as it is, whatever is read later. */
export interface SharedAnswer<T> {
  /** How long ago the request was started, as the answer was given. */
  readonly ageMs: number;
  /** False where pages were not read: that an entry is missing then proves nothing. */
  readonly isComplete: boolean;
  /** How many entries the list has. */
  readonly size: number;
  /** Northflank's clock as the answer was given, in ms since the epoch; missing where it was not sent. */
  readonly serverTimeMs: number | undefined;
  /** What is known of an entry, by this list or by a newer read of it alone. */
  readonly get: (id: string) => Believed<T>;
}

/** A caller whose request it may be. */
interface Payer extends Waiting, Pick<RunsAsk, "runIds" | "maxPages"> {
  readonly api: ListApi;
}

interface Waiter<T> extends Payer, Need {
  readonly resolve: (answer: SharedAnswer<T>) => void;
  readonly reject: (error: unknown) => void;
  /** The request whose answer it takes; missing while it waits for the next one. */
  flight: Flight | undefined;
}

interface Flight {
  startedAtMs: number;
  readonly controller: AbortController;
  /** Whose ledgers refused it. */
  readonly refusals: (Waiting & { readonly error: unknown })[];
}

/** What one request of a list comes to. */
type Read<T> = Pick<Listing<T>, "entries" | "isComplete" | "serverTimeMs">;

type Send<T> = (payer: Payer, waiting: () => readonly Payer[], signal: AbortSignal) => Promise<Read<T>>;

// Going through all lists at each question would be quadratic.
const sweepEveryMs = 60_000;

/**
 * The lists of services, jobs and runs that the whole process reads: each is requested once for all who ask for it. What
 * callers are promised is in `shared-list.ts`.
 *
 * *Guarantees*: at most one request of a list is in flight, and it belongs to none of its callers; what no caller asks for
 * within twice the age that it can use is forgotten, at the next question about any list.
 *
 * *Errors*: those of the call, for all who waited for it; they are not kept. A refusal by the ledger reaches a caller only
 * once the ledger of each caller has refused, and is its own.
 */
export class SharedLists {
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #items = new Map<string, SharedList<ProjectItem>>();
  readonly #runs = new Map<string, SharedList<JobRunView>>();
  #sweepAtMs = Number.NEGATIVE_INFINITY;

  constructor({ clock }: { readonly clock: Pick<Clock, "monotonic"> }) {
    this.#clock = clock;
  }

  /** How many lists are kept. */
  get size(): number {
    return this.#items.size + this.#runs.size;
  }

  /** All services, or all jobs, of a project. */
  async items(reader: ListReader, name: ItemListName, ask: ListAsk): Promise<SharedAnswer<ProjectItem>> {
    this.#sweep();
    const key = keyOf(reader, name.kind, name);
    const list = this.#items.get(key) ?? this.#newItems(name);
    this.#items.set(key, list);
    return await list.ask(reader.api, { ...ask, runIds: [], maxPages: Number.POSITIVE_INFINITY });
  }

  /** Runs of a job. Those that the answer lacks are to be read alone, unless it is complete and newer than they are. */
  async runs(reader: ListReader, name: JobName, ask: RunsAsk): Promise<SharedAnswer<JobRunView>> {
    this.#sweep();
    const key = keyOf(reader, "runs", name);
    const list = this.#runs.get(key) ?? this.#newRuns(name);
    this.#runs.set(key, list);
    return await list.ask(reader.api, ask);
  }

  /**
   * A service or job was read alone, with a request that started at `startedAtMs`: no older list is believed over it.
   * `entry: undefined`: it was not there.
   */
  noteItem(
    { scope }: Pick<ListReader, "scope">,
    name: ItemListName,
    read: { readonly id: string; readonly startedAtMs: number; readonly entry: ProjectItem | undefined },
  ): void {
    const list = this.#items.get(keyOf({ scope }, name.kind, name));
    const listed = list?.known(read.id);
    // A read may return less than the list does: what it lacks is as it was listed.
    const isSame = listed !== undefined && read.entry !== undefined && listed.uid === read.entry.uid;
    list?.note(isSame ? { ...read, entry: { ...listed, ...read.entry } } : read);
  }

  /** The same of a run. */
  noteRun(
    { scope }: Pick<ListReader, "scope">,
    name: JobName,
    read: { readonly id: string; readonly startedAtMs: number; readonly entry: JobRunView | undefined },
  ): void {
    this.#runs.get(keyOf({ scope }, "runs", name))?.note(read);
  }

  /**
   * A run that a list or a read has shown to be over, which it stays, however old that is; `undefined`: none did, or it is
   * forgotten.
   */
  concludedRun({ scope }: Pick<ListReader, "scope">, name: JobName, runId: string): JobRunView | undefined {
    const run = this.#runs.get(keyOf({ scope }, "runs", name))?.known(runId);
    return run?.concluded === true ? run : undefined;
  }

  #newItems(name: ItemListName): SharedList<ProjectItem> {
    const { kind, projectId } = name;
    return new SharedList({
      clock: this.#clock,
      kind: projectItems,
      send: async ({ api, class: requestClass }, _waiting, signal) => {
        const call = { class: requestClass, spender: listSpender(kind, projectId), signal };
        return readOf(kind === "services" ? await api.listServices(name, call) : await api.listJobs(name, call));
      },
    });
  }

  #newRuns({ projectId, jobId }: JobName): SharedList<JobRunView> {
    const spender = listSpender("runs", `${projectId}/${jobId}`);
    return new SharedList({
      clock: this.#clock,
      kind: jobRuns,
      send: async ({ api, class: requestClass, maxPages }, waiting, signal) => {
        let isEndedEarly = false;
        const isEnough = (runs: readonly JobRunView[]) => {
          const ids = new Set(runs.map(({ id }) => id));
          isEndedEarly = waiting().every(({ runIds }) => runIds.every((id) => ids.has(id)));
          return isEndedEarly;
        };
        const needs: RunsNeeded = { isEnough, isAnyOrder: true, maxPages };
        const list = await api.listRuns({ projectId, jobId }, { class: requestClass, spender, signal, needs });
        const { serverTimeMs, truncated } = list;
        return { entries: byId(list.runs), isComplete: !isEndedEarly && truncated !== true, serverTimeMs };
      },
    });
  }

  #sweep(): void {
    const nowMs = this.#clock.monotonic();
    if (nowMs < this.#sweepAtMs) return;
    this.#sweepAtMs = nowMs + sweepEveryMs;
    for (const lists of [this.#items, this.#runs] as const) {
      for (const [key, list] of lists) if (list.isForgotten(nowMs)) lists.delete(key);
    }
  }
}

function keyOf(
  { scope }: Pick<ListReader, "scope">,
  kind: ItemKind | "runs",
  { projectId, jobId = "" }: { readonly projectId: string; readonly jobId?: string },
): string {
  return JSON.stringify([kind, projectId, jobId, scope]);
}

const listKinds = { services: "ServiceList", jobs: "JobList", runs: "RunList" } as const;

/** A list is read for all who ask for it, of whatever namespace. */
function listSpender(kind: ItemKind | "runs", name: string): Spender {
  return { kind: listKinds[kind], namespace: "", name };
}

function readOf({ items, truncated }: ItemList): Read<ProjectItem> {
  return { entries: byId(items), isComplete: truncated !== true, serverTimeMs: undefined };
}

function byId<T extends { readonly id: string }>(entries: readonly T[]): ReadonlyMap<string, T> {
  return new Map(entries.map((entry) => [entry.id, entry]));
}

interface SharedListDeps<T> {
  readonly clock: Pick<Clock, "monotonic">;
  readonly kind: EntryKind<T>;
  readonly send: Send<T>;
}

/** One list: its state, who waits for it, and the request in flight. */
class SharedList<T> {
  readonly #deps: SharedListDeps<T>;
  #state: ListState<T> = unreadList();
  /** In the order of their arrival. */
  readonly #waiters = new Set<Waiter<T>>();
  #flight: Flight | undefined;

  constructor(deps: SharedListDeps<T>) {
    this.#deps = deps;
  }

  isForgotten(nowMs: number): boolean {
    return this.#waiters.size === 0 && this.#flight === undefined && this.#state.keptUntilMs < nowMs;
  }

  /** What is believed of an entry. */
  known(id: string): T | undefined {
    return believedOf(this.#state, id, this.#deps.kind)?.entry;
  }

  note(read: Parameters<typeof withRead<T>>[1]): void {
    this.#state = withRead(this.#state, read);
  }

  async ask(api: ListApi, { signal, ...ask }: RunsAsk): Promise<SharedAnswer<T>> {
    signal.throwIfAborted();
    const need = { ...ask, askedAtMs: this.#deps.clock.monotonic() };
    this.#state = asked(this.#state, need);
    const { listing } = this.#state;
    if (listing !== undefined && suffices(listing.startedAtMs, need)) return this.#answer(listing);
    const flight = this.#flight !== undefined && suffices(this.#flight.startedAtMs, need) ? this.#flight : undefined;
    let leave = () => {};
    const answered = new Promise<SharedAnswer<T>>((resolve, reject) => {
      const waiter: Waiter<T> = { ...need, api, resolve, reject, flight };
      this.#waiters.add(waiter);
      leave = () => this.#leave(waiter);
    });
    if (this.#flight === undefined) this.#start();
    try {
      return await unlessAborted(answered, signal);
    } finally {
      leave();
    }
  }

  /** Requests the list for all who wait. */
  #start(): void {
    if (this.#waiters.size === 0) return;
    const startedAtMs = this.#deps.clock.monotonic();
    const flight: Flight = { startedAtMs, controller: new AbortController(), refusals: [] };
    this.#flight = flight;
    for (const waiter of this.#waiters) waiter.flight = flight;
    // Settles the waiters and never rejects.
    void this.#fly(flight);
  }

  async #fly(flight: Flight): Promise<void> {
    let settle: (waiter: Waiter<T>) => void;
    try {
      const listing = await this.#read(flight);
      // Abandoned: its callers have gone, and another request may be in flight.
      if (this.#flight !== flight) return;
      this.#state = takeIn(this.#state, listing);
      const answer = this.#answer(listing);
      settle = ({ resolve }) => resolve(answer);
    } catch (error) {
      if (this.#flight !== flight) return;
      settle = (waiter) => waiter.reject(flight.refusals.find((one) => isOf(one, waiter))?.error ?? error);
    }
    this.#flight = undefined;
    for (const waiter of this.#waitingFor(flight)) {
      this.#waiters.delete(waiter);
      settle(waiter);
    }
    this.#start();
  }

  #waitingFor(flight: Flight): readonly Waiter<T>[] {
    return [...this.#waiters].filter((waiter) => waiter.flight === flight);
  }

  /**
   * Sends the request, paid by one of those who wait for it; when its ledger refuses, by the next one.
   *
   * *Errors*: those of the call; a refusal once each has been refused, which then has its own.
   */
  async #read(flight: Flight): Promise<Listing<T>> {
    const { clock, send } = this.#deps;
    const { refusals, controller } = flight;
    const { signal } = controller;
    const waiting = () => this.#waitingFor(flight);
    for (;;) {
      const payer = payerOf(waiting(), refusals);
      if (payer === undefined) throw refusals.at(-1)?.error;
      const startedAtMs = clock.monotonic();
      flight.startedAtMs = startedAtMs;
      try {
        const read = await send(payer, waiting, signal);
        return { ...read, startedAtMs, receivedAtMs: clock.monotonic() };
      } catch (error) {
        if (signal.aborted || !isNorthflankError(error, "quota_closed")) throw error;
        refusals.push({ api: payer.api, class: payer.class, error });
      }
    }
  }

  /** The caller has its answer, or waits no longer. A request that no caller waits for ends. */
  #leave(waiter: Waiter<T>): void {
    this.#waiters.delete(waiter);
    const { flight } = waiter;
    if (flight === undefined || flight !== this.#flight || this.#waitingFor(flight).length > 0) return;
    this.#flight = undefined;
    flight.controller.abort(new Error("no caller waits for the list any more"));
    this.#start();
  }

  #answer({ startedAtMs, receivedAtMs, entries, isComplete, serverTimeMs }: Listing<T>): SharedAnswer<T> {
    const nowMs = this.#deps.clock.monotonic();
    const state = this.#state;
    return {
      ageMs: nowMs - startedAtMs,
      size: entries.size,
      isComplete,
      serverTimeMs: serverTimeMs === undefined ? undefined : serverTimeMs + nowMs - receivedAtMs,
      get: (id) => believedOf(state, id, this.#deps.kind) ?? { entry: undefined, startedAtMs },
    };
  }
}

/** True where the two ask the same ledgers for the same class. */
function isOf(left: Waiting, right: Waiting): boolean {
  return left.api === right.api && left.class === right.class;
}

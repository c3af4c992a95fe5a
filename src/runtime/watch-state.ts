// pure
/*
 * How the cache of one kind follows the server, as states and events.
 *
 *                  +------------------------------- 410, doubts, second silence -------------------------------+
 *                  v                                                                                           |
 *   idle --start--> streaming --refused or mute--> paging --page--> paging --last page--> watching --ended--> watching
 *                  |   |                              |                                    ^  |            (reopened)
 *                  |   +------ initial events end ----|------------------------------------+  |
 *                  |                                  |                                       |
 *                  +--------- broken, gone -----------+---------------- broken ---------------+
 *                                                     v
 *                                     waiting (longer with every failure in a row) --waited--> list, or watch again
 *
 * `streaming` reads the content as one stream (WatchList), `paging` in pages of one resourceVersion. Both collect aside
 * and `swap` when complete, so readers keep the former content until then. A watch that was cut resumes from the last
 * resourceVersion it saw; only a refusal of that (410), a doubt or a second silence in a row lists again.
 */

/**
 * Why a request failed.
 *
 * - `expired`: the resourceVersion or continue token is too old; list again.
 * - `ahead`: the server has not seen our resourceVersion yet, or lost it; list again without it.
 * - `absent`: the kind does not exist on the server (any more).
 * - `refused`: the server does not take this form of request.
 * - `silent`: the request was not answered, or a list broke off in the middle, without a word.
 * - `broken`: anything else; it may work next time.
 */
export type FailureCause = "expired" | "ahead" | "absent" | "refused" | "silent" | "broken";

/** What is asked of the server: the content as a stream, a page of it, or changes from a resourceVersion on. */
export type WatchRequest =
  | { readonly kind: "stream" }
  | { readonly kind: "page"; readonly continueToken: string | undefined }
  | { readonly kind: "watch"; readonly resourceVersion: string };

interface Memory {
  /** Failures since the stream last brought something. */
  readonly failures: number;
  /** False once the server has refused to stream a list: then it is not asked again. */
  readonly canStream: boolean;
  /** A 410 has been answered with a list, and nothing has worked since. */
  readonly hasExpired: boolean;
}

/** Where the following of one kind stands. */
export type WatchState = Memory &
  (
    | { readonly kind: "idle" }
    | { readonly kind: "streaming" }
    | { readonly kind: "paging" }
    | {
        readonly kind: "watching";
        readonly resourceVersion: string;
        readonly hasProgressed: boolean;
        /** How often in a row the watch was opened anew because it was quiet. */
        readonly quiets: number;
      }
    | { readonly kind: "waiting"; readonly next: "list" | { readonly resourceVersion: string } }
  );

/**
 * - `listed`: a page came, the last one if it has no continue token.
 * - `complete`: the server says that the streamed list is whole.
 * - `progressed`: an event of a watch, or a bookmark.
 * - `ended`: the server closed the stream in good order after `lastedMs`.
 * - `quiet`: the server has answered, and then nothing came for so long that the connection may be dead.
 * - `waited`: the wait is over.
 * - `doubted`: the content may be wrong although the watch seems well.
 */
export type WatchInput =
  | { readonly kind: "start" }
  | { readonly kind: "listed"; readonly resourceVersion: string; readonly continueToken?: string }
  | { readonly kind: "complete"; readonly resourceVersion: string }
  | { readonly kind: "progressed"; readonly resourceVersion: string }
  | { readonly kind: "ended"; readonly lastedMs: number }
  | { readonly kind: "quiet" }
  | { readonly kind: "failed"; readonly cause: FailureCause; readonly retryAfterMs?: number }
  | { readonly kind: "waited" }
  | { readonly kind: "doubted" }
  | { readonly kind: "stop" };

/**
 * - `send`: drop the request under way, if any, and make this one. A `stream` or first `page` collects from scratch.
 * - `swap`: what was collected becomes the content.
 * - `clear`: forget the content without calling it deleted.
 * - `wait`: drop the request under way, then send `waited` after the back-off for so many failures in a row.
 * - `cancel`: drop the request under way, and any wait.
 * - `compare`: ask beside the watch how far the server is, and say `doubted` when that is behind what was seen: from a
 *   server that was restored from a backup a watch from here brings nothing, without a complaint.
 */
export type WatchEffect =
  | { readonly kind: "send"; readonly request: WatchRequest }
  | { readonly kind: "swap"; readonly resourceVersion: string }
  | { readonly kind: "clear" }
  | { readonly kind: "wait"; readonly failures: number; readonly atLeastMs: number }
  | { readonly kind: "cancel" }
  | { readonly kind: "compare" };

/** What follows from an event: the next state, then the effects, in order. */
export interface WatchStep {
  readonly state: WatchState;
  readonly effects: readonly WatchEffect[];
}

type StateOf<K extends WatchState["kind"]> = Extract<WatchState, { readonly kind: K }>;
type EventOf<K extends WatchInput["kind"]> = Extract<WatchInput, { readonly kind: K }>;
type Handler<S extends WatchState["kind"], E extends WatchInput["kind"]> = (
  state: StateOf<S>,
  event: EventOf<E>,
) => WatchStep;

/** Before `start`. */
export const initialWatchState: WatchState = { kind: "idle", failures: 0, canStream: true, hasExpired: false };

/**
 * The state after an event, and what has to be done, in that order. Events that a state does not expect change nothing.
 */
export function stepWatch(state: WatchState, event: WatchInput): WatchStep {
  // The table below is checked cell by cell; only the access by key loses the connection between state and event.
  const handler = table[state.kind][event.kind] as Handler<WatchState["kind"], WatchInput["kind"]>;
  return handler(state as never, event as never);
}

// A stream that the server closes sooner without having sent anything is a server in trouble, not the end of a watch.
const shortestHealthyMs = 5_000;
// After so many failures in a row pages are tried instead of streaming: a busy server cuts long streams of slow
// readers.
const streamAttempts = 2;
// The second quiet in a row, and every fourth after it: a request in five minutes for a kind in which nothing happens.
const isWorthComparing = (quiets: number): boolean => quiets % 4 === 2;

const none: readonly WatchEffect[] = [];
const stay = (state: WatchState): WatchStep => ({ state, effects: none });

const table: { [S in WatchState["kind"]]: { [E in WatchInput["kind"]]: Handler<S, E> } } = {
  idle: {
    start: (state) => list(state),
    listed: stay,
    complete: stay,
    progressed: stay,
    ended: stay,
    quiet: stay,
    failed: stay,
    waited: stay,
    doubted: stay,
    stop: stay,
  },
  streaming: {
    start: stay,
    listed: stay,
    complete: (state, event) => ({
      state: watching(state, event.resourceVersion),
      effects: [{ kind: "swap", resourceVersion: event.resourceVersion }],
    }),
    // A bookmark before the end of the list: this server has taken the request for an ordinary watch.
    progressed: (state) => page({ ...state, canStream: false }),
    ended: (state) => listLater(failed(state)),
    quiet: stay,
    failed: (state, event) => {
      if (event.cause === "refused") return page({ ...state, canStream: false });
      if (event.cause === "silent") return page(failed(state));
      return afterListFailure(state, event);
    },
    waited: stay,
    doubted: stay,
    stop: (state) => stopped(state),
  },
  paging: {
    start: stay,
    listed: (state, event) => {
      const { resourceVersion, continueToken } = event;
      if (continueToken !== undefined) return send(state, { kind: "page", continueToken });
      const watch = send(watching(state, resourceVersion), { kind: "watch", resourceVersion });
      return { state: watch.state, effects: [{ kind: "swap", resourceVersion }, ...watch.effects] };
    },
    complete: stay,
    progressed: stay,
    ended: stay,
    quiet: stay,
    failed: (state, event) => afterListFailure(state, event),
    waited: stay,
    doubted: stay,
    stop: (state) => stopped(state),
  },
  watching: {
    start: stay,
    listed: stay,
    complete: (state, event) => stay({ ...state, ...progress(event) }),
    progressed: (state, event) => stay({ ...state, ...progress(event) }),
    ended: (state, event) => {
      if (state.hasProgressed || event.lastedMs >= shortestHealthyMs) return watch(state, state.resourceVersion);
      return watchLater(failed(state), state.resourceVersion);
    },
    quiet: (state) => {
      const quiets = state.quiets + 1;
      const next = watch({ ...state, failures: 0, hasExpired: false }, state.resourceVersion, quiets);
      return isWorthComparing(quiets) ? { ...next, effects: [...next.effects, { kind: "compare" }] } : next;
    },
    failed: (state, event) => {
      switch (event.cause) {
        case "broken":
          return watchLater(failed(state), state.resourceVersion, event.retryAfterMs);
        case "silent":
          // Once may be the network. Twice may be a server that will never send anything after our resourceVersion.
          return state.failures === 0 ? watch(failed(state), state.resourceVersion) : list(failed(state));
        default:
          return afterListFailure(state, event);
      }
    },
    waited: stay,
    doubted: (state) => list(state),
    stop: (state) => stopped(state),
  },
  waiting: {
    start: stay,
    listed: stay,
    complete: stay,
    progressed: stay,
    ended: stay,
    quiet: stay,
    failed: stay,
    waited: (state) => (state.next === "list" ? list(state) : watch(state, state.next.resourceVersion)),
    doubted: (state) => stay({ ...state, next: "list" }),
    stop: (state) => stopped(state),
  },
};

/** What follows when the content cannot be had, or cannot be followed any more. */
function afterListFailure(state: WatchState, event: EventOf<"failed">): WatchStep {
  switch (event.cause) {
    case "expired":
      // At once the first time; when it happens again before anything worked, it would be a hot loop.
      if (state.hasExpired) return listLater(failed(state), event.retryAfterMs);
      return list({ ...failed(state), hasExpired: true });
    case "absent": {
      const later = listLater(failed(state), event.retryAfterMs);
      return { state: later.state, effects: [{ kind: "clear" }, ...later.effects] };
    }
    default:
      return listLater(failed(state), event.retryAfterMs);
  }
}

function list(state: WatchState): WatchStep {
  const useStream = state.canStream && state.failures < streamAttempts;
  return useStream ? send({ ...memoryOf(state), kind: "streaming" }, { kind: "stream" }) : page(state);
}

function page(state: WatchState): WatchStep {
  return send({ ...memoryOf(state), kind: "paging" }, { kind: "page", continueToken: undefined });
}

function watch(state: WatchState, resourceVersion: string, quiets = 0): WatchStep {
  return send(watching(state, resourceVersion, quiets), { kind: "watch", resourceVersion });
}

function listLater(state: WatchState, atLeastMs = 0): WatchStep {
  return wait({ ...memoryOf(state), kind: "waiting", next: "list" }, atLeastMs);
}

function watchLater(state: WatchState, resourceVersion: string, atLeastMs = 0): WatchStep {
  return wait({ ...memoryOf(state), kind: "waiting", next: { resourceVersion } }, atLeastMs);
}

function stopped(state: WatchState): WatchStep {
  return { state: { ...memoryOf(state), kind: "idle" }, effects: [{ kind: "cancel" }] };
}

function send(state: WatchState, request: WatchRequest): WatchStep {
  return { state, effects: [{ kind: "send", request }] };
}

function wait(state: WatchState, atLeastMs: number): WatchStep {
  return { state, effects: [{ kind: "wait", failures: state.failures, atLeastMs }] };
}

function watching(state: WatchState, resourceVersion: string, quiets = 0): WatchState {
  return { ...memoryOf(state), kind: "watching", resourceVersion, hasProgressed: false, quiets };
}

function progress(event: { readonly resourceVersion: string }) {
  return { resourceVersion: event.resourceVersion, hasProgressed: true, quiets: 0, failures: 0, hasExpired: false };
}

function failed(state: WatchState): WatchState {
  return { ...state, failures: state.failures + 1 };
}

function memoryOf({ failures, canStream, hasExpired }: WatchState): Memory {
  return { failures, canStream, hasExpired };
}

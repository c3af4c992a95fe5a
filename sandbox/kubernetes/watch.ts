import type { ServerResponse } from "node:http";
import { listOptionsInvalid } from "./lists.ts";
import { type Matcher, parseSelectors } from "./selectors.ts";
import { type ApiError, expired, internal, tooLargeResourceVersion } from "./status-errors.ts";
import type { Change, Entry, Store } from "./store.ts";
import { type ApiObject, apiVersionOf, type JsonObject, type Resource } from "./types.ts";

/** What a watch asks for, read from the query. */
export interface WatchRequest {
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly matches: Matcher | undefined;
  /** The revision to continue from; `undefined`: start with what exists. */
  readonly from: number | undefined;
  /** Smallest revision that the initial state must have. */
  readonly notOlderThan: number;
  readonly bookmarks: boolean;
  /** Whether a bookmark is sent when the initial state is complete. */
  readonly announceEnd: boolean;
  readonly timeoutMs: number | undefined;
}

/**
 * Reads the parameters of a watch.
 *
 * *Errors*: 400 for selectors, 422 for parameters that do not go together, 500 for a resourceVersion that is no number
 * (as the real server has it).
 */
export function parseWatch(resource: Resource, namespace: string | undefined, query: URLSearchParams): WatchRequest {
  const match = query.get("resourceVersionMatch") ?? "";
  const initial = query.get("sendInitialEvents");
  const refuse = (detail: string) => listOptionsInvalid({ kind: "forbidden", path: "resourceVersionMatch", detail });
  if (initial !== null && match !== "NotOlderThan") {
    throw refuse("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
  }
  if (initial === null && match !== "") {
    throw refuse("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
  }
  const matches = parseSelectors(query, resource);
  const revision = parseRevision(query.get("resourceVersion") ?? "");
  const bookmarks = query.get("allowWatchBookmarks") === "true" || query.get("allowWatchBookmarks") === "1";
  const withState = initial === "true" || (initial === null && revision === 0);
  const seconds = Number(query.get("timeoutSeconds") ?? "0");
  return {
    resource,
    namespace,
    matches,
    from: withState ? undefined : revision === 0 ? Number.POSITIVE_INFINITY : revision,
    notOlderThan: initial === "true" ? revision : 0,
    bookmarks,
    announceEnd: withState && bookmarks,
    timeoutMs: seconds > 0 ? seconds * 1_000 : undefined,
  };
}

function parseRevision(text: string): number {
  if (text === "") return 0;
  if (/^\d+$/.test(text)) return Number(text);
  const quoted = JSON.stringify(text);
  throw internal(`resourceVersion: Invalid value: ${quoted}: strconv.ParseUint: parsing ${quoted}: invalid syntax`);
}

/** Turns one event into the text of its object. Objects are rendered once and shared by all plain watches. */
export type RenderEntry = (entry: Entry) => string;

/**
 * One open watch stream.
 *
 *     open --> [initial ADDED ... bookmark] --> live changes, bookmarks --> ended (timeout, cut, ERROR, client gone)
 *                                                  \--> silent: open, but nothing arrives any more
 */
export class WatchStream {
  readonly #request: WatchRequest;
  readonly #store: Store;
  readonly #response: ServerResponse;
  readonly #render: RenderEntry;
  readonly #release: (() => void)[] = [];
  #isSilent = false;
  #isOver = false;
  /** The newest revision that this stream has reported. */
  #seen = 0;

  constructor(facts: {
    readonly request: WatchRequest;
    readonly store: Store;
    readonly response: ServerResponse;
    readonly render: RenderEntry;
    readonly onEnd: (stream: WatchStream) => void;
  }) {
    this.#request = facts.request;
    this.#store = facts.store;
    this.#response = facts.response;
    this.#render = facts.render;
    this.#release.push(() => facts.onEnd(this));
  }

  start(): void {
    this.#response.writeHead(200, { "content-type": "application/json", "cache-control": "no-cache, private" });
    this.#response.flushHeaders();
    this.#response.on("close", () => this.#close());
    const { timeoutMs, resource } = this.#request;
    if (!this.#sendPast()) return;
    this.#release.push(this.#store.subscribe(resource.storage, (change) => this.#onChange(change)));
    if (timeoutMs === undefined) return;
    const timer = setTimeout(() => this.#isSilent || this.end(), timeoutMs);
    this.#release.push(() => clearTimeout(timer));
  }

  /** Sends a bookmark with the present revision, if the client asked for bookmarks. */
  bookmark(annotations?: JsonObject): void {
    if (!this.#request.bookmarks) return;
    const { resource } = this.#request;
    const revision = Math.max(this.#store.revision, this.#seen);
    const metadata = { resourceVersion: String(revision), ...(annotations === undefined ? {} : { annotations }) };
    this.#send("BOOKMARK", JSON.stringify({ kind: resource.kind, apiVersion: apiVersionOf(resource), metadata }));
  }

  /** Sends an ERROR event and ends the stream, as the real server does. */
  fail(error: ApiError): void {
    this.#send("ERROR", JSON.stringify(error.body));
    this.end();
  }

  end(): void {
    this.#response.end();
    this.#close();
  }

  /** Breaks the connection in the middle, without the end of the chunked answer. */
  cut(): void {
    this.#response.socket?.destroy();
    this.#close();
  }

  /** Keeps the connection open and sends nothing any more. */
  silence(): void {
    this.#isSilent = true;
  }

  #sendPast(): boolean {
    const { from, resource, notOlderThan } = this.#request;
    const { revision } = this.#store;
    if (notOlderThan > revision) {
      this.fail(tooLargeResourceVersion(notOlderThan, revision));
      return false;
    }
    if (from === undefined) {
      for (const entry of this.#store.list(resource.storage))
        if (this.#wants(entry)) this.#send("ADDED", this.#render(entry));
      this.#seen = revision;
      if (this.#request.announceEnd) this.bookmark({ "k8s.io/initial-events-end": "true" });
      return true;
    }
    this.#seen = Number.isFinite(from) ? from : revision;
    const past = this.#store.changesSince(resource.storage, this.#seen);
    if (past === undefined) {
      this.fail(expired(`too old resource version: ${from} (${this.#store.oldest(resource.storage)})`));
      return false;
    }
    for (const change of past) this.#onChange(change);
    return true;
  }

  #onChange(change: Change): void {
    if (change.revision <= this.#seen) return;
    this.#seen = change.revision;
    const before = change.before !== undefined && this.#wants(change.before);
    const now = change.type !== "DELETED" && this.#wants(change.entry);
    if (now) this.#send(before ? "MODIFIED" : "ADDED", this.#render(change.entry));
    else if (before) this.#send("DELETED", this.#render(change.entry));
  }

  #wants({ key, object }: Entry): boolean {
    const { namespace, matches } = this.#request;
    if (namespace !== undefined && !key.startsWith(`${namespace}/`)) return false;
    return matches === undefined || matches(object);
  }

  #send(type: string, object: string): void {
    if (this.#isSilent || this.#isOver) return;
    this.#response.write(`{"type":"${type}","object":${object}}\n`);
  }

  #close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const release of this.#release) release();
  }
}

/** The stored text of an object as one resource shows it. */
export function renderAs(resource: Resource): RenderEntry {
  const view = apiVersionOf(resource);
  const show = resource.behaviour.fromStorage ?? ((object: ApiObject) => object);
  return (entry) => entry.text(view, show);
}

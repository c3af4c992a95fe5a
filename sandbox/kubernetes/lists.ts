import { parseSelectors } from "./selectors.ts";
import { type ApiError, badRequest, expired, invalid, tooLargeResourceVersion } from "./status-errors.ts";
import type { Entry, Store } from "./store.ts";
import type { FieldError, Resource } from "./types.ts";

/** One page of a list. */
export interface Page {
  readonly entries: readonly Entry[];
  readonly revision: number;
  /** Token for the next page. */
  readonly next: string | undefined;
  /** How many items follow, when that is known. */
  readonly remaining: number | undefined;
}

/**
 * Answers a list: at the present, at an exact revision, or the next page of a list that was begun before.
 *
 * *Errors*: 400 for bad parameters, 410 for a past that is forgotten, 422 for parameters that do not go together,
 * 504 for a revision in the future.
 */
export function listPage(
  store: Store,
  resource: Resource,
  namespace: string | undefined,
  query: URLSearchParams,
): Page {
  const matches = parseSelectors(query, resource);
  const limit = parseLimit(query);
  const begun = query.get("continue") ?? "";
  const from = begun === "" ? undefined : parseToken(begun);
  const revision = revisionOf(store, query, from, limit);
  const all = store.snapshot(resource.storage, revision);
  if (all === undefined) throw tooOld(from, store);
  const prefix = namespace === undefined ? "" : `${namespace}/`;
  const found = all.filter(
    ({ key, object }) =>
      key.startsWith(prefix) && (from === undefined || key > from.start) && (matches === undefined || matches(object)),
  );
  const entries = limit > 0 ? found.slice(0, limit) : found;
  const last = entries.at(-1);
  const cut = entries.length < found.length && last !== undefined;
  return {
    entries,
    revision,
    next: cut ? printToken({ rv: revision, start: last.key }) : undefined,
    remaining: cut && matches === undefined ? found.length - entries.length : undefined,
  };
}

interface Token {
  readonly rv: number;
  readonly start: string;
}

function printToken(token: Token): string {
  return Buffer.from(JSON.stringify({ v: "meta.k8s.io/v1", ...token })).toString("base64url");
}

function parseToken(text: string): Token {
  try {
    const token = JSON.parse(Buffer.from(text, "base64url").toString("utf8")) as Token;
    if (typeof token.rv === "number" && typeof token.start === "string") return token;
  } catch {
    // Reported below: a token that is no JSON and one with other content are the same mistake.
  }
  throw badRequest("invalid continue token: continue key is not valid: it was not made by this server");
}

function parseLimit(query: URLSearchParams): number {
  const text = query.get("limit") ?? "0";
  if (!/^-?\d+$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text);
}

function revisionOf(store: Store, query: URLSearchParams, from: Token | undefined, limit: number): number {
  const text = query.get("resourceVersion") ?? "";
  const match = query.get("resourceVersionMatch") ?? "";
  checkMatch(text, match, from);
  if (from !== undefined) {
    if (text !== "" && text !== "0") throw badRequest("specifying resource version is not allowed when using continue");
    // A token with -1 continues at the present: it comes with the 410 for a list that took too long.
    return from.rv < 0 ? store.revision : from.rv;
  }
  if (text === "" || text === "0") return store.revision;
  const wanted = parseRevision(text);
  if (wanted > store.revision) throw tooLargeResourceVersion(wanted, store.revision);
  return match === "Exact" || (match === "" && limit > 0) ? wanted : store.revision;
}

/** Reads `resourceVersion`. *Errors*: 400. */
export function parseRevision(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  const detail = `resourceVersion: Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`;
  throw badRequest(`invalid resource version: ${detail}`);
}

function checkMatch(revision: string, match: string, from: Token | undefined): void {
  if (match === "") return;
  const refuse = (detail: string) => listOptionsInvalid({ kind: "forbidden", path: "resourceVersionMatch", detail });
  if (from !== undefined) throw refuse("resourceVersionMatch is forbidden when continue is provided");
  if (revision === "") throw refuse("resourceVersionMatch is forbidden unless resourceVersion is provided");
  if (match === "Exact" && revision === "0") {
    throw refuse('resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
  }
  if (match === "Exact" || match === "NotOlderThan") return;
  const detail = 'supported values: "", "Exact", "NotOlderThan"';
  throw listOptionsInvalid({ kind: "unsupported", path: "resourceVersionMatch", value: match, detail });
}

/** 422 for parameters of a list or watch. */
export function listOptionsInvalid(error: FieldError): ApiError {
  return invalid({ kind: "ListOptions", group: "meta.k8s.io" }, "", [error]);
}

function tooOld(from: Token | undefined, store: Store): ApiError {
  if (from === undefined) return expired("The resourceVersion for the provided list is too old.");
  const token = printToken({ rv: -1, start: from.start });
  return expired(
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without " +
      "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. " +
      "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or " +
      "deleted between the time the first chunk was returned and now may show up in the list.",
    store.revision > 0 ? token : undefined,
  );
}

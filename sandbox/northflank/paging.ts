import { ApiProblem } from "./api-problem.ts";

export interface Page<T> {
  readonly items: readonly T[];
  readonly pagination: { readonly hasNextPage: boolean; readonly cursor?: string; readonly count: number };
}

/** `per_page` (default 50, at most 100), and either `cursor` or `page` (from 1). */
export function pageOf<T extends { readonly id: string }>(all: readonly T[], query: URLSearchParams): Page<T> {
  const perPage = wholeNumber(query, "per_page", 50);
  if (perPage > 100) throw invalid("per_page", "must be at most 100");
  const cursor = query.get("cursor");
  const start = cursor === null ? (wholeNumber(query, "page", 1) - 1) * perPage : afterCursor(all, cursor);
  const items = all.slice(start, start + perPage);
  const last = items.at(-1);
  const hasNextPage = start + perPage < all.length;
  const more = hasNextPage && last !== undefined ? { cursor: Buffer.from(last.id).toString("base64") } : {};
  return { items, pagination: { hasNextPage, ...more, count: items.length } };
}

function afterCursor(all: readonly { readonly id: string }[], cursor: string): number {
  const id = Buffer.from(cursor, "base64").toString("utf8");
  const index = all.findIndex((item) => item.id === id);
  if (index < 0) throw invalid("cursor", "is not a cursor of this list");
  return index + 1;
}

function wholeNumber(query: URLSearchParams, name: string, fallback: number): number {
  const text = query.get(name);
  if (text === null) return fallback;
  if (!/^[1-9]\d{0,5}$/.test(text)) throw invalid(name, "must be a whole number of at least 1");
  return Number(text);
}

function invalid(name: string, message: string): ApiProblem {
  return new ApiProblem(400, "Invalid query parameters", { id: "nf-invalid-query", details: { [name]: [message] } });
}

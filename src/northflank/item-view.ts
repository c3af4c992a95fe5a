// pure
import { booleanOf, listOf, objectOf, textOf } from "./json.ts";
import type { ProjectItem } from "./types.ts";

/** What a project is listed by. */
export type ItemKind = "services" | "jobs";

/** One page of "list services" or "list jobs". */
export interface ItemPage {
  readonly items: readonly ProjectItem[];
  /** Where the next page begins; `undefined` on the last one. */
  readonly cursor: string | undefined;
  /** There is a next page, whether or not it says where. */
  readonly hasNext: boolean;
}

/** Reads one page; `undefined` when it is not one. Entries without an id are left out, hostile ids are not. */
export function toItemPage(kind: ItemKind, answer: unknown): ItemPage | undefined {
  const envelope = objectOf(answer);
  const entries = listOf(objectOf(envelope?.data)?.[kind]);
  if (entries === undefined) return undefined;
  const pagination = objectOf(envelope?.pagination);
  const hasNext = booleanOf(pagination?.hasNextPage) ?? false;
  return {
    items: entries.map((entry) => toItem(kind, entry)).filter((item) => item !== undefined),
    cursor: hasNext ? textOf(pagination?.cursor) : undefined,
    hasNext,
  };
}

/** Joins pages: each id once, in the order of the ids, so that two readings of one project are equal. */
export function mergeItems(pages: readonly (readonly ProjectItem[])[]): readonly ProjectItem[] {
  const byId = new Map<string, ProjectItem>();
  for (const item of pages.flat()) byId.set(item.id, item);
  return [...byId.values()].sort((left, right) => (left.id < right.id ? -1 : 1));
}

function toItem(kind: ItemKind, data: unknown): ProjectItem | undefined {
  const item = objectOf(data);
  const id = textOf(item?.id);
  if (item === undefined || id === undefined) return undefined;
  const disabledCD = booleanOf(item.disabledCD);
  const type = textOf(kind === "services" ? item.serviceType : item.jobType);
  return { id, type, ...(disabledCD !== undefined && { disabledCD }) };
}

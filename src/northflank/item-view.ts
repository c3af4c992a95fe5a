// pure
import { present } from "../util/present.ts";
import { booleanOf, objectOf, textOf } from "./json.ts";
import { joinPages, type Page, toPage } from "./paging.ts";
import type { ProjectItem } from "./types.ts";

/** What a project is listed by. */
export type ItemKind = "services" | "jobs";

/** Reads one page; `undefined` when it is not one. Entries without an id are left out, hostile ids are not. */
export function toItemPage(kind: ItemKind, answer: unknown): Page<ProjectItem> | undefined {
  return toPage(answer, kind, (entry) => toItem(kind, entry));
}

/** Joins pages: each id once, in the order of the ids, so that two readings of one project are equal. */
export function mergeItems(pages: readonly (readonly ProjectItem[])[]): readonly ProjectItem[] {
  return joinPages(pages).sort((left, right) => (left.id < right.id ? -1 : 1));
}

function toItem(kind: ItemKind, data: unknown): ProjectItem | undefined {
  const item = objectOf(data);
  const id = textOf(item?.id);
  if (item === undefined || id === undefined) return undefined;
  const type = textOf(kind === "services" ? item.serviceType : item.jobType);
  const common = { id, type, ...present({ disabledCD: booleanOf(item.disabledCD), uid: shortTextOf(item.uid) }) };
  if (kind === "jobs") return { ...common, ...present({ suspended: booleanOf(item.suspended) }) };
  const rollout = objectOf(objectOf(item.status)?.deployment) ?? {};
  const rolloutStatus = shortTextOf(rollout.status);
  const rolloutTransitionTime = shortTextOf(rollout.lastTransitionTime);
  return { ...common, ...present({ rolloutStatus, rolloutTransitionTime }) };
}

// Lists are kept in memory. A uid, a time or a status is shorter by far, and what differs beyond this is not compared.
const longestShort = 128;

function shortTextOf(value: unknown): string | undefined {
  return textOf(value)?.slice(0, longestShort);
}

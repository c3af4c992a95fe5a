// pure
import { booleanOf, listOf, objectOf, textOf } from "./json.ts";
import { joinPages, type Page, toPage } from "./paging.ts";
import type { IntegrationItem, IntegrationView } from "./types.ts";

/** Reads one page of notification integrations; `undefined` when it is not one. Entries without an id are left out. */
export function toIntegrationPage(answer: unknown): Page<IntegrationItem> | undefined {
  return toPage(answer, "notificationIntegrations", toIntegrationItem);
}

/** Joins pages: each id once, the oldest first; of equal ages by id. */
export function mergeIntegrations(pages: readonly (readonly IntegrationItem[])[]): readonly IntegrationItem[] {
  const ageOf = ({ createdAtMs = Number.POSITIVE_INFINITY }: IntegrationItem) => createdAtMs;
  return joinPages(pages).sort((left, right) => {
    const [leftMs, rightMs] = [ageOf(left), ageOf(right)];
    if (leftMs !== rightMs) return leftMs < rightMs ? -1 : 1;
    return left.id < right.id ? -1 : 1;
  });
}

/** One integration; `undefined` when it is none. */
export function toIntegrationView(data: unknown): IntegrationView | undefined {
  const item = toIntegrationItem(data);
  const detail = objectOf(data);
  if (item === undefined || detail === undefined) return undefined;
  const events = objectOf(detail.events);
  return {
    ...item,
    restricted: booleanOf(detail.restricted),
    projects: listOf(detail.projects)?.filter((one): one is string => typeof one === "string"),
    events: events && Object.keys(events).filter((name) => events[name] === true),
  };
}

// As long as an id may be that goes into a path: it is stored in a status.
const longestId = 128;

export function toIntegrationItem(data: unknown): IntegrationItem | undefined {
  const item = objectOf(data);
  const id = textOf(item?.id)?.slice(0, longestId);
  if (item === undefined || id === undefined) return undefined;
  const status = objectOf(item.status);
  const createdAtMs = Date.parse(textOf(item.createdAt) ?? "");
  return {
    id,
    name: textOf(item.name),
    type: textOf(item.type),
    webhook: textOf(item.webhook),
    createdAtMs: Number.isNaN(createdAtMs) ? undefined : createdAtMs,
    isDisabled: booleanOf(status?.disabled) ?? false,
    // Documented is a boolean, described is why it was disabled.
    disabledReason: textOf(status?.reason),
  };
}

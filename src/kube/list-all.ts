import type { KubeClient, ListOptions } from "./client.ts";
import type { KubeObject, ResourceType } from "./types.ts";

const pageSize = 500;

/**
 * All objects of a list, in the order of the server, read in pages of 500. A server whose list does not end is not followed
 * beyond `mostPages`.
 *
 * *Errors*: `KubeError`.
 */
export async function listAll<T extends KubeObject>(
  client: Pick<KubeClient, "list">,
  type: ResourceType,
  { mostPages, ...options }: Omit<ListOptions, "limit" | "continue"> & { readonly mostPages: number },
): Promise<readonly T[]> {
  const found: T[] = [];
  let next: string | undefined;
  for (let page = 0; page < mostPages; page++) {
    const more = next === undefined ? {} : { continue: next };
    const list = await client.list<T>(type, { ...options, limit: pageSize, ...more });
    found.push(...list.items);
    next = list.metadata.continue;
    if (next === undefined || next === "") break;
  }
  return found;
}

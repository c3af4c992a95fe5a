import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cameNewestFirst, joinPages, type Page, readPages } from "../../src/northflank/paging.ts";

describe("an order of times", () => {
  test.each<readonly [string, readonly (number | undefined)[], boolean]>([
    ["newest first", [900, 500, 100], true],
    ["newest first, with one that tells nothing", [900, undefined, 100], true],
    ["newest first, but for a little", [900, 905, 500, 508, 100], true],
    ["oldest first", [100, 500, 900], false],
    ["newest first, and then not", [900, 500, 100, 800], false],
    ["all at about the same time", [900, 895, 891], false],
    ["one entry", [900], false],
    ["nothing told", [undefined, undefined], false],
    ["nothing", [], false],
  ])("%s", (_, times, isNewestFirst) => expect(cameNewestFirst(times, 10)).toBe(isNewestFirst));

  test("is never taken for newest first where the newest is not at the beginning, but for the tolerance", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 1_000 }), { maxLength: 30 }), (times) => {
        if (cameNewestFirst(times, 10)) expect(Math.max(...times) - (times[0] ?? 0)).toBeLessThanOrEqual(10);
      }),
    );
  });
});

describe("A31: pages of a list", () => {
  const item = (id: string, seen = 1) => ({ id, seen });
  type Item = ReturnType<typeof item>;

  /** Reads pages by their cursors; the first one has none. Returns the cursors that were requested, too. */
  async function read(pages: Readonly<Record<string, Page<Item>>>, maxPages = 20) {
    const requested: string[] = [];
    const list = await readPages({
      read: async ({ cursor = "" }) => {
        requested.push(cursor);
        return pages[cursor] ?? expect.fail(`no page at ${cursor}`);
      },
      merge: joinPages,
      maxPages,
    });
    return { ...list, requested };
  }

  const page = (items: readonly Item[], cursor?: string): Page<Item> => ({
    items,
    cursor,
    hasNext: cursor !== undefined,
  });
  const last = (items: readonly Item[]): Page<Item> => ({ items, cursor: undefined, hasNext: false });

  test("with an item on two of them: it is there once, as it was seen last", async () => {
    const list = await read({ "": page([item("a"), item("b")], "2"), "2": last([item("b", 2), item("c")]) });
    expect(list).toEqual({ items: [item("a"), item("b", 2), item("c")], requested: ["", "2"] });
  });

  test("in another order, and empty ones between: nothing is lost", async () => {
    const list = await read({ "": page([item("z")], "2"), "2": page([], "3"), "3": last([item("a")]) });
    expect(list).toEqual({ items: [item("z"), item("a")], requested: ["", "2", "3"] });
  });

  test.each<[string, Readonly<Record<string, Page<Item>>>, readonly string[]]>([
    ["the cursor of the page itself", { "": page([item("a")], "2"), "2": page([item("b")], "2") }, ["", "2"]],
    [
      "an earlier cursor",
      { "": page([item("a")], "2"), "2": page([item("b")], "3"), "3": page([item("c")], "2") },
      ["", "2", "3"],
    ],
    ["no cursor though there are more", { "": { items: [item("a")], cursor: undefined, hasNext: true } }, [""]],
  ])("with %s: the list ends, and says that it is not whole", async (_what, pages, requested) => {
    expect(await read(pages)).toMatchObject({ truncated: true, requested });
  });

  test("without end: as many are read as are allowed, and the list says that it is not whole", async () => {
    const endless = new Proxy({} as Readonly<Record<string, Page<Item>>>, {
      get: (_target, cursor: string) => page([item(cursor)], `${Number(cursor) + 1}`),
    });
    const list = await read(endless, 5);
    expect([list.requested.length, list.items.length, list.truncated]).toEqual([5, 5, true]);
  });
});

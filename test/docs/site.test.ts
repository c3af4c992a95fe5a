import { existsSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { groups } from "../../docs/.vitepress/sidebar.ts";
import { markdownFiles, readPage, root } from "../support/markdown-pages.ts";

// The list of pages beside the site, and every link of the documentation.

test("the sidebar has every page of docs/ once, and nothing else", () => {
  const listed = groups.flatMap(({ pages }) => pages.map(({ file }) => `docs/${file}`));
  expect(listed.toSorted()).toEqual(markdownFiles(/^docs\//).toSorted());
});

describe("links", () => {
  const pages = markdownFiles(/^(?:docs\/.*|deploy\/.*|[A-Z_]+\.md|\.github\/.*)/).map(readPage);
  const anchorsOf = new Map(pages.map(({ file, anchors }) => [file, anchors]));

  test("are found", () => {
    expect(pages.flatMap(({ links }) => links).length).toBeGreaterThan(200);
  });

  test.each(pages.filter(({ links }) => links.length > 0))("of $file lead to files and headings", ({ file, links }) => {
    const local = links.filter((link) => !/^[a-z]+:/.test(link));
    expect(local.filter((link) => !leadsSomewhere(file, link))).toEqual([]);
  });

  function leadsSomewhere(file: string, link: string): boolean {
    const [path = "", anchor] = link.split("#");
    const target = path === "" ? file : relative(root, join(root, dirname(file), path));
    if (!existsSync(join(root, target))) return false;
    return anchor === undefined || anchorsOf.get(target)?.has(anchor) === true;
  }

  test("to this repository on GitHub are relative in its pages", () => {
    const own = "https://github.com/northflank-operator/northflank-operator/blob/main/";
    const absolute = pages.flatMap(({ file, links }) =>
      links.filter((link) => link.startsWith(own)).map((link) => `${file}: ${link}`),
    );
    expect(absolute).toEqual([]);
  });

  test("the anchors are those that GitHub makes", () => {
    expect(anchorsOf.get("docs/quota.md")).toContain("when-rollouts-and-runs-are-polled");
    expect(anchorsOf.get("docs/quota.md")).not.toContain("no-such-heading");
  });
});

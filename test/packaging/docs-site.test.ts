import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { groups } from "../../docs/.vitepress/sidebar.ts";
import { root } from "../support/markdown-pages.ts";

// The site as `npm run docs:build` makes it. The generator itself ends with an error on a dead link.

test("the site has every page, and nothing of it comes from another host", { timeout: 300_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "northflank-operator-site-"));
  try {
    execFileSync(process.execPath, ["node_modules/vitepress/bin/vitepress.js", "build", "docs", "--outDir", folder], {
      cwd: root,
      stdio: ["ignore", "ignore", "inherit"],
    });
    const made = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".html"));
    const pages = groups.flatMap((group) => group.pages.map(({ file }) => file));
    const wanted = pages.map((file) => file.replace(/README\.md$/, "index.md").replace(/\.md$/, ".html"));
    expect(made.toSorted()).toEqual([...wanted, "404.html"].toSorted());
    const loaded = made.flatMap((file) => loadedBy(readFileSync(join(folder, file), "utf8")));
    expect(loaded.length).toBeGreaterThan(made.length);
    expect(loaded.filter((address) => !address.startsWith("/"))).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** What a browser fetches for a page: scripts, styles, fonts and pictures. */
function loadedBy(html: string): readonly string[] {
  const tags = html.match(/<(?:script|link|img|source|iframe)\b[^>]*>/g) ?? [];
  return tags.flatMap((tag) => /\b(?:src|href)="([^"]*)"/.exec(tag)?.[1] ?? []);
}

import { existsSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { slug } from "github-slugger";
import type MarkdownIt from "markdown-it";
import { defineConfig } from "vitepress";
import { groups, type PageGroup } from "./sidebar.ts";

// The site of docs/, for `npm run docs:build` and `npm run docs:dev`. The pages are plain Markdown, as GitHub shows it: what
// the site needs beyond that is done here. Nothing is loaded from another host.

const docs = resolve(import.meta.dirname, "..");
const root = resolve(docs, "..");
const repository = "https://github.com/northflank-operator/northflank-operator";

export default defineConfig({
  title: "northflank-operator",
  description: "Runs Northflank from Kubernetes objects",
  lang: "en-US",
  cleanUrls: true,
  outDir: join(root, ".cache/docs-site"),
  cacheDir: join(root, ".cache/docs-cache"),
  // GitHub shows the README of a folder, a web server its index.
  rewrites: { ":folder/README.md": ":folder/index.md", "README.md": "index.md" },
  markdown: {
    anchor: { slugify: (heading) => slug(heading) },
    config: (markdown) => {
      linkAsOnGithub(markdown);
      showBraces(markdown);
    },
  },
  themeConfig: {
    sidebar: groups.map(sidebarGroup),
    outline: [2, 3],
    search: { provider: "local" },
    socialLinks: [{ icon: "github", link: repository }],
    editLink: { pattern: `${repository}/edit/main/docs/:path` },
  },
});

function sidebarGroup({ text, pages, collapsed }: PageGroup) {
  return {
    text,
    ...(collapsed === undefined ? {} : { collapsed }),
    items: pages.map((page) => ({ text: page.text, link: `/${page.file.replace(/(README)?\.md$/, "")}` })),
  };
}

/** Files of the repository outside of docs/ are shown by GitHub; the README of a folder is its index. */
function linkAsOnGithub(markdown: MarkdownIt): void {
  markdown.core.ruler.push("links-as-on-github", ({ tokens, env }) => {
    const folder = dirname(join(docs, String(env.relativePath ?? "")));
    for (const token of tokens.flatMap(({ children }) => children ?? [])) {
      const href = token.type === "link_open" ? String(token.attrGet("href")) : "";
      if (href !== "" && !/^(?:[a-z]+:|#)/.test(href)) token.attrSet("href", siteLink(folder, href));
    }
  });
}

/** Braces are text, as on GitHub: the generator would take them for expressions. */
function showBraces(markdown: MarkdownIt): void {
  for (const name of ["text", "code_inline"] as const) {
    const render = markdown.renderer.rules[name];
    if (render === undefined) throw new Error(`no rule "${name}"`);
    markdown.renderer.rules[name] = (...given) => render(...given).replaceAll("{{", "&#123;&#123;");
  }
}

function siteLink(folder: string, href: string): string {
  const [path = "", ...anchor] = href.split(/(?=#)/);
  const file = resolve(folder, path);
  if (!relative(docs, file).startsWith("..")) return href.replace(/README\.md(?=#|$)/, "index.md");
  if (!existsSync(file)) throw new Error(`no such file: ${href}`);
  return `${repository}/blob/main/${relative(root, file)}${anchor.join("")}`;
}

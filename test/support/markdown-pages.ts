import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import GithubSlugger from "github-slugger";
import MarkdownIt from "markdown-it";

export const root = resolve(import.meta.dirname, "../..");

const parser = new MarkdownIt({ html: true });

/** A fenced block of a page. */
export interface Block {
  /** Path in the repository and line of the fence: `docs/quota.md:12`. */
  readonly where: string;
  /** The first word after the fence; empty where there is none. */
  readonly language: string;
  readonly text: string;
}

/** What tests need of a Markdown file. */
export interface Page {
  /** Path in the repository. */
  readonly file: string;
  /** Addresses of links and pictures, in their order. */
  readonly links: readonly string[];
  /** The anchors that GitHub gives to its headings. */
  readonly anchors: ReadonlySet<string>;
  readonly blocks: readonly Block[];
}

/** The tracked Markdown files whose path matches. */
export function markdownFiles(pattern: RegExp): readonly string[] {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"], {
    cwd: root,
    encoding: "utf8",
  });
  return listed.split("\0").filter((file) => file !== "" && pattern.test(file));
}

/** Reads one, named by its path in the repository. */
export function readPage(file: string): Page {
  const tokens = parser.parse(readFileSync(join(root, file), "utf8"), {});
  const inline = tokens.flatMap(({ children }) => children ?? []);
  const slugger = new GithubSlugger();
  return {
    file,
    links: inline.flatMap((token) => token.attrGet(token.type === "image" ? "src" : "href") ?? []),
    anchors: new Set(
      tokens.flatMap(({ type }, at) => (type === "heading_open" ? slugger.slug(textOf(tokens[at + 1])) : [])),
    ),
    blocks: tokens
      .filter(({ type }) => type === "fence")
      .map(({ map, info, content }) => ({
        where: `${file}:${(map?.[0] ?? 0) + 1}`,
        language: info.trim().split(/\s+/)[0] ?? "",
        text: content,
      })),
  };
}

/** Blocks without a language, and those of a shell, are commands. What is neither has a language of its own: `text`. */
export function isCommands({ language }: Block): boolean {
  return ["", "sh", "bash", "console"].includes(language);
}

/** The commands of a page: lines that belong together as one, without the comments behind them. */
export function commandsIn({ blocks }: Page): readonly string[] {
  return blocks.filter(isCommands).flatMap(({ text }) => commandsOf(text.trimEnd().split("\n")));
}

function commandsOf(lines: readonly string[]): readonly string[] {
  const [line, ...rest] = lines;
  if (line === undefined) return [];
  const [, end] = /<<'(\w+)'/.exec(line) ?? [];
  const length =
    1 + (end === undefined ? rest.findIndex((_, at) => !lines[at]?.endsWith("\\")) : rest.indexOf(end) + 1);
  const isOpenEnded = length === 0;
  const command = lines.slice(0, isOpenEnded ? undefined : length);
  const text = end === undefined ? command.join("\n").replace(/(?:^|\s+)#\s.*$/, "") : command.join("\n");
  return [...(text === "" ? [] : [text]), ...(isOpenEnded ? [] : commandsOf(lines.slice(length)))];
}

/** The words of a heading, without its markup. */
function textOf(inline: ReturnType<MarkdownIt["parse"]>[number] | undefined): string {
  return (inline?.children ?? [])
    .filter(({ type }) => type === "text" || type === "code_inline")
    .map(({ content }) => content)
    .join("");
}

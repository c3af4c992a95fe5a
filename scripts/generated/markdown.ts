/** The first line of every page that is written by `npm run generate`. */
export const generatedNote = '<!-- Written by "npm run generate": change src/, not this page. -->';

/** A page: blocks with an empty line between them. */
export function page(...blocks: readonly (string | readonly string[])[]): string {
  return `${[generatedNote, ...blocks.flat()].join("\n\n")}\n`;
}

/** A table; a cell may hold anything, line breaks included. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map((cells) => line(cells.map(cell)))].join("\n");
}

/** A table whose columns are as wide as their widest cell, the last one excepted: readable as text, too. */
export function alignedTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [head, ...rows.map((row) => row.map(cell))];
  const widths = head.slice(0, -1).map((_, column) => Math.max(3, ...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((text, at) => text.padEnd(widths[at] ?? 0)).join(" | ")} |`;
  const rule = head.map((_, at) => "-".repeat(widths[at] ?? 3));
  return cells
    .map((row) => line(row))
    .toSpliced(1, 0, line(rule))
    .join("\n");
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", "<br>");
}

/** Text of ours for a page: what looks like a tag or an emphasis is no such thing. */
export function prose(text: string): string {
  return text
    .split("`")
    .map((part, index) => (index % 2 === 1 ? part : part.replaceAll("<", "&lt;").replaceAll("*", "\\*")))
    .join("`");
}

/** A word of a program. */
export function code(text: string): string {
  return text.includes("`") ? `\`\` ${text} \`\`` : `\`${text}\``;
}

export function list(items: readonly string[]): string {
  return items.map((item) => `- ${item}`).join("\n");
}

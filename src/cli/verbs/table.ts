// pure
import { plainLine } from "../printable.ts";

/** What a cell says at a glance; a terminal shows it in a color. */
export type Tone = "good" | "bad" | "busy";

/** A text of a table. */
export interface Cell {
  readonly text: string | undefined;
  readonly tone?: Tone | undefined;
}

const colors: Readonly<Record<Tone, string>> = { good: "32", bad: "31", busy: "33" };

/**
 * Lines of a table as kubectl prints it: columns of the width of their longest text, which is never cut. A missing text is
 * "-". Texts may hold anything.
 */
export function formatTable(
  titles: readonly string[],
  rows: readonly (readonly Cell[])[],
  options: { readonly isColored: boolean },
): string {
  const lines = [titles.map((text): Cell => ({ text })), ...rows].map((cells) =>
    cells.map(({ text, tone }) => ({ text: plainLine(text ?? "-"), tone })),
  );
  const widths = titles.map((_, index) => Math.max(...lines.map((cells) => lengthOf(cells[index]?.text))));
  return lines.map((cells) => `${lineOf(cells, widths, options.isColored)}\n`).join("");
}

function lineOf(cells: readonly Cell[], widths: readonly number[], isColored: boolean): string {
  const parts = cells.map(({ text = "", tone }, index) => {
    const isLast = index === cells.length - 1;
    const blanks = isLast ? "" : " ".repeat((widths[index] ?? 0) - lengthOf(text));
    return `${inColor({ text, tone }, isColored)}${blanks}`;
  });
  return parts.join("   ").trimEnd();
}

/** A text that was made printable, in the color of its tone. */
export function inColor({ text = "", tone }: Cell, isColored: boolean): string {
  return isColored && tone !== undefined ? `\u001b[${colors[tone]}m${text}\u001b[0m` : text;
}

/** In characters, not in the units of UTF-16. */
function lengthOf(text = ""): number {
  return [...text].length;
}

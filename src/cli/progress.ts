import type { Io } from "./io.ts";

/** One line on a terminal that is written over and over. Where there is no terminal, nothing is written. */
export interface Progress {
  readonly show: (text: string) => void;
  /** Takes the line away; before anything else is written to the terminal. */
  readonly clear: () => void;
}

const eraseLine = "\r\u001b[2K";

// A line that wraps could not be written over.
const longestLine = 78;

/** The progress line of a command, on standard error. */
export function createProgress(io: Pick<Io, "err" | "isErrorTerminal">): Progress {
  let isShown = false;
  if (io.isErrorTerminal !== true) return { show: () => {}, clear: () => {} };
  return {
    show: (text) => {
      isShown = true;
      io.err(`${eraseLine}${text.slice(0, longestLine)}`);
    },
    clear: () => {
      if (isShown) io.err(eraseLine);
      isShown = false;
    },
  };
}

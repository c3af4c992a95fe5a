/** Where a command reads and writes. Passed in, so that commands run in tests as they run in a shell. */
export interface Io {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** True when `out` is a terminal: then lines may be colored and progress shown. */
  readonly isTerminal: boolean;
  /** True when `err` is a terminal: then progress is shown there. Missing: it is none. */
  readonly isErrorTerminal?: boolean;
  /** Everything on standard input, decoded as the text of a manifest. */
  readonly readStdin: () => Promise<string>;
}

/** What the program ends with: done, the check failed, wrong usage or configuration; or `plan` found changes. */
export type ExitCode = 0 | 1 | 2 | 3;

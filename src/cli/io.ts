/** Where a command reads and writes. Passed in, so that commands run in tests as they run in a shell. */
export interface Io {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** True when `out` is a terminal: then lines may be coloured and progress shown. */
  readonly isTerminal: boolean;
  /** Everything on standard input, as UTF-8. */
  readonly readStdin: () => Promise<string>;
}

/** What the program ends with: done, the check failed, or wrong usage or configuration. */
export type ExitCode = 0 | 1 | 2;

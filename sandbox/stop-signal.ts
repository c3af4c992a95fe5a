/** What a wish to stop is heard through. */
export interface Surroundings {
  readonly on: (signal: NodeJS.Signals, listener: () => void) => void;
  /** Of the process above this one, as it is now. */
  readonly parentPid: () => number;
  /** Calls `act` again and again, for as long as this process has other things to do. */
  readonly repeat: (act: () => void) => void;
  /** By `npm run`. */
  readonly startedByNpm: boolean;
}

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Aborted when this process has to end: by a signal, or because the `npm` that started it ended, which dies of SIGHUP
 * at once and does not forward it. Scripts of package.json that run for long begin with `exec`: a shell in between
 * would keep SIGINT and SIGTERM of npm to itself.
 *
 * Further signals change nothing. Ctrl-C in a terminal comes twice, from the terminal and from npm, and whoever stops
 * halfway leaves files and processes behind.
 */
export function stopSignal({ on, parentPid, repeat, startedByNpm }: Surroundings = system()): AbortSignal {
  const controller = new AbortController();
  const stop = () => controller.abort(new Error("stopped"));
  for (const signal of signals) on(signal, stop);
  if (startedByNpm) {
    const parent = parentPid();
    repeat(() => {
      if (parentPid() !== parent) stop();
    });
  }
  return controller.signal;
}

function system(): Surroundings {
  return {
    on: (signal, listener) => void process.on(signal, listener),
    parentPid: () => process.ppid,
    repeat: (act) => void setInterval(act, 500).unref(),
    startedByNpm: process.env.npm_lifecycle_event !== undefined,
  };
}

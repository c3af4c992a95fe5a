import { type ChildProcess, spawn } from "node:child_process";

/** One line of the operator's log. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** The operator as a process of its own: it can be killed at any moment, as a node failure would. */
export interface OperatorProcess extends AsyncDisposable {
  readonly pid: number;
  /** Everything logged so far. Lines that are not JSON (a crash report) have the level `raw`. */
  readonly log: readonly LogLine[];
  /** Resolves with the exit code, or the signal, once the process is gone. */
  readonly exited: Promise<number | NodeJS.Signals>;
  /** Resolves with the base URL of health paths, once `/readyz` answers 200. Rejects if the process ends before. */
  ready(): Promise<string>;
  /** Base URL of `/metrics`, once it is served. */
  metricsUrl(): Promise<string>;
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM and wait; SIGKILL after 15 s. */
  stop(): Promise<number | NodeJS.Signals>;
}

/**
 * Starts `northflank-operator run` from a bundle (`program`) against a Kubernetes API and a Northflank API. Ports of
 * health and metrics are free ones.
 */
export function startOperator(options: {
  readonly program: string;
  readonly kubeconfig: string;
  readonly northflankUrl: string;
  /** Further flags, each as `--name=value`. */
  readonly flags?: readonly string[];
  readonly nodeFlags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly onLog?: (line: LogLine) => void;
}): OperatorProcess {
  return superviseOperator({
    command: [
      process.execPath,
      "--enable-source-maps",
      ...(options.nodeFlags ?? []),
      options.program,
      "run",
      `--kubeconfig=${options.kubeconfig}`,
      `--api-url=${options.northflankUrl}`,
      `--allowed-api-hosts=${new URL(options.northflankUrl).host}`,
      "--health-bind-address=127.0.0.1:0",
      "--metrics-bind-address=127.0.0.1:0",
      "--log-format=json",
      ...(options.flags ?? []),
    ],
    env: { PATH: process.env.PATH ?? "", ...options.env },
    ...(options.onLog === undefined ? {} : { onLog: options.onLog }),
  });
}

/** Starts the operator by a command of the caller's, with exactly this environment. It has to log as JSON. */
export function superviseOperator(options: {
  /** Program and arguments. */
  readonly command: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  readonly onLog?: (line: LogLine) => void;
}): OperatorProcess {
  const log: LogLine[] = [];
  const waiting = new Set<() => void>();
  const [program, ...args] = options.command;
  const child = spawn(program, args, { env: options.env, stdio: ["ignore", "pipe", "pipe"] });
  const exited = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once("exit", (code, signal) => {
      resolve(signal ?? code ?? -1);
      for (const wake of waiting) wake();
    });
  });
  const take = (text: string) => {
    const line = parseLine(text);
    log.push(line);
    options.onLog?.(line);
    for (const wake of waiting) wake();
  };
  readLines(child, take);

  /** The first value that `find` returns for the log, now or later. */
  const fromLog = <T>(what: string, find: (line: LogLine) => T | undefined): Promise<T> =>
    new Promise((resolve, reject) => {
      const look = () => {
        for (const line of log) {
          const found = find(line);
          if (found !== undefined) return done(() => resolve(found));
        }
        if (child.exitCode !== null || child.signalCode !== null) {
          const last = log.at(-1);
          done(() => reject(new Error(`the operator ended before ${what}; its last line: ${JSON.stringify(last)}`)));
        }
      };
      const done = (settle: () => void) => {
        waiting.delete(look);
        settle();
      };
      waiting.add(look);
      look();
    });
  const addressOf = (endpoint: string) =>
    fromLog(`it served ${endpoint}`, (line) =>
      line.msg === "server listening" && line.endpoint === endpoint ? `http://${String(line.address)}` : undefined,
    );

  const pid = child.pid;
  if (pid === undefined) throw new Error(`${program} could not be started`);
  const operator: OperatorProcess = {
    pid,
    log,
    exited,
    ready: async () => {
      const url = await addressOf("health");
      while (!(await answersOk(`${url}/readyz`))) {
        if (child.exitCode !== null || child.signalCode !== null)
          throw new Error("the operator ended before it was ready");
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      return url;
    },
    metricsUrl: () => addressOf("metrics"),
    signal: (signal) => void child.kill(signal),
    stop: async () => {
      child.kill("SIGTERM");
      const patience = setTimeout(() => child.kill("SIGKILL"), 15_000);
      const code = await exited;
      clearTimeout(patience);
      return code;
    },
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await exited;
    },
  };
  return operator;
}

async function answersOk(url: string): Promise<boolean> {
  // A process that is just starting, or being killed, refuses the connection: that is an answer here, not a fault.
  return fetch(url).then(
    (answer) => answer.ok,
    () => false,
  );
}

function parseLine(text: string): LogLine {
  if (!text.startsWith("{")) return { level: "raw", msg: text };
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    return { level: "raw", msg: text };
  }
}

function readLines(child: ChildProcess, onLine: (line: string) => void): void {
  for (const stream of [child.stdout, child.stderr]) {
    let rest = "";
    stream?.setEncoding("utf8");
    stream?.on("data", (chunk: string) => {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) onLine(line);
    });
  }
}

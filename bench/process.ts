import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";

/** A program under test, as the operating system accounts for it (Linux `/proc`). */
export interface MeasuredProcess {
  readonly startedAtMs: number;
  /** User and system CPU so far, in milliseconds (resolution 10 ms). */
  cpuMs(): number;
  /** Resident set now and at its peak, in MB. */
  rssMb(): number;
  peakRssMb(): number;
  /** SIGTERM, then SIGKILL after 10 s. Resolves when it is gone. */
  stop(): Promise<void>;
}

/** Starts `command`; what it prints goes to `onLine`, line by line, and its end to `onExit`. */
export function startProcess(options: {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly onLine?: (line: string) => void;
  readonly onExit?: (code: number | null) => void;
}): MeasuredProcess {
  const startedAtMs = performance.now();
  const child = spawn(options.command, [...options.args], {
    env: { PATH: process.env.PATH ?? "", ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const stream of [child.stdout, child.stderr]) readLines(stream, options.onLine ?? (() => {}));
  child.on("exit", (code) => options.onExit?.(code));
  const pid = child.pid;
  if (pid === undefined) throw new Error(`${options.command} did not start`);
  return {
    startedAtMs,
    cpuMs: () => cpuMs(pid),
    rssMb: () => statusMb(pid, "VmRSS"),
    peakRssMb: () => statusMb(pid, "VmHWM"),
    stop: () => end(child),
  };
}

function readLines(stream: NodeJS.ReadableStream, onLine: (line: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line);
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGTERM");
  const patience = setTimeout(() => child.kill("SIGKILL"), 10_000);
  await gone;
  clearTimeout(patience);
}

/** CPU of all threads of a process, from `/proc/PID/stat` (fields 14 and 15, in ticks of 10 ms). */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The second field is the command in parentheses and may hold spaces: count from the last parenthesis.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function statusMb(pid: number, key: string): number {
  const match = new RegExp(`^${key}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(match?.[1] ?? Number.NaN) / 1_024;
}

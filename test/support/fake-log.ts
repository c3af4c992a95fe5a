import type { Log } from "../../src/util/log.ts";

/** One line that was logged: its level, its message and all its fields, those of its parents included. */
export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A log that keeps what it is told, for tests. */
export function fakeLog(): { readonly log: Log; readonly lines: readonly LogLine[] } {
  const lines: LogLine[] = [];
  return { log: logWith({}, lines), lines };
}

function logWith(parent: Readonly<Record<string, unknown>>, lines: LogLine[]): Log {
  const at = (level: LogLine["level"]) => (fields: object, message: string) => {
    lines.push({ level, message, fields: { ...parent, ...fields } });
  };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: (fields) => logWith({ ...parent, ...fields }, lines),
  };
}

import { type DestinationStream, pino } from "pino";
import { prettyFactory } from "pino-pretty";
import { type Log, logWith } from "./util/log.ts";

/** The keys of our log lines, so that one query finds the same fact everywhere. A test finds keys that are not here. */
export const logKeys = [
  // Which pass over what: `object` is `namespace/name`.
  ...["controller", "object", "reconcileId", "failures", "durationMs", "afterMs"],
  // A watch: how often it failed, how it lists, what it saw.
  ...["resource", "cause", "mode", "objects", "resourceVersion", "highest"],
  // Leader election.
  ...["lease", "identity", "holder", "leaderElect"],
  // The state of an object: its kind in Kubernetes, and Ready or another condition.
  ...["kind", "ready", "condition", "status", "reason", "message"],
  // A decision, and what it is about in Northflank.
  ...["action", "project", "service", "job", "run"],
  // Start and end of the program.
  ...["version", "namespaces", "endpoint", "address", "signal", "graceMs", "step"],
  // What is wrong with the installation, and what to do about it.
  ...["missing", "remedy"],
  // An error, always under this key.
  "err",
] as const;

/**
 * Keys that could carry a token, a Secret's value, an environment value, a file's content or a response body. Their
 * redaction is the second line of defence; the first is that nothing of the kind is handed to a logger.
 */
const redacted: ReadonlySet<string> = new Set([
  "token",
  "authorization",
  "headers",
  "data",
  "stringData",
  "body",
  "runtimeEnvironment",
  "runtimeFiles",
]);

/** The fields of a line, and the fields of these. */
const redactedLevels = 2;

/** Creates the program's logger: one JSON object per line, or lines for people with `format: "pretty"`. */
export function createLogger(options: {
  readonly level: string;
  readonly format: "json" | "pretty";
  /** Where lines go; synchronous, so that nothing is lost when the process is killed. */
  readonly destination: DestinationStream;
}): Log {
  const { destination } = options;
  const stream = options.format === "pretty" ? prettyLines(destination) : destination;
  const lines = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => withoutSecrets(fields, redactedLevels),
      },
      serializers: { err: serializeError },
    },
    stream,
  );
  // Not pino's own children: what is bound to these never comes by the formatter that redacts.
  return logWith(lines, {});
}

/**
 * The fields, with what stands under a redacted key replaced; the very same object where there is none, as in nearly all
 * lines. The `redact` of pino copies each line a dozen times for its sixteen paths, which was most of what a line cost.
 */
function withoutSecrets(fields: Record<string, unknown>, levels: number): Record<string, unknown> {
  let clean = fields;
  for (const key of Object.keys(fields)) {
    const value = fields[key];
    // The serializer of an error decides what is logged of it.
    const inside = key === "err" ? value : withoutSecretsInside(value, levels);
    const cleanValue = redacted.has(key) ? "[redacted]" : inside;
    if (cleanValue !== value) clean = { ...clean, [key]: cleanValue };
  }
  return clean;
}

function withoutSecretsInside(value: unknown, levels: number): unknown {
  if (levels === 1 || typeof value !== "object" || value === null) return value;
  return withoutSecrets(value as Record<string, unknown>, levels - 1);
}

/** Formats in this process and at once: a worker thread would survive neither bundling nor a crash. */
function prettyLines(destination: DestinationStream): DestinationStream {
  const time = "SYS:yyyy-mm-dd HH:MM:ss.l";
  const format = prettyFactory({ ignore: "pid,hostname", translateTime: time, singleLine: true });
  return { write: (line) => destination.write(format(line)) };
}

/** Standard output, written at once and past Node's stream: a quarter of its cost, and nothing is lost on a crash. */
export function standardOutput(): DestinationStream {
  return pino.destination({ fd: 1, sync: true });
}

/**
 * Errors of a boundary, and what a reconcile makes of them: their message says what was tried and what came of it, and
 * their stack shows nothing but the inside of a transport, or of the operator.
 */
const withoutStack: ReadonlySet<string> = new Set(["KubeError", "NorthflankError", "ReconcileError"]);

/** Name, code, message and stack, causes included by name and code only: a foreign error's message may quote a header. */
function serializeError(error: unknown): object {
  if (!(error instanceof Error)) return { type: typeof error, message: "a value that is not an Error was thrown" };
  const { cause } = error;
  return {
    type: error.name,
    message: error.message,
    ...(error.stack === undefined || withoutStack.has(error.name) ? {} : { stack: error.stack }),
    ...(cause instanceof Error ? { cause: describeCause(cause) } : {}),
  };
}

function describeCause(cause: Error): string {
  const code = "code" in cause && typeof cause.code === "string" ? ` ${cause.code}` : "";
  return `${cause.name}${code}`;
}

// pure
import type { IncomingHttpHeaders } from "node:http";

/**
 * What a delivery is about. Nothing in it is believed: it only says what may be worth reading. A name that fits nothing
 * leads to nothing.
 */
export interface Hint {
  readonly projectId: string;
  readonly serviceId: string | undefined;
  readonly jobId: string | undefined;
  /** The run of that job, where it is named. */
  readonly runId: string | undefined;
  /** It is about a run, so that the settings of the job are no different than before. */
  readonly isAboutRun: boolean;
  /** A run has begun: that of a run which is known to be active says nothing about its end. Default: no. */
  readonly isStart?: true;
}

/** The header with the shared secret, in Node's spelling. */
export const tokenHeader = "x-northflank-notification-integration-token";
const eventIdHeader = "x-northflank-notification-integration-event-id";
const eventTypeHeader = "x-northflank-notification-integration-event-type";

/** More characters than any id has that was seen. */
const longestEventId = 128;

/** The id of an event, equal for one that is delivered again; `undefined` where it has none, or a nonsensical one. */
export function eventIdOf(headers: IncomingHttpHeaders): string | undefined {
  const id = textOf(headers[eventIdHeader]);
  return id !== undefined && id.length <= longestEventId ? id : undefined;
}

/**
 * The hint in a delivery; `undefined` for what is not JSON, or names no service and no job of a project. The payloads of
 * most events are printed nowhere, so names are taken wherever the printed one has them: `data.service.id`, and
 * `data.serviceId` as well.
 */
export function hintIn(body: Buffer, headers: IncomingHttpHeaders): Hint | undefined {
  const delivery = parsed(body);
  const data = fieldOf(delivery, "data");
  const event = eventName(textOf(fieldOf(delivery, "event")) ?? textOf(headers[eventTypeHeader]) ?? "");
  const projectId = idIn(data, "project");
  const serviceId = idIn(data, "service");
  const jobId = idIn(data, "job");
  if (projectId === undefined || (serviceId === undefined && jobId === undefined)) return undefined;
  const runId = idIn(data, "jobRun") ?? idIn(data, "run");
  const isStart = event === "job-run:start" && { isStart: true as const };
  return { projectId, serviceId, jobId, runId, isAboutRun: event.startsWith("job-run:"), ...isStart };
}

/** Integrations name events `trigger:build:start`, deliveries `build:start`. */
function eventName(name: string): string {
  return name.replace(/^trigger:/, "");
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    // What is no JSON names nothing. The message of the parser would quote it.
    return undefined;
  }
}

/** `<name>.id`, or `<name>Id`. */
function idIn(data: unknown, name: string): string | undefined {
  const id = textOf(fieldOf(fieldOf(data, name), "id")) ?? textOf(fieldOf(data, `${name}Id`));
  return isId(id) ? id : undefined;
}

/** What an id of Northflank may look like. */
export function isId(value: unknown): value is string {
  return typeof value === "string" && /^[A-Za-z0-9-]{1,100}$/.test(value);
}

function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

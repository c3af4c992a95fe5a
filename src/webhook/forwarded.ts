// pure
import { createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { ObjectKey } from "../runtime/outcome.ts";
import { present } from "../util/present.ts";
import { type Hint, isId } from "./delivery.ts";

/*
 * A standby forwards the hint of a delivery to the leader, never the delivery or its token:
 *
 *     standby: token is right, hint is read --- POST, headers only: hint, time, proof ---> leader: proof is right
 *
 * The proof is an HMAC whose key is made from the digest of the shared secret. Both replicas have that digest, and it
 * never travels. Who listens in learns ids of projects and services; who repeats it within a minute causes what the
 * delivery itself causes, once. What was forwarded is never forwarded again.
 */

const hintHeader = "x-northflank-operator-hint";
const timeHeader = "x-northflank-operator-time";
const proofHeader = "x-northflank-operator-proof";

/** Replicas follow the clock of one API server. */
const longestAgeMs = 60_000;

/** What one replica sends to the other. */
export interface ForwardedHint {
  readonly hint: Hint;
  /** The id of the event; `undefined` where it has none. */
  readonly eventId: string | undefined;
}

/** Whether a request is one of another replica, whoever sent it. */
export function isForwarded(headers: IncomingHttpHeaders): boolean {
  return headers[proofHeader] !== undefined;
}

/** The headers of a forwarded hint. `digest`: of the token that the delivery carried. */
export function forwardHeaders(
  connection: ObjectKey,
  { hint, eventId }: ForwardedHint,
  { digest, nowMs }: { readonly digest: Buffer; readonly nowMs: number },
): Readonly<Record<string, string>> {
  const text = JSON.stringify({ ...hint, eventId });
  const encoded = Buffer.from(text).toString("base64url");
  // The clock of the API server has fractions.
  const time = String(Math.round(nowMs));
  const proof = proofOf(connection, { encoded, time, digest }).toString("hex");
  return { [hintHeader]: encoded, [timeHeader]: time, [proofHeader]: proof };
}

/**
 * Whether a forwarded hint was made by a replica that has this digest, a minute ago at most. Takes as long for every
 * proof of the right length.
 */
export function isProven(
  connection: ObjectKey,
  headers: IncomingHttpHeaders,
  { digest, nowMs }: { readonly digest: Buffer; readonly nowMs: number },
): boolean {
  const [encoded, time, proof] = [
    textOf(headers[hintHeader]),
    textOf(headers[timeHeader]),
    textOf(headers[proofHeader]),
  ];
  const presented = Buffer.from(/^[0-9a-f]{64}$/.test(proof) ? proof : "0".repeat(64), "hex");
  const isEqual = timingSafeEqual(presented, proofOf(connection, { encoded, time, digest }));
  return isEqual && /^\d{1,16}$/.test(time) && Math.abs(nowMs - Number(time)) <= longestAgeMs;
}

/** The hint that is forwarded; `undefined` for what is none. Only for what {@link isProven}. */
export function forwardedHint(headers: IncomingHttpHeaders): ForwardedHint | undefined {
  const fields = parsed(Buffer.from(textOf(headers[hintHeader]), "base64url").toString("utf8"));
  const id = (name: string) => (isId(fields?.[name]) ? fields[name] : undefined);
  const projectId = id("projectId");
  if (fields === undefined || projectId === undefined) return undefined;
  const { eventId, isAboutRun, isStart } = fields;
  // A new field of a hint does not compile before it is read here.
  const read: Required<{ readonly [K in keyof Hint]: unknown }> = {
    projectId,
    serviceId: id("serviceId"),
    jobId: id("jobId"),
    runId: id("runId"),
    isAboutRun: isAboutRun === true,
    isStart: isStart === true ? true : undefined,
  };
  return { hint: present(read) as Hint, eventId: typeof eventId === "string" ? eventId : undefined };
}

function proofOf(
  connection: ObjectKey,
  { encoded, time, digest }: { readonly encoded: string; readonly time: string; readonly digest: Buffer },
): Buffer {
  const key = createHmac("sha256", digest).update("northflank-operator forwarded hint 1").digest();
  return createHmac("sha256", key).update(`${connection}\n${time}\n${encoded}`).digest();
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    // Made by another version: it names nothing.
    return undefined;
  }
}

function textOf(value: string | string[] | undefined): string {
  return typeof value === "string" ? value : "";
}

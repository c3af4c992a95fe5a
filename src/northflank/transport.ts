import { type Dispatcher, Pool, ProxyAgent, errors as undiciErrors } from "undici";
import { textOf } from "../util/chunks.ts";
import type { Clock, Timer } from "../util/clock.ts";
import type { SecretValue } from "../util/secret-value.ts";
import { isAllowedOrigin, originProblem } from "./api-origin.ts";
import { NorthflankError } from "./errors.ts";
import { Lane, type PlacedCall } from "./lane.ts";
import { lateMs, writePatienceMs } from "./lane-state.ts";
import { networkFailure } from "./network-failure.ts";
import { isReachedDirectly, type ProxySettings } from "./proxy.ts";
import type { Headers } from "./rate-limit.ts";

/** One request, ready to be sent. */
export interface TransportRequest {
  /** `https://host[:port]`; checked against the allow-list right before sending. */
  readonly origin: string;
  /**
   * Names the account. Requests of different lanes never share connections, so that a slow account does not delay
   * others. Default: one lane.
   */
  readonly lane?: string | undefined;
  /** A project that hangs leaves connections to the other projects of its lane (`lane-state.ts`). Default: one project. */
  readonly project?: string | undefined;
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** Path and query, sent as they are. */
  readonly path: string;
  /** JSON text. */
  readonly body?: string | undefined;
  readonly token: SecretValue;
  /** What is being done, for errors. */
  readonly step: string;
  readonly signal: AbortSignal;
  /** Called right before the first byte leaves. Not called at all means: nothing was sent, for sure. */
  readonly onSend?: (() => void) | undefined;
}

/** The body of an answer: JSON, or the reason why there is none. It is never quoted. */
export type ResponseBody =
  | { readonly kind: "json"; readonly value: unknown }
  | { readonly kind: "unreadable"; readonly error: NorthflankError };

/** An answer, whatever its status. */
export interface TransportResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly body: ResponseBody;
}

/**
 * Sends one request and reads one answer, whatever its status.
 *
 * *Errors*: `NorthflankError` with `unreachable`, `tls`, `interrupted`, `timeout` or `protocol` when no headers came
 * back, and its `sent` says whether a byte left; the signal's reason when the signal was aborted. What goes wrong after
 * the headers is an `unreadable` body, because the headers still report the quota.
 */
export interface Transport extends AsyncDisposable {
  send(request: TransportRequest): Promise<TransportResponse>;
}

export interface TransportOptions {
  readonly clock: Clock;
  /** Hosts that may see a token: `host` or `host:port`. */
  readonly allowedHosts: readonly string[];
  /** `northflank-operator/1.2.3` */
  readonly userAgent: string;
  /** Connections per origin and lane. Default 8. */
  readonly connections?: number;
  /** How long a connection may be idle before we close it. Default 4 s; see there why not longer. */
  readonly idleConnectionMs?: number;
  /** Name lookup, TCP and TLS. Default 10 s. */
  readonly connectTimeoutMs?: number;
  /** From the request until the headers of the answer. Default: the total. */
  readonly headersTimeoutMs?: number;
  /** Longest silence within the body of the answer. Default 10 s. */
  readonly bodyIdleTimeoutMs?: number;
  /** The whole call, waiting for a free connection included, which may take half of it. Default 30 s. */
  readonly totalTimeoutMs?: number;
  /** Longest answer. Default 4 MiB. */
  readonly maxResponseBytes?: number;
  /** Certificates of own authorities (PEM), instead of the built-in ones. Verification itself cannot be switched off. */
  readonly ca?: string;
  /** The proxy for what is not listed as reached without it. Default: none. */
  readonly proxy?: ProxySettings | undefined;
}

/**
 * How long a connection may be idle before we close it ourselves, in milliseconds. Servers and load balancers close idle
 * connections after 5 s or more; one that is closed while we write to it leaves the outcome of a POST open, which for
 * starting a run is the worst case. Staying below makes that race practically impossible.
 */
const defaultIdleConnectionMs = 4_000;

const defaultConnections = 8;

/** The connections of one lane, and who uses them. */
interface OpenLane {
  readonly key: string;
  readonly pool: Dispatcher;
  readonly lane: Lane;
  usedAtMs: number;
}

// Its connections are closed long before; a lane that is used again by then need not be made anew.
const idleLaneMs = 60_000;

/**
 * Makes the transport: one pool of connections per origin and lane. A lane that was not used for a minute is closed with
 * the next request of any lane.
 *
 * Built on undici's `dispatch` rather than `request`: the path goes out as it is, redirects are not followed, the moment
 * before the first byte is known, and a call that waits for a connection can be given up without ever being sent.
 *
 * A proxy is asked for a tunnel (CONNECT): it learns the host, never the token or what is said.
 */
export function createTransport(options: TransportOptions): Transport {
  const { clock } = options;
  const lanes = new Map<string, OpenLane>();
  const closing = new Set<Promise<void>>();
  const limits: Limits = {
    totalMs: options.totalTimeoutMs ?? 30_000,
    headersMs: options.headersTimeoutMs ?? options.totalTimeoutMs ?? 30_000,
    bodyIdleMs: options.bodyIdleTimeoutMs ?? 10_000,
    maxBytes: options.maxResponseBytes ?? 4 * 1024 * 1024,
  };

  const laneOf = (request: TransportRequest): OpenLane => {
    const { origin, lane: name = "" } = request;
    const key = `${origin} ${name}`;
    closeIdle();
    const known = lanes.get(key);
    // A lane is opened only for an origin that may see a token, so one that is open needs no second check.
    if (known !== undefined) return known;
    assertAllowedOrigin(request, options.allowedHosts);
    const lane = new Lane({ clock, places: options.connections ?? defaultConnections });
    const opened: OpenLane = { key, pool: openPool(origin, options), lane, usedAtMs: clock.monotonic() };
    lanes.set(key, opened);
    return opened;
  };

  /** Each use puts a lane at the end, so those that were used longest ago stand first, and nearly always none is found. */
  const closeIdle = (): void => {
    const nowMs = clock.monotonic();
    for (const [key, { pool, lane, usedAtMs }] of lanes) {
      if (nowMs - usedAtMs < idleLaneMs) return;
      if (!lane.isIdle) continue;
      lanes.delete(key);
      // No request is in flight: whether closing fails does not matter.
      const closed = pool
        .close()
        .catch(() => undefined)
        .finally(() => closing.delete(closed));
      closing.add(closed);
    }
  };

  const touch = (opened: OpenLane): void => {
    opened.usedAtMs = clock.monotonic();
    if (lanes.delete(opened.key)) lanes.set(opened.key, opened);
  };

  return {
    send: async (request) => {
      request.signal.throwIfAborted();
      const opened = laneOf(request);
      assertPlainPath(request);
      try {
        return await exchange({ ...opened, request, limits, options });
      } finally {
        touch(opened);
      }
    },
    [Symbol.asyncDispose]: async () => {
      const open = [...lanes.values()];
      lanes.clear();
      await Promise.all([...open.map(({ pool }) => pool.destroy()), ...closing]);
    },
  };
}

function openPool(origin: string, options: TransportOptions): Dispatcher {
  const { proxy, idleConnectionMs: idleMs = defaultIdleConnectionMs, connectTimeoutMs = 10_000 } = options;
  const tls = {
    timeout: connectTimeoutMs,
    // Said here, so that NODE_TLS_REJECT_UNAUTHORIZED cannot switch it off from outside.
    rejectUnauthorized: true,
    minVersion: "TLSv1.2",
    ...(options.ca === undefined ? {} : { ca: options.ca }),
  } as const;
  const settings = {
    connections: options.connections ?? defaultConnections,
    pipelining: 1,
    keepAliveTimeout: idleMs,
    // A server's own `Keep-Alive` header may shorten this, never lengthen it.
    keepAliveMaxTimeout: idleMs,
  };
  if (proxy === undefined || isReachedDirectly(origin, proxy.noProxy)) {
    return new Pool(origin, { ...settings, connect: tls });
  }
  return new ProxyAgent({
    ...settings,
    uri: proxy.url,
    ...(proxy.authorization === undefined ? {} : { token: proxy.authorization.reveal() }),
    requestTls: tls,
    proxyTls: tls,
    // A proxy that takes the connection and says nothing must not keep a place for minutes.
    clientFactory: (url, more) => new Pool(url, { ...more, headersTimeout: connectTimeoutMs }),
  });
}

interface Limits {
  readonly totalMs: number;
  readonly headersMs: number;
  readonly bodyIdleMs: number;
  readonly maxBytes: number;
}

/** The last check before a token leaves. Whoever built the request, a host that is not listed never sees it. */
function assertAllowedOrigin(request: TransportRequest, allowedHosts: readonly string[]): void {
  const url = URL.canParse(request.origin) ? new URL(request.origin) : undefined;
  if (url === undefined || url.origin !== request.origin)
    throw refusal(request, "the address of the API is not an origin");
  const problem = originProblem(url);
  if (problem !== undefined) throw refusal(request, `the API URL is not valid: ${problem}`);
  if (!isAllowedOrigin(request.origin, allowedHosts)) {
    throw refusal(request, `host ${url.host} is not on the list of allowed API hosts (--allowed-api-hosts)`);
  }
}

// Segments that do not begin with a dot, and a query, of characters that no URL parser touches: nearly all that is sent.
const surelyPlain = /^(?:\/[A-Za-z0-9_-][A-Za-z0-9_.-]*)+(?:\?[A-Za-z0-9_.=&-]*)?$/;

/** A path that a URL parser would rewrite could lead elsewhere than it says. */
function assertPlainPath(request: TransportRequest): void {
  if (surelyPlain.test(request.path)) return;
  if (new URL(request.path, request.origin).href !== `${request.origin}${request.path}`) {
    throw refusal(request, "the path is not in its plain form");
  }
}

function refusal({ step }: TransportRequest, detail: string): NorthflankError {
  return new NorthflankError({ code: "unreachable", step, detail, sent: false });
}

function exchange(context: {
  readonly pool: Dispatcher;
  readonly lane: Lane;
  readonly request: TransportRequest;
  readonly limits: Limits;
  readonly options: TransportOptions;
}): Promise<TransportResponse> {
  const { pool, lane, request, limits, options } = context;
  const { clock } = options;
  return new Promise((resolve, reject) => {
    let isSent = false;
    let isOver = false;
    let timer: Timer | undefined;
    let abortSocket: ((reason: Error) => void) | undefined;
    let head: { readonly status: number; readonly headers: Headers } | undefined;
    const chunks: Buffer[] = [];
    let bytes = 0;
    const enteredAtMs = clock.monotonic();

    const failure = (facts: {
      readonly code: NorthflankError["code"];
      readonly detail: string;
      readonly cause?: unknown;
    }) => new NorthflankError({ ...facts, step: request.step, sent: isSent, ...(head && { httpStatus: head.status }) });
    const end = (finish: () => void, isAnswered = false): void => {
      if (isOver) return;
      isOver = true;
      timer?.cancel();
      request.signal.removeEventListener("abort", onAbort);
      finish();
      // Last: the place may go to another request at once, which then needs the connection that this one has freed.
      lane.leave(call, isAnswered);
    };
    /** Ends the call with an error: as the body of an answer whose headers are known, else as a rejection. */
    const fail = (error: NorthflankError): void =>
      end(() => {
        if (head === undefined) reject(error);
        else resolve({ ...head, body: { kind: "unreadable", error } });
        // Undici reports nothing more after this; before it has a connection there is nothing to break.
        abortSocket?.(error);
      });
    const onAbort = (): void =>
      end(() => {
        reject(request.signal.reason);
        abortSocket?.(new undiciErrors.RequestAbortedError());
      });
    const failAfter = (delayMs: number, detail: string): void => {
      timer?.cancel();
      timer = clock.setTimer(() => fail(failure({ code: "timeout", detail })), delayMs);
    };
    const dispatch = (): void => {
      const leftMs = limits.totalMs - (clock.monotonic() - enteredAtMs);
      failAfter(leftMs, `no complete response within ${limits.totalMs} ms`);
      pool.dispatch(onTheWire(request, limits, options.userAgent), {
        onRequestStart: (controller) => {
          // Given up while its connection was made: breaking it off here means that no byte is written.
          if (isOver) {
            controller.abort(new undiciErrors.RequestAbortedError());
            return;
          }
          abortSocket = (reason) => controller.abort(reason);
          isSent = true;
          request.onSend?.();
        },
        onResponseStart: (_controller, status, headers) => {
          if (status >= 200) head = { status, headers };
        },
        onResponseData: (_controller, chunk) => {
          bytes += chunk.length;
          chunks.push(chunk);
          if (bytes > limits.maxBytes) {
            fail(failure({ code: "protocol", detail: `the response is longer than ${limits.maxBytes} bytes` }));
          }
        },
        onResponseEnd: () => {
          if (head === undefined) {
            fail(failure({ code: "protocol", detail: "the response has no status" }));
            return;
          }
          const answer = { ...head, body: readBody(head, chunks, failure) };
          end(() => resolve(answer), true);
        },
        onResponseError: (_controller, error) =>
          fail(failure(networkFailure(error, { host: hostOf(request.origin), isSent }))),
      });
    };
    const call: PlacedCall = {
      project: request.project ?? "",
      isRead: request.method === "GET",
      start: dispatch,
      evict: () => fail(failure({ code: "timeout", detail: lateDetail(request) })),
    };
    request.signal.addEventListener("abort", onAbort, { once: true });
    lane.enter(call);
    if (isOver || timer !== undefined) return;
    // Not the whole time: one that is sent at the end of it would only cost a request.
    const waitMs = limits.totalMs / 2;
    failAfter(waitMs, `no connection became free within ${waitMs} ms, other requests of the account take too long`);
  });
}

function onTheWire(request: TransportRequest, limits: Limits, userAgent: string): Dispatcher.DispatchOptions {
  const { origin, path, method, body = null } = request;
  const { headersMs: headersTimeout, bodyIdleMs: bodyTimeout } = limits;
  return { origin, path, method, headers: headersOf(request, userAgent), body, headersTimeout, bodyTimeout };
}

function lateDetail({ method }: TransportRequest): string {
  const patienceMs = method === "GET" ? lateMs : writePatienceMs;
  return `no complete response within ${patienceMs} ms, and requests to other projects needed the connection`;
}

/** The host of an origin, with the port where it is not the usual one. */
function hostOf(origin: string): string {
  return new URL(origin).host;
}

function headersOf(request: TransportRequest, userAgent: string): Record<string, string> {
  return {
    authorization: `Bearer ${request.token.reveal()}`,
    accept: "application/json",
    "user-agent": userAgent,
    ...(request.body === undefined ? {} : { "content-type": "application/json" }),
  };
}

/** Parses the body. What V8 says about broken JSON quotes it, so that error is dropped. */
function readBody(
  head: { readonly status: number; readonly headers: Headers },
  chunks: readonly Buffer[],
  failure: (facts: { readonly code: "protocol"; readonly detail: string }) => NorthflankError,
): ResponseBody {
  const unreadable = (detail: string): ResponseBody => ({
    kind: "unreadable",
    error: failure({ code: "protocol", detail: `status ${head.status}: ${detail}` }),
  });
  if (head.headers["content-encoding"] !== undefined && head.headers["content-encoding"] !== "identity") {
    return unreadable("the body is compressed, which was not requested");
  }
  const type = mediaType(head.headers["content-type"]);
  if (type !== "application/json" && !type.endsWith("+json")) {
    return unreadable(`the content type is ${type}, not JSON`);
  }
  const received = textOf(chunks);
  // A byte order mark is not JSON, but some proxies prepend it.
  const text = received.startsWith("\uFEFF") ? received.slice(1) : received;
  if (text.length === 0) return unreadable("the body is empty");
  try {
    return { kind: "json", value: JSON.parse(text) };
  } catch {
    return unreadable("the body is not valid JSON");
  }
}

function mediaType(header: string | readonly string[] | undefined): string {
  const text = typeof header === "string" ? header : header?.[0];
  const type = (text ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
  if (type === "") return "missing";
  return /^[a-z0-9.+-]{1,60}\/[a-z0-9.+-]{1,60}$/.test(type) ? type : "malformed";
}

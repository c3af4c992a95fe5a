import { rootCertificates } from "node:tls";
import { Agent, type Dispatcher, ProxyAgent } from "undici";
import { textOf } from "../util/chunks.ts";
import type { Clock, Timer } from "../util/clock.ts";
import { toError } from "../util/errors.ts";
import { KubeError } from "./errors.ts";
import type { KubeAccess, KubeConnection, KubeCredentials, TlsSettings } from "./kubeconfig.ts";
import type { CredentialHeaders } from "./kubeconfig-headers.ts";
import { socksConnector } from "./socks.ts";

/** One call, ready to be sent. */
export interface KubeRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Path and query, already checked and encoded. */
  readonly path: string;
  /** What is tried, for messages: `get secrets default/nf-token`. */
  readonly step: string;
  readonly contentType?: string;
  readonly body?: string;
  /**
   * `shared` calls take turns on a bounded number of connections. `reserved` ones never queue behind them: watches,
   * which would occupy a connection for ever, and Leases, which must not be lost because the operator is busy.
   */
  readonly lane: "shared" | "reserved";
}

/** A whole answer. Header names are in lower case. */
export interface KubeResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** Where the bytes of a stream go. Whatever these throw ends the stream and rejects the call. */
export interface StreamSink {
  readonly onStart: () => void;
  readonly onChunk: (chunk: Buffer) => void;
}

/** One finished call, for metrics: `code` is the HTTP status, or `<error>` when there was none. */
export interface KubeCallFacts {
  readonly method: string;
  readonly host: string;
  readonly code: string;
}

/**
 * Carries calls to one API server over pooled connections.
 *
 * *Guarantees*: sends each call at most once, follows no redirect, requests no compression, keeps at most
 * `maxConnections` connections for shared calls. A CA, certificate or proxy that changed leads to new connections; calls
 * in flight end on the old ones.
 *
 * *Errors*: `KubeError` with `timeout`, `unavailable`, `protocol` or `config`; an aborted signal rejects with its reason.
 */
export interface KubeTransport extends AsyncDisposable {
  /** The whole answer, whatever its status. The time limit covers credentials, waiting for a connection and the body. */
  send(request: KubeRequest, signal?: AbortSignal): Promise<KubeResponse>;
  /**
   * Resolves with `undefined` when the server ended a stream of status 200, with the whole answer for any other status.
   * No time limit: the signal ends it.
   */
  stream(request: KubeRequest, sink: StreamSink, signal: AbortSignal): Promise<KubeResponse | undefined>;
  /** Breaks every connection. Calls in flight reject with `unavailable`. */
  close(): Promise<void>;
}

export interface KubeTransportOptions {
  readonly access: KubeAccess;
  readonly clock: Clock;
  readonly userAgent: string;
  /** Time limit of one call, in milliseconds. Default 30,000. */
  readonly requestTimeoutMs?: number;
  /** Connections for shared calls. Default 24. */
  readonly maxConnections?: number;
  /** Largest answer in bytes. Default 64 MiB. */
  readonly maxResponseBytes?: number;
  readonly onCall?: (facts: KubeCallFacts) => void;
  /** Called with the `Date` header of each answer as it begins to arrive. */
  readonly onDate?: (date: unknown) => void;
}

// The server itself gives up on most calls after 60 s; a worker that waits half of that has waited long enough.
const defaultRequestTimeoutMs = 30_000;
// Three kinds with eight workers each, one call per worker at a time: no call waits for a connection at the default
// settings, and with the other pools the process stays below 64 file descriptors.
const defaultMaxConnections = 24;
// A page of 500 objects is about 1 MB; 64 MiB still lets pass a page of large ones and stops a runaway answer.
const defaultMaxResponseBytes = 64 * 1024 * 1024;
// The API server closes idle connections after 90 s, load balancers in front of it often after 60 s. We close first,
// so that no call is written to a connection that is just being closed.
const idleConnectionMs = 30_000;
// As client-go: finds dead peers behind NAT before load balancers (60 s) forget the connection.
const tcpKeepAliveMs = 30_000;
const connectTimeoutMs = 10_000;

/** Makes the transport; no connection is opened before the first call. */
export function createKubeTransport(options: KubeTransportOptions): KubeTransport {
  const { access, clock, onCall } = options;
  const requestTimeoutMs = options.requestTimeoutMs ?? defaultRequestTimeoutMs;
  const maxBytes = options.maxResponseBytes ?? defaultMaxResponseBytes;
  const { origin, pathname, host } = new URL(access.server);
  const prefix = pathname === "/" ? "" : pathname;
  let lanes: Lanes | undefined;
  let closed = false;

  const dispatcherFor = (connection: KubeConnection, lane: KubeRequest["lane"]): Dispatcher => {
    if (lanes?.key !== connection.key) {
      retire(lanes);
      lanes = openLanes(connection, clock, options.maxConnections ?? defaultMaxConnections);
    }
    return lanes[lane];
  };

  const exchange = (request: KubeRequest, call: Exchange): Promise<KubeResponse | undefined> =>
    new Promise((resolve, reject) => {
      const handler = createHandler(request, call, { clock, maxBytes, resolve, reject, onDate: options.onDate });
      const start = (credentials: KubeCredentials): void => {
        if (handler.isSettled()) return;
        handler.identified();
        if (closed) throw new KubeError({ code: "unavailable", step: request.step, detail: "the client was closed" });
        dispatcherFor(credentials.connection, request.lane).dispatch(
          {
            origin,
            path: prefix + request.path,
            method: request.method,
            headers: headersOf(request, credentials, options.userAgent),
            body: request.body ?? null,
            headersTimeout: 0,
            bodyTimeout: 0,
          },
          handler,
        );
      };
      access.credentials().then(start).catch(handler.fail);
    });

  const observed = async (request: KubeRequest, call: Exchange): Promise<KubeResponse | undefined> => {
    let code = "<error>";
    const onStatus = (status: number): void => {
      code = String(status);
      if (status === 401) access.refused();
    };
    try {
      return await exchange(request, { ...call, onStatus });
    } finally {
      onCall?.({ method: request.method, host, code });
    }
  };

  const transport: KubeTransport = {
    send: async (request, signal) => {
      const response = await observed(request, { signal, timeoutMs: requestTimeoutMs });
      if (response === undefined) throw new TypeError("an answer without a stream was taken for one");
      return response;
    },
    stream: (request, sink, signal) => observed(request, { signal, sink }),
    close: async () => {
      closed = true;
      access.close?.();
      if (lanes === undefined) return;
      await Promise.all([lanes.shared.destroy(), lanes.reserved.destroy()]);
    },
    [Symbol.asyncDispose]: () => transport.close(),
  };
  return transport;
}

interface Lanes {
  readonly key: string;
  readonly shared: Dispatcher;
  readonly reserved: Dispatcher;
}

function openLanes(connection: KubeConnection, clock: Clock, maxConnections: number): Lanes {
  const { key } = connection;
  const timing = {
    keepAliveTimeout: idleConnectionMs,
    keepAliveMaxTimeout: idleConnectionMs,
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
  };
  const tcp = { keepAlive: true, keepAliveInitialDelay: tcpKeepAliveMs, timeout: connectTimeoutMs };
  switch (connection.kind) {
    case "direct": {
      const settings = { ...timing, connect: { ...connection.tls, ...tcp } };
      return { key, shared: new Agent({ ...settings, connections: maxConnections }), reserved: new Agent(settings) };
    }
    case "proxy": {
      const { uri, tls } = connection;
      const settings = { ...timing, uri, requestTls: tls, proxyTls: proxyTls(uri, tls), connect: tcp };
      return {
        key,
        shared: new ProxyAgent({ ...settings, connections: maxConnections }),
        reserved: new ProxyAgent(settings),
      };
    }
    case "socks": {
      const proxy = new URL(connection.uri);
      const limits = { timeoutMs: connectTimeoutMs, keepAliveMs: tcpKeepAliveMs };
      const settings = { ...timing, connect: socksConnector({ proxy, tls: connection.tls, clock, ...limits }) };
      return { key, shared: new Agent({ ...settings, connections: maxConnections }), reserved: new Agent(settings) };
    }
  }
}

/**
 * How to speak to a proxy whose address begins with https. kubectl trusts the certificate authority of the cluster there;
 * a publicly trusted one will do as well.
 */
function proxyTls(uri: string, { ca, rejectUnauthorized }: TlsSettings): TlsSettings {
  if (!uri.startsWith("https:")) return {};
  return {
    ...(ca === undefined ? {} : { ca: [ca, rootCertificates].flat(2) }),
    ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
  };
}

/** Lets the calls on old connections end by themselves, without waiting for them. */
function retire(lanes: Lanes | undefined): void {
  if (lanes === undefined) return;
  for (const lane of new Set([lanes.shared, lanes.reserved])) {
    // Closing fails only if it was closed before, and then there is nothing left to do.
    lane.close().catch(() => undefined);
  }
}

function headersOf(
  request: KubeRequest,
  credentials: KubeCredentials,
  userAgent: string,
): Record<string, CredentialHeaders[string]> {
  return {
    accept: "application/json",
    "user-agent": userAgent,
    ...credentials.headers,
    ...(request.contentType === undefined ? {} : { "content-type": request.contentType }),
  };
}

interface Exchange {
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs?: number;
  readonly sink?: StreamSink;
  readonly onStatus?: (status: number) => void;
}

interface ExchangeHandler extends Dispatcher.DispatchHandler {
  readonly isSettled: () => boolean;
  /** The credentials are there. */
  readonly identified: () => void;
  readonly fail: (error: unknown) => void;
}

/** Receives one answer. It settles once; whatever comes after that is ignored and the connection given up. */
function createHandler(
  request: KubeRequest,
  call: Exchange,
  deps: {
    readonly clock: Clock;
    readonly maxBytes: number;
    readonly resolve: (response: KubeResponse | undefined) => void;
    readonly reject: (error: unknown) => void;
    readonly onDate: KubeTransportOptions["onDate"];
  },
): ExchangeHandler {
  let settled = false;
  let controller: Dispatcher.DispatchController | undefined;
  let response: { status: number; headers: KubeResponse["headers"] } | undefined;
  let timer: Timer | undefined;
  let waitsFor: "credentials" | "answer" | "rest" = "credentials";
  const chunks: Buffer[] = [];
  let bytes = 0;

  const settle = (): boolean => {
    if (settled) return false;
    settled = true;
    timer?.cancel();
    call.signal?.removeEventListener("abort", onAbort);
    return true;
  };
  const fail = (error: unknown): void => {
    if (!settle()) return;
    controller?.abort(toError(error));
    deps.reject(error);
  };
  const onAbort = (): void => fail(call.signal?.reason);
  const isStream = () => call.sink !== undefined && response?.status === 200;

  if (call.signal?.aborted) onAbort();
  else call.signal?.addEventListener("abort", onAbort, { once: true });
  if (call.timeoutMs !== undefined && !settled) {
    const { timeoutMs } = call;
    timer = deps.clock.setTimer(() => fail(timeoutError(request, timeoutMs, waitsFor)), timeoutMs);
  }

  return {
    isSettled: () => settled,
    identified: () => {
      waitsFor = "answer";
    },
    fail,
    onRequestStart: (started) => {
      controller = started;
      if (settled) started.abort(new Error("aborted before it was sent"));
    },
    onResponseStart: (_, status, headers) => {
      if (settled || status < 200) return;
      response = { status, headers: headers as KubeResponse["headers"] };
      waitsFor = "rest";
      deps.onDate?.(headers.date);
      call.onStatus?.(status);
      if (isStream()) call.sink?.onStart();
    },
    onResponseData: (_, chunk) => {
      if (settled) return;
      if (isStream()) {
        guard(() => call.sink?.onChunk(chunk), fail);
        return;
      }
      bytes += chunk.length;
      if (bytes > deps.maxBytes) fail(tooLargeError(request, deps.maxBytes, response?.status));
      else chunks.push(chunk);
    },
    onResponseEnd: () => {
      if (response === undefined || !settle()) return;
      const answer = isStream() ? undefined : { ...response, body: textOf(chunks) };
      afterRelease(() => deps.resolve(answer));
    },
    onResponseError: (_, error) => fail(connectionError(request, error, response?.status, isStream())),
  };
}

/**
 * Runs `then` when undici has put the connection back. It does so in an immediate of its own, set right after the answer
 * ended; a call that is sent before that opens a second connection that is not needed.
 */
function afterRelease(then: () => void): void {
  queueMicrotask(() => setImmediate(then));
}

/** Runs what the caller gave us; if it throws, that is the caller's error and not the connection's. */
function guard(run: () => void, fail: (error: unknown) => void): void {
  try {
    run();
  } catch (error) {
    fail(error);
  }
}

const missing = {
  credentials: "the credential plugin or the identity provider of the kubeconfig did not respond",
  answer: "no response",
  rest: "the response was not complete",
} as const;

function timeoutError(request: KubeRequest, timeoutMs: number, waitsFor: keyof typeof missing): KubeError {
  const detail = missing[waitsFor];
  return new KubeError({ code: "timeout", step: request.step, detail: `${detail} within ${timeoutMs} ms` });
}

function tooLargeError(request: KubeRequest, maxBytes: number, httpStatus: number | undefined): KubeError {
  return new KubeError({
    code: "protocol",
    step: request.step,
    detail: `the response is larger than ${maxBytes} bytes; ask for smaller pages`,
    ...(httpStatus === undefined ? {} : { httpStatus }),
  });
}

/** What undici and Node report, in our words: their messages name addresses and codes only, but their causes may not. */
function connectionError(
  request: KubeRequest,
  error: Error,
  httpStatus: number | undefined,
  isStream: boolean,
): KubeError {
  const code = (error as NodeJS.ErrnoException).code ?? error.name;
  const facts = { step: request.step, ...(httpStatus === undefined ? {} : { httpStatus }) };
  if (error.name === "HTTPParserError") {
    return new KubeError({ ...facts, code: "protocol", detail: `the response is not HTTP (${code})` });
  }
  if (httpStatus !== undefined && !isStream) {
    return new KubeError({ ...facts, code: "protocol", detail: `the response was cut off (${code})` });
  }
  if (isTlsCode(code)) {
    const detail = `the server's certificate was not accepted (${code}); check certificate-authority in the kubeconfig`;
    return new KubeError({ ...facts, code: "unavailable", detail });
  }
  return new KubeError({ ...facts, code: "unavailable", detail: `the connection failed (${code})` });
}

function isTlsCode(code: string): boolean {
  return /CERT|^ERR_TLS|^ERR_SSL|^UNABLE_TO|^HOSTNAME_MISMATCH|^EPROTO$/.test(code);
}

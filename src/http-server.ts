import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { HttpFeed, hasBody } from "./http-feed.ts";
import { type Clock, systemClock } from "./util/clock.ts";

/** A whole answer. `contentType` is plain text when missing. */
export interface HttpAnswer {
  readonly status: number;
  readonly contentType?: string;
  /** Further headers. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Answers GET and HEAD of one path. */
export type HttpRoute = (query: URLSearchParams) => Promise<HttpAnswer> | HttpAnswer;

/** What is known of a POST before its body is read. */
export interface HttpHead {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

/** Reads the body of a POST. */
export interface HttpBodyReader {
  /** A longer body is not read. */
  readonly maxBytes: number;
  /** `undefined`: the body is too long, did not come in time, or broke off. */
  readonly answer: (body: Buffer | undefined) => HttpAnswer;
}

/** Answers POST at once, or says who reads the body: until then nothing of it is parsed. */
export type HttpReceiver = (head: HttpHead) => Promise<HttpAnswer | HttpBodyReader>;

/** A certificate with its chain, and its key, both PEM. */
export interface TlsPair {
  readonly cert: string;
  readonly key: string;
}

/** A server that listens. */
export interface HttpServer {
  /** `host:port` that it really listens on. */
  readonly address: string;
  /** Uses another certificate for new connections. Throws what is no pair. */
  renewTls(pair: TlsPair): void;
  stop(): Promise<void>;
}

/** What one client may use up. */
export interface HttpLimits {
  /** How long a client may take to send a request, to take its answer, or to think of the next request. Default 10 s. */
  readonly slowMs?: number;
  /** Open connections. Default 256. */
  readonly connections?: number;
}

export interface HttpServerOptions {
  readonly host: string | undefined;
  readonly port: number;
  /** Answer GET and HEAD, by path. */
  readonly routes: Readonly<Record<string, HttpRoute>>;
  /** Answers POST of every path that no route has. Default: 404. */
  readonly receiver?: HttpReceiver;
  /** Default: no TLS. */
  readonly tls?: TlsPair;
  /** Hears of what failed on our side. */
  readonly onError: (error: unknown) => void;
  readonly limits?: HttpLimits;
  readonly clock?: Clock;
}

const maxHeaderBytes = 8_192;

/**
 * Serves a few read-only paths (health, metrics), and gives POST to a receiver where there is one. Anything else is
 * answered with 400, 404, 405, 408 or 431.
 *
 * *Guarantees*: nothing that a client sends, or leaves out, is an exception outside of this file. A slow client holds
 * nothing but its own connection, for 10 s at most; one that sends the next request before it has its answer is cut
 * off. Where there are too many connections, the oldest one of the address that has most is closed for a new one, so
 * that no client keeps the kubelet away. The body of a POST is read only after its receiver has asked for it, and for
 * half of the 10 s at most. `stop` ends open connections.
 *
 * *Errors*: rejects when the address cannot be listened on, or the certificate cannot be used.
 */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { slowMs = 10_000, connections = 256 } = options.limits ?? {};
  const feed = new HttpFeed();
  // Node checks unfinished requests once per interval, so that the limit and an interval are 10 s together.
  const checkMs = slowMs / 10;
  const sendMs = slowMs - checkMs;
  const settings = {
    requestTimeout: sendMs,
    headersTimeout: sendMs,
    connectionsCheckingInterval: checkMs,
    // Node waits for a second longer than it promises.
    keepAliveTimeout: Math.max(1, slowMs - 1_000),
    maxHeaderSize: maxHeaderBytes,
  };
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    if (!feed.begin(request, { isDecided: options.receiver === undefined || request.method !== "POST" })) return;
    response.on("close", () => feed.end(request));
    respond(request, response, { ...options, slowMs, feed });
  };
  // Loaded only where it is used: most installations leave TLS to what is in front of them.
  const { createServer: createSecureServer } = options.tls === undefined ? {} : await import("node:https");
  const secure = createSecureServer?.({ ...settings, ...options.tls, handshakeTimeout: slowMs }, answer);
  const server = secure ?? createServer(settings, answer);
  // What is no HTTP, too large or too slow is answered by Node itself with 400, 431 and 408 while `clientError` has no
  // listener. A tunnel it would close without a word.
  server.on("connect", (_request, socket) => {
    feed.tunnel(socket);
    socket.on("error", () => undefined);
    socket.end("HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  });
  const open = new OpenConnections(connections);
  // Counted before its handshake.
  server.on("connection", (socket: Socket) => open.add(socket));
  server.on(secure === undefined ? "connection" : "secureConnection", (socket: Socket) => feed.attach(socket));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port: options.port, ...(options.host === undefined ? {} : { host: options.host }) }, () => {
      server.off("error", reject);
      // Such as a connection that cannot be accepted because there are no more file descriptors.
      server.on("error", options.onError);
      resolve();
    });
  });
  const { address, family, port } = server.address() as AddressInfo;
  return {
    address: family === "IPv6" ? `[${address}]:${port}` : `${address}:${port}`,
    renewTls: (pair) => secure?.setSecureContext(pair),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        // Those that have become tunnels are no longer known to the server.
        open.closeAll();
      }),
  };
}

/** All connections, the oldest first. */
class OpenConnections {
  readonly #max: number;
  readonly #sockets = new Map<Socket, string>();

  constructor(max: number) {
    this.#max = max;
  }

  add(socket: Socket): void {
    this.#sockets.set(socket, socket.remoteAddress ?? "");
    socket.once("close", () => this.#sockets.delete(socket));
    if (this.#sockets.size > this.#max) this.#closeOne();
  }

  closeAll(): void {
    for (const socket of this.#sockets.keys()) socket.destroy();
  }

  /** Closes the oldest connection of the address that has most of them. */
  #closeOne(): void {
    const counts = new Map<string, number>();
    for (const address of this.#sockets.values()) counts.set(address, (counts.get(address) ?? 0) + 1);
    const most = Math.max(...counts.values());
    for (const [socket, address] of this.#sockets) {
      if (counts.get(address) !== most) continue;
      this.#sockets.delete(socket);
      socket.destroy();
      return;
    }
  }
}

interface Answering extends HttpServerOptions {
  readonly slowMs: number;
  readonly feed: HttpFeed;
}

/** Answers one request. Never throws, and never leaves it without an answer or an end. */
function respond(request: IncomingMessage, response: ServerResponse, options: Answering): void {
  const { onError, slowMs, clock = systemClock } = options;
  const timer = clock.setTimer(() => response.destroy(), slowMs);
  response.on("close", () => timer.cancel());
  response.on("error", onError);
  answerTo(request, options)
    .catch((error: unknown): HttpAnswer => {
      onError(error);
      return { status: 500, body: "internal error\n" };
    })
    .then((answer) => {
      // Who still sends a body is not waited for.
      if (hasBody(request) && !request.complete) {
        response.shouldKeepAlive = false;
        options.feed.refuse(request);
      }
      request.resume();
      send(response, answer);
    })
    .catch((error: unknown) => {
      response.destroy();
      onError(error);
    });
}

async function answerTo(request: IncomingMessage, options: Answering): Promise<HttpAnswer> {
  const { routes, receiver } = options;
  const target = readTarget(request.url ?? "");
  if (target === undefined) return { status: 400, body: "bad request\n" };
  const route = Object.hasOwn(routes, target.path) ? routes[target.path] : undefined;
  if (route === undefined) {
    if (receiver === undefined || request.method !== "POST") return { status: 404, body: "not found\n" };
    const admitted = await receiver({ path: target.path, headers: request.headers });
    return "status" in admitted ? admitted : admitted.answer(await readBody(request, admitted.maxBytes, options));
  }
  if (request.method !== "GET" && request.method !== "HEAD") return { status: 405, body: "method not allowed\n" };
  return await route(new URLSearchParams(target.query));
}

/**
 * Path and query of `/path?query` or `http://host/path?query`. The path is taken as it is: there is nothing to resolve
 * that one of our routes could be written as.
 */
function readTarget(target: string): { readonly path: string; readonly query: string } | undefined {
  if (/^https?:/i.test(target)) {
    if (!URL.canParse(target)) return undefined;
    const { pathname, search } = new URL(target);
    return { path: pathname, query: search };
  }
  const [path = "", ...query] = target.split("?");
  return { path, query: query.join("?") };
}

/** The whole body; `undefined` when it is too long, does not come in time, or breaks off. Never rejects. */
function readBody(
  request: IncomingMessage,
  maxBytes: number,
  { feed, slowMs, clock = systemClock }: Answering,
): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const end = (body: Buffer | undefined) => {
      timer.cancel();
      request.off("data", onData);
      resolve(body);
    };
    const onData = (chunk: Buffer) => {
      length += chunk.length;
      chunks.push(chunk);
      if (length > maxBytes) end(undefined);
    };
    const timer = clock.setTimer(() => end(undefined), slowMs / 2);
    request.on("data", onData);
    request.once("end", () => end(Buffer.concat(chunks)));
    request.once("error", () => end(undefined));
    request.once("close", () => end(undefined));
    if (Number(request.headers["content-length"] ?? 0) > maxBytes) end(undefined);
    else feed.accept(request);
  });
}

function send(response: ServerResponse, answer: HttpAnswer): void {
  response.writeHead(answer.status, {
    "content-type": answer.contentType ?? "text/plain; charset=utf-8",
    "content-length": Buffer.byteLength(answer.body),
    "x-content-type-options": "nosniff",
    ...answer.headers,
    ...(answer.status === 405 ? { allow: "GET, HEAD" } : {}),
  });
  response.end(answer.body);
}

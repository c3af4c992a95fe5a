import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type Clock, systemClock } from "./util/clock.ts";

/** A whole answer. `contentType` is plain text when missing. */
export interface HttpAnswer {
  readonly status: number;
  readonly contentType?: string;
  readonly body: string;
}

/** Answers GET and HEAD of one path. */
export type HttpRoute = (query: URLSearchParams) => Promise<HttpAnswer> | HttpAnswer;

/** A server that listens. */
export interface HttpServer {
  /** `host:port` that it really listens on. */
  readonly address: string;
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
  readonly routes: Readonly<Record<string, HttpRoute>>;
  /** Hears of what failed on our side. */
  readonly onError: (error: unknown) => void;
  readonly limits?: HttpLimits;
  readonly clock?: Clock;
}

const maxHeaderBytes = 8_192;
// Small, because each empty line that a client sends is searched again.
const pieceBytes = 1_024;

/**
 * Serves a few read-only paths (health, metrics). Anything else is answered with 400, 404, 405, 408 or 431.
 *
 * *Guarantees*: nothing that a client sends, or leaves out, is an exception outside of this file. A slow client holds
 * nothing but its own connection, for 10 s at most; one that sends the next request before it has its answer is cut
 * off. Where there are too many connections, the oldest one of the address that has most is closed for a new one, so
 * that no client keeps the kubelet away. `stop` ends open connections.
 *
 * *Errors*: rejects when the address cannot be listened on.
 */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { slowMs = 10_000, connections = 256 } = options.limits ?? {};
  const answering = new WeakMap<Socket, IncomingMessage>();
  const tunnels = new WeakSet<Duplex>();
  // Node checks unfinished requests once per interval, so that the limit and an interval are 10 s together.
  const checkMs = slowMs / 10;
  const sendMs = slowMs - checkMs;
  const server = createServer(
    {
      requestTimeout: sendMs,
      headersTimeout: sendMs,
      connectionsCheckingInterval: checkMs,
      // Node waits for a second longer than it promises.
      keepAliveTimeout: Math.max(1, slowMs - 1_000),
      maxHeaderSize: maxHeaderBytes,
    },
    (request, response) => {
      const { socket } = request;
      answering.set(socket, request);
      response.on("close", () => answering.delete(socket));
      respond(request, response, { ...options, slowMs });
    },
  );
  // What is no HTTP, too large or too slow is answered by Node itself with 400, 431 and 408 while `clientError` has no
  // listener. A tunnel it would close without a word.
  server.on("connect", (_request, socket) => {
    tunnels.add(socket);
    socket.on("error", () => undefined);
    socket.end("HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  });
  const open = new OpenConnections(connections);
  server.on("connection", (socket) => {
    open.add(socket);
    feedSingly(socket, { answering, tunnels });
  });
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
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        // Those that have become tunnels are no longer known to the server.
        open.closeAll();
      }),
  };
}

/**
 * Lets the parser have one request at a time. Node parses a packet to its end, whatever becomes of the connection: with
 * thousands of requests in a packet, some hundred connections take all memory and the processor for many seconds. Who
 * sends the next request before the answer to the last one is cut off; a body is dropped, as no route reads one.
 */
function feedSingly(
  socket: Socket,
  known: { readonly answering: WeakMap<Socket, IncomingMessage>; readonly tunnels: WeakSet<Duplex> },
): void {
  // Node's own listener, which feeds the parser.
  const feeds = socket.listeners("data") as ((chunk: Buffer) => void)[];
  socket.removeAllListeners("data");
  let tail = "";
  socket.on("data", (chunk: Buffer) => {
    let rest = chunk;
    while (rest.length > 0 && !socket.destroyed && !known.tunnels.has(socket)) {
      const request = known.answering.get(socket);
      if (request !== undefined) {
        if (!hasBody(request)) socket.destroy();
        return;
      }
      const piece = rest.subarray(0, pieceBytes);
      const text = tail + piece.toString("latin1");
      const end = /\n\r?\n/.exec(text);
      const length = end === null ? piece.length : end.index + end[0].length - tail.length;
      const head = rest.subarray(0, length);
      tail = end === null ? text.slice(-2) : "";
      rest = rest.subarray(length);
      for (const feed of feeds) feed.call(socket, head);
    }
  });
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

/** Answers one request. Never throws, and never leaves it without an answer or an end. */
function respond(
  request: IncomingMessage,
  response: ServerResponse,
  options: HttpServerOptions & { readonly slowMs: number },
): void {
  const { onError, slowMs, clock = systemClock } = options;
  const timer = clock.setTimer(() => response.destroy(), slowMs);
  response.on("close", () => timer.cancel());
  response.on("error", onError);
  // No route reads a body. Who sends one is not waited for.
  if (hasBody(request)) response.shouldKeepAlive = false;
  request.resume();
  answerTo(request, options.routes)
    .catch((error: unknown): HttpAnswer => {
      onError(error);
      return { status: 500, body: "internal error\n" };
    })
    .then((answer) => send(response, answer))
    .catch((error: unknown) => {
      response.destroy();
      onError(error);
    });
}

async function answerTo(request: IncomingMessage, routes: HttpServerOptions["routes"]): Promise<HttpAnswer> {
  const target = readTarget(request.url ?? "");
  if (target === undefined) return { status: 400, body: "bad request\n" };
  const route = Object.hasOwn(routes, target.path) ? routes[target.path] : undefined;
  if (route === undefined) return { status: 404, body: "not found\n" };
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

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0";
}

function send(response: ServerResponse, answer: HttpAnswer): void {
  response.writeHead(answer.status, {
    "content-type": answer.contentType ?? "text/plain; charset=utf-8",
    "content-length": Buffer.byteLength(answer.body),
    "x-content-type-options": "nosniff",
    ...(answer.status === 405 ? { allow: "GET, HEAD" } : {}),
  });
  response.end(answer.body);
}

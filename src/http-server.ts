import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

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

/**
 * Serves a few read-only paths (health, metrics). Anything else is 404 or 405.
 *
 * *Guarantees*: a slow client holds nothing but its own socket, for 10 s at most; `stop` ends open connections.
 *
 * *Errors*: rejects when the address cannot be listened on.
 */
export async function startHttpServer(options: {
  readonly host: string | undefined;
  readonly port: number;
  readonly routes: Readonly<Record<string, HttpRoute>>;
  readonly onError: (error: unknown) => void;
}): Promise<HttpServer> {
  const server = createServer(
    { requestTimeout: 10_000, headersTimeout: 10_000, keepAliveTimeout: 30_000, maxHeaderSize: 8_192 },
    (request, response) => {
      request.resume();
      const url = new URL(request.url ?? "/", "http://operator");
      const route = Object.hasOwn(options.routes, url.pathname) ? options.routes[url.pathname] : undefined;
      if (route === undefined) return send(response, { status: 404, body: "not found\n" });
      if (request.method !== "GET" && request.method !== "HEAD") {
        response.setHeader("allow", "GET, HEAD");
        return send(response, { status: 405, body: "method not allowed\n" });
      }
      // Wrapped, so that a route which throws at once ends in the same place as one which rejects.
      Promise.resolve()
        .then(() => route(url.searchParams))
        .then((answer) => send(response, answer))
        .catch((error: unknown) => {
          options.onError(error);
          if (!response.headersSent) send(response, { status: 500, body: "internal error\n" });
        });
    },
  );
  server.maxConnections = 256;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port: options.port, ...(options.host === undefined ? {} : { host: options.host }) }, resolve);
  });
  const { address, family, port } = server.address() as AddressInfo;
  return {
    address: family === "IPv6" ? `[${address}]:${port}` : `${address}:${port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function send(response: ServerResponse, answer: HttpAnswer): void {
  response.writeHead(answer.status, {
    "content-type": answer.contentType ?? "text/plain; charset=utf-8",
    "content-length": Buffer.byteLength(answer.body),
    "x-content-type-options": "nosniff",
  });
  response.end(answer.body);
}

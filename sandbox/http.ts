import { createServer, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

/** One request, as the log of a sandbox server keeps it. */
export interface Call {
  /** Counts from 1 in order of arrival. */
  readonly number: number;
  /** Arrival, `performance.now()` of this process. */
  readonly atMs: number;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  /** Body as text; empty when there was none. A protobuf body is no text: it has one character per byte (latin1). */
  readonly body: string;
  /** Number of the TCP connection it came on, counted from 1: shows whether connections are reused. */
  readonly connection: number;
  /** Status of the answer; `undefined` while there is none or when the connection was cut instead. */
  status: number | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers?: OutgoingHttpHeaders;
  /** Sent as it is if a string, else as JSON. */
  readonly body?: unknown;
}

/**
 * A fault of one request.
 *
 * - `answer`: nothing is done, this is the answer.
 * - `answer-after`: it is done, but this is the answer.
 * - `reset-before`, `reset-after`: the connection breaks before or after it is done; no answer either way.
 * - `delay`: it is done `delayMs` later.
 * - `hang`: nothing is done and no answer ever comes.
 * - `truncate`: it is done, and half of the answer arrives.
 *
 * `before` runs first (before anything is done), `after` once it is done and before the answer leaves: the places to
 * kill a client at.
 */
export interface Fault {
  readonly kind: "none" | "answer" | "answer-after" | "reset-before" | "reset-after" | "delay" | "hang" | "truncate";
  readonly answer?: Answer;
  readonly delayMs?: number;
  readonly before?: () => Promise<void> | void;
  readonly after?: () => Promise<void> | void;
}

/** Handles one call. Returns the answer, or `undefined` when it took over the response itself (streams). */
export type Handler = (call: Call, response: ServerResponse) => Promise<Answer | undefined> | Answer | undefined;

export interface SandboxServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly calls: readonly Call[];
  /** Decides for each call what goes wrong with it; set by tests and the demo. */
  fault: ((call: Call) => Fault | undefined) | undefined;
  /** Called when an answer is known (or the connection was cut: status `undefined`). For watching the traffic. */
  observer: ((call: Call, elapsedMs: number) => void) | undefined;
  /** Breaks every open connection, as a restarted load balancer would. */
  dropConnections(): void;
  stop(): Promise<void>;
}

/**
 * Starts an HTTP server on a loopback port (0 = any free one) that logs every call, applies scripted faults and hands
 * the rest to `handle`.
 */
export async function startSandboxServer(options: {
  readonly handle: Handler;
  readonly port?: number;
  /** What a handler that threw answers, in the words of this API. */
  readonly problem: (error: unknown) => Answer;
  /** Most bytes of a request body; a larger one gets 413. Default 3 MiB, the limit of the Kubernetes API. */
  readonly maxBodyBytes?: number;
}): Promise<SandboxServer> {
  const calls: Call[] = [];
  const connections = new Map<Socket, number>();
  let opened = 0;

  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    void serve(request, response).catch(() => request.socket.destroy());
  });
  server.on("connection", (socket) => {
    connections.set(socket, ++opened);
    socket.on("close", () => connections.delete(socket));
    socket.on("error", () => socket.destroy());
  });

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? "/", "http://sandbox");
    const body = await readBody(request, options.maxBodyBytes ?? 3 * 1024 * 1024);
    const call: Call = {
      number: calls.length + 1,
      atMs: performance.now(),
      method: request.method ?? "GET",
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body: body ?? "",
      connection: connections.get(request.socket) ?? 0,
      status: undefined,
    };
    calls.push(call);
    const done = () => running.observer?.(call, performance.now() - call.atMs);
    if (body === undefined) {
      send(call, response, { status: 413, body: { message: "request body too large" } });
      done();
      return;
    }
    const fault = running.fault?.(call) ?? { kind: "none" };
    await fault.before?.();
    switch (fault.kind) {
      case "hang":
        return;
      case "reset-before":
        request.socket.destroy();
        done();
        return;
      case "answer":
        send(call, response, fault.answer ?? { status: 500 });
        done();
        return;
      case "delay":
        await new Promise((resolve) => setTimeout(resolve, fault.delayMs ?? 0));
        break;
      default:
        break;
    }
    const answer = await handled(call, response);
    await fault.after?.();
    if (answer === undefined) {
      call.status = response.statusCode;
      done();
      return;
    }
    if (fault.kind === "reset-after") request.socket.destroy();
    else if (fault.kind === "truncate") truncate(call, response, answer);
    else send(call, response, fault.kind === "answer-after" ? (fault.answer ?? answer) : answer);
    done();
  };

  /** A client sees what is wrong, never a connection that ends without an answer. */
  const handled = async (call: Call, response: ServerResponse): Promise<Answer | undefined> => {
    try {
      return await options.handle(call, response);
    } catch (error) {
      if (response.headersSent) throw error;
      return options.problem(error);
    }
  };

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;

  const running: SandboxServer = {
    url: `http://127.0.0.1:${port}`,
    calls,
    fault: undefined,
    observer: undefined,
    dropConnections: () => {
      for (const socket of connections.keys()) socket.destroy();
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        running.dropConnections();
      }),
    [Symbol.asyncDispose]: () => running.stop(),
  };
  return running;
}

async function readBody(request: IncomingMessage, maxBytes: number): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) return undefined;
    chunks.push(chunk);
  }
  const isBinary = request.headers["content-type"]?.includes("protobuf") === true;
  return Buffer.concat(chunks).toString(isBinary ? "latin1" : "utf8");
}

function encode(answer: Answer): { readonly headers: OutgoingHttpHeaders; readonly text: string } {
  if (answer.body === undefined) return { headers: { ...answer.headers }, text: "" };
  if (typeof answer.body === "string") {
    return { headers: { "content-type": "text/plain; charset=utf-8", ...answer.headers }, text: answer.body };
  }
  return { headers: { "content-type": "application/json", ...answer.headers }, text: JSON.stringify(answer.body) };
}

function send(call: Call, response: ServerResponse, answer: Answer): void {
  const { headers, text } = encode(answer);
  call.status = answer.status;
  response.writeHead(answer.status, { ...headers, "content-length": Buffer.byteLength(text) });
  response.end(text);
}

function truncate(call: Call, response: ServerResponse, answer: Answer): void {
  const { headers, text } = encode(answer);
  call.status = answer.status;
  response.writeHead(answer.status, { ...headers, "content-length": Buffer.byteLength(text) });
  response.write(text.slice(0, Math.floor(text.length / 2)), () => response.socket?.destroy());
}

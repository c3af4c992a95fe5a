import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import { createServer, type Server } from "node:https";
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { selfSigned } from "./self-signed.ts";

/** Who a request came from, as far as the server can tell. */
export interface Caller {
  /** The header `Authorization`. */
  readonly authorization?: string;
  /** Headers that begin with `Impersonate-`, by name in lower case, in the order in which they were sent. */
  readonly impersonate?: Readonly<Record<string, readonly string[]>>;
  /** The name in the client certificate. */
  readonly certificate?: string;
}

export interface ApiRecorder extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Callers by the path that they asked for. */
  readonly callers: Map<string, Caller[]>;
}

/** A server with the certificate of `selfSigned` that asks for a client certificate and records who called. */
export async function recordCallers(): Promise<ApiRecorder> {
  const callers = new Map<string, Caller[]>();
  const tls = { ...selfSigned, requestCert: true, rejectUnauthorized: false };
  const server = createServer(tls, (request, response) => {
    const path = request.url ?? "";
    callers.set(path, [...(callers.get(path) ?? []), callerOf(request.rawHeaders, request.socket as TLSSocket)]);
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ kind: "Secret", apiVersion: "v1", metadata: { name: "a", namespace: "default" } }));
  });
  const port = await listen(server);
  return { url: `https://127.0.0.1:${port}`, port, callers, [Symbol.asyncDispose]: () => close(server) };
}

function callerOf(rawHeaders: readonly string[], socket: TLSSocket): Caller {
  const impersonate: Record<string, string[]> = {};
  let authorization: string | undefined;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? "").toLowerCase();
    const value = Buffer.from(rawHeaders[index + 1] ?? "", "latin1").toString("utf8");
    if (name === "authorization") authorization = value;
    if (!name.startsWith("impersonate-")) continue;
    impersonate[name] ??= [];
    impersonate[name].push(value);
  }
  const certificate = socket.getPeerCertificate().subject?.CN;
  return {
    ...(authorization === undefined ? {} : { authorization }),
    ...(Object.keys(impersonate).length === 0 ? {} : { impersonate }),
    ...(certificate === undefined ? {} : { certificate: String(certificate) }),
  };
}

export interface Tunnel extends AsyncDisposable {
  readonly port: number;
  /** What each tunnel was opened for, and by whom: `127.0.0.1:443 as ada:secret`. */
  readonly opened: string[];
}

/** A proxy that opens tunnels for `CONNECT`; with `tls`, its own address begins with https. */
export async function httpProxy(options: { readonly tls?: boolean } = {}): Promise<Tunnel> {
  const opened: string[] = [];
  const server = options.tls ? createServer({ ...selfSigned }) : createHttpServer();
  server.on("connect", (request, socket: Socket) => {
    const authorization = request.headers["proxy-authorization"];
    const user = authorization === undefined ? "" : ` as ${Buffer.from(authorization.slice(6), "base64").toString()}`;
    opened.push(`${request.url}${user}`);
    const [host = "", port] = (request.url ?? "").split(":");
    const onward = connect(Number(port), host, () => socket.write("HTTP/1.1 200 OK\r\n\r\n"));
    join(socket, onward);
  });
  const port = await listen(server);
  return { port, opened, [Symbol.asyncDispose]: () => close(server) };
}

/** A SOCKS5 proxy. With `user`, it asks for `user:password`. It answers byte by byte, as a slow network might. */
export async function socksProxy(options: { readonly user?: string } = {}): Promise<Tunnel> {
  const opened: string[] = [];
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    let received = Buffer.alloc(0);
    let state: "greeting" | "user" | "request" = "greeting";
    const send = (bytes: readonly number[]) => {
      for (const byte of bytes) socket.write(Buffer.from([byte]));
    };
    const onData = (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (state === "greeting" && received.length >= 2 && received.length >= 2 + (received[1] ?? 0)) {
        const offered = [...received.subarray(2, 2 + (received[1] ?? 0))];
        received = received.subarray(2 + offered.length);
        const wanted = options.user === undefined ? 0 : 2;
        send([5, offered.includes(wanted) ? wanted : 0xff]);
        state = wanted === 2 ? "user" : "request";
      }
      if (state === "user" && received.length >= 2) {
        const userLength = received[1] ?? 0;
        const user = received.subarray(2, 2 + userLength).toString();
        const passwordLength = received[2 + userLength] ?? 0;
        const password = received.subarray(3 + userLength, 3 + userLength + passwordLength).toString();
        received = received.subarray(3 + userLength + passwordLength);
        send([1, `${user}:${password}` === options.user ? 0 : 1]);
        state = "request";
      }
      if (state === "request" && received.length >= 7) {
        const target = targetOf(received);
        opened.push(`${target.host}:${target.port}`);
        socket.off("data", onData);
        const onward = connect(target.port, target.host, () => {
          send([5, 0, 0, 1, 127, 0, 0, 1, 0, 80]);
          join(socket, onward);
        });
        onward.on("error", () => send([5, 5, 0, 1, 0, 0, 0, 0, 0, 0]));
      }
    };
    socket.on("data", onData);
  });
  const port = await listen(server);
  const stop = async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return { port, opened, [Symbol.asyncDispose]: stop };
}

function targetOf(request: Buffer): { readonly host: string; readonly port: number } {
  const kind = request[3];
  if (kind === 1) return { host: [...request.subarray(4, 8)].join("."), port: request.readUInt16BE(8) };
  if (kind === 4) {
    const groups = Array.from({ length: 8 }, (_, index) => request.readUInt16BE(4 + 2 * index).toString(16));
    return { host: groups.join(":"), port: request.readUInt16BE(20) };
  }
  const length = request[4] ?? 0;
  return { host: request.subarray(5, 5 + length).toString(), port: request.readUInt16BE(5 + length) };
}

function join(one: Socket, other: Socket): void {
  one.pipe(other).pipe(one);
  one.on("error", () => other.destroy()).on("close", () => other.destroy());
  other.on("error", () => one.destroy()).on("close", () => one.destroy());
}

async function listen(server: Server | HttpServer | ReturnType<typeof createTcpServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

async function close(server: Server | HttpServer): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

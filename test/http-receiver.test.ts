import { request as httpsRequest } from "node:https";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { afterEach, describe, expect, test } from "vitest";
import { type HttpServer, type HttpServerOptions, startHttpServer } from "../src/http-server.ts";
import { selfSigned } from "./support/self-signed.ts";

let server: HttpServer | undefined;
let bodies: (string | undefined)[] = [];
let admitted: string[] = [];
const errors: unknown[] = [];

afterEach(async () => {
  await server?.stop();
  server = undefined;
  bodies = [];
  admitted = [];
  errors.length = 0;
});

/** Takes bodies of up to 2,000 bytes with `x-token: right`, a moment after it was asked. */
async function start(
  options: Partial<HttpServerOptions> = {},
): Promise<{ readonly host: string; readonly port: number }> {
  server = await startHttpServer({
    host: "127.0.0.1",
    port: 0,
    routes: { "/healthz": () => ({ status: 200, body: "ok\n" }) },
    receiver: async ({ path, headers }) => {
      admitted.push(path);
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (headers["x-token"] !== "right") return { status: 401, body: "no\n" };
      return {
        maxBytes: 2_000,
        answer: (body) => {
          bodies.push(body?.toString());
          return { status: 200, body: "taken\n" };
        },
      };
    },
    onError: (error) => errors.push(error),
    ...options,
  });
  return { host: "127.0.0.1", port: Number(server.address.split(":").at(-1)) };
}

function open(at: { readonly host: string; readonly port: number }) {
  const socket: Socket = connect(at);
  let received = "";
  socket.on("data", (chunk) => {
    received += chunk.toString("latin1");
  });
  socket.on("error", () => undefined);
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  return { socket, closed, received: () => received, statuses: () => statusesIn(received) };
}

function statusesIn(text: string): readonly number[] {
  return [...text.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map((match) => Number(match[1]));
}

async function send(at: { readonly host: string; readonly port: number }, ...pieces: readonly string[]) {
  const client = open(at);
  for (const piece of pieces) {
    client.socket.write(piece, "latin1");
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
  await client.closed;
  return client.statuses();
}

const head = (...headers: readonly string[]) => ["POST /any HTTP/1.1", "Host: x", ...headers, "", ""].join("\r\n");
const close = "Connection: close";
const right = "X-Token: right";

describe("a POST", () => {
  test.each<[string, readonly string[], string]>([
    ["in one piece", [`${head(right, close, "Content-Length: 5")}hello`], "hello"],
    ["whose body follows later", [head(right, close, "Content-Length: 5"), "he", "llo"], "hello"],
    ["in chunks", [`${head(right, close, "Transfer-Encoding: chunked")}2\r\nhe\r\n`, "3\r\nllo\r\n0\r\n\r\n"], "hello"],
    [
      "of several packets",
      [head(right, close, "Content-Length: 2000"), "a".repeat(1_500), "b".repeat(500)],
      `${"a".repeat(1_500)}${"b".repeat(500)}`,
    ],
    ["with an empty line in its body", [`${head(right, close, "Content-Length: 6")}a\r\n\r\nb`], "a\r\n\r\nb"],
    ["that asks before it sends", [head(right, close, "Expect: 100-continue", "Content-Length: 2"), "hi"], "hi"],
    ["without a body", [head(right, close)], ""],
  ])("%s is read once it is admitted", async (_, pieces, want) => {
    const at = await start();
    const statuses = await send(at, ...pieces);
    expect(statuses.filter((status) => status !== 100)).toEqual([200]);
    expect(bodies).toEqual([want]);
    expect(errors).toEqual([]);
  });

  test.each<[string, readonly string[]]>([
    ["in one piece", [`${head("Content-Length: 5")}hello`]],
    ["without an end", [`${head("Transfer-Encoding: chunked")}2\r\nhe\r\n`]],
    ["with a request in its body", [`${head("Content-Length: 400")}${head(right, "Content-Length: 2")}hi`]],
  ])("%s that is refused is not read, and its connection ends", async (_, pieces) => {
    const at = await start();
    expect(await send(at, ...pieces)).toEqual([401]);
    expect(bodies).toEqual([]);
    expect(admitted).toHaveLength(1);
  });

  test.each<[string, readonly string[]]>([
    ["says that it is too long", [head(right, "Content-Length: 2001"), "a"]],
    ["is too long in chunks", [head(right, "Transfer-Encoding: chunked"), `7d1\r\n${"a".repeat(2_001)}\r\n`]],
    ["comes too slowly", [head(right, "Content-Length: 2000"), "a"]],
  ])("whose body %s is answered without it, and its connection ends", async (_, pieces) => {
    const at = await start({ limits: { slowMs: 400 } });
    expect(await send(at, ...pieces)).toEqual([200]);
    expect(bodies).toEqual([undefined]);
  });

  test("that breaks off is no exception", async () => {
    const at = await start();
    const { socket, closed } = open(at);
    socket.write(`${head(right, "Content-Length: 9")}ab`);
    await expect.poll(() => admitted).toHaveLength(1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    socket.resetAndDestroy();
    await closed;
    await expect.poll(() => bodies).toEqual([undefined]);
    expect(errors).toEqual([]);
  });

  test("and the next one on the same connection are both read", async () => {
    const at = await start();
    const client = open(at);
    client.socket.write(`${head(right, "Content-Length: 3")}one`);
    await new Promise((resolve) => client.socket.once("data", resolve));
    client.socket.write(`${head(right, close, "Content-Length: 3")}two`);
    await client.closed;
    expect(client.statuses()).toEqual([200, 200]);
    expect(bodies).toEqual(["one", "two"]);
  });

  test.each([right, "X-Token: wrong"])(
    "a thousand times in one packet (%s) is admitted a few times at most",
    async (token) => {
      const at = await start();
      const client = open(at);
      client.socket.write(`${head(token, "Content-Length: 2")}hi`.repeat(1_000));
      await client.closed;
      expect(admitted.length).toBeLessThanOrEqual(2);
    },
  );

  test("to a path that is read is not for the receiver, and GET is not either", async () => {
    const at = await start();
    const url = `http://${at.host}:${at.port}`;
    expect((await fetch(`${url}/healthz`, { method: "POST", body: "x" })).status).toBe(405);
    expect((await fetch(`${url}/any`)).status).toBe(404);
    expect(admitted).toEqual([]);
  });
});

describe("with a certificate", () => {
  const tls = { cert: selfSigned.cert, key: selfSigned.key };

  function post(at: { readonly host: string; readonly port: number }): Promise<{ status?: number; name?: string }> {
    return new Promise((resolve, reject) => {
      const call = httpsRequest(
        { ...at, method: "POST", path: "/any", headers: { "x-token": "right" }, ca: selfSigned.cert, agent: false },
        (response) => {
          response.resume();
          response.on("end", () => resolve({ status: response.statusCode ?? 0 }));
        },
      );
      call.on("error", reject);
      call.end("hello");
    });
  }

  test("bodies are read as without, and another pair is used from the next connection on", async () => {
    const at = await start({ tls });
    expect(await post(at)).toEqual({ status: 200 });
    expect(bodies).toEqual(["hello"]);
    server?.renewTls(tls);
    expect(await post(at)).toEqual({ status: 200 });
    expect(() => server?.renewTls({ cert: tls.cert, key: "nonsense" })).toThrow();
    expect(await post(at)).toEqual({ status: 200 });
  });

  test("a certificate that is none is an error of the start", async () => {
    await expect(start({ tls: { cert: "nonsense", key: tls.key } })).rejects.toThrow();
  });

  test("who never ends the handshake is cut off", async () => {
    const at = await start({ tls, limits: { slowMs: 200 } });
    const { closed } = open(at);
    await closed;
  });

  test("a client that sends half a request is cut off", async () => {
    const at = await start({ tls, limits: { slowMs: 200 } });
    const socket = connectTls({ ...at, ca: selfSigned.cert });
    socket.on("error", () => undefined);
    socket.write("POST /any HTTP/1.1\r\nHost: x\r\n");
    socket.resume();
    await new Promise((resolve) => socket.once("close", resolve));
    expect(admitted).toEqual([]);
  });

  test("a request without TLS is no exception", async () => {
    const at = await start({ tls });
    expect(await send(at, head(right))).toEqual([]);
    expect(errors).toEqual([]);
  });
});

import { connect, type Socket } from "node:net";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { type HttpLimits, type HttpServer, startHttpServer } from "../src/http-server.ts";

let server: HttpServer | undefined;
const errors: unknown[] = [];
/** More than the buffers of a connection hold. */
const large = "x".repeat(24_000_000);

afterEach(async () => {
  await server?.stop();
  server = undefined;
  errors.length = 0;
});

async function start(limits: HttpLimits = {}): Promise<string> {
  server = await startHttpServer({
    host: "127.0.0.1",
    port: 0,
    routes: {
      "/readyz": (query) => ({ status: 200, body: query.has("verbose") ? "all\n" : "ok\n" }),
      "/broken": () => {
        throw new Error("on purpose");
      },
      "/silent": () => new Promise(() => undefined),
      "/large": () => ({ status: 200, body: large }),
      "/misnamed": () => ({ status: 200, contentType: "text/\nplain", body: "" }),
    },
    limits,
    onError: (error) => errors.push(error),
  });
  return `http://${server.address}`;
}

test("serves its routes with their query", async () => {
  const url = await start();
  expect(await (await fetch(`${url}/readyz`)).text()).toBe("ok\n");
  expect(await (await fetch(`${url}/readyz?verbose`)).text()).toBe("all\n");
});

test.each([
  ["GET", "/nowhere", 404],
  ["GET", "/constructor", 404],
  ["POST", "/readyz", 405],
])("%s %s is answered with %i", async (method, path, want) => {
  const url = await start();
  expect((await fetch(`${url}${path}`, { method })).status).toBe(want);
});

test("a route that throws is a 500 without its message, and is reported", async () => {
  const url = await start();
  const answer = await fetch(`${url}/broken`);
  expect([answer.status, await answer.text()]).toEqual([500, "internal error\n"]);
  expect(errors).toHaveLength(1);
});

test("an address that is taken is an error", async () => {
  const port = Number((await start()).split(":").at(-1));
  await expect(startHttpServer({ host: "127.0.0.1", port, routes: {}, onError: () => {} })).rejects.toThrow(
    "EADDRINUSE",
  );
});

/** A connection that sends `text` and keeps what it is sent. */
function open(url: string, text: string, localAddress = "127.0.0.1") {
  const { hostname, port } = new URL(url);
  const socket: Socket = connect({ host: hostname, port: Number(port), localAddress });
  let received = "";
  socket.on("data", (chunk) => {
    received += chunk.toString("latin1");
  });
  // One that is reset is closed as well.
  socket.on("error", () => undefined);
  socket.write(text, "latin1");
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  return { socket, closed, received: () => received };
}

/** What is answered to `text` by the time the connection ends. */
async function ask(url: string, text: string): Promise<string> {
  const { closed, received } = open(url, text);
  await closed;
  return received();
}

const end = "Host: x\r\nConnection: close\r\n\r\n";

describe("a request that nobody should send", () => {
  test.each([
    ["a path that begins like a host", `GET // HTTP/1.1\r\n${end}`, 404],
    ["a path that begins like a host with a port that is none", `GET //:99999999 HTTP/1.1\r\n${end}`, 404],
    ["a path of a back slash", `GET /\\ HTTP/1.1\r\n${end}`, 404],
    ["slashes alone", `GET /// HTTP/1.1\r\n${end}`, 404],
    ["a route behind two slashes", `GET //readyz HTTP/1.1\r\n${end}`, 404],
    ["an address without a host", `GET http:// HTTP/1.1\r\n${end}`, 400],
    ["an address with half a host", `GET http://[ HTTP/1.1\r\n${end}`, 400],
    ["a whole address", `GET http://somewhere/readyz?verbose HTTP/1.1\r\n${end}`, 200],
    ["a star", `OPTIONS * HTTP/1.1\r\n${end}`, 404],
    ["percent signs that encode nothing", `GET /%zz%?%=%&verbose HTTP/1.1\r\n${end}`, 404],
    ["a query that encodes nothing", `GET /readyz?%E0%A4%A&%&=&verbose HTTP/1.1\r\n${end}`, 200],
    ["another method", `DELETE /readyz HTTP/1.1\r\n${end}`, 405],
    ["OPTIONS", `OPTIONS /readyz HTTP/1.1\r\n${end}`, 405],
    ["TRACE", `TRACE /readyz HTTP/1.1\r\n${end}`, 405],
    ["a tunnel", `CONNECT somewhere:443 HTTP/1.1\r\n${end}`, 405],
    ["a tunnel, and bytes for it", `CONNECT somewhere:443 HTTP/1.1\r\n${end}\x16\x03\x01`, 405],
    ["another protocol", "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n", 200],
    ["a method that there is not", `PLEASE /readyz HTTP/1.1\r\n${end}`, 400],
    ["a method in small letters", `get /readyz HTTP/1.1\r\n${end}`, 400],
    ["no host", "GET /readyz HTTP/1.1\r\nConnection: close\r\n\r\n", 400],
    ["no HTTP", "EHLO mail.example.com\r\n\r\n", 400],
    ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400],
    ["TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400],
    ["a header with a NUL", `GET /readyz HTTP/1.1\r\nA: b\x00c\r\n${end}`, 400],
    ["a header without a colon", `GET /readyz HTTP/1.1\r\nnonsense\r\n${end}`, 400],
    ["a length that is no number", `POST /readyz HTTP/1.1\r\nContent-Length: many\r\n${end}`, 400],
    ["two lengths", `POST /readyz HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n${end}`, 400],
    [
      "a length and chunks",
      `POST /readyz HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n${end}0\r\n\r\n`,
      400,
    ],
    ["a path of 9 KB", `GET /${"a".repeat(9_000)} HTTP/1.1\r\n${end}`, 431],
    ["a header of 9 KB", `GET /readyz HTTP/1.1\r\nA: ${"b".repeat(9_000)}\r\n${end}`, 431],
    ["5,000 headers", `GET /readyz HTTP/1.1\r\n${"A: b\r\n".repeat(5_000)}${end}`, 431],
    ["a path of 7 KB", `GET /${"a".repeat(7_000)} HTTP/1.1\r\n${end}`, 404],
    ["a body that never ends", "GET /readyz HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nab", 200],
    ["chunks that never end", "POST /readyz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na", 405],
    [
      "a body that waits to be asked for",
      "POST /readyz HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
      405,
    ],
    ["an expectation that cannot be met", `GET /readyz HTTP/1.1\r\nExpect: the moon\r\n${end}`, 417],
  ])("such as one with %s is answered, and the connection ends", async (_, text, want) => {
    const url = await start();
    const statuses = [...(await ask(url, text)).matchAll(/^HTTP\/1\.1 (\d+)/gm)].map((match) => Number(match[1]));
    expect(statuses.filter((status) => status !== 100)).toEqual([want]);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    expect(errors).toEqual([]);
  });

  test("an answer to HEAD has no body", async () => {
    const url = await start();
    const answer = await ask(url, `HEAD /readyz HTTP/1.1\r\n${end}`);
    expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n(?:[^\r\n]+\r\n)*content-length: 3\r\n(?:[^\r\n]+\r\n)*\r\n$/);
  });

  test("a tunnel that is left open is closed by a stop", async () => {
    const url = await start();
    const tunnel = open(url, `CONNECT somewhere:443 HTTP/1.1\r\n${end}`);
    await new Promise((resolve) => tunnel.socket.once("data", resolve));
    await server?.stop();
    await tunnel.closed;
  });

  test.each(["\r\n", "\n"])("1,000 in one piece, with lines that end in %j, cost one answer at most", async (line) => {
    let asked = 0;
    server = await startHttpServer({
      host: "127.0.0.1",
      port: 0,
      routes: {
        "/readyz": () => {
          asked += 1;
          return { status: 200, body: "ok\n" };
        },
      },
      onError: (error) => errors.push(error),
    });
    const url = `http://${server.address}`;
    await ask(url, `GET /readyz HTTP/1.1${line}Host: x${line}${line}`.repeat(1_000));
    expect(asked).toBeLessThanOrEqual(1);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    expect(errors).toEqual([]);
  });

  test("and the next one, on the same connection, is answered when it waits for its turn", async () => {
    const url = await start();
    const { socket, closed, received } = open(url, "\r\n\r\nGET /readyz HTTP/1.1\r\nHost: x\r\n\r\n");
    await new Promise((resolve) => socket.once("data", resolve));
    socket.write(`GET /readyz?verbose HTTP/1.1\r\n${end}`);
    await closed;
    expect(received().match(/^(?:ok|all)$/gm)).toEqual(["ok", "all"]);
  });

  test("and bytes behind a tunnel that was refused reach nobody", async () => {
    const url = await start();
    const { socket, closed } = open(url, `CONNECT somewhere:443 HTTP/1.1\r\n${end}`);
    await new Promise((resolve) => socket.once("data", resolve));
    socket.end("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n");
    await closed;
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    expect(errors).toEqual([]);
  });

  test("and an answer that cannot be sent is reported; its connection ends", async () => {
    const url = await start();
    expect(await ask(url, `GET /misnamed HTTP/1.1\r\n${end}`)).toBe("");
    expect(errors).toHaveLength(1);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
  });
});

describe("a client that is slow", () => {
  const limits = { slowMs: 200 };

  test.each([
    ["sends nothing", "", ""],
    ["sends half a line", "GET /rea", "408"],
    ["sends a header and no end", "GET /readyz HTTP/1.1\r\nHost: x\r\nA: ", "408"],
    ["is waited for by a route that never answers", "GET /silent HTTP/1.1\r\nHost: x\r\n\r\n", ""],
    ["has had its answer and says nothing more", "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n", "200"],
  ])("and %s is cut off", async (_, text, want) => {
    const url = await start(limits);
    expect((await ask(url, text)).slice(9, 12)).toContain(want);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
  });

  test("and sends its headers byte by byte is cut off in the middle of them", async () => {
    const url = await start(limits);
    const slow = open(url, "GET /readyz HTTP/1.1\r\nHost: x\r\nA: ");
    const trickle = setInterval(() => slow.socket.write("b"), 5);
    await slow.closed;
    clearInterval(trickle);
    expect(slow.received()).not.toContain("200");
  });

  test("and reads its answer a little at a time does not get to its end", async () => {
    const url = await start(limits);
    const slow = open(url, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
    const pause = () => slow.socket.pause();
    slow.socket.on("data", pause);
    const trickle = setInterval(() => slow.socket.resume(), 10);
    await slow.closed;
    clearInterval(trickle);
    expect(slow.received().length).toBeGreaterThan(0);
    expect(slow.received().length).toBeLessThan(large.length);
  });
});

describe("more clients than there are connections", () => {
  const limits = { connections: 8 };
  const half = "GET /readyz HTTP/1.1\r\nHost: x\r\n";

  async function crowd(url: string, localAddress?: string) {
    const clients = Array.from({ length: 30 }, () => open(url, half, localAddress));
    await Promise.all(clients.slice(0, 22).map(({ closed }) => closed));
    return clients;
  }

  test("that send nothing to the end leave a place to whoever comes, at the cost of the oldest", async () => {
    const url = await start(limits);
    const clients = await crowd(url);
    for (let n = 0; n < 20; n++) {
      expect(await ask(url, `GET /readyz HTTP/1.1\r\n${end}`)).toContain("200 OK");
    }
    for (const { socket } of clients) socket.destroy();
  });

  test.runIf(process.platform === "linux")("from one address take no connection of another one", async () => {
    const url = await start(limits);
    const kubelet = open(url, half);
    const clients = await crowd(url, "127.0.0.2");
    kubelet.socket.write("Connection: close\r\n\r\n");
    await kubelet.closed;
    expect(kubelet.received()).toContain("200 OK");
    for (const { socket } of clients) socket.destroy();
  });

  test("and leave again count no more", async () => {
    const url = await start(limits);
    for (let n = 0; n < 40; n++) {
      const client = open(url, half);
      client.socket.destroySoon();
      await client.closed;
    }
    const last = open(url, half);
    last.socket.write("Connection: close\r\n\r\n");
    await last.closed;
    expect(last.received()).toContain("200 OK");
  });
});

const fuzzRuns = Number(process.env.FUZZ_RUNS ?? 60);
const fuzzSeed = Number(process.env.FUZZ_SEED ?? 1);

test("whatever bytes are sent, in whatever pieces, the next request is answered", {
  timeout: 10_000 + 500 * fuzzRuns,
}, async () => {
  const url = await start({ slowMs: 300, connections: 16 });
  const uncaught: unknown[] = [];
  const onUncaught = (error: unknown) => uncaught.push(error);
  process.on("uncaughtExceptionMonitor", onUncaught);
  const word = fc.constantFrom(
    ...[
      "GET",
      "HEAD",
      "POST",
      "CONNECT",
      "OPTIONS",
      "PRI",
      "get",
      " ",
      "  ",
      "\t",
      "\r\n",
      "\n",
      "\r",
      "\0",
      "\xff",
      ":",
    ],
    ...["/", "//", "/readyz", "/readyz?verbose", "/broken", "/\\", "*", "http://", "https://[::1", "http://x/readyz"],
    ...[
      "HTTP/1.1",
      "HTTP/1.0",
      "HTTP/0.9",
      "HTTP/2.0",
      "HTTP/9.9",
      "Host: x",
      "Host:",
      "Connection: close",
      "Connection: Upgrade",
    ],
    ...["Upgrade: websocket", "Transfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked", "Content-Length: 3"],
    ...[
      "Content-Length: -1",
      "Content-Length: 99999999999999999999",
      "Expect: 100-continue",
      "Expect: x",
      "0\r\n\r\n",
      "ffffffffffffffff",
    ],
    ...["a".repeat(9_000), "A: b\r\n".repeat(500)],
  );
  const line = fc.oneof(word, fc.string({ unit: "binary-ascii" }));
  const request = fc
    .record({
      method: fc.constantFrom("GET", "GET", "HEAD", "POST", "CONNECT", "TRACE"),
      target: fc.oneof(fc.constantFrom("/readyz", "/broken", "/silent"), line),
      headers: fc.oneof(fc.constant([]), fc.array(line, { maxLength: 3 })),
      body: fc.oneof(fc.constant(""), line),
    })
    .map(({ method, target, headers, body }) =>
      [`${method} ${target} HTTP/1.1`, "Host: x", ...headers, "", body].join("\r\n"),
    );
  const nonsense = fc
    .array(fc.oneof(word, fc.string({ unit: "binary-ascii" })), { maxLength: 12 })
    .map((words) => words.join(""));
  const client = fc.record({
    text: fc.oneof(
      request,
      nonsense,
      fc.array(request, { maxLength: 3 }).map((several) => several.join("")),
    ),
    cutAt: fc.double({ min: 0, max: 1, noNaN: true }),
    leaves: fc.constantFrom("ends", "is reset", "stays"),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(client, { minLength: 1, maxLength: 24 }), async (clients) => {
      const opened = clients.map(({ text, cutAt, leaves }) => {
        const at = Math.floor(text.length * cutAt);
        const one = open(url, text.slice(0, at));
        one.socket.write(text.slice(at), "latin1");
        if (leaves === "ends") one.socket.end();
        if (leaves === "is reset") one.socket.once("connect", () => setImmediate(() => one.socket.resetAndDestroy()));
        return one;
      });
      const answer = await fetch(`${url}/readyz`, { headers: { connection: "close" } });
      expect([answer.status, await answer.text()]).toEqual([200, "ok\n"]);
      for (const { socket } of opened) socket.destroy();
      await Promise.all(opened.map(({ closed }) => closed));
    }),
    { numRuns: fuzzRuns, seed: fuzzSeed },
  );
  process.off("uncaughtExceptionMonitor", onUncaught);
  expect(uncaught).toEqual([]);
  // The route that throws on purpose is all that was reported, and was reached.
  expect([...new Set(errors.map(String))]).toEqual(["Error: on purpose"]);
});

import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from "node:net";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { NorthflankError } from "../../src/northflank/errors.ts";
import {
  createTransport,
  type Transport,
  type TransportOptions,
  type TransportRequest,
} from "../../src/northflank/transport.ts";
import { systemClock } from "../../src/util/clock.ts";
import { SecretValue } from "../../src/util/secret-value.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { selfSigned, selfSignedForApiTest } from "./self-signed.ts";

const canary = "token-canary-4711";
const bodyCanary = "body-canary-4712";

/** What a test started, ended after it in reverse order. */
let cleanups: (() => Promise<unknown> | unknown)[];

beforeEach(() => {
  cleanups = [];
});

afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

async function listen(server: Server | TcpServer, scheme = "http", host = "127.0.0.1"): Promise<string> {
  const sockets = new Set<Socket>();
  server.on(scheme === "https" ? "secureConnection" : "connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return `${scheme}://${host}:${(server.address() as AddressInfo).port}`;
}

/** An API that answers with `listener`; `seen` holds what arrived. */
async function api(listener: RequestListener): Promise<{ readonly origin: string; readonly seen: IncomingMessage[] }> {
  const seen: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    seen.push(request);
    request.on("error", () => undefined);
    listener(request, response);
  });
  return { origin: await listen(server), seen };
}

/** An API that counts its connections: `most` is how many were open at the same time. */
async function countingApi(listener: RequestListener) {
  const seen: IncomingMessage[] = [];
  const open = new Set<Socket>();
  let mostOpen = 0;
  const server = createServer((request, response) => {
    seen.push(request);
    listener(request, response);
  });
  server.on("connection", (socket: Socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    // A connection that took the place of another one arrives together with the end of that.
    setTimeout(() => {
      mostOpen = Math.max(mostOpen, open.size);
    }, 5);
  });
  return { origin: await listen(server), seen, most: () => mostOpen };
}

/** Waits for what real sockets do in their own time. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

/** A server that says `text` to whatever it is asked, and hangs up. */
async function rawApi(text: string): Promise<string> {
  return listen(createTcpServer((socket) => socket.once("data", () => socket.end(text))));
}

function transportFor(origin: string, options: Partial<TransportOptions> = {}): Transport {
  const transport = createTransport({
    clock: systemClock,
    allowedHosts: [new URL(origin).host],
    userAgent: "northflank-operator/0.0.0-test",
    ...options,
  });
  cleanups.push(() => transport[Symbol.asyncDispose]());
  return transport;
}

function get(origin: string, more: Partial<TransportRequest> = {}): TransportRequest {
  return {
    origin,
    method: "GET",
    path: "/v1/projects",
    token: new SecretValue(canary),
    step: "try",
    signal: new AbortController().signal,
    ...more,
  };
}

/** The error of a call that must fail. Whatever it is, neither the token nor the answer may be found anywhere in it. */
async function failureOf(call: Promise<unknown>): Promise<NorthflankError> {
  const error = await call.then(
    (answer) => expect.fail(`it worked: ${inspect(answer)}`),
    (thrown: unknown) => thrown,
  );
  expectNoCanary(error);
  if (!(error instanceof NorthflankError)) throw error;
  return error;
}

function expectNoCanary(thing: unknown): void {
  const text = inspect(thing, { depth: 20, showHidden: true });
  expect(text).not.toContain(canary);
  expect(text).not.toContain(bodyCanary);
}

const jsonHeaders = { "content-type": "application/json" };

describe("a request", () => {
  test("carries the token, the user agent and no wish for compression; a body only when there is one", async () => {
    const { origin, seen } = await api((_request, response) => response.writeHead(200, jsonHeaders).end("{}"));
    const transport = transportFor(origin);
    await transport.send(get(origin));
    await transport.send(get(origin, { method: "POST", body: '{"a":"ü"}' }));
    const common = {
      host: new URL(origin).host,
      connection: "keep-alive",
      authorization: `Bearer ${canary}`,
      accept: "application/json",
      "user-agent": "northflank-operator/0.0.0-test",
    };
    expect(seen[0]?.headers).toEqual(common);
    expect(seen[1]?.headers).toEqual({ ...common, "content-type": "application/json", "content-length": "10" });
  });

  test("shares at most eight connections with all others, and reuses them", async () => {
    const ports = new Set<number | undefined>();
    const { origin } = await api((request, response) => {
      ports.add(request.socket.remotePort);
      setImmediate(() => response.writeHead(200, jsonHeaders).end("{}"));
    });
    const transport = transportFor(origin);
    await Promise.all(Array.from({ length: 40 }, () => transport.send(get(origin))));
    expect(ports.size).toBeLessThanOrEqual(8);
  });

  test("of one lane is not held up by another lane that is stuck", async () => {
    const { origin } = await api((request, response) => {
      if (request.url === "/quick") response.writeHead(200, jsonHeaders).end("{}");
    });
    const abort = new AbortController();
    const transport = transportFor(origin, { connections: 1 });
    const stuck = transport.send(get(origin, { path: "/stuck", lane: "slow", signal: abort.signal }));
    stuck.catch(() => undefined);
    expect((await transport.send(get(origin, { path: "/quick", lane: "other" }))).status).toBe(200);
    abort.abort(new Error("stop"));
    await expect(stuck).rejects.toThrow("stop");
  });

  test("of 20 projects of one account shares eight connections with the others", async () => {
    const { origin, most, seen } = await countingApi((_request, response) => {
      setTimeout(() => response.writeHead(200, jsonHeaders).end("{}"), 5);
    });
    const transport = transportFor(origin);
    const calls = Array.from({ length: 200 }, (_, at) => get(origin, { lane: "acme", project: `p${at % 20}` }));
    await Promise.all(calls.map((call) => transport.send(call)));
    expect([most(), seen.length]).toEqual([8, 200]);
  });

  test("is not held up by 19 of 20 projects that hang, nor by an account that does", async () => {
    const { origin, most, seen } = await countingApi((request, response) => {
      if (request.url === "/good") response.writeHead(200, jsonHeaders).end("{}");
    });
    const clock = new FakeClock();
    const transport = transportFor(origin, { clock });
    const failures: Promise<NorthflankError>[] = [];
    const hang = (rounds: number) => {
      for (const at of Array.from({ length: 19 * rounds }, (_, index) => index % 19)) {
        failures.push(failureOf(transport.send(get(origin, { lane: "acme", project: `p${at}`, path: "/hangs" }))));
      }
    };
    const good = () => transport.send(get(origin, { lane: "acme", project: "good", path: "/good" }));
    hang(1);
    await until(() => seen.length === 8);
    let isAnswered = false;
    const first = good().finally(() => {
      isAnswered = true;
    });
    // The first eight, and then four at a time, are found to hang: see lane-state.ts.
    for (const arrived of [12, 16]) {
      await clock.advance(2_000);
      await until(() => seen.length === arrived);
      expect(isAnswered).toBe(false);
    }
    await clock.advance(2_000);
    expect((await first).status).toBe(200);
    // All are known by now, once the last ones are late as well.
    await clock.advance(2_000);
    hang(10);
    for (let at = 0; at < 20; at++) expect((await good()).status).toBe(200);
    expect(most()).toBe(8);
    // Another account has connections of its own.
    const other = get(origin, { lane: "globex", project: "p0", path: "/good" });
    expect((await transport.send(other)).status).toBe(200);
    await clock.advance(30_000);
    const errors = await Promise.all(failures);
    expect(errors.map(({ code }) => code)).toEqual(errors.map(() => "timeout"));
    expect(errors.filter(({ sent }) => sent)).toHaveLength(seen.filter(({ url }) => url === "/hangs").length);
    expect(errors.filter(({ detail }) => detail.includes("needed the connection")).length).toBeGreaterThan(8);
    expect(clock.pendingTimers).toBe(0);
  });

  test("closes lanes that nobody used for a minute when another one is opened, and none with a call under way", async () => {
    const ends = new Map<string, Promise<unknown>>();
    let answer = () => undefined as unknown;
    const { origin } = await api((request, response) => {
      const end = new Promise((resolve) => request.socket.on("close", () => resolve("closed")));
      ends.set(request.url ?? "", end);
      if (request.url !== "/slow") response.writeHead(200, jsonHeaders).end("{}");
      else answer = () => response.writeHead(200, jsonHeaders).end("{}");
    });
    const clock = new FakeClock();
    const long = { totalTimeoutMs: 600_000, idleConnectionMs: 600_000 };
    const transport = transportFor(origin, { clock, ...long });
    const slow = transport.send(get(origin, { path: "/slow", lane: "slow" }));
    await transport.send(get(origin, { path: "/idle", lane: "idle" }));
    await clock.advance(30_000);
    await transport.send(get(origin, { path: "/used", lane: "used" }));
    await clock.advance(30_000);
    await transport.send(get(origin, { path: "/new", lane: "new" }));
    expect(await ends.get("/idle")).toBe("closed");
    answer();
    expect((await slow).status).toBe(200);
    expect(await Promise.race([ends.get("/used"), Promise.resolve("open")])).toBe("open");
    // A lane that was closed is opened again by the next call.
    expect((await transport.send(get(origin, { path: "/idle", lane: "idle" }))).status).toBe(200);
  });

  test("closes lanes of a burst that are not used for a minute, also when no further one is opened", async () => {
    const closed = new Set<string>();
    const { origin } = await api((request, response) => {
      request.socket.on("close", () => closed.add(request.url ?? ""));
      response.writeHead(200, jsonHeaders).end("{}");
    });
    const clock = new FakeClock();
    const transport = transportFor(origin, { clock, totalTimeoutMs: 600_000, idleConnectionMs: 600_000 });
    const send = (lane: string) => transport.send(get(origin, { lane, path: `/${lane}` }));
    await Promise.all(["a", "b", "c"].map(send));
    await clock.advance(59_999);
    await send("a");
    expect([...closed]).toEqual([]);
    await clock.advance(1);
    await send("a");
    await until(() => closed.size === 2);
    expect([...closed].sort()).toEqual(["/b", "/c"]);
  });

  test.each([undefined, "timeout=600"])(
    "leaves no connection idle for long, whatever the server offers (Keep-Alive: %s)",
    async (offer) => {
      let closed: Promise<unknown> = Promise.resolve();
      const { origin } = await api((request, response) => {
        closed = new Promise((resolve) => request.socket.on("close", resolve));
        response.writeHead(200, { ...jsonHeaders, ...(offer && { "keep-alive": offer }) }).end("{}");
      });
      await transportFor(origin, { idleConnectionMs: 20 }).send(get(origin));
      // It is the client that hangs up: the server would wait for five seconds and more.
      const startMs = performance.now();
      await closed;
      expect(performance.now() - startMs).toBeLessThan(4_000);
    },
  );

  test.each<[string, (origin: string) => Partial<TransportRequest>, readonly string[], string]>([
    ["a host that is not listed", () => ({}), ["api.northflank.com"], "not on the list"],
    [
      "plain http beyond this machine",
      () => ({ origin: "http://api.northflank.com" }),
      ["api.northflank.com"],
      "loopback",
    ],
    ["another scheme", () => ({ origin: "file://localhost" }), ["localhost"], "not an origin"],
    ["an origin with a path", (origin) => ({ origin: `${origin}/x` }), ["*"], "not an origin"],
    ["a path that climbs", () => ({ path: "/v1/../admin" }), ["self"], "plain form"],
    ["a path that climbs at its end", () => ({ path: "/v1/.." }), ["self"], "plain form"],
    ["a path that climbs before its query", () => ({ path: "/v1/../admin?page=1" }), ["self"], "plain form"],
    ["a path that stays where it is", () => ({ path: "/v1/./x" }), ["self"], "plain form"],
    ["a path with a backslash", () => ({ path: "/v1\\x" }), ["self"], "plain form"],
    ["a path that climbs in disguise", () => ({ path: "/v1/%2e%2e/admin" }), ["self"], "plain form"],
    ["a path with a line break", () => ({ path: "/v1/x\r\nX-Evil: 1" }), ["self"], "plain form"],
    ["a path with a space", () => ({ path: "/v1/a b" }), ["self"], "plain form"],
    ["a path that is a host", () => ({ path: "//evil.example/v1" }), ["self"], "plain form"],
    ["a path that is relative", () => ({ path: "v1" }), ["self"], "plain form"],
  ])("does not leave for %s", async (_what, change, allowed, message) => {
    const { origin, seen } = await api((_request, response) => response.end());
    const allowedHosts = allowed.map((host) => (host === "self" ? new URL(origin).host : host));
    const error = await failureOf(transportFor(origin, { allowedHosts }).send(get(origin, change(origin))));
    expect(error).toMatchObject({ code: "unreachable", sent: false, detail: expect.stringContaining(message) });
    expect(seen).toHaveLength(0);
  });
});

describe("an answer", () => {
  test("comes with status, headers and parsed body, whatever its status", async () => {
    const { origin } = await api((_request, response) => {
      response.writeHead(404, { "content-type": "application/json; charset=utf-8", "x-ratelimit-remaining": "7" });
      response.end('\uFEFF{"error":{"status":404}}');
    });
    const answer = await transportFor(origin).send(get(origin));
    expect(answer).toMatchObject({
      status: 404,
      headers: { "x-ratelimit-remaining": "7" },
      body: { kind: "json", value: { error: { status: 404 } } },
    });
  });

  test("is not followed when it is a redirect, and the token goes nowhere else", async () => {
    const elsewhere = await api((_request, response) => response.end());
    for (const status of [301, 302, 307, 308]) {
      const { origin, seen } = await api((_request, response) =>
        response.writeHead(status, { location: `${elsewhere.origin}/v1/projects` }).end(),
      );
      const answer = await transportFor(origin).send(get(origin));
      expect([answer.status, answer.body.kind, seen.length]).toEqual([status, "unreadable", 1]);
    }
    expect(elsewhere.seen).toHaveLength(0);
  });

  test("may be announced by 103 Early Hints", async () => {
    const text = `HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}`;
    const origin = await rawApi(text);
    expect(await transportFor(origin).send(get(origin))).toMatchObject({ status: 200, body: { kind: "json" } });
  });

  test.each<[string, number, Record<string, string>, string, string]>([
    ["cut-off JSON", 200, jsonHeaders, `{"data":"${bodyCanary}`, "not valid JSON"],
    ["HTML with 200", 200, { "content-type": "text/html" }, `<html>${bodyCanary}`, "content type is text/html"],
    ["HTML that claims to be JSON", 200, jsonHeaders, `<html>${bodyCanary}`, "not valid JSON"],
    ["nothing", 200, jsonHeaders, "", "empty"],
    ["no content type", 200, {}, `{"a":"${bodyCanary}"}`, "content type is missing"],
    ["a hostile content type", 200, { "content-type": `${bodyCanary} x` }, "{}", "content type is malformed"],
    ["compression", 200, { ...jsonHeaders, "content-encoding": "gzip" }, bodyCanary, "compressed"],
    [
      "405 in plain text",
      405,
      { "content-type": "text/plain", allow: "GET" },
      bodyCanary,
      "content type is text/plain",
    ],
    ["no content", 204, {}, "", "content type is missing"],
  ])("with %s is unreadable, and the reason never quotes it", async (_what, status, headers, body, message) => {
    const { origin } = await api((_request, response) => response.writeHead(status, headers).end(body));
    const answer = await transportFor(origin).send(get(origin));
    expect(answer).toMatchObject({ status, body: { kind: "unreadable", error: { code: "protocol", sent: true } } });
    if (answer.body.kind === "unreadable") expect(answer.body.error.detail).toContain(message);
    expectNoCanary(answer.body);
  });

  test("of the greatest length is read, one byte more is given up at once", async () => {
    const maxResponseBytes = 1_000;
    const closed: Promise<unknown>[] = [];
    const { origin } = await api((request, response) => {
      closed.push(new Promise((resolve) => response.on("close", resolve)));
      response.writeHead(200, jsonHeaders);
      if (request.url === "/fits") response.end(JSON.stringify("a".repeat(998)));
      else response.write("a".repeat(1_001));
    });
    const transport = transportFor(origin, { maxResponseBytes });
    expect((await transport.send(get(origin, { path: "/fits" }))).body.kind).toBe("json");
    expect((await transport.send(get(origin, { path: "/not" }))).body).toMatchObject({
      error: { code: "protocol", httpStatus: 200, detail: expect.stringContaining("1000 bytes") },
    });
    await Promise.all(closed);
  });

  test("that is not HTTP is a protocol error without a trace of it", async () => {
    const origin = await rawApi(`${bodyCanary}\r\n\r\n`);
    expect(await failureOf(transportFor(origin).send(get(origin)))).toMatchObject({ code: "protocol", sent: true });
  });
});

describe("a broken connection", () => {
  test("that was never made: nothing was sent", async () => {
    const { origin } = await api(() => undefined);
    await cleanups.pop()?.();
    let sends = 0;
    const error = await failureOf(transportFor(origin).send(get(origin, { onSend: () => sends++ })));
    expect([error.code, error.sent, sends]).toEqual(["unreachable", false, 0]);
    expect(error.message).toBe(
      `[unreachable] could not try: no connection to ${new URL(origin).host}: the connection was refused (ECONNREFUSED)`,
    );
  });

  test("that ends instead of an answer: it was sent", async () => {
    const { origin, seen } = await api((request) => request.socket.destroy());
    let sends = 0;
    const call = transportFor(origin).send(get(origin, { method: "POST", body: "{}", onSend: () => sends++ }));
    expect(await failureOf(call)).toMatchObject({ code: "interrupted", sent: true });
    // Nothing below us may ever send it again.
    expect([sends, seen.length]).toEqual([1, 1]);
  });

  test("that was closed while idle leaves it open, and the next call takes a new one", async () => {
    let isFirst = true;
    const { origin, seen } = await api((request, response) => {
      if (isFirst) response.writeHead(200, jsonHeaders).end("{}");
      else if (seen.length === 2) request.socket.destroy();
      else response.writeHead(200, jsonHeaders).end("{}");
      isFirst = false;
    });
    const transport = transportFor(origin);
    await transport.send(get(origin));
    expect(await failureOf(transport.send(get(origin)))).toMatchObject({ code: "interrupted", sent: true });
    expect((await transport.send(get(origin))).status).toBe(200);
    expect(seen).toHaveLength(3);
  });

  test("in the middle of the body keeps status and headers", async () => {
    const { origin } = await api((request, response) => {
      response.writeHead(429, { ...jsonHeaders, "retry-after": "30", "content-length": "100" });
      response.write(`{"${bodyCanary}`, () => request.socket.destroy());
    });
    const answer = await transportFor(origin).send(get(origin));
    expect(answer).toMatchObject({
      status: 429,
      headers: { "retry-after": "30" },
      body: { kind: "unreadable", error: { code: "interrupted", sent: true, httpStatus: 429 } },
    });
    expectNoCanary(answer.body);
  });
});

test("a connection that breaks after 103 Early Hints has given no answer", async () => {
  const origin = await rawApi("HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n");
  expect(await failureOf(transportFor(origin).send(get(origin)))).toMatchObject({ sent: true, httpStatus: undefined });
});

describe("time", () => {
  test("in all is limited, also against a server that never answers, and the socket is freed", async () => {
    const clock = new FakeClock();
    let arrived: () => void = () => undefined;
    const arrival = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const closed: Promise<unknown>[] = [];
    const { origin } = await api((request) => {
      closed.push(new Promise((resolve) => request.socket.on("close", resolve)));
      arrived();
    });
    const outcome = failureOf(transportFor(origin, { clock, totalTimeoutMs: 30_000 }).send(get(origin)));
    await arrival;
    await clock.advance(29_999);
    expect(clock.pendingTimers).toBe(1);
    await clock.advance(1);
    expect(await outcome).toMatchObject({ code: "timeout", sent: true });
    await Promise.all(closed);
    expect(clock.pendingTimers).toBe(0);
  });

  test("spent waiting for a connection can be cut short: such a call was never sent, and never will be", async () => {
    const answers: (() => void)[] = [];
    const { origin, seen } = await api((_request, response) => {
      answers.push(() => response.writeHead(200, jsonHeaders).end("{}"));
    });
    const answerNext = async (): Promise<void> => {
      while (answers.length === 0) await new Promise((resolve) => setImmediate(resolve));
      answers.shift()?.();
    };
    const transport = transportFor(origin, { connections: 1 });
    const first = transport.send(get(origin, { path: "/v1/first" }));
    const abort = new AbortController();
    let sends = 0;
    const second = transport.send(get(origin, { path: "/v1/second", signal: abort.signal, onSend: () => sends++ }));
    abort.abort(new Error("stop"));
    await expect(second).rejects.toThrow("stop");
    await answerNext();
    await first;
    const third = transport.send(get(origin, { path: "/v1/third" }));
    await answerNext();
    await third;
    expect([sends, seen.map(({ url }) => url)]).toEqual([0, ["/v1/first", "/v1/third"]]);
  });

  test("spent waiting for a connection is half of it: whoever had none by then was not sent", async () => {
    const clock = new FakeClock();
    const { origin, seen } = await api(() => undefined);
    const transport = transportFor(origin, { clock, connections: 1, totalTimeoutMs: 30_000 });
    const abort = new AbortController();
    const first = transport.send(get(origin, { signal: abort.signal }));
    let isOver = false;
    const second = failureOf(transport.send(get(origin, { path: "/v1/second" }))).finally(() => {
      isOver = true;
    });
    await until(() => seen.length === 1);
    await clock.advance(14_999);
    expect(isOver).toBe(false);
    await clock.advance(1);
    expect(await second).toMatchObject({ code: "timeout", sent: false, detail: expect.stringContaining("15000 ms") });
    // One that gets a connection in time has what is left of the whole.
    const third = failureOf(transport.send(get(origin, { path: "/v1/third" })));
    await clock.advance(10_000);
    abort.abort(new Error("stop"));
    await expect(first).rejects.toThrow("stop");
    await until(() => seen.length === 2);
    await clock.advance(19_999);
    expect(clock.pendingTimers).toBe(1);
    await clock.advance(1);
    expect(await third).toMatchObject({ code: "timeout", sent: true, detail: expect.stringContaining("30000 ms") });
    expect(seen.map(({ url }) => url)).toEqual(["/v1/projects", "/v1/third"]);
    expect(clock.pendingTimers).toBe(0);
  });

  test.each<[string, Partial<TransportOptions>, RequestListener, string]>([
    ["until the headers", { headersTimeoutMs: 30 }, () => undefined, "rejected"],
    [
      "between two parts of the body",
      { bodyIdleTimeoutMs: 30 },
      (_request, response) => {
        response.writeHead(200, { ...jsonHeaders, "content-length": "100" }).write("{");
      },
      "unreadable",
    ],
  ])("%s is limited by itself", async (_what, options, listener, how) => {
    const { origin } = await api(listener);
    const call = transportFor(origin, options).send(get(origin));
    const error =
      how === "rejected" ? await failureOf(call) : ((await call).body as { readonly error?: unknown }).error;
    expect(error).toMatchObject({ code: "timeout", sent: true });
  });
});

describe("an aborted call", () => {
  test("does not begin", async () => {
    const { origin, seen } = await api((_request, response) => response.end());
    const reason = new Error("lease lost");
    await expect(transportFor(origin).send(get(origin, { signal: AbortSignal.abort(reason) }))).rejects.toBe(reason);
    expect(seen).toHaveLength(0);
  });

  test("ends with the reason once sent, frees the socket and leaves no listener behind", async () => {
    const abort = new AbortController();
    const reason = { kind: "not even an error" };
    let closed: Promise<unknown> = Promise.resolve();
    const { origin } = await api((request) => {
      closed = new Promise((resolve) => request.socket.on("close", resolve));
      abort.abort(reason);
    });
    let sends = 0;
    const call = transportFor(origin).send(get(origin, { signal: abort.signal, onSend: () => sends++ }));
    await expect(call).rejects.toBe(reason);
    expect(sends).toBe(1);
    await closed;
  });
});

describe("TLS", () => {
  const tlsApi = async (host: string): Promise<string> =>
    listen(
      createTlsServer(selfSigned, (_request, response) => response.writeHead(200, jsonHeaders).end("{}")).on(
        "tlsClientError",
        () => undefined,
      ),
      "https",
      host,
    );

  test("takes a certificate of an authority that it was given", async () => {
    const origin = await tlsApi("localhost");
    expect((await transportFor(origin, { ca: selfSigned.cert }).send(get(origin))).status).toBe(200);
  });

  test("refuses one that signed itself, whatever the environment says, and sends nothing", async () => {
    const origin = await tlsApi("localhost");
    const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
    cleanups.push(() => {
      if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
      else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before;
    });
    expect(await failureOf(transportFor(origin).send(get(origin)))).toMatchObject({ code: "tls", sent: false });
  });

  test("refuses one for another host", async () => {
    const origin = await tlsApi("127.0.0.1");
    const call = transportFor(origin, { ca: selfSigned.cert }).send(get(origin));
    expect(await failureOf(call)).toMatchObject({ code: "tls", sent: false });
  });

  test("is not spoken by a plain server", async () => {
    const plain = await api((_request, response) => response.end());
    const origin = plain.origin.replace("http:", "https:");
    expect(await failureOf(transportFor(origin).send(get(origin)))).toMatchObject({ sent: false });
    expect(plain.seen).toHaveLength(0);
  });
});

describe("a proxy", () => {
  const authorization = new SecretValue("Basic cHJveHktY2FuYXJ5");

  /** An API called `api.test`, and a proxy that leads every tunnel to it, or answers as it is told. */
  async function proxied(answer?: { readonly status: number } | "silence") {
    const tokens: (string | undefined)[] = [];
    const origin = await listen(
      createTlsServer(selfSignedForApiTest, (request, response) => {
        tokens.push(request.headers.authorization);
        response.writeHead(200, jsonHeaders).end("{}");
      }),
      "https",
      "api.test",
    );
    const asked: { readonly target: string | undefined; readonly headers: IncomingMessage["headers"] }[] = [];
    const heard: Buffer[] = [];
    const proxy = createServer((_request, response) => response.writeHead(500).end());
    proxy.on("connect", (request: IncomingMessage, socket: Socket) => {
      asked.push({ target: request.url, headers: request.headers });
      if (answer === "silence") return;
      if (answer !== undefined) {
        socket.end(`HTTP/1.1 ${answer.status} No\r\ncontent-length: 0\r\n\r\n`);
        return;
      }
      const far = connect(Number(new URL(origin).port), "127.0.0.1");
      far.on("error", () => socket.destroy());
      socket.on("error", () => far.destroy());
      socket.on("close", () => far.destroy());
      socket.on("data", (chunk: Buffer) => heard.push(chunk));
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      socket.pipe(far).pipe(socket);
    });
    const url = await listen(proxy);
    const settings = { url, authorization, noProxy: "" };
    const via = (more: Partial<TransportOptions> = {}) =>
      transportFor(origin, { ca: selfSignedForApiTest.cert, proxy: settings, ...more });
    return { origin, url, settings, tokens, asked, heard, via };
  }

  test("is asked for a tunnel; it learns the host, and neither the token nor what is said", async () => {
    const { origin, tokens, asked, heard, via } = await proxied();
    let sends = 0;
    expect((await via().send(get(origin, { onSend: () => sends++ }))).status).toBe(200);
    expect(tokens).toEqual([`Bearer ${canary}`]);
    expect(asked.map(({ target }) => target)).toEqual([new URL(origin).host]);
    expect(asked[0]?.headers["proxy-authorization"]).toBe(authorization.reveal());
    expect(asked[0]?.headers.authorization).toBeUndefined();
    expect(Buffer.concat(heard).toString("latin1")).not.toContain(canary);
    expect(sends).toBe(1);
  });

  test("carries at most eight tunnels of a lane, and they are used again", async () => {
    const { origin, asked, via } = await proxied();
    const transport = via();
    await Promise.all(Array.from({ length: 30 }, () => transport.send(get(origin))));
    expect(asked.length).toBeLessThanOrEqual(8);
  });

  test.each([
    ["a host on NO_PROXY", "api.test"],
    ["all of them", "*"],
  ])("is passed by for %s", async (_, noProxy) => {
    const { origin, asked, settings, via } = await proxied();
    // No name server knows the host, so going there directly fails, and nobody has asked the proxy.
    const error = await failureOf(via({ proxy: { ...settings, noProxy } }).send(get(origin)));
    expect(error).toMatchObject({ code: "unreachable", sent: false });
    expect(asked).toEqual([]);
  });

  test("is passed by for this machine", async () => {
    const { settings, asked } = await proxied();
    const { origin } = await api((_request, response) => response.writeHead(200, jsonHeaders).end("{}"));
    expect((await transportFor(origin, { proxy: settings }).send(get(origin))).status).toBe(200);
    expect(asked).toEqual([]);
  });

  test.each([
    [407, "protocol", "check the user info in HTTPS_PROXY"],
    [403, "protocol", "the proxy responded 403"],
    [502, "unreachable", "the proxy responded 502"],
  ])("that answers %s is named, and nothing was sent", async (status, code, said) => {
    const { origin, via } = await proxied({ status });
    const error = await failureOf(via().send(get(origin)));
    expect(error).toMatchObject({ code, sent: false });
    expect(error.message).toContain(said);
    expect(inspect(error, { depth: 20 })).not.toContain("cHJveHktY2FuYXJ5");
  });

  test("that is not there is a way that is closed", async () => {
    const { origin, settings, via } = await proxied();
    const proxy = { ...settings, url: "http://127.0.0.1:1" };
    expect(await failureOf(via({ proxy }).send(get(origin)))).toMatchObject({ code: "unreachable", sent: false });
  });

  test("that says nothing ends the call in time, with nothing sent", async () => {
    const { origin, via } = await proxied("silence");
    const error = await failureOf(via({ connectTimeoutMs: 300 }).send(get(origin)));
    expect(error.sent).toBe(false);
  });

  test("does not loosen the list of hosts, nor the certificate", async () => {
    const { origin, asked, settings, via } = await proxied();
    const stranger = transportFor("https://api.northflank.com", { proxy: settings, ca: selfSignedForApiTest.cert });
    expect(await failureOf(stranger.send(get(origin)))).toMatchObject({ code: "unreachable", sent: false });
    expect(asked).toEqual([]);
    const other = origin.replace("api.test", "other.test");
    const call = via({ allowedHosts: [new URL(other).host] }).send(get(other));
    expect(await failureOf(call)).toMatchObject({ code: "tls", sent: false });
  });
});

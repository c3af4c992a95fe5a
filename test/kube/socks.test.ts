import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { socksConnector } from "../../src/kube/socks.ts";
import { systemClock } from "../../src/util/clock.ts";
import { socksProxy } from "../support/api-recorder.ts";
import { FakeClock } from "../support/fake-clock.ts";

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(): Promise<number> {
  const server: Server = createServer((_, response) => response.end("here"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return (server.address() as AddressInfo).port;
}

function connect(address: string, to: { readonly hostname: string; readonly port: number }, clock = systemClock) {
  const connector = socksConnector({ proxy: new URL(address), tls: {}, clock, timeoutMs: 10_000, keepAliveMs: 30_000 });
  return new Promise<Socket>((resolve, reject) => {
    connector({ ...to, port: String(to.port), protocol: "http:" }, (error, socket) => {
      if (socket === null) reject(error);
      else resolve(socket);
    });
  });
}

/** The answer to a request over an open connection. */
async function get(socket: Socket): Promise<string> {
  socket.write("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
  let text = "";
  for await (const chunk of socket) text += String(chunk);
  return text;
}

describe("a SOCKS5 proxy", () => {
  test("opens a connection, without a password and with one", async () => {
    const port = await serve();
    await using open = await socksProxy();
    await using closed = await socksProxy({ user: "ada:p w" });
    const to = { hostname: "127.0.0.1", port };
    expect(await get(await connect(`socks5://127.0.0.1:${open.port}`, to))).toContain("here");
    expect(await get(await connect(`socks5://ada:p%20w@127.0.0.1:${closed.port}`, to))).toContain("here");
    expect([...open.opened, ...closed.opened]).toEqual([`127.0.0.1:${port}`, `127.0.0.1:${port}`]);
  });

  test("gets names as they are, and addresses of both families", async () => {
    const port = await serve();
    await using proxy = await socksProxy();
    const address = `socks5://127.0.0.1:${proxy.port}`;
    (await connect(address, { hostname: "localhost", port })).destroy();
    await connect(address, { hostname: "[2001:db8::8a2e:1]", port: 1 }).catch(() => undefined);
    expect(proxy.opened).toEqual([`localhost:${port}`, "2001:db8:0:0:0:0:8a2e:1:1"]);
  });

  test("and a client certificate that is none are an error, and not the end of the program", async () => {
    const port = await serve();
    await using proxy = await socksProxy();
    const connector = socksConnector({
      proxy: new URL(`socks5://127.0.0.1:${proxy.port}`),
      tls: { cert: "canary", key: "canary" },
      clock: systemClock,
      timeoutMs: 10_000,
      keepAliveMs: 30_000,
    });
    const target = { hostname: "127.0.0.1", port: String(port), protocol: "https:" };
    const error = await new Promise<Error | null>((resolve) => connector(target, (...[thrown]) => resolve(thrown)));
    expect(error?.message).toMatch(/PEM/);
  });

  test.each([
    ["with a wrong password", "socks5://ada:canary@", "ESOCKS_AUTH"],
    ["without the password that it asks for", "socks5://", "ESOCKS_AUTH"],
  ])("%s is an error that does not quote it", async (_, start, code) => {
    await using proxy = await socksProxy({ user: "ada:right" });
    const refused = connect(`${start}127.0.0.1:${proxy.port}`, { hostname: "127.0.0.1", port: 1 });
    await expect(refused).rejects.toMatchObject({ code, message: expect.not.stringContaining("canary") });
  });

  test("that cannot reach the server is an error", async () => {
    await using proxy = await socksProxy();
    const refused = connect(`socks5://127.0.0.1:${proxy.port}`, { hostname: "127.0.0.1", port: 1 });
    await expect(refused).rejects.toMatchObject({ code: "ESOCKS_REFUSED" });
  });

  test("that is another server, hangs up, or says nothing, is an error", async () => {
    const http = await serve();
    const to = { hostname: "127.0.0.1", port: 1 };
    await expect(connect(`socks5://127.0.0.1:${http}`, to)).rejects.toMatchObject({
      code: expect.stringMatching(/^ESOCKS_/),
    });
    const silent = createTcpServer((socket) => {
      sockets.push(socket);
    });
    const sockets: Socket[] = [];
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    cleanups.push(
      () =>
        new Promise((resolve) => {
          silent.close(() => resolve());
          for (const socket of sockets) socket.destroy();
        }),
    );
    const clock = new FakeClock();
    const { port } = silent.address() as AddressInfo;
    const late = expect(connect(`socks5://127.0.0.1:${port}`, to, clock)).rejects.toMatchObject({
      code: "ESOCKS_TIMEOUT",
    });
    await clock.advance(10_000);
    await late;
    expect(clock.pendingTimers).toBe(0);
    const hungUp = expect(connect(`socks5://127.0.0.1:${port}`, to)).rejects.toMatchObject({ code: "ESOCKS_CLOSED" });
    await expect.poll(() => sockets.filter((socket) => !socket.destroyed).length).toBe(1);
    for (const socket of sockets) socket.end();
    await hungUp;
  });
});

import { afterEach, expect, test } from "vitest";
import { type HttpServer, startHttpServer } from "../src/http-server.ts";

let server: HttpServer | undefined;
const errors: unknown[] = [];

afterEach(async () => {
  await server?.stop();
  server = undefined;
  errors.length = 0;
});

async function start(): Promise<string> {
  server = await startHttpServer({
    host: "127.0.0.1",
    port: 0,
    routes: {
      "/readyz": (query) => ({ status: 200, body: query.has("verbose") ? "all\n" : "ok\n" }),
      "/broken": () => {
        throw new Error("on purpose");
      },
    },
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

import { spawnSync } from "node:child_process";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { readPort } from "../../sandbox/port.ts";
import { root } from "../../sandbox/start.ts";

test.each<[string, readonly string[], number | string]>([
  ["none: a free one", [], 0],
  ["a number", ["--port", "16443"], 16_443],
  ["the last one", ["--port=65535"], 65_535],
  ["one too many", ["--port=65536"], '--port "65536": a number from 0 to 65535 is expected'],
  ["a word", ["--port", "abc"], '--port "abc": a number from 0 to 65535 is expected'],
  ["another flag", ["--prt=1"], "Unknown option '--prt'"],
])("of the port of a sandbox: %s", (_, args, expected) => {
  expect(readPort(args)).toBe(expected);
});

test("a port in use is said in one line, without a stack", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { readonly port: number };
  const args = ["--import", "tsx", "sandbox/main.ts", "--port", String(port)];
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
  server.close();
  expect([status, stderr]).toEqual([
    1,
    `port ${port} is in use, maybe by another sandbox: name another one, or none for a free one\n`,
  ]);
});

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { kinds } from "../../src/api/kinds.ts";
import type { CommandDescription } from "../../src/cli/command.ts";
import { runComplete } from "../../src/cli/complete.ts";
import { clusterFlags, flag, oneOf, text } from "../../src/flags.ts";
import { systemClock } from "../../src/util/clock.ts";
import { capturedIo } from "../support/captured-io.ts";

const folder = mkdtempSync(join(tmpdir(), "complete-"));
afterAll(() => rmSync(folder, { recursive: true }));
const ends: (() => unknown)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

const commands: readonly CommandDescription[] = [
  {
    name: "wait",
    group: "objects in the cluster",
    summary: "wait",
    flags: [
      flag("output", "F", "table", oneOf("table", "json"), "output format"),
      { ...flag("namespace", "NAME", undefined, text, "namespace"), short: "n" },
      ...Object.values(clusterFlags),
    ],
    takes: { kind: "objects", kinds },
  },
  { name: "validate", group: "manifests", summary: "check", flags: [], takes: { kind: "files" } },
];

/** A kubeconfig for a server that answers so. */
async function serve(listener: RequestListener, namespace = "team"): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return kubeconfig(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, namespace);
}

function kubeconfig(url: string, namespace: string): string {
  const path = join(folder, `${ends.length}-${namespace}.yaml`);
  const context = { cluster: "c", namespace };
  const names = ["dev", "kind-a:b@c", "with blank", "dev\u001b[2J"];
  writeFileSync(
    path,
    JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      "current-context": "dev",
      clusters: [{ name: "c", cluster: { server: url } }],
      contexts: names.map((name) => ({ name, context })),
    }),
  );
  return path;
}

const list = (...names: readonly string[]) =>
  JSON.stringify({ metadata: { resourceVersion: "1" }, items: names.map((name) => ({ metadata: { name } })) });

async function complete(path: string, ...words: readonly string[]) {
  const { io, printed } = capturedIo();
  const startedMs = performance.now();
  const code = await runComplete(words, commands, { env: { KUBECONFIG: path }, io, clock: systemClock });
  const { out, err } = printed();
  return { code, lines: out.split("\n").slice(0, -1), err, elapsedMs: performance.now() - startedMs };
}

describe("names from the cluster", () => {
  test("are those that begin like the word, of the namespace of the context or of -n, in one request", async () => {
    const urls: (string | undefined)[] = [];
    const path = await serve(({ url }, response) => {
      urls.push(url);
      response.setHeader("content-type", "application/json").end(list("web", "worker", "api"));
    });
    expect((await complete(path, "wait", "deployments", "w")).lines).toEqual(["web", "worker", ":4"]);
    expect((await complete(path, "wait", "-n", "other", "run/a")).lines).toEqual(["run/api", ":4"]);
    expect((await complete(path, "wait", "-n", "")).lines).toEqual(["web", "worker", "api", ":4"]);
    expect(urls).toEqual([
      "/apis/northflank-operator.io/v1alpha1/namespaces/team/northflankdeployments?limit=500",
      "/apis/northflank-operator.io/v1alpha1/namespaces/other/northflankjobruns?limit=500",
      "/api/v1/namespaces?limit=500",
    ]);
  });

  test("that would not stay on their line are left out", async () => {
    const path = await serve((_, response) =>
      response.setHeader("content-type", "application/json").end(list("a\n:0", "b\u001b[2J", "c d", "ok")),
    );
    expect((await complete(path, "wait", "runs", "")).lines).toEqual(["ok", ":4"]);
  });

  test.each([
    ["refuses", 403],
    ["breaks", 500],
    ["answers what is no list", 200],
  ])("are none where the server %s, and nothing is printed about it", async (_, status) => {
    const path = await serve((_request, response) => {
      response.statusCode = status;
      response.end("secret");
    });
    expect(await complete(path, "wait", "runs", "")).toMatchObject({ code: 0, lines: [":4"], err: "" });
  });

  test("are none where there is no server, or no kubeconfig", async () => {
    expect((await complete(kubeconfig("http://127.0.0.1:1", "a"), "wait", "runs", "")).lines).toEqual([":4"]);
    expect((await complete(join(folder, "none"), "wait", "runs", "")).lines).toEqual([":4"]);
    expect((await complete(join(folder, "none"), "wait", "--context", "")).lines).toEqual([":4"]);
  });

  test("are none after 2 s", async () => {
    const path = await serve(() => undefined);
    const { lines, elapsedMs } = await complete(path, "wait", "runs", "");
    expect(lines).toEqual([":4"]);
    expect(elapsedMs).toBeGreaterThan(1_990);
    expect(elapsedMs).toBeLessThan(5_000);
  });
});

test("contexts come from the kubeconfig, without those that cannot be typed", async () => {
  const path = kubeconfig("http://127.0.0.1:1", "contexts");
  expect((await complete(path, "wait", "--context", "")).lines).toEqual(["dev", "kind-a:b@c", ":4"]);
  expect((await complete(path, "wait", "--context=k")).lines).toEqual(["--context=kind-a:b@c", ":4"]);
});

test("words have their description behind a tab, and files are left to the shell", async () => {
  expect((await complete("", "v")).lines).toEqual(["validate\tcheck", ":4"]);
  expect((await complete("", "validate", "a")).lines).toEqual([":0"]);
  expect((await complete("", "wait", "--output", "j")).lines).toEqual(["json", ":4"]);
});

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { createKubeClient, type KubeClientOptions } from "../../src/kube/http-client.ts";
import type { KubeAccess } from "../../src/kube/kubeconfig.ts";
import type { KubeCallFacts } from "../../src/kube/transport.ts";
import {
  configMaps,
  type KubeObject,
  leases,
  type ResourceType,
  secrets,
  type WatchEvent,
} from "../../src/kube/types.ts";
import { systemClock } from "../../src/util/clock.ts";
import { FakeClock } from "../support/fake-clock.ts";

const jobRuns: ResourceType = {
  group: "northflank-operator.io",
  version: "v1alpha1",
  plural: "northflankjobruns",
  kind: "NorthflankJobRun",
  namespaced: true,
};
const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "nf-token", namespace: "default" } };
const name = { namespace: "default", name: "nf-token" };

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

type Answer = (request: Seen, response: ServerResponse, socket: Socket) => void;

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** An API server that gives one scripted answer to everything, and a client for it. */
async function serve(answer: Answer, options: Partial<KubeClientOptions> = {}) {
  const seen: Seen[] = [];
  const connections = new Set<Socket>();
  const stats = { opened: 0, refused: 0 };
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { method = "", url = "", headers } = request;
      const call = { method, url, headers, body: Buffer.concat(chunks).toString() };
      seen.push(call);
      answer(call, response, request.socket);
    });
  });
  server.on("connection", (socket) => {
    stats.opened++;
    connections.add(socket);
    socket.on("close", () => connections.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const access: KubeAccess = {
    server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    namespace: "default",
    credentials: async () => ({
      headers: { authorization: "Bearer canary-token" },
      connection: { kind: "direct", key: "plain", tls: {} },
    }),
    refused: () => {
      stats.refused++;
    },
  };
  const client = createKubeClient({ access, clock: systemClock, ...options });
  cleanups.push(
    () => client[Symbol.asyncDispose]() as Promise<void>,
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of connections) socket.destroy();
      }),
  );
  return { client, seen, stats, connections, server };
}

function json(body: unknown, status = 200, headers: Record<string, string> = {}): Answer {
  return (_, response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  };
}

function status(code: number, reason: string, more: object = {}, headers: Record<string, string> = {}): Answer {
  return json(
    { kind: "Status", status: "Failure", code, reason, message: `${reason} happened`, ...more },
    code,
    headers,
  );
}

test("the OpenAPI document of a group and version is read from its own path, and parsed", async () => {
  const document = { openapi: "3.0.0", components: { schemas: {} } };
  const { client, seen } = await serve(json(document));
  expect(await client.openApi(jobRuns)).toEqual(document);
  expect(seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
    "GET /openapi/v3/apis/northflank-operator.io/v1alpha1",
  ]);
});

test("without the group its OpenAPI document is not found", async () => {
  const { client } = await serve((_, response) => response.writeHead(404).end("404 page not found"));
  await expect(client.openApi(jobRuns)).rejects.toMatchObject({ code: "not_found" });
});

describe("what goes out", () => {
  const run = { apiVersion: "northflank-operator.io/v1alpha1", kind: "NorthflankJobRun", metadata: { ...name } };
  const root = "/apis/northflank-operator.io/v1alpha1";

  test.each<{
    readonly verb: string;
    readonly call: (client: Awaited<ReturnType<typeof serve>>["client"]) => Promise<unknown>;
    readonly method: string;
    readonly url: string;
    readonly type?: string;
    readonly body?: unknown;
  }>([
    {
      verb: "get of the core group",
      call: (client) => client.get(secrets, name),
      method: "GET",
      url: "/api/v1/namespaces/default/secrets/nf-token",
    },
    {
      verb: "get of a group",
      call: (client) => client.get(jobRuns, name),
      method: "GET",
      url: `${root}/namespaces/default/northflankjobruns/nf-token`,
    },
    {
      verb: "create",
      call: (client) => client.create(jobRuns, run),
      method: "POST",
      url: `${root}/namespaces/default/northflankjobruns?fieldManager=northflank-operator`,
      type: "application/json",
      body: run,
    },
    {
      verb: "replace of the status",
      call: (client) => client.replace(jobRuns, run, { subresource: "status" }),
      method: "PUT",
      url: `${root}/namespaces/default/northflankjobruns/nf-token/status?fieldManager=northflank-operator`,
      type: "application/json",
      body: run,
    },
    {
      verb: "apply of the status",
      call: (client) => client.apply(jobRuns, run, { subresource: "status" }),
      method: "PATCH",
      url: `${root}/namespaces/default/northflankjobruns/nf-token/status?fieldManager=northflank-operator&force=true`,
      type: "application/apply-patch+yaml",
      body: run,
    },
    {
      verb: "apply without force under another name",
      call: (client) => client.apply(jobRuns, run, { force: false, fieldManager: "other" }),
      method: "PATCH",
      url: `${root}/namespaces/default/northflankjobruns/nf-token?fieldManager=other&force=false`,
      type: "application/apply-patch+yaml",
      body: run,
    },
    {
      verb: "merge patch",
      call: (client) => client.patch(jobRuns, name, { kind: "merge", body: { a: 1 } }),
      method: "PATCH",
      url: `${root}/namespaces/default/northflankjobruns/nf-token?fieldManager=northflank-operator`,
      type: "application/merge-patch+json",
      body: { a: 1 },
    },
    {
      verb: "json patch",
      call: (client) => client.patch(jobRuns, name, { kind: "json", body: [{ op: "test" }] }),
      method: "PATCH",
      url: `${root}/namespaces/default/northflankjobruns/nf-token?fieldManager=northflank-operator`,
      type: "application/json-patch+json",
      body: [{ op: "test" }],
    },
    {
      verb: "delete of exactly one object",
      call: (client) => client.delete(jobRuns, name, { uid: "u-1" }),
      method: "DELETE",
      url: `${root}/namespaces/default/northflankjobruns/nf-token`,
      type: "application/json",
      body: { preconditions: { uid: "u-1" } },
    },
  ])("$verb", async ({ call, method, url, type, body }) => {
    const { client, seen } = await serve(json(secret));
    await call(client);
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({ method, url });
    expect(seen[0]?.headers["content-type"]).toBe(type);
    expect(seen[0]?.body === "" ? undefined : JSON.parse(seen[0]?.body ?? "")).toEqual(body);
    expect(seen[0]?.headers.authorization).toBe("Bearer canary-token");
    expect(seen[0]?.headers["accept-encoding"]).toBeUndefined();
  });

  test("a list over all namespaces with selectors and a page token", async () => {
    const { client, seen } = await serve(json({ metadata: { resourceVersion: "7", continue: "n" }, items: null }));
    const page = await client.list(jobRuns, {
      labelSelector: "a=b,c",
      limit: 500,
      continue: "x/y=",
      resourceVersion: "0",
    });
    expect(page).toEqual({ metadata: { resourceVersion: "7", continue: "n" }, items: [] });
    expect(seen[0]?.url).toBe(
      `${root}/northflankjobruns?labelSelector=a%3Db%2Cc&limit=500&continue=x%2Fy%3D&resourceVersion=0`,
    );
  });

  test("items of a list know what they are, also where the server leaves it out", async () => {
    const { client } = await serve(json({ metadata: {}, items: [{ metadata: { name: "a" } }] }));
    const page = await client.list(configMaps, { namespace: "default" });
    expect(page.items).toEqual([{ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" } }]);
  });

  test.each(["..", ".", "", "a/b", "a%2fb", "a?x", "a#b", "a\r\nb", "a b", "ä", "x".repeat(254)])(
    "the name %j never reaches the server",
    async (hostile) => {
      const { client, seen } = await serve(json(secret));
      await expect(client.get(secrets, { namespace: "default", name: hostile })).rejects.toMatchObject({
        code: "bad_request",
      });
      await expect(client.get(secrets, { namespace: hostile, name: "a" })).rejects.toMatchObject({
        code: "bad_request",
      });
      expect(seen).toEqual([]);
    },
  );

  test("an object without a namespace is refused before anything is sent", async () => {
    const { client, seen } = await serve(json(secret));
    const nowhere = { ...secret, metadata: { name: "a" } };
    await expect(client.create(secrets, nowhere)).rejects.toMatchObject({ code: "bad_request" });
    await expect(client.replace(secrets, nowhere)).rejects.toMatchObject({ code: "bad_request" });
    expect(seen).toEqual([]);
  });
});

describe("connections", () => {
  test("200 calls one after the other share one connection", async () => {
    const { client, stats } = await serve(json(secret));
    for (let call = 0; call < 200; call++) await client.get(secrets, name);
    expect(stats.opened).toBe(1);
  });

  test("100 calls at once use no more connections than allowed", async () => {
    const { client, seen, stats } = await serve(json(secret), { maxConnections: 4 });
    await Promise.all(Array.from({ length: 100 }, () => client.get(secrets, name)));
    expect(seen).toHaveLength(100);
    expect(stats.opened).toBe(4);
  });

  test("a Lease does not wait behind calls that occupy every connection", async () => {
    const { client } = await serve(
      (call, response, socket) => {
        if (call.url.includes("/leases/")) json(secret)(call, response, socket);
      },
      { maxConnections: 1, requestTimeoutMs: 60_000 },
    );
    const stuck = new AbortController();
    const waiting = client.get(secrets, name, stuck.signal);
    await client.get(leases, { namespace: "default", name: "leader" });
    stuck.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
  });

  test("a call is sent once, also when the connection breaks", async () => {
    const { client, seen } = await serve((_, __, socket) => socket.destroy());
    await expect(client.get(secrets, name)).rejects.toMatchObject({ code: "unavailable" });
    await expect(client.create(configMaps, { ...secret })).rejects.toMatchObject({ code: "unavailable" });
    expect(seen).toHaveLength(2);
  });

  test("a connection that is refused is unavailable", async () => {
    const { client, server } = await serve(json(secret));
    await new Promise((resolve) => server.close(resolve));
    await expect(client.get(secrets, name)).rejects.toMatchObject({
      code: "unavailable",
      message: "[unavailable] get secrets default/nf-token: the connection failed (ECONNREFUSED)",
    });
  });

  test("a closed client breaks what is in flight and sends nothing more", async () => {
    const { client, seen } = await serve(() => undefined);
    const waiting = client.get(secrets, name);
    waiting.catch(() => undefined);
    await expect.poll(() => seen.length).toBe(1);
    await client[Symbol.asyncDispose]();
    await expect(waiting).rejects.toMatchObject({ code: "unavailable" });
    await expect(client.get(secrets, name)).rejects.toMatchObject({ code: "unavailable" });
    expect(seen).toHaveLength(1);
  });
});

describe("time", () => {
  test("an answer that does not come in 30 s is a timeout, and one that comes at 29.999 s is not", async () => {
    const clock = new FakeClock();
    let finish: (() => void) | undefined;
    const { client, seen } = await serve(
      (call, response, socket) => {
        finish = () => json(secret)(call, response, socket);
      },
      { clock },
    );
    const late = client.get(secrets, name);
    const outcome = expect(late).rejects.toMatchObject({
      code: "timeout",
      message: "[timeout] get secrets default/nf-token: no response within 30000 ms",
    });
    await expect.poll(() => seen.length).toBe(1);
    await clock.advance(30_000);
    await outcome;

    const inTime = client.get(secrets, name);
    await expect.poll(() => seen.length).toBe(2);
    await clock.advance(29_999);
    finish?.();
    await expect(inTime).resolves.toEqual(secret);
    expect(clock.pendingTimers).toBe(0);
  });

  test("credentials that do not come count against the same limit, and are named", async () => {
    const clock = new FakeClock();
    const access: KubeAccess = {
      server: "http://127.0.0.1:1",
      namespace: "default",
      credentials: () => new Promise(() => undefined),
      refused: () => undefined,
    };
    await using client = createKubeClient({ access, clock });
    const outcome = expect(client.get(secrets, name)).rejects.toMatchObject({
      code: "timeout",
      message:
        "[timeout] get secrets default/nf-token: the credential plugin or the identity provider of the kubeconfig " +
        "did not respond within 30000 ms",
    });
    await clock.advance(30_000);
    await outcome;
  });

  test("an answer that drips counts against the same limit", async () => {
    const clock = new FakeClock();
    const { client, seen } = await serve(
      (_, response) => {
        response.writeHead(200, { "content-type": "application/json" });
        response.write("{");
      },
      { clock },
    );
    const outcome = expect(client.get(secrets, name)).rejects.toMatchObject({
      message: "[timeout] get secrets default/nf-token: the response was not complete within 30000 ms",
    });
    await expect.poll(() => seen.length).toBe(1);
    // The head of the answer has to arrive before the clock moves; nothing tells us but a moment of real time.
    await new Promise((resolve) => setTimeout(resolve, 50));
    await clock.advance(30_000);
    await outcome;
  });

  test("waiting for credentials counts as well", async () => {
    const clock = new FakeClock();
    const never: KubeAccess = {
      server: "http://127.0.0.1:1",
      namespace: "default",
      credentials: () => new Promise(() => undefined),
      refused: () => undefined,
    };
    const client = createKubeClient({ access: never, clock });
    const outcome = expect(client.get(secrets, name)).rejects.toMatchObject({ code: "timeout" });
    await clock.advance(30_000);
    await outcome;
  });

  test("an aborted signal rejects with its reason, before and during the call, and frees the connection", async () => {
    const { client, seen, connections } = await serve(() => undefined);
    const reason = new Error("lost the lease");
    await expect(client.get(secrets, name, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(seen).toHaveLength(0);

    const controller = new AbortController();
    const waiting = client.get(secrets, name, controller.signal);
    await expect.poll(() => seen.length).toBe(1);
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await expect.poll(() => connections.size).toBe(0);
  });
});

describe("refusals", () => {
  test("401 makes the next call read the credentials anew, and is not repeated", async () => {
    const { client, seen, stats } = await serve(status(401, "Unauthorized"));
    await expect(client.get(secrets, name)).rejects.toMatchObject({ code: "unauthorized" });
    expect(stats.refused).toBe(1);
    expect(seen).toHaveLength(1);
  });

  test("429 carries how long to wait", async () => {
    const { client } = await serve(status(429, "TooManyRequests", {}, { "retry-after": "7" }));
    await expect(client.get(secrets, name)).rejects.toMatchObject({ code: "throttled", retryAfterMs: 7_000 });
  });

  test("a redirect is not followed", async () => {
    const { client, seen } = await serve((_, response) => {
      response.writeHead(302, { location: "http://127.0.0.1:1/elsewhere" });
      response.end();
    });
    await expect(client.get(secrets, name)).rejects.toMatchObject({ code: "protocol", httpStatus: 302 });
    expect(seen).toHaveLength(1);
  });

  test.each([
    ["HTML with 200", "<html>canary-body</html>", "text/html; charset=utf-8"],
    ["broken JSON", '{"kind":"Secret","canary-body', "application/json"],
    ["nothing at all", "", ""],
    ["a JSON text that is no object", '"canary-body"', "application/json"],
    ["an object without metadata", '{"canary-body":1}', "application/json"],
  ])("%s is a protocol error that quotes nothing", async (_, body, type) => {
    const { client } = await serve(json(body, 200, { "content-type": type }));
    const error = await client.get(secrets, name).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "protocol" });
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain("canary");
  });

  test("an answer that is cut off is a protocol error", async () => {
    const { client } = await serve((_, response, socket) => {
      response.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
      response.write("{", () => socket.destroy());
    });
    await expect(client.get(secrets, name)).rejects.toMatchObject({ code: "protocol" });
  });

  test("what is not HTTP is a protocol error", async () => {
    const { client } = await serve((_, __, socket) => socket.end("canary-nonsense\r\n\r\n"));
    await expect(client.get(secrets, name)).rejects.toMatchObject({ code: "protocol" });
  });
});

describe("metrics", () => {
  test("each call is told once, with its status or the lack of one", async () => {
    const calls: KubeCallFacts[] = [];
    let answer: Answer = json(secret);
    const { client } = await serve((...given) => answer(...given), { onCall: (facts) => calls.push(facts) });
    await client.get(secrets, name);
    answer = status(404, "NotFound");
    await client.delete(secrets, name).catch(() => undefined);
    answer = (_, __, socket) => socket.destroy();
    await client.get(secrets, name).catch(() => undefined);
    expect(calls.map(({ method, code }) => `${method} ${code}`)).toEqual(["GET 200", "DELETE 404", "GET <error>"]);
    expect(calls[0]?.host).toMatch(/^127\.0\.0\.1:\d+$/);
  });
});

describe("watch", () => {
  const event = (value: string): string => JSON.stringify({ type: "MODIFIED", object: { value } });

  /** Watches until the stream ends; `chunks` arrive as separate packets. */
  async function watchChunks(chunks: readonly (string | Buffer)[], end: (response: ServerResponse) => void) {
    const { client, seen } = await serve((_, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      const next = (index: number): void => {
        const chunk = chunks[index];
        if (chunk === undefined) end(response);
        else response.write(chunk, () => setImmediate(() => next(index + 1)));
      };
      next(0);
    });
    const got: WatchEvent[] = [];
    let bytes = 0;
    const watching = client.watch(
      jobRuns,
      { resourceVersion: "5", allowWatchBookmarks: true, timeoutSeconds: 290 },
      { onEvent: (one) => got.push(one), onBytes: () => bytes++ },
      new AbortController().signal,
    );
    const outcome = await watching.then(
      () => "ended",
      (error: unknown) => error,
    );
    return { got: got.map((one) => (one.object as { value: string }).value), outcome, bytes, url: seen[0]?.url };
  }

  test("delivers each line in order and resolves when the server ends the stream", async () => {
    const { got, outcome, bytes, url } = await watchChunks([`${event("a")}\n${event("b")}\n`, `${event("c")}\n`], (r) =>
      r.end(),
    );
    expect({ got, outcome }).toEqual({ got: ["a", "b", "c"], outcome: "ended" });
    expect(bytes).toBeGreaterThanOrEqual(2);
    expect(url).toBe(
      "/apis/northflank-operator.io/v1alpha1/northflankjobruns?watch=true&resourceVersion=5&allowWatchBookmarks=true&timeoutSeconds=290",
    );
  });

  test("a character whose bytes come one by one stays whole", async () => {
    const line = Buffer.from(`${event("grüße 🚀")}\n`);
    const { got } = await watchChunks(
      Array.from(line, (_, index) => line.subarray(index, index + 1)),
      (r) => r.end(),
    );
    expect(got).toEqual(["grüße 🚀"]);
  });

  test("a reset in the middle of a line rejects, and the half line is not delivered", async () => {
    const { got, outcome } = await watchChunks([`${event("a")}\n${event("b").slice(0, -1)}`], (r) =>
      r.socket?.destroy(),
    );
    expect(got).toEqual(["a"]);
    expect(outcome).toMatchObject({ code: "unavailable" });
  });

  test("a whole line without its end is not delivered either", async () => {
    const { got, outcome } = await watchChunks([`${event("a")}\n${event("b")}`], (r) => r.end());
    expect(got).toEqual(["a"]);
    expect(outcome).toMatchObject({ code: "protocol" });
  });

  test.each(["not json", '{"type":"SURPRISE","object":{}}', '{"type":"ADDED"}', "[]"])(
    "the line %j rejects as protocol error",
    async (line) => {
      const { got, outcome } = await watchChunks([`${event("a")}\n${line}\n${event("b")}\n`], () => undefined);
      expect(got).toEqual(["a"]);
      expect(outcome).toMatchObject({ code: "protocol" });
    },
  );

  test("an ERROR event is an event", async () => {
    const gone = { type: "ERROR", object: { kind: "Status", code: 410 } };
    const { client } = await serve(json(`${JSON.stringify(gone)}\n`));
    const got: WatchEvent[] = [];
    await client.watch(jobRuns, {}, { onEvent: (one) => got.push(one) }, new AbortController().signal);
    expect(got).toEqual([gone]);
  });

  test("410 as HTTP status rejects as expired", async () => {
    const { client } = await serve(status(410, "Expired"));
    const watching = client.watch(jobRuns, {}, { onEvent: () => undefined }, new AbortController().signal);
    await expect(watching).rejects.toMatchObject({ code: "expired" });
  });

  test("what the receiver throws ends the watch and comes out unchanged", async () => {
    const { client, connections } = await serve((_, response) => {
      response.writeHead(200);
      response.write(`${event("a")}\n${event("b")}\n`);
    });
    const mistake = new Error("receiver failed");
    let delivered = 0;
    const onEvent = (): void => {
      delivered++;
      throw mistake;
    };
    await expect(client.watch(jobRuns, {}, { onEvent }, new AbortController().signal)).rejects.toBe(mistake);
    expect(delivered).toBe(1);
    await expect.poll(() => connections.size).toBe(0);
  });

  test("an aborted watch delivers nothing more", async () => {
    let push: (() => void) | undefined;
    const { client } = await serve((_, response) => {
      response.writeHead(200);
      push = () => response.write(`${event("a")}\n`);
      push();
    });
    const controller = new AbortController();
    const got: WatchEvent[] = [];
    const watching = client.watch(jobRuns, {}, { onEvent: (one) => got.push(one) }, controller.signal);
    await expect.poll(() => got.length).toBe(1);
    controller.abort(new Error("stop"));
    push?.();
    await expect(watching).rejects.toThrow("stop");
    expect(got).toHaveLength(1);
  });

  test("has no time limit of its own", async () => {
    const clock = new FakeClock();
    const { client, seen } = await serve(() => undefined, { clock });
    const controller = new AbortController();
    const watching = client.watch(jobRuns, {}, { onEvent: () => undefined }, controller.signal);
    await expect.poll(() => seen.length).toBe(1);
    expect(clock.pendingTimers).toBe(0);
    controller.abort(new Error("stop"));
    await expect(watching).rejects.toThrow("stop");
  });
});

test("an answer above the limit is a protocol error", async () => {
  const big: KubeObject = { ...secret, metadata: { ...secret.metadata, annotations: { big: "x".repeat(100_000) } } };
  const { client } = await serve(json(big), { maxResponseBytes: 50_000 });
  await expect(client.get(secrets, name)).rejects.toMatchObject({ code: "protocol" });
});

test("the Date of every answer is reported, refusals and the start of a watch included", async () => {
  const dates: unknown[] = [];
  const answers = [200, 404, 200];
  const { client } = await serve(
    (_, response) => {
      const status = answers.shift() ?? 500;
      response.writeHead(status, {
        "content-type": "application/json",
        date: `Thu, 01 Jan 2026 00:00:0${answers.length} GMT`,
      });
      response.end(status === 200 ? JSON.stringify({ type: "BOOKMARK", object: {}, metadata: {} }) : "{}");
    },
    { onDate: (date) => dates.push(date) },
  );
  await client.get(secrets, name);
  await expect(client.get(secrets, name)).rejects.toThrow();
  await client
    .watch(jobRuns, { resourceVersion: "1" }, { onEvent: () => undefined }, new AbortController().signal)
    .catch(() => undefined);
  expect(dates).toEqual([2, 1, 0].map((second) => `Thu, 01 Jan 2026 00:00:0${second} GMT`));
});

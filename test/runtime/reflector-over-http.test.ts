import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createKubeClient } from "../../src/kube/http-client.ts";
import type { KubeObject, ResourceType, WatchEvent } from "../../src/kube/types.ts";
import { Reflector } from "../../src/runtime/reflector.ts";
import { systemClock } from "../../src/util/clock.ts";
import { fakeLog } from "../support/fake-log.ts";

/*
 * The reflector and the real client against a server on a real socket, once for every way in which a watch is known to
 * end. Whatever the server did, it then behaves, an object is made, and the store must have it.
 */

const pets: ResourceType = { group: "example.io", version: "v1", plural: "pets", kind: "Pet", namespaced: true };

/** What the server does with one request instead of behaving. */
type Fault = (response: ServerResponse, server: PetServer) => void;

const stopped: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const stop of stopped.splice(0).reverse()) await stop();
});

/** An API server for one kind: lists, streams, watches, and a script of faults for its first requests. */
class PetServer {
  readonly requests: string[] = [];
  readonly faults: Fault[] = [];
  readonly #objects = new Map<string, KubeObject>();
  readonly #history: { readonly resourceVersion: number; readonly event: WatchEvent }[] = [];
  readonly #open = new Set<ServerResponse>();
  readonly #server = createServer((request, response) => this.#serve(request, response));
  #resourceVersion = 0;

  async start(port = 0): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(port, "127.0.0.1", resolve));
    return `http://127.0.0.1:${this.#port()}`;
  }

  /** Breaks every connection and accepts no more. Returns the port to start on again. */
  async stop(): Promise<number> {
    const port = this.#port();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
    return port;
  }

  #port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  put(name: string, uid = `uid-${name}`): void {
    const metadata = { name, namespace: "farm", uid, resourceVersion: String(++this.#resourceVersion) };
    const object = { apiVersion: "example.io/v1", kind: "Pet", metadata };
    const type = this.#objects.get(name)?.metadata.uid === uid ? "MODIFIED" : "ADDED";
    this.#objects.set(name, object);
    this.#publish({ type, object });
  }

  remove(name: string): void {
    const object = this.#objects.get(name);
    if (object === undefined) throw new Error(`no pet ${name}`);
    this.#objects.delete(name);
    const metadata = { ...object.metadata, resourceVersion: String(++this.#resourceVersion) };
    this.#publish({ type: "DELETED", object: { ...object, metadata } });
  }

  /** The start of a good answer to a streaming list, after which a fault may do what it likes. */
  stream(response: ServerResponse): void {
    response.writeHead(200, { "content-type": "application/json" });
    for (const object of this.#objects.values()) writeLine(response, { type: "ADDED", object });
    const annotations = { "k8s.io/initial-events-end": "true" };
    const metadata = { resourceVersion: String(this.#resourceVersion), annotations };
    writeLine(response, { type: "BOOKMARK", object: { metadata } });
  }

  #publish(event: WatchEvent): void {
    this.#history.push({ resourceVersion: this.#resourceVersion, event });
    for (const response of this.#open) writeLine(response, event);
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const query = new URL(request.url ?? "/", "http://server").searchParams;
    this.requests.push(describeRequest(query));
    const fault = this.faults.shift();
    if (fault !== undefined) fault(response, this);
    else if (query.get("watch") !== "true") this.#list(response, query);
    else this.#watch(response, query);
  }

  #list(response: ServerResponse, query: URLSearchParams): void {
    const all = [...this.#objects.values()];
    const from = Number(query.get("continue") ?? 0);
    const to = from + Number(query.get("limit"));
    const next = to < all.length ? { continue: String(to) } : {};
    const metadata = { resourceVersion: String(this.#resourceVersion), ...next };
    answer(response, 200, { kind: "PetList", apiVersion: "example.io/v1", metadata, items: all.slice(from, to) });
  }

  #watch(response: ServerResponse, query: URLSearchParams): void {
    if (query.get("sendInitialEvents") === "true") this.stream(response);
    else {
      response.writeHead(200, { "content-type": "application/json" });
      response.flushHeaders();
      const from = Number(query.get("resourceVersion"));
      for (const { resourceVersion, event } of this.#history) if (resourceVersion > from) writeLine(response, event);
    }
    this.#open.add(response);
    response.on("close", () => this.#open.delete(response));
  }
}

function describeRequest(query: URLSearchParams): string {
  if (query.get("sendInitialEvents") === "true") return "stream";
  if (query.get("watch") === "true") return `watch@${query.get("resourceVersion")}`;
  return query.has("continue") ? `page ${query.get("continue")}` : "page";
}

function writeLine(response: ServerResponse, event: WatchEvent): void {
  response.write(`${JSON.stringify(event)}\n`);
}

function answer(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

function refuse(code: number, headers: Record<string, string> = {}): Fault {
  return (response) => answer(response, code, { kind: "Status", code, message: "scripted" }, headers);
}

function errorEvent(code: number): WatchEvent {
  return { type: "ERROR", object: { kind: "Status", code, message: "scripted" } };
}

/** A good list, then something else. */
function afterList(then: Fault): Fault {
  return (response, server) => {
    server.stream(response);
    then(response, server);
  };
}

const reset: Fault = (response) => void setImmediate(() => response.socket?.destroy());
const silence: Fault = () => undefined;

async function setUp(options: { faults?: readonly Fault[]; pageSize?: number } = {}) {
  const server = new PetServer();
  const url = await server.start();
  stopped.push(() => server.stop());
  server.put("rex");
  server.put("tom");
  server.faults.push(...(options.faults ?? []));
  const client = createKubeClient({
    access: {
      server: url,
      namespace: "farm",
      credentials: async () => ({ headers: {}, connection: { kind: "direct", key: "", tls: {} } }),
      refused: () => undefined,
    },
    clock: systemClock,
    requestTimeoutMs: 500,
  });
  stopped.push(async () => client[Symbol.asyncDispose]());
  const heard: string[] = [];
  const reflector = new Reflector<KubeObject>({
    kube: client,
    resource: pets,
    project: (raw) => raw,
    clock: systemClock,
    random: () => 0.5,
    log: fakeLog().log,
    timing: {
      backoff: { baseMs: 4, factor: 2, capMs: 30, jitter: 0 },
      silenceMs: 400,
      answerMs: 400,
      streamSilenceMs: 400,
      pageSize: options.pageSize ?? 500,
    },
  });
  stopped.push(() => reflector.stop());
  reflector.store.listen(({ kind, key }) => heard.push(`${kind} ${key.slice("farm/".length)}`));
  const names = () =>
    reflector.store
      .list()
      .map(({ metadata }) => metadata.name)
      .sort();
  return { server, reflector, heard, names };
}

function eventually(check: () => void): Promise<void> {
  return vi.waitFor(check, { timeout: 5_000, interval: 2 });
}

interface Row {
  readonly faults: readonly Fault[];
  /** Every request up to recovery. */
  readonly requests: readonly string[];
}

const rows: Readonly<Record<string, Row>> = {
  "resets the socket mid-stream": {
    faults: [afterList(reset)],
    requests: ["stream", "watch@2"],
  },
  "resets the socket of the resumed watch too, again and again": {
    faults: [afterList(reset), reset, reset, reset],
    requests: ["stream", "watch@2", "watch@2", "watch@2", "watch@2"],
  },
  "closes before headers": {
    faults: [reset],
    requests: ["stream", "stream"],
  },
  "ends the stream cleanly": {
    faults: [
      afterList((response) => {
        writeLine(response, { type: "BOOKMARK", object: { metadata: { resourceVersion: "2" } } });
        response.end();
      }),
    ],
    requests: ["stream", "watch@2"],
  },
  "ends every stream cleanly at once": {
    faults: [afterList((response) => response.end()), ...Array<Fault>(3).fill((response) => void response.end("\n"))],
    requests: ["stream", "watch@2", "watch@2", "watch@2", "watch@2"],
  },
  "sends 410 as an event and closes": {
    faults: [
      afterList((response) => {
        writeLine(response, errorEvent(410));
        response.end();
      }),
    ],
    requests: ["stream", "stream"],
  },
  "sends 410 as an event and leaves the stream open": {
    faults: [afterList((response) => writeLine(response, errorEvent(410)))],
    requests: ["stream", "stream"],
  },
  "answers the resumed watch with 410": {
    faults: [afterList(reset), refuse(410)],
    requests: ["stream", "watch@2", "page", "watch@2"],
  },
  "sends 500 as an event": {
    faults: [
      afterList((response) => {
        writeLine(response, errorEvent(500));
        response.end();
      }),
    ],
    requests: ["stream", "watch@2"],
  },
  "answers 503, 429 with Retry-After, and 403": {
    faults: [afterList(reset), refuse(503), refuse(429, { "retry-after": "0" }), refuse(403)],
    requests: ["stream", "watch@2", "watch@2", "watch@2", "watch@2"],
  },
  "fails the first list": {
    faults: [refuse(500), refuse(403), refuse(500)],
    requests: ["stream", "stream", "page", "page", "watch@2"],
  },
  "does not know how to stream a list": {
    faults: [refuse(422)],
    requests: ["stream", "page", "watch@2"],
  },
  "fails the list after a 410": {
    faults: [afterList((response) => writeLine(response, errorEvent(410))), refuse(500), refuse(500)],
    requests: ["stream", "stream", "page", "page", "watch@2"],
  },
  "goes silent after an event": {
    faults: [
      afterList((response) =>
        writeLine(response, { type: "BOOKMARK", object: { metadata: { resourceVersion: "2" } } }),
      ),
    ],
    requests: ["stream", "watch@2"],
  },
  "answers the resumed watch, and then is as still as a connection that died half-open": {
    faults: [
      afterList(reset),
      (response) => response.writeHead(200, { "content-type": "application/json" }).flushHeaders(),
    ],
    requests: ["stream", "watch@2", "watch@2"],
  },
  "never answers the resumed watch": {
    faults: [afterList(reset), silence],
    requests: ["stream", "watch@2", "page", "watch@2"],
  },
  "never answers the first request": {
    faults: [silence],
    requests: ["stream", "page", "watch@2"],
  },
  "cuts a line": {
    faults: [
      afterList((response, server) => {
        response.write('{"type":"ADDED","object":{"metadata":{"name":"half"');
        reset(response, server);
      }),
    ],
    requests: ["stream", "watch@2"],
  },
  "ends in the middle of a line": {
    faults: [afterList((response) => response.end('{"type":"ADDED","object":{"metadata":{"name":"half"'))],
    requests: ["stream", "watch@2"],
  },
  "sends a line that is not JSON": {
    faults: [afterList((response) => response.write("<html>\n"))],
    requests: ["stream", "watch@2"],
  },
  "has lost its history": {
    faults: [
      afterList(reset),
      (response) => {
        const causes = [{ reason: "ResourceVersionTooLarge" }];
        answer(response, 504, { kind: "Status", code: 504, details: { causes, retryAfterSeconds: 0 } });
      },
    ],
    requests: ["stream", "watch@2", "page", "watch@2"],
  },
};

describe("recovers from a server that", () => {
  test.each(Object.entries(rows))("%s", async (_, { faults, requests }) => {
    const { server, reflector, names } = await setUp({ faults });
    reflector.start();
    await eventually(() => expect(server.requests.length).toBeGreaterThanOrEqual(requests.length));
    server.put("proof");
    await eventually(() => expect(names()).toEqual(["proof", "rex", "tom"]));
    // Later ones only show that 400 ms of quiet are silence here.
    expect(server.requests.slice(0, requests.length)).toEqual(requests);
  });
});

test("an object deleted and made again while the watch was down is one deletion and one addition", async () => {
  const { server, reflector, heard, names } = await setUp({
    faults: [
      afterList((response, fake) => {
        fake.remove("rex");
        fake.put("rex", "another-uid");
        writeLine(response, errorEvent(410));
      }),
    ],
  });
  reflector.start();
  await eventually(() => expect(heard).toEqual(["added rex", "added tom", "deleted rex", "added rex"]));
  expect(names()).toEqual(["rex", "tom"]);
  expect(server.requests).toEqual(["stream", "stream"]);
});

test("an object deleted and made again while the watch was down is found by a resumed watch as well", async () => {
  const { reflector, heard } = await setUp({
    faults: [
      afterList((response, fake) => {
        reset(response, fake);
        fake.remove("rex");
        fake.put("rex", "another-uid");
      }),
    ],
  });
  reflector.start();
  await eventually(() => expect(heard).toEqual(["added rex", "added tom", "deleted rex", "added rex"]));
});

test("every page of a list is read", async () => {
  const { server, reflector, names } = await setUp({ faults: [refuse(400)], pageSize: 3 });
  for (let n = 0; n < 6; n++) server.put(`p${n}`);
  reflector.start();
  await eventually(() => expect(names()).toHaveLength(8));
  expect(server.requests.slice(0, 4)).toEqual(["stream", "page", "page 3", "page 6"]);
});

test("an expired continue token starts the list over", async () => {
  const { server, reflector, names } = await setUp({ faults: [refuse(400)], pageSize: 3 });
  for (let n = 0; n < 6; n++) server.put(`p${n}`);
  server.faults.push((response) => {
    const metadata = { resourceVersion: "4", continue: "3" };
    answer(response, 200, { kind: "PetList", metadata, items: [] });
  }, refuse(410));
  reflector.start();
  await eventually(() => expect(names()).toHaveLength(8));
  expect(server.requests.slice(0, 6)).toEqual(["stream", "page", "page 3", "page", "page 3", "page 6"]);
});

test("characters that are split over chunks arrive whole", async () => {
  const object = { metadata: { name: "größe-😀", namespace: "farm", uid: "u", resourceVersion: "7" } };
  const bytes = Buffer.from(`${JSON.stringify({ type: "ADDED", object })}\n`);
  const { reflector, names } = await setUp({
    faults: [
      afterList((response) => {
        const writeFrom = (at: number): void => {
          if (at >= bytes.length) return;
          response.write(bytes.subarray(at, at + 1), () => setImmediate(writeFrom, at + 1));
        };
        writeFrom(0);
      }),
    ],
  });
  reflector.start();
  await eventually(() => expect(names()).toEqual(["größe-😀", "rex", "tom"]));
});

test("a handler that throws stops nothing", async () => {
  const { server, reflector, names } = await setUp();
  reflector.store.listen(() => {
    throw new Error("boom");
  });
  reflector.start();
  await eventually(() => expect(reflector.hasSynced()).toBe(true));
  server.put("proof");
  await eventually(() => expect(names()).toEqual(["proof", "rex", "tom"]));
});

test("stopped during the back-off, it opens no further watch", async () => {
  const { server, reflector } = await setUp({ faults: [afterList(reset), ...Array<Fault>(50).fill(reset)] });
  reflector.start();
  await eventually(() => expect(server.requests.length).toBeGreaterThan(4));
  await reflector.stop();
  const count = server.requests.length;
  // Longer than the longest back-off of this test.
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(server.requests.length).toBe(count);
});

test("a server that is down is waited for", async () => {
  const { server, reflector, names } = await setUp();
  reflector.start();
  await eventually(() => expect(reflector.hasSynced()).toBe(true));
  const port = await server.stop();
  server.put("proof");
  await server.start(port);
  await eventually(() => expect(names()).toEqual(["proof", "rex", "tom"]));
  expect(server.requests[1]).toBe("watch@2");
});

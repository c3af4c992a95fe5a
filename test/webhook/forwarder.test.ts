import { afterEach, describe, expect, test, vi } from "vitest";
import type { NorthflankConnection } from "../../src/api/connection.ts";
import { type HttpServer, startHttpServer, type TlsPair } from "../../src/http-server.ts";
import type { KubeObject, Secret } from "../../src/kube/types.ts";
import { systemClock } from "../../src/util/clock.ts";
import type { Hint } from "../../src/webhook/delivery.ts";
import { Forwarder } from "../../src/webhook/forwarder.ts";
import { createReceiver, type DeliveryOutcome } from "../../src/webhook/receiver.ts";
import { fakeLog } from "../support/fake-log.ts";
import { selfSigned } from "../support/self-signed.ts";

const token = "secret-of-the-webhook-1";
const path = "/northflank/shop/acme";

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one[Symbol.asyncDispose]();
});

/** As the clock of the API server, it has fractions of milliseconds. */
const clock = { ...systemClock, now: () => Date.now() + 0.25 };

/** A replica that serves the receiver over HTTP; `leader`: where it believes the leader to be. */
async function replica(options: {
  readonly leader?: () => string | undefined;
  readonly secret?: string;
  readonly tls?: TlsPair;
  readonly certificate?: string | undefined;
}) {
  const { leader = () => undefined, secret = token, tls } = options;
  const { log, lines } = fakeLog();
  const hints: Hint[] = [];
  const outcomes: DeliveryOutcome[] = [];
  const seen: string[] = [];
  const certificate = "certificate" in options ? options.certificate : tls?.cert;
  const forwarder = new Forwarder({ leader, certificate: () => certificate, clock: systemClock, log });
  open.push(forwarder);
  const stored = {
    metadata: { name: "hook" },
    type: "Opaque",
    data: { secret: Buffer.from(secret).toString("base64") },
  } as unknown as Secret;
  const connection = {
    metadata: { namespace: "shop", name: "acme", uid: "u" },
    spec: { notifications: { secretRef: { name: "hook" } } },
  } as unknown as NorthflankConnection;
  const receiver = createReceiver({
    kube: { get: async <T extends KubeObject>() => stored as unknown as T },
    connections: { get: (key) => (key === "shop/acme" ? connection : undefined) },
    clock,
    log,
    onDelivery: () => undefined,
    onHint: (_key, hint) => hints.push(hint),
    relay: {
      isWanted: () => leader() !== undefined,
      send: (key, headers) => forwarder.send(key, headers),
    },
    observer: { delivered: (outcome) => outcomes.push(outcome) },
  });
  const server: HttpServer = await startHttpServer({
    host: "127.0.0.1",
    port: 0,
    routes: {},
    receiver: async (head) => {
      seen.push(JSON.stringify(head.headers));
      return await receiver.receive(head);
    },
    onError: (err) => log.error({ err }, "failed"),
    ...(tls && { tls }),
  });
  open.push({ [Symbol.asyncDispose]: () => server.stop() });
  return { server, hints, outcomes, seen, lines };
}

async function deliver(
  { server }: { readonly server: HttpServer },
  id: string,
  sent: { readonly event: string; readonly data: object } = runSucceeded,
): Promise<number> {
  const response = await fetch(`http://${server.address}${path}`, {
    method: "POST",
    headers: {
      "x-northflank-notification-integration-token": token,
      "x-northflank-notification-integration-event-id": id,
    },
    body: JSON.stringify(sent),
  });
  return response.status;
}

const ofRun = { project: { id: "shop" }, job: { id: "migrate" }, run: { id: "r1" } };
const runSucceeded = { event: "job-run:success", data: ofRun };

const hint = { projectId: "shop", serviceId: undefined, jobId: "migrate", runId: "r1", isAboutRun: true };

describe("a standby", () => {
  test("forwards the hint to the leader, once, and never the token", async () => {
    const leader = await replica({});
    const standby = await replica({ leader: () => leader.server.address });
    expect([await deliver(standby, "e1"), await deliver(standby, "e1"), await deliver(leader, "e1")]).toEqual([
      200, 200, 200,
    ]);
    await vi.waitFor(() => expect(leader.outcomes).toHaveLength(2));
    expect(leader.hints).toEqual([hint]);
    expect(leader.outcomes.toSorted()).toEqual(["duplicate", "hinted"]);
    expect([standby.outcomes, standby.hints]).toEqual([["forwarded", "duplicate"], []]);
    const forwarded = leader.seen.filter((headers) => headers.includes("operator-proof"));
    expect(forwarded).toHaveLength(1);
    expect(forwarded[0]).not.toContain(token);
    expect(JSON.stringify([leader.lines, standby.lines])).not.toContain(token);
  });

  test.each<[string, object, Partial<Hint>]>([
    ["job-run:start", ofRun, { ...hint, isStart: true }],
    ["job-run:abort", ofRun, hint],
    [
      "trigger:service:deployment:status-update",
      { project: { id: "shop" }, service: { id: "api" } },
      { projectId: "shop", serviceId: "api", jobId: undefined, runId: undefined, isAboutRun: false },
    ],
  ])("forwards all that a hint says, of %s", async (event, data, expected) => {
    const leader = await replica({});
    const standby = await replica({ leader: () => leader.server.address });
    await deliver(standby, "e1", { event, data });
    await vi.waitFor(() => expect(leader.hints).toEqual([expected]));
  });

  test("answers 200 although nothing is there, or another Secret is", async () => {
    const other = await replica({ secret: "another-secret-of-it" });
    for (const address of ["127.0.0.1:1", other.server.address]) {
      const standby = await replica({ leader: () => address });
      expect(await deliver(standby, "e1")).toBe(200);
      await vi.waitFor(() => expect(standby.lines.map(({ message }) => message)).toContain("failed to forward hint"));
    }
    expect([other.hints, other.outcomes]).toEqual([[], ["rejected"]]);
  });

  test("sends to no name, to nothing that is no address, and never in a circle", async () => {
    for (const address of ["localhost:8082", "[::1", "10.0.0.1", "10.0.0.1:70000", "", "a b"]) {
      const standby = await replica({ leader: () => address });
      expect(await deliver(standby, "e1")).toBe(200);
      expect(standby.lines.filter(({ message }) => message === "failed to forward hint")).toEqual([]);
    }
    // Each believes the other one to lead: what was forwarded stays.
    const addresses: string[] = [];
    const one = await replica({ leader: () => addresses[1] });
    const two = await replica({ leader: () => addresses[0] });
    addresses.push(one.server.address, two.server.address);
    expect(await deliver(one, "e1")).toBe(200);
    await vi.waitFor(() => expect(two.hints).toEqual([hint]));
    expect([one.outcomes, two.outcomes]).toEqual([["forwarded"], ["hinted"]]);
  });

  test("over TLS forwards to who has the same certificate alone", async () => {
    const leader = await replica({ tls: selfSigned });
    const standby = await replica({ leader: () => leader.server.address, certificate: selfSigned.cert });
    expect(await deliver(standby, "e1")).toBe(200);
    await vi.waitFor(() => expect(leader.hints).toEqual([hint]));
    const plain = await replica({});
    const lost = await replica({ leader: () => plain.server.address, certificate: selfSigned.cert });
    expect(await deliver(lost, "e1")).toBe(200);
    await vi.waitFor(() => expect(lost.lines.map(({ message }) => message)).toContain("failed to forward hint"));
    expect(plain.hints).toEqual([]);
  });
});

describe("a forwarded hint", () => {
  /** The headers that a standby sends, taken on their way. */
  async function captured(): Promise<Record<string, string>> {
    const leader = await replica({});
    const standby = await replica({ leader: () => leader.server.address });
    await deliver(standby, "e1");
    await vi.waitFor(() => expect(leader.seen).toHaveLength(1));
    const headers = JSON.parse(leader.seen[0] ?? "{}") as Record<string, string>;
    const own = Object.entries(headers).filter(([name]) => name.startsWith("x-northflank-operator-"));
    expect(own.map(([name]) => name).sort()).toEqual([
      "x-northflank-operator-hint",
      "x-northflank-operator-proof",
      "x-northflank-operator-time",
    ]);
    return Object.fromEntries(own);
  }

  const flip = (text = ""): string => `${text.slice(0, -1)}${text.endsWith("A") ? "B" : "A"}`;

  test.each<[string, string, (headers: Record<string, string>) => Record<string, string>, DeliveryOutcome]>([
    ["as it was sent", path, (headers) => headers, "hinted"],
    ["for another connection", "/northflank/shop/other", (headers) => headers, "rejected"],
    [
      "with another hint",
      path,
      (headers) => ({ ...headers, "x-northflank-operator-hint": flip(headers["x-northflank-operator-hint"]) }),
      "rejected",
    ],
    [
      "with another time",
      path,
      (headers) => ({ ...headers, "x-northflank-operator-time": String(Date.now() + 1) }),
      "rejected",
    ],
    ["with no proof that is one", path, (headers) => ({ ...headers, "x-northflank-operator-proof": "00" }), "rejected"],
    [
      "with a token beside a wrong proof",
      path,
      (headers) => ({
        ...headers,
        "x-northflank-operator-proof": "0".repeat(64),
        "x-northflank-notification-integration-token": token,
      }),
      "rejected",
    ],
  ])("%s is taken or rejected by its proof", async (_, to, change, expected) => {
    const headers = await captured();
    const leader = await replica({});
    const response = await fetch(`http://${leader.server.address}${to}`, { method: "POST", headers: change(headers) });
    expect([leader.outcomes, response.status]).toEqual([[expected], expected === "hinted" ? 200 : 401]);
    expect(leader.hints).toEqual(expected === "hinted" ? [hint] : []);
  });

  test.each([
    [59_000, "hinted"],
    [-59_000, "hinted"],
    [61_500, "rejected"],
    [-61_500, "rejected"],
  ])("counts for a minute: after %d ms it is %s", async (laterMs, expected) => {
    const headers = await captured();
    const leader = await replica({});
    const now = vi.spyOn(Date, "now").mockReturnValue(Number(headers["x-northflank-operator-time"]) + laterMs);
    try {
      await fetch(`http://${leader.server.address}${path}`, { method: "POST", headers });
    } finally {
      now.mockRestore();
    }
    expect(leader.outcomes).toEqual([expected]);
  });
});

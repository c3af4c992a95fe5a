import type { IncomingHttpHeaders } from "node:http";
import { beforeEach, describe, expect, test } from "vitest";
import type { NorthflankConnection } from "../../src/api/connection.ts";
import type { HttpAnswer } from "../../src/http-server.ts";
import { KubeError } from "../../src/kube/errors.ts";
import type { KubeObject, Secret } from "../../src/kube/types.ts";
import type { Hint } from "../../src/webhook/delivery.ts";
import { createReceiver, type DeliveryOutcome } from "../../src/webhook/receiver.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { fakeLog } from "../support/fake-log.ts";

const first = "first-secret-of-the-shop";
const second = "second-secret-of-the-shop";

function secret(data: Readonly<Record<string, string>>, type = "Opaque"): Secret {
  const encoded = Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString("base64")]);
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { namespace: "shop", name: "hook", resourceVersion: JSON.stringify(data) },
    type,
    data: Object.fromEntries(encoded),
  };
}

function kubeError(code: KubeError["code"], detail: string): KubeError {
  return new KubeError({ code, step: "get secrets shop/hook", detail });
}

function connection(name: string, notifications = true, uid = `uid-${name}`): NorthflankConnection {
  return {
    apiVersion: "northflank-operator.io/v1alpha1",
    kind: "NorthflankConnection",
    metadata: { namespace: "shop", name, uid },
    spec: {
      suspend: false,
      tokenSecretRef: { name: "api", key: "token" },
      ...(notifications ? { notifications: { secretRef: { name: name === "other" ? "other-hook" : "hook" } } } : {}),
    },
  };
}

function scene() {
  const clock = new FakeClock();
  const { log, lines } = fakeLog();
  const connections = new Map(
    [connection("acme"), connection("other"), connection("silent", false)].map((one) => [
      `shop/${one.metadata.name}`,
      one,
    ]),
  );
  const secrets = new Map<string, Secret | Error>([
    ["hook", secret({ secret: first })],
    ["other-hook", secret({ secret: "secret-of-the-other-one" })],
  ]);
  const reads: string[] = [];
  /** Secrets whose reads wait for this. */
  const hanging = new Map<string, Promise<void>>();
  const hints: (readonly [string, Hint])[] = [];
  const delivered: string[] = [];
  const outcomes: DeliveryOutcome[] = [];
  const receiver = createReceiver({
    kube: {
      get: async <T extends KubeObject>(_type: unknown, { name }: { readonly name: string }) => {
        reads.push(name);
        const found = secrets.get(name) ?? kubeError("not_found", "no such Secret");
        await hanging.get(name);
        if (found instanceof Error) throw found;
        return found as unknown as T;
      },
    },
    connections,
    clock,
    log,
    onDelivery: (key) => delivered.push(key),
    onHint: (key, hint) => hints.push([key, hint]),
    observer: { delivered: (outcome) => outcomes.push(outcome) },
  });
  const post = async (options: {
    readonly path?: string;
    readonly token?: string | undefined;
    readonly body?: string | undefined;
    readonly id?: string;
  }): Promise<{ readonly answer: HttpAnswer; readonly isBodyRead: boolean; readonly tookMs: number }> => {
    const { path = "/northflank/shop/acme", body = build, id } = options;
    const token = "token" in options ? options.token : first;
    const headers: IncomingHttpHeaders = {
      ...(token === undefined ? {} : { "x-northflank-notification-integration-token": token }),
      ...(id === undefined ? {} : { "x-northflank-notification-integration-event-id": id }),
    };
    const startedMs = clock.monotonic();
    let endedMs = 0;
    const received = receiver.receive({ path, headers }).then((one) => {
      endedMs = clock.monotonic();
      return one;
    });
    await clock.advance(1_000);
    const one = await received;
    const tookMs = endedMs - startedMs;
    if ("status" in one) return { answer: one, isBodyRead: false, tookMs };
    return {
      answer: one.answer("body" in options && body === "" ? undefined : Buffer.from(body)),
      isBodyRead: true,
      tookMs,
    };
  };
  return { clock, lines, connections, secrets, reads, hanging, hints, delivered, outcomes, receiver, post };
}

const build = JSON.stringify({ event: "build:start", data: { project: { id: "shop" }, service: { id: "api" } } });
const hint = { projectId: "shop", serviceId: "api", jobId: undefined, runId: undefined, isAboutRun: false };

let at: ReturnType<typeof scene>;
beforeEach(() => {
  at = scene();
});

test("a delivery with the right token is handled, and its hint is given on", async () => {
  const { answer, isBodyRead, tookMs } = await at.post({});
  expect(answer.status).toBe(200);
  expect({ isBodyRead, tookMs }).toEqual({ isBodyRead: true, tookMs: 0 });
  expect(at.hints).toEqual([["shop/acme", hint]]);
  expect(at.delivered).toEqual(["shop/acme"]);
  expect(at.outcomes).toEqual(["hinted"]);
});

describe("rejected in the same way, without reading the body, is a delivery", () => {
  test.each<[string, { readonly path?: string; readonly token: string | undefined }]>([
    ["without a token", { token: undefined }],
    ["with an empty token", { token: "" }],
    ["with a wrong token", { token: "wrong-secret-of-the-shop" }],
    ["with the beginning of the token", { token: first.slice(0, -1) }],
    ["with more than the token", { token: `${first}x` }],
    ["with the token of another connection", { token: "secret-of-the-other-one" }],
    ["for another connection with this one's token", { path: "/northflank/shop/other", token: first }],
    ["for a connection that there is not", { path: "/northflank/shop/none", token: first }],
    ["for a namespace that there is not", { path: "/northflank/none/acme", token: first }],
    ["for a connection without notifications", { path: "/northflank/shop/silent", token: first }],
    ["for a connection without notifications, without a token", { path: "/northflank/shop/silent", token: undefined }],
  ])("%s", async (_, request) => {
    const { answer, isBodyRead, tookMs } = await at.post(request);
    expect({ answer, isBodyRead, tookMs }).toEqual({
      answer: { status: 401, body: "unauthorized\n" },
      isBodyRead: false,
      tookMs: 200,
    });
    expect([at.hints, at.delivered, at.outcomes]).toEqual([[], [], ["rejected"]]);
  });

  test("for a connection that was deleted, or made again by somebody else", async () => {
    await at.post({});
    at.connections.delete("shop/acme");
    at.receiver.forget("shop/acme");
    expect((await at.post({})).answer.status).toBe(401);
    at.secrets.set("hook", secret({ secret: second }));
    at.connections.set("shop/acme", connection("acme", true, "uid-2"));
    expect((await at.post({})).answer.status).toBe(401);
    expect((await at.post({ token: second })).answer.status).toBe(200);
  });

  test.each<[string, Secret | Error, RegExp]>([
    ["does not exist", kubeError("not_found", "gone"), /"hook" does not exist/],
    ["may not be read", kubeError("forbidden", "no"), /may not get Secret "hook"/],
    ["has no keys", secret({}), /has no keys/],
    ["has a value that can be guessed", secret({ secret: "letmein" }), /16 characters: secret/],
    ["has an empty value", secret({ secret: "" }), /16 characters: secret/],
    ["is of the cluster itself", secret({ token: first }, "kubernetes.io/service-account-token"), /of type/],
    [
      "has too many keys",
      secret(Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`k${n}`, first]))),
      /16 keys/,
    ],
  ])("whose Secret %s, and the log says so once, without a value", async (_, stored, said) => {
    at.secrets.set("hook", stored);
    for (const token of [first, "letmein", ""]) expect((await at.post({ token })).answer.status).toBe(401);
    await at.clock.advance(60_000);
    expect((await at.post({})).answer.status).toBe(401);
    const warnings = at.lines.filter(({ level }) => level === "warn");
    expect(warnings.map(({ fields }) => fields.message)).toEqual([expect.stringMatching(said)]);
    expect(JSON.stringify(at.lines)).not.toMatch(/letmein|first-secret/);
  });
});

describe("200 is the answer to a delivery with the right token", () => {
  test.each<[string, string]>([
    ["that is not JSON", "hello"],
    ["that is too large, too slow or broken off", ""],
    ["that lacks fields", JSON.stringify({ event: "build:start", data: {} })],
    ["about something else", JSON.stringify({ event: "backup:success", data: { addon: { id: "db" } } })],
  ])("%s, and nothing follows", async (_, body) => {
    expect((await at.post({ body })).answer.status).toBe(200);
    expect([at.hints, at.outcomes]).toEqual([[], ["ignored"]]);
    expect(at.delivered).toEqual(["shop/acme"]);
  });

  test("of an event that is unknown, and it is a hint all the same", async () => {
    const body = build.replace("build:start", "trigger:moon:rise");
    expect((await at.post({ body })).answer.status).toBe(200);
    expect(at.hints).toEqual([["shop/acme", hint]]);
  });

  test("that was delivered before, and its hint is given on once", async () => {
    for (const id of ["e-1", "e-1", "e-2"]) expect((await at.post({ id })).answer.status).toBe(200);
    expect(at.outcomes).toEqual(["hinted", "duplicate", "hinted"]);
    expect(at.hints).toHaveLength(2);
  });

  test("that broke off before, and it is read when it comes again", async () => {
    await at.post({ id: "e-1", body: "" });
    await at.post({ id: "e-1" });
    expect(at.outcomes).toEqual(["ignored", "hinted"]);
  });

  test("of a flood, whose bodies are not read beyond a rate", async () => {
    const receive = () =>
      at.receiver.receive({
        path: "/northflank/shop/acme",
        headers: { "x-northflank-notification-integration-token": first },
      });
    const answers = await Promise.all(Array.from({ length: 500 }, receive));
    const limited = answers.filter((one) => "status" in one);
    expect(limited).toHaveLength(400);
    expect(new Set(limited.map((one) => "status" in one && one.status))).toEqual(new Set([200]));
    await at.clock.advance(1_000);
    const later = await Promise.all(Array.from({ length: 20 }, receive));
    expect(later.filter((one) => "status" in one)).toHaveLength(10);
    expect(at.reads).toEqual(["hook"]);
  });

  test("while Kubernetes cannot be read, by what was read last", async () => {
    await at.post({});
    at.secrets.set("hook", kubeError("unavailable", "no route"));
    await at.clock.advance(60_000);
    expect((await at.post({})).answer.status).toBe(200);
    expect((await at.post({ token: second })).answer.status).toBe(401);
  });

  test("while Kubernetes does not answer, by what was read last and within a second", async () => {
    await at.post({});
    let respond = () => {};
    at.hanging.set("hook", new Promise((resolve) => (respond = resolve)));
    at.secrets.set("hook", secret({ secret: second }));
    await at.clock.advance(60_000);
    const { answer, tookMs } = await at.post({});
    expect(answer.status).toBe(200);
    expect(tookMs).toBeLessThanOrEqual(1_000);
    expect((await at.post({})).answer.status).toBe(200);
    // What is read late counts.
    respond();
    await at.clock.advance(0);
    expect((await at.post({ token: second })).answer.status).toBe(200);
    expect((await at.post({})).answer.status).toBe(401);
  });
});

test("events are remembered in a limited number", async () => {
  for (let n = 0; n < 520; n++) await at.post({ id: `e-${n}` });
  await at.post({ id: "e-519" });
  await at.post({ id: "e-0" });
  expect(at.outcomes.slice(-2)).toEqual(["duplicate", "hinted"]);
});

describe("a Secret that is rotated", () => {
  test("accepts the values of all its keys, with or without a line end", async () => {
    at.secrets.set("hook", secret({ new: `${second}\n`, old: first }));
    for (const token of [first, second]) expect((await at.post({ token })).answer.status).toBe(200);
    expect(at.reads).toEqual(["hook"]);
  });

  test("is read again for a token that fits nothing, every 5 s at most", async () => {
    await at.post({});
    at.secrets.set("hook", secret({ secret: second }));
    expect((await at.post({ token: second })).answer.status).toBe(401);
    await at.clock.advance(4_000);
    expect((await at.post({ token: second })).answer.status).toBe(200);
    expect((await at.post({ token: first })).answer.status).toBe(401);
    expect(at.reads).toEqual(["hook", "hook"]);
    for (let n = 0; n < 30; n++) await at.post({ token: "wrong-secret-of-the-shop" });
    expect(at.reads.length).toBeLessThanOrEqual(8);
  });

  test("is read for wrong tokens twice a second at most, however many connections they are sent to", async () => {
    const keys = Array.from({ length: 300 }, (_, index) => `many-${index}`);
    for (const name of keys) at.connections.set(`shop/${name}`, connection(name));
    const guess = async () => {
      const token = "wrong-secret-of-the-shop";
      const headers = { "x-northflank-notification-integration-token": token };
      const answers = keys.map((name) => at.receiver.receive({ path: `/northflank/shop/${name}`, headers }));
      await at.clock.advance(1_000);
      return await Promise.all(answers);
    };
    // What was never read has to be, once.
    await guess();
    const before = at.reads.length;
    for (let second = 0; second < 20; second++) await guess();
    expect(at.reads.length - before).toBeLessThanOrEqual(10 + 2 * 21);
    // The right token is accepted meanwhile.
    expect((await at.post({ path: "/northflank/shop/many-7" })).answer.status).toBe(200);
  });

  test("counts within a minute for the token that was taken out", async () => {
    await at.post({});
    at.secrets.set("hook", secret({ secret: second }));
    await at.clock.advance(45_000);
    expect((await at.post({})).answer.status).toBe(401);
  });
});

describe("a Secret that is rotated, of an integration that the operator registers", () => {
  const registered = (): void => {
    const { spec, ...rest } = connection("acme");
    const notifications = { secretRef: { name: "hook" }, register: true };
    at.connections.set("shop/acme", { ...rest, spec: { ...spec, notifications } });
  };

  test.each([
    [170_000, 200],
    [240_000, 401],
  ])("accepts the value that was replaced for three minutes: after %d ms %d", async (afterMs, expected) => {
    registered();
    await at.post({});
    at.secrets.set("hook", secret({ secret: second }));
    await at.clock.advance(45_000);
    for (const token of [first, second]) expect((await at.post({ token })).answer.status).toBe(200);
    for (let leftMs = afterMs - 2_000; leftMs > 0; leftMs -= 10_000) {
      await at.clock.advance(Math.min(leftMs, 9_000));
      await at.post({ token: second });
    }
    expect([(await at.post({})).answer.status, (await at.post({ token: second })).answer.status]).toEqual([
      expected,
      200,
    ]);
  });

  test.each([
    ["sends the new one", { secret: second }, 401],
    ["sends the old one still", { secret: first }, 200],
  ])("hours after the last delivery, the value that was replaced: the integration %s", async (_how, sent, expected) => {
    registered();
    const { spec, ...rest } = at.connections.get("shop/acme") as NorthflankConnection;
    const { resourceVersion: secretResourceVersion = "" } = secret(sent).metadata;
    const integration = { id: "i", webhookURL: "https://hooks.acme.com", account: "a", secretResourceVersion };
    at.connections.set("shop/acme", {
      ...rest,
      spec,
      status: { observedGeneration: 1, notifications: { integration } },
    });
    await at.post({});
    at.secrets.set("hook", secret({ secret: second }));
    await at.clock.advance(5 * 3_600_000);
    expect((await at.post({})).answer.status).toBe(expected);
    expect((await at.post({ token: second })).answer.status).toBe(200);
  });

  test("accepts nothing any more once the Secret is gone", async () => {
    registered();
    await at.post({});
    at.secrets.delete("hook");
    await at.clock.advance(45_000);
    expect((await at.post({})).answer.status).toBe(401);
  });
});

test("no token is in the log", async () => {
  await at.post({});
  await at.post({ token: "wrong-secret-of-the-shop" });
  expect(JSON.stringify(at.lines)).not.toMatch(/secret-of-the-shop/);
});

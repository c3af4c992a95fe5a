import { describe, expect, test } from "vitest";
import { jsonPatch, mergePatch } from "../../../sandbox/kubernetes/patch.ts";
import { createNorthflank, defaultToken } from "../../../sandbox/northflank/server.ts";
import type { NorthflankConnection } from "../../../src/api/connection.ts";
import { integrationFinalizer, northflankConnections, reconcileRequestedAt } from "../../../src/api/names.ts";
import { createValidator } from "../../../src/api/validate.ts";
import { createApiFactory } from "../../../src/controllers/account/api-factory.ts";
import { ConnectionAccounts } from "../../../src/controllers/account/connection-accounts.ts";
import { integrationName } from "../../../src/controllers/connection/integration.ts";
import { createConnectionReconciler } from "../../../src/controllers/connection/reconciler.ts";
import type { EventDraft } from "../../../src/controllers/reconcile/events.ts";
import { PollSchedule } from "../../../src/controllers/reconcile/poll-schedule.ts";
import { createStatusWriter } from "../../../src/controllers/reconcile/status-writer.ts";
import type { KubeClient } from "../../../src/kube/client.ts";
import { KubeError } from "../../../src/kube/errors.ts";
import type { KubeObject } from "../../../src/kube/types.ts";
import { NorthflankError, type NorthflankErrorCode } from "../../../src/northflank/errors.ts";
import type { Transport } from "../../../src/northflank/transport.ts";
import { findCondition } from "../../../src/runtime/conditions.ts";
import type { Outcome } from "../../../src/runtime/outcome.ts";
import { present } from "../../../src/util/present.ts";
import { connection } from "../../support/builders.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { fakeLog } from "../../support/fake-log.ts";
import { brokenPromises } from "../../support/kstatus.ts";
import { always, neverAborted, strictFake } from "../../support/strict-fake.ts";

const validator = createValidator();
const url = "https://hooks.example.com";
const webhook = `${url}/northflank/shop/default`;
const canary = "canary-of-the-webhook-1";
const integrations = "/v1/integrations/notifications";

/** What becomes of one request, and the process with it. */
type Fault = "crash-before" | "crash-after" | NorthflankErrorCode | `${NorthflankErrorCode}-after`;

class Crash extends Error {}

/** A connection, its two Secrets, one process, and a Northflank, all in memory. */
class Scene {
  readonly clock = new FakeClock();
  readonly northflank = createNorthflank({ now: () => this.clock.now(), seed: "s" });
  readonly logged = fakeLog();
  readonly events: string[] = [];
  /** Requests of the process, `GET /v1/auth` aside. */
  readonly sent: string[] = [];
  readonly secrets = new Map<string, Readonly<Record<string, string>>>([
    ["nf-token", { token: defaultToken }],
    ["hook", { secret: canary }],
  ]);
  isServed = true;
  url: string | undefined = url;
  isLeader = true;
  mayPatch = true;
  /** By `METHOD path`; each counts once. */
  readonly faults = new Map<string, Fault[]>();
  #object: NorthflankConnection | undefined;
  #version = 1;
  #reconcile = this.#newProcess();

  constructor(notifications: Partial<NorthflankConnection["spec"]["notifications"]> | null = {}) {
    const declared = { secretRef: { name: "hook" }, register: true, ...notifications };
    const spec = notifications === null ? {} : { notifications: declared };
    this.#object = connection({ spec: { tokenSecretRef: { name: "nf-token", key: "token" }, ...spec } });
  }

  get object(): NorthflankConnection {
    if (this.#object === undefined) throw new Error("no connection in the scene");
    return this.#object;
  }

  get isGone(): boolean {
    return this.#object === undefined;
  }

  /** A user changes the object. */
  edit(spec: Partial<NorthflankConnection["spec"]>): void {
    const { metadata, ...rest } = this.object;
    const generation = (metadata.generation ?? 0) + 1;
    this.#object = { ...rest, metadata: { ...metadata, generation }, spec: { ...rest.spec, ...spec } };
  }

  request(value: string): void {
    const { metadata, ...rest } = this.object;
    this.#object = { ...rest, metadata: { ...metadata, annotations: { [reconcileRequestedAt]: value } } };
  }

  delete(): void {
    const { metadata, ...rest } = this.object;
    const deletionTimestamp = new Date(this.clock.now()).toISOString();
    this.#object = { ...rest, metadata: { ...metadata, deletionTimestamp } };
    this.#collect();
  }

  restart(): void {
    this.#reconcile = this.#newProcess();
  }

  setSecret(values: Readonly<Record<string, string>> | undefined, name = "hook"): void {
    this.#version += 1;
    if (values === undefined) this.secrets.delete(name);
    else this.secrets.set(name, values);
  }

  /** One reconcile. A crash ends the process, and another one is started. */
  async pass(): Promise<Outcome | "crashed"> {
    const signal = neverAborted();
    const context = { signal, statusSignal: signal, reconcileId: "r", log: this.logged.log, failures: 0 };
    try {
      return await this.#inTime(this.#reconcile("shop/default", context));
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      this.restart();
      return "crashed";
    } finally {
      this.#checkPromises();
    }
  }

  /** Lets the time pass that calls wait before they are repeated. */
  async #inTime<T>(reconcile: Promise<T>): Promise<T> {
    let isOver = false;
    const over = reconcile.finally(() => {
      isOver = true;
    });
    over.catch(() => undefined);
    await this.clock.advance(0);
    while (!isOver) await this.clock.advance(100);
    return await over;
  }

  /** Reconciles at the times that the outcomes name, for `minutes`; a crash or a failure is followed after 5 s. */
  async run(minutes: number): Promise<void> {
    const endMs = this.clock.monotonic() + minutes * 60_000;
    while (this.clock.monotonic() < endMs && !this.isGone) {
      const outcome = await this.pass();
      if (outcome !== "crashed" && outcome.kind === "settled") return;
      const afterMs = outcome !== "crashed" && outcome.kind === "recheck" ? Math.max(outcome.afterMs, 1) : 5_000;
      await this.clock.advance(Math.min(afterMs, endMs - this.clock.monotonic()));
    }
  }

  /** `True/Registered: ...`; `undefined` where there is no such condition. */
  get ready(): string | undefined {
    const found = findCondition(this.#object?.status?.conditions, "NotificationsReady");
    return found && `${found.status}/${found.reason}: ${found.message}`;
  }

  /** The requests about integrations since this was last asked. */
  taken(): readonly string[] {
    return this.sent.splice(0).map((line) => line.replace(/\b[0-9a-f]{24}\b/, "ID"));
  }

  get ours() {
    const name = integrationName(this.object.metadata.uid ?? "");
    return this.northflank.integrations().filter((one) => one.name === name);
  }

  #collect(): void {
    const { finalizers = [], deletionTimestamp } = this.object.metadata;
    if (deletionTimestamp !== undefined && finalizers.length === 0) this.#object = undefined;
  }

  #checkPromises(): void {
    const text = JSON.stringify([this.#object?.status, this.events, this.logged.lines]);
    expect(text).not.toContain("canary");
    const object = this.#object;
    if (object?.status === undefined || object.status.observedGeneration === -1) return;
    const problems = validator.validateManifest({ ...object, prunedFields: undefined });
    expect(problems.filter(({ field }) => field.startsWith("status"))).toEqual([]);
    expect(brokenPromises(object as Parameters<typeof brokenPromises>[0])).toEqual([]);
  }

  #transport(): Transport {
    return {
      send: async ({ method, path, body, step, token, onSend }) => {
        const [route = "", query = ""] = path.split("?");
        const isAuth = route === "/v1/auth";
        if (!isAuth) this.sent.push(`${method} ${route.replace(integrations, "") || "/"}`);
        onSend?.();
        const fault = this.faults.get(`${method} ${isAuth ? "auth" : route.replace(/[0-9a-f]{24}/, "ID")}`)?.shift();
        const failed = (code: string) => {
          return new NorthflankError({ code: code as NorthflankErrorCode, step, detail: "scripted", sent: true });
        };
        if (fault === "crash-before") throw new Crash();
        if (fault !== undefined && !fault.endsWith("-after")) throw failed(fault);
        const headers = { authorization: `Bearer ${token.reveal()}`, "content-type": "application/json" };
        const call = { number: 1, atMs: 0, method, path: route, query: new URLSearchParams(query), headers };
        const answer = this.northflank.answer({ ...call, body: body ?? "", connection: 1, status: undefined });
        if (fault === "crash-after") throw new Crash();
        if (fault !== undefined) throw failed(fault.replace(/-after$/, ""));
        const value: unknown = JSON.parse(JSON.stringify(answer.body ?? {}));
        return { status: answer.status, headers: answer.headers as never, body: { kind: "json", value } };
      },
      [Symbol.asyncDispose]: async () => undefined,
    };
  }

  #newProcess() {
    const { clock } = this;
    const random = always(0.5);
    const get = async <T>(_type: unknown, { name }: { readonly name: string }): Promise<T> => {
      const values = this.secrets.get(name);
      if (values === undefined) throw new KubeError({ code: "not_found", step: "get", detail: "none" });
      const data = Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString("base64")]);
      const metadata = { name, resourceVersion: String(name === "hook" ? this.#version : 1) };
      return { metadata, data: Object.fromEntries(data) } as T;
    };
    const patch = async <T extends KubeObject>(
      ...[, , { kind, body }]: Parameters<KubeClient["patch"]>
    ): Promise<T> => {
      if (kind === "json" && !this.mayPatch) throw new KubeError({ code: "forbidden", step: "patch", detail: "no" });
      if (kind === "json") return jsonPatch(structuredClone(this.object), body as never) as T;
      const { status } = body as { readonly status: object };
      return { ...this.object, status: mergePatch(this.object.status ?? {}, status) } as unknown as T;
    };
    const kube = strictFake<KubeClient>("kube", { get: get as KubeClient["get"], patch: patch as KubeClient["patch"] });
    const overlay = (object: NorthflankConnection): void => {
      this.#object = object;
      this.#collect();
    };
    const apis = createApiFactory({ transport: this.#transport(), clock, random });
    const accounts = new ConnectionAccounts({
      kube,
      connections: { get: () => this.#object },
      openApi: apis.open,
      operatorToken: undefined,
      defaultApiUrl: "https://api.northflank.com",
      defaultMaxRequestsPerHour: 900,
      allowedApiHosts: ["api.northflank.com"],
      clock,
      random,
    });
    const scene = this;
    const webhookOf = {
      get isServed() {
        return scene.isServed;
      },
      get url() {
        return scene.url;
      },
    };
    return createConnectionReconciler({
      store: { get: () => this.#object },
      accounts,
      validate: ({ kind, spec }) => validator.validateSpec(kind, spec),
      dependents: () => 0,
      quota: apis.quota,
      schedule: new PollSchedule({ clock, random }),
      validationPeriodMs: 3_600_000,
      statusWriter: createStatusWriter<NorthflankConnection>({
        log: this.logged.log,
        kube,
        type: northflankConnections,
        overlay,
      }),
      events: {
        record: (_object, { type, reason, note }: EventDraft) => this.events.push(`${type} ${reason}: ${note}`),
      },
      notifications: {
        kube,
        overlay,
        integrationSchedule: new PollSchedule({ clock, random }),
        webhook: webhookOf,
        mayWrite: () => this.isLeader,
      },
      clock,
      random,
    });
  }
}

async function registered(): Promise<Scene> {
  const it = new Scene();
  await it.pass();
  expect(it.ready).toBe(`True/Registered: Notification integration "${it.ours[0]?.id}" sends to ${webhook}.`);
  it.taken();
  it.events.length = 0;
  return it;
}

describe("an integration that is registered", () => {
  test("is created with everything that hints come from, once the finalizer is there", async () => {
    const it = new Scene();
    it.mayPatch = false;
    await it.pass();
    expect(it.ready).toContain("False/PermissionDenied: The operator may not add its finalizer.");
    expect(it.ours).toEqual([]);
    it.mayPatch = true;
    await it.pass();
    expect(it.object.metadata.finalizers).toEqual([integrationFinalizer]);
    expect(it.taken()).toEqual(["GET /", "POST /"]);
    const [made] = it.ours;
    expect(made).toMatchObject({ type: "RAW_WEBHOOK", webhook, secret: canary, restricted: false, projects: [] });
    expect(made?.events).toEqual([
      "trigger:build:failure",
      "trigger:build:success",
      "trigger:job-run:abort",
      "trigger:job-run:failure",
      "trigger:job-run:start",
      "trigger:job-run:success",
      "trigger:job-run:terminate",
      "trigger:service:deployment:status-update",
    ]);
    const account = "https://api.northflank.com";
    const record = { id: made?.id, webhookURL: webhook, account, secretResourceVersion: "1" };
    expect(it.object.status?.notifications).toEqual({ integration: record });
    expect(it.events).toEqual([
      `Normal Registered: Created notification integration "${made?.id}", which sends to ${webhook}.`,
    ]);
  });

  test("costs two requests an hour, also over restarts", async () => {
    const it = await registered();
    await it.run(590);
    expect(it.taken()).toHaveLength(2 * 9);
    for (let n = 0; n < 10; n++) {
      it.restart();
      await it.run(6);
    }
    expect(it.taken().length).toBeLessThanOrEqual(4);
    expect(it.events).toEqual([]);
  });

  test.each<[string, (it: Scene) => void, object]>([
    ["its name", (it) => it.northflank.changeIntegration(it.ours[0]?.id ?? "", { name: "renamed" }), {}],
    ["its URL", (it) => it.northflank.changeIntegration(it.ours[0]?.id ?? "", { webhook: "https://a.b" }), { webhook }],
    ["an event", (it) => it.northflank.changeIntegration(it.ours[0]?.id ?? "", { events: {} }), {}],
    [
      "its projects",
      (it) => it.northflank.changeIntegration(it.ours[0]?.id ?? "", { restricted: true }),
      { restricted: false },
    ],
  ])("whose %s a person changes is corrected within the hour", async (_, change, expected) => {
    const it = await registered();
    const [before] = it.ours;
    change(it);
    await it.run(75);
    expect(it.ours).toMatchObject([{ ...before, ...expected }]);
    expect(it.taken().filter((line) => line.startsWith("POST"))).toEqual(["POST /ID"]);
  });

  test("that a person deletes is created again within the hour", async () => {
    const it = await registered();
    it.northflank.removeIntegration(it.ours[0]?.id ?? "");
    await it.run(75);
    expect(it.ours).toHaveLength(1);
    expect(it.ready).toContain(`"${it.ours[0]?.id}"`);
  });

  test("follows what is declared: projects, URL and secret, with one update each", async () => {
    const it = await registered();
    it.northflank.addProject("shop");
    const [{ id } = { id: "" }] = it.ours;
    it.edit({ allowedProjects: ["shop"] });
    await it.pass();
    expect(it.northflank.integration(id)).toMatchObject({ restricted: true, projects: ["shop"] });
    it.edit({ allowedProjects: ["shop", "staging-*"] });
    await it.pass();
    expect(it.northflank.integration(id)).toMatchObject({ restricted: false });
    it.url = "https://other.example.com";
    await it.pass();
    expect(it.northflank.integration(id).webhook).toBe("https://other.example.com/northflank/shop/default");
    it.setSecret({ b: "canary-of-the-webhook-3", a: "canary-of-the-webhook-2" });
    await it.pass();
    expect(it.northflank.integration(id).secret).toBe("canary-of-the-webhook-2");
    expect(it.taken().filter((line) => line.startsWith("POST"))).toEqual(Array(4).fill("POST /ID"));
    await it.run(30);
    expect(it.taken()).toEqual([]);
  });

  test("of a connection that is pointed at another team is registered there, and the old one is named", async () => {
    const it = await registered();
    const [{ id } = { id: "" }] = it.ours;
    const other = it.northflank.addAccount({ name: "other", tokens: ["token-of-the-other"] });
    it.setSecret({ token: "token-of-the-other" }, "nf-token");
    await it.clock.advance(60_000);
    it.edit({ teamId: "other" });
    await it.run(2);
    expect(it.ours.map((one) => one.id)).toEqual([id]);
    expect(other.integrations()).toMatchObject([{ webhook }]);
    expect(it.object.status?.notifications?.integration?.id).toBe(other.integrations()[0]?.id);
    expect(it.events).toContain(
      `Warning Abandoned: Notification integration "${id}" is left in https://api.northflank.com; delete it in Northflank.`,
    );
  });

  test("is not changed by a replica that does not lead", async () => {
    const it = await registered();
    const [{ id } = { id: "" }] = it.ours;
    it.isLeader = false;
    it.setSecret({ secret: "canary-of-the-webhook-2" });
    await it.pass();
    it.northflank.removeIntegration(id);
    it.delete();
    await it.pass();
    expect(it.taken().filter((line) => !line.startsWith("GET"))).toEqual([]);
    expect(it.isGone).toBe(false);
  });
});

describe("a crash or a lost answer", () => {
  const faults: readonly Fault[] = ["crash-before", "crash-after", "interrupted", "interrupted-after", "timeout-after"];

  test.each(faults)("of the create (%s) leaves one integration", async (fault) => {
    const it = new Scene();
    it.faults.set(`POST ${integrations}`, [fault, fault]);
    await it.run(10);
    expect(it.ours).toHaveLength(1);
    expect(it.ready).toContain(`True/Registered: Notification integration "${it.ours[0]?.id}"`);
    const creates = it.taken().filter((line) => line === "POST /").length;
    expect(creates).toBe(fault.endsWith("after") ? 1 : 3);
  });

  test.each(faults)("of the update (%s) ends with the new secret", async (fault) => {
    const it = await registered();
    it.faults.set(`POST ${integrations}/ID`, [fault, fault, fault]);
    it.setSecret({ secret: "canary-of-the-webhook-2" });
    await it.run(10);
    expect(it.ours).toMatchObject([{ secret: "canary-of-the-webhook-2" }]);
    expect(it.object.status?.notifications?.integration?.secretResourceVersion).toBe("2");
  });

  test.each(faults)("of the delete (%s) leaves none, and nothing of the connection", async (fault) => {
    const it = await registered();
    const [{ id } = { id: "" }] = it.ours;
    it.faults.set(`DELETE ${integrations}/ID`, [fault, fault, fault]);
    it.delete();
    await it.run(10);
    expect(it.isGone).toBe(true);
    expect(it.northflank.integrations().map((one) => one.id)).not.toContain(id);
    expect(it.events.filter((line) => line.includes("Abandoned"))).toEqual([]);
  });

  test.each(faults)("while a disabled one is replaced (%s) leaves one that works", async (fault) => {
    const it = await registered();
    it.faults.set(`POST ${integrations}`, [fault]);
    it.faults.set(`DELETE ${integrations}/ID`, [fault]);
    it.northflank.disableIntegration(it.ours[0]?.id ?? "");
    it.request("now");
    await it.run(10);
    expect(it.ours).toMatchObject([{ isDisabled: false, secret: canary }]);
    expect(it.ready).toContain(`True/Registered: Notification integration "${it.ours[0]?.id}"`);
  });

  test("that left two integrations is cleared, and those of others stay", async () => {
    const it = await registered();
    const [{ id, name } = { id: "", name: "" }] = it.ours;
    it.northflank.addIntegration({ name, webhook, isFollowed: false });
    const other = integrationName("another uid");
    it.northflank.addIntegration({ name: other, webhook, isFollowed: false });
    it.request("now");
    await it.run(1);
    expect(it.northflank.integrations().map((one) => [one.name, one.id === id])).toEqual([
      [name, true],
      [other, false],
    ]);
    it.delete();
    await it.pass();
    expect(it.northflank.integrations().map((one) => one.name)).toEqual([other]);
  });

  test("of a status write: what was registered is found again, and nothing is created", async () => {
    const it = await registered();
    const { status = { observedGeneration: 1 }, ...rest } = it.object;
    const { notifications: _lost, ...left } = status;
    it.restart();
    it.edit({});
    Object.assign(it.object, { ...rest, status: left });
    await it.pass();
    expect(it.ours).toHaveLength(1);
    expect(it.object.status?.notifications?.integration?.id).toBe(it.ours[0]?.id);
    expect(it.taken()).toEqual(["GET /", "GET /ID", "POST /ID"]);
  });
});

describe("an integration that Northflank disabled", () => {
  test("is replaced at once where it has worked for six hours, and not before", async () => {
    const it = await registered();
    const [{ id } = { id: "" }] = it.ours;
    it.northflank.disableIntegration(id);
    await it.run(75);
    expect(it.ours.map((one) => one.id)).toEqual([id]);
    expect(it.ready).toBe(
      `False/IntegrationDisabled: Northflank disabled notification integration "${id}". Check that ${webhook} can be reached ` +
        "from the internet. It is created again at 2026-01-01T06:00:00Z, and on a reconcile request at once.",
    );
    expect(findCondition(it.object.status?.conditions, "Ready")?.status).toBe("True");
    await it.run(360);
    expect(it.ours.map((one) => [one.id === id, one.isDisabled])).toEqual([[false, false]]);
    expect(it.events.filter((line) => line.startsWith("Warning"))).toHaveLength(1);
    expect(it.ready).toContain("True/Registered");
  });

  test("again and again is replaced four times a day", async () => {
    const it = await registered();
    let creates = 0;
    for (let hour = 0; hour < 24; hour++) {
      for (const { id } of it.ours) it.northflank.disableIntegration(id);
      await it.run(60);
      creates += it.taken().filter((line) => line === "POST /").length;
    }
    expect(creates).toBeGreaterThanOrEqual(3);
    expect(creates).toBeLessThanOrEqual(4);
  });

  test("is replaced at once when what it needs has changed", async () => {
    const it = await registered();
    it.northflank.disableIntegration(it.ours[0]?.id ?? "");
    it.url = "https://reachable.example.com";
    await it.pass();
    expect(it.ours).toMatchObject([
      { isDisabled: false, webhook: "https://reachable.example.com/northflank/shop/default" },
    ]);
  });
});

describe("what stands in the way", () => {
  test.each<[string, (it: Scene) => void, string]>([
    [
      "no receiver",
      (it) => {
        it.isServed = false;
      },
      "False/WebhookNotConfigured: The operator does not receive notifications. Set its --webhook-bind-address.",
    ],
    [
      "no URL",
      (it) => {
        it.url = undefined;
      },
      "False/WebhookNotConfigured: spec.notifications.register is true, and the operator does not know its public URL. Set its --webhook-url.",
    ],
    [
      "no Secret",
      (it) => it.setSecret(undefined),
      'False/SecretNotFound: Secret "hook" does not exist. No notification is accepted. Correct the Secret.',
    ],
    [
      "an empty Secret",
      (it) => it.setSecret({}),
      'False/SecretKeyMissing: Secret "hook" has no keys. No notification is accepted. Correct the Secret.',
    ],
    [
      "a value that is too short",
      (it) => it.setSecret({ secret: "canary-short" }),
      'False/SecretInvalid: Secret "hook" has values that are no secrets of at least 16 characters: secret. No notification is accepted. Correct the Secret.',
    ],
    [
      "one value of two that is too short",
      (it) => it.setSecret({ a: canary, b: "canary-short" }),
      'False/SecretInvalid: Secret "hook" has values that are no secrets of at least 16 characters: b. Its other values are accepted. Correct the Secret.',
    ],
  ])("%s is said, nothing is sent, and the connection is Ready", async (_, spoil, expected) => {
    const it = new Scene();
    spoil(it);
    await it.run(10);
    expect(it.ready).toBe(expected);
    expect(it.taken()).toEqual([]);
    expect(findCondition(it.object.status?.conditions, "Ready")?.status).toBe("True");
  });

  test.each<[string, (it: Scene) => () => void]>([
    [
      "another Secret, which does not exist",
      (it) => {
        const { notifications } = it.object.spec;
        it.edit({ notifications: { register: true, ...notifications, secretRef: { name: "nope" } } });
        return () => it.edit(present({ notifications }));
      },
    ],
    [
      "a Secret that is gone",
      (it) => {
        const values = it.secrets.get("hook") ?? {};
        it.secrets.delete("hook");
        return () => it.secrets.set("hook", values);
      },
    ],
    [
      "an operator without a receiver",
      (it) => {
        it.isServed = false;
        return () => {
          it.isServed = true;
        };
      },
    ],
  ])("%s is said, and no longer once it is repaired", async (_, spoil) => {
    const it = await registered();
    const said = it.ready;
    const repair = spoil(it);
    await it.run(2);
    expect(it.ready).toContain("False/");
    repair();
    await it.run(2);
    expect(it.ready).toBe(said);
    expect(it.taken().filter((line) => !line.startsWith("GET"))).toEqual([]);
    expect(it.events.filter((line) => line.includes("Created"))).toEqual([]);
  });

  test("a missing permission is said once an hour, and leaves the connection Ready", async () => {
    const it = new Scene();
    it.northflank.setTokenRights(defaultToken, { lacks: ["as_observability_notifications_create"] });
    await it.run(110);
    expect(it.ready).toContain("False/PermissionDenied");
    expect(it.ready).toContain("as_observability_notifications_create");
    expect(findCondition(it.object.status?.conditions, "Ready")?.status).toBe("True");
    expect(it.taken()).toEqual(["GET /", "POST /", "GET /", "POST /"]);
    it.northflank.setTokenRights(defaultToken, {});
    it.request("now");
    await it.pass();
    expect(it.ready).toContain("True/Registered");
  });

  test("an API that fails is called less and less often", async () => {
    const it = new Scene();
    it.faults.set(`GET ${integrations}`, Array<Fault>(500).fill("timeout"));
    await it.run(180);
    expect(it.ready).toContain("False/RequestTimeout");
    expect(it.taken().length).toBeLessThanOrEqual(9);
  });

  test("a quota that is spent changes nothing of what is said", async () => {
    const it = await registered();
    const said = it.ready;
    it.northflank.spendQuota(1_000);
    await it.run(120);
    expect(it.ready).toBe(said);
  });

  test("a Secret alone is said to be usable, without a request", async () => {
    const it = new Scene({ register: false });
    await it.run(120);
    expect(it.ready).toBe(
      'True/Valid: Notifications with a value of Secret "hook" are accepted. Create the integration in Northflank by hand.',
    );
    expect(it.taken()).toEqual([]);
    expect(it.object.metadata.finalizers).toBeUndefined();
  });

  test("no notifications are declared: nothing is said", async () => {
    const it = new Scene(null);
    await it.pass();
    expect(it.ready).toBeUndefined();
    expect(it.object.status?.notifications).toBeUndefined();
  });
});

describe("an integration that is no longer wanted", () => {
  test.each<[string, Partial<NorthflankConnection["spec"]>, string | undefined]>([
    ["register is false", { notifications: { secretRef: { name: "hook" }, register: false } }, "True/Valid"],
    ["the Secret is gone too", { notifications: { secretRef: { name: "none" } } }, "False/SecretNotFound"],
  ])("is deleted, and the finalizer goes: %s", async (_, spec, expected) => {
    const it = await registered();
    it.edit(spec);
    await it.pass();
    expect(it.northflank.integrations()).toEqual([]);
    expect(it.object.metadata.finalizers ?? []).toEqual([]);
    expect(it.ready).toContain(expected);
    expect(it.object.status?.notifications).toBeUndefined();
    await it.run(10);
    expect(it.taken()).toEqual(["GET /", "DELETE /ID"]);
  });

  test("is deleted also when that fails at first", async () => {
    const it = await registered();
    const { notifications: _gone, ...spec } = it.object.spec;
    it.edit({ ...spec, notifications: undefined } as never);
    it.faults.set(`GET ${integrations}`, ["timeout"]);
    await it.pass();
    expect(it.ready).toContain("False/RequestTimeout");
    await it.run(5);
    expect([it.northflank.integrations(), it.ready, it.object.metadata.finalizers ?? []]).toEqual([[], undefined, []]);
  });
});

describe("a connection that is deleted", () => {
  test("whose token Secret went first is released with what the process remembers", async () => {
    const it = await registered();
    it.setSecret(undefined, "nf-token");
    await it.clock.advance(60_000);
    it.delete();
    await it.pass();
    expect([it.isGone, it.northflank.integrations()]).toEqual([true, []]);
  });

  test("by a process that was started since is released after half a minute, and what is left is named", async () => {
    const it = await registered();
    const [{ id } = { id: "" }] = it.ours;
    it.setSecret(undefined, "nf-token");
    it.restart();
    it.delete();
    await it.pass();
    expect(it.isGone).toBe(false);
    await it.run(1);
    expect(it.isGone).toBe(true);
    expect(it.events).toEqual([
      expect.stringContaining(
        `Warning Abandoned: Notification integration "${id}" may still exist; delete it in Northflank.`,
      ),
    ]);
  });

  test.each<[Fault, number, boolean]>([
    ["forbidden", 1, true],
    ["server_error", 9, false],
    ["server_error", 12, true],
  ])("while Northflank answers %s for %d minutes is released: %s", async (fault, minutes, isReleased) => {
    const it = await registered();
    it.faults.set(`GET ${integrations}`, Array<Fault>(1_000).fill(fault));
    it.delete();
    await it.run(minutes);
    expect(it.isGone).toBe(isReleased);
    expect(it.events.some((line) => line.startsWith("Warning Abandoned"))).toBe(isReleased);
  });

  test("without an integration is not held", async () => {
    const it = new Scene({ register: false });
    await it.pass();
    it.delete();
    expect(it.isGone).toBe(true);
  });

  test("that is suspended is released all the same, and its integration deleted", async () => {
    const it = await registered();
    it.edit({ suspend: true });
    await it.pass();
    expect(it.ready).toContain("True/Registered");
    it.delete();
    await it.pass();
    expect([it.isGone, it.northflank.integrations()]).toEqual([true, []]);
  });
});

import { afterEach, describe, expect, test, vi } from "vitest";
import { type SandboxServer, startSandboxServer } from "../../../sandbox/http.ts";
import {
  type Integration,
  type IntegrationOptions,
  startIntegration,
} from "../../../sandbox/northflank/notifications.ts";
import { type NorthflankSandbox, startNorthflank } from "../../../sandbox/northflank/server.ts";

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one[Symbol.asyncDispose]();
});

async function scene(options: Partial<IntegrationOptions> = {}): Promise<{
  readonly northflank: NorthflankSandbox;
  readonly receiver: SandboxServer;
  readonly integration: Integration;
  /** What the receiver answers. */
  answer: number;
}> {
  const northflank = await startNorthflank({ rolloutMs: 0, rolloutLagMs: 0 });
  open.push(northflank);
  const at = { answer: 200 };
  const receiver = await startSandboxServer({
    problem: () => ({ status: 500 }),
    handle: () => ({ status: at.answer }),
  });
  open.push(receiver);
  const settings = { webhook: receiver.url, secret: "s", projects: ["shop"], ...options };
  const integration = startIntegration(northflank, settings);
  open.push(integration);
  return Object.assign(at, { northflank, receiver, integration });
}

const names = ({ receiver }: { readonly receiver: SandboxServer }) =>
  receiver.calls.map(({ body }) => (JSON.parse(body) as { readonly event: string }).event);

describe("an integration", () => {
  test("sends what changes, with token and id in headers", async () => {
    const at = await scene();
    at.northflank.hangNextRun("shop", "migrate");
    const { id } = at.northflank.injectRun("shop", "migrate");
    await vi.waitFor(() => expect(names(at)).toEqual(["job-run:start"]));
    at.northflank.finishRun(id, "SUCCESS");
    await vi.waitFor(() => expect(names(at)).toEqual(["job-run:start", "job-run:success"]));
    at.northflank.hangNextRollout("shop", "api");
    at.northflank.setImage("shop", "api", "ghcr.io/acme/api:2.0.0");
    await vi.waitFor(() => expect(names(at).slice(2)).toEqual(["service:deployment:status-update"]));
    const call = at.receiver.calls[1];
    expect(call?.headers).toMatchObject({
      "x-northflank-notification-integration-token": "s",
      "x-northflank-notification-integration-event-type": "job-run:success",
    });
    const data = { project: { id: "shop", name: "shop" }, job: { id: "migrate", name: "migrate" } };
    expect(JSON.parse(call?.body ?? "")).toEqual({
      event: "job-run:success",
      data: { ...data, run: { id, status: "SUCCESS" } },
    });
    const ids = at.receiver.calls.map(({ headers }) => headers["x-northflank-notification-integration-event-id"]);
    expect(new Set(ids).size).toBe(3);
  });

  test("sends with the prefix, several times under one id, and late", async () => {
    const at = await scene({ hasPrefix: true, times: 2, lateMs: 100 });
    const startedMs = performance.now();
    at.northflank.hangNextRun("shop", "migrate");
    at.northflank.injectRun("shop", "migrate");
    await vi.waitFor(() => expect(names(at)).toEqual(["trigger:job-run:start", "trigger:job-run:start"]));
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(99);
    expect(new Set(at.integration.deliveries.map(({ eventId }) => eventId)).size).toBe(1);
  });

  test("sends out of order: the later change first", async () => {
    const at = await scene({ isOutOfOrder: true });
    at.northflank.hangNextRun("shop", "migrate");
    const { id } = at.northflank.injectRun("shop", "migrate");
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(names(at)).toEqual([]);
    at.northflank.finishRun(id, "FAILED");
    await vi.waitFor(() => expect(names(at).toSorted()).toEqual(["job-run:failure", "job-run:start"]));
  });

  test("is switched off after five deliveries in a row that were not handled", async () => {
    const at = await scene();
    at.answer = 401;
    for (let n = 0; n < 4; n++) await at.integration.deliver("build:start", {});
    expect(at.integration.status).toMatchObject({ disabled: false, numberOfFailedRequests: 4 });
    at.answer = 200;
    await at.integration.deliver("build:start", {});
    expect(at.integration.status).toMatchObject({ numberOfFailedRequests: 0, timeOfFirstFailedRequest: null });
    at.answer = 500;
    for (let n = 0; n < 5; n++) await at.integration.deliver("build:start", {});
    expect(at.integration.status).toMatchObject({ disabled: true, reason: "Too many failed requests" });
    expect(await at.integration.deliver("build:start", {})).toBeUndefined();
    expect(at.receiver.calls).toHaveLength(10);
  });
});

const integrations = "/v1/integrations/notifications";

async function call(at: { readonly northflank: NorthflankSandbox }, method: string, path: string, body?: object) {
  const response = await fetch(`${at.northflank.url}${path}`, {
    method,
    headers: { authorization: "Bearer sandbox-token", ...(body && { "content-type": "application/json" }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  // biome-ignore lint/suspicious/noExplicitAny: answers of any shape
  return { status: response.status, json: (await response.json()) as any };
}

const runEvents = { "trigger:job-run:start": true, "trigger:job-run:success": true };

describe("an integration that is created by the API", () => {
  const create = async (at: Awaited<ReturnType<typeof scene>>, more: object = {}): Promise<string> => {
    const body = { name: "operator", type: "RAW_WEBHOOK", webhook: at.receiver.url, secret: "mine", events: runEvents };
    const { status, json } = await call(at, "POST", integrations, { ...body, ...more });
    expect(status).toBe(200);
    return json.data.id;
  };

  test("is sent the events that it names, until it is deleted", async () => {
    const at = await scene({ projects: [] });
    const id = await create(at);
    at.northflank.hangNextRun("shop", "migrate");
    const run = at.northflank.injectRun("shop", "migrate");
    at.northflank.setImage("shop", "api", "ghcr.io/acme/api:2.0.0");
    await vi.waitFor(() => expect(names(at)).toEqual(["job-run:start"]));
    expect(at.receiver.calls[0]?.headers["x-northflank-notification-integration-token"]).toBe("mine");
    expect((await call(at, "DELETE", `${integrations}/${id}`)).status).toBe(200);
    at.northflank.finishRun(run.id, "SUCCESS");
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(names(at)).toEqual(["job-run:start"]);
    expect((await call(at, "DELETE", `${integrations}/${id}`)).status).toBe(404);
  });

  test("is sent what concerns its projects alone, in the modes of the sandbox", async () => {
    const at = await scene({ projects: [] });
    at.northflank.settings.deliveries = { hasPrefix: true, lateMs: 0, times: 2, isOutOfOrder: false };
    await create(at, { restricted: true, projects: ["backend"] });
    at.northflank.hangNextRun("shop", "migrate");
    at.northflank.injectRun("shop", "migrate");
    at.northflank.hangNextRun("backend", "reindex");
    at.northflank.injectRun("backend", "reindex");
    await vi.waitFor(() => expect(names(at)).toEqual(["trigger:job-run:start", "trigger:job-run:start"]));
    expect(at.receiver.calls[0]?.body).toContain("reindex");
  });

  test("is shown without its secret, also where it is switched off", async () => {
    const at = await scene({ projects: [] });
    const id = await create(at);
    at.answer = 500;
    for (let n = 0; n < 5; n++) await at.northflank.deliver(id, "job-run:start", {});
    const item = { id, name: "operator", type: "RAW_WEBHOOK", webhook: at.receiver.url };
    const shown = (await call(at, "GET", `${integrations}/${id}`)).json.data;
    expect(shown).toMatchObject({ ...item, restricted: false, projects: [], events: runEvents });
    expect(shown.status).toMatchObject({ disabled: true, numberOfFailedRequests: 5 });
    const listed = (await call(at, "GET", integrations)).json.data.notificationIntegrations;
    expect(listed).toMatchObject([{ name: "sandbox" }, { ...item, status: { disabled: true } }]);
    expect(JSON.stringify([shown, listed])).not.toContain("mine");
    // An update changes what it names, and switches nothing on.
    expect((await call(at, "POST", `${integrations}/${id}`, { secret: "other" })).status).toBe(200);
    expect(at.northflank.integration(id)).toMatchObject({ name: "operator", secret: "other", isDisabled: true });
  });

  test.each<[string, object, string]>([
    ["a name that begins with a digit", { name: "1st" }, "name"],
    ["a name of 40 characters", { name: "n".repeat(40) }, "name"],
    ["an event that there is not", { events: { "trigger:moon:rise": true } }, "events"],
    ["a webhook that is no URL", { webhook: "example" }, "webhook"],
    ["a secret for another type", { type: "DISCORD" }, "secret"],
    ["a project that there is not", { projects: ["none"] }, "projects"],
    ["a property that there is not", { url: "https://example.com" }, "body"],
  ])("is refused with %s", async (_, more, field) => {
    const at = await scene({ projects: [] });
    const body = { name: "operator", type: "RAW_WEBHOOK", webhook: at.receiver.url, secret: "mine", events: runEvents };
    const { status, json } = await call(at, "POST", integrations, { ...body, ...more });
    expect(status).toBe(400);
    expect(Object.keys(json.error.details)).toEqual([field]);
    expect(at.northflank.integrations()).toHaveLength(1);
  });

  test.each([
    ["GET", "", "read"],
    ["POST", "", "create"],
    ["GET", "/none", "read"],
    ["POST", "/none", "update"],
    ["DELETE", "/none", "delete"],
  ])("%s %s needs its permission", async (method, path, verb) => {
    const at = await scene({ projects: [] });
    const requiredPermission = `as_observability_notifications_${verb}`;
    at.northflank.setTokenRights("sandbox-token", { lacks: [requiredPermission] });
    const { status, json } = await call(at, method, `${integrations}${path}`, method === "POST" ? {} : undefined);
    expect([status, json.error.details]).toEqual([401, { requiredPermission }]);
  });
});

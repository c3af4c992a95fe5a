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

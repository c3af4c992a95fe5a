import { randomUUID } from "node:crypto";
import { ApiProblem } from "./api-problem.ts";
import type { Account } from "./model.ts";
import type { World } from "./state.ts";

/** A notification integration, as the account keeps it. */
export interface IntegrationRecord {
  readonly id: string;
  readonly type: string;
  readonly createdAtMs: number;
  /** Whether the sandbox sends it what changes; one of a test sends by itself. */
  readonly isFollowed: boolean;
  updatedAtMs: number;
  name: string;
  webhook: string;
  secret: string | undefined;
  restricted: boolean;
  projects: readonly string[];
  events: Readonly<Record<string, boolean>>;
  failures: number;
  firstFailureMs: number | undefined;
}

/** What a request or a person says of one. */
export type IntegrationFields = Partial<
  Pick<IntegrationRecord, "name" | "webhook" | "secret" | "restricted" | "projects" | "events">
>;

/** After so many deliveries in a row that were not handled it is switched off, for good: no call switches it on. */
export const mostFailures = 5;

export function addIntegration(
  world: World,
  account: Account,
  fields: IntegrationFields & { readonly name: string; readonly webhook: string },
  how: { readonly type?: string; readonly isFollowed?: boolean } = {},
): IntegrationRecord {
  const integration: IntegrationRecord = {
    id: world.newUid().replaceAll("-", "").slice(0, 24),
    type: how.type ?? "RAW_WEBHOOK",
    createdAtMs: world.now(),
    updatedAtMs: world.now(),
    isFollowed: how.isFollowed ?? true,
    secret: undefined,
    restricted: false,
    projects: [],
    events: {},
    ...fields,
    failures: 0,
    firstFailureMs: undefined,
  };
  account.integrations.set(integration.id, integration);
  if (integration.isFollowed) world.integrationAdded();
  return integration;
}

export function changeIntegration(world: World, integration: IntegrationRecord, fields: IntegrationFields): void {
  Object.assign(integration, fields, { updatedAtMs: world.now() });
}

export function integrationOf({ integrations }: Account, id: string | undefined): IntegrationRecord {
  const integration = integrations.get(id ?? "");
  if (integration === undefined) throw new ApiProblem(404, "Notification integration not found");
  return integration;
}

export function isDisabled({ failures }: IntegrationRecord): boolean {
  return failures >= mostFailures;
}

/** As the list has it: without projects and events. */
export function integrationItem(integration: IntegrationRecord): object {
  const { id, name, type, webhook, createdAtMs, updatedAtMs } = integration;
  return {
    id,
    name,
    type,
    webhook,
    createdAt: new Date(createdAtMs).toISOString(),
    updatedAt: new Date(updatedAtMs).toISOString(),
    // The SDK has a boolean for the reason.
    status: isDisabled(integration) ? { disabled: true, reason: true } : { disabled: false },
  };
}

/** As it is got; never with the secret. */
export function integrationDetail(integration: IntegrationRecord): object {
  const { restricted, projects, events, failures, firstFailureMs } = integration;
  const { status, ...item } = integrationItem(integration) as { readonly status: object };
  const first =
    firstFailureMs === undefined ? {} : { timeOfFirstFailedRequest: new Date(firstFailureMs).toISOString() };
  return { ...item, restricted, projects, events, status: { ...status, numberOfFailedRequests: failures, ...first } };
}

export interface DeliveryOptions {
  /** Default: a new one. */
  readonly eventId?: string;
  /** Names events `trigger:job-run:start` in place of `job-run:start`. Default: no. */
  readonly hasPrefix?: boolean;
}

/**
 * Sends an event; the status of the answer, `undefined` where there was none, or where the integration is gone or
 * switched off. Only 2xx counts as handled.
 */
export async function deliver(
  world: World,
  account: Account,
  id: string,
  { event, data }: { readonly event: string; readonly data: object },
  { eventId = randomUUID(), hasPrefix = false }: DeliveryOptions = {},
): Promise<number | undefined> {
  const integration = account.integrations.get(id);
  if (integration === undefined || isDisabled(integration)) return undefined;
  const name = `${hasPrefix ? "trigger:" : ""}${event}`;
  const status = await fetch(integration.webhook, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-northflank-notification-integration-id": id,
      "x-northflank-notification-integration-name": integration.name,
      ...(integration.secret !== undefined && { "x-northflank-notification-integration-token": integration.secret }),
      "x-northflank-notification-integration-event-id": eventId,
      "x-northflank-notification-integration-event-type": name,
    },
    body: JSON.stringify({ event: name, data }),
  }).then(
    (response) => response.status,
    () => undefined,
  );
  const isHandled = status !== undefined && status >= 200 && status < 300;
  integration.failures = isHandled ? 0 : integration.failures + 1;
  integration.firstFailureMs = isHandled ? undefined : (integration.firstFailureMs ?? world.now());
  return status;
}

// pure
import { createHash } from "node:crypto";
import type { NorthflankConnection, NorthflankConnectionStatus } from "../../api/connection.ts";
import type { IntegrationItem, IntegrationSettings, IntegrationView } from "../../northflank/types.ts";

/*
 * Creating an integration is not idempotent, and its answer can be lost. So its name is made from the uid of the
 * connection, and whatever has that name is ours: it is searched for before one is created, and of several all but one are
 * deleted. The id in status only says which one is kept. No other integration is ever changed or deleted.
 */

/** `status.notifications.integration`: what was registered. */
export type IntegrationRecord = NonNullable<NonNullable<NorthflankConnectionStatus["notifications"]>["integration"]>;

/** What an integration is to be, without its secret. */
export type WantedIntegration = Omit<IntegrationSettings, "secret">;

/** The events that lead to a read of something: others would be ignored. */
export const registeredEvents: readonly string[] = [
  "trigger:build:failure",
  "trigger:build:success",
  "trigger:job-run:abort",
  "trigger:job-run:failure",
  "trigger:job-run:start",
  "trigger:job-run:success",
  "trigger:job-run:terminate",
  "trigger:service:deployment:status-update",
];

/** The integration that a connection wants, where the operator is reached at `webhookUrl`. */
export function wantedIntegration({ metadata, spec }: NorthflankConnection, webhookUrl: string): WantedIntegration {
  const { namespace = "", name, uid = "" } = metadata;
  const projects = [...(spec.allowedProjects ?? [])].sort();
  // A pattern stands for projects that do not exist yet, so all are notified of.
  const restricted = projects.length > 0 && projects.every((project) => !project.includes("*"));
  return {
    name: integrationName(uid),
    webhook: `${webhookUrl}/northflank/${namespace}/${name}`,
    restricted,
    projects: restricted ? projects : [],
    events: registeredEvents,
  };
}

/** Equal for the same object, and for no other one in any cluster. Northflank takes 39 characters. */
export function integrationName(uid: string): string {
  return `northflank-operator-${createHash("sha256").update(uid).digest("hex").slice(0, 16)}`;
}

/** Whether an integration was created for this connection; one that was renamed since is known by its id. */
export function isOurs(
  { id, name, webhook }: IntegrationItem,
  ours: { readonly name: string; readonly recorded: IntegrationRecord | undefined },
): boolean {
  const { recorded } = ours;
  return name === ours.name || (recorded !== undefined && id === recorded.id && webhook === recorded.webhookURL);
}

/** Whether what is registered is not what is wanted. What Northflank does not return counts as equal. */
export function differs(view: IntegrationView, wanted: WantedIntegration): boolean {
  const { name, webhook, restricted = wanted.restricted, projects, events } = view;
  if (name !== wanted.name || webhook !== wanted.webhook || restricted !== wanted.restricted) return true;
  if (wanted.restricted && projects !== undefined && !isSameSet(projects, wanted.projects)) return true;
  return events !== undefined && wanted.events.some((event) => !events.includes(event));
}

function isSameSet(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((id) => other.includes(id));
}

/** How long an integration has to have been there before it is replaced because Northflank disabled it. */
export const recreateAfterMs = 6 * 3_600_000;

/** What is to be done about the integrations of a connection. `surplus` are ours too, and deleted in every case. */
export type IntegrationStep = { readonly surplus: readonly IntegrationItem[] } & (
  | { readonly kind: "create" }
  /** Northflank disabled it, and no call enables it: it is deleted and created again. */
  | { readonly kind: "recreate"; readonly item: IntegrationItem }
  /** The same, at `recreateAtMs`. */
  | { readonly kind: "leave-disabled"; readonly item: IntegrationItem; readonly recreateAtMs: number }
  | { readonly kind: "keep"; readonly item: IntegrationItem }
);

/**
 * The next step, by what is listed of ours, the oldest first. `isEager`: something has changed, or a user requests it,
 * so that a disabled one is replaced at once.
 */
export function integrationStep(input: {
  readonly ours: readonly IntegrationItem[];
  readonly recorded: IntegrationRecord | undefined;
  readonly isEager: boolean;
  readonly now: number;
}): IntegrationStep {
  const { ours, recorded, isEager, now } = input;
  const item = ours.find(({ id }) => id === recorded?.id) ?? ours.find(({ isDisabled }) => !isDisabled) ?? ours[0];
  const surplus = ours.filter((one) => one !== item);
  if (item === undefined) return { kind: "create", surplus };
  if (!item.isDisabled) return { kind: "keep", item, surplus };
  const recreateAtMs = (item.createdAtMs ?? now) + recreateAfterMs;
  if (isEager || recreateAtMs <= now) return { kind: "recreate", item, surplus };
  return { kind: "leave-disabled", item, recreateAtMs, surplus };
}

// pure
import type { NorthflankError } from "../../northflank/errors.ts";
import { formatTime } from "../../runtime/conditions.ts";
import { present } from "../../util/present.ts";
import { oneLine } from "../../util/printable.ts";
import type { Random } from "../../util/random.ts";
import type { EventDraft } from "../reconcile/events.ts";
import type { Blocked, ConditionUpdate } from "../reconcile/ready-state.ts";
import { judgeRemoteError } from "../reconcile/remote-error.ts";
import type { NotificationSecret } from "../secrets/notification-secret.ts";
import type { IntegrationRecord } from "./integration.ts";
import type { Registration } from "./registration.ts";

/** What was seen of the notifications of a connection. */
export type NotificationsSeen = NotificationsState & {
  /** What was registered is deleted. */
  readonly isWithdrawn?: true;
};

type NotificationsState =
  /** The spec has none. */
  | { readonly kind: "undeclared" }
  /** The operator has no receiver. */
  | { readonly kind: "unserved" }
  | { readonly kind: "secret-problem"; readonly secret: NotificationSecret }
  /** The integration is created by hand. */
  | { readonly kind: "accepted"; readonly secretName: string }
  /** It is to be registered, and the operator does not know under which URL. */
  | { readonly kind: "no-url" }
  /** The account cannot be used now. */
  | Blocked
  | ({
      readonly kind: "attempted";
      readonly webhook: string;
      /** What is left in another account, which the connection no longer uses. */
      readonly left?: IntegrationRecord | undefined;
      /** That it is disabled is seen for the first time. */
      readonly isNews?: boolean;
    } & Registration)
  /** The operator may not write its finalizer. */
  | { readonly kind: "no-finalizer" }
  /** Nothing is due, or nothing could be seen. */
  | { readonly kind: "as-before" };

/** What the status says of the notifications, and the Events that follow it. */
export interface NotificationsResult {
  /** Condition `NotificationsReady`; `undefined` without `spec.notifications`. */
  readonly condition: ConditionUpdate | undefined;
  /** What is registered; `as-before`: as the status says. */
  readonly integration: IntegrationRecord | undefined | "as-before";
  readonly events: readonly EventDraft[];
}

/** What is said of it. */
export function notificationsResult(seen: NotificationsSeen, random: Random): NotificationsResult {
  const result = resultOf(seen, random);
  return seen.isWithdrawn === true && result.integration === "as-before"
    ? { ...result, integration: undefined }
    : result;
}

function resultOf(seen: NotificationsSeen, random: Random): NotificationsResult {
  const kept = { integration: "as-before", events: [] } as const;
  switch (seen.kind) {
    case "undeclared":
      return { ...kept, condition: undefined };
    case "unserved":
      return {
        ...kept,
        condition: failing(
          "WebhookNotConfigured",
          "The operator does not receive notifications. Set its --webhook-bind-address.",
        ),
      };
    case "no-url":
      return {
        ...kept,
        condition: failing(
          "WebhookNotConfigured",
          "spec.notifications.register is true, and the operator does not know its public URL. Set its --webhook-url.",
        ),
      };
    case "no-finalizer":
      return {
        ...kept,
        condition: failing(
          "PermissionDenied",
          'The operator may not add its finalizer. Grant its service account "patch" on northflankconnections.',
        ),
      };
    case "secret-problem":
      return { ...kept, condition: secretCondition(seen.secret) };
    case "accepted": {
      const message =
        `Notifications with a value of Secret "${seen.secretName}" are accepted. Create the integration in Northflank by ` +
        "hand.";
      return { ...kept, condition: { status: "True", reason: "Valid", message } };
    }
    case "blocked": {
      const { reason, message } = seen.readyState;
      return { ...kept, condition: { status: "Unknown", reason, message } };
    }
    case "as-before":
      return { ...kept, condition: "as-before" };
    case "attempted":
      return attempted(seen, random);
  }
}

/** An attempt, and what it found. */
export type Attempted = Extract<NotificationsSeen, { readonly kind: "attempted" }>;

/** The same as it is seen until the next attempt: without what is reported once. */
export function seenAgain({ webhook, integration, error, isLeft, ...once }: Attempted): Attempted {
  const disabled = once.wasCreated === true ? undefined : once.disabled;
  return { kind: "attempted", webhook, integration, ...present({ error, isLeft, disabled }) };
}

function attempted(seen: Attempted, random: Random): NotificationsResult {
  const { integration, error, isLeft } = seen;
  const events = eventsOf(seen);
  if (error !== undefined) return { integration, events, condition: failureCondition(error, random) };
  if (isLeft === true) return { integration, events, condition: "as-before" };
  const disabled = disabledText(seen);
  if (disabled !== undefined && seen.wasCreated !== true) {
    return { integration, events, condition: failing("IntegrationDisabled", disabled) };
  }
  if (integration === undefined) return { integration, events, condition: "as-before" };
  const message = `Notification integration "${integration.id}" sends to ${seen.webhook}.`;
  return { integration, events, condition: { status: "True", reason: "Registered", message } };
}

function eventsOf(seen: Attempted): readonly EventDraft[] {
  const action = "Register";
  const disabled = disabledText(seen);
  const events: EventDraft[] = [];
  if (disabled !== undefined && seen.isNews === true)
    events.push({ type: "Warning", reason: "IntegrationDisabled", action, note: disabled });
  if (seen.left !== undefined && seen.integration !== undefined) {
    const note = `Notification integration "${seen.left.id}" is left in ${seen.left.account}; delete it in Northflank.`;
    events.push({ type: "Warning", reason: "Abandoned", action, note });
  }
  if (seen.wasCreated === true && seen.integration !== undefined) {
    const note = `Created notification integration "${seen.integration.id}", which sends to ${seen.webhook}.`;
    events.push({ type: "Normal", reason: "Registered", action, note });
  }
  return events;
}

// A status is read by people.
const longestReason = 200;

function disabledText({ disabled, webhook }: Attempted): string | undefined {
  if (disabled === undefined) return undefined;
  const { id, reason, recreateAtMs } = disabled;
  const text = reason && oneLine(reason).trim().replaceAll('"', "'").slice(0, longestReason);
  const quoted = text ? `, "${text}"` : "";
  const next =
    recreateAtMs === undefined ? "It is created again" : `It is created again at ${formatTime(recreateAtMs)}`;
  return (
    `Northflank disabled notification integration "${id}"${quoted}. Check that ${webhook} can be reached from the internet. ` +
    `${next}, and on a reconcile request at once.`
  );
}

function secretCondition({ values, problem }: NotificationSecret): ConditionUpdate {
  if (problem === undefined) return "as-before";
  const { reason, text } = problem;
  const rest = values.length > 0 ? " Its other values are accepted." : " No notification is accepted.";
  return failing(reason, `${text.charAt(0).toUpperCase()}${text.slice(1)}.${rest} Correct the Secret.`);
}

function failureCondition(error: NorthflankError, random: Random): ConditionUpdate {
  const { kind, reason, message } = judgeRemoteError({ error, failures: 0, random }).readyState;
  // An empty quota says nothing of the integration.
  return kind === "waiting" ? "as-before" : failing(reason, message);
}

function failing(reason: Exclude<ConditionUpdate, "as-before">["reason"], message: string): ConditionUpdate {
  return { status: "False", reason, message };
}

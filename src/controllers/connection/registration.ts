import type { CallOptions, NorthflankApi } from "../../northflank/client.ts";
import { isNorthflankError, type NorthflankError } from "../../northflank/errors.ts";
import type { IntegrationItem, IntegrationSettings } from "../../northflank/types.ts";
import { differs, type IntegrationRecord, integrationStep, isOurs } from "./integration.ts";

/** The part of the API that integrations are kept with. */
export type IntegrationApi = Pick<
  NorthflankApi,
  "listIntegrations" | "getIntegration" | "createIntegration" | "updateIntegration" | "deleteIntegration"
>;

export interface RegisterInput {
  readonly api: IntegrationApi;
  readonly call: CallOptions;
  readonly wanted: IntegrationSettings;
  /** Where it is registered: {@link Account.address}. */
  readonly account: string;
  /** Of the Secret that `wanted.secret` was read from. */
  readonly secretResourceVersion: string | undefined;
  /** What is known to be registered in this account. */
  readonly recorded: IntegrationRecord | undefined;
  /** A user requests it. */
  readonly isRequested: boolean;
  readonly now: number;
  /** Whether a change may be sent now: this replica leads. */
  readonly mayWrite: () => boolean;
}

/** What an attempt has led to; after an error as well. */
export interface Registration {
  /** What is registered by now; `undefined` where nothing is, as far as is known. */
  readonly integration: IntegrationRecord | undefined;
  /** Northflank has disabled it. `recreateAtMs`: when it is replaced; missing where it was. */
  readonly disabled?: { readonly id: string; readonly reason: string | undefined; readonly recreateAtMs?: number };
  readonly wasCreated?: true;
  /** What ended the attempt. */
  readonly error?: NorthflankError;
  /** This replica no longer leads. */
  readonly isLeft?: true;
}

/**
 * Registers the integration that is wanted, or brings the one that is there up to it: one list and one read where
 * nothing is to be done.
 *
 * *Guarantees*: what an earlier attempt created is found by its name, whether or not its answer came; what is not ours is
 * neither changed nor deleted; a crash between any two requests leaves what the next attempt completes.
 */
export async function register(input: RegisterInput): Promise<Registration> {
  const { api, call, wanted, recorded, secretResourceVersion } = input;
  const done: { registration: Registration } = { registration: { integration: recorded } };
  try {
    const ours = await listOurs(api, { name: wanted.name, recorded }, call);
    const isCurrent = recorded?.webhookURL === wanted.webhook;
    const isSameSecret = recorded?.secretResourceVersion === secretResourceVersion;
    const isEager = input.isRequested || !isCurrent || !isSameSecret;
    const step = integrationStep({ ours, recorded, isEager, now: input.now });
    const reason = "item" in step ? reasonOf(step.item, wanted) : undefined;
    if (step.kind === "leave-disabled") {
      const disabled = { id: step.item.id, reason, recreateAtMs: step.recreateAtMs };
      done.registration = { integration: recordOf(input, step.item), disabled };
    }
    if (step.kind === "keep") {
      const view = await api.getIntegration({ integrationId: step.item.id }, call);
      // Deleted since it was listed: the next attempt creates another one.
      if (view === undefined) return { integration: undefined };
      if (differs(view, wanted) || !isSameSecret || step.item.id !== recorded?.id) {
        if (!input.mayWrite()) return { ...done.registration, isLeft: true };
        await api.updateIntegration({ integrationId: view.id }, wanted, call);
      }
      done.registration = { integration: recordOf(input, view) };
    }
    for (const { id } of step.kind === "recreate" ? [step.item, ...step.surplus] : step.surplus) {
      if (!input.mayWrite()) return { ...done.registration, isLeft: true };
      await api.deleteIntegration({ integrationId: id }, call);
      if (step.kind === "recreate" && id === step.item.id) {
        done.registration = { integration: undefined, disabled: { id, reason } };
      }
    }
    if (step.kind !== "create" && step.kind !== "recreate") return done.registration;
    done.registration = { ...done.registration, integration: undefined };
    if (!input.mayWrite()) return { ...done.registration, isLeft: true };
    const created = await api.createIntegration(wanted, call);
    return { ...done.registration, integration: recordOf(input, created), wasCreated: true };
  } catch (error) {
    if (!isNorthflankError(error)) throw error;
    return { ...done.registration, error };
  }
}

/**
 * Deletes what was registered; how many there were.
 *
 * *Errors*: `NorthflankError`. What was deleted before it stays deleted.
 */
export async function unregister(
  api: IntegrationApi,
  ours: { readonly name: string; readonly recorded: IntegrationRecord | undefined },
  call: CallOptions,
): Promise<void> {
  for (const { id } of await listOurs(api, ours, call)) await api.deleteIntegration({ integrationId: id }, call);
}

/** What is listed of ours, the oldest first. Of a list that ends early, the one that is recorded is read by itself. */
async function listOurs(
  api: IntegrationApi,
  ours: { readonly name: string; readonly recorded: IntegrationRecord | undefined },
  call: CallOptions,
): Promise<readonly IntegrationItem[]> {
  const { items, truncated } = await api.listIntegrations(call);
  const found = items.filter((item) => isOurs(item, ours));
  if (truncated !== true || ours.recorded === undefined || found.length > 0) return found;
  const view = await api.getIntegration({ integrationId: ours.recorded.id }, call);
  return view !== undefined && isOurs(view, ours) ? [view] : [];
}

function recordOf(
  { wanted, account, secretResourceVersion }: RegisterInput,
  { id }: IntegrationItem,
): IntegrationRecord {
  const version = secretResourceVersion === undefined ? {} : { secretResourceVersion };
  return { id, webhookURL: wanted.webhook, account, ...version };
}

/** Why Northflank disabled it, in its words, without the secret. */
function reasonOf({ disabledReason }: IntegrationItem, { secret }: IntegrationSettings): string | undefined {
  return disabledReason?.replaceAll(secret.reveal(), "[redacted]");
}

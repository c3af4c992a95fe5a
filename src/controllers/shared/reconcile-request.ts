// pure
import { fluxRequestedAt, reconcileRequestedAt } from "../../api/names.ts";
import { capped } from "../../runtime/conditions.ts";

// A time has about 30 characters. A longer value still works as a token: it is compared and echoed cut.
const maxTokenLength = 128;

/**
 * The request that an object carries now, or `undefined`. With both annotations set, the later time counts; when one of
 * them is not a time, our own counts, so that two tokens can never take turns for ever.
 */
export function reconcileRequest(metadata: {
  readonly annotations?: Readonly<Record<string, string>>;
}): string | undefined {
  const own = tokenOf(metadata.annotations?.[reconcileRequestedAt]);
  const flux = tokenOf(metadata.annotations?.[fluxRequestedAt]);
  if (own === undefined || flux === undefined) return own ?? flux;
  return Date.parse(flux) > Date.parse(own) ? flux : own;
}

/** True when the object carries a request that no pass has answered yet. */
export function isReconcileRequested(object: {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly status?: { readonly lastHandledReconcileAt?: string };
}): boolean {
  const request = reconcileRequest(object.metadata);
  return request !== undefined && request !== object.status?.lastHandledReconcileAt;
}

function tokenOf(value: string | undefined): string | undefined {
  return value === undefined || value === "" ? undefined : capped(value, maxTokenLength);
}

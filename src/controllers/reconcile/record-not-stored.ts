// pure
import { slowProbeMs } from "./remote-error.ts";
import { probeAfter } from "./requeue.ts";

/**
 * A field of status that has to be there before a call is sent was not stored by the API server: what is to be said, and
 * when to look again. Nothing was sent: without the record the same would be sent again and again.
 */
export function recordNotStored(field: string) {
  const message =
    `The API server did not store status.${field}, without which the same change could be sent again and again; nothing ` +
    "was sent. Apply the CRDs of this version of the operator, and see that no webhook changes the status.";
  return { message, next: probeAfter(slowProbeMs) } as const;
}

// pure
import type { Condition } from "../../kube/types.ts";
import { isSameJson } from "../../util/same-json.ts";

/*
 * `--docs-url`: the message of Stalled ends with the address of its reason in the runbook.
 *
 *     decide, status: messages without it <--- stored status, read by `plainMessage` and `isSameStatus`
 *            '---------- status writer: `withDocsAddress` ---------> API server
 *
 * Promises:
 *  1. It is added in one place, and is never part of a comparison: a status that differs by it alone is no news. After a
 *     change of the flag each Stalled object is written once.
 *  2. It adds fewer than 300 characters to a message, which the schema allows to have 32,768.
 */

// What `withDocsAddress` writes. No message of ours ends like that by itself.
const addressAtEnd = / See https?:\/\/[^\s#]+#[a-z]+\.$/;

/** A stored message as it was decided: without the address. */
export function plainMessage(message: string): string {
  return message.endsWith(".") ? message.replace(addressAtEnd, "") : message;
}

interface WithConditions {
  readonly conditions?: readonly Condition[];
}

/**
 * The status with the address at the end of the message of Stalled; without it where `docsUrl` is `undefined`. The same
 * object where nothing changes.
 */
export function withDocsAddress<S extends object>(status: S, docsUrl: string | undefined): S {
  const { conditions } = status as WithConditions;
  const at = conditions?.findIndex(({ type, status: is }) => type === "Stalled" && is === "True") ?? -1;
  const stalled = conditions?.[at];
  if (conditions === undefined || stalled === undefined) return status;
  const plain = plainMessage(stalled.message);
  const message = docsUrl === undefined ? plain : `${plain} See ${docsUrl}#${stalled.reason.toLowerCase()}.`;
  return message === stalled.message ? status : { ...status, conditions: conditions.with(at, { ...stalled, message }) };
}

/** Whether two statuses say the same, but for the address. */
export function isSameStatus(left: object, right: object): boolean {
  return isSameJson(withDocsAddress(left, undefined), withDocsAddress(right, undefined));
}

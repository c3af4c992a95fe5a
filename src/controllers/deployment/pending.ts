// pure
import type { NorthflankDeployment } from "../../api/deployment.ts";
import { resolvedCommit } from "./build.ts";
import type { Seen } from "./decision.ts";
import { compare, type Difference } from "./diff.ts";
import { lastDeclared, stateOf, steps, wantsRedeploy } from "./machine.ts";

/**
 * What has to be written. Fields that Northflank does not tell, or in part, count only when the declaration has changed,
 * and a source of which it tells nothing until the declaration was sent once; nobody can observe that one.
 */
export function pendingDifferences(object: NorthflankDeployment, { desire, service }: Seen): readonly Difference[] {
  const { differences, alike, untold, hidden } = compare(desire, service, resolvedCommit(object, desire));
  if (!isSent(object, desire)) return differences;
  const unsent = object.spec.managementPolicy === "Observe" ? [] : hidden;
  return lastDeclared(object.status) === undefined
    ? [...differences, ...unsent]
    : [...differences, ...alike, ...unsent, ...untold];
}

/** The record says that a difference is a new declaration, not drift. */
function isSent(object: NorthflankDeployment, desire: Seen["desire"]): boolean {
  return steps[stateOf(object, desire)].different === "send";
}

/** The declaration has not been applied yet, or it was rolled back and another try is asked for, or a redeploy. */
export function isNewDeclaration(object: NorthflankDeployment, { desire }: Seen): boolean {
  return isSent(object, desire) || wantsRedeploy(object);
}

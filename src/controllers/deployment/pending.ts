// pure
import type { NorthflankDeployment } from "../../api/deployment.ts";
import { resolvedCommit } from "./build.ts";
import type { Seen } from "./decision.ts";
import { compare, type Difference } from "./diff.ts";
import { wantsRedeploy } from "./remembered.ts";
import { restoreInForce } from "./rollback.ts";

/**
 * What has to be written. Fields that Northflank does not tell, or in part, count only when the declaration has changed,
 * and a source of which it tells nothing until the declaration was sent once; nobody can observe that one.
 */
export function pendingDifferences(object: NorthflankDeployment, { desire, service }: Seen): readonly Difference[] {
  const { differences, alike, untold, hidden } = compare(desire, service, resolvedCommit(object, desire));
  const before = object.status?.applied;
  if (before?.specHash === desire.hash && !isTakenUpAgain(object, desire)) return differences;
  const unsent = object.spec.managementPolicy === "Observe" ? [] : hidden;
  return before === undefined ? [...differences, ...unsent] : [...differences, ...alike, ...unsent, ...untold];
}

/** The declaration was replaced by the last good source, and that is not to last: what nobody can see is sent again. */
function isTakenUpAgain(object: NorthflankDeployment, desire: Seen["desire"]): boolean {
  const { restore } = object.status ?? {};
  const wasPutBack = restore?.specHash === desire.hash && restore.outcome !== "Pending";
  return wasPutBack && restoreInForce(object, desire) === undefined;
}

/** The declaration has not been applied yet, or it was taken back and another try is asked for, or a redeploy. */
export function isNewDeclaration(object: NorthflankDeployment, { desire }: Seen): boolean {
  const { status } = object;
  if (status?.applied?.specHash !== desire.hash || status.restore?.specHash === desire.hash) return true;
  return wantsRedeploy(object);
}

/** A difference is not written: the policy says so, or runs of `waitFor` are not there yet. */
export function holdsWrites(object: NorthflankDeployment, seen: Seen): boolean {
  const policy = object.spec.managementPolicy;
  if (policy === "Observe" || (policy === "EnforceOnChange" && !isNewDeclaration(object, seen))) return true;
  const isChange = object.status?.applied?.specHash !== seen.desire.hash || wantsRedeploy(object);
  return isChange && seen.dependencies.some(({ state }) => state !== "succeeded");
}

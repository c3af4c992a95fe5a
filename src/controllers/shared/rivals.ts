import { type ObjectKey, objectKey } from "../../runtime/outcome.ts";
import type { Account, AccountResolution, Accounts } from "./accounts.ts";
import { accountRequest, type TargetObject } from "./target-object.ts";

/**
 * Two objects of a kind may name one target. The older one has it; the other waits in `TargetConflict`, and takes over
 * within one pass when the older one goes.
 */

/** What an object may do: act with an account, or wait, for an account or for an older object that manages the same. */
export type Access =
  | { readonly kind: "open"; readonly account: Account }
  | (AccountResolution & { readonly kind: "blocked" })
  | { readonly kind: "conflict"; readonly winner: ObjectKey };

interface AccessDeps {
  readonly accounts: Accounts;
  /** Objects of the kind that name the same target, the object itself included or not. */
  readonly sameTarget: readonly TargetObject[];
}

/** The account of an object, if there is one and no older object manages the same target in it. */
export async function openAccess(deps: AccessDeps, object: TargetObject, signal: AbortSignal): Promise<Access> {
  const resolution = await deps.accounts.resolve(accountRequest(object), signal);
  if (resolution.kind === "blocked") return resolution;
  const { account } = resolution;
  for (const rival of olderRivals(object, deps.sameTarget)) {
    if (await isInPool(deps.accounts, { object, rival, pool: account.pool }, signal)) {
      return { kind: "conflict", winner: objectKey(rival.metadata) };
    }
  }
  return { kind: "open", account };
}

/** The others among the objects of one target: they may gain or lose it when `changed` appears, changes or goes. */
export function rivalKeys(sameTarget: readonly TargetObject[], changed: TargetObject): readonly ObjectKey[] {
  return sameTarget
    .filter(({ metadata }) => metadata.uid !== changed.metadata.uid)
    .map(({ metadata }) => objectKey(metadata));
}

/** Those that come before this one, first the one that comes first. Objects on their way out do not. */
export function olderRivals<T extends TargetObject>(object: T, sameTarget: readonly T[]): readonly T[] {
  return sameTarget
    .filter((other) => other.metadata.uid !== object.metadata.uid && other.metadata.deletionTimestamp === undefined)
    .filter((other) => byAge(other, object) < 0)
    .sort(byAge);
}

/** Older first, then by namespace and name: the same order for everybody who asks. */
function byAge(left: TargetObject, right: TargetObject): number {
  const [leftTime, rightTime] = [left, right].map(({ metadata }) => Date.parse(metadata.creationTimestamp ?? ""));
  if (leftTime !== undefined && rightTime !== undefined && leftTime !== rightTime) return leftTime - rightTime;
  return objectKey(left.metadata) < objectKey(right.metadata) ? -1 : 1;
}

async function isInPool(
  accounts: Accounts,
  { object, rival, pool }: { readonly object: TargetObject; readonly rival: TargetObject; readonly pool: string },
  signal: AbortSignal,
): Promise<boolean> {
  const [own, other] = [accountRequest(object), accountRequest(rival)];
  if (own.namespace === other.namespace && own.connectionName === other.connectionName) return true;
  const resolution = await accounts.resolve(other, signal);
  // A rival without a usable account sends nothing, so it is in nobody's way.
  return resolution.kind === "usable" && resolution.account.pool === pool;
}

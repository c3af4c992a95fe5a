import { type ObjectKey, objectKey } from "../../runtime/outcome.ts";
import { type Account, type AccountIdentity, type Accounts, compareIdentities } from "../account/accounts.ts";
import { isOlder } from "../reconcile/predicates.ts";
import { type Blocked, readyReason } from "../reconcile/ready-state.ts";
import { accountRequest, type ByTarget, type TargetObject, targetOf } from "./object.ts";
import { policyOf } from "./policy.ts";

/**
 * Two objects of a kind may name one target. The older one has it; the other waits in `TargetConflict`, and takes over
 * within one reconcile when the older one goes: not when the connection of the older one is paused, refused or gone. So
 * an older object counts as soon as its connection was once shown to lead to the same account. Where that is not known
 * (after a restart, say), who has the target keeps it within a namespace: see {@link isInConflict}.
 *
 * An object under managementPolicy Observe writes nothing: it neither holds a target nor waits for one.
 */

/** What an object may do: act with an account, or wait, for an account or for an older object that manages the same. */
export type Access =
  | { readonly kind: "open"; readonly account: Account }
  | Blocked
  | { readonly kind: "conflict"; readonly owner: ObjectKey };

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
  const open = { kind: "open", account } as const;
  // As nearly all objects are.
  if (isAlone(object, deps.sameTarget)) return open;
  const identities = new Map<string, AccountIdentity>();
  for (const older of olderConflicts(object, deps.sameTarget)) {
    const { namespace, connectionName } = accountRequest(older);
    // Of thousands of objects behind one connection it is resolved once.
    const connection = `${namespace}/${connectionName ?? ""}`;
    const identity =
      identities.get(connection) ?? (await identityOf(deps.accounts, { object, older, account }, signal));
    identities.set(connection, identity);
    if (isInConflict({ object, account, older, identity })) {
      return { kind: "conflict", owner: objectKey(older.metadata) };
    }
  }
  return open;
}

/** No other object shares the target: its account decides nothing about it. */
export function isAlone(object: TargetObject, sameTarget: readonly TargetObject[]): boolean {
  if (isObserving(object)) return true;
  return sameTarget.every((other) => other.metadata.uid === object.metadata.uid || isObserving(other));
}

function isObserving(object: TargetObject): boolean {
  return !policyOf(object).sends;
}

/**
 * The objects that may gain or lose their target when `changed` appears, changes or goes: the ones that come after it.
 * Those before it do not ask for it, nor do those that only observe.
 */
export function conflictsOf(store: ByTarget<TargetObject>, changed: TargetObject): readonly ObjectKey[] {
  return store
    .byIndex("target", targetOf(changed))
    .filter((other) => other.metadata.uid !== changed.metadata.uid && !isObserving(other))
    .filter((other) => isOlder(changed, other))
    .map(({ metadata }) => objectKey(metadata));
}

/**
 * True when an edit can change who has the target: whose account it is about, whether it is there, whether it writes,
 * or whether it was served. Any other edit enqueues no conflicting object: there can be thousands of them.
 */
export function conflictsMayChange(before: TargetObject, after: TargetObject): boolean {
  return (
    before.metadata.deletionTimestamp !== after.metadata.deletionTimestamp ||
    before.spec.connectionRef?.name !== after.spec.connectionRef?.name ||
    isObserving(before) !== isObserving(after) ||
    (wasServed(before) && !wasServed(after))
  );
}

/**
 * Those that come before this one, first the one that comes first. Objects on their way out do not, nor those that only
 * observe.
 */
export function* olderConflicts<T extends TargetObject>(object: T, sameTarget: readonly T[]): Iterable<T> {
  const older = sameTarget
    .filter(({ metadata }) => metadata.uid !== object.metadata.uid && metadata.deletionTimestamp === undefined)
    .filter((other) => !isObserving(other) && isOlder(other, object));
  const [any, ...others] = older;
  if (any === undefined) return;
  // The first one mostly has the target. Then the rest, which would have to be sorted, is not read.
  const first = others.reduce((least, other) => (isOlder(other, least) ? other : least), any);
  yield first;
  const rest = older.filter((other) => other !== first);
  yield* rest.sort((left, right) => (isOlder(left, right) ? -1 : 1));
}

/** The account of a conflicting object; that of the object itself where they use the same connection. */
async function identityOf(
  accounts: Accounts,
  sides: { readonly object: TargetObject; readonly older: TargetObject; readonly account: Account },
  signal: AbortSignal,
): Promise<AccountIdentity> {
  const { object, older, account } = sides;
  const [own, other] = [accountRequest(object), accountRequest(older)];
  const isSame = own.namespace === other.namespace && own.connectionName === other.connectionName;
  return isSame ? account : await accounts.identity(other, signal);
}

/** Whether an older object that names the same target keeps it from this one. */
function isInConflict(sides: {
  readonly object: TargetObject;
  readonly account: AccountIdentity;
  readonly older: TargetObject;
  readonly identity: AccountIdentity;
}): boolean {
  const { object, account, older, identity } = sides;
  const comparison = compareIdentities(account, identity);
  if (comparison !== "unproven") return comparison === "same";
  // Neither a name nor a status alone gives an object a target of another namespace: the status may have been earned in
  // the user's own account. Whoever may write into a namespace can do nothing more to it by either.
  if (object.metadata.namespace !== older.metadata.namespace) return false;
  if (account.team !== undefined && account.team === identity.team) return true;
  return wasServed(older) && (readyReason(object) === "TargetConflict" || !wasServed(object));
}

/** The operator has read the target for this object at least once. */
function wasServed({ status }: TargetObject): boolean {
  return status?.observed !== undefined || status?.applied !== undefined || status?.changes !== undefined;
}

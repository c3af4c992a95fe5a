// pure
import type { NorthflankConnection, NorthflankConnectionStatus } from "../../api/connection.ts";
import { permissionsFor, type TokenNeed, tokenUses } from "../../api/northflank-calls.ts";
import type { TokenView } from "../../northflank/types.ts";
import { type ConditionDraft, findCondition } from "../../runtime/conditions.ts";
import { present } from "../../util/present.ts";

/** What a status says of the token that was accepted last. */
export type TokenFacts = Pick<
  NorthflankConnectionStatus,
  "tokenExpirationTime" | "projectRestrictions" | "grantedPermissions"
>;

/** All that any object may need: of other permissions nothing is kept. */
const relevant = permissionsFor(tokenUses.map((use) => ({ use, writes: true })));

/** What Northflank tells, as a status says it. */
export function tokenFacts({ expiresAt, projectRestrictions: told, permissions }: TokenView): TokenFacts {
  return present({
    tokenExpirationTime: expiresAt,
    projectRestrictions:
      told === undefined
        ? undefined
        : {
            mode: told.mode === "in" ? ("In" as const) : ("NotIn" as const),
            projects: [...told.projects],
            ...(told.isIncomplete ? { isIncomplete: true } : {}),
          },
    grantedPermissions: permissions === undefined ? undefined : relevant.filter((one) => permissions.has(one)),
  });
}

/** What a status says already. */
export function factsIn(status: NorthflankConnectionStatus | undefined): TokenFacts {
  const { tokenExpirationTime, projectRestrictions, grantedPermissions } = status ?? {};
  return present({ tokenExpirationTime, projectRestrictions, grantedPermissions });
}

/** The permissions that objects need and the token lacks; `undefined` where there are none, or nothing is known. */
export function missingPermissions(
  { grantedPermissions: granted }: TokenFacts,
  needs: readonly TokenNeed[],
): string[] | undefined {
  if (granted === undefined) return undefined;
  const missing = permissionsFor(needs).filter((one) => !granted.includes(one));
  return missing.length === 0 ? undefined : missing;
}

/** Condition `PermissionsGranted`; `undefined` while the permissions of the token are not known. */
export function permissionsDraft(facts: TokenFacts, needs: readonly TokenNeed[]): ConditionDraft | undefined {
  if (facts.grantedPermissions === undefined) return undefined;
  const type = "PermissionsGranted";
  const missing = missingPermissions(facts, needs);
  if (missing === undefined) {
    const message = "The token has the permissions that the objects need which use this connection.";
    return { type, status: "True", reason: "Valid", message };
  }
  const named = missing.map((permission) => `${permission} (${usesOf(permission, needs)})`).join(", ");
  const [noun, them] = missing.length === 1 ? ["the permission", "it"] : ["the permissions", "them"];
  const message = `The token lacks ${noun} ${named}. Grant ${them} to the token's role.`;
  return { type, status: "False", reason: "PermissionDenied", message };
}

function usesOf(permission: string, needs: readonly TokenNeed[]): string {
  const uses = needs.filter((need) => permissionsFor([need]).includes(permission)).map(({ use }) => use);
  return [...new Set(uses)].join(", ");
}

/** So long before its end a token is warned of: long enough for a holiday, short enough to be acted upon. */
const warnBeforeMs = 14 * 24 * 3_600_000;

/** What was said of an end stays said while a clock goes back by less than this: it raises no second Event. */
const wobbleMs = 3_600_000;

/** Condition `TokenExpiring`; `undefined` while the end is far away or not known. */
export function expiryDraft(
  { spec, status }: NorthflankConnection,
  { tokenExpirationTime: time }: TokenFacts,
  now: number,
): ConditionDraft | undefined {
  if (time === undefined) return undefined;
  const type = "TokenExpiring";
  const said = status?.tokenExpirationTime === time ? findCondition(status.conditions, type)?.reason : undefined;
  const leftMs = Date.parse(time) - now;
  const remedy = `Put a new token into Secret "${spec.tokenSecretRef.name}"`;
  if (leftMs <= (said === "TokenExpired" ? wobbleMs : 0)) {
    return { type, status: "True", reason: "TokenExpired", message: `The token expired at ${time}. ${remedy}.` };
  }
  if (leftMs > warnBeforeMs + (said === "TokenExpiresSoon" ? wobbleMs : 0)) return undefined;
  const message = `The token expires at ${time}. ${remedy} before that.`;
  return { type, status: "True", reason: "TokenExpiresSoon", message };
}

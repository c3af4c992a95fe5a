// pure
import type { NorthflankConnection, NorthflankConnectionStatus } from "../../api/connection.ts";
import { permissionsFor, type TokenNeed, type TokenUse, tokenUses } from "../../api/northflank-calls.ts";
import type { TokenView } from "../../northflank/types.ts";
import type { ConditionDraft } from "../../runtime/conditions.ts";
import { present } from "../../util/present.ts";

/** What a status says of the token that was accepted last. */
export type TokenStatus = Pick<
  NorthflankConnectionStatus,
  "tokenExpirationTime" | "projectRestrictions" | "grantedPermissions"
>;

/** All that any object may need: of other permissions nothing is kept. */
const relevant = permissionsFor(tokenUses.map((use) => ({ use, writes: true })));

/** What Northflank returns, as a status says it. */
export function tokenStatusOf({ expiresAt, projectRestrictions: returned, permissions }: TokenView): TokenStatus {
  return present({
    tokenExpirationTime: expiresAt,
    projectRestrictions:
      returned === undefined
        ? undefined
        : {
            mode: returned.mode === "in" ? ("In" as const) : ("NotIn" as const),
            projects: [...returned.projects],
            ...(returned.isIncomplete ? { isIncomplete: true } : {}),
          },
    grantedPermissions: permissions === undefined ? undefined : relevant.filter((one) => permissions.has(one)),
  });
}

/** What a status says already. */
export function tokenStatusIn(status: NorthflankConnectionStatus | undefined): TokenStatus {
  const { tokenExpirationTime, projectRestrictions, grantedPermissions } = status ?? {};
  return present({ tokenExpirationTime, projectRestrictions, grantedPermissions });
}

/** What is read of an object that manages a target. */
interface Managing {
  readonly spec: { readonly serviceId?: string; readonly jobId?: string; readonly managementPolicy?: string };
}

/** What the objects of a connection need of its token: each use once, however many objects there are. */
export function tokenNeeds(users: {
  readonly deployments: readonly Managing[];
  readonly jobs: readonly Managing[];
  readonly runs: number;
}): readonly TokenNeed[] {
  const needs = new Map<string, TokenNeed>();
  const add = (use: TokenUse, writes: boolean): void => {
    needs.set(`${use} ${writes}`, { use, writes });
  };
  for (const { spec } of users.deployments) {
    add(spec.jobId === undefined ? "NorthflankDeployment of a service" : "NorthflankDeployment of a job", writes(spec));
  }
  for (const { spec } of users.jobs) add("NorthflankJob", writes(spec));
  if (users.runs > 0) add("NorthflankJobRun", true);
  return [...needs.values()];
}

function writes({ managementPolicy }: Managing["spec"]): boolean {
  return managementPolicy !== "Observe";
}

/** The permissions that objects need and the token lacks; `undefined` where there are none, or nothing is known. */
export function missingPermissions(
  { grantedPermissions: granted }: TokenStatus,
  needs: readonly TokenNeed[],
): string[] | undefined {
  if (granted === undefined) return undefined;
  const missing = permissionsFor(needs).filter((one) => !granted.includes(one));
  return missing.length === 0 ? undefined : missing;
}

/** Condition `PermissionsGranted`; `undefined` while the permissions of the token are not known. */
export function permissionsDraft(facts: TokenStatus, needs: readonly TokenNeed[]): ConditionDraft | undefined {
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

/** Days before its end from which a token is warned of: long enough for a holiday, short enough to act upon. */
export const expiryWarningDays = 14;

const warnBeforeMs = expiryWarningDays * 24 * 3_600_000;

/** What was said of an end stays said while a clock goes back by less than this: it raises no second Event. */
const wobbleMs = 3_600_000;

/**
 * Condition `TokenExpiring`; `undefined` while the end is far or unknown. `said`: its reason before, of the same end.
 */
export function expiryDraft(
  { spec }: NorthflankConnection,
  { tokenExpirationTime: time }: TokenStatus,
  said: string | undefined,
  now: number,
): ConditionDraft | undefined {
  if (time === undefined) return undefined;
  const type = "TokenExpiring";
  const leftMs = Date.parse(time) - now;
  const remedy = `Put a new token into Secret "${spec.tokenSecretRef.name}"`;
  if (leftMs <= (said === "TokenExpired" ? wobbleMs : 0)) {
    return { type, status: "True", reason: "TokenExpired", message: `The token expired at ${time}. ${remedy}.` };
  }
  if (leftMs > warnBeforeMs + (said === "TokenExpiresSoon" ? wobbleMs : 0)) return undefined;
  const message = `The token expires at ${time}. ${remedy} before that.`;
  return { type, status: "True", reason: "TokenExpiresSoon", message };
}

import { ApiProblem } from "./api-problem.ts";
import type { Account, Token } from "./model.ts";
import { keyOf } from "./router.ts";
import type { Route } from "./routes.ts";
import { sdkCallOf, sdkCalls } from "./sdk-calls.ts";

/**
 * What a living token may not do. The API has no 403: it answers 401 and names the permission, or the feature that the
 * account has not got, while other calls of the same token answer 200.
 */
export function checkAllowed(
  account: Account,
  token: Token,
  { route, params }: { readonly route: Route; readonly params: Readonly<Record<string, string>> },
): void {
  if (account.disabledFeatures.has(keyOf(route))) {
    throw new ApiProblem(401, "Feature flag is not enabled for your account. Please contact support.");
  }
  const required = permissionOf(route);
  if (required === undefined) return;
  const isElsewhere = params.project !== undefined && !isProjectAllowed(token, params.project);
  if (token.lacks.has(required) || isElsewhere) {
    throw new ApiProblem(401, "Unauthorized", { details: { requiredPermission: required } });
  }
}

/** Whether the role of a token reaches a project. */
export function isProjectAllowed({ projects }: Token, projectId: string): boolean {
  if (projects === undefined) return true;
  return projects.projects.includes(projectId) === (projects.restrictionMode === "in");
}

/** What a token may do, as `GET /v1/auth` returns it. */
export function grantsOf(token: Token): object {
  // How those of an account are returned is not documented.
  const ofProjects = allPermissions().filter((permission) => permission.startsWith("ps_"));
  const projectScope = ofProjects.filter((permission) => !token.lacks.has(permission));
  return {
    permissions: { orgScope: [], teamScope: [], projectScope },
    projectRestrictions: {
      enabled: token.projects !== undefined,
      projects: token.projects?.projects ?? [],
      restrictionMode: token.projects?.restrictionMode ?? "in",
    },
  };
}

/** Every permission that a call of the sandbox needs, in the words of the API: `ps_jobs_general_run-job`. */
export function allPermissions(): readonly string[] {
  const all = sdkCalls().calls.flatMap(({ permission }) => (permission === null ? [] : [flat(permission)]));
  return [...new Set(all)].sort();
}

function permissionOf(route: Route): string | undefined {
  const permission = sdkCallOf(route)?.permission ?? undefined;
  return permission === undefined ? undefined : flat(permission);
}

/** `Project > Services > Deployment > View Observability` -> `ps_services_deployment_view-observability`. */
function flat(permission: string): string {
  const [scope = "", ...words] = permission.toLowerCase().split(" > ");
  return [`${scope.slice(0, 1)}s`, ...words].join("_").replaceAll(" ", "-");
}

// pure
import { type JsonObject, listOf, objectOf, textOf } from "./json.ts";
import { nameProblem } from "./names.ts";
import type { ProjectRestrictions, TokenView } from "./types.ts";

/** More projects of one token are not kept: what is left out is for Northflank to judge. */
const mostProjects = 200;

/**
 * What `GET /v1/auth` returns about the token. Total: whatever is missing, or not of the documented form, counts as not
 * returned, so that nothing is ever refused or warned of because of an answer that was not understood.
 */
export function toTokenView(data: unknown): TokenView {
  const answer = objectOf(data) ?? {};
  return {
    expiresAt: timeOf(answer.expiresAt),
    projectRestrictions: restrictionsOf(objectOf(answer.projectRestrictions)),
    permissions: permissionsOf(objectOf(answer.permissions)?.projectScope),
  };
}

// What Kubernetes takes as a date-time has four digits for the year.
const lastMs = Date.parse("9999-12-31T23:59:59Z");

/** Whole seconds in RFC 3339, which a status can hold. */
function timeOf(value: unknown): string | undefined {
  const timeMs = Date.parse(textOf(value) ?? "");
  if (Number.isNaN(timeMs) || timeMs < 0 || timeMs > lastMs) return undefined;
  return `${new Date(timeMs).toISOString().slice(0, 19)}Z`;
}

function restrictionsOf(returned: JsonObject | undefined): ProjectRestrictions | undefined {
  if (returned?.enabled !== true) return undefined;
  const mode = returned.restrictionMode;
  const projects = listOf(returned.projects);
  if ((mode !== "in" && mode !== "notIn") || projects === undefined) return undefined;
  const ids = projects.filter(isProjectId);
  // Of another form than that of ids: nothing that an object names can be compared with it.
  if (ids.length !== projects.length) return undefined;
  const known = [...new Set(ids)].sort();
  return known.length > mostProjects
    ? { mode, projects: known.slice(0, mostProjects), isIncomplete: true }
    : { mode, projects: known };
}

/**
 * Since every resource has a `uid` too, a list may hold those: they match the pattern of ids and name nothing in a
 * path.
 */
const uid = /^(?:[0-9a-f]{24}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

function isProjectId(value: unknown): value is string {
  return typeof value === "string" && nameProblem("project", value) === undefined && !uid.test(value);
}

/** How permissions of projects are written: `ps_jobs_general_run-job`. */
const permission = /^ps_[a-z0-9-]+_[a-z0-9-]+_[a-z0-9-]+$/;

/** `undefined` where a part of the list is not understood: it may stand for more than it says. */
function permissionsOf(returned: unknown): ReadonlySet<string> | undefined {
  const list = listOf(returned);
  if (list === undefined) return undefined;
  const known = list.filter((word): word is string => typeof word === "string" && permission.test(word));
  const isStrange = (word: unknown) => typeof word !== "string" || word.includes("*") || !word.startsWith("ps_");
  return list.some(isStrange) ? undefined : new Set(known);
}

import { parseJsonPath } from "./json-path.ts";
import { badRequest } from "./status-errors.ts";
import type { ApiObject, Resource } from "./types.ts";

export type Matcher = (object: ApiObject) => boolean;

/** Both selectors of a list or watch as one test on stored objects; `undefined` when everything matches. */
export function parseSelectors(query: URLSearchParams, resource: Resource): Matcher | undefined {
  const labels = parseLabelSelector(query.get("labelSelector") ?? "");
  const fields = parseFieldSelector(query.get("fieldSelector") ?? "", resource);
  if (labels.length === 0 && fields.length === 0) return undefined;
  const tests = [...labels, ...fields];
  return (object) => tests.every((test) => test(object));
}

/**
 * `a=b,c!=d,e in (f,g),h notin (i),j,!k,n>1`.
 *
 * *Errors*: 400.
 */
export function parseLabelSelector(text: string): readonly Matcher[] {
  return splitTerms(text).map(parseRequirement);
}

/**
 * `metadata.name=x,spec.y!=z`: only the metadata fields and what the resource declares as selectable.
 *
 * *Errors*: 400 naming the field.
 */
export function parseFieldSelector(text: string, resource: Resource): readonly Matcher[] {
  return splitTerms(text).map((term) => {
    const match = /^([^=!]+)(==|!=|=)(.*)$/.exec(term);
    if (match === null) throw badRequest(`invalid selector: '${text}'; can't understand '${term}'`);
    const [, field = "", operator, value = ""] = match;
    const read = fieldReader(field, resource);
    return operator === "!=" ? (object) => read(object) !== value : (object) => read(object) === value;
  });
}

function fieldReader(field: string, resource: Resource): (object: ApiObject) => string {
  const known =
    field === "metadata.name" ||
    (field === "metadata.namespace" && (resource.namespaced || resource.origin === "builtin")) ||
    resource.selectableFields.includes(field);
  if (!known) throw badRequest(`field label not supported: ${field}`);
  const path = parseJsonPath(`.${field}`);
  return (object) => {
    const value = path(object)[0];
    return value === undefined || value === null ? "" : String(value);
  };
}

/** Splits at commas outside of parentheses. */
function splitTerms(text: string): readonly string[] {
  if (text.trim() === "") return [];
  return text.split(/,(?![^(]*\))/).map((term) => term.trim());
}

const key = "[A-Za-z0-9](?:[-A-Za-z0-9_./]*[A-Za-z0-9])?";
const exists = new RegExp(`^(!?)\\s*(${key})$`);
const compared = new RegExp(`^(${key})\\s*(==|!=|=|>|<)\\s*([^\\s,()]*)$`);
const listed = new RegExp(`^(${key})\\s+(in|notin)\\s*\\(([^)]*)\\)$`);

function parseRequirement(term: string): Matcher {
  const present = exists.exec(term);
  if (present) {
    const [, not, name = ""] = present;
    return (object) => (label(object, name) === undefined) === (not === "!");
  }
  const pair = compared.exec(term);
  if (pair) return comparison(pair[1] ?? "", pair[2] ?? "", pair[3] ?? "");
  const set = listed.exec(term);
  if (set === null) {
    const found = term.split(/\s+/)[1] ?? term;
    throw badRequest(`unable to parse requirement: found '${found}', expected: in, notin, =, ==, !=, gt, lt`);
  }
  const [, name = "", operator, list = ""] = set;
  const values = list.split(",").map((value) => value.trim());
  return (object) => {
    const value = label(object, name);
    const isIn = value !== undefined && values.includes(value);
    return operator === "in" ? isIn : !isIn;
  };
}

function comparison(name: string, operator: string, value: string): Matcher {
  switch (operator) {
    case "!=":
      return (object) => label(object, name) !== value;
    case ">":
      return (object) => Number(label(object, name) ?? Number.NaN) > Number(value);
    case "<":
      return (object) => Number(label(object, name) ?? Number.NaN) < Number(value);
    default:
      return (object) => label(object, name) === value;
  }
}

function label(object: ApiObject, name: string): string | undefined {
  const labels = object.metadata.labels ?? {};
  return Object.hasOwn(labels, name) ? labels[name] : undefined;
}

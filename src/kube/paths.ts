// pure
import { KubeError } from "./errors.ts";
import type { ResourceType } from "./types.ts";

/**
 * Path of a resource's collection, or of one object when `name` is given: `/apis/GROUP/VERSION/namespaces/NS/PLURAL/NAME`.
 * Without a namespace it is the collection over all namespaces.
 *
 * *Errors*: `KubeError` with code `bad_request` for a name that could lead to another path; nothing has been sent then.
 */
export function resourcePath(
  type: ResourceType,
  at: {
    readonly namespace?: string | undefined;
    readonly name?: string | undefined;
    readonly subresource?: string | undefined;
  },
): string {
  const root = type.group === "" ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
  if (at.namespace !== undefined && !type.namespaced) throw refused(type, at, "this resource has no namespaces");
  if (at.name !== undefined && at.namespace === undefined && type.namespaced) {
    throw refused(type, at, "a namespace is needed");
  }
  const namespace = at.namespace === undefined ? "" : `/namespaces/${segment(type, at, at.namespace)}`;
  const name = at.name === undefined ? "" : `/${segment(type, at, at.name)}`;
  const subresource = at.subresource === undefined ? "" : `/${at.subresource}`;
  return `${root}${namespace}/${type.plural}${name}${subresource}`;
}

/** How an object is called in messages: `secrets default/nf-token`. */
export function describeTarget(
  type: ResourceType,
  at: { readonly namespace?: string | undefined; readonly name?: string | undefined },
): string {
  const name = [at.namespace, at.name].filter((part) => part !== undefined).join("/");
  return [type.plural, asciiOnly(name)].filter((part) => part !== "").join(" ");
}

/** A query string with its question mark; empty without parameters. */
export function queryString(parameters: Readonly<Record<string, string | number | boolean | undefined>>): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) if (value !== undefined) query.set(key, String(value));
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}

/**
 * Every name that Kubernetes accepts is made of these (RBAC names may hold colons), so nothing needs escaping and
 * nothing can climb out of its place.
 */
function segment(
  type: ResourceType,
  at: { readonly namespace?: string | undefined; readonly name?: string | undefined },
  text: string,
): string {
  if (text.length > 253 || !/^[A-Za-z0-9][A-Za-z0-9._:-]*$/.test(text)) {
    throw refused(type, at, "not a name that Kubernetes accepts");
  }
  return text;
}

function refused(
  type: ResourceType,
  at: { readonly namespace?: string | undefined; readonly name?: string | undefined },
  detail: string,
): KubeError {
  return new KubeError({ code: "bad_request", step: `address ${describeTarget(type, at)}`, detail });
}

/** Stricter than `util/printable.ts`: a name that Kubernetes accepts is ASCII, and what is not may imitate one. */
function asciiOnly(text: string): string {
  const short = text.length > 120 ? `${text.slice(0, 120)}...` : text;
  return short.replaceAll(/[^\x20-\x7e]/g, "?");
}

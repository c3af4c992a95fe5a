// pure
import type { KubeError } from "../kube/errors.ts";
import { describeUser, type MissingRight } from "../kube/missing-right.ts";
import { leases, type ResourceType } from "../kube/types.ts";
import { assertNever } from "../util/assert-never.ts";

/** One call to the API server, in the words of RBAC. */
export interface Access {
  readonly verb: "get" | "list" | "watch" | "create" | "update" | "patch" | "delete";
  readonly type: ResourceType;
  readonly subresource?: string | undefined;
  /** Missing for all namespaces. */
  readonly namespace?: string | undefined;
  /** Of the one object that is meant: a rule may allow some by their names. Missing where rules cannot restrict names. */
  readonly name?: string | undefined;
}

/**
 * What can be wrong with an installation, which only people can repair.
 *
 * - `kind`: the API server does not serve a kind. `right`: the service account lacks a permission.
 * - `leaseNamespace`: the namespace of the Lease does not exist.
 * - `credentials`: the API server or the kubeconfig refuses to know who asks. `server`: no answer.
 * - `answers`: a kind cannot be read for another reason. `schemas`: the CRDs are older than the program.
 */
export type FaultKind = "kind" | "right" | "leaseNamespace" | "credentials" | "server" | "answers" | "schemas";

/** What to do about each fault, as sentences. `lease` is about rights on the Lease. */
export type Remedies = Readonly<Record<FaultKind | "lease", string>>;

/** One thing that is wrong. */
export interface Fault {
  readonly kind: FaultKind;
  /** Faults with the same key are one. */
  readonly key: string;
  /** What is missing, as a noun phrase that "missing" can stand before. */
  readonly missing: string;
  /** Where: faults with one key may exist in several namespaces. Not set when these cannot be distinguished. */
  readonly namespace?: string | undefined;
  /** The same as {@link placeOf} says it, with the object: each place is disproved by itself. */
  readonly place?: string;
  readonly remedy: string;
  /** How long it must have lasted before it is reported, in milliseconds. */
  readonly toleranceMs: number;
  /** Key of a fault that says as much: while that one is there this one is not logged. */
  readonly coveredBy?: string;
  /** Keys of faults that can no longer be observed, because this one hides them. */
  readonly replaces?: readonly string[];
}

// A restart of the API server, or a token that is just being replaced, is over sooner and needs no action.
const passingToleranceMs = 10_000;
// As above, and a single answer may come from anything.
const answersToleranceMs = 30_000;

// Answers that only a call gets that is allowed. Others may come before that is asked (429, 408), or from a proxy (400).
const afterAuthorization: ReadonlySet<number> = new Set([404, 409, 410, 422]);

/** The faults that an answer disproves, by their keys; without `error` the call went well. */
export function keysDisproved(access: Access, error?: KubeError): readonly string[] {
  const answered = ["server", "credentials"];
  if (error === undefined) {
    const right = [...answered, rightKey(access)];
    if (isList(access)) return [...right, `kind ${access.type.plural}`, `answers ${access.type.plural}`];
    return isLease(access.type) ? [...right, "leaseNamespace"] : right;
  }
  const { code, httpStatus = 500 } = error;
  // A proxy may have answered.
  if (httpStatus >= 500 || code === "unauthorized") return [];
  return afterAuthorization.has(httpStatus) ? [...answered, rightKey(access)] : answered;
}

/** What a failed call says of the installation; `undefined` when the fault is none, or is one of a single object. */
export function faultOf(access: Access | undefined, error: KubeError, remedies: Remedies): Fault | undefined {
  const { code, missingRight } = error;
  switch (code) {
    case "forbidden":
      if (access === undefined) return missingRight && rightFault(accessOf(missingRight), error, remedies);
      // What may write is refused for many reasons: quotas, webhooks, a namespace that is going.
      if (missingRight === undefined && !isRead(access)) return undefined;
      return rightFault(access, error, remedies);
    case "unauthorized":
    case "config":
      return {
        ...fault("credentials", remedies.credentials, `credentials that can be used: ${detailOf(error)}`),
        toleranceMs: passingToleranceMs,
      };
    case "unavailable":
    case "timeout":
      if (error.httpStatus !== undefined) return access && answersFault(access, error, remedies);
      return {
        ...fault("server", remedies.server, `a response from the API server: ${detailOf(error)}`),
        toleranceMs: passingToleranceMs,
      };
    case "not_found":
      return access && absentFault(access, remedies);
    case "protocol":
    case "bad_request":
    case "invalid":
      return access && answersFault(access, error, remedies);
    case "conflict":
    case "already_exists":
    case "expired":
    case "ahead":
    case "throttled":
      return undefined;
    default:
      return assertNever(code, "code");
  }
}

function fault(kind: FaultKind, remedy: string, missing: string, key: string = kind): Fault {
  return { kind, key, missing, remedy, toleranceMs: 0 };
}

function absentFault(access: Access, remedies: Remedies): Fault | undefined {
  const { verb, type } = access;
  if (verb === "create" && isLease(type)) {
    const missing = `the namespace "${access.namespace}" of the Lease`;
    return fault("leaseNamespace", remedies.leaseNamespace, missing);
  }
  if (!isList(access)) return undefined;
  const missing = `the CustomResourceDefinition ${type.plural}.${type.group} with version ${type.version}`;
  const known = fault("kind", remedies.kind, missing, `kind ${type.plural}`);
  return { ...known, place: placeOf(access), replaces: [`answers ${type.plural}`] };
}

function answersFault(access: Access, error: KubeError, remedies: Remedies): Fault | undefined {
  if (!isList(access)) return undefined;
  const { plural } = access.type;
  const missing = `a usable response about ${plural}: ${detailOf(error)}`;
  const known = fault("answers", remedies.answers, missing, `answers ${plural}`);
  return { ...known, place: placeOf(access), toleranceMs: answersToleranceMs };
}

function rightFault(access: Access, error: KubeError, remedies: Remedies): Fault {
  const { missingRight } = error;
  // The server names what it asked for, which is nearer to the rules than what was called.
  const asked = missingRight === undefined ? access : accessOf(missingRight);
  const who = missingRight === undefined ? "" : ` of ${describeUser(missingRight)}`;
  return {
    ...fault("right", isLease(access.type) ? remedies.lease : remedies.right, "", rightKey(access)),
    missing: `the permission${who} to ${asked.verb} ${qualified(asked)}`,
    namespace: access.namespace ?? "",
    place: placeOf(access),
    // Whether a call is allowed is asked before anything else.
    ...(isList(access) ? { replaces: [`kind ${access.type.plural}`, `answers ${access.type.plural}`] } : {}),
    ...(access.verb === "list" ? { coveredBy: rightKey({ ...access, verb: "watch" }) } : {}),
  };
}

function accessOf({ verb, resource, group, namespace }: MissingRight): Access {
  const [plural = "", subresource] = resource.split("/");
  const type = { group, version: "", plural, kind: "", namespaced: true };
  return { verb: verb as Access["verb"], type, subresource, namespace };
}

/** Where a call goes: its namespace and the name of its object, each empty where it means all. */
export function placeOf({ namespace, name }: Access): string {
  return `${namespace ?? ""}/${name ?? ""}`;
}

/** The namespace of such a place. */
export function namespaceOf(place: string): string {
  return place.split("/", 1)[0] ?? "";
}

function rightKey(access: Access): string {
  return `right ${access.verb} ${qualified(access)}`;
}

/** `northflankjobs.northflank-operator.io/status`; `secrets` in the core group. */
function qualified({ type, subresource }: Access): string {
  const name = type.group === "" ? type.plural : `${type.plural}.${type.group}`;
  return subresource === undefined ? name : `${name}/${subresource}`;
}

function isRead(access: Access): boolean {
  return access.verb === "get" || isList(access);
}

function isList({ verb }: Access): boolean {
  return verb === "list" || verb === "watch";
}

function isLease({ group, plural }: ResourceType): boolean {
  return group === leases.group && plural === leases.plural;
}

/** What the server said, without the code and the call that the message of the error begins with. */
function detailOf(error: KubeError): string {
  const start = error.message.indexOf(": ");
  return start < 0 ? error.message : error.message.slice(start + 2);
}

/** The fault in one line: what is missing, where, and what to do. */
export function describeFault(fault: Fault): string {
  return `${missingIn(fault, [fault.namespace ?? ""])}. ${fault.remedy}`;
}

// Enough to see a pattern; the rest is counted.
const namedNamespaces = 3;

/**
 * What is missing, and in which of the given namespaces; an empty one stands for all. With `isCut` there were more of
 * them than are given.
 */
export function missingIn({ missing, namespace }: Fault, namespaces: Iterable<string>, isCut = false): string {
  if (namespace === undefined) return missing;
  const all = [...namespaces];
  if (all.includes("")) return `${missing} in all namespaces`;
  if (all.length === 0) return `${missing} in other namespaces`;
  const named = all.slice(0, namedNamespaces).map((name) => `"${name}"`);
  return `${missing} in namespace${all.length === 1 ? "" : "s"} ${named.join(", ")}${others(all.length, isCut)}`;
}

function others(count: number, isCut: boolean): string {
  const more = count - namedNamespaces;
  if (more <= 0) return isCut ? " and perhaps others" : "";
  return isCut ? ` and at least ${more} more` : ` and ${more} more`;
}

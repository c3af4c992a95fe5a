// pure

/** What an authorizer of the API server refuses, in the words of RBAC. */
export interface MissingRight {
  /** The user that the request came from: `system:serviceaccount:NAMESPACE:NAME`. */
  readonly user: string;
  readonly verb: string;
  /** With its subresource: `northflankjobs/status`. */
  readonly resource: string;
  /** Empty for the core group. */
  readonly group: string;
  /** Missing when the request was for all namespaces. */
  readonly namespace: string | undefined;
}

const refusal =
  /User "([^"]{1,512})" cannot ([a-z]{1,32}) resource "([a-z0-9./-]{1,256})" in API group "([a-z0-9.-]{0,253})"(?: in the namespace "([a-z0-9-]{1,63})")?/;

/**
 * The right that the message of a 403 names; `undefined` when something else refused the request: an admission webhook, a
 * quota, a namespace that is being terminated, a proxy. The sentence is the API server's own and the same for every
 * authorizer (`responsewriters.Forbidden`); no field of the `Status` distinguishes the two.
 */
export function parseMissingRight(message: string): MissingRight | undefined {
  const [, user, verb, resource, group, namespace] = refusal.exec(message) ?? [];
  if (user === undefined || verb === undefined || resource === undefined || group === undefined) return undefined;
  return { user, verb, resource, group, namespace };
}

/** The user as people write it: `service account "NAMESPACE/NAME"`; others as the server calls them. */
export function describeUser({ user }: MissingRight): string {
  const [, namespace, name] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(user) ?? [];
  return name === undefined ? `user "${user}"` : `service account "${namespace}/${name}"`;
}

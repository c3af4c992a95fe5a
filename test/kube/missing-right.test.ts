import { expect, test } from "vitest";
import { describeUser, parseMissingRight } from "../../src/kube/missing-right.ts";

// Messages as kube-apiserver 1.36 writes them.
const account = "system:serviceaccount:nf:operator";
const own = "northflank-operator.io";
const right = { user: account, verb: "list", resource: "northflankjobs", group: own, namespace: undefined };

test.each([
  [
    "at the cluster scope",
    `northflankjobs.${own} is forbidden: User "${account}" cannot list resource "northflankjobs" in API group "${own}" at the cluster scope`,
    right,
  ],
  [
    "in a namespace, of a subresource",
    `northflankjobs.${own} "a" is forbidden: User "${account}" cannot patch resource "northflankjobs/status" in API group "${own}" in the namespace "shop"`,
    { ...right, verb: "patch", resource: "northflankjobs/status", namespace: "shop" },
  ],
  [
    "in the core group, with a reason of the authorizer behind it",
    `secrets "t" is forbidden: User "${account}" cannot get resource "secrets" in API group "" in the namespace "shop": RBAC: role.rbac.authorization.k8s.io "r" not found`,
    { ...right, verb: "get", resource: "secrets", group: "", namespace: "shop" },
  ],
])("names what is missing %s", (_, message, expected) => {
  expect(parseMissingRight(message)).toEqual(expected);
});

test.each([
  'events.events.k8s.io "x" is forbidden: unable to create new content in namespace shop because it is being terminated',
  'northflankjobs.northflank-operator.io "a" is forbidden: exceeded quota: q, requested: count/x=1, used: 1, limited: 1',
  'admission webhook "w.example.com" denied the request: no',
  'forbidden: User "system:anonymous" cannot get path "/openapi/v3"',
])("takes no other refusal for a missing permission: %s", (message) => {
  expect(parseMissingRight(message)).toBeUndefined();
});

test("a service account is named as people write it, others as the server does", () => {
  expect(describeUser(right)).toBe('service account "nf/operator"');
  expect(describeUser({ ...right, user: "system:anonymous" })).toBe('user "system:anonymous"');
});

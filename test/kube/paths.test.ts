import { describe, expect, test } from "vitest";
import { describeTarget, queryString, resourcePath } from "../../src/kube/paths.ts";
import { leases, type ResourceType, secrets } from "../../src/kube/types.ts";

const nodes: ResourceType = { group: "", version: "v1", plural: "nodes", kind: "Node", namespaced: false };

describe("resourcePath", () => {
  test.each([
    ["an object of the core group", secrets, { namespace: "a", name: "b" }, "/api/v1/namespaces/a/secrets/b"],
    ["a collection in a namespace", secrets, { namespace: "a" }, "/api/v1/namespaces/a/secrets"],
    ["a collection over all namespaces", secrets, {}, "/api/v1/secrets"],
    [
      "a subresource of a group's object",
      leases,
      { namespace: "a", name: "b", subresource: "status" },
      "/apis/coordination.k8s.io/v1/namespaces/a/leases/b/status",
    ],
    ["what has no namespace", nodes, { name: "n1.example" }, "/api/v1/nodes/n1.example"],
    ["a name with a colon, as RBAC has them", nodes, { name: "system:node" }, "/api/v1/nodes/system:node"],
  ])("%s", (_, type, at, path) => {
    expect(resourcePath(type, at)).toBe(path);
  });

  test("a name needs a namespace, and what has none takes none", () => {
    expect(() => resourcePath(secrets, { name: "b" })).toThrow(
      "[bad_request] address secrets b: a namespace is needed",
    );
    expect(() => resourcePath(nodes, { namespace: "a", name: "b" })).toThrow("this resource has no namespaces");
  });

  test("253 characters are a name, 254 are not", () => {
    expect(resourcePath(nodes, { name: "x".repeat(253) })).toContain("xxx");
    expect(() => resourcePath(nodes, { name: "x".repeat(254) })).toThrow("not a name that Kubernetes accepts");
  });
});

test("describeTarget keeps what a stranger wrote printable and short", () => {
  expect(describeTarget(secrets, { namespace: "a", name: "b" })).toBe("secrets a/b");
  expect(describeTarget(secrets, {})).toBe("secrets");
  expect(describeTarget(secrets, { name: "x\r\ny" })).toBe("secrets x??y");
  expect(describeTarget(secrets, { name: "x".repeat(500) }).length).toBeLessThan(150);
});

test("queryString encodes values and leaves out what is missing", () => {
  expect(queryString({ a: "x=y&z", b: undefined, c: 5, d: true })).toBe("?a=x%3Dy%26z&c=5&d=true");
  expect(queryString({ b: undefined })).toBe("");
});

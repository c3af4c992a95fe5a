import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { KubeClient } from "../../src/kube/client.ts";
import { createKubeClient } from "../../src/kube/http-client.ts";
import { loadKubeAccess } from "../../src/kube/kubeconfig.ts";
import type { KubeObject, ResourceType } from "../../src/kube/types.ts";
import { systemClock } from "../../src/util/clock.ts";
import { type Cluster, clusterUnderTest } from "../support/cluster.ts";

// What the shipped rules come to, in the words of a real authorizer; the sandbox has none.

const isReal = process.env.TEST_CLUSTER === "real";
const reviews: ResourceType = {
  group: "authorization.k8s.io",
  version: "v1",
  plural: "selfsubjectaccessreviews",
  kind: "SelfSubjectAccessReview",
  namespaced: false,
};

let cluster: Cluster;
let operator: KubeClient & AsyncDisposable;

beforeAll(async () => {
  if (!isReal) return;
  cluster = await clusterUnderTest();
  const access = await loadKubeAccess({ path: cluster.operatorKubeconfigPath }, { clock: systemClock });
  operator = createKubeClient({ access, clock: systemClock });
});
afterAll(async () => {
  await operator?.[Symbol.asyncDispose]();
  await cluster?.stop();
});

const own = "northflank-operator.io";
const coordination = "coordination.k8s.io";

const questions: readonly (readonly [boolean, string, string, string, string?, string?])[] = [
  [true, "watch", own, "northflankdeployments"],
  [true, "patch", own, "northflankdeployments/status"],
  [true, "update", own, "northflankjobruns/status"],
  [true, "patch", own, "northflankjobruns"],
  [true, "get", "", "secrets", "shop"],
  [true, "get", coordination, "leases", "northflank-operator", "northflank-operator"],
  [true, "create", coordination, "leases", "northflank-operator"],
  [true, "create", "events.k8s.io", "events", "shop"],
  [false, "list", "", "secrets", "shop"],
  [false, "watch", "", "secrets", "shop"],
  [false, "list", "", "configmaps", "shop"],
  [false, "create", own, "northflankjobruns", "shop"],
  [false, "patch", own, "northflankdeployments", "shop"],
  [false, "delete", own, "northflankdeployments", "shop"],
  [false, "get", coordination, "leases", "northflank-operator", "another"],
  [false, "create", coordination, "leases", "kube-system"],
  [false, "list", "", "pods", "shop"],
  [false, "create", "", "serviceaccounts/token", "northflank-operator"],
  [false, "*", "*", "*"],
];

describe.runIf(isReal)("the operator's account", () => {
  const rows = questions.map(([allowed, verb, group, path, namespace, name]) => {
    return { allowed, verb, group, path, namespace, name };
  });

  test.each(rows)("is allowed ($allowed) to $verb $group/$path in $namespace named $name", async (row) => {
    const { allowed, verb, group, path, namespace, name } = row;
    const [resource, subresource] = path.split("/");
    const resourceAttributes = { verb, group, resource, subresource, namespace, name };
    const review = {
      apiVersion: "authorization.k8s.io/v1",
      kind: reviews.kind,
      metadata: {},
      spec: { resourceAttributes },
    };
    const answer = await operator.create(reviews, review as unknown as KubeObject);
    expect((answer as KubeObject & { readonly status: { readonly allowed: boolean } }).status.allowed).toBe(allowed);
  });

  test("is allowed to read the schemas of the CRDs, as every account is: no rule of ours says so", async () => {
    const nonResourceAttributes = { verb: "get", path: "/openapi/v3/apis/northflank-operator.io/v1alpha1" };
    const review = {
      apiVersion: "authorization.k8s.io/v1",
      kind: reviews.kind,
      metadata: {},
      spec: { nonResourceAttributes },
    };
    const answer = await operator.create(reviews, review as unknown as KubeObject);
    expect((answer as KubeObject & { readonly status: { readonly allowed: boolean } }).status.allowed).toBe(true);
  });
});

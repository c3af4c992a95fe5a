import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { northflankConnections, reconcileRequestedAt } from "../../src/api/names.ts";
import type { KubeObject, ResourceType } from "../../src/kube/types.ts";
import { type Cluster, clusterUnderTest, startSharedCluster } from "../support/cluster.ts";
import { resourceTypeOf } from "../support/manifests.ts";
import { type Scenario, scenarios } from "../support/operator-scenario.ts";

// An operator that meets an incomplete installation, and what it says and does when that is repaired. It needs a cluster
// of its own: nobody else likes it when CRDs and permissions go away.
const isReal = process.env.TEST_CLUSTER === "real";

let own: Cluster | undefined;
beforeAll(async () => {
  own = isReal
    ? (await startSharedCluster({ env: process.env, say: () => undefined })).cluster
    : await clusterUnderTest();
}, 300_000);
afterAll(async () => {
  await own?.stop();
});
const startScenario = scenarios();

function cluster(): Cluster {
  if (own === undefined) throw new Error("there is no cluster");
  return own;
}

const incomplete = "installation incomplete";
const repaired = "installation repaired";
const api = {
  projectId: "shop",
  serviceId: "api",
  deployment: { external: { imagePath: "ghcr.io/acme/api:1.4.2" } },
};

/** What the log says is missing, or is there again, in order. */
function told({ operator }: Scenario, message: string): readonly string[] {
  return operator.log.filter(({ msg }) => msg === message).map(({ missing }) => String(missing));
}

async function readiness({ operator }: Scenario): Promise<{ readonly status: number; readonly text: string }> {
  const line = operator.log.find(({ msg, endpoint }) => msg === "server listening" && endpoint === "health");
  const answer = await fetch(`http://${String(line?.address)}/readyz?verbose`);
  return { status: answer.status, text: await answer.text() };
}

/** Waits for the line that says what is missing, and for readiness to say the same. */
async function missing(scenario: Scenario, text: string): Promise<void> {
  await scenario.until(`the log misses ${text}`, () => told(scenario, incomplete).some((each) => each.includes(text)));
  const line = scenario.operator.log.find((each) => each.msg === incomplete && String(each.missing).includes(text));
  expect(line).toMatchObject({
    level: "warn",
    remedy: expect.stringMatching(/^Apply the (CRDs|RBAC rules) of version /),
  });
  const said = `${String(line?.missing)}. ${String(line?.remedy)}`;
  await scenario.until("readiness says the same", async () => (await readiness(scenario)).text.includes(said));
}

/** Waits until readiness says no more of it; nothing was said twice, and nothing with a stack. */
async function isThereAgain(scenario: Scenario, text: string): Promise<void> {
  await scenario.until("readiness says no more of it", async () => !(await readiness(scenario)).text.includes(text));
  expect(told(scenario, incomplete).filter((each) => each.includes(text))).toHaveLength(1);
  expect((await readiness(scenario)).status).toBe(200);
  expect(scenario.operator.log.filter(({ level }) => level === "error")).toEqual([]);
  expect(JSON.stringify(scenario.operator.log)).not.toContain('"stack"');
}

/** Waits for the line that says that it is there again, which comes with the next call or probe after a quiet minute. */
async function isLoggedAsRepaired(scenario: Scenario, text: string): Promise<void> {
  await scenario.until(`${text} is there again`, async () => {
    await readiness(scenario);
    return told(scenario, repaired).some((each) => each.includes(text));
  });
  expect(told(scenario, repaired).filter((each) => each.includes(text))).toHaveLength(1);
}

interface Crd extends KubeObject {
  readonly spec: {
    readonly versions: readonly [
      { readonly schema: { readonly openAPIV3Schema: { readonly properties: Properties } } },
    ];
  };
}

interface Properties {
  readonly status: { readonly properties: Record<string, unknown> };
}

function crdOf(plural: string): Crd {
  return parse(readFileSync(`crds/northflank-operator.io_${plural}.yaml`, "utf8")) as Crd;
}

async function applyCrd(crd: Crd): Promise<void> {
  await cluster().client.apply(resourceTypeOf(crd), crd, {});
}

describe("without a CRD", { timeout: 200_000 }, () => {
  test("works on with the other kinds, and takes up the kind when it appears", async () => {
    const crd = crdOf("northflankjobs");
    await using scenario = await startScenario({ cluster: cluster(), isStarted: false });
    await cluster().client.delete(resourceTypeOf(crd), { name: crd.metadata.name });
    try {
      await scenario.until("the kind is gone", async () => {
        const path = "/apis/northflank-operator.io/v1alpha1/northflankjobs";
        return (await cluster().request("GET", path)).status === 404;
      });
      scenario.startOperator();
      await missing(scenario, "the CustomResourceDefinition northflankjobs.northflank-operator.io");
      expect((await readiness(scenario)).status).toBe(503);
      await (await scenario.deployment("api", api)).reaches("Ready");
    } finally {
      await applyCrd(crd);
    }
    await isThereAgain(scenario, "northflankjobs.northflank-operator.io");
    await isLoggedAsRepaired(scenario, "northflankjobs.northflank-operator.io");
    await scenario.until("its controller runs", () =>
      scenario.operator.log.some(({ msg, controller }) => msg === "controller started" && controller === "job"),
    );
  });

  test("that is older than the operator, is ready, names the fields, and says when they are there", async () => {
    const crd = crdOf("northflankdeployments");
    const older = structuredClone(crd);
    delete older.spec.versions[0].schema.openAPIV3Schema.properties.status.properties.changes;
    await using scenario = await startScenario({ cluster: cluster(), isStarted: false });
    await applyCrd(older);
    try {
      scenario.startOperator();
      await missing(scenario, "NorthflankDeployment status.changes");
      expect((await readiness(scenario)).status).toBe(200);
      await (await scenario.deployment("api", api)).reaches("Ready");
    } finally {
      await applyCrd(crd);
    }
    await isThereAgain(scenario, "NorthflankDeployment status.changes");
  });
});

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

interface Role extends KubeObject {
  readonly rules: readonly Rule[];
}

interface Right {
  readonly verbs: readonly string[];
  readonly resource: string;
  readonly group: string;
  /** Of the requests that need it, on the sandbox. */
  readonly path: RegExp;
  readonly method: string;
}

const group = "northflank-operator.io";

/** Takes a permission from the operator: from its roles, or where there are none by refusing as an authorizer does. */
async function take(right: Right, namespace: string): Promise<() => Promise<void>> {
  const { sandbox, client } = cluster();
  if (sandbox !== undefined) {
    sandbox.fault = ({ method, path, headers }) => {
      const isMeant = headers.authorization === "Bearer operator" && method === right.method && right.path.test(path);
      return isMeant ? { kind: "answer", answer: { status: 403, body: refusal(right, namespace) } } : undefined;
    };
    return async () => {
      sandbox.fault = undefined;
    };
  }
  const isLease = right.resource === "leases";
  const type: ResourceType = {
    group: "rbac.authorization.k8s.io",
    version: "v1",
    plural: isLease ? "roles" : "clusterroles",
    kind: isLease ? "Role" : "ClusterRole",
    namespaced: isLease,
  };
  const name = isLease ? { namespace, name: "northflank-operator-leader-election" } : { name: "northflank-operator" };
  const { rules } = await client.get<Role>(type, name);
  const put = (of: readonly Rule[]) => client.patch(type, name, { kind: "merge", body: { rules: of } });
  await put(rules.flatMap((rule) => without(rule, right)));
  return async () => void (await put(rules));
}

function without(rule: Rule, { resource, verbs }: Right): readonly Rule[] {
  if (!rule.resources.includes(resource)) return [rule];
  const others = rule.resources.filter((each) => each !== resource);
  const left = rule.verbs.filter((verb) => !verbs.includes(verb));
  return [
    ...(others.length === 0 ? [] : [{ ...rule, resources: others }]),
    ...(left.length === 0 ? [] : [{ ...rule, resources: [resource], verbs: left }]),
  ];
}

function refusal({ verbs, resource, group }: Right, namespace: string): object {
  const user = "system:serviceaccount:northflank-operator:northflank-operator";
  const message =
    `${resource} is forbidden: User "${user}" cannot ${verbs[0]} resource "${resource}" ` +
    `in API group "${group}" in the namespace "${namespace}"`;
  return { kind: "Status", apiVersion: "v1", status: "Failure", reason: "Forbidden", code: 403, message };
}

describe("without the permission", { timeout: 200_000 }, () => {
  test.each<readonly [string, Right]>([
    [
      "to watch a kind",
      { verbs: ["watch", "list"], resource: "northflankjobs", group, method: "GET", path: /\/northflankjobs$/ },
    ],
    [
      "to write a status",
      {
        verbs: ["patch"],
        resource: "northflankdeployments/status",
        group,
        method: "PATCH",
        path: /\/northflankdeployments\/api\/status$/,
      },
    ],
    [
      "to keep the start of a run in an annotation",
      { verbs: ["patch"], resource: "northflankjobruns", group, method: "PATCH", path: /\/northflankjobruns\/once$/ },
    ],
    ["to get Secrets", { verbs: ["get"], resource: "secrets", group: "", method: "GET", path: /\/secrets\// }],
    [
      "to create Events",
      { verbs: ["create"], resource: "events", group: "events.k8s.io", method: "POST", path: /\/events$/ },
    ],
    [
      "to create the Lease",
      { verbs: ["create"], resource: "leases", group: "coordination.k8s.io", method: "POST", path: /\/leases$/ },
    ],
  ])("%s: names it once, and works when it is given", async (_, right) => {
    await using scenario = await startScenario({ cluster: cluster(), isStarted: false });
    const giveBack = await take(right, scenario.namespace);
    const [resource = "", subresource] = right.resource.split("/");
    const named = [right.group === "" ? resource : `${resource}.${right.group}`, subresource].filter(Boolean).join("/");
    const text =
      `the permission of service account "northflank-operator/northflank-operator" to ${right.verbs[0]} ${named} ` +
      `in namespace "${scenario.namespace}"`;
    const deployment = await scenario.deployment("api", api);
    const run = await scenario.jobRun("once");
    try {
      scenario.startOperator();
      await missing(scenario, text);
    } finally {
      await giveBack();
    }
    if (right.resource === "secrets") {
      // Not to wait for the back-off: what reads the Secret is asked to do so now.
      const body = { metadata: { annotations: { [reconcileRequestedAt]: "now" } } };
      const name = { namespace: scenario.namespace, name: "default" };
      await cluster().client.patch(northflankConnections, name, { kind: "merge", body });
    }
    if (right.resource === "events") {
      // Events are not sent twice: the next one shows that they can be.
      await deployment.reaches("Ready");
      await deployment.patch({ deployment: { external: { imagePath: "ghcr.io/acme/api:1.5.0" } } });
    }
    await deployment.reaches("Ready");
    await run.reaches("Succeeded");
    expect(scenario.northflank.runs("shop", "migrate")).toHaveLength(1);
    await isThereAgain(scenario, text);
  });
});

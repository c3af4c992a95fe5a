import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { published } from "../scripts/published.ts";
import type { KubeObject } from "../src/kube/types.ts";
import { renderKustomization, resourceTypeOf } from "./support/manifests.ts";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const objects = renderKustomization(join(root, "deploy"));

// biome-ignore lint/suspicious/noExplicitAny: manifests of many kinds, read by path; a wrong path fails the assertion.
type Manifest = KubeObject & Record<string, any>;

function only(kind: string): Manifest {
  const found = objects.filter((object) => object.kind === kind);
  if (found.length !== 1) throw new Error(`expected one ${kind}, found ${found.length}`);
  return found[0] as Manifest;
}

test("every CRD is part of it", () => {
  const files = readdirSync(join(root, "crds")).filter((name) => name.endsWith(".yaml"));
  expect(objects.filter(({ kind }) => kind === "CustomResourceDefinition")).toHaveLength(files.length);
  expect(files.length).toBeGreaterThan(0);
});

test("everything that has a namespace is in the operator's own", () => {
  const elsewhere = objects
    .filter((object) => resourceTypeOf(object).namespaced && object.metadata.namespace !== "northflank-operator")
    .map(({ kind, metadata }) => `${kind}/${metadata.name}`);
  expect(elsewhere).toEqual([]);
});

describe("the pod", () => {
  const { spec } = only("Deployment");
  const pod = spec.template.spec;
  const [container] = pod.containers;

  test("meets the restricted Pod Security profile, which the namespace enforces", () => {
    expect(only("Namespace").metadata.labels).toMatchObject({ "pod-security.kubernetes.io/enforce": "restricted" });
    expect(pod.containers).toHaveLength(1);
    expect(pod.initContainers).toBeUndefined();
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } });
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    expect({ ...pod, containers: [] }).not.toMatchObject({ hostNetwork: true });
    expect([pod.hostNetwork, pod.hostPID, pod.hostIPC, pod.volumes]).toEqual(Array(4).fill(undefined));
    expect(container.ports.map((port: { hostPort?: number }) => port.hostPort)).toEqual([undefined, undefined]);
  });

  test("runs as the user of the image, in two replicas, and is given the service account's token on purpose", () => {
    const dockerfile = readFileSync(join(root, "Dockerfile"), "utf8");
    expect(dockerfile).toContain(`\nUSER ${pod.securityContext.runAsUser}:${pod.securityContext.runAsGroup}\n`);
    expect(spec.replicas).toBe(2);
    expect(only("ServiceAccount").automountServiceAccountToken).toBe(false);
    expect(pod.automountServiceAccountToken).toBe(true);
  });

  test("names the published image of the version of package.json", () => {
    const { image, version } = published();
    expect(container.image).toBe(`${image}:${version}`);
  });

  test("gives V8 three quarters of the memory that the kernel gives the pod", () => {
    const limitMiB = Number(/^(\d+)Mi$/.exec(container.resources.limits.memory)?.[1]);
    const [options] = container.env;
    expect(options.name).toBe("NODE_OPTIONS");
    expect(options.value.split(" ")).toContain(`--max-old-space-size=${limitMiB * 0.75}`);
  });

  test("is probed where the program listens by default, and has more time to end than it takes", () => {
    const ports = Object.fromEntries(
      container.ports.map((port: { name: string; containerPort: number }) => [port.name, port.containerPort]),
    );
    expect(ports).toEqual({ metrics: 8080, health: 8081 });
    expect(container.livenessProbe.httpGet).toEqual({ path: "/healthz", port: "health" });
    expect(container.readinessProbe.httpGet).toEqual({ path: "/readyz", port: "health" });
    // A blocked event loop of up to a minute is no reason to be killed.
    expect(
      container.livenessProbe.periodSeconds * (container.livenessProbe.failureThreshold - 1),
    ).toBeGreaterThanOrEqual(60);
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(30);
  });

  test("is what Service, PodDisruptionBudget, NetworkPolicy and spread select", () => {
    const { labels } = spec.template.metadata;
    const selectors = [
      spec.selector.matchLabels,
      only("Service").spec.selector,
      only("PodDisruptionBudget").spec.selector.matchLabels,
      only("NetworkPolicy").spec.podSelector.matchLabels,
      ...pod.topologySpreadConstraints.map((one: Manifest) => one.labelSelector.matchLabels),
    ];
    for (const selector of selectors) expect(labels).toMatchObject(selector);
    expect(selectors).toHaveLength(5);
  });
});

describe("the rights", () => {
  interface Rule {
    readonly apiGroups: readonly string[];
    readonly resources: readonly string[];
    readonly resourceNames?: readonly string[];
    readonly verbs: readonly string[];
  }

  /** `group/resource[names]` to its verbs, over all rules of a role. */
  function rights(kind: string): Readonly<Record<string, readonly string[]>> {
    const found: Record<string, string[]> = {};
    for (const rule of only(kind).rules as readonly Rule[]) {
      const names = rule.resourceNames === undefined ? "" : `[${rule.resourceNames.join(",")}]`;
      for (const group of rule.apiGroups) {
        for (const resource of rule.resources) {
          const key = `${group}/${resource}${names}`;
          found[key] = [...(found[key] ?? []), ...rule.verbs].sort();
        }
      }
    }
    return found;
  }

  test("in all namespaces are these and no others", () => {
    const own = "northflank-operator.io";
    expect(rights("ClusterRole")).toEqual({
      [`${own}/northflankconnections`]: ["get", "list", "patch", "watch"],
      [`${own}/northflankdeployments`]: ["get", "list", "watch"],
      [`${own}/northflankjobs`]: ["get", "list", "watch"],
      [`${own}/northflankjobruns`]: ["delete", "get", "list", "patch", "watch"],
      [`${own}/northflankconnections/status`]: ["patch"],
      [`${own}/northflankdeployments/status`]: ["patch"],
      [`${own}/northflankjobs/status`]: ["patch"],
      [`${own}/northflankjobruns/status`]: ["patch", "update"],
      "/secrets": ["get"],
      "/configmaps": ["get"],
      "events.k8s.io/events": ["create", "patch"],
    });
  });

  test("in its own namespace are those of one Lease", () => {
    expect(rights("Role")).toEqual({
      "coordination.k8s.io/leases": ["create"],
      "coordination.k8s.io/leases[northflank-operator]": ["get", "update"],
    });
  });

  test("are those of the table in SECURITY.md, each with a reason", () => {
    const text = readFileSync(join(root, "SECURITY.md"), "utf8");
    const row = /^\| `([a-z0-9.-]+?)(?:\/([a-z]+))?`(?:, named `([a-z-]+)`)? \| ([^|]+) \| ([^|]+) \|$/gm;
    const rows = [...text.matchAll(row)].map(([, resource = "", subresource, name, verbs = "", reason]) => {
      const [plural = "", ...group] = resource.split(".");
      const path = [group.join("."), plural, ...(subresource === undefined ? [] : [subresource])].join("/");
      const key = `${path}${name === undefined ? "" : `[${name}]`}`;
      return { key, verbs: [...verbs.matchAll(/`([a-z]+)`/g)].map(([, verb]) => verb), reason };
    });
    expect(Object.fromEntries(rows.map(({ key, verbs }) => [key, verbs]))).toEqual({
      ...rights("ClusterRole"),
      ...rights("Role"),
    });
    expect(new Set(rows.map(({ key }) => key)).size).toBe(rows.length);
    expect(rows.filter(({ reason = "" }) => reason.trim().length < 5)).toEqual([]);
  });

  test("belong to the operator's service account alone", () => {
    for (const kind of ["ClusterRoleBinding", "RoleBinding"]) {
      expect(only(kind).subjects).toEqual([
        { kind: "ServiceAccount", name: "northflank-operator", namespace: "northflank-operator" },
      ]);
    }
    expect(only("Deployment").spec.template.spec.serviceAccountName).toBe("northflank-operator");
  });
});

import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { flagValues } from "../../scripts/generated/chart/flag-values.ts";
import { published } from "../../scripts/published.ts";
import type { KubeObject } from "../../src/kube/types.ts";
import {
  type ChartOptions,
  chartFolder,
  containerOf,
  type Manifest,
  only,
  renderChart,
  templateChart,
  valuesFile,
} from "../support/chart.ts";

// What each value of the chart does to the objects. What is refused is in chart-refusals.test.ts.

/** Without the CRDs, which no other value touches. */
function render(values: object = {}, options: ChartOptions = {}): readonly Manifest[] {
  return renderChart({ values: { crds: { install: false }, ...values }, ...options });
}

function namesOf(objects: readonly KubeObject[]): readonly string[] {
  return objects.map(({ kind, metadata }) =>
    [kind, metadata.namespace, metadata.name].filter((part) => part !== undefined).join(" "),
  );
}

function kindsOf(objects: readonly KubeObject[]): readonly string[] {
  return [...new Set(objects.map(({ kind }) => kind))].toSorted();
}

const everything = render();

const observability = join(chartFolder, "../observability");
const plainRules = parse(readFileSync(join(observability, "rules.yaml"), "utf8"));
const plainDashboard = JSON.parse(readFileSync(join(observability, "dashboard.json"), "utf8"));
const everyKind = kindsOf(everything);

describe("flags", () => {
  const argsOf = (flags: object, args: readonly string[] = []) =>
    containerOf(render({ flags }, { args: ["--skip-schema-validation", ...args] })).args;

  test("that are not set are not passed", () => {
    expect(argsOf({})).toEqual(["run"]);
    expect(argsOf(Object.fromEntries(flagValues().map(({ name }) => [name, null])))).toEqual(["run"]);
    expect(argsOf({ logLevel: "", watchNamespaces: [] })).toEqual(["run"]);
  });

  test("are passed by their own names, each of them", () => {
    const samples = { leaderElectLeaseDuration: "60s", leaderElectRenewDeadline: "50s", leaderElectRetryPeriod: "9s" };
    const sampleOf = (name: string, placeholder: string, index: number): unknown =>
      (samples as Readonly<Record<string, string>>)[name] ??
      { URL: "https://api.northflank.com", "h[:port],...": ["api.northflank.com"], D: "2m", N: 7, BOOL: true }[
        placeholder
      ] ??
      (placeholder === "A" ? `:${9000 + index}` : placeholder.includes(",") ? ["one"] : "one");
    const given = flagValues().map(
      ({ name, flag }, index) => [name, sampleOf(name, flag.placeholder, index), flag.name] as const,
    );
    expect(argsOf(Object.fromEntries(given))).toEqual(["run", ...given.map(([, value, flag]) => `--${flag}=${value}`)]);
  });

  test.each<[string, object, string]>([
    ["a number keeps its digits", { maxRequestsPerHour: 1_000_000 }, "--max-requests-per-hour=1000000"],
    ["a zero is passed", { resyncPeriod: 0 }, "--resync-period=0"],
    ["a zero in quotes is passed", { resyncPeriod: "0" }, "--resync-period=0"],
    ["false is passed", { leaderElect: false }, "--leader-elect=false"],
    [
      "a list is joined",
      { allowedApiHosts: ["api.northflank.com", "b:8443"] },
      "--allowed-api-hosts=api.northflank.com,b:8443",
    ],
    ["a star is a star", { defaultTokenNamespaces: ["*"] }, "--default-token-namespaces=*"],
    [
      "spaces, commas and quotes stay",
      { watchLabelSelector: `a in (b, "c"),d!='e'` },
      `--watch-label-selector=a in (b, "c"),d!='e'`,
    ],
    ["what looks like YAML stays text", { kubeconfig: "{a: b} # c\\n" }, "--kubeconfig={a: b} # c\\n"],
    ["braces are not a template", { context: "{{ .Values.replicas }}" }, "--context={{ .Values.replicas }}"],
  ])("%s", (_, flags, argument) => {
    const replicas = "leaderElect" in flags ? 1 : 2;
    expect(containerOf(render({ flags, replicas })).args).toEqual(["run", argument]);
  });

  test("from --set are the same as from a file", () => {
    const args = ["--set", "flags.maxRequestsPerHour=1000000,flags.resyncPeriod=0,flags.watchNamespaces={a,b}"];
    expect(containerOf(render({}, { args })).args).toEqual([
      "run",
      "--watch-namespaces=a,b",
      "--max-requests-per-hour=1000000",
      "--resync-period=0",
    ]);
  });

  test.each<object>([
    { leaderElectLeaseDuration: "10.0001s", leaderElectRenewDeadline: "10s" },
    { leaderElectLeaseDuration: "0.5ms", leaderElectRenewDeadline: "0.4ms", leaderElectRetryPeriod: "0.3ms" },
    { resyncPeriod: "59999.9ms0.1ms" },
  ])("are not rounded before they are compared: %j", (flags) => {
    expect(argsOf(flags).length).toBe(Object.keys(flags).length + 1);
  });

  test.each([{ tag: "9.9.9" }, { digest: `sha256:${"a".repeat(64)}` }])(
    "stand before extraArgs, which may hold flags of the image %j",
    (image) => {
      const extraArgs = ["--new-flag=1", "--newer", "2"];
      const { args } = containerOf(render({ flags: { workers: 3 }, extraArgs, image }));
      expect(args).toEqual(["run", "--workers=3", ...extraArgs]);
    },
  );

  test("may be followed by an end of flags", () => {
    expect(containerOf(render({ extraArgs: ["--"] })).args).toEqual(["run", "--"]);
  });
});

describe("an installation for some namespaces", () => {
  const objects = render({}, { files: [valuesFile("namespaced")] });

  test("has no right in the whole cluster, but the same rules in each namespace", () => {
    const names = namesOf(objects).filter((name) => /Role/.test(name));
    expect(names.toSorted()).toEqual([
      "Role northflank-operator northflank-operator-leader-election",
      "Role team-a northflank-operator",
      "Role team-b northflank-operator",
      "RoleBinding northflank-operator northflank-operator-leader-election",
      "RoleBinding team-a northflank-operator",
      "RoleBinding team-b northflank-operator",
    ]);
    const { rules } = only(everything, "ClusterRole");
    const roles = objects.filter(({ kind, metadata }) => kind === "Role" && metadata.name === "northflank-operator");
    expect(roles.map((role) => role.rules)).toEqual([rules, rules]);
  });

  test("binds each Role to the operator's service account", () => {
    const bindings = objects.filter(({ kind }) => kind === "RoleBinding");
    for (const { metadata, roleRef, subjects } of bindings) {
      expect(roleRef).toEqual({ apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: metadata.name });
      expect(subjects).toEqual([
        { kind: "ServiceAccount", name: "northflank-operator", namespace: "northflank-operator" },
      ]);
    }
    expect(bindings).toHaveLength(3);
  });

  test("differs in nothing else but the flag", () => {
    const rest = (all: readonly Manifest[]) => all.filter(({ kind }) => !/Role/.test(kind));
    expect(containerOf(objects).args).toEqual(["run", "--watch-namespaces=team-a,team-b"]);
    containerOf(objects).args.pop();
    expect(rest(objects)).toEqual(rest(everything));
  });
});

describe("names", () => {
  test.each<[string, string, object, string]>([
    ["a release called like the chart", "northflank-operator", {}, "northflank-operator"],
    ["another release", "staging", {}, "staging-northflank-operator"],
    ["a release whose name holds that of the chart", "my-northflank-operator", {}, "my-northflank-operator"],
    ["nameOverride", "staging", { nameOverride: "nf" }, "staging-nf"],
    ["fullnameOverride", "staging", { fullnameOverride: "nf" }, "nf"],
    ["a long release", "a".repeat(53), {}, "a".repeat(53)],
    ["a name that looks like a number", "12", { fullnameOverride: "e1" }, "e1"],
    ["a release with dots", "a.b.c", {}, "a-b-c-northflank-operator"],
    ["a release with dots whose name holds that of the chart", "a.northflank-operator", {}, "a-northflank-operator"],
  ])("%s", (_, release, values, name) => {
    const objects = render(values, { release });
    expect(only(objects, "Deployment").metadata.name).toBe(name);
    expect(only(objects, "Service").metadata.name).toBe(`${name}-metrics`);
    const labels = { "app.kubernetes.io/instance": release };
    expect(only(objects, "Deployment").spec.selector.matchLabels).toMatchObject(labels);
  });

  test.each(["true", "on", "no", "null", "y"])("that YAML reads as something else are text: %s", (word) => {
    const monitors = { serviceMonitor: { enabled: true }, prometheusRule: { enabled: true, additionalRules: [{}] } };
    const podMonitor = { podMonitor: { enabled: true } };
    const names = { nameOverride: word, fullnameOverride: word, commonLabels: { word } };
    for (const metrics of [monitors, podMonitor]) {
      // As Helm reads it, in YAML 1.1, where on and no are booleans.
      const text = templateChart({ values: { ...names, crds: { install: false }, metrics } });
      const objects = parseAllDocuments(text, { version: "1.1" }).map((document) => document.toJS());
      expect(objects.length).toBeGreaterThan(5);
      for (const { metadata, spec } of objects) {
        expect(metadata.labels).toMatchObject({ "app.kubernetes.io/name": word, word });
        const selector = spec?.selector?.matchLabels ?? spec?.podSelector?.matchLabels;
        if (selector !== undefined) expect(selector["app.kubernetes.io/name"]).toBe(word);
        expect(typeof metadata.name).toBe("string");
      }
    }
  });

  test("of different releases in one cluster never meet", () => {
    const releases = [
      ["northflank-operator", "northflank-operator"],
      ["northflank-operator", "team-a"],
      ["northflank-operator", "team-b"],
      ["team-a", "northflank-operator"],
      ["a", "b-northflank-operator"],
      ["a-b", "northflank-operator"],
    ] as const;
    for (const watchNamespaces of [[], ["shared"]]) {
      const names = releases.flatMap(([release, namespace]) =>
        namesOf(render({ flags: { watchNamespaces, leaderElectNamespace: "leases" } }, { release, namespace })),
      );
      expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
      expect(names.length).toBe(releases.length * 9);
    }
  });

  test("the Role of the Lease is where the Lease is, and names it whatever the release is called", () => {
    const objects = render({ flags: { leaderElectNamespace: "leases" } }, { release: "staging" });
    const role = only(objects, "Role");
    expect(role.metadata).toMatchObject({
      name: "staging-northflank-operator:northflank-operator-leader-election",
      namespace: "leases",
    });
    expect(role.rules[1].resourceNames).toEqual(["northflank-operator"]);
  });

  test("labels of users do not reach what the chart selects by", () => {
    const own = { "app.kubernetes.io/name": "mine", "app.kubernetes.io/instance": "mine", team: "a" };
    const objects = render({ commonLabels: own, podLabels: own, metrics: { service: { labels: own } } });
    const { spec } = only(objects, "Deployment");
    expect(spec.template.metadata.labels).toEqual({ ...spec.selector.matchLabels, team: "a" });
    for (const { metadata } of objects) {
      expect(metadata.labels).toMatchObject({ ...spec.selector.matchLabels, team: "a" });
    }
  });
});

describe("switches", () => {
  test.each<[string, object, readonly string[]]>([
    ["rbac.create", { rbac: { create: false } }, ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]],
    ["serviceAccount.create", { serviceAccount: { create: false, name: "mine" } }, ["ServiceAccount"]],
    ["networkPolicy.enabled", { networkPolicy: { enabled: false } }, ["NetworkPolicy"]],
    ["podDisruptionBudget.enabled", { podDisruptionBudget: { enabled: false } }, ["PodDisruptionBudget"]],
    ["metrics.service.enabled", { metrics: { service: { enabled: false } } }, ["Service"]],
    ["flags.leaderElect", { replicas: 1, flags: { leaderElect: false } }, ["Role", "RoleBinding"]],
  ])("%s: false takes its objects away and no others", (_, values, kinds) => {
    expect(kindsOf(render(values))).toEqual(everyKind.filter((kind) => !kinds.includes(kind)));
  });

  test("crds: installed and kept by default, each of which can be changed", () => {
    const crds = (values: object) =>
      renderChart({ values: { crds: values } }).filter(({ kind }) => kind === "CustomResourceDefinition");
    const annotations = (values: object) =>
      new Set(crds(values).map(({ metadata }) => JSON.stringify(metadata.annotations)));
    expect(crds({})).toHaveLength(4);
    expect(annotations({})).toEqual(new Set(['{"helm.sh/resource-policy":"keep"}']));
    expect(annotations({ keep: false })).toEqual(new Set([undefined]));
    expect(annotations({ keep: false, annotations: { a: "1" } })).toEqual(new Set(['{"a":"1"}']));
    expect(annotations({ annotations: { a: "1" } })).toEqual(new Set(['{"a":"1","helm.sh/resource-policy":"keep"}']));
    expect(crds({ install: false })).toEqual([]);
  });

  test("a service account of somebody else is used and bound", () => {
    const objects = render({ serviceAccount: { create: false, name: "mine" } });
    expect(only(objects, "Deployment").spec.template.spec.serviceAccountName).toBe("mine");
    expect(only(objects, "ClusterRoleBinding").subjects).toMatchObject([{ name: "mine" }]);
  });
});

describe("ports", () => {
  function portsOf(flags: object) {
    const objects = render({ flags });
    const container = containerOf(objects);
    const [service] = objects.filter(({ kind }) => kind === "Service");
    return {
      container: Object.fromEntries(
        (container.ports ?? []).map((port: Manifest) => [port.name, port.containerPort] as const),
      ),
      probes: [container.livenessProbe?.httpGet.port, container.readinessProbe?.httpGet.port],
      service: service?.spec.ports,
      policy: only(objects, "NetworkPolicy").spec.ingress.flatMap((rule: Manifest) =>
        rule.ports.map((one: Manifest) => one.port),
      ),
    };
  }

  test("follow the bind addresses", () => {
    expect(portsOf({ metricsBindAddress: "[::]:9080", healthBindAddress: "0.0.0.0:9081" })).toEqual({
      container: { metrics: 9080, health: 9081 },
      probes: ["health", "health"],
      service: [{ name: "metrics", port: 9080, targetPort: "metrics" }],
      policy: ["metrics", "health"],
    });
  });

  test("are decimal, as the program reads them, with a zero in front too", () => {
    const { container } = portsOf({ metricsBindAddress: ":01777", healthBindAddress: ":08081" });
    expect(container).toEqual({ metrics: 1777, health: 8081 });
  });

  test.each([0, "0"])("metrics are switched off by %j, with all that leads there", (off) => {
    expect(portsOf({ metricsBindAddress: off })).toEqual({
      container: { health: 8081 },
      probes: ["health", "health"],
      service: undefined,
      policy: ["health"],
    });
  });

  test("health is switched off by 0, with the probes", () => {
    const ports = portsOf({ healthBindAddress: "0" });
    expect(ports).toMatchObject({ container: { metrics: 8080 }, probes: [undefined, undefined], policy: ["metrics"] });
  });

  test("without any port nothing comes in", () => {
    expect(portsOf({ healthBindAddress: "0", metricsBindAddress: "0" })).toMatchObject({ container: {}, policy: [] });
  });

  test("the webhook has a port, a rule and a Service once its flag is set", () => {
    const values = { flags: { webhookBindAddress: ":8082" } };
    const objects = render(values);
    expect(containerOf(objects).ports).toContainEqual({ name: "webhook", containerPort: 8082 });
    expect(only(objects, "NetworkPolicy").spec.ingress).toEqual([
      { ports: ["metrics", "health", "webhook"].map((port) => ({ port, protocol: "TCP" })) },
    ]);
    const service = objects.find(({ metadata }) => metadata.name === "northflank-operator-webhook");
    expect(service?.spec).toMatchObject({
      type: "ClusterIP",
      ports: [{ name: "webhook", port: 80, targetPort: "webhook" }],
    });
  });
});

describe("the container", () => {
  test.each<[unknown, string | undefined]>([
    ["256Mi", "192"],
    ["512Mi", "384"],
    ["1Gi", "768"],
    ["1.5Gi", "1152"],
    ["2Gi", "1536"],
    ["262144Ki", "192"],
    ["300M", "214"],
    ["1G", "715"],
    [268_435_456, "192"],
    ["268435456", "192"],
    ["1Ti", "786432"],
    [null, undefined],
  ])("with a memory limit of %j has a heap of %s MiB", (memory, heap) => {
    const [options] = containerOf(render({ resources: { limits: { memory } } })).env;
    const size = heap === undefined ? "" : `--max-old-space-size=${heap} `;
    expect(options).toEqual({ name: "NODE_OPTIONS", value: `${size}--max-semi-space-size=2 --v8-pool-size=1` });
  });

  test("takes NODE_OPTIONS of the user, also none", () => {
    expect(containerOf(render({ nodeOptions: "--trace-gc" })).env).toEqual([
      { name: "NODE_OPTIONS", value: "--trace-gc" },
    ]);
    expect(containerOf(render({ nodeOptions: "" })).env).toEqual([]);
  });

  test.each<[object, string]>([
    [{}, `registry/op:${published().version}`],
    [{ tag: "1.2.3" }, "registry/op:1.2.3"],
    [{ digest: `sha256:${"a".repeat(64)}` }, `registry/op@sha256:${"a".repeat(64)}`],
    [{ tag: "1.2.3", digest: `sha256:${"a".repeat(64)}` }, `registry/op:1.2.3@sha256:${"a".repeat(64)}`],
  ])("has the image of %j", (image, expected) => {
    expect(containerOf(render({ image: { repository: "registry/op", ...image } })).image).toBe(expected);
  });

  test("reads the operator-wide token from a file of the Secret's folder, which follows the Secret", () => {
    const objects = render({
      defaultToken: { existingSecret: { name: "nf", key: "api" } },
      flags: { defaultTokenNamespaces: ["team-a"] },
    });
    const { args, env, volumeMounts } = containerOf(objects);
    const [mount] = volumeMounts;
    expect(volumeMounts).toEqual([{ name: "default-token", mountPath: mount.mountPath, readOnly: true }]);
    expect(args).toContain(`--default-token-file=${mount.mountPath}/token`);
    expect(JSON.stringify(env)).not.toContain("nf");
    expect(only(objects, "Deployment").spec.template.spec.volumes).toEqual([
      { name: "default-token", secret: { secretName: "nf", items: [{ key: "api", path: "token" }] } },
    ]);
  });

  test("knows the proxy, whose port is open", () => {
    const objects = render({ proxy: { httpsProxy: "http://proxy.example:3128", noProxy: ["a", "b"] } });
    expect(containerOf(objects).env.slice(1)).toEqual([
      { name: "HTTPS_PROXY", value: "http://proxy.example:3128" },
      { name: "NO_PROXY", value: "a,b" },
    ]);
    expect(egressPorts(objects)).toEqual([443, 6443, 3128]);
  });

  test("takes a proxy with a password from a Secret", () => {
    expect(containerOf(render({ proxy: { existingSecret: { name: "proxy" } } })).env[1]).toEqual({
      name: "HTTPS_PROXY",
      valueFrom: { secretKeyRef: { name: "proxy", key: "httpsProxy" } },
    });
  });

  test.each<[object, readonly number[]]>([
    [{}, [443, 6443]],
    [{ flags: { apiUrl: "https://api.northflank.com" } }, [443, 6443]],
    [
      { flags: { apiUrl: "https://api.northflank.com:8443/x", allowedApiHosts: ["api.northflank.com:8443"] } },
      [443, 6443, 8443],
    ],
    [{ flags: { apiUrl: "https://api.northflank.com:0443" } }, [443, 6443]],
    [{ proxy: { httpsProxy: "http://proxy.example" } }, [443, 6443, 80]],
    [{ proxy: { httpsProxy: "http://[::1]:03128/" } }, [443, 6443, 3128]],
    [{ networkPolicy: { egressPorts: [443] } }, [443]],
  ])("of %j may connect to %j", (values, ports) => {
    expect(egressPorts(render(values))).toEqual(ports);
  });

  function egressPorts(objects: readonly Manifest[]): readonly number[] {
    return only(objects, "NetworkPolicy").spec.egress[1].ports.map(({ port }: Manifest) => port);
  }
});

describe("the pods", () => {
  test.each<[object, number]>([
    [{}, 45],
    [{ flags: { shutdownGrace: "1m30s" } }, 105],
    [{ flags: { shutdownGrace: "1500ms" } }, 17],
    [{ flags: { shutdownGrace: "1.5h" } }, 5_415],
    [{ flags: { shutdownGrace: "20s" }, terminationGracePeriodSeconds: 21 }, 21],
  ])("with %j have %d seconds to end", (values, seconds) => {
    expect(only(render(values), "Deployment").spec.template.spec.terminationGracePeriodSeconds).toBe(seconds);
  });

  test("are replaced before the next one starts where no Lease keeps two apart", () => {
    const objects = render({ replicas: 1, flags: { leaderElect: false } });
    expect(only(objects, "Deployment").spec.strategy).toEqual({ type: "Recreate" });
  });

  test("are selected by constraints that select nothing themselves", () => {
    const own = {
      topologyKey: "zone",
      maxSkew: 1,
      whenUnsatisfiable: "DoNotSchedule",
      labelSelector: { matchLabels: { a: "b" } },
    };
    const bare = { topologyKey: "host", maxSkew: 1, whenUnsatisfiable: "DoNotSchedule" };
    const { spec } = only(render({ topologySpreadConstraints: [own, bare] }), "Deployment");
    expect(spec.template.spec.topologySpreadConstraints).toEqual([own, { ...bare, labelSelector: spec.selector }]);
  });

  test("may be as many as Kubernetes takes", () => {
    const { spec } = only(render({ replicas: 2_147_483_647, revisionHistoryLimit: 2_147_483_647 }), "Deployment");
    expect([spec.replicas, spec.revisionHistoryLimit]).toEqual([2_147_483_647, 2_147_483_647]);
  });

  test("lose a default that is set to null", () => {
    const { spec } = only(
      render({ podSecurityContext: { runAsUser: null }, topologySpreadConstraints: null }),
      "Deployment",
    );
    expect(spec.template.spec.securityContext).not.toHaveProperty("runAsUser");
    expect(spec.template.spec).not.toHaveProperty("topologySpreadConstraints");
  });

  test("are let go by a budget of one at a time, with one replica too", () => {
    const { spec } = only(render({ replicas: 1 }), "PodDisruptionBudget");
    expect([spec.maxUnavailable, spec.minAvailable]).toEqual([1, undefined]);
    const kept = only(
      render({ podDisruptionBudget: { maxUnavailable: null, minAvailable: "50%" } }),
      "PodDisruptionBudget",
    );
    expect([kept.spec.maxUnavailable, kept.spec.minAvailable]).toEqual([undefined, "50%"]);
  });

  test.each([
    { replicas: 0, podDisruptionBudget: { maxUnavailable: null, minAvailable: 1 } },
    { replicas: 0, podDisruptionBudget: { maxUnavailable: null, minAvailable: "100%" } },
    { replicas: 3, podDisruptionBudget: { maxUnavailable: null, minAvailable: "66%" } },
    { podDisruptionBudget: { maxUnavailable: "1%" } },
  ])("have a budget that blocks no drain: %j", (values) => {
    expect(only(render(values), "PodDisruptionBudget").spec).toMatchObject({ selector: {} });
  });
});

describe("monitoring", () => {
  test("is not part of the default, which needs no CRDs of others", () => {
    expect(everyKind.filter((kind) => /Monitor|Rule$/.test(kind))).toEqual([]);
  });

  test.each(["serviceMonitor", "podMonitor"])("metrics.%s scrapes the port of the pods", (name) => {
    const objects = render({
      metrics: { [name]: { enabled: true, labels: { release: "prometheus" }, interval: "30s" } },
    });
    const monitor = only(objects, `${name[0]?.toUpperCase()}${name.slice(1)}`);
    expect(monitor.metadata.labels).toMatchObject({ release: "prometheus" });
    expect(monitor.spec.selector).toEqual(only(objects, "Deployment").spec.selector);
    expect(monitor.spec.endpoints ?? monitor.spec.podMetricsEndpoints).toEqual([
      { port: "metrics", path: "/metrics", honorLabels: false, interval: "30s" },
    ]);
  });

  test("metrics.prometheusRule keeps the braces of its rules", () => {
    const rule = { alert: "A", expr: "up == 0", annotations: { summary: "{{ $labels.pod }} is {{ $value }}" } };
    const objects = render({ metrics: { prometheusRule: { enabled: true, additionalRules: [rule] } } });
    const [shipped, additional, ...others] = only(objects, "PrometheusRule").spec.groups;
    expect([shipped, ...others]).toEqual(plainRules.groups);
    expect(additional).toEqual({ name: "northflank-operator-additional", rules: [rule] });
  });

  test.each(["on", "null", "1e3", "a.b_c-d"])("metrics.dashboards takes the name %s as text", (name) => {
    const dashboards = { enabled: true, additionalDashboards: { [name]: "{}" } };
    const text = templateChart({ values: { crds: { install: false }, metrics: { dashboards } } });
    expect(text).toContain(`\n  "${name}": "{}"\n`);
  });

  test("metrics.dashboards keeps the text of its dashboards", () => {
    const text = '{"title": "a\\"b", "legend": "{{ pool }}"}\n';
    const objects = render({ metrics: { dashboards: { enabled: true, additionalDashboards: { "a.json": text } } } });
    const { metadata, data } = only(objects, "ConfigMap");
    expect(metadata.labels?.grafana_dashboard).toBe("1");
    expect(data["a.json"]).toBe(text);
    expect(Object.keys(data)).toEqual(["northflank-operator.json", "a.json"]);
    expect(JSON.parse(data["northflank-operator.json"])).toEqual(plainDashboard);
  });
});

describe("a copy of the chart", () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "chart-"));
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("that has rules and dashboards of its own renders them as they are", () => {
    const chart = join(folder, "with-files");
    cpSync(chartFolder, chart, { recursive: true });
    mkdirSync(join(chart, "files/rules"), { recursive: true });
    mkdirSync(join(chart, "files/dashboards"), { recursive: true });
    const rules = "- name: quota\n  rules:\n    - {alert: A, expr: up, annotations: {summary: '{{ $value }}'}}\n";
    writeFileSync(join(chart, "files/rules/quota.yaml"), rules);
    writeFileSync(join(chart, "files/rules/runs.yaml"), rules.replace("quota", "runs"));
    writeFileSync(join(chart, "files/dashboards/main.json"), '{"legend": "{{ pool }}"}');
    const values = { metrics: { prometheusRule: { enabled: true }, dashboards: { enabled: true } } };
    const objects = render(values, { chart });
    const group = { rules: [{ alert: "A", expr: "up", annotations: { summary: "{{ $value }}" } }] };
    expect(only(objects, "PrometheusRule").spec.groups).toEqual([
      ...plainRules.groups,
      { name: "quota", ...group },
      { name: "runs", ...group },
    ]);
    const { "northflank-operator.json": _, ...own } = only(objects, "ConfigMap").data;
    expect(own).toEqual({ "main.json": '{"legend": "{{ pool }}"}' });
  });

  test("can be part of another chart, which hands it global values and switches it", () => {
    const parent = join(folder, "parent");
    mkdirSync(join(parent, "charts"), { recursive: true });
    cpSync(chartFolder, join(parent, "charts/northflank-operator"), { recursive: true });
    const dependency = { name: "northflank-operator", version: "*", condition: "northflank-operator.enabled" };
    const chart = { apiVersion: "v2", name: "parent", version: "1.0.0", dependencies: [dependency] };
    writeFileSync(join(parent, "Chart.yaml"), JSON.stringify(chart));
    const values = { global: { registry: "x" }, "northflank-operator": { enabled: true, replicas: 3 } };
    const objects = renderChart({ chart: parent, values, release: "platform" });
    expect(only(objects, "Deployment")).toMatchObject({
      metadata: { name: "platform-northflank-operator" },
      spec: { replicas: 3 },
    });
    const off = { "northflank-operator": { enabled: false } };
    expect(templateChart({ chart: parent, values: off }).trim()).toBe("");
  });
});

describe("what needs a flag", () => {
  const rows = readFileSync(join(chartFolder, "README.md"), "utf8").split("\n");
  const rowOf = (path: string) => rows.find((row) => row.startsWith(`| \`${path}\` |`));

  test.each([
    ["webhook", "It needs flags.webhookBindAddress"],
    ["webhook.service.enabled", "if flags.webhookBindAddress is set"],
  ])("%s says so in the table of values", (path, words) => {
    expect(rowOf(path)).toContain(words);
  });

  test("is not there: the values of the webhook do nothing without its flag", () => {
    const service = { enabled: true, type: "NodePort", port: 8443, labels: { a: "b" }, annotations: { c: "d" } };
    expect(render({ webhook: { service } })).toEqual(everything);
  });
});

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { flagValues } from "../../scripts/generated/chart/flag-values.ts";
import { published } from "../../scripts/published.ts";
import { createValidator } from "../../src/api/validate.ts";
import { environmentName } from "../../src/flags.ts";
import { chartFolder, notesOf, tryChart, valuesFile } from "../support/chart.ts";

// Values that Helm refuses, and what it says: the path of each wrong value, and where two do not go together what to do.

function refusal(values: object): string {
  const { status, stdout, stderr } = tryChart({ values });
  expect([status, stdout]).toEqual([1, ""]);
  return stderr;
}

/** What the templates say, one sentence or two for each problem. */
function problems(values: object): readonly string[] {
  return refusal(values)
    .split("\n")
    .flatMap((line) => (line.startsWith("- ") ? [line.slice(2)] : []));
}

describe("the schema names the path of", () => {
  test.each<[string, object, string]>([
    ["an unknown value", { replicaCount: 1 }, "at '': additional properties 'replicaCount' not allowed"],
    ["an unknown value in a group", { image: { tagg: "1" } }, "at '/image': additional properties 'tagg' not allowed"],
    ["an unknown flag", { flags: { wokers: 1 } }, "at '/flags': additional properties 'wokers' not allowed"],
    ["text for a number", { flags: { workers: "many" } }, "at '/flags/workers': got string, want null or integer"],
    ["a number out of range", { flags: { workers: 257 } }, "at '/flags/workers': maximum: got 257, want 256"],
    ["a fraction", { replicas: 1.5 }, "at '/replicas': got number, want integer"],
    [
      "a number for a duration",
      { flags: { shutdownGrace: 30 } },
      "at '/flags/shutdownGrace': got number, want null or string",
    ],
    ["a duration without a unit", { flags: { startGate: "30" } }, "at '/flags/startGate': '30' does not match pattern"],
    [
      "a port for an address",
      { flags: { metricsBindAddress: 8080 } },
      "at '/flags/metricsBindAddress': got number, want null or string",
    ],
    ["a word that is none", { flags: { logLevel: "loud" } }, "at '/flags/logLevel': value must be one of"],
    [
      "text for a list",
      { flags: { watchNamespaces: "a,b" } },
      "at '/flags/watchNamespaces': got string, want null or array",
    ],
    [
      "a namespace that cannot be",
      { flags: { watchNamespaces: ["ok", "Not_ok"] } },
      "at '/flags/watchNamespaces/1': 'Not_ok' does not match",
    ],
    [
      "a namespace twice",
      { flags: { watchNamespaces: ["a", "a"] } },
      "at '/flags/watchNamespaces': items at 0 and 1 are equal",
    ],
    [
      "a webhook address without a port",
      { flags: { webhookBindAddress: "8082" } },
      "at '/flags/webhookBindAddress': '8082' does not match",
    ],
    ["a digest that is none", { image: { digest: "latest" } }, "at '/image/digest': 'latest' does not match pattern"],
    ["a tag that is a number", { image: { tag: 1.2 } }, "at '/image/tag': got number, want string"],
    ["a label that is a number", { commonLabels: { a: 1 } }, "at '/commonLabels/a': got number, want string"],
    ["a label with a blank", { commonLabels: { a: "b c" } }, "at '/commonLabels/a': 'b c' does not match pattern"],
    [
      "a label that is too long",
      { metrics: { service: { labels: { a: "b".repeat(64) } } } },
      `at '/metrics/service/labels/a': '${"b".repeat(64)}' does not match pattern`,
    ],
    [
      "more replicas than can be",
      { replicas: 2_147_483_648 },
      "at '/replicas': maximum: got 2.147483648×10⁰⁹, want 2.147483647×10⁰⁹",
    ],
    [
      "a service account that cannot be",
      { serviceAccount: { name: "a..b" } },
      "at '/serviceAccount/name': 'a..b' does not match pattern",
    ],
    [
      "a name that is too long",
      { priorityClassName: "a".repeat(254) },
      "at '/priorityClassName': maxLength: got 254, want 253",
    ],
    [
      "a dashboard whose name is no name of a file",
      { metrics: { dashboards: { additionalDashboards: { "a: b": "{}" } } } },
      "at '/metrics/dashboards/additionalDashboards': additional properties 'a: b' not allowed",
    ],
    ["a variable without a name", { extraEnv: [{ value: "x" }] }, "at '/extraEnv/0': missing property 'name'"],
    ["text for a switch", { crds: { install: "no" } }, "at '/crds/install': got string, want boolean"],
    [
      "a budget that lets nobody go",
      { podDisruptionBudget: { maxUnavailable: 0 } },
      "at '/podDisruptionBudget/maxUnavailable': minimum: got 0, want 1",
    ],
    [
      "a quantity that is none",
      { resources: { limits: { memory: "lots" } } },
      "at '/resources/limits/memory': 'lots' does not match pattern",
    ],
    ["a value that is taken away", { replicas: null }, "at '': missing property 'replicas'"],
    ["a group that is taken away", { proxy: null }, "at '': missing property 'proxy'"],
  ])("%s", (_, values, message) => {
    expect(refusal(values)).toContain(`- ${message}`);
  });

  test("all wrong values at once", () => {
    const message = refusal({ replicas: "two", image: { tagg: "" }, flags: { workers: 0, nope: 1 } });
    for (const part of ["at '/replicas'", "at '/image'", "at '/flags/workers'", "'nope'"])
      expect(message).toContain(part);
  });
});

describe("the templates refuse", () => {
  test.each<[string, object, string]>([
    [
      "several replicas without a Lease",
      { flags: { leaderElect: false } },
      "replicas is 2 and flags.leaderElect is false: every replica would be active and start every run. Set replicas to 1, or flags.leaderElect to true.",
    ],
    [
      "an upgrade without a Lease that overlaps",
      { replicas: 1, flags: { leaderElect: false }, strategy: { type: "RollingUpdate" } },
      "strategy.type is RollingUpdate and flags.leaderElect is false: two replicas would be active during an upgrade. Set strategy.type to Recreate, or unset strategy.",
    ],
    [
      "less time to end than the program takes",
      { flags: { shutdownGrace: "1m" }, terminationGracePeriodSeconds: 60 },
      "terminationGracePeriodSeconds is 60 and flags.shutdownGrace is 1m: the kubelet would kill the operator before it has shut down. Increase terminationGracePeriodSeconds, or unset it.",
    ],
    [
      "less time to end than the program's default",
      { terminationGracePeriodSeconds: 30 },
      "terminationGracePeriodSeconds is 30 and flags.shutdownGrace is 30s: the kubelet would kill the operator before it has shut down. Increase terminationGracePeriodSeconds, or unset it.",
    ],
    [
      "a duration of nothing",
      { flags: { startGate: "0s" } },
      "flags.startGate is 0s: a duration above zero is expected, such as 5s.",
    ],
    [
      "a resync that is too often",
      { flags: { resyncPeriod: "59s" } },
      "flags.resyncPeriod is 59s: 0 or a duration of at least 60s is expected.",
    ],
    [
      "a resync that is too often by less than a millisecond",
      { flags: { resyncPeriod: "59999.9ms" } },
      "flags.resyncPeriod is 59999.9ms: 0 or a duration of at least 60s is expected.",
    ],
    [
      "two sources of a token",
      {
        defaultToken: { existingSecret: { name: "a" } },
        flags: { defaultTokenFile: "/b", defaultTokenNamespaces: ["a"] },
      },
      "defaultToken.existingSecret.name and flags.defaultTokenFile are both set: only one token can be used. Set only one of them.",
    ],
    [
      "a token that serves nobody",
      { defaultToken: { existingSecret: { name: "a" } } },
      'defaultToken.existingSecret.name is set and flags.defaultTokenNamespaces is empty: no namespace may use the token. Set flags.defaultTokenNamespaces to the namespaces, or to ["*"] for all.',
    ],
    [
      "a star among names",
      { flags: { defaultTokenNamespaces: ["a", "*"] } },
      'flags.defaultTokenNamespaces contains * and other names: * means all namespaces. Use ["*"] or only names.',
    ],
    [
      "two proxies",
      { proxy: { httpsProxy: "http://proxy.example", existingSecret: { name: "proxy" } } },
      "proxy.httpsProxy and proxy.existingSecret.name are both set: only one proxy can be used. Set only one of them.",
    ],
    [
      "a password in a value, without repeating it",
      { proxy: { httpsProxy: "http://me:hunter2@proxy.example" } },
      "proxy.httpsProxy contains credentials, which would be visible in the Deployment. Store the URL in a Secret and set proxy.existingSecret.name.",
    ],
    ...[
      "http://proxy.example/path",
      "http://proxy.example?",
      "http://proxy.example#x",
      "http://",
      "http://a:65536",
    ].map((httpsProxy): [string, object, string] => [
      `the proxy ${httpsProxy}`,
      { proxy: { httpsProxy } },
      "proxy.httpsProxy is not valid: a URL of a scheme, a host and a port is expected, such as http://proxy.example:3128.",
    ]),
    ...["https://api.northflank.com:0", "https://api.northflank.com:65536", "https://", "https://a?b", "a"].map(
      (apiUrl): [string, object, string] => [
        `the API ${apiUrl}`,
        { flags: { apiUrl } },
        "flags.apiUrl is not valid: a URL such as https://api.northflank.com is expected, without a query or a fragment.",
      ],
    ),
    [
      "a port that no machine has",
      { flags: { metricsBindAddress: ":65536" } },
      "flags.metricsBindAddress is :65536: a port of at most 65535 is expected.",
    ],
    [
      "one port for two, written with a zero in front",
      { flags: { healthBindAddress: ":08080" } },
      "flags.metricsBindAddress and flags.healthBindAddress use the same port 8080. Set different ports.",
    ],
    [
      "a port that nobody knows",
      { flags: { healthBindAddress: ":0" } },
      "flags.healthBindAddress is :0: port 0 is a random port. Set another port, or set the value to 0 to disable the listener.",
    ],
    [
      "one port for two",
      { flags: { healthBindAddress: ":8080" } },
      "flags.metricsBindAddress and flags.healthBindAddress use the same port 8080. Set different ports.",
    ],
    [
      "probes that the kubelet cannot reach",
      { flags: { healthBindAddress: "127.0.0.1:8081" } },
      "flags.healthBindAddress is 127.0.0.1:8081: the kubelet cannot reach a loopback address. Remove the host.",
    ],
    [
      "a deadline that is longer than the Lease",
      { flags: { leaderElectRenewDeadline: "15s" } },
      "flags.leaderElectRenewDeadline is 15s and flags.leaderElectLeaseDuration is 15s: the renew deadline must be shorter than the lease duration.",
    ],
    [
      "no time for a second attempt",
      { flags: { leaderElectRetryPeriod: "8.5s" } },
      "flags.leaderElectRetryPeriod is 8.5s and flags.leaderElectRenewDeadline is 10s: 1.2 times the retry period must be shorter than the renew deadline.",
    ],
    [
      "an API that may not see tokens",
      { flags: { apiUrl: "https://northflank.example:8443" } },
      "flags.apiUrl is https://northflank.example:8443 and flags.allowedApiHosts is api.northflank.com: tokens are sent only to listed hosts. Add northflank.example:8443 to flags.allowedApiHosts.",
    ],
    [
      "an API without TLS",
      { flags: { apiUrl: "http://api.northflank.com" } },
      "flags.apiUrl is http://api.northflank.com: tokens are sent only over TLS. Use an https:// URL.",
    ],
    [
      "an API with a password, without repeating it",
      { flags: { apiUrl: "https://me:hunter2@api.northflank.com" } },
      "flags.apiUrl contains credentials. Remove them; the token is read from a Secret.",
    ],
    [
      "the URL of a runbook with credentials",
      { flags: { docsUrl: "https://me:hunter2@docs.example.com" } },
      "flags.docsUrl contains credentials. Remove them.",
    ],
    [
      "the URL of a runbook with a fragment",
      { flags: { docsUrl: "https://docs.example.com/runbook#top" } },
      "flags.docsUrl is not valid: a URL such as https://docs.example.com/runbook is expected, without a query or a fragment.",
    ],
    [
      "a webhook URL with credentials",
      { flags: { webhookUrl: "https://me:hunter2@hooks.example.com" } },
      "flags.webhookUrl contains credentials. Remove them.",
    ],
    [
      "a webhook URL that Northflank cannot use",
      { flags: { webhookUrl: "http://hooks.example.com" } },
      "flags.webhookUrl is not valid: a URL such as https://hooks.example.com is expected, without a query or a fragment.",
    ],
    [
      "no service account at all",
      { serviceAccount: { create: false } },
      "serviceAccount.create is false and serviceAccount.name is empty. Set serviceAccount.name to the service account of the operator.",
    ],
    [
      "a variable that the chart sets",
      { extraEnv: [{ name: "NODE_OPTIONS", value: "--trace-gc" }] },
      "extraEnv contains NODE_OPTIONS, which is already set. Set nodeOptions instead.",
    ],
    ...[["--workers=4"], ["--workers", "4"], ["--", "--workers=4"]].map((extraArgs): [string, object, string] => [
      `the arguments ${extraArgs.join(" ")}, which have a value`,
      { extraArgs },
      "extraArgs contains --workers. Set flags.workers instead.",
    ]),
    [
      "a way around the Lease by an argument",
      { extraArgs: ["--leader-elect=false"] },
      "extraArgs contains --leader-elect. Set flags.leaderElect instead.",
    ],
    [
      "a way around the Lease by a variable",
      { extraEnv: [{ name: "NORTHFLANK_OPERATOR_LEADER_ELECT", value: "false" }] },
      "extraEnv contains NORTHFLANK_OPERATOR_LEADER_ELECT. Set flags.leaderElect instead.",
    ],
    [
      "a variable that no version has",
      { extraEnv: [{ name: "NORTHFLANK_OPERATOR_NOPE", value: "1" }] },
      "extraEnv contains NORTHFLANK_OPERATOR_NOPE, which is not a variable of this version. Remove it.",
    ],
    [
      "a flag that this version has not, without repeating its value",
      { extraArgs: ["--no-such=canary"] },
      "extraArgs contains --no-such, which is not a flag of this version. Remove it.",
    ],
    [
      "a flag in one letter, without repeating its value",
      { extraArgs: ["-tcanary"] },
      "extraArgs contains -t, which is not a flag of this version. Remove it.",
    ],
    [
      "an argument that is no flag, without repeating it",
      { extraArgs: ["canary"] },
      "extraArgs contains an argument that is neither a flag nor the value of one. Remove it.",
    ],
    [
      "a volume with the name of the token's",
      {
        defaultToken: { existingSecret: { name: "a" } },
        flags: { defaultTokenNamespaces: ["a"] },
        extraVolumes: [{ name: "default-token" }],
      },
      "extraVolumes contains a volume default-token, which defaultToken.existingSecret uses. Rename it.",
    ],
    [
      "a memory limit from which no heap follows",
      { resources: { limits: { memory: "256m" } } },
      "resources.limits.memory is 256m, from which no heap size can be derived. Use a quantity such as 256Mi or 1Gi, or set nodeOptions.",
    ],
    [
      "two kinds of budget",
      { podDisruptionBudget: { minAvailable: 1 } },
      "podDisruptionBudget.minAvailable and podDisruptionBudget.maxUnavailable are both set: they are mutually exclusive. Set one of them to null.",
    ],
    [
      "a budget without a number",
      { podDisruptionBudget: { maxUnavailable: null } },
      "podDisruptionBudget.enabled is true, and neither podDisruptionBudget.maxUnavailable nor podDisruptionBudget.minAvailable is set. Set one of them.",
    ],
    [
      "a budget that blocks every drain",
      { podDisruptionBudget: { minAvailable: 2, maxUnavailable: null } },
      "podDisruptionBudget.minAvailable is 2 and replicas is 2: no pod could be evicted, and node drains would hang. Set podDisruptionBudget.minAvailable below replicas.",
    ],
    ...(
      [
        ["100%", 2],
        ["51%", 2],
        ["50%", 1],
        [1, 1],
      ] as const
    ).map(([minAvailable, replicas]): [string, object, string] => [
      `a budget of ${minAvailable} that blocks every drain with ${replicas}`,
      { replicas, podDisruptionBudget: { minAvailable, maxUnavailable: null } },
      `podDisruptionBudget.minAvailable is ${minAvailable} and replicas is ${replicas}: no pod could be evicted, and node drains would hang. Set podDisruptionBudget.minAvailable below replicas.`,
    ]),
    [
      "a budget of no share",
      { podDisruptionBudget: { maxUnavailable: "0%" } },
      "podDisruptionBudget.maxUnavailable is 0%: no pod could be evicted, and node drains would hang. Set podDisruptionBudget.maxUnavailable to more.",
    ],
    [
      "two monitors",
      { metrics: { serviceMonitor: { enabled: true }, podMonitor: { enabled: true } } },
      "metrics.serviceMonitor.enabled and metrics.podMonitor.enabled are both true: Prometheus would scrape everything twice. Set one of them to false.",
    ],
    [
      "a monitor of nothing",
      { metrics: { podMonitor: { enabled: true } }, flags: { metricsBindAddress: 0 } },
      "metrics.podMonitor.enabled is true and flags.metricsBindAddress is 0: metrics are disabled. Unset flags.metricsBindAddress, or set metrics.podMonitor.enabled to false.",
    ],
    [
      "a ServiceMonitor without a Service",
      { metrics: { serviceMonitor: { enabled: true }, service: { enabled: false } } },
      "metrics.serviceMonitor.enabled is true and metrics.service.enabled is false: a ServiceMonitor selects the Service. Set metrics.service.enabled to true, or use metrics.podMonitor.",
    ],
  ])("%s", (_, values, sentence) => {
    expect(problems(values)).toEqual([sentence]);
  });

  test("every flag among the arguments and in the environment", () => {
    const sentences = flagValues().map(({ name, flag }) => {
      const variable = environmentName(flag.name);
      return [flag.name, variable, `. Set flags.${name} instead.`] as const;
    });
    const extraArgs = sentences.map(([flag]) => `--${flag}=1`);
    const extraEnv = sentences.map(([, name]) => ({ name, value: "1" }));
    expect(problems({ extraArgs, extraEnv, image: { tag: "9.9.9" } })).toEqual([
      ...sentences.map(([flag, , rest]) => `extraArgs contains --${flag}${rest}`),
      ...sentences.map(([, variable, rest]) => `extraEnv contains ${variable}${rest}`),
    ]);
  });

  test("every problem at once, and never a password", () => {
    const values = {
      flags: { leaderElect: false, startGate: "0s", apiUrl: "https://me:hunter2@api.northflank.com" },
      proxy: { httpsProxy: "http://me:hunter2@proxy.example" },
    };
    expect(problems(values)).toHaveLength(4);
    expect(refusal(values)).not.toContain("hunter2");
  });
});

describe("a URL that is none", () => {
  const urls = [
    "http://user:canary%ss@proxy:3128",
    "http://user:ca nary@proxy:3128",
    "http://user:canary/@proxy:3128",
    "http://user:12/canary@proxy:3128",
    "http://user:canary?@proxy:3128",
    "http://user:canary#@proxy:3128",
    "http://user:canary",
    "http://[canary@proxy:3128",
    "http://canary@[::1:3128",
    "http://user:canary\n@proxy:3128",
    "user:canary@proxy:3128",
    "ftp://user:canary@proxy",
    "://user:canary@proxy",
    "canary",
  ];

  test.each(urls)("is refused and not quoted: %j", (url) => {
    for (const values of [{ proxy: { httpsProxy: url } }, { flags: { apiUrl: url } }]) {
      const message = refusal(values);
      expect(message).toMatch(/- (proxy\.httpsProxy|flags\.apiUrl) (contains credentials|is not valid)/);
      expect(message).not.toMatch(/canary|nary/);
    }
  });
});

describe("after an installation", () => {
  test("the next three commands give the first namespace its account", () => {
    expect(notesOf()).toContain("serves all namespaces.");
    expect(commandsOf(notesOf())).toEqual([
      "kubectl create secret generic nf-token -n default --from-literal=token=YOUR_TOKEN",
      "kubectl apply -n default -f - <<'END'",
      "kubectl wait -n default --for=condition=Ready nfconn/default --timeout=60s",
    ]);
    const namespaced = notesOf({ files: [valuesFile("namespaced")] });
    expect(namespaced).toContain("serves these namespaces: team-a, team-b.");
    expect(commandsOf(namespaced).every((command) => command.includes(" -n team-a "))).toBe(true);
  });

  test("with an operator-wide token they name its Secret", () => {
    const defaultToken = { existingSecret: { name: "nf", key: "api" } };
    const values = { defaultToken, flags: { defaultTokenNamespaces: ["team-b"] } };
    expect(commandsOf(notesOf({ values }))).toEqual([
      "kubectl create secret generic nf -n northflank-operator --from-literal=api=YOUR_TOKEN",
      "kubectl apply -n team-b -f - <<'END'",
      "kubectl wait -n team-b --for=condition=Ready nfdeploy/my-service --timeout=60s",
    ]);
  });

  test.each<[string, object]>([
    ["a connection", {}],
    ["a connection in a watched namespace", { flags: { watchNamespaces: ["team-a"] } }],
    [
      "an operator-wide token",
      { defaultToken: { existingSecret: { name: "nf" } }, flags: { defaultTokenNamespaces: ["*"] } },
    ],
  ])("the commands for %s can be pasted, and their manifest is valid", (_, values) => {
    const blocks = blocksOf(notesOf({ values }));
    const inputs = blocks.flatMap((block) => {
      // A shell without kubectl, for which it is a program that prints its input.
      const script = `kubectl() { case "$*" in *"-f -"*) cat ;; esac; }\n${block}`;
      const check = spawnSync("bash", ["-n"], { input: block, encoding: "utf8" });
      const { stdout, stderr, status } = spawnSync("bash", [], { input: script, encoding: "utf8" });
      // An open heredoc is a warning of bash, not an error.
      expect([check.status, check.stderr, status, stderr]).toEqual([0, "", 0, ""]);
      return stdout === "" ? [] : [stdout];
    });
    expect(blocks).toHaveLength(3);
    expect(inputs).toHaveLength(1);
    expect(inputs.map((input) => createValidator().validateManifest(parse(input)))).toEqual([[]]);
  });

  function commandsOf(notes: string): readonly string[] {
    return blocksOf(notes).map((block) => block.split("\n", 1)[0] ?? "");
  }

  /** What is between two empty lines and begins with a command, as it is copied. */
  function blocksOf(notes: string): readonly string[] {
    return notes.split("\n\n").filter((block) => /^ *kubectl /.test(block));
  }

  test("nothing is warned of by default", () => {
    expect(notesOf()).not.toContain("Warnings");
  });

  test("where the CRDs are not installed, the command for them is one that anybody with kubectl can run", () => {
    const { files, version } = published();
    const notes = notesOf({ values: { crds: { install: false } } });
    expect(notes).toContain(`: kubectl apply --server-side -f ${files}/crds.yaml\n`);
    expect(notes).toContain("set flags.watchNamespaces or flags.watchLabelSelector in both releases");
    for (const flags of [{ watchNamespaces: ["a"] }, { watchLabelSelector: "a=b" }]) {
      expect(notesOf({ values: { crds: { install: false }, flags } })).not.toContain("in both releases");
    }
    expect(notes).toContain(`("npx northflank-operator@${version} crds" prints them)`);
    expect(readFileSync(join(chartFolder, "README.md"), "utf8")).toContain(
      `\nkubectl apply --server-side -f ${files}/crds.yaml\n`,
    );
  });

  test.each<[object, string]>([
    [{ replicas: 0 }, "replicas is 0"],
    [{ replicas: 1, flags: { leaderElect: false } }, "flags.leaderElect is false"],
    [{ crds: { keep: false } }, "crds.keep is false"],
    [{ crds: { install: false } }, "crds.install is false"],
    [{ rbac: { create: false } }, "rbac.create is false"],
    [{ flags: { defaultTokenFile: "/t", defaultTokenNamespaces: ["*"] } }, "flags.defaultTokenNamespaces is *"],
    [{ flags: { defaultTokenFile: "/t" } }, "flags.defaultTokenFile is set and flags.defaultTokenNamespaces is empty"],
    [{ proxy: { existingSecret: { name: "proxy" } } }, "add the port of the proxy to networkPolicy.egressPorts"],
    [{ flags: { healthBindAddress: "0" } }, "flags.healthBindAddress is 0"],
  ])("%j is warned of", (values, warning) => {
    const [, warnings = ""] = notesOf({ values }).split("\nWarnings:\n");
    expect(warnings).toContain(warning);
    expect(warnings.match(/^- /gm)).toHaveLength(1);
  });
});

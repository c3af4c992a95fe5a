import { describe, expect, test } from "vitest";
import { type Config, describeFlags, parseConfig } from "../src/config.ts";

function config(args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Config {
  const result = parseConfig({ args, env });
  if (result.kind !== "config") throw new Error(`not a configuration: ${JSON.stringify(result)}`);
  return result.config;
}

function problems(args: readonly string[], env: Readonly<Record<string, string>> = {}): readonly string[] {
  const result = parseConfig({ args, env });
  if (result.kind !== "problems") throw new Error(`accepted: ${JSON.stringify(result)}`);
  return result.problems.map(({ name, expectation }) => `${name}: ${expectation}`);
}

test("without flags the documented defaults hold", () => {
  expect(config()).toMatchObject({
    kubeconfig: undefined,
    watchNamespaces: [],
    allowedApiHosts: ["api.northflank.com"],
    defaultTokenNamespaces: [],
    maxRequestsPerHour: 900,
    observeShare: 0.2,
    requestTimeoutMs: 30_000,
    workers: 8,
    resyncPeriodMs: 900_000,
    runPollIntervalMs: 10_000,
    rolloutPollIntervalMs: 10_000,
    startSettleMs: 30_000,
    startGateMs: 5_000,
    leaderElect: true,
    leaderElectLeaseDurationMs: 15_000,
    leaderElectRenewDeadlineMs: 10_000,
    leaderElectRetryPeriodMs: 2_000,
    metricsBindAddress: { host: undefined, port: 8080 },
    healthBindAddress: { host: undefined, port: 8081 },
    docsUrl: undefined,
    statusPage: false,
    shutdownGraceMs: 30_000,
    logLevel: "info",
    logFormat: undefined,
  });
  expect(config().apiUrl.href).toBe("https://api.northflank.com/");
});

test("the configuration cannot be changed afterwards", () => {
  expect(Object.isFrozen(config())).toBe(true);
});

describe("where a value comes from", () => {
  test("a flag wins over its variable, which wins over the default", () => {
    const env = { NORTHFLANK_OPERATOR_WORKERS: "3" };
    expect(config([], env).workers).toBe(3);
    expect(config(["--workers", "5"], env).workers).toBe(5);
    expect(config(["--workers=6"], env).workers).toBe(6);
  });

  test("an empty variable counts as unset", () => {
    expect(config([], { NORTHFLANK_OPERATOR_WORKERS: "" }).workers).toBe(8);
  });

  test("KUBECONFIG is read when neither flag nor variable names one", () => {
    expect(config([], { KUBECONFIG: "/a" }).kubeconfig).toBe("/a");
    expect(config(["--kubeconfig", "/b"], { KUBECONFIG: "/a" }).kubeconfig).toBe("/b");
  });

  test("variables that Kubernetes sets for a Service of our name are ignored", () => {
    expect(
      config([], { NORTHFLANK_OPERATOR_SERVICE_HOST: "10.0.0.7", NORTHFLANK_OPERATOR_PORT: "tcp://x" }).workers,
    ).toBe(8);
  });
});

describe("values", () => {
  test.each([
    [":8080", { host: undefined, port: 8080 }],
    ["127.0.0.1:0", { host: "127.0.0.1", port: 0 }],
    ["[::1]:9000", { host: "::1", port: 9000 }],
    ["0", undefined],
  ])("the bind address %s is understood", (value, want) => {
    expect(config(["--metrics-bind-address", value]).metricsBindAddress).toEqual(want);
  });

  test("lists are split at commas and may be spaced", () => {
    expect(config(["--watch-namespaces", "a, b,"]).watchNamespaces).toEqual(["a", "b"]);
    expect(config(["--default-token-namespaces", "*"]).defaultTokenNamespaces).toBe("*");
  });

  test("resync is 0 or at least 60 s", () => {
    expect(config(["--resync-period", "0"]).resyncPeriodMs).toBe(0);
    expect(config(["--resync-period", "60s"]).resyncPeriodMs).toBe(60_000);
    expect(problems(["--resync-period", "59s"])).toHaveLength(1);
  });

  test("the share of checks for drift is given in percent", () => {
    expect(config(["--observe-share", "1"]).observeShare).toBe(0.01);
    expect(config(["--observe-share", "70"]).observeShare).toBe(0.7);
  });

  test.each([
    ["--workers", "0"],
    ["--workers", "257"],
    ["--workers", "8.5"],
    ["--observe-share", "0"],
    ["--observe-share", "71"],
    ["--observe-share", "20%"],
    ["--leader-elect", "yes"],
    ["--request-timeout", "30"],
    ["--request-timeout", "0s"],
    ["--api-url", "api.northflank.com"],
    ["--api-url", "http://api.northflank.com"],
    ["--api-url", "https://user:pass@api.northflank.com"],
    ["--api-url", "https://api.northflank.com/?x=1"],
    ["--metrics-bind-address", "8080"],
    ["--metrics-bind-address", ":65536"],
    ["--webhook-bind-address", "9443"],
    ["--webhook-url", "http://hooks.example.com"],
    ["--webhook-url", "https://hooks.example.com/?a"],
    ["--webhook-url", `https://hooks.example.com/${"a".repeat(1_000)}`],
    ["--docs-url", "docs/runbook.md"],
    ["--docs-url", "https://docs.example.com/runbook#top"],
    ["--docs-url", `https://docs.example.com/${"a".repeat(256)}`],
    ["--watch-namespaces", "Team A"],
    ["--watch-namespaces", ","],
    ["--default-team-id", "a/b"],
    ["--allowed-api-hosts", "https://api.northflank.com"],
    ["--log-level", "verbose"],
  ])("%s %s is refused by name", (name, value) => {
    expect(problems([name, value])[0]).toMatch(new RegExp(`^${name}: .+expected`));
  });
});

describe("all problems are reported together", () => {
  test("of flags and of variables, each under its own name", () => {
    const found = problems(["--workers", "none", "--nonsense", "1", "stray"], {
      NORTHFLANK_OPERATOR_START_GATE: "soon",
    });
    expect(found.map((line) => line.split(":")[0])).toEqual([
      "--nonsense",
      "the argument after --nonsense",
      "stray",
      "--workers",
      "NORTHFLANK_OPERATOR_START_GATE",
    ]);
  });

  test("a flag without its value, and a flag given twice", () => {
    expect(problems(["--workers", "--log-level", "debug"])[0]).toBe("--workers: a value is expected");
    expect(problems(["--workers", "1", "--workers", "2"])).toEqual(["--workers: the flag is set twice"]);
  });
});

describe("settings that depend on each other", () => {
  test("the API host must be on the allow-list, port included", () => {
    expect(problems(["--api-url", "https://api.example.com"])).toHaveLength(1);
    expect(config(["--api-url", "https://api.example.com", "--allowed-api-hosts", "api.example.com"]).apiUrl.host).toBe(
      "api.example.com",
    );
    expect(problems(["--api-url", "http://127.0.0.1:8000", "--allowed-api-hosts", "127.0.0.1"])).toHaveLength(1);
    expect(config(["--api-url", "http://127.0.0.1:8000", "--allowed-api-hosts", "127.0.0.1:8000"]).apiUrl.port).toBe(
      "8000",
    );
  });

  test("lease duration > renew deadline > retry period, with room for one retry", () => {
    expect(problems(["--leader-elect-renew-deadline", "15s"])).toHaveLength(1);
    expect(problems(["--leader-elect-retry-period", "9s"])).toHaveLength(1);
    expect(config(["--leader-elect-retry-period", "8s"]).leaderElectRetryPeriodMs).toBe(8_000);
  });

  test("a certificate and its key are set together", () => {
    const [cert, key] = ["--webhook-tls-cert-file", "--webhook-tls-key-file"];
    expect(problems([cert, "tls.crt"])).toEqual([`${key}: must be set together with ${cert}`]);
    expect(problems([key, "tls.key"])).toEqual([`${cert}: must be set together with ${key}`]);
    expect(config([cert, "tls.crt", key, "tls.key"])).toMatchObject({
      webhookBindAddress: undefined,
      webhookTlsCertFile: "tls.crt",
      webhookTlsKeyFile: "tls.key",
    });
    expect(config(["--webhook-url", "https://hooks.example.com/nf/"]).webhookUrl).toBe("https://hooks.example.com/nf");
    expect(config(["--docs-url", "https://docs.example.com/runbook/"]).docsUrl).toBe(
      "https://docs.example.com/runbook",
    );
    expect(config(["--webhook-bind-address", ":9443"]).webhookBindAddress).toEqual({ host: undefined, port: 9_443 });
  });
});

test("help is asked for with --help or -h and names every flag", () => {
  expect(parseConfig({ args: ["-h"], env: {} }).kind).toBe("help");
  expect(parseConfig({ args: ["--workers", "x", "--help"], env: {} }).kind).toBe("help");
  expect(describeFlags()).toContain("--max-requests-per-hour N");
});

describe("the proxy", () => {
  test.each([
    ["HTTPS_PROXY", { HTTPS_PROXY: "http://a:1", https_proxy: "http://b:2" }, "http://a:1"],
    ["https_proxy where there are no capitals", { https_proxy: "http://b:2" }, "http://b:2"],
    ["https_proxy where the capitals are empty", { HTTPS_PROXY: "", https_proxy: "http://b:2" }, "http://b:2"],
    ["nothing of HTTP_PROXY", { HTTP_PROXY: "http://a:1" }, undefined],
  ])("comes from %s", (_, env, url) => {
    const result = parseConfig({ args: [], env });
    expect(result.kind === "config" ? result.config.proxy?.url : result).toBe(url);
  });

  test("that is none is a problem which does not quote it", () => {
    const result = parseConfig({ args: ["--workers=0"], env: { HTTPS_PROXY: "ftp://user:canary@proxy" } });
    expect(result).toMatchObject({ kind: "problems", problems: [{ name: "--workers" }, { name: "HTTPS_PROXY" }] });
    expect(JSON.stringify(result)).not.toContain("canary");
  });
});

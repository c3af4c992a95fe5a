import {
  apiUrl,
  boolean,
  type ConfigProblem,
  clusterFlags,
  describe,
  type Flag,
  flag,
  hostProblem,
  hosts,
  integer,
  list,
  oneOf,
  positiveDuration,
  publicUrl,
  Refusal,
  readSettings,
  type Settings,
  switchFlag,
  teamId,
  text,
} from "./flags.ts";
import { parseApiUrl } from "./northflank/api-origin.ts";
import { defaultObserveShare } from "./northflank/ledger-shares.ts";
import { type ProxySettings, parseProxy } from "./northflank/proxy.ts";
import { parseDurationMs } from "./util/duration.ts";

/** Where a listener listens; `undefined` in {@link Config} means that it is switched off. */
export interface BindAddress {
  /** Host or IP; `undefined` = all addresses. */
  readonly host: string | undefined;
  /** 0 picks a free port. */
  readonly port: number;
}

/** The settings of `northflank-operator run`, parsed and checked. Durations are milliseconds. */
export interface Config {
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  /** Empty: all namespaces. */
  readonly watchNamespaces: readonly string[];
  readonly watchLabelSelector: string | undefined;
  readonly apiUrl: URL;
  /** `host` or `host:port`, in lower case. The only hosts that ever see a token. */
  readonly allowedApiHosts: readonly string[];
  readonly defaultTokenFile: string | undefined;
  readonly defaultTeamId: string | undefined;
  /** From `HTTPS_PROXY` and `NO_PROXY`: the way to Northflank. Kubernetes has its own, in the kubeconfig. */
  readonly proxy: ProxySettings | undefined;
  /** Namespaces that the operator-wide token serves; `"*"` = all of them. */
  readonly defaultTokenNamespaces: readonly string[] | "*";
  readonly maxRequestsPerHour: number;
  /** The part of an account's requests that checks for drift may spend, from 0 to 1. */
  readonly observeShare: number;
  readonly requestTimeoutMs: number;
  readonly workers: number;
  /** 0: never. */
  readonly resyncPeriodMs: number;
  readonly runPollIntervalMs: number;
  readonly rolloutPollIntervalMs: number;
  readonly startSettleMs: number;
  readonly startGateMs: number;
  readonly leaderElect: boolean;
  readonly leaderElectNamespace: string | undefined;
  readonly leaderElectLeaseDurationMs: number;
  readonly leaderElectRenewDeadlineMs: number;
  readonly leaderElectRetryPeriodMs: number;
  readonly metricsBindAddress: BindAddress | undefined;
  readonly healthBindAddress: BindAddress | undefined;
  readonly webhookBindAddress: BindAddress | undefined;
  /** Where Northflank reaches the receiver, without a slash at the end. */
  readonly webhookUrl: string | undefined;
  /** Both or neither. */
  readonly webhookTlsCertFile: string | undefined;
  readonly webhookTlsKeyFile: string | undefined;
  /** The page with a section for each reason, without a slash at its end. */
  readonly docsUrl: string | undefined;
  /** Whether the health port serves the status page. */
  readonly statusPage: boolean;
  readonly shutdownGraceMs: number;
  readonly logLevel: LogLevel;
  /** `undefined`: pretty on a terminal, else json. */
  readonly logFormat: "json" | "pretty" | undefined;
}

export const logLevels = ["trace", "debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

/** What reading the configuration came to: the settings, a wish for help, or everything that is wrong. */
export type ConfigResult =
  | { readonly kind: "config"; readonly config: Config }
  | { readonly kind: "help" }
  | { readonly kind: "problems"; readonly problems: readonly ConfigProblem[] };

/**
 * Reads the settings from flags and environment. A flag wins over its variable (`--api-url` over
 * `NORTHFLANK_OPERATOR_API_URL`), which wins over the default.
 *
 * *Guarantees*: the result is frozen; all problems are reported together; no value of a secret is ever part of one
 * (tokens are not given by flag). Variables that begin like ours but name no flag are ignored, because Kubernetes sets
 * such variables for a Service called `northflank-operator`.
 */
export function parseConfig(options: {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}): ConfigResult {
  const settings = readSettings({ command: "run", flags: Object.values(flags), ...options });
  if (settings.kind === "help") return settings;
  const proxy = readProxy(options.env);
  const config: Config = { ...assemble(settings.of), proxy: proxy.kind === "proxy" ? proxy.proxy : undefined };
  const problems = [
    ...settings.problems,
    ...crossChecks(config, settings.nameOf),
    ...(proxy.kind === "problem" ? [proxy.problem] : []),
  ];
  if (problems.length > 0) return { kind: "problems", problems };
  return { kind: "config", config: Object.freeze(config) };
}

/** The flags of `run`, for the reference. */
export function flagsOfRun(): readonly Flag<unknown>[] {
  return Object.values(flags);
}

/**
 * Reads the variables that all programs read, in capitals or small letters (capitals win). No flag, because the address
 * may hold a password and arguments are visible to every user of the machine; for the same reason no problem quotes it.
 */
export function readProxy(
  env: Readonly<Record<string, string | undefined>>,
):
  | { readonly kind: "proxy"; readonly proxy: ProxySettings }
  | { readonly kind: "none" }
  | { readonly kind: "problem"; readonly problem: ConfigProblem } {
  const name = env.HTTPS_PROXY === undefined || env.HTTPS_PROXY === "" ? "https_proxy" : "HTTPS_PROXY";
  const parsed = parseProxy(env[name], env.NO_PROXY ?? env.no_proxy);
  if (parsed.kind !== "problem") return parsed;
  const expectation = `an address such as http://proxy.example:3128 is expected, but ${parsed.problem}`;
  return { kind: "problem", problem: { name, value: undefined, expectation } };
}

/** The flags with their defaults and meanings, as text for `run --help`. */
export function describeFlags(): string {
  return describe(Object.values(flags));
}

const resyncPeriod = (text: string): number | Refusal => {
  const durationMs = parseDurationMs(text);
  return durationMs === 0 || (durationMs !== undefined && durationMs >= 60_000)
    ? durationMs
    : new Refusal("0 (never) or a duration of at least 60s is expected");
};

const namespaceName = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

const namespaces = (value: string): readonly string[] | Refusal => {
  const names = list(value);
  // A list of nothing would mean all of them.
  if (names.length === 0 && value !== "") return new Refusal("names of namespaces are expected, there is none");
  const wrong = names.find((name) => !namespaceName.test(name));
  return wrong === undefined
    ? names
    : new Refusal(`names of namespaces are expected, ${JSON.stringify(wrong)} is none`);
};

const namespacesOrAll = (value: string): readonly string[] | "*" | Refusal =>
  value.trim() === "*" ? "*" : namespaces(value);

const bindAddress = (value: string): BindAddress | undefined | Refusal => {
  if (value === "0") return undefined;
  const [, bracketed, bare, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(value) ?? [];
  if (port === undefined || Number(port) > 65_535) {
    return new Refusal("host:port or :port is expected, or 0 to switch it off");
  }
  const host = bracketed ?? bare;
  return { host: host === "" ? undefined : host, port: Number(port) };
};

// The order is that of `run --help`. Names and defaults are a contract with users.
/** It is a part of a message, with a fragment behind it. */
const docsPage = (value: string): string | Refusal => {
  const parsed = parseApiUrl(value);
  if (value.length > 256) return new Refusal(`at most 256 characters are expected, there are ${value.length}`);
  return parsed.kind === "valid"
    ? `${parsed.origin}${parsed.basePath}`
    : new Refusal(`a URL such as https://docs.example.com/runbook is expected, but ${parsed.problem}`);
};

const flags = {
  ...clusterFlags,
  watchNamespaces: flag("watch-namespaces", "a,b", "", namespaces, "namespaces to watch; by default all"),
  watchLabelSelector: flag(
    "watch-label-selector",
    "S",
    undefined,
    text,
    "watch only objects that match this label selector",
  ),
  apiUrl: flag(
    "api-url",
    "URL",
    "https://api.northflank.com",
    apiUrl,
    "Northflank API URL for connections that do not set spec.apiURL",
  ),
  allowedApiHosts: flag(
    "allowed-api-hosts",
    "h[:port],...",
    "api.northflank.com",
    hosts,
    "hosts that tokens may be sent to",
  ),
  defaultTokenFile: flag("default-token-file", "PATH", undefined, text, "file with the operator-wide API token"),
  defaultTeamId: flag("default-team-id", "ID", undefined, teamId, "team ID that is used with the operator-wide token"),
  defaultTokenNamespaces: flag(
    "default-token-namespaces",
    "a,b|*",
    "",
    namespacesOrAll,
    "namespaces that may use the operator-wide token, * for all; by default none",
  ),
  maxRequestsPerHour: flag(
    "max-requests-per-hour",
    "N",
    "900",
    integer(3, 1_000_000_000),
    "maximum requests per hour for connections that do not set spec.budget.maxRequestsPerHour",
  ),
  observeShare: flag(
    "observe-share",
    "N",
    String(100 * defaultObserveShare),
    // More is not there: 20 % is reserved for changes, and the last 10 % of an hour are for changes and runs.
    integer(1, 70),
    "percent of an account's requests that checks for drift may spend; raise it to check many objects more often",
  ),
  requestTimeout: flag("request-timeout", "D", "30s", positiveDuration, "timeout of one call to Northflank"),
  workers: flag(
    "workers",
    "N",
    "8",
    integer(1, 256),
    "maximum concurrent reconciles per kind; 24 times as many (at least 192) may wait for Northflank",
  ),
  resyncPeriod: flag(
    "resync-period",
    "D",
    "15m",
    resyncPeriod,
    "wanted period of drift checks; longer where --observe-share does not suffice for all objects; 0 disables them",
  ),
  runPollInterval: flag(
    "run-poll-interval",
    "D",
    "10s",
    positiveDuration,
    "shortest polling interval of active runs; most polls follow how long earlier runs of the job took",
  ),
  rolloutPollInterval: flag(
    "rollout-poll-interval",
    "D",
    "10s",
    positiveDuration,
    "shortest polling interval of rollouts and builds; most polls of a rollout follow how long earlier ones took",
  ),
  startSettle: flag(
    "start-settle",
    "D",
    "30s",
    positiveDuration,
    "how long to wait before searching for a run whose start request got no response",
  ),
  startGate: flag(
    "start-gate",
    "D",
    "5s",
    positiveDuration,
    "maximum time between listing the runs of a job and sending a start request",
  ),
  leaderElect: flag(
    "leader-elect",
    "BOOL",
    "true",
    boolean,
    "enable leader election, so that only one replica is active",
  ),
  leaderElectNamespace: flag(
    "leader-elect-namespace",
    "NS",
    undefined,
    text,
    "namespace of the Lease; by default the operator's own",
  ),
  leaderElectLeaseDuration: flag(
    "leader-elect-lease-duration",
    "D",
    "15s",
    positiveDuration,
    "how long standby replicas wait before they take over a Lease that is not renewed",
  ),
  leaderElectRenewDeadline: flag(
    "leader-elect-renew-deadline",
    "D",
    "10s",
    positiveDuration,
    "how long the leader tries to renew the Lease before it gives up leadership",
  ),
  leaderElectRetryPeriod: flag(
    "leader-elect-retry-period",
    "D",
    "2s",
    positiveDuration,
    "interval between attempts to acquire or renew the Lease",
  ),
  metricsBindAddress: flag("metrics-bind-address", "A", ":8080", bindAddress, "address of /metrics; 0 disables it"),
  healthBindAddress: flag(
    "health-bind-address",
    "A",
    ":8081",
    bindAddress,
    "address of /healthz and /readyz; 0 disables them",
  ),
  webhookBindAddress: flag(
    "webhook-bind-address",
    "A",
    "0",
    bindAddress,
    "address that receives Northflank's notifications, for connections with spec.notifications; 0 disables it",
  ),
  webhookUrl: flag(
    "webhook-url",
    "URL",
    undefined,
    publicUrl,
    "public URL of the webhook receiver, for connections with spec.notifications.register; set it to the URL of the " +
      "Ingress or Gateway, without /northflank",
  ),
  webhookTlsCertFile: flag(
    "webhook-tls-cert-file",
    "PATH",
    undefined,
    text,
    "PEM certificate of the webhook receiver, with its chain; by default the receiver has no TLS",
  ),
  webhookTlsKeyFile: flag("webhook-tls-key-file", "PATH", undefined, text, "PEM key of that certificate"),
  statusPage: switchFlag(
    "status-page",
    "serve a status page at / of --health-bind-address: quota, what waits, what is Stalled, with names of objects",
  ),
  docsUrl: flag(
    "docs-url",
    "URL",
    undefined,
    docsPage,
    "URL of the runbook (docs/runbook.md): messages of Stalled end with the address of their reason there; by default they do not",
  ),
  shutdownGrace: flag("shutdown-grace", "D", "30s", positiveDuration, "time to finish active reconciles after SIGTERM"),
  logLevel: flag("log-level", "L", "info", oneOf(...logLevels), `minimum level of log lines: ${logLevels.join("|")}`),
  logFormat: flag(
    "log-format",
    "F",
    undefined,
    oneOf("json", "pretty"),
    "json|pretty; by default pretty on a terminal, else json",
  ),
} as const;

type Read = Settings & { readonly kind: "settings" };

/** What was refused is `undefined` here, and then the configuration is not handed out. */
function assemble(of: Read["of"]): Omit<Config, "proxy"> {
  return {
    kubeconfig: of(flags.kubeconfig),
    context: of(flags.context),
    watchNamespaces: of(flags.watchNamespaces),
    watchLabelSelector: of(flags.watchLabelSelector),
    apiUrl: of(flags.apiUrl),
    allowedApiHosts: of(flags.allowedApiHosts),
    defaultTokenFile: of(flags.defaultTokenFile),
    defaultTeamId: of(flags.defaultTeamId),
    defaultTokenNamespaces: of(flags.defaultTokenNamespaces),
    maxRequestsPerHour: of(flags.maxRequestsPerHour),
    observeShare: of(flags.observeShare) / 100,
    requestTimeoutMs: of(flags.requestTimeout),
    workers: of(flags.workers),
    resyncPeriodMs: of(flags.resyncPeriod),
    runPollIntervalMs: of(flags.runPollInterval),
    rolloutPollIntervalMs: of(flags.rolloutPollInterval),
    startSettleMs: of(flags.startSettle),
    startGateMs: of(flags.startGate),
    leaderElect: of(flags.leaderElect),
    leaderElectNamespace: of(flags.leaderElectNamespace),
    leaderElectLeaseDurationMs: of(flags.leaderElectLeaseDuration),
    leaderElectRenewDeadlineMs: of(flags.leaderElectRenewDeadline),
    leaderElectRetryPeriodMs: of(flags.leaderElectRetryPeriod),
    metricsBindAddress: of(flags.metricsBindAddress),
    healthBindAddress: of(flags.healthBindAddress),
    webhookBindAddress: of(flags.webhookBindAddress),
    webhookUrl: of(flags.webhookUrl),
    webhookTlsCertFile: of(flags.webhookTlsCertFile),
    webhookTlsKeyFile: of(flags.webhookTlsKeyFile),
    docsUrl: of(flags.docsUrl),
    statusPage: of(flags.statusPage),
    shutdownGraceMs: of(flags.shutdownGrace),
    logLevel: of(flags.logLevel),
    logFormat: of(flags.logFormat),
  };
}

/** Rules between settings. A setting that was refused by itself is `undefined` here and is not complained about twice. */
function crossChecks(config: Config, nameOf: Read["nameOf"]): readonly ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const host = hostProblem(nameOf(flags.apiUrl), config.apiUrl, config.allowedApiHosts);
  if (host !== undefined) problems.push(host);
  if (config.leaderElectRenewDeadlineMs >= config.leaderElectLeaseDurationMs) {
    const expectation = "must be below --leader-elect-lease-duration";
    problems.push({ name: nameOf(flags.leaderElectRenewDeadline), value: undefined, expectation });
  }
  if (config.leaderElectRetryPeriodMs * 1.2 >= config.leaderElectRenewDeadlineMs) {
    const expectation = "1.2 times this must be below --leader-elect-renew-deadline, so that one retry fits";
    problems.push({ name: nameOf(flags.leaderElectRetryPeriod), value: undefined, expectation });
  }
  const pair = [
    [flags.webhookTlsCertFile, config.webhookTlsCertFile],
    [flags.webhookTlsKeyFile, config.webhookTlsKeyFile],
  ] as const;
  for (const [own, other] of [pair, pair.toReversed()]) {
    if (own?.[1] === undefined || other?.[1] !== undefined || other === undefined) continue;
    const expectation = `must be set together with ${nameOf(own[0])}`;
    problems.push({ name: nameOf(other[0]), value: undefined, expectation });
  }
  return problems;
}

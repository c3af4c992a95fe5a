import { readFile } from "node:fs/promises";
import { readProxy } from "../config.ts";
import {
  apiUrl,
  type ConfigProblem,
  flag,
  hostProblem,
  hosts,
  integer,
  positiveDuration,
  type Settings,
  teamId,
  text,
} from "../flags.ts";
import type { ProxySettings } from "../northflank/proxy.ts";
import { parseToken, type SecretValue } from "../util/secret-value.ts";
import { tokenShapeProblem } from "../util/token-shape.ts";

/** How a tool without a cluster reaches Northflank. */
export interface RemoteSettings {
  readonly token: SecretValue;
  readonly teamId: string | undefined;
  readonly apiUrl: URL;
  readonly allowedApiHosts: readonly string[];
  readonly maxRequestsPerHour: number;
  readonly requestTimeoutMs: number;
  readonly quotaWaitMs: number;
  /** From `HTTPS_PROXY` and `NO_PROXY`. Default: none. */
  readonly proxy?: ProxySettings | undefined;
}

/** The address that goes without saying. */
export const defaultApiUrl = "https://api.northflank.com";

const tokenVariable = "NORTHFLANK_API_TOKEN";

/** The flags that all such tools share, in the order of their help. */
export const remoteFlags = {
  tokenFile: flag(
    "token-file",
    "PATH",
    undefined,
    text,
    `file with the API token; by default it is read from ${tokenVariable}`,
  ),
  teamId: flag("team-id", "ID", undefined, teamId, "team ID; required if the token belongs to an organization"),
  apiUrl: flag("api-url", "URL", defaultApiUrl, apiUrl, "Northflank API URL"),
  allowedApiHosts: flag(
    "allowed-api-hosts",
    "h[:port],...",
    "api.northflank.com",
    hosts,
    "hosts that the token may be sent to",
  ),
  maxRequestsPerHour: flag("max-requests-per-hour", "N", "900", integer(1, 1_000_000_000), "maximum requests per hour"),
  requestTimeout: flag("request-timeout", "D", "30s", positiveDuration, "timeout of one call to Northflank"),
  quotaWait: flag("quota-wait", "D", "1m", positiveDuration, "how long to wait in total for quota before giving up"),
} as const;

/** Text about the token and the variables, for the help. */
export const remoteHelp = `Each flag can be set by an environment variable: --api-url by NORTHFLANK_OPERATOR_API_URL. A flag takes precedence. The
token is read from --token-file or ${tokenVariable}, never from an argument.`;

export type RemoteResult =
  | { readonly kind: "settings"; readonly settings: RemoteSettings }
  | { readonly kind: "problems"; readonly problems: readonly ConfigProblem[] };

/** The shared settings, with the token read; or everything that is wrong with them. No problem ever quotes a token. */
export async function readRemoteSettings(
  settings: Settings & { readonly kind: "settings" },
  env: Readonly<Record<string, string | undefined>>,
): Promise<RemoteResult> {
  const { of, nameOf } = settings;
  const url = of(remoteFlags.apiUrl);
  const allowedApiHosts = of(remoteFlags.allowedApiHosts);
  const host = hostProblem(nameOf(remoteFlags.apiUrl), url, allowedApiHosts);
  const read = await readToken(of(remoteFlags.tokenFile), env[tokenVariable], nameOf(remoteFlags.tokenFile));
  const proxy = readProxy(env);
  const problems = [
    ...(host === undefined ? [] : [host]),
    ...[read, proxy].flatMap((result) => (result.kind === "problem" ? [result.problem] : [])),
  ];
  if (problems.length > 0 || read.kind === "problem") return { kind: "problems", problems };
  return {
    kind: "settings",
    settings: {
      token: read.token,
      teamId: of(remoteFlags.teamId),
      apiUrl: url,
      allowedApiHosts,
      maxRequestsPerHour: of(remoteFlags.maxRequestsPerHour),
      requestTimeoutMs: of(remoteFlags.requestTimeout),
      quotaWaitMs: of(remoteFlags.quotaWait),
      proxy: proxy.kind === "proxy" ? proxy.proxy : undefined,
    },
  };
}

type TokenResult =
  | { readonly kind: "token"; readonly token: SecretValue }
  | { readonly kind: "problem"; readonly problem: ConfigProblem };

async function readToken(
  path: string | undefined,
  fromEnvironment: string | undefined,
  flagName: string,
): Promise<TokenResult> {
  const name = path === undefined ? tokenVariable : flagName;
  const refuse = (expectation: string, value?: string): TokenResult => ({
    kind: "problem",
    problem: { name, value, expectation },
  });
  const found = path === undefined ? fromEnvironment : await readFile(path, "utf8").catch(() => undefined);
  if (found === undefined || found === "") {
    if (path !== undefined) return refuse("the path of a file with a token is expected, this one cannot be read", path);
    return refuse("an API token is expected, here or in the file of --token-file");
  }
  const shape = tokenShapeProblem(found);
  if (shape !== undefined) return refuse(`a token is expected, but ${shape}`);
  const parsed = parseToken(found, { trimNewline: true });
  return parsed.kind === "token" ? parsed : refuse(`a token is expected, but ${parsed.problem}`);
}

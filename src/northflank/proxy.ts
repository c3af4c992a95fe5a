// pure
import { isLoopback } from "../util/loopback.ts";
import { SecretValue } from "../util/secret-value.ts";

/** The proxy through which the API is reached. */
export interface ProxySettings {
  /** `http://proxy.example:3128`, without user info. */
  readonly url: string;
  /** What `Proxy-Authorization` says; `undefined` where the address had no user info. */
  readonly authorization: SecretValue | undefined;
  /** Hosts that are reached without it, as `NO_PROXY` lists them. */
  readonly noProxy: string;
}

export type ParsedProxy =
  | { readonly kind: "proxy"; readonly proxy: ProxySettings }
  | { readonly kind: "none" }
  /** For people; never quotes the address, which may hold a password. */
  | { readonly kind: "problem"; readonly problem: string };

/** Reads the values of `HTTPS_PROXY` and `NO_PROXY`. An address without a scheme counts as http, as curl has it. */
export function parseProxy(httpsProxy: string | undefined, noProxy = ""): ParsedProxy {
  if (httpsProxy === undefined || httpsProxy === "") return { kind: "none" };
  const text = httpsProxy.includes("://") ? httpsProxy : `http://${httpsProxy}`;
  if (!URL.canParse(text)) return { kind: "problem", problem: "it is not a URL" };
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    return { kind: "problem", problem: "only proxies that begin with http:// or https:// are supported" };
  }
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "") {
    return { kind: "problem", problem: "it has more than a host and a port" };
  }
  const authorization = authorizationOf(url);
  if (authorization === "problem") return { kind: "problem", problem: "its user info is not percent-encoded" };
  return { kind: "proxy", proxy: { url: url.origin, authorization, noProxy } };
}

function authorizationOf({ username, password }: URL): SecretValue | undefined | "problem" {
  if (username === "" && password === "") return undefined;
  try {
    const userInfo = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    return new SecretValue(`Basic ${Buffer.from(userInfo, "utf8").toString("base64")}`);
  } catch {
    // The decoder's own message is dropped: it is about the value.
    return "problem";
  }
}

/**
 * True when `origin` is reached without a proxy: a loopback host always, and what `noProxy` lists. An entry is `*`, a
 * host (which stands for its subdomains, too), `.domain` or `*.domain` (for the subdomains alone), each with a port or
 * without, separated by commas or spaces. Address ranges are not understood.
 */
export function isReachedDirectly(origin: string, noProxy: string): boolean {
  const { protocol, hostname, port } = new URL(origin);
  if (isLoopback(hostname)) return true;
  const target = { host: hostname.toLowerCase(), port: port === "" ? defaultPort(protocol) : port };
  return noProxy
    .toLowerCase()
    .split(/[\s,]+/)
    .some((entry) => covers(entry, target));
}

function covers(entry: string, target: { readonly host: string; readonly port: string }): boolean {
  if (entry === "") return false;
  if (entry === "*") return true;
  const { name, port } = hostAndPort(entry);
  if (port !== undefined && port !== target.port) return false;
  const domain = name.startsWith("*.") ? name.slice(1) : name;
  return domain.startsWith(".")
    ? target.host.endsWith(domain)
    : target.host === domain || target.host.endsWith(`.${domain}`);
}

/** `[::1]:443` and `example.com:443`; an address of IP version 6 without brackets has no port. */
function hostAndPort(entry: string): { readonly name: string; readonly port: string | undefined } {
  const colon = entry.lastIndexOf(":");
  const port = entry.slice(colon + 1);
  const isBare = !entry.startsWith("[") && entry.indexOf(":") !== colon;
  if (isBare) return { name: `[${entry}]`, port: undefined };
  return colon > 0 && /^\d{1,5}$/.test(port) ? { name: entry.slice(0, colon), port } : { name: entry, port: undefined };
}

function defaultPort(protocol: string): string {
  return protocol === "https:" ? "443" : "80";
}

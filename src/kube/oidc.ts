import { Agent } from "undici";
import type { Clock } from "../util/clock.ts";
import { isLoopback } from "../util/loopback.ts";
import { type KubeError, systemCode } from "./errors.ts";
import { type OidcStanza, refuse, type Stanza } from "./kubeconfig-stanzas.ts";

/** The id token of a user who has logged in at an OpenID Connect provider. */
export interface OidcSession {
  /**
   * The id token, a new one when it has expired.
   *
   * *Errors*: `KubeError` with code `config`, when there is no valid token and none can be had. No answer of the
   * provider is quoted.
   */
  readonly idToken: () => Promise<string>;
}

// As kubectl: clocks differ, and the token has to be valid when it arrives.
const expiryMarginMs = 10_000;
const limitMs = 10_000;
const maxAnswerBytes = 1024 * 1024;

/**
 * Starts from the tokens of the kubeconfig. What the provider hands out later stays in memory: unlike kubectl, this
 * program does not write to its kubeconfig.
 */
export function createOidcSession(options: {
  readonly stanza: Stanza;
  readonly oidc: OidcStanza;
  readonly ca: () => Buffer | undefined;
  readonly clock: Clock;
}): OidcSession {
  const { stanza, oidc, clock } = options;
  let { idToken, refreshToken } = oidc;

  const refresh = async (): Promise<string> => {
    if (refreshToken === undefined) {
      throw refuse(stanza, 'its "id-token" has expired and there is no "refresh-token"', "Log in again");
    }
    const ca = options.ca();
    const agent = new Agent({ connect: { timeout: limitMs, ...(ca === undefined ? {} : { ca }) } });
    const abort = new AbortController();
    const timer = clock.setTimer(
      () => abort.abort(new ProviderError(`no response within ${limitMs / 1000}s`)),
      limitMs,
    );
    try {
      const http = { agent, signal: abort.signal };
      const endpoint = await findTokenEndpoint(http, oidc.issuer);
      const tokens = await requestTokens(http, { endpoint, oidc, refreshToken });
      refreshToken = tokens.refreshToken ?? refreshToken;
      idToken = tokens.idToken;
      return idToken;
    } catch (error) {
      throw providerError(stanza, error);
    } finally {
      timer.cancel();
      await agent.destroy();
    }
  };

  return {
    idToken: async () => {
      if (idToken !== undefined) {
        const expiresAtMs = expiryOf(idToken);
        if (expiresAtMs === undefined) throw refuse(stanza, 'its "id-token" is not a JSON web token', "Log in again");
        if (clock.now() + expiryMarginMs < expiresAtMs) return idToken;
      }
      return await refresh();
    },
  };
}

/** When a JSON web token expires, in milliseconds; one that does not say counts as expired. */
function expiryOf(token: string): number | undefined {
  const [, payload, signature, ...more] = token.split(".");
  if (payload === undefined || signature === undefined || more.length > 0) return undefined;
  const claims = parseJson(Buffer.from(payload, "base64url").toString("utf8"));
  if (claims === undefined) return undefined;
  return typeof claims.exp === "number" ? claims.exp * 1000 : 0;
}

interface Http {
  readonly agent: Agent;
  readonly signal: AbortSignal;
}

/** What went wrong at the provider, in our words. */
class ProviderError extends Error {}

async function findTokenEndpoint(http: Http, issuer: string): Promise<string> {
  const { status, body } = await call(http, `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`);
  const endpoint = status === 200 ? parseJson(body)?.token_endpoint : undefined;
  if (typeof endpoint === "string") return endpoint;
  throw new ProviderError(`its discovery document has no token_endpoint (HTTP ${status})`);
}

async function requestTokens(
  http: Http,
  request: { readonly endpoint: string; readonly oidc: OidcStanza; readonly refreshToken: string },
): Promise<{ readonly idToken: string; readonly refreshToken: string | undefined }> {
  const { oidc, endpoint, refreshToken } = request;
  const form = { grant_type: "refresh_token", refresh_token: refreshToken };
  const [id, secret] = [encodeURIComponent(oidc.clientId), encodeURIComponent(oidc.clientSecret)];
  const authorization = `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}`;
  const withSecret = {
    client_id: oidc.clientId,
    ...(oidc.clientSecret === "" ? {} : { client_secret: oidc.clientSecret }),
  };
  // Providers want the client's id and secret in one place or the other, and there is no way to ask. kubectl tries both.
  let answer = await call(http, endpoint, { form, authorization });
  if (answer.status >= 400 && answer.status < 500)
    answer = await call(http, endpoint, { form: { ...form, ...withSecret } });
  if (answer.status !== 200) throw new ProviderError(`it rejected the "refresh-token" (HTTP ${answer.status})`);
  const { id_token: idToken, refresh_token: next } = parseJson(answer.body) ?? {};
  if (typeof idToken !== "string")
    throw new ProviderError("its response has no id_token; log in with the scope openid");
  return { idToken, refreshToken: typeof next === "string" && next !== "" ? next : undefined };
}

async function call(
  { agent, signal }: Http,
  address: string,
  post?: { readonly form: Record<string, string>; readonly authorization?: string },
): Promise<{ readonly status: number; readonly body: string }> {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new ProviderError("its address is not an http(s) URL");
  if (url.protocol === "http:" && !isLoopback(url.hostname)) {
    throw new ProviderError("its address begins with http://, which would expose the tokens");
  }
  const headers = {
    accept: "application/json",
    ...(post === undefined ? {} : { "content-type": "application/x-www-form-urlencoded" }),
    ...(post?.authorization === undefined ? {} : { authorization: post.authorization }),
  };
  const { statusCode: status, body } = await agent.request({
    origin: url.origin,
    path: url.pathname + url.search,
    method: post === undefined ? "GET" : "POST",
    headers,
    body: post === undefined ? null : new URLSearchParams(post.form).toString(),
    signal,
  });
  let text = "";
  for await (const chunk of body.setEncoding("utf8")) {
    text += chunk;
    if (text.length > maxAnswerBytes) throw new ProviderError("its response is larger than 1 MiB");
  }
  return { status, body: text };
}

function providerError(stanza: Stanza, error: unknown): KubeError {
  const why = error instanceof ProviderError ? error.message : (codeOf(error) ?? "the connection failed");
  return refuse(
    stanza,
    `its "id-token" could not be renewed at "idp-issuer-url": ${why}`,
    "Log in again if this persists",
  );
}

function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return systemCode(error) ?? (typeof code === "string" && /^[A-Z_]+$/.test(code) ? code : undefined);
}

function parseJson(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    // The reader quotes what it cannot read, and that may be a token.
    return undefined;
  }
}

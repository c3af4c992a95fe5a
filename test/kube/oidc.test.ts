import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { OidcStanza } from "../../src/kube/kubeconfig-stanzas.ts";
import { createOidcSession } from "../../src/kube/oidc.ts";
import { FakeClock } from "../support/fake-clock.ts";

const clockStart = Date.parse("2026-01-01T00:00:00Z");
const jwt = (expiresAtMs: number, mark = "") =>
  ["{}", JSON.stringify({ exp: expiresAtMs / 1000, mark }), "canary"]
    .map((part) => Buffer.from(part).toString("base64url"))
    .join(".");

let clock: FakeClock;
let url: string;
let forms: URLSearchParams[];
let answer: (form: URLSearchParams, response: ServerResponse) => void;
let close: () => Promise<void>;

beforeEach(async () => {
  clock = new FakeClock();
  forms = [];
  const server = createServer((request: IncomingMessage, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on("end", () => {
      if (request.method === "GET") {
        response.end(JSON.stringify({ token_endpoint: `${url}/token` }));
        return;
      }
      const form = new URLSearchParams(body);
      forms.push(form);
      answer(form, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  close = () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
});
afterEach(() => close());

const session = (tokens: Partial<OidcStanza>) =>
  createOidcSession({
    stanza: { kind: "user", name: "ada", file: "/config", body: {} },
    oidc: {
      issuer: url,
      clientId: "k",
      clientSecret: "",
      idToken: undefined,
      refreshToken: undefined,
      ca: undefined,
      ...tokens,
    },
    ca: () => undefined,
    clock,
  });
const renewed = (tokens: object) => (_: URLSearchParams, response: ServerResponse) => {
  response.end(JSON.stringify(tokens));
};
const refused = (promise: Promise<unknown>) =>
  promise.then(
    () => Promise.reject(new Error("it was expected to fail")),
    (error: Error) => `${error.stack}${String(error.cause)}`,
  );

describe("an id token", () => {
  test("is used until 10 s before it expires, and renewed from then on", async () => {
    const first = jwt(clockStart + 60_000);
    const second = jwt(clockStart + 600_000, "second");
    answer = renewed({ id_token: second });
    const { idToken } = session({ idToken: first, refreshToken: "r1" });
    await clock.advance(49_999);
    expect(await idToken()).toBe(first);
    expect(forms).toHaveLength(0);
    await clock.advance(1);
    expect(await idToken()).toBe(second);
    expect(await idToken()).toBe(second);
    expect(forms).toHaveLength(1);
    expect(clock.pendingTimers).toBe(0);
  });

  test("is renewed with the newest refresh token", async () => {
    let round = 0;
    answer = (form, response) => {
      round++;
      renewed({ id_token: jwt(clock.now() + 60_000, String(round)), refresh_token: `r${round + 1}` })(form, response);
    };
    const { idToken } = session({ refreshToken: "r1" });
    await idToken();
    await clock.advance(60_000);
    await idToken();
    expect(forms.map((form) => form.get("refresh_token"))).toEqual(["r1", "r2"]);
  });

  test("that has expired without a refresh token is an error that names the remedy", async () => {
    const { idToken } = session({ idToken: jwt(clockStart) });
    expect(await refused(idToken())).toContain(
      '[config] use user "ada" of /config: its "id-token" has expired and there is no "refresh-token". Log in again.',
    );
  });
});

describe("a provider", () => {
  test.each<[string, object | string, string]>([
    ["that answers without an id token", { access_token: "canary" }, "its response has no id_token"],
    ["that answers no JSON", "canary", "its response has no id_token"],
  ])("%s is an error that quotes nothing", async (_, body, message) => {
    answer = (_form, response) => response.end(typeof body === "string" ? body : JSON.stringify(body));
    const said = await refused(session({ refreshToken: "canary-r1" }).idToken());
    expect(said).toContain(message);
    expect(said).not.toContain("canary");
  });

  test("that refuses is an error, after both places for the client's secret were tried", async () => {
    answer = (_, response) => response.writeHead(400).end('{"error":"canary"}');
    const said = await refused(session({ refreshToken: "canary-r1", clientSecret: "canary-s" }).idToken());
    expect(said).toContain('it rejected the "refresh-token" (HTTP 400). Log in again');
    expect(said).not.toContain("canary");
    expect(forms.map((form) => form.has("client_secret"))).toEqual([false, true]);
  });

  test("that does not answer is given up after 10 s", async () => {
    answer = () => undefined;
    const said = refused(session({ refreshToken: "r1" }).idToken());
    await expect.poll(() => forms.length).toBe(1);
    await clock.advance(10_000);
    expect(await said).toContain("no response within 10s");
    expect(clock.pendingTimers).toBe(0);
  });

  test("that cannot be reached is an error with the code of the system", async () => {
    await close();
    expect(await refused(session({ refreshToken: "r1" }).idToken())).toContain("ECONNREFUSED");
  });

  test.each(["http://login.example", "ftp://login.example", "login"])("at %s is never asked", async (issuer) => {
    const said = await refused(session({ issuer, refreshToken: "r1" }).idToken());
    expect(said).toMatch(/begins with http:\/\/|is not an http\(s\) URL/);
  });
});

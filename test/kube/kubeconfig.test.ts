import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { stringify } from "yaml";
import { createKubeClient } from "../../src/kube/http-client.ts";
import { type KubeconfigSource, loadKubeAccess } from "../../src/kube/kubeconfig.ts";
import { secrets } from "../../src/kube/types.ts";
import { systemClock } from "../../src/util/clock.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { selfSigned } from "../support/self-signed.ts";

let directory: string;
let clock: FakeClock;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kubeconfig-test-"));
  clock = new FakeClock();
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true, force: true });
});

/** Time passes. */
async function pass(byMs: number): Promise<void> {
  await clock.advance(byMs);
}

function put(name: string, content: string | object): string {
  const path = join(directory, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, typeof content === "string" ? content : stringify(content));
  return path;
}

interface Parts {
  readonly name?: string;
  readonly cluster?: object;
  readonly user?: object;
  readonly namespace?: string;
}

function kubeconfig({ name = "one", cluster = {}, user = { token: "canary-token" }, namespace }: Parts = {}) {
  return {
    apiVersion: "v1",
    kind: "Config",
    "current-context": name,
    clusters: [{ name, cluster: { server: "https://kube.example:6443/", ...cluster } }],
    users: [{ name, user }],
    contexts: [{ name, context: { cluster: name, user: name, ...(namespace === undefined ? {} : { namespace }) } }],
  };
}

const load = (source: KubeconfigSource) =>
  loadKubeAccess(source, { clock, env: process.env, podRoot: directory, home: directory });

/** The error, with everything that anybody could print of it. */
async function failure(promise: Promise<unknown>): Promise<{ readonly code: unknown; readonly all: string }> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown as Error & { readonly code: unknown },
  );
  if (error === undefined) throw new Error("it was expected to fail");
  return { code: error.code, all: `${error.stack}\n${String(error.cause)}\n${error.message}` };
}

describe("a kubeconfig file", () => {
  test("gives server, namespace and who we are", async () => {
    const access = await load({ path: put("config", kubeconfig({ namespace: "shop" })) });
    const { headers, connection } = await access.credentials();
    expect(access).toMatchObject({ server: "https://kube.example:6443", namespace: "shop" });
    expect(headers).toEqual({ authorization: "Bearer canary-token" });
    expect(connection).toMatchObject({ kind: "direct", tls: {} });
  });

  test("without a namespace means default", async () => {
    expect((await load({ path: put("config", kubeconfig()) })).namespace).toBe("default");
  });

  test("may be several, of which the first names the context and any may be chosen", async () => {
    const first = put("a", kubeconfig({ name: "one" }));
    const second = put("b", kubeconfig({ name: "two", cluster: { server: "https://two.example" } }));
    expect((await load({ path: `${first}:${second}` })).server).toBe("https://kube.example:6443");
    expect((await load({ path: `${first}:${second}`, context: "two" })).server).toBe("https://two.example");
  });

  test("carries basic authentication and impersonation", async () => {
    const user = { username: "ada", password: "pw", as: "grace" };
    const { headers } = await (await load({ path: put("config", kubeconfig({ user })) })).credentials();
    expect(headers).toEqual({
      authorization: `Basic ${Buffer.from("ada:pw").toString("base64")}`,
      "impersonate-user": "grace",
    });
  });

  test("carries a client certificate, a server name and the wish not to verify", async () => {
    const data = (text: string) => Buffer.from(text).toString("base64");
    const user = { "client-certificate-data": data("CERT"), "client-key-data": data("KEY") };
    const cluster = { "insecure-skip-tls-verify": true, "tls-server-name": "other" };
    const { connection } = await (await load({ path: put("config", kubeconfig({ user, cluster })) })).credentials();
    expect(connection).toMatchObject({
      kind: "direct",
      tls: { cert: Buffer.from("CERT"), key: Buffer.from("KEY"), rejectUnauthorized: false, servername: "other" },
    });
  });

  test.each([
    ["http://proxy.example:3128", { kind: "proxy", uri: "http://proxy.example:3128" }],
    ["socks5://proxy.example:1080", { kind: "socks", uri: "socks5://proxy.example:1080" }],
  ])("with proxy-url %s goes through it", async (proxy, expected) => {
    const cluster = { "proxy-url": proxy };
    const { connection } = await (await load({ path: put("config", kubeconfig({ cluster })) })).credentials();
    expect(connection).toMatchObject(expected);
  });

  test.each(["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:8080"])(
    "may use plain http to this machine: %s",
    async (server) => {
      const access = await load({ path: put("config", kubeconfig({ cluster: { server } })) });
      expect((await access.credentials()).connection).toMatchObject({ kind: "direct", tls: {} });
    },
  );

  test.each([
    ["plain http to another machine", { server: "http://kube.example" }, "plain http would show the token"],
    ["plain http to what only looks local", { server: "http://127.0.0.1.example" }, "plain http would show the token"],
    ["no URL at all", { server: "kube.example" }, "not an http(s) URL"],
    ["a URL with a password", { server: "https://ada:canary@kube.example" }, "not an http(s) URL"],
  ])("is refused with %s", async (_, cluster, message) => {
    const { code, all } = await failure(load({ path: put("config", kubeconfig({ cluster })) }));
    expect(code).toBe("config");
    expect(all).toContain(message);
    expect(all).not.toContain("canary");
  });

  test("that has no such context is refused with the names there are", async () => {
    const { code, all } = await failure(load({ path: put("config", kubeconfig()), context: "prod" }));
    expect(code).toBe("config");
    expect(all).toContain('use context "prod": there is none of this name; there are: one');
  });

  test("that is missing or broken is refused without quoting it", async () => {
    const missing = await failure(load({ path: join(directory, "nowhere") }));
    expect(missing).toMatchObject({ code: "config" });
    expect(missing.all).toContain("ENOENT");
    const broken = await failure(load({ path: put("config", "users: [{token: canary-token\n  : - ]") }));
    expect(broken).toMatchObject({ code: "config" });
    expect(broken.all).not.toContain("canary");
  });

  test.each(["canary\nInjected: yes", "canary\u0000", "canary-ä"])(
    "with the token %j is refused before a header is made",
    async (token) => {
      const access = await load({ path: put("config", kubeconfig({ user: { token } })) });
      const { code, all } = await failure(access.credentials());
      expect(code).toBe("config");
      expect(all).not.toContain("canary");
    },
  );

  test("is read again after the server refused what was in it", async () => {
    const path = put("config", kubeconfig());
    const access = await load({ path });
    await access.credentials();
    put("config", kubeconfig({ user: { token: "second" } }));
    await pass(5_000);
    expect((await access.credentials()).headers).toEqual({ authorization: "Bearer canary-token" });
    access.refused();
    expect((await access.credentials()).headers).toEqual({ authorization: "Bearer second" });
  });
});

describe("without a kubeconfig", () => {
  const root = "var/run/secrets/kubernetes.io/serviceaccount";

  beforeEach(() => {
    vi.stubEnv("KUBERNETES_SERVICE_HOST", "10.0.0.1");
    vi.stubEnv("KUBERNETES_SERVICE_PORT", "443");
  });

  function putServiceAccount(token: string): void {
    put(`${root}/token`, token);
    put(`${root}/ca.crt`, "CA");
    put(`${root}/namespace`, "operators");
  }

  test("a pod uses its service account", async () => {
    putServiceAccount("first\n");
    const access = await load({});
    expect(access).toMatchObject({ server: "https://10.0.0.1", namespace: "operators" });
    expect(await access.credentials()).toMatchObject({
      headers: { authorization: "Bearer first" },
      connection: { kind: "direct", tls: { ca: Buffer.from("CA") } },
    });
  });

  test("a pod's token is read again when what was read is a minute old, and not before", async () => {
    putServiceAccount("first");
    const access = await load({});
    await access.credentials();
    putServiceAccount("second");
    await pass(59_000);
    expect((await access.credentials()).headers).toEqual({ authorization: "Bearer first" });
    await pass(2_000);
    expect((await access.credentials()).headers).toEqual({ authorization: "Bearer second" });
  });

  test("a pod's token is read again at once after a 401, but not more than once a second", async () => {
    putServiceAccount("first");
    const access = await load({});
    await pass(1_000);
    await access.credentials();
    putServiceAccount("second");
    access.refused();
    expect((await access.credentials()).headers).toEqual({ authorization: "Bearer second" });
    putServiceAccount("third");
    access.refused();
    expect((await access.credentials()).headers).toEqual({ authorization: "Bearer second" });
    await pass(1_000);
    expect((await access.credentials()).headers).toEqual({ authorization: "Bearer third" });
  });

  test("a CA that changed leads to new connections, and one that did not keeps them", async () => {
    putServiceAccount("first");
    const access = await load({});
    const { connection } = await access.credentials();
    await pass(2_000);
    expect((await access.credentials()).connection).toBe(connection);
    put(`${root}/ca.crt`, "OTHER CA");
    await pass(2_000);
    expect((await access.credentials()).connection.key).not.toBe(connection.key);
  });

  test("a person uses ~/.kube/config", async () => {
    put(".kube/config", kubeconfig());
    expect((await load({})).server).toBe("https://kube.example:6443");
  });

  test("with nothing there, it says what would help", async () => {
    const { code, all } = await failure(load({}));
    expect(code).toBe("config");
    expect(all).toContain("name one with --kubeconfig or KUBECONFIG");
  });
});

describe("a credential plugin", () => {
  /** A plugin that counts its runs in a file and prints what it is told to. */
  function putPlugin(body: string): { readonly user: object; readonly runs: () => number } {
    const counter = put("runs", "");
    const path = put("plugin", `#!/bin/sh\nprintf x >> ${counter}\nN=$(wc -c < ${counter} | tr -d ' ')\n${body}\n`);
    chmodSync(path, 0o755);
    const exec = { apiVersion: "client.authentication.k8s.io/v1", command: path, interactiveMode: "Never" };
    return { user: { exec }, runs: () => readFileSync(counter, "utf8").length };
  }
  const printing = (status: string) =>
    `echo "{\\"apiVersion\\":\\"client.authentication.k8s.io/v1\\",\\"kind\\":\\"ExecCredential\\",\\"status\\":{${status}}}"`;

  test("runs once until its credential expires", async () => {
    const until = new Date(clock.now() + 600_000).toISOString();
    const { user, runs } = putPlugin(printing(`\\"token\\":\\"t$N\\",\\"expirationTimestamp\\":\\"${until}\\"`));
    const access = await load({ path: put("config", kubeconfig({ user })) });
    expect((await access.credentials()).headers).toEqual({ authorization: "Bearer t1" });
    await pass(599_000);
    expect((await access.credentials()).headers).toEqual({ authorization: "Bearer t1" });
    expect(runs()).toBe(1);
    await pass(2_000);
    expect((await access.credentials()).headers).toEqual({ authorization: "Bearer t2" });
  });

  test("runs again after a 401, and once for all who wait", async () => {
    const { user, runs } = putPlugin(printing('\\"token\\":\\"t$N\\"'));
    const access = await load({ path: put("config", kubeconfig({ user })) });
    await pass(1_000);
    await Promise.all([access.credentials(), access.credentials(), access.credentials()]);
    expect(runs()).toBe(1);
    access.refused();
    const both = await Promise.all([access.credentials(), access.credentials()]);
    expect(both.map(({ headers }) => headers.authorization)).toEqual(["Bearer t2", "Bearer t2"]);
  });

  test.each([
    ["that fails", "echo canary-secret; exit 1"],
    ["that prints no JSON", "echo canary-secret"],
  ])("%s is a config error that does not quote its output", async (_, body) => {
    const { user } = putPlugin(body);
    const { code, all } = await failure((await load({ path: put("config", kubeconfig({ user })) })).credentials());
    expect(code).toBe("config");
    expect(all).toContain("try kubectl with the same kubeconfig");
    expect(all).not.toContain("canary");
  });

  test("that does not exist is a config error", async () => {
    const apiVersion = "client.authentication.k8s.io/v1";
    const user = { exec: { apiVersion, command: "/nowhere/plugin", interactiveMode: "Never" } };
    const { all } = await failure((await load({ path: put("config", kubeconfig({ user })) })).credentials());
    expect(all).toContain("ENOENT");
  });
});

describe("TLS", () => {
  async function serveTls() {
    const server = createServer({ cert: selfSigned.cert, key: selfSigned.key }, (_, response) => {
      response.end(JSON.stringify({ kind: "Secret", metadata: { name: "a" } }));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return {
      url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
      [Symbol.asyncDispose]: () =>
        new Promise<void>((resolve) => {
          server.close(() => resolve());
          server.closeAllConnections();
        }),
    };
  }
  const getWith = async (cluster: object) => {
    const access = await load({ path: put("config", kubeconfig({ cluster })) });
    await using client = createKubeClient({ access, clock: systemClock });
    return await client.get(secrets, { namespace: "default", name: "a" });
  };

  test("a server whose CA is in the kubeconfig is trusted", async () => {
    await using server = await serveTls();
    const ca = Buffer.from(selfSigned.cert).toString("base64");
    await expect(getWith({ server: server.url, "certificate-authority-data": ca })).resolves.toBeDefined();
    const file = put("ca.crt", selfSigned.cert);
    await expect(getWith({ server: server.url, "certificate-authority": file })).resolves.toBeDefined();
  });

  test("a server whose CA is not there is not, and the message says what to check", async () => {
    await using server = await serveTls();
    await expect(getWith({ server: server.url })).rejects.toMatchObject({
      code: "unavailable",
      message: expect.stringContaining("check certificate-authority in the kubeconfig"),
    });
  });
});

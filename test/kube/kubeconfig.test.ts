import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { stringify } from "yaml";
import { createKubeClient } from "../../src/kube/http-client.ts";
import { type KubeconfigSource, loadKubeAccess } from "../../src/kube/kubeconfig.ts";
import type { stanzaKeys } from "../../src/kube/kubeconfig-stanzas.ts";
import { secrets } from "../../src/kube/types.ts";
import { systemClock } from "../../src/util/clock.ts";
import { recordCallers } from "../support/api-recorder.ts";
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
    ["plain http to another machine", { server: "http://kube.example" }, "plain http would expose the token"],
    [
      "plain http to what only looks local",
      { server: "http://127.0.0.1.example" },
      "plain http would expose the token",
    ],
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
    expect(all).toContain('use context "prod": there is none with this name, only: one');
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

describe("every key", () => {
  const pem = (text: string) => Buffer.from(text).toString("base64");
  const plugin = { apiVersion: "client.authentication.k8s.io/v1", command: "x", interactiveMode: "Never" };
  const none = "no effect" as const;

  /** What a key of a stanza does to a request or a connection, so that none is read and then dropped. */
  type Effects<K extends keyof typeof stanzaKeys> = Readonly<
    Record<keyof (typeof stanzaKeys)[K], readonly [value: unknown, effect: RegExp | typeof none, beside?: object]>
  >;
  const ofUser: Effects<"user"> = {
    token: ["t", /Bearer t/],
    tokenFile: ["agent", /Bearer of-agent/],
    username: ["ada", /Basic YWRhOg==/],
    password: ["pw", /Basic OnB3/],
    "client-certificate": ["crt", /cert/, { "client-key": "key" }],
    "client-certificate-data": [pem("cert"), /cert/, { "client-key": "key" }],
    "client-key": ["key", /of-key/, { "client-certificate": "crt" }],
    "client-key-data": [pem("key-in-data"), /key-in-data/, { "client-certificate": "crt" }],
    as: ["ada", /"impersonate-user":"ada"/, { token: "t" }],
    "as-uid": ["u", /"impersonate-uid":"u"/, { token: "t", as: "ada" }],
    "as-groups": [["g"], /"impersonate-group":\["g"\]/, { token: "t", as: "ada" }],
    "as-user-extra": [{ k: ["v"] }, /"impersonate-extra-k":\["v"\]/, { token: "t", as: "ada" }],
    exec: [plugin, /the credential plugin "x"/],
    "auth-provider": [{ name: "oidc", config: {} }, /"auth-provider\.config\.idp-issuer-url" is missing/],
    extensions: [[{ name: "x", extension: {} }], none, { token: "t" }],
  };
  const ofCluster: Effects<"cluster"> = {
    server: ["https://other.example", /https:\/\/other\.example/],
    "tls-server-name": ["other", /"servername":"other"/],
    "insecure-skip-tls-verify": [true, /"rejectUnauthorized":false/],
    "certificate-authority": ["ca", /of-ca/],
    "certificate-authority-data": [pem("ca-in-data"), /ca-in-data/],
    "proxy-url": ["http://proxy.example", /http:\/\/proxy\.example/],
    // This client never asks for compressed answers; plugins are told, see the cases.
    "disable-compression": [true, none],
    // For plugins, see the cases.
    extensions: [[{ name: "x", extension: {} }], none],
  };
  const ofContext: Effects<"context"> = {
    cluster: ["other", /its cluster "other" is not defined/],
    user: ["other", /its user "other" is not defined/],
    namespace: ["shop", /"namespace":"shop"/],
    extensions: [[], none],
  };
  const ofExec: Effects<"exec"> = {
    apiVersion: ["x", /"exec\.apiVersion" is not supported/],
    command: ["no-such", /"no-such"/],
    interactiveMode: ["Always", /"exec\.interactiveMode" is Always/],
    installHint: ["brew", /Its installHint: brew/],
    provideClusterInfo: [true, /"certificate-authority" \(.*\) cannot be read/],
    args: [["canary\0"], /null character/, { command: "/bin/true" }],
    env: [[{ name: "X", value: "canary\0" }], /null character/, { command: "/bin/true" }],
  };
  const ofProvider: Effects<"auth-provider"> = {
    name: ["acme", /the auth provider "acme" is not supported/],
    config: [{ "idp-issuer-url": "https://login.example" }, /"auth-provider\.config\.client-id" is missing/],
  };

  async function outcome(user: object, cluster: object = {}, context: object = {}): Promise<string> {
    const whole = kubeconfig({ user, cluster });
    const path = put("config", {
      ...whole,
      contexts: [{ name: "one", context: { cluster: "one", user: "one", ...context } }],
    });
    try {
      const { server, namespace, credentials } = await load({ path });
      const { headers, connection } = await credentials();
      const shown = JSON.stringify({ server, namespace, headers, ...connection, key: undefined }, (_, value) =>
        value?.type === "Buffer" ? Buffer.from(value.data).toString() : value,
      );
      return shown;
    } catch (error) {
      return (error as Error).message;
    }
  }
  const rows = <K extends keyof typeof stanzaKeys>(effects: Effects<K>) =>
    Object.entries<readonly [unknown, RegExp | typeof none, object?]>(effects).map(
      ([key, [value, effect, beside = {}]]) => ({ key, value, effect, beside }),
    );
  const judge = (without: string, withKey: string, effect: RegExp | typeof none) => {
    if (effect === none) {
      expect(withKey).toBe(without);
      return;
    }
    expect(withKey).toMatch(effect);
    expect(without).not.toMatch(effect);
  };

  beforeEach(() => {
    for (const name of ["agent", "crt", "key", "ca"]) put(name, name === "crt" ? "cert" : `of-${name}`);
  });

  test.each(rows(ofUser))("$key of a user has its effect", async ({ key, value, effect, beside }) => {
    judge(await outcome(beside), await outcome({ ...beside, [key]: value }), effect);
  });
  test.each(rows(ofCluster))("$key of a cluster has its effect", async ({ key, value, effect }) => {
    judge(await outcome({ token: "t" }), await outcome({ token: "t" }, { [key]: value }), effect);
  });
  test.each(rows(ofContext))("$key of a context has its effect", async ({ key, value, effect }) => {
    judge(await outcome({ token: "t" }), await outcome({ token: "t" }, {}, { [key]: value }), effect);
  });
  test.each(rows(ofExec))("$key of a plugin has its effect", async ({ key, value, effect, beside }) => {
    const cluster = { "certificate-authority": "nowhere" };
    const exec = { ...plugin, ...beside };
    judge(await outcome({ exec }, cluster), await outcome({ exec: { ...exec, [key]: value } }, cluster), effect);
  });
  test.each(rows(ofProvider))("$key of an auth provider has its effect", async ({ key, value, effect }) => {
    const provider = { name: "oidc", config: {} };
    const changed = { ...provider, [key]: value };
    judge(await outcome({ "auth-provider": provider }), await outcome({ "auth-provider": changed }), effect);
  });

  test.each(["user", "cluster", "context", "exec", "auth-provider"] as const)(
    "that a %s does not have is refused by name, and one of a broken line without",
    async (kind) => {
      const into = (key: string, value: unknown) => {
        const wrong = { [key]: value };
        if (kind === "user") return outcome({ token: "t", ...wrong });
        if (kind === "cluster") return outcome({ token: "t" }, wrong);
        if (kind === "context") return outcome({ token: "t" }, {}, wrong);
        if (kind === "exec") return outcome({ exec: { ...plugin, ...wrong } });
        return outcome({ "auth-provider": { name: "oidc", config: {}, ...wrong } });
      };
      expect(await into("tokenfile", "x")).toMatch(
        /"(?:exec\.|auth-provider\.)?tokenfile" is not a key of it\. Correct or/,
      );
      const broken = await into("canary", null);
      expect(broken).toMatch(/something(?: in "\S+")? is not a key of it/);
      expect(broken).not.toContain("canary");
    },
  );
});

describe("what a kubeconfig cannot mean", () => {
  const refusal = async (parts: Parts) => (await failure(load({ path: put("config", kubeconfig(parts)) }))).all;

  test.each<[string, Parts, string]>([
    ["groups without a user", { user: { token: "canary", "as-groups": ["canary"] } }, 'Add "as", or remove'],
    ["a token and a password", { user: { token: "canary", password: "canary" } }, "Remove one of the two"],
    ["no credentials", { user: {} }, "it has no credentials. Add them, or remove the user from the context"],
    ["gcp", { user: { "auth-provider": { name: "gcp" } } }, "gke-gcloud-auth-plugin"],
    ["azure", { user: { "auth-provider": { name: "azure" } } }, "kubelogin"],
    ["a number", { user: { token: 1234 } }, '"token" is not text in quotes. Correct it'],
    [
      "lists of numbers",
      { user: { token: "canary", as: "a", "as-groups": [1] } },
      '"as-groups" is not a list of texts',
    ],
    ["broken data", { user: { "client-key-data": "canary!" } }, '"client-key-data" is not base64'],
    [
      "a broken proxy",
      { cluster: { "proxy-url": "ftp://ada:canary@proxy" } },
      "Begin it with http://, https:// or socks5://",
    ],
    ["a proxy that cannot be decoded", { cluster: { "proxy-url": "http://a%:canary@proxy" } }, "Begin it with http://"],
    ["no server", { cluster: { server: "" } }, '"server" is missing. Add it'],
  ])("%s: the message names file, stanza and remedy, and no value", async (_, parts, remedy) => {
    const said = await refusal(parts);
    expect(said).toContain(`"one" of ${join(directory, "config")}: `);
    expect(said).toContain(remedy);
    expect(said).not.toContain("canary");
  });

  test("is found in stanzas in use only", async () => {
    const whole = kubeconfig();
    const users = [...whole.users, { name: "other", user: { "auth-provider": { name: "gcp" }, bogus: 1 } }];
    expect((await load({ path: put("config", { ...whole, users }) })).server).toBe("https://kube.example:6443");
  });

  test("a client certificate over plain http is refused when it is needed", async () => {
    const user = { "client-certificate": "crt", "client-key": "crt" };
    put("crt", "x");
    const access = await load({ path: put("config", kubeconfig({ user, cluster: { server: "http://127.0.0.1:1" } })) });
    expect((await failure(access.credentials())).all).toContain(
      "its client certificate cannot be used over plain http",
    );
  });

  test("a file of 16 MiB and more is another file", async () => {
    const { all } = await failure(load({ path: put("config", " ".repeat(16 * 1024 * 1024 + 1)) }));
    expect(all).toContain("it is larger than 16 MiB and no kubeconfig");
  });

  test("a folder, and a tilde that nobody replaced, are named", async () => {
    expect((await failure(load({ path: directory }))).all).toContain("EISDIR: it is a folder");
    const tilde = await failure(load({ path: "~/.kube/config:~/other" }));
    expect(tilde.all).toContain('"~" is not replaced in a quoted path, write the whole path');
  });

  test("what YAML does not allow is told by its line alone", async () => {
    const { all } = await failure(load({ path: put("config", 'users:\n- name: "canary\n') }));
    expect(all).toMatch(/it is not YAML: [A-Z_]+ in line \d/);
    expect(all).not.toContain("canary");
  });
});

describe("while the program runs", () => {
  test("a token file is read again after a minute, and kept when it is gone", async () => {
    const file = put("agent", "first\r\n");
    const access = await load({ path: put("config", kubeconfig({ user: { tokenFile: "agent" } })) });
    const token = async () => (await access.credentials()).headers.authorization;
    expect(await token()).toBe("Bearer first");
    put("agent", "second");
    await pass(59_999);
    expect(await token()).toBe("Bearer first");
    await pass(1_001);
    expect(await token()).toBe("Bearer second");
    rmSync(file);
    await pass(61_000);
    expect(await token()).toBe("Bearer second");
    put("agent", "third");
    access.refused();
    expect(await token()).toBe("Bearer third");
  });

  test("a client certificate that was renewed leads to new connections", async () => {
    put("crt", "first");
    put("key", "first");
    const user = { "client-certificate": "crt", "client-key": "key" };
    const access = await load({ path: put("config", kubeconfig({ user })) });
    const before = (await access.credentials()).connection;
    put("crt", "second");
    put("key", "second");
    await pass(1_000);
    const after = (await access.credentials()).connection;
    expect(after.key).not.toBe(before.key);
    expect(after.tls).toEqual({ cert: Buffer.from("second"), key: Buffer.from("second") });
  });

  test("the context stays that of the start, whatever the file says later", async () => {
    const whole = kubeconfig({ user: { token: "first" } });
    const access = await load({ path: put("config", whole) });
    await access.credentials();
    const other = kubeconfig({
      name: "two",
      user: { token: "of-another-cluster" },
      cluster: { server: "https://two.example" },
    });
    const both = {
      ...other,
      clusters: [...whole.clusters, ...other.clusters],
      contexts: [...whole.contexts, ...other.contexts],
      users: [{ name: "one", user: { token: "second" } }, ...other.users],
    };
    put("config", both);
    await pass(1_000);
    access.refused();
    expect((await access.credentials()).headers).toEqual({ authorization: "Bearer second" });
  });

  test("credentials of another server are not sent to the one of the start", async () => {
    const access = await load({ path: put("config", kubeconfig()) });
    put("config", kubeconfig({ cluster: { server: "https://two.example" }, user: { token: "canary" } }));
    await pass(1_000);
    access.refused();
    const { all } = await failure(access.credentials());
    expect(all).toContain("its server has changed since this program started. Restart this program.");
  });

  test("a user that the context has lost does not make requests anonymous", async () => {
    const whole = kubeconfig();
    const access = await load({ path: put("config", whole) });
    put("config", { ...whole, contexts: [{ name: "one", context: { cluster: "one" } }] });
    await pass(1_000);
    access.refused();
    expect((await failure(access.credentials())).all).toContain("has lost this user since this program started");
  });

  test("a login goes on with the tokens that the provider gave, also after a 401", async () => {
    const idToken = ["{}", JSON.stringify({ exp: clock.now() / 1000 + 3600 }), "x"]
      .map((part) => Buffer.from(part).toString("base64url"))
      .join(".");
    const config = { "idp-issuer-url": "https://127.0.0.1:1", "client-id": "k", "id-token": idToken };
    const access = await load({
      path: put("config", kubeconfig({ user: { "auth-provider": { name: "oidc", config } } })),
    });
    expect((await access.credentials()).headers).toEqual({ authorization: `Bearer ${idToken}` });
    await pass(1_000);
    access.refused();
    expect((await access.credentials()).headers).toEqual({ authorization: `Bearer ${idToken}` });
  });
});

describe("a kubeconfig that was corrected", () => {
  test("is read again while there are no credentials to be had, and not without need", async () => {
    const path = put("config", kubeconfig({ user: { tokenFile: "wrong" } }));
    const access = await load({ path });
    await failure(access.credentials());
    put("config", kubeconfig({ user: { token: "right" } }));
    await pass(1_000);
    expect((await access.credentials()).headers).toEqual({ authorization: "Bearer right" });
    put("config", kubeconfig({ user: { token: "other" } }));
    await pass(5_000);
    expect((await access.credentials()).headers).toEqual({ authorization: "Bearer right" });
  });

  test("and was broken meanwhile does not take the one before away", async () => {
    put("agent", "");
    const path = put("config", kubeconfig({ user: { tokenFile: "agent" } }));
    const access = await load({ path });
    expect((await failure(access.credentials())).all).toContain("agent is empty");
    put("config", "broken: [");
    put("agent", "there");
    await pass(1_000);
    expect((await failure(access.credentials())).all).toContain("it is not a kubeconfig");
    await pass(1_000);
    expect((await access.credentials()).headers).toEqual({ authorization: "Bearer there" });
  });

  test("the client that is closed stops its plugin", async () => {
    const plugin = put("plugin", `#!/bin/sh\necho $$ > ${join(directory, "child")}\nexec sleep 100000\n`);
    chmodSync(plugin, 0o755);
    const exec = { apiVersion: "client.authentication.k8s.io/v1", command: plugin, interactiveMode: "Never" };
    const access = await load({ path: put("config", kubeconfig({ user: { exec } })) });
    const client = createKubeClient({ access, clock: systemClock });
    const said = failure(client.get(secrets, { namespace: "default", name: "a" }));
    await vi.waitUntil(() => existsSync(join(directory, "child")));
    await client[Symbol.asyncDispose]();
    expect((await said).all).toContain("was stopped because this program is ending");
  });
});

describe("a context without a user", () => {
  test("is anonymous because it says so, and its certificate authority is used", async () => {
    const whole = kubeconfig({ cluster: { "certificate-authority-data": Buffer.from("CA").toString("base64") } });
    const path = put("config", { ...whole, contexts: [{ name: "one", context: { cluster: "one" } }] });
    const access = await load({ path });
    expect(access.isAnonymous).toBe(true);
    expect(await access.credentials()).toMatchObject({ headers: {}, connection: { tls: { ca: Buffer.from("CA") } } });
  });

  test("is the only one", async () => {
    expect((await load({ path: put("config", kubeconfig()) })).isAnonymous).toBe(false);
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

  test("a pod whose address is not known says what is missing", async () => {
    vi.stubEnv("KUBERNETES_SERVICE_HOST", "");
    putServiceAccount("first");
    expect((await failure(load({}))).all).toContain("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set");
  });

  test("a list of nothing is not a person's own file", async () => {
    put(".kube/config", kubeconfig());
    expect((await failure(load({ path: ":" }))).all).toContain("the list of files in KUBECONFIG is empty");
    putServiceAccount("first");
    expect((await load({ path: ":" })).server).toBe("https://10.0.0.1");
  });

  test("with nothing there, it says what would help", async () => {
    const { code, all } = await failure(load({}));
    expect(code).toBe("config");
    expect(all).toContain("set one with --kubeconfig or KUBECONFIG");
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

  test("that hangs is given up after 30 s, and a later request runs it again", async () => {
    const { user, runs } = putPlugin(`if [ "$N" = 1 ]; then sleep 100000; fi\n${printing('\\"token\\":\\"t$N\\"')}`);
    const access = await load({ path: put("config", kubeconfig({ user })) });
    const first = failure(access.credentials());
    await vi.waitUntil(() => runs() === 1);
    await pass(30_000);
    expect((await first).all).toContain("did not end within 30s and was stopped");
    expect((await access.credentials()).headers).toEqual({ authorization: "Bearer t2" });
  });

  test("that fails is run once a second at most", async () => {
    const { user, runs } = putPlugin("exit 1");
    const access = await load({ path: put("config", kubeconfig({ user })) });
    for (let call = 0; call < 5; call++) await failure(access.credentials());
    expect(runs()).toBe(1);
    await pass(1_000);
    await failure(access.credentials());
    expect(runs()).toBe(2);
  });

  test.each([
    ["that fails", "echo canary-secret; exit 1"],
    ["that prints no JSON", "echo canary-secret"],
  ])("%s is a config error that does not quote its output", async (_, body) => {
    const { user } = putPlugin(body);
    const { code, all } = await failure((await load({ path: put("config", kubeconfig({ user })) })).credentials());
    expect(code).toBe("config");
    expect(all).toContain("test it with kubectl and the same kubeconfig");
    expect(all).not.toContain("canary");
  });

  test("that does not exist is a config error", async () => {
    const apiVersion = "client.authentication.k8s.io/v1";
    const user = { exec: { apiVersion, command: "/nowhere/plugin", interactiveMode: "Never" } };
    const { all } = await failure((await load({ path: put("config", kubeconfig({ user })) })).credentials());
    expect(all).toContain("ENOENT");
  });
});

describe("impersonation", () => {
  test("goes with every request, watches included", async () => {
    await using server = await recordCallers();
    const user = { token: "t", as: "ada", "as-groups": ["one", "two"] };
    const cluster = {
      server: server.url,
      "certificate-authority-data": Buffer.from(selfSigned.cert).toString("base64"),
    };
    const access = await load({ path: put("config", kubeconfig({ user, cluster })) });
    await using client = createKubeClient({ access, clock: systemClock });
    const name = { namespace: "default", name: "a" };
    await client.get(secrets, name);
    await client.patch(secrets, name, { kind: "merge", body: {} });
    await client
      .watch(secrets, { namespace: "default" }, { onEvent: () => undefined }, new AbortController().signal)
      .catch(() => undefined);
    const callers = [...server.callers.values()].flat();
    const impersonate = { "impersonate-user": ["ada"], "impersonate-group": ["one", "two"] };
    expect(callers).toEqual(Array(3).fill({ authorization: "Bearer t", impersonate }));
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

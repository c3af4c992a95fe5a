import { execFile } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { stringify } from "yaml";
import { isKubeError } from "../../src/kube/errors.ts";
import { createKubeClient } from "../../src/kube/http-client.ts";
import { loadKubeAccess } from "../../src/kube/kubeconfig.ts";
import { secrets } from "../../src/kube/types.ts";
import { systemClock } from "../../src/util/clock.ts";
import {
  type ApiRecorder,
  type Caller,
  httpProxy,
  recordCallers,
  socksProxy,
  type Tunnel,
} from "../support/api-recorder.ts";
import { selfSigned } from "../support/self-signed.ts";

// kubectl and our client get the same kubeconfig, and a server says who called. `expected` is what kubectl 1.27 to 1.33
// do: the unit tests hold our client to it on every machine, the contract tests ask kubectl itself wherever there is one.

export type Outcome = Caller | "refused";

interface Case {
  /** What lies in the folder: the name of each file with its text, or what becomes YAML. */
  readonly files: Readonly<Record<string, string | Buffer | object>>;
  /** `KUBECONFIG`, with names of files in the folder. `config` when missing. */
  readonly list?: readonly string[];
  readonly expected: Outcome;
  /** Where we differ, on purpose. */
  readonly ours?: Outcome;
}

interface Place {
  readonly url: string;
  readonly port: number;
  readonly proxy: number;
  readonly tlsProxy: number;
  readonly socks: number;
  readonly provider: string;
}

interface Parts {
  readonly user?: object | null;
  readonly cluster?: object;
  readonly context?: object;
}

const nobody: Caller = {};
const token = (value: string): Caller => ({ authorization: `Bearer ${value}` });
const certificate: Caller = { certificate: "northflank-operator test" };
const base64 = (text: string) => Buffer.from(text).toString("base64");
const jwt = (claims: object) => `${base64url({ alg: "none" })}.${base64url(claims)}.c2ln`;
const base64url = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
const inFuture = 4_000_000_000;

const script = (body: string) => `#!/bin/sh\n${body}\n`;
const v1 = "client.authentication.k8s.io/v1";
const v1beta1 = "client.authentication.k8s.io/v1beta1";
const credential = (status: object | undefined, apiVersion = v1) =>
  `cat <<'END'\n${JSON.stringify({ kind: "ExecCredential", apiVersion, ...(status && { status }) })}\nEND`;
const plugin = (settings: object = {}) => ({
  exec: { apiVersion: v1, command: "./plugin", interactiveMode: "Never", ...settings },
});
// What the plugin was told lands in the file `told` beside it.
const told = `printf '%s' "$KUBERNETES_EXEC_INFO" > "$(dirname "$0")/told"`;
const oidc = (place: Place, config: object) => ({
  "auth-provider": { name: "oidc", config: { "client-id": "k", "idp-issuer-url": place.provider, ...config } },
});

export const kubeconfigCases: Readonly<Record<string, (place: Place, config: (parts?: Parts) => object) => Case>> = {
  "a token": (_, config) => ({ files: { config: config({ user: { token: "t" } }) }, expected: token("t") }),
  "a token file beside it, with CRLF": (_, config) => ({
    files: { config: config({ user: { tokenFile: "secrets/agent" } }), "secrets/agent": "from-file\r\n" },
    expected: token("from-file"),
  }),
  "a token and a token file": (_, config) => ({
    files: { config: config({ user: { token: "inline", tokenFile: "agent" } }), agent: "from-file\n" },
    expected: token("from-file"),
  }),
  "a token and a token file that is not there": (_, config) => ({
    files: { config: config({ user: { token: "inline", tokenFile: "agent" } }) },
    expected: token("inline"),
  }),
  "a token file that is not there": (_, config) => ({
    files: { config: config({ user: { tokenFile: "agent" } }) },
    expected: "refused",
  }),
  "an empty token file": (_, config) => ({
    files: { config: config({ user: { tokenFile: "agent" } }), agent: "" },
    expected: "refused",
  }),
  "a token file that is a folder": (_, config) => ({
    files: { config: config({ user: { tokenFile: "agent" } }), "agent/token": "t" },
    expected: "refused",
  }),
  "a user and a password": (_, config) => ({
    files: { config: config({ user: { username: "ädä", password: "p:w" } }) },
    expected: { authorization: `Basic ${base64("ädä:p:w")}` },
  }),
  "a user without a password": (_, config) => ({
    files: { config: config({ user: { username: "ada" } }) },
    expected: { authorization: `Basic ${base64("ada:")}` },
  }),
  "a token and a password": (_, config) => ({
    files: { config: config({ user: { token: "t", username: "ada", password: "pw" } }) },
    expected: "refused",
  }),
  "a token file and a password": (_, config) => ({
    files: { config: config({ user: { tokenFile: "agent", username: "ada", password: "pw" } }), agent: "t" },
    expected: "refused",
  }),
  "a user without anything": (_, config) => ({ files: { config: config({ user: {} }) }, expected: "refused" }),
  "a user that is null": (_, config) => ({ files: { config: config({ user: null }) }, expected: "refused" }),
  "no user in the context": (_, config) => ({
    files: { config: config({ context: { user: undefined } }) },
    expected: "refused",
    ours: nobody,
  }),
  "a user in the context that is not defined": (_, config) => ({
    files: { config: config({ context: { user: "somebody" } }) },
    expected: "refused",
  }),
  "a key that nobody knows": (_, config) => ({
    files: { config: config({ user: { token: "t", "as-group": ["admins"] } }) },
    expected: token("t"),
    ours: "refused",
  }),
  "keys that are null or empty": (_, config) => ({
    files: {
      config: config({
        user: { token: "t", tokenFile: "", "client-key-data": null, exec: null, "as-groups": null, extensions: null },
        cluster: { "proxy-url": "", "tls-server-name": null, extensions: [] },
      }),
    },
    expected: token("t"),
  }),
  "a token that is a number": (_, config) => ({
    files: { config: config({ user: { token: 12345 } }) },
    expected: "refused",
  }),
  "a token that looks like a time": (_, config) => ({
    files: { config: stringify(config({ user: { token: "TIME" } })).replace("TIME", "12:30") },
    expected: token("12:30"),
  }),
  "a token that is the word yes": (_, config) => ({
    files: { config: stringify(config({ user: { token: "WORD" } })).replace("WORD", "yes") },
    expected: "refused",
  }),

  "a token that ends with a line break": (_, config) => ({
    files: { config: config({ user: { token: "t\n" } }) },
    expected: "refused",
    ours: token("t"),
  }),
  "a token twice": (_, config) => ({
    files: {
      config: stringify(config({ user: { token: "one" } })).replace("token: one", "token: one\n      token: two"),
    },
    expected: token("two"),
  }),

  "impersonation in full": (_, config) => ({
    files: {
      config: config({
        user: {
          token: "t",
          as: "system:serviceaccount:shop:deployer",
          "as-uid": "uid-1",
          "as-groups": ["system:authenticated", "shop deployers", "größer"],
          "as-user-extra": { "acme.com/Project%": ["one", "two"], Scopes: ["view"], none: [] },
        },
      }),
    },
    expected: {
      ...token("t"),
      impersonate: {
        "impersonate-user": ["system:serviceaccount:shop:deployer"],
        "impersonate-uid": ["uid-1"],
        "impersonate-group": ["system:authenticated", "shop deployers", "größer"],
        "impersonate-extra-acme.com%2fproject%25": ["one", "two"],
        "impersonate-extra-scopes": ["view"],
      },
    },
  }),
  "impersonated groups without a user": (_, config) => ({
    files: { config: config({ user: { token: "t", "as-groups": ["admins"] } }) },
    expected: "refused",
  }),
  "an impersonated uid without a user": (_, config) => ({
    files: { config: config({ user: { token: "t", "as-uid": "u" } }) },
    expected: "refused",
  }),
  "an impersonated user with a line break": (_, config) => ({
    files: { config: config({ user: { token: "t", as: "ada\nX-Remote-Group: system:masters" } }) },
    expected: "refused",
  }),

  "a client certificate in files beside it": (_, config) => ({
    files: {
      config: config({ user: { "client-certificate": "pki/crt", "client-key": "pki/key" } }),
      "pki/crt": selfSigned.cert,
      "pki/key": selfSigned.key,
    },
    expected: certificate,
  }),
  "a client certificate as data, and a token": (_, config) => ({
    files: {
      config: config({
        user: {
          "client-certificate-data": base64(selfSigned.cert),
          "client-key-data": base64(selfSigned.key),
          token: "t",
        },
      }),
    },
    expected: { ...certificate, ...token("t") },
  }),
  "a client certificate without its key": (_, config) => ({
    files: { config: config({ user: { "client-certificate": "crt" } }), crt: selfSigned.cert },
    expected: "refused",
  }),
  "a key without a client certificate": (_, config) => ({
    files: { config: config({ user: { "client-key": "key" } }), key: selfSigned.key },
    expected: "refused",
  }),
  "a client certificate that is not there": (_, config) => ({
    files: { config: config({ user: { "client-certificate": "crt", "client-key": "key" } }) },
    expected: "refused",
  }),
  "a client certificate twice": (_, config) => ({
    files: {
      config: config({
        user: {
          "client-certificate": "crt",
          "client-certificate-data": base64(selfSigned.cert),
          "client-key-data": base64(selfSigned.key),
        },
      }),
      crt: selfSigned.cert,
    },
    expected: "refused",
  }),
  "data that is not base64": (_, config) => ({
    files: { config: config({ user: { "client-certificate-data": "?", "client-key-data": "?" } }) },
    expected: "refused",
  }),

  "a certificate authority in a file beside it": (_, config) => ({
    files: {
      config: config({ cluster: { "certificate-authority-data": undefined, "certificate-authority": "ca.crt" } }),
      "ca.crt": selfSigned.cert,
    },
    expected: token("default"),
  }),
  "a certificate authority twice": (_, config) => ({
    files: { config: config({ cluster: { "certificate-authority": "ca.crt" } }), "ca.crt": selfSigned.cert },
    expected: "refused",
  }),
  "a certificate authority that is not there": (_, config) => ({
    files: {
      config: config({ cluster: { "certificate-authority-data": undefined, "certificate-authority": "ca.crt" } }),
    },
    expected: "refused",
  }),
  "a certificate authority that is none": (_, config) => ({
    files: { config: config({ cluster: { "certificate-authority-data": base64("none") } }) },
    expected: "refused",
  }),
  "no certificate authority": (_, config) => ({
    files: { config: config({ cluster: { "certificate-authority-data": undefined } }) },
    expected: "refused",
  }),
  "no verification": (_, config) => ({
    files: {
      config: config({ cluster: { "certificate-authority-data": undefined, "insecure-skip-tls-verify": true } }),
    },
    expected: token("default"),
  }),
  "no verification, as YAML 1.1 writes it": (_, config) => ({
    files: {
      config: stringify(
        config({ cluster: { "certificate-authority-data": undefined, "insecure-skip-tls-verify": "WORD" } }),
      ).replace("WORD", "on"),
    },
    expected: token("default"),
  }),
  "no verification, as text": (_, config) => ({
    files: {
      config: config({ cluster: { "certificate-authority-data": undefined, "insecure-skip-tls-verify": "true" } }),
    },
    expected: "refused",
  }),
  "no verification and a certificate authority": (_, config) => ({
    files: { config: config({ cluster: { "insecure-skip-tls-verify": true } }) },
    expected: "refused",
  }),
  "a server name that the certificate has": (_, config) => ({
    files: { config: config({ cluster: { "tls-server-name": "localhost" } }) },
    expected: token("default"),
  }),
  "a server name that the certificate has not": (_, config) => ({
    files: { config: config({ cluster: { "tls-server-name": "kube.example" } }) },
    expected: "refused",
  }),
  "a server without a scheme": ({ port }, config) => ({
    files: { config: config({ cluster: { server: `127.0.0.1:${port}` } }) },
    expected: "refused",
  }),
  "no compression": (_, config) => ({
    files: { config: config({ cluster: { "disable-compression": true } }) },
    expected: token("default"),
  }),
  "an HTTP proxy": ({ proxy }, config) => ({
    files: { config: config({ cluster: { "proxy-url": `http://ada:p%40w@127.0.0.1:${proxy}` } }) },
    expected: token("default"),
  }),
  "an HTTPS proxy": ({ tlsProxy }, config) => ({
    files: { config: config({ cluster: { "proxy-url": `https://localhost:${tlsProxy}` } }) },
    expected: token("default"),
  }),
  "a SOCKS5 proxy": ({ socks }, config) => ({
    files: { config: config({ cluster: { "proxy-url": `socks5://ada:p%40w@127.0.0.1:${socks}` } }) },
    expected: token("default"),
  }),
  "a SOCKS5 proxy that refuses the password": ({ socks }, config) => ({
    files: { config: config({ cluster: { "proxy-url": `socks5://ada:wrong@127.0.0.1:${socks}` } }) },
    expected: "refused",
  }),
  "a proxy of another kind": ({ socks }, config) => ({
    files: { config: config({ cluster: { "proxy-url": `socks4://127.0.0.1:${socks}` } }) },
    expected: "refused",
  }),

  "a plugin beside the folder of the file": (_, config) => ({
    files: {
      "kube/config": config({ user: plugin({ command: "../bin/plugin" }) }),
      "bin/plugin": script(credential({ token: "t" })),
    },
    list: ["kube/config"],
    expected: token("t"),
  }),
  "a plugin that is not there": (_, config) => ({ files: { config: config({ user: plugin() }) }, expected: "refused" }),
  "a plugin that fails": (_, config) => ({
    files: { config: config({ user: plugin() }), plugin: script(`${credential({ token: "t" })}\nexit 3`) },
    expected: "refused",
  }),
  "a plugin that writes something after its answer": (_, config) => ({
    files: { config: config({ user: plugin() }), plugin: script(`${credential({ token: "t" })}\necho done`) },
    expected: "refused",
  }),
  "a plugin that gets arguments and environment": (_, config) => ({
    files: {
      config: config({
        user: plugin({
          args: ["a b", ""],
          env: [
            { name: "WHO", value: "ada" },
            { name: "PATH", value: "/bin:/usr/bin" },
          ],
        }),
      }),
      plugin: script(
        `test "$#" = 2 && printf '{"kind":"ExecCredential","apiVersion":"${v1}","status":{"token":"%s"}}' "$WHO"`,
      ),
    },
    expected: token("ada"),
  }),
  "a plugin that is found in PATH, whatever PATH it gets": (_, config) => ({
    files: {
      config: config({
        user: plugin({
          command: "sh",
          args: ["-c", `echo '{"kind":"ExecCredential","apiVersion":"${v1}","status":{"token":"t"}}'`],
          env: [{ name: "PATH", value: "/nowhere" }],
        }),
      }),
    },
    expected: token("t"),
  }),
  "a plugin that is only in the PATH that it gets": (_, config) => ({
    files: {
      config: config({ user: plugin({ command: "plugin", env: [{ name: "PATH", value: ".:/bin:/usr/bin" }] }) }),
      plugin: script(credential({ token: "t" })),
    },
    expected: "refused",
  }),
  "a plugin without arguments and environment": (_, config) => ({
    files: { config: config({ user: plugin({ args: null, env: null }) }), plugin: script(credential({ token: "t" })) },
    expected: token("t"),
  }),
  "a plugin that asks for the cluster": (_, config) => ({
    files: {
      config: config({
        user: plugin({ provideClusterInfo: true, installHint: "Install it" }),
        cluster: {
          "tls-server-name": "localhost",
          extensions: [{ name: v1.replace("v1", "exec"), extension: { audience: "shop", list: [1, true, null] } }],
        },
      }),
      plugin: script(`${told}\n${credential({ token: "t" })}`),
    },
    expected: token("t"),
  }),
  "a plugin of v1beta1 that asks for the cluster": (_, config) => ({
    files: {
      config: config({ user: plugin({ apiVersion: v1beta1, provideClusterInfo: true, interactiveMode: undefined }) }),
      plugin: script(`${told}\n${credential({ token: "t" }, v1beta1)}`),
    },
    expected: token("t"),
  }),
  "a plugin that does not ask for the cluster": (_, config) => ({
    files: { config: config({ user: plugin() }), plugin: script(`${told}\n${credential({ token: "t" })}`) },
    expected: token("t"),
  }),
  "a plugin that may use a terminal": (_, config) => ({
    files: {
      config: config({ user: plugin({ interactiveMode: "IfAvailable" }) }),
      plugin: script(`${told}\n${credential({ token: "t" })}`),
    },
    expected: token("t"),
  }),
  "a plugin that needs a terminal": (_, config) => ({
    files: {
      config: config({ user: plugin({ interactiveMode: "Always" }) }),
      plugin: script(credential({ token: "t" })),
    },
    expected: "refused",
  }),
  "a plugin of v1 that does not say whether it needs a terminal": (_, config) => ({
    files: {
      config: config({ user: plugin({ interactiveMode: undefined }) }),
      plugin: script(credential({ token: "t" })),
    },
    expected: "refused",
  }),
  "a plugin of v1alpha1": (_, config) => ({
    files: {
      config: config({ user: plugin({ apiVersion: "client.authentication.k8s.io/v1alpha1" }) }),
      plugin: script(credential({ token: "t" }, "client.authentication.k8s.io/v1alpha1")),
    },
    expected: "refused",
  }),
  "a plugin that answers in another version": (_, config) => ({
    files: { config: config({ user: plugin() }), plugin: script(credential({ token: "t" }, v1beta1)) },
    expected: "refused",
  }),
  "a plugin that answers without status": (_, config) => ({
    files: { config: config({ user: plugin() }), plugin: script(credential(undefined)) },
    expected: "refused",
  }),
  "a plugin that answers with an empty status": (_, config) => ({
    files: { config: config({ user: plugin() }), plugin: script(credential({ token: "" })) },
    expected: "refused",
  }),
  "a plugin that answers in YAML": (_, config) => ({
    files: {
      config: config({ user: plugin() }),
      plugin: script(`printf 'kind: ExecCredential\\napiVersion: ${v1}\\nstatus:\\n  token: t\\n'`),
    },
    expected: token("t"),
  }),
  "a plugin that answers with a client certificate": (_, config) => ({
    files: {
      config: config({ user: plugin() }),
      plugin: script(credential({ clientCertificateData: selfSigned.cert, clientKeyData: selfSigned.key })),
    },
    expected: certificate,
  }),
  "a plugin that answers with a client certificate without its key": (_, config) => ({
    files: {
      config: config({ user: plugin() }),
      plugin: script(credential({ clientCertificateData: selfSigned.cert, token: "t" })),
    },
    expected: "refused",
  }),
  "a plugin whose time is no time": (_, config) => ({
    files: {
      config: config({ user: plugin() }),
      plugin: script(credential({ token: "t", expirationTimestamp: "tomorrow" })),
    },
    expected: "refused",
  }),
  "a plugin beside a token": (_, config) => ({
    files: { config: config({ user: { ...plugin(), token: "t" } }), plugin: script("exit 1") },
    expected: token("t"),
  }),
  "a plugin beside a client certificate": (_, config) => ({
    files: {
      config: config({ user: { ...plugin(), "client-certificate": "crt", "client-key": "key" } }),
      plugin: script("exit 1"),
      crt: selfSigned.cert,
      key: selfSigned.key,
    },
    expected: certificate,
  }),
  "a plugin and an auth provider": (place, config) => ({
    files: {
      config: config({ user: { ...plugin(), ...oidc(place, { "id-token": jwt({ exp: inFuture }) }) } }),
      plugin: script(credential({ token: "t" })),
    },
    expected: "refused",
  }),
  "a plugin with a setting that has no name": (_, config) => ({
    files: { config: config({ user: plugin({ env: [{ value: "x" }] }) }), plugin: script(credential({ token: "t" })) },
    expected: "refused",
  }),

  "an id token that is valid": (place, config) => ({
    files: { config: config({ user: oidc(place, { "id-token": jwt({ exp: inFuture }), "extra-scopes": "groups" }) }) },
    expected: token(jwt({ exp: inFuture })),
  }),
  "an id token that has expired": (place, config) => ({
    files: { config: config({ user: oidc(place, { "id-token": jwt({ exp: 1 }) }) }) },
    expected: "refused",
  }),
  "an id token that has expired, with a refresh token": (place, config) => ({
    files: { config: config({ user: oidc(place, { "id-token": jwt({ exp: 1 }), "refresh-token": "r1" }) }) },
    expected: token(jwt({ exp: inFuture, sub: "k via header" })),
  }),
  "a refresh token alone, for a client with a secret": (place, config) => ({
    files: {
      config: config({ user: oidc(place, { "client-id": "post", "client-secret": "s", "refresh-token": "r1" }) }),
    },
    expected: token(jwt({ exp: inFuture, sub: "post via body" })),
  }),
  "a refresh token that is refused": (place, config) => ({
    files: { config: config({ user: oidc(place, { "refresh-token": "revoked" }) }) },
    expected: "refused",
  }),
  "an id token that is none": (place, config) => ({
    files: { config: config({ user: oidc(place, { "id-token": "x" }) }) },
    expected: "refused",
  }),
  "an OpenID login without an issuer": (place, config) => ({
    files: { config: config({ user: oidc(place, { "id-token": jwt({ exp: inFuture }), "idp-issuer-url": "" }) }) },
    expected: "refused",
  }),
  "an OpenID login without anything": (place, config) => ({
    files: { config: config({ user: oidc(place, {}) }) },
    expected: "refused",
  }),
  "an id token beside a token": (place, config) => ({
    files: { config: config({ user: { token: "t", ...oidc(place, { "id-token": jwt({ exp: 1 }) }) } }) },
    expected: token("t"),
  }),
  "the auth provider gcp": (_, config) => ({
    files: { config: config({ user: { "auth-provider": { name: "gcp", config: { "access-token": "t" } } } }) },
    expected: "refused",
  }),
  "the auth provider azure": (_, config) => ({
    files: { config: config({ user: { "auth-provider": { name: "azure", config: { "access-token": "t" } } } }) },
    expected: "refused",
  }),
  "an auth provider that nobody knows, beside a token": (_, config) => ({
    files: { config: config({ user: { token: "t", "auth-provider": { name: "acme" } } }) },
    expected: "refused",
  }),

  "two files that name the same": (_, config) => ({
    files: { one: config({ user: { token: "one" } }), two: config({ user: { token: "two" } }) },
    list: ["one", "two"],
    expected: token("one"),
  }),
  "a missing file first": (_, config) => ({
    files: { one: config() },
    list: ["none", "one"],
    expected: token("default"),
  }),
  "a missing file last": (_, config) => ({
    files: { one: config() },
    list: ["one", "none"],
    expected: token("default"),
  }),
  "nothing but missing files": () => ({ files: {}, list: ["none", "neither"], expected: "refused" }),
  "an empty file": (_, config) => ({
    files: { empty: "", one: config() },
    list: ["empty", "one"],
    expected: token("default"),
  }),
  "a file with nothing but comments": (_, config) => ({
    files: { comments: "# nothing\n\n", one: config() },
    list: ["comments", "one"],
    expected: token("default"),
  }),
  "empty elements": (_, config) => ({
    files: { one: config() },
    list: ["", "", "one", ""],
    expected: token("default"),
  }),
  "clusters in one file, users and contexts in the other": (_, config) => {
    const { clusters, ...rest } = config() as { clusters: object };
    return {
      files: { clusters: { clusters, contexts: [], users: null }, context: { ...rest, clusters: [] } },
      list: ["clusters", "context"],
      expected: token("default"),
    };
  },
  "a current context that only a later file sets": (_, config) => {
    const { "current-context": current, ...rest } = config() as { "current-context": string };
    return {
      files: { rest, current: { "current-context": current }, other: { "current-context": "other" } },
      list: ["rest", "current", "other"],
      expected: token("default"),
    };
  },
  "relative paths of two folders": (_, config) => {
    const { users, ...rest } = config({
      user: { tokenFile: "token" },
      cluster: { "certificate-authority-data": undefined, "certificate-authority": "ca.crt" },
    }) as { users: object };
    return {
      files: {
        "a/users": { users },
        "a/token": "in-a",
        "b/rest": rest,
        "b/token": "in-b",
        "b/ca.crt": selfSigned.cert,
      },
      list: ["b/rest", "a/users"],
      expected: token("in-a"),
    };
  },
  "no current context": (_, config) => ({
    files: { config: { ...config(), "current-context": "" } },
    expected: "refused",
  }),
  "a current context that is not there": (_, config) => ({
    files: { config: { ...config(), "current-context": "prod" } },
    expected: "refused",
  }),
  "a cluster that is not there": (_, config) => ({
    files: { config: config({ context: { cluster: "prod" } }) },
    expected: "refused",
  }),
  "two users of the same name in one file": (_, config) => {
    const whole = config() as { users: object[] };
    return { files: { config: { ...whole, users: [...whole.users, ...whole.users] } }, expected: "refused" };
  },
  "a folder": (_, config) => ({ files: { "config/config": config() }, expected: "refused" }),
  "a folder in a list": (_, config) => ({
    files: { "folder/x": "", one: config() },
    list: ["folder", "one"],
    expected: "refused",
  }),
  "a manifest": () => ({ files: { config: { apiVersion: "v1", kind: "Pod" } }, expected: "refused" }),
  "a file without kind and apiVersion": (_, config) => ({
    files: { config: { ...config(), kind: undefined, apiVersion: undefined } },
    expected: token("default"),
  }),
  "a list": () => ({ files: { config: "- a\n- b\n" }, expected: "refused" }),
  "two documents": (_, config) => ({
    files: { config: `${stringify(config())}---\nkind: Pod\n` },
    expected: token("default"),
  }),
  JSON: (_, config) => ({ files: { config: JSON.stringify(config(), null, "\t") }, expected: token("default") }),
  "a byte order mark": (_, config) => ({
    files: { config: `\ufeff${stringify(config())}` },
    expected: token("default"),
  }),
  "UTF-16, as PowerShell writes it": (_, config) => ({
    files: { config: Buffer.from(`\ufeff${stringify(config())}`, "utf16le") },
    expected: token("default"),
  }),
  "bytes that are no text": () => ({ files: { config: Buffer.from([0x80, 0x81, 0xfe, 0x00]) }, expected: "refused" }),
  "aliases and merge keys": (_, config) => {
    const text = stringify(config()).replace("users:", "x-user: &user\n  token: from-alias\nusers:");
    return {
      files: { config: text.replace(/user:\n\s+token: default/, "user:\n      <<: *user") },
      expected: token("from-alias"),
    };
  },
};

/** Who called the server, and what a plugin was told. */
export interface Result {
  readonly outcome: Outcome;
  readonly told: unknown;
}

export interface CaseRig extends AsyncDisposable {
  readonly api: ApiRecorder;
  readonly proxy: Tunnel;
  readonly tlsProxy: Tunnel;
  readonly socks: Tunnel;
  /** What kubectl does, and what our client does. */
  readonly expected: (name: string) => { readonly kubectl: Outcome; readonly ours: Outcome };
  /** The results of all cases, of which a few run at a time. */
  readonly runAll: (runner: Runner) => Promise<ReadonlyMap<string, Result>>;
}

/** Opens what the cases need: an API server, two proxies and an OpenID provider. */
export async function openCaseRig(): Promise<CaseRig> {
  const root = mkdtempSync(join(tmpdir(), "kubeconfig-cases-"));
  const api = await recordCallers();
  const proxy = await httpProxy();
  const tlsProxy = await httpProxy({ tls: true });
  const socks = await socksProxy({ user: "ada:p@w" });
  const provider = createServer(answerAsProvider);
  await new Promise<void>((resolve) => provider.listen(0, "127.0.0.1", resolve));
  const { port: providerPort } = provider.address() as AddressInfo;
  const place = {
    url: api.url,
    port: api.port,
    proxy: proxy.port,
    tlsProxy: tlsProxy.port,
    socks: socks.port,
    provider: `http://127.0.0.1:${providerPort}`,
  };
  const caseOf = (name: string): Case => {
    const found = kubeconfigCases[name];
    if (found === undefined) throw new Error(`there is no case "${name}"`);
    return found(place, (parts) => configOf(api.url, parts));
  };
  return {
    api,
    proxy,
    tlsProxy,
    socks,
    expected: (name) => {
      const { expected: kubectl, ours = kubectl } = caseOf(name);
      return { kubectl, ours };
    },
    runAll: async (runner) => {
      const results = new Map<string, Result>();
      const names = Object.keys(kubeconfigCases).entries();
      const worker = async () => {
        for (const [index, name] of names) {
          const mark = `${runner.name}-${index}x`;
          const folder = join(root, mark);
          results.set(name, await runCase(caseOf(name), { runner, mark, folder, callers: api.callers }));
        }
      };
      await Promise.all([worker(), worker(), worker()]);
      return results;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([api, proxy, tlsProxy, socks].map((one) => one[Symbol.asyncDispose]()));
      provider.closeAllConnections();
      await new Promise<void>((resolve) => provider.close(() => resolve()));
      rmSync(root, { recursive: true, force: true });
    },
  };
}

function configOf(url: string, { user = { token: "default" }, cluster, context }: Parts = {}): object {
  return {
    apiVersion: "v1",
    kind: "Config",
    "current-context": "here",
    clusters: [
      { name: "c", cluster: { server: url, "certificate-authority-data": base64(selfSigned.cert), ...cluster } },
    ],
    users: [{ name: "u", user }],
    contexts: [{ name: "here", context: { cluster: "c", user: "u", namespace: "shop", ...context } }],
  };
}

/** Asks for the Secret `mark` with a kubeconfig; false when that failed. */
type Runner = (list: string, mark: string, folder: string) => Promise<boolean>;

/** The outcome of one case in a folder of its own. */
async function runCase(
  { files, list = ["config"] }: Case,
  on: {
    readonly runner: Runner;
    readonly mark: string;
    readonly folder: string;
    readonly callers: ApiRecorder["callers"];
  },
): Promise<Result> {
  const { mark, folder } = on;
  mkdirSync(folder);
  for (const [file, content] of Object.entries(files)) {
    const path = join(folder, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, typeof content === "string" || Buffer.isBuffer(content) ? content : stringify(content));
    if (file.endsWith("plugin")) chmodSync(path, 0o755);
  }
  const paths = list.map((file) => (file === "" ? "" : join(folder, file))).join(delimiter);
  const isDone = await on.runner(paths, mark, folder);
  const calls = [...on.callers].filter(([url]) => url.includes(mark)).flatMap(([, callers]) => callers);
  if (calls.length !== (isDone ? 1 : 0)) throw new Error(`${calls.length} calls arrived, and it ended with ${isDone}`);
  const toldFile = join(folder, "told");
  const told = existsSync(toldFile) ? (JSON.parse(readFileSync(toldFile, "utf8")) as unknown) : undefined;
  return { outcome: calls[0] ?? "refused", told };
}

export async function ours(list: string, mark: string, folder: string): Promise<boolean> {
  const env = { PATH: process.env.PATH, HOME: folder };
  try {
    const access = await loadKubeAccess({ path: list }, { clock: systemClock, env, podRoot: folder, home: folder });
    await using client = createKubeClient({ access, clock: systemClock });
    await client.get(secrets, { namespace: "default", name: mark });
    return true;
  } catch (error) {
    if (!isKubeError(error, "config", "unavailable")) throw error;
    return false;
  }
}

export function kubectl(list: string, mark: string, folder: string): Promise<boolean> {
  const env = { PATH: process.env.PATH, HOME: folder, KUBECONFIG: list, KUBECACHEDIR: join(folder, ".cache") };
  const args = ["get", "--raw", `/api/v1/namespaces/default/secrets/${mark}`];
  return new Promise((resolve) => {
    const child = execFile("kubectl", args, { env, cwd: folder, timeout: 20_000 }, (error) => resolve(error === null));
    child.stdin?.end();
  });
}

/** An OpenID provider. The client `post` is known by its form alone, all others by the header. */
const answerAsProvider: Parameters<typeof createServer>[1] = (request, response) => {
  const answer = (status: number, body: object) => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  };
  if (request.url === "/.well-known/openid-configuration") {
    answer(200, { token_endpoint: `http://${request.headers.host}/token` });
    return;
  }
  let body = "";
  request.on("data", (chunk: Buffer) => {
    body += chunk.toString();
  });
  request.on("end", () => {
    const form = new URLSearchParams(body);
    const header = Buffer.from((request.headers.authorization ?? "").slice(6), "base64")
      .toString()
      .split(":")[0];
    const client = form.get("client_id") ?? header ?? "";
    const way = form.has("client_id") ? "body" : "header";
    const isKnown = client === "post" ? form.get("client_secret") === "s" : way === "header";
    if (!isKnown || form.get("refresh_token") !== "r1") answer(401, { error: "invalid_client" });
    else
      answer(200, {
        access_token: "a",
        token_type: "Bearer",
        id_token: jwt({ exp: inFuture, sub: `${client} via ${way}` }),
      });
  });
};

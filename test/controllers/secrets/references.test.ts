import { describe, expect, test } from "vitest";
import { type ReferencingSpec, resolveReferences } from "../../../src/controllers/secrets/references.ts";
import type { KubeClient } from "../../../src/kube/client.ts";
import { KubeError } from "../../../src/kube/errors.ts";
import type { ConfigMap, Secret } from "../../../src/kube/types.ts";
import { neverAborted, strictFake } from "../../support/strict-fake.ts";

const canary = "c4n4ry";

function base64(text: string | Uint8Array): string {
  return Buffer.from(text).toString("base64");
}

function secret(name: string, data: Readonly<Record<string, string | Uint8Array>>, type = "Opaque"): Secret {
  const encoded = Object.fromEntries(Object.entries(data).map(([key, value]) => [key, base64(value)]));
  return { apiVersion: "v1", kind: "Secret", metadata: { name, namespace: "ns" }, type, data: encoded };
}

function configMap(name: string, data: Readonly<Record<string, string>>, binaryData = {}): ConfigMap {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "ns" }, data, binaryData };
}

interface World {
  readonly objects?: readonly (Secret | ConfigMap)[];
  readonly refuses?: "forbidden" | "unavailable";
}

async function resolve(spec: ReferencingSpec, { objects = [], refuses }: World = {}) {
  const reads: string[] = [];
  const kube = strictFake<KubeClient>("kube", {
    get: (async (type, { namespace, name }) => {
      reads.push(`${type.kind} ${namespace}/${name}`);
      if (refuses !== undefined) throw new KubeError({ code: refuses, step: "get", detail: "no" });
      const found = objects.find(({ kind, metadata }) => kind === type.kind && metadata.name === name);
      if (found === undefined) throw new KubeError({ code: "not_found", step: "get", detail: "no" });
      return found;
    }) as KubeClient["get"],
  });
  const result = await resolveReferences({ kube, namespace: "ns", spec, signal: neverAborted() });
  return { result, reads };
}

describe("what is there", () => {
  test("comes as a Pod would get it: whole objects with prefixes, single keys, later wins, literals win over all", async () => {
    const objects = [secret("db", { url: "u", pass: "p" }), configMap("app", { url: "c", level: "info" })];
    const { result } = await resolve(
      {
        runtimeEnvironmentFrom: [
          { secretRef: { name: "db", prefix: "DB_" } },
          { configMapRef: { name: "app" } },
          { secretKeyRef: { name: "db", key: "url" }, name: "level" },
          { configMapKeyRef: { name: "app", key: "url" }, name: "FROM_MAP" },
        ],
        runtimeEnvironment: { DB_url: "literal" },
      },
      { objects },
    );
    const environment = { DB_url: "literal", DB_pass: "p", url: "c", level: "u", FROM_MAP: "c" };
    expect(result).toEqual({ kind: "resolved", environment, files: {} });
  });

  test("each object is read once, by name, in the namespace of the run", async () => {
    const refs = ["a", "b", "c"].map((key) => ({ secretKeyRef: { name: "db", key }, name: key }));
    const { reads } = await resolve(
      { runtimeEnvironmentFrom: refs },
      { objects: [secret("db", { a: "", b: "", c: "" })] },
    );
    expect(reads).toEqual(["Secret ns/db"]);
  });

  test("files are sent as base64 of UTF-8", async () => {
    const { result } = await resolve(
      {
        runtimeFilesFrom: [
          { path: "/a", secretKeyRef: { name: "tls", key: "crt" } },
          { path: "/b", configMapKeyRef: { name: "app", key: "yaml" } },
        ],
        runtimeFiles: { "/b": { data: base64("literal"), encoding: "utf-8" } },
      },
      { objects: [secret("tls", { crt: "é" }), configMap("app", { yaml: "y" })] },
    );
    const files = {
      "/a": { data: base64("é"), encoding: "utf-8" },
      "/b": { data: base64("literal"), encoding: "utf-8" },
    };
    expect(result).toEqual({ kind: "resolved", environment: {}, files });
  });

  test("variables named like parts of every object are variables", async () => {
    const { result } = await resolve(
      { runtimeEnvironmentFrom: [{ secretRef: { name: "odd" } }] },
      { objects: [secret("odd", { ["__proto__"]: "a", constructor: "b" })] },
    );
    if (result.kind !== "resolved") throw new Error("blocked");
    expect(Object.entries(result.environment)).toEqual([
      ["__proto__", "a"],
      ["constructor", "b"],
    ]);
    expect(Object.getPrototypeOf(result.environment)).toBe(Object.prototype);
  });

  test.each(["1A", "A-B", "PATH", "__proto__", "constructor", "toString", "a.b/c-d", "x".repeat(255)])(
    "%s is the name of a variable",
    async (name) => {
      const { result } = await resolve(
        { runtimeEnvironmentFrom: [{ name, secretKeyRef: { name: "db", key: "k" } }] },
        {
          objects: [secret("db", { k: "v" })],
        },
      );
      if (result.kind !== "resolved") throw new Error("blocked");
      expect(Object.entries(result.environment)).toEqual([[name, "v"]]);
      expect(({} as Record<string, unknown>).v).toBeUndefined();
    },
  );

  test.each<readonly [string, ReferencingSpec, string]>([
    [
      "a later source over an earlier one, whatever their kinds",
      { runtimeEnvironmentFrom: [{ secretRef: { name: "s" } }, { configMapRef: { name: "c" } }] },
      "c",
    ],
    [
      "a single key over a whole object before it",
      {
        runtimeEnvironmentFrom: [
          { configMapRef: { name: "c" } },
          { name: "K", secretKeyRef: { name: "s", key: "other" } },
        ],
      },
      "o",
    ],
    [
      "a whole object over a single key before it",
      {
        runtimeEnvironmentFrom: [
          { name: "K", secretKeyRef: { name: "s", key: "other" } },
          { configMapRef: { name: "c" } },
        ],
      },
      "c",
    ],
    [
      "an object with a prefix that makes the same name",
      { runtimeEnvironmentFrom: [{ configMapRef: { name: "c" } }, { secretRef: { name: "short", prefix: "K" } }] },
      "short",
    ],
    [
      "a literal over all of them",
      { runtimeEnvironmentFrom: [{ secretRef: { name: "s" } }], runtimeEnvironment: { K: "literal" } },
      "literal",
    ],
    [
      "what is there over an optional one that is not",
      { runtimeEnvironmentFrom: [{ secretRef: { name: "s" } }, { secretRef: { name: "none", optional: true } }] },
      "s",
    ],
  ])("of a name that two sources have, it takes %s", async (_, spec, value) => {
    const objects = [secret("s", { K: "s", other: "o" }), configMap("c", { K: "c" }), secret("short", { "": "short" })];
    const { result } = await resolve(spec, { objects });
    expect(result).toMatchObject({ environment: { K: value } });
  });

  test.each([
    ["emoji", "🚢"],
    ["marks of direction", "\u202eabc\u202c"],
    ["line ends of all kinds", "a\r\nb\rc\n"],
    ["nothing", ""],
    ["$ without a brace", "$HOME and $$ and {x}"],
  ])("%s pass unchanged", async (_, value) => {
    const { result } = await resolve(
      { runtimeEnvironmentFrom: [{ secretRef: { name: "db" } }] },
      { objects: [secret("db", { k: value })] },
    );
    expect(result).toMatchObject({ environment: { k: value } });
  });

  test("what a Secret says now is taken, at every resolution", async () => {
    const spec = { runtimeEnvironmentFrom: [{ secretRef: { name: "db" } }] };
    expect((await resolve(spec, { objects: [secret("db", { k: "old" })] })).result).toMatchObject({
      environment: { k: "old" },
    });
    expect((await resolve(spec, { objects: [secret("db", { k: "new" })] })).result).toMatchObject({
      environment: { k: "new" },
    });
  });

  test("${ in a file passes where references are allowed", async () => {
    const { result } = await resolve(
      { allowReferences: true, runtimeFilesFrom: [{ path: "/a", secretKeyRef: { name: "db", key: "k" } }] },
      { objects: [secret("db", { k: `\${${canary}}` })] },
    );
    expect(result).toMatchObject({ files: { "/a": { data: base64(`\${${canary}}`), encoding: "utf-8" } } });
  });

  test("optional objects and keys that are missing are left out", async () => {
    const { result } = await resolve(
      {
        runtimeEnvironmentFrom: [
          { secretRef: { name: "none", optional: true } },
          { secretKeyRef: { name: "db", key: "none", optional: true }, name: "X" },
        ],
        runtimeFilesFrom: [{ path: "/a", configMapKeyRef: { name: "none", key: "k", optional: true } }],
      },
      { objects: [secret("db", {})] },
    );
    expect(result).toEqual({ kind: "resolved", environment: {}, files: {} });
  });

  test("a trailing line end and a byte order mark are part of the value", async () => {
    const { result } = await resolve(
      { runtimeEnvironmentFrom: [{ secretRef: { name: "db" } }] },
      { objects: [secret("db", { a: "\uFEFFx\n" })] },
    );
    expect(result).toMatchObject({ environment: { a: "\uFEFFx\n" } });
  });
});

describe("what cannot be used", () => {
  const one = { runtimeEnvironmentFrom: [{ secretKeyRef: { name: "db", key: "k" }, name: "K" }] };
  const all = { runtimeEnvironmentFrom: [{ secretRef: { name: "db" } }] };
  const expanding = `${canary}\${refs.x}`;

  test.each<readonly [string, string, ReferencingSpec, World]>([
    ["a missing Secret", "SecretNotFound", one, {}],
    ["a missing ConfigMap", "SecretNotFound", { runtimeEnvironmentFrom: [{ configMapRef: { name: "x" } }] }, {}],
    ["a missing key", "SecretKeyMissing", one, { objects: [secret("db", { other: canary })] }],
    ["bytes that are not text", "SecretInvalid", one, { objects: [secret("db", { k: new Uint8Array([0xff, 0xfe]) })] }],
    [
      "binary data of a ConfigMap",
      "SecretInvalid",
      { runtimeEnvironmentFrom: [{ configMapRef: { name: "c" } }] },
      { objects: [configMap("c", {}, { k: base64(canary) })] },
    ],
    ["NUL", "SecretInvalid", one, { objects: [secret("db", { k: `${canary}\0` })] }],
    [
      "a key that is no name of a variable",
      "SecretInvalid",
      { runtimeEnvironmentFrom: [{ secretRef: { name: "db", prefix: "A B" } }] },
      { objects: [secret("db", { k: canary })] },
    ],
    ["${ in a referenced value", "SecretInvalid", one, { objects: [secret("db", { k: expanding })] }],
    ["${ in a literal", "InvalidSpec", { runtimeEnvironment: { A: expanding } }, {}],
    ["a lone surrogate in a literal", "InvalidSpec", { runtimeEnvironment: { A: `${canary}\ud800` } }, {}],
    [
      "a service account token",
      "SecretInvalid",
      all,
      { objects: [secret("db", { k: canary }, "kubernetes.io/service-account-token")] },
    ],
    [
      "a bootstrap token",
      "SecretInvalid",
      all,
      { objects: [secret("db", { k: canary }, "bootstrap.kubernetes.io/token")] },
    ],
    ["a Secret that is there without any data", "SecretKeyMissing", one, { objects: [secret("db", {})] }],
    [
      "a missing key of a ConfigMap",
      "SecretKeyMissing",
      { runtimeEnvironmentFrom: [{ name: "K", configMapKeyRef: { name: "c", key: "k" } }] },
      { objects: [configMap("c", { other: canary })] },
    ],
    [
      "a missing key of a file",
      "SecretKeyMissing",
      { runtimeFilesFrom: [{ path: "/a", secretKeyRef: { name: "db", key: "k" } }] },
      { objects: [secret("db", { other: canary })] },
    ],
    [
      "an object that is optional, and there, and not text",
      "SecretInvalid",
      { runtimeEnvironmentFrom: [{ secretRef: { name: "db", optional: true } }] },
      { objects: [secret("db", { k: new Uint8Array([0x80]) })] },
    ],
    [
      "a file that is not text",
      "SecretInvalid",
      { runtimeFilesFrom: [{ path: "/a", secretKeyRef: { name: "db", key: "k" } }] },
      { objects: [secret("db", { k: new Uint8Array([0xc3, 0x28]) })] },
    ],
    [
      "a file from the credentials of a service account",
      "SecretInvalid",
      { runtimeFilesFrom: [{ path: "/a", secretKeyRef: { name: "db", key: "k" } }] },
      { objects: [secret("db", { k: canary }, "kubernetes.io/service-account-token")] },
    ],
    ...["a=b", "a b", "é", "a\nb", "x".repeat(256)].map((name): readonly [string, string, ReferencingSpec, World] => [
      `a variable named ${JSON.stringify(name.slice(0, 20))}`,
      "SecretInvalid",
      { runtimeEnvironmentFrom: [{ configMapRef: { name: "c", prefix: name } }] },
      { objects: [configMap("c", { "": canary })] },
    ]),
    [
      "${ in a value of a ConfigMap",
      "SecretInvalid",
      { runtimeEnvironmentFrom: [{ configMapRef: { name: "c" } }] },
      { objects: [configMap("c", { k: expanding })] },
    ],
    [
      "values of more than 64 KiB together, from two sources",
      "InvalidSpec",
      { runtimeEnvironmentFrom: [{ secretRef: { name: "db" } }, { configMapRef: { name: "c" } }] },
      { objects: [secret("db", { a: canary.repeat(5_460) }), configMap("c", { b: canary.repeat(5_470) })] },
    ],
    ["no right to read", "PermissionDenied", one, { refuses: "forbidden" }],
  ])("%s: %s, without the value", async (_, reason, spec, world) => {
    const { result } = await resolve(spec, world);
    if (result.kind !== "blocked") throw new Error("resolved");
    expect(result.readyState.reason).toBe(reason);
    expect(result.readyState.kind).toBe(reason === "PermissionDenied" ? "retrying" : "stalled");
    expect(result.recheckAfterMs).toBeLessThanOrEqual(60_000);
    expect(JSON.stringify(result)).not.toContain(canary);
  });

  test("allowReferences lets ${ pass", async () => {
    const { result } = await resolve({ runtimeEnvironment: { A: expanding }, allowReferences: true });
    expect(result).toMatchObject({ environment: { A: expanding } });
  });

  test.each([
    ["1000 variables", 1_000, "resolved"],
    ["1001 variables", 1_001, "blocked"],
  ])("%s: %s", async (_, count, kind) => {
    const runtimeEnvironment = Object.fromEntries(Array.from({ length: count }, (__, index) => [`V${index}`, ""]));
    expect((await resolve({ runtimeEnvironment })).result.kind).toBe(kind);
  });

  test.each([
    ["64 KiB, names included", 65_535, "resolved"],
    ["one byte more", 65_536, "blocked"],
  ])("%s: %s", async (_, bytes, kind) => {
    expect((await resolve({ runtimeEnvironment: { A: "x".repeat(bytes) } })).result.kind).toBe(kind);
  });

  test.each([
    ["4 MiB of files", 0, "resolved"],
    ["4 bytes more in base64", 3, "blocked"],
  ])("%s: %s", async (_, moreBytes, kind) => {
    const half = Buffer.alloc(1_572_864, "x");
    const spec = {
      runtimeFilesFrom: [{ path: "/a", secretKeyRef: { name: "big", key: "k" } }],
      runtimeFiles: {
        "/b": { data: Buffer.alloc(half.length + moreBytes, "y").toString("base64"), encoding: "utf-8" },
      },
    };
    expect((await resolve(spec, { objects: [secret("big", { k: half })] })).result.kind).toBe(kind);
  });

  test("an API server that is away is nobody's verdict: the pass fails and is tried again", async () => {
    await expect(resolve(one, { refuses: "unavailable" })).rejects.toThrow("[unavailable]");
  });
});

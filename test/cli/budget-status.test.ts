import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { startKubernetes } from "../../sandbox/kubernetes/server.ts";
import { apiVersion, northflankConnections } from "../../src/api/names.ts";
import { runBudget } from "../../src/cli/budget.ts";
import { formatBudget } from "../../src/cli/budget-report.ts";
import { readStatusBudget } from "../../src/cli/budget-status.ts";
import { createKubeClient } from "../../src/kube/http-client.ts";
import { loadKubeAccess } from "../../src/kube/kubeconfig.ts";
import type { KubeObject } from "../../src/kube/types.ts";
import { systemClock } from "../../src/util/clock.ts";
import { capturedIo } from "../support/captured-io.ts";

const now = Date.parse("2026-06-01T12:00:00Z");
const clock = { ...systemClock, now: () => now };
let directory: string;
const ends: (() => Promise<unknown>)[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "northflank-operator-budget-"));
});

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  rmSync(directory, { recursive: true, force: true });
});

async function run(kubeconfig: string, args: readonly string[] = []) {
  const path = join(directory, "kubeconfig");
  writeFileSync(path, kubeconfig);
  const { io, printed } = capturedIo();
  const code = await runBudget(args, { env: { KUBECONFIG: path }, io, clock, random: () => 0 });
  return { code, ...printed() };
}

type Connection = Parameters<typeof readStatusBudget>[0][number];

function connection(key: string, status: object, spec: object = {}): Connection {
  const [namespace = "", name = ""] = key.split("/");
  const tokenSecretRef = { name: "nf-token" };
  return {
    apiVersion,
    kind: northflankConnections.kind,
    metadata: { namespace, name },
    spec: { tokenSecretRef, ...spec },
    status,
  } as Connection;
}

const rateLimit = {
  limit: 1_000,
  remaining: 588,
  resetTime: "2026-06-01T12:23:10Z",
  observedTime: "2026-06-01T11:58:00Z",
};

/** A cluster with these connections. */
async function clusterWith(connections: readonly Connection[]) {
  const sandbox = await startKubernetes();
  ends.push(() => sandbox.stop());
  const crds = join(import.meta.dirname, "../../crds");
  for (const file of readdirSync(crds).filter((name) => name.endsWith(".yaml"))) {
    sandbox.installCrds(readFileSync(join(crds, file), "utf8"));
  }
  const path = join(directory, "admin");
  writeFileSync(path, sandbox.kubeconfig());
  const access = await loadKubeAccess({ path }, { clock: systemClock });
  await using client = createKubeClient({ access, clock: systemClock });
  const namespaces = { group: "", version: "v1", plural: "namespaces", kind: "Namespace", namespaced: false };
  const names = new Set(connections.map(({ metadata }) => metadata?.namespace ?? ""));
  for (const name of names) {
    await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name } });
  }
  for (const each of connections) {
    const { metadata, status, ...rest } = each as KubeObject & { readonly status: object };
    await client.create(northflankConnections, { ...rest, metadata } as KubeObject);
    const name = { namespace: metadata.namespace ?? "", name: metadata.name };
    const patch = { kind: "merge", body: { status } } as const;
    await client.patch(northflankConnections, name, patch, { subresource: "status" });
  }
  return sandbox;
}

describe("without a URL", () => {
  test("it prints what the statuses of all connections have, one line for each account", async () => {
    const team = { acceptedFor: "https://api.northflank.com, team acme" };
    const sandbox = await clusterWith([
      connection("shop/main", { ...team, rateLimit }),
      connection("blog/main", {
        ...team,
        rateLimit: { ...rateLimit, remaining: 700, observedTime: "2026-06-01T11:30:00Z" },
      }),
      connection("dev/own", { rateLimit: { ...rateLimit, resetTime: "2026-06-01T11:59:00Z" } }),
      connection("dev/new", {}),
    ]);
    const { code, out, err } = await run(sandbox.kubeconfig());
    expect(code).toBe(0);
    expect(out).toBe(`ACCOUNT                                   LIMIT   LEFT   RESETS IN   AGE   CONNECTIONS
connection dev/new                        -       -      -           -     dev/new
connection dev/own                        1000    -      -           2m    dev/own
team acme at https://api.northflank.com   1000    588    23m10s      2m    blog/main,shop/main
`);
    expect(err).toContain("use --metrics-url");
    expect(sandbox.calls.at(-1)).toMatchObject({
      method: "GET",
      path: "/apis/northflank-operator.io/v1alpha1/northflankconnections",
    });
  });

  test("-n asks for one namespace, and so needs no permission for others", async () => {
    const sandbox = await clusterWith([connection("shop/main", { rateLimit }), connection("dev/own", { rateLimit })]);
    const { code, out, err } = await run(sandbox.kubeconfig(), ["-n", "dev", "-o", "json"]);
    expect([code, err]).toEqual([0, ""]);
    const account = {
      account: "connection dev/own",
      limit: 1_000,
      remaining: 588,
      resetSeconds: 1_390,
      ageSeconds: 120,
    };
    expect(JSON.parse(out)).toEqual({ source: "cluster", accounts: [{ ...account, connections: ["dev/own"] }] });
    const path = "/apis/northflank-operator.io/v1alpha1/namespaces/dev/northflankconnections";
    expect(sandbox.calls.at(-1)?.path).toBe(path);
  });

  test("it sends one request, which the role in the docs grants", async () => {
    const sandbox = await clusterWith([connection("shop/main", { rateLimit })]);
    const before = sandbox.calls.length;
    expect((await run(sandbox.kubeconfig())).code).toBe(0);
    const sent = sandbox.calls.slice(before).map(({ method, query }) => [method, query.get("watch")]);
    expect(sent).toEqual([["GET", null]]);
    const page = readFileSync(join(import.meta.dirname, "../../docs/quota.md"), "utf8");
    const [, yaml = ""] = /```yaml\n([^`]*kind: ClusterRole[^`]*)```/.exec(page) ?? [];
    expect(parse(yaml).rules).toEqual([
      { apiGroups: [northflankConnections.group], resources: [northflankConnections.plural], verbs: ["get", "list"] },
    ]);
  });

  test("lists of any length are read to their end", async () => {
    const many = Array.from({ length: 501 }, (_, index) => connection(`many/c${index}`, { rateLimit }));
    const { out } = await run((await clusterWith(many)).kubeconfig());
    expect(out.trim().split("\n")).toHaveLength(502);
  });

  test("a cluster without connections is said to have none", async () => {
    const { code, out, err } = await run((await clusterWith([])).kubeconfig());
    expect([code, out, err]).toEqual([0, "", "northflank-operator budget: there is no NorthflankConnection\n"]);
  });
});

describe("a cluster that cannot be read gets one sentence with its remedy, and exit code 1", () => {
  /** A kubeconfig of a server that answers all with this status. */
  async function answering(code: number, status: object): Promise<string> {
    const server = createServer((_, response) => {
      response.writeHead(code, { "content-type": "application/json" });
      response.end(JSON.stringify({ kind: "Status", apiVersion: "v1", status: "Failure", code, ...status }));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    ends.push(() => new Promise((resolve) => server.close(resolve)));
    return kubeconfigOf((server.address() as AddressInfo).port);
  }

  function kubeconfigOf(port: number): string {
    return JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "c", cluster: { server: `http://127.0.0.1:${port}` } }],
      users: [{ name: "u", user: { token: "hidden" } }],
      contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
      "current-context": "c",
    });
  }

  test.each<[string, number, object, RegExp]>([
    [
      "forbidden",
      403,
      { reason: "Forbidden", message: "no\nlist" },
      /\[forbidden\].* Grant the permission to list northflankconnections, or name a namespace with --namespace$/,
    ],
    [
      "not authorized",
      401,
      { reason: "Unauthorized" },
      /\[unauthorized\].* Check the credentials of the kubeconfig, and --context$/,
    ],
    ["no CRDs", 404, { reason: "NotFound" }, /\[not_found\].* Install the CustomResourceDefinitions/],
    ["down", 503, {}, /\[unavailable\].* Check --context and the network$/],
  ])("%s", async (_, code, status, expected) => {
    const result = await run(await answering(code, status));
    expect([result.code, result.out]).toEqual([1, ""]);
    const [line = "", ...more] = result.err.trimEnd().split("\n");
    expect([line.slice(0, 27), more]).toEqual(["northflank-operator budget:", []]);
    expect(line).toMatch(expected);
    expect(line).not.toContain("hidden");
  });

  test("a kubeconfig without such a context", async () => {
    const { code, err } = await run(kubeconfigOf(1), ["--context", "other"]);
    expect([code, err.split("\n").length]).toEqual([1, 2]);
    expect(err).toContain('[config] use context "other"');
  });
});

describe("statuses of any shape are read as far as they make sense", () => {
  const none = { limit: undefined, remaining: undefined, resetInMs: undefined, ageMs: undefined };

  test("what the operator wrote of its own requests, by class, with what is longer than usual and why", () => {
    const budget = {
      spent: { change: 3, run: 40, observe: 0 },
      deferred: 7,
      spentByOthers: 350,
      pollStretch: "2.5",
      checkStretch: "1",
      message: "Other clients leave little.",
    };
    const status = { rateLimit, budget };
    const accounts = readStatusBudget([connection("shop/main", status)], now);
    expect(accounts).toMatchObject([{ sent: 43, deferred: 7, pollStretch: 2.5, checkStretch: 1 }]);
    expect(formatBudget("table", "cluster", accounts)).toBe(`\
ACCOUNT                LIMIT   LEFT   RESETS IN   DEFERRED   POLL STRETCH   CHECK STRETCH   AGE   CONNECTIONS
connection shop/main   1000    588    23m10s      7          2.5x           1x              2m    shop/main

connection shop/main
  Other clients leave little.

  REQUESTS   CLASS
  40         run
  3          change
  350        (other clients)
`);
    const ended = { ...status, rateLimit: { ...rateLimit, resetTime: "2026-06-01T11:59:59Z" } };
    const [over] = readStatusBudget([connection("shop/main", ended)], now);
    expect(over).toEqual({ account: "connection shop/main", limit: 1_000, ageMs: 120_000, connections: ["shop/main"] });
  });

  test.each<[string, unknown]>([
    ["none", undefined],
    ["no object", 7],
    ["null", { rateLimit: null, acceptedFor: null }],
    ["texts", { rateLimit: { limit: "1000", remaining: "5", resetTime: "soon", observedTime: 7 } }],
    [
      "a budget of other types",
      { budget: { spent: { run: "x", change: -1 }, deferred: [], pollStretch: 2, message: {} } },
    ],
    ["negative and broken numbers", { rateLimit: { limit: -1, remaining: 1.5 } }],
  ])("%s", (_, status) => {
    const [account] = readStatusBudget([connection("shop/main", status as object)], now);
    expect(account).toMatchObject({ account: "connection shop/main", connections: ["shop/main"], ...none });
    for (const field of ["deferred", "pollStretch", "message"]) expect(account).not.toHaveProperty(field);
  });

  test("a connection without anything", () => {
    expect(readStatusBudget([{}], now)).toMatchObject([{ account: "connection /" }]);
  });

  test("a pool by name holds its connections of one namespace together, whatever their teams are", () => {
    const pool = { budget: { poolName: "small" } };
    const accounts = readStatusBudget(
      [
        connection("dev/a", {}, pool),
        connection("dev/b", { acceptedFor: "https://x, team t" }, pool),
        connection("shop/a", {}, pool),
      ],
      now,
    );
    expect(accounts.map(({ account, connections }) => [account, connections])).toEqual([
      ["pool small of namespace dev", ["dev/a", "dev/b"]],
      ["pool small of namespace shop", ["shop/a"]],
    ]);
  });

  test("figures from the future are as of now", () => {
    const status = { rateLimit: { ...rateLimit, observedTime: "2027-01-01T00:00:00Z" } };
    expect(readStatusBudget([connection("shop/main", status)], now)[0]?.ageMs).toBe(0);
  });
});

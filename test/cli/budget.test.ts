import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { runBudget } from "../../src/cli/budget.ts";
import { createMetrics } from "../../src/metrics.ts";
import { systemClock } from "../../src/util/clock.ts";
import { capturedIo } from "../support/captured-io.ts";

const now = Date.parse("2026-06-01T12:00:00Z");
const clock = { ...systemClock, now: () => now };
const ends: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function run(
  args: readonly string[],
  { env = {}, timers = clock }: { env?: Record<string, string>; timers?: typeof clock } = {},
) {
  const { io, printed } = capturedIo();
  const code = await runBudget(args, { env, io, clock: timers, random: () => 0 });
  return { code, ...printed() };
}

/** The URL of a server that answers so. */
async function serve(answer: RequestListener | string): Promise<string> {
  const listener: RequestListener = typeof answer === "string" ? (_, response) => response.end(answer) : answer;
  const server: Server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function metricsOf(fill: (metrics: ReturnType<typeof createMetrics>) => void): Promise<string> {
  const metrics = createMetrics({ version: "1", revision: "r", nodeVersion: "v24" });
  fill(metrics);
  return metrics.registry.metrics();
}

const acme = "team acme at https://api.northflank.com";

/** An account with changes, runs, lists, and other clients. */
const busy = () =>
  metricsOf((metrics) => {
    metrics.leaderObserver("northflank-operator").leading(true);
    const usedBy = { change: 120, run: 200, observe: 60 };
    const quota = {
      limit: 1_000,
      remaining: 588,
      resetInMs: 1_390_000,
      usedBy,
      waiting: 3,
      pollStretch: 1,
      checkStretch: 1.532,
      closedBy: undefined,
    };
    metrics.ledger(acme, quota);
    metrics.ledger("pool small of namespace dev at https://api.northflank.com", {
      ...quota,
      remaining: 0,
      usedBy: { change: 9, run: 0, observe: 0 },
      waiting: 0,
      pollStretch: 10,
      checkStretch: 1,
      closedBy: "spent",
    });
    metrics.apiObserver.onDeferred({ pool: "not accepted yet", class: "change" });
    const spenders = [
      [{ kind: "RunList", namespace: "", name: "shop/etl" }, 180],
      [{ kind: "NorthflankDeployment", namespace: "shop", name: "web" }, 90],
      [{ kind: "ServiceList", namespace: "", name: "shop" }, 50],
    ] as const;
    const kinds = [
      ["RunList", 180],
      ["NorthflankDeployment", 150],
      ["ServiceList", 50],
    ] as const;
    const namespaces = [
      ["", 230],
      ["shop", 100],
    ] as const;
    metrics.spending([[acme, { total: 380, kinds, namespaces, spenders }]]);
  });

describe("with the URL of the metrics", () => {
  test("it prints the accounts, then who spends from each: by class, kind, namespace and object", async () => {
    const { code, out, err } = await run(["--metrics-url", `${await serve(await busy())}/metrics`]);
    expect([code, err]).toEqual([0, ""]);
    expect(
      out,
    ).toBe(`ACCOUNT                                                     LIMIT   USED   LEFT   RESETS IN   WAITING   POLL STRETCH   CHECK STRETCH   STATE
team acme at https://api.northflank.com                     1000    412    588    23m10s      3         1x             1.53x           sending
pool small of namespace dev at https://api.northflank.com   1000    1000   0      23m10s      0         10x            1x              quota spent

team acme at https://api.northflank.com
  REQUESTS   CLASS
  200        run
  120        change
  60         observe
  32         (other clients)

  REQUESTS   KIND
  180        RunList
  150        NorthflankDeployment
  50         ServiceList

  REQUESTS   NAMESPACE
  230        (lists)
  100        shop
  50         (all others)

  REQUESTS   KIND                   NAMESPACE   OBJECT
  180        RunList                -           runs of job "etl" of project "shop"
  90         NorthflankDeployment   shop        web
  50         ServiceList            -           services of project "shop"

pool small of namespace dev at https://api.northflank.com
  REQUESTS   CLASS
  9          change
  991        (other clients)
`);
  });

  test("-o json has the same in numbers", async () => {
    const { code, out } = await run(["-o", "json", "--metrics-url", await serve(await busy())]);
    const { source, accounts } = JSON.parse(out);
    expect([code, source, accounts.length]).toEqual([0, "metrics", 2]);
    expect(accounts[0]).toEqual({
      account: acme,
      limit: 1_000,
      used: 412,
      remaining: 588,
      resetSeconds: 1_390,
      sent: 380,
      sentByOthers: 32,
      waiting: 3,
      state: "sending",
      pollStretch: 1,
      checkStretch: 1.532,
      classes: [
        { class: "run", requests: 200 },
        { class: "change", requests: 120 },
        { class: "observe", requests: 60 },
      ],
      kinds: [
        { kind: "RunList", requests: 180 },
        { kind: "NorthflankDeployment", requests: 150 },
        { kind: "ServiceList", requests: 50 },
      ],
      namespaces: [
        { namespace: "", requests: 230 },
        { namespace: "shop", requests: 100 },
        { namespace: "*", requests: 50 },
      ],
      spenders: [
        { kind: "RunList", namespace: "", name: "shop/etl", requests: 180 },
        { kind: "NorthflankDeployment", namespace: "shop", name: "web", requests: 90 },
        { kind: "ServiceList", namespace: "", name: "shop", requests: 50 },
      ],
    });
  });

  test("the path /metrics is the default, and the variable of the flag is read", async () => {
    const text = await busy();
    const paths: (string | undefined)[] = [];
    const url = await serve((request, response) => {
      paths.push(request.url);
      response.end(text);
    });
    expect((await run([], { env: { NORTHFLANK_OPERATOR_METRICS_URL: url } })).code).toBe(0);
    expect(paths).toEqual(["/metrics"]);
  });

  test("of a leader that has sent nothing yet it says so", async () => {
    const text = await metricsOf((metrics) => metrics.leaderObserver("northflank-operator").leading(true));
    const url = await serve(text);
    const table = await run(["--metrics-url", url]);
    expect(table).toMatchObject({ code: 0, out: "" });
    expect(table.err).toBe("northflank-operator budget: the operator has not used any account yet\n");
    const json = await run(["--metrics-url", url, "-o", "json"]);
    expect([json.code, JSON.parse(json.out)]).toEqual([0, { source: "metrics", accounts: [] }]);
  });

  test("names cannot control a terminal or a runner of CI, and are printed in full", async () => {
    const name = `a\u001b[2J\u202e##[error]${"x".repeat(300)}`;
    const text = await metricsOf((metrics) => {
      const usedBy = { change: 1, run: 0, observe: 0 };
      const none = { limit: undefined, remaining: undefined, resetInMs: undefined, closedBy: undefined };
      metrics.ledger("::error::p", { ...none, usedBy, waiting: 0, pollStretch: 1, checkStretch: 1 });
      const spenders = [[{ kind: "NorthflankJob", namespace: "shop", name }, 1]] as const;
      metrics.spending([["::error::p", { total: 1, kinds: [], namespaces: [], spenders }]]);
    });
    const { out } = await run(["--metrics-url", await serve(text)]);
    expect(out).toMatch(/^\?:error::p/m);
    expect(out).toContain(`a?[2J?##?error]${"x".repeat(300)}`);
    for (const sign of ["\u001b", "\u202e", "##["]) expect(out).not.toContain(sign);
  });
});

describe("what is not the metrics of a leader gets one sentence and exit code 1", () => {
  const problemOf = async (answer: RequestListener | string, timers = clock) => {
    const url = await serve(answer);
    const { code, out, err } = await run(["--metrics-url", `${url}/metrics?token=hidden`], { timers });
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(/^northflank-operator budget: [^\n]+\n$/);
    expect(err).not.toContain("hidden");
    return err.slice(`northflank-operator budget: ${url}/metrics `.length).trim();
  };
  const own = async (more: string) => `${await metricsOf(() => undefined)}${more}\n`;
  const pool = 'northflank_operator_api_circuit_state{pool="p"} 0';

  test.each<[string, () => string | Promise<string>, string]>([
    ["an empty answer", () => "", "sent metrics of another program"],
    ["a web page", () => "<html>secret</html>", "sent no Prometheus metrics: line 1 is not in their format"],
    ["metrics of another program", () => "up 1\n", "sent metrics of another program"],
    [
      "a name that only begins like ours",
      () => "northflank_operator_build_information 1\n",
      "sent metrics of another program",
    ],
    [
      "a figure that is no count",
      () => own(`${pool}\nnorthflank_operator_api_budget_used{pool="p",class="run"} -1`),
      "sent a value of northflank_operator_api_budget_used that is no count",
    ],
    [
      "a figure that is no number",
      () => own(`${pool}\nnorthflank_operator_api_ratelimit_reset_seconds{pool="p"} NaN`),
      "sent a value of northflank_operator_api_ratelimit_reset_seconds that is no count",
    ],
    [
      "a replica that does not lead",
      () => own('leader_election_master_status{name="x"} 0'),
      "is a replica that is not the leader: read the metrics of the holder of the Lease",
    ],
  ])("%s", async (_, answer, problem) => {
    expect(await problemOf(await answer())).toBe(problem);
  });

  test("a status other than 200, also a redirect, which is not followed", async () => {
    const elsewhere = await serve(await busy());
    const refuse = (status: number) => (_: unknown, response: import("node:http").ServerResponse) =>
      response.writeHead(status, { location: elsewhere }).end("secret");
    expect(await problemOf(refuse(503))).toBe("answered with HTTP status 503");
    expect(await problemOf(refuse(302))).toBe("answered with HTTP status 302");
  });

  test("an answer that does not end is read to 16 MiB", async () => {
    const chunk = Buffer.alloc(1 << 20, "# x\n");
    let sent = 0;
    const problem = await problemOf((_, response) => {
      const more = () => {
        while (!response.destroyed && response.write(chunk)) sent += chunk.length;
        if (!response.destroyed) response.once("drain", more);
      };
      more();
    });
    expect(problem).toBe("sent more than 16 MiB");
    expect(sent).toBeLessThan(64 << 20);
  });

  test("an answer that hangs, before or after its first byte, is given up after 15 s", async () => {
    const timers = {
      ...clock,
      setTimer: (callback: () => void, delayMs: number) => clock.setTimer(callback, delayMs / 100),
    };
    expect(await problemOf(() => undefined, timers)).toBe("did not answer within 15 s");
    expect(await problemOf((_, response) => response.write("# "), timers)).toBe("did not answer within 15 s");
  });

  test("a connection that breaks, or is refused", async () => {
    expect(await problemOf((request) => request.socket.destroy())).toMatch(/^could not be read \([^)]+\)$/);
    const url = await serve("");
    await ends.pop()?.();
    const { code, err } = await run(["--metrics-url", url]);
    expect([code, err]).toEqual([1, `northflank-operator budget: ${url}/metrics could not be read (ECONNREFUSED)\n`]);
  });

  test("100,000 objects in it are cut to the largest", async () => {
    const rows = Array.from({ length: 100_000 }, (_, index) => {
      return `northflank_operator_api_budget_used_by_object{pool="p",kind="K",namespace="n",name="o${index}"} ${index}`;
    });
    const { code, out } = await run(["--metrics-url", await serve(await own([pool, ...rows].join("\n")))]);
    const shown = out.split("\n").filter((line) => / K /.test(line));
    expect([code, shown.length, shown[0]]).toEqual([0, 21, "  99999      K      n           o99999"]);
  });
});

describe("wrong usage", () => {
  test.each([
    [["--metrics-url", "8080"], '--metrics-url="8080": a URL such as http://127.0.0.1:8080/metrics is expected'],
    [
      ["--metrics-url", "file:///x"],
      '--metrics-url="file:///x": a URL such as http://127.0.0.1:8080/metrics is expected',
    ],
    [["--metrics-url", "http://u:secret@x/"], "--metrics-url: a URL without user and password is expected"],
    [["--metrics-url", "ftp://u:secret@x/"], "--metrics-url: a URL such as http://127.0.0.1:8080/metrics is expected"],
    [
      ["--metrics-url", "http://x", "-n", "shop"],
      '--namespace="shop": it is for the cluster, and cannot be used with --metrics-url',
    ],
    [["-o", "yaml"], '--output="yaml": one of table, json is expected'],
    [["-n", "a/b"], '--namespace="a/b": the name of a namespace is expected'],
    [["file.yaml"], "file.yaml: budget takes flags only"],
  ])("%j is 2, with one line", async (args, problem) => {
    const { code, out, err } = await run(args);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toBe(`northflank-operator budget: the flags are not valid\n  ${problem}\n`);
  });

  test("--help prints the flags, the commands and the exit codes", async () => {
    const { code, out } = await run(["--help"]);
    expect(code).toBe(0);
    for (const text of ["--metrics-url URL", "port-forward", "exit codes: 0 done"]) expect(out).toContain(text);
  });
});

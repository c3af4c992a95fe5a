import { mkdtemp, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, request, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startOperator } from "../../sandbox/operator-process.ts";
import { northflankConnections } from "../../src/api/names.ts";
import { selfSignedForApiTest } from "../northflank/self-signed.ts";
import { operatorProgram } from "../support/build-operator.ts";
import { type Scenario, scenarios } from "../support/operator-scenario.ts";

const startScenario = scenarios();

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

/** Northflank under the name `api.test`, which no name server knows, and the proxy that leads there. */
async function behindProxy(scenario: Scenario) {
  const front = createTlsServer(selfSignedForApiTest, (incoming, response) => {
    const { method, url, headers } = incoming;
    const onward = request(`${scenario.northflank.url}${url}`, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    incoming.pipe(onward);
  });
  const apiPort = await listen(front);
  const tunnels: { readonly target: string | undefined; readonly authorization: string | undefined }[] = [];
  const sockets = new Set<Socket>();
  const proxy = createServer();
  proxy.on("connect", (asked: IncomingMessage, socket: Socket) => {
    tunnels.push({ target: asked.url, authorization: asked.headers["proxy-authorization"] });
    const far = connect(apiPort, "127.0.0.1");
    for (const end of [socket, far]) {
      sockets.add(end);
      end.on("error", () => end.destroy());
      end.on("close", () => (end === far ? socket : far).destroy());
    }
    socket.write("HTTP/1.1 200 OK\r\n\r\n");
    socket.pipe(far).pipe(socket);
  });
  const proxyPort = await listen(proxy);
  const caFile = join(await mkdtemp(join(tmpdir(), "operator-proxy-")), "ca.pem");
  await writeFile(caFile, selfSignedForApiTest.cert);
  return {
    url: `https://api.test:${apiPort}`,
    proxyUrl: `http://operator:canary-of-the-proxy@127.0.0.1:${proxyPort}`,
    caFile,
    tunnels,
    [Symbol.dispose]: () => {
      for (const socket of sockets) socket.destroy();
      proxy.close();
      front.close();
    },
  };
}

test("an API that only a proxy leads to is reached through it; Kubernetes is not asked for there", async () => {
  await using scenario = await startScenario({ connection: "none", isStarted: false });
  using way = await behindProxy(scenario);
  scenario.keepSecret("canary-of-the-proxy");
  await scenario.secret("nf-token", { token: scenario.token });
  await scenario.apply(northflankConnections, "default", { tokenSecretRef: { name: "nf-token" }, apiURL: way.url });
  await using operator = startOperator({
    program: operatorProgram,
    kubeconfig: scenario.cluster.operatorKubeconfigPath,
    northflankUrl: way.url,
    flags: [
      `--watch-namespaces=${scenario.namespace}`,
      `--leader-elect-namespace=${scenario.namespace}`,
      "--rollout-poll-interval=150ms",
      "--log-level=debug",
    ],
    env: { HTTPS_PROXY: way.proxyUrl, NO_PROXY: "example.com", NODE_EXTRA_CA_CERTS: way.caFile },
  });
  const deployment = await scenario.deployment("api", {
    projectId: "shop",
    serviceId: "api",
    deployment: { external: { imagePath: "ghcr.io/acme/api:1.4.2" } },
  });
  await deployment.reaches("Ready");
  expect(scenario.northflank.service("shop", "api").image).toBe("ghcr.io/acme/api:1.4.2");
  const { host } = new URL(way.url);
  const authorization = `Basic ${Buffer.from("operator:canary-of-the-proxy").toString("base64")}`;
  expect(new Set(way.tunnels.map((tunnel) => JSON.stringify(tunnel)))).toEqual(
    new Set([JSON.stringify({ target: host, authorization })]),
  );
  const log = JSON.stringify(operator.log);
  for (const secret of ["canary-of-the-proxy", authorization, scenario.token]) expect(log).not.toContain(secret);
}, 200_000);

test("an HTTPS_PROXY that is none ends the program with 2, and is not quoted", async () => {
  await using scenario = await startScenario({ isStarted: false });
  await using operator = startOperator({
    program: operatorProgram,
    kubeconfig: scenario.cluster.operatorKubeconfigPath,
    northflankUrl: scenario.northflank.url,
    env: { HTTPS_PROXY: "socks5://operator:canary-of-the-proxy@127.0.0.1:1080" },
  });
  expect(await operator.exited).toBe(2);
  const said = JSON.stringify(operator.log);
  expect(said).toContain("HTTPS_PROXY");
  expect(said).not.toContain("canary-of-the-proxy");
}, 100_000);

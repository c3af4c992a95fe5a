import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { selfSigned } from "../support/self-signed.ts";
import { type CaseRig, kubeconfigCases, openCaseRig, ours, type Result } from "./kubeconfig.cases.ts";

let rig: CaseRig;
let results: ReadonlyMap<string, Result>;

beforeAll(async () => {
  rig = await openCaseRig();
  results = await rig.runAll(ours);
}, 120_000);
afterAll(() => rig[Symbol.asyncDispose]());

describe("a kubeconfig with", () => {
  test.each(Object.keys(kubeconfigCases))("%s", (name) => {
    expect(results.get(name)?.outcome).toEqual(rig.expected(name).ours);
  });
});

test("the proxies that a kubeconfig names are used", () => {
  expect(rig.proxy.opened).toEqual([`127.0.0.1:${rig.api.port} as ada:p@w`]);
  expect(rig.tlsProxy.opened).toEqual([`127.0.0.1:${rig.api.port}`]);
  expect(rig.socks.opened).toEqual([`127.0.0.1:${rig.api.port}`]);
});

test("a plugin is told about the cluster only where it asks", () => {
  const told = (name: string) => results.get(name)?.told;
  const about = { kind: "ExecCredential", apiVersion: "client.authentication.k8s.io/v1" };
  const cluster = {
    server: rig.api.url,
    "tls-server-name": "localhost",
    "certificate-authority-data": Buffer.from(selfSigned.cert).toString("base64"),
    config: { audience: "shop", list: [1, true, null] },
  };
  expect(told("a plugin that does not ask for the cluster")).toEqual({ ...about, spec: { interactive: false } });
  expect(told("a plugin that asks for the cluster")).toEqual({ ...about, spec: { interactive: false, cluster } });
});

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { type ApiRecorder, recordCallers } from "../support/api-recorder.ts";
import { operatorProgram } from "../support/build-operator.ts";
import { selfSigned } from "../support/self-signed.ts";

// The whole program with a kubeconfig, and a server that only writes down who called.

let folder: string;
let api: ApiRecorder;
const running: ChildProcess[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "operator-kubeconfig-test-"));
  api = await recordCallers();
});
afterEach(async () => {
  for (const child of running.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  await api[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

function kubeconfig(user: object | undefined): string {
  mkdirSync(join(folder, "kube"), { recursive: true });
  const path = join(folder, "kube/config");
  const ca = Buffer.from(selfSigned.cert).toString("base64");
  const file = {
    "current-context": "here",
    clusters: [{ name: "c", cluster: { server: api.url, "certificate-authority-data": ca } }],
    users: user === undefined ? [] : [{ name: "u", user }],
    contexts: [{ name: "here", context: { cluster: "c", ...(user === undefined ? {} : { user: "u" }) } }],
  };
  writeFileSync(path, stringify(file));
  return path;
}

function start(KUBECONFIG: string) {
  const args = ["run", "--metrics-bind-address=0", "--health-bind-address=0", "--log-format=json"];
  const child = spawn(process.execPath, [operatorProgram, ...args], {
    env: { PATH: process.env.PATH, KUBECONFIG, HOME: folder, INHERITED: "ada", NORTHFLANK_API_TOKEN: "canary" },
  });
  running.push(child);
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => output.push(chunk.toString()));
  return { child, said: () => output.join("") };
}

/** Who called, when at least `count` calls have come, watches among them. */
async function callers(count: number) {
  const all = () => [...api.callers.values()].flat();
  await expect.poll(() => all().length, { timeout: 20_000 }).toBeGreaterThanOrEqual(count);
  expect([...api.callers.keys()].some((path) => path.includes("watch=true"))).toBe(true);
  return all();
}

describe("the operator", () => {
  test("sends what a plugin and impersonation say with every request", async () => {
    const credential =
      '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}';
    mkdirSync(join(folder, "bin"));
    writeFileSync(
      join(folder, "bin/plugin"),
      `#!/bin/sh\nprintf '${credential}' "of-$INHERITED$NORTHFLANK_API_TOKEN"\n`,
    );
    chmodSync(join(folder, "bin/plugin"), 0o755);
    const exec = {
      apiVersion: "client.authentication.k8s.io/v1",
      command: "../bin/plugin",
      interactiveMode: "Never",
    };
    start(kubeconfig({ exec, as: "deployer", "as-groups": ["one", "two"] }));
    const impersonate = { "impersonate-user": ["deployer"], "impersonate-group": ["one", "two"] };
    for (const caller of await callers(8)) expect(caller).toEqual({ authorization: "Bearer of-ada", impersonate });
  });

  test("says so when its requests are anonymous, and verifies the server all the same", async () => {
    const { said } = start(kubeconfig(undefined));
    for (const caller of await callers(8)) expect(caller).toEqual({});
    expect(said()).toContain("kubeconfig without user, requests are anonymous");
  });

  test("ends with exit 2 and sends nothing when a key is misspelt", async () => {
    const { child, said } = start(kubeconfig({ token: "canary", "as-group": ["admins"] }));
    await once(child, "close");
    expect(child.exitCode).toBe(2);
    expect(said()).toContain('\\"as-group\\" is not a key of it. Correct or remove it');
    expect(said()).not.toContain("canary");
    expect(api.callers.size).toBe(0);
  });
});

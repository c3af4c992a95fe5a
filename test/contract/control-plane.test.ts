import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { isKubeError } from "../../src/kube/errors.ts";
import { createKubeClient } from "../../src/kube/http-client.ts";
import { loadKubeAccess } from "../../src/kube/kubeconfig.ts";
import { configMaps } from "../../src/kube/types.ts";
import { systemClock } from "../../src/util/clock.ts";
import { startControlPlane } from "../support/control-plane.ts";
import { findControlPlaneBinaries } from "../support/control-plane-binaries.ts";

// The launcher itself, hence only where the programs are: npm run test:cluster.

const isReal = process.env.TEST_CLUSTER === "real";
const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a", namespace: "default" } };

describe.runIf(isReal)("a control plane", () => {
  test("comes back on the same port with the same data after its API server was restarted", async () => {
    const binaries = await findControlPlaneBinaries({ env: process.env, say: () => undefined });
    await using plane = await startControlPlane({ binaries });
    const access = await loadKubeAccess({ path: plane.kubeconfigPath }, { clock: systemClock });
    await using client = createKubeClient({ access, clock: systemClock });
    const created = await client.create(configMaps, object);

    await plane.stopApiServer();
    const error = await client.get(configMaps, { namespace: "default", name: "a" }).catch((thrown: unknown) => thrown);
    expect(isKubeError(error, "unavailable")).toBe(true);

    await plane.startApiServer();
    expect(await client.get(configMaps, { namespace: "default", name: "a" })).toEqual(created);
  });

  test("leaves nothing behind when who started it is killed", async () => {
    const script = resolve(import.meta.dirname, "../../scripts/control-plane.ts");
    const child = spawn(process.execPath, ["--import", "tsx", script], { stdio: ["ignore", "pipe", "inherit"] });
    let said = "";
    child.stdout.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
    await expect.poll(() => said, { timeout: 50_000 }).toContain("Ctrl-C");
    const [, port] = /https:\/\/127\.0\.0\.1:(\d+)/.exec(said) ?? [];
    const [, directory = ""] = /KUBECONFIG=(\S+)\/admin\.kubeconfig/.exec(said) ?? [];
    expect(await isListening(Number(port))).toBe(true);
    expect(existsSync(directory)).toBe(true);

    child.kill("SIGKILL");
    await expect.poll(() => isListening(Number(port)), { timeout: 10_000 }).toBe(false);
    await expect.poll(() => existsSync(directory), { timeout: 10_000 }).toBe(false);
  });
});

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(true));
    socket.on("error", () => resolve(false));
    socket.on("close", () => resolve(false));
    socket.on("connect", () => socket.destroy());
  });
}

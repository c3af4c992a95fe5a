import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { startSharedCluster } from "../test/support/cluster.ts";

// Runs the contract and operator tests against a real kube-apiserver and etcd, with the operator under a service account
// that has exactly the rights that deploy/ ships; then the tests of installing, each on a control plane of its own.
// Arguments go to vitest: npm run test:cluster -- test/contract

const { factsPath, cluster } = await startSharedCluster({ env: process.env, say: (line) => console.log(line) });
console.log(`real kube-apiserver at ${cluster.url}`);
let code = 1;
try {
  code = await runVitest(process.argv.slice(2));
  const forbidden = await cluster.forbidden();
  if (forbidden.length > 0) {
    const each = [...new Set(forbidden)].map((call) => `  ${call}`).join("\n");
    console.error(
      `\nthe server refused ${forbidden.length} calls of the operator with 403; deploy/base/rbac lacks:\n${each}`,
    );
    code = 1;
  }
} finally {
  await cluster.stop();
}
process.exitCode = code;

function runVitest(args: readonly string[]): Promise<number> {
  const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs");
  // One file at a time: they share one server, and two cores are busy with one operator and one API server.
  const fixed = ["run", "--project", "sandbox", "--project", "install", "--no-file-parallelism"];
  const child = spawn(process.execPath, [vitest, ...fixed, ...args], {
    stdio: "inherit",
    env: { ...process.env, TEST_CLUSTER: "real", TEST_CLUSTER_FACTS: factsPath },
  });
  // Ctrl-C reaches both of us; vitest ends first and we tidy up after it.
  process.on("SIGINT", () => undefined);
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (exitCode) => resolve(exitCode ?? 1));
  });
}

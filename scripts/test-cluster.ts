import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { setup as buildOperator } from "../test/support/build-operator.ts";
import { startSharedCluster } from "../test/support/cluster.ts";

// Runs the contract and operator tests against a real kube-apiserver and etcd, with the operator under a service account
// that has exactly the rights that deploy/ ships. The tests of installing run beside them, on control planes of their own.
// Arguments go to vitest: npm run test:cluster -- test/contract

const { factsPath, cluster } = await startSharedCluster({ env: process.env, say: (line) => console.log(line) });
console.log(`real kube-apiserver at ${cluster.url}`);
// Ctrl-C reaches the tests too: they end first and we tidy up after them.
process.on("SIGINT", () => undefined);
let code = 1;
try {
  buildOperator();
  const args = process.argv.slice(2);
  // All of them side by side: they wait for controllers most of the time. What was chosen by name, together.
  const runs = args.length > 0 ? [["sandbox", "install"]] : [["sandbox"], ["install"]];
  const codes = await Promise.all(runs.map((projects) => runVitest(projects, args)));
  code = codes.find((each) => each !== 0) ?? 0;
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

function runVitest(projects: readonly string[], args: readonly string[]): Promise<number> {
  const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs");
  // One file at a time: the tests share one server, and two cores are busy with one operator and one API server.
  const fixed = ["run", ...projects.flatMap((project) => ["--project", project]), "--no-file-parallelism"];
  const child = spawn(process.execPath, [vitest, ...fixed, ...args], {
    stdio: "inherit",
    env: { ...process.env, TEST_CLUSTER: "real", TEST_CLUSTER_FACTS: factsPath, OPERATOR_UNDER_TEST: "built" },
  });
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (exitCode) => resolve(exitCode ?? 1));
  });
}

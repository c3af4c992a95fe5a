import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { extract } from "tar";
import { expect, test } from "vitest";
import { runDiagnose } from "../../src/cli/diagnose.ts";
import type { KubeObject } from "../../src/kube/types.ts";
import { systemClock } from "../../src/util/clock.ts";
import { capturedIo } from "../support/captured-io.ts";
import { type Scenario, scenarios } from "../support/operator-scenario.ts";
import { kubeconfigWith, rolesIn } from "../support/page-roles.ts";

const startScenario = scenarios();
const canary = "canary-4b1d";

/** Runs `diagnose` as somebody with these Roles, and reads what it has written. */
async function diagnoseAs(scenario: Scenario, account: string, roles: readonly KubeObject[]) {
  const kubeconfig = await kubeconfigWith(scenario.cluster, scenario.namespace, { account, roles });
  const folder = mkdtempSync(join(tmpdir(), "diagnose-"));
  try {
    const file = join(folder, "bundle.tar.gz");
    const captured = capturedIo();
    const args = ["-o", file, "--operator-namespace", scenario.namespace];
    const deps = { env: { KUBECONFIG: kubeconfig }, io: captured.io, clock: systemClock, random: Math.random };
    const code = await runDiagnose(args, deps);
    if (code !== 0) return { code, files: new Map<string, string>() };
    const names: string[] = [];
    await extract({ file, cwd: folder, onReadEntry: ({ path }) => names.push(path) });
    return { code, files: new Map(names.map((name) => [name, readFileSync(join(folder, name), "utf8")])) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("diagnose reads all it needs with the Roles of its page, and no secret", async () => {
  await using scenario = await startScenario();
  const run = await scenario.jobRun("migrate", { runtimeEnvironment: { PASSWORD: canary } });
  await run.reaches("Succeeded");
  const roles = rolesIn("troubleshooting.md").filter(({ metadata }) => metadata.name.endsWith("-diagnose"));
  expect(roles.map(({ kind }) => kind).sort()).toEqual(["ClusterRole", "Role"]);
  const { code, files } = await diagnoseAs(scenario, "diagnose", roles);
  expect(code).toBe(0);
  // The sandbox serves no pods.
  const unserved = scenario.cluster.kind === "sandbox" ? /^pods\.json: \[not_found\] [^\n]*\n$/ : /^$/;
  expect(files.get("errors.txt") ?? "").toMatch(unserved);
  expect(files.get("lease.json")).toContain("holderIdentity");
  expect(files.get("crds.json")).toContain("northflankjobruns.northflank-operator.io");
  expect(files.get("northflankjobruns.json")).toContain("RunSucceeded");
  expect(files.get("northflankjobruns.json")).toContain("PASSWORD");
  expect(files.get("events.json")).toContain('"NorthflankJobRun"');
  expect([...files.values()].join("\n")).not.toContain(canary);
});

test("diagnose names what a user may not read, and writes the rest", async ({ skip }) => {
  await using scenario = await startScenario();
  if (scenario.cluster.kind === "sandbox") skip("the sandbox has no RBAC");
  const [clusterRole] = rolesIn("troubleshooting.md").filter(({ metadata, kind }) => {
    return kind === "ClusterRole" && metadata.name.endsWith("-diagnose");
  });
  if (clusterRole === undefined) throw new Error("the page has no ClusterRole");
  const { code, files } = await diagnoseAs(scenario, "half", [clusterRole]);
  expect(code).toBe(0);
  expect(files.get("errors.txt")).toMatch(/^pods\.json: .*\[forbidden\]/m);
  expect(files.get("errors.txt")).toMatch(/^lease\.json: .*\[forbidden\]/m);
  expect(files.get("northflankconnections.json")).toContain('"default"');
  expect((await diagnoseAs(scenario, "nobody", [])).code).toBe(1);
});

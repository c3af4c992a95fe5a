import { execFileSync } from "node:child_process";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

/** The bundle that operator tests run. Not `dist`, so that a build, a demo or a benchmark next door never replaces it. */
export const operatorProgram = join(root, ".cache", "operator-under-test", "northflank-operator.js");

/**
 * Bundles the operator once for all test files; the test runner calls it before the first one starts. Who starts several
 * test runners side by side bundles it himself and says so in `OPERATOR_UNDER_TEST`.
 */
export function setup(): void {
  if (process.env.OPERATOR_UNDER_TEST === "built") return;
  const build = ["--import", "tsx", "scripts/build.ts", dirname(operatorProgram)];
  execFileSync(process.execPath, build, { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
}

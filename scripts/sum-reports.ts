import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Adds up the JSON reports of the test runs in a folder and prints `N passed, N failed, N skipped` as the last line.
 * Arguments: the folder, and how many steps of the caller failed; if any did and no test was reported as failed, one
 * failure is counted, so that the line is never better than the run was. Exits 1 when no test was reported at all.
 */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
}

const [folder = "", failedSteps = "0"] = process.argv.slice(2);
const reports = readdirSync(folder)
  .filter((file) => file.endsWith(".json"))
  .map((file) => JSON.parse(readFileSync(join(folder, file), "utf8")) as Report);

const sum = (pick: (report: Report) => number) => reports.reduce((total, report) => total + pick(report), 0);
const passed = sum((report) => report.numPassedTests);
const skipped = sum((report) => report.numPendingTests);
const failed = Math.max(
  sum((report) => report.numFailedTests),
  Number(failedSteps) > 0 ? 1 : 0,
);
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
if (passed + failed === 0) process.exitCode = 1;

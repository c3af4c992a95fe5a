import { defineConfig } from "vitest/config";

// Four projects, one rule each:
// - `unit` needs nothing but Node: no sockets beyond loopback, no sleeping, done in seconds.
// - `packaging` runs what is shipped through helm, kubectl and actionlint, which are built from their Go modules.
// - `sandbox` runs the contract and operator tests against the embedded sandbox. The very same files run against a
//   real kube-apiserver and etcd in `npm run test:cluster`.
// - `install` installs and removes the operator as users do, on real control planes: the end of `npm run test:cluster`.
export default defineConfig({
  test: {
    // In CI each run also leaves a report behind, which .ci/run adds up.
    reporters: process.env.CI
      ? ["default", ["json", { outputFile: `.cache/test-reports/${process.pid}.json` }]]
      : ["default"],
    projects: [
      {
        test: {
          name: "unit",
          sequence: { groupOrder: 0 },
          include: ["test/**/*.test.ts"],
          exclude: ["test/contract/**", "test/operator/**", "test/packaging/**", "test/install/**"],
          testTimeout: 10_000,
          // Files share their modules: nothing in src has module-level state, and it halves the time of the suite.
          isolate: false,
        },
      },
      {
        test: {
          name: "packaging",
          include: ["test/packaging/**/*.test.ts"],
          globalSetup: ["test/support/go-tools.ts"],
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: "sandbox",
          // After the unit tests, not beside them: what is broken there is told first and by a better message.
          sequence: { groupOrder: 1 },
          include: ["test/contract/**/*.test.ts", "test/operator/**/*.test.ts"],
          globalSetup: ["test/support/build-operator.ts"],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          // Each operator test file owns ports and processes; on two cores more files at once only add noise.
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: "install",
          // After the tests that share a server. Each of these starts one of its own.
          sequence: { groupOrder: 2 },
          include: ["test/install/**/*.test.ts"],
          globalSetup: ["test/support/build-operator.ts", "test/support/go-tools.ts"],
          testTimeout: 240_000,
          maxWorkers: 1,
        },
      },
    ],
  },
});

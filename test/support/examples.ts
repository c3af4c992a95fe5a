import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import type { NorthflankSandbox } from "../../sandbox/northflank/server.ts";
import type { KubeObject } from "../../src/kube/types.ts";
import { readManifests } from "./manifests.ts";

/** The folder that users apply. */
export const examplesFolder = resolve(fileURLToPath(import.meta.url), "../../../examples");

/** All documents of it, in the order in which `kubectl apply -f` takes them. */
export const exampleManifests: readonly KubeObject[] = readdirSync(examplesFolder)
  .filter((file) => file.endsWith(".yaml"))
  .sort()
  .flatMap((file) => readManifests(join(examplesFolder, file)));

/** The condition that each kind is waited for, as the README tells; other kinds have none. */
export const exampleEnds: Readonly<Record<string, string>> = {
  NorthflankConnection: "Ready",
  NorthflankDeployment: "Ready",
  NorthflankJob: "Ready",
  NorthflankJobRun: "Finished",
};

/** Asserts what the examples come to at a Northflank that was as `startNorthflank` makes it. */
export function expectExamplesAt(northflank: NorthflankSandbox): void {
  expect(northflank.service("shop", "api").image).toBe("ghcr.io/acme/api:1.4.2");
  expect(northflank.service("backend", "worker").deployedSHA).toBe("12c15e7ee6a1e6b3b1b7f4a1b9a5b0f1c2d3e4f5");
  expect(northflank.service("backend", "checkout").image).toBe("ghcr.io/acme/checkout:3.1.0");
  expect(northflank.job("shop", "report").image).toBe("ghcr.io/acme/report:2.1.0");
  expect(northflank.service("shop", "storefront").docker).toEqual({
    configType: "customCommand",
    customCommand: "node server.js --cache",
  });
  expect(northflank.job("shop", "report").settings).toMatchObject({
    description: "Monthly report",
    settings: { backoffLimit: 2, cron: { schedule: "0 3 1 * *", concurrencyPolicy: "forbid" } },
  });
  expect(northflank.job("shop", "migrate").settings).toMatchObject({
    runtimeEnvironment: { LOG_LEVEL: "info", MIGRATE_url: "postgres://shop:example@db.internal/shop" },
  });
  // Observed, not written.
  expect(northflank.service("shop", "web").image).toBe("ghcr.io/acme/web:2.0.0");
  const [report] = northflank.runs("shop", "report");
  expect(report?.request).toEqual({
    runtimeEnvironment: { DB_user: "report", DB_password: "example", REPORT_FORMAT: "pdf", MONTH: "2026-11" },
    runtimeFiles: {
      "/etc/report/template.html": {
        data: Buffer.from("<h1>Report</h1>\n").toString("base64"),
        encoding: "utf-8",
      },
    },
  });
  expect(northflank.service("backend", "queue")).toMatchObject({
    internal: { id: "builder", branch: "main", buildSHA: "latest" },
    buildpack: { configType: "customProcess", customProcess: "worker" },
  });
  const overrides = northflank.runs("backend", "reindex").flatMap(({ request }) => Object.keys(request ?? {}));
  expect(overrides.sort()).toEqual(["billing", "deployment", "runtimeFiles"]);
  const runs = northflank.runs("shop", "migrate");
  expect(runs.map(({ status }) => status)).toEqual(["SUCCESS"]);
}

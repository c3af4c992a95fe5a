import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { northflankConnections, northflankDeployments, northflankJobs } from "../../src/api/names.ts";
import { readManifests } from "../../src/cli/manifest-reader.ts";
import { operatorProgram } from "../support/build-operator.ts";
import { type Scenario, scenarios } from "../support/operator-scenario.ts";

const startScenario = scenarios();

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** The built program, as a person or a pipeline runs it. */
function northflankOperator({ northflank, token }: Scenario, ...args: readonly string[]): Promise<Ran> {
  const isRemote = args[0] !== "validate";
  const address = [`--api-url=${northflank.url}`, `--allowed-api-hosts=${new URL(northflank.url).host}`];
  const env = { PATH: process.env.PATH, NORTHFLANK_API_TOKEN: token };
  const options = { env, encoding: "utf8" } as const;
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [operatorProgram, ...args, ...(isRemote ? address : [])], options, (error, out, err) => {
      if (error !== null && typeof error.code !== "number") reject(error);
      else resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: object;
}

async function applyFile(scenario: Scenario, path: string) {
  const manifests = readManifests(readFileSync(path, "utf8")).map(({ value }) => value as Manifest);
  const handles = [];
  for (const { kind, metadata, spec } of manifests) {
    const type = [northflankConnections, northflankDeployments, northflankJobs].find((each) => each.kind === kind);
    if (type === undefined) throw new Error(`${kind} is not applied by this test`);
    handles.push(await scenario.apply(type, metadata.name, spec));
  }
  return handles;
}

describe("a new user", { timeout: 200_000 }, () => {
  test("imports a project, plans nothing, changes one image, plans that one field, applies, and it is Ready", async () => {
    const folder = mkdtempSync(join(tmpdir(), "import-and-plan-"));
    await using scenario = await startScenario({ connection: "none" });
    const path = join(folder, "shop.yaml");

    const imported = await northflankOperator(scenario, "import", "--project=shop");
    expect([imported.code, imported.err]).toEqual([0, expect.stringContaining("manifests printed")]);
    writeFileSync(path, imported.out);
    expect((await northflankOperator(scenario, "validate", path)).code).toBe(0);
    expect(await northflankOperator(scenario, "plan", path)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^Plan: 0 to change, 0 runs to start, 4 as declared; /),
    });

    // Applied untouched, it changes nothing.
    await scenario.secret("nf-token", { token: scenario.token });
    for (const handle of await applyFile(scenario, path)) await handle.reaches("Ready");
    expect(scenario.changes()).toEqual([]);

    writeFileSync(path, imported.out.replace("acme/api:1.4.1", "acme/api:1.4.2"));
    const planned = await northflankOperator(scenario, "plan", path);
    expect(planned.code).toBe(3);
    expect(planned.out.split("\n").filter((line) => line.startsWith("  ~"))).toEqual([
      "  ~ deployment.external.imagePath: ghcr.io/acme/api:1.4.1 -> ghcr.io/acme/api:1.4.2",
    ]);
    expect(scenario.changes()).toEqual([]);

    for (const handle of await applyFile(scenario, path)) await handle.reaches("Ready");
    expect(scenario.northflank.service("shop", "api").image).toBe("ghcr.io/acme/api:1.4.2");
    expect(scenario.changes()).toHaveLength(1);
    expect((await northflankOperator(scenario, "plan", path)).code).toBe(0);
    rmSync(folder, { recursive: true });
  });
});

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createValidator } from "../../src/api/validate.ts";
import { runImport } from "../../src/cli/import.ts";
import { readManifests } from "../../src/cli/manifest-reader.ts";
import { systemClock } from "../../src/util/clock.ts";
import { startToolScene, type ToolScene, toolToken } from "../support/tool-scene.ts";

let scene: ToolScene;

beforeEach(async () => {
  scene = await startToolScene();
});

afterEach(async () => {
  await scene[Symbol.asyncDispose]();
});

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

/** The documents of an output; each has to pass `validate`. */
function manifestsOf(text: string): readonly Manifest[] {
  const validator = createValidator();
  return readManifests(text).map(({ value, problems }) => {
    expect([problems, validator.validateManifest(value)]).toEqual([[], []]);
    return value as Manifest;
  });
}

const namesOf = (text: string) => manifestsOf(text).map(({ kind, metadata }) => `${kind} ${metadata.name}`);

describe("an import", () => {
  test("prints one connection, a deployment for each service that runs something and the settings of each job", async () => {
    const { code, out, err } = await scene.run(runImport, ["--project=shop"]);
    expect(code).toBe(0);
    expect(namesOf(out)).toEqual([
      "NorthflankConnection default",
      "NorthflankDeployment api",
      "NorthflankDeployment web",
      "NorthflankJob migrate",
      "NorthflankJob report",
    ]);
    expect(manifestsOf(out)[1]?.spec).toEqual({
      projectId: "shop",
      serviceId: "api",
      deployment: { external: { imagePath: "ghcr.io/acme/api:1.4.1" } },
    });
    expect(out).toContain('# service "builder": it is a build service, which deploys nothing.');
    expect(out).toContain('# service "storefront": it is a combined service, and Northflank returns no source');
    expect(err).toContain("5 manifests printed, 2 left out. 7 requests to Northflank; 993 of 1000 left in this hour.");
  });

  test("reads only, and says the same twice", async () => {
    const first = await scene.run(runImport, ["--project=shop"]);
    const second = await scene.run(runImport, ["--project=shop"]);
    expect(second.out).toBe(first.out);
    expect(new Set(scene.northflank.calls.map(({ method }) => method))).toEqual(new Set(["GET"]));
  });

  test("of one service asks for that one only", async () => {
    const { code, out } = await scene.run(runImport, ["--project=shop", "--service=web"]);
    expect([code, namesOf(out)]).toEqual([0, ["NorthflankConnection default", "NorthflankDeployment web"]]);
    expect(scene.northflank.calls.map(({ path }) => path)).toEqual(["/v1/projects/shop/services/web"]);
  });

  test("of one job asks for that one only, and prints its settings in the words of the API", async () => {
    const { code, out } = await scene.run(runImport, ["--project=shop", "--job=report"]);
    expect([code, namesOf(out)]).toEqual([0, ["NorthflankConnection default", "NorthflankJob report"]]);
    expect(scene.northflank.calls.map(({ path }) => path)).toEqual(["/v1/projects/shop/jobs/report"]);
    expect(manifestsOf(out)[1]?.spec).toMatchObject({
      projectId: "shop",
      jobId: "report",
      settings: {
        cron: { schedule: "0 3 * * *", concurrencyPolicy: "forbid" },
        billing: { deploymentPlan: "nf-compute-20" },
      },
    });
  });

  test("of a job and a service prints both, and a job that cannot be read makes it end with 1", async () => {
    const both = await scene.run(runImport, ["--project=shop", "--job=report", "--service=api", "--observe"]);
    expect(namesOf(both.out).slice(1)).toEqual(["NorthflankDeployment api", "NorthflankJob report"]);
    expect(manifestsOf(both.out)[2]?.spec).toMatchObject({ managementPolicy: "Observe" });
    const missing = await scene.run(runImport, ["--project=shop", "--job=report,nothing"]);
    expect([missing.code, namesOf(missing.out).length]).toEqual([1, 2]);
    expect(missing.err).toContain('not imported: job "nothing": it could not be read: [not_found]');
  });

  test("with --observe only looks, and names the connection that is not the default one", async () => {
    const { out } = await scene.run(runImport, ["--project=shop", "--service=api", "--observe", "--connection=acme"]);
    expect(manifestsOf(out)[0]?.metadata.name).toBe("acme");
    expect(manifestsOf(out)[1]?.spec).toMatchObject({ managementPolicy: "Observe", connectionRef: { name: "acme" } });
  });

  test("over the paths of a team puts the team into the connection", async () => {
    const { out } = await scene.run(runImport, ["--project=shop", "--service=api", "--team-id=acme"]);
    expect(scene.northflank.calls[0]?.path).toBe("/v1/teams/acme/projects/shop/services/api");
    expect(manifestsOf(out)[0]?.spec).toMatchObject({ teamId: "acme", apiURL: scene.northflank.url });
  });

  test("of names that differ in capitals only makes different objects", async () => {
    scene.northflank.addService("shop", { id: "API", image: "nginx:1.25" });
    const { out } = await scene.run(runImport, ["--project=shop"]);
    const specs = manifestsOf(out).map(({ metadata, spec }) => [metadata.name, spec.serviceId]);
    expect(specs.slice(1, 3)).toEqual([
      ["api", "API"],
      ["api-2", "api"],
    ]);
  });

  test.each([
    ["a line break and a document", "x\n---\nkind: Secret\n"],
    ["a path", "../../v1/tokens"],
    ["control characters", "a\u001b[2J\u0000b"],
    ["a word of JavaScript", "__proto__"],
    ["a megabyte", "a".repeat(1_000_000)],
    ["a lone surrogate", "a\ud800"],
  ])("lists an id with %s as a comment, and never asks for it", async (_what, id) => {
    scene.northflank.addService("shop", { id, image: "nginx:1" });
    const { code, out, err } = await scene.run(runImport, ["--project=shop"]);
    expect([code, namesOf(out).length]).toEqual([0, 5]);
    expect(out.length).toBeLessThan(5_000);
    expect(`${out}${err}`).not.toMatch(/[^\P{Cc}\n]/u);
    expect(scene.northflank.calls).toHaveLength(7);
  });

  test("leaves out what would not be valid, with the reason", async () => {
    scene.northflank.addService("shop", { id: "odd", image: "registry.example.com:5000/app@sha256:00" });
    const { code, out } = await scene.run(runImport, ["--project=shop"]);
    expect([code, namesOf(out).length]).toEqual([0, 5]);
    expect(out).toContain('# service "odd": its image has no valid digest');
  });

  test("goes on when one service cannot be read, says so, and ends with 1", async () => {
    const { code, out, err } = await scene.run(runImport, ["--project=shop", "--service=api,nothing"]);
    expect([code, namesOf(out)]).toEqual([1, ["NorthflankConnection default", "NorthflankDeployment api"]]);
    const line = 'service "nothing": it could not be read: [not_found] status 404';
    expect(out).toContain(line);
    expect(err).toContain(`not imported: ${line}`);
  });

  test("ends with 1 when what was asked for cannot be declared", async () => {
    expect((await scene.run(runImport, ["--project=shop", "--service=builder"])).code).toBe(1);
  });

  test.each([
    [
      "a project that does not exist",
      ["--project=nothing"],
      '[not_found] could not list the services of project "nothing"',
    ],
    [
      "a team that is not the token's",
      ["--project=shop", "--team-id=other"],
      "[not_found] could not list the services",
    ],
  ])("of %s prints nothing and ends with 1", async (_what, args, message) => {
    const result = await scene.run(runImport, args);
    expect(result).toMatchObject({ code: 1, out: "" });
    expect(result.err).toContain(message);
  });

  test("with a token that lacks a permission names it, and reads the rest", async () => {
    scene.northflank.setTokenRights(toolToken, { lacks: ["ps_services_general_read"] });
    const { code, err } = await scene.run(runImport, ["--project=shop", "--service=api", "--job=migrate"]);
    expect(code).toBe(1);
    expect(err).toContain("the token lacks the permission ps_services_general_read");
    expect(scene.northflank.calls.map(({ path, status }) => `${path} ${status}`).sort()).toEqual([
      "/v1/projects/shop/jobs/migrate 200",
      "/v1/projects/shop/services/api 401",
    ]);
  });

  test("from a host that is not there names it, and says what to check", async () => {
    const address = ["--api-url=https://api.invalid:8443", "--allowed-api-hosts=api.invalid:8443", "--quota-wait=1s"];
    const err: string[] = [];
    const io = { out: () => {}, err: (text: string) => err.push(text), isTerminal: false, readStdin: async () => "" };
    const deps = { env: { NORTHFLANK_API_TOKEN: toolToken }, io, clock: systemClock, random: () => 0 };
    expect(await runImport(["--project=shop", ...address], deps)).toBe(1);
    expect(err.join("")).toContain(
      'could not list the services of project "shop": no connection to api.invalid:8443: ',
    );
    expect(err.join("")).toContain(". Check --api-url, DNS, HTTPS_PROXY and firewalls\n");
    expect(err.join("")).not.toContain(toolToken);
  });

  test("with a 401 that strays reads everything all the same", async () => {
    scene.northflank.rejectNextRequests(1);
    const { code, err } = await scene.run(runImport, ["--project=shop", "--service=api"]);
    expect([code, err]).toEqual([0, expect.not.stringContaining("401")]);
  });

  test("with a rejected token stops at once", async () => {
    scene.northflank.revokeToken(toolToken);
    const { code, out, err } = await scene.run(runImport, [
      "--project=shop",
      "--service=api,web,storefront,builder,xyz,abc",
    ]);
    expect([code, namesOf(out)]).toEqual([1, ["NorthflankConnection default"]]);
    expect(err).toMatch(/\[unauthorized\] .*\. Check the token \(NORTHFLANK_API_TOKEN or --token-file\), .*--team-id/);
    // Those that were under way together, and one check of the token.
    expect(scene.northflank.calls.length).toBeLessThanOrEqual(5);
    expect(scene.northflank.calls.filter(({ path }) => path === "/v1/auth")).toHaveLength(1);
  });

  test("that needs more than the quota has left spends nothing on it, and says how much is needed", async () => {
    for (let count = 0; count < 20; count++)
      scene.northflank.addService("shop", { id: `svc-${count}`, image: "nginx:1" });
    scene.northflank.spendQuota(990);
    const { code, out, err } = await scene.run(runImport, ["--project=shop"]);
    expect([code, out, scene.northflank.calls.length]).toEqual([1, "", 2]);
    expect(err).toContain("that takes 25 requests, more than the budget has left");
    expect(err).toContain("2 requests to Northflank; 8 of 1000 left in this hour.");
  });

  test("shows progress on a terminal, and takes it away before anything else is written", async () => {
    const { err } = await scene.run(runImport, ["--project=shop"], { isTerminal: true });
    expect(err).toContain("\r\u001b[2Kreading project shop: 2 of 5; ");
    expect(err.split("\r\u001b[2K").at(-1)).toMatch(/^not imported: /);
    const quiet = await scene.run(runImport, ["--project=shop"]);
    expect(quiet.err).not.toContain("\u001b");
  });
});

describe("wrong usage of import", () => {
  test("is 2, with everything that is wrong, and sends nothing", async () => {
    const args = ["--quota-wait=soon", "--frobnicate=1", "--team-id=a b", "file.yaml", "--service=,"];
    const result = await scene.run(runImport, args, { env: {} });
    expect(result).toMatchObject({ code: 2, out: "" });
    expect(result.err.split("\n").slice(1, -1)).toEqual([
      "  --frobnicate: unknown flag; see import --help",
      "  file.yaml: import takes flags only",
      '  --service=",": at least one ID is expected',
      '  --team-id="a b": a team ID is expected: letters, digits and single hyphens',
      '  --quota-wait="soon": a duration above zero such as 15s or 1h30m is expected',
      "  --project: a project ID is expected",
      "  NORTHFLANK_API_TOKEN: an API token is expected, here or in the file of --token-file",
    ]);
    expect(scene.northflank.calls).toEqual([]);
  });

  test.each([
    ["a host that is not allowed", ["--project=shop", "--api-url=https://evil.example"], "--api-url"],
    [
      "a token with a line break",
      ["--project=shop"],
      "NORTHFLANK_API_TOKEN: a token is expected, but it contains a line break",
    ],
  ])("is %s", async (_what, args, message) => {
    const io = { out: () => {}, err: (text: string) => err.push(text), isTerminal: false, readStdin: async () => "" };
    const err: string[] = [];
    const deps = {
      env: { NORTHFLANK_API_TOKEN: "a\nb" },
      io,
      clock: { now: () => 0, monotonic: () => 0, setTimer: never },
      random: () => 0,
    };
    expect(await runImport(args, deps)).toBe(2);
    expect(err.join("")).toContain(message);
  });

  test("a token from a file goes before that of the environment, and an unreadable file is no token", async () => {
    const folder = mkdtempSync(join(tmpdir(), "import-"));
    const path = join(folder, "token");
    writeFileSync(path, `${toolToken}\n`);
    const env = { NORTHFLANK_API_TOKEN: "wrong" };
    const good = await scene.run(runImport, ["--project=shop", `--token-file=${path}`], { env });
    const bad = await scene.run(runImport, ["--project=shop", `--token-file=${path}.not`], { env });
    rmSync(folder, { recursive: true });
    expect([good.code, bad.code]).toEqual([0, 2]);
    expect(bad.err).toContain("--token-file");
  });

  test("--help lists the flags and sends nothing", async () => {
    const { code, out } = await scene.run(runImport, ["--help"], { env: {} });
    expect(code).toBe(0);
    expect(out).toMatch(/--observe {2,}set managementPolicy to Observe/);
    expect(out).not.toContain("default false");
  });
});

function never(): never {
  throw new Error("nothing waits here");
}

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runImport } from "../../src/cli/import.ts";
import { runPlan } from "../../src/cli/plan.ts";
import { madeDeployment } from "../support/made-objects.ts";
import { startToolScene, type ToolResult, type ToolScene, toolToken } from "../support/tool-scene.ts";

let scene: ToolScene;
let folder: string;

beforeEach(async () => {
  scene = await startToolScene();
  folder = mkdtempSync(join(tmpdir(), "plan-"));
});

afterEach(async () => {
  rmSync(folder, { recursive: true });
  await scene[Symbol.asyncDispose]();
});

const head = (kind: string, name: string) =>
  `apiVersion: northflank-operator.io/v1alpha1\nkind: ${kind}\nmetadata: {name: ${name}}\n`;
const deployment = (name: string, spec: string) => `---\n${head("NorthflankDeployment", name)}spec: {${spec}}\n`;
const run = (name: string, spec = "") =>
  `---\n${head("NorthflankJobRun", name)}spec: {projectId: shop, jobId: migrate${spec}}\n`;
const image = (tag: string, more = "") =>
  `projectId: shop, serviceId: api, deployment: {external: {imagePath: "ghcr.io/acme/api:${tag}"}}${more}`;

function plan(text: string, args: readonly string[] = []): Promise<ToolResult> {
  const path = join(folder, "m.yaml");
  writeFileSync(path, text);
  return scene.run(runPlan, [path, ...args]);
}

interface JsonPlan {
  readonly objects: readonly {
    readonly name: string;
    readonly result: string;
    readonly line: number;
    readonly changes: readonly {
      readonly path: string;
      readonly from?: string;
      readonly to: string;
      readonly line: number;
    }[];
    readonly notes: readonly string[];
    readonly message: string;
  }[];
  readonly findings: readonly object[];
  readonly requests: number;
}

async function planned(text: string, args: readonly string[] = []): Promise<JsonPlan & { readonly code: number }> {
  const { code, out } = await plan(text, ["--output=json", ...args]);
  return { code, ...(JSON.parse(out) as JsonPlan) };
}

describe("a plan", () => {
  test("of what was imported says that nothing is to be done, and of one changed image that one field", async () => {
    const { out } = await scene.run(runImport, ["--project=shop", "--service=api,web"]);
    const untouched = await plan(out);
    expect(untouched.code).toBe(0);
    expect(untouched.out).toBe("Plan: 0 to change, 0 runs to start, 2 as declared; 2 requests to Northflank.\n");

    const edited = await plan(out.replace("acme/api:1.4.1", "acme/api:1.4.2"));
    expect(edited.code).toBe(3);
    const [first, second, ...rest] = edited.out.split("\n");
    expect(first).toMatch(/m\.yaml:\d+: NorthflankDeployment api: service "api" of project "shop" would be changed$/);
    expect(second).toBe("  ~ deployment.external.imagePath: ghcr.io/acme/api:1.4.1 -> ghcr.io/acme/api:1.4.2");
    expect(rest).toEqual(["Plan: 1 to change, 0 runs to start, 1 as declared; 2 requests to Northflank.", ""]);
    expect(new Set(scene.northflank.calls.map(({ method }) => method))).toEqual(new Set(["GET"]));
  });

  test("of files without any manifest of ours is refused before a request, unless it is allowed", async () => {
    const foreign = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n";
    const refused = await plan(foreign);
    expect([refused.code, refused.out]).toEqual([2, ""]);
    expect(refused.err).toMatch(
      /^northflank-operator plan: no manifest of this operator in .*m\.yaml; name other files/,
    );
    expect(scene.northflank.calls).toEqual([]);
    expect(await plan(foreign, ["--allow-empty"])).toMatchObject({
      code: 0,
      out: "Plan: 0 to change, 0 runs to start, 0 as declared; 0 requests to Northflank.\n",
    });
  });

  test("of what was imported with --observe finds a difference and does not count it as a change", async () => {
    const { out } = await scene.run(runImport, ["--project=shop", "--observe"]);
    scene.northflank.setImage("shop", "api", "ghcr.io/acme/api:9");
    const { code, objects } = await planned(out);
    expect(code).toBe(0);
    expect(objects[0]).toMatchObject({
      result: "held",
      changes: [{ path: "deployment.external.imagePath", from: "ghcr.io/acme/api:9", to: "ghcr.io/acme/api:1.4.1" }],
    });
  });

  test("names the line of each field", async () => {
    const text = `${head("NorthflankDeployment", "api")}spec:\n  projectId: shop\n  serviceId: api\n  deployment:\n    external:\n      imagePath: ghcr.io/acme/api:2\n`;
    const { objects } = await planned(
      `${deployment("web", image("1.4.1"))}---\n${text}`.replace("serviceId: api, ", "serviceId: web, "),
    );
    expect(objects[1]).toMatchObject({ name: "api", line: 7, changes: [{ line: 15 }] });
  });

  test("reads the same file from standard input", async () => {
    const { code, out } = await scene.run(runPlan, ["-"], { stdin: deployment("api", image("2")) });
    expect([code, out.split("\n")[0]]).toEqual([
      3,
      '-:2: NorthflankDeployment api: service "api" of project "shop" would be changed',
    ]);
  });

  test("of a run says that it would start, which --ignore-runs does not count", async () => {
    const started = await planned(run("migrate-1"));
    expect([started.code, started.objects[0]?.result, started.requests]).toEqual([3, "start", 0]);
    expect((await planned(run("migrate-1"), ["--ignore-runs"])).code).toBe(0);
  });

  test.each([
    ["suspended", ", suspend: true", "held"],
    ["aborted", ", abort: true", "held"],
    ["in a project its connection does not allow", "", "error"],
  ])("of a run that is %s starts nothing", async (what, more, result) => {
    const guard = `${head("NorthflankConnection", "default")}spec: {tokenSecretRef: {name: x}, allowedProjects: ["other-*"]}\n`;
    const { objects } = await planned(`${result === "error" ? guard : ""}${run("r", more)}`);
    expect([what, objects[0]?.result]).toEqual([what, result]);
  });

  test("of a run resolves what the files hold, and says what it could not look into", async () => {
    const from = ", runtimeEnvironmentFrom: [{secretRef: {name: db}}]";
    const secret = (more: string) => `---\napiVersion: v1\nkind: Secret\nmetadata: {name: db}\n${more}\n`;
    const there = await planned(`${secret("stringData: {URL: canary-4711}")}${run("r", from)}`);
    expect(there.objects[0]).toMatchObject({ result: "start", notes: [] });
    const missing = await planned(run("r", from));
    expect(missing.objects[0]?.notes).toEqual([
      'Secret "db" is not in these files: the values that come from it are not checked.',
    ]);
    const encrypted = await planned(
      `${secret("stringData: {URL: 'ENC[x]'}\nsops: {version: 3.9.0}")}${run("r", from)}`,
    );
    expect(encrypted.objects[0]?.notes).toHaveLength(1);
    const wrong = await plan(`${secret("stringData: {'a b': canary-4711}")}${run("r", from)}`);
    expect(wrong.code).toBe(1);
    expect(wrong.out).toContain("SecretInvalid: ");
    expect(JSON.stringify([there, wrong])).not.toContain("canary-4711");
  });

  test.each([
    ["a number in a ConfigMap", "ConfigMap", "data: {PORT: 471147114711}", 'data["PORT"]'],
    ["a number in a Secret", "Secret", "data: {PORT: 471147114711}", 'data["PORT"]'],
    ["a number among the texts of a Secret", "Secret", "stringData: {PORT: 471147114711}", 'stringData["PORT"]'],
    ["a list instead of keys", "ConfigMap", "data: [471147114711]", "data"],
  ])("of a run and a job that refer to %s is an error that names the key only", async (_what, kind, data, field) => {
    const source = `---\napiVersion: v1\nkind: ${kind}\nmetadata: {name: db}\n${data}\n`;
    const ref = kind === "Secret" ? "secretRef" : "configMapRef";
    const from = `runtimeEnvironmentFrom: [{${ref}: {name: db}}]`;
    const text = `${source}${run("r", `, ${from}`)}${job(from)}${run("other")}`;
    const { code, objects } = await planned(text);
    expect([code, objects.map(({ result }) => result)]).toEqual([1, ["error", "error", "start"]]);
    for (const { message } of objects.slice(0, 2)) expect(message).toContain(`${field} is not text`);
    expect(JSON.stringify(objects)).not.toContain("4711");
  });

  test("says when a change would wait for a run", async () => {
    const { code, objects } = await planned(
      deployment("api", image("2", ", waitFor: [{jobRunRef: {name: migrate-1}}]")),
    );
    expect(code).toBe(3);
    expect(objects[0]).toMatchObject({
      result: "change",
      notes: ["Written only after these runs have succeeded: migrate-1."],
    });
  });

  test.each<[string, string, RegExp]>([
    ["a service that does not exist", image("2").replace("serviceId: api", "serviceId: nothing"), /\[not_found\]/],
    ["a build service", image("2").replace("serviceId: api", "serviceId: builder"), /UnsupportedTarget/],
    [
      "an external image for a combined service",
      image("2").replace("serviceId: api", "serviceId: storefront"),
      /UnsupportedTarget/,
    ],
  ])("of %s is an error", async (_what, spec, message) => {
    const { code, objects } = await planned(deployment("x", spec));
    expect([code, objects[0]?.result]).toEqual([1, "error"]);
    expect(objects[0]?.message).toMatch(message);
  });

  const buildOf = (sha: string) =>
    `projectId: shop, serviceId: worker, deployment: {internal: {id: builder, branch: main, buildSHA: "${sha}"}}`;
  const firstSha = "12c15e7ee6a1e6b3b1b7f4a1b9a5b0f1c2d3e4f5";
  const worker = () =>
    scene.northflank.addService("shop", {
      id: "worker",
      internal: { id: "builder", branch: "main", buildSHA: firstSha },
    });

  test("of a build that does not exist is an error that promises nothing", async () => {
    worker();
    const { code, objects } = await planned(deployment("worker", buildOf("a".repeat(40))));
    expect([code, objects[0]?.result]).toEqual([1, "error"]);
    expect(objects[0]?.message).toMatch(/BuildNotFound: Service shop\/builder has no build of commit a{40}\./);
    expect(objects[0]?.message).not.toMatch(/\b(in|within|every) \d|back-off/);
  });

  test("of a build under way is a change that waits for it", async () => {
    worker();
    scene.northflank.addBuild("shop", "builder", { sha: "b".repeat(40), status: "BUILDING" });
    const { code, objects } = await planned(deployment("worker", buildOf("b".repeat(40))));
    expect(code).toBe(3);
    expect(objects[0]).toMatchObject({
      result: "change",
      changes: [{ path: "deployment.internal.buildSHA", from: firstSha, to: "b".repeat(40) }],
    });
    expect(objects[0]?.notes[0]).toContain("build");
  });

  test("warns of continuous deployment that would replace what is declared", async () => {
    worker();
    const same = await planned(deployment("worker", buildOf(firstSha)));
    expect([same.code, same.objects[0]?.result]).toEqual([0, "same"]);
    expect(same.objects[0]?.notes.join()).toContain("ContinuousDeploymentEnabled: ");
  });

  test("of a job as target shows the image, and that the call is deprecated", async () => {
    const job = (tag: string) =>
      deployment("m", image(tag).replace("serviceId: api", "jobId: migrate").replace("acme/api", "acme/migrate"));
    expect(await planned(job("1.4.1"))).toMatchObject({ code: 0, objects: [{ result: "same", notes: [] }] });
    const { code, objects } = await planned(job("2"));
    expect(code).toBe(3);
    expect(objects[0]).toMatchObject({
      changes: [{ path: "deployment.external.imagePath", to: "ghcr.io/acme/migrate:2" }],
    });
    expect(objects[0]?.notes.join()).toContain("DeprecatedRoute: ");
  });

  const job = (settings: string, more = "") =>
    `---\n${head("NorthflankJob", "migrate")}spec: {projectId: shop, jobId: migrate, settings: {${settings}}${more}}\n`;

  test("of the settings of a job shows each that differs, and leaves alone what is not declared", async () => {
    const { out } = await scene.run(runImport, ["--project=shop"]);
    expect((await plan(out)).out).toContain("Plan: 0 to change, 0 runs to start, 4 as declared; ");
    const { code, objects } = await planned(job("billing: {deploymentPlan: nf-compute-50}, backoffLimit: 0"));
    expect(code).toBe(3);
    expect(objects[0]?.changes).toEqual([
      { path: "settings.billing.deploymentPlan", from: "nf-compute-20", to: "nf-compute-50", line: 5 },
    ]);
  });

  test("of a job under Observe counts no change", async () => {
    const { code, objects } = await planned(job("backoffLimit: 3", ", managementPolicy: Observe"));
    expect([code, objects[0]?.result, objects[0]?.changes.length]).toEqual([0, "held", 1]);
  });

  test("of a job names the variables that cannot be compared, and shows no value", async () => {
    const settings =
      "backoffLimit: 0, runtimeEnvironment: {A: canary-4711}, runtimeEnvironmentFrom: [{secretRef: {name: db}}]";
    const missing = await planned(job(settings));
    expect([missing.code, missing.objects[0]?.result]).toEqual([0, "same"]);
    expect(missing.objects[0]?.notes).toEqual([
      expect.stringMatching(/^settings\.runtimeEnvironment\.A cannot be compared: /),
      'Secret "db" is not in these files: the values that come from it are not compared.',
    ]);
    const secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {B: canary-4711}\n";
    const there = await planned(`${secret}${job(settings)}`);
    expect(there.objects[0]?.notes.join()).toContain(
      "settings.runtimeEnvironment.A, settings.runtimeEnvironment.B cannot",
    );
    expect(JSON.stringify([missing, there])).not.toContain("canary-4711");
  });

  test.each<[string, string, RegExp]>([
    ["of the wrong type", job("cron: {schedule: '0 3 * * *'}"), /UnsupportedTarget/],
    ["that does not exist", job("backoffLimit: 1").replace("jobId: migrate", "jobId: nothing"), /\[not_found\]/],
    [
      "that another object has",
      `${job("backoffLimit: 0")}${job("backoffLimit: 1").replace("{name: migrate}", "{name: zz}")}`,
      /TargetConflict/,
    ],
  ])("of a job %s is an error", async (_what, text, message) => {
    const { code, objects } = await planned(text);
    expect([code, objects.at(-1)?.result]).toEqual([1, "error"]);
    expect(objects.at(-1)?.message).toMatch(message);
  });

  test("of a paused service with another image is a change, and says that it starts with the resume", async () => {
    scene.northflank.settings.serviceForm = "A";
    scene.northflank.pauseService("shop", "api", true);
    const { code, objects } = await planned(deployment("api", image("2")));
    expect(code).toBe(3);
    expect(objects[0]).toMatchObject({ result: "change", changes: [{ path: "deployment.external.imagePath" }] });
    expect(JSON.stringify(objects[0])).toContain(
      "The change starts when the service is resumed: the service is paused in Northflank",
    );
  });

  test("of two objects with one target says so of one of them, whichever it is in a cluster", async () => {
    const { code, objects } = await planned(`${deployment("a", image("1.4.1"))}${deployment("b", image("2"))}`);
    expect([code, objects.map(({ result }) => result)]).toEqual([1, ["same", "error"]]);
    expect(objects[1]?.message).toContain("default/a in these files manages the same target");
  });

  test("names what Northflank does not tell, and invents nothing", async () => {
    scene.northflank.settings.serviceForm = "A";
    const spec = image("1.4.1").replace('1.4.1"', '1.4.1", credentials: ghcr');
    const { code, objects } = await planned(deployment("api", spec));
    expect(code).toBe(0);
    expect(objects[0]).toMatchObject({
      result: "same",
      notes: ["deployment.external.credentials cannot be compared: Northflank does not return it."],
    });
  });

  test("leaves a suspended object, a suspended connection and other connections alone, without a request", async () => {
    const connection = `${head("NorthflankConnection", "default")}spec: {tokenSecretRef: {name: x}, suspend: true}\n`;
    const other = deployment("c", image("2", ", connectionRef: {name: prod}"));
    const text = `${connection}${deployment("a", image("2", ", suspend: true"))}${deployment("b", image("2"))}${other}`;
    const { code, objects, requests } = await planned(text, ["--connection=default"]);
    expect([code, requests, objects.map(({ result }) => result)]).toEqual([0, 0, ["held", "held", "held"]]);
  });

  test("sends the token only where the operator would", async () => {
    const connection = `${head("NorthflankConnection", "default")}spec: {tokenSecretRef: {name: x}, apiURL: "https://evil.example"}\n`;
    const { code, objects } = await planned(`${connection}${deployment("api", image("2"))}`);
    expect(code).toBe(1);
    expect(objects[0]?.message).toContain("the host evil.example is not on the operator's list");
  });

  test("uses the paths of the team of the connection", async () => {
    const connection = `${head("NorthflankConnection", "default")}spec: {tokenSecretRef: {name: x, key: odd}, teamId: acme}\n`;
    expect((await plan(`${connection}${deployment("api", image("1.4.1"))}`)).code).toBe(0);
    expect(scene.northflank.calls[0]?.path).toBe("/v1/teams/acme/projects/shop/services/api");
  });

  test("with a token that lacks a permission names it, for the objects that need it", async () => {
    scene.northflank.setTokenRights(toolToken, { lacks: ["ps_services_general_read"] });
    const { code, objects } = await planned(deployment("api", image("2")));
    expect([code, objects.map(({ message }) => message)]).toEqual([
      1,
      [expect.stringContaining("the token lacks the permission ps_services_general_read")],
    ]);
  });

  test("with a rejected token is an error of each object, and asks once or twice only", async () => {
    scene.northflank.revokeToken(toolToken);
    const text = ["api", "web", "abc", "def", "ghi", "jkl", "mno"].map((name) =>
      deployment(name, image("2").replace("serviceId: api", `serviceId: ${name}`)),
    );
    const { code, objects, requests } = await planned(text.join(""));
    expect([code, new Set(objects.map(({ message }) => message.split(": ").at(-1)))]).toEqual([
      1,
      new Set([
        expect.stringMatching(/^the API refused the token \(401\)\. Check the token .*--token-file.*--team-id/),
      ]),
    ]);
    // Those that were under way together, and one check of the token.
    expect(requests).toBeLessThanOrEqual(5);
  });

  test("stops asking when the quota is spent, and says which objects it did not see", async () => {
    scene.northflank.spendQuota(999);
    const text = ["api", "web"].map((name) =>
      deployment(name, image("2").replace("serviceId: api", `serviceId: ${name}`)),
    );
    const { code, objects } = await planned(text.join(""));
    expect(code).toBe(1);
    expect(objects.some(({ message }) => /\[(quota_closed|rate_limited)\]/.test(message))).toBe(true);
  });

  test("judges the manifests first, and asks for nothing when one is bad", async () => {
    const text = `${deployment("api", image("2"))}${deployment("web", image("2", ", sespend: true"))}`;
    const result = await plan(text);
    expect(result.code).toBe(1);
    expect(result.out).toContain('spec.sespend: is not a field (did you mean "suspend"?)');
    expect((await planned(text)).findings).toHaveLength(1);
    expect(scene.northflank.calls).toEqual([]);
  });

  test("for GitHub puts each change beside its field", async () => {
    const { out } = await plan(`${deployment("api", image("2"))}${run("r")}`, ["--output=github"]);
    const lines = out.replaceAll(folder, "F").split("\n");
    expect(lines[0]).toBe(
      "::notice file=F/m.yaml,line=5,title=NorthflankDeployment api::deployment.external.imagePath: ghcr.io/acme/api:1.4.1 -> ghcr.io/acme/api:2",
    );
    expect(lines[1]).toMatch(/^::notice file=F\/m\.yaml,line=7,title=NorthflankJobRun r::a run of job "migrate"/);
  });

  test("cannot be made to move a cursor or end a line by what Northflank says", async () => {
    scene.northflank.setImage("shop", "api", "evil\u001b[2J\n::error::x:1");
    for (const output of ["text", "github"]) {
      const { out } = await plan(deployment("api", image("2")), [`--output=${output}`]);
      expect(out).not.toMatch(/[^\P{Cc}\n]/u);
      expect(out).not.toMatch(/^::error::x/m);
    }
  });

  test("skips what is not ours, and takes lists", async () => {
    const items = JSON.stringify({
      apiVersion: "v1",
      kind: "List",
      items: [
        { apiVersion: "v1", kind: "Service", metadata: { name: "x" } },
        {
          apiVersion: "northflank-operator.io/v1alpha1",
          kind: "NorthflankDeployment",
          metadata: { name: "api", namespace: "shop" },
          spec: { projectId: "shop", serviceId: "api", deployment: { external: { imagePath: "nginx:1" } } },
          status: madeDeployment().status,
        },
      ],
    });
    const { code, objects } = await planned(items);
    expect([code, objects.length]).toEqual([3, 1]);
    expect(objects[0]).toMatchObject({ namespace: "shop", result: "change" });
  });
});

describe("wrong usage of plan", () => {
  test("is 2, with everything that is wrong", async () => {
    const { code, err } = await scene.run(runPlan, ["--output=xml", "--frobnicate"], { env: {} });
    expect(code).toBe(2);
    expect(err.split("\n").slice(1, -1)).toEqual([
      "  --frobnicate: unknown flag; see plan --help",
      '  --output="xml": one of text, json, github is expected',
      "  FILES: a file, a directory or - is expected",
      "  NORTHFLANK_API_TOKEN: an API token is expected, here or in the file of --token-file",
    ]);
  });

  test.each([
    ["an empty list of connections", "--connection=", '--connection="": the names of one or more'],
    ["a list of nothing", "--connection= , ", '--connection=" , ": the names of one or more'],
    [
      "a connection that no object has",
      "--connection=default,prdo",
      '--connection="prdo": the connection of an object',
    ],
  ])("is 2 for %s, and nothing is asked", async (_what, arg, message) => {
    const { code, out, err } = await plan(deployment("api", image("2")), [arg]);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain(message);
    expect(scene.northflank.calls).toEqual([]);
  });

  test("is 2 for a file that cannot be read", async () => {
    const { code, err } = await scene.run(runPlan, [join(folder, "nothing.yaml")]);
    expect(code).toBe(2);
    expect(err).toContain("there is no such file or directory");
  });

  test.each([[["--token", "canary-4711"]], [["--token=canary-4711"]], [["-tcanary-4711"]]])(
    "shows no value of a flag that does not exist: %j",
    async (args) => {
      for (const command of [runPlan, runImport]) {
        const { code, out, err } = await scene.run(command, args);
        expect(code).toBe(2);
        expect(`${out}${err}`).not.toMatch(/canary|4711|-c:|-4:/);
        expect(err).toMatch(/ {2}--?t(oken)?: unknown flag/);
      }
    },
  );

  test("does not include -o, which is --output", async () => {
    const { code, out } = await plan(run("r"), ["-o", "json"]);
    expect([code, (JSON.parse(out) as JsonPlan).objects[0]?.result]).toEqual([3, "start"]);
  });

  test("--help is none", async () => {
    expect((await scene.run(runPlan, ["--help"], { env: {} })).code).toBe(0);
  });
});

import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { northflankDeployments, northflankJobRuns } from "../../src/api/names.ts";
import { verbs } from "../../src/cli/verbs/all.ts";
import { conditionOf, type Scenario, scenarios } from "../support/operator-scenario.ts";
import { kubeconfigWithRoles, rolesOfPage } from "../support/page-roles.ts";
import { runVerbAt, type VerbOptions } from "../support/verb-scene.ts";

const startScenario = scenarios();

/** Runs verbs in the namespace of a scenario, as somebody who has only these Roles of docs/verbs.md. */
async function userOf(scenario: Scenario, ...roles: readonly string[]) {
  const kubeconfig = await kubeconfigWithRoles(
    scenario.cluster,
    scenario.namespace,
    roles.map((role) => `northflank-${role}`),
  );
  return (args: readonly string[], options: Partial<VerbOptions> = {}) =>
    runVerbAt([...args, "-n", scenario.namespace], { kubeconfig, ...options });
}

const deployment = {
  projectId: "shop",
  serviceId: "api",
  deployment: { external: { imagePath: "ghcr.io/acme/api:1.5.0" } },
};

test("docs/verbs.md has a section and a Role for every verb", () => {
  const page = readFileSync(join(resolve(import.meta.dirname, "../.."), "docs/verbs.md"), "utf8");
  for (const { name } of Object.values(verbs)) {
    expect(page).toMatch(new RegExp(`^## (?:.* )?${name}(?: .*)?$`, "m"));
    if (name !== "resume") expect([...rolesOfPage.keys()]).toContain(`northflank-${name}`);
  }
});

// Each test has an operator, a namespace and a Northflank of its own.
describe("on a cluster with an operator", { concurrent: true, timeout: 200_000 }, () => {
  test("start runs the job of an object, or one by its ID, and ends with the run", async () => {
    await using scenario = await startScenario();
    const as = await userOf(scenario, "start");
    await scenario.job("etl", { settings: { description: "Loads" } });
    const runs = () => scenario.northflank.runs("shop", "migrate");

    const good = await as(["start", "etl", "--env", "A=1", "--env", "B=x=y,z", "--backoff-limit", "0"]);
    expect([good.code, good.err]).toEqual([0, ""]);
    const [created = "", ended = "", ...more] = good.out.trimEnd().split("\n");
    expect(created).toMatch(/^northflankjobrun\/etl-[a-z0-9]{5} created$/);
    expect(ended).toMatch(/^northflankjobrun\/etl-[a-z0-9]{5} succeeded after \S+; RunSucceeded: /);
    expect(more).toEqual([]);
    expect(runs()[0]?.request).toMatchObject({ runtimeEnvironment: { A: "1", B: "x=y,z" } });

    scenario.northflank.failNextRun("shop", "migrate");
    const bad = await as(["start", "migrate", "--project", "shop"]);
    expect([bad.code, bad.out.split("\n").length]).toEqual([1, 2]);
    expect(bad.err).toMatch(
      /^northflank-operator start: northflankjobrun\/migrate-\w{5} failed after \S+; RunFailed: /,
    );
    expect(runs()).toHaveLength(2);

    const stdin = JSON.stringify({
      apiVersion: "northflank-operator.io/v1alpha1",
      kind: "NorthflankJobRun",
      metadata: { name: "from-file", labels: { app: "shop" } },
      spec: { projectId: "shop", jobId: "migrate", runtimeEnvironment: { A: "1", C: "3" } },
    });
    const from = await as(["start", "--from", "-", "--env", "A=2", "--no-wait"], { stdin });
    expect([from.code, from.out]).toEqual([0, expect.stringMatching(/^northflankjobrun\/from-file-\w{5} created\n$/)]);
    await scenario.until("the third run", () => runs().length === 3);
    const requests = runs().map(({ request }) => request);
    expect(requests).toContainEqual(expect.objectContaining({ runtimeEnvironment: { A: "2", C: "3" } }));
  });

  test("start says what Northflank said of a job that does not exist, and that an object does not exist", async () => {
    await using scenario = await startScenario();
    const as = await userOf(scenario, "start");
    const remote = await as(["start", "missing-job", "--project", "shop"]);
    expect(remote.code).toBe(1);
    expect(remote.err).toMatch(/stalled after \S+; \w*NotFound: .*missing-job/);
    const local = await as(["start", "missing"]);
    expect(local).toEqual({
      code: 1,
      out: "",
      err:
        `northflank-operator start: there is no NorthflankJob "missing" in the namespace "${scenario.namespace}"; ` +
        "to run a Northflank job by its ID, set --project\n",
    });
  });

  test("wait, get, tree: a deployment that waits for a run", async () => {
    await using scenario = await startScenario();
    const wait = await userOf(scenario, "wait");
    const tree = await userOf(scenario, "tree");
    const get = await userOf(scenario, "get");
    scenario.northflank.hangNextRun("shop", "migrate");
    const run = await scenario.jobRun("migrate");
    await run.reaches("Started");
    const object = await scenario.deployment("api", { ...deployment, waitFor: [{ jobRunRef: { name: "migrate" } }] });
    await object.becomes("waits", (one) => conditionOf(one, "Ready")?.reason === "WaitingForDependency");

    expect((await tree(["tree", "deploy/api"])).out).toMatch(
      /^NorthflankDeployment\/api {3}Ready=Unknown, WaitingForDependency\n├─ waits for NorthflankJobRun\/migrate {3}Running, \w+\n└─ uses NorthflankConnection\/default {3}Ready=True, \w+/,
    );
    expect((await tree(["tree", "run/migrate"])).out).toContain("├─ awaited by NorthflankDeployment/api");
    expect((await tree(["tree", "conn/default"])).out).toMatch(
      /used by NorthflankDeployment\/api[\s\S]*used by NorthflankJobRun\/migrate/,
    );

    const late = await wait(["wait", "deploy/api", "--timeout", "300ms"]);
    expect(late.code).toBe(1);
    expect(late.err).toContain("northflankdeployment/api is not ready; WaitingForDependency: ");
    const both = wait(["wait", "deploy/api", "run/migrate"]);
    const [started] = scenario.northflank.runs("shop", "migrate");
    scenario.northflank.finishRun(started?.id ?? "", "SUCCESS");
    const done = await both;
    expect([done.code, done.err]).toEqual([0, ""]);
    expect(done.out).toContain("northflankjobrun/migrate succeeded");
    expect(done.out).toContain("northflankdeployment/api ready");
    const table = await get(["get", "deploy"]);
    expect(table.out).toMatch(/^NAME .*\napi +True +\w+ +shop +service\/api +ghcr\.io\/acme\/api:1\.5\.0 +Complete/);
    expect((await get(["get"])).out).toContain("NorthflankConnection\nNAME");
  });

  test("wait ends with 1 when the run fails", async () => {
    await using scenario = await startScenario();
    const as = await userOf(scenario, "wait");
    scenario.northflank.failNextRun("shop", "migrate");
    await scenario.jobRun("broken");
    const { code, err } = await as(["wait", "nfrun/broken"]);
    expect(code).toBe(1);
    expect(err).toMatch(/northflankjobrun\/broken failed after \S+; RunFailed: /);
  });

  test("reconcile, suspend and resume a deployment", async () => {
    await using scenario = await startScenario();
    const suspend = await userOf(scenario, "suspend");
    const reconcile = await userOf(scenario, "reconcile", "wait");
    const object = await scenario.deployment("api", deployment);
    await object.reaches("Ready");
    expect(await reconcile(["reconcile", "deploy/api", "--wait"])).toMatchObject({
      code: 0,
      out: expect.stringMatching(
        /^northflankdeployment\/api reconcile requested\nnorthflankdeployment\/api ready after /,
      ),
    });

    expect((await suspend(["suspend", "deploy/api"])).out).toBe("northflankdeployment/api suspended\n");
    await object.reaches("Suspended");
    expect((await suspend(["suspend", "deploy/api"])).out).toBe("northflankdeployment/api is suspended already\n");
    const refused = await reconcile(["reconcile", "deploy/api"]);
    expect(refused).toEqual({
      code: 1,
      out: "",
      err: "northflank-operator reconcile: northflankdeployment/api is suspended; resume it first\n",
    });
    expect((await suspend(["resume", "deploy/api"])).out).toBe("northflankdeployment/api resumed\n");
    await object.reaches("Ready");
    expect((await object.get()).spec.suspend).toBe(false);
  });

  test("abort a run, and nothing that has ended", async () => {
    await using scenario = await startScenario();
    const as = await userOf(scenario, "abort", "wait");
    scenario.northflank.hangNextRun("shop", "migrate");
    const run = await scenario.jobRun("long");
    await run.becomes("ran", ({ status }) => status?.phase === "Running");
    const { code, out } = await as(["abort", "long", "--wait"]);
    expect(code).toBe(0);
    expect(out).toMatch(
      /^northflankjobrun\/long abort requested\nnorthflankjobrun\/long aborted after \S+; RunAborted: /,
    );
    expect(scenario.northflank.runs("shop", "migrate")[0]?.wasAborted).toBe(true);
    expect(await as(["abort", "long"])).toEqual({
      code: 1,
      out: "",
      err: "northflank-operator abort: northflankjobrun/long has ended (RunAborted)\n",
    });
  });

  test("resolve a start whose outcome is unknown: a retry, and another one after that", async () => {
    await using scenario = await startScenario({ flags: ["--start-gate=1s", "--request-timeout=1s"] });
    const as = await userOf(scenario, "resolve");
    scenario.northflank.fault = ({ method }) => (method === "POST" ? { kind: "reset-before" } : undefined);
    const object = await scenario.jobRun("unknown");
    await object.reaches("Stalled", { reason: "StartOutcomeUnknown" });
    expect((await as(["resolve", "unknown", "--retry"])).out).toBe(
      "northflankjobrun/unknown resolve-start set to retry\n",
    );
    await object.becomes("was retried", ({ status }) => status?.lastHandledResolveStart === "retry");
    await object.reaches("Stalled", { reason: "StartOutcomeUnknown" });
    scenario.northflank.fault = undefined;
    expect((await as(["resolve", "unknown", "--retry"])).out).toBe(
      "northflankjobrun/unknown resolve-start set to retry@2\n",
    );
    await object.reaches("Succeeded");
    expect(scenario.northflank.runs("shop", "migrate")).toHaveLength(1);
    expect(await as(["resolve", "unknown", "--fail"])).toMatchObject({
      code: 1,
      err: "northflank-operator resolve: northflankjobrun/unknown has ended (RunSucceeded)\n",
    });
  });

  test("what the verbs write belongs to their own field manager, which Flux leaves alone", async () => {
    await using scenario = await startScenario({ isStarted: false });
    const as = await userOf(scenario, "suspend");
    await scenario.deployment("api", deployment);
    await as(["suspend", "deploy/api"]);
    const { plural } = northflankDeployments;
    const path = `/apis/northflank-operator.io/v1alpha1/namespaces/${scenario.namespace}/${plural}/api`;
    const { body } = await scenario.cluster.request("GET", path);
    const { managedFields } = (body as { metadata: { managedFields: readonly Record<string, unknown>[] } }).metadata;
    const own = managedFields.filter(({ manager }) => manager === "northflank-operator-cli");
    expect(own).toMatchObject([{ operation: "Update", fieldsV1: { "f:spec": { "f:suspend": {} } } }]);
  });

  test("a Role refuses what it does not grant, in one sentence", async ({ skip }) => {
    await using scenario = await startScenario({ isStarted: false });
    if (scenario.cluster.kind === "sandbox") skip("every token of the sandbox is an administrator's");
    await scenario.jobRun("one");
    const as = await userOf(scenario, "get");
    const { code, out, err } = await as(["abort", "one"]);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(/^northflank-operator abort: \[forbidden\] .*docs\/verbs\.md has a Role for each verb\n$/);
    const stored = await scenario.cluster.client.get(northflankJobRuns, { namespace: scenario.namespace, name: "one" });
    expect(stored).toMatchObject({ spec: { abort: false } });
  });
});

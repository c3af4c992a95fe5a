import { describe, expect, test } from "vitest";
import { defaultToken } from "../../sandbox/northflank/server.ts";
import { type PageExample, pageExamples } from "../fields/page-examples.ts";
import { type Scenario, scenarios } from "../support/operator-scenario.ts";

const startScenario = scenarios();

// The examples of Northflank's documentation, pasted into manifests, through the whole program.
describe("an example of the documentation", { concurrent: true, timeout: 200_000 }, () => {
  test.each(of("update service deployment"))("$name arrives at the service as it was pasted", async ({ body }) => {
    await using scenario = await startScenario();
    await withBuild(scenario);
    await makeDifferent(scenario);
    const object = await scenario.deployment("api", { projectId: "shop", serviceId: "api", deployment: body });
    await object.reaches("Ready");
    expect(bodiesOf(scenario, "/v1/projects/shop/services/api/deployment").slice(1)).toEqual([body]);
  });

  test.each(of("update service deployment"))(
    "$name arrives by the other route where this one is gone",
    async ({ body }) => {
      await using scenario = await startScenario();
      await withBuild(scenario);
      await makeDifferent(scenario);
      scenario.northflank.removeRoute("POST", "/v1/projects/{project}/services/{service}/deployment", 410);
      const object = await scenario.deployment("api", { projectId: "shop", serviceId: "api", deployment: body });
      await object.reaches("Ready");
      const { instances } = scenario.northflank.service("shop", "api");
      expect(bodiesOf(scenario, "/v1/projects/shop/services/deployment/api")).toEqual([
        { deployment: { ...body, instances } },
      ]);
    },
  );

  test.each(of("update job deployment"))("$name arrives at the job as it was pasted", async ({ body }) => {
    await using scenario = await startScenario();
    await withBuild(scenario);
    // A job that was made with an image cannot be given a build, nor the other way round.
    const source = "internal" in body ? { internal: { id: "example-build-service", branch: "other" } } : {};
    scenario.northflank.addJob("shop", { id: "example", image: "ghcr.io/acme/example:1", ...source });
    await makeDifferent(scenario, "jobs/example");
    const object = await scenario.deployment("example", { projectId: "shop", jobId: "example", deployment: body });
    await object.reaches("Ready");
    expect(bodiesOf(scenario, "/v1/projects/shop/jobs/example/deployment").slice(1)).toEqual([body]);
  });

  test.each(of("patch manual job"))("$name arrives at the job as it was pasted", async ({ body }) => {
    await using scenario = await startScenario();
    const object = await scenario.job("migrate", { jobType: "manual", settings: body, ...references(body) });
    await object.reaches("Ready");
    expect(bodiesOf(scenario, "/v1/projects/shop/jobs/manual/migrate")).toEqual([body]);
  });

  test.each(of("run job"))("$name starts the run with what was pasted", async ({ body }) => {
    await using scenario = await startScenario();
    await withBuild(scenario);
    const object = await scenario.jobRun("once", { ...body, ...references(body) });
    await object.reaches("Finished");
    expect(bodiesOf(scenario, "/v1/projects/shop/jobs/migrate/runs")).toEqual([body]);
  });
});

/** The examples of a call, once where several pages show the same one. */
function of(name: PageExample["call"]["name"]): readonly PageExample[] {
  const examples = pageExamples.filter(({ call }) => call.name === name);
  return [...new Map(examples.map((example) => [JSON.stringify(example.body), example])).values()];
}

/** Files of examples hold `${...}`, which has to be wanted. */
function references(body: object): { readonly allowReferences?: true } {
  const { runtimeFiles, buildFiles, buildArguments, dockerSecretMounts } = body as Readonly<Record<string, unknown>>;
  const held = JSON.stringify([runtimeFiles, buildFiles, buildArguments, dockerSecretMounts]);
  return held === "[null,null,null,null]" ? {} : { allowReferences: true };
}

/** The build that the examples name. */
async function withBuild({ northflank }: Scenario): Promise<void> {
  northflank.addService("shop", { id: "example-build-service", serviceType: "build" });
  const build = { id: "premium-guide-6393", branch: "master", sha: "a".repeat(40) };
  northflank.addBuild("shop", "example-build-service", build);
}

/** Gives the target what none of the examples has, so that each of them is a change. */
async function makeDifferent({ northflank }: Scenario, target = "services/api"): Promise<void> {
  const answer = await fetch(`${northflank.url}/v1/projects/shop/${target}/deployment`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${defaultToken}` },
    body: JSON.stringify({ docker: { configType: "customCommand", customCommand: "sleep 1" } }),
  });
  expect(answer.status).toBe(200);
}

function bodiesOf({ changes }: Scenario, path: string): readonly unknown[] {
  return changes()
    .filter((call) => call.path === path && call.status === 200)
    .map((call) => JSON.parse(call.body));
}

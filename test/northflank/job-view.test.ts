import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toJobSettings, toJobSource, toJobView } from "../../src/northflank/job-view.ts";

const nothing = {
  jobType: undefined,
  disabledCD: undefined,
  runOnSourceChange: undefined,
  docker: undefined,
  buildpack: undefined,
};

describe("toJobView", () => {
  test("reads what the page of the answer lists", () => {
    const answer = {
      id: "migrate",
      jobType: "manual",
      disabledCI: false,
      disabledCD: true,
      deployment: { region: "europe-west", docker: { configType: "customCommand", customCommand: "run" } },
      settings: { backoffLimit: 0, activeDeadlineSeconds: 600 },
      suspended: false,
    };
    const docker = { configType: "customCommand", customCommand: "run" };
    expect(toJobView(answer)).toEqual({ ...nothing, id: "migrate", jobType: "manual", disabledCD: true, docker });
  });

  test.each([
    ["under settings", { settings: { runOnSourceChange: "always" } }],
    ["on top, as the patch of a manual job answers", { runOnSourceChange: "always" }],
  ])("reads when the job runs by itself, %s", (_where, more) => {
    expect(toJobView({ id: "migrate", ...more })).toEqual({ ...nothing, id: "migrate", runOnSourceChange: "always" });
  });

  test.each([[null], [undefined], ["text"], [[]], [{}], [{ id: 7 }], [{ id: "" }]])("%j is no job", (data) => {
    expect(toJobView(data)).toBeUndefined();
  });

  test("never throws", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (junk) => {
        toJobView({ id: "migrate", deployment: junk, settings: junk, disabledCD: junk });
        toJobView(junk);
        toJobSource(junk);
        toJobSource({ external: junk, internal: junk });
        toJobSettings(junk);
        toJobSettings({ id: "migrate", jobType: junk, settings: junk, tags: junk });
        toJobSettings({ id: "migrate", settings: { cron: junk } });
      }),
    );
  });
});

describe("toJobSource", () => {
  test("reads an image whose host was stripped", () => {
    const external = { imagePath: "acme/etl:1", registryProvider: "github", privateImage: true };
    expect(toJobSource({ external })).toEqual({
      image: "acme/etl:1",
      external: { imagePath: "acme/etl:1", credentials: undefined, registryProvider: "github", isPrivate: true },
      internal: undefined,
    });
  });

  test("reads a build with its id", () => {
    const internal = { nfObjectId: "builder", nfObjectType: "service", branch: "main", buildId: "x-1", buildSHA: "b2" };
    expect(toJobSource({ internal })).toEqual({
      image: undefined,
      external: undefined,
      internal: { id: "builder", branch: "main", buildSHA: "b2", buildId: "x-1", deployedSHA: undefined },
    });
  });

  test("reads a job that builds its own repository as one that tells no source", () => {
    expect(toJobSource({})).toEqual({ image: undefined, external: undefined, internal: undefined });
  });

  test.each([[null], [undefined], ["text"], [[]]])("%j is no deployment", (data) => {
    expect(toJobSource(data)).toBeUndefined();
  });
});

describe("toJobSettings", () => {
  test("reads what is told in the words of the patch, with the policy of a cron job as it is written", () => {
    const answer = {
      id: "nightly",
      jobType: "cron",
      description: "d",
      tags: ["a"],
      disabledCI: true,
      suspended: false,
      billing: { deploymentPlan: "nf-compute-20" },
      settings: {
        backoffLimit: 0,
        activeDeadlineSeconds: 600,
        cron: { schedule: "0 1 * * *", concurrencyPolicy: "Forbid" },
      },
    };
    expect(toJobSettings(answer)).toEqual({
      jobType: "cron",
      settings: {
        description: "d",
        tags: ["a"],
        disabledCI: true,
        billing: { deploymentPlan: "nf-compute-20" },
        settings: {
          backoffLimit: 0,
          activeDeadlineSeconds: 600,
          cron: { schedule: "0 1 * * *", concurrencyPolicy: "forbid", suspended: false },
        },
      },
    });
  });

  test.each<[string, object, boolean | undefined]>([
    ["on top", { jobType: "cron", suspended: true, settings: { cron: { schedule: "@daily" } } }, true],
    ["beside the schedule, which counts more", { suspended: false, settings: { cron: { suspended: true } } }, true],
    ["on top of an answer that has the policy there", { jobType: "cron", suspended: true, schedule: "@daily" }, true],
    ["of a manual job, which has no schedule", { jobType: "manual", suspended: false }, undefined],
    ["as null", { jobType: "cron", suspended: null, schedule: "@daily" }, undefined],
  ])("reads whether a schedule is suspended, %s", (_where, data, expected) => {
    const policy = toJobSettings({ id: "nightly", ...data })?.settings.settings as
      | { readonly cron?: { readonly suspended?: boolean } }
      | undefined;
    expect(policy?.cron?.suspended).toBe(expected);
  });

  test("reads a policy that stands on top, as the deprecated patches answer", () => {
    const answer = { id: "nightly", backoffLimit: 1, schedule: "* * * * *", concurrencyPolicy: "Replace" };
    expect(toJobSettings(answer)?.settings).toEqual({
      settings: { backoffLimit: 1, cron: { schedule: "* * * * *", concurrencyPolicy: "replace" } },
    });
  });

  test("leaves out values of environments, arguments and files, and what is null", () => {
    const secrets = {
      runtimeEnvironment: { A: "s" },
      runtimeFiles: { "/a": { data: "s" } },
      buildArguments: { A: "s" },
    };
    expect(toJobSettings({ id: "j", ...secrets, description: null })).toEqual({ jobType: undefined, settings: {} });
  });

  test.each([[null], [[]], [{}], [{ id: 7 }]])("%j is no job", (data) => {
    expect(toJobSettings(data)).toBeUndefined();
  });
});

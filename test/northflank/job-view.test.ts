import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toJobSource, toJobView } from "../../src/northflank/job-view.ts";

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

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toServiceView } from "../../src/northflank/service-view.ts";
import { remoteImageOf } from "../../src/northflank/source-view.ts";

const nothing = {
  serviceType: undefined,
  servicePaused: false,
  disabledCD: undefined,
  instances: undefined,
  image: undefined,
  external: undefined,
  internal: undefined,
  docker: undefined,
  buildpack: undefined,
  rolloutStatus: undefined,
  rolloutReason: undefined,
  rolloutTransitionTime: undefined,
  buildStatus: undefined,
};

describe("toServiceView", () => {
  test("reads the older form of an external image", () => {
    const view = toServiceView({
      id: "api",
      serviceType: "deployment",
      servicePaused: true,
      disabledCD: false,
      status: {
        build: { status: "SUCCESS" },
        deployment: { status: "IN_PROGRESS", reason: "DEPLOYING", lastTransitionTime: "2021-11-29T11:47:16.624Z" },
      },
      deployment: {
        instances: 2,
        docker: { configType: "customCommand", customCommand: "run", other: 1 },
        external: { imagePath: "acme/api:1", registryProvider: "github", privateImage: true },
      },
    });
    expect(view).toEqual({
      ...nothing,
      id: "api",
      serviceType: "deployment",
      servicePaused: true,
      disabledCD: false,
      instances: 2,
      image: "acme/api:1",
      external: { imagePath: "acme/api:1", credentials: undefined, registryProvider: "github", isPrivate: true },
      docker: { configType: "customCommand", customCommand: "run" },
      rolloutStatus: "IN_PROGRESS",
      rolloutReason: "DEPLOYING",
      rolloutTransitionTime: "2021-11-29T11:47:16.624Z",
      buildStatus: "SUCCESS",
    });
    expect(view && remoteImageOf(view)).toEqual({
      image: "acme/api:1",
      registryProvider: "github",
      hostMayBeMissing: true,
    });
  });

  test("reads the newer form of an external image, where imageUrl goes first", () => {
    const external = { imagePath: "ghcr.io/acme/api:1", credentials: "ghcr" };
    const view = toServiceView({ id: "api", deployment: { external, imageUrl: "https://ghcr.io/acme/api:1" } });
    expect(view).toMatchObject({ image: "https://ghcr.io/acme/api:1", external });
    expect(view && remoteImageOf(view)).toEqual({
      image: "https://ghcr.io/acme/api:1",
      registryProvider: undefined,
      hostMayBeMissing: false,
    });
  });

  test.each<[string, object, object]>([
    [
      "the older form",
      { nfObjectId: "builder", nfObjectType: "service", branch: "main", buildSHA: "latest", deployedSHA: "a1" },
      { id: "builder", branch: "main", buildSHA: "latest", buildId: undefined, deployedSHA: "a1" },
    ],
    [
      "the newer form",
      { id: "other/builder", branch: "main", buildSHA: "b2", buildId: "x-1" },
      { id: "other/builder", branch: "main", buildSHA: "b2", buildId: "x-1", deployedSHA: undefined },
    ],
  ])("reads %s of a build service", (_what, internal, expected) => {
    const view = toServiceView({ id: "api", deployment: { internal } });
    expect(view).toEqual({ ...nothing, id: "api", internal: expected });
    expect(view && remoteImageOf(view)).toBeUndefined();
  });

  test("takes nulls, missing parts and wrong types for not told", () => {
    const junk = {
      status: null,
      deployment: { instances: "2", external: null, docker: [], buildpack: { configType: 3 } },
    };
    expect(toServiceView({ id: "api", servicePaused: null, ...junk })).toEqual({ ...nothing, id: "api" });
    expect(toServiceView({ id: "api" })).toEqual({ ...nothing, id: "api" });
  });

  test("keeps the longest command that may be declared whole, so that it can be compared", () => {
    const customCommand = "c".repeat(4_096);
    const deployment = { docker: { configType: "customCommand", customCommand } };
    expect(toServiceView({ id: "api", deployment })?.docker?.customCommand).toBe(customCommand);
  });

  test.each([[null], [undefined], ["text"], [[]], [{}], [{ id: 7 }], [{ id: "" }]])("%j is no service", (data) => {
    expect(toServiceView(data)).toBeUndefined();
  });

  test("never throws, and no text of it is long", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (junk) => {
        toServiceView(junk);
        toServiceView({ id: "api", status: junk, deployment: junk, servicePaused: junk });
        toServiceView({
          id: "api",
          status: { deployment: junk, build: junk },
          deployment: { external: junk, internal: junk },
        });
      }),
    );
    expect(toServiceView({ id: "a".repeat(50_000) })?.id).toHaveLength(8_192);
  });
});

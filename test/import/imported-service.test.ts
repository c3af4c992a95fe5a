import { describe, expect, test } from "vitest";
import { createValidator } from "../../src/api/validate.ts";
import { type Imported, importService } from "../../src/import/imported-service.ts";
import { toServiceView } from "../../src/northflank/service-view.ts";

const target = { projectId: "shop", serviceId: "api", name: "api", connectionName: undefined, isObserved: false };
const sha = "12c15e7ee6a1e6b3b1b7f4a1b9a5b0f1c2d3e4f5";
const digest = `sha256:${"0a".repeat(32)}`;

/** As the API tells a service; `deployment` and what stands beside it are the test's. */
function imported(deployment: object, more: object = {}): Imported {
  const view = toServiceView({ id: "api", serviceType: "deployment", deployment, ...more });
  if (view === undefined) throw new Error("not a service");
  return importService(view, target);
}

function declared(result: Imported): unknown {
  if (result.kind === "left-out") throw new Error(`left out: ${result.reason}`);
  return (result.manifest as { readonly spec: { readonly deployment: unknown } }).spec.deployment;
}

const external = (imagePath: string, more: object = {}) => ({ external: { imagePath, ...more } });
const older = (imagePath: string, registryProvider: string, more: object = {}) =>
  external(imagePath, { registryProvider, privateImage: false, ...more });

describe("what a service declares", () => {
  test.each<[string, object, object, unknown]>([
    ["an image", external("ghcr.io/acme/api:1"), {}, external("ghcr.io/acme/api:1")],
    ["its credentials", external("a/b:1", { credentials: "x-1" }), {}, external("a/b:1", { credentials: "x-1" })],
    [
      "the full address of an image where it is told beside the short one",
      { ...older("acme/api:1", "custom"), imageUrl: "https://registry.example.com/acme/api:1" },
      {},
      external("registry.example.com/acme/api:1"),
    ],
    ["latest where there is no tag", external("ghcr.io/a/b"), {}, external("ghcr.io/a/b:latest")],
    ["tag and digest where there are both", external(`a/b:1@${digest}`), {}, external(`a/b:1@${digest}`)],
    ["an image of Docker Hub in its short form", older("nginx:1", "dockerhub"), {}, external("nginx:1")],
    ["the host of GitHub's registry", older("acme/api:1", "github"), {}, external("ghcr.io/acme/api:1")],
    ["a host that was told all the same", older("a.example/b:1", "gitlab"), {}, external("a.example/b:1")],
    [
      "a build by its commit rather than its id",
      { internal: { id: "builder", branch: "main", buildSHA: sha, buildId: "joyous-view-6290" } },
      {},
      { internal: { id: "builder", branch: "main", buildSHA: sha } },
    ],
    [
      "a build by its id where no commit is told",
      { internal: { id: "builder", buildId: "joyous-view-6290" } },
      {},
      { internal: { id: "builder", buildId: "joyous-view-6290" } },
    ],
    [
      "a build in the older form",
      { internal: { nfObjectId: "builder", branch: "main", buildSHA: "latest", deployedSHA: sha } },
      {},
      { internal: { id: "builder", branch: "main", buildSHA: "latest" } },
    ],
    [
      "the build of a combined service without its own id",
      { internal: { id: "api", branch: "main" } },
      { serviceType: "combined" },
      { internal: { branch: "main" } },
    ],
    [
      "the texts that the type of start uses, and no others",
      {
        ...external("a/b:1"),
        docker: { configType: "customCommand", customCommand: "yes", customEntrypoint: "old" },
        buildpack: { configType: "customProcess", customProcess: "web" },
      },
      {},
      { ...external("a/b:1"), docker: { configType: "customCommand", customCommand: "yes" } },
    ],
    [
      "nothing of a start that is the default one",
      { ...external("a/b:1"), docker: { configType: "default", customCommand: "old" } },
      {},
      external("a/b:1"),
    ],
  ])("is %s", (_what, deployment, more, expected) => {
    const result = imported(deployment, more);
    expect(declared(result)).toEqual(expected);
    expect(result.kind).toBe("manifest");
    const { manifest } = result as { readonly manifest: unknown };
    expect(createValidator().validateManifest(manifest)).toEqual([]);
  });

  test.each<[string, object, object, RegExp]>([
    ["a build service", {}, { serviceType: "build" }, /build service/],
    ["a service without a source", {}, {}, /neither an image nor a build/],
    ["a combined service without a source", {}, { serviceType: "combined" }, /combined service/],
    ["an image of a combined service", external("a/b:1"), { serviceType: "combined" }, /takes no external/],
    ["an image that is not told", { external: {} }, {}, /does not return its image/],
    ["an image that is none", external("A B:1"), {}, /its image contains a blank/],
    ["a port with a digest", external(`a.b:5000/c@${digest}`), {}, /its image has/],
    ["a build of which nothing is told", { internal: {} }, {}, /returns nothing of its build/],
  ])("leaves out %s, with the reason", (_what, deployment, more, reason) => {
    expect(imported(deployment, more)).toEqual({ kind: "left-out", reason: expect.stringMatching(reason) });
  });

  test("is a draft where the host of the registry is not told, and it is not made up", () => {
    const result = imported(older("acme/api:1", "ecr"));
    expect([result.kind, declared(result)]).toEqual(["draft", external("REGISTRY/acme/api:1")]);
  });

  test.each<[string, object, object, RegExp]>([
    ["a private image without its credentials", older("a/b:1", "github", { privateImage: true }), {}, /credentials/],
    ["a host that was inferred", older("acme/api:1", "github"), {}, /check that the host is right/],
    ["a paused service", external("a/b:1"), { servicePaused: true }, /paused/],
    [
      "a commit beside continuous deployment",
      { internal: { id: "abc", buildSHA: sha } },
      { disabledCD: false },
      /itself/,
    ],
  ])("comes with a note about %s", (_what, deployment, more, note) => {
    const result = imported(deployment, more);
    expect("notes" in result && result.notes.some((each) => note.test(each))).toBe(true);
  });

  test.each<[string, object, object]>([
    ["latest beside continuous deployment", { internal: { id: "abc", buildSHA: "latest" } }, { disabledCD: false }],
    ["one commit without it", { internal: { id: "abc", buildSHA: sha } }, { disabledCD: true }],
    ["a private image with credentials", external("a/b:1", { credentials: "x-1", privateImage: true }), {}],
  ])("comes without a note about %s", (_what, deployment, more) => {
    expect(imported(deployment, more)).toMatchObject({ notes: [] });
  });
});

test("the id is the one that was asked for, whatever the answer calls itself", () => {
  const result = imported({ external: { imagePath: "ghcr.io/acme/api:1" } }, { id: "another" });
  expect(result).toMatchObject({ kind: "manifest", manifest: { spec: { serviceId: "api" } } });
});

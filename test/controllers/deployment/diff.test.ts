import { describe, expect, test } from "vitest";
import type { NorthflankDeploymentSpec } from "../../../src/api/deployment.ts";
import { type Desire, desireOf } from "../../../src/controllers/deployment/desired.ts";
import { compare } from "../../../src/controllers/deployment/diff.ts";
import type { ServiceView } from "../../../src/northflank/types.ts";
import { deployment, service } from "../../support/builders.ts";

type Declared = NorthflankDeploymentSpec["deployment"];

function desire(declared: Declared): Desire {
  const result = desireOf(deployment({ spec: { deployment: declared } }).spec);
  if (result.kind === "problem") throw new Error(result.problem.message);
  return result.desire;
}

const internal = (parts: Partial<NonNullable<ServiceView["internal"]>> = {}) => ({
  image: undefined,
  external: undefined,
  internal: {
    id: "api-build",
    branch: "main",
    buildSHA: "a".repeat(40),
    buildId: undefined,
    deployedSHA: undefined,
    ...parts,
  },
});

const sha = "a".repeat(40);
const other = "b".repeat(40);

describe("nothing differs", () => {
  const cases: Readonly<Record<string, readonly [Declared, Partial<Parameters<typeof service>[0]>]>> = {
    "when the image is the same": [{ external: { imagePath: "ghcr.io/acme/api:1" } }, {}],
    "when Northflank has cut off the host": [
      { external: { imagePath: "ghcr.io/acme/api:1" } },
      {
        image: "acme/api:1",
        external: { imagePath: "acme/api:1", credentials: undefined, registryProvider: "github" },
      },
    ],
    "when only the spelling of a Docker Hub image differs": [
      { external: { imagePath: "nginx:1.25" } },
      { imagePath: "docker.io/library/nginx:1.25" },
    ],
    "when the told credentials are the same": [
      { external: { imagePath: "ghcr.io/acme/api:1", credentials: "ghcr" } },
      { external: { imagePath: "ghcr.io/acme/api:1", credentials: "ghcr", registryProvider: undefined } },
    ],
    "when a field that is not declared is something else": [
      { docker: { configType: "default" } },
      { docker: { configType: "default", customCommand: "old" }, imagePath: "whatever:1" },
    ],
    "when a custom text is set that the type does not use": [
      { docker: { configType: "customCommand", customCommand: "run" } },
      { docker: { configType: "customCommand", customCommand: "run", customEntrypoint: "old" } },
    ],
    "when the build is the same": [{ internal: { id: "api-build", branch: "main", buildSHA: sha } }, internal()],
    "when a commit differs in case only": [{ internal: { buildSHA: sha.toUpperCase() } }, internal()],
    "when the service of another project is told without it": [{ internal: { id: "tools/api-build" } }, internal()],
    "when `latest` is declared and set, whatever is deployed": [
      { internal: { buildSHA: "latest" } },
      internal({ buildSHA: "latest", deployedSHA: other }),
    ],
  };
  test.each(Object.entries(cases))("%s", (_sentence, [declared, view]) => {
    expect(compare(desire(declared), service(view))).toMatchObject({ differences: [], untold: [], hidden: [] });
  });
});

describe("a difference is shown field by field", () => {
  const cases: Readonly<
    Record<string, readonly [Declared, Partial<Parameters<typeof service>[0]>, readonly object[]]>
  > = {
    "for another tag": [
      { external: { imagePath: "ghcr.io/acme/api:2" } },
      {},
      [{ path: "deployment.external.imagePath", from: "ghcr.io/acme/api:1", to: "ghcr.io/acme/api:2" }],
    ],
    "for another registry": [
      { external: { imagePath: "quay.io/acme/api:1" } },
      {},
      [{ path: "deployment.external.imagePath", from: "ghcr.io/acme/api:1", to: "quay.io/acme/api:1" }],
    ],
    "for other credentials": [
      { external: { imagePath: "ghcr.io/acme/api:1", credentials: "new" } },
      { external: { imagePath: "ghcr.io/acme/api:1", credentials: "old", registryProvider: undefined } },
      [{ path: "deployment.external.credentials", from: "old", to: "new" }],
    ],
    "for a service that runs a build": [
      { external: { imagePath: "ghcr.io/acme/api:1" } },
      internal(),
      [{ path: "deployment.external.imagePath", from: `build api-build@${sha}`, to: "ghcr.io/acme/api:1" }],
    ],
    "for a service that runs an image": [
      { internal: { id: "api-build", branch: "main", buildSHA: "latest" } },
      {},
      [{ path: "deployment.internal", from: "ghcr.io/acme/api:1", to: "build api-build@latest" }],
    ],
    "for another commit and branch": [
      { internal: { branch: "dev", buildSHA: other } },
      internal(),
      [
        { path: "deployment.internal.branch", from: "main", to: "dev" },
        { path: "deployment.internal.buildSHA", from: sha, to: other },
      ],
    ],
    "for a pinned commit where Northflank follows": [
      { internal: { buildSHA: sha } },
      internal({ buildSHA: "latest" }),
      [{ path: "deployment.internal.buildSHA", from: "latest", to: sha }],
    ],
    "for another kind of command": [
      { docker: { configType: "customCommand", customCommand: "run" } },
      { docker: { configType: "default" } },
      [{ path: "deployment.docker.configType", from: "default", to: "customCommand" }],
    ],
    "for another command of the same kind": [
      { buildpack: { configType: "customCommand", customCommand: "new" } },
      { buildpack: { configType: "customCommand", customCommand: "old" } },
      [{ path: "deployment.buildpack.customCommand", from: "old", to: "new" }],
    ],
  };
  test.each(Object.entries(cases))("%s", (_sentence, [declared, view, differences]) => {
    expect(compare(desire(declared), service(view))).toMatchObject({ differences, untold: [], hidden: [] });
  });

  test("and a long value is cut", () => {
    const [difference] = compare(
      desire({ docker: { configType: "customCommand", customCommand: "x".repeat(2_000) } }),
      service({ docker: { configType: "customCommand", customCommand: "old" } }),
    ).differences;
    expect(difference?.to).toHaveLength(256);
  });
});

test("what Northflank does not tell is neither the same nor different", () => {
  const declared: Declared = {
    external: { imagePath: "ghcr.io/acme/api:1", credentials: "ghcr" },
    docker: { configType: "default" },
  };
  expect(compare(desire(declared), service())).toMatchObject({
    differences: [],
    untold: [
      { path: "deployment.external.credentials", to: "ghcr" },
      { path: "deployment.docker.configType", to: "default" },
    ],
    hidden: [],
  });
});

test("a build is hidden where a combined service tells no source at all, and differs elsewhere", () => {
  const untold = { image: undefined, external: undefined, internal: undefined };
  const declared: Declared = { internal: { branch: "main" } };
  const build = { path: "deployment.internal", to: expect.stringContaining("@main") };
  const combined = compare(desire(declared), service({ ...untold, serviceType: "combined" }));
  expect(combined).toMatchObject({ differences: [], untold: [], hidden: [build] });
  const other = compare(desire(declared), service(untold));
  expect(other).toMatchObject({ differences: [build], untold: [], hidden: [] });
});

describe("two declarations that mean the same have the same hash", () => {
  test.each([
    [{ external: { imagePath: "nginx:1" } }, { external: { imagePath: "docker.io/library/nginx:1" } }, true],
    [{ external: { imagePath: "nginx:1" } }, { external: { imagePath: "nginx:2" } }, false],
    [{ internal: { id: "a-b", branch: "m" } }, { internal: { branch: "m", id: "a-b" } }, true],
    [{ internal: { id: "a-b" } }, { internal: { id: "a-c" } }, false],
    [
      { external: { imagePath: "nginx:1" } },
      { external: { imagePath: "nginx:1" }, docker: { configType: "default" as const } },
      false,
    ],
  ])("%j and %j: %s", (left, right, expected) => {
    expect(desire(left).hash === desire(right).hash).toBe(expected);
  });
});

test("an image that cannot be read is a problem of the field, with the rule", () => {
  const result = desireOf(deployment({ spec: { deployment: { external: { imagePath: "../../etc/passwd:x" } } } }).spec);
  expect(result).toMatchObject({ kind: "problem", problem: { field: "spec.deployment.external.imagePath" } });
});

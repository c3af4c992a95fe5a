import { describe, expect, test } from "vitest";
import { problemOfVersion, withVersion } from "../../../scripts/release/version.ts";

describe("the next version", () => {
  test.each([
    ["1.2.3", true, "1.2.4", undefined],
    ["1.2.3", true, "2.0.0-rc.1", undefined],
    ["2.0.0-rc.1", true, "2.0.0", undefined],
    ["1.2.3", false, "1.2.3", undefined],
    ["0.1.0", false, "0.1.0-rc.1", undefined],
    ["0.1.0-rc.1", true, "0.1.0", undefined],
    ["0.1.0", true, "0.1.0-rc.2", "0.1.0-rc.2 is older than 0.1.0, the current version"],
    ["0.1.0", false, "0.0.9-rc.1", "0.0.9-rc.1 is older than 0.1.0, the current version"],
    ["0.1.0-rc.2", false, "0.1.0-rc.1", "0.1.0-rc.1 is older than 0.1.0-rc.2, the current version"],
    ["1.2.3", true, "1.2.3", "1.2.3 is released already"],
    ["1.2.3", false, "1.2.2", "1.2.2 is older than 1.2.3, the current version"],
    ["2.0.0", true, "2.0.0-rc.2", "2.0.0-rc.2 is older than 2.0.0, the current version"],
    ["1.2.3", true, "v1.2.4", '"v1.2.4" is not a version: 1.2.3 or 1.2.3-rc.1 is expected'],
    ["1.2.3", true, "1.3", '"1.3" is not a version: 1.2.3 or 1.2.3-rc.1 is expected'],
    ["1.2.3", true, "1.2.04", '"1.2.04" is not a version: 1.2.3 or 1.2.3-rc.1 is expected'],
    ["1.2.3", true, "1.2.4+b", '"1.2.4+b" is not a version: 1.2.3 or 1.2.3-rc.1 is expected'],
  ])("after %s (released: %s), %s: %s", (version, isReleased, next, problem) => {
    expect(problemOfVersion(next, { version, isReleased })).toBe(problem);
  });
});

describe("a text that names the version", () => {
  const names = {
    image: "ghcr.io/acme/northflank-operator",
    repository: "https://github.com/acme/northflank-operator",
  };
  const renamed = (text: string) => withVersion(text, { from: "0.1.0", to: "0.2.0-rc.1", names });

  test.each([
    ["image: ghcr.io/acme/northflank-operator:0.1.0", "image: ghcr.io/acme/northflank-operator:0.2.0-rc.1"],
    ["ghcr.io/acme/northflank-operator:0.1.0@sha256:ab", "ghcr.io/acme/northflank-operator:0.2.0-rc.1@sha256:ab"],
    ["registry.example.com/northflank-operator:0.1.0", "registry.example.com/northflank-operator:0.2.0-rc.1"],
    ["version: 0.1.0", "version: 0.2.0-rc.1"],
    ['appVersion: "0.1.0"', 'appVersion: "0.2.0-rc.1"'],
    ["helm install --version 0.1.0 \\", "helm install --version 0.2.0-rc.1 \\"],
    ["helm install --version=0.1.0", "helm install --version=0.2.0-rc.1"],
    ["The latest is 0.1.0.", "The latest is 0.2.0-rc.1."],
    ["git checkout v0.1.0", "git checkout v0.2.0-rc.1"],
    [
      "https://github.com/acme/northflank-operator/releases/download/v0.1.0/install.yaml",
      "https://github.com/acme/northflank-operator/releases/download/v0.2.0-rc.1/install.yaml",
    ],
    [
      "https://github.com/acme/northflank-operator//deploy?ref=v0.1.0",
      "https://github.com/acme/northflank-operator//deploy?ref=v0.2.0-rc.1",
    ],
    ["northflank-operator-npm-0.1.0.tgz", "northflank-operator-npm-0.2.0-rc.1.tgz"],
  ])("%s", (before, after) => {
    expect(renamed(before)).toBe(after);
  });

  test.each([
    "ghcr.io/acme/api:0.1.0",
    "ghcr.io/acme/not-northflank-operator:0.1.0",
    "ghcr.io/acme/northflank-operator:0.1.0-rc.1",
    "version: 10.1.0",
    "version: 0.1.0.4",
    "version: 0.1.01",
    "undici@0.1.0",
    "https://example.com/v0.1.0/install.yaml",
  ])("%s stays", (text) => {
    expect(renamed(text)).toBe(text);
  });
});

import { describe, expect, test } from "vitest";
import { compareImages, declarableImage, type RemoteImage, sameImage } from "../../src/northflank/remote-image.ts";
import { type ImageReference, parseImageReference } from "../../src/util/image-reference.ts";

const sha = `sha256:${"0a".repeat(32)}`;

describe("sameImage", () => {
  const remote = (image: string, more: Partial<RemoteImage> = {}): RemoteImage => ({
    image,
    registryProvider: undefined,
    hostMayBeMissing: false,
    ...more,
  });
  const stripped = (image: string, registryProvider: string) =>
    remote(image, { registryProvider, hostMayBeMissing: true });

  test.each<[string, string, RemoteImage, boolean]>([
    ["the same text", "ghcr.io/acme/api:1", remote("ghcr.io/acme/api:1"), true],
    ["another tag", "ghcr.io/acme/api:1", remote("ghcr.io/acme/api:2"), false],
    ["another host", "ghcr.io/acme/api:1", remote("quay.io/acme/api:1"), false],
    ["a scheme on the remote side", "ghcr.io/acme/api:1", remote("https://ghcr.io/acme/api:1"), true],
    ["the old /v1 of Docker Hub", "acme/api:1", remote("https://index.docker.io/v1/acme/api:1"), true],
    ["Docker Hub by its short and its full name", "nginx:1", remote("docker.io/library/nginx:1"), true],
    ["no tag on the remote side means latest", "nginx:latest", remote("nginx"), true],
    ["no tag on the remote side is no other tag", "nginx:1", remote("nginx"), false],
    ["upper case in the host", "ghcr.io/acme/api:1", remote("GHCR.IO/acme/api:1"), true],
    ["a digest", `ghcr.io/acme/api@${sha}`, remote(`ghcr.io/acme/api@${sha}`), true],
    ["a digest declared, tag and digest remote", `a.b/c@${sha}`, remote(`a.b/c:1@${sha}`), true],
    ["both declared, the digest remote", `a.b/c:1@${sha}`, remote(`a.b/c@${sha}`), true],
    ["both declared, another tag remote", `a.b/c:1@${sha}`, remote(`a.b/c:2@${sha}`), true],
    ["both declared, another digest remote", `a.b/c:1@${sha}`, remote(`a.b/c:1@sha256:${"1".repeat(64)}`), false],
    ["both declared, only the tag remote", `a.b/c:1@${sha}`, remote("a.b/c:1"), false],
    ["a tag declared, tag and digest remote", "a.b/c:1", remote(`a.b/c:1@${sha}`), true],
    ["a tag declared, only a digest remote", "a.b/c:latest", remote(`a.b/c@${sha}`), false],
    ["a digest declared, only a tag remote", `a.b/c@${sha}`, remote("a.b/c:1"), false],
    ["a host that must not be missing", "ghcr.io/acme/api:1", remote("acme/api:1"), false],
    ["a stripped host", "ghcr.io/acme/api:1", stripped("acme/api:1", "github"), true],
    ["a stripped host with a slash left", "ghcr.io/acme/api:1", stripped("/acme/api:1", "github"), true],
    ["a stripped host and another tag", "ghcr.io/acme/api:1", stripped("acme/api:2", "github"), false],
    ["a stripped host of another provider", "ghcr.io/acme/api:1", stripped("acme/api:1", "dockerhub"), false],
    ["Docker Hub declared, the provider is another", "acme/api:1", stripped("acme/api:1", "github"), false],
    ["a library image", "nginx:latest", stripped("nginx:latest", "dockerhub"), true],
    ["a stripped host and port", "localhost:5000/app:1", stripped("app:1", "custom"), true],
    ["a provider that can be anywhere", "git.example.com:5050/g/p:1", stripped("g/p:1", "gitlab"), true],
    ["a provider that we do not know", "quay.io/g/p:1", stripped("g/p:1", "constructor"), true],
    ["a path that looks like a host", "ghcr.io/my.org/app:1", stripped("my.org/app:1", "github"), true],
    ["a host that was not stripped after all", "ghcr.io/acme/api:1", stripped("ghcr.io/acme/api:1", "github"), true],
    ["nothing readable", "nginx:1", remote("!!!"), false],
  ])("%s", (_what, desired, remoteImage, expected) => {
    expect(sameImage(imageOf(desired), remoteImage)).toBe(expected);
  });
});

function imageOf(text: string): ImageReference {
  const parsed = parseImageReference(text);
  if (parsed.kind === "problem") throw new Error(`${text}: ${parsed.message}`);
  return parsed.image;
}

test.each<[string, string, RemoteImage, ReturnType<typeof compareImages>]>([
  ["read in full", "a.b/c:1", remoteOf("a.b/c:1"), "same"],
  ["read in full, another", "a.b/c:1", remoteOf("a.b/c:2"), "different"],
  ["without its host", "a.b/c:1", remoteOf("c:1", "custom"), "alike"],
  ["without its host, of a provider with several", "gcr.io/a/c:1", remoteOf("a/c:1", "gar"), "alike"],
  ["without its host, of a provider with one", "a/c:1", remoteOf("a/c:1", "dockerhub"), "same"],
  ["without its host, of another provider", "a.b/c:1", remoteOf("c:1", "dockerhub"), "different"],
  ["with a digest beside the declared tag", "a.b/c:1", remoteOf(`a.b/c:1@${sha}`), "alike"],
  ["with a tag beside the declared digest", `a.b/c@${sha}`, remoteOf(`a.b/c:1@${sha}`), "alike"],
])("an image that is %s", (_case, desired, remote, expected) => {
  const parsed = parseImageReference(desired);
  expect(parsed.kind === "image" && compareImages(parsed.image, remote)).toBe(expected);
});

function remoteOf(image: string, registryProvider?: string): RemoteImage {
  return { image, registryProvider, hostMayBeMissing: registryProvider !== undefined };
}

test("an image with tag and digest is imported with both", () => {
  expect(declarableImage(remoteOf(`a.b/c:1@${sha}`))).toEqual({
    kind: "image",
    text: `a.b/c:1@${sha}`,
    isHostInferred: false,
  });
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  compareImages,
  formatImage,
  type ImageReference,
  type ImageRule,
  normalizeImage,
  parseImageReference,
  type RemoteImage,
  sameImage,
} from "../../src/northflank/image-reference.ts";

const sha = `sha256:${"0a".repeat(32)}`;

describe("parseImageReference", () => {
  test.each<[string, string]>([
    ["nginx:1.25", "docker.io/library/nginx:1.25"],
    ["acme/api:1", "docker.io/acme/api:1"],
    ["docker.io/nginx:1", "docker.io/library/nginx:1"],
    ["index.docker.io/acme/api:1", "docker.io/acme/api:1"],
    ["ghcr.io/acme/api:1.4.2", "ghcr.io/acme/api:1.4.2"],
    [`ghcr.io/acme/api@${sha}`, `ghcr.io/acme/api@${sha}`],
    [`nginx@${sha}`, `docker.io/library/nginx@${sha}`],
    ["localhost:5000/img:1", "localhost:5000/img:1"],
    ["localhost/img:1", "localhost/img:1"],
    ["registry.example.com:5000/a/b/c:v1", "registry.example.com:5000/a/b/c:v1"],
    ["GHCR.io/acme/api:1", "ghcr.io/acme/api:1"],
    ["Registry/acme/api:1", "Registry/acme/api:1"],
    ["169.254.169.254/latest:x", "169.254.169.254/latest:x"],
    ["europe-west1-docker.pkg.dev/p/r/app:UPPER_tag-1.0", "europe-west1-docker.pkg.dev/p/r/app:UPPER_tag-1.0"],
    ["a.b/c__d/e--f.g_h:1", "a.b/c__d/e--f.g_h:1"],
    [`a/b:${"t".repeat(128)}`, `docker.io/a/b:${"t".repeat(128)}`],
  ])("reads %s as %s", (text, full) => {
    expect(normalizeImage(text)).toBe(full);
  });

  test.each<[string, ImageRule]>([
    ["", "empty"],
    ["a".repeat(513), "too-long"],
    ["nginx", "no-version"],
    ["registry.example.com:5000/app", "no-version"],
    [`ghcr.io/acme/api:1.2@${sha}`, "tag-and-digest"],
    [`registry.example.com:5000/app@${sha}`, "port-and-digest"],
    ["https://ghcr.io/acme/api:1", "scheme"],
    ["http://169.254.169.254/latest:x", "scheme"],
    ["../../etc/passwd:x", "repository"],
    ["ghcr.io/../secret:1", "repository"],
    ["ghcr.io/a/./b:1", "repository"],
    ["ghcr.io//b:1", "repository"],
    ["ghcr.io/:1", "repository"],
    ["ghcr.io/Acme/api:1", "repository"],
    ["/nginx:1", "repository"],
    ["nginx/:1", "repository"],
    ["a:b/c", "registry"],
    ["host:70000/app:1", "registry"],
    ["host:0/app:1", "registry"],
    ["a:1:2/app:1", "registry"],
    ["-bad.example/app:1", "registry"],
    ["[::1]:5000/app:1", "registry"],
    ["user:pass@ghcr.io/app:1", "digest"],
    ["app:1+2", "tag"],
    ["app:", "tag"],
    ["app:.hidden", "tag"],
    [`app:${"t".repeat(129)}`, "tag"],
    ["app@sha256:abc", "digest"],
    [`app@sha256:${"0A".repeat(32)}`, "digest"],
    [`app@${sha}@${sha}`, "digest"],
    ["app@", "digest"],
    ["nginx:1\n", "characters"],
    ["ngin\u0445:1", "characters"],
    ["a b:1", "characters"],
    ["a\u0000b:1", "characters"],
  ])("refuses %j by the rule %s", (text, rule) => {
    expect(parseImageReference(text)).toMatchObject({ kind: "problem", rule });
  });

  test("names the remedy for a tag together with a digest", () => {
    expect(parseImageReference(`app:1@${sha}`)).toMatchObject({ message: expect.stringContaining("drop the tag") });
  });

  test("draws the line at 512 characters", () => {
    const path = "a".repeat(510);
    expect(parseImageReference(`${path}:1`).kind).toBe("image");
    expect(parseImageReference(`${path}:12`)).toMatchObject({ rule: "too-long" });
  });

  test.each<[string, string]>([
    ["a.aaa", `a.${"a".repeat(1_000_000)}`],
    ["a.a.a", "a.".repeat(500_000)],
    ["path and tag", `${"a/".repeat(250_000)}:${"a".repeat(500_000)}!`],
    ["separators", `a/${"a-".repeat(500_000)}`],
    ["slashes", "/".repeat(1_000_000)],
  ])("is done with a megabyte of %s at once, on both sides", (_what, text) => {
    const startMs = performance.now();
    expect(parseImageReference(text).kind).toBe("problem");
    expect(sameImage(imageOf("nginx:1"), { image: text, registryProvider: undefined, hostMayBeMissing: true })).toBe(
      false,
    );
    // Quadratic work would take minutes; the bound only leaves room for a busy machine.
    expect(performance.now() - startMs).toBeLessThan(1_000);
  });

  test.each(["a.", "a-", "a_", "a/", "a:", "a@", "1.", "ab"])("is quick with 512 characters of %j", (pump) => {
    const startMs = performance.now();
    for (let round = 0; round < 20; round++) parseImageReference(`${pump.repeat(250)}!`);
    expect(performance.now() - startMs).toBeLessThan(500);
  });

  test("reads what it wrote, and never throws", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."aZ0.-_/:@ "), maxLength: 40 }), (text) => {
        const full = normalizeImage(text);
        if (full !== undefined) expect(normalizeImage(full)).toBe(full);
      }),
      { numRuns: 2_000 },
    );
  });
});

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

test("formatImage writes every part", () => {
  expect(formatImage({ registry: "a.b", repository: "c", tag: "1", digest: sha })).toBe(`a.b/c:1@${sha}`);
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

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  formatImage,
  type ImageRule,
  imageToSend,
  normalizeImage,
  parseImageReference,
} from "../../src/util/image-reference.ts";

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
    [`ghcr.io/acme/api:1.4.2@${sha}`, `ghcr.io/acme/api:1.4.2@${sha}`],
    [`nginx:1.25@${sha}`, `docker.io/library/nginx:1.25@${sha}`],
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
    [`registry.example.com:5000/app@${sha}`, "port-and-digest"],
    ["https://ghcr.io/acme/api:1", "scheme"],
    ["http://169.254.169.254/latest:x", "scheme"],
    ["../../etc/passwd:x", "repository"],
    ["ghcr.io/../secret:1", "repository"],
    ["ghcr.io/a/./b:1", "repository"],
    ["ghcr.io//b:1", "repository"],
    ["ghcr.io/:1", "repository"],
    ["ghcr.io/Acme/api:1", "upper-case"],
    ["Acme/API:1", "upper-case"],
    ["Nginx:1", "upper-case"],
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
    ["ngin\u0445:1", "characters"],
    ["app!:1", "characters"],
    ["nginx:1\n", "blanks"],
    [" nginx:1", "blanks"],
    ["nginx:1\t", "blanks"],
    ["a b:1", "blanks"],
    ["api:1\napi:2", "blanks"],
    ["'nginx:1'", "quotes"],
    ['"nginx:1"', "quotes"],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: this is what people write.
    ["ghcr.io/acme/api:${TAG}", "unreplaced"],
    ["ghcr.io/acme/api:$TAG", "unreplaced"],
    ["ghcr.io/acme/api:$(git rev-parse HEAD)", "unreplaced"],
    ["ghcr.io/acme/api:{{ .Values.tag }}", "unreplaced"],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: this is what people write.
    ["${{ steps.meta.outputs.tags }}", "unreplaced"],
    ["ghcr.io/acme/api:<tag>", "unreplaced"],
    ["ghcr.io/acme/api:`date`", "unreplaced"],
    ["ghcr.io/acme/api:%TAG%", "unreplaced"],
    ["ghcr.io/acme/api:feature/login", "tag-slash"],
    ["api:feature/login", "registry"],
    ["ghcr.io/acme/api:1.4.2+build.7", "tag"],
    [`acme/app:${sha}`, "digest-sign"],
    ["nginx:1:2", "two-tags"],
    ["ghcr.io/acme/api:1.4.2:latest", "two-tags"],
    [`ghcr.io/acme/api:1.4.2:latest@${sha}`, "two-tags"],
    ["host:5000:1", "two-tags"],
    ["a\u0000b:1", "characters"],
  ])("refuses %j by the rule %s", (text, rule) => {
    expect(parseImageReference(text)).toMatchObject({ kind: "problem", rule });
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
  ])("is done with a megabyte of %s at once", (_what, text) => {
    const startMs = performance.now();
    expect(parseImageReference(text).kind).toBe("problem");
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

test("formatImage writes every part", () => {
  expect(formatImage({ registry: "a.b", repository: "c", tag: "1", digest: sha })).toBe(`a.b/c:1@${sha}`);
});

test("what is sent is the digest, and the tag stays behind", () => {
  expect(imageToSend(`ghcr.io/acme/api:1.4.2@${sha}`)).toBe(`ghcr.io/acme/api@${sha}`);
  expect(imageToSend(`localhost:5000/api:1@${sha}`)).toBe(`localhost:5000/api@${sha}`);
  expect(imageToSend(`ghcr.io/acme/api@${sha}`)).toBe(`ghcr.io/acme/api@${sha}`);
  expect(imageToSend("ghcr.io/acme/api:1.4.2")).toBe("ghcr.io/acme/api:1.4.2");
});

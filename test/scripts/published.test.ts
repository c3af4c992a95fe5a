import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { published } from "../../scripts/published.ts";

function from(repository: string): ReturnType<typeof published> {
  const folder = mkdtempSync(join(tmpdir(), "published-"));
  try {
    const manifest = { name: "northflank-operator", version: "1.2.3", repository: { url: repository } };
    writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
    return published(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("all names follow from the repository and the version, in small letters where registries want them", () => {
  expect(from("git+https://github.com/Acme/nf-operator.git")).toEqual({
    version: "1.2.3",
    repository: "https://github.com/Acme/nf-operator",
    image: "ghcr.io/acme/nf-operator",
    chart: "oci://ghcr.io/acme/charts/nf-operator",
    files: "https://github.com/Acme/nf-operator/releases/download/v1.2.3",
  });
});

test.each(["https://github.com/acme/nf-operator", "git+https://example.com/acme/nf-operator.git", ""])(
  "%j is refused",
  (url) => {
    expect(() => from(url)).toThrow("git+https://github.com/OWNER/NAME.git is expected");
  },
);
